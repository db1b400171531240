//! From flags and files to the active rules: what every command that detects needs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use keysift::{
    Error, Result,
    config::Config,
    detect::Detector,
    rule::Ruleset,
    triage::{self, IgnoreFile, baseline},
};

/// The ignore file at the root.
const IGNORE_FILE: &str = ".keysiftignore";

/// The configuration for a root: the named file, or the one that stands there, or none.
pub(crate) fn configuration(named: Option<&Path>, root: &Path) -> Result<Config> {
    match named {
        Some(path) => Config::read(path, root),
        None => Ok(Config::find(root)?.unwrap_or_else(Config::none)),
    }
}

/// What sets findings aside: comments, the ignore file, the baseline.
pub(crate) fn triage_options(
    config: &Config,
    root: &Path,
    baseline: Option<&Path>,
    inline: bool,
    coverage: baseline::Coverage,
) -> Result<triage::Options> {
    let path = root.join(IGNORE_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::new(format!("cannot read {}", path.display())).because(e)),
    };
    let exclude = config.exclude.join("\n");
    let ignore = IgnoreFile::parse([(IGNORE_FILE, text.as_str()), (config.name.as_str(), exclude.as_str())])?;
    let own = root.join(config.baseline.as_deref().unwrap_or(baseline::NAME));
    let known = match baseline {
        Some(path) => Some(baseline::Baseline::read(path)?),
        None if config.baseline.is_some() || own.exists() => Some(baseline::Baseline::read(&own)?),
        None => None,
    };
    let mut usage = baseline::Use { coverage, ..baseline::Use::default() };
    if let Some(scope) = config.baseline_scope {
        usage.scope = scope;
    }
    let root = root.to_owned();
    usage.now = Some(triage::Reader::new(move |path| {
        use bstr::ByteSlice;
        fs::read(root.join(path.to_path_lossy())).ok()
    }));
    Ok(triage::Options {
        inline: inline && config.inline.unwrap_or(true),
        ignore: (!ignore.is_empty()).then_some(ignore),
        baseline: known,
        usage,
        ..triage::Options::default()
    })
}

/// The flags that choose rules.
#[derive(Debug, Clone, clap::Args)]
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
