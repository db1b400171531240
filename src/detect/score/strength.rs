//! Whether people made a value up: words, names, a few characters; or a machine drew it.

use super::decoded;
use crate::detect::words::reading;

/// Bits of a value that a machine drew, at least: fewer can be typed from memory.
const DRAWN: f32 = 40.0;
/// What part of a value stands in words where it is made of them.
const WORDS: f32 = 0.6;
/// Longer values are not passwords that people make up.
const LONGEST: usize = 64;

/// Where a value seems to come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A machine drew it.
    Machine,
    /// It is short enough that a person may have typed it.
    Hand,
    /// A person made it up of words, also with look-alikes for letters (`s3cr3t`).
    Words,
}

/// Whether a person may have typed a value that a test needs: fewer bits than a machine would draw.
pub fn is_typed(value: &[u8]) -> bool {
    /// Ten characters of one case and digits, about.
    const TYPED: f32 = 50.0;
    let plain = unescaped(value);
    let meant = plain.as_deref().unwrap_or(value);
    origin(value) > Origin::Machine || meant.len() <= LONGEST && bits(&fold(meant, b'e')) < TYPED
}

/// Whether a value is one word or two, with a digit or two behind them; dummy words do not count.
pub fn is_a_word_or_two(value: &[u8]) -> bool {
    /// A few letters read like a word too easily.
    const LETTERS: usize = 6;
    let read = fold(value, b'e');
    let letters = read.iter().filter(|b| b.is_ascii_alphabetic()).count();
    if origin(value) != Origin::Words || decoded(value).is_some() || letters < LETTERS {
        return false;
    }
    let end = read.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |at| at + 1);
    let digits = read[..end].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let mut words = 0;
    super::split_words(&read, |word| words += usize::from(super::dummy_word(word) < word.len()));
    digits <= 2 && words <= 2
}

/// Whether a value is dummy words, or one word or two.
pub fn is_a_dummy_or_two(value: &[u8]) -> bool {
    let low = value.to_ascii_lowercase();
    is_a_word_or_two(value) || super::dummy_letters(&low).1 == 0 && origin(value) == Origin::Words
}

/// Whether a value is so few letters, and a digit or two behind them, that it is a word, known or not: `qopal2`.
pub fn is_short_word(value: &[u8]) -> bool {
    let letters = value.iter().take_while(|b| b.is_ascii_lowercase()).count();
    (3..=8).contains(&letters) && value.len() - letters <= 2 && value[letters..].iter().all(u8::is_ascii_digit)
}

/// Whether a value is the hash of a password, with the way it was made: it opens something once it is cracked.
pub fn is_password_hash(value: &[u8]) -> bool {
    const CRYPT: [&[u8]; 12] =
        [b"$2a$", b"$2b$", b"$2x$", b"$2y$", b"$1$", b"$5$", b"$6$", b"$8$", b"$y$", b"$7$", b"$apr1$", b"$argon2"];
    const SCHEMES: [&[u8]; 8] =
        [b"{SHA", b"{SSHA", b"{MD5}", b"{SMD5}", b"{CRYPT}", b"{PBKDF2", b"{ARGON2", b"{BCRYPT}"];
    const FIELDS: [&[u8]; 10] = [
        b"md5$", b"sha1$", b"sha256$", b"sha512$", b"pbkdf2_", b"pbkdf2:", b"bcrypt$", b"bcrypt_", b"scrypt$",
        b"scrypt:",
    ];
    let starts = |heads: &[&[u8]]| heads.iter().any(|head| value.starts_with(head));
    let fields = value.iter().filter(|b| **b == b'$').count() >= 2;
    value.len() >= 24 && (starts(&CRYPT) || starts(&SCHEMES) || fields && starts(&FIELDS))
}

/// Whether a value is words that a person wrote.
pub fn is_made_of_words(value: &[u8]) -> bool {
    origin(value) == Origin::Words
}

/// Where a value seems to come from. Of base64 of text the text counts, of `user:password` the password.
pub fn origin(value: &[u8]) -> Origin {
    let plain = unescaped(value);
    let value = plain.as_deref().unwrap_or(value);
    let text = decoded(value);
    let value = match &text {
        Some(text) => memchr::memchr(b':', text).map_or(&text[..], |at| &text[at + 1..]),
        None => value,
    };
    if value.len() > LONGEST {
        return if is_mashed(value) { Origin::Hand } else { Origin::Machine };
    }
    // Digits in hexadecimal are no look-alikes.
    if value.len() >= 16 && value.iter().all(u8::is_ascii_hexdigit) {
        return Origin::Machine;
    }
    let read = fold(value, b'e');
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    if digits * 2 < value.len() && in_words(&read).max(in_words(&fold(value, b's'))) >= WORDS {
        Origin::Words
    } else if bits(&read) < DRAWN || is_mashed(value) || !value.is_ascii() {
        Origin::Hand
    } else {
        Origin::Machine
    }
}

