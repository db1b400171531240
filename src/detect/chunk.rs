//! Sixty-four bytes at a time: which of them are of a class, as a bit each.
//!
//! Finding out where nothing is encoded is most of the work of [`decode`](super::decode), so this is done with
//! vectors. [`Avx2`] looks bytes up by their halves; [`Portable`] is what every processor has, and the oracle.

/// How many bytes are classified together.
pub const CHUNK: usize = 64;
/// A chunk, the byte before it and the one behind it.
pub type Framed = [u8; CHUNK + 2];

/// What encoded text may be found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Which bytes are in one of the alphabets of base64.
    pub digits: u64,
    /// Which bytes are NUL.
    pub zeros: u64,
    /// Where an [edit](is_trigger) may have its trigger.
    pub triggers: u64,
}

/// Classifies bytes. The first byte of a chunk has the lowest bit.
pub trait Classify: Copy {
    /// All that encoded text may be found by.
    fn survey(self, chunk: &Framed) -> Survey;
    /// Which bytes are in one of the alphabets of base64.
    fn digits(self, chunk: &Framed) -> u64;
    /// Which bytes are [text](is_text).
    fn text(self, chunk: &[u8; CHUNK]) -> u64;
    /// Which bytes are this one.
    fn equal(self, chunk: &[u8; CHUNK], byte: u8) -> u64;
    /// Where an [edit](is_trigger) may have its trigger.
    fn triggers(self, chunk: &Framed) -> u64;
}

/// Whether a byte is in one of the alphabets of base64.
#[inline(always)]
pub const fn is_digit(b: u8) -> bool {
    // `-`, `.`, `/` and the digits are neighbours.
    ((b | 0x20).wrapping_sub(b'a') < 26) | ((b.wrapping_sub(b'-') < 13) & (b != b'.')) | (b == b'+') | (b == b'_')
}

/// A printable byte, or white space.
#[inline(always)]
pub const fn is_text(b: u8) -> bool {
    (b.wrapping_sub(b' ') < 0x5f) | (b == b'\t') | (b == b'\n') | (b == b'\r')
}

/// Whether an edit may start with a byte, from this one and its neighbours: a quote that can close a literal
/// before a joint, a percent sign, a backslash or an ampersand with what may belong to it.
#[inline(always)]
pub const fn is_trigger(before: u8, b: u8, next: u8) -> bool {
    let quote = (b == b'"') | (b == b'\'') | (b == b'`');
    let opens = (before == b'(') | (before == b',') | (before | 0x20 == b'{') | (before | 0x02 == b'>');
    let quoted = (before == b'"') | (before == b'\'') | (before == b'`');
    let closes = (before > b' ') & !opens & !quoted;
    // White space (and controls), `&`, `+`, `.`, `\`, `|` (and `*`, `/`).
    let joins = (next <= b' ') | (next | 5 == b'/') | (next | 0x20 == b'|') | (next == b'&');
    let percent = (b == b'%') & (next & 0xf8 == b'0');
    // `U`, `u`, `x` (and `X`), line ends.
    let escape = (b == b'\\') & ((next | 0x20 == b'u') | (next | 0x20 == b'x') | (next == b'\n') | (next == b'\r'));
    // `#`, `a`, `q` (and `!`, `c`, `s`).
    let entity = (b == b'&') & ((next | 0x02 == b'#') | (next | 0x12 == b's'));
    (quote & closes & joins) | percent | escape | entity
}

/// What compiles to the vectors that every processor of its kind has.
#[derive(Debug, Clone, Copy)]
pub struct Portable;

impl Classify for Portable {
    fn survey(self, chunk: &Framed) -> Survey {
        let zeros = gather(|at| chunk[at + 1] == 0);
        Survey { digits: self.digits(chunk), zeros, triggers: self.triggers(chunk) }
    }

    fn digits(self, chunk: &Framed) -> u64 {
        gather(|at| is_digit(chunk[at + 1]))
    }

    fn text(self, chunk: &[u8; CHUNK]) -> u64 {
        gather(|at| is_text(chunk[at]))
    }

    fn equal(self, chunk: &[u8; CHUNK], byte: u8) -> u64 {
        gather(|at| chunk[at] == byte)
    }

    fn triggers(self, chunk: &Framed) -> u64 {
        gather(|at| is_trigger(chunk[at], chunk[at + 1], chunk[at + 2]))
    }
}

/// A bit for each place of a chunk.
#[inline(always)]
fn gather(is_member: impl Fn(usize) -> bool) -> u64 {
    let mut members = [0u8; CHUNK];
    for (at, member) in members.iter_mut().enumerate() {
        *member = u8::from(is_member(at));
    }
    // Eight bytes that are 0 or 1, multiplied so that their bits meet in the highest byte.
    let bits = |eight: &[u8; 8]| u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    members.as_chunks::<8>().0.iter().enumerate().fold(0, |all, (at, eight)| all | bits(eight) << (8 * at))
}

