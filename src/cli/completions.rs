//! `keysift completions SHELL` and `keysift man`.

use clap::CommandFactory;

use super::{CLEAN, Cli, Done};

/// The flags of `keysift completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Prints the completion script of a shell.
pub(crate) fn run(args: &Args) -> Done {
    clap_complete::generate(args.shell, &mut Cli::command(), "keysift", &mut std::io::stdout());
    Ok(CLEAN)
}

/// Prints the manual page.
pub(crate) fn man() -> Done {
    clap_mangen::Man::new(Cli::command()).render(&mut std::io::stdout())?;
    Ok(CLEAN)
}
