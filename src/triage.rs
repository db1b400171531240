//! The one place that says "not this one", in a fixed order, each time with a reason that can be shown:
//! path scope and allowlists of rules → inline comment → ignore file → baseline.
//!
//! The first three look at one match in one place ([`Triage::judge`]), the baseline at the whole report
//! ([`Triage::settle`]). Whatever cannot be judged (an expression that is too big to compile, say) keeps
//! the finding: triage errs on the side of showing.

mod allowlist;
mod base;
pub mod baseline;
pub mod ignore_file;
pub mod inline;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
};

use bstr::{BStr, BString, ByteSlice};

use self::allowlist::{List, Patterns, Subject};
pub use self::{base::Base, baseline::Baseline, ignore_file::IgnoreFile};
use crate::{
    error::Result,
    finding::{Finding, SuppressedBy, Suppression},
    gap::Gap,
    rule::{Rule, Ruleset},
};

/// Files that list known findings by their hashes: keysift's and those of its peers.
const LISTS: &[&str] = &[baseline::NAME, ".gitleaksignore", ".betterleaksignore", ".secrets.baseline"];

/// Reads the content of a path, somewhere; `None` where there is none.
pub struct Reader(Box<ReadPath>);

type ReadPath = dyn Fn(&BStr) -> Option<Vec<u8>> + Send + Sync;

impl Reader {
    /// Reads with this function.
    pub fn new(read: impl Fn(&BStr) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Reader(Box::new(read))
    }

    /// The content of a path.
    pub fn read(&self, path: &BStr) -> Option<Vec<u8>> {
        (self.0)(path)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// How findings are set aside.
#[derive(Debug)]
pub struct Options {
    /// Whether comments in the source count (`--no-inline` says no).
    pub inline: bool,
    /// The ignore file of the repository.
    pub ignore: Option<IgnoreFile>,
    /// The known findings.
    pub baseline: Option<Baseline>,
    /// How the baseline is used; the rules are filled in by [`Triage::new`].
    pub usage: baseline::Use,
    /// The revision as whose inline comments count, where not those of the scanned content do.
    pub base: Option<Base>,
}

impl Default for Options {
    /// Inline comments count, and nothing else sets findings aside.
    fn default() -> Self {
        Options { inline: true, ignore: None, baseline: None, usage: baseline::Use::default(), base: None }
    }
}

/// Decides which matches are findings. Cheap to ask, from many threads at once.
#[derive(Debug)]
pub struct Triage {
    options: Options,
    /// The path scope and the allowlists of those rules that have any.
    scopes: HashMap<String, Scope>,
    /// Allowlists over all rules, or over those that they name.
    global: Vec<List>,
}

/// Where a rule holds, and what it does not report.
#[derive(Debug)]
struct Scope {
    path: Option<Patterns>,
    lists: Vec<List>,
}

/// A match in one place.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// The rule that matched.
    pub rule: &'a Rule,
    /// The secret.
    pub secret: &'a [u8],
    /// The whole match.
    pub matched: &'a [u8],
    /// The whole lines that the match stands on, cut around it to a few KB.
    pub lines: &'a [u8],
    /// The line before.
    pub above: &'a [u8],
    /// The path, or the name of a text that is no file.
    pub path: &'a BStr,
    /// The commit that introduced it here, in hex.
    pub commit: Option<&'a str>,
}

/// What becomes of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is a finding.
    Keep,
    /// It is none, for this reason (shown by `keysift explain`).
    Drop(&'static str),
    /// It is one that was set aside.
    Suppress(Suppression),
}

/// The findings of a scan after the whole-report stage.
#[derive(Debug)]
pub struct Settled {
    /// What is new.
    pub findings: Vec<Finding>,
    /// What is known.
    pub suppressed: Vec<Finding>,
    /// What the person who runs it should know.
    pub remarks: Vec<String>,
    /// What could not be covered.
    pub gaps: Vec<Gap>,
}

impl Triage {
    /// Triage for these rules.
    ///
    /// Expressions are compiled when they are first needed.
    ///
    /// # Errors
    /// An option cannot be used.
    pub fn new(ruleset: &Ruleset, options: Options) -> Result<Triage> {
        let scopes = ruleset
            .rules
            .iter()
            .filter(|rule| rule.path.is_some() || !rule.allowlists.is_empty())
            .map(|rule| {
                let path = rule.path.as_ref().map(|path| Patterns::new(std::slice::from_ref(path)));
                (rule.id.clone(), Scope { path, lists: rule.allowlists.iter().map(List::new).collect() })
            })
            .collect();
        let global = ruleset.allowlists.iter().map(List::new).collect();
        let usage = options.usage.with_rules(ruleset);
        let options = Options { usage, ..options };
        Ok(Triage { options, scopes, global })
    }

    /// Whether no finding at this path can come to anything, so that it need not even be read: the ignore
    /// file or an allowlist over all rules names it.
    pub fn skips(&self, path: &BStr) -> bool {
        self.options.ignore.as_ref().is_some_and(|ignore| ignore.covers(path))
            || self.global.iter().any(|list| list.allows_path_for_all(path))
    }

