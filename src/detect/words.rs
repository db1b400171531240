//! A character model of words and identifiers: how much a text reads like one.
//!
//! `words.bin` holds, for every pair of preceding letters, how much likelier the next letter is than
//! in random text, in eighths of a bit. `tools/words.py` counts it from source code.

/// 27 x 27 x 27: the two preceding letters (0 is the edge of a word) and the next.
static TABLE: &[u8; 27 * 27 * 27] = include_bytes!("words.bin");

/// How much of a text reads like words.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// Bits per letter over random text: about -1.5 for random letters, above 1 for words.
    pub mean: f32,
    /// Bits of the most wordlike run of letters.
    pub best: f32,
    /// Bits per letter of the least wordlike run of at least four letters (0 if there is none).
    pub worst: f32,
    /// The part of the text that stands in wordlike runs of at least three letters.
    pub covered: f32,
    /// Runs of letters.
    pub runs: u32,
    /// Length of the longest run of letters.
    pub longest: u32,
}

/// Reads a text as runs of letters; a capital after a small letter starts a new run.
pub fn reading(text: &[u8]) -> Reading {
    let mut out = Reading::default();
    let (mut total, mut letters, mut covered) = (0i32, 0i32, 0i32);
    let mut i = 0;
    while i < text.len() {
        if !text[i].is_ascii_alphabetic() {
            i += 1;
            continue;
        }
        let start = i;
        let (mut a, mut b) = (0usize, 0usize);
        let mut bits = 0i32;
        while i < text.len() && text[i].is_ascii_alphabetic() {
            if i > start && text[i].is_ascii_uppercase() && text[i - 1].is_ascii_lowercase() {
                break;
            }
            let c = usize::from(text[i].to_ascii_lowercase() - b'a' + 1);
            bits += cell(a, b, c);
            (a, b) = (b, c);
            i += 1;
        }
        bits += cell(a, b, 0);
        let n = (i - start) as i32;
        out.runs += 1;
        out.longest = out.longest.max(n as u32);
        letters += n;
        total += if n < 3 { (-6 * n).max(bits.min(0)) } else { bits };
        if n >= 3 {
            out.best = out.best.max(bits as f32 / 8.0);
            if bits > 0 {
                covered += n;
            }
        }
        if n >= 4 {
            out.worst = out.worst.min(bits as f32 / 8.0 / n as f32);
        }
    }
    if letters > 0 {
        out.mean = total as f32 / 8.0 / letters as f32;
    }
    if !text.is_empty() {
        out.covered = covered as f32 / text.len() as f32;
    }
    out
}

fn cell(a: usize, b: usize, c: usize) -> i32 {
    i32::from(TABLE[(a * 27 + b) * 27 + c] as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_better_than_noise() {
        for word in ["password", "connectionString", "summer", "credentials", "correct-horse-battery"] {
            assert!(reading(word.as_bytes()).mean > 0.5, "{word} {:?}", reading(word.as_bytes()));
        }
        for noise in ["xqzkvjwp", "qvxzjkwh", "zxkqjvbw"] {
            assert!(reading(noise.as_bytes()).mean < 0.0, "{noise} {:?}", reading(noise.as_bytes()));
        }
    }

    #[test]
    fn nothing_is_no_word() {
        assert_eq!(reading(b""), Reading::default());
        assert_eq!(reading(b"0123456789").mean, 0.0);
    }
}
