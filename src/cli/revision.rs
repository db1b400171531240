//! Files as they stand in a revision, for policy from a base and for other tools' entries.

use bstr::{BStr, ByteSlice};
use keysift::source::{
    oid::Oid,
    repository::{ObjectKind, Repository},
};

/// The content of a path in a commit; `None` where there is none.
pub(crate) fn file_at(repository: &Repository, commit: Oid, path: &BStr) -> Option<Vec<u8>> {
    let mut tree = tree_of(repository, commit)?;
    let mut parts = path.split_str("/").filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let entry = repository.read_tree(tree).ok()?.into_iter().find(|e| e.name == part)?;
        if parts.peek().is_some() {
            tree = entry.oid;
            continue;
        }
        let object = repository.read(entry.oid).ok()?;
        return (object.kind == ObjectKind::Blob).then(|| object.bytes.to_vec());
    }
    None
}

/// The tree of a commit, or of a tag that leads to one.
fn tree_of(repository: &Repository, commit: Oid) -> Option<Oid> {
    let mut oid = commit;
    for _ in 0..64 {
        let object = repository.read(oid).ok()?;
        let key: &[u8] = match object.kind {
            ObjectKind::Tree => return Some(oid),
            ObjectKind::Commit => b"tree ",
            ObjectKind::Tag => b"object ",
            ObjectKind::Blob => return None,
        };
        oid = Oid::from_hex(object.bytes.lines().next()?.strip_prefix(key)?)?;
    }
    None
}
