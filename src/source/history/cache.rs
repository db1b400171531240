//! What earlier scans of a history learnt, so that the next one looks only at what is new.
//!
//! Two files a repository. `contents` names objects in which there is nothing at all: no match of any
//! confidence, nothing that could not be looked at. `outcome` says where secrets appeared, and is bound to
//! the very refs, packs and loose objects of that scan. Neither holds a secret: what was found is named by
//! its object and its rank among that object's secrets, and found again by looking. A file is written whole
//! or not at all, carries a checksum, and counts only under the key that it was written for.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use bstr::BString;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Appearance, History, Inspector, Outcome, lock, object, objects::Objects};
use crate::{
    content::Place,
    gap::{Gap, GapKind},
    source::{oid::Oid, repository::Repository},
};

/// What a file of a cache starts with: the format's name and version.
const MAGIC: &[u8; 16] = b"keysift-cache-1\n";
/// Bytes of a hash.
const HASH: usize = 32;

/// What every file of a repository's cache is named by.
type Key = [u8; HASH];

/// The cache of one repository.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    engine: Key,
    remarks: Mutex<Vec<String>>,
}

/// Everything a scan of a history came to, as far as it can be told without secrets.
#[derive(Debug, Clone)]
pub struct Memory {
    /// What was found and covered. Its gaps are those of the whole scan.
    pub outcome: Outcome,
    /// How many secrets were below the minimum confidence.
    pub below: usize,
}

impl Cache {
    /// The cache of a repository below a folder. `engine` stands for everything that decides what is seen
    /// in a content: program and rules.
    pub fn of(folder: &Path, repository: &Repository, engine: &str) -> Cache {
        let place = fs::canonicalize(repository.common_dir()).unwrap_or_else(|_| repository.common_dir().to_owned());
        let name = blake3::hash(place.as_os_str().as_encoded_bytes()).to_hex();
        let engine = blake3::hash(engine.as_bytes()).into();
        Cache { folder: folder.join("history").join(&name[..24]), engine, remarks: Mutex::default() }
    }

    /// Where it is kept.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What went wrong with it: nothing that changes a result.
    pub fn take_remarks(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.remarks))
    }

    /// What is known of the objects of a history.
    pub(super) fn known(&self, objects: &Objects) -> Known {
        let values = (0..objects.len()).map(|_| AtomicU32::new(UNKNOWN)).collect();
        let known = Known { values, has_news: AtomicBool::new(false) };
        let entry = objects.width + 4;
        let Some(body) = self.read("contents", &self.engine).filter(|b| b.len().is_multiple_of(entry)) else {
            return known;
        };
        for entry in body.chunks_exact(entry) {
            let (id, value) = entry.split_at(objects.width);
            if let Some(number) = objects.find(id) {
                let value = value.try_into().map_or(UNKNOWN, u32::from_le_bytes);
                known.values[number as usize].store(value, Ordering::Relaxed);
            }
        }
        known
    }

    /// Remembers what is known of objects.
    pub(super) fn keep_known(&self, objects: &Objects, known: &Known) {
        if !known.has_news.load(Ordering::Relaxed) {
            return;
        }
        let mut body = Vec::new();
        for number in (0..objects.len() as u32).filter(|number| known.is_clean(*number)) {
            body.extend_from_slice(objects.id(number));
            body.extend_from_slice(&known.value(number).to_le_bytes());
        }
        self.write("contents", &self.engine, &body);
    }

    /// What the last scan came to, if it was one of the same state.
    pub fn recall<I: Inspector>(&self, history: &History, inspector: &I) -> Option<Memory> {
        let body = self.read("outcome", &self.key(history, inspector))?;
        let restored = postcard::from_bytes::<StoredMemory>(&body).ok().and_then(|s| s.restore(history, inspector));
        if restored.is_none() {
            self.damaged("outcome");
        }
        restored
    }

    /// Remembers what a scan came to, if that can be told without secrets and will still hold the next time.
    pub fn keep<I: Inspector>(&self, history: &History, inspector: &I, memory: &Memory) {
        let lasts = memory.outcome.gaps.iter().all(|gap| lasts(gap.kind));
        if let Some(stored) = lasts.then(|| StoredMemory::of(history, inspector, memory)).flatten() {
            let body = postcard::to_allocvec(&stored).unwrap_or_default();
            self.write("outcome", &self.key(history, inspector), &body);
        }
    }

    /// What an outcome depends on.
    fn key<I: Inspector>(&self, history: &History, inspector: &I) -> Key {
        let mut hash = blake3::Hasher::new();
        hash.update(&self.engine).update(inspector.threshold().as_bytes());
        history.state(&mut |part: &[u8]| {
            hash.update(&(part.len() as u64).to_le_bytes()).update(part);
        });
        hash.finalize().into()
    }

    /// The body of a file. `None` where there is none for this key, or it is damaged.
    fn read(&self, name: &str, key: &Key) -> Option<Vec<u8>> {
        let path = self.folder.join(name);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            Err(e) => {
                self.remark(format!("the cache {} cannot be read: {e}", path.display()));
                return None;
            }
        };
        let head = MAGIC.len() + 2 * HASH;
        if file.len() >= head && file.starts_with(MAGIC) {
            let (stored, sum, body) = (&file[MAGIC.len()..][..HASH], &file[head - HASH..head], &file[head..]);
            if stored != key {
                return None;
            }
            if sum == checksum(key, body) {
                return Some(body.to_vec());
            }
        }
        self.damaged(name);
        None
    }

    fn damaged(&self, name: &str) {
        self.remark(format!("the cache {} is damaged and was not used", self.folder.join(name).display()));
    }

    fn write(&self, name: &str, key: &Key, body: &[u8]) {
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            for part in [&MAGIC[..], key, &checksum(key, body), body] {
                file.write_all(part)?;
            }
            file.persist(self.folder.join(name)).map_err(|e| e.error)?;
            Ok(())
        };
        if let Err(e) = write() {
            self.remark(format!("the cache in {} cannot be written: {e}", self.folder.display()));
        }
    }

    fn remark(&self, remark: String) {
        lock(&self.remarks).push(remark);
    }
}

