//! `keysift scan`: the flags, the source that they choose, the report, the exit status.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use keysift::{
    Error, GapKind, Report, Result, canary,
    detect::Detector,
    report::{self, Format, Mode},
    rule::{Confidence, Ruleset},
    scan::{self, Settings},
    source::{
        history::{self, History},
        index::Index,
        repository::{Environment, Repository},
        stdin::Stdin,
        worktree::Worktree,
    },
    triage::{self, Triage, baseline::Coverage},
};

use super::{CLEAN, Done, FINDINGS, INCOMPLETE, INTERRUPTED, setup};

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// The flags of `keysift scan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files and folders (default: the current one); with --history revisions and ranges, after the
    /// folder of the repository if it is another one
    #[arg(value_name = "PATH|REV", allow_hyphen_values = false)]
    what: Vec<String>,
    /// Scan what the next commit would add: the index against HEAD
    #[arg(long, group = "mode")]
    staged: bool,
    /// Scan every blob that the given revisions (default: all refs) reach, and messages and names
    #[arg(long, group = "mode")]
    history: bool,
    /// Scan standard input
    #[arg(long, group = "mode")]
    stdin: bool,
    /// The name that standard input goes by
    #[arg(long, value_name = "NAME", default_value = "stdin", requires = "stdin")]
    stdin_path: String,
    /// Report what no ref reaches, too
    #[arg(long, requires = "history")]
    unreachable: bool,
    /// Leave commit and tag messages, authors and names of refs out
    #[arg(long, requires = "history")]
    no_messages: bool,
    #[command(flatten)]
    output: OutputFlags,
    #[command(flatten)]
    rules: setup::RuleFlags,
    #[command(flatten)]
    limits: LimitFlags,
}

/// How the report is written.
#[derive(Debug, clap::Args)]
struct OutputFlags {
    /// The format of the report
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = format)]
    format: Format,
    /// Write the report to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show the values (text and JSON only)
    #[arg(long)]
    show_secrets: bool,
    /// End with status 0 even where there are findings
    #[arg(long)]
    exit_zero: bool,
    /// The category of a SARIF report
    #[arg(long, value_name = "NAME")]
    category: Option<String>,
    /// Colour in text
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// No progress bar
    #[arg(long)]
    no_progress: bool,
    /// Say nothing where there is nothing to say
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// All locations, and remarks on how it went
    #[arg(short, long)]
    verbose: bool,
}

/// What is looked at and shown.
#[derive(Debug, clap::Args)]
struct LimitFlags {
    /// The configuration (default: .keysift.toml or .gitleaks.toml at the root of the repository)
    #[arg(long, value_name = "FILE", env = "KEYSIFT_CONFIG")]
    config: Option<PathBuf>,
    /// Known findings (default: .keysift-baseline at the root of the repository)
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Show findings of at least this confidence
    #[arg(long, value_enum, value_name = "LEVEL")]
    min_confidence: Option<Level>,
    /// Accept these kinds of gaps (shallow, lfs, submodule, …)
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = gap_kind)]
    allow_gaps: Vec<GapKind>,
    /// Comments in the source set nothing aside
    #[arg(long)]
    no_inline: bool,
    /// Leave files above this size out, as a gap (bytes; default: no limit)
    #[arg(long, value_name = "BYTES")]
    max_size: Option<u64>,
    /// Accepted for the sake of scripts: this version remembers nothing between scans
    #[arg(long)]
    no_cache: bool,
    /// Threads (default: one a core)
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    Low,
    Medium,
    High,
}

impl From<Level> for Confidence {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Confidence::Low,
            Level::Medium => Confidence::Medium,
            Level::High => Confidence::High,
        }
    }
}

fn format(name: &str) -> Result<Format, String> {
    Format::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|f| f.name()).collect();
        format!("there are: {}", names.join(", "))
    })
}

fn gap_kind(name: &str) -> Result<GapKind, String> {
    GapKind::from_name(name).ok_or_else(|| {
        let names: Vec<&str> = GapKind::ALL.iter().map(|k| k.name()).collect();
        format!("there are: {}", names.join(", "))
    })
}

