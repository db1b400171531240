//! Finds where keywords stand: the first, cheap look at every byte.
//!
//! **Contract: no false negatives.** Every occurrence of every keyword, in any ASCII case, also one
//! that is contained in another, is handed out exactly once. Hits depend on the keyword's own bytes
//! alone, so any range of a haystack can be searched on its own.
//!
//! Two stages. The gram filter looks at four bytes at every position, folds their case, and asks one
//! bit of a 128 KiB table (it stays in the cache, whatever the number of rules) whether
//! any keyword has these four bytes as its rarest. Where the bit is set, a second table of 64 KiB tells
//! whether a keyword goes on with such a byte behind the gram, and then the few keywords that have
//! this gram are compared. Which gram is rare is read off `grams.bin`, which `tools/grams.py` counts in
//! source text; it is indexed by the same hash, so that grams that share their bit with a common one
//! are not chosen either.
//!
//! An Aho-Corasick automaton gives the same hits (it is the oracle of the test below), but its table
//! for thousands of keywords leaves the cache at every other byte.

/// log2 of the number of bits in the gram table: 128 KiB.
const TABLE_BITS: u32 = 20;
/// How common grams are, by the first bits of their hash.
static COMMON: &[u8; 1 << 16] = include_bytes!("grams.bin");
/// log2 of the number of buckets that grams are looked up in.
const BUCKET_BITS: u32 = 12;
/// An odd multiplier that spreads four folded bytes over the table.
const SPREAD: u32 = 0x9E37_79B1;
/// The same for the second table.
const SPREAD_AGAIN: u32 = 0x85EB_CA6B;
/// log2 of the number of bytes in the second table.
const FOLLOW_BITS: u32 = 16;
/// Sets bit 5 of four bytes: folds ASCII case (and a few other pairs, which the comparison sorts out).
const FOLD: u32 = 0x2020_2020;
/// The part of a gram that keywords of three bytes have.
const SHORT: u32 = 0x00ff_ffff;
/// How far from its start a keyword's gram may stand: so far are ranges overrun.
const FARTHEST: usize = 12;
/// How many positions are looked at together.
const STRIDE: usize = 8;

/// One occurrence of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Where it starts in the haystack.
    pub start: usize,
    /// One past its end.
    pub end: usize,
    /// Its number in the list that the prefilter was made of.
    pub keyword: u32,
}

/// A keyword as it is found.
#[derive(Debug, Clone, Copy)]
struct Entry {
    gram: u32,
    /// Where its bytes start in the folded bytes of all keywords.
    bytes: u32,
    /// Its number.
    keyword: u32,
    len: u8,
    /// Where the gram stands in it.
    offset: u8,
}

/// The prefilter over a list of keywords.
#[derive(Debug)]
pub struct Prefilter {
    /// One bit for each hash of a gram: whether a keyword has it as its rarest.
    table: Box<[u8; 1 << (TABLE_BITS - 3)]>,
    /// For each other hash of a gram, by the last three bits of the byte behind it: whether a keyword goes on so.
    follows: Box<[u8; 1 << FOLLOW_BITS]>,
    /// Keywords by the bucket of the gram that they are found by.
    entries: Vec<Entry>,
    /// Where each bucket starts in `entries`.
    buckets: Vec<u32>,
    /// The same for keywords of three bytes, whose gram is three bytes.
    short: Vec<Entry>,
    /// Where each bucket starts in `short`.
    short_buckets: Vec<u32>,
    /// The folded bytes of all keywords.
    folded: Vec<u8>,
    longest: usize,
    /// The farthest place of a gram in its keyword.
    farthest: usize,
}

