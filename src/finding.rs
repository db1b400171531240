//! What was found: one finding a rule and secret, with every place it stands at.

use std::{fmt, sync::Arc};

use bstr::BString;

use crate::rule::Rule;
pub use crate::{
    content::Place,
    rule::{Confidence, Severity},
};

/// A secret's bytes. It redacts itself: neither `Debug` nor `Display` shows the value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes the bytes of a secret.
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Secret(bytes.into())
    }

    /// The value. Only `--show-secrets`, hashing and equality have a reason to call this.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first characters, at most four and at most a quarter of the secret, and an ellipsis.
    pub fn redacted(&self) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let keep = (text.chars().count() / 4).min(4);
        let head: String = text.chars().take(keep).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        head + "…"
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.redacted())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

/// The identity of a finding across runs: a keyed hash of rule and secret, 16 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of this secret under this rule.
    pub fn of(rule: &str, secret: &Secret) -> Self {
        let mut hash = blake3::Hasher::new_derive_key("keysift 2026-11 finding fingerprint v1");
        hash.update(rule.as_bytes()).update(&[0]).update(secret.expose());
        Fingerprint(hash.finalize().to_hex()[..16].to_owned())
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A place in a text: both numbers start at 1, columns count Unicode code points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// The commit that brought a secret to a place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Commit {
    /// Its object id in hex.
    pub id: String,
    /// The author's name.
    pub author: BString,
    /// The author's e-mail address.
    pub email: BString,
    /// The author's date, RFC 3339 with its own offset.
    pub date: String,
}

/// One place where a secret stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// The path from the root of what was scanned, with `/`; for texts that are no file a name such
    /// as `commit 1234abcd message`.
    pub path: BString,
    /// What kind of text it is.
    pub place: Place,
    /// Where the secret starts.
    pub start: Position,
    /// One past its last character.
    pub end: Position,
    /// The commit that introduced it here (history only).
    pub commit: Option<Commit>,
    /// The object id of the content (index and history).
    pub blob: Option<String>,
    /// Whether HEAD still has it in this path (history only).
    pub in_head: Option<bool>,
    /// Whether a remote-tracking ref has the introducing commit (history only).
    pub pushed: Option<bool>,
    /// Whether no ref reaches it (history with `--unreachable`).
    pub unreachable: bool,
    /// GitHub's `primaryLocationLineHash` of the start line.
    pub line_hash: Option<String>,
}

/// The other half of a pair: the key id of a secret, the client id, the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// The id of the rule that knows it.
    pub rule: String,
    /// Its value.
    pub secret: Secret,
    /// Where it stands by the finding: one place for each of the finding's.
    pub locations: Vec<Location>,
}

/// Why a finding was set aside by triage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// By what.
    pub by: SuppressedBy,
    /// The reason that a person gave, if any.
    pub reason: Option<String>,
}

/// What set a finding aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuppressedBy {
    /// A comment in the source.
    Inline,
    /// An allowlist of the rules or the configuration.
    Allowlist,
    /// An ignore file.
    IgnoreFile,
    /// The baseline.
    Baseline,
}

/// One secret that one rule found, and every place it stands at.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The rule that found it.
    pub rule: Arc<Rule>,
    /// How sure we are.
    pub confidence: Confidence,
    /// How bad it would be.
    pub severity: Severity,
    /// The identity across runs.
    pub fingerprint: Fingerprint,
    /// The value.
    pub secret: Secret,
    /// Shannon entropy in bits per byte.
    pub entropy: f64,
    /// What we know of the value beyond the rule: `checksum is right`, `expired`, `encrypted`.
    pub notes: Vec<String>,
    /// The other halves of a pair.
    pub partners: Vec<Partner>,
    /// Where it stands: first introduction first, at least one.
    pub locations: Vec<Location>,
    /// Why it was set aside, for the findings in [`Report::suppressed`](crate::Report).
    pub suppression: Option<Suppression>,
}
