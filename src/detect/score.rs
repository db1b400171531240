//! The score of a candidate: named features of its name, its value and the way it is written, weighed by
//! one table of small decision trees (`weights.rs`, fitted by `examples/fit.rs`, see `docs/scoring.md`).

use std::ops::Range;

mod path;
mod strength;
mod vocabulary;

use super::assignment::{Candidate, Quote, Syntax, Wrapper};
use super::checksum::decode_base64;
use super::near;
use super::placeholder::placeholder;
use super::web_token::{self, Worth};
use super::weights;
use super::words::{Reading, reading};
use crate::rule::Confidence;
use path::{MADE_UP, adjusted};
pub use path::{is_dummy, is_fake, is_word_of_script, path_adjustment};
pub(super) use strength::is_made_of_words;
use vocabulary::{DUMMY, Says, is_credential, says};

/// How likely a candidate is a credential.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Natural logarithm of the odds.
    pub log_odds: f32,
    /// What each feature added, the strongest first; filled on demand.
    pub contributions: Vec<(&'static str, f32)>,
}

macro_rules! features {
    ($($name:ident $what:literal),* $(,)?) => {
        /// What is measured of a candidate. The order is that of [`Features::values`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub enum Feature { $(#[doc = $what] $name),* }
        /// What each feature says, in words.
        pub static FEATURES: &[&str] = &[$($what),*];
    };
}

features! {
    NamePassword "name says password",
    NameSecret "name says secret",
    NameToken "name says token",
    NameApiKey "name says API key, access key, secret key",
    NameKey "name says key",
    NameAuth "name says auth",
    NameCredential "name says credential",
    NamePrivate "name says private, encryption, signing, session, JWT",
    NameVendor "name says client, access, refresh, bearer, API",
    NamePublic "name says public, hash, id, fingerprint",
    NameText "name says label, message, title, hint",
    NameAct "name starts with a verb",
    NameKeyOther "name says another kind of key or token: foreign key, cache key, page token",
    NameUser "name says user, database, host",
    NameTail "last word of the name: credential or not",
    NameExact "the keyword is a word of its own",
    NameWords "words in the name",
    NameLength "length of the name",
    NameUpper "name in capitals",
    NameDotted "name has dots",
    NameQuoted "name in quotes",
    NameHead "bytes before the name on its line",
    NameSigil "sign before the name",
    WordBefore "word before the name: credential or not",
    SyntaxKind "how name and value are joined",
    SyntaxQuote "quote around the value",
    SyntaxWrapper "what wraps the value",
    SyntaxTight "no space at the operator",
    SyntaxAfter "byte after the value",
    SyntaxEnd "how the line ends",
    LineLength "length of the line",
    LineUser "line names a user, host or e-mail",
    LineCode "line reads like code",
    LineQuotes "quotes on the line",
    ValueLength "length of the value",
    ValueUpper "capitals in the value",
    ValueLower "small letters in the value",
    ValueDigits "digits in the value",
    ValueSymbols "signs in the value",
    ValueClasses "classes of characters",
    ValueChanges "changes between letters and digits",
    ValueEntropy "entropy of the value",
    ValueEntropyRatio "entropy against the most for its length",
    ValueDistinct "distinct characters against length",
    ValueReads "value reads like words",
    ValueBest "most wordlike part of the value",
    ValueWorst "least wordlike part of the value",
    ValueCovered "part of the value in words",
    ValueRuns "runs of letters in the value",
    ValueLongestRun "longest run of letters in the value",
    ValueHex "value is hexadecimal",
    ValueUuid "value is a UUID",
    ValueNumber "value is a number",
    ValueBase64 "value is base64",
    ValueSpaces "spaces in the value",
    ValueForeign "bytes beyond ASCII",
    ValueSlashes "slashes in the value",
    ValueDots "dots in the value",
    ValueBrackets "brackets in the value",
    ValueIdentifier "value is an identifier",
    ValueCamel "value is camelCase, snake_case or kebab-case",
    ValueConstant "value is a CONSTANT",
    ValueMember "value is a member or call in code",
    ValueUrl "value is a URL, host or address",
    ValuePath "value is a path or file name",
    ValueVersion "value is a version, a date or a media type",
    ValueHashed "value is a password hash",
    ValueDummy "part of the value that is dummy words",
    ValueDummyWhole "value is a dummy word and digits",
    ValueNameWords "value holds words of the name",
    ValueSaysSecret "value says password, secret, token, key",
    ValueUnderscores "underscores in the value",
    ValueDashes "dashes in the value",
    ValueWalk "keyboard walk or sequence",
    ValueEscapes "backslashes and percent signs in the value",
    ValueCapitalised "first letter is a capital, the rest is not",
    ValueDigitTail "digits at the end",
    ValuePlaceholder "value says that it is a placeholder",
    ValueDecodes "value is base64 of text, or of user:password",
    ValueDecodesDummy "part of the decoded text that is dummy words",
    ValueUser "value is the user's name, too",
    NameDummy "name says that the value is none",
    SyntaxOwn "written as only credentials are",
    SyntaxFirst "first of several arguments of a call",
    ValueOfName "value is a word of its name",
}

/// Number of features.
pub const COUNT: usize = FEATURES.len();

/// The features of one candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// One number a [`Feature`].
    pub values: [f32; COUNT],
}

impl Features {
    fn set(&mut self, feature: Feature, value: f32) {
        self.values[feature as usize] = value;
    }

    /// Log-odds for what the labelled data says too little about to be fitted.
    pub fn judgements(&self) -> [(Feature, f32); 11] {
        let value = |feature: Feature| self.values[feature as usize];
        let dummy = value(Feature::ValueDecodesDummy);
        // What stands between a user and a host is a password, weak as it may be.
        let dummy_word = value(Feature::ValueDummyWhole) > 0.0 || value(Feature::ValueDummy) >= 0.9;
        let letters_only = value(Feature::ValueDigits) + value(Feature::ValueSymbols) == 0.0;
        let in_url = value(Feature::SyntaxKind) == URL_SYNTAX
            && value(Feature::ValueLength) >= SHORTEST_IN_URL
            && value(Feature::ValueUser) == 0.0
            && !(dummy_word && letters_only);
        // A UUID is an identifier where the name says no more than "key".
        const SECRET: [Feature; 7] = [
            Feature::NamePassword,
            Feature::NameSecret,
            Feature::NameToken,
            Feature::NameApiKey,
            Feature::NameAuth,
            Feature::NamePrivate,
            Feature::NameVendor,
        ];
        let named = SECRET.iter().any(|feature| value(*feature) > 0.0);
        let verb = value(Feature::NamePassword) > 0.0 && value(Feature::NameLength) == 4.0;
        let identifies = value(Feature::ValueUuid) > 0.0 && (!named || verb);
        // `cacheKey`: the hash of what is kept under it.
        let other = value(Feature::NameKeyOther) > 0.0
            && value(Feature::NameTail) == 4.0
            && value(Feature::ValueHex) > 0.0
            && SECRET.iter().all(|feature| value(*feature) == 0.0);
        // `password="CLUSTER_API_SECRET"`
        let constant = value(Feature::ValueConstant) > 1.0
            && value(Feature::ValueSaysSecret) > 0.0
            && value(Feature::ValueDigits) == 0.0;
        [
            (Feature::ValueUuid, if identifies { -2.5 } else { 0.0 }),
            (Feature::ValueConstant, if constant { -2.5 } else { 0.0 }),
            (Feature::NameKeyOther, if other { -3.0 } else { 0.0 }),
            (Feature::SyntaxKind, if in_url { IN_URL } else { 0.0 }),
            (Feature::ValuePlaceholder, -2.5 * value(Feature::ValuePlaceholder)),
            (Feature::NameDummy, -5.0 * value(Feature::NameDummy)),
            (Feature::ValueUser, -4.0 * value(Feature::ValueUser)),
            (Feature::SyntaxOwn, OWN * value(Feature::SyntaxOwn)),
            (Feature::SyntaxFirst, -3.0 * value(Feature::SyntaxFirst)),
            (Feature::ValueOfName, -3.0 * value(Feature::ValueOfName)),
            (
                Feature::ValueDecodesDummy,
                match dummy {
                    WORDED.. => -7.0,
                    0.6.. => -4.0 * dummy,
                    _ => 0.0,
                },
            ),
        ]
    }
}