impl Prefilter {
    /// Makes a prefilter. Keywords are lower case, distinct, and at least three bytes long.
    ///
    /// # Panics
    /// If a keyword is shorter than three bytes or longer than 255 (the schema refuses both), or if
    /// there are so many that the automaton does not fit in memory.
    pub fn new<K: AsRef<[u8]>>(keywords: &[K]) -> Self {
        let mut table = Box::new([0u8; 1 << (TABLE_BITS - 3)]);
        let mut follows = Box::new([0u8; 1 << FOLLOW_BITS]);
        let (mut entries, mut short, mut folded) = (Vec::new(), Vec::new(), Vec::new());
        for (number, keyword) in keywords.iter().enumerate() {
            let bytes = keyword.as_ref();
            assert!((3..256).contains(&bytes.len()), "the schema bounds the length of keywords");
            let mut entry = Entry {
                gram: 0,
                bytes: folded.len() as u32,
                keyword: number as u32,
                len: bytes.len() as u8,
                offset: 0,
            };
            folded.extend(bytes.iter().map(u8::to_ascii_lowercase));
            if bytes.len() == 3 {
                entry.gram = (u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) | FOLD) & SHORT;
                for last in 0..=255u32 {
                    let gram = entry.gram | (last << 24) | FOLD;
                    set(&mut table, gram);
                    follows[follow(gram)] = 0xff;
                }
                short.push(entry);
            } else {
                let at = rarest_gram(bytes);
                entry.gram = gram_at(bytes, at);
                entry.offset = at as u8;
                set(&mut table, entry.gram);
                follows[follow(entry.gram)] |= bytes.get(at + 4).map_or(0xff, |next| 1 << (next & 7));
                entries.push(entry);
            }
        }
        entries.sort_unstable_by_key(|e| (bucket(e.gram), e.gram, e.keyword));
        short.sort_unstable_by_key(|e| (bucket(e.gram), e.gram, e.keyword));
        let buckets = bucket_starts(&entries);
        let short_buckets = bucket_starts(&short);
        let longest = keywords.iter().map(|k| k.as_ref().len()).max().unwrap_or(0);
        let farthest = entries.iter().map(|e| e.offset as usize).max().unwrap_or(0);
        Prefilter { table, follows, entries, buckets, short, short_buckets, folded, longest, farthest }
    }

    /// The length of the longest keyword.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Hands every hit that starts in `range` to `visit`, by ascending gram position (nearly, but not
    /// quite, by ascending start). Only bytes of the haystack are looked at; a hit may end beyond the range.
    pub fn for_each(&self, haystack: &[u8], range: std::ops::Range<usize>, mut visit: impl FnMut(Hit)) {
        if self.longest == 0 || range.is_empty() {
            return;
        }
        // Grams of keywords that start in the range lie so far beyond it at most.
        let end = (range.end + self.farthest).min(haystack.len());
        let mut at = range.start;
        while at < end {
            let mut padded = [0; STRIDE + 4];
            let window = match haystack[at..].first_chunk() {
                Some(window) => window,
                None => {
                    padded[..haystack.len() - at].copy_from_slice(&haystack[at..]);
                    &padded
                }
            };
            let mut found = self.look(window);
            while found != 0 {
                let position = at + found.trailing_zeros() as usize;
                found &= found - 1;
                if self.goes_on(haystack, position) {
                    self.confirm(haystack, position, &range, &mut visit);
                }
            }
            at += STRIDE;
        }
    }

    /// For the grams at eight neighbouring positions: a bit each, set where the table has it.
    #[inline(always)]
    fn look(&self, window: &[u8; STRIDE + 4]) -> u32 {
        let low = u64::from_le_bytes(window[..8].try_into().expect("eight bytes")) | (FOLD as u64) << 32 | FOLD as u64;
        let high = u64::from_le_bytes(window[4..].try_into().expect("eight bytes")) | (FOLD as u64) << 32 | FOLD as u64;
        let mut found = 0;
        for k in 0..4 {
            found |= self.bit((low >> (8 * k)) as u32) << k;
            found |= self.bit((high >> (8 * k)) as u32) << (k + 4);
        }
        found
    }

    #[inline(always)]
    fn bit(&self, gram: u32) -> u32 {
        let hash = gram.wrapping_mul(SPREAD) >> (32 - TABLE_BITS);
        u32::from(self.table[(hash >> 3) as usize] >> (hash & 7)) & 1
    }

    /// Whether a keyword may go on as the text does behind the gram at this position.
    #[inline(always)]
    fn goes_on(&self, haystack: &[u8], at: usize) -> bool {
        match haystack[at.min(haystack.len())..].first_chunk::<5>() {
            Some([a, b, c, d, next]) => {
                let gram = u32::from_le_bytes([*a, *b, *c, *d]) | FOLD;
                self.follows[follow(gram)] >> (next & 7) & 1 == 1
            }
            None => true,
        }
    }

    /// Hands out the keywords that are found by the gram at this position.
    #[inline(never)]
    fn confirm(&self, haystack: &[u8], at: usize, range: &std::ops::Range<usize>, visit: &mut impl FnMut(Hit)) {
        let mut bytes = [0u8; 4];
        let rest = haystack.get(at..).unwrap_or_default();
        let have = rest.len().min(4);
        bytes[..have].copy_from_slice(&rest[..have]);
        let gram = u32::from_le_bytes(bytes) | FOLD;
        if have >= 3 {
            for entry in in_bucket(&self.short_buckets, &self.short, gram & SHORT) {
                self.compare(haystack, at, gram & SHORT, entry, range, visit);
            }
        }
        if have == 4 {
            for entry in in_bucket(&self.buckets, &self.entries, gram) {
                self.compare(haystack, at, gram, entry, range, visit);
            }
        }
    }

    /// Hands out a keyword if it stands around the gram at this position.
    #[inline(always)]
    fn compare(
        &self,
        haystack: &[u8],
        at: usize,
        gram: u32,
        entry: &Entry,
        range: &std::ops::Range<usize>,
        visit: &mut impl FnMut(Hit),
    ) {
        if entry.gram != gram {
            return;
        }
        let Some(start) = at.checked_sub(entry.offset as usize) else { return };
        let end = start + entry.len as usize;
        let keyword = &self.folded[entry.bytes as usize..entry.bytes as usize + entry.len as usize];
        if range.contains(&start) && haystack.get(start..end).is_some_and(|text| text.eq_ignore_ascii_case(keyword)) {
            visit(Hit { start, end, keyword: entry.keyword });
        }
    }
}

