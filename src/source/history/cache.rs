//! What earlier scans of a history learnt, so that the next one looks only at what is new.
//!
//! Two files a repository. `objects` says of objects what a later scan need not look at again ([`remembered`]).
//! `outcome` says where secrets appeared, and is bound to the very refs, packs and loose objects of that scan. Neither
//! holds a secret: what was found is named by its object and its rank among that object's secrets, and found again by
//! looking. A file is written whole or not at all, carries a checksum, and counts only under the key that it was
//! written for.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Seek, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};

use bstr::BString;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Appearance, History, Inspector, Noticed, Outcome,
    known::Known,
    lineage::Lineage,
    lock, object,
    objects::Objects,
    provenance::Reduced,
    remembered::{self, Remembered},
};
use crate::{
    content::Place,
    gap::{Gap, GapKind},
    source::{oid::Oid, repository::Repository},
};

/// What a file of a cache starts with: the format's name and version.
const MAGIC: &[u8; 16] = b"keysift-cache-1\n";
/// Bytes of a hash.
const HASH: usize = 32;
/// What stands before the body of a file: that, its key, the hash of its body under that key.
const HEAD: usize = MAGIC.len() + 2 * HASH;

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
    ///
    /// `look` says what there is in an object.
    pub(super) fn remembered(&self, objects: &Objects, look: &(dyn Fn(&Oid) -> Option<Noticed> + Sync)) -> Remembered {
        let nothing = || Remembered::nothing(Known::to_be(objects.len()));
        let Some(file) = self.read("objects", &self.engine) else { return nothing() };
        Remembered::read(&file[HEAD..], objects, look).unwrap_or_else(|_| {
            self.damaged("objects");
            nothing()
        })
    }

    /// Remembers what is known of objects.
    pub(super) fn remember(&self, objects: &Objects, known: &Known, lineage: &Lineage, reduced: &Reduced<'_>) {
        self.write("objects", &self.engine, &mut |out| remembered::write(out, objects, known, lineage, reduced));
    }

    /// What the last scan came to, if it was one of the same state.
    pub fn recall<I: Inspector>(&self, history: &History, inspector: &I) -> Option<Memory> {
        let file = self.read("outcome", &self.key(history, inspector))?;
        let restored =
            postcard::from_bytes::<StoredMemory>(&file[HEAD..]).ok().and_then(|s| s.restore(history, inspector));
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
            self.write("outcome", &self.key(history, inspector), &mut |out| out.write_all(&body));
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

    /// A file, whose body starts behind its [`HEAD`]. `None` where there is none for this key, or it is damaged.
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
        if file.len() >= HEAD && file.starts_with(MAGIC) {
            let (stored, sum) = file[MAGIC.len()..HEAD].split_at(HASH);
            if stored != key {
                return None;
            }
            if *blake3::keyed_hash(key, &file[HEAD..]).as_bytes() == *sum {
                return Some(file);
            }
        }
        self.damaged(name);
        None
    }

    fn damaged(&self, name: &str) {
        self.remark(format!("the cache {} is damaged and was not used", self.folder.join(name).display()));
    }

    fn write(&self, name: &str, key: &Key, body: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) {
        let mut write = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(&[0; HEAD])?;
            let mut out = Summed { file: &file, sum: blake3::Hasher::new_keyed(key) };
            body(&mut out)?;
            let sum = out.sum.finalize();
            file.rewind()?;
            file.write_all(&[MAGIC, &key[..], sum.as_bytes()].concat())?;
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

/// A file with the hash of what was written to it.
struct Summed<'a> {
    file: &'a tempfile::NamedTempFile,
    sum: blake3::Hasher,
}

impl Write for Summed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.as_file().write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether such a gap stays while refs and objects stay: others may be mended without a trace in them.
fn lasts(kind: GapKind) -> bool {
    use GapKind::{Changed, CorruptObject, CorruptPack, Interrupted, Unreadable};
    !matches!(kind, Unreadable | Changed | CorruptObject | CorruptPack | Interrupted)
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
            let numbers = inspector.secrets(text);
            Some((place, (part, numbers)))
        };
        distinct.into_par_iter().filter_map(read).collect()
    }
}
