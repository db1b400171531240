//! CSV (RFC 4180): one line a location, for spreadsheets.
//!
//! It has no room for gaps: the exit status tells of them. A field that a spreadsheet would take for
//! a formula gets an apostrophe in front; who wants the exact bytes reads the JSON.

use std::io::{self, Write};

use super::{Report, mask::Mask, words};
use crate::finding::{Finding, Location};

/// The columns.
const HEADER: [&str; 22] = [
    "rule",
    "description",
    "severity",
    "confidence",
    "fingerprint",
    "secret",
    "secret_len",
    "entropy",
    "path",
    "place",
    "start_line",
    "start_column",
    "end_line",
    "end_column",
    "commit",
    "author",
    "email",
    "date",
    "blob",
    "in_head",
    "pushed",
    "unreachable",
];

/// Writes the header and one line for every location of every finding.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mask = Mask::of(report);
    row(HEADER.map(str::to_owned), out)?;
    for finding in &report.findings {
        for location in &finding.locations {
            row(fields(finding, location, &mask), out)?;
        }
    }
    Ok(())
}

fn fields(finding: &Finding, location: &Location, mask: &Mask) -> [String; HEADER.len()] {
    let commit = location.commit.as_ref();
    let yes_or_no = |value: Option<bool>| value.map(|v| v.to_string()).unwrap_or_default();
    [
        finding.rule.id.clone(),
        finding.rule.description.clone(),
        finding.severity.name().to_owned(),
        finding.confidence.name().to_owned(),
        finding.fingerprint.as_str().to_owned(),
        finding.secret.redacted(),
        finding.secret.len().to_string(),
        format!("{:.3}", finding.entropy),
        mask.safe(&location.path),
        words::place(location.place).to_owned(),
        location.start.line.to_string(),
        location.start.column.to_string(),
        location.end.line.to_string(),
        location.end.column.to_string(),
        commit.map(|c| c.id.clone()).unwrap_or_default(),
        commit.map(|c| mask.safe(&c.author)).unwrap_or_default(),
        commit.map(|c| mask.safe(&c.email)).unwrap_or_default(),
        commit.map(|c| c.date.clone()).unwrap_or_default(),
        location.blob.clone().unwrap_or_default(),
        yes_or_no(location.in_head),
        yes_or_no(location.pushed),
        location.unreachable.to_string(),
    ]
}

fn row(fields: [String; HEADER.len()], out: &mut dyn Write) -> io::Result<()> {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        out.write_all(quoted(field).as_bytes())?;
    }
    out.write_all(b"\n")
}

fn quoted(field: &str) -> String {
    let formula = if field.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{formula}{}\"", field.replace('"', "\"\""))
    } else {
        format!("{formula}{field}")
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_only_where_needed_and_disarms_formulas() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("@a,b"), "\"'@a,b\"");
    }
}
