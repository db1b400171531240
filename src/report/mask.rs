//! Redaction of names: a secret that stands in a path, a ref or an author's name stays hidden there.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::{Report, safe::Safe};
use crate::{
    finding::{Finding, Place, Secret},
    rule::Kind,
};

/// Shortest secret that is looked for in names: shorter ones would hide innocent words.
const SHORTEST: usize = 12;
/// The same, for a secret that was found in a name or a message.
const SHORTEST_IN_NAMES: usize = 6;
/// Longest secret that is looked for: no name is longer.
const LONGEST: usize = 4096;

/// Replaces the secrets of a report, wherever they stand in a name, by their redacted form.
pub(super) struct Mask {
    finder: Option<AhoCorasick>,
    redacted: Vec<String>,
}

impl Mask {
    /// A mask that hides nothing, for `--show-secrets`.
    pub(super) fn none() -> Mask {
        Mask { finder: None, redacted: Vec::new() }
    }

    /// The mask of a report's secrets.
    pub(super) fn of(report: &Report) -> Mask {
        let findings = report.findings.iter().chain(&report.suppressed);
        let secrets: Vec<&Secret> = findings.flat_map(secrets_of).collect();
        if secrets.is_empty() {
            return Mask::none();
        }
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            // Quick to make; names are short.
            .kind(Some(AhoCorasickKind::NoncontiguousNFA))
            .build(secrets.iter().map(|s| s.expose()))
            .expect("the secrets of a report have fewer than 2^31 bytes");
        Mask { finder: Some(finder), redacted: secrets.iter().map(|s| s.redacted()).collect() }
    }

    /// The name without secrets.
    pub(super) fn apply<'a>(&self, name: &'a [u8]) -> Cow<'a, [u8]> {
        match &self.finder {
            Some(finder) if finder.is_match(name) => finder.replace_all_bytes(name, &self.redacted).into(),
            _ => name.into(),
        }
    }

    /// The name without secrets; what is not UTF-8 is replaced.
    pub(super) fn lossy<'a>(&self, name: &'a [u8]) -> Cow<'a, str> {
        match self.apply(name) {
            Cow::Borrowed(name) => String::from_utf8_lossy(name),
            Cow::Owned(name) => String::from_utf8_lossy(&name).into_owned().into(),
        }
    }

    /// The name without secrets, in a form that terminals do not obey.
    pub(super) fn safe(&self, name: &[u8]) -> String {
        Safe(&self.apply(name)).to_string()
    }
}

fn secrets_of(finding: &Finding) -> impl Iterator<Item = &Secret> {
    let in_names = finding.locations.iter().any(|l| !matches!(l.place, Place::Content | Place::Stdin));
    let shortest = if in_names { SHORTEST_IN_NAMES } else { SHORTEST };
    // What a path rule finds is the path itself: to hide it would be to say nothing.
    let own = (finding.rule.kind != Kind::Path).then_some(&finding.secret);
    own.into_iter()
        .chain(finding.partners.iter().map(|p| &p.secret))
        .filter(move |s| (shortest..=LONGEST).contains(&s.len()))
}