/// A value with its percent signs decoded: `p%40ss`; `None` where it has none.
pub fn unescaped(value: &[u8]) -> Option<Vec<u8>> {
    let hex = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    let mut plain = Vec::with_capacity(value.len());
    let mut rest = value;
    let mut any = false;
    while let [first, tail @ ..] = rest {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            plain.push(high * 16 + low);
            (any, rest) = (true, after);
        } else {
            plain.push(*first);
            rest = tail;
        }
    }
    any.then_some(plain)
}

/// The value with look-alikes beside letters read as letters: `p4$$w0rd`. A `3` is an e, and to some an s.
fn fold(value: &[u8], three: u8) -> Vec<u8> {
    let letter = |i: usize| value.get(i).is_some_and(u8::is_ascii_alphabetic);
    let alike = |b: u8| match b {
        b'@' | b'4' => Some(b'a'),
        b'3' => Some(three),
        b'1' | b'!' => Some(b'i'),
        b'0' => Some(b'o'),
        b'$' | b'5' => Some(b's'),
        b'7' => Some(b't'),
        _ => None,
    };
    // At most three look-alikes in a row, with letters to both sides.
    let run = |b: &&u8| alike(**b).is_some();
    let between = |i: usize| {
        let before = value[..i].iter().rev().take_while(run).count();
        let after = value[i + 1..].iter().take_while(run).count();
        let ends = matches!(value.get(i + after + 1), Some(b'_' | b'-'));
        before + after < 3 && i > before && letter(i - before - 1) && (ends || letter(i + after + 1))
    };
    value.iter().enumerate().map(|(i, b)| alike(*b).filter(|_| between(i)).unwrap_or(*b)).collect()
}

/// The part of a value that stands in words: runs of letters that read like words, and dummy words. Signs
/// between words belong to them, and so do digits and signs at the end: `summer-2024!`.
fn in_words(value: &[u8]) -> f32 {
    // … and a few before them: `08#word`.
    let start = value.iter().position(u8::is_ascii_alphabetic).filter(|at| *at <= 4).unwrap_or(0);
    let value = &value[start..];
    let end = value.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |at| at + 1);
    let text = &value[..end];
    let signs = text.iter().filter(|b| matches!(b, b'-' | b'_' | b' ' | b'.')).count();
    let length = text.len().saturating_sub(signs).max(1) as f32;
    let dummy = super::dummy_letters(&text.to_ascii_lowercase()).0 as f32;
    let tail = value.len() - end;
    if tail > 8 || tail > end.max(4) {
        return 0.0;
    }
    (reading(text).covered * text.len() as f32).max(dummy) / length
}

/// Whether a value is letters of one case and nothing else, but for a capital in front (machines draw digits,
/// too), or runs along the keyboard and of counts, forwards or backwards: `qwerasdf4321`, `utsrqpo765`.
fn is_mashed(value: &[u8]) -> bool {
    let mut in_runs = 0;
    let mut start = 0;
    for i in 1..=value.len() {
        if i < value.len() && is_step(value[i - 1], value[i]) {
            continue;
        }
        in_runs += if i - start >= 3 { i - start } else { 0 };
        start = i;
    }
    value.iter().all(u8::is_ascii_uppercase)
        || value.iter().skip(1).all(u8::is_ascii_lowercase) && value.first().is_some_and(u8::is_ascii_alphabetic)
        || value.len() >= 8 && in_runs * 10 >= value.len() * 9
        || repeats_pairs(value)
}

/// Whether pairs of characters come again more often than in what a machine drew: hands fall into the same moves.
/// Hexadecimal and base64, which may hold what is not random, are left out.
fn repeats_pairs(value: &[u8]) -> bool {
    let low = value.to_ascii_lowercase();
    let hex = low.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
    let base64 = value.len() > 24 && low.iter().any(|b| matches!(b, b'+' | b'/' | b'='));
    if hex || base64 || value.len() > 128 {
        return false;
    }
    let part = |is: fn(&u8) -> bool| low.iter().filter(|b| is(b)).count() as f32 / low.len() as f32;
    let (letters, digits) = (part(u8::is_ascii_alphabetic), part(u8::is_ascii_digit));
    let signs = 1.0 - letters - digits;
    let alike = letters * letters / 26.0 + digits * digits / 10.0 + signs * signs / 4.0;
    let mut pairs: Vec<&[u8]> = low.windows(2).collect();
    let all = pairs.len() as f32;
    pairs.sort_unstable();
    pairs.dedup();
    let expected = all * (all - 1.0) / 2.0 * alike * alike;
    all - pairs.len() as f32 > expected + 2.0 * expected.sqrt() + 1.5
}

/// Whether two characters follow each other on the keyboard or when people count, forwards or backwards.
fn is_step(a: u8, b: u8) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let counts = a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() && a.abs_diff(b) <= 1;
    counts || super::next_on_keyboard(a, b) || super::next_on_keyboard(b, a)
}