/// The score of a candidate; `None` if it is certainly no credential.
///
/// With `explain` the score says what each feature added.
pub fn score(window: &[u8], candidate: &Candidate, explain: bool) -> Option<Score> {
    let features = features(window, candidate)?;
    let mut contributions = vec![0f32; if explain { COUNT } else { 0 }];
    let mut log_odds = weights::BIAS;
    for (i, tree) in weights::ROOTS.iter().enumerate() {
        if i == weights::EARLY && log_odds < weights::HOPELESS && !explain {
            return None;
        }
        let mut node = usize::from(*tree);
        loop {
            let n = &weights::NODES[node];
            if n.feature == weights::LEAF {
                log_odds += n.value;
                break;
            }
            let next =
                node + if features.values[usize::from(n.feature)] <= n.threshold { 1 } else { usize::from(n.right) };
            if explain {
                contributions[usize::from(n.feature)] += weights::NODES[next].mean - n.mean;
            }
            node = next;
        }
    }
    for (feature, value) in features.judgements() {
        log_odds += value;
        if explain {
            contributions[feature as usize] += value;
        }
    }
    let mut contributions: Vec<(&'static str, f32)> =
        FEATURES.iter().copied().zip(contributions).filter(|(_, v)| v.abs() >= 0.05).collect();
    contributions.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    Some(Score { log_odds, contributions })
}

/// From log-odds to the scale of the reports; `None` below everything worth counting.
pub fn confidence(log_odds: f32) -> Option<Confidence> {
    if log_odds >= HIGH {
        Some(Confidence::High)
    } else if log_odds >= MEDIUM {
        Some(Confidence::Medium)
    } else if log_odds >= LOW {
        Some(Confidence::Low)
    } else {
        None
    }
}

/// Where the levels start.
pub const HIGH: f32 = 3.0;
/// Shown by default from here. The optimum of F1 on the labelled data is 0; in real trees, where nearly everything
/// is no credential, four of five findings between 0 and this were none (`docs/precision.md`).
pub const MEDIUM: f32 = 1.25;
/// Counted from here.
pub const LOW: f32 = -2.0;

/// [`Feature::ValueDecodesDummy`] of words as people write them.
const WORDED: f32 = 1.0;
/// [`Feature::SyntaxKind`] of [`Syntax::Url`].
const URL_SYNTAX: f32 = 12.0;
/// What a URL's password gets for its place…
const IN_URL: f32 = 6.0;
/// …if it has so many bytes: `u:word@host` is an example.
const SHORTEST_IN_URL: f32 = 5.0;
/// What a value gets that is written as only credentials are ([`Feature::SyntaxOwn`]).
const OWN: f32 = 1.5;

// ---- the name ---------------------------------------------------------------------------------------

/// Splits an identifier into lower-case words: at signs, digits' ends and capitals.
pub(super) fn split_words(name: &[u8], mut word: impl FnMut(&[u8])) {
    let mut buffer = [0u8; 32];
    let mut n = 0;
    for (i, b) in name.iter().enumerate() {
        if !b.is_ascii_alphanumeric() {
            if n > 0 {
                word(&buffer[..n]);
                n = 0;
            }
            continue;
        }
        let previous = if i > 0 { name[i - 1] } else { b' ' };
        let next = name.get(i + 1).copied().unwrap_or(b' ');
        let starts = b.is_ascii_uppercase()
            && (previous.is_ascii_lowercase()
                || previous.is_ascii_digit()
                || (previous.is_ascii_uppercase() && next.is_ascii_lowercase()));
        // A digit at the end of a word is left out: `password2`.
        let number = b.is_ascii_digit() && previous.is_ascii_alphabetic() && !next.is_ascii_lowercase() && n >= 4;
        if (starts || number) && n > 0 {
            word(&buffer[..n]);
            n = 0;
        }
        if number || (b.is_ascii_digit() && n == 0) {
            continue;
        }
        if n < buffer.len() {
            buffer[n] = b.to_ascii_lowercase();
            n += 1;
        }
    }
    if n > 0 {
        word(&buffer[..n]);
    }
}

/// Whether a word of the name is one that names credentials; the features of the name.
fn name_features(f: &mut Features, window: &[u8], candidate: &Candidate) -> bool {
    let name = &window[candidate.name.clone()];
    let mut count = 0;
    let mut last = Says::Nothing;
    let mut before_last = Says::Nothing;
    let mut exact = false;
    let mut others = 0;
    split_words(name, |word| {
        let what = says(word);
        if matches!(word, b"bad" | b"bogus" | b"dummy" | b"fake" | b"incorrect" | b"invalid" | b"non" | b"wrong") {
            f.set(Feature::NameDummy, 1.0);
        }
        let feature = match what {
            Says::Password => Feature::NamePassword,
            Says::Secret => Feature::NameSecret,
            Says::Token => Feature::NameToken,
            Says::ApiKey => Feature::NameApiKey,
            Says::Key => Feature::NameKey,
            Says::Auth => Feature::NameAuth,
            Says::Credential => Feature::NameCredential,
            Says::Private => Feature::NamePrivate,
            Says::Vendor => Feature::NameVendor,
            Says::Public => Feature::NamePublic,
            Says::Text => Feature::NameText,
            Says::Act => Feature::NameAct,
            Says::OtherKey => Feature::NameKeyOther,
            Says::User => Feature::NameUser,
            Says::Place | Says::Shape | Says::Nothing => {
                others += 1;
                before_last = last;
                last = what;
                count += 1;
                return;
            }
        };
        if feature == Feature::NameAct {
            if count == 0 {
                f.set(feature, 1.0);
            }
        } else {
            f.set(feature, 1.0);
        }
        exact |= is_credential(what);
        if what == Says::Key && matches!(last, Says::Vendor | Says::Private | Says::Secret | Says::Auth) {
            f.set(Feature::NameApiKey, 1.0);
        }
        before_last = last;
        last = what;
        count += 1;
    });
    let tail = match last {
        Says::Password => 8.0,
        Says::Secret => 7.0,
        Says::Token => 6.0,
        Says::ApiKey => 5.0,
        Says::Key if matches!(before_last, Says::Vendor | Says::Private | Says::Secret | Says::Auth) => 5.0,
        Says::Key => 4.0,
        Says::Credential => 4.5,
        Says::Auth => 3.0,
        Says::Private => 2.5,
        Says::Vendor | Says::User => 2.0,
        Says::Nothing => 1.0,
        Says::OtherKey => 0.0,
        Says::Act => -1.0,
        Says::Public => -3.0,
        Says::Place => -4.0,
        Says::Text => -5.0,
        Says::Shape => -6.0,
    };
    f.set(Feature::NameTail, tail);
    f.set(Feature::NameExact, f32::from(u8::from(exact)) + 0.1 * f32::from(others.min(9) as u8));
    f.set(Feature::NameWords, count as f32);
    f.set(Feature::NameLength, name.len() as f32);
    let letters = name.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let upper = name.iter().filter(|b| b.is_ascii_uppercase()).count();
    f.set(
        Feature::NameUpper,
        if letters > 0 && upper == letters {
            1.0
        } else if upper > 0 {
            0.5
        } else {
            0.0
        },
    );
    f.set(Feature::NameDotted, name.iter().filter(|b| **b == b'.').count() as f32);
    let after = window.get(candidate.name.end).copied().unwrap_or(b' ');
    f.set(
        Feature::NameQuoted,
        match after {
            b'"' => 2.0,
            b'\'' => 1.0,
            b'\\' => 3.0,
            b']' => 0.5,
            _ => 0.0,
        },
    );
    let start = memchr::memrchr(b'\n', &window[..candidate.name.start]).map_or(0, |p| p + 1);
    let head = &window[start..candidate.name.start];
    let text_before = head
        .iter()
        .filter(|b| !b.is_ascii_whitespace() && !matches!(b, b'"' | b'\'' | b'-' | b'#' | b'*' | b'/' | b'$' | b'.'))
        .count();
    f.set(Feature::NameHead, text_before.min(200) as f32);
    f.set(
        Feature::NameSigil,
        match head.last().copied().unwrap_or(b'\n') {
            b'-' => 1.0,
            b'.' => 2.0,
            b'$' => 3.0,
            b'"' | b'\'' => 4.0,
            b':' => 5.0,
            b'@' => 6.0,
            b'<' => 7.0,
            b'&' | b'?' => 8.0,
            b'%' => 9.0,
            b'(' | b',' | b'{' | b'[' => 10.0,
            b' ' | b'\t' => 11.0,
            b'\n' => 12.0,
            b'/' => 13.0,
            b'>' => 14.0,
            _ => 15.0,
        },
    );
    // `API key: x`, `public key: x`, `const key`.
    let trimmed = head.trim_ascii_end();
    if trimmed.len() < head.len() {
        let from = trimmed.iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |p| p + 1);
        let mut low = [0u8; 16];
        let word = &trimmed[from..];
        let n = word.len().min(16);
        low[..n].copy_from_slice(&word[..n]);
        low[..n].make_ascii_lowercase();
        f.set(
            Feature::WordBefore,
            match &low[..n] {
                b"" => 0.0,
                b"const" | b"let" | b"var" | b"static" | b"final" | b"string" | b"val" | b"char" | b"my" | b"str"
                | b"auto" | b"byte" => 3.0,
                b"export" | b"set" | b"env" | b"arg" => 4.0,
                b"def" | b"func" | b"function" | b"fn" | b"case" | b"return" | b"if" | b"class" | b"import"
                | b"new" | b"type" | b"await" => -3.0,
                w => match says(w) {
                    Says::Vendor | Says::Private | Says::Secret | Says::Password | Says::Auth | Says::User => 2.0,
                    Says::Public | Says::Text | Says::Place | Says::Shape => -2.0,
                    Says::Nothing => -0.5,
                    _ => -1.0,
                },
            },
        );
    }
    exact
}

// ---- the value --------------------------------------------------------------------------------------

