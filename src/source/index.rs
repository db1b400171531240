//! What the next commit would add: the index against HEAD, never the working tree.

use std::fs;

use bstr::BString;
use rayon::prelude::*;

use super::{
    Sink, Source, file, lfs,
    repository::{ObjectKind, ReadError, Repository, Staged},
};
use crate::{
    content::{Content, Origin, Place},
    error::Result,
    gap::{Gap, GapKind},
};

/// Below this many files, waking other threads takes longer than the work.
const FEW: usize = 16;

/// The staged files of a repository.
pub struct Index<'a> {
    repo: &'a Repository,
    max_size: Option<u64>,
}

impl<'a> Index<'a> {
    /// What is staged in this repository; larger contents than `max_size` become gaps.
    pub fn new(repo: &'a Repository, max_size: Option<u64>) -> Self {
        Index { repo, max_size }
    }

    fn push(&self, repo: &Repository, staged: &Staged, sink: &dyn Sink) {
        if sink.is_stopped() {
            return;
        }
        if staged.is_new_name {
            let origin = Origin { path: staged.path.clone(), place: Place::FileName, blob: None };
            sink.content(Content { origin: &origin, bytes: &staged.path, before: None });
        }
        // A renamed file as it was: nothing is added but its name.
        if staged.before == Some(staged.blob) {
            return;
        }
        let blob = match read_blob(repo, staged.blob) {
            Ok(bytes) => bytes,
            Err(e) => return sink.gap(e.gap(staged.path.clone(), staged.blob)),
        };
        let before = match staged.before.map(|oid| (oid, read_blob(repo, oid))) {
            Some((_, Ok(bytes))) => Some(bytes),
            Some((oid, Err(e))) => {
                // All of the file counts as new then.
                sink.gap(e.gap(staged.path.clone(), oid));
                None
            }
            None => None,
        };
        let (blob, before) = match lfs::pointer(&blob) {
            None => (blob, before),
            Some(hash) => match self.large_object(repo, hash, &staged.path) {
                Ok(object) => {
                    let old = before.as_deref().and_then(lfs::pointer);
                    let old = old.and_then(|hash| self.large_object(repo, hash, &staged.path).ok());
                    (object, old)
                }
                Err(gap) => return sink.gap(gap),
            },
        };
        if let Some(gap) = self.too_large(blob.len() as u64, &staged.path) {
            return sink.gap(gap);
        }
        let origin = Origin { path: staged.path.clone(), place: Place::Content, blob: Some(staged.blob.to_string()) };
        sink.content(Content { origin: &origin, bytes: &blob, before: before.as_deref() });
    }

    fn large_object(&self, repo: &Repository, hash: &str, path: &BString) -> Result<Vec<u8>, Gap> {
        let object = lfs::object(repo.common_dir(), hash);
        if let Some(gap) = fs::metadata(&object).ok().and_then(|found| self.too_large(found.len(), path)) {
            return Err(gap);
        }
        file::read(&object).map_err(|e| lfs::gap(path.clone(), hash, &e))
    }

    fn too_large(&self, size: u64, path: &BString) -> Option<Gap> {
        let limit = self.max_size.filter(|limit| size > *limit)?;
        Some(Gap::new(GapKind::Size, path.clone(), format!("it is larger than {limit} bytes")))
    }
}

fn read_blob(repo: &Repository, oid: super::oid::Oid) -> Result<Vec<u8>, ReadError> {
    let object = repo.read(oid)?;
    if object.kind != ObjectKind::Blob {
        return Err(ReadError::Corrupt("it is not the content of a file".into()));
    }
    Ok(object.bytes)
}

impl Source for Index<'_> {
    fn for_each(&self, sink: &dyn Sink) -> Result<()> {
        let (staged, gaps) = self.repo.staged()?;
        gaps.into_iter().for_each(|gap| sink.gap(gap));
        if staged.len() < FEW {
            staged.iter().for_each(|staged| self.push(self.repo, staged, sink));
            return Ok(());
        }
        let (opener, max_size) = (self.repo.opener(), self.max_size);
        staged
            .par_iter()
            .with_min_len(FEW / 2)
            .try_for_each_init(
                || opener.open(),
                |repo, staged| match repo {
                    Ok(repo) => {
                        Index { repo, max_size }.push(repo, staged, sink);
                        Ok(())
                    }
                    Err(_) => Err(()),
                },
            )
            .or_else(|()| opener.open().map(|_| ()))
    }
}
