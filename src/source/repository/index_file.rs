//! git's index, read from its file in one pass, and what it adds to a tree.
//!
//! Versions 2 to 4, the cache tree (which says what has not changed since it was last a tree, so
//! that unchanged folders cost nothing), and collapsed folders of a sparse index. What else an
//! index may hold (a split index) is left to the git program, see [`IndexError::Unsupported`].
//! The checksum at its end is not verified; git does not do so either, and it would cost more than
//! everything else here.

use std::{cmp::Ordering, io, path::Path};

use bstr::{BString, ByteSlice};
use memmap2::Mmap;

use super::{ReadError, TreeEntry};
use crate::source::{file, oid::Oid};

/// No byte of an index can stand for more than this many bytes of paths: in version 4 an entry of 64 bytes may
/// repeat the path before it, and no path is longer than the operating system takes.
const RATIO: usize = 64;
/// As deep as git goes (`core.maxTreeDepth`).
const DEEPEST: usize = 2048;

pub(crate) const MODE_TREE: u32 = 0o040000;
pub(crate) const MODE_LINK: u32 = 0o120000;
pub(crate) const MODE_GITLINK: u32 = 0o160000;

/// Why an index was not read.
#[derive(Debug)]
pub(crate) enum IndexError {
    /// It is in order, as far as can be told, but not for us.
    Unsupported(String),
    /// It is damaged.
    Corrupt(&'static str),
    /// It could not be read.
    Io(io::Error),
}

/// An entry, without its path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) mode: u32,
    pub(crate) oid: Oid,
    pub(crate) stage: u8,
    pub(crate) skip_worktree: bool,
    pub(crate) intent_to_add: bool,
}

/// An index file in memory.
pub(crate) struct IndexFile {
    /// `None` if there is no file.
    map: Option<Mmap>,
    version: u32,
    count: u32,
    hash_len: usize,
    cache: Option<CacheNode>,
}

/// A folder of the cache tree: as many entries of the index as it says are this tree.
struct CacheNode {
    name: BString,
    /// Number of entries, and the tree; `None` where the folder has changed since.
    tree: Option<(u32, Oid)>,
    children: Vec<CacheNode>,
}

impl IndexFile {
    /// Reads an index; one that does not exist is empty.
    pub(crate) fn read(path: &Path, hash_len: usize) -> Result<IndexFile, IndexError> {
        let map = match map(path) {
            Ok(map) => map,
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(IndexError::Io(e)),
        };
        let mut index = IndexFile { map, version: 2, count: 0, hash_len, cache: None };
        let data = index.data();
        if data.is_empty() {
            return Ok(index);
        }
        if data.len() < 12 + hash_len || !data.starts_with(b"DIRC") {
            return Err(IndexError::Corrupt("it does not begin as an index does"));
        }
        let (version, count) = (be32(data, 4).unwrap_or(0), be32(data, 8).unwrap_or(0));
        (index.version, index.count) = (version, count);
        if !(2..=4).contains(&index.version) {
            return Err(IndexError::Unsupported(format!("index version {}", index.version)));
        }
        let extensions = match index.end_of_entries() {
            Some(at) => at,
            None => {
                let mut cursor = index.entries()?;
                while cursor.advance()? {}
                cursor.next
            }
        };
        index.read_extensions(extensions)?;
        Ok(index)
    }

    fn data(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Where the entries end, if git has written it down.
    fn end_of_entries(&self) -> Option<usize> {
        let data = self.data();
        let start = data.len().checked_sub(self.hash_len + 12 + self.hash_len)?;
        let size = 4 + self.hash_len as u32;
        if data.get(start..start + 4)? != b"EOIE" || be32(data, start + 4)? != size {
            return None;
        }
        let at = be32(data, start + 8)? as usize;
        (12..=start).contains(&at).then_some(at)
    }

    fn read_extensions(&mut self, mut at: usize) -> Result<(), IndexError> {
        let (mut cache, data) = (None, self.map.as_deref().unwrap_or_default());
        let end = data.len() - self.hash_len;
        while at + 8 <= end {
            let name = &data[at..at + 4];
            let size = be32(data, at + 4).unwrap_or(0) as usize;
            let Some(body) = data.get(at + 8..at + 8 + size).filter(|_| at + 8 + size <= end) else {
                return Err(IndexError::Corrupt("an extension is cut off"));
            };
            match name {
                b"TREE" => cache = CacheNode::parse(&mut { body }, self.hash_len, 0),
                b"sdir" => {}
                _ if name[0].is_ascii_uppercase() => {}
                _ => return Err(IndexError::Unsupported(format!("index extension {}", name.as_bstr()))),
            }
            at += 8 + size;
        }
        self.cache = cache;
        Ok(())
    }

    /// A cursor before the first entry.
    pub(crate) fn entries(&self) -> Result<Cursor<'_>, IndexError> {
        let entry = Entry {
            mode: 0,
            oid: Oid::from_bytes(&[0; 20]).ok_or(IndexError::Corrupt("no object id"))?,
            stage: 0,
            skip_worktree: false,
            intent_to_add: false,
        };
        let (left, room) = (self.count, self.bytes().saturating_mul(RATIO));
        Ok(Cursor { index: self, next: 12, left, entry, path: Vec::new(), room, done: false })
    }