fn value_features(f: &mut Features, name: &[u8], value: &[u8]) {
    let len = value.len();
    let n = len as f32;
    let (mut upper, mut lower, mut digits, mut symbols, mut spaces, mut foreign) = (0u32, 0u32, 0u32, 0u32, 0u32, 0u32);
    let (mut slashes, mut dots, mut brackets, mut underscores, mut dashes, mut colons, mut escapes) =
        (0u32, 0u32, 0u32, 0u32, 0u32, 0u32, 0u32);
    let mut hex = 0u32;
    let mut base64 = 0u32;
    let mut counts = [0u16; 128];
    let mut changes = 0u32;
    let mut steps = 0u32;
    let mut previous = 0u8;
    for b in value {
        match *b {
            b'A'..=b'Z' => upper += 1,
            b'a'..=b'z' => lower += 1,
            b'0'..=b'9' => digits += 1,
            b' ' | b'\t' | b'\n' | b'\r' => spaces += 1,
            0x80.. => foreign += 1,
            _ => symbols += 1,
        }
        match *b {
            b'/' => slashes += 1,
            b'.' => dots += 1,
            b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' => brackets += 1,
            b'_' => underscores += 1,
            b'-' => dashes += 1,
            b':' | b',' | b';' => colons += 1,
            b'\\' | b'%' => escapes += 1,
            _ => {}
        }
        hex += u32::from(b.is_ascii_hexdigit());
        base64 += u32::from(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'));
        counts[usize::from(b & 127)] += 1;
        changes +=
            u32::from(b.is_ascii_digit() != previous.is_ascii_digit() && previous != 0 && b.is_ascii_alphanumeric());
        let (low, was) = (b.to_ascii_lowercase(), previous.to_ascii_lowercase());
        steps += u32::from(
            b.is_ascii_alphanumeric() && (low == was.wrapping_add(1) || low == was || next_on_keyboard(was, low)),
        );
        previous = *b;
    }
    let distinct = counts.iter().filter(|c| **c > 0).count() as f32;
    let mut sum = 0.0f32;
    for c in counts.iter().filter(|c| **c > 1) {
        sum += f32::from(*c) * log2(usize::from(*c));
    }
    let most = log2(len);
    let entropy = if len > 0 { most - sum / n } else { 0.0 };
    let part = |c: u32| if len > 0 { c as f32 / n } else { 0.0 };
    f.set(Feature::ValueLength, n);
    f.set(Feature::ValueUpper, part(upper));
    f.set(Feature::ValueLower, part(lower));
    f.set(Feature::ValueDigits, part(digits));
    f.set(Feature::ValueSymbols, part(symbols));
    f.set(Feature::ValueClasses, [upper, lower, digits, symbols].iter().filter(|c| **c > 0).count() as f32);
    f.set(Feature::ValueChanges, changes as f32 / n.max(1.0));
    f.set(Feature::ValueEntropy, round(entropy));
    f.set(Feature::ValueEntropyRatio, if most > 0.0 { round(entropy / most) } else { 0.0 });
    f.set(Feature::ValueDistinct, distinct / n.max(1.0));
    let Reading { mean, best, worst, covered, runs, longest } = reading(value);
    f.set(Feature::ValueReads, mean);
    f.set(Feature::ValueBest, best);
    f.set(Feature::ValueWorst, worst);
    f.set(Feature::ValueCovered, covered);
    f.set(Feature::ValueRuns, runs as f32);
    f.set(Feature::ValueLongestRun, longest as f32);
    let whole = len as u32;
    let is_hex = hex == whole && len >= 8;
    f.set(Feature::ValueHex, if is_hex && digits > 0 && digits < whole { 1.0 } else { 0.0 });
    let uuid = len == 36 && dashes == 4 && hex + 4 == whole && value[8] == b'-' && value[13] == b'-';
    f.set(Feature::ValueUuid, f32::from(u8::from(uuid)));
    f.set(
        Feature::ValueNumber,
        if digits + dots + dashes + colons == whole || value.starts_with(b"0x") && hex + 1 == whole {
            1.0
        } else {
            0.0
        },
    );
    f.set(
        Feature::ValueBase64,
        if base64 == whole && len >= 16 { 1.0 + f32::from(u8::from(value.ends_with(b"="))) } else { 0.0 },
    );
    f.set(Feature::ValueSpaces, spaces as f32);
    f.set(Feature::ValueForeign, part(foreign));
    f.set(Feature::ValueSlashes, slashes as f32);
    f.set(Feature::ValueDots, dots as f32);
    f.set(Feature::ValueBrackets, brackets as f32);
    f.set(Feature::ValueUnderscores, underscores as f32);
    f.set(Feature::ValueDashes, dashes as f32);
    f.set(Feature::ValueEscapes, escapes as f32);
    let head = value.first().copied().unwrap_or(0);
    let identifier =
        (head.is_ascii_alphabetic() || head == b'_') && symbols == underscores && spaces == 0 && foreign == 0;
    f.set(Feature::ValueIdentifier, f32::from(u8::from(identifier)));
    let camel =
        identifier && lower > 0 && value.windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
    let snake = lower > 0 && upper == 0 && (underscores > 0) != (dashes > 0) && symbols == underscores + dashes;
    f.set(
        Feature::ValueCamel,
        if camel {
            1.0
        } else if snake {
            2.0
        } else {
            0.0
        },
    );
    f.set(
        Feature::ValueConstant,
        if identifier && lower == 0 && upper > 0 { 1.0 + f32::from(u8::from(underscores > 0)) } else { 0.0 },
    );
    let member = (dots > 0 || value.windows(2).any(|w| w == b"->" || w == b"::"))
        && symbols == dots + underscores + brackets + colons + dashes
        && digits * 4 < whole
        && spaces == 0;
    let ends_open = matches!(value.last(), Some(b'(' | b'[' | b'{'));
    f.set(
        Feature::ValueMember,
        if ends_open {
            2.0
        } else if member {
            1.0
        } else {
            0.0
        },
    );
    let scheme = value.windows(3).any(|w| w == b"://");
    let address = value.contains(&b'@') && dots > 0;
    let domain = [&b".com"[..], b".org", b".net", b".io", b".local", b".dev"]
        .iter()
        .any(|d| value.windows(d.len()).any(|w| w == *d));
    f.set(
        Feature::ValueUrl,
        if scheme {
            3.0
        } else if address {
            2.0
        } else if domain {
            1.0
        } else {
            0.0
        },
    );
    let path = head == b'/'
        || value.starts_with(b"./")
        || value.starts_with(b"../")
        || value.starts_with(b"~/")
        || value.get(1..3) == Some(b":\\");
    let tail = value.iter().rposition(|b| *b == b'.').map(|p| len - p - 1).unwrap_or(0);
    let file = (2..=5).contains(&tail)
        && dots <= 2
        && value[len - tail..].iter().all(u8::is_ascii_alphabetic)
        && covered > 0.4;
    f.set(
        Feature::ValuePath,
        if path {
            2.0
        } else if file {
            1.0
        } else {
            0.0
        },
    );
    let version = head.is_ascii_digit() && digits + dots == whole && dots >= 1
        || matches!(head, b'^' | b'~') && value.get(1).is_some_and(u8::is_ascii_digit);
    let date = len >= 8
        && value[..4].iter().all(u8::is_ascii_digit)
        && matches!(value[4], b'-' | b'/')
        && digits >= 6
        && value[5..7].iter().all(u8::is_ascii_digit);
    let media =
        slashes == 1 && [&b"application/"[..], b"text/", b"image/", b"multipart/"].iter().any(|m| value.starts_with(m));
    f.set(Feature::ValueVersion, f32::from(u8::from(version || date || media)));
    let hashed = value.starts_with(b"$2")
        || value.starts_with(b"$argon2")
        || value.starts_with(b"$apr1$")
        || (value.starts_with(b"$") && value.iter().filter(|b| **b == b'$').count() >= 2 && len > 20)
        || value.starts_with(b"{SSHA")
        || value.starts_with(b"{SHA")
        || value.starts_with(b"pbkdf2")
        || value.starts_with(b"sha1$")
        || value.starts_with(b"sha256:")
        || value.starts_with(b"sha512-")
        || value.starts_with(b"sha256-")
        || value.starts_with(b"scrypt");
    f.set(Feature::ValueHashed, f32::from(u8::from(hashed)));
    f.set(Feature::ValueCapitalised, f32::from(u8::from(head.is_ascii_uppercase() && upper == 1 && lower > 0)));
    f.set(Feature::ValueDigitTail, value.iter().rev().take_while(|b| b.is_ascii_digit()).count() as f32);
    f.set(Feature::ValueWalk, steps as f32 / n.max(1.0));
    if len <= 160 {
        let mut low = [0u8; 160];
        let low = &mut low[..len];
        low.copy_from_slice(value);
        low.make_ascii_lowercase();
        dummy_features(f, name, low);
    }
}

/// The length of the longest dummy word that a lower-case text starts with; 0 where there is none.
fn dummy_word(low: &[u8]) -> usize {
    let Some(first @ b'a'..=b'z') = low.first() else { return 0 };
    let words = DUMMY[usize::from(first - b'a')];
    words.iter().filter(|w| low.starts_with(w.as_bytes())).map(|w| w.len()).max().unwrap_or(0)
}

/// How many letters of a lower-case text stand in dummy words, and how many do not.
fn dummy_letters(low: &[u8]) -> (usize, usize) {
    let (mut covered, mut rest, mut i) = (0, 0, 0);
    while i < low.len() {
        match dummy_word(&low[i..]) {
            n if n >= 4 || n > 0 && low.len() <= 16 => {
                covered += n;
                i += n;
            }
            _ => {
                rest += usize::from(low[i].is_ascii_lowercase());
                i += 1;
            }
        }
    }
    (covered, rest)
}

fn dummy_share(text: &[u8]) -> f32 {
    let low = text.to_ascii_lowercase();
    dummy_letters(&low).0 as f32 / low.len().max(1) as f32
}

fn dummy_features(f: &mut Features, name: &[u8], low: &[u8]) {
    let (covered, rest) = dummy_letters(low);
    f.set(Feature::ValueDummy, covered as f32 / low.len().max(1) as f32);
    f.set(
        Feature::ValueDummyWhole,
        if rest == 0 && covered > 0 {
            1.0
        } else if covered > 0 && rest <= 2 {
            0.5
        } else {
            0.0
        },
    );
    let mut shared = 0;
    split_words(name, |word| {
        if word.len() >= 3 && low.windows(word.len()).any(|w| w == word) {
            shared += word.len();
        }
    });
    f.set(Feature::ValueNameWords, (shared as f32 / low.len().max(1) as f32).min(1.0));
    let says_secret = [&b"password"[..], b"passwd", b"secret", b"token", b"key", b"auth", b"credential", b"pwd"]
        .iter()
        .filter(|p| low.windows(p.len()).any(|w| w == **p))
        .count();
    f.set(Feature::ValueSaysSecret, says_secret as f32);
}

fn next_on_keyboard(a: u8, b: u8) -> bool {
    const NEXT: &[u8; 26] = b"snvfrghjokl;,mp[wtdyibecux";
    a.is_ascii_lowercase() && NEXT[usize::from(a - b'a')] == b
}

// ---- how it is written ------------------------------------------------------------------------------

fn line_features(f: &mut Features, window: &[u8], candidate: &Candidate) {
    f.set(
        Feature::SyntaxKind,
        match candidate.syntax {
            Syntax::Assign => 0.0,
            Syntax::Colon => 1.0,
            Syntax::Arrow => 2.0,
            Syntax::Compare => 3.0,
            Syntax::Comma => 4.0,
            Syntax::Call => 5.0,
            Syntax::Flag => 6.0,
            Syntax::Element => 7.0,
            Syntax::Sibling => 8.0,
            Syntax::Word => 9.0,
            Syntax::Bearer => 10.0,
            Syntax::Basic => 11.0,
            Syntax::Url => URL_SYNTAX,
            Syntax::Curl => 13.0,
        },
    );
    f.set(
        Feature::SyntaxQuote,
        match candidate.quote {
            Quote::None => 0.0,
            Quote::Single => 1.0,
            Quote::Double => 2.0,
            Quote::Backtick => 3.0,
            Quote::Escaped => 4.0,
        },
    );
    f.set(
        Feature::SyntaxWrapper,
        match candidate.wrapper {
            Wrapper::None => 0.0,
            Wrapper::Call => 1.0,
            Wrapper::List => 2.0,
            Wrapper::Default => 3.0,
        },
    );
    let between = &window[candidate.name.end.min(candidate.value.start)..candidate.value.start];
    f.set(
        Feature::SyntaxTight,
        match between.iter().filter(|b| **b == b' ' || **b == b'\t').count() {
            0 => 2.0,
            1 => 1.0,
            2 => 0.5,
            _ => 0.0,
        },
    );
    let start = memchr::memrchr(b'\n', &window[..candidate.name.start]).map_or(0, |p| p + 1);
    let end = memchr::memchr(b'\n', &window[candidate.value.end..]).map_or(window.len(), |n| candidate.value.end + n);
    let mut after = candidate.value.end;
    if candidate.quote != Quote::None {
        while after < end && matches!(window[after], b'"' | b'\'' | b'`' | b'\\') {
            after += 1;
        }
    }
    f.set(
        Feature::SyntaxAfter,
        match window.get(after).copied().unwrap_or(b'\n') {
            b'\n' | b'\r' => 0.0,
            b',' => 1.0,
            b';' => 2.0,
            b')' => 3.0,
            b'}' | b']' => 4.0,
            b' ' | b'\t' => 5.0,
            b'.' => 6.0,
            b'(' | b'[' | b'{' => 7.0,
            b'<' | b'>' => 8.0,
            b'&' => 9.0,
            b'+' => 10.0,
            b':' | b'=' => 11.0,
            b'\\' => 12.0,
            _ => 13.0,
        },
    );
    let line = &window[start..end];
    let tail = line.trim_ascii_end();
    f.set(
        Feature::SyntaxEnd,
        match tail.last().copied().unwrap_or(b' ') {
            b';' => 1.0,
            b',' => 2.0,
            b')' => 3.0,
            b'{' | b'(' | b'[' => 4.0,
            b'}' | b']' => 5.0,
            b'>' => 6.0,
            b'"' | b'\'' => 7.0,
            b'\\' => 8.0,
            b'.' => 9.0,
            _ => 0.0,
        },
    );
    f.set(Feature::LineLength, line.len().min(1024) as f32);
    // What stands around the candidate, at most 200 bytes to either side.
    let head = &window[start.max(candidate.name.start.saturating_sub(200))..candidate.name.start];
    let rest = &window[candidate.value.end..window.len().min(candidate.value.end + 200)];
    let same = &rest[..rest.len().min(end - candidate.value.end)];
    let near = || head.iter().chain(same);
    let quotes = near().filter(|b| matches!(b, b'"' | b'\'' | b'`')).count();
    f.set(Feature::LineQuotes, quotes.min(20) as f32);
    f.set(Feature::ValueUser, f32::from(u8::from(names_same_user(window, candidate))));
    f.set(Feature::LineUser, f32::from(u8::from(names_user(head))) + 0.5 * f32::from(u8::from(names_user(rest))));
    let code = near().filter(|b| matches!(b, b'(' | b'{' | b'[' | b'=' | b';')).count();
    f.set(Feature::LineCode, code.min(12) as f32);
}

fn names_user(text: &[u8]) -> bool {
    text.iter().enumerate().any(|(i, b)| {
        let word: &[u8] = match b | 32 {
            b'u' => b"user",
            b'l' => b"login",
            b'e' => b"email",
            b'h' => b"host",
            b'm' => b"machine",
            _ => return false,
        };
        text.len() - i >= word.len() && text[i..i + word.len()].eq_ignore_ascii_case(word)
    })
}

/// Whether the same value stands near by as a user's name: `user: app, password: app`.
fn names_same_user(window: &[u8], candidate: &Candidate) -> bool {
    /// How far to either side it is looked for, in bytes.
    const NEAR: usize = 160;
    let value = &window[candidate.value.clone()];
    if value.len() > 24 {
        return false;
    }
    let (start, end) = (&candidate.value.start, &candidate.value.end);
    let edge = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'-'));
    let named = |text: &[u8]| {
        memchr::memmem::find_iter(text, value).any(|at| {
            let before = &text[at.saturating_sub(24)..at];
            let line = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
            edge(text[..at].last()) && edge(text.get(at + value.len())) && names_user(&before[line..])
        })
    };
    let user = candidate.syntax == Syntax::Url || candidate.syntax == Syntax::Curl;
    user && window[candidate.name.clone()] == *value
        || named(&window[start.saturating_sub(NEAR)..*start])
        || named(&window[*end..window.len().min(end + NEAR)])
}

