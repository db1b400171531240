//! One pack, memory-mapped: where its entries lie, what they are made from, and their bytes.
//!
//! The formats are git's gitformat-pack: <https://git-scm.com/docs/gitformat-pack>. Every length, offset
//! and delta instruction is checked: the bytes are foreign.

use std::{
    io::{self, Read},
    path::Path,
};

use libdeflater::Decompressor;
use memmap2::Mmap;
use rayon::prelude::*;

use super::object::Kind;
use crate::{
    content::Copied,
    source::{file, oid::Oid},
};

/// No base, no entry.
pub const NONE: u32 = u32::MAX;
/// The largest content that is inflated into memory, in bytes.
pub const LARGEST: u64 = 2 << 30;
/// How many ids of an index are searched together.
const IDS_A_HEAD: usize = 2;
/// How many bytes libdeflate wants to have left of its input, and room for in its output, to decode without looking for
/// the ends at every symbol (`FASTLOOP_MAX_BYTES_READ` and `_WRITTEN` of its decompress_template.h).
const SPARE_INPUT: usize = 64;
/// See [`SPARE_INPUT`].
const SPARE_OUTPUT: usize = 320;
/// No byte of deflated data can stand for more than this many (deflate's limit is 1,032).
pub const RATIO: u64 = 1032;

/// What an entry is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Nothing: it is whole, and of this kind.
    Whole(Kind),
    /// Another entry of this pack, by number.
    Entry(u32),
    /// An object that this pack does not have, by the place of its id in the pack.
    Foreign,
    /// The entry's header makes no sense.
    Corrupt,
}

/// One pack.
#[derive(Debug)]
pub struct Pack {
    index: Index,
    data: Mmap,
    /// Entry number (by offset) → offset in the pack.
    offsets: Vec<u64>,
    /// Entry number → place in the index, which gives its id.
    places: Vec<u32>,
    /// Place in the index → entry number.
    entries: Vec<u32>,
    /// Where the last entry ends.
    end: u64,
    /// Whether objects may be missing by promise.
    pub promisor: bool,
}

/// The header of an entry.
#[derive(Debug, Clone, Copy)]
struct Header {
    link: Link,
    /// Length after inflating.
    size: u64,
    /// Where the deflated bytes start.
    data: usize,
}

/// What an entry is made from, as its header says it.
#[derive(Debug, Clone, Copy)]
enum Link {
    /// Nothing: it is whole, and of this kind.
    Whole(Kind),
    /// What starts at this offset of the pack.
    Offset(u64),
    /// The object whose id is here.
    Id(usize),
}

/// A pack's index file.
#[derive(Debug)]
struct Index {
    map: Mmap,
    version: u32,
    count: usize,
    /// Bytes of an object id.
    width: usize,
    /// For the first bits of an id where such ids start: the fan-out table in steps of a few ids.
    heads: Vec<u32>,
    /// How many bits that are.
    head_bits: u32,
}

impl Index {
    fn open(path: &Path, width: usize) -> Result<Index, String> {
        let map = map(path).map_err(|e| e.to_string())?;
        let version = match map.get(..8) {
            Some([0xff, b't', b'O', b'c', 0, 0, 0, 2]) => 2,
            Some([0xff, b't', b'O', b'c', ..]) => return Err("the index has an unknown version".into()),
            Some(_) => 1,
            None => return Err("the index is too short".into()),
        };
        let mut index = Index { map, version, count: 0, width, heads: Vec::new(), head_bits: 0 };
        let mut last = 0;
        for byte in 0..256 {
            let next = index.fanout(byte).ok_or("the index is too short")?;
            if next < last {
                return Err("the index's fan-out table does not ascend".into());
            }
            last = next;
        }
        index.count = last;
        let least = match version {
            1 => 1024 + last * (width + 4) + 2 * width,
            _ => 8 + 1024 + last * (width + 8) + 2 * width,
        };
        if index.map.len() < least {
            return Err("the index is too short".into());
        }
        index.head_bits = (last / IDS_A_HEAD).max(1).ilog2().min(31);
        let mut heads = Vec::with_capacity((1 << index.head_bits) + 1);
        for place in 0..last {
            let head = index.head(index.id(place));
            while heads.len() <= head {
                heads.push(place as u32);
            }
        }
        heads.resize((1 << index.head_bits) + 1, last as u32);
        index.heads = heads;
        Ok(index)
    }

