//! Allowlists of rules and of the configuration, with the meaning that gitleaks gives them.
//!
//! `OR` (the default): one matching commit, path, expression or stop word is enough. `AND`: every sort of
//! condition that is given must hold; within a sort, one of its members.

use std::sync::OnceLock;

use bstr::BStr;
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::tidy;
use crate::rule::{Allowlist, Condition, Target};

/// Limit for the compiled form of one list's expressions, in bytes.
const SIZE_LIMIT: usize = 64 << 20;

/// Expressions of which one is to match, compiled when first asked.
#[derive(Debug)]
pub(super) struct Patterns {
    sources: Vec<String>,
    set: OnceLock<Result<RegexSet, String>>,
}

impl Patterns {
    pub(super) fn new(sources: &[String]) -> Self {
        Patterns { sources: sources.to_vec(), set: OnceLock::new() }
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Whether one of them matches; `None` if they cannot be compiled.
    pub(super) fn matches(&self, text: &[u8]) -> Option<bool> {
        let set = self.set.get_or_init(|| {
            RegexSetBuilder::new(&self.sources).unicode(false).size_limit(SIZE_LIMIT).build().map_err(|e| e.to_string())
        });
        set.as_ref().ok().map(|set| set.is_match(text))
    }

    /// What is wrong with them, if that has come to light.
    pub(super) fn flaw(&self) -> Option<String> {
        let error = self.set.get()?.as_ref().err()?;
        let first = self.sources.first()?;
        Some(format!(
            "an expression over paths or allowed values cannot be used and was passed over, near `{first}`: {error}"
        ))
    }
}

/// A match, as allowlists see it.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) secret: &'a [u8],
    pub(super) matched: &'a [u8],
    pub(super) lines: &'a [u8],
    pub(super) path: &'a BStr,
    pub(super) commit: Option<&'a str>,
}

/// An allowlist, ready for use.
#[derive(Debug)]
pub(super) struct List {
    description: String,
    condition: Condition,
    commits: Vec<String>,
    paths: Patterns,
    regexes: Patterns,
    target: Target,
    stopwords: Vec<String>,
    rules: Vec<String>,
}

impl List {
    pub(super) fn new(list: &Allowlist) -> Self {
        List {
            description: list.description.clone(),
            condition: list.condition,
            commits: list.commits.clone(),
            paths: Patterns::new(&list.paths),
            regexes: Patterns::new(&list.regexes),
            target: list.target,
            stopwords: list.stopwords.clone(),
            rules: list.rules.clone(),
        }
    }

    /// Why, in the words of whoever wrote it.
    pub(super) fn reason(&self) -> Option<String> {
        (!self.description.is_empty()).then(|| self.description.clone())
    }

    pub(super) fn patterns(&self) -> impl Iterator<Item = &Patterns> {
        [&self.paths, &self.regexes].into_iter()
    }

    /// Whether a match of this rule is not to be reported.
    pub(super) fn allows(&self, rule: &str, subject: &Subject<'_>) -> bool {
        if !self.rules.is_empty() && !self.rules.iter().any(|id| id == rule) {
            return false;
        }
        let checks: [(bool, &dyn Fn() -> bool); 4] = [
            (!self.commits.is_empty(), &|| self.allows_commit(subject.commit)),
            (!self.paths.is_empty(), &|| self.allows_path(subject.path)),
            (!self.regexes.is_empty(), &|| {
                let text = match self.target {
                    Target::Secret => subject.secret,
                    Target::Match => subject.matched,
                    Target::Line => subject.lines,
                };
                self.regexes.matches(text) == Some(true)
            }),
            (!self.stopwords.is_empty(), &|| {
                let secret = subject.secret.to_ascii_lowercase();
                self.stopwords.iter().any(|word| memchr::memmem::find(&secret, word.as_bytes()).is_some())
            }),
        ];
        let mut given = checks.iter().filter(|(given, _)| *given).map(|(_, check)| check).peekable();
        match self.condition {
            Condition::Or => given.any(|check| check()),
            // An empty list allows nothing.
            Condition::And => given.peek().is_some() && given.all(|check| check()),
        }
    }

    /// Whether nothing at this path can be reported, whatever it is.
    pub(super) fn allows_path_for_all(&self, path: &BStr) -> bool {
        let alone = self.commits.is_empty() && self.regexes.is_empty() && self.stopwords.is_empty();
        self.rules.is_empty()
            && (self.condition == Condition::Or || alone)
            && !self.paths.is_empty()
            && self.allows_path(path)
    }

    fn allows_path(&self, path: &BStr) -> bool {
        self.paths.matches(tidy(path)) == Some(true)
    }

    /// A full id, or an unambiguous start of one as people copy it (at least 7 digits).
    fn allows_commit(&self, commit: Option<&str>) -> bool {
        commit.is_some_and(|commit| {
            let commit = commit.to_ascii_lowercase();
            self.commits.iter().any(|known| known.len() >= 7 && commit.starts_with(known.as_str()))
        })
    }
}