/// A candidate's log-odds where it stands: adjusted for the path of its file, and for what stands further around it
/// than its window reaches. `place` is the content, and where the candidate and its secret stand in it; nothing of
/// what was decoded.
pub fn in_place(log_odds: f32, path: &[u8], value: &[u8], place: Option<(&[u8], &Range<usize>, &Range<usize>)>) -> f32 {
    let Some((text, span, secret)) = place else { return adjusted(log_odds, path, value, b"") };
    let name = text.get(span.start..secret.start).unwrap_or_default();
    let adjusted = adjusted(log_odds, path, value, name);
    if is_common(text, secret) { adjusted.min(MADE_UP) } else { adjusted }
}

/// Whether what stands around a value says that it opens nothing: the user or the database has the same name, or it
/// is the key of a page's search.
fn is_common(text: &[u8], secret: &Range<usize>) -> bool {
    /// How many lines to either side.
    const LINES: usize = 4;
    /// … and how far in bytes.
    const NEAR: usize = 400;
    let value = &text[secret.clone()];
    if value.len() > 24 || !value.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_') {
        return near::is_search_key(text, secret);
    }
    let before = &text[secret.start.saturating_sub(NEAR)..secret.start];
    let after = &text[secret.end..text.len().min(secret.end + NEAR)];
    let edge = |b: Option<&u8>| b.is_none_or(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b'-'));
    let same = |line: &[u8]| {
        memchr::memmem::find_iter(line, value)
            .any(|at| edge(line[..at].last()) && edge(line.get(at + value.len())) && names_who_or_where(&line[..at]))
    };
    before.rsplit(|b| *b == b'\n').take(LINES + 1).any(same) || after.split(|b| *b == b'\n').take(LINES + 1).any(same)
}

/// Whether a text ends in the name of a user or a database and an operator: `POSTGRES_DB: `, `user="`.
fn names_who_or_where(text: &[u8]) -> bool {
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let end = text.iter().rposition(is_name).map_or(0, |at| at + 1);
    let operator = text[end..].iter().any(|b| matches!(b, b':' | b'=' | b'>'));
    let start = text[..end].iter().rposition(|b| !is_name(b)).map_or(0, |at| at + 1);
    let (mut who, mut opens) = (false, false);
    split_words(&text[start..end], |word| {
        who |= matches!(word, b"user" | b"username" | b"login" | b"db" | b"database" | b"dbname");
        opens |= is_credential(says(word));
    });
    operator && who && !opens
}

/// Measures a candidate; `None` if it is certainly no credential.
pub fn features(window: &[u8], candidate: &Candidate) -> Option<Features> {
    let value = window.get(candidate.value.clone())?;
    let name = window.get(candidate.name.clone())?;
    if !plausible(window, value, candidate) {
        return None;
    }
    let mut f = Features { values: [0.0; COUNT] };
    let named = name_features(&mut f, window, candidate);
    // `run_test "what"`: a command and its argument.
    let made_by_call = candidate.wrapper == Wrapper::Call && candidate.value.start > candidate.name.end && {
        let made = call(&window[candidate.name.end..candidate.value.start]);
        opens_nothing(made) || names_somebody(made)
    };
    let commands = candidate.syntax == Syntax::Word && name.starts_with(b"run_");
    if commands
        || made_by_call
        || is_examined(window, candidate)
        || is_index(window, candidate)
        || is_filler(name, value)
        || is_in_link(window, candidate)
        || opens_nothing(name)
        || names_position(name)
        || is_name_of_one(candidate, name)
        || holds_a_position(value)
        || is_identity(window, candidate)
        || web_token::is_imitation(value)
        || matches!(web_token::worth(value), Some(Worth::Nothing(_)))
        || says_public(window, candidate)
        || is_fingerprint(window, candidate)
        || is_digest_access(window, candidate)
        || is_pin(value)
        || !named && !matches!(candidate.syntax, Syntax::Bearer | Syntax::Basic | Syntax::Url | Syntax::Curl)
    {
        return None;
    }
    // What a URL escapes is judged as it is meant.
    let meant = (candidate.syntax == Syntax::Url).then(|| strength::unescaped(value)).flatten();
    let value = meant.as_deref().unwrap_or(value);
    match placeholder(value) {
        None => {}
        Some("a placeholder") => f.set(Feature::ValuePlaceholder, 1.0),
        Some(_) => return None,
    }
    value_features(&mut f, name, value);
    if says_example(value) {
        f.set(Feature::ValuePlaceholder, 1.0);
    }
    line_features(&mut f, window, candidate);
    let of_name = value.iter().all(u8::is_ascii_lowercase) && {
        let mut is_one = false;
        split_words(name, |word| is_one |= word == value);
        is_one
    };
    f.set(Feature::ValueOfName, f32::from(u8::from(of_name)));
    f.set(Feature::SyntaxOwn, f32::from(u8::from(is_written_as_credential(name))));
    f.set(Feature::SyntaxFirst, f32::from(u8::from(is_first_argument(window, candidate))));
    if let Some(text) = decoded(value) {
        if candidate.syntax == Syntax::Basic && !text.contains(&b':') {
            return None;
        }
        let pair = text.iter().position(|b| *b == b':');
        f.set(Feature::ValueDecodes, if pair.is_some_and(|i| i > 0 && i + 1 < text.len()) { 2.0 } else { 1.0 });
        let secret =
            if candidate.syntax == Syntax::Basic { pair.map_or(&text[..], |i| &text[i + 1..]) } else { &text[..] };
        match placeholder(secret) {
            // Keys in PEM have rules of their own; certificates are public.
            _ if secret.is_empty() || text.starts_with(b"-----BEGIN ") => return None,
            None => {}
            Some("a placeholder") => f.set(Feature::ValuePlaceholder, 1.0),
            Some(_) => return None,
        }
        // Words as people write them, a dummy word among them: `the-client-secret`.
        let share = dummy_share(&text);
        let worded = share > 0.2 && is_made_of_words(uncounted(&text));
        f.set(Feature::ValueDecodesDummy, if worded || is_dummy_object(&text) { WORDED } else { share });
        if web_token::is_imitation(pair.map_or(secret, |at| &text[at + 1..])) {
            return None;
        }
    } else if candidate.syntax == Syntax::Basic {
        f.set(Feature::ValueDecodes, -1.0);
    }
    Some(f)
}