    /// The first bits of an id.
    fn head(&self, id: &[u8]) -> usize {
        (u64::from(u32::from_be_bytes([id[0], id[1], id[2], id[3]])) >> (32 - self.head_bits)) as usize
    }

    fn fanout(&self, byte: usize) -> Option<usize> {
        let at = if self.version == 1 { 0 } else { 8 } + byte * 4;
        self.map.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
    }

    fn id(&self, place: usize) -> &[u8] {
        let at = match self.version {
            1 => 1024 + place * (self.width + 4) + 4,
            _ => 8 + 1024 + place * self.width,
        };
        &self.map[at..at + self.width]
    }

    fn offset(&self, place: usize) -> Option<u64> {
        let word = |at: usize| self.map.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        if self.version == 1 {
            return word(1024 + place * (self.width + 4)).map(u64::from);
        }
        let small = word(8 + 1024 + self.count * (self.width + 4) + place * 4)?;
        if small & 0x8000_0000 == 0 {
            return Some(u64::from(small));
        }
        let at = 8 + 1024 + self.count * (self.width + 8) + (small & 0x7fff_ffff) as usize * 8;
        self.map.get(at..at + 8).map(|b| u64::from_be_bytes(b.try_into().expect("eight bytes")))
    }

    fn find(&self, id: &[u8]) -> Option<usize> {
        if id.len() != self.width {
            return None;
        }
        let head = self.head(id);
        let (low, high) = (self.heads[head] as usize, self.heads[head + 1] as usize);
        let place = (low..high).find(|place| compare(self.id(*place), id).is_ge())?;
        (self.id(place) == id).then_some(place)
    }
}

impl Pack {
    /// Opens a pack by the path of its index; `width` is the length of an object id in bytes.
    ///
    /// # Errors
    /// Either file cannot be read, or the index makes no sense: why, for a gap.
    pub fn open(index_path: &Path, width: usize) -> Result<Pack, String> {
        let index = Index::open(index_path, width)?;
        let data = map(&index_path.with_extension("pack")).map_err(|e| format!("the pack cannot be read: {e}"))?;
        if data.len() < 12 + width || &data[..4] != b"PACK" {
            return Err("the pack is too short or no pack".into());
        }
        let mut order: Vec<(u64, u32)> = (0..index.count)
            .map(|place| index.offset(place).map(|offset| (offset, place as u32)))
            .collect::<Option<_>>()
            .ok_or("the index names an offset that it does not have")?;
        order.par_sort_unstable();
        let mut entries = vec![NONE; index.count];
        for (number, (_, place)) in order.iter().enumerate() {
            entries[*place as usize] = number as u32;
        }
        let end = (data.len() - width) as u64;
        let (offsets, places) = order.into_iter().unzip();
        let promisor = index_path.with_extension("promisor").exists();
        Ok(Pack { index, data, offsets, places, entries, end, promisor })
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.data.len() as u64
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// The hash over the whole pack that it ends with.
    pub fn checksum(&self) -> &[u8] {
        &self.data[self.end as usize..]
    }

    /// The id of an entry.
    pub fn id(&self, entry: u32) -> &[u8] {
        self.index.id(self.places[entry as usize] as usize)
    }

    /// The id of an entry.
    pub fn oid(&self, entry: u32) -> Oid {
        Oid::from_bytes(self.id(entry)).expect("an index has ids of one width")
    }

    /// The entries of objects, each after what is in `found`; [`NONE`] for what is not here.
    ///
    /// The memory that many ids need is asked for before any of it is waited for: an index is far larger
    /// than the processor's caches.
    pub fn find_all<'a>(&self, ids: impl Iterator<Item = &'a [u8]> + Clone, found: &mut Vec<u32>) {
        let first = found.len();
        found.extend(ids.clone().map(|id| self.index.heads.get(self.index.head(id)).copied().unwrap_or(NONE)));
        let touch = |at: &u32| if *at < self.index.count as u32 { self.index.id(*at as usize)[0] } else { 0 };
        std::hint::black_box(found[first..].iter().map(touch).fold(0, u8::wrapping_add));
        for (id, found) in ids.clone().zip(&mut found[first..]) {
            *found = self.index.find(id).map_or(NONE, |place| place as u32);
        }
        for found in found[first..].iter_mut().filter(|found| **found != NONE) {
            *found = self.entries[*found as usize];
        }
    }

