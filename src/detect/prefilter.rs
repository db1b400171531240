//! Finds where keywords stand: the first, cheap look at every byte.
//!
//! **Contract: no false negatives.** Every occurrence of every keyword, in any ASCII case, also one
//! that is contained in another, is handed out exactly once. Hits depend on the keyword's own bytes
//! alone, so any range of a haystack can be searched on its own.
//!
//! Two stages. The gram filter looks at four bytes at every position and folds their case. The first three
//! choose a word of a table of 128 KiB (it stays in the cache, whatever the number of rules), the fourth a
//! bit of that word: whether any keyword has these four bytes as its rarest. Where the bit is set, a second
//! table of 64 KiB tells whether a keyword goes on with such a byte behind the gram, and then the few
//! keywords that have this gram are compared. Which gram is rare is read off `grams.bin`, which
//! `tools/grams.py` counts in source text.
//!
//! Whole blocks are looked up together, with the vectors of AVX2 where the processor has them.
//!
//! An Aho-Corasick automaton gives the same hits (it is the oracle of the test below), but its table
//! for thousands of keywords leaves the cache at every other byte.

/// log2 of the number of words in the gram table: 128 KiB.
const TABLE_BITS: u32 = 15;
/// For the hash of three folded bytes, a bit for the low five bits of the fourth.
type Table = [u32; 1 << TABLE_BITS];
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
const BLOCK: usize = 64;
/// A block, and as many bytes behind it as are loaded with the last position.
type Block = [u8; BLOCK + 8];

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
    /// Whether a keyword has a gram as its rarest.
    table: Box<Table>,
    /// Looks up a block.
    look: fn(&Table, &Block) -> u64,
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
    /// If a keyword is shorter than three bytes or longer than 255 (the schema refuses both).
    pub fn new<K: AsRef<[u8]>>(keywords: &[K]) -> Self {
        let mut table = Box::new([0u32; 1 << TABLE_BITS]);
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
                table[word(entry.gram)] = !0;
                for last in 0..=255u32 {
                    follows[follow(entry.gram | (last << 24) | FOLD)] = 0xff;
                }
                short.push(entry);
            } else {
                let at = rarest_gram(bytes);
                entry.gram = gram_at(bytes, at);
                entry.offset = at as u8;
                table[word(entry.gram)] |= 1 << (entry.gram >> 24 & 31);
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
        Prefilter { table, look: look(), follows, entries, buckets, short, short_buckets, folded, longest, farthest }
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
            let mut padded = [0; BLOCK + 8];
            let block: &Block = match haystack[at..].first_chunk() {
                Some(block) => block,
                None => {
                    let rest = &haystack[at..];
                    padded[..rest.len()].copy_from_slice(rest);
                    &padded
                }
            };
            let mut found = (self.look)(&self.table, block);
            if end - at < BLOCK {
                found &= (1 << (end - at)) - 1;
            }
            // Which keywords go on is asked of all of them first: there is nothing to foresee in it.
            let mut kept = 0u64;
            while found != 0 {
                let place = found.trailing_zeros();
                found &= found - 1;
                kept |= self.goes_on(block, place as usize) << place;
            }
            while kept != 0 {
                let position = at + kept.trailing_zeros() as usize;
                kept &= kept - 1;
                self.confirm(haystack, position, &range, &mut visit);
            }
            at += BLOCK;
        }
    }

    /// Whether a keyword may go on as the text does behind the gram at this place of a block: 1 or 0.
    #[inline(always)]
    fn goes_on(&self, block: &Block, place: usize) -> u64 {
        let next = block[place + 4];
        u64::from(self.follows[follow(gram_at(block, place))] >> (next & 7) & 1)
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

/// The word of the gram table that the first three bytes of a gram choose.
#[inline(always)]
fn word(gram: u32) -> usize {
    ((gram << 8).wrapping_mul(SPREAD) >> (32 - TABLE_BITS)) as usize
}

/// The quickest way to look up a block that this processor has.
fn look() -> fn(&Table, &Block) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        return wide::look;
    }
    look_one_by_one
}

/// For the grams at all positions of a block: a bit each, set where the table has it.
fn look_one_by_one(table: &Table, block: &Block) -> u64 {
    let mut found = 0;
    for place in 0..BLOCK {
        let gram = gram_at(block, place);
        found |= u64::from(table[word(gram)] >> (gram >> 24 & 31) & 1) << place;
    }
    found
}

/// The same, eight positions at a time.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{BLOCK, Block, FOLD, SPREAD, TABLE_BITS, Table};

    /// Looks up a block with AVX2, which the caller has made sure of.
    #[allow(unsafe_code)]
    pub fn look(table: &Table, block: &Block) -> u64 {
        debug_assert!(is_x86_feature_detected!("avx2"));
        // SAFETY: this function is handed out only where the processor has AVX2.
        unsafe { look_avx2(table, block) }
    }

    #[target_feature(enable = "avx2")]
    #[allow(unsafe_code)]
    fn look_avx2(table: &Table, block: &Block) -> u64 {
        // The bytes of eight neighbouring grams.
        let neighbours = _mm256_setr_epi8(
            0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10,
        );
        let mut found = 0;
        for place in (0..BLOCK).step_by(8) {
            let bytes: &[u8; 16] = block[place..].first_chunk().expect("a block goes on behind its last position");
            // SAFETY: sixteen bytes are read of an array of sixteen; unaligned loads are allowed.
            let bytes = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
            let grams = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(bytes), neighbours);
            let grams = _mm256_or_si256(grams, _mm256_set1_epi32(FOLD as i32));
            let hashes = _mm256_mullo_epi32(_mm256_slli_epi32::<8>(grams), _mm256_set1_epi32(SPREAD as i32));
            let words = _mm256_srli_epi32::<{ 32 - TABLE_BITS as i32 }>(hashes);
            // SAFETY: a number of `TABLE_BITS` bits is a place in the table.
            let words = unsafe { _mm256_i32gather_epi32::<4>(table.as_ptr().cast(), words) };
            // The bit of the fourth byte becomes the highest one.
            let up = _mm256_andnot_si256(_mm256_srli_epi32::<24>(grams), _mm256_set1_epi32(31));
            let bits = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_sllv_epi32(words, up)));
            found |= u64::from(bits as u8) << place;
        }
        found
    }
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
        fn blocks_are_looked_up_the_same_by_any_means(block in proptest::collection::vec("[a-z_]|[^a-z]", BLOCK + 8)) {
            let text = block.concat().into_bytes();
            let block: &Block = text.first_chunk().unwrap();
            let keywords: Vec<String> = text.chunks(11).filter_map(|c| String::from_utf8(c[..5.min(c.len())].to_ascii_lowercase()).ok()).filter(|k| k.len() >= 3).collect();
            let prefilter = Prefilter::new(&keywords);
            prop_assert_eq!(look()(&prefilter.table, block), look_one_by_one(&prefilter.table, block));
        }

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