/// Whether a name says that its value opens nothing alone: a token against forged requests lives as long as
/// a session; salts, signatures and authentication tags stand beside what they belong to; an encrypted key
/// needs another one.
fn opens_nothing(name: &[u8]) -> bool {
    let ends =
        |word: &[u8]| name.len() > 4 && name[name.len() - word.len().min(name.len())..].eq_ignore_ascii_case(word);
    let holds = |word: &[u8]| name.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    const ENDS: [&[u8]; 6] = [b"salt", b"tag", b"signature", b"nonce", b"fingerprint", b"thumbprint"];
    // The nonce of a handshake (RFC 6455) is called a key.
    const HOLDS: [&[u8]; 6] =
        [b"csrf", b"xsrf", b"authenticity", b"requesttoken", b"requestverification", b"sec-websocket"];
    // `encryptedKey`, `sealed-key`, `wrapped_dek`: but not `encryption_key`.
    const LOCKED: [&[u8]; 3] = [b"encrypted", b"sealed", b"wrapped"];
    let locked =
        || LOCKED.iter().any(|word| holds(word)) && (ends(b"key") || ends(b"keys") || ends(b"dek") || ends(b"cek"));
    // `publicResourceKey`; `existingSecret`: the name of one that stands elsewhere.
    let public = || {
        const CLOSED: [&[u8]; 3] = [b"private", b"secret", b"_public_"];
        // What a page sends to its visitors: `website_key`.
        if ends(b"site_key") || ends(b"sitekey") {
            return true;
        }
        holds(b"public") && (ends(b"key") || ends(b"keys")) && !CLOSED.iter().any(|word| holds(word))
    };
    let elsewhere = || name.len() > 8 && name[..8].eq_ignore_ascii_case(b"existing");
    ENDS.iter().any(|word| ends(word)) || HOLDS.iter().any(|word| holds(word)) || locked() || public() || elsewhere()
}

/// Whether a name is that of who somebody is: `SetUID`, `user_id`.
fn names_somebody(name: &[u8]) -> bool {
    let mut last = Vec::new();
    split_words(name, |word| last = word.to_vec());
    matches!(last.as_slice(), b"id" | b"ids" | b"uid" | b"uuid" | b"guid" | b"user" | b"username" | b"email")
}

/// Whether a call only looks at its value (`IsAuthToken("x")`) or gives it back: `equal("x", Token("x"))`.
fn is_examined(window: &[u8], candidate: &Candidate) -> bool {
    if candidate.syntax != Syntax::Call {
        return false;
    }
    let name = &window[candidate.name.clone()];
    let method = name.rsplit(|b| *b == b'.').next().unwrap_or(name);
    let mut first = Vec::new();
    split_words(method, |word| {
        if first.is_empty() {
            first = word.to_vec();
        }
    });
    let examines = matches!(
        first.as_slice(),
        b"is"
            | b"has"
            | b"looks"
            | b"score"
            | b"strength"
            | b"mask"
            | b"redact"
            | b"sanitize"
            | b"normalize"
            | b"clean"
    );
    let start = memchr::memrchr(b'\n', &window[..candidate.name.start]).map_or(0, |at| at + 1);
    let value = &window[candidate.value.clone()];
    examines || memchr::memmem::find(&window[start..candidate.name.start], value).is_some()
}

/// Whether a value is the name of an index in the definition of a table: `UNIQUE KEY name (column)`.
fn is_index(window: &[u8], candidate: &Candidate) -> bool {
    let after = &window[candidate.value.end..];
    let after = after.strip_prefix(b"`").or_else(|| after.strip_prefix(b"\"")).unwrap_or(after);
    candidate.syntax == Syntax::Word
        && window[candidate.name.clone()].eq_ignore_ascii_case(b"key")
        && after.trim_ascii_start().starts_with(b"(")
}

/// Whether a value says in front that it is an example: `sample-…`.
fn says_example(value: &[u8]) -> bool {
    let word = value.iter().take_while(|b| b.is_ascii_alphabetic()).count();
    matches!(value.get(word), Some(b'-' | b'_'))
        && [&b"sample"[..], b"example", b"fake", b"dummy"].iter().any(|says| value[..word].eq_ignore_ascii_case(says))
}

/// Whether name and value are drawn alike: members of a file of made data, where a name holds `pwd` by chance.
fn is_filler(name: &[u8], value: &[u8]) -> bool {
    let drawn = |text: &[u8]| {
        let has = |is: fn(&u8) -> bool| text.iter().any(is);
        text.len() >= 10
            && text.iter().all(u8::is_ascii_alphanumeric)
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
    };
    name.len() == value.len() && drawn(name) && drawn(value)
}

/// Whether a value is a part of what a page shows to everybody: the token of a badge or another picture
/// (`badge.svg?token=…`), the anchor of a heading (`id="…key:…"`).
fn is_in_link(window: &[u8], candidate: &Candidate) -> bool {
    let head = &window[..candidate.name.start];
    let anchor = [&b"id=\""[..], b"id='", b"id=&#34;"].iter().any(|attribute| head.ends_with(attribute));
    if candidate.syntax == Syntax::Colon && candidate.quote == Quote::None && anchor {
        return true;
    }
    let edge = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'(' | b'<' | b'[');
    let link = &head[head.iter().rposition(edge).map_or(0, |at| at + 1)..];
    candidate.syntax == Syntax::Assign
        && memchr::memmem::find(link, b"://").is_some()
        && [&b"badge"[..], b".svg?", b".png?", b".jpg?", b".jpeg?", b".gif?", b".webp?"]
            .iter()
            .any(|word| memchr::memmem::find(link, word).is_some())
}

/// Whether only credentials are written so: `IDENTIFIED BY 'x'`.
fn is_written_as_credential(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"identified by")
}

/// Whether a value is one of several strings that a call takes and not the last: `NewPassword("user", "x")`.
fn is_first_argument(window: &[u8], candidate: &Candidate) -> bool {
    let rest = &window[candidate.value.end..];
    candidate.syntax == Syntax::Call
        && matches!(rest, [b'"' | b'\'' | b'`', b',', next @ ..]
            if matches!(next.trim_ascii_start(), [b'"' | b'\'' | b'`', ..]))
}

/// Whether a value is a UUID that is somebody's identity: by its name (`token_id`, `primaryKey`), or as it is
/// kept as a UUID, which is made to be compared. A secret id is none.
fn is_identity(window: &[u8], candidate: &Candidate) -> bool {
    let value = &window[candidate.value.clone()];
    if !is_uuid(value) {
        return false;
    }
    let (mut before, mut last) = (Vec::new(), Vec::new());
    split_words(&window[candidate.name.clone()], |word| before = std::mem::replace(&mut last, word.to_vec()));
    let identifies = matches!(last.as_slice(), b"id" | b"ids" | b"uuid" | b"guid" | b"identifier");
    let table = last == b"key" && matches!(before.as_slice(), b"primary" | b"foreign" | b"partition" | b"sort");
    let joined = matches!(last.as_slice(), b"primarykey" | b"foreignkey" | b"partitionkey" | b"sortkey");
    let between = window.get(candidate.name.end..candidate.value.start).unwrap_or_default();
    let made = candidate.wrapper == Wrapper::Call
        && [&b"UUID"[..], b"Guid"].iter().any(|kind| between.windows(4).any(|w| w == *kind));
    identifies && before != b"secret" || table || joined || made
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// Whether a name is that of a name: `secretName`, `foreign_key_name`, `from_secret`. In a URL it is a user's.
fn is_name_of_one(candidate: &Candidate, name: &[u8]) -> bool {
    let names = name.len().checked_sub(4).is_some_and(|at| name[at..].eq_ignore_ascii_case(b"name"))
        || name.len() > 6 && name[..5].eq_ignore_ascii_case(b"from_");
    names && !matches!(candidate.syntax, Syntax::Url | Syntax::Curl | Syntax::Basic)
}

/// Whether a name says where a reading goes on, in a list that comes in pages: `next_page_token`, `syncToken`.
fn names_position(name: &[u8]) -> bool {
    let (mut before, mut last) = (Vec::new(), Vec::new());
    let mut is_page_of_service = false;
    split_words(name, |word| {
        // The token of a page in a social network opens it.
        is_page_of_service |= matches!(word, b"fb" | b"facebook" | b"messenger" | b"meta");
        before = std::mem::replace(&mut last, word.to_vec());
    });
    let leads = |word: &[u8]| {
        matches!(
            word,
            b"page"
                | b"pagination"
                | b"paging"
                | b"cursor"
                | b"continuation"
                | b"continue"
                | b"next"
                | b"prev"
                | b"previous"
                | b"sync"
                | b"delta"
                | b"resume"
                | b"skip"
        )
    };
    let one = last.strip_suffix(b"s").unwrap_or(&last);
    let joined = one.strip_suffix(b"token").is_some_and(|head| leads(head) || head.ends_with(b"page"));
    !is_page_of_service && (joined || matches!(one, b"token" | b"cursor") && leads(&before))
}

/// Whether a value is the base64 of a JSON object in which no member is named as a credential or is a value
/// that a machine drew: where a reading goes on, a state, the claims of a web token without its signature.
fn holds_a_position(value: &[u8]) -> bool {
    use serde_json::{Map, Value};
    if !value.starts_with(b"ey") || value.contains(&b'.') {
        return false;
    }
    let Some(text) = decode_base64(value) else { return false };
    let Ok(object) = serde_json::from_slice::<Map<String, Value>>(&text) else { return false };
    fn opens(key: &str, value: &Value) -> bool {
        match value {
            Value::Object(inner) => inner.iter().any(|(key, value)| opens(key, value)),
            Value::Array(inner) => inner.iter().any(|value| opens(key, value)),
            Value::String(text) => {
                let mut last = Says::Nothing;
                split_words(key.as_bytes(), |word| last = says(word));
                let short_name = matches!(key, "k" | "d" | "s");
                is_credential(last) && !names_position(key.as_bytes())
                    || short_name
                    || text.len() >= 16 && strength::origin(text.as_bytes()) == strength::Origin::Machine
            }
            _ => false,
        }
    }
    // RFC 7519: what is claimed, not what proves it.
    const CLAIMS: [&str; 6] = ["iss", "sub", "aud", "exp", "iat", "jti"];
    let claims = CLAIMS.iter().filter(|claim| object.contains_key(**claim)).count() >= 3;
    claims || !object.iter().any(|(key, value)| opens(key, value))
}

/// The name of the call that makes a value: what stands before the last bracket.
fn call(between: &[u8]) -> &[u8] {
    let end = memchr::memrchr(b'(', between).unwrap_or(0);
    let start = between[..end].iter().rposition(|b| !b.is_ascii_alphanumeric() && *b != b'_').map_or(0, |at| at + 1);
    &between[start..end]
}

/// Whether a value is the fingerprint of a PGP key, by its shape and its name or the word before that:
/// `GPG key: …`.
fn is_fingerprint(window: &[u8], candidate: &Candidate) -> bool {
    /// How far before the name the word may stand, in bytes.
    const BEFORE: usize = 12;
    let value = &window[candidate.value.clone()];
    let line = memchr::memrchr(b'\n', &window[..candidate.name.start]).map_or(0, |at| at + 1);
    let name = &window[candidate.name.start.saturating_sub(BEFORE).max(line)..candidate.name.end];
    matches!(value.len(), 16 | 40)
        && value.iter().all(u8::is_ascii_hexdigit)
        && [&b"gpg"[..], b"pgp"].iter().any(|word| name.windows(3).any(|w| w.eq_ignore_ascii_case(word)))
}

/// Whether a line is a message of Digest Access Authentication (RFC 7616): names, nonces and hashes, which open
/// nothing.
fn is_digest_access(window: &[u8], candidate: &Candidate) -> bool {
    let start = memchr::memrchr(b'\n', &window[..candidate.value.start]).map_or(0, |at| at + 1);
    let end = memchr::memchr(b'\n', &window[candidate.value.end..]).map_or(window.len(), |at| candidate.value.end + at);
    let line = &window[start..end];
    let has = |word: &[u8]| line.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word));
    has(b"nonce=") && has(b"realm=")
}

