//! From flags to the active rules: what every command that detects needs.

use std::path::PathBuf;

use keysift::{Error, Result, detect::Detector, rule::Ruleset};

/// The flags that choose rules.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct RuleFlags {
    /// Add the rules of this file (keysift's or gitleaks' format)
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// Use only these rules
    #[arg(long, value_name = "ID")]
    only_rule: Vec<String>,
    /// Leave these rules out
    #[arg(long, value_name = "ID")]
    skip_rule: Vec<String>,
}

impl RuleFlags {
    /// The active rules, starting from `base`.
    pub(crate) fn apply(&self, base: Ruleset) -> Result<Ruleset> {
        let mut ruleset = base;
        for path in &self.rules {
            let file = Ruleset::read(path)?;
            if file.ruleset.rules.is_empty() && file.ruleset.allowlists.is_empty() && file.extend == Default::default()
            {
                return Err(Error::new(format!("rules file {}", path.display()))
                    .because("it holds no rules")
                    .help("add [[rules]], or leave --rules out"));
            }
            ruleset.rules.retain(|r| !file.extend.disabled.contains(&r.id));
            ruleset.extend(file.ruleset);
        }
        for id in self.only_rule.iter().chain(&self.skip_rule) {
            if !ruleset.rules.iter().any(|r| r.id == *id) {
                return Err(unknown_rule(&ruleset, id));
            }
        }
        if !self.only_rule.is_empty() {
            ruleset.rules.retain(|r| self.only_rule.contains(&r.id));
        }
        ruleset.rules.retain(|r| !self.skip_rule.contains(&r.id));
        // Rules of users are compiled at once, so that a bad one is said at once.
        if !self.rules.is_empty() {
            Detector::new(&ruleset)?.compile_all()?;
        }
        Ok(ruleset)
    }
}

/// The error for a rule id that there is not, with the one that it looks like.
pub(crate) fn unknown_rule(ruleset: &Ruleset, id: &str) -> Error {
    let error = Error::new(format!("unknown rule `{id}`"));
    let nearest = ruleset.rules.iter().map(|r| (keysift::rule::schema::edit_distance(id, &r.id), &r.id)).min();
    match nearest {
        Some((distance, near)) if distance <= 2 + id.len() / 4 => error.help(format!("did you mean `{near}`?")),
        _ => error.help("`keysift rules list` shows them"),
    }
}
