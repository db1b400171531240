//! The object database: every pack and loose object of a repository and its alternates, numbered.

use std::{
    fs,
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
};

use flate2::read::ZlibDecoder;
use libdeflater::{DecompressionError, Decompressor};

use super::{
    object::Kind,
    pack::{self, Base, Exactly, NONE, Pack},
    pieces,
    stream::{Limits, Stream},
};
use crate::{
    gap::{Gap, GapKind},
    source::{file, oid::Oid},
};

/// What is inflated of a loose object to see its header, in bytes.
const HEADER: usize = 64;
/// The longest chain of deltas that is followed.
const LONGEST_CHAIN: usize = 1 << 16;

/// Why an object cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// It is not there.
    Missing,
    /// It is there and does not decode.
    Corrupt(String),
}

/// Every object there is. Objects have numbers: entries of packs first, then loose ones.
#[derive(Debug)]
pub struct Objects {
    packs: Vec<Pack>,
    /// The number of each pack's first entry, and of the first loose object.
    starts: Vec<u32>,
    /// Loose objects by id.
    loose: Vec<(Oid, PathBuf)>,
    /// Bytes of an object id.
    pub width: usize,
}

impl Objects {
    /// Opens the object directories (alternates included by the caller).
    pub fn open(dirs: &[PathBuf], width: usize, gaps: &mut Vec<Gap>) -> Objects {
        let (mut packs, mut loose) = (Vec::new(), Vec::new());
        for dir in dirs {
            for index in
                files(&dir.join("pack"), gaps).into_iter().filter(|p| p.extension().is_some_and(|e| e == "idx"))
            {
                match Pack::open(&index, width) {
                    Ok(pack) => packs.push(pack),
                    Err(why) => gaps.push(Gap::new(GapKind::CorruptPack, place(&index), why)),
                }
            }
            loose.extend(loose_objects(dir, width, gaps));
        }
        packs.sort_by_key(|p| std::cmp::Reverse(p.len()));
        loose.sort();
        loose.dedup_by_key(|(id, _)| *id);
        let mut starts = vec![0u32];
        for pack in &packs {
            starts.push(starts[starts.len() - 1] + pack.len() as u32);
        }
        Objects { packs, starts, loose, width }
    }