/// The other hash of a gram.
#[inline(always)]
fn follow(gram: u32) -> usize {
    (gram.wrapping_mul(SPREAD_AGAIN) >> (32 - FOLLOW_BITS)) as usize
}

fn set(table: &mut [u8; 1 << (TABLE_BITS - 3)], gram: u32) {
    let hash = gram.wrapping_mul(SPREAD) >> (32 - TABLE_BITS);
    table[(hash >> 3) as usize] |= 1 << (hash & 7);
}

/// The bucket of a gram.
fn bucket(gram: u32) -> usize {
    (gram.wrapping_mul(SPREAD) >> (32 - BUCKET_BITS)) as usize
}

/// Where each bucket of a list starts that is sorted by bucket.
fn bucket_starts(entries: &[Entry]) -> Vec<u32> {
    let mut starts = vec![0u32; (1 << BUCKET_BITS) + 1];
    for entry in entries {
        starts[bucket(entry.gram) + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    starts
}

/// The part of a list that a gram can be in.
fn in_bucket<'a>(starts: &[u32], entries: &'a [Entry], gram: u32) -> &'a [Entry] {
    let at = bucket(gram);
    &entries[starts[at] as usize..starts[at + 1] as usize]
}

fn gram_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) | FOLD
}

/// Where the four bytes stand that are rarest in source text.
fn rarest_gram(keyword: &[u8]) -> usize {
    (0..=(keyword.len() - 4).min(FARTHEST))
        .min_by_key(|at| COMMON[(gram_at(keyword, *at).wrapping_mul(SPREAD) >> 16) as usize])
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Aho-Corasick says.
    fn oracle(keywords: &[String], haystack: &[u8]) -> Vec<Hit> {
        let automaton = aho_corasick::AhoCorasick::builder().ascii_case_insensitive(true).build(keywords).unwrap();
        let hit = |m: aho_corasick::Match| Hit { start: m.start(), end: m.end(), keyword: m.pattern().as_u32() };
        automaton.find_overlapping_iter(haystack).map(hit).collect()
    }

    proptest! {
        #[test]
        fn every_occurrence_is_handed_out_exactly_once(
            mut keywords in proptest::collection::vec("[abk_\\-]{3,7}", 1..12),
            haystack in "[abkABK_\\-\n]{0,120}",
            cut in (0usize..120, 0usize..120),
        ) {
            keywords.sort();
            keywords.dedup();
            let haystack = haystack.as_bytes();
            let range = cut.0.min(haystack.len())..cut.1.min(haystack.len());
            let prefilter = Prefilter::new(&keywords);
            let mut found = Vec::new();
            prefilter.for_each(haystack, range.clone(), |hit| found.push(hit));
            found.sort();
            let mut expected = oracle(&keywords, haystack);
            expected.retain(|h| range.contains(&h.start));
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
