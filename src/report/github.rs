//! GitHub Actions: workflow commands that annotate lines, and the summary of a job in Markdown.
//!
//! GitHub shows ten errors, ten warnings and ten notices of a step; the SARIF upload shows all.

use std::io::{self, Write};

use super::{Report, mask::Mask, safe::Safe, words};
use crate::{
    finding::{Finding, Location, Place},
    rule::Severity,
};

/// Most findings in a job's summary, which may have one mebibyte.
const ROWS: usize = 500;
/// Longest text in a cell of the summary, in characters.
const CELL: usize = 400;

/// Writes a command for every finding and every kind of gap.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mask = Mask::of(report);
    for finding in &report.findings {
        let level = match finding.severity {
            Severity::Critical | Severity::High => "error",
            Severity::Medium => "warning",
            Severity::Low | Severity::Info => "notice",
        };
        let title = property(&format!("{} ({})", finding.rule.description, finding.rule.id));
        let anchor = finding.locations.iter().find(|l| is_in_tree(l));
        let mut message = words::message(finding, &mask);
        if anchor.is_none()
            && let Some(first) = finding.locations.first()
        {
            message = format!("{}: {message}", words::position(first, &mask));
        }
        let file = anchor.map(|l| place(l, &mask)).unwrap_or_default();
        writeln!(out, "::{level} {file}title={title}::{}", data(&message))?;
    }
    for (kind, gaps) in words::by_kind(&report.scan.gaps) {
        let first = gaps[0];
        let (place, reason) = (mask.safe(&first.place), mask.safe(first.reason.as_bytes()));
        let n = words::number(gaps.len() as u64);
        let message = format!("{} ({n}), first {place}: {reason}; {}", kind.name(), kind.remedy());
        writeln!(out, "::error title=keysift did not cover everything::{}", data(&message))?;
    }
    writeln!(out, "keysift: {}", headline(report))
}

/// Writes the summary of a job, for the file that `$GITHUB_STEP_SUMMARY` names.
///
/// # Errors
/// Those of the writer.
pub fn write_summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mask = Mask::of(report);
    writeln!(out, "### keysift: {}\n", headline(report))?;
    if !report.findings.is_empty() {
        writeln!(out, "| severity | what | secret | where | since |\n| --- | --- | --- | --- | --- |")?;
    }
    for finding in report.findings.iter().take(ROWS) {
        writeln!(out, "{}", table_row(finding, &mask))?;
    }
    if let Some(more) = report.findings.len().checked_sub(ROWS).filter(|n| *n > 0) {
        writeln!(out, "\nand {} more", words::number(more as u64))?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "\n**What to do**\n")?;
        for (i, step) in words::remedy(report).iter().enumerate() {
            writeln!(out, "{}. {step}", i + 1)?;
        }
    }
    if !report.scan.gaps.is_empty() {
        writeln!(out, "\n**Not covered**\n")?;
        for (kind, gaps) in words::by_kind(&report.scan.gaps) {
            let first = code(&mask.safe(&gaps[0].place));
            let reason = code(&mask.safe(gaps[0].reason.as_bytes()));
            let n = words::number(gaps.len() as u64);
            writeln!(out, "- {} ({n}), first {first}: {reason}; {}", kind.name(), kind.remedy())?;
        }
    }
    if !report.suppressed.is_empty() {
        writeln!(out, "\nSuppressed: {}", words::by_suppression(&report.suppressed))?;
    }
    Ok(())
}

fn headline(report: &Report) -> String {
    let scan = &report.scan;
    let found = match report.findings.len() {
        0 if scan.is_complete() => "no secrets found".to_owned(),
        0 => "INCOMPLETE, no secrets found in what was covered".to_owned(),
        n => format!("{} found ({})", words::count(n, "secret"), words::by_severity(&report.findings)),
    };
    let gaps = if scan.is_complete() || report.findings.is_empty() { "" } else { ", INCOMPLETE" };
    format!("{found}{gaps}; scanned {} with {}", words::covered(scan), words::count(scan.rules, "rule"))
}

fn table_row(finding: &Finding, mask: &Mask) -> String {
    let (place, since) = match finding.locations.first() {
        Some(first) => {
            let more = match finding.locations.len() - 1 {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let since = first.commit.as_ref().map(|c| code(&words::commit(c, mask))).unwrap_or_default();
            (code(&words::position(first, mask)) + &more, since)
        }
        None => (String::new(), String::new()),
    };
    let what = code(&format!("{} ({})", Safe(finding.rule.description.as_bytes()), Safe(finding.rule.id.as_bytes())));
    let secret = code(&words::redacted(&finding.secret));
    format!("| {} | {what} | {secret} | {place} | {since} |", finding.severity.name())
}

/// Whether an annotation can point at it: the file is there in the commit that is checked out.
fn is_in_tree(location: &Location) -> bool {
    matches!(location.place, Place::Content | Place::FileName)
        && location.in_head != Some(false)
        && !location.unreachable
}

/// The parameters that place an annotation.
fn place(location: &Location, mask: &Mask) -> String {
    let file = property(&mask.lossy(&location.path));
    let (start, end) = (location.start, location.end);
    match location.place {
        Place::Content if start.line == end.line => {
            format!(
                "file={file},line={},endLine={},col={},endColumn={},",
                start.line, end.line, start.column, end.column
            )
        }
        Place::Content => format!("file={file},line={},endLine={},", start.line, end.line),
        _ => format!("file={file},"),
    }
}

/// The text for the message of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The text for a parameter of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The text as Markdown code inside a table; nothing in it is markup.
fn code(text: &str) -> String {
    let text = words::cut(text, CELL).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    if text.is_empty() { text } else { format!("{fence}{space}{text}{space}{fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_cannot_be_broken_out_of() {
        assert_eq!(property("a,b:c%\n::error::x"), "a%2Cb%3Ac%25%0A%3A%3Aerror%3A%3Ax");
        assert_eq!(data("50%\r\n"), "50%25%0D%0A");
    }

    #[test]
    fn code_in_tables_cannot_be_broken_out_of() {
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a``b`"), "``` a``b` ```");
    }
}
