//! The members of a tar, where they stand: nothing is copied.

use std::borrow::Cow;

use bstr::BString;

use super::{Member, Members};

/// The length of a header.
const BLOCK: usize = 512;
/// Where a header has its checksum: the sum of its bytes, these taken for spaces.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Whether a content starts with a tar's header. Old ones have no magic number, but all have a checksum.
pub(super) fn is_tar(content: &[u8]) -> bool {
    let Some(header) = content.get(..BLOCK) else { return false };
    let digits = header[CHECKSUM].trim_ascii_start();
    let end = digits.iter().position(|b| !matches!(b, b'0'..=b'7')).unwrap_or(digits.len());
    if header[0] == 0 || end == 0 {
        return false;
    }
    let stated = digits[..end].iter().fold(0u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
    let others = header[..CHECKSUM.start].iter().chain(&header[CHECKSUM.end..]);
    stated == others.map(|b| u32::from(*b)).sum::<u32>() + 8 * u32::from(b' ')
}

/// Each member that has a content; of a link its target.
pub(super) fn members(content: &[u8]) -> Members<'_> {
    let mut archive = tar::Archive::new(content);
    // Archives that were put one behind the other.
    archive.set_ignore_zeros(true);
    let mut members = Members { read: Vec::new(), damage: None };
    let Ok(entries) = archive.entries() else { return members };
    // Where the member that was read last ends.
    let mut end = 0;
    for entry in entries {
        let Ok(entry) = entry else {
            members.damage = Some(("it cannot be read to its end", content.get(end..).unwrap_or_default()));
            break;
        };
        let kind = entry.header().entry_type();
        let name: BString = entry.path_bytes().into_owned().into();
        let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
        end = start;
        if kind.is_dir() {
            members.read.push(Member { name, content: Cow::default() });
            continue;
        }
        if let Some(target) = entry.link_name_bytes().filter(|_| kind.is_symlink() || kind.is_hard_link()) {
            members.read.push(Member { name, content: target.into_owned().into() });
            continue;
        }
        // Of a sparse file what is there, without its holes.
        let size = if kind.is_gnu_sparse() { entry.header().entry_size().unwrap_or(0) } else { entry.size() };
        let rest = content.get(start..).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        members.read.push(Member { name, content: rest[..size.min(rest.len())].into() });
        end = start.saturating_add(size);
        if size > rest.len() {
            members.damage = Some(("it is cut off", &[]));
            break;
        }
    }
    members
}
