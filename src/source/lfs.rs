//! Git LFS: the pointer that stands in git instead of a large file, and the object it names.

use std::{
    io,
    path::{Path, PathBuf},
};

use bstr::{BString, ByteSlice};

use crate::gap::{Gap, GapKind};

const FIRST_LINE: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
const LONGEST: usize = 1024;

/// The SHA-256 in hex that a pointer file names; `None` if these bytes are anything but a pointer.
///
/// Strict on purpose: a file that merely begins like a pointer is searched like any other.
pub(crate) fn pointer(bytes: &[u8]) -> Option<&str> {
    if bytes.len() > LONGEST || !bytes.starts_with(FIRST_LINE) {
        return None;
    }
    let (mut oid, mut size) = (None, false);
    for line in bytes[FIRST_LINE.len()..].lines() {
        let (key, value) = line.split_once_str(" ")?;
        let value = value.to_str().ok()?;
        let hash = value.strip_prefix("sha256:").filter(|h| h.len() == 64 && h.bytes().all(|c| c.is_ascii_hexdigit()));
        match key {
            b"oid" if oid.is_none() => oid = Some(hash?),
            b"size" if !size && !value.is_empty() && value.bytes().all(|c| c.is_ascii_digit()) => size = true,
            // ext-0-name sha256:…
            _ if key.starts_with(b"ext-") && key.len() < 64 && hash.is_some() => {}
            _ => return None,
        }
    }
    oid.filter(|_| size)
}

/// Whether these bytes are a pointer.
pub(crate) fn is_pointer(bytes: &[u8]) -> bool {
    pointer(bytes).is_some()
}

/// Where the object of this hash is kept, if a repository has it.
pub(crate) fn object(common_dir: &Path, hash: &str) -> PathBuf {
    common_dir.join("lfs/objects").join(&hash[..2]).join(&hash[2..4]).join(hash)
}

/// The gap that an object which cannot be read makes at the place of its pointer.
pub(crate) fn gap(place: BString, hash: &str, error: &io::Error) -> Gap {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => format!("only the Git LFS pointer to {hash} is here"),
        _ => format!("the Git LFS object {hash} cannot be read: {error}"),
    };
    Gap::new(GapKind::Lfs, place, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pointers() {
        let hash = "4d7a".repeat(16);
        let good = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{hash}\nsize 12345\n");
        assert_eq!(pointer(good.as_bytes()), Some(hash.as_str()));
        let extended = good.replace("oid", &format!("ext-0-foo sha256:{hash}\noid"));
        assert_eq!(pointer(extended.as_bytes()), Some(hash.as_str()));
        for bad in [
            good.clone() + "token = x\n",
            good.replace("size 12345\n", ""),
            good.replace("sha256:", "sha256:x"),
            format!("x{good}"),
        ] {
            assert_eq!(pointer(bad.as_bytes()), None, "{bad}");
        }
    }
}
