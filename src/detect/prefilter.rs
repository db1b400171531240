//! Finds where keywords stand: the first, cheap look at every byte.
//!
//! **Contract: no false negatives.** Every occurrence of every keyword, in any ASCII case, also one
//! that is contained in another, is handed out exactly once. Hits depend on the keyword's own bytes
//! alone, so any range of a haystack can be searched on its own.
//!
//! Two stages. The gram filter looks at four bytes at every position, folds their case, and asks one
//! bit of a 32 KiB table (it stays in the first-level cache, whatever the number of rules) whether
//! any keyword has these four bytes as its rarest. Where the bit is set, an anchored Aho-Corasick
//! automaton says which keywords stand there.

use aho_corasick::{
    AhoCorasick, AhoCorasickBuilder, Anchored, Input, MatchKind, StartKind, automaton::OverlappingState,
};

/// log2 of the number of bits in the gram table: 32 KiB.
const TABLE_BITS: u32 = 18;
/// log2 of the number of buckets that grams are looked up in.
const BUCKET_BITS: u32 = 12;
/// An odd multiplier that spreads four folded bytes over the table.
const SPREAD: u32 = 0x9E37_79B1;
/// Sets bit 5 of four bytes: folds ASCII case (and a few other pairs, which the automaton sorts out).
const FOLD: u32 = 0x2020_2020;
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

/// The prefilter over a list of keywords.
#[derive(Debug)]
pub struct Prefilter {
    /// One bit for each hash of a gram: whether a keyword has it as its rarest.
    table: Box<[u8; 1 << (TABLE_BITS - 3)]>,
    /// Folded gram and its offset in a keyword, sorted by bucket and gram. Keywords of three bytes have
    /// grams of three bytes (their fourth byte may be any).
    grams: Vec<(u32, u8)>,
    /// Where each bucket starts in `grams`.
    buckets: Vec<u32>,
    /// The same for the grams of three bytes.
    short: Vec<u32>,
    /// Where each bucket starts in `short`.
    short_buckets: Vec<u32>,
    /// The gram that each keyword is found by, and its offset.
    key: Vec<(u32, u8)>,
    automaton: AhoCorasick,
    longest: usize,
}