/// An estimate of how many bits a value holds: letters of words count little, dummy words hardly.
fn bits(value: &[u8]) -> f32 {
    let low = value.to_ascii_lowercase();
    let (mut bits, mut i) = (0.0, 0);
    let mut seen = [false; 256];
    let mut pairs = Vec::new();
    while i < low.len() {
        if let length @ 4.. = super::dummy_word(&low[i..]) {
            bits += 8.0;
            i += length;
            continue;
        }
        // A character that was there before says less, and a pair much less.
        let pair = (i > 0).then(|| (low[i - 1], low[i]));
        let share = match pair {
            Some(pair) if pairs.contains(&pair) => 0.4,
            _ if seen[usize::from(low[i])] => 0.8,
            _ => 1.0,
        };
        pairs.extend(pair);
        seen[usize::from(low[i])] = true;
        bits += share
            * match value[i] {
                b'0'..=b'9' => 3.3,
                b'a'..=b'z' | b'A'..=b'Z' => 4.7,
                _ => 5.0,
            };
        i += 1;
    }
    let mixed = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_lowercase);
    let reading = reading(value);
    bits - (reading.mean.max(0.0) * reading.covered * value.len() as f32) + if mixed { 2.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_make_up_is_known() {
        for value in [
            "hunter2",
            "Summer2024!",
            "s3cr3t",
            "p4$$w0rd",
            "MyVerySecur3Passw0rd",
            "blue-horse-seven-lamps",
            "admin",
            "qwe123",
            "a_not_so_secure_key",
            "guest:guest",
            "p%40ss%77ord",
            "08#pa33word",
            "s3Cr3T_w0Rd_h3Re",
        ] {
            assert!(origin(value.as_bytes()) > Origin::Machine, "{value}");
        }
        use base64::Engine as _;
        let coded = base64::engine::general_purpose::STANDARD.encode("alice:my-own-password");
        assert!(origin(coded.as_bytes()) == Origin::Words, "{coded}");
    }

    #[test]
    fn a_mashed_keyboard_is_no_machine() {
        let long = "sdfgsdfasdgfsdgfasdfgdsagfasdgfsadgfsadgfa".repeat(2);
        for value in ["qwerasdf4321qwer", "utsrqpo765", "poiuytrewq", &long] {
            assert!(origin(value.as_bytes()) > Origin::Machine, "{value}");
        }
    }

    #[test]
    fn hands_fall_into_the_same_moves() {
        let moves = "g7w4y9q2".repeat(2);
        use crate::detect::score::tests::{ALNUM, random};
        let umlauts = format!("{}äöü{}", random(ALNUM, 8, 1), random(ALNUM, 8, 2));
        for value in [format!("{moves}k{moves}"), format!("p0{moves}zz{moves}"), umlauts] {
            assert!(origin(value.as_bytes()) > Origin::Machine, "{value}");
        }
        const LOWER: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
        for (alphabet, length) in [(ALNUM, 24), (ALNUM, 64), (LOWER, 24), (LOWER, 40), (LOWER, 64)] {
            let mashed = (1..=1000).filter(|seed| repeats_pairs(random(alphabet, length, *seed).as_bytes())).count();
            assert!(mashed <= 15, "{length} of {}: {mashed} of 1000", alphabet.len());
        }
    }

    #[test]
    fn a_word_or_two_are_counted() {
        for value in ["hunter2", "letmein", "blue-horse", "MyHiddenPa$$word", "08#pa33word"] {
            assert!(is_a_word_or_two(value.as_bytes()), "{value}");
        }
        for value in ["Summer2024!", "blue-horse-seven-lamps", "PandaIsFast", "kX9fQ2wLz7RbTn4v", "ixlie"] {
            assert!(!is_a_word_or_two(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn hashes_of_passwords_are_known() {
        use crate::detect::score::tests::{ALNUM, random};
        let drawn = random(ALNUM, 53, 8);
        for head in ["$2b$12$", "{SHA}", "md5$salt$", "pbkdf2_sha256$1000$s$", "$argon2id$v=19$"] {
            assert!(is_password_hash(format!("{head}{drawn}").as_bytes()), "{head}");
        }
        assert!(!is_password_hash(drawn.as_bytes()) && !is_password_hash(b"md5$word"));
    }

    #[test]
    fn what_a_machine_drew_is_known() {
        use crate::detect::score::tests::{ALNUM, random};
        for (alphabet, length) in [(ALNUM, 16), ("0123456789abcdef", 32)] {
            let drawn = |seed: &u64| origin(random(alphabet, length, *seed).as_bytes()) == Origin::Machine;
            let known = (1..=200).filter(drawn).count();
            assert!(known >= 192, "{length}: {known} of 200");
        }
    }
}
