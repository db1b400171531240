//! Comments in the source that set a finding aside: keysift's own markers and those of its peers.
//!
//! ```text
//! key = "…"  # keysift:allow                         every rule, no reason
//! key = "…"  # keysift:allow[rule-a,rule-b] a test account
//! # keysift:allow-next-line[rule-a] a test account
//! key = "…"
//! ```

use bstr::ByteSlice;

/// How much of a reason is kept, in characters.
const LONGEST_REASON: usize = 200;
/// A word of a reason with this many token characters and a digit among them is not shown: it may be a secret.
const SUSPECT_WORD: usize = 20;

/// Which line a marker speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaches {
    /// Its own.
    Line,
    /// The next one.
    NextLine,
}

/// A text that marks a line, in lower case; longer ones before those that they start with.
const MARKERS: &[(&str, Reaches)] = &[
    ("keysift:allow-next-line", Reaches::NextLine),
    ("keysift:allow", Reaches::Line),
    ("gitleaks:allow", Reaches::Line),
    ("betterleaks:allow", Reaches::Line),
    ("trufflehog:ignore", Reaches::Line),
    ("kingfisher:ignore", Reaches::Line),
    ("pragma: allowlist nextline secret", Reaches::NextLine),
    ("pragma: whitelist nextline secret", Reaches::NextLine),
    ("pragma:allowlist nextline secret", Reaches::NextLine),
    ("pragma: allowlist secret", Reaches::Line),
    ("pragma: whitelist secret", Reaches::Line),
    ("pragma:allowlist secret", Reaches::Line),
    ("ggignore", Reaches::Line),
];

/// What ends a comment in the languages that have such an end.
const CLOSERS: &[&str] = &["*/", "-->", "#}", "%>", "*)", "--]]", "?>", "-}"];

/// A marker that sets a match aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Which line it speaks of.
    pub reaches: Reaches,
    /// The reason that stands behind it.
    pub reason: Option<String>,
}

/// The marker that sets aside a match of this rule, if there is one: on one of its own `lines`, or on the
/// line `above` if it speaks of the next line. A marker inside the secret is none.
pub fn find(rule: &str, secret: &[u8], lines: &[u8], above: &[u8]) -> Option<Marker> {
    lines
        .lines()
        .find_map(|line| in_line(rule, secret, line, Reaches::Line))
        .or_else(|| in_line(rule, secret, above.trim_ascii_end(), Reaches::NextLine))
}

/// The first marker of this reach in a line that holds for this rule.
fn in_line(rule: &str, secret: &[u8], line: &[u8], reaches: Reaches) -> Option<Marker> {
    // Every marker has one of these; most lines have none.
    memchr::memchr2(b':', b'g', line).or_else(|| memchr::memchr(b'G', line))?;
    let lower = line.to_ascii_lowercase();
    for (text, _) in MARKERS.iter().filter(|(_, r)| *r == reaches) {
        for at in memchr::memmem::find_iter(&lower, text.as_bytes()) {
            let end = at + text.len();
            let inside = !secret.is_empty() && line.find_iter(secret).any(|s| s < end && at < s + secret.len());
            if inside || joins(lower[..at].last()) || lower.get(end).is_some_and(|b| joins(Some(b))) {
                continue;
            }
            let mut rest = &line[end..];
            if text.starts_with("keysift:") && rest.first() == Some(&b'[') {
                // Without its end a list names no rule: the finding stays.
                let Some(close) = rest.find_byte(b']') else { continue };
                let holds = rest[1..close]
                    .split(|b| *b == b',')
                    .any(|id| id.trim_ascii().eq_ignore_ascii_case(rule.as_bytes()));
                if !holds {
                    continue;
                }
                rest = &rest[close + 1..];
            }
            return Some(Marker { reaches, reason: reason(rest, secret) });
        }
    }
    None
}

/// Whether a byte beside a marker makes another word of it.
fn joins(byte: Option<&u8>) -> bool {
    byte.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The reason behind a marker, without what closes the comment and without anything like a secret.
fn reason(rest: &[u8], secret: &[u8]) -> Option<String> {
    let text = rest.to_str_lossy();
    let mut text = text.as_ref();
    for closer in CLOSERS {
        text = text.split(closer).next().unwrap_or(text);
    }
    // Code behind the marker is no reason.
    if !secret.is_empty() && text.as_bytes().contains_str(secret) {
        return None;
    }
    let text =
        text.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '-' | ',' | ';' | '(' | '–' | '—'));
    let words: Vec<String> = text.split_whitespace().map(plain).collect();
    let mut text: String = words.join(" ");
    if text.starts_with('"') || text.starts_with('\'') || !text.contains(|c: char| c.is_alphanumeric()) {
        return None;
    }
    if let Some((cut, _)) = text.char_indices().nth(LONGEST_REASON) {
        text.truncate(cut);
        text.push('…');
    }
    Some(text)
}

/// A word as it may be shown.
fn plain(word: &str) -> String {
    let token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '=');
    let suspect =
        word.split(|c| !token(c)).any(|run| run.len() >= SUSPECT_WORD && run.contains(|c: char| c.is_ascii_digit()));
    if suspect { "…".to_owned() } else { word.chars().filter(|c| !c.is_control()).collect() }
}
