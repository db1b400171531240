//! The errors that end a run: what was tried, on what, why it failed, what to do.

use std::fmt;

/// A fatal error: the request itself could not be met (exit status 2).
///
/// What could not be *covered* is not an error but a [`Gap`](crate::Gap).
#[derive(Debug)]
pub struct Error {
    /// What was tried, on what: `cannot read rules file rules.toml`.
    what: String,
    /// Why it failed.
    why: Option<String>,
    /// What the reader can do about it.
    help: Option<String>,
}

/// `Result` with [`Error`] unless told otherwise.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says what was tried and on what.
    pub fn new(what: impl Into<String>) -> Self {
        Error { what: what.into(), why: None, help: None }
    }

    /// Adds why it failed.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// Adds what the reader can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