    /// The entry of an object.
    pub fn find(&self, id: &[u8]) -> Option<u32> {
        self.index.find(id).map(|place| self.entries[place])
    }

    /// What each entry is made from.
    pub fn bases(&self) -> Vec<Base> {
        (0..self.len() as u32).into_par_iter().with_min_len(1024).map(|e| self.base(e)).collect()
    }

    /// What an entry is made from.
    pub fn base(&self, entry: u32) -> Base {
        let base = self.header(entry).and_then(|header| match header.link {
            Link::Whole(kind) => Some(Base::Whole(kind)),
            Link::Offset(offset) => self.entry_before(entry, offset).map(Base::Entry),
            Link::Id(at) => match self.find(&self.data[at..at + self.index.width]) {
                Some(number) => (number != entry).then_some(Base::Entry(number)),
                None => Some(Base::Foreign),
            },
        });
        base.unwrap_or(Base::Corrupt)
    }

    /// The entry at an offset, which lies before another one and mostly not far.
    fn entry_before(&self, entry: u32, offset: u64) -> Option<u32> {
        let (mut low, mut high, mut step) = (entry as usize, entry as usize, 1);
        while low > 0 && self.offsets[low] > offset {
            (low, high) = (low.saturating_sub(step), low);
            step *= 2;
        }
        self.offsets[low..high].binary_search(&offset).ok().map(|at| (low + at) as u32)
    }

    /// The id of the object that a [`Base::Foreign`] entry is made from.
    pub fn foreign_base(&self, entry: u32) -> Option<Oid> {
        match self.header(entry)?.link {
            Link::Id(at) => Oid::from_bytes(&self.data[at..at + self.index.width]),
            _ => None,
        }
    }

    fn header(&self, entry: u32) -> Option<Header> {
        let start = usize::try_from(self.offsets[entry as usize]).ok()?;
        let (kind, size, mut at) = size_header(&self.data, start)?;
        let link = match kind {
            1 => Link::Whole(Kind::Commit),
            2 => Link::Whole(Kind::Tree),
            3 => Link::Whole(Kind::Blob),
            4 => Link::Whole(Kind::Tag),
            6 => {
                let mut distance = 0u64;
                loop {
                    let byte = *self.data.get(at)?;
                    at += 1;
                    distance = distance.checked_shl(7)?.checked_add(u64::from(byte & 0x7f))?;
                    if byte & 0x80 == 0 {
                        break;
                    }
                    distance = distance.checked_add(1)?;
                }
                Link::Offset(self.offsets[entry as usize].checked_sub(distance)?)
            }
            7 => {
                let id = at;
                at += self.index.width;
                self.data.get(id..at)?;
                Link::Id(id)
            }
            _ => return None,
        };
        Some(Header { link, size, data: at })
    }

    /// Whether an entry cannot be held: the bytes it is packed as, or those that it makes as a delta.
    pub fn is_too_large(&self, entry: u32) -> bool {
        let Some(header) = self.header(entry) else { return false };
        let makes = || delta_sizes(&mut self.stream(entry)?).ok().map(|sizes| sizes.1);
        header.size > LARGEST || !matches!(header.link, Link::Whole(_)) && makes().is_some_and(|size| size > LARGEST)
    }

