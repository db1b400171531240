//! `.keysift-baseline`: findings that are known, so that only what is new turns red.
//!
//! An entry is a rule, a keyed hash of the normalised secret, and a place; never a line number and never
//! the value. So a secret stays known when it moves, is indented anew, gets other line ends, when its file
//! is renamed or its commit rebased; another secret on the same line is new. The same secret in another
//! file is new too (unless [`Scope::Repository`] says otherwise), but an entry whose own place is gone
//! covers one new place: that is a move.
//!
//! The file is text, one line an entry, sorted, without dates, so that git's union driver merges it:
//!
//! ```text
//! salt 1f4c… 2000
//! github-personal-access-token 1f4c09ab:93e1… config/dev.yml reason="test account" by=ada until=2027-01-01
//! ```
//!
//! The salt is random and stands in the file; it keeps tables of hashes from being of use, and the hash is
//! stretched so that weak secrets are costly to guess one by one.

mod format;
mod hash;
mod import;
mod matching;

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use bstr::BString;
use jiff::civil::Date;

pub use self::{
    hash::{Hash, Salt},
    import::{Imported, ReadAt, Resolver},
    matching::{ActiveRules, Changes, Pruned, Use},
};
use crate::{
    error::{Error, Result},
    finding::{Confidence, Finding, Location, Place},
    triage::tidy,
};

/// The name that a baseline has at the root of a repository.
pub const NAME: &str = ".keysift-baseline";

/// The rule of an entry that speaks of any rule.
const ANY_RULE: &str = "*";

/// How far an entry reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// A secret is known in the file that its entry names.
    #[default]
    Path,
    /// A known secret is known in every file.
    Repository,
}

impl Scope {
    /// The name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Path => "path",
            Scope::Repository => "repository",
        }
    }

    /// The scope of this name.
    pub fn from_name(name: &str) -> Option<Scope> {
        [Scope::Path, Scope::Repository].into_iter().find(|s| s.name() == name)
    }
}

/// What a scan looked at: only within it an entry without a finding is unused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Coverage {
    /// A part, of which nothing follows for entries that match nothing: staged changes, a range of
    /// commits, standard input, or a scan with gaps.
    #[default]
    Part,
    /// Every file of the tree, or every file at or below these paths.
    Tree {
        /// Paths from the root; empty: the whole tree.
        below: Vec<BString>,
    },
    /// The whole history, messages and names included.
    History,
}

/// Where a known secret stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spot {
    /// Anywhere.
    Anywhere,
    /// A commit message or author; which commit does not matter, for it changes with every rebase.
    Commit,
    /// A tag's message or tagger.
    Tag,
    /// The name of a ref.
    Ref,
    /// The name of a file.
    FileName,
    /// In this file.
    Path(BString),
}

impl Spot {
    /// The spot of a location.
    pub fn of(location: &Location) -> Spot {
        match location.place {
            Place::Content | Place::Stdin => Spot::Path(tidy(location.path.as_ref()).to_owned()),
            Place::FileName => Spot::FileName,
            Place::Commit => Spot::Commit,
            Place::Tag => Spot::Tag,
            Place::RefName => Spot::Ref,
        }
    }
}

/// One known finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// The rule that found it, or `*`.
    pub rule: String,
    /// The secret's hash.
    pub hash: Hash,
    /// Where it stands.
    pub spot: Spot,
    /// Whether it stood there only in the past: such an entry covers no other place.
    pub past: bool,
    /// Whether it was found with low confidence, so that ordinary scans do not see it.
    pub low: bool,
    /// Why it is accepted.
    pub reason: Option<String>,
    /// By whom.
    pub by: Option<String>,
    /// The last day on which it counts.
    pub until: Option<Date>,
}

impl Entry {
    /// An entry without notes.
    fn new(rule: &str, hash: Hash, spot: Spot) -> Self {
        let rule = rule.to_owned();
        Entry { rule, hash, spot, past: false, low: false, reason: None, by: None, until: None }
    }

    /// Whether its last day is over.
    pub fn is_expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }

    /// Rule and place, for people.
    pub fn label(&self) -> String {
        format!("{} {}", self.rule, format::spot(&self.spot))
    }

    fn with(mut self, note: &Note) -> Self {
        self.reason = note.reason.clone().or(self.reason);
        self.by = note.by.clone().or(self.by);
        self.until = note.until.or(self.until);
        self
    }
}

/// What a person says of entries that are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// Why they are accepted.
    pub reason: Option<String>,
    /// By whom.
    pub by: Option<String>,
    /// The last day on which they count.
    pub until: Option<Date>,
}

/// Known findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Baseline {
    /// What messages call it.
    name: String,
    salts: BTreeSet<Salt>,
    entries: BTreeSet<Entry>,
    /// Whether it was made of a history, so that a scan of the tree alone cannot call an entry unused.
    history: bool,
    /// How many findings of a report could not be taken over, because their values are redacted.
    redacted: usize,
}

