//! Rules: what is looked for. Data, not code.
//!
//! `rules.toml` is read when the program is built (`build.rs`) and embedded in its validated form,
//! so that starting costs no parsing; files of users go through the same [`schema`] at run time.

pub mod expression;
pub mod schema;
pub mod template;

use std::{path::Path, sync::Arc};

pub use schema::{Allowlist, Condition, Confidence, Kind, Reach, Requirement, Rule, Severity, Target};

use crate::error::{Error, Result};

/// The text of the built-in rules, for `keysift rules test` and for people.
pub const BUILTIN_TOML: &str = include_str!("../rules.toml");

/// The built-in rules as `build.rs` validated them.
static BUILTIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.bin"));

/// The active rules of a scan, and the allowlists that hold for all of them.
#[derive(Debug, Clone, Default)]
pub struct Ruleset {
    /// The rules, in order of their definition.
    pub rules: Vec<Arc<Rule>>,
    /// Allowlists over all rules.
    pub allowlists: Vec<Allowlist>,
}

/// What a rules file asks for: its own rules, and how it stands to the built-in ones.
#[derive(Debug, Clone)]
pub struct RulesFile {
    /// The rules and allowlists of the file.
    pub ruleset: Ruleset,
    /// `[extend]`.
    pub extend: schema::Extend,
}

impl Ruleset {
    /// The built-in rules.
    ///
    /// # Panics
    /// Never: the embedded data is written by `build.rs` from the same types; a test reads it.
    pub fn builtin() -> Ruleset {
        let rules: Vec<Rule> = postcard::from_bytes(BUILTIN).expect("rules.bin is written by build.rs");
        Ruleset { rules: rules.into_iter().map(Arc::new).collect(), allowlists: Vec::new() }
    }

    /// Reads the text of a rules file (keysift's or gitleaks'); `name` is for messages.
    ///
    /// # Errors
    /// The text is not TOML, or a rule is malformed: with file, line, rule and remedy.
    pub fn parse(text: &str, name: &str) -> Result<RulesFile> {
        let file = schema::parse(text).map_err(|problem| {
            let rule = problem.rule.map(|id| format!(", rule `{id}`")).unwrap_or_default();
            let error = Error::new(format!("{name}:{}{rule}", problem.line)).because(problem.what);
            match problem.help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
        Ok(RulesFile {
            ruleset: Ruleset { rules: file.rules.into_iter().map(Arc::new).collect(), allowlists: file.allowlists },
            extend: file.extend,
        })
    }

    /// Reads a rules file.
    ///
    /// # Errors
    /// The file cannot be read, or as for [`Ruleset::parse`].
    pub fn read(path: &Path) -> Result<RulesFile> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(format!("cannot read rules file {}", path.display()))
                .because(e)
                .help("name a TOML file that you may read")
        })?;
        Ruleset::parse(&text, &path.display().to_string())
    }

    /// Adds the rules and allowlists of `other`; a rule with a known id takes the old one's place.
    pub fn extend(&mut self, other: Ruleset) {
        if self.rules.is_empty() {
            self.rules = other.rules;
        } else {
            for rule in other.rules {
                match self.rules.iter_mut().find(|r| r.id == rule.id) {
                    Some(old) => *old = rule,
                    None => self.rules.push(rule),
                }
            }
        }
        self.allowlists.extend(other.allowlists);
    }

    /// The hash of the same rules without their examples, as they are embedded.
    pub fn hash_without_examples(&self) -> String {
        let mut bare = self.clone();
        for rule in &mut bare.rules {
            let rule = Arc::make_mut(rule);
            rule.examples.clear();
            rule.counter_examples.clear();
        }
        bare.hash()
    }

    /// A hash over everything that decides what is found, 16 hex digits.
    ///
    /// # Panics
    /// Never: rules always serialise.
    pub fn hash(&self) -> String {
        /// Bytes that are hashed together: enough for the hash to be quick.
        const PIECE: usize = 16 << 10;
        let (mut hash, mut bytes) = (blake3::Hasher::new(), Vec::with_capacity(2 * PIECE));
        for rule in &self.rules {
            bytes = postcard::to_extend(rule.as_ref(), bytes).expect("rules serialise");
            if bytes.len() >= PIECE {
                hash.update(&bytes);
                bytes.clear();
            }
        }
        bytes = postcard::to_extend(&self.allowlists, bytes).expect("allowlists serialise");
        hash.update(&bytes).finalize().to_hex()[..16].to_owned()
    }
}