    /// The size of an entry that is whole, in bytes.
    pub fn whole_size(&self, entry: u32) -> Option<u64> {
        self.header(entry).filter(|header| matches!(header.link, Link::Whole(_))).map(|header| header.size)
    }

    /// Inflates an entry, a whole content or a delta, as it is read.
    pub fn stream(&self, entry: u32) -> Option<impl Read + '_> {
        let header = self.header(entry)?;
        let deflated = self.data.get(header.data..self.entry_end(entry))?;
        Some(Exactly { left: header.size, content: flate2::bufread::ZlibDecoder::new(deflated) })
    }

    /// Has the first bytes of an entry brought to the processor while it still does something else.
    pub fn expect(&self, entry: u32) {
        let start = self.offsets[entry as usize] as usize;
        #[cfg(target_arch = "x86_64")]
        for line in self.data.get(start..).unwrap_or_default().iter().step_by(64).take(4) {
            #[allow(unsafe_code)]
            // SAFETY: a hint about an address that is valid.
            unsafe {
                std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(std::ptr::from_ref(line).cast());
            }
        }
    }

    /// Where the bytes of an entry end.
    fn entry_end(&self, entry: u32) -> usize {
        self.offsets.get(entry as usize + 1).copied().unwrap_or(self.end).min(self.end) as usize
    }

    /// Inflates an entry: a whole content, or a delta.
    ///
    /// # Errors
    /// Why the entry cannot be read.
    pub fn inflate(&self, entry: u32, inflater: &mut Decompressor, out: &mut Vec<u8>) -> Result<(), String> {
        let header = self.header(entry).ok_or("its header in the pack makes no sense")?;
        let deflated = self.data.get(header.data..self.entry_end(entry)).ok_or("it lies beyond the end of the pack")?;
        if header.size > LARGEST {
            return Err("it is larger than the 2 GiB that are held at once".into());
        }
        if header.size > (deflated.len() as u64 + 1) * RATIO {
            return Err("its stated size makes no sense".into());
        }
        let size = header.size as usize;
        // With room behind both ends, all of a short stream goes through the quick loop of the decoder.
        let deflated = &self.data[header.data..(header.data + deflated.len() + SPARE_INPUT).min(self.data.len())];
        make_room(out, size + SPARE_OUTPUT);
        out.resize(size + SPARE_OUTPUT, 0);
        let inflated = inflater.zlib_decompress(deflated, out);
        out.truncate(size);
        match inflated {
            Ok(n) if n == size => Ok(()),
            Ok(_) => Err("it inflates to another size than stated".into()),
            Err(e) => Err(format!("it does not inflate: {e}")),
        }
    }
}

/// A content that must have just the stated size.
#[derive(Debug)]
pub struct Exactly<R> {
    /// How many bytes are still to come.
    pub left: u64,
    /// What they are read from.
    pub content: R,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = self.content.read(out)?;
        match self.left.checked_sub(got as u64) {
            Some(left) if got > 0 || left == 0 || out.is_empty() => self.left = left,
            _ => return Err(io::Error::other("it inflates to another size than stated")),
        }
        Ok(got)
    }
}

/// Compares ids of one width; the first eight bytes nearly always decide.
#[inline]
fn compare(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    let head = |id: &[u8]| id.first_chunk::<8>().map_or(0, |c| u64::from_be_bytes(*c));
    head(a).cmp(&head(b)).then_with(|| a.cmp(b))
}

/// Type, size, and where the rest of the entry starts.
fn size_header(data: &[u8], start: usize) -> Option<(u8, u64, usize)> {
    let mut at = start;
    let first = *data.get(at)?;
    at += 1;
    let (mut size, mut shift, mut more) = (u64::from(first & 0x0f), 4u32, first & 0x80 != 0);
    while more {
        let byte = *data.get(at)?;
        at += 1;
        if shift > 57 {
            return None;
        }
        size |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        more = byte & 0x80 != 0;
    }
    Some((first >> 4 & 7, size, at))
}