    /// The packs, most objects first.
    pub fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.starts[self.packs.len()] as usize + self.loose.len()
    }

    /// The number of a pack's entry.
    pub fn number(&self, pack: usize, entry: u32) -> u32 {
        self.starts[pack] + entry
    }

    /// The numbers of the loose objects.
    pub fn loose_numbers(&self) -> std::ops::Range<u32> {
        self.starts[self.packs.len()]..self.len() as u32
    }

    /// The number of an object; of several copies always the same one.
    pub fn find(&self, id: &[u8]) -> Option<u32> {
        for (at, pack) in self.packs.iter().enumerate() {
            if let Some(entry) = pack.find(id) {
                return Some(self.number(at, entry));
            }
        }
        let at = self.loose.binary_search_by(|(oid, _)| oid.as_bytes().cmp(id)).ok()?;
        Some(self.starts[self.packs.len()] + at as u32)
    }

    /// The numbers of many objects: as [`Objects::find`] has them, [`NONE`] for what is not there.
    pub fn find_all<'a>(&self, ids: impl Iterator<Item = &'a [u8]> + Clone, found: &mut Vec<u32>) {
        found.clear();
        match self.packs.first() {
            Some(pack) => pack.find_all(ids.clone(), found),
            None => found.extend(ids.clone().map(|_| NONE)),
        }
        for (id, found) in ids.zip(found).filter(|(_, found)| **found == NONE) {
            *found = self.find(id).unwrap_or(NONE);
        }
    }

    /// The id of a number.
    pub fn oid(&self, number: u32) -> Oid {
        Oid::from_bytes(self.id(number)).expect("ids have one width")
    }

    /// The bytes of a number's id.
    pub fn id(&self, number: u32) -> &[u8] {
        match self.pack_of(number) {
            Some((pack, entry)) => self.packs[pack].id(entry),
            None => self.loose[(number - self.starts[self.packs.len()]) as usize].0.as_bytes(),
        }
    }

    /// Whether of several copies of an object this is the one that counts.
    pub fn is_first(&self, number: u32) -> bool {
        self.pack_of(number).is_some_and(|(pack, _)| pack == 0) || self.find(self.id(number)) == Some(number)
    }

    /// What tells these objects from others: the checksums of packs, and the ids of loose objects.
    pub fn state(&self, part: &mut dyn FnMut(&[u8])) {
        self.packs.iter().for_each(|pack| part(pack.checksum()));
        self.loose.iter().for_each(|(id, _)| part(id.as_bytes()));
    }

    fn pack_of(&self, number: u32) -> Option<(usize, u32)> {
        let pack = self.starts.partition_point(|s| *s <= number) - 1;
        (pack < self.packs.len()).then(|| (pack, number - self.starts[pack]))
    }

    /// Whether a pack may lack objects by promise.
    pub fn has_promisor(&self) -> bool {
        self.packs.iter().any(|p| p.promisor)
    }

    /// Reads an object, from wherever there is a good copy.
    ///
    /// # Errors
    /// There is none, or none that decodes.
    pub fn read(&self, id: &[u8]) -> Result<(Kind, Vec<u8>), Absent> {
        let mut why = Absent::Missing;
        for pack in &self.packs {
            let Some(entry) = pack.find(id) else { continue };
            match self.resolve(pack, entry, 0) {
                Ok(object) => return Ok(object),
                Err(e) => why = Absent::Corrupt(e),
            }
        }
        if let Ok(at) = self.loose.binary_search_by(|(oid, _)| oid.as_bytes().cmp(id)) {
            match read_loose(&self.loose[at].1) {
                Ok(object) => return Ok(object),
                Err(e) => why = Absent::Corrupt(e),
            }
        }
        Err(why)
    }

    /// Whether an entry of a pack cannot be held, or something that it is made from.
    pub fn is_too_large(&self, pack: &Pack, entry: u32) -> bool {
        let mut at = entry;
        for _ in 0..LONGEST_CHAIN {
            match pack.base(at) {
                _ if pack.is_too_large(at) => return true,
                Base::Entry(base) => at = base,
                _ => return false,
            }
        }
        false
    }

    /// A blob that is better looked at in pieces, or an object that cannot be held: its bytes as they are read.
    pub fn large(&self, id: &[u8]) -> Option<Box<dyn Read + '_>> {
        for pack in &self.packs {
            let Some(entry) = pack.find(id) else { continue };
            if pack.base(entry) == Base::Whole(Kind::Blob) && pack.whole_size(entry)? > pieces::LARGE {
                return Some(Box::new(pack.stream(entry)?));
            }
            if self.is_too_large(pack, entry) {
                return Some(Box::new(Stream::open(self, pack, entry, Limits::new(&|| false)).ok()?));
            }
        }
        let at = self.loose.binary_search_by(|(oid, _)| oid.as_bytes().cmp(id)).ok()?;
        large_loose(&self.loose[at].1)
    }

    /// A loose object that is a blob too large to be held.
    pub fn large_loose(&self, number: u32) -> Option<Box<dyn Read>> {
        large_loose(&self.loose[(number - self.starts[self.packs.len()]) as usize].1)
    }

    /// Reads an entry of a pack through its chain of deltas.
    ///
    /// # Errors
    /// Why some entry of the chain cannot be read.
    pub fn resolve(&self, pack: &Pack, entry: u32, depth: usize) -> Result<(Kind, Vec<u8>), String> {
        let mut inflater = Decompressor::new();
        let mut chain = Vec::new();
        let mut at = entry;
        let (kind, mut content) = loop {
            if chain.len() + depth > LONGEST_CHAIN {
                return Err("its chain of deltas does not end".into());
            }
            match pack.base(at) {
                Base::Whole(kind) => {
                    let mut content = Vec::new();
                    pack.inflate(at, &mut inflater, &mut content)?;
                    break (kind, content);
                }
                Base::Entry(base) => {
                    chain.push(at);
                    at = base;
                }
                Base::Foreign => {
                    chain.push(at);
                    let id = pack.foreign_base(at).ok_or("its header in the pack makes no sense")?;
                    break self.read_foreign(&id, depth + chain.len())?;
                }
                Base::Corrupt => return Err("its header in the pack makes no sense".into()),
            }
        };
        let (mut delta, mut next, mut copied) = (Vec::new(), Vec::new(), Vec::new());
        for entry in chain.into_iter().rev() {
            pack.inflate(entry, &mut inflater, &mut delta)?;
            pack::apply(&delta, &content, &mut next, &mut copied)?;
            std::mem::swap(&mut content, &mut next);
        }
        Ok((kind, content))
    }

    /// Reads what an entry is made from that its pack does not have.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read_foreign(&self, id: &Oid, depth: usize) -> Result<(Kind, Vec<u8>), String> {
        if depth > LONGEST_CHAIN.min(128) {
            return Err("its chain of deltas does not end".into());
        }
        for pack in &self.packs {
            if let Some(entry) = pack.find(id.as_bytes()) {
                return self.resolve(pack, entry, depth);
            }
        }
        let at =
            self.loose.binary_search_by(|(oid, _)| oid.cmp(id)).map_err(|_| format!("its base {id} is missing"))?;
        read_loose(&self.loose[at].1)
    }

    /// Reads a loose object by its number.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read_number(&self, number: u32) -> Result<(Kind, Vec<u8>), String> {
        match self.pack_of(number) {
            Some((pack, entry)) => self.resolve(&self.packs[pack], entry, 0),
            None => read_loose(&self.loose[(number - self.starts[self.packs.len()]) as usize].1),
        }
    }
}