fn checksum(key: &Key, body: &[u8]) -> Key {
    blake3::keyed_hash(key, body).into()
}

/// Whether such a gap stays while refs and objects stay: others may be mended without a trace in them.
fn lasts(kind: GapKind) -> bool {
    use GapKind::{Changed, CorruptObject, CorruptPack, Interrupted, Unreadable};
    !matches!(kind, Unreadable | Changed | CorruptObject | CorruptPack | Interrupted)
}

/// Nothing is known of an object.
const UNKNOWN: u32 = 0;
/// The object is no blob, and clean.
const TEXT: u32 = 1;
/// The object is a clean blob; its size is added to this.
const BLOB: u32 = 2;

/// Which objects are known to be clean.
#[derive(Debug)]
pub(super) struct Known {
    /// By number; none where nothing is to be remembered.
    values: Vec<AtomicU32>,
    /// Whether something was learnt.
    has_news: AtomicBool,
}

impl Known {
    /// Nothing is known, and nothing is to be remembered.
    pub fn nothing() -> Known {
        Known { values: Vec::new(), has_news: AtomicBool::new(false) }
    }

    /// [`UNKNOWN`], [`TEXT`], or the size of a blob above [`BLOB`].
    fn value(&self, number: u32) -> u32 {
        self.values.get(number as usize).map_or(UNKNOWN, |value| value.load(Ordering::Relaxed))
    }

    /// How many objects are known to be clean.
    pub fn count(&self) -> u64 {
        self.values.iter().filter(|value| value.load(Ordering::Relaxed) != UNKNOWN).count() as u64
    }

    /// Whether an object is known to be clean.
    pub fn is_clean(&self, number: u32) -> bool {
        self.value(number) != UNKNOWN
    }

    /// The size of an object that is known to be a clean blob.
    pub fn blob(&self, number: u32) -> Option<u64> {
        let value = self.value(number);
        (value >= BLOB).then(|| u64::from(value - BLOB))
    }

    /// There is nothing in this blob.
    pub fn clean_blob(&self, number: u32, size: usize) {
        if let Ok(value) = u32::try_from(size as u64 + u64::from(BLOB)) {
            self.set(number, value);
        }
    }

    /// There is nothing in this commit or tag.
    pub fn clean_text(&self, number: u32) {
        self.set(number, TEXT);
    }

    fn set(&self, number: u32, value: u32) {
        let Some(known) = self.values.get(number as usize) else { return };
        known.store(value, Ordering::Relaxed);
        if !self.has_news.load(Ordering::Relaxed) {
            self.has_news.store(true, Ordering::Relaxed);
        }
    }
}

/// A [`Memory`] on disk.
#[derive(Serialize, Deserialize)]
struct StoredMemory {
    appearances: Vec<StoredAppearance>,
    blobs: u64,
    commits: u64,
    bytes: u64,
    unreachable: usize,
    below: usize,
    /// Kind, place, reason.
    gaps: Vec<(GapKind, Vec<u8>, String)>,
}

/// An [`Appearance`] on disk.
#[derive(Serialize, Deserialize)]
struct StoredAppearance {
    path: Vec<u8>,
    place: Place,
    object: Vec<u8>,
    part: Option<u32>,
    commit: Option<Vec<u8>>,
    /// Ranks among the secrets of the text, and whether HEAD has them.
    secrets: Vec<(u32, bool)>,
    pushed: Option<bool>,
    unreachable: bool,
}

