//! The finished result of a scan, and the formats it is written in.

pub mod csv;
pub mod github;
pub mod gitlab;
pub mod json;
pub mod junit;
mod mask;
pub mod replace_text;
pub mod safe;
pub mod sarif;
pub mod text;
mod words;

use std::{
    ffi::OsStr,
    io::{self, Write},
    path::Path,
};

use bstr::{BString, ByteSlice, ByteVec};

use crate::{
    finding::{Finding, Place},
    gap::Gap,
};

/// Everything a scan has to say. The formats are pure functions of it.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was scanned, and how much of it.
    pub scan: Scan,
    /// The findings: most severe first, then by first location.
    pub findings: Vec<Finding>,
    /// What triage set aside, in the same order; never counted as findings.
    pub suppressed: Vec<Finding>,
    /// What another finding names as its partner wherever it stands (a key id beside its secret), in the same
    /// order; never counted as findings.
    pub paired: Vec<Finding>,
}

impl Report {
    /// The same for somebody who stands in the folder `cwd`: the paths of files in the working tree, which
    /// are from `root` everywhere else, become paths that can be opened from there. Both folders must be
    /// absolute, with links resolved.
    #[must_use]
    pub fn seen_from(mut self, cwd: &Path, root: &Path) -> Report {
        if cwd == root || !matches!(self.scan.mode, Mode::Worktree | Mode::Staged) {
            return self;
        }
        let below: Option<Vec<BString>> = cwd.strip_prefix(root).ok().map(|path| path.iter().map(bytes).collect());
        let before = bytes(root.strip_prefix(cwd).unwrap_or(root).as_os_str());
        let turn = |path: &mut BString| {
            if path.starts_with(b"/") || path.starts_with(b"../") {
                return;
            }
            *path = match &below {
                None => [&before, &b"/"[..], path].concat().into(),
                Some(below) => {
                    let parts: Vec<&[u8]> = path.split_str("/").collect();
                    let shared = parts.iter().zip(below).take_while(|(a, b)| a == b).count();
                    let up = std::iter::repeat_n(&b".."[..], below.len() - shared);
                    bstr::join("/", up.chain(parts[shared..].iter().copied())).into()
                }
            };
        };
        let findings = self.findings.iter_mut().chain(&mut self.suppressed).chain(&mut self.paired);
        let places =
            findings.flat_map(|f| f.partners.iter_mut().flat_map(|p| &mut p.locations).chain(&mut f.locations));
        for location in places {
            if matches!(location.place, Place::Content | Place::FileName) {
                turn(&mut location.path);
            }
        }
        for gap in self.scan.gaps.iter_mut().filter(|gap| gap.kind.is_of_a_path()) {
            turn(&mut gap.place);
        }
        self
    }
}

fn bytes(path: &OsStr) -> BString {
    Vec::from_os_str_lossy(path).into_owned().into()
}

/// What was asked for and what was covered.
#[derive(Debug, Clone)]
pub struct Scan {
    /// What kind of scan it was.
    pub mode: Mode,
    /// How many rules were active.
    pub rules: usize,
    /// A hash over the active rules, 16 hex digits.
    pub rules_hash: String,
    /// The repository, where there is one.
    pub repository: Option<Repository>,
    /// What was looked at.
    pub covered: Covered,
    /// What was not, and was not accepted with `--allow-gaps`; sorted.
    pub gaps: Vec<Gap>,
    /// Gaps that `--allow-gaps` accepted; sorted.
    pub accepted_gaps: Vec<Gap>,
    /// Findings below the minimum confidence, which are counted and not shown.
    pub below_confidence: usize,
    /// Secrets in objects that no ref reaches, which are counted and not shown.
    pub unreachable: usize,
    /// Remarks for the person who runs it: fast path not used, configuration found where.
    pub remarks: Vec<String>,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// Wall time in seconds.
    pub seconds: f64,
}

impl Scan {
    /// Whether everything asked for was covered.
    pub fn is_complete(&self) -> bool {
        self.gaps.is_empty()
    }
}

/// What kind of scan a report is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The working tree, or a folder.
    Worktree,
    /// The index against HEAD.
    Staged,
    /// History.
    History,
    /// Standard input.
    Stdin,
    /// The message of a commit that is being made.
    Message,
}

impl Mode {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Worktree => "worktree",
            Mode::Staged => "staged",
            Mode::History => "history",
            Mode::Stdin => "stdin",
            Mode::Message => "message",
        }
    }
}

/// What a scan looked at, in the unit of its mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Covered {
    /// Files of a working tree, staged entries, standard input.
    pub files: u64,
    /// Distinct blobs of a history.
    pub blobs: u64,
    /// Commits and tags of a history.
    pub commits: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// The repository that was scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its root folder, for people.
    pub root: String,
    /// The URL of `origin`, without credentials.
    pub remote: Option<String>,
    /// The commit at HEAD, in hex.
    pub head: Option<String>,
    /// The branch at HEAD.
    pub branch: Option<String>,
}

/// The formats a report is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document, `keysift/report/v1`.
    Json,
    /// One JSON object a line: the findings, then the scan.
    Jsonl,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// GitLab's secret detection report.
    Gitlab,
    /// JUnit XML, for whatever shows test results.
    Junit,
    /// Comma-separated values, for spreadsheets.
    Csv,
    /// Workflow commands of GitHub Actions.
    Github,
    /// Expressions for `git filter-repo --replace-text`; shows the secrets.
    ReplaceText,
}

impl Format {
    /// Every format, in the order of the list above.
    pub const ALL: &[Format] = &[
        Format::Text,
        Format::Json,
        Format::Jsonl,
        Format::Sarif,
        Format::Gitlab,
        Format::Junit,
        Format::Csv,
        Format::Github,
        Format::ReplaceText,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Format::Text => "text",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Sarif => "sarif",
            Format::Gitlab => "gitlab",
            Format::Junit => "junit",
            Format::Csv => "csv",
            Format::Github => "github",
            Format::ReplaceText => "replace-text",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|f| f.name() == name)
    }
}

/// How a report is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether JSON and text show the values. No other format heeds it: SARIF, GitLab and the like
    /// never show a value, replace-text always does.
    pub show_secrets: bool,
    /// Whether text shows every place and what was suppressed, and SARIF the suppressed results.
    pub verbose: bool,
    /// What sets this run apart from others of the same kind (SARIF's `automationDetails`).
    pub category: Option<String>,
    /// The status the process will exit with (SARIF's `invocations`).
    pub exit_code: i32,
    /// What the configuration tells people who meet a finding; shown in text.
    pub advice: Option<String>,
}

/// Writes the report in a format.
///
/// Text is styled with ANSI sequences; the caller strips them where they are not wanted. All other
/// formats are plain. Whatever comes from the scanned repository is made harmless to terminals.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, format: Format, options: &Options, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    match format {
        Format::Text => text::write(report, options, &mut out),
        Format::Json => json::write(report, options, &mut out),
        Format::Jsonl => json::write_lines(report, options, &mut out),
        Format::Sarif => sarif::write(report, options, &mut out),
        Format::Gitlab => gitlab::write(report, &mut out),
        Format::Junit => junit::write(report, &mut out),
        Format::Csv => csv::write(report, &mut out),
        Format::Github => github::write(report, &mut out),
        Format::ReplaceText => replace_text::write(report, &mut out),
    }?;
    out.flush()
}
