//! Expressions of gitleaks (Go's dialect) and detect-secrets (Python's) in the dialect of Rust's regex
//! crate. The three differ little; what is said here are the differences that real configurations have.

use std::fmt::Write;

/// The same expression for Rust. What Rust cannot express stays as it is, and fails when it is parsed.
pub(super) fn from_go(pattern: &str) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match (c, chars.get(at + 1)) {
            ('\\', Some('Q')) => {
                let (literal, end) = quotation(&chars, at + 2);
                out.push_str(&regex::escape(&literal));
                at = end;
            }
            ('\\', Some('<' | '>')) => {
                out.push(chars[at + 1]);
                at += 2;
            }
            ('\\', Some('C')) => {
                out.push_str("(?s:.)");
                at += 2;
            }
            ('\\', Some('p' | 'P')) => {
                let end = property_end(&chars, at + 2);
                let _ = write!(out, "(?u:{})", chars[at..end].iter().collect::<String>());
                at = end;
            }
            ('\\', Some(next)) => {
                out.extend(['\\', *next]);
                at += 2;
            }
            ('[', _) => {
                let (class, end) = class(&chars, at);
                out.push_str(&class);
                at = end;
            }
            ('{', _) => {
                let repeats = is_repetition(&chars, at) && at > 0;
                out.push_str(if repeats { "{" } else { "\\{" });
                at += 1;
            }
            ('}', _) => {
                // The end of a repetition is the only `}` that is none by itself; both are written alike.
                out.push_str(if closes_repetition(&chars, at) { "}" } else { "\\}" });
                at += 1;
            }
            _ => {
                out.push(c);
                at += 1;
            }
        }
    }
    out
}

/// The text of `\Q…\E`, and where it ends.
fn quotation(chars: &[char], start: usize) -> (String, usize) {
    let mut at = start;
    while at < chars.len() && !(chars[at] == '\\' && chars.get(at + 1) == Some(&'E')) {
        at += 1;
    }
    (chars[start..at].iter().collect(), (at + 2).min(chars.len().max(at)))
}

/// Where `\pL` or `\p{Greek}` ends; `at` is behind the `p`.
fn property_end(chars: &[char], at: usize) -> usize {
    match chars.get(at) {
        Some('{') => chars[at..].iter().position(|c| *c == '}').map_or(chars.len(), |end| at + end + 1),
        Some(_) => at + 1,
        None => at,
    }
}

fn is_repetition(chars: &[char], open: usize) -> bool {
    let Some(close) = chars[open..].iter().position(|c| *c == '}') else { return false };
    let inside: String = chars[open + 1..open + close].iter().collect();
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match inside.split_once(',') {
        None => digits(&inside),
        Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
    }
}

fn closes_repetition(chars: &[char], close: usize) -> bool {
    let open = chars[..close].iter().rposition(|c| *c == '{');
    open.is_some_and(|open| open > 0 && is_repetition(chars, open) && chars[open..close].iter().all(|c| *c != '}'))
}

/// A character class, and where it ends. In Go, `[`, `&&`, `~~` and `--` inside have no meaning of their own.
fn class(chars: &[char], open: usize) -> (String, usize) {
    let mut out = String::from("[");
    let mut at = open + 1;
    let mut wide = false;
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    while let Some(&c) = chars.get(at) {
        match c {
            ']' if at > first => {
                out.push(']');
                return (if wide { format!("(?u:{out})") } else { out }, at + 1);
            }
            ']' => out.push_str("\\]"),
            '\\' => {
                let next = chars.get(at + 1).copied().unwrap_or('\\');
                match next {
                    '<' | '>' => out.push(next),
                    'p' | 'P' => {
                        wide = true;
                        let end = property_end(chars, at + 2);
                        out.extend(&chars[at..end]);
                        at = end;
                        continue;
                    }
                    _ => out.extend(['\\', next]),
                }
                at += 2;
                continue;
            }
            '[' if chars.get(at + 1) == Some(&':') => {
                let end = chars[at..].windows(2).position(|w| w == [':', ']']);
                match end {
                    Some(end) if end > 1 => {
                        out.extend(&chars[at..at + end + 2]);
                        at += end + 2;
                        continue;
                    }
                    _ => out.push_str("\\["),
                }
            }
            '[' => out.push_str("\\["),
            '&' | '~' if chars.get(at + 1) == Some(&c) || (at > first && chars[at - 1] == c) => out.extend(['\\', c]),
            '-' if at == first || chars.get(at + 1) == Some(&']') => out.push_str("\\-"),
            _ => {
                wide |= !c.is_ascii();
                out.push(c);
            }
        }
        at += 1;
    }
    (out, at)
}

