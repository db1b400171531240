//! One shape for what an agent is about to do, or has done, whichever agent it is.

use std::path::PathBuf;

use serde_json::Value;

use super::Agent;

/// What a hook is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Who tells it.
    pub agent: Agent,
    /// The event's name as the agent writes it, for answers that repeat it.
    pub name: String,
    /// When it is told.
    pub moment: Moment,
    /// The session, as the agent names it.
    pub session: Option<String>,
    /// The directory that relative paths are relative to.
    pub cwd: Option<PathBuf>,
    /// The tool's name as the agent writes it; empty where there is none.
    pub tool: String,
    /// What is done.
    pub actions: Vec<Action>,
    /// What the tool put out, for [`Moment::After`] and [`Moment::Failed`].
    pub output: Option<Value>,
}

/// When an event is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before a tool runs: it can be stopped.
    Before,
    /// After a tool ran.
    After,
    /// After a tool ran and failed.
    Failed,
    /// Before a prompt is sent: it can be stopped.
    Prompt,
    /// The prompt as it will be sent: it can be changed, not stopped.
    Transformed,
    /// Anything else: nothing to decide.
    Other,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A file's content is read.
    Read {
        /// Its path as the agent gave it.
        path: String,
        /// The lines that are read; all of them if there is none.
        lines: Option<Lines>,
    },
    /// Files are searched for a text, and the lines that have it are shown.
    Search {
        /// The file or folder, if one is named.
        path: Option<String>,
        /// A pattern of the files' names.
        glob: Option<String>,
    },
    /// A file is written.
    Write {
        /// Its path as the agent gave it.
        path: String,
        /// What is put into it.
        texts: Vec<String>,
    },
    /// A shell command is run.
    Shell {
        /// The command.
        command: String,
        /// The directory that it is run in, where that is not the event's.
        cwd: Option<String>,
    },
    /// A text goes somewhere: a prompt, or arguments of a tool.
    Text {
        /// What it is, for messages: `prompt`, `arguments of mcp__x__y`.
        what: String,
        /// The text.
        text: String,
    },
}

/// A range of lines: at least those that are read, from 1, the end included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// The first.
    pub first: u64,
    /// The last; `u64::MAX` for the end of the file.
    pub last: u64,
}

impl Lines {
    /// The part of a text that these lines are; offsets into `text`.
    pub fn part<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        let mut starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text).map(|at| at + 1));
        let skip = usize::try_from(self.first.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(start) = starts.nth(skip) else { return &[] };
        let more = usize::try_from(self.last.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let end = starts.nth(more).unwrap_or(text.len());
        &text[start..end]
    }
}
