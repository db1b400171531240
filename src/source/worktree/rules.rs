//! What git ignores: the rules of a folder, of the folders above it, of the repository, of the user.
//!
//! Nothing is read or compiled until a file that is not tracked asks; where all is tracked, nothing
//! ever is.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use bstr::{BString, ByteSlice};
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

/// A folder of a working tree, as far as ignoring goes.
pub(super) struct Folder {
    parent: Option<Arc<Folder>>,
    /// Its path from the root, ending in `/`; empty for the root.
    path: BString,
    /// Its `.gitignore`, if it has one.
    file: Option<PathBuf>,
    rules: OnceLock<Gitignore>,
    is_ignored: OnceLock<bool>,
    repository: Arc<Shared>,
}

/// The rules that hold for a whole repository.
pub(super) struct Shared {
    /// The later ones win.
    pub(super) files: Box<dyn Fn() -> Vec<PathBuf> + Send + Sync>,
    pub(super) ignore_case: Box<dyn Fn() -> bool + Send + Sync>,
    rules: OnceLock<(Vec<Gitignore>, bool)>,
}

impl Shared {
    pub(super) fn new(
        files: impl Fn() -> Vec<PathBuf> + Send + Sync + 'static,
        ignore_case: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Shared {
        Shared { files: Box::new(files), ignore_case: Box::new(ignore_case), rules: OnceLock::new() }
    }

    fn rules(&self) -> &(Vec<Gitignore>, bool) {
        self.rules.get_or_init(|| {
            let ignore_case = (self.ignore_case)();
            ((self.files)().iter().map(|file| read(file, ignore_case)).collect(), ignore_case)
        })
    }
}

/// The rules of a file; lines that mean nothing are passed over, as git does.
fn read(file: &Path, ignore_case: bool) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    // Of the errors all that matters is that fewer files are ignored.
    let _ = builder.case_insensitive(ignore_case);
    if file.is_file() {
        let _ = builder.add(file);
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

impl Folder {
    /// The root of a repository's working tree.
    pub(super) fn root(file: Option<PathBuf>, repository: Arc<Shared>) -> Arc<Folder> {
        Arc::new(Folder {
            parent: None,
            path: BString::default(),
            file,
            rules: OnceLock::new(),
            is_ignored: false.into(),
            repository,
        })
    }

    /// A folder in this one. `is_named`: the user asked for it, so it is not ignored.
    pub(super) fn child(self: &Arc<Self>, path: BString, file: Option<PathBuf>, is_named: bool) -> Arc<Folder> {
        Arc::new(Folder {
            parent: Some(Arc::clone(self)),
            path,
            file,
            rules: OnceLock::new(),
            is_ignored: if is_named { false.into() } else { OnceLock::new() },
            repository: Arc::clone(&self.repository),
        })
    }

    /// Whether this folder is ignored, and so all in it that is not tracked.
    fn is_ignored(&self) -> bool {
        *self.is_ignored.get_or_init(|| {
            let Some(parent) = &self.parent else { return false };
            let path = self.path.strip_suffix(b"/").unwrap_or(&self.path);
            parent.ignores(path, true)
        })
    }

    /// Whether something in this folder is ignored; `path` is from the root.
    pub(super) fn ignores(&self, path: &[u8], is_dir: bool) -> bool {
        if self.is_ignored() {
            return true;
        }
        let mut at = Some(self);
        while let Some(folder) = at {
            if folder.file.is_some() {
                match folder.rules().matched(path[folder.path.len()..].to_path_lossy(), is_dir) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            at = folder.parent.as_deref();
        }
        for rules in self.repository.rules().0.iter().rev() {
            match rules.matched(path.to_path_lossy(), is_dir) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }

    fn rules(&self) -> &Gitignore {
        self.rules.get_or_init(|| match &self.file {
            Some(file) => read(file, self.repository.rules().1),
            None => Gitignore::empty(),
        })
    }
}
