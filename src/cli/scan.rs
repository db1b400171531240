//! `keysift scan`: the flags, the source that they choose, the report, the exit status.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use bstr::BString;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use keysift::{
    Error, GapKind, Report, Result, canary,
    detect::Detector,
    report::{self, Format, Mode},
    rule::{Confidence, Ruleset},
    scan::{self, Settings},
    source::{
        history::{self, History, cache::Cache},
        index::Index,
        oid::Oid,
        repository::{Environment, Repository},
        stdin::Stdin,
        worktree::Worktree,
    },
    triage::{Triage, baseline::Coverage},
};

use super::{
    CLEAN, Done, FINDINGS, INCOMPLETE, INTERRUPTED,
    policy::{Named, Policy, Wish},
    setup,
};

/// Set by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// The flags of `keysift scan`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    pub(super) how: How,
}

/// What is scanned.
#[derive(Debug, clap::Args)]
struct What {
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
    /// Scan the transcripts and logs that coding agents keep in the home directory
    #[arg(long, group = "mode")]
    agents: bool,
    /// The name that standard input goes by
    #[arg(long, value_name = "NAME", default_value = "stdin", requires = "stdin")]
    stdin_path: String,
    /// Report what no ref reaches, too
    #[arg(long, requires = "history")]
    unreachable: bool,
    /// Leave commit and tag messages, authors and names of refs out
    #[arg(long, requires = "history")]
    no_messages: bool,
}

/// How it is scanned and reported.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    #[command(flatten)]
    pub(super) output: OutputFlags,
    #[command(flatten)]
    pub(super) rules: setup::RuleFlags,
    #[command(flatten)]
    limits: LimitFlags,
}

/// How the report is written.
#[derive(Debug, clap::Args)]
pub(super) struct OutputFlags {
    /// The format of the report
    #[arg(short, long, value_name = "FORMAT", default_value = "text", value_parser = format)]
    pub(super) format: Format,
    /// Write the report to this file
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Show the values (text and JSON only)
    #[arg(long)]
    show_secrets: bool,
    /// End with status 0 even where there are findings
    #[arg(long)]
    pub(super) exit_zero: bool,
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
    pub(super) quiet: bool,
    /// All locations, and remarks on how it went
    #[arg(short, long)]
    pub(super) verbose: bool,
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
    /// Let configuration, ignore file, baseline and comments count only as they stand in this revision
    /// (default: the target branch, in pull requests of GitHub and merge requests of GitLab)
    #[arg(long, value_name = "REV")]
    policy_from: Option<String>,
    /// Let what a change does to them count at once
    #[arg(long)]
    allow_policy_changes: bool,
    /// Leave files above this size out, as a gap (bytes; default: no limit)
    #[arg(long, value_name = "BYTES")]
    max_size: Option<u64>,
    /// Keep what scans of histories learn in this folder (default: keysift in the user's cache)
    #[arg(long, value_name = "DIR", env = "KEYSIFT_CACHE")]
    cache: Option<PathBuf>,
    /// Neither use nor keep what scans of histories learn
    #[arg(long, conflicts_with = "cache")]
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
    let subject = args.subject()?;
    let ground = Ground::of(&subject, &args.how, &args.how.wish())?;
    let made = make(ground, subject, &args.how, Known::SetAside)?;
    let code = status(&made.report, args.how.output.exit_zero);
    match write(made, &args.how.output, code) {
        // Whoever read the report has gone; what the scan found is still what it found.
        Ok(()) | Err(super::Failure::Closed) => Ok(code),
        Err(failure) => Err(failure),
    }
}

/// What a run looks at.
#[derive(Debug)]
pub(super) enum Subject {
    /// Files and folders.
    Files(Vec<PathBuf>),
    /// The index against HEAD.
    Staged,
    /// The history of the repository at a path.
    History { at: PathBuf, options: history::Options },
    /// What coding agents keep in the home directory.
    Transcripts(Vec<PathBuf>),
    /// Standard input, by this name.
    Stdin(String),
    /// The message of a commit that is being made.
    Message(Vec<u8>),
}

impl Subject {
    /// The history of the repository here.
    pub(super) fn commits(revs: Vec<String>) -> Subject {
        Subject::History { at: PathBuf::from("."), options: history::Options { revs, ..history::Options::default() } }
    }

    fn mode(&self) -> Mode {
        match self {
            Subject::Files(_) | Subject::Transcripts(_) => Mode::Worktree,
            Subject::Staged => Mode::Staged,
            Subject::History { .. } => Mode::History,
            Subject::Stdin(_) => Mode::Stdin,
            Subject::Message(_) => Mode::Message,
        }
    }

