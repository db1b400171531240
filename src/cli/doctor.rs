//! `keysift doctor`: every layer of protection, tried with a canary, and what is not protected.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use keysift::{
    Error,
    doctor::{Check, State, git},
    source::repository::{Environment, Repository},
};

use super::{CLEAN, Done, FINDINGS};

/// The flags of `keysift doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The format
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs `keysift doctor`: status 1 if a secret passes somewhere.
pub(crate) fn run(args: &Args) -> Done {
    let keysift = std::env::current_exe().map_err(|e| Error::new("cannot tell where keysift is").because(e))?;
    let repository = Repository::discover(Path::new("."), &Environment::of_process())?;
    let root: Option<PathBuf> = repository.as_ref().and_then(Repository::root).map(Path::to_owned);
    let mut checks = git::checks(&keysift, root.as_deref())?;
    checks.extend(super::agent::checks(root.as_deref().unwrap_or(Path::new(".")))?);
    match args.format {
        Format::Text => text(&checks)?,
        Format::Json => json(&checks)?,
    }
    Ok(if checks.iter().any(|check| check.state.is_open()) { FINDINGS } else { CLEAN })
}

fn text(checks: &[Check]) -> Result<(), super::Failure> {
    let mut out = anstream::stdout().lock();
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    for Check { name, state, why, mend } in checks {
        let style: Style = match state {
            State::Good => AnsiColor::Green.on_default(),
            State::Weak => AnsiColor::Yellow.on_default(),
            State::Missing | State::Failed => AnsiColor::Red.on_default().bold(),
        };
        writeln!(out, "{style}{:<7}{style:#}  {name:<width$}  {why}", state.name())?;
        if let Some(mend) = mend {
            writeln!(out, "{:<7}  {:<width$}  mend: {mend}", "", "")?;
        }
    }
    let open: Vec<&str> = checks.iter().filter(|c| c.state.is_open()).map(|c| c.name.as_str()).collect();
    if open.is_empty() {
        writeln!(out, "every layer that could be tried stopped the canary")?;
    } else {
        writeln!(out, "not protected: {}", open.join(", "))?;
    }
    Ok(())
}

fn json(checks: &[Check]) -> Result<(), super::Failure> {
    let checks: Vec<serde_json::Value> = checks
        .iter()
        .map(|c| serde_json::json!({ "name": c.name, "state": c.state.name(), "why": c.why, "mend": c.mend }))
        .collect();
    let report = serde_json::json!({ "schema": "keysift/doctor/v1", "checks": checks });
    let text = serde_json::to_string_pretty(&report).map_err(|e| Error::new("cannot write the report").because(e))?;
    writeln!(anstream::stdout().lock(), "{text}")?;
    Ok(())
}
