//! Which secrets a text holds, as a scan of it would report them.

use std::{
    cell::OnceCell,
    fmt,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use super::shell::usage::Stages;
use crate::{
    detect::Detector,
    error::Result,
    finding::{Confidence, Finding, Location, Position, Secret, SuppressedBy},
    report::{Mode, Report},
    rule::Rule,
    scan::{self, Settings},
    source::{
        Source,
        index::Index,
        repository::{Environment, Repository},
        stdin::Stdin,
        worktree::Worktree,
    },
    triage::Triage,
};

/// Texts of fewer bytes hold no secret that anybody could be sure of.
const SHORTEST: usize = 8;

/// Detection and triage, made ready when the first text is looked at: many events have none.
pub struct Inspector<'a> {
    make: Box<dyn Fn() -> Result<(Detector, Triage)> + 'a>,
    made: OnceCell<(Detector, Triage)>,
}

impl fmt::Debug for Inspector<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inspector")
    }
}

/// A secret in a text.
#[derive(Debug, Clone)]
pub struct Found {
    /// The rule that found it.
    pub rule: Arc<Rule>,
    /// The value.
    pub value: Secret,
    /// How sure it is.
    pub confidence: Confidence,
    /// Where it stands: the path, and the line from 1.
    pub at: Vec<(String, u32)>,
    /// Where in the text it stands, in bytes.
    pub spans: Vec<Range<usize>>,
    /// Whether a comment beside it allows it.
    pub is_allowed_by_comment: bool,
}

impl<'a> Inspector<'a> {
    /// Looks with the rules of what this makes, and sets aside what its triage does.
    pub fn new(make: impl Fn() -> Result<(Detector, Triage)> + 'a) -> Inspector<'a> {
        Inspector { make: Box::new(make), made: OnceCell::new() }
    }

    /// The secrets of a text that stands at a path (from the root of the repository) and are at least this
    /// sure; with those that a comment in it allows.
    ///
    /// # Errors
    /// The rules or what sets findings aside cannot be used.
    pub fn find(&self, text: &[u8], path: &str, least: Confidence) -> Result<Vec<Found>> {
        if text.len() < SHORTEST {
            return Ok(Vec::new());
        }
        let report = self.scan(Mode::Stdin, &Stdin::new(text, path), least)?;
        let lines = line_starts(text);
        let at = |p: Position| offset(text, &lines, p);
        Ok(found_in(report, |location| Some(at(location.start)..at(location.end))))
    }

    /// The secrets that the next commit from this directory would add: those in the index, and in what is
    /// staged right before.
    ///
    /// # Errors
    /// The repository cannot be read.
    pub fn find_staged(&self, from: &Path, stages: &Stages, least: Confidence) -> Result<Vec<Found>> {
        let environment = Environment::of_process();
        let Some(repository) = Repository::discover(from, &environment)? else { return Ok(Vec::new()) };
        let mut found = found_in(self.scan(Mode::Staged, &Index::new(&repository, None), least)?, |_| None);
        let root = repository.root().unwrap_or(from).to_owned();
        let (paths, cwd) = match stages {
            Stages::Paths(paths) => {
                let there = paths.iter().map(PathBuf::from).filter(|p| from.join(p).exists());
                (there.collect(), from.to_owned())
            }
            _ => (vec![PathBuf::from(".")], root),
        };
        if !paths.is_empty() {
            let environment = Environment { cwd, ..environment };
            let report = self.scan(Mode::Worktree, &Worktree::new(paths, environment, None), least)?;
            let mut more = found_in(report, |_| None);
            if *stages == Stages::Tracked {
                let tracked = repository.tracked()?;
                more.retain(|f| f.at.iter().any(|(p, _)| tracked.find(0..tracked.len(), p.as_bytes()).is_some()));
            }
            more.retain(|m| !found.iter().any(|f| f.value == m.value));
            found.append(&mut more);
        }
        found.retain(|f| !f.is_allowed_by_comment);
        Ok(found)
    }

    fn scan(&self, mode: Mode, source: &dyn Source, least: Confidence) -> Result<Report> {
        let settings = Settings {
            min_confidence: least,
            allow_gaps: Vec::new(),
            stop: &AtomicBool::new(false),
            progress: &|_, _| {},
            rules_hash: String::new(),
            repository: None,
            large_files: None,
            remarks: Vec::new(),
            verbose: false,
        };
        let (detector, triage) = match self.made.get() {
            Some(made) => made,
            None => {
                let made = (self.make)()?;
                self.made.get_or_init(|| made)
            }
        };
        scan::scan(mode, source, detector, triage, settings)
    }
}

/// The findings of a report, and those that a comment allows; `span` tells where in the text a place is.
fn found_in(report: Report, span: impl Fn(&Location) -> Option<Range<usize>>) -> Vec<Found> {
    let by_comment = |f: &Finding| f.suppression.as_ref().is_some_and(|s| s.by == SuppressedBy::Inline);
    let allowed: Vec<Finding> = report.suppressed.into_iter().filter(by_comment).collect();
    // The half of a pair is as the finding that names it.
    let of = |findings: &[Finding]| -> Vec<Finding> {
        let partners = || findings.iter().flat_map(|f| &f.partners);
        let is_named = |f: &&Finding| partners().any(|p| p.rule == f.rule.id && p.secret == f.secret);
        report.paired.iter().filter(is_named).cloned().collect()
    };
    let (with, with_allowed) = (of(&report.findings), of(&allowed));
    let found = report.findings.into_iter().chain(with).map(|f| (f, false));
    found
        .chain(allowed.into_iter().chain(with_allowed).map(|f| (f, true)))
        .map(|(finding, is_allowed_by_comment)| Found {
            is_allowed_by_comment,
            at: finding.locations.iter().map(|l| (l.path.to_string(), l.start.line)).collect(),
            spans: finding.locations.iter().filter_map(&span).collect(),
            rule: finding.rule,
            value: finding.secret,
            confidence: finding.confidence,
        })
        .collect()
}

fn line_starts(text: &[u8]) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', text).map(|at| at + 1)).collect()
}

/// The offset of a line and a column, both from 1; columns count code points.
fn offset(text: &[u8], lines: &[usize], at: Position) -> usize {
    let (line, column) = (at.line as usize, at.column as usize);
    let Some(&start) = lines.get(line.saturating_sub(1)) else { return text.len() };
    let start = if line == 1 && text.starts_with(b"\xef\xbb\xbf") { 3 } else { start };
    let mut left = column.saturating_sub(1);
    let mut at = start;
    for chunk in text[start..].utf8_chunks() {
        for c in chunk.valid().chars() {
            if left == 0 {
                return at;
            }
            (left, at) = (left - 1, at + c.len_utf8());
        }
        let invalid = chunk.invalid().len();
        if left <= invalid {
            return at + left;
        }
        (left, at) = (left - invalid, at + invalid);
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_lead_back_to_bytes() {
        let at = |line, column| Position { line, column };
        let text = "ä = x\nbö\u{10348}c\n".as_bytes();
        let lines = line_starts(text);
        assert_eq!(&text[offset(text, &lines, at(1, 5))..offset(text, &lines, at(1, 6))], b"x");
        assert_eq!(&text[offset(text, &lines, at(2, 4))..offset(text, &lines, at(2, 5))], b"c");
        assert_eq!(offset(text, &lines, at(9, 1)), text.len());
        assert_eq!(offset(b"\xff\xfeab", &[0], at(1, 3)), 2);
    }
}