    /// What is looked at all of, seen from the root.
    pub(super) fn coverage(&self, root: &Path) -> Coverage {
        match self {
            Subject::History { options, .. } if options.revs.is_empty() && options.messages => Coverage::History,
            Subject::Files(paths) => {
                let real = |path: &Path| fs::canonicalize(path).ok();
                let root = real(root);
                let inside = |path: &PathBuf| {
                    let path = real(path)?;
                    let below = path.strip_prefix(root.as_ref()?).ok()?;
                    Some(BString::from(below.to_string_lossy().replace('\\', "/")))
                };
                match paths.iter().map(inside).collect::<Option<Vec<_>>>() {
                    Some(below) if below.iter().any(|path| path.is_empty()) => Coverage::Tree { below: Vec::new() },
                    Some(below) => Coverage::Tree { below },
                    None => Coverage::Part,
                }
            }
            _ => Coverage::Part,
        }
    }
}

impl Args {
    /// What a scan with these flags looks at.
    pub(super) fn subject(&self) -> Result<Subject> {
        let What { what, staged, history, stdin, .. } = &self.what;
        if self.what.agents {
            return transcripts(what);
        }
        match (staged, history, stdin) {
            (true, ..) if !what.is_empty() => Err(Error::new("--staged takes no paths")
                .help("run it in the repository: it scans what the next commit would add")),
            (true, ..) => Ok(Subject::Staged),
            (_, true, _) => {
                // `--history FOLDER` names another repository, unless FOLDER is a revision of this one.
                let (at, revs) = match what.split_first() {
                    Some((path, rest)) if Path::new(path).is_dir() && !is_revision(path) => (path.as_str(), rest),
                    _ => (".", &what[..]),
                };
                let options = history::Options {
                    revs: revs.to_vec(),
                    messages: !self.what.no_messages,
                    unreachable: self.what.unreachable,
                };
                Ok(Subject::History { at: PathBuf::from(at), options })
            }
            (.., true) => Ok(Subject::Stdin(self.what.stdin_path.clone())),
            _ if what.is_empty() => Ok(Subject::Files(vec![PathBuf::from(".")])),
            _ => Ok(Subject::Files(what.iter().map(PathBuf::from).collect())),
        }
    }
}

/// What a run stands on: the repository or folder, the rules, and what sets findings aside there.
pub(super) struct Ground {
    environment: Environment,
    /// The repository, if there is one.
    pub(super) repository: Option<Repository>,
    /// What paths are from.
    pub(super) root: PathBuf,
    /// What sets findings aside.
    pub(super) policy: Policy,
    /// The active rules.
    pub(super) ruleset: Ruleset,
    remarks: Vec<String>,
}

impl Ground {
    /// The ground of a run over this subject.
    pub(super) fn of(subject: &Subject, how: &How, wish: &Wish) -> Result<Ground> {
        let place = match subject {
            Subject::Files(paths) => paths.first().map_or(Path::new("."), PathBuf::as_path),
            Subject::History { at, .. } => at,
            _ => Path::new("."),
        };
        let environment = Environment::of_process();
        let repository = match subject {
            // What agents keep belongs to no repository.
            Subject::Transcripts(_) => None,
            _ if place.exists() => Repository::discover(place, &environment)?,
            _ => None,
        };
        let root = match (&repository, subject) {
            (Some(repository), _) => repository.root().unwrap_or_else(|| repository.git_dir()).to_owned(),
            // One folder that was named is the root of its own.
            (None, Subject::Files(paths)) if paths.len() == 1 && place.is_dir() => place.to_owned(),
            _ => PathBuf::from("."),
        };
        let policy = Policy::of(repository.as_ref(), &root, how.limits.named(), wish)?;
        Ground::with(environment, repository, root, policy, how)
    }

    /// The ground of commits that are being pushed to the repository here: the policy is that of `base`.
    pub(super) fn of_push(base: Option<Oid>, now: Oid, label: &str, how: &How) -> Result<Ground> {
        let environment = Environment::of_process();
        let repository = Repository::discover(Path::new("."), &environment)?.ok_or_else(not_a_repository)?;
        let root = repository.root().unwrap_or_else(|| repository.git_dir()).to_owned();
        let allow = how.limits.allow_policy_changes;
        let policy = Policy::of_push(&repository, base, now, label, how.limits.named(), allow)?;
        Ground::with(environment, Some(repository), root, policy, how)
    }

