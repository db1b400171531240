//! Standard input, or whatever else is one stream of bytes.

use std::{io::Read, sync::Mutex};

use bstr::BString;

use super::{Sink, Source};
use crate::{
    content::{Content, Origin, Place},
    error::{Error, Result},
    gap::{Gap, GapKind},
};

/// One content, read from a stream to its end.
pub struct Stdin<R> {
    reader: Mutex<R>,
    name: BString,
    place: Place,
    max_size: Option<u64>,
}

impl<R: Read> Stdin<R> {
    /// The content of `reader`, shown under `name` (`--stdin-path`).
    pub fn new(reader: R, name: impl Into<BString>) -> Self {
        Stdin { reader: Mutex::new(reader), name: name.into(), place: Place::Stdin, max_size: None }
    }

    /// The message of a commit that is being made.
    pub fn message(reader: R) -> Self {
        Stdin { reader: Mutex::new(reader), name: "commit message".into(), place: Place::Commit, max_size: None }
    }

    /// The same, but what is larger than this becomes a gap, and is not read any further.
    pub fn at_most(self, max_size: Option<u64>) -> Self {
        Stdin { max_size, ..self }
    }
}

impl<R: Read> Source for Stdin<R> {
    fn for_each(&self, sink: &dyn Sink) -> Result<()> {
        let mut bytes = Vec::new();
        let mut reader = self.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let limit = self.max_size.unwrap_or(u64::MAX);
        let read = reader.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|e| Error::new("cannot read standard input").because(e))?;
        if bytes.len() as u64 > limit {
            sink.gap(Gap::new(GapKind::Size, self.name.clone(), format!("it is larger than {limit} bytes")));
            return Ok(());
        }
        let origin = Origin { path: self.name.clone(), place: self.place, blob: None };
        sink.content(Content { origin: &origin, bytes: &bytes, before: None });
        Ok(())
    }
}
