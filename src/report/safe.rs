//! Foreign bytes made harmless: what a terminal would obey, or a reader could not see, is escaped.

use std::fmt::{self, Write};

/// Bytes from a repository, displayed so that they can do nothing to a terminal or a log.
///
/// Control characters (of both kinds), direction marks and overrides, invisible characters and
/// bytes that are not UTF-8 appear as escapes; everything else, in any script, as it is. The result
/// is always one line.
#[derive(Debug, Clone, Copy)]
pub struct Safe<'a>(pub &'a [u8]);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    c if c.is_ascii_control() => write!(f, "\\x{:02x}", c as u32)?,
                    c if is_deceptive(c) => write!(f, "\\u{{{:x}}}", c as u32)?,
                    c => f.write_char(c)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Whether a character commands a terminal, turns the direction of text, or cannot be seen.
///
/// Joiners (U+200C, U+200D) are not among them: names in Persian and Hindi need them.
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // A hyphen that is seldom there, a letter mark, a vowel separator without width.
            '\u{ad}' | '\u{61c}' | '\u{180e}'
            // No width; left-to-right and right-to-left marks.
            | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // Line and paragraph separators, embeddings and overrides.
            | '\u{2028}'..='\u{202e}'
            // Invisible operators, isolates, deprecated formats.
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags and variation selectors, which can smuggle whole sentences.
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_in_any_script_stays() {
        for text in ["src/main.rs", "Jürgen Groß", "山田太郎", "سارا\u{200c}جان", "a\\b", "👩\u{200d}💻"]
        {
            assert_eq!(Safe(text.as_bytes()).to_string(), text);
        }
    }

    #[test]
    fn sequences_and_line_breaks_are_escaped() {
        assert_eq!(Safe(b"a\x1b[2Jb\r\nc\td\x07\x7f").to_string(), r"a\x1b[2Jb\r\nc\td\x07\x7f");
        // The one-character form of ESC [, in UTF-8 and as a raw byte.
        assert_eq!(Safe("\u{9b}31m".as_bytes()).to_string(), r"\u{9b}31m");
        assert_eq!(Safe(b"\x9b31m").to_string(), r"\x9b31m");
    }

    #[test]
    fn direction_and_hidden_characters_are_escaped() {
        assert_eq!(Safe("a\u{202e}b\u{2066}c".as_bytes()).to_string(), r"a\u{202e}b\u{2066}c");
        assert_eq!(Safe("a\u{200b}b\u{e0041}".as_bytes()).to_string(), r"a\u{200b}b\u{e0041}");
    }

    #[test]
    fn what_is_not_utf8_is_escaped_byte_by_byte() {
        assert_eq!(Safe(b"a\xff\xfeb\xe2\x82").to_string(), r"a\xff\xfeb\xe2\x82");
    }
}