impl Prefilter {
    /// Makes a prefilter. Keywords are lower case, distinct, and at least three bytes long.
    ///
    /// # Panics
    /// If a keyword is shorter than three bytes or longer than 255 (the schema refuses both), or if
    /// there are so many that the automaton does not fit in memory.
    pub fn new<K: AsRef<[u8]>>(keywords: &[K]) -> Self {
        let mut table = Box::new([0u8; 1 << (TABLE_BITS - 3)]);
        let (mut grams, mut short, mut key) = (Vec::new(), Vec::new(), Vec::new());
        for keyword in keywords {
            let bytes = keyword.as_ref();
            assert!((3..256).contains(&bytes.len()), "the schema bounds the length of keywords");
            if bytes.len() == 3 {
                let gram = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) | FOLD;
                for last in 0..=255u32 {
                    set(&mut table, (gram & 0x00ff_ffff) | (last << 24) | FOLD);
                }
                short.push(gram & 0x00ff_ffff);
                key.push((gram & 0x00ff_ffff, 0));
            } else {
                let at = rarest_gram(bytes);
                let gram = gram_at(bytes, at);
                set(&mut table, gram);
                grams.push((gram, at as u8));
                key.push((gram, at as u8));
            }
        }
        grams.sort_unstable_by_key(|(gram, offset)| (bucket(*gram), *gram, *offset));
        grams.dedup();
        short.sort_unstable_by_key(|gram| (bucket(*gram), *gram));
        short.dedup();
        let buckets = bucket_starts(grams.iter().map(|(gram, _)| *gram));
        let short_buckets = bucket_starts(short.iter().copied());
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Anchored)
            .prefilter(false)
            .kind(Some(aho_corasick::AhoCorasickKind::ContiguousNFA))
            .build(keywords)
            .expect("the keywords of a rule set fit an automaton");
        let longest = keywords.iter().map(|k| k.as_ref().len()).max().unwrap_or(0);
        Prefilter { table, grams, buckets, short, short_buckets, key, automaton, longest }
    }

    /// The length of the longest keyword.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Hands every hit that starts in `range` to `visit`, by ascending gram position (nearly, but not
    /// quite, by ascending start). Only bytes of the haystack are looked at; a hit may end beyond the range.
    pub fn for_each(&self, haystack: &[u8], range: std::ops::Range<usize>, mut visit: impl FnMut(Hit)) {
        if self.key.is_empty() || range.is_empty() {
            return;
        }
        // Grams of keywords that start in the range lie at most a keyword's length beyond it.
        let end = (range.end + self.longest).min(haystack.len());
        let mut at = range.start;
        while at + STRIDE + 4 <= end {
            let window: &[u8; STRIDE + 4] = haystack[at..at + STRIDE + 4].try_into().expect("twelve bytes");
            let mut found = self.look(window);
            while found != 0 {
                let position = at + found.trailing_zeros() as usize;
                found &= found - 1;
                self.confirm(haystack, position, &range, &mut visit);
            }
            at += STRIDE;
        }
        while at < end {
            self.confirm(haystack, at, &range, &mut visit);
            at += 1;
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

    /// Hands out the keywords that are found by the gram at this position.
    #[inline(never)]
    fn confirm(&self, haystack: &[u8], at: usize, range: &std::ops::Range<usize>, visit: &mut impl FnMut(Hit)) {
        let mut bytes = [0u8; 4];
        let rest = &haystack[at..];
        let have = rest.len().min(4);
        bytes[..have].copy_from_slice(&rest[..have]);
        let gram = u32::from_le_bytes(bytes) | FOLD;
        if have >= 3 {
            let gram = gram & 0x00ff_ffff;
            if in_bucket(&self.short_buckets, &self.short, gram).contains(&gram) {
                self.walk(haystack, at, (gram, 0), range, visit);
            }
        }
        if have == 4 {
            for &(g, offset) in in_bucket(&self.buckets, &self.grams, gram) {
                if let (true, Some(start)) = (g == gram, at.checked_sub(offset as usize)) {
                    self.walk(haystack, start, (gram, offset), range, visit);
                }
            }
        }
    }

    /// Hands out the keywords that start here and have this gram as theirs.
    fn walk(
        &self,
        haystack: &[u8],
        start: usize,
        key: (u32, u8),
        range: &std::ops::Range<usize>,
        visit: &mut impl FnMut(Hit),
    ) {
        if !range.contains(&start) {
            return;
        }
        let end = (start + self.longest).min(haystack.len());
        let input = Input::new(haystack).span(start..end).anchored(Anchored::Yes);
        let mut state = OverlappingState::start();
        loop {
            // The searcher was built for anchored overlapping searches, so this cannot fail.
            if self.automaton.try_find_overlapping(input.clone(), &mut state).is_err() {
                return;
            }
            let Some(found) = state.get_match() else { return };
            if found.start() == start && self.key[found.pattern().as_usize()] == key {
                visit(Hit { start, end: found.end(), keyword: found.pattern().as_u32() });
            }
        }
    }
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
fn bucket_starts(grams: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut starts = vec![0u32; (1 << BUCKET_BITS) + 1];
    for gram in grams {
        starts[bucket(gram) + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    starts
}

/// The part of a list that a gram can be in.
fn in_bucket<'a, T>(starts: &[u32], list: &'a [T], gram: u32) -> &'a [T] {
    let at = bucket(gram);
    &list[starts[at] as usize..starts[at + 1] as usize]
}

fn gram_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) | FOLD
}

/// Where the four bytes stand that are rarest in source text.
fn rarest_gram(keyword: &[u8]) -> usize {
    /// Bytes of source text, common ones first.
    const COMMON: &[u8] = b" etaoinsrlcdpumfhg_bvy.-x/kw0:=1\"'2q(,)jz3;48569>7";
    let rarity = |b: u8| COMMON.iter().position(|c| *c == b).unwrap_or(COMMON.len());
    (0..=keyword.len() - 4)
        .max_by_key(|at| (keyword[*at..at + 4].iter().map(|b| rarity(*b)).sum::<usize>(), std::cmp::Reverse(*at)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The contract in its simplest words.
    fn naive(keywords: &[String], haystack: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        for start in 0..haystack.len() {
            for (number, keyword) in keywords.iter().enumerate() {
                let end = start + keyword.len();
                if haystack.get(start..end).is_some_and(|s| s.eq_ignore_ascii_case(keyword.as_bytes())) {
                    hits.push(Hit { start, end, keyword: number as u32 });
                }
            }
        }
        hits
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
            let mut expected = naive(&keywords, haystack);
            expected.retain(|h| range.contains(&h.start));
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
