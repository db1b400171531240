//! `keysift config check|show`.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use keysift::{detect::Detector, rule::Ruleset};

use super::{CLEAN, Done, policy::Policy};

/// The flags of `keysift config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the configuration, compile its rules, and say what is wrong
    Check {
        /// The file (default: .keysift.toml or .gitleaks.toml at the root of the repository)
        #[arg(long, value_name = "FILE", env = "KEYSIFT_CONFIG")]
        config: Option<PathBuf>,
    },
    /// Show what the configuration comes to
    Show {
        /// The file (default: .keysift.toml or .gitleaks.toml at the root of the repository)
        #[arg(long, value_name = "FILE", env = "KEYSIFT_CONFIG")]
        config: Option<PathBuf>,
    },
}

/// Runs `keysift config`.
pub(crate) fn run(args: &Args) -> Done {
    let (Command::Check { config } | Command::Show { config }) = &args.command;
    let config = Policy::here(Path::new("."), config.as_deref())?.config;
    let mut out = anstream::stdout().lock();
    if matches!(args.command, Command::Show { .. }) {
        write!(out, "{}", config.show(Ruleset::builtin())?)?;
        return Ok(CLEAN);
    }
    let (ruleset, remarks) = config.ruleset(Ruleset::builtin())?;
    Detector::new(&ruleset)?.compile_all()?;
    for remark in remarks {
        writeln!(out, "note: {remark}")?;
    }
    writeln!(out, "{}: {} rules, nothing wrong", config.name, ruleset.rules.len())?;
    Ok(CLEAN)
}