fn place(path: &Path) -> Vec<u8> {
    path.as_os_str().as_encoded_bytes().to_vec()
}

/// The files of a directory, sorted; none where there is no directory.
fn files(dir: &Path, gaps: &mut Vec<Gap>) -> Vec<PathBuf> {
    match fs::read_dir(dir) {
        Ok(entries) => {
            let mut paths: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
            paths.sort();
            paths
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(e) => {
            gaps.push(Gap::new(GapKind::Unreadable, place(dir), e.to_string()));
            Vec::new()
        }
    }
}

fn loose_objects(dir: &Path, width: usize, gaps: &mut Vec<Gap>) -> Vec<(Oid, PathBuf)> {
    let mut found = Vec::new();
    let is_hex = |s: &str| s.bytes().all(|b| b.is_ascii_hexdigit());
    for folder in files(dir, gaps) {
        let Some(head) = folder.file_name().and_then(|n| n.to_str()).filter(|n| n.len() == 2 && is_hex(n)) else {
            continue;
        };
        for path in files(&folder, gaps) {
            let Some(tail) = path.file_name().and_then(|n| n.to_str()) else { continue };
            if tail.len() == 2 * width - 2
                && let Some(id) = Oid::from_hex(format!("{head}{tail}").as_bytes())
            {
                found.push((id, path));
            }
        }
    }
    found
}

/// A loose object that is a blob too large to be held.
fn large_loose(path: &Path) -> Option<Box<dyn Read>> {
    let file = file::open(path).ok()?;
    // Most are settled by the size of the file: it cannot grow by more than deflate allows.
    if file.metadata().ok()?.len() < pieces::LARGE / pack::RATIO {
        return None;
    }
    let mut content = io::BufReader::new(ZlibDecoder::new(io::BufReader::new(file)));
    let mut header = Vec::new();
    content.by_ref().take(HEADER as u64).read_until(0, &mut header).ok()?;
    let size: u64 = std::str::from_utf8(header.strip_prefix(b"blob ")?.strip_suffix(b"\0")?).ok()?.parse().ok()?;
    (size > pieces::LARGE).then(|| -> Box<dyn Read> { Box::new(Exactly { left: size, content }) })
}

/// Reads a loose object: zlib over `kind size\0content`.
fn read_loose(path: &Path) -> Result<(Kind, Vec<u8>), String> {
    let deflated = file::read(path).map_err(|e| e.to_string())?;
    let mut inflater = Decompressor::new();
    let mut room = (deflated.len() * 4).max(4096);
    let mut out = vec![0; room];
    let size = loop {
        match inflater.zlib_decompress(&deflated, &mut out) {
            Ok(size) => break size,
            Err(DecompressionError::InsufficientSpace)
                if (room as u64) < pack::LARGEST && room / 1032 <= deflated.len() =>
            {
                room *= 4;
                out.resize(room, 0);
            }
            Err(e) => return Err(format!("it does not inflate: {e}")),
        }
    };
    out.truncate(size);
    let header = memchr::memchr(0, &out[..size.min(HEADER)]).ok_or("its header makes no sense")?;
    let mut words = out[..header].split(|b| *b == b' ');
    let kind = words.next().and_then(Kind::named).ok_or("its header makes no sense")?;
    let stated = words.next().and_then(|w| std::str::from_utf8(w).ok()).and_then(|w| w.parse::<usize>().ok());
    out.drain(..=header);
    if stated == Some(out.len()) { Ok((kind, out)) } else { Err("its size is not the stated one".into()) }
}
