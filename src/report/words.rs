//! The words that several formats share: counts, sizes, places, what to do next.

use std::fmt::Display;

use super::{Mode, Report, Scan, mask::Mask, safe::Safe};
use crate::{
    finding::{Commit, Finding, Location, Place, Secret, SuppressedBy},
    gap::{Gap, GapKind},
    rule::{Kind, Severity},
};

/// The project's page, for formats that want one.
pub(super) const HOME: &str = env!("CARGO_PKG_REPOSITORY");
/// The program's version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A number with commas between the thousands.
pub(super) fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number and its noun: `1 file`, `2,000 files`.
pub(super) fn count(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", number(n as u64), if n == 1 { "" } else { "s" })
}

/// A size with its unit: `12.3 MB`.
pub(super) fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// Parts joined by a separator.
pub(super) fn join<T: Display>(parts: impl IntoIterator<Item = T>, separator: &str) -> String {
    parts.into_iter().map(|p| p.to_string()).collect::<Vec<_>>().join(separator)
}

/// What was looked at: `1,234 files, 12.3 MB`.
pub(super) fn covered(scan: &Scan) -> String {
    let covered = &scan.covered;
    let mut parts = Vec::new();
    if scan.mode == Mode::History {
        parts.push(count(covered.commits as usize, "commit"));
        parts.push(count(covered.blobs as usize, "blob"));
        if covered.files > 0 {
            parts.push(count(covered.files as usize, "file"));
        }
    } else {
        parts.push(match scan.mode {
            Mode::Staged => count(covered.files as usize, "staged file"),
            Mode::Stdin => "standard input".to_owned(),
            Mode::Message => "the message".to_owned(),
            _ => count(covered.files as usize, "file"),
        });
    }
    parts.push(size(covered.bytes));
    parts.join(", ")
}

/// How long a secret is, in characters.
pub(super) fn length(secret: &Secret) -> usize {
    String::from_utf8_lossy(secret.expose()).chars().count()
}

/// How many findings there are of each severity, the worst first: `1 critical, 2 high`.
pub(super) fn by_severity(findings: &[Finding]) -> String {
    let all = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
    let counted = all.map(|s| (findings.iter().filter(|f| f.severity == s).count(), s));
    join(counted.iter().filter(|(n, _)| *n > 0).map(|(n, s)| format!("{} {}", number(*n as u64), s.name())), ", ")
}

/// How many findings were suppressed by what: `3 by the baseline, 1 by inline comments`.
pub(super) fn by_suppression(suppressed: &[Finding]) -> String {
    let all = [
        (Some(SuppressedBy::Inline), "by inline comments"),
        (Some(SuppressedBy::Allowlist), "by allowlists"),
        (Some(SuppressedBy::IgnoreFile), "by ignore files"),
        (Some(SuppressedBy::Baseline), "by the baseline"),
        (None, "for no given reason"),
    ];
    let of = |by| suppressed.iter().filter(|f| f.suppression.as_ref().map(|s| s.by) == by).count();
    let counted = all.map(|(by, words)| (of(by), words));
    join(counted.iter().filter(|(n, _)| *n > 0).map(|(n, words)| format!("{} {words}", number(*n as u64))), ", ")
}

/// The name of what suppressed a finding, in reports.
pub(super) fn suppressor(by: SuppressedBy) -> &'static str {
    match by {
        SuppressedBy::Inline => "inline",
        SuppressedBy::Allowlist => "allowlist",
        SuppressedBy::IgnoreFile => "ignore-file",
        SuppressedBy::Baseline => "baseline",
    }
}

/// The name of a kind of text, in reports.
pub(super) fn place(place: Place) -> &'static str {
    match place {
        Place::Content => "content",
        Place::FileName => "file-name",
        Place::Commit => "commit",
        Place::Tag => "tag",
        Place::RefName => "ref-name",
        Place::Stdin => "stdin",
    }
}

/// A location in the form that editors open: `path:line:column`.
pub(super) fn position(location: &Location, mask: &Mask) -> String {
    let path = mask.safe(&location.path);
    match location.place {
        Place::FileName => format!("{path} (the file's name)"),
        Place::RefName => format!("{path} (the ref's name)"),
        _ => format!("{path}:{}:{}", location.start.line, location.start.column),
    }
}

/// The first digits of an object id.
pub(super) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// A commit in a few words: `1a2b3c4d (Jane Doe, 2024-03-01)`.
pub(super) fn commit(commit: &Commit, mask: &Mask) -> String {
    let day = commit.date.split('T').next().unwrap_or_default();
    format!("{} ({}, {})", Safe(short(&commit.id).as_bytes()), mask.safe(&commit.author), Safe(day.as_bytes()))
}

/// Where a location of a history stands today: `still in HEAD, pushed`.
pub(super) fn standing(location: &Location) -> Vec<&'static str> {
    let mut parts = Vec::new();
    if location.unreachable {
        parts.push("no ref reaches it");
    }
    match location.in_head {
        Some(true) => parts.push("still in HEAD"),
        Some(false) => parts.push("no longer in HEAD"),
        None => {}
    }
    match location.pushed {
        Some(true) => parts.push("pushed"),
        Some(false) => parts.push("not pushed"),
        None => {}
    }
    parts
}

