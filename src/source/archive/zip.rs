//! The entries of a zip, by its central directory: PKWARE's APPNOTE 6.3.10.

use super::stream::Codec;

/// An entry of a zip's central directory.
pub(super) struct Entry<'a> {
    pub(super) name: &'a [u8],
    encrypted: bool,
    method: usize,
    compressed: usize,
    /// Where its local header starts.
    header: usize,
}

/// Reads the central directory; folders are left out.
pub(super) fn entries(zip: &[u8]) -> Option<Vec<Entry<'_>>> {
    let tail = zip.len().saturating_sub(22 + 0xffff);
    let end = memchr::memmem::rfind(&zip[tail..], b"PK\x05\x06")? + tail;
    let mut at = u32_at(zip, end + 16)?;
    let mut entries = Vec::new();
    // The count that is stated there says less: it has 16 bits.
    while zip.get(at..at.checked_add(4)?)? == b"PK\x01\x02" {
        let (name, extra, comment) = (u16_at(zip, at + 28)?, u16_at(zip, at + 30)?, u16_at(zip, at + 32)?);
        let entry = Entry {
            name: zip.get(at + 46..at + 46 + name)?,
            encrypted: u16_at(zip, at + 8)? & 1 == 1,
            method: u16_at(zip, at + 10)?,
            compressed: u32_at(zip, at + 20)?,
            header: u32_at(zip, at + 42)?,
        };
        if !entry.name.ends_with(b"/") {
            entries.push(entry);
        }
        at += 46 + name + extra + comment;
    }
    // Behind it stands its end, or what zip64 puts before that; anything else is damage.
    matches!(zip.get(at..at + 4)?, b"PK\x05\x06" | b"PK\x06\x06" | b"PK\x05\x05").then_some(entries)
}

impl Entry<'_> {
    /// Its bytes, and how they are compressed, if they are.
    ///
    /// # Errors
    /// Why there is no reading it.
    pub(super) fn data<'z>(&self, zip: &'z [u8]) -> Result<(Option<Codec>, &'z [u8]), &'static str> {
        if self.encrypted {
            return Err("it is encrypted");
        }
        let names = u16_at(zip, self.header + 26).zip(u16_at(zip, self.header + 28));
        let start = names.map(|(name, extra)| self.header + 30 + name + extra);
        let data = start.and_then(|at| zip.get(at..at + self.compressed)).ok_or("it lies beyond the archive")?;
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
