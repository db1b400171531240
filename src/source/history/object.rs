//! What git's objects say: kinds, commits, tags, trees.

use bstr::{BString, ByteSlice};

use crate::source::oid::Oid;

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A tree.
    Tree,
    /// A blob.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// The kind of this name, as loose objects carry it.
    pub fn named(name: &[u8]) -> Option<Kind> {
        match name {
            b"commit" => Some(Kind::Commit),
            b"tree" => Some(Kind::Tree),
            b"blob" => Some(Kind::Blob),
            b"tag" => Some(Kind::Tag),
            _ => None,
        }
    }
}

/// Who wrote a commit or tag, and when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// The name.
    pub name: BString,
    /// The e-mail address.
    pub email: BString,
    /// Seconds since 1970.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub offset: i32,
}

/// What a commit says.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Its tree.
    pub tree: Oid,
    /// Its parents.
    pub parents: Vec<Oid>,
    /// When it was committed, in seconds since 1970.
    pub seconds: i64,
}

/// The headers of a commit or tag: keys and values.
fn headers(object: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(object).take_while(|line| !line.is_empty()).filter_map(|line| {
        let space = line.find_byte(b' ')?;
        Some((&line[..space], &line[space + 1..]))
    })
}

/// The lines of a text, found as they are asked for.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(line)
    })
}

/// What stands before and behind the first empty line.
fn split(object: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr_iter(b'\n', object).find(|at| object.get(at + 1) == Some(&b'\n'));
    match end {
        Some(end) => (&object[..end], &object[end + 2..]),
        None => (object, &[]),
    }
}

/// Reads a commit.
pub fn commit(object: &[u8]) -> Option<Commit> {
    let (mut tree, mut parents, mut seconds) = (None, Vec::new(), 0);
    for (key, value) in headers(object) {
        match key {
            b"tree" if tree.is_none() => tree = Some(Oid::from_hex(value)?),
            b"parent" => parents.push(Oid::from_hex(value)?),
            b"committer" => {
                seconds = number(time(value).next());
                break;
            }
            _ => {}
        }
    }
    Some(Commit { tree: tree?, parents, seconds })
}

/// The object that a tag names, and the kind that it says it has.
pub fn tag_target(object: &[u8]) -> Option<(Oid, Kind)> {
    let (mut target, mut kind) = (None, None);
    for (key, value) in headers(object) {
        match key {
            b"object" => target = Oid::from_hex(value),
            b"type" => kind = Kind::named(value),
            _ => {}
        }
    }
    target.zip(kind)
}

/// The message of a commit or tag.
pub fn message(object: &[u8]) -> &[u8] {
    split(object).1
}

/// `author`, `committer` and `tagger` lines without their dates.
pub fn people(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    headers(object)
        .filter(|(key, _)| matches!(*key, b"author" | b"committer" | b"tagger"))
        .map(|(_, value)| value.rfind_byte(b'>').map_or(value, |end| &value[..=end]))
}

/// What people wrote into a commit or tag: the message, themselves, and headers of their own.
pub fn texts(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::once(message(object)).chain(people(object)).chain(extra_headers(object))
}

/// The headers that git does not write into every commit or tag, with their continuations; signatures left out.
pub fn extra_headers(object: &[u8]) -> impl Iterator<Item = &[u8]> {
    const USUAL: [&[u8]; 11] = [
        b"tree",
        b"parent",
        b"author",
        b"committer",
        b"encoding",
        b"gpgsig",
        b"gpgsig-sha256",
        b"object",
        b"type",
        b"tag",
        b"tagger",
    ];
    let mut rest = split(object).0;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = memchr::memchr_iter(b'\n', rest).find(|at| rest.get(at + 1) != Some(&b' ')).unwrap_or(rest.len());
            let header = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            let key = &header[..header.find_byte(b' ').unwrap_or(header.len())];
            if !USUAL.contains(&key) {
                return Some(header);
            }
        }
        None
    })
}

/// The author of a commit, or the tagger of a tag.
pub fn author(object: &[u8]) -> Signature {
    let found = headers(object).find(|(key, _)| matches!(*key, b"author" | b"tagger"));
    found.map_or_else(Signature::default, |(_, value)| signature(value))
}

fn signature(value: &[u8]) -> Signature {
    let open = value.rfind_byte(b'<').unwrap_or(value.len());
    let close = value.rfind_byte(b'>').unwrap_or(value.len());
    let email = value.get(open + 1..close).unwrap_or_default();
    let mut time = time(value);
    let seconds = number(time.next());
    let zone = number(time.next()) as i32;
    Signature { name: value[..open].trim().into(), email: email.into(), seconds, offset: zone / 100 * 60 + zone % 100 }
}

/// What stands behind the address of a signature: seconds and zone.
fn time(signature: &[u8]) -> impl Iterator<Item = &[u8]> {
    let start = signature.rfind_byte(b'>').map_or(signature.len(), |at| at + 1);
    signature[start..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A number in decimal; 0 where there is none.
fn number(word: Option<&[u8]>) -> i64 {
    word.and_then(|word| word.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// One entry of a tree.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Whether it is a tree.
    pub is_tree: bool,
    /// Whether it is a commit of a submodule.
    pub is_submodule: bool,
    /// The name.
    pub name: &'a [u8],
    /// The id's bytes.
    pub id: &'a [u8],
    /// One past its last byte in the tree.
    pub end: usize,
}

/// The entries of a tree, as far as it makes sense.
pub fn entries(tree: &[u8], width: usize) -> impl Iterator<Item = Entry<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let entry = entry(tree, at, width)?;
        at = entry.end;
        Some(entry)
    })
}

/// The entry of a tree that starts at `at`; `width` is the length of an id.
pub fn entry(tree: &[u8], at: usize, width: usize) -> Option<Entry<'_>> {
    let rest = tree.get(at..)?;
    let space = rest.iter().take(8).position(|b| *b == b' ')?;
    let name_end = space + 1 + memchr::memchr(0, &rest[space + 1..])?;
    let id = rest.get(name_end + 1..name_end + 1 + width)?;
    let mode = &rest[..space];
    Some(Entry {
        is_tree: mode == b"40000" || mode == b"040000",
        is_submodule: mode == b"160000",
        name: &rest[space + 1..name_end],
        id,
        end: at + name_end + 1 + width,
    })
}