    /// Number of entries.
    pub(crate) fn len(&self) -> usize {
        self.count as usize
    }

    /// Size of the file, which bounds that of all paths together (but for version 4).
    pub(crate) fn bytes(&self) -> usize {
        self.data().len()
    }
}

impl CacheNode {
    fn parse(body: &mut &[u8], hash_len: usize, depth: usize) -> Option<CacheNode> {
        let (name, rest) = body.split_once_str(b"\0")?;
        let (numbers, mut rest) = rest.split_once_str(b"\n")?;
        let (count, children) = numbers.to_str().ok()?.split_once(' ')?;
        let tree = match count.parse::<i64>().ok()? {
            n if n < 0 => None,
            n => {
                let (hash, after) = rest.split_at_checked(hash_len)?;
                rest = after;
                Some((u32::try_from(n).ok()?, Oid::from_bytes(hash)?))
            }
        };
        let count: usize = children.parse().ok()?;
        if depth > DEEPEST || count > rest.len() {
            return None;
        }
        // The count is not to be believed.
        let mut children = Vec::new();
        for _ in 0..count {
            children.push(CacheNode::parse(&mut rest, hash_len, depth + 1)?);
        }
        *body = rest;
        Some(CacheNode { name: name.into(), tree, children })
    }

    fn child(&self, name: &[u8]) -> Option<&CacheNode> {
        self.children.iter().find(|c| c.name == name)
    }
}

/// Maps a file; nothing if it is empty.
#[allow(unsafe_code)]
fn map(path: &Path) -> io::Result<Option<Mmap>> {
    let file = file::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(None);
    }
    // SAFETY: git never changes an index in place: it writes a new file and renames it. Should
    // somebody else cut the file off meanwhile, the process is ended by a signal, which in a hook
    // stops the commit. Copying instead takes three times as long where the index is large, which is
    // where the time of a hook goes.
    Ok(Some(unsafe { Mmap::map(&file) }?))
}

fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

fn be16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

/// Goes through the entries in their order, which is that of their paths.
pub(crate) struct Cursor<'a> {
    index: &'a IndexFile,
    next: usize,
    left: u32,
    entry: Entry,
    path: Vec<u8>,
    /// How many bytes of paths there may still be.
    room: usize,
    done: bool,
}

impl Cursor<'_> {
    /// Goes to the next entry; false at the end.
    pub(crate) fn advance(&mut self) -> Result<bool, IndexError> {
        if self.left == 0 {
            self.done = true;
            return Ok(false);
        }
        self.left -= 1;
        self.parse().ok_or(IndexError::Corrupt("an entry is cut off"))?;
        Ok(true)
    }

    /// Goes on by this many entries, without a look at those between.
    fn skip(&mut self, count: u32) -> Result<(), IndexError> {
        for _ in 1..count.min(self.left.saturating_add(1)) {
            if self.index.version == 4 {
                // Each path is made from the one before.
                self.advance()?;
            } else {
                self.left -= 1;
                self.next = self.after_next().ok_or(IndexError::Corrupt("an entry is cut off"))?;
            }
        }
        self.advance()?;
        Ok(())
    }

    /// Where the entry after the next one begins, before version 4.
    fn after_next(&self) -> Option<usize> {
        let data = self.index.data();
        let mut at = self.next + 40 + self.index.hash_len;
        let flags = be16(data, at)?;
        at += if flags & 0x4000 == 0 { 2 } else { 4 };
        let len = match usize::from(flags & 0xfff) {
            0xfff => memchr::memchr(0, data.get(at..)?)?,
            len => len,
        };
        Some(self.next + (at - self.next + len + 8) / 8 * 8)
    }

    fn parse(&mut self) -> Option<()> {
        let IndexFile { version, hash_len, .. } = self.index;
        let data = self.index.data();
        let data = &data[..data.len() - hash_len];
        let (start, mut at) = (self.next, self.next + 40);
        let oid = Oid::from_bytes(data.get(at..at + hash_len)?)?;
        at += hash_len;
        let flags = be16(data, at)?;
        at += 2;
        let mut more = 0;
        if flags & 0x4000 != 0 {
            more = be16(data, at)?;
            at += 2;
        }
        self.entry = Entry {
            mode: be32(data, start + 24)?,
            oid,
            stage: (flags >> 12 & 3) as u8,
            skip_worktree: more & 0x4000 != 0,
            intent_to_add: more & 0x2000 != 0,
        };
        if *version == 4 {
            let strip = varint(data, &mut at)?;
            self.path.truncate(self.path.len().checked_sub(strip)?);
        } else {
            self.path.clear();
        }
        let rest = data.get(at..)?;
        let len = match usize::from(flags & 0xfff) {
            n if n < 0xfff && *version < 4 => n,
            _ => memchr::memchr(0, rest)?,
        };
        self.path.extend_from_slice(rest.get(..len)?);
        self.room = self.room.checked_sub(self.path.len())?;
        at += len;
        self.next = if *version == 4 { at + 1 } else { start + (at - start + 8) / 8 * 8 };
        (self.next <= data.len()).then_some(())
    }
}

