//! The command line: flags into options, one file a command. Everything that knows the terminal, the
//! environment and the exit status is here.

mod agent;
mod baseline;
mod completions;
mod config;
mod doctor;
mod explain;
mod hook;
mod install;
mod migrate;
mod policy;
mod revision;
mod rules;
mod scan;
mod setup;

use std::{
    env,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Everything asked for was covered, nothing found.
pub(crate) const CLEAN: u8 = 0;
/// Findings.
pub(crate) const FINDINGS: u8 = 1;
/// Usage, configuration or fatal error.
pub(crate) const ERROR: u8 = 2;
/// Nothing found, but something asked for was not covered.
pub(crate) const INCOMPLETE: u8 = 3;
/// Interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// Finds secrets in git repositories and folders, and says what it did not look at.
#[derive(Debug, Parser)]
#[command(name = "keysift", version, max_term_width = 100, after_help = EXIT_STATUS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_STATUS: &str = "Exit status: 0 clean, 1 findings, 2 usage or configuration error, 3 nothing found but \
                           something was not covered, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan a working tree, the index, the history, or standard input
    #[command(after_long_help = keysift::limits::text())]
    Scan(Box<scan::Args>),
    /// List, show and test rules
    Rules(rules::Args),
    /// What git's hooks call: scan what a commit or push is about to bring
    Hook(hook::Args),
    /// Set git's hooks up, here or for every repository of this user
    Install(install::Args),
    /// Take them out again
    Uninstall(install::UninstallArgs),
    /// Try every layer of protection with a canary, and say what is not protected
    Doctor(doctor::Args),
    /// Keep the known findings in a file, so that only new ones count
    Baseline(Box<baseline::Args>),
    /// Check and show the configuration
    Config(config::Args),
    /// Say why a line was or was not found
    Explain(explain::Args),
    /// Turn the files of gitleaks, betterleaks or detect-secrets into keysift's
    Migrate(Box<migrate::Args>),
    /// Guard coding agents: keep secrets out of what they read, run, write and send
    Agent(agent::Args),
    /// Print a shell completion script
    Completions(completions::Args),
    /// Print the manual page
    Man,
}

/// Parses, runs, and gives the exit status.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with status 0, mistakes to standard error with 2.
            let status = if error.use_stderr() { ERROR } else { CLEAN };
            let _ = error.print();
            return ExitCode::from(status);
        }
    };
    let done = match cli.command {
        Command::Scan(args) => scan::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Hook(args) => hook::run(&args),
        Command::Install(args) => install::run(&args),
        Command::Uninstall(args) => install::uninstall(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Baseline(args) => baseline::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Agent(args) => agent::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man => completions::man(),
    };
    match done {
        Ok(status) => ExitCode::from(status),
        Err(Failure::Closed) => ExitCode::from(CLEAN),
        Err(Failure::Error(error)) => {
            let _ = writeln!(anstream::stderr(), "\u{1b}[1;31merror\u{1b}[0m: {error}");
            ExitCode::from(ERROR)
        }
    }
}

/// Where this user's caches are: ours is a folder of it. `None` where no environment variable says it.
fn cache_dir() -> Option<PathBuf> {
    let folder = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let usual = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else {
        let below = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
        folder("HOME").map(|home| home.join(below))
    };
    Some(folder("XDG_CACHE_HOME").or(usual)?.join("keysift"))
}

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error to be shown.
    Error(keysift::Error),
    /// Whoever read our output closed it: nothing is wrong.
    Closed,
}

/// What a command gives: an exit status.
pub(crate) type Done = Result<u8, Failure>;

impl From<keysift::Error> for Failure {
    fn from(error: keysift::Error) -> Self {
        Failure::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::Closed
        } else {
            Failure::Error(keysift::Error::new("cannot write the output").because(error))
        }
    }
}