/// Maps a file; an empty one too.
#[allow(unsafe_code)]
fn map(path: &Path) -> io::Result<Mmap> {
    let file = file::open(path)?;
    // SAFETY: git never changes a pack or its index in place; it writes new files and unlinks old ones,
    // and an unlinked file stays readable through its map. Whoever truncates one under us can already
    // make every git command on this repository fail in the same way.
    unsafe { Mmap::map(&file) }
}

/// Applies a delta to its base: fills `out`, and says which ranges were copied (ascending in `out`,
/// neighbours that continue each other joined).
///
/// # Errors
/// Why the delta makes no sense.
pub fn apply(delta: &[u8], base: &[u8], out: &mut Vec<u8>, copied: &mut Vec<Copied>) -> Result<(), &'static str> {
    copied.clear();
    let mut at = 0;
    let base_size = varint(delta, &mut at).ok_or("its delta is cut off")?;
    let size = varint(delta, &mut at).ok_or("its delta is cut off")?;
    if base_size != base.len() as u64 {
        return Err("its delta is for another base");
    }
    if size > LARGEST {
        return Err("its stated size makes no sense");
    }
    let size = size as usize;
    make_room(out, size);
    while at < delta.len() {
        let op = delta[at];
        at += 1;
        if op & 0x80 != 0 {
            let (from, len) = copied_range(op, || {
                let byte = *delta.get(at).ok_or("its delta is cut off")?;
                at += 1;
                Ok::<u8, &str>(byte)
            })?;
            let (from, len) = (from as usize, len as usize);
            let part = base.get(from..from + len).ok_or("its delta copies from beyond its base")?;
            if part.len() > size - out.len() {
                return Err("its delta makes more than stated");
            }
            let to = out.len();
            match copied.last_mut() {
                Some(last) if last.from + last.len == from && last.to + last.len == to => last.len += len,
                _ => copied.push(Copied { from, to, len }),
            }
            out.extend_from_slice(part);
        } else if op != 0 {
            let len = usize::from(op);
            let part = delta.get(at..at + len).ok_or("its delta is cut off")?;
            if len > size - out.len() {
                return Err("its delta makes more than stated");
            }
            out.extend_from_slice(part);
            at += len;
        } else {
            return Err("its delta has an instruction that there is not");
        }
    }
    if out.len() == size { Ok(()) } else { Err("its delta makes less than stated") }
}

/// Empties a buffer, and makes it large enough without keeping what was in it.
fn make_room(buffer: &mut Vec<u8>, size: usize) {
    buffer.clear();
    if buffer.capacity() < size {
        *buffer = Vec::with_capacity(size);
    }
}

/// The range of its base that an instruction of a delta copies: where it starts, and its length.
#[inline]
pub fn copied_range<E>(op: u8, mut next: impl FnMut() -> Result<u8, E>) -> Result<(u32, u32), E> {
    let mut number = |bits: std::ops::Range<u32>| {
        let (mut number, first) = (0, bits.start);
        for bit in bits {
            if op >> bit & 1 == 1 {
                number |= u32::from(next()?) << (8 * (bit - first));
            }
        }
        Ok(number)
    };
    let (from, len) = (number(0..4)?, number(4..7)?);
    Ok((from, if len == 0 { 0x10000 } else { len }))
}

/// The sizes that a delta starts with: that of its base, and that of what it makes.
///
/// # Errors
/// It cannot be read, or makes no sense.
pub fn delta_sizes(delta: &mut impl Read) -> io::Result<(u64, u64)> {
    let mut size = || {
        // As many bytes as a number of 64 bits may have.
        let (mut bytes, mut len) = ([0; 10], 0);
        while len < bytes.len() && (len == 0 || bytes[len - 1] & 0x80 != 0) {
            delta.read_exact(&mut bytes[len..=len])?;
            len += 1;
        }
        varint(&bytes[..len], &mut 0).ok_or_else(|| io::Error::other("its stated size makes no sense"))
    };
    Ok((size()?, size()?))
}

fn varint(delta: &[u8], at: &mut usize) -> Option<u64> {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = *delta.get(*at)?;
        *at += 1;
        if shift > 57 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
}
