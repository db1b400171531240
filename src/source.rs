//! Where bytes come from: working tree, index, history, standard input.
//!
//! A source pushes what it has into a [`Sink`], on many threads at once, each content once. What it
//! could not read it hands over as a [`Gap`], never as a log line.

pub mod archive;
pub mod file;
pub mod history;
pub mod index;
pub(crate) mod lfs;
pub mod oid;
pub mod repository;
pub mod stdin;
pub mod worktree;

use crate::{content::Content, error::Result, gap::Gap};

/// What a source pushes into.
pub trait Sink: Sync {
    /// A content; the bytes are borrowed for the call.
    fn content(&self, content: Content<'_>);
    /// Something that was asked for and could not be covered.
    fn gap(&self, gap: Gap);
    /// Whether to stop early (interrupted).
    fn is_stopped(&self) -> bool;
}

/// Something that has contents.
pub trait Source {
    /// Pushes every content and every gap into the sink.
    ///
    /// # Errors
    /// What was asked for cannot be met at all: no such path, no repository.
    fn for_each(&self, sink: &dyn Sink) -> Result<()>;
}
