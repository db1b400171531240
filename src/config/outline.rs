//! Where the tables of a TOML text begin and end, so that a part of it can be read by itself with its
//! line numbers kept. For texts that are known to be TOML: it does not judge.

use std::ops::Range;

/// A stretch of the text that begins with a `[header]`, or the part before the first one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    /// The parts of the header: `[rules.allowlist]` has two. Empty for the part before the first header.
    pub(super) header: Vec<String>,
    /// From the header to the next one.
    pub(super) span: Range<usize>,
    /// The line of the header, from 1.
    pub(super) line: u32,
    /// The assignments: first part of the key, where it stands, its line.
    pub(super) keys: Vec<(String, Range<usize>, u32)>,
}

/// The sections of a TOML text.
pub(super) fn outline(text: &str) -> Vec<Section> {
    let bytes = text.as_bytes();
    let mut sections = vec![Section { header: Vec::new(), span: 0..text.len(), line: 1, keys: Vec::new() }];
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let start = at;
        let first_line = line;
        let end = statement_end(bytes, at, &mut line);
        at = end;
        let statement = text.get(start..end).unwrap_or_default();
        let trimmed = statement.trim_start();
        let offset = start + (statement.len() - trimmed.len());
        let Some(current) = sections.last_mut() else { break };
        if let Some(header) = trimmed.strip_prefix('[') {
            current.span.end = start;
            let header = header.strip_prefix('[').unwrap_or(header);
            let (header, _) = dotted(header);
            sections.push(Section { header, span: start..text.len(), line: first_line, keys: Vec::new() });
        } else if !trimmed.is_empty() && !trimmed.starts_with('#') {
            let (parts, _) = dotted(trimmed);
            if let Some(key) = parts.into_iter().next() {
                current.keys.push((key, offset..end, first_line));
            }
        }
    }
    sections
}

/// The end of the statement that starts here: behind the next line end outside of strings and brackets.
fn statement_end(bytes: &[u8], mut at: usize, line: &mut u32) -> usize {
    let mut depth = 0usize;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\n' => {
                *line += 1;
                if depth == 0 {
                    return at;
                }
            }
            b'#' => {
                while bytes.get(at).is_some_and(|b| *b != b'\n') {
                    at += 1;
                }
            }
            b'"' | b'\'' => at = string_end(bytes, at - 1, line),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    at
}

/// The end of the string whose first quote stands here.
fn string_end(bytes: &[u8], at: usize, line: &mut u32) -> usize {
    let quote = bytes[at];
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let mut at = if triple { at + 3 } else { at + 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => {
                if bytes.get(at + 1) == Some(&b'\n') {
                    *line += 1;
                }
                at += 2;
                continue;
            }
            b'\n' if !triple => return at,
            b'\n' => *line += 1,
            _ if byte == quote && !triple => return at + 1,
            _ if byte == quote && bytes[at..].starts_with(&[quote; 3]) => {
                at += 3;
                // Up to two quotes may stand before the closing ones.
                while bytes.get(at) == Some(&quote) {
                    at += 1;
                }
                return at;
            }
            _ => {}
        }
        at += 1;
    }
    at.min(bytes.len())
}

/// The parts of a dotted key, and what stands behind it.
fn dotted(text: &str) -> (Vec<String>, &str) {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (part, behind) = match quote {
            Some(quote) => {
                let inside = &rest[1..];
                let end = inside.find(quote).unwrap_or(inside.len());
                (&inside[..end], inside.get(end + 1..).unwrap_or_default())
            }
            None => {
                let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
                rest.split_at(end)
            }
        };
        parts.push(part.to_owned());
        match behind.trim_start().strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None => return (parts, behind),
        }
    }
}

/// The text with everything blanked that does not belong to these tables. Lines stay where they are.
pub(super) fn only(text: &str, tables: &[&str]) -> String {
    let wanted = |key: &str| tables.contains(&key);
    let mut keep: Vec<Range<usize>> = Vec::new();
    for section in outline(text) {
        match section.header.first() {
            Some(first) if wanted(first) => keep.push(section.span),
            Some(_) => {}
            None => keep.extend(section.keys.into_iter().filter(|(key, ..)| wanted(key)).map(|(_, span, _)| span)),
        }
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let newlines = |range: Range<usize>| text.get(range).unwrap_or_default().chars().filter(|c| *c == '\n');
    for range in keep {
        out.extend(newlines(at..range.start));
        out.push_str(text.get(range.clone()).unwrap_or_default());
        at = range.end;
    }
    out.extend(newlines(at..text.len()));
    out
}

/// The text of the `[[rules]]` table with this id, with its sub-tables.
pub(super) fn rule_text<'a>(text: &'a str, sections: &[Section], id: &str) -> Option<&'a str> {
    let starts = sections.iter().enumerate().filter(|(_, s)| s.header == ["rules"]);
    for (number, section) in starts {
        let says = |(key, span, _): &(String, Range<usize>, u32)| {
            let value = text.get(span.clone()).and_then(|s| s.split_once('=')).map(|(_, v)| v.trim());
            key.eq_ignore_ascii_case("id")
                && value.is_some_and(|v| {
                    v.get(1..).and_then(|v| v.strip_prefix(id)).is_some_and(|r| r.starts_with(['"', '\'']))
                })
        };
        if section.keys.iter().any(says) {
            let next = sections[number + 1..].iter().find(|s| s.header.len() < 2 || s.header[0] != "rules");
            return text.get(section.span.start..next.map_or(text.len(), |s| s.span.start));
        }
    }
    None
}
