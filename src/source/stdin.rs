//! Standard input, or whatever else is one stream of bytes.

use std::{io::Read, sync::Mutex};

use bstr::BString;

use super::{Sink, Source};
use crate::{
    content::{Content, Origin, Place},
    error::{Error, Result},
};

/// One content, read from a stream to its end.
pub struct Stdin<R> {
    reader: Mutex<R>,
    name: BString,
    place: Place,
}

impl<R: Read> Stdin<R> {
    /// The content of `reader`, shown under `name` (`--stdin-path`).
    pub fn new(reader: R, name: impl Into<BString>) -> Self {
        Stdin { reader: Mutex::new(reader), name: name.into(), place: Place::Stdin }
    }

    /// The message of a commit that is being made.
    pub fn message(reader: R) -> Self {
        Stdin { reader: Mutex::new(reader), name: "commit message".into(), place: Place::Commit }
    }
}

impl<R: Read> Source for Stdin<R> {
    fn for_each(&self, sink: &dyn Sink) -> Result<()> {
        let mut bytes = Vec::new();
        let mut reader = self.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        reader.read_to_end(&mut bytes).map_err(|e| Error::new("cannot read standard input").because(e))?;
        let origin = Origin { path: self.name.clone(), place: self.place, blob: None };
        sink.content(Content { origin: &origin, bytes: &bytes, before: None });
        Ok(())
    }
}