/// A finding in one paragraph without its value and without foreign control characters.
pub(super) fn message(finding: &Finding, mask: &Mask) -> String {
    let mut text = Safe(finding.rule.description.as_bytes()).to_string();
    if finding.rule.kind != Kind::Path {
        text += &format!(" ({})", redacted(&finding.secret));
    }
    text += &format!(", {} confidence", finding.confidence.name());
    for note in &finding.notes {
        text += &format!(", {}", Safe(note.as_bytes()));
    }
    text += ".";
    if let Some(first) = finding.locations.first() {
        if let Some(by) = &first.commit {
            text += &format!(" Introduced by {}", commit(by, mask));
            for part in standing(first) {
                text += &format!(", {part}");
            }
            text += ".";
        }
        if finding.locations.len() > 1 {
            text += &format!(" It stands in {}.", count(finding.locations.len(), "place"));
        }
    }
    if !finding.partners.is_empty() {
        let parts = finding.partners.iter().map(|p| format!("{} ({})", Safe(p.rule.as_bytes()), redacted(&p.secret)));
        text += &format!(" Goes with {}.", join(parts, ", "));
    }
    if let Some(rotate) = &finding.rule.rotate {
        text += &format!(" Revoke or replace it: {}", Safe(rotate.as_bytes()));
    }
    text
}

/// A secret's redacted form with its length: `ghp_…, 40 characters`.
pub(super) fn redacted(secret: &Secret) -> String {
    format!("{}, {}", Safe(secret.redacted().as_bytes()), count(length(secret), "character"))
}

/// What to do about the findings of a report, in order.
pub(super) fn remedy(report: &Report) -> Vec<String> {
    let revoke = "revoke or replace the secrets first: whoever has a copy has them already".to_owned();
    match report.scan.mode {
        Mode::Staged => {
            vec!["take the secrets out of the files and stage them again: nothing is committed yet".to_owned()]
        }
        Mode::Message => vec!["take the secrets out of the message: nothing is committed yet".to_owned()],
        Mode::Stdin => vec![revoke],
        Mode::Worktree => vec![
            revoke,
            "take them out of the files; what was committed stays in the history (scan --history)".to_owned(),
        ],
        Mode::History => {
            let places = || report.findings.iter().flat_map(|f| &f.locations);
            let mut steps = vec![revoke];
            if places().any(|l| l.in_head == Some(true)) {
                steps.push("take out what is still in HEAD".to_owned());
            }
            steps.extend(drop_from_last_commits(report));
            if places().any(|l| l.pushed != Some(false) && !l.unreachable) {
                steps.push(
                    "pushed: `keysift scan --history --format replace-text -o FILE`, then `git filter-repo \
                     --replace-text FILE --replace-message FILE`, delete FILE, force-push, and have everybody clone again"
                        .to_owned(),
                );
            }
            if places().any(|l| l.unreachable) {
                steps
                    .push("no ref reaches it: `git reflog expire --expire=now --all && git gc --prune=now`".to_owned());
            }
            if places().any(|l| l.place == Place::FileName) {
                steps.push("in names of files: `git filter-repo --path-rename OLD:NEW`".to_owned());
            }
            if places().any(|l| l.place == Place::RefName) {
                steps.push("in names of refs: delete or rename the refs, at the remote too".to_owned());
            }
            steps
        }
    }
}

/// What to do about commits that nobody else has yet: which they are, and how they are rewritten.
fn drop_from_last_commits(report: &Report) -> Option<String> {
    let places = report.findings.iter().flat_map(|f| &f.locations);
    let mut commits: Vec<(jiff::Timestamp, &str)> = places
        .filter(|l| l.pushed == Some(false))
        .filter_map(|l| l.commit.as_ref())
        .map(|c| (c.date.parse().unwrap_or_default(), c.id.as_str()))
        .collect();
    commits.sort_unstable();
    commits.dedup();
    let (_, first) = commits.first()?;
    let first = short(first);
    let head = report.scan.repository.as_ref().and_then(|r| r.head.as_deref());
    if let ([(_, only)], Some(head)) = (&commits[..], head)
        && *only == head
    {
        return Some(
            "not pushed, and in the last commit: take it out of the files, `git commit -a --amend`".to_owned(),
        );
    }
    Some(format!(
        "not pushed: `git rebase -i {first}^`, mark `edit` at {}, take it out there, `git commit -a --amend`, \
         `git rebase --continue`",
        if commits.len() == 1 { first.to_owned() } else { format!("{first} and the other commits above") }
    ))
}

/// Gaps in groups of one kind, in the order of [`GapKind::ALL`].
pub(super) fn by_kind(gaps: &[Gap]) -> Vec<(GapKind, Vec<&Gap>)> {
    let group = |kind: &GapKind| (*kind, gaps.iter().filter(|g| g.kind == *kind).collect::<Vec<_>>());
    GapKind::ALL.iter().map(group).filter(|(_, gaps)| !gaps.is_empty()).collect()
}

/// When the scan began and ended.
pub(super) fn times(scan: &Scan) -> Option<(jiff::Timestamp, jiff::Timestamp)> {
    let start: jiff::Timestamp = scan.started.parse().ok()?;
    let length = jiff::SignedDuration::try_from_secs_f64(scan.seconds).ok()?;
    Some((start, start.checked_add(length).ok()?))
}

/// The first `limit` characters.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    text.char_indices().nth(limit).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes_read_well() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1000, 1_234_567].map(number).each_ref().map(|s| &s[..])
        );
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(size(12), "12 bytes");
        assert_eq!(size(12_345_678), "12.3 MB");
        assert_eq!(size(999_999), "1.0 MB");
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("ab", 9), "ab");
    }
}
