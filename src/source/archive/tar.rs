//! The members of a tar, where they stand: nothing is copied.

use std::borrow::Cow;

use bstr::BString;

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

/// A file in a tar.
pub(super) struct Member<'a> {
    pub(super) name: BString,
    pub(super) content: Cow<'a, [u8]>,
}

/// Each member that has one; of a link its target. After an error there is nothing more.
pub(super) fn members(content: &[u8]) -> Vec<Result<Member<'_>, String>> {
    let mut archive = tar::Archive::new(content);
    // Archives that were put one behind the other.
    archive.set_ignore_zeros(true);
    let mut members = Vec::new();
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(e) => return vec![Err(e.to_string())],
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                members.push(Err(format!("it cannot be read to its end: {e}")));
                break;
            }
        };
        let kind = entry.header().entry_type();
        let name: BString = entry.path_bytes().into_owned().into();
        if kind.is_dir() {
            continue;
        }
        if let Some(target) = entry.link_name_bytes().filter(|_| kind.is_symlink() || kind.is_hard_link()) {
            members.push(Ok(Member { name, content: target.into_owned().into() }));
            continue;
        }
        // Of a sparse file what is there, without its holes.
        let size = if kind.is_gnu_sparse() { entry.header().entry_size().unwrap_or(0) } else { entry.size() };
        let rest = usize::try_from(entry.raw_file_position()).ok().and_then(|at| content.get(at..)).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        members.push(Ok(Member { name, content: rest[..size.min(rest.len())].into() }));
        if size > rest.len() {
            members.push(Err("it is cut off".into()));
            break;
        }
    }
    members
}
