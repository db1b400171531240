//! Contents inside contents: archives (tar; zip, and what is a zip by another name: jar, docx, xlsx, whl) and
//! compressed files (gzip, bzip2, xz, zstd).
//!
//! Recursive, within limits on depth, entries and bytes. What cannot be read to its end is a gap, and what was
//! read until then is looked at. A member is shown as `a.zip!b/c.txt`; a compressed file keeps its name.

mod stream;
mod tar;
mod zip;

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
    Zip,
    /// Known by its magic number, and not read.
    Other(&'static str),
}

fn kind(content: &[u8]) -> Option<Kind> {
    Some(match content {
        [0x1f, 0x8b, 8, ..] if content.len() >= 18 => Kind::Compressed(Codec::Gzip),
        [b'P', b'K', 3, 4, ..] if content.len() >= 30 => Kind::Zip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Kind::Compressed(Codec::Xz),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Kind::Compressed(Codec::Zstd),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Kind::Compressed(Codec::Bzip2),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Kind::Other("7z"),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Kind::Other("rar"),
        _ if tar::is_tar(content) => Kind::Tar,
        _ => return None,
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
            Kind::Other(name) => self.fail(path, format!("it is packed with {name}, which is not read")),
            Kind::Compressed(codec) => self.stream(path, codec, content, depth),
            Kind::Tar => {
                for member in tar::members(content) {
                    match member {
                        Ok(member) if self.counts(path) => {
                            self.open(member_path(path, &member.name).as_ref(), &member.content, depth + 1);
                        }
                        Ok(_) => return,
                        Err(why) => self.fail(path, why),
                    }
                }
            }
            Kind::Zip => match zip::entries(content) {
                None => {
                    self.fail(path, "its directory cannot be read");
                    // What it holds without compression can be seen all the same.
                    (self.visit)(path, content);
                }
                Some(entries) => {
                    for entry in entries {
                        if !self.counts(path) {
                            return;
                        }
                        let place = member_path(path, entry.name);
                        match entry.data(content) {
                            Ok((None, inner)) => self.open(place.as_ref(), inner, depth + 1),
                            Ok((Some(codec), inner)) => self.stream(place.as_ref(), codec, inner, depth),
                            Err(why) => self.fail(place.as_ref(), why),
                        }
                    }
                }
            },
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

fn member_path(path: &BStr, name: &[u8]) -> BString {
    [path as &[u8], b"!", name].concat().into()
}
