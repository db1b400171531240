//! `keysift migrate`: from gitleaks', betterleaks' and detect-secrets' files to keysift's own.

use std::{fs, io::Write, path::PathBuf};

use bstr::BStr;
use keysift::{
    Error,
    config::{
        self,
        migrate::{self, KNOWN},
    },
    triage::{
        baseline::{self, Resolver},
        ignore_file,
    },
};

use super::{
    CLEAN, Done,
    policy::Wish,
    revision::Files,
    scan::{self, Ground, Known},
};

/// The flags of `keysift migrate`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// The other tools' files (default: those that stand at the root under their usual names)
    #[arg(long, value_name = "FILE")]
    from: Vec<PathBuf>,
    /// Replace files of keysift that are there already
    #[arg(long)]
    force: bool,
    /// Only show what would be written
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    scan: scan::Args,
}

/// Runs `keysift migrate`.
pub(crate) fn run(args: &Args) -> Done {
    let own = Files::here()?;
    let root = &own.root;
    let mut names: Vec<(String, PathBuf)> =
        args.from.iter().map(|path| (path.display().to_string(), path.clone())).collect();
    if names.is_empty() {
        names = KNOWN.iter().map(|name| ((*name).to_owned(), root.join(name))).filter(|(_, p)| p.is_file()).collect();
    }
    if names.is_empty() {
        return Err(Error::new("there is nothing to migrate")
            .because(format!("none of {} stands at {}", KNOWN.join(", "), root.display()))
            .help("name the files with --from")
            .into());
    }
    let mut files = Vec::new();
    for (name, path) in names {
        let bytes = fs::read(&path).map_err(|e| Error::new(format!("cannot read {}", path.display())).because(e))?;
        files.push((name, bytes));
    }
    // A configuration that cannot be used is no reason not to translate it.
    let scan = || -> keysift::Result<Vec<keysift::Finding>> {
        let subject = args.scan.subject()?;
        let ground = Ground::of(&subject, &args.scan.how, &Wish::default())?;
        let report = scan::make(ground, subject, &args.scan.how, Known::Found)?.report;
        Ok(report.findings.into_iter().chain(report.paired).collect())
    };
    let (findings, failed) = match scan() {
        Ok(findings) => (findings, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let read = |commit: Option<&str>, path: &BStr| own.read(commit, path);
    let resolver = Resolver { findings: &findings, read: Some(&read) };
    let migrated = migrate::migrate(&files, resolver, &|path| fs::read_to_string(root.join(path)))?;
    let texts = [
        (config::NAME, migrated.config),
        (ignore_file::NAME, migrated.ignore),
        (baseline::NAME, migrated.baseline.map(|b| b.print())),
    ];
    let mut out = anstream::stdout().lock();
    for line in &migrated.done {
        writeln!(out, "{line}")?;
    }
    for (name, text) in texts {
        let Some(text) = text else { continue };
        let path = root.join(name);
        if args.dry_run {
            writeln!(out, "--- {name}\n{text}")?;
            continue;
        }
        if path.exists() && !args.force {
            return Err(Error::new(format!("{} is there already", path.display()))
                .help("--force replaces it, --dry-run shows what would be written")
                .into());
        }
        baseline::write_whole(&path, text.as_bytes())
            .map_err(|e| Error::new(format!("cannot write {}", path.display())).because(e))?;
        writeln!(out, "wrote {name}")?;
    }
    if let Some(error) = failed {
        writeln!(out, "not scanned, so entries of ignore files could not be looked up: {error}")?;
    }
    for line in &migrated.left {
        writeln!(out, "not carried over: {line}")?;
    }
    Ok(CLEAN)
}