/// Whether a value is the pin of a public key, as curl writes it: `sha256//` and a hash in base64.
fn is_pin(value: &[u8]) -> bool {
    value.len() > 8 && value[..8].eq_ignore_ascii_case(b"sha256//")
}

/// Whether the word before the name says that the key is public: `public key "…"`.
fn says_public(window: &[u8], candidate: &Candidate) -> bool {
    let head = window[..candidate.name.start].trim_ascii_end();
    let public = head.len() > 6 && head[head.len() - 6..].eq_ignore_ascii_case(b"public");
    public && head.len() < candidate.name.start && window[candidate.name.clone()].eq_ignore_ascii_case(b"key")
}
/// A text without the digits at its end, if they count up: what makes it long enough.
fn uncounted(text: &[u8]) -> &[u8] {
    let digits = text.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (head, tail) = text.split_at(text.len() - digits);
    let counts = tail.windows(2).all(|pair| pair[1] == pair[0] + 1 || pair == b"90");
    if digits >= 4 && counts { head } else { text }
}

/// Whether a text is a JSON object whose credentials are all dummies: `{"username":"test","password":"1234"}`.
fn is_dummy_object(text: &[u8]) -> bool {
    /// A password of fewer characters is none.
    const SHORTEST: usize = 6;
    let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(text) else { return false };
    let is_dummy = |value: &str| {
        value.len() < SHORTEST || placeholder(value.as_bytes()).is_some() || dummy_share(value.as_bytes()) > 0.5
    };
    let mut credentials = members.iter().filter_map(|(name, value)| {
        let mut is_one = false;
        split_words(name.as_bytes(), |word| is_one |= matches!(word, b"password" | b"secret" | b"token" | b"key"));
        value.as_str().filter(|_| is_one)
    });
    credentials.next().is_some_and(|first| is_dummy(first) && credentials.all(is_dummy))
}

/// The printable text that a value is the base64 of.
pub(super) fn decoded(value: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    if value.len() < 8
        || value.len() > 400
        || !value.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
    {
        return None;
    }
    let end = value.iter().rposition(|b| *b != b'=')? + 1;
    let mut text = base64::engine::general_purpose::STANDARD_NO_PAD.decode(&value[..end]).ok()?;
    // `echo word | base64` has a line end, fields of fixed length have NULs.
    let length = text.len();
    text.retain(|c| *c != 0);
    if (length - text.len()) * 3 > length {
        return None;
    }
    while matches!(text.last(), Some(b'\n' | b'\r')) {
        text.pop();
    }
    // Letters beyond ASCII are few in any text.
    let foreign = text.iter().filter(|c| **c >= 0x80).count();
    (text.len() >= 5 && foreign * 4 <= text.len() && text.iter().all(|c| *c >= 32 && *c != 127)).then_some(text)
}

/// The cheap look before anything is measured.
fn plausible(window: &[u8], value: &[u8], candidate: &Candidate) -> bool {
    if value.len() < 4 || value.len() > 900 {
        return false;
    }
    if value[0] == b'-' && value.starts_with(b"-----BEGIN") {
        return false;
    }
    // Bytes of a picture or a program between `://`, `:` and `@`.
    let foreign = value.iter().filter(|b| !b.is_ascii()).count();
    if foreign * 3 > value.len() && std::str::from_utf8(value).is_err() {
        return false;
    }
    let spaces = value.iter().filter(|b| **b == b' ').count();
    if spaces > 5 || (spaces > 0 && candidate.quote == Quote::None) {
        return false;
    }
    if candidate.quote == Quote::None
        && matches!(
            value,
            b"true" | b"false" | b"null" | b"None" | b"nil" | b"undefined" | b"string" | b"String" | b"self" | b"this"
        )
    {
        return false;
    }
    if candidate.quote == Quote::None
        && matches!(candidate.syntax, Syntax::Assign | Syntax::Colon | Syntax::Arrow | Syntax::Compare)
    {
        // A call; an identifier where the line goes on as code.
        if matches!(value.last(), Some(b'(' | b'[' | b'{')) {
            return false;
        }
        let after = window.get(candidate.value.end).copied().unwrap_or(b'\n');
        let word = value.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'.'));
        if word && matches!(after, b';' | b')' | b'(' | b'[' | b'.') {
            return false;
        }
        // A type with its parameter; a constant in a list: `Output<string>`, `KafkaMechanism,`.
        let next = window.get(candidate.value.end + 1).copied().unwrap_or(b'\n');
        let camel = value.windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase());
        if word && (after == b'<' && next.is_ascii_alphabetic() || after == b',' && camel) {
            return false;
        }
    }
    if is_sentence(window, value, candidate)
        || is_option_or_path(value)
        || value.contains(&b'/') && near::ends_like_file(value)
        || is_expression(value)
        || is_part_of_comparison(&window[candidate.name.clone()], candidate)
    {
        return false;
    }
    // Public keys in DER (Ed25519, RSA, EC); PEM in base64, which has a rule of its own.
    const KEYS: [&[u8]; 7] = [
        b"MCowBQYDK2V",
        b"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A",
        b"MIICIjANBgkqhkiG9w0BAQEFAAOCAg8A",
        b"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ",
        b"MFwwDQYJKoZIhvcNAQEBBQADSwAwSA",
        b"MFkwEwYHKoZIzj0",
        b"LS0tLS1CRUdJTi",
    ];
    if KEYS.iter().any(|key| value.starts_with(key)) {
        return false;
    }
    // `pass:repeatlast=0`: one more setting.
    if candidate.quote == Quote::None
        && candidate.syntax == Syntax::Colon
        && memchr::memchr(b'=', value).is_some_and(|at| {
            at >= 4 && at + 1 < value.len() && value[..at].iter().all(|b| b.is_ascii_lowercase() || *b == b'_')
        })
    {
        return false;
    }
    if candidate.quote == Quote::None && is_code(value) || is_part_of_other(window, value, candidate) {
        return false;
    }
    // `{sha256}…`: a password's hash, with the way it was made.
    if value[0] == b'{'
        && let Some(close) = memchr::memchr(b'}', value)
        && (3..40).contains(&close)
        && value.len() - close > 24
        && !value.starts_with(b"{noop}")
        && value[1..close].iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'_' | b'.' | b'-'))
    {
        return false;
    }
    // Letters beyond ASCII, escaped: a text in a file of translations.
    let escaped_letter = |w: &[u8]| {
        w[0] == b'\\'
            && w[1] == b'u'
            && w[2..6].iter().all(u8::is_ascii_hexdigit)
            && !matches!(w[2..6], [b'0', b'0', b'0'..=b'9' | b'a' | b'b' | b'A' | b'B', _])
    };
    if value.windows(6).any(escaped_letter) {
        return false;
    }
    // Control characters as people do not type them: descriptors and other data in string literals.
    if value.windows(2).any(|w| w[0] == b'\\' && matches!(w[1], b'a' | b'b' | b'f' | b'v')) {
        return false;
    }
    // Seconds or milliseconds since 1970.
    if matches!(value.len(), 10 | 13)
        && matches!(value, [b'1', b'2'..=b'9', ..])
        && value.iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    // `owner/action@commit`.
    if value.len() > 43
        && value[value.len() - 41] == b'@'
        && value.contains(&b'/')
        && value[value.len() - 40..].iter().all(u8::is_ascii_hexdigit)
    {
        return false;
    }
    true
}

