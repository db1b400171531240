//! Contents inside contents: archives (tar; deb; zip, and what is a zip by another name: jar, docx, xlsx, whl, also
//! behind a program that unpacks it) and compressed files (gzip, bzip2, xz, lzma, zstd, zlib).
//!
//! Recursive, within limits on depth, entries and bytes. What cannot be read to its end is a gap, and what was
//! read until then is looked at. A member is shown as `a.zip!b/c.txt`; a compressed file keeps its name. The names
//! of the members, one a line, are a content with the name of the archive.

mod deb;
mod stream;
mod tar;
mod zip;

use std::borrow::Cow;

use bstr::{BStr, BString};

use self::stream::Codec;
use crate::gap::{Gap, GapKind};

/// How deep archives and compressed files may stand in each other.
pub const DEPTH: usize = 6;
/// How many bytes one content may expand to, over all levels.
pub const EXPANDED: usize = 256 << 20;
/// How many times its own size a content may expand to, beyond [`FREE`].
pub const RATIO: usize = 200;
/// How many bytes any content may expand to, however small it is.
pub const FREE: usize = 16 << 20;
/// How many entries of one content are read, over all levels.
pub const ENTRIES: usize = 100_000;
/// How much memory a decoder may ask for, in bytes: the window of xz and zstd (what `-9` and `--ultra` need).
pub const WINDOW: usize = 128 << 20;

/// Whether a content is an archive or compressed.
pub fn is_archive(content: &[u8]) -> bool {
    kind(content).is_some()
}

/// What is inside an archive or a compressed file.
pub fn expand(path: &BStr, content: &[u8], visit: &mut dyn FnMut(&BStr, &[u8]), gap: &mut dyn FnMut(Gap)) {
    let bytes = content.len().saturating_mul(RATIO).clamp(FREE, EXPANDED);
    Expansion { bytes, entries: ENTRIES, visit, gap }.open(path, content, 0);
}

/// What may still be read of a content, and who wants it.
struct Expansion<'v> {
    bytes: usize,
    entries: usize,
    visit: &'v mut dyn FnMut(&BStr, &[u8]),
    gap: &'v mut dyn FnMut(Gap),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Compressed(Codec),
    Tar,
    Deb,
    Zip,
    /// Known by its magic number, and not read.
    Other(&'static str),
}

/// The magic numbers of what is not read.
const OTHERS: &[(&[u8], &str)] = &[
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"LZIP\x01", "lzip"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop"),
    (b"\x1f\x9d\x90", "compress"),
    (b"\xff\x06\0\0sNaPpY", "snappy"),
    (b"MSCF\0\0\0\0", "cab"),
    (b"MSWIM\0\0\0", "wim"),
    (b"xar!\0", "xar"),
    (b"\xed\xab\xee\xdb", "rpm"),
    (b"hsqs", "squashfs"),
    (b"PACK\0\0\0\x02", "git, as a pack"),
    (b"PACK\0\0\0\x03", "git, as a pack"),
    (b"# v2 git bundle\n", "git, as a bundle"),
    (b"# v3 git bundle\n", "git, as a bundle"),
];

fn kind(content: &[u8]) -> Option<Kind> {
    Some(match content {
        [0x1f, 0x8b, 8, ..] if content.len() >= 18 => Kind::Compressed(Codec::Gzip),
        [b'P', b'K', 3, 4, ..] if content.len() >= 30 => Kind::Zip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Kind::Compressed(Codec::Xz),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Kind::Compressed(Codec::Zstd),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Kind::Compressed(Codec::Bzip2),
        // What a library's archive holds is not compressed.
        [b'!', b'<', b'a', b'r', ..] if content.starts_with(deb::START) => Kind::Deb,
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] if stream::is_zlib(content) => Kind::Compressed(Codec::Zlib),
        [0x5d, 0, 0, ..] if stream::is_lzma(content) => Kind::Compressed(Codec::Lzma),
        _ => match OTHERS.iter().find(|(magic, _)| content.starts_with(magic)) {
            Some((_, name)) => Kind::Other(name),
            None if tar::is_tar(content) => Kind::Tar,
            None if zip::ends_as_zip(content) => Kind::Zip,
            None => return None,
        },
    })
}

