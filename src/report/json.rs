//! JSON: the report `keysift/report/v1`, as one document or line by line.
//!
//! Names (paths, authors, refs) that are not UTF-8 are written lossily. Characters that terminals
//! obey are written as `\u` escapes, which read back as the same characters.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::{Mode, Options, Report, mask::Mask, safe::is_deceptive, words};
use crate::{finding, finding::Secret, gap};

/// The name and version of the report format.
pub const SCHEMA: &str = "keysift/report/v1";

/// Writes one indented document.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let view = View::of(report, options);
    write_value(&view.document(), out)
}

/// Writes one finding a line, then one line with everything else. `type` tells the two apart.
///
/// # Errors
/// Those of the writer.
pub fn write_lines(report: &Report, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Line<T> {
        r#type: &'static str,
        #[serde(flatten)]
        value: T,
    }
    let view = View::of(report, options);
    for finding in &report.findings {
        write_line(&Line { r#type: "finding", value: view.finding(finding) }, out)?;
    }
    write_line(&Line { r#type: "scan", value: view.summary() }, out)
}

/// Writes a value as an indented document with a line break at its end.
pub(super) fn write_value(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Harmless(PrettyFormatter::new()));
    value.serialize(&mut serializer)?;
    writeln!(out)
}

fn write_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Harmless(CompactFormatter));
    value.serialize(&mut serializer)?;
    writeln!(out)
}

/// A formatter that escapes, beyond what JSON demands, the characters that terminals obey.
struct Harmless<F>(F);

impl<F: Formatter> Formatter for Harmless<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_deceptive(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_key(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// The report with what decides how it is shown; makes the borrowed values that serde writes.
struct View<'a> {
    report: &'a Report,
    show_secrets: bool,
    mask: Mask,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    scan: Scan<'a>,
    #[serde(serialize_with = "Each::serialize")]
    findings: Each<'a>,
    suppressed: Vec<Suppressed<'a>>,
}

/// A document without its findings.
#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    tool: Tool<'a>,
    scan: Scan<'a>,
    suppressed: Vec<Suppressed<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'static str,
    rules: usize,
    rules_hash: &'a str,
}

#[derive(Serialize)]
struct Scan<'a> {
    mode: &'static str,
    state: &'static str,
    covered: Covered,
    gaps: Vec<Gap<'a>>,
    accepted_gaps: Vec<Gap<'a>>,
    below_confidence: usize,
    unreachable: usize,
    remarks: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<Repository<'a>>,
    started: &'a str,
    seconds: f64,
}

#[derive(Serialize)]
struct Covered {
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blobs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commits: Option<u64>,
    bytes: u64,
}

#[derive(Serialize)]
struct Repository<'a> {
    remote: Option<Cow<'a, str>>,
    head: Option<&'a str>,
    branch: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Gap<'a> {
    kind: &'static str,
    place: Cow<'a, str>,
    reason: Cow<'a, str>,
    remedy: &'static str,
}

#[derive(Serialize)]
struct Finding<'a> {
    rule: &'a str,
    description: &'a str,
    confidence: &'static str,
    severity: &'static str,
    fingerprint: &'a str,
    secret: Cow<'a, str>,
    /// In bytes.
    secret_len: usize,
    entropy: f64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partners: Vec<Partner<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    docs: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rotate: Option<&'a str>,
    locations: Vec<Location<'a>>,
}

#[derive(Serialize)]
struct Partner<'a> {
    rule: &'a str,
    secret: Cow<'a, str>,
    secret_len: usize,
    locations: Vec<Location<'a>>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: Cow<'a, str>,
    place: &'static str,
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blob: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_head: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pushed: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unreachable: bool,
}

#[derive(Serialize)]
struct Suppressed<'a> {
    rule: &'a str,
    fingerprint: &'a str,
    by: Option<&'static str>,
    reason: Option<Cow<'a, str>>,
    path: Option<Cow<'a, str>>,
    line: Option<u32>,
}

/// The findings, made one at a time while they are written.
struct Each<'a>(&'a View<'a>);

impl Each<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.report.findings.iter().map(|f| self.0.finding(f)))
    }
}

impl<'a> View<'a> {
    fn of(report: &'a Report, options: &Options) -> Self {
        let mask = if options.show_secrets { Mask::none() } else { Mask::of(report) };
        View { report, show_secrets: options.show_secrets, mask }
    }

