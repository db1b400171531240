//! What the new parts of contents came to lately: the same lines come back in many versions of a file, and on many
//! branches. Half of the new bytes in a history are ones that were looked at a moment ago.
//!
//! **Contract: only what is local is remembered.** Which keywords stand in a part, that one leads to nothing, and that
//! nothing is encoded there, is kept only where it depends on the bytes of the part's window alone (see
//! [`Done::reach`]), so it holds wherever the same window comes back. Everything else is found out anew.
//!
//! [`Done::reach`]: super::decode::Done::reach

use std::{hash::BuildHasher, ops::Range};

use foldhash::quality::RandomState;

use super::prefilter::Hit;

/// How far a window goes beyond its part on both sides, in bytes; not less than the longest keyword.
const MARGIN: usize = 128;
/// How many parts are remembered.
const PARTS: usize = 1 << 14;
/// Parts with more hits are not.
const MOST_HITS: usize = 64;

/// The parts that were looked at last, for one thread.
#[derive(Debug, Default)]
pub struct Recent {
    /// Makes hashes unforeseeable: no content can be made that is taken for another one.
    seed: RandomState,
    /// By hash; nothing before the first one is kept.
    parts: Vec<(u64, Known)>,
}

/// What is known of a part.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The hits that start in it, as places in its window.
    hits: Box<[Met]>,
    /// Whether nothing that is encoded there, or nearby, holds a secret.
    pub is_plain: bool,
}

/// What stands for a part wherever it comes back.
#[derive(Debug)]
pub(super) struct Key {
    hash: u64,
    window: Range<usize>,
    /// Whether the content starts, or ends, with the window.
    is_at_start: bool,
    is_at_end: bool,
}

impl Key {
    /// Whether these bytes are in the window.
    pub fn holds(&self, bytes: &Range<usize>) -> bool {
        self.window.start <= bytes.start && bytes.end <= self.window.end
    }

    /// Whether the bytes of the window decide that something reaches to these and no further.
    pub fn encloses(&self, bytes: &Range<usize>) -> bool {
        let starts = self.window.start < bytes.start || self.is_at_start;
        starts && (bytes.end < self.window.end || self.is_at_end)
    }

    /// Hits as places in the content of this key.
    pub fn hits<'a>(&'a self, known: &'a Known) -> impl Iterator<Item = Met> + 'a {
        known.hits.iter().map(|met| met.moved(|at| at + self.window.start))
    }
}

/// A hit, and what came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub hit: Hit,
    /// Whether no rule matches there, as the bytes of the part's window alone decide.
    pub is_idle: bool,
}

impl Met {
    fn moved(self, place: impl Fn(usize) -> usize) -> Met {
        let hit = Hit { start: place(self.hit.start), end: place(self.hit.end), ..self.hit };
        Met { hit, ..self }
    }
}

/// A part of a content that is not copied.
#[derive(Debug)]
pub(super) struct Part {
    /// Where hits start that are not known from the base…
    pub search: Range<usize>,
    /// …but for those that end here or before it.
    pub known: usize,
    /// What encoded text may depend on that was not copied as a whole.
    pub zone: Range<usize>,
}

impl Recent {
    /// What stands for a part: its window, and where it stands in that. No keyword is longer than `longest`.
    pub(super) fn key(&self, haystack: &[u8], part: &Part, longest: usize) -> Key {
        let margin = MARGIN.max(longest);
        let start = part.search.start.min(part.zone.start).saturating_sub(margin);
        let end = (part.search.end.max(part.zone.end) + margin).min(haystack.len());
        let within = |r: &Range<usize>| (r.start - start, r.end - start);
        let (is_at_start, is_at_end) = (start == 0, end == haystack.len());
        let place = (within(&part.search), within(&part.zone), is_at_start, is_at_end);
        Key { hash: self.seed.hash_one((&haystack[start..end], place)), window: start..end, is_at_start, is_at_end }
    }

    /// What is known of a part.
    pub(super) fn find(&self, key: &Key) -> Option<&Known> {
        self.parts.get(key.hash as usize % PARTS).filter(|(hash, _)| *hash == key.hash).map(|(_, known)| known)
    }

    /// Remembers what a part came to.
    pub(super) fn keep(&mut self, key: &Key, hits: &[Met], is_plain: bool) {
        if hits.len() <= MOST_HITS {
            self.parts.resize_with(PARTS, Default::default);
            let hits = hits.iter().map(|met| met.moved(|at| at - key.window.start)).collect();
            self.parts[key.hash as usize % PARTS] = (key.hash, Known { hits, is_plain });
        }
    }
}