/// The gitignore pattern that covers the same files, for the plain forms that people write.
pub(super) fn as_ignore_pattern(pattern: &str) -> Option<String> {
    let (anchored, rest) = ["(^|/)", "(?:^|/)", "(^|\\/)", "(?:^|\\/)"]
        .iter()
        .find_map(|p| pattern.strip_prefix(p))
        .map(|rest| (Some(false), rest))
        .or_else(|| pattern.strip_prefix('^').map(|rest| (Some(true), rest)))
        .unwrap_or((None, pattern));
    let (rest, folder) = match rest.strip_suffix(".*$").or_else(|| rest.strip_suffix(".*")) {
        Some(rest) if rest.ends_with('/') => (rest, true),
        Some(_) => return None,
        None => (rest, rest.ends_with('/')),
    };
    let (rest, ends) = match rest.strip_suffix('$') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    if folder == ends {
        return None;
    }
    let mut literal = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                c @ ('.' | '/' | '-' | '_') => literal.push(c),
                _ => return None,
            },
            c if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | ' ' | '@') => literal.push(c),
            _ => return None,
        }
    }
    if literal.is_empty() || literal.starts_with('/') || literal.starts_with(' ') || literal.ends_with(' ') {
        return None;
    }
    let inner = literal.trim_end_matches('/').contains('/');
    match anchored {
        Some(true) => Some(format!("/{literal}")),
        Some(false) if inner => Some(format!("**/{literal}")),
        Some(false) => Some(literal),
        None if folder || inner => None,
        None => Some(format!("*{literal}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_becomes_rust() {
        for (go, text, other) in [
            (r"[^[]x", "ax", "[x"),
            (r"[\w[\]]+$", "a[]", "{"),
            (r"\$\{\w+}", "${HOME}", "$HOME"),
            (r"{{ \w+ }}", "{{ name }}", "{ name }"),
            (r"a{2}{", "aa{", "a{2}"),
            (r"\<tag\>", "<tag>", "tag"),
            (r"\Qa.b\E+", "a.bb", "axb"),
            (r"[a&&b]c", "&c", "xc"),
            (r"[[:alpha:]_-]{2}", "a-", "1-"),
            (r"[]a]z", "]z", "bz"),
            (r"[-+]1", "-1", "*1"),
            (r"^\p{Lu}", "É", "é"),
            (r"[äö]x", "öx", "ox"),
            (r"(?i)abc{1,}", "ABCC", "AB"),
        ] {
            let rust = from_go(go);
            crate::rule::expression::Expression::parse(&rust).unwrap_or_else(|e| panic!("{go} -> {rust}: {e}"));
            let regex = regex::bytes::RegexBuilder::new(&rust).unicode(false).build().unwrap();
            assert!(regex.is_match(text.as_bytes()), "{go} -> {rust} on {text}");
            assert!(!regex.is_match(other.as_bytes()), "{go} -> {rust} on {other}");
        }
        for torn in ["[", "\\", "[^", "\\Q", "[[:", "a{", "{", "}", "\\p", "\\p{", "[\\", "[a-"] {
            let _ = from_go(torn);
        }
    }

    #[test]
    fn plain_paths_become_ignore_patterns() {
        for (pattern, want) in [
            (r"^vendor/", Some("/vendor/")),
            (r"^vendor/.*$", Some("/vendor/")),
            (r"(^|/)node_modules/", Some("node_modules/")),
            (r"(?:^|/)a/b/", Some("**/a/b/")),
            (r"(^|/)go\.sum$", Some("go.sum")),
            (r"^package-lock\.json$", Some("/package-lock.json")),
            (r"\.lock$", Some("*.lock")),
            (r"vendor", None),
            (r"vendor/", None),
            (r"a/b$", None),
            (r"^vendor", None),
            (r"(a|b)/", None),
            (r"\w+/", None),
            (r".*", None),
            (r"", None),
        ] {
            assert_eq!(as_ignore_pattern(pattern).as_deref(), want, "{pattern}");
        }
    }
}
