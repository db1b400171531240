//! Where a path that an agent names leads to: relative to which directory, and through which links.

use std::{
    env, fs, io,
    path::{Component, Path, PathBuf},
};

/// What paths are relative to.
#[derive(Debug, Clone)]
pub struct Base {
    /// The event's working directory, absolute.
    pub cwd: PathBuf,
    /// The root of the repository that it is in, or the directory itself.
    pub root: PathBuf,
    /// The home directory.
    pub home: Option<PathBuf>,
}

/// A path, as it is written and as it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Absolute, without `.` and `..`.
    pub path: PathBuf,
    /// With links followed, as far as there is something.
    pub real: PathBuf,
}

impl Base {
    /// The base for events from this directory.
    pub fn new(cwd: &Path, home: Option<PathBuf>) -> Base {
        let cwd = if cwd.is_absolute() { cwd.to_owned() } else { env::current_dir().unwrap_or_default().join(cwd) };
        let root = cwd.ancestors().find(|dir| dir.join(".git").symlink_metadata().is_ok()).unwrap_or(&cwd).to_owned();
        Base { cwd, root, home }
    }

    /// Where a path leads to from a directory (absolute, or from the event's).
    pub fn place(&self, path: &str, from: &Path) -> Place {
        let home = |rest: &str| self.home.as_ref().map(|home| home.join(rest.trim_start_matches('/')));
        let expanded =
            ["~/", "$HOME/", "${HOME}/", "$env:USERPROFILE/"].iter().find_map(|p| path.strip_prefix(p).and_then(home));
        let path = match (expanded, path) {
            (Some(path), _) => path,
            (None, "~" | "$HOME" | "${HOME}") => self.home.clone().unwrap_or_default(),
            (None, path) => self.cwd.join(from).join(path),
        };
        let path = normal(&path);
        let real = real(&path);
        Place { path, real }
    }

    /// The path from the root of the repository, with `/`; the whole path if it is not below.
    pub fn shown(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.root).or_else(|_| path.strip_prefix(&self.cwd));
        let text = below.unwrap_or(path).to_string_lossy();
        if std::path::MAIN_SEPARATOR == '\\' { text.replace('\\', "/") } else { text.into_owned() }
    }
}

impl Place {
    /// The content, if it is a file of at most so many bytes.
    ///
    /// # Errors
    /// It cannot be read, or is larger.
    pub fn read(&self, most: u64) -> io::Result<Option<Vec<u8>>> {
        let found = match fs::metadata(&self.real) {
            Ok(found) => found,
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
            Err(e) => return Err(e),
        };
        // A pipe or a device would be read without end; what it says is looked at when it has said it.
        if !found.is_file() {
            return Ok(None);
        }
        if found.len() > most {
            return Err(io::Error::other(format!("it has {} bytes, which is too much to look at first", found.len())));
        }
        fs::read(&self.real).map(Some)
    }
}

/// Without `.` and `..`, as the text of the path has it.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// With links followed; what is not there (yet) stays as it is below what is.
fn real(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    for ancestor in path.ancestors() {
        if let Ok(real) = fs::canonicalize(ancestor) {
            return rest.iter().rev().fold(real, |path, name| path.join(name));
        }
        rest.extend(ancestor.file_name().map(ToOwned::to_owned));
    }
    path.to_owned()
}
