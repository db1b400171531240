//! The name of an object: the hash that git knows it by.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use bstr::ByteSlice;

/// An object id, SHA-1 (20 bytes) or SHA-256 (32 bytes).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Oid {
    // Unused bytes are zero, so that the derived comparisons are those of the ids.
    bytes: [u8; 32],
    len: u8,
}

impl Oid {
    /// The id of these bytes; `None` unless there are 20 or 32 of them.
    pub fn from_bytes(raw: &[u8]) -> Option<Oid> {
        if raw.len() != 20 && raw.len() != 32 {
            return None;
        }
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Some(Oid { bytes, len: raw.len() as u8 })
    }

    /// The id that 40 or 64 hexadecimal digits mean.
    pub fn from_hex(hex: &[u8]) -> Option<Oid> {
        if hex.len() != 40 && hex.len() != 64 {
            return None;
        }
        let (mut bytes, mut all) = ([0; 32], 0);
        for (byte, pair) in bytes.iter_mut().zip(hex.as_chunks::<2>().0) {
            let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
            all |= high | low;
            *byte = high << 4 | low;
        }
        (all < 16).then_some(Oid { bytes, len: (hex.len() / 2) as u8 })
    }

    /// The id that git gives a blob with this content; `len` is that of the repository's ids, 20 or 32.
    pub fn of_blob(content: &[u8], len: usize) -> Option<Oid> {
        let head = format!("blob {}\0", content.len());
        if len == 32 {
            let mut hash = hmac_sha256::Hash::new();
            hash.update(head.as_bytes());
            hash.update(content);
            return Oid::from_bytes(&hash.finalize());
        }
        let mut hash = sha1_smol::Sha1::from(head);
        hash.update(content);
        Oid::from_bytes(&hash.digest().bytes())
    }

    /// The bytes, 20 or 32.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Whether it is all zeros, which is how git says "nothing".
    pub fn is_zero(&self) -> bool {
        self.bytes == [0; 32]
    }
}

/// Hexadecimal digits: 0 to 15, and 255 for all else.
const DIGITS: [u8; 256] = {
    let mut table = [255; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        table[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// The first eight bytes of an id are a hash already.
impl Hash for Oid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let head = self.bytes.first_chunk::<8>().map_or(0, |c| u64::from_le_bytes(*c));
        state.write_u64(head);
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.as_bytes()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.pad(text[..self.as_bytes().len() * 2].to_str().unwrap_or_default())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_have_the_ids_that_git_gives_them() {
        let id = |len| Oid::of_blob(b"", len).unwrap().to_string();
        assert_eq!(id(20), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(id(32), "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
    }

    #[test]
    fn hex_round_trip() {
        for hex in ["0123456789abcdef0123456789abcdef01234567", &"4d7a".repeat(16)] {
            let oid = Oid::from_hex(hex.as_bytes()).unwrap();
            assert_eq!(oid.to_string(), hex);
            assert_eq!(Oid::from_bytes(oid.as_bytes()), Some(oid));
            assert!(!oid.is_zero());
        }
        assert!(Oid::from_hex(&[b'0'; 40]).unwrap().is_zero());
        assert_eq!(Oid::from_hex(b"123"), None);
        assert_eq!(Oid::from_hex(&[b'g'; 40]), None);
    }
}
