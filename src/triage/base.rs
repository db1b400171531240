//! Policy from a base revision: comments in the source count only as they stand there.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bstr::{BStr, BString, ByteSlice};

use super::Reader;

/// How many markers a remark names.
const NAMED: usize = 5;

/// The revision that a change is to be merged into.
#[derive(Debug)]
pub struct Base {
    revision: String,
    read: Reader,
    allow_changes: bool,
    /// The files of the base that were asked for.
    files: Mutex<HashMap<BString, Option<Arc<[u8]>>>>,
    /// Markers that the base does not have: path and rule.
    added: Mutex<BTreeSet<(BString, String)>>,
}

impl Base {
    /// Markers count as they stand in `revision`, whose files `read` reads; with `allow_changes` new ones
    /// count too, and are said.
    pub fn new(revision: impl Into<String>, read: Reader, allow_changes: bool) -> Self {
        let revision = revision.into();
        Base { revision, read, allow_changes, files: Mutex::default(), added: Mutex::default() }
    }

    /// Whether a marker counts for a match of this rule: the base has the same lines in the same file, or
    /// changes are allowed. `above` is given if the marker stands there.
    pub(super) fn heeds(&self, rule: &str, path: &BStr, above: Option<&[u8]>, lines: &[u8]) -> bool {
        let wanted: Vec<&[u8]> = above.into_iter().chain(lines.lines()).map(<[u8]>::trim_ascii).collect();
        if self.file(path).is_some_and(|file| stands_in(&wanted, &file)) {
            return true;
        }
        lock(&self.added).insert((path.to_owned(), rule.to_owned()));
        self.allow_changes
    }

    /// The markers that the base does not have, as far as matches have met them: path and rule.
    pub fn added(&self) -> Vec<(BString, String)> {
        lock(&self.added).iter().cloned().collect()
    }

    /// What the person who runs it should know.
    pub(super) fn remark(&self) -> Option<String> {
        let added = lock(&self.added);
        if added.is_empty() {
            return None;
        }
        let mut named: Vec<String> = added.iter().take(NAMED).map(|(path, rule)| format!("{path} ({rule})")).collect();
        if added.len() > NAMED {
            named.push(format!("and {} more", added.len() - NAMED));
        }
        let n = if added.len() == 1 { "1 inline marker".to_owned() } else { format!("{} inline markers", added.len()) };
        let (revision, named) = (&self.revision, named.join(", "));
        Some(if self.allow_changes {
            format!("{n} not in {revision}: {named}")
        } else {
            format!("{n} not in {revision}, not heeded (--allow-policy-changes): {named}")
        })
    }

    fn file(&self, path: &BStr) -> Option<Arc<[u8]>> {
        if let Some(known) = lock(&self.files).get(path) {
            return known.clone();
        }
        let file: Option<Arc<[u8]>> = self.read.read(path).map(Into::into);
        lock(&self.files).insert(path.to_owned(), file.clone());
        file
    }
}

/// Whether these lines stand one after the other in a file. What is compared may be cut, so that each is
/// a part of its line.
fn stands_in(wanted: &[&[u8]], file: &[u8]) -> bool {
    let lines: Vec<&[u8]> = file.lines().collect();
    !wanted.is_empty()
        && wanted.iter().any(|line| !line.is_empty())
        && lines.windows(wanted.len()).any(|here| here.iter().zip(wanted).all(|(line, part)| line.contains_str(part)))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
