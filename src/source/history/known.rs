//! What is known of each object of a history, from earlier scans and from this one.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use super::{Spotted, lock, object::Kind};

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Nothing.
    Unknown,
    /// It is a blob of so many bytes that was looked at. Unless it is clean, its secrets are known.
    Blob {
        /// Its length in bytes.
        size: u64,
        /// Whether there is nothing in it.
        is_clean: bool,
    },
    /// It is a tree with this reduction, and everything below it was there and readable.
    Tree(u32),
    /// It is a commit.
    Commit {
        /// Whether its texts are clean.
        is_clean: bool,
        /// Whether it is among the remembered lines.
        is_remembered: bool,
    },
}

impl Fact {
    /// The fact in bits; nothing is known of what is 0.
    pub fn to_bits(self) -> u64 {
        match self {
            Fact::Unknown => 0,
            Fact::Blob { size, is_clean } => 1 | u64::from(is_clean) << 2 | size << 3,
            Fact::Tree(node) => 2 | u64::from(node) << 2,
            Fact::Commit { is_clean, is_remembered } => 3 | u64::from(is_clean) << 2 | u64::from(is_remembered) << 3,
        }
    }

    fn of_bits(bits: u64) -> Fact {
        match bits & 3 {
            0 => Fact::Unknown,
            1 => Fact::Blob { size: bits >> 3, is_clean: bits >> 2 & 1 == 1 },
            2 => Fact::Tree((bits >> 2) as u32),
            _ => Fact::Commit { is_clean: bits >> 2 & 1 == 1, is_remembered: bits >> 3 & 1 == 1 },
        }
    }
}

/// What is known of objects, by number.
#[derive(Debug)]
pub struct Known {
    /// Facts in bits; none where nothing is to be remembered.
    facts: Vec<AtomicU64>,
    /// The secrets of blobs that are not clean.
    spotted: Mutex<BTreeMap<u32, Vec<Spotted>>>,
    /// Whether something was learnt.
    has_news: AtomicBool,
}

impl Known {
    /// Nothing is known, and nothing is to be remembered.
    pub fn nothing() -> Known {
        Known::of(Vec::new(), BTreeMap::new())
    }

    /// Nothing is known yet of so many objects.
    pub fn to_be(objects: usize) -> Known {
        Known::of(vec![0; objects], BTreeMap::new())
    }

    /// These facts in bits, by number, and the secrets of blobs that are not clean.
    pub fn of(facts: Vec<u64>, spotted: BTreeMap<u32, Vec<Spotted>>) -> Known {
        let facts = facts.into_iter().map(AtomicU64::new).collect();
        Known { facts, spotted: Mutex::new(spotted), has_news: AtomicBool::new(false) }
    }

    /// Whether anything is to be remembered.
    pub fn is_kept(&self) -> bool {
        !self.facts.is_empty()
    }

    /// What is known of an object.
    pub fn fact(&self, number: u32) -> Fact {
        self.facts.get(number as usize).map_or(Fact::Unknown, |fact| Fact::of_bits(fact.load(Ordering::Relaxed)))
    }

    fn set(&self, number: u32, fact: Fact) {
        let Some(known) = self.facts.get(number as usize) else { return };
        let is_new = known.swap(fact.to_bits(), Ordering::Relaxed) != fact.to_bits();
        if is_new && !self.has_news() {
            self.has_news.store(true, Ordering::Relaxed);
        }
    }

    /// Whether more is known than was remembered.
    pub fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Relaxed)
    }

    /// Of how many objects something is known.
    pub fn count(&self) -> u64 {
        self.facts.iter().filter(|fact| fact.load(Ordering::Relaxed) != 0).count() as u64
    }

    /// Whether an object is known to be clean.
    pub fn is_clean(&self, number: u32) -> bool {
        matches!(self.fact(number), Fact::Blob { is_clean: true, .. } | Fact::Commit { is_clean: true, .. })
    }

    /// Whether an object may be of this kind.
    pub fn may_be(&self, number: u32, kind: Kind) -> bool {
        match self.fact(number) {
            Fact::Unknown => true,
            Fact::Blob { .. } => kind == Kind::Blob,
            Fact::Tree(_) => kind == Kind::Tree,
            Fact::Commit { .. } => kind == Kind::Commit,
        }
    }

    /// The size of a blob that need not be read.
    pub fn blob(&self, number: u32) -> Option<u64> {
        match self.fact(number) {
            Fact::Blob { size, .. } => Some(size),
            _ => None,
        }
    }

    /// The reduction of a tree that need not be read.
    pub fn tree(&self, number: u32) -> Option<u32> {
        match self.fact(number) {
            Fact::Tree(node) => Some(node),
            _ => None,
        }
    }

    /// Whether what a commit says is known, besides its texts.
    pub fn has_line(&self, number: u32) -> bool {
        matches!(self.fact(number), Fact::Commit { is_remembered: true, .. })
    }

    /// These secrets are in this blob of so many bytes.
    pub fn blob_has(&self, number: u32, size: u64, secrets: Vec<Spotted>) {
        self.set(number, Fact::Blob { size, is_clean: secrets.is_empty() });
        if self.is_kept() && !secrets.is_empty() {
            lock(&self.spotted).insert(number, secrets);
        }
    }

    /// The blobs whose secrets are known, by number.
    pub fn spotted(&self) -> BTreeMap<u32, Vec<Spotted>> {
        lock(&self.spotted).clone()
    }

    /// This object cannot be read.
    pub fn forget(&self, number: u32) {
        self.set(number, Fact::Unknown);
    }

    /// Everything below this tree is there, and this is its reduction.
    pub fn whole_tree(&self, number: u32, node: u32) {
        self.set(number, Fact::Tree(node));
    }

    /// There is nothing in the texts of this commit.
    pub fn clean_commit(&self, number: u32) {
        self.set(number, Fact::Commit { is_clean: true, is_remembered: self.has_line(number) });
    }
}