/// git's own way to write a number in few bytes.
fn varint(data: &[u8], at: &mut usize) -> Option<usize> {
    let mut value = 0usize;
    loop {
        let byte = *data.get(*at)?;
        *at += 1;
        value = value.checked_mul(128)?.checked_add(usize::from(byte & 127))?;
        if byte & 128 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?;
    }
}

impl Cursor<'_> {
    /// The entry, after [`advance`](Self::advance) has said that there is one.
    pub(crate) fn entry(&self) -> Entry {
        self.entry
    }

    /// Its path; a collapsed folder of a sparse index ends in `/`.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }
}

/// A file whose content the index has, and the tree does not at that path.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) path: BString,
    pub(crate) mode: u32,
    pub(crate) oid: Oid,
    /// What the tree has at this path, if it has a file or link there.
    pub(crate) old: Option<Oid>,
    /// In a conflict, the side.
    pub(crate) stage: u8,
}

/// A file, or a folder of files, that the tree has and the index does not.
#[derive(Debug, Clone)]
pub(crate) struct Removal {
    pub(crate) path: BString,
    pub(crate) mode: u32,
    pub(crate) oid: Oid,
}

/// What is different between a tree and the index.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) changed: Vec<Change>,
    pub(crate) removed: Vec<Removal>,
    /// Trees that could not be read: folder and why.
    pub(crate) unread: Vec<(BString, Oid, ReadError)>,
}

/// Compares the index with a tree, reading no more trees than have changed.
pub(crate) fn compare<'a>(
    index: &'a IndexFile,
    tree: Option<Oid>,
    read_tree: &'a dyn Fn(Oid) -> Result<Vec<TreeEntry>, ReadError>,
) -> Result<Changes, IndexError> {
    let mut walk =
        Comparison { cursor: index.entries()?, read_tree, prefix: Vec::new(), depth: 0, changes: Changes::default() };
    walk.cursor.advance()?;
    walk.folder(tree, index.cache.as_ref())?;
    Ok(walk.changes)
}

/// The sorting key of a tree's entry: folders as if their names ended in a slash.
fn order(name: &[u8], is_tree: bool, other: &[u8], other_is_tree: bool) -> Ordering {
    let common = name.len().min(other.len());
    let end = |name: &[u8], tree: bool| name.get(common).copied().unwrap_or(if tree { b'/' } else { 0 });
    name[..common].cmp(&other[..common]).then_with(|| end(name, is_tree).cmp(&end(other, other_is_tree)))
}

struct Comparison<'a> {
    cursor: Cursor<'a>,
    read_tree: &'a dyn Fn(Oid) -> Result<Vec<TreeEntry>, ReadError>,
    prefix: Vec<u8>,
    depth: usize,
    changes: Changes,
}