#[cfg(target_arch = "x86_64")]
pub use wide::Avx2;

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::*;

    use super::{CHUNK, Classify, Framed, Survey};

    /// The vectors of AVX2: proof that this processor has them.
    #[derive(Debug, Clone, Copy)]
    pub struct Avx2(());

    impl Avx2 {
        /// If this processor has them.
        pub fn detect() -> Option<Avx2> {
            is_x86_feature_detected!("avx2").then_some(Avx2(()))
        }
    }

    #[allow(unsafe_code)]
    impl Classify for Avx2 {
        fn survey(self, chunk: &Framed) -> Survey {
            // SAFETY: there is a value of this type only where the processor has AVX2.
            unsafe { survey(chunk) }
        }

        fn digits(self, chunk: &Framed) -> u64 {
            // SAFETY: as above.
            unsafe { digits(chunk) }
        }

        fn text(self, chunk: &[u8; CHUNK]) -> u64 {
            // SAFETY: as above.
            unsafe { text(chunk) }
        }

        fn equal(self, chunk: &[u8; CHUNK], byte: u8) -> u64 {
            // SAFETY: as above.
            unsafe { equal(chunk, byte) }
        }

        fn triggers(self, chunk: &Framed) -> u64 {
            // SAFETY: as above.
            unsafe { triggers(chunk) }
        }
    }

    #[target_feature(enable = "avx2")]
    fn survey(chunk: &Framed) -> Survey {
        let none = _mm256_setzero_si256();
        let zeros = equals(load(chunk, 1), none) | equals(load(chunk, 33), none) << 32;
        Survey { digits: digits(chunk), zeros, triggers: triggers(chunk) }
    }

    /// Thirty-two bytes from a place on.
    #[inline]
    #[target_feature(enable = "avx2")]
    #[allow(unsafe_code)]
    fn load(bytes: &[u8], at: usize) -> __m256i {
        let bytes: &[u8; 32] = bytes[at..].first_chunk().expect("a chunk goes on for so long");
        // SAFETY: thirty-two bytes are read of an array of thirty-two; unaligned loads are allowed.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    /// A table of sixteen bytes, for both halves of a vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    #[allow(unsafe_code)]
    fn table(bytes: &[u8; 16]) -> __m256i {
        // SAFETY: sixteen bytes are read of an array of sixteen; unaligned loads are allowed.
        _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
    }

    /// For each byte what both tables say of it: one by its low half, one by its high half. Nothing is said of
    /// bytes from 0x80 on.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn by_halves(bytes: __m256i, low: __m256i, high: __m256i) -> __m256i {
        let upper = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), _mm256_set1_epi8(0x0f));
        _mm256_and_si256(_mm256_shuffle_epi8(low, bytes), _mm256_shuffle_epi8(high, upper))
    }

    /// Where two vectors are equal, as a bit for each byte.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn equals(a: __m256i, b: __m256i) -> u64 {
        u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(a, b)) as u32)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(chunk: &[u8; CHUNK], byte: u8) -> u64 {
        let byte = _mm256_set1_epi8(byte as i8);
        equals(load(chunk, 0), byte) | equals(load(chunk, 32), byte) << 32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn digits(chunk: &Framed) -> u64 {
        // Rows of the table of ASCII: + - /, 0 to 9, A to O and a to o, P to Z and _, p to z.
        const LOW: [u8; 16] = of_low([
            (0x01, "+-/"),
            (0x02, "0123456789"),
            (0x04, "abcdefghijklmno"),
            (0x08, "PQRSTUVWXYZ_"),
            (0x10, "pqrstuvwxyz"),
        ]);
        const HIGH: [u8; 16] = [0, 0, 0x01, 0x02, 0x04, 0x08, 0x04, 0x10, 0, 0, 0, 0, 0, 0, 0, 0];
        members(&chunk[1..], &LOW, &HIGH)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn text(chunk: &[u8; CHUNK]) -> u64 {
        const LOW: [u8; 16] = of_low([(0x01, "\t\n\r"), (0x02, "0123456789:;<=>?"), (0x04, "pqrstuvwxyz{|}~")]);
        const HIGH: [u8; 16] = [0x01, 0, 0x02, 0x02, 0x02, 0x02, 0x02, 0x04, 0, 0, 0, 0, 0, 0, 0, 0];
        members(chunk, &LOW, &HIGH)
    }

    /// Which bytes something is said of.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn members(chunk: &[u8], low: &[u8; 16], high: &[u8; 16]) -> u64 {
        let (low, high, none) = (table(low), table(high), _mm256_setzero_si256());
        let others = |at| equals(by_halves(load(chunk, at), low, high), none);
        !(others(0) | others(32) << 32)
    }

    // What may follow a trigger.
    const CONTROL: u8 = 0x01;
    const JOINS: u8 = 0x02;
    const SLASH: u8 = 0x04;
    const OCTAL: u8 = 0x08;
    const ESCAPE: u8 = 0x10;
    const LINE_END: u8 = 0x20;
    const ENTITY: u8 = 0x40;

    #[inline]
    #[target_feature(enable = "avx2")]
    fn triggers(chunk: &Framed) -> u64 {
        // No two triggers have the same low half, which tells what one must be, and what may follow it.
        const TRIGGER: [u8; 16] = {
            // A byte whose low half leads elsewhere: equal to none.
            let mut table = [0x80; 16];
            (table[0x0], table[0x2], table[0x5], table[0x6], table[0x7], table[0xc]) =
                (b'`', b'"', b'%', b'&', b'\'', b'\\');
            table
        };
        const FOLLOWED_BY: [u8; 16] = {
            let mut table = [0; 16];
            let joint = CONTROL | JOINS | SLASH;
            (table[0x0], table[0x2], table[0x7]) = (joint, joint, joint);
            (table[0x5], table[0x6], table[0xc]) = (OCTAL, ENTITY, ESCAPE | LINE_END);
            table
        };
        const LOW: [u8; 16] = of_low([
            (CONTROL, "\0\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\t\n\u{b}\u{c}\r\u{e}\u{f}"),
            (JOINS, " &*+./"),
            (SLASH, "\\"),
            (OCTAL, "01234567"),
            (ESCAPE, "ux"),
            (LINE_END, "\n\r"),
            (ENTITY, "#a"),
        ]);
        const HIGH: [u8; 16] = {
            let mut table = [0; 16];
            (table[0], table[1], table[2], table[3]) = (CONTROL | LINE_END, CONTROL, JOINS | ENTITY, OCTAL);
            (table[5], table[6], table[7]) = (SLASH | ESCAPE, ENTITY, SLASH | ESCAPE | ENTITY);
            table
        };
        // No literal ends behind these.
        const OPENS: [u8; 16] = of_low([
            (CONTROL, "\0\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\t\n\u{b}\u{c}\r\u{e}\u{f}"),
            (JOINS, " \"'(,"),
            (SLASH, "[{"),
            (OCTAL, "<>"),
            (ENTITY, "`"),
        ]);
        const OPENS_HIGH: [u8; 16] = {
            let mut table = [0; 16];
            (table[0], table[1], table[2], table[3]) = (CONTROL, CONTROL, JOINS, OCTAL);
            (table[5], table[6], table[7]) = (SLASH, ENTITY, SLASH);
            table
        };
        let part = |at| {
            let (before, bytes, next) = (load(chunk, at), load(chunk, at + 1), load(chunk, at + 2));
            let none = _mm256_setzero_si256();
            let is_trigger = _mm256_cmpeq_epi8(bytes, _mm256_shuffle_epi8(table(&TRIGGER), bytes));
            let may_follow = _mm256_and_si256(is_trigger, _mm256_shuffle_epi8(table(&FOLLOWED_BY), bytes));
            let follows = by_halves(next, table(&LOW), table(&HIGH));
            // A joint asks for what stands before it, too.
            let opens = _mm256_cmpeq_epi8(by_halves(before, table(&OPENS), table(&OPENS_HIGH)), none);
            let joint = _mm256_set1_epi8((CONTROL | JOINS | SLASH) as i8);
            let allowed = _mm256_or_si256(opens, _mm256_andnot_si256(joint, _mm256_set1_epi8(-1)));
            let found = _mm256_and_si256(_mm256_and_si256(may_follow, follows), allowed);
            equals(found, none)
        };
        !(part(0) | part(32) << 32)
    }

    /// A table by the low halves of bytes: the bits of all the lists that have a byte with it.
    const fn of_low<const N: usize>(lists: [(u8, &str); N]) -> [u8; 16] {
        let mut table = [0; 16];
        let mut list = 0;
        while list < N {
            let (bit, bytes) = lists[list];
            let bytes = bytes.as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                table[(bytes[at] & 0x0f) as usize] |= bit;
                at += 1;
            }
            list += 1;
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every two bytes side by side, in both halves of a chunk.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn both_ways_classify_alike() {
        let Some(wide) = Avx2::detect() else { return };
        for first in 0..=255u8 {
            for shift in 0..=255u8 {
                let framed: Framed = std::array::from_fn(|at| match at % 3 {
                    0 => first,
                    1 => shift,
                    _ => (at as u8).wrapping_mul(37).wrapping_add(first).wrapping_add(shift),
                });
                let chunk: &[u8; CHUNK] = framed.first_chunk().unwrap();
                assert_eq!(wide.survey(&framed), Portable.survey(&framed));
                assert_eq!(wide.text(chunk), Portable.text(chunk));
                assert_eq!(wide.equal(chunk, shift), Portable.equal(chunk, shift));
                assert_eq!(wide.triggers(&framed), Portable.triggers(&framed), "{framed:?}");
            }
        }
    }
}