    fn document(&'a self) -> Document<'a> {
        let Summary { schema, tool, scan, suppressed } = self.summary();
        Document { schema, tool, scan, findings: Each(self), suppressed }
    }

    fn summary(&'a self) -> Summary<'a> {
        let scan = &self.report.scan;
        let tool = Tool { name: "keysift", version: words::VERSION, rules: scan.rules, rules_hash: &scan.rules_hash };
        let suppressed = self.report.suppressed.iter().map(|f| self.suppressed(f)).collect();
        Summary { schema: SCHEMA, tool, scan: self.scan(), suppressed }
    }

    fn scan(&'a self) -> Scan<'a> {
        let scan = &self.report.scan;
        let history = scan.mode == Mode::History;
        let covered = &scan.covered;
        Scan {
            mode: scan.mode.name(),
            state: if scan.is_complete() { "complete" } else { "incomplete" },
            covered: Covered {
                files: (!history || covered.files > 0).then_some(covered.files),
                blobs: history.then_some(covered.blobs),
                commits: history.then_some(covered.commits),
                bytes: covered.bytes,
            },
            gaps: scan.gaps.iter().map(|g| self.gap(g)).collect(),
            accepted_gaps: scan.accepted_gaps.iter().map(|g| self.gap(g)).collect(),
            below_confidence: scan.below_confidence,
            unreachable: scan.unreachable,
            remarks: scan.remarks.iter().map(|r| self.mask.lossy(r.as_bytes())).collect(),
            repository: scan.repository.as_ref().map(|r| Repository {
                remote: r.remote.as_ref().map(|r| self.mask.lossy(r.as_bytes())),
                head: r.head.as_deref(),
                branch: r.branch.as_ref().map(|b| self.mask.lossy(b.as_bytes())),
            }),
            started: &scan.started,
            seconds: rounded(scan.seconds),
        }
    }

    fn gap(&'a self, gap: &'a gap::Gap) -> Gap<'a> {
        Gap {
            kind: gap.kind.name(),
            place: self.mask.lossy(&gap.place),
            reason: self.mask.lossy(gap.reason.as_bytes()),
            remedy: gap.kind.remedy(),
        }
    }

    fn finding(&'a self, finding: &'a finding::Finding) -> Finding<'a> {
        let partner = |partner: &'a finding::Partner| Partner {
            rule: &partner.rule,
            secret: self.secret(&partner.secret),
            secret_len: partner.secret.len(),
            locations: partner.locations.iter().map(|l| self.location(l)).collect(),
        };
        Finding {
            rule: &finding.rule.id,
            description: &finding.rule.description,
            confidence: finding.confidence.name(),
            severity: finding.severity.name(),
            fingerprint: finding.fingerprint.as_str(),
            secret: self.secret(&finding.secret),
            secret_len: finding.secret.len(),
            entropy: rounded(finding.entropy),
            notes: &finding.notes,
            partners: finding.partners.iter().map(partner).collect(),
            docs: finding.rule.docs.as_deref(),
            rotate: finding.rule.rotate.as_deref(),
            locations: finding.locations.iter().map(|l| self.location(l)).collect(),
        }
    }

    fn location(&'a self, location: &'a finding::Location) -> Location<'a> {
        let commit = location.commit.as_ref();
        Location {
            path: self.mask.lossy(&location.path),
            place: words::place(location.place),
            start_line: location.start.line,
            start_column: location.start.column,
            end_line: location.end.line,
            end_column: location.end.column,
            commit: commit.map(|c| c.id.as_str()),
            author: commit.map(|c| self.mask.lossy(&c.author)),
            email: commit.map(|c| self.mask.lossy(&c.email)),
            date: commit.map(|c| c.date.as_str()),
            blob: location.blob.as_deref(),
            in_head: location.in_head,
            pushed: location.pushed,
            unreachable: location.unreachable,
        }
    }

    fn suppressed(&'a self, finding: &'a finding::Finding) -> Suppressed<'a> {
        let suppression = finding.suppression.as_ref();
        let first = finding.locations.first();
        Suppressed {
            rule: &finding.rule.id,
            fingerprint: finding.fingerprint.as_str(),
            by: suppression.map(|s| words::suppressor(s.by)),
            reason: suppression.and_then(|s| s.reason.as_ref()).map(|r| self.mask.lossy(r.as_bytes())),
            path: first.map(|l| self.mask.lossy(&l.path)),
            line: first.map(|l| l.start.line),
        }
    }

    fn secret(&self, secret: &'a Secret) -> Cow<'a, str> {
        if self.show_secrets { String::from_utf8_lossy(secret.expose()) } else { secret.redacted().into() }
    }
}

/// Three decimals; never a number that JSON does not have.
fn rounded(value: f64) -> f64 {
    if value.is_finite() { (value * 1e3).round() / 1e3 } else { 0.0 }
}