/// Runs `keysift scan`.
pub(crate) fn run(args: &Args) -> Done {
    let report = make(args, true)?;
    let code = status(&report, args.output.exit_zero);
    match write(&report, &args.output, code) {
        // Whoever read the report has gone; what the scan found is still what it found.
        Ok(()) | Err(super::Failure::Closed) => Ok(code),
        Err(failure) => Err(failure),
    }
}

/// Scans as `keysift scan` does, but no baseline sets anything aside.
pub(super) fn make_without_baseline(args: &Args) -> Result<Report> {
    make(args, false)
}

/// The rules that a scan with these flags has, with the configuration that stands here.
pub(super) fn ruleset(args: &Args) -> Result<Ruleset> {
    let config = setup::configuration(args.limits.config.as_deref(), Path::new("."))?;
    args.rules.apply(config.ruleset(Ruleset::builtin())?.0)
}

impl Args {
    /// The file that `--output` names.
    pub(super) fn output(&self) -> Option<&PathBuf> {
        self.output.output.as_ref()
    }

    /// What a scan with these flags looks at.
    pub(super) fn coverage(&self) -> Coverage {
        match (self.staged || self.stdin, self.history) {
            (true, _) => Coverage::Part,
            (_, true) if self.what.is_empty() && !self.no_messages => Coverage::History,
            (_, false) if self.what.iter().all(|p| p == ".") => Coverage::Tree { below: Vec::new() },
            _ => Coverage::Part,
        }
    }
}

/// The status that a report ends with.
fn status(report: &Report, exit_zero: bool) -> u8 {
    let interrupted = report.scan.gaps.iter().any(|g| g.kind == GapKind::Interrupted);
    match (report.findings.is_empty(), report.scan.is_complete()) {
        _ if interrupted => INTERRUPTED,
        (false, _) if !exit_zero => FINDINGS,
        (true, false) => INCOMPLETE,
        _ => CLEAN,
    }
}

fn make(args: &Args, known: bool) -> Result<Report> {
    // A second handler cannot be set; then somebody else looks after Ctrl-C.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
    if let Some(jobs) = args.limits.jobs {
        if jobs == 0 {
            return Err(Error::new("--jobs 0").because("there must be at least one thread"));
        }
        let _ = rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global();
    }
    let environment = Environment::of_process();
    let mode = match (args.staged, args.history, args.stdin) {
        (true, ..) => Mode::Staged,
        (_, true, _) => Mode::History,
        (.., true) => Mode::Stdin,
        _ => Mode::Worktree,
    };
    if mode == Mode::Staged && !args.what.is_empty() {
        return Err(Error::new("--staged takes no paths")
            .help("run it in the repository: it scans what the next commit would add"));
    }
    let (start, revisions) = match (mode, args.what.split_first()) {
        (Mode::Worktree, Some((path, _))) => (Path::new(path), &[][..]),
        // `--history FOLDER` names another repository, unless FOLDER is a revision of this one.
        (Mode::History, Some((path, rest))) if Path::new(path).is_dir() && !is_revision(path, &environment) => {
            (Path::new(path), rest)
        }
        (_, _) => (Path::new("."), &args.what[..]),
    };
    let repository = match mode {
        Mode::Worktree if !start.exists() => None,
        _ => Repository::discover(start, &environment)?,
    };
    let root = match &repository {
        Some(repository) => repository.root().unwrap_or_else(|| repository.git_dir()).to_owned(),
        None if start.is_dir() => start.to_owned(),
        None => PathBuf::from("."),
    };
    let config = setup::configuration(args.limits.config.as_deref(), &root)?;
    let (ruleset, mut remarks) = config.ruleset(Ruleset::builtin())?;
    let ruleset = args.rules.apply(ruleset)?;
    let detector = Detector::new(&ruleset)?;
    let options = setup::triage_options(
        &config,
        &root,
        args.limits.baseline.as_deref(),
        !args.limits.no_inline,
        args.coverage(),
    )?;
    let options = if known { options } else { triage::Options { baseline: None, ..options } };
    let triage = Triage::new(&ruleset, options)?;
    canary::check(&ruleset, &detector)?;
    remarks.extend(repository.as_ref().and_then(Repository::remark));
    let max_size = args.limits.max_size.or(config.max_size);
    let level = args.limits.min_confidence.map(Into::into).or(config.min_confidence);
    let bar = progress_bar(args);
    let progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let settings = Settings {
        min_confidence: level.unwrap_or(keysift::detect::DEFAULT_CONFIDENCE),
        allow_gaps: args.limits.allow_gaps.iter().chain(&config.allow_gaps).copied().collect(),
        stop: &STOP,
        progress: &progress,
        rules_hash: ruleset.hash(),
        repository: repository.as_ref().map(describe),
        remarks,
        verbose: args.output.verbose,
    };
    let report = match mode {
        Mode::Stdin => {
            let stdin = Stdin::new(io::stdin(), args.stdin_path.clone()).at_most(max_size);
            scan::scan(mode, &stdin, &detector, &triage, settings)
        }
        Mode::Staged => {
            let repository = repository.ok_or_else(not_a_repository)?;
            scan::scan(mode, &Index::new(&repository, max_size), &detector, &triage, settings)
        }
        Mode::History => {
            let repository = repository.ok_or_else(not_a_repository)?;
            let options = history::Options {
                revs: revisions.to_vec(),
                messages: !args.no_messages,
                unreachable: args.unreachable,
            };
            let history = History::open(&repository, options)?;
            scan::scan_history(&history, &detector, &triage, settings)
        }
        Mode::Worktree => {
            let paths = if args.what.is_empty() {
                vec![PathBuf::from(".")]
            } else {
                args.what.iter().map(PathBuf::from).collect()
            };
            let worktree = Worktree::new(paths, environment, max_size);
            scan::scan(mode, &worktree, &detector, &triage, settings)
        }
    }?;
    bar.finish_and_clear();
    Ok(report)
}

