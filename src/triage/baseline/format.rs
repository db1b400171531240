//! The text of a baseline: lines that stand for themselves, in any order, as a union merge leaves them.

use bstr::{BString, ByteSlice};
use jiff::civil::Date;

use super::{
    ANY_RULE, Baseline, Entry, Spot,
    hash::{Hash, MOST_ROUNDS, Salt, unhex},
};
use crate::{
    error::{Error, Result},
    rule::schema::edit_distance,
};

/// The comment that begins every file.
const HEADER: &str = "\
# keysift-baseline 1
# Known findings: rule, hash, place. One line each, sorted, no line numbers, no values.
# Append reason=\"…\" by=NAME until=YYYY-MM-DD to a line; `keysift baseline prune` drops what is gone.
# Merges line by line: put `.keysift-baseline merge=union` into .gitattributes.
";

/// The version in the first comment.
const VERSION: u32 = 1;
/// The words that may stand behind an entry.
const WORDS: &[&str] = &["reason", "by", "until", "past", "low"];

/// The text of a baseline.
pub(super) fn print(baseline: &Baseline) -> String {
    let mut out = HEADER.to_owned();
    for salt in baseline.salts.iter().filter(|s| !s.is_transient()) {
        out.push_str(&format!("salt {}\n", salt.print()));
    }
    if baseline.history {
        out.push_str("history\n");
    }
    let mut lines: Vec<String> = baseline.entries.iter().map(line).collect();
    lines.sort();
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The line of an entry.
pub(super) fn line(entry: &Entry) -> String {
    let rule = match entry.rule.as_str() {
        ANY_RULE => ANY_RULE.to_owned(),
        // Not to be taken for a salt.
        "salt" => "\"salt\"".to_owned(),
        rule => quoted(rule.as_bytes()),
    };
    let mut out = format!("{rule} {} {}", entry.hash.print(), spot(&entry.spot));
    for (word, given) in [("past", entry.past), ("low", entry.low)] {
        if given {
            out.push(' ');
            out.push_str(word);
        }
    }
    let until = entry.until.map(|d| d.to_string());
    for (word, value) in [("reason", &entry.reason), ("by", &entry.by), ("until", &until)] {
        if let Some(value) = value {
            out.push_str(&format!(" {word}={}", quoted(value.as_bytes())));
        }
    }
    out
}

/// A spot as it stands in the file.
pub(super) fn spot(spot: &Spot) -> String {
    match spot {
        Spot::Anywhere => "*".to_owned(),
        Spot::Commit => "<commit>".to_owned(),
        Spot::Tag => "<tag>".to_owned(),
        Spot::Ref => "<ref>".to_owned(),
        Spot::FileName => "<name>".to_owned(),
        Spot::Path(path) => quoted(path),
    }
}

/// A word as it is, or in quotes where it could be taken for something else.
fn quoted(text: &[u8]) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"._/@+-:,~%!$^&()".contains(b) || *b >= 0x80;
    let whole = std::str::from_utf8(text).ok().filter(|s| !s.chars().any(|c| c.is_control() || c.is_whitespace()));
    if let Some(whole) = whole
        && !text.is_empty()
        && text.iter().all(plain)
    {
        return whole.to_owned();
    }
    let mut out = String::from("\"");
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                // Also what `str::lines` or a terminal would take for the end of a line.
                c if c.is_control() || (c != ' ' && c.is_whitespace()) => {
                    let mut bytes = [0; 4];
                    for byte in c.encode_utf8(&mut bytes).bytes() {
                        out.push_str(&format!("\\x{byte:02x}"));
                    }
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out.push('"');
    out
}

/// One word of a line: what stands before `=`, whether there was one, and the text behind.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    /// The key in front of `=`, if any.
    key: Option<String>,
    text: BString,
    was_quoted: bool,
}

/// The words of a line.
fn words(line: &[u8]) -> std::result::Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii();
    while !rest.is_empty() {
        let mut key = None;
        if !rest.starts_with(b"\"") {
            let end = rest.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(rest.len());
            // Only lower-case letters make a key: `=` is quoted in paths.
            match rest[..end].find_byte(b'=') {
                Some(at) if at > 0 && rest[..at].iter().all(u8::is_ascii_lowercase) => {
                    key = Some(rest[..at].to_str_lossy().into_owned());
                    rest = &rest[at + 1..];
                }
                _ => {}
            }
        }
        if let Some(inside) = rest.strip_prefix(b"\"") {
            let (text, behind) = unquoted(inside)?;
            rest = behind;
            if rest.first().is_some_and(|b| !b.is_ascii_whitespace()) {
                return Err("a space is missing behind the closing quote".to_owned());
            }
            words.push(Word { key, text, was_quoted: true });
        } else {
            let end = rest.iter().position(|b| b.is_ascii_whitespace()).unwrap_or(rest.len());
            words.push(Word { key, text: rest[..end].into(), was_quoted: false });
            rest = &rest[end..];
        }
        rest = rest.trim_ascii_start();
    }
    Ok(words)
}

