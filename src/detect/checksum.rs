//! Checksums inside tokens, verified offline: a right one proves a token, a wrong one disproves it.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

/// Base64 of either alphabet after normalisation, padding optional.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE62_LOWER_FIRST: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE36: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A named algorithm: what a rule's `checksum` key chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Last 6: CRC-32 of the body after the prefix (up to the last `_` or `-`), base 62.
    /// <https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/>
    Crc32Base62Body,
    /// Last 6: CRC-32 of everything before, base 62.
    Crc32Base62All,
    /// Last 6: CRC-32 of everything before, base 62 with lower case first.
    Crc32Base62LowerFirst,
    /// Last 8 hex digits: CRC-32 of the body after the prefix.
    Crc32HexBody,
    /// Last 8 hex digits: CRC-32 of everything before.
    Crc32HexAll,
    /// Last 7: CRC-32 of everything before, base 36 (GitLab's routable tokens).
    Crc32Base36,
    /// Last 8 hex digits: CRC-32 of everything before the last `_`, bytes in little-endian order (Grafana).
    Grafana,
    /// Last 6: base64 of the little-endian CRC-32 of the body after the prefix (Confluent).
    Confluent,
    /// Header and payload decode to JSON (RFC 7519).
    Jwt,
    /// The base64 of a JWT.
    JwtBase64,
    /// What follows the prefix decodes from base64 to JSON.
    Base64Json,
    /// Bech32's checksum (BIP 173).
    Bech32,
    /// Base 32 whose last two decoded bytes are the CRC-16/XMODEM of the others, little-endian (NATS).
    Nkey,
}

/// The names that rules use.
const NAMES: &[(&str, Checksum)] = &[
    ("crc32-base62-body", Checksum::Crc32Base62Body),
    ("crc32-base62-all", Checksum::Crc32Base62All),
    ("crc32-base62-lower-first", Checksum::Crc32Base62LowerFirst),
    ("crc32-hex-body", Checksum::Crc32HexBody),
    ("crc32-hex-all", Checksum::Crc32HexAll),
    ("atlassian", Checksum::Crc32HexAll),
    ("crc32-base36", Checksum::Crc32Base36),
    ("grafana", Checksum::Grafana),
    ("confluent", Checksum::Confluent),
    ("jwt", Checksum::Jwt),
    ("jwt-base64", Checksum::JwtBase64),
    ("base64-json", Checksum::Base64Json),
    ("bech32", Checksum::Bech32),
    ("nkey", Checksum::Nkey),
];

impl Checksum {
    /// The algorithm of this name.
    pub fn named(name: &str) -> Option<Checksum> {
        NAMES.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
    }

    /// The names there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(n, _)| *n)
    }

    /// Whether a right checksum proves the token (a structure that merely decodes does not).
    pub fn proves(self) -> bool {
        !matches!(self, Checksum::Jwt | Checksum::JwtBase64 | Checksum::Base64Json)
    }

    /// Whether the token's checksum is right.
    pub fn verify(self, token: &[u8]) -> bool {
        match self {
            Checksum::Jwt => jwt(token),
            Checksum::JwtBase64 => decode_base64(token).is_some_and(|inner| jwt(&inner)),
            Checksum::Base64Json => base64_json(token),
            Checksum::Bech32 => bech32(token),
            Checksum::Nkey => nkey(token),
            _ => match token.len().checked_sub(self.digits()) {
                Some(at) if at > 0 => self.fill(&token[..at]).is_some_and(|right| {
                    right.as_bytes().eq_ignore_ascii_case(&token[at..])
                        && (self.folds() || right.as_bytes() == &token[at..])
                }),
                _ => false,
            },
        }
    }

    /// The digits that complete a token that starts with `head`; `None` where there is no such rule.
    pub fn fill(self, head: &[u8]) -> Option<String> {
        let crc = |bytes: &[u8]| crc32fast::hash(bytes);
        Some(match self {
            Checksum::Crc32Base62Body => radix(crc(body(head)), BASE62, 6),
            Checksum::Crc32Base62All => radix(crc(head), BASE62, 6),
            Checksum::Crc32Base62LowerFirst => radix(crc(head), BASE62_LOWER_FIRST, 6),
            Checksum::Crc32HexBody => format!("{:08x}", crc(body(head))),
            Checksum::Crc32HexAll => format!("{:08X}", crc(head)),
            Checksum::Crc32Base36 => radix(crc(head), BASE36, 7),
            Checksum::Grafana => format!("{:08x}", crc(head.strip_suffix(b"_")?).swap_bytes()),
            Checksum::Confluent => LENIENT.encode(crc(body(head)).to_le_bytes()).trim_end_matches('=').to_owned(),
            Checksum::Jwt | Checksum::JwtBase64 | Checksum::Base64Json | Checksum::Bech32 | Checksum::Nkey => {
                return None;
            }
        })
    }

    fn digits(self) -> usize {
        match self {
            Checksum::Crc32HexBody | Checksum::Crc32HexAll | Checksum::Grafana => 8,
            Checksum::Crc32Base36 => 7,
            _ => 6,
        }
    }

    fn folds(self) -> bool {
        matches!(self, Checksum::Crc32HexAll | Checksum::Crc32HexBody)
    }
}