impl Comparison<'_> {
    /// Compares one folder; the cursor stands on its first entry, and after its last when done.
    fn folder(&mut self, tree: Option<Oid>, cache: Option<&CacheNode>) -> Result<(), IndexError> {
        if let (Some(oid), Some((count, cached))) = (tree, cache.and_then(|c| c.tree))
            && oid == cached
            && count > 0
        {
            return self.cursor.skip(count);
        }
        if self.depth >= DEEPEST {
            return Err(IndexError::Corrupt("its folders are too deep"));
        }
        self.depth += 1;
        let mut old = self.read(tree).into_iter().peekable();
        while !self.cursor.done && self.cursor.path.starts_with(&self.prefix) {
            let rest = &self.cursor.path[self.prefix.len()..];
            let Some(slash) = memchr::memchr(b'/', rest) else {
                let name = rest.to_vec();
                let found = self.skip_to(&mut old, &name, false);
                self.entries_of_path(found)?;
                continue;
            };
            let (name, whole) = (rest[..slash].to_vec(), slash + 1 == rest.len());
            let found = self.skip_to(&mut old, &name, true).map(|e| e.oid);
            let len = self.prefix.len();
            self.prefix.extend_from_slice(&name);
            self.prefix.push(b'/');
            if whole {
                if self.cursor.entry.mode != MODE_TREE {
                    return Err(IndexError::Corrupt("a path ends in a slash"));
                }
                self.trees(found, self.cursor.entry.oid);
                self.cursor.advance()?;
            } else {
                self.folder(found, cache.and_then(|c| c.child(&name)))?;
            }
            self.prefix.truncate(len);
        }
        for entry in old {
            self.removed(entry);
        }
        self.depth -= 1;
        Ok(())
    }

    /// Every entry of the path that the cursor is on: one, or the sides of a conflict.
    fn entries_of_path(&mut self, old: Option<TreeEntry>) -> Result<(), IndexError> {
        let path = self.cursor.path.clone();
        let mut found = false;
        while !self.cursor.done && self.cursor.path == path {
            let entry = self.cursor.entry;
            let same = old.as_ref().is_some_and(|o| o.oid == entry.oid);
            let counts = !entry.intent_to_add && entry.mode != MODE_GITLINK;
            found |= counts;
            if counts && !same && entry.stage != 1 {
                let old = old.as_ref().filter(|o| o.mode != MODE_GITLINK).map(|o| o.oid);
                let (mode, oid, stage) = (entry.mode, entry.oid, entry.stage);
                self.changes.changed.push(Change { path: path.clone().into(), mode, oid, old, stage });
            }
            self.cursor.advance()?;
        }
        if let (Some(old), false) = (old, found) {
            self.removed(old);
        }
        Ok(())
    }

    /// What the index has where a sparse index says that it has all of a tree.
    fn trees(&mut self, old: Option<Oid>, new: Oid) {
        if old == Some(new) {
            return;
        }
        if self.depth >= DEEPEST {
            let why = ReadError::Corrupt("its folders are too deep".into());
            return self.changes.unread.push((self.prefix.clone().into(), new, why));
        }
        self.depth += 1;
        let mut old = self.read(old).into_iter().peekable();
        for entry in self.read(Some(new)) {
            let is_tree = entry.mode == MODE_TREE;
            let found = self.skip_to(&mut old, &entry.name, is_tree);
            let before = found.as_ref().map(|e| e.oid);
            if is_tree {
                let len = self.prefix.len();
                self.prefix.extend_from_slice(&entry.name);
                self.prefix.push(b'/');
                self.trees(before, entry.oid);
                self.prefix.truncate(len);
            } else if entry.mode != MODE_GITLINK && before != Some(entry.oid) {
                let path = self.path_of(&entry.name);
                let old = found.filter(|o| o.mode != MODE_GITLINK).map(|o| o.oid);
                self.changes.changed.push(Change { path, mode: entry.mode, oid: entry.oid, old, stage: 0 });
            }
        }
        for entry in old {
            self.removed(entry);
        }
        self.depth -= 1;
    }

    /// Goes on to a name in the old tree; what is passed over is no longer in the index.
    fn skip_to(
        &mut self,
        old: &mut std::iter::Peekable<std::vec::IntoIter<TreeEntry>>,
        name: &[u8],
        is_tree: bool,
    ) -> Option<TreeEntry> {
        while let Some(entry) = old.peek() {
            match order(&entry.name, entry.mode == MODE_TREE, name, is_tree) {
                Ordering::Less => {
                    if let Some(entry) = old.next() {
                        self.removed(entry);
                    }
                }
                Ordering::Equal => return old.next(),
                Ordering::Greater => return None,
            }
        }
        None
    }

    fn removed(&mut self, entry: TreeEntry) {
        if entry.mode != MODE_GITLINK {
            let path = self.path_of(&entry.name);
            self.changes.removed.push(Removal { path, mode: entry.mode, oid: entry.oid });
        }
    }

    fn path_of(&self, name: &[u8]) -> BString {
        [&self.prefix, name].concat().into()
    }

    fn read(&mut self, tree: Option<Oid>) -> Vec<TreeEntry> {
        let Some(oid) = tree else { return Vec::new() };
        (self.read_tree)(oid).unwrap_or_else(|e| {
            self.changes.unread.push((self.prefix.clone().into(), oid, e));
            Vec::new()
        })
    }
}