impl StoredMemory {
    /// `None` where it cannot be told without secrets.
    fn of<I: Inspector>(history: &History, inspector: &I, memory: &Memory) -> Option<StoredMemory> {
        let Memory { outcome, below } = memory;
        let places = outcome.appearances.iter().map(|a| Text::of(history, a)).collect::<Option<Vec<_>>>()?;
        let texts = Text::look(history, inspector, &places);
        let stored = outcome.appearances.iter().zip(&places).map(|(appearance, text)| {
            let (_, numbers) = texts.get(text)?;
            let rank = |(number, in_head): (&u64, &bool)| Some((numbers.binary_search(number).ok()? as u32, *in_head));
            Some(StoredAppearance {
                path: appearance.path.to_vec(),
                place: appearance.place,
                object: text.object.as_bytes().to_vec(),
                part: text.part,
                commit: appearance.commit.map(|id| id.as_bytes().to_vec()),
                secrets: appearance.secrets.iter().map(rank).collect::<Option<_>>()?,
                pushed: appearance.pushed,
                unreachable: appearance.unreachable,
            })
        });
        Some(StoredMemory {
            appearances: stored.collect::<Option<_>>()?,
            blobs: outcome.blobs,
            commits: outcome.commits,
            bytes: outcome.bytes,
            unreachable: outcome.unreachable,
            below: *below,
            gaps: outcome.gaps.iter().map(|g| (g.kind, g.place.to_vec(), g.reason.clone())).collect(),
        })
    }

    /// `None` where an object is not what it was.
    fn restore<I: Inspector>(self, history: &History, inspector: &I) -> Option<Memory> {
        let place = |a: &StoredAppearance| Some(Text { object: Oid::from_bytes(&a.object)?, part: a.part });
        let places = self.appearances.iter().map(place).collect::<Option<Vec<_>>>()?;
        let texts = Text::look(history, inspector, &places);
        let restored = self.appearances.into_iter().zip(&places).zip(0..).map(|((stored, place), order)| {
            let (text, numbers) = texts.get(place)?;
            let number = |(rank, in_head): (u32, bool)| Some((*numbers.get(rank as usize)?, in_head));
            let commit = match stored.commit {
                Some(id) => Some(Oid::from_bytes(&id)?),
                None => None,
            };
            Some(Appearance {
                path: stored.path.into(),
                place: stored.place,
                object: Some(place.object),
                text: text.clone(),
                commit,
                secrets: stored.secrets.into_iter().map(number).collect::<Option<_>>()?,
                pushed: stored.pushed,
                unreachable: stored.unreachable,
                order,
            })
        });
        let gap = |(kind, place, reason)| Gap { kind, place: BString::from(place), reason };
        let outcome = Outcome {
            appearances: restored.collect::<Option<_>>()?,
            blobs: self.blobs,
            commits: self.commits,
            bytes: self.bytes,
            unreachable: self.unreachable,
            gaps: self.gaps.into_iter().map(gap).collect(),
            ..Outcome::default()
        };
        Some(Memory { outcome, below: self.below })
    }
}

/// Where the text of an appearance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Text {
    object: Oid,
    /// Which part of the object it is: none for its content, else a place in [`object::texts`].
    part: Option<u32>,
}

impl Text {
    /// `None` for names: they have no object to be found again in.
    fn of(history: &History, appearance: &Appearance) -> Option<Text> {
        let object = appearance.object?;
        let part = match &appearance.text {
            None => None,
            Some(text) => {
                let (_, content) = history.objects.read(object.as_bytes()).ok()?;
                Some(object::texts(&content).position(|t| t == text)? as u32)
            }
        };
        Some(Text { object, part })
    }

    /// Reads texts: those that are parts of objects, and the numbers of the secrets in all.
    #[allow(clippy::type_complexity)] // A map from a place to what stands there.
    fn look<I: Inspector>(
        history: &History,
        inspector: &I,
        places: &[Text],
    ) -> HashMap<Text, (Option<Vec<u8>>, Vec<u64>)> {
        let distinct: HashSet<Text> = places.iter().copied().collect();
        let read = |place: Text| {
            let (_, content) = history.objects.read(place.object.as_bytes()).ok()?;
            let part = match place.part {
                None => None,
                Some(at) => Some(object::texts(&content).nth(at as usize)?.to_vec()),
            };
            let text = part.as_ref().unwrap_or(&content);
            let numbers = inspector.secrets(text, &inspector.whole(text));
            Some((place, (part, numbers)))
        };
        distinct.into_par_iter().filter_map(read).collect()
    }
}
