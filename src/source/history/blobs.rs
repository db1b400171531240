//! Looks at every blob, delta by delta, for what is in it.

use std::{
    collections::{BTreeSet, HashMap},
    io::{self, Read},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use rayon::prelude::*;

use super::{
    History, Inspector, Noticed, Outcome,
    delta::{Forest, Visitor, walk, walk_loose},
    known::Known,
    lock,
    object::Kind,
    objects::{Absent, Objects},
    pieces,
};
use crate::{content::Copied, gap::Gap};

/// Inspects every blob that is not known, and tells of those that are.
pub fn inspect<I: Inspector>(history: &History, inspector: &I, forests: &[Forest], known: &Known) -> Gathered {
    let (objects, gathered) = (&history.objects, Gathered::default());
    gathered.count_known(objects, inspector, known);
    let blobs = Blobs {
        history,
        inspector,
        first: 0,
        total: forests.iter().map(|f| f.entries(Kind::Blob).count() as u64).sum(),
        gathered: &gathered,
        known,
    };
    let is_new = |number: u32| known.blob(number).is_none() && objects.is_first(number);
    for (at, (pack, forest)) in objects.packs().iter().zip(forests).enumerate() {
        let first = objects.number(at, 0);
        let visitor = Blobs { first, ..blobs };
        walk(objects, pack, forest, Kind::Blob, |entry| is_new(first + entry), &visitor);
        for entry in forest.unknown().filter(|entry| is_new(first + entry)) {
            let id = pack.oid(entry);
            match objects.read(id.as_bytes()) {
                Ok((Kind::Blob, content)) => drop(visitor.visit(entry, &content, None)),
                Ok(_) => {}
                Err(_) => visitor.failed(entry, "its place in the pack makes no sense".into()),
            }
        }
    }
    let may_be_new = |number| is_new(number) && known.may_be(number, Kind::Blob);
    walk_loose(objects, Kind::Blob, may_be_new, &blobs);
    gathered
}

/// What all visits of blobs fill.
#[derive(Debug, Default)]
pub struct Gathered {
    found: Mutex<HashMap<u32, Vec<u64>>>,
    gaps: Mutex<Vec<Gap>>,
    blobs: AtomicU64,
    bytes: AtomicU64,
}

impl Gathered {
    /// Counts what is known and need not be visited.
    fn count_known<I: Inspector>(&self, objects: &Objects, inspector: &I, known: &Known) {
        let found = known.spotted().into_iter().map(|(number, secrets)| (number, inspector.counted(&secrets)));
        lock(&self.found).extend(found.filter(|(_, secrets)| !secrets.is_empty()));
        let sizes = (0..objects.len() as u32).into_par_iter().with_min_len(4096);
        let sizes = sizes.filter_map(|number| known.blob(number).filter(|_| objects.is_first(number)));
        let (blobs, bytes) = sizes.map(|size| (1, size)).reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        self.blobs.fetch_add(blobs, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds what was covered to the outcome; the numbers of blobs with findings, and their secrets.
    pub fn hand_over(self, outcome: &mut Outcome) -> HashMap<u32, Vec<u64>> {
        outcome.blobs = self.blobs.into_inner();
        outcome.bytes = self.bytes.into_inner();
        outcome.gaps.append(&mut lock(&self.gaps));
        std::mem::take(&mut *lock(&self.found))
    }
}

/// Visits blobs.
struct Blobs<'a, I> {
    history: &'a History,
    inspector: &'a I,
    first: u32,
    total: u64,
    gathered: &'a Gathered,
    known: &'a Known,
}

impl<I> Clone for Blobs<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Blobs<'_, I> {}

impl<I: Inspector> Blobs<'_, I> {
    /// Notes what was seen in a blob.
    fn gather(&self, entry: u32, content: &[u8], seen: &I::Seen) {
        let done = self.note(entry, content.len() as u64, self.inspector.noticed(content, seen));
        if done.is_multiple_of(1024) {
            self.inspector.progress(done, self.total);
        }
    }

    /// Notes what there is in a blob of so many bytes; how many blobs are done.
    fn note(&self, entry: u32, size: u64, noticed: Noticed) -> u64 {
        let (number, secrets) = (self.first + entry, self.inspector.counted(&noticed.secrets));
        if !secrets.is_empty() {
            lock(&self.gathered.found).insert(number, secrets);
        }
        // Secrets are found again by looking in the same way, and large blobs are looked at in more than one.
        if noticed.is_clean() || noticed.is_complete && size <= pieces::LARGE {
            self.known.blob_has(number, size, noticed.secrets);
        }
        self.gathered.bytes.fetch_add(size, Ordering::Relaxed);
        self.gathered.blobs.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl<I: Inspector> Visitor for Blobs<'_, I> {
    type State = I::Seen;

    fn visit(&self, entry: u32, content: &[u8], base: Option<(&I::Seen, &[Copied])>) -> I::Seen {
        let seen = match base {
            Some((base, copied)) => self.inspector.derived(content, base, copied),
            None => self.inspector.whole(content),
        };
        self.gather(entry, content, &seen);
        seen
    }

    fn visit_last(&self, entry: u32, content: &[u8], base: Option<(&I::Seen, &[Copied])>) {
        let seen = match base {
            Some((base, copied)) => self.inspector.derived_last(content, base, copied),
            None => self.inspector.whole(content),
        };
        self.gather(entry, content, &seen);
    }

    fn large(&self, entry: u32, content: &mut dyn Read) -> io::Result<()> {
        let Large { bytes, noticed } = Large::inspect(self.inspector, content)?;
        self.note(entry, bytes, noticed);
        Ok(())
    }

    fn failed(&self, entry: u32, why: String) {
        let id = self.history.objects.oid(self.first + entry);
        lock(&self.gathered.gaps).push(self.history.gap(id, Absent::Corrupt(why), "object"));
    }

    fn is_stopped(&self) -> bool {
        self.inspector.is_stopped()
    }
}

/// What was seen in a content that is too large to be held.
#[derive(Debug, Default)]
pub struct Large {
    /// Its length in bytes.
    pub bytes: u64,
    /// What there is in all pieces.
    pub noticed: Noticed,
}

impl Large {
    /// Looks at it piece by piece.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub fn inspect<I: Inspector>(inspector: &I, content: &mut dyn Read) -> io::Result<Large> {
        let (mut secrets, mut is_complete) = (BTreeSet::new(), true);
        let bytes = pieces::for_each(content, &mut |piece| {
            let noticed = inspector.look(piece.bytes);
            secrets.extend(noticed.secrets);
            let goes_on = !inspector.is_stopped();
            is_complete &= noticed.is_complete && goes_on;
            goes_on
        })?;
        Ok(Large { bytes, noticed: Noticed { secrets: secrets.into_iter().collect(), is_complete } })
    }
}