    /// What becomes of a match in one place.
    pub fn judge(&self, candidate: &Candidate<'_>) -> Verdict {
        if self.is_listed_hash(candidate) {
            return Verdict::Drop("it is a hash in a list of known findings");
        }
        let subject = Subject {
            secret: candidate.secret,
            matched: candidate.matched,
            lines: candidate.lines,
            path: candidate.path,
            commit: candidate.commit,
        };
        if let Some(scope) = self.scopes.get(&candidate.rule.id) {
            if scope.path.as_ref().is_some_and(|path| path.matches(candidate.path) == Some(false)) {
                return Verdict::Drop("the rule does not hold at this path");
            }
            if scope.lists.iter().any(|list| list.allows(&candidate.rule.id, &subject)) {
                return Verdict::Drop("an allowlist of the rule names it");
            }
        }
        if let Some(list) = self.global.iter().find(|list| list.allows(&candidate.rule.id, &subject)) {
            return Verdict::Suppress(Suppression { by: SuppressedBy::Allowlist, reason: list.reason() });
        }
        if self.options.inline
            && let Some(marker) = inline::find(&candidate.rule.id, candidate.secret, candidate.lines, candidate.above)
            && self.options.base.as_ref().is_none_or(|base| {
                let above = (marker.reaches == inline::Reaches::NextLine).then_some(candidate.above);
                base.heeds(&candidate.rule.id, candidate.path, above, candidate.lines)
            })
        {
            return Verdict::Suppress(Suppression { by: SuppressedBy::Inline, reason: marker.reason });
        }
        if let Some(ignore) = &self.options.ignore
            && ignore.covers(candidate.path)
        {
            return Verdict::Suppress(Suppression { by: SuppressedBy::IgnoreFile, reason: None });
        }
        Verdict::Keep
    }

    /// Whether a match is one of the hashes by which a baseline or a peer's list knows findings: beside the
    /// names of rules they look like the keys that those rules are about.
    fn is_listed_hash(&self, candidate: &Candidate<'_>) -> bool {
        let secret = candidate.secret;
        let is_hash =
            matches!(secret.len(), 32 | 40 | 64) && secret.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let named = |known: &&str| candidate.path.ends_with(known.as_bytes());
        let own = || self.options.baseline.as_ref().is_some_and(|baseline| named(&baseline.name()));
        if !is_hash || !(LISTS.iter().any(named) || own()) {
            return false;
        }
        let line = candidate.lines.lines().find_map(|line| Some(&line[..line.find(secret)?]));
        line.is_some_and(|before| {
            before.is_empty()
                || [":", "salt ", "\"hashed_secret\": \""].iter().any(|end| before.ends_with(end.as_bytes()))
        })
    }

    /// Judges the whole report, after every match was judged, of a scan that covered what it was to cover.
    pub fn settle(&self, findings: Vec<Finding>) -> Settled {
        self.settle_as(findings, true)
    }

    /// Judges the whole report; where the scan was not `complete`, nothing follows for entries of the
    /// baseline that match nothing.
    pub fn settle_as(&self, findings: Vec<Finding>, complete: bool) -> Settled {
        let mut settled = Settled { findings, suppressed: Vec::new(), remarks: self.remarks(), gaps: Vec::new() };
        if let Some(baseline) = &self.options.baseline {
            let outcome = baseline.settle(settled.findings, &self.options.usage, complete);
            settled.findings = outcome.findings;
            settled.suppressed = outcome.suppressed;
            settled.remarks.extend(outcome.remarks);
        }
        settled
    }

    /// How the baseline is used with these rules: what [`Baseline::update`] and [`Baseline::prune`] want.
    pub fn usage(&self) -> &baseline::Use {
        &self.options.usage
    }

    /// What is wrong with the rules' expressions and the ignore file, as far as it has come to light.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = BTreeSet::new();
        let lists = self.global.iter().chain(self.scopes.values().flat_map(|s| &s.lists));
        let scopes = self.scopes.values().filter_map(|s| s.path.as_ref());
        remarks.extend(lists.flat_map(List::patterns).chain(scopes).filter_map(Patterns::flaw));
        remarks.extend(self.options.ignore.iter().flat_map(|i| i.remarks().iter().cloned()));
        remarks.extend(self.options.base.as_ref().and_then(Base::remark));
        remarks.into_iter().collect()
    }
}

/// A path that people see and a matcher understands: with `/`, without `./` in front.
fn tidy(path: &BStr) -> &BStr {
    let mut path: &[u8] = path;
    while let Some(rest) = path.strip_prefix(b"./") {
        path = rest;
    }
    path.into()
}

/// Owned form of [`tidy`], with `\` taken for `/`: for paths out of files that Windows tools wrote.
fn tidy_foreign(path: &str) -> BString {
    let path = path.replace('\\', "/");
    tidy(path.as_bytes().into()).to_owned()
}
