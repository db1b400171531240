//! Text, for people: the secrets, where they stand and since when, what to do, what was covered.
//!
//! Always styled; the caller's stream strips the styles where they are not wanted.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{Options, Report, mask::Mask, safe::Safe, words};
use crate::{
    finding::{Finding, Location, Partner},
    rule::{Kind, Severity},
};

/// Most places that are listed of one finding.
const PLACES: usize = 10;
/// Most places that are listed of one kind of gap.
const GAPS: usize = 3;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const PLACE: Style = AnsiColor::Cyan.on_default();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default().bold();
const MINOR: Style = AnsiColor::Blue.on_default().bold();

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mask = if options.show_secrets { Mask::none() } else { Mask::of(report) };
    let mut page = Page { report, options, mask, out };
    for finding in &report.findings {
        page.finding(finding)?;
    }
    if options.verbose {
        page.suppressed()?;
    }
    page.summary()?;
    page.gaps()
}

/// A report on its way out.
struct Page<'a> {
    report: &'a Report,
    options: &'a Options,
    mask: Mask,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let (rule, severity) = (&finding.rule, style_of(finding.severity));
        writeln!(
            self.out,
            "{severity}{}{severity:#}{BOLD}: {}{BOLD:#} {DIM}[{}]{DIM:#}",
            finding.severity.name(),
            Safe(rule.description.as_bytes()),
            Safe(rule.id.as_bytes()),
        )?;
        self.value(finding)?;
        let shown = if self.options.verbose { usize::MAX } else { PLACES };
        let (mut commit, mut listed) = (None, 0);
        for location in finding.locations.iter().take(shown) {
            // A commit that brought the secret to several places is named once.
            let repeated = location.commit.is_some() && location.commit == commit;
            self.location(location, repeated)?;
            commit.clone_from(&location.commit);
            listed += 1;
        }
        let more = finding.locations.len() - listed;
        if more > 0 {
            writeln!(self.out, "  and {} (-v or --format json shows all)", words::count(more, "more place"))?;
        }
        self.next(finding)?;
        writeln!(self.out)
    }

    /// The line about the value: redacted form, confidence, what else is known.
    fn value(&mut self, finding: &Finding) -> io::Result<()> {
        let mut parts = Vec::new();
        if finding.rule.kind != Kind::Path {
            parts.push(self.secret(&finding.secret));
        }
        parts.push(format!("{} confidence", finding.confidence.name()));
        parts.extend(finding.notes.iter().map(|n| Safe(n.as_bytes()).to_string()));
        for Partner { rule, secret, .. } in &finding.partners {
            parts.push(format!("with {} {}", Safe(rule.as_bytes()), self.secret(secret)));
        }
        if finding.locations.len() > 1 {
            parts.push(format!("in {}", words::count(finding.locations.len(), "place")));
        }
        if self.options.verbose {
            parts.push(format!("entropy {:.1}", finding.entropy));
            parts.push(format!("fingerprint {}", finding.fingerprint.as_str()));
        }
        writeln!(self.out, "  {}", parts.join(", "))
    }

    fn secret(&self, secret: &crate::finding::Secret) -> String {
        let characters = words::count(words::length(secret), "character");
        if self.options.show_secrets {
            format!("{BOLD}{}{BOLD:#} ({characters})", Safe(secret.expose()))
        } else {
            format!("{BOLD}{}{BOLD:#} ({characters})", Safe(secret.redacted().as_bytes()))
        }
    }

    fn location(&mut self, location: &Location, repeated: bool) -> io::Result<()> {
        write!(self.out, "  {PLACE}{}{PLACE:#}", words::position(location, &self.mask))?;
        let mut parts = Vec::new();
        if let Some(commit) = &location.commit {
            if repeated {
                parts.push("same commit".to_owned());
            } else {
                parts.push(format!("since {}", words::commit(commit, &self.mask)));
            }
            if self.options.verbose && !repeated {
                parts.push(format!("<{}>", self.mask.safe(&commit.email)));
                parts.push(format!("commit {}", Safe(commit.id.as_bytes())));
            }
        }
        parts.extend(words::standing(location).into_iter().map(str::to_owned));
        if self.options.verbose
            && let Some(blob) = &location.blob
        {
            parts.push(format!("blob {}", Safe(words::short(blob).as_bytes())));
        }
        if parts.is_empty() { writeln!(self.out) } else { writeln!(self.out, "  {}", parts.join(", ")) }
    }

    fn next(&mut self, finding: &Finding) -> io::Result<()> {
        if let Some(rotate) = &finding.rule.rotate {
            writeln!(self.out, "  revoke: {}", Safe(rotate.as_bytes()))?;
        }
        if self.options.verbose
            && let Some(docs) = &finding.rule.docs
        {
            writeln!(self.out, "  format: {}", Safe(docs.as_bytes()))?;
        }
        Ok(())
    }

    fn suppressed(&mut self) -> io::Result<()> {
        for finding in &self.report.suppressed {
            let suppression = finding.suppression.as_ref();
            let by = suppression.map_or("unknown", |s| words::suppressor(s.by));
            let place = finding.locations.first().map(|l| words::position(l, &self.mask)).unwrap_or_default();
            let rule = Safe(finding.rule.id.as_bytes());
            write!(self.out, "{DIM}suppressed by {by}{DIM:#}: {PLACE}{place}{PLACE:#} {DIM}[{rule}]{DIM:#}")?;
            match suppression.and_then(|s| s.reason.as_ref()) {
                Some(reason) => writeln!(self.out, " {}", self.mask.safe(reason.as_bytes()))?,
                None => writeln!(self.out)?,
            }
        }
        if self.report.suppressed.is_empty() { Ok(()) } else { writeln!(self.out) }
    }

    fn summary(&mut self) -> io::Result<()> {
        let Report { scan, findings, suppressed, .. } = self.report;
        if !findings.is_empty() {
            writeln!(self.out, "{BOLD}What to do{BOLD:#}")?;
            for (i, step) in words::remedy(self.report).iter().enumerate() {
                writeln!(self.out, "  {}. {step}", i + 1)?;
            }
            if let Some(advice) = &self.options.advice {
                for line in advice.trim().lines() {
                    writeln!(self.out, "  {}", Safe(line.as_bytes()))?;
                }
            }
            writeln!(self.out)?;
            let (found, by) = (words::count(findings.len(), "secret"), words::by_severity(findings));
            writeln!(self.out, "{BAD}{found} found{BAD:#}: {by}")?;
        } else if scan.is_complete() {
            writeln!(self.out, "{GOOD}no secrets found{GOOD:#}")?;
        } else {
            writeln!(self.out, "{DOUBT}no secrets found in what was covered{DOUBT:#}")?;
        }
        let (covered, rules) = (words::covered(scan), words::count(scan.rules, "rule"));
        writeln!(self.out, "scanned {covered} in {:.2} s with {rules}", scan.seconds)?;
        if scan.below_confidence > 0 {
            let n = words::number(scan.below_confidence as u64);
            writeln!(self.out, "{n} below the minimum confidence (--min-confidence low shows all)")?;
        }
        if !suppressed.is_empty() {
            let hint = if self.options.verbose { "" } else { " (-v shows them)" };
            let n = words::number(suppressed.len() as u64);
            writeln!(self.out, "{n} suppressed: {}{hint}", words::by_suppression(suppressed))?;
        }
        if scan.unreachable > 0 {
            let n = words::number(scan.unreachable as u64);
            writeln!(self.out, "{n} in objects that no ref reaches (--unreachable reports them)")?;
        }
        if !scan.accepted_gaps.is_empty() {
            let kinds = words::by_kind(&scan.accepted_gaps);
            let kinds =
                kinds.iter().map(|(kind, gaps)| format!("{} ({})", kind.name(), words::number(gaps.len() as u64)));
            writeln!(self.out, "not covered, and accepted with --allow-gaps: {}", words::join(kinds, ", "))?;
        }
        for remark in &scan.remarks {
            writeln!(self.out, "{DIM}note: {}{DIM:#}", self.mask.safe(remark.as_bytes()))?;
        }
        Ok(())
    }

    fn gaps(&mut self) -> io::Result<()> {
        let gaps = &self.report.scan.gaps;
        if gaps.is_empty() {
            return Ok(());
        }
        let (n, were) = (words::count(gaps.len(), "thing"), if gaps.len() == 1 { "was" } else { "were" });
        writeln!(self.out, "\n{BAD}INCOMPLETE{BAD:#}{BOLD}: {n} {were} not covered{BOLD:#}")?;
        let shown = if self.options.verbose { usize::MAX } else { GAPS };
        for (kind, gaps) in words::by_kind(gaps) {
            writeln!(self.out, "  {DOUBT}{}{DOUBT:#} ({})", kind.name(), words::number(gaps.len() as u64))?;
            for gap in gaps.iter().take(shown) {
                let (place, reason) = (self.mask.safe(&gap.place), self.mask.safe(gap.reason.as_bytes()));
                writeln!(self.out, "    {PLACE}{place}{PLACE:#}: {reason}")?;
            }
            if let Some(more) = gaps.len().checked_sub(shown).filter(|n| *n > 0) {
                writeln!(self.out, "    and {} more (-v shows all)", words::number(more as u64))?;
            }
            writeln!(self.out, "    help: {}", kind.remedy())?;
        }
        Ok(())
    }
}

fn style_of(severity: Severity) -> Style {
    match severity {
        Severity::Critical | Severity::High => BAD,
        Severity::Medium => DOUBT,
        Severity::Low | Severity::Info => MINOR,
    }
}