/// The text up to the closing quote, and what stands behind it.
fn unquoted(text: &[u8]) -> std::result::Result<(BString, &[u8]), String> {
    let mut out = BString::default();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => return Ok((out, &text[at..])),
            b'\\' => {
                let escape = text.get(at).copied();
                at += 1;
                match escape {
                    Some(b'n') => out.push(b'\n'),
                    Some(b'r') => out.push(b'\r'),
                    Some(b't') => out.push(b'\t'),
                    Some(c @ (b'"' | b'\\')) => out.push(c),
                    Some(b'x') => {
                        let digits = text.get(at..at + 2).and_then(|d| d.to_str().ok());
                        let [byte] = digits.and_then(unhex::<1>).ok_or("`\\x` wants two hex digits")?;
                        out.push(byte);
                        at += 2;
                    }
                    _ => return Err("an unknown escape: there are \\\" \\\\ \\n \\r \\t \\xNN".to_owned()),
                }
            }
            other => out.push(other),
        }
    }
    Err("a quote is not closed".to_owned())
}

/// Reads the text of a baseline.
pub(super) fn parse(bytes: &[u8], name: &str) -> Result<Baseline> {
    let mut baseline = Baseline {
        name: name.to_owned(),
        salts: Default::default(),
        entries: Default::default(),
        history: false,
        redacted: 0,
    };
    let mut numbered: Vec<(usize, Hash)> = Vec::new();
    for (at, text) in bytes.lines().enumerate() {
        let fail = |why: String| Error::new(format!("{name}:{}", at + 1)).because(why);
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if let Some(comment) = text.strip_prefix(b"#") {
            if let Some(version) = comment.trim_ascii().strip_prefix(b"keysift-baseline ") {
                let version = version.to_str_lossy();
                if version.trim().parse::<u32>().is_ok_and(|v| v > VERSION) {
                    return Err(fail(format!("the format is version {version}, and this keysift reads {VERSION}"))
                        .help("use a newer keysift"));
                }
            }
            continue;
        }
        if [&b"<<<<<<<"[..], b">>>>>>>", b"=======", b"|||||||"].iter().any(|mark| text.starts_with(mark)) {
            return Err(fail("a merge conflict is not resolved".to_owned()).help(
                "keep the lines of both sides; `.keysift-baseline merge=union` in .gitattributes makes git do so",
            ));
        }
        if text == b"history" {
            baseline.history = true;
            continue;
        }
        if let Some(rest) = text.strip_prefix(b"salt ") {
            baseline.salts.insert(salt(rest).map_err(fail)?);
            continue;
        }
        let entry = words(text).and_then(entry).map_err(fail)?;
        numbered.push((at + 1, entry.hash));
        baseline.entries.insert(entry);
    }
    for (at, hash) in numbered {
        if matches!(hash, Hash::Keyed { .. }) && !baseline.salts.iter().any(|s| hash.is_of(s)) {
            let start = hash.print().split(':').next().unwrap_or_default().to_owned();
            return Err(Error::new(format!("{name}:{at}"))
                .because(format!("the file has no salt that starts with {start}"))
                .help("bring its `salt` line back from git, or make the baseline anew"));
        }
    }
    Ok(baseline)
}

fn salt(text: &[u8]) -> std::result::Result<Salt, String> {
    let text = text.to_str_lossy();
    let mut words = text.split_ascii_whitespace();
    let bytes = words.next().and_then(unhex).ok_or("a salt has 32 hex digits")?;
    let rounds = words.next().and_then(|w| w.parse().ok()).filter(|r| (1..=MOST_ROUNDS).contains(r));
    let rounds = rounds.ok_or_else(|| format!("behind a salt stand its rounds, 1 to {MOST_ROUNDS}"))?;
    match words.next() {
        Some(more) => Err(format!("`{more}` is too much behind a salt")),
        None => Some(Salt::new(bytes, rounds))
            .filter(|salt| !salt.is_transient())
            .ok_or_else(|| "this salt is not random; `keysift baseline create` makes one that is".to_owned()),
    }
}

fn entry(words: Vec<Word>) -> std::result::Result<Entry, String> {
    let mut words = words.into_iter();
    let mut next = |what: &str| {
        words
            .next()
            .filter(|w| w.key.is_none())
            .ok_or_else(|| format!("the {what} is missing: an entry is `RULE HASH PATH`"))
    };
    let rule = next("rule")?.text.to_str_lossy().into_owned();
    let hash = next("hash")?.text.to_str_lossy().into_owned();
    let hash = Hash::parse(&hash).ok_or_else(|| {
        format!("`{hash}` is no hash: `SALT:` and 32 hex digits, or `sha1:`, `sha256:`, `fingerprint:`")
    })?;
    let place = next("path")?;
    let spot = match (place.was_quoted, place.text.as_slice()) {
        (false, b"*") => Spot::Anywhere,
        (false, b"<commit>") => Spot::Commit,
        (false, b"<tag>") => Spot::Tag,
        (false, b"<ref>") => Spot::Ref,
        (false, b"<name>") => Spot::FileName,
        _ => Spot::Path(place.text),
    };
    let mut entry = Entry::new(&rule, hash, spot);
    for word in words {
        let text = word.text.to_str_lossy().into_owned();
        match (word.key.as_deref(), text.as_str()) {
            (Some("reason"), _) => entry.reason = Some(text),
            (Some("by"), _) => entry.by = Some(text),
            (Some("until"), _) => {
                let date = text.parse::<Date>();
                entry.until = Some(date.map_err(|_| format!("`{text}` is no date: until=2027-01-31"))?);
            }
            (None, "past") => entry.past = true,
            (None, "low") => entry.low = true,
            (key, _) => {
                let key = key.unwrap_or(&text);
                let near = WORDS.iter().find(|w| edit_distance(key, w) <= 2);
                let hint = near.map(|w| format!(", did you mean `{w}`?")).unwrap_or_default();
                return Err(format!("unknown word `{key}`{hint}"));
            }
        }
    }
    Ok(entry)
}