/// Whether the repository here knows this as a revision.
fn is_revision(name: &str, environment: &Environment) -> bool {
    let here = Repository::discover(Path::new("."), environment);
    matches!(here, Ok(Some(repository)) if repository.resolve(&[name]).is_ok())
}

fn not_a_repository() -> Error {
    Error::new("this is not a git repository").help("run it inside one, or scan a folder with `keysift scan PATH`")
}

fn describe(repository: &Repository) -> report::Repository {
    report::Repository {
        root: repository.root().unwrap_or_else(|| repository.git_dir()).display().to_string(),
        remote: repository.origin_url(),
        head: repository.head().map(|id| id.to_string()),
        branch: repository.head_branch().map(|b| b.to_string()),
    }
}

/// A bar on standard error: only on a terminal, and not where nobody watches.
fn progress_bar(args: &Args) -> ProgressBar {
    let watched =
        io::stderr().is_terminal() && std::env::var_os("CI").is_none() && std::env::var_os("PRE_COMMIT").is_none();
    if !watched || args.output.no_progress || args.output.quiet || !args.history {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} objects, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn write(report: &Report, flags: &OutputFlags, code: u8) -> Result<(), super::Failure> {
    if flags.quiet && flags.format == Format::Text && report.findings.is_empty() && report.scan.is_complete() {
        return Ok(());
    }
    let options = report::Options {
        show_secrets: flags.show_secrets,
        verbose: flags.verbose,
        category: flags.category.clone(),
        exit_code: i32::from(code),
    };
    match &flags.output {
        None => {
            let choice = match flags.color {
                Color::Auto => anstream::AutoStream::choice(&io::stdout()),
                Color::Always => anstream::ColorChoice::Always,
                Color::Never => anstream::ColorChoice::Never,
            };
            let mut out = anstream::AutoStream::new(io::stdout().lock(), choice);
            report::write(report, flags.format, &options, &mut out)?;
            Ok(out.flush()?)
        }
        Some(path) => {
            let fail = |e: io::Error| Error::new(format!("cannot write {}", path.display())).because(e);
            let mut bytes = Vec::new();
            report::write(report, flags.format, &options, &mut anstream::StripStream::new(&mut bytes))?;
            if fs::metadata(path).is_ok_and(|m| !m.is_file()) {
                // A pipe or device cannot be replaced.
                return Ok(fs::write(path, bytes).map_err(fail)?);
            }
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
            file.write_all(&bytes).map_err(fail)?;
            file.persist(path).map_err(|e| fail(e.error))?;
            Ok(())
        }
    }
}
