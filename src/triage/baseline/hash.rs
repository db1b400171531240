//! Hashes of secrets: keyed and stretched ones of our own, and those that peers write.

use std::borrow::Cow;

use crate::error::{Error, Result};

/// How often a hash is hashed again. With this, a guess costs about a sixth of a millisecond, and ten
/// thousand findings about one second on two cores.
const ROUNDS: u32 = 2000;
/// The most rounds that a file may ask for.
pub(super) const MOST_ROUNDS: u32 = 200_000;
/// The salt of reports that are held in memory only.
const TRANSIENT: Salt = Salt { bytes: [0; 16], rounds: 1 };

/// What hashes of a baseline are keyed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Salt {
    bytes: [u8; 16],
    rounds: u32,
}

/// The hash of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// Ours: keyed and stretched, of the normalised secret.
    Keyed {
        /// The start of the salt.
        salt: [u8; 4],
        /// The hash.
        digest: [u8; 16],
    },
    /// SHA-1 of the raw value (detect-secrets).
    Sha1([u8; 20]),
    /// SHA-256 of the raw value (betterleaks).
    Sha256([u8; 32]),
    /// A fingerprint of keysift's reports.
    Fingerprint([u8; 8]),
}

impl Salt {
    pub(super) fn new(bytes: [u8; 16], rounds: u32) -> Self {
        Salt { bytes, rounds }
    }

    /// A new one from the operating system.
    pub(super) fn random() -> Result<Salt> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|e| Error::new("cannot make a salt for the baseline").because(e))?;
        Ok(Salt { bytes, rounds: ROUNDS })
    }

    /// One that never reaches a file.
    pub(super) fn transient() -> Salt {
        TRANSIENT
    }

    pub(super) fn is_transient(&self) -> bool {
        *self == TRANSIENT
    }

    /// The bytes in hex, and the rounds: what stands behind `salt`.
    pub(super) fn print(&self) -> String {
        format!("{} {}", hex(&self.bytes), self.rounds)
    }

    /// The start of the salt, which entries carry.
    pub(super) fn id(&self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.bytes;
        [a, b, c, d]
    }

    /// The hash of a secret.
    pub(super) fn hash(&self, secret: &[u8]) -> Hash {
        let mut material = [0; 20];
        material[..16].copy_from_slice(&self.bytes);
        material[16..].copy_from_slice(&self.rounds.to_le_bytes());
        let key = blake3::derive_key("keysift 2026-11 baseline entry v1", &material);
        let mut state = blake3::keyed_hash(&key, &normalized(secret));
        for _ in 1..self.rounds {
            state = blake3::keyed_hash(&key, state.as_bytes());
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&state.as_bytes()[..16]);
        Hash::Keyed { salt: self.id(), digest }
    }
}

impl Hash {
    /// Whether a salt made it, as far as its start says.
    pub(super) fn is_of(&self, salt: &Salt) -> bool {
        matches!(self, Hash::Keyed { salt: id, .. } if *id == salt.id())
    }

    /// How it stands in the file.
    pub fn print(&self) -> String {
        match self {
            Hash::Keyed { salt, digest } => format!("{}:{}", hex(salt), hex(digest)),
            Hash::Sha1(digest) => format!("sha1:{}", hex(digest)),
            Hash::Sha256(digest) => format!("sha256:{}", hex(digest)),
            Hash::Fingerprint(digest) => format!("fingerprint:{}", hex(digest)),
        }
    }

    /// Reads what [`Hash::print`] writes.
    pub fn parse(text: &str) -> Option<Hash> {
        let (kind, digest) = text.split_once(':')?;
        match kind {
            "sha1" => unhex(digest).map(Hash::Sha1),
            "sha256" => unhex(digest).map(Hash::Sha256),
            "fingerprint" => unhex(digest).map(Hash::Fingerprint),
            salt => Some(Hash::Keyed { salt: unhex(salt)?, digest: unhex(digest)? }),
        }
    }

    /// SHA-1 of a value.
    pub(super) fn sha1(value: &[u8]) -> Hash {
        Hash::Sha1(sha1_smol::Sha1::from(value).digest().bytes())
    }

    /// SHA-256 of a value.
    pub(super) fn sha256(value: &[u8]) -> Hash {
        Hash::Sha256(hmac_sha256::Hash::hash(value))
    }
}

/// The values that a peer may have hashed where we found this secret: itself, without the space around
/// it, and for a private key what stands between the dashes of its first line (detect-secrets).
pub(super) fn spellings(secret: &[u8]) -> Vec<&[u8]> {
    let mut all = vec![secret];
    let trimmed = secret.trim_ascii();
    if trimmed != secret {
        all.push(trimmed);
    }
    if let Some(rest) = trimmed.strip_prefix(b"-----") {
        let end = memchr::memmem::find(rest, b"-----").unwrap_or(0);
        if end > 0 {
            all.push(&rest[..end]);
        }
    }
    all
}

/// A secret without what editors and git change: line ends, the space around each line, empty lines.
pub(super) fn normalized(secret: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = secret.trim_ascii();
    if memchr::memchr2(b'\n', b'\r', trimmed).is_none() {
        return Cow::Borrowed(trimmed);
    }
    let mut out = Vec::with_capacity(trimmed.len());
    for line in trimmed.split(|b| matches!(b, b'\n' | b'\r')).map(<[u8]>::trim_ascii).filter(|l| !l.is_empty()) {
        if !out.is_empty() {
            out.push(b'\n');
        }
        out.extend_from_slice(line);
    }
    Cow::Owned(out)
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Exactly N bytes out of hex.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        *byte = (value(pair[0])? * 16 + value(pair[1])?) as u8;
    }
    Some(out)
}
