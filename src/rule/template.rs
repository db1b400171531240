//! Templates of examples: `ghp_{alnum:30}{checksum}` is filled when a test runs, so that no
//! secret-shaped text stands in the repository. `docs/rules.md` lists the alphabets.

use crate::error::{Error, Result};

/// What completes a token at `{checksum}`, given what stands before it in the token.
pub type Complete<'a> = &'a dyn Fn(&[u8]) -> Option<String>;

/// Fills a template; the same seed gives the same text.
///
/// # Errors
/// The template names an unknown alphabet or is not closed.
pub fn fill(template: &str, seed: u64, complete: Complete<'_>) -> Result<String> {
    let mut random = Random(seed ^ 0x9E37_79B9_7F4A_7C15);
    expand(template, &mut random, complete)
}

fn expand(template: &str, random: &mut Random, complete: Complete<'_>) -> Result<String> {
    let mut out = String::new();
    let mut rest = template;
    while let Some(open) = rest.find(['{', '}']) {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        if let Some(after) = rest.strip_prefix("{{") {
            out.push('{');
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix("}}") {
            out.push('}');
            rest = after;
            continue;
        }
        if rest.starts_with('}') {
            return Err(bad(template, "a `}` stands alone (write `}}`)"));
        }
        let close = closing(rest).ok_or_else(|| bad(template, "a `{` is not closed (write `{{`)"))?;
        let field = &rest[1..close];
        rest = &rest[close + 1..];
        if let Some(inner) = field.strip_prefix("base64(").and_then(|f| f.strip_suffix(')')) {
            use base64::Engine;
            out.push_str(&base64::engine::general_purpose::STANDARD.encode(expand(inner, random, complete)?));
            continue;
        }
        match field {
            "uuid" => out.push_str(&random.uuid()),
            "UUID" => out.push_str(&random.uuid().to_uppercase()),
            "checksum" => {
                let start =
                    out.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_-.=+/".contains(c))).map_or(0, |at| at + 1);
                // In `name=token` and `name: token` the token starts after the operator.
                let head = &out[start..];
                let head = head
                    .split_once('=')
                    .map_or(head, |(name, token)| if token.len() > name.len() { token } else { head });
                let digits = complete(head.as_bytes())
                    .ok_or_else(|| bad(template, "the rule has no checksum that can be filled in"))?;
                out.push_str(&digits);
            }
            _ => {
                let (alphabet, length) =
                    field.rsplit_once(':').ok_or_else(|| bad(template, "a field has no `:length`"))?;
                let (least, most) = length.split_once('-').unwrap_or((length, length));
                let number = |n: &str| n.parse::<usize>().map_err(|_| bad(template, "a length is not a number"));
                let (least, most) = (number(least)?, number(most)?);
                let characters = characters(alphabet).ok_or_else(|| bad(template, "an alphabet is unknown"))?;
                let length = least + random.below(most.saturating_sub(least) + 1);
                out.push_str(&random.text(&characters, length));
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn bad(template: &str, why: &str) -> Error {
    Error::new(format!("template `{template}`")).because(why)
}

/// The brace that closes the field at the start; classes and parentheses may hold braces.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn characters(alphabet: &str) -> Option<Vec<u8>> {
    let class = match alphabet {
        "digit" => "0-9",
        "lower" => "a-z",
        "upper" => "A-Z",
        "alpha" => "A-Za-z",
        "alnum" => "0-9A-Za-z",
        "lownum" => "0-9a-z",
        "upnum" => "0-9A-Z",
        "hex" => "0-9a-f",
        "HEX" => "0-9A-F",
        "b64" => "0-9A-Za-z+/",
        "b64url" => "0-9A-Za-z_-",
        "base32" => "A-Z2-7",
        "base58" => "1-9A-HJ-NP-Za-km-z",
        other => other.strip_prefix('[')?.strip_suffix(']')?,
    };
    let bytes = class.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let mut first = bytes[at];
        if first == b'\\' && at + 1 < bytes.len() {
            at += 1;
            first = bytes[at];
        }
        if at + 2 < bytes.len() && bytes[at + 1] == b'-' {
            out.extend(first..=bytes[at + 2]);
            at += 3;
        } else {
            out.push(first);
            at += 1;
        }
    }
    out.sort_unstable();
    out.dedup();
    (!out.is_empty()).then_some(out)
}

/// SplitMix64: small, and the same on every machine. <https://prng.di.unimi.it/splitmix64.c>
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Random text in which no character follows itself and which shows the alphabet's kinds early:
    /// what a random value of this length nearly always looks like.
    fn text(&mut self, characters: &[u8], length: usize) -> String {
        let mut out = String::with_capacity(length);
        let mut last = 0;
        for _ in 0..length {
            let mut pick = characters[self.below(characters.len())];
            if pick == last && characters.len() > 1 {
                pick = characters[self.below(characters.len())];
            }
            last = pick;
            out.push(char::from(pick));
        }
        out
    }

    fn uuid(&mut self) -> String {
        let hex = |r: &mut Self, n| r.text(b"0123456789abcdef", n);
        let variant = char::from(b"89ab"[self.below(4)]);
        format!("{}-{}-4{}-{variant}{}-{}", hex(self, 8), hex(self, 4), hex(self, 3), hex(self, 3), hex(self, 12))
    }
}