/// Whether a value that no quotes enclose is code or a message: a type (`Output<string>`, `uint64`), a number
/// as programs write it (`0x20`), a part of a message (`password: argon2: option …`).
fn is_code(value: &[u8]) -> bool {
    const TYPES: [&[u8]; 12] = [
        b"int8", b"int16", b"int32", b"int64", b"uint8", b"uint16", b"uint32", b"uint64", b"float32", b"float64",
        b"[]byte", b"varchar",
    ];
    let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b',' | b'[' | b']');
    let generic = value.ends_with(b">")
        && memchr::memchr(b'<', value)
            .is_some_and(|at| at > 0 && value[..at].iter().chain(&value[at + 1..value.len() - 1]).all(name));
    let number = value.len() <= 18 && value.starts_with(b"0x") && value[2..].iter().all(u8::is_ascii_hexdigit);
    // `password: CharArray?`, `secret: String!`
    let optional = matches!(value, [b'A'..=b'Z', name @ .., b'?'] if name.iter().all(u8::is_ascii_alphabetic))
        || matches!(value, b"String!" | b"ID!" | b"Int!" | b"Boolean!" | b"Password!" | b"JSON!");
    generic || number || optional || value.ends_with(b":") || TYPES.contains(&value)
}

/// Whether a value is an option of a command line (`--jmxurl`) or a path below a folder that every system has.
fn is_option_or_path(value: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 13] = [
        b"/usr/", b"/bin/", b"/sbin/", b"/etc/", b"/var/", b"/opt/", b"/lib/", b"/tmp/", b"/dev/", b"/proc/", b"/run/",
        b"/mnt/", b"/srv/",
    ];
    let small = |b: &u8| b.is_ascii_lowercase() || matches!(b, b'-' | b'_' | b'.' | b'/');
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let plain = digits <= 3 && value.iter().all(|b| small(b) || b.is_ascii_digit());
    let option = value.len() > 4 && value.starts_with(b"--") && value[2].is_ascii_lowercase();
    plain && (option && !value.contains(&b'/') || FOLDERS.iter().any(|folder| value.starts_with(folder)))
}

/// Whether a value is a regular expression: a class of characters and how many of them, `[0-9A-Za-z]{33}`.
fn is_expression(value: &[u8]) -> bool {
    let ranges = |class: &[u8]| {
        class.windows(3).any(|w| w[1] == b'-' && w[0].is_ascii_alphanumeric() && w[2].is_ascii_alphanumeric())
            || class.contains(&b'\\')
    };
    value.iter().enumerate().filter(|(_, b)| **b == b'[').any(|(open, _)| {
        let Some(close) = memchr::memchr(b']', &value[open..]).map(|n| open + n) else { return false };
        ranges(&value[open + 1..close])
            && match value[close + 1..] {
                [b'+' | b'*', ..] => true,
                [b'{', b'0'..=b'9', ..] => value[close..].contains(&b'}'),
                _ => false,
            }
    })
}

/// Whether a value is compared with a part of something, or names a program in a sentence: no whole credential.
fn is_part_of_comparison(name: &[u8], candidate: &Candidate) -> bool {
    const PARTS: [&[u8]; 8] =
        [b"startswith", b"endswith", b"starts_with", b"ends_with", b"indexof", b"contains", b"hasprefix", b"hassuffix"];
    let method = name.rsplit(|b| *b == b'.').next().unwrap_or(name);
    candidate.syntax == Syntax::Call
        && method.len() < name.len()
        && PARTS.iter().any(|part| method.eq_ignore_ascii_case(part))
}

/// Whether a value is a word of a sentence: `passwords: read-only cannot create …`.
fn is_sentence(window: &[u8], value: &[u8], candidate: &Candidate) -> bool {
    // "change the password using `program`"
    let between = window.get(candidate.name.end..candidate.value.start).unwrap_or_default();
    let by = between.trim_ascii_start();
    if candidate.syntax == Syntax::Word
        && candidate.quote == Quote::Backtick
        && [&b"using"[..], b"with", b"by"].iter().any(|word| by.starts_with(word))
        && value.iter().all(|b| b.is_ascii_lowercase() || matches!(b, b'-' | b'_' | b' '))
    {
        return true;
    }
    if candidate.quote != Quote::None
        || candidate.syntax != Syntax::Colon
        || !value.iter().all(|b| b.is_ascii_lowercase() || *b == b'-')
    {
        return false;
    }
    let rest = &window[candidate.value.end..];
    let word = rest.iter().skip(1).take_while(|b| b.is_ascii_alphabetic()).count();
    rest.first() == Some(&b' ') && word > 0 && matches!(rest.get(word + 1), Some(b' ' | b'.' | b',' | b'"' | b'\''))
}

/// Whether a value belongs to something else than a name and its credential: the last part of a URN
/// (`arn:…:secret:name`), the scope of a signed request, the port of a URL in a list of fields, the head of
/// a web token.
fn is_part_of_other(window: &[u8], value: &[u8], candidate: &Candidate) -> bool {
    let head = &window[..candidate.name.start];
    let word = head.iter().rposition(|b| !(b.is_ascii_alphanumeric() || matches!(b, b':' | b'-' | b'_' | b'/' | b'*')));
    let word = &head[word.map_or(0, |at| at + 1)..];
    let urn = candidate.syntax == Syntax::Colon && (word.starts_with(b"arn:") || word.starts_with(b"urn:"));
    let scope = value.ends_with(b"aws4_request");
    let digits = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let port = candidate.syntax == Syntax::Url && (2..=5).contains(&digits) && value.get(digits) == Some(&b',');
    // `{"alg` and `{"typ`, and no payload behind.
    let token_head = (value.starts_with(b"eyJhbGci") || value.starts_with(b"eyJ0eXAi")) && !value.contains(&b'.');
    // `(?P<token>[a-z]+)`
    let group = candidate.syntax == Syntax::Element && (head.ends_with(b"(?P<") || head.ends_with(b"(?<"));
    urn || scope || port || token_head || group
}

fn round(x: f32) -> f32 {
    (x * 256.0).round() / 256.0
}

/// log2 of 0..=1023 (0 for 0), worked out when compiled: the same on every machine.
static LOG2: [f32; 1024] = {
    let mut table = [0f32; 1024];
    let mut n = 2;
    while n < 1024 {
        let mut x = n as f64;
        let mut whole = 0f64;
        while x >= 2.0 {
            x /= 2.0;
            whole += 1.0;
        }
        let mut bit = 0.5f64;
        let mut i = 0;
        while i < 24 {
            x *= x;
            if x >= 2.0 {
                x /= 2.0;
                whole += bit;
            }
            bit /= 2.0;
            i += 1;
        }
        table[n] = whole as f32;
        n += 1;
    }
    table
};