impl Expansion<'_> {
    fn fail(&mut self, path: &BStr, why: impl Into<String>) {
        (self.gap)(Gap::new(GapKind::Archive, path, why));
    }

    fn open(&mut self, path: &BStr, content: &[u8], depth: usize) {
        let Some(kind) = kind(content) else { return (self.visit)(path, content) };
        if depth == DEPTH {
            return self.fail(path, format!("it stands more than {DEPTH} archives deep"));
        }
        match kind {
            Kind::Other(name) => {
                self.fail(path, format!("it is packed with {name}, which is not read"));
                (self.visit)(path, content);
            }
            Kind::Compressed(codec) => self.stream(path, codec, content, depth),
            Kind::Tar => self.members(path, tar::members(content), depth),
            Kind::Deb => self.members(path, deb::members(content), depth),
            Kind::Zip => match zip::Directory::of(content) {
                None => {
                    self.fail(path, "its directory cannot be read");
                    // What it holds without compression can be seen all the same.
                    (self.visit)(path, content);
                }
                Some(directory) => self.zip(path, content, &directory, depth),
            },
        }
    }

    /// Opens the members of an archive that does not compress them.
    fn members(&mut self, path: &BStr, members: Members<'_>, depth: usize) {
        let mut names = Vec::new();
        for Member { name, content } in &members.read {
            if !self.counts(path) {
                return;
            }
            names.extend_from_slice(name);
            names.push(b'\n');
            self.open(member_path(path, name).as_ref(), content, depth + 1);
        }
        (self.visit)(path, &names);
        if let Some((why, rest)) = members.damage {
            self.fail(path, why);
            (self.visit)(path, rest);
        }
    }

    /// Opens the entries of a zip.
    fn zip(&mut self, path: &BStr, content: &[u8], directory: &zip::Directory<'_>, depth: usize) {
        let mut names = Vec::new();
        for entry in &directory.entries {
            if !self.counts(path) {
                return;
            }
            names.extend_from_slice(entry.name);
            names.push(b'\n');
            let place = member_path(path, entry.name);
            match entry.data(content) {
                Ok((None, inner)) => self.open(place.as_ref(), inner, depth + 1),
                Ok((Some(codec), inner)) => self.stream(place.as_ref(), codec, inner, depth),
                Err(why) => self.fail(place.as_ref(), why),
            }
        }
        names.extend_from_slice(directory.comment);
        (self.visit)(path, &names);
        (self.visit)(path, directory.before);
        if directory.hides_entries(content) {
            self.fail(path, "it holds an entry that its directory does not name");
            (self.visit)(path, content);
        }
    }

    /// Opens what a compressed stream holds.
    fn stream(&mut self, path: &BStr, codec: Codec, compressed: &[u8], depth: usize) {
        let mut inner = Vec::new();
        let read = stream::read(codec, compressed, self.bytes, &mut inner);
        self.bytes -= inner.len();
        if let Err(why) = read {
            self.fail(path, why);
        }
        self.open(path, &inner, depth + 1);
    }

    /// Counts an entry; false if there have been too many.
    fn counts(&mut self, path: &BStr) -> bool {
        let Some(left) = self.entries.checked_sub(1) else {
            self.fail(path, format!("it has more than {ENTRIES} entries"));
            return false;
        };
        self.entries = left;
        true
    }
}

/// A file in an archive that does not compress.
struct Member<'a> {
    name: BString,
    content: Cow<'a, [u8]>,
}

/// What was read of such an archive.
struct Members<'a> {
    read: Vec<Member<'a>>,
    /// Why that is not all, and what was not read.
    damage: Option<(&'static str, &'a [u8])>,
}

fn member_path(path: &BStr, name: &[u8]) -> BString {
    [path as &[u8], b"!", name].concat().into()
}
