//! `keysift baseline create|update|prune|import|show`: what is known, so that only what is new counts.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use bstr::BStr;
use clap::Subcommand;
use keysift::{
    Error, Finding,
    source::repository::{Environment, Repository},
    triage::baseline::{Baseline, Coverage, NAME, Note, Resolver, Use},
};

use super::{
    CLEAN, Done,
    policy::{Named, Policy, Wish},
    revision::Files,
    scan::{self, Ground, Known},
};

/// The flags of `keysift baseline`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan, and write what is found into a new baseline
    Create(Box<Make>),
    /// Scan, and add what is new to the baseline
    Update(Box<Make>),
    /// Scan, and drop entries that nothing needs any more, and expired ones
    Prune(Box<Make>),
    /// Scan, and take over what another tool's file set aside: gitleaks reports and .gitleaksignore,
    /// .betterleaksignore, detect-secrets baselines
    Import {
        /// The other tool's file
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        make: Box<Make>,
    },
    /// Show the entries
    Show {
        /// The baseline (default: the one of this repository)
        file: Option<PathBuf>,
    },
}

/// What to scan, and what to say of the entries.
#[derive(Debug, clap::Args)]
struct Make {
    /// Why these findings are accepted
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who accepts them
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// The last day on which they are (2027-01-31)
    #[arg(long, value_name = "DATE")]
    until: Option<jiff::civil::Date>,
    #[command(flatten)]
    scan: scan::Args,
}

/// Runs `keysift baseline`.
pub(crate) fn run(args: &Args) -> Done {
    let mut out = anstream::stdout().lock();
    match &args.command {
        Command::Create(make) => {
            let (path, scan) = make.begin()?;
            if path.exists() {
                return Err(Error::new(format!("{} is there already", path.display()))
                    .help("`keysift baseline update` adds what is new; delete the file to start again")
                    .into());
            }
            let (findings, _) = scan()?;
            let baseline = Baseline::create(NAME, &findings, &make.note())?;
            baseline.write(&path)?;
            writeln!(out, "{}: {}", path.display(), count(baseline.len()))?;
        }
        Command::Update(make) => {
            let (path, scan) = make.begin()?;
            let mut baseline = read(&path)?;
            let (findings, usage) = scan()?;
            let changes = baseline.update(&findings, &usage, &make.note())?;
            baseline.write(&path)?;
            writeln!(
                out,
                "{}: {} added, {} moved, {} known in all",
                path.display(),
                changes.added.len(),
                changes.moved.len(),
                baseline.len()
            )?;
        }
        Command::Prune(make) => {
            let (path, scan) = make.begin()?;
            let mut baseline = read(&path)?;
            let (findings, usage) = scan()?;
            let dropped = baseline.prune(&findings, &usage);
            baseline.write(&path)?;
            for (entry, _) in &dropped {
                writeln!(out, "dropped {}", entry.label())?;
            }
            writeln!(out, "{}: {} dropped, {} left", path.display(), dropped.len(), baseline.len())?;
        }
        Command::Import { from, make } => {
            let (path, scan) = make.begin()?;
            let mut baseline = if path.exists() { read(&path)? } else { Baseline::empty(NAME)? };
            let bytes =
                std::fs::read(from).map_err(|e| Error::new(format!("cannot read {}", from.display())).because(e))?;
            let files = Files::here()?;
            let (findings, _) = scan()?;
            let read = |commit: Option<&str>, path: &BStr| files.read(commit, path);
            let resolver = Resolver { findings: &findings, read: Some(&read) };
            let imported = baseline.import(&bytes, &from.display().to_string(), resolver, &make.note())?;
            baseline.write(&path)?;
            for left in &imported.left {
                writeln!(out, "not carried over: {left}")?;
            }
            writeln!(out, "{}: {} entries from {}", path.display(), imported.added.len(), imported.what)?;
        }
        Command::Show { file } => {
            let own = || -> keysift::Result<PathBuf> {
                let repository = Repository::discover(Path::new("."), &Environment::of_process())?;
                let root = repository.as_ref().and_then(Repository::root).unwrap_or(Path::new("."));
                let policy = Policy::of(repository.as_ref(), root, Named::default(), &Wish::default())?;
                Ok(near(&root.join(policy.baseline_path())))
            };
            let file = file.clone().map_or_else(own, Ok)?;
            let baseline = read(&file)?;
            for entry in baseline.entries() {
                writeln!(out, "{}", entry.label())?;
            }
            writeln!(out, "{}", count(baseline.len()))?;
        }
    }
    Ok(CLEAN)
}

fn read(path: &Path) -> keysift::Result<Baseline> {
    if !path.exists() {
        return Err(
            Error::new(format!("there is no baseline {}", path.display())).help("`keysift baseline create` makes one")
        );
    }
    let text = std::fs::read(path).unwrap_or_default();
    if matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        // It serves as one when it is read; to write into it would be the end of both.
        return Err(Error::new(format!("cannot change {}", path.display()))
            .because("it is a report and no baseline")
            .help("`keysift baseline import` takes what it says over into one"));
    }
    Baseline::read(path)
}

impl Make {
    fn note(&self) -> Note {
        Note { reason: self.reason.clone(), by: self.by.clone(), until: self.until }
    }

    /// Where the baseline is, and what runs the scan: what it finds without any baseline, and how the
    /// baseline is used with it.
    #[allow(clippy::type_complexity)]
    fn begin(&self) -> keysift::Result<(PathBuf, impl FnOnce() -> keysift::Result<(Vec<Finding>, Use)> + '_)> {
        let subject = self.scan.subject()?;
        let ground = Ground::of(&subject, &self.scan.how, &Wish::default())?;
        let path = match &self.scan.how.output.output {
            Some(path) => path.clone(),
            None => near(&ground.root.join(ground.policy.baseline_path())),
        };
        let scan = move || {
            let usage = Use::default().with_rules(&ground.ruleset);
            let coverage = subject.coverage(&ground.root);
            let report = scan::make(ground, subject, &self.scan.how, Known::Found)?.report;
            let coverage = if report.scan.is_complete() { coverage } else { Coverage::Part };
            // A key id is known, too, when its secret is gone.
            let found = report.findings.into_iter().chain(report.paired).collect();
            Ok((found, Use { coverage, ..usage }))
        };
        Ok((path, scan))
    }
}

fn count(n: usize) -> String {
    if n == 1 { "1 known finding".to_owned() } else { format!("{n} known findings") }
}

/// A path as it is named from here, where it lies below.
fn near(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}
