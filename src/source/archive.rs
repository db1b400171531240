//! Contents inside contents: gzip and zip (and what is a zip by another name: jar, docx, xlsx, whl).
//!
//! Recursive, within limits on depth, entries and bytes; whatever cannot be read is a gap. A tar is
//! searched as it is: its members stand in it unchanged. Zip: PKWARE's APPNOTE 6.3.10.

use bstr::{BStr, BString};
use libdeflater::Decompressor;

use crate::gap::{Gap, GapKind};

/// How deep archives may stand in archives.
const DEPTH: usize = 4;
/// How many bytes one content may expand to, over all levels.
const EXPANDED: usize = 256 << 20;
/// How many entries of one content are read, over all levels.
const ENTRIES: usize = 20_000;
/// No byte of deflated data can stand for more than this many.
const RATIO: usize = 1032;

/// Whether a content is an archive or compressed.
pub fn is_archive(content: &[u8]) -> bool {
    kind(content).is_some()
}

/// What is inside an archive, with paths such as `a.zip!b/c.txt`.
pub fn expand(path: &BStr, content: &[u8], visit: &mut dyn FnMut(&BStr, &[u8]), gap: &mut dyn FnMut(Gap)) {
    let mut budget = Budget { bytes: EXPANDED, entries: ENTRIES };
    open(path, content, 0, &mut budget, visit, gap);
}

struct Budget {
    bytes: usize,
    entries: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gzip,
    Zip,
    /// Known by its magic number, and not read.
    Other(&'static str),
}

fn kind(content: &[u8]) -> Option<Kind> {
    Some(match content {
        [0x1f, 0x8b, 8, ..] if content.len() >= 18 => Kind::Gzip,
        [b'P', b'K', 3, 4, ..] if content.len() >= 30 => Kind::Zip,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Kind::Other("xz"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Kind::Other("zstd"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..] => Kind::Other("bzip2"),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Kind::Other("7z"),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => Kind::Other("rar"),
        _ => return None,
    })
}

fn open(
    path: &BStr,
    content: &[u8],
    depth: usize,
    budget: &mut Budget,
    visit: &mut dyn FnMut(&BStr, &[u8]),
    gap: &mut dyn FnMut(Gap),
) {
    let mut fail = |why: &str| gap(Gap::new(GapKind::Archive, path.to_owned(), why));
    let Some(kind) = kind(content) else {
        visit(path, content);
        return;
    };
    if depth == DEPTH {
        return fail(&format!("it stands more than {DEPTH} archives deep"));
    }
    match kind {
        Kind::Other(name) => fail(&format!("it is compressed with {name}, which is not read")),
        Kind::Gzip => {
            let stated = u32::from_le_bytes(content[content.len() - 4..].try_into().unwrap_or_default()) as usize;
            match inflate(content, stated, budget, |inflater, out| inflater.gzip_decompress(content, out).ok()) {
                Ok(inner) => open(inner_path(path, b"content").as_ref(), &inner, depth + 1, budget, visit, gap),
                Err(why) => fail(why),
            }
        }
        Kind::Zip => {
            let Some(entries) = zip_entries(content) else { return fail("its directory cannot be read") };
            for entry in entries {
                let place = inner_path(path, entry.name);
                if budget.entries == 0 {
                    return gap(Gap::new(GapKind::Archive, path.to_owned(), "it has more entries than are read"));
                }
                budget.entries -= 1;
                match entry.read(content, budget) {
                    Ok(inner) => open(place.as_ref(), &inner, depth + 1, budget, visit, gap),
                    Err(why) => gap(Gap::new(GapKind::Archive, place, why)),
                }
            }
        }
    }
}

fn inner_path(path: &BStr, name: &[u8]) -> BString {
    [path as &[u8], b"!", name].concat().into()
}

/// Inflates into at most the stated size, where that can be true and is within the budget.
fn inflate(
    deflated: &[u8],
    stated: usize,
    budget: &mut Budget,
    run: impl FnOnce(&mut Decompressor, &mut [u8]) -> Option<usize>,
) -> Result<Vec<u8>, &'static str> {
    if stated > budget.bytes {
        return Err("it expands to more than is read");
    }
    if stated / RATIO > deflated.len() {
        return Err("its stated size makes no sense");
    }
    budget.bytes -= stated;
    let mut out = vec![0; stated];
    match run(&mut Decompressor::new(), &mut out) {
        Some(size) => {
            out.truncate(size);
            Ok(out)
        }
        None => Err("it does not inflate"),
    }
}

/// An entry of a zip's central directory.
struct Entry<'a> {
    name: &'a [u8],
    encrypted: bool,
    method: u16,
    compressed: usize,
    size: usize,
    /// Where its local header starts.
    header: usize,
}

/// Reads the central directory; folders are left out.
fn zip_entries(zip: &[u8]) -> Option<Vec<Entry<'_>>> {
    let tail = zip.len().saturating_sub(22 + 0xffff);
    let end = memchr::memmem::rfind(&zip[tail..], b"PK\x05\x06")? + tail;
    let count = u16_at(zip, end + 10)?;
    let mut at = u32_at(zip, end + 16)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        if zip.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        let (name, extra, comment) = (u16_at(zip, at + 28)?, u16_at(zip, at + 30)?, u16_at(zip, at + 32)?);
        let entry = Entry {
            name: zip.get(at + 46..at + 46 + name)?,
            encrypted: u16_at(zip, at + 8)? & 1 == 1,
            method: u16_at(zip, at + 10)? as u16,
            compressed: u32_at(zip, at + 20)?,
            size: u32_at(zip, at + 24)?,
            header: u32_at(zip, at + 42)?,
        };
        if !entry.name.ends_with(b"/") {
            entries.push(entry);
        }
        at += 46 + name + extra + comment;
    }
    Some(entries)
}

impl Entry<'_> {
    fn read(&self, zip: &[u8], budget: &mut Budget) -> Result<Vec<u8>, &'static str> {
        if self.encrypted {
            return Err("it is encrypted");
        }
        let start = u16_at(zip, self.header + 26)
            .zip(u16_at(zip, self.header + 28))
            .map(|(name, extra)| self.header + 30 + name + extra);
        let data =
            start.and_then(|s| zip.get(s..s.checked_add(self.compressed)?)).ok_or("it lies beyond the archive")?;
        match self.method {
            0 => inflate(data, data.len(), budget, |_, out| {
                out.copy_from_slice(data);
                Some(data.len())
            }),
            8 => inflate(data, self.size, budget, |inflater, out| inflater.deflate_decompress(data, out).ok()),
            _ => Err("it is compressed in a way that is not read"),
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at.checked_add(2)?).map(|b| u16::from_le_bytes([b[0], b[1]]) as usize)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at.checked_add(4)?).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
}