    fn with(
        environment: Environment,
        repository: Option<Repository>,
        root: PathBuf,
        policy: Policy,
        how: &How,
    ) -> Result<Ground> {
        let (ruleset, mut remarks) = policy.config.ruleset(Ruleset::builtin())?;
        let ruleset = how.rules.apply(ruleset)?;
        remarks.extend(policy.remarks.iter().cloned());
        remarks.extend(repository.as_ref().and_then(Repository::remark));
        Ok(Ground { environment, repository, root, policy, ruleset, remarks })
    }
}

impl How {
    /// Whose policy is to hold: the named one's, or that of the target of a pull or merge request.
    pub(super) fn wish(&self) -> Wish {
        Wish::new(self.limits.policy_from.as_deref(), self.limits.allow_policy_changes)
    }

    /// The revision that `--policy-from` names.
    pub(super) fn policy_from(&self) -> Option<&str> {
        self.limits.policy_from.as_deref()
    }
}

impl LimitFlags {
    fn named(&self) -> Named<'_> {
        Named { config: self.config.as_deref(), baseline: self.baseline.as_deref() }
    }
}

/// What becomes of findings that the baseline knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// They are set aside.
    SetAside,
    /// They are findings like any other.
    Found,
}

/// A report, and what its reader is told besides.
pub(super) struct Made {
    pub(super) report: Report,
    /// What paths are from.
    root: PathBuf,
    advice: Option<String>,
}

/// The status that a report ends with.
pub(super) fn status(report: &Report, exit_zero: bool) -> u8 {
    let interrupted = report.scan.gaps.iter().any(|g| g.kind == GapKind::Interrupted);
    match (report.findings.is_empty(), report.scan.is_complete()) {
        _ if interrupted => INTERRUPTED,
        (false, _) if !exit_zero => FINDINGS,
        (true, false) => INCOMPLETE,
        _ => CLEAN,
    }
}

/// Scans.
pub(super) fn make(ground: Ground, subject: Subject, how: &How, known: Known) -> Result<Made> {
    // A second handler cannot be set; then somebody else looks after Ctrl-C.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
    let limits = &how.limits;
    if let Some(jobs) = limits.jobs {
        if jobs == 0 {
            return Err(Error::new("--jobs 0").because("there must be at least one thread"));
        }
        let _ = rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global();
    }
    let mode = subject.mode();
    let Ground { environment, repository, root, policy, ruleset, remarks } = ground;
    let config = policy.config.clone();
    let detector = Detector::new(&ruleset)?;
    let options = policy.triage(!limits.no_inline, known == Known::SetAside, subject.coverage(&root));
    let triage = Triage::new(&ruleset, options)?;
    canary::check(&ruleset, &detector)?;
    let max_size = limits.max_size.or(config.max_size);
    let level = limits.min_confidence.map(Into::into).or(config.min_confidence);
    let bar = progress_bar(mode, &how.output);
    let progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let settings = Settings {
        min_confidence: level.unwrap_or(keysift::detect::DEFAULT_CONFIDENCE),
        allow_gaps: limits.allow_gaps.iter().chain(&config.allow_gaps).copied().collect(),
        stop: &STOP,
        progress: &progress,
        rules_hash: ruleset.hash(),
        repository: repository.as_ref().map(describe),
        large_files: repository.as_ref().map(|repository| repository.common_dir().to_owned()),
        remarks,
        verbose: how.output.verbose,
    };
    let report = match subject {
        Subject::Stdin(name) => {
            let stdin = Stdin::new(io::stdin(), name).at_most(max_size);
            scan::scan(mode, &stdin, &detector, &triage, settings)
        }
        Subject::Message(text) => scan::scan(mode, &Stdin::message(&text[..]), &detector, &triage, settings),
        Subject::Staged => {
            let repository = repository.ok_or_else(not_a_repository)?;
            scan::scan(mode, &Index::new(&repository, max_size), &detector, &triage, settings)
        }
        Subject::History { options, .. } => {
            let repository = repository.ok_or_else(not_a_repository)?;
            let messages = options.messages && config.messages.unwrap_or(true);
            let (cache, why_not) = cache(&repository, limits, &settings.rules_hash);
            let remark = why_not.filter(|_| settings.verbose).map(|why| format!("no cache is used: {why}"));
            let remarks = settings.remarks.into_iter().chain(remark).collect();
            let settings = Settings { remarks, ..settings };
            let history = History::open(&repository, history::Options { messages, ..options })?;
            scan::scan_history(&history, cache.as_ref(), &detector, &triage, settings)
        }
        Subject::Files(paths) => {
            let worktree = Worktree::new(paths, environment, max_size).from_root(&root);
            scan::scan(mode, &worktree, &detector, &triage, settings)
        }
        Subject::Transcripts(paths) => {
            // A repository around the home directory does not say what is looked at.
            let ceilings = paths.iter().filter_map(|path| path.parent().map(Path::to_owned)).collect();
            let environment = Environment { ceilings, ..Environment::new(&environment.cwd, environment.backend) };
            scan::scan(mode, &Worktree::new(paths, environment, max_size), &detector, &triage, settings)
        }
    }?;
    bar.finish_and_clear();
    // The program is about to end: to free thousands of rules would take a tenth of a small run.
    std::mem::forget((ruleset, detector, triage));
    Ok(Made { report, root, advice: config.advice })
}

