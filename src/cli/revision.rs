//! Files as they stand in a revision, for policy from a base and for other tools' entries.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bstr::{BStr, ByteSlice};
use keysift::source::{
    oid::Oid,
    repository::{Environment, ObjectKind, Repository},
};

/// The files of the repository here, now and in its commits: where other tools' entries point.
pub(crate) struct Files {
    repository: Option<Repository>,
    /// What paths are from.
    pub(crate) root: PathBuf,
}

impl Files {
    /// Those of the repository here, or of the current folder.
    pub(crate) fn here() -> keysift::Result<Files> {
        let repository = Repository::discover(Path::new("."), &Environment::of_process())?;
        let root = repository.as_ref().and_then(Repository::root).map_or_else(|| PathBuf::from("."), PathBuf::from);
        Ok(Files { repository, root })
    }

    /// The content of a path in a commit, or now.
    pub(crate) fn read(&self, commit: Option<&str>, path: &BStr) -> Option<Vec<u8>> {
        match commit {
            Some(id) => file_at(self.repository.as_ref()?, Oid::from_hex(id.as_bytes())?, path),
            None => fs::read(self.root.join(path.to_path_lossy())).ok(),
        }
    }
}

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