fn log2(n: usize) -> f32 {
    LOG2[n.min(1023)]
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::detect::assignment::candidates;

    /// The best score of the candidates at any of the usual keywords.
    fn best(text: &str) -> Option<f32> {
        let low = text.to_ascii_lowercase();
        let mut found = Vec::new();
        for keyword in
            ["pass", "pwd", "secret", "token", "key", "auth", "bearer", "basic", "://", "curl", "identified by"]
        {
            for (at, _) in low.match_indices(keyword) {
                candidates(text.as_bytes(), at..at + keyword.len(), &mut found);
            }
        }
        found.iter().filter_map(|c| score(text.as_bytes(), c, false)).map(|s| s.log_odds).max_by(f32::total_cmp)
    }

    fn level(text: &str) -> Option<Confidence> {
        best(text).and_then(confidence)
    }

    /// Random characters, the same in every run.
    pub(crate) fn random(alphabet: &str, length: usize, seed: u64) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                alphabet[(state >> 33) as usize % alphabet.len()]
            })
            .collect()
    }

    pub(crate) const ALNUM: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const HEX: &str = "0123456789abcdef";

    #[test]
    fn random_values_of_credentials_are_shown() {
        for seed in 1..6 {
            let (long, hex) = (random(ALNUM, 24, seed), random(HEX, 40, seed));
            for text in [
                format!("password = \"{long}\""),
                format!("DB_PASSWORD={long}"),
                format!("  \"api_key\": \"{hex}\","),
                format!("const authToken = '{long}';"),
                format!("client.setApiKey(\"{long}\");"),
                format!("postgres://app:{long}@db/app"),
                format!("Authorization: Bearer {long}"),
                format!("<password>{long}</password>"),
                format!("export GITHUB_TOKEN={hex}"),
            ] {
                assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
            }
        }
    }

    #[test]
    fn passwords_made_of_words_are_shown_in_a_configuration() {
        for value in ["hunter2", "Summer2024!", "Tr0ub4dor&3", "blue-horse-seven-lamps", "Winter@2019"] {
            for text in
                [format!("password: {value}"), format!("DB_PASSWORD={value}"), format!("password = \"{value}\"")]
            {
                assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
            }
        }
    }

    #[test]
    fn dummies_are_not_shown() {
        for text in [
            "password = \"password\"",
            "user = User(name='test', password='password')",
            "secret: \"secret\"",
            "password = 'test'",
            "api_key = \"YOUR_API_KEY\"",
            "token: '<your-token>'",
            "password: changeme",
        ] {
            assert!(level(text) < Some(Confidence::Medium), "{text}: {:?}", best(text));
        }
    }

    #[test]
    fn code_is_silent() {
        let hash = random(HEX, 40, 9);
        for text in [
            "token = getToken()".to_owned(),
            "key: string;".to_owned(),
            "password: config.password,".to_owned(),
            "this.secret = secret;".to_owned(),
            "secret = os.environ[\"APP_SECRET\"]".to_owned(),
            "const key = `${prefix}-${id}`;".to_owned(),
            "\"forgot_password\": \"Forgot your password?\"".to_owned(),
            "token_url = \"https://login.example.org/oauth/token\"".to_owned(),
            "foreign_key: 'account_id'".to_owned(),
            "for key, value in items.items():".to_owned(),
            format!("public_key_hash = \"{hash}\""),
            format!("keyword: {hash}"),
        ] {
            assert!(level(&text) < Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
    }

    #[test]
    fn what_decodes_to_words_is_judged_by_them() {
        use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
        for words in ["the-client-secret\n", "proxy-client-secret", "any-user:eyJsomething.eyJsomething.98765qwer"] {
            let text = format!("secret: {}", BASE64.encode(words));
            assert!(level(&text) < Some(Confidence::Medium), "{words}: {:?}", best(&text));
        }
        let object = |password: &str| {
            format!("auth: \"{}\"", BASE64.encode(format!("{{\"username\":\"ada\",\"password\":\"{password}\"}}")))
        };
        for text in [object("4321"), format!("secret.key={}", BASE64.encode("ItIsOurOwnSecretKey0123456789"))] {
            assert!(level(&text) < Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
        let text = object(&random(ALNUM, 16, 5));
        assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
        let drawn = random(ALNUM, 20, 4);
        let text = format!("secret: {}", BASE64.encode(format!("{drawn}\n")));
        assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
        assert_eq!(level("amqp://app:pass%77ord@host:1"), level("amqp://app:password@host:1"));
    }

    #[test]
    fn options_types_and_expressions_are_silent() {
        let hash = random(HEX, 40, 21);
        for text in [
            "if (token.equals(\"--jmxurl\")) {".to_owned(),
            "if (token.startsWith(\"X9-kq2-\")) {".to_owned(),
            "CTL_KEY_default=\"/usr/sbin/brokerctl\"".to_owned(),
            "fun open(store: KeyStore, password: CharArray?, alias: String? = null) {".to_owned(),
            "input A { password: String!, name: String! }".to_owned(),
            "TOKEN_RE = re.compile(r\"acme_[0-9A-Za-z]{33}\")".to_owned(),
            "change the user password using `brokerctl` or the web".to_owned(),
            format!("our GPG key: {hash}<br>"),
        ] {
            assert!(level(&text) < Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
        let drawn = random(ALNUM, 24, 22);
        for text in [
            format!("if (token.equals(\"{drawn}\")) {{"),
            format!("password = \"--{drawn}\""),
            format!("password = \"[{drawn}]+\""),
            format!("password: {}!", "Rtwqkmvx"),
        ] {
            assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
    }

    #[test]
    fn identities_are_silent_and_secrets_in_their_form_are_shown() {
        let part = |n| random(HEX, n, 11 + n as u64);
        let uuid = format!("{}-{}-{}-{}-{}", part(8), part(4), part(4), part(4), part(12));
        for text in [
            format!("auth_token_id: \"{uuid}\""),
            format!("<link key=\"primaryKey\">{uuid}</link>"),
            format!("UUID STORE_TOKEN = UUID.fromString(\"{uuid}\");"),
            format!("INSERT INTO methods (id, method, t_id) VALUES ('1', 'password', '{uuid}');"),
        ] {
            assert!(level(&text) < Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
        for text in [
            format!("client_secret: \"{uuid}\""),
            format!("INSERT INTO users (id, password) VALUES (1, '{}');", random(ALNUM, 14, 2)),
        ] {
            assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
        assert!(level(&format!("vault_secret_id = \"{uuid}\"")) >= Some(Confidence::Low));
    }

    #[test]
    fn messages_of_protocols_open_nothing() {
        let (hash, nonce) = (random(HEX, 32, 31), random(HEX, 24, 32));
        let pin = format!("{}=", random(ALNUM, 43, 33));
        for text in [
            format!("Authorization: Digest username=\"ada\", realm=\"here\", nonce=\"{nonce}\", response=\"{hash}\""),
            format!("auth realm=\"here\",nonce=\"{nonce}\",response={hash} rspauth={hash}"),
            format!("Sec-WebSocket-Key: {}==", random(ALNUM, 22, 34)),
            format!("--pinnedpubkey sha256//{pin}"),
        ] {
            assert!(level(&text) < Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
    }

    #[test]
    fn the_name_of_a_secret_is_none() {
        let drawn = random(ALNUM, 32, 9);
        for name in ["secretName", "foreign_key_name", "TOKEN_NAME"] {
            let text = format!("{name}: \"{drawn}\"");
            assert!(level(&text) < Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
        let text = format!("db = https://username:{drawn}@host/x");
        assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
    }

    #[test]
    fn what_only_looks_like_a_credential_is_silent() {
        let (drawn, hex) = (random(ALNUM, 24, 31), random(HEX, 40, 32));
        let part = |n| random(HEX, n, 33 + n as u64);
        let uuid = format!("{}-{}-{}-{}-{}", part(8), part(4), part(4), part(4), part(12));
        let index = random("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 25, 34);
        let name = format!("aB3{}pwd", random(ALNUM, 6, 35));
        let silent = [
            // A call that looks at its value, or gives it back.
            format!("assert.False(t, IsAuthToken(\"{drawn}\"))"),
            format!("expect(scorePassword(\"{drawn}\")).toBe(100);"),
            format!("assert.Equal(t, \"{hex}\", UrlToken(\"{hex}\"))"),
            format!("passcode := m.SetUID(\"{drawn}\")"),
            format!(
                "p := NewPassword(\"{}\", \"letters\", false)",
                random("abcdefghijkmnpqrstuvwxyz0123456789", 16, 36)
            ),
            // The definition of a table, members of a file of made data.
            format!("  UNIQUE KEY `UK_{index}` (`NAME`,`REALM`),"),
            format!("{{\"{name}\":\"{}\"}}", random(ALNUM, 12, 37)),
            // What a page shows to everybody.
            format!("[![c](https://c.example/gh/a/b/badge.svg?token={})](https://c.example)", random(ALNUM, 10, 38)),
            format!("<img src=\"https://s.example/o/allow.png?alt=media&token={uuid}\">"),
            format!("    <h2 id=\"multikey-indexes:{}\">Multikey indexes</h2>", random(HEX, 32, 39)),
            format!("'website_key' => env('SITE', '{drawn}'),"),
            format!("<input name=\"__RequestVerificationToken\" value=\"{drawn}\">"),
            format!("'requesttoken' => '{drawn}',"),
            // Public keys of 512 and 4,096 bits.
            format!("encryptKey: \"MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJB{}\"", random(ALNUM, 80, 42)),
            format!("encryptKey: \"MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEA{}\"", random(ALNUM, 400, 43)),
            // Names, identities, examples.
            "\"from_secret\": \"cache_s3_bucket\",".to_owned(),
            format!("  pass: '{uuid}',"),
            format!("String cacheKey = \"{hex}\";"),
            format!("MUSIC_API_KEY=sample-{drawn}"),
            format!("fileKey := \"{}/{}/300.png\"", random(ALNUM, 15, 40), random(ALNUM, 15, 41)),
            "orkav_password: 'orkav',".to_owned(),
            "DATABASE_URL: postgresql://orkav:orkav@db:5432/orkav".to_owned(),
        ];
        let shown: Vec<_> = silent.iter().filter(|text| level(text) >= Some(Confidence::Medium)).collect();
        assert!(shown.is_empty(), "{shown:#?}");
        for text in [
            format!("client.SetAuthToken(\"{drawn}\")"),
            format!("p := NewPassword(\"{drawn}\", false)"),
            format!("login(\"app\", {{ token: \"{drawn}\" }})"),
            format!("  \"aB3xkqpwd\": \"{drawn}\""),
            format!("https://api.example/v1/report?token={drawn}"),
            format!("'secret_key' => env('SECRET', '{drawn}'),"),
            format!("client_secret: '{uuid}',"),
            format!("String cipherKey = \"{hex}\";"),
        ] {
            assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
    }

    #[test]
    fn what_only_credentials_are_written_as_is_shown() {
        let text = format!("'create user name identified by '{}{}' --", "SqLmy", "5tE0rD");
        assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
    }

    #[test]
    fn positions_in_pages_are_silent() {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
        let drawn = random(ALNUM, 32, 5);
        for text in [
            format!("  \"nextPageToken\": \"{drawn}\","),
            format!("page_token={drawn}"),
            format!("continuation-token: {drawn}"),
            format!("\"syncToken\": \"{drawn}\""),
            format!("<NextToken>{drawn}</NextToken>"),
            format!("auth_token = \"{}\"", BASE64.encode(r#"{"offset":"100","v":2,"filter":{"page":3}}"#)),
            format!(
                "ID_TOKEN = '{}'",
                BASE64.encode(format!(r#"{{"iss":"https://a","sub":"b","exp":1,"jti":"{drawn}"}}"#))
            ),
        ] {
            assert!(level(&text) < Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
        for text in [
            format!("FB_PAGE_TOKEN=\"{drawn}\""),
            format!("access_token: \"{drawn}\""),
            format!("auth_token = \"{}\"", BASE64.encode(format!(r#"{{"a":"b","secret":"{drawn}"}}"#))),
            format!("auth_token = \"{}\"", BASE64.encode(format!(r#"{{"a":"b","t":"{drawn}"}}"#))),
        ] {
            assert!(level(&text) >= Some(Confidence::Medium), "{text}: {:?}", best(&text));
        }
    }

    #[test]
    fn an_explained_score_is_the_same_score() {
        let text = format!("password = \"{}\"", random(ALNUM, 16, 3));
        let mut found = Vec::new();
        candidates(text.as_bytes(), 0..4, &mut found);
        let plain = score(text.as_bytes(), &found[0], false).expect("a score");
        let explained = score(text.as_bytes(), &found[0], true).expect("a score");
        assert_eq!(plain.log_odds, explained.log_odds);
        assert!(plain.contributions.is_empty() && !explained.contributions.is_empty());
    }

    #[test]
    fn any_bytes_are_survived() {
        let alphabet = "\"'`\\=:<>()[]{}$%&;, \n\r\t-_./|!*#@?+ABCpasswordTOKENkey0123é";
        for seed in 1..4000 {
            let text = random(alphabet, (seed % 90) as usize + 8, seed);
            for end in [4, text.len() / 2, text.len()] {
                let mut found = Vec::new();
                candidates(text.as_bytes(), end.saturating_sub(3)..end, &mut found);
                for c in &found {
                    let _ = score(text.as_bytes(), c, seed % 2 == 0);
                }
            }
            best(&format!("password{text}"));
            best(&format!("\"token{text}://{text}@x curl -u {text} Basic {text}"));
        }
    }
}
