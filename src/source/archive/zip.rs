//! The entries of a zip, by its central directory: PKWARE's APPNOTE 6.3.10.

use super::stream::Codec;

/// The length of the record at the end, without its comment.
const END: usize = 22;
/// The length of an entry's local header, without its name.
const LOCAL: usize = 30;

/// Whether a content that starts as something else ends as a zip without a comment does.
pub(super) fn ends_as_zip(content: &[u8]) -> bool {
    content.len() > END && content[content.len() - END..].starts_with(b"PK\x05\x06") && content.ends_with(&[0, 0])
}

/// A zip's central directory.
pub(super) struct Directory<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    pub(super) comment: &'a [u8],
    /// What stands before the archive: a program that unpacks it.
    pub(super) before: &'a [u8],
    /// Where it starts.
    start: usize,
}

/// An entry of a zip's central directory.
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    encrypted: bool,
    method: usize,
    compressed: usize,
    /// Where its local header starts.
    header: usize,
}

impl<'a> Directory<'a> {
    /// Reads it; folders are left out.
    pub(super) fn of(zip: &'a [u8]) -> Option<Directory<'a>> {
        let tail = zip.len().saturating_sub(END + 0xffff);
        let end = memchr::memmem::rfind(&zip[tail..], b"PK\x05\x06")? + tail;
        let stated = u32_at(zip, end + 16)?;
        let is_directory = |at: usize| zip.get(at..).is_some_and(|d| d.starts_with(b"PK\x01\x02") || at == end);
        // What was put before the archive shifts it, and says so or not.
        let start = if is_directory(stated) { stated } else { end.checked_sub(u32_at(zip, end + 12)?)? };
        let shift = start.checked_sub(stated)?;
        let (mut entries, mut at) = (Vec::new(), start);
        // The count that is stated there says less: it has 16 bits.
        while zip.get(at..at.checked_add(4)?)? == b"PK\x01\x02" {
            let (name, extra, comment) = (u16_at(zip, at + 28)?, u16_at(zip, at + 30)?, u16_at(zip, at + 32)?);
            let entry = Entry {
                name: zip.get(at + 46..at + 46 + name)?,
                encrypted: u16_at(zip, at + 8)? & 1 == 1,
                method: u16_at(zip, at + 10)?,
                compressed: u32_at(zip, at + 20)?,
                header: u32_at(zip, at + 42)? + shift,
            };
            if !entry.name.ends_with(b"/") || entry.compressed > 0 {
                entries.push(entry);
            }
            at += 46 + name + extra + comment;
        }
        // Behind it stands its end, or what zip64 puts before that; anything else is damage.
        if !matches!(zip.get(at..at + 4)?, b"PK\x05\x06" | b"PK\x06\x06" | b"PK\x05\x05") {
            return None;
        }
        let first =
            if zip.starts_with(b"PK\x03\x04") { 0 } else { entries.iter().map(|e| e.header).min().unwrap_or(start) };
        let (before, comment) = (zip.get(..first)?, zip.get(end + END..).unwrap_or_default());
        Some(Directory { entries, comment, before, start })
    }

    /// Whether an entry stands where the directory knows of none.
    pub(super) fn hides_entries(&self, zip: &[u8]) -> bool {
        let places = self.entries.iter().filter_map(|entry| Some((entry.header, entry.end(zip)?)));
        let mut known: Vec<(usize, usize)> = places.chain([(self.start, self.start)]).collect();
        known.sort_unstable();
        let mut at = self.before.len();
        known.into_iter().any(|(start, end)| {
            let between = zip.get(at..start).unwrap_or_default();
            at = at.max(end);
            memchr::memmem::find_iter(between, b"PK\x03\x04")
                .any(|found| between.len() - found > LOCAL && !names_a_folder(&between[found..]))
        })
    }
}

/// Whether a local header is that of a folder, which has no content.
fn names_a_folder(header: &[u8]) -> bool {
    let name = u16_at(header, 26).and_then(|len| header.get(LOCAL..LOCAL + len));
    name.is_some_and(|name| name.ends_with(b"/")) && u32_at(header, 18) == Some(0)
}

impl Entry<'_> {
    /// Where its bytes start.
    fn start(&self, zip: &[u8]) -> Option<usize> {
        Some(self.header + LOCAL + u16_at(zip, self.header + 26)? + u16_at(zip, self.header + 28)?)
    }

    fn end(&self, zip: &[u8]) -> Option<usize> {
        self.start(zip)?.checked_add(self.compressed)
    }

    /// Its bytes, and how they are compressed, if they are.
    ///
    /// # Errors
    /// Why there is no reading it.
    pub(super) fn data<'z>(&self, zip: &'z [u8]) -> Result<(Option<Codec>, &'z [u8]), &'static str> {
        if self.encrypted {
            return Err("it is encrypted");
        }
        let data = self.start(zip).and_then(|at| zip.get(at..at.checked_add(self.compressed)?));
        let data = data.ok_or("it lies beyond the archive")?;
        let codec = match self.method {
            0 => None,
            8 => Some(Codec::Deflate),
            12 => Some(Codec::Bzip2),
            93 => Some(Codec::Zstd),
            95 => Some(Codec::Xz),
            _ => return Err("it is compressed in a way that is not read"),
        };
        Ok((codec, data))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at.checked_add(2)?).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at.checked_add(4)?).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
}
