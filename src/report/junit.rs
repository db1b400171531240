//! JUnit XML, for whatever shows test results: a finding is a failure, a gap is an error.
//!
//! A scan without findings has one test case that passed and says what was covered, so that an
//! empty result is told from a scan that did not happen.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{Report, mask::Mask, safe::Safe, words};
use crate::finding::Finding;

/// Most places of one finding that are listed.
const PLACES: usize = 100;

/// Writes one test suite.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let scan = &report.scan;
    let mask = Mask::of(report);
    let (failures, errors, skipped) = (report.findings.len(), scan.gaps.len(), report.suppressed.len());
    let clean = usize::from(failures + errors == 0);
    let totals = format!(
        r#"tests="{}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{:.3}""#,
        failures + errors + skipped + clean,
        scan.seconds.max(0.0),
    );
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, r#"<testsuites name="keysift" {totals}>"#)?;
    let time = match words::times(scan) {
        Some((start, _)) => format!(r#" timestamp="{}""#, start.strftime("%Y-%m-%dT%H:%M:%S")),
        None => String::new(),
    };
    writeln!(out, r#"  <testsuite name="keysift {}" {totals}{time}>"#, scan.mode.name())?;
    if clean == 1 {
        writeln!(
            out,
            r#"    <testcase classname="keysift" name="no secrets in {}"/>"#,
            escaped(&words::covered(scan))
        )?;
    }
    for finding in &report.findings {
        let message = escaped(&words::message(finding, &mask));
        open_case(finding, &mask, out)?;
        write!(out, r#"<failure type="{}" message="{message}">"#, finding.severity.name())?;
        writeln!(out, "{}</failure></testcase>", escaped(&details(finding, &mask)))?;
    }
    for gap in &scan.gaps {
        let (place, reason) = (mask.safe(&gap.place), mask.safe(gap.reason.as_bytes()));
        write!(out, r#"    <testcase classname="coverage.{}" name="{}">"#, gap.kind.name(), escaped(&place))?;
        write!(out, r#"<error type="{}" message="not covered: {}">"#, gap.kind.name(), escaped(&reason))?;
        writeln!(out, "{}</error></testcase>", escaped(gap.kind.remedy()))?;
    }
    for finding in &report.suppressed {
        let by = finding.suppression.as_ref().map_or("unknown", |s| words::suppressor(s.by));
        let reason = finding.suppression.as_ref().and_then(|s| s.reason.as_deref()).unwrap_or_default();
        let reason = mask.safe(reason.as_bytes());
        let colon = if reason.is_empty() { "" } else { ": " };
        open_case(finding, &mask, out)?;
        writeln!(out, r#"<skipped message="suppressed by {by}{colon}{}"/></testcase>"#, escaped(&reason))?;
    }
    writeln!(out, "  </testsuite>")?;
    writeln!(out, "</testsuites>")
}

fn open_case(finding: &Finding, mask: &Mask, out: &mut dyn Write) -> io::Result<()> {
    let rule = Safe(finding.rule.id.as_bytes()).to_string();
    let place = finding.locations.first().map(|l| words::position(l, mask)).unwrap_or_default();
    write!(out, r#"    <testcase classname="{}" name="{}">"#, escaped(&rule), escaped(&place))
}

fn details(finding: &Finding, mask: &Mask) -> String {
    let mut text = format!("fingerprint {}\n", finding.fingerprint.as_str());
    for location in finding.locations.iter().take(PLACES) {
        text += &words::position(location, mask);
        if let Some(commit) = &location.commit {
            text += &format!(", since {}", words::commit(commit, mask));
        }
        text.push('\n');
    }
    if let Some(more) = finding.locations.len().checked_sub(PLACES).filter(|n| *n > 0) {
        text += &format!("and {} more\n", words::number(more as u64));
    }
    text
}

/// The text for use in an element or an attribute. What XML 1.0 cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => escaped.push(c),
            _ => write!(escaped, "\\u{{{:x}}}", u32::from(c)).expect("a String takes everything"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markup_and_forbidden_characters_are_escaped() {
        assert_eq!(escaped("a<b>&\"c\""), "a&lt;b&gt;&amp;&quot;c&quot;");
        assert_eq!(escaped("\u{1b}[\u{ffff}"), "\\u{1b}[\\u{ffff}");
    }
}
