//! Whether a token that has no format of its own stands where a credential stands, near its provider's word.

use std::ops::Range;

/// How many lines may lie between the word and the token.
const LINES: usize = 5;
/// How far the word may stand from the token on the same line, in bytes.
const GAP: usize = 80;
/// Words in a name that say "credential".
const CREDENTIAL: &[&[u8]] = &[
    b"key",
    b"token",
    b"secret",
    b"pass",
    b"pwd",
    b"auth",
    b"credential",
    b"bearer",
    b"api",
    b"pat",
    b"access",
    b"sid",
    b"licen",
    b"signature",
    b"private",
    b"webhook",
    b"hook",
    b"login",
];
/// Words in a name that say "not a credential".
const OTHER: &[&[u8]] = &[
    b"sha",
    b"commit",
    b"md5",
    b"checksum",
    b"digest",
    b"hash",
    b"etag",
    b"revision",
    b"integrity",
    b"resolved",
    b"version",
    b"trace",
    b"span",
    b"request",
    b"public",
];

/// Judges a token at `span` in a window, near the word at `word`: `Ok(true)` where the statement itself
/// names the provider or a credential, `Ok(false)` where only the neighbourhood does.
pub fn evidence(window: &[u8], word: &Range<usize>, span: &Range<usize>) -> Result<bool, &'static str> {
    if word.start < span.end && span.start < word.end {
        return Err("the word is part of the value");
    }
    let between = if word.end <= span.start { &window[word.end..span.start] } else { &window[span.end..word.start] };
    let lines = between.iter().filter(|b| **b == b'\n').count();
    if lines > LINES {
        return Err("the provider's word stands too far away");
    }
    let line_start = memchr::memrchr(b'\n', &window[..span.start]).map_or(0, |at| at + 1);
    let before = &window[line_start..span.start];
    if !introduced(before, window.get(span.end).copied()) {
        return Err("it does not stand where a value stands");
    }
    let value = &window[span.clone()];
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == 0 && value.len() < 40 || digits == value.len() && value.len() < 12 {
        return Err("it is less random than a token is");
    }
    let name = statement_name(before);
    if OTHER.iter().any(|w| contains(name, w)) && !CREDENTIAL.iter().any(|w| contains(name, w)) {
        return Err("its name says that it is something else");
    }
    if lines == 0 && word.end <= span.start {
        return if between.len() <= GAP { Ok(true) } else { Err("the provider's word stands too far away") };
    }
    if CREDENTIAL.iter().any(|w| contains(before, w)) { Ok(true) } else { Ok(false) }
}

/// Whether what stands before and after lets this be a value: a quote, an operator, a delimiter.
fn introduced(before: &[u8], after: Option<u8>) -> bool {
    let opened = match before.trim_ascii_end().last() {
        None => true,
        Some(b) => {
            before.last().is_some_and(u8::is_ascii_whitespace)
                || matches!(
                    b,
                    b'"' | b'\''
                        | b'`'
                        | b'='
                        | b':'
                        | b'('
                        | b'['
                        | b'{'
                        | b'<'
                        | b'>'
                        | b','
                        | b'|'
                        | b'/'
                        | b'?'
                        | b'&'
                        | b'@'
                        | b'\\'
                        | b';'
                        | b'~'
                        | b'-'
                        | b'n'
                        | b'D'
                )
        }
    };
    let closed = after.is_none_or(|b| {
        b.is_ascii_whitespace()
            || matches!(
                b,
                b'"' | b'\''
                    | b'`'
                    | b','
                    | b';'
                    | b')'
                    | b']'
                    | b'}'
                    | b'<'
                    | b'>'
                    | b'&'
                    | b'|'
                    | b'\\'
                    | b'#'
                    | b'?'
                    | b':'
                    | b'/'
                    | b'.'
                    | b'@'
                    | b'='
            )
    });
    opened && closed
}

/// The text of the statement that introduces a value: back to the last separator.
fn statement_name(before: &[u8]) -> &[u8] {
    let end = before.len();
    let start =
        before[..end].iter().rposition(|b| matches!(b, b',' | b';' | b'{' | b'}' | b'&' | b'?')).map_or(0, |at| at + 1);
    &before[start..]
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}
