//! `keysift baseline create|update|prune|show`: what is known, so that only what is new counts.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use keysift::{
    Error, Finding,
    triage::baseline::{Baseline, Coverage, NAME, Note, Resolver, Use},
};

use super::{CLEAN, Done, scan};

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
        /// The baseline
        #[arg(default_value = NAME)]
        file: PathBuf,
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
            let path = make.path();
            if path.exists() {
                return Err(Error::new(format!("{} is there already", path.display()))
                    .help("`keysift baseline update` adds what is new; delete the file to start again")
                    .into());
            }
            let (findings, _) = make.findings()?;
            let baseline = Baseline::create(NAME, &findings, &make.note())?;
            baseline.write(&path)?;
            writeln!(out, "{}: {} known findings", path.display(), baseline.len())?;
        }
        Command::Update(make) => {
            let path = make.path();
            let mut baseline = read(&path)?;
            let (findings, usage) = make.findings()?;
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
            let path = make.path();
            let mut baseline = read(&path)?;
            let (findings, usage) = make.findings()?;
            let dropped = baseline.prune(&findings, &usage);
            baseline.write(&path)?;
            for (entry, _) in &dropped {
                writeln!(out, "dropped {}", entry.label())?;
            }
            writeln!(out, "{}: {} dropped, {} left", path.display(), dropped.len(), baseline.len())?;
        }
        Command::Import { from, make } => {
            let path = make.path();
            let mut baseline = if path.exists() { read(&path)? } else { Baseline::empty(NAME)? };
            let bytes =
                std::fs::read(from).map_err(|e| Error::new(format!("cannot read {}", from.display())).because(e))?;
            let (findings, _) = make.findings()?;
            let resolver = Resolver { findings: &findings, read: None };
            let imported = baseline.import(&bytes, &from.display().to_string(), resolver, &make.note())?;
            baseline.write(&path)?;
            for left in &imported.left {
                writeln!(out, "not carried over: {left}")?;
            }
            writeln!(out, "{}: {} entries from {}", path.display(), imported.added.len(), imported.what)?;
        }
        Command::Show { file } => {
            let baseline = Baseline::read(file)?;
            for entry in baseline.entries() {
                writeln!(out, "{}", entry.label())?;
            }
            writeln!(out, "{} known findings", baseline.len())?;
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

    fn path(&self) -> PathBuf {
        self.scan.output().cloned().unwrap_or_else(|| PathBuf::from(NAME))
    }

    /// What a scan finds without any baseline, and how the baseline is used with it.
    fn findings(&self) -> keysift::Result<(Vec<Finding>, Use)> {
        let report = scan::make_without_baseline(&self.scan)?;
        let whole = report.scan.is_complete();
        let coverage = if whole { self.scan.coverage() } else { Coverage::Part };
        let usage = Use { coverage, ..Use::default() }.with_rules(&scan::ruleset(&self.scan)?);
        Ok((report.findings, usage))
    }
}