impl Baseline {
    /// A baseline without entries, with a salt of its own.
    ///
    /// # Errors
    /// The operating system has no random bytes to give.
    pub fn empty(name: &str) -> Result<Baseline> {
        let salts = BTreeSet::from([Salt::random()?]);
        Ok(Baseline { name: name.to_owned(), salts, entries: BTreeSet::new(), history: false, redacted: 0 })
    }

    /// A baseline of these findings.
    ///
    /// # Errors
    /// As for [`Baseline::empty`].
    pub fn create(name: &str, findings: &[Finding], note: &Note) -> Result<Baseline> {
        let mut baseline = Baseline::empty(name)?;
        let salt = baseline.salt()?;
        baseline.history = findings.iter().any(is_of_history);
        for finding in findings {
            baseline.entries.extend(entries_of(finding, &salt).into_iter().map(|e| e.with(note)));
        }
        Ok(baseline)
    }

    /// Reads a baseline, or a report that serves as one (keysift's or gitleaks' JSON); `name` is what
    /// messages call it.
    ///
    /// # Errors
    /// It is malformed: with the line and what to do.
    pub fn parse(bytes: &[u8], name: &str) -> Result<Baseline> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match bytes.trim_ascii_start().first() {
            Some(b'{' | b'[') => import::report(bytes, name),
            _ => format::parse(bytes, name),
        }
    }

    /// Reads a baseline from a file.
    ///
    /// # Errors
    /// The file cannot be read, or as for [`Baseline::parse`].
    pub fn read(path: &Path) -> Result<Baseline> {
        let bytes = fs::read(path).map_err(|e| {
            Error::new(format!("cannot read baseline {}", path.display()))
                .because(e)
                .help("`keysift baseline create` makes one")
        })?;
        Baseline::parse(&bytes, &path.display().to_string())
    }

    /// The text of the file.
    pub fn print(&self) -> String {
        format::print(self)
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, self.print().as_bytes())
            .map_err(|e| Error::new(format!("cannot write baseline {}", path.display())).because(e))
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The known findings, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Whether it was made of a history; then only a scan of the history shows what is unused.
    pub fn is_of_history(&self) -> bool {
        self.history
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds entries. Those with a hash of ours must have been made with a salt of this baseline.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.entries.extend(entries);
    }

    /// Takes over the salts and entries of another one, as git's union driver would.
    pub fn merge(&mut self, other: Baseline) {
        self.salts.extend(other.salts);
        self.entries.extend(other.entries);
        self.history |= other.history;
        self.redacted += other.redacted;
    }

    /// The entries that this one has and `other` has not.
    pub fn beyond<'a>(&'a self, other: &'a Baseline) -> impl Iterator<Item = &'a Entry> {
        self.entries.difference(&other.entries)
    }

    /// The salt that new entries are hashed with: the one of most entries.
    fn salt(&mut self) -> Result<Salt> {
        let uses = |salt: &Salt| self.entries.iter().filter(|e| e.hash.is_of(salt)).count();
        let best = self.salts.iter().filter(|s| !s.is_transient()).max_by_key(|s| (uses(s), std::cmp::Reverse(*s)));
        if let Some(best) = best {
            return Ok(*best);
        }
        let new = Salt::random()?;
        self.salts.insert(new);
        Ok(new)
    }
}

/// Whether a scan of the history found it.
fn is_of_history(finding: &Finding) -> bool {
    finding.locations.iter().any(|l| l.commit.is_some() || l.in_head.is_some())
}

/// The entries that make a finding known in all its places.
fn entries_of(finding: &Finding, salt: &Salt) -> Vec<Entry> {
    let hash = salt.hash(finding.secret.expose());
    let spots: BTreeSet<Spot> = finding.locations.iter().map(Spot::of).collect();
    spots.into_iter().map(|spot| entry_of(finding, hash, spot)).collect()
}

/// The entry that makes a finding known in one place.
fn entry_of(finding: &Finding, hash: Hash, spot: Spot) -> Entry {
    let mut here = finding.locations.iter().filter(|l| Spot::of(l) == spot).peekable();
    let past = here.peek().is_some() && here.all(|l| l.in_head == Some(false));
    Entry { past, low: finding.confidence == Confidence::Low, ..Entry::new(&finding.rule.id, hash, spot) }
}

/// Writes a file by way of a temporary one beside it.
///
/// # Errors
/// The folder cannot be written to.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // A link stays a link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder =
        target.parent().filter(|p| !p.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".keysift-").suffix(".tmp");
    #[cfg(unix)]
    let builder = {
        use std::os::unix::fs::PermissionsExt;
        // What an ordinary file is made with, less the umask.
        builder.permissions(fs::Permissions::from_mode(0o666))
    };
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|e| e.error)?;
    Ok(())
}
