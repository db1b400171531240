//! Whether a private key in PEM is there as a whole, or a manual shows its ends.

use super::checksum::decode_base64;

/// A key of which so many bytes are missing lacks a line.
const A_LINE: usize = 40;

/// Whether a key that a text shows is shortened: dots stand for its middle, or its DER says that it is longer.
/// A key that merely ends with its text is cut off, not shortened.
pub(super) fn is_shortened(pem: &[u8], after: &[u8]) -> bool {
    let ends = memchr::memmem::find(pem, b"-----END ");
    let Some(end) = ends else {
        // What stands between the lines belongs to the match.
        let between = pem.iter().rev().take_while(|b| !b.is_ascii_alphanumeric() || **b == b'n').count();
        return has_dots(&[&pem[pem.len() - between..], after].concat());
    };
    let Some(start) = memchr::memmem::find(pem, b"KEY-----").map(|at| at + 8) else { return false };
    if start > end {
        return false;
    }
    let body = body(&pem[start..end]);
    let Some(key) = decode_base64(&body[..body.len() / 4 * 4]) else { return false };
    // SEQUENCE, its length in two bytes.
    let [0x30, 0x82, high, low, ..] = key[..] else { return false };
    let announced = 4 + usize::from(u16::from_be_bytes([high, low]));
    announced >= key.len() + A_LINE
}

/// Whether a text goes on with a line of dots, behind what stands at the start of a line (blanks, comment signs,
/// escapes). Dots on the key's own line stand for its rest, which a text may have cut.
fn has_dots(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        rest = match rest {
            [b'\\', b'n' | b'r' | b't', rest @ ..] => rest,
            [b' ' | b'\t' | b'\r' | b'\n' | b'#' | b'*' | b'/' | b'"' | b'\'' | b'+' | b'[' | b'<', rest @ ..] => rest,
            _ => break,
        };
    }
    let head = &text[..text.len() - rest.len()];
    let breaks = head.contains(&b'\n') || head.windows(2).any(|w| w == b"\\n");
    breaks && (rest.starts_with(b"...") || rest.starts_with("…".as_bytes()) || rest.starts_with(b"snip"))
}

/// The base64 of a body, without what joins its lines: breaks (also as `\n`), quotes, operators, comment signs.
fn body(text: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(text.len());
    let mut i = 0;
    while i < text.len() {
        match text[i] {
            b'\\' => i += 1,
            // An operator stands alone; `//` starts a comment.
            b'+' if i > 0 && matches!(text[i - 1], b' ' | b'\t' | b'"' | b'\'') => {}
            b'/' if i > 0 && text[i - 1].is_ascii_whitespace() && text.get(i + 1) == Some(&b'/') => i += 1,
            b if b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/') => body.push(b),
            _ => {}
        }
        i += 1;
    }
    body
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;

    /// A key in PEM that announces `announced` bytes behind its head and has `length`; its lines joined by `joint`.
    fn key(announced: u16, length: usize, joint: &str) -> String {
        let mut der = vec![0x30, 0x82];
        der.extend(announced.to_be_bytes());
        der.extend((0..length).map(|i| (i * 89 % 251) as u8));
        let text = STANDARD.encode(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).expect("base64 is text")).collect();
        let kind = "PRIVATE KEY-----";
        format!("-----BEGIN {kind}{joint}{}{joint}-----END {kind}", lines.join(joint))
    }

    #[test]
    fn a_key_with_its_middle_left_out_is_shortened() {
        for joint in ["\n", "\\n", "\\n\" +\n    \"", "\n#      ", "\n//  ", "\r\n * "] {
            assert!(!is_shortened(key(600, 600, joint).as_bytes(), b""), "{joint:?}");
            assert!(is_shortened(key(600, 200, joint).as_bytes(), b""), "{joint:?}");
        }
        let whole = key(600, 600, "\n");
        let cut = &whole[..400];
        assert!(!is_shortened(cut.as_bytes(), b"") && !is_shortened(cut.as_bytes(), b"\n+ next line of a diff"));
        for joint in ["\n", "\n#   "] {
            assert!(is_shortened(format!("{cut}{joint}").as_bytes(), b"...\nAAAA"), "{joint:?}");
        }
        assert!(!is_shortened(cut.as_bytes(), b"...\n"));
        for after in ["\n...\nAAAA", "\n#    ...\n", "\\n...\\n", "\n…"] {
            assert!(is_shortened(cut.as_bytes(), after.as_bytes()), "{after:?}");
        }
    }
}
