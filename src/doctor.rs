//! What protects a person's work, and what does not: each layer tried with a canary, none taken at its word.
//!
//! A layer is whatever may stop a secret on its way: a git hook, a gate in CI, a guard of a coding agent.
//! A [`Check`] says what became of the canary there. The canary is a token that is made when the check is
//! run and thrown away with the folder that it was tried in.

pub mod agents;
pub mod canary;
pub mod git;

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The canary was stopped.
    Good,
    /// It protects, but not fully, or it could not be tried.
    Weak,
    /// There is nothing.
    Missing,
    /// It is there, and let the canary through, or does not work.
    Failed,
}

impl State {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            State::Good => "good",
            State::Weak => "weak",
            State::Missing => "missing",
            State::Failed => "failed",
        }
    }

    /// Whether a secret passes here.
    pub fn is_open(self) -> bool {
        matches!(self, State::Missing | State::Failed)
    }
}

/// One layer, and what became of the canary there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The layer, as people call it: `pre-commit`, `claude-code`.
    pub name: String,
    /// What became of the canary.
    pub state: State,
    /// Why the state is what it is, one sentence without a full stop.
    pub why: String,
    /// What to do about it: a command where there is one.
    pub mend: Option<String>,
}

impl Check {
    /// A check that came to this.
    pub fn new(name: impl Into<String>, state: State, why: impl Into<String>) -> Self {
        Check { name: name.into(), state, why: why.into(), mend: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }
}
