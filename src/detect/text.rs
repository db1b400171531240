//! The text of a content: UTF-16 and UTF-32 are transcoded, everything else is taken as it is.
//!
//! Lines and columns of the transcoded text are those of the file, since both count code points.

use std::borrow::Cow;

/// How many bytes decide whether a content without a byte order mark is UTF-16.
const SAMPLE: usize = 512;

/// An encoding of more than one byte a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    Utf16 { little: bool },
    Utf32 { little: bool },
}

/// The text of a content; borrowed where it needs no transcoding.
pub fn text(content: &[u8]) -> Cow<'_, [u8]> {
    match encoding(content) {
        None => Cow::Borrowed(content),
        Some(Wide::Utf16 { little }) => {
            let units = content.chunks_exact(2).map(|c| {
                let pair = [c[0], c[1]];
                if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
            });
            Cow::Owned(without_mark(transcoded(content, units)))
        }
        Some(Wide::Utf32 { little }) => {
            let units = content.chunks_exact(4).map(|c| {
                let four = [c[0], c[1], c[2], c[3]];
                if little { u32::from_le_bytes(four) } else { u32::from_be_bytes(four) }
            });
            let text: String = units.map(|u| char::from_u32(u).unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
            Cow::Owned(without_mark(text))
        }
    }
}

/// Text in UTF-16. What was appended to it in ASCII stays as it is: no text has so many units that are each two
/// ASCII characters.
fn transcoded(content: &[u8], units: impl Iterator<Item = u16>) -> String {
    const APPENDED: usize = 12;
    let (mut text, mut pending, mut plain) = (String::new(), Vec::new(), 0);
    let is_plain = |b: &u8| matches!(b, b' '..=b'~' | b'\t' | b'\n' | b'\r');
    let decode = |text: &mut String, units: &[u16]| {
        text.extend(char::decode_utf16(units.iter().copied()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    };
    for (at, unit) in units.enumerate() {
        if content[2 * at..2 * at + 2].iter().all(is_plain) {
            pending.push(unit);
            plain += 1;
            continue;
        }
        if plain >= APPENDED {
            decode(&mut text, &pending[..pending.len() - plain]);
            text.extend(content[2 * (at - plain)..2 * at].iter().map(|b| char::from(*b)));
            pending.clear();
        }
        plain = 0;
        pending.push(unit);
    }
    if plain >= APPENDED {
        decode(&mut text, &pending[..pending.len() - plain]);
        let start = content.len() / 2 * 2 - 2 * plain;
        text.extend(content[start..].iter().filter(|b| b.is_ascii()).map(|b| char::from(*b)));
    } else {
        decode(&mut text, &pending);
    }
    text
}

fn without_mark(text: String) -> Vec<u8> {
    text.strip_prefix('\u{feff}').unwrap_or(&text).as_bytes().to_vec()
}

fn encoding(content: &[u8]) -> Option<Wide> {
    match content {
        [0xff, 0xfe, 0, 0, ..] => return Some(Wide::Utf32 { little: true }),
        [0, 0, 0xfe, 0xff, ..] => return Some(Wide::Utf32 { little: false }),
        [0xff, 0xfe, ..] => return Some(Wide::Utf16 { little: true }),
        [0xfe, 0xff, ..] => return Some(Wide::Utf16 { little: false }),
        _ => {}
    }
    // Text of one byte a unit has no NUL.
    memchr::memchr(0, &content[..content.len().min(SAMPLE)])?;
    // Without a mark, UTF-32: the upper half of every unit is NUL, or nearly.
    let sample = &content[..content.len().min(SAMPLE) / 4 * 4];
    if sample.len() >= 16 && content.len().is_multiple_of(4) {
        let zeros = |lane: usize| sample.iter().skip(lane).step_by(4).filter(|b| **b == 0).count();
        let (lanes, all) = ([zeros(0), zeros(1), zeros(2), zeros(3)], sample.len() / 4);
        match lanes {
            [low, _, plane, top] if top == all && plane * 10 >= all * 9 && low * 10 <= all => {
                return Some(Wide::Utf32 { little: true });
            }
            [top, plane, _, low] if top == all && plane * 10 >= all * 9 && low * 10 <= all => {
                return Some(Wide::Utf32 { little: false });
            }
            _ => {}
        }
    }
    // UTF-16: nearly every second byte is NUL, and the others are nearly never.
    let sample = &content[..content.len().min(SAMPLE) / 2 * 2];
    if sample.len() < 8 {
        return None;
    }
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    let mostly = |n: usize| n * 10 >= half * 7;
    match (mostly(even), mostly(odd)) {
        (false, true) if even * 10 <= half => Some(Wide::Utf16 { little: true }),
        (true, false) if odd * 10 <= half => Some(Wide::Utf16 { little: false }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_is_transcoded_with_and_without_a_mark_and_other_bytes_are_not() {
        let plain = "token = 'abcdefgh'\n";
        let le: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(&*text(&le), plain.as_bytes());
        assert_eq!(&*text(&be), plain.as_bytes());
        assert_eq!(&*text(&[&[0xff, 0xfe], &le[..]].concat()), plain.as_bytes());
        assert_eq!(&*text(b"a\0binary\0\0\0\0 file with \xff text"), b"a\0binary\0\0\0\0 file with \xff text");
    }
}