/// Where to keep what is learnt of a history, or why nowhere.
fn cache(repository: &Repository, limits: &LimitFlags, rules_hash: &str) -> (Option<Cache>, Option<&'static str>) {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = match (&limits.cache, super::cache_dir()) {
        _ if limits.no_cache => return (None, None),
        (Some(folder), _) => folder.clone(),
        (None, None) => return (None, Some("the home directory is not known")),
        (None, Some(folder)) => {
            // Nothing is written into what is scanned, unless somebody asks for just that.
            let inside = |root: &Path| folder.ancestors().any(|above| real(above) == real(root));
            if repository.root().is_some_and(inside) || inside(repository.common_dir()) {
                return (None, Some("the user's cache directory is inside the repository"));
            }
            folder
        }
    };
    let engine = format!("{} {rules_hash}", scan::ENGINE);
    (Some(Cache::of(&folder, repository, &engine)), None)
}

/// The transcripts of coding agents in the home directory.
fn transcripts(named: &[String]) -> Result<Subject> {
    if !named.is_empty() {
        return Err(
            Error::new("--agents takes no paths").help("`keysift agent status` names the agents that are found")
        );
    }
    let found = keysift::agent::transcripts::all(&super::agent::folders()?);
    if found.is_empty() {
        return Err(Error::new("there are no transcripts of coding agents in the home directory")
            .help("CLAUDE_CONFIG_DIR, CODEX_HOME, COPILOT_HOME and VIBE_HOME are heeded"));
    }
    Ok(Subject::Transcripts(found))
}

/// Whether the repository here knows this as a revision.
fn is_revision(name: &str) -> bool {
    let here = Repository::discover(Path::new("."), &Environment::of_process());
    matches!(here, Ok(Some(repository)) if repository.resolve(&[name]).is_ok())
}

pub(super) fn not_a_repository() -> Error {
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
fn progress_bar(mode: Mode, flags: &OutputFlags) -> ProgressBar {
    let watched =
        io::stderr().is_terminal() && std::env::var_os("CI").is_none() && std::env::var_os("PRE_COMMIT").is_none();
    if !watched || flags.no_progress || flags.quiet || mode != Mode::History {
        return ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("{bar:30} {human_pos}/{human_len} objects, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Writes a report as the flags say.
pub(super) fn write(made: Made, flags: &OutputFlags, code: u8) -> Result<(), super::Failure> {
    let Made { mut report, root, advice } = made;
    if flags.quiet && flags.format == Format::Text && report.findings.is_empty() && report.scan.is_complete() {
        return Ok(());
    }
    if flags.format == Format::Text
        && let (Ok(cwd), Ok(root)) = (fs::canonicalize("."), fs::canonicalize(root))
    {
        report = report.seen_from(&cwd, &root);
    }
    let options = report::Options {
        show_secrets: flags.show_secrets,
        verbose: flags.verbose,
        category: flags.category.clone(),
        exit_code: i32::from(code),
        advice,
    };
    match &flags.output {
        None => {
            let choice = match flags.color {
                Color::Auto => anstream::AutoStream::choice(&io::stdout()),
                Color::Always => anstream::ColorChoice::Always,
                Color::Never => anstream::ColorChoice::Never,
            };
            let mut out = anstream::AutoStream::new(io::stdout().lock(), choice);
            report::write(&report, flags.format, &options, &mut out)?;
            Ok(out.flush()?)
        }
        Some(path) => {
            let fail = |e: io::Error| Error::new(format!("cannot write {}", path.display())).because(e);
            let mut bytes = Vec::new();
            report::write(&report, flags.format, &options, &mut anstream::StripStream::new(&mut bytes))?;
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
