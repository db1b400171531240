//! What stands in the stead of a secret: `‹github-pat 3f2a›`.
//!
//! The four digits are the same for the same secret within a session, so that an agent can tell two secrets
//! apart and go on working. They come from a hash with a key that is this machine's alone and with the name of
//! the session: nobody can try values against them who has not both, and even then 16 bits confirm nothing.

use std::{
    cell::OnceCell,
    fs,
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::inspect::Found;

/// The bytes of a key.
const KEY: usize = 32;
/// Values shorter than this are only replaced where they were found, not wherever the same characters stand.
const SHORTEST: usize = 8;
const OPEN: char = '‹';
const CLOSE: char = '›';

/// Makes placeholders.
#[derive(Debug)]
pub struct Redactor {
    session: String,
    key_file: Option<PathBuf>,
    key: OnceCell<[u8; KEY]>,
}

impl Redactor {
    /// Placeholders of a session. The key is kept in this file, which is made when it is first needed; without
    /// one, a placeholder holds for one answer only.
    pub fn new(session: &str, key_file: Option<PathBuf>) -> Redactor {
        Redactor { session: session.to_owned(), key_file, key: OnceCell::new() }
    }

    /// The placeholder of a value that a rule found.
    pub fn placeholder(&self, rule: &str, value: &[u8]) -> String {
        let mut hash = blake3::Hasher::new_keyed(self.key.get_or_init(|| key(self.key_file.as_deref())));
        hash.update(self.session.as_bytes()).update(&[0]).update(value);
        format!("{OPEN}{rule} {}{CLOSE}", &hash.finalize().to_hex()[..4])
    }

    /// A text with placeholders in the stead of what was found in it.
    pub fn redact(&self, text: &str, found: &[Found]) -> String {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        for secret in found {
            let placeholder = self.placeholder(&secret.rule.id, secret.value.expose());
            let value = secret.value.expose();
            if value.len() >= SHORTEST {
                let again = memchr::memmem::find_iter(text.as_bytes(), value);
                spans.extend(again.map(|at| (at..at + value.len(), placeholder.clone())));
            }
            spans.extend(secret.spans.iter().map(|span| (span.clone(), placeholder.clone())));
        }
        // Of those that overlap the one that begins first and reaches furthest.
        spans.sort_by_key(|(span, _)| (span.start, std::cmp::Reverse(span.end)));
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        for (span, placeholder) in spans {
            if span.start >= at
                && span.end > span.start
                && text.is_char_boundary(span.start)
                && text.is_char_boundary(span.end)
            {
                out.push_str(&text[at..span.start]);
                out.push_str(&placeholder);
                at = span.end;
            } else if span.end > at && text.is_char_boundary(span.end) {
                at = span.end;
            }
        }
        out.push_str(&text[at..]);
        out
    }
}

/// Whether a text has a placeholder in it, as an agent that copies what it was shown writes it.
pub fn holds_placeholder(text: &str) -> bool {
    text.match_indices(OPEN).any(|(at, _)| {
        let rest = &text[at + OPEN.len_utf8()..];
        rest.split_once(CLOSE).and_then(|(inside, _)| inside.rsplit_once(' ')).is_some_and(|(rule, digits)| {
            digits.len() == 4
                && digits.bytes().all(|b| b.is_ascii_hexdigit())
                && !rule.is_empty()
                && rule.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
    })
}

/// The strings of a JSON value, one by one changed; names stay.
pub fn map_strings(value: &mut Value, change: &mut impl FnMut(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(new) = change(text) {
                *text = new;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| map_strings(item, change)),
        Value::Object(map) => map.values_mut().for_each(|item| map_strings(item, change)),
        _ => {}
    }
}

/// The key in the file; a new one where there is none.
fn key(file: Option<&Path>) -> [u8; KEY] {
    let read = |file: &Path| -> Option<[u8; KEY]> { fs::read(file).ok()?.try_into().ok() };
    if let Some(key) = file.and_then(read) {
        return key;
    }
    let mut key = [0; KEY];
    if getrandom::fill(&mut key).is_err() {
        // No randomness: a placeholder that differs from process to process still hides the value.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        key = *blake3::hash(&[now.as_nanos().to_le_bytes(), u128::from(std::process::id()).to_le_bytes()].concat())
            .as_bytes();
    }
    let Some((file, folder)) = file.and_then(|f| Some((f, f.parent()?))) else { return key };
    // Two hooks may run at once: the first one's key holds.
    let kept = fs::create_dir_all(folder).and_then(|()| {
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        new.write_all(&key)?;
        new.persist_noclobber(file).map_err(|e| e.error)?;
        Ok(())
    });
    match kept {
        Ok(()) => key,
        Err(_) => read(file).unwrap_or(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_placeholder_in_a_session_and_another_one_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keysift/agent.key");
        let make = |session: &str| Redactor::new(session, Some(file.clone())).placeholder("github-pat", b"value");
        assert_eq!(make("one"), make("one"));
        assert!((0..4).any(|n| make("one") != make(&n.to_string())));
        assert!(make("one").starts_with("‹github-pat ") && holds_placeholder(&format!("x = {}", make("one"))));
        let nowhere = Redactor::new("one", None);
        assert_eq!(nowhere.placeholder("r", b"v"), nowhere.placeholder("r", b"v"));
    }

    #[test]
    fn quotation_marks_are_no_placeholders() {
        for text in ["‹citation 2024 a›", "‹x›", "‹›", "‹", "a › b ‹ c", "‹Rule 3f2a›", "‹rule 3f2g›"]
        {
            assert!(!holds_placeholder(text), "{text}");
        }
    }
}