/// What follows the prefix: after the last `_` or, where there is none, the last `-`.
fn body(head: &[u8]) -> &[u8] {
    let cut = memchr::memrchr(b'_', head).or_else(|| memchr::memrchr(b'-', head)).map_or(0, |at| at + 1);
    &head[cut..]
}

fn radix(mut number: u32, digits: &[u8], width: usize) -> String {
    let base = digits.len() as u32;
    let mut out = vec![digits[0]; width];
    for place in out.iter_mut().rev() {
        *place = digits[(number % base) as usize];
        number /= base;
    }
    out.into_iter().map(char::from).collect()
}

/// Decodes base64 of either alphabet, with or without padding.
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let standard: Vec<u8> = text
        .iter()
        .map(|b| {
            if *b == b'-' {
                b'+'
            } else if *b == b'_' {
                b'/'
            } else {
                *b
            }
        })
        .collect();
    LENIENT.decode(standard).ok()
}

fn jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|b| *b == b'.');
    let json = |part: Option<&[u8]>| {
        part.and_then(decode_base64)
            .is_some_and(|text| serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text).is_ok())
    };
    json(parts.next()) && json(parts.next())
}

fn base64_json(token: &[u8]) -> bool {
    let Some(start) = token.windows(3).position(|w| w == b"eyJ") else { return false };
    // The JSON may be followed by a signature or be cut by a longer match: an object that opens with a key is enough.
    // A signature may follow: after a dot, after the padding, or after the last underscore.
    let part = token[start..].split(|b| *b == b'.').next().unwrap_or_default();
    let unpadded = part.split(|b| *b == b'=').next().unwrap_or_default();
    let unsigned = memchr::memrchr(b'_', part).map_or(part, |at| &part[..at]);
    [part, unpadded, unsigned, &part[..part.len() / 4 * 4]]
        .into_iter()
        .filter_map(decode_base64)
        .any(|text| text.starts_with(b"{\"") && text.is_ascii())
}

fn bech32(token: &[u8]) -> bool {
    const CHARSET: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let token = token.to_ascii_lowercase();
    let Some(separator) = memchr::memrchr(b'1', &token) else { return false };
    let (human, data) = (&token[..separator], &token[separator + 1..]);
    let mut check = 1u32;
    let mut feed = |value: u32| {
        let top = check >> 25;
        check = (check & 0x01ff_ffff) << 5 ^ value;
        for (bit, generator) in
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].into_iter().enumerate()
        {
            if top >> bit & 1 == 1 {
                check ^= generator;
            }
        }
    };
    human.iter().for_each(|b| feed(u32::from(b >> 5)));
    feed(0);
    human.iter().for_each(|b| feed(u32::from(b & 31)));
    for byte in data {
        match CHARSET.iter().position(|c| c == byte) {
            Some(value) => feed(value as u32),
            None => return false,
        }
    }
    data.len() >= 6 && check == 1
}

fn nkey(token: &[u8]) -> bool {
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::new());
    for byte in token {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return false,
        };
        bits = bits << 5 | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    let Some(at) = bytes.len().checked_sub(2) else { return false };
    let crc = bytes[..at].iter().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 })
    });
    crc.to_le_bytes() == bytes[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_checksum_is_right_and_a_changed_one_wrong() {
        for (name, checksum) in NAMES {
            let head = b"abc_0123456789ABCDEFGHIJabcdefghij_";
            let Some(tail) = checksum.fill(head) else { continue };
            let mut token = [head.as_slice(), tail.as_bytes()].concat();
            assert!(checksum.verify(&token), "{name}");
            let last = token.last_mut().expect("not empty");
            *last = if *last == b'1' { b'2' } else { b'1' };
            assert!(!checksum.verify(&token), "{name}");
        }
    }

    #[test]
    fn bech32_test_vectors() {
        assert!(bech32(b"a12uel5l"));
        assert!(bech32(b"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"));
        assert!(!bech32(b"split1checkupstagehandshakeupstreamerranterredcaperred2y9e3x"));
    }
}
