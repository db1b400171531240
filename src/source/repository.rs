//! A git repository: the one place that knows how to ask it.
//!
//! Two ways lead to the same answers. libgit2 is the usual one: no process is started. What it
//! refuses (SHA-256, reftable, what the future brings) the git program is asked for, with plumbing
//! commands only, see [`program`]. The index file is read by ourselves in both cases where its
//! format is one we know ([`index_file`]), because that is what makes a hook feel like nothing.
//!
//! Everything here only reads. No hook, filter, text conversion, pager, credential helper or
//! monitor that a repository's configuration names is run, and no connection is opened; that is why
//! a repository that belongs to somebody else can be read safely.

mod index_file;
mod program;
mod refs;
mod renames;

use std::{
    cell::OnceCell,
    collections::HashSet,
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use bstr::{BStr, BString, ByteSlice, ByteVec};

pub use self::refs::{Range, Ref};
use self::{
    index_file::{Changes, IndexError, IndexFile, MODE_GITLINK, MODE_TREE},
    program::Program,
};
use super::file;
pub use super::oid::Oid;
use crate::{
    error::{Error, Result},
    gap::{Gap, GapKind},
};

/// Which way to a repository is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// libgit2 where it can, the git program where it cannot.
    #[default]
    Auto,
    /// The git program for everything.
    Program,
}

/// What surrounds a scan: the current directory, and what git's variables say.
///
/// Inside a hook these variables decide which index and which objects are meant: during
/// `git commit -a` the index is another file, during a push the new objects are in quarantine.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The current directory.
    pub cwd: PathBuf,
    /// Which way to take.
    pub backend: Backend,
    /// `GIT_DIR`
    pub git_dir: Option<PathBuf>,
    /// `GIT_WORK_TREE`
    pub work_tree: Option<PathBuf>,
    /// `GIT_INDEX_FILE`
    pub index_file: Option<PathBuf>,
    /// `GIT_OBJECT_DIRECTORY` and `GIT_QUARANTINE_PATH`
    pub object_dirs: Vec<PathBuf>,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`
    pub alternates: Vec<PathBuf>,
    /// `GIT_CEILING_DIRECTORIES`
    pub ceilings: Vec<PathBuf>,
    /// `GIT_DISCOVERY_ACROSS_FILESYSTEM`
    pub across_filesystems: bool,
    /// `GIT_CONFIG_GLOBAL`
    pub global_config: Option<PathBuf>,
}

impl Environment {
    /// No variables.
    pub fn new(cwd: impl Into<PathBuf>, backend: Backend) -> Self {
        Environment { cwd: cwd.into(), backend, ..Environment::default() }
    }

    /// What this process was started with. `KEYSIFT_GIT_BACKEND=program` forces the git program.
    pub fn of_process() -> Self {
        let cwd = env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let path = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(|v| cwd.join(v));
        let list = |name: &str| -> Vec<PathBuf> {
            let value = env::var_os(name).unwrap_or_default();
            env::split_paths(&value).filter(|p| !p.as_os_str().is_empty()).map(|p| cwd.join(p)).collect()
        };
        let program = env::var_os("KEYSIFT_GIT_BACKEND").is_some_and(|v| v == "program");
        let yes =
            |name: &str| env::var_os(name).is_some_and(|v| matches!(v.to_str(), Some("1" | "true" | "yes" | "on")));
        Environment {
            backend: if program { Backend::Program } else { Backend::Auto },
            git_dir: path("GIT_DIR"),
            work_tree: path("GIT_WORK_TREE"),
            index_file: path("GIT_INDEX_FILE"),
            object_dirs: ["GIT_OBJECT_DIRECTORY", "GIT_QUARANTINE_PATH"].into_iter().filter_map(path).collect(),
            alternates: list("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
            ceilings: list("GIT_CEILING_DIRECTORIES"),
            across_filesystems: yes("GIT_DISCOVERY_ACROSS_FILESYSTEM"),
            global_config: path("GIT_CONFIG_GLOBAL"),
            cwd,
        }
    }

    /// The same, without what names a particular repository.
    fn elsewhere(&self) -> Environment {
        Environment {
            git_dir: None,
            work_tree: None,
            index_file: None,
            object_dirs: Vec::new(),
            alternates: Vec::new(),
            ..self.clone()
        }
    }

    fn names_a_repository(&self) -> bool {
        self.git_dir.is_some()
            || self.index_file.is_some()
            || !self.object_dirs.is_empty()
            || !self.alternates.is_empty()
    }
}

/// The hash that names objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectFormat {
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
}

impl ObjectFormat {
    /// Length of an object id in bytes.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> usize {
        match self {
            ObjectFormat::Sha1 => 20,
            ObjectFormat::Sha256 => 32,
        }
    }

    fn empty_tree(self) -> &'static str {
        match self {
            ObjectFormat::Sha1 => "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
            ObjectFormat::Sha256 => "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
        }
    }
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A commit.
    Commit,
    /// A folder.
    Tree,
    /// The content of a file, or the target of a link.
    Blob,
    /// An annotated tag.
    Tag,
}

impl ObjectKind {
    fn from_name(name: &[u8]) -> Option<ObjectKind> {
        match name {
            b"commit" => Some(ObjectKind::Commit),
            b"tree" => Some(ObjectKind::Tree),
            b"blob" => Some(ObjectKind::Blob),
            b"tag" => Some(ObjectKind::Tag),
            _ => None,
        }
    }
}

/// An object, whole.
#[derive(Debug, Clone)]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its bytes, without git's header.
    pub bytes: Vec<u8>,
}

/// Why an object was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// It is not there, and nobody promised it.
    Missing,
    /// It is not there; in a partial clone the remote has it.
    Promised,
    /// It is there and does not decode.
    Corrupt(String),
}

impl ReadError {
    /// The gap that this makes at a place.
    pub fn gap(&self, place: impl Into<BString>, oid: Oid) -> Gap {
        match self {
            ReadError::Missing => Gap::new(GapKind::MissingObject, place, format!("object {oid} is not there")),
            ReadError::Promised => {
                Gap::new(GapKind::Promised, place, format!("object {oid} was not fetched into this partial clone"))
            }
            ReadError::Corrupt(why) => {
                Gap::new(GapKind::CorruptObject, place, format!("object {oid} cannot be read: {why}"))
            }
        }
    }
}

/// An entry of a tree object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// One part of a path.
    pub name: BString,
    /// What it is and whether it may be run: `0o040000` folder, `0o100644`, `0o100755` file,
    /// `0o120000` symbolic link, `0o160000` commit of a submodule.
    pub mode: u32,
    /// The object.
    pub oid: Oid,
}

/// The entries of a tree object, as far as they can be told apart.
pub fn parse_tree(bytes: &[u8], format: ObjectFormat) -> Option<Vec<TreeEntry>> {
    let (mut rest, mut entries) = (bytes, Vec::with_capacity(bytes.len() / 32));
    while !rest.is_empty() {
        let space = memchr::memchr(b' ', rest)?;
        let mode = u32::from_str_radix(rest[..space].to_str().ok()?, 8).ok()?;
        let nul = space + memchr::memchr(0, &rest[space..])?;
        let end = nul + 1 + format.len();
        let oid = Oid::from_bytes(rest.get(nul + 1..end)?)?;
        entries.push(TreeEntry { name: rest[space + 1..nul].into(), mode, oid });
        rest = &rest[end..];
    }
    Some(entries)
}

/// A file that the next commit would add or change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// Its path from the repository's root.
    pub path: BString,
    /// As in [`TreeEntry::mode`].
    pub mode: u32,
    /// Its content in the index.
    pub blob: Oid,
    /// Its content in HEAD, there perhaps under another name.
    pub before: Option<Oid>,
    /// Whether HEAD has nothing of this name.
    pub is_new_name: bool,
}

/// What the index says is tracked, sorted by path.
#[derive(Debug, Default)]
pub struct Tracked {
    paths: Vec<u8>,
    entries: Vec<TrackedEntry>,
}

#[derive(Debug, Clone, Copy)]
struct TrackedEntry {
    end: usize,
    mode: u32,
    blob: Oid,
    skip_worktree: bool,
}

/// One tracked file, link or submodule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackedFile<'a> {
    /// Its path from the repository's root.
    pub path: &'a BStr,
    /// As in [`TreeEntry::mode`].
    pub mode: u32,
    /// Its content in the index; in a conflict ours.
    pub blob: Oid,
    /// Whether a sparse checkout leaves it out.
    pub skip_worktree: bool,
}

impl TrackedFile<'_> {
    /// Whether it is a submodule.
    pub fn is_submodule(&self) -> bool {
        self.mode == MODE_GITLINK
    }
}

impl Tracked {
    fn push(&mut self, path: &[u8], mode: u32, blob: Oid, skip_worktree: bool) {
        // The sides of a conflict have one path; ours is the second.
        if self.entries.last().is_some() && self.get(self.len() - 1).path == path {
            return;
        }
        self.paths.extend_from_slice(path);
        self.entries.push(TrackedEntry { end: self.paths.len(), mode, blob, skip_worktree });
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is tracked.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn path(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.entries[before].end);
        &self.paths[start..self.entries[at].end]
    }

    /// The one at this place in the order of paths; panics beyond [`len`](Self::len).
    pub fn get(&self, at: usize) -> TrackedFile<'_> {
        let TrackedEntry { mode, blob, skip_worktree, .. } = self.entries[at];
        TrackedFile { path: self.path(at).into(), mode, blob, skip_worktree }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = TrackedFile<'_>> {
        (0..self.len()).map(|at| self.get(at))
    }

    /// The one of this path, looked for in a range of places.
    pub fn find(&self, range: std::ops::Range<usize>, path: &[u8]) -> Option<TrackedFile<'_>> {
        let at = self.first(range.clone(), |p| p >= path);
        (at < range.end && self.path(at) == path).then(|| self.get(at))
    }

    /// The places of everything below a folder, whose path ends in `/` (or is empty: the root).
    pub fn below(&self, range: std::ops::Range<usize>, folder: &[u8]) -> std::ops::Range<usize> {
        let start = self.first(range.clone(), |p| p >= folder);
        let end = self.first(start..range.end, |p| !p.starts_with(folder));
        start..end
    }

    fn first(&self, range: std::ops::Range<usize>, is_beyond: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low.midpoint(high);
            if is_beyond(self.path(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

/// Where everything of a repository is; can be shared between threads.
#[derive(Debug)]
struct Layout {
    git_dir: PathBuf,
    common_dir: PathBuf,
    root: Option<PathBuf>,
    is_bare: bool,
    format: ObjectFormat,
    index: PathBuf,
    /// The first is the repository's own.
    object_dirs: Vec<PathBuf>,
    environment: Environment,
    /// Why the git program is asked; `None`: libgit2 is.
    program: Option<String>,
}

/// Opens a repository once more, in another thread.
#[derive(Debug, Clone)]
pub struct Opener(Arc<Layout>);

impl Opener {
    /// A handle of its own for the calling thread.
    ///
    /// # Errors
    /// The repository has become unreadable since.
    pub fn open(&self) -> Result<Repository> {
        let library = match self.0.program {
            Some(_) => None,
            None => Some(open_library(&self.0).map_err(|e| broken(&self.0.git_dir, e.message()))?),
        };
        Ok(Repository { layout: Arc::clone(&self.0), library, program: OnceCell::new(), promises: OnceCell::new() })
    }
}

/// A git repository, for one thread.
pub struct Repository {
    layout: Arc<Layout>,
    library: Option<git2::Repository>,
    program: OnceCell<Program>,
    promises: OnceCell<bool>,
}

impl Repository {
    /// The repository that git would use for this path; `None` if there is none.
    ///
    /// The environment's own repository (`GIT_DIR` and its kin) is meant if `start` is the current
    /// directory or lies in that repository's working tree.
    ///
    /// # Errors
    /// There is one, and neither libgit2 nor the git program can read it.
    pub fn discover(start: &Path, environment: &Environment) -> Result<Option<Repository>> {
        if !environment.names_a_repository() {
            return find(start, environment);
        }
        let own = match &environment.git_dir {
            Some(dir) => Some(at_git_dir(dir, environment)?),
            None => find(&environment.cwd, environment)?,
        };
        let Some(own) = own else { return find(start, &environment.elsewhere()) };
        let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if real(start) == real(&environment.cwd) {
            return Ok(Some(own));
        }
        match find(start, &environment.elsewhere())? {
            Some(other) if real(other.git_dir()) == real(own.git_dir()) => Ok(Some(own)),
            Some(other) => Ok(Some(other)),
            None => Ok(own.root().is_some_and(|root| real(start).starts_with(real(root))).then_some(own)),
        }
    }

    /// The repository whose working tree this folder is the root of, whatever the environment says.
    ///
    /// # Errors
    /// There is one, and it cannot be read.
    pub fn at_root(root: &Path, environment: &Environment) -> Result<Option<Repository>> {
        let mut environment = environment.elsewhere();
        let absolute = environment.cwd.join(root);
        environment.ceilings = absolute.parent().map(Path::to_owned).into_iter().collect();
        Ok(find(&absolute, &environment)?.filter(|r| r.root().is_some()))
    }

    /// What opens this repository in another thread.
    pub fn opener(&self) -> Opener {
        Opener(Arc::clone(&self.layout))
    }

    /// A second handle.
    ///
    /// # Errors
    /// The repository has become unreadable since.
    pub fn reopen(&self) -> Result<Repository> {
        self.opener().open()
    }

    /// Which way to the repository is taken, where it is not the usual one, and why.
    pub fn remark(&self) -> Option<String> {
        self.layout.program.clone()
    }

    /// The root of the working tree.
    pub fn root(&self) -> Option<&Path> {
        self.layout.root.as_deref()
    }

    /// The `.git` of this working tree.
    pub fn git_dir(&self) -> &Path {
        &self.layout.git_dir
    }

    /// The `.git` that linked working trees share.
    pub fn common_dir(&self) -> &Path {
        &self.layout.common_dir
    }

    /// Whether it is a repository without a working tree.
    pub fn is_bare(&self) -> bool {
        self.layout.is_bare
    }

    /// Every folder that holds objects: quarantine, the repository's own, alternates and theirs.
    pub fn object_dirs(&self) -> &[PathBuf] {
        &self.layout.object_dirs
    }

    /// The hash that names objects.
    pub fn object_format(&self) -> ObjectFormat {
        self.layout.format
    }

    /// The commits whose parents were not fetched.
    pub fn shallow_boundary(&self) -> Vec<Oid> {
        let list = file::read(self.common_dir().join("shallow")).unwrap_or_default();
        list.lines().filter_map(|line| Oid::from_hex(line.trim())).collect()
    }

    /// Whether history ends at a shallow boundary.
    pub fn is_shallow(&self) -> bool {
        !self.shallow_boundary().is_empty()
    }

    /// Whether it is a partial clone: objects may be missing because a remote promised them.
    pub fn is_partial(&self) -> bool {
        *self.promises.get_or_init(|| {
            let promised = |dir: &PathBuf| {
                let packs = fs::read_dir(dir.join("pack")).into_iter().flatten().flatten();
                packs.into_iter().any(|f| f.path().extension().is_some_and(|e| e == "promisor"))
            };
            self.object_dirs().iter().any(promised) || self.config("extensions.partialclone").is_some()
        })
    }

    /// A value of the configuration.
    pub(crate) fn config(&self, key: &str) -> Option<BString> {
        let Some(library) = &self.library else { return self.program().config(key) };
        let config = library.config().ok()?;
        let value = |config: &git2::Config| config.get_bytes(key).ok().map(BString::from);
        let local = [git2::ConfigLevel::Worktree, git2::ConfigLevel::Local]
            .into_iter()
            .find_map(|level| value(&config.open_level(level).ok()?.snapshot().ok()?));
        let global = || match &self.layout.environment.global_config {
            Some(file) => value(&git2::Config::open(file).ok()?.snapshot().ok()?),
            None => value(&library.config().ok()?.snapshot().ok()?),
        };
        local.or_else(global)
    }

    /// The URL of the remote `origin`, without credentials.
    pub fn origin_url(&self) -> Option<String> {
        Some(without_credentials(&self.config("remote.origin.url")?.to_str_lossy()))
    }

    /// The commit that HEAD means.
    pub fn head(&self) -> Option<Oid> {
        match &self.library {
            Some(library) => from_git2(library.refname_to_id("HEAD").ok()?),
            None => self.program().resolve(b"HEAD"),
        }
    }

    /// The branch that HEAD is on, without `refs/heads/`; it may have no commit yet.
    pub fn head_branch(&self) -> Option<BString> {
        match &self.library {
            Some(_) => {
                let head = file::read(self.git_dir().join("HEAD")).ok()?;
                Some(head.strip_prefix(b"ref:")?.trim().strip_prefix(b"refs/heads/")?.into())
            }
            None => self.program().head_branch(),
        }
    }

    /// Reads an object.
    ///
    /// # Errors
    /// It is not there, or does not decode.
    pub fn read(&self, oid: Oid) -> Result<Object, ReadError> {
        let read = match &self.library {
            Some(library) => read_library(library, oid),
            None => self.program().read(oid),
        };
        match read {
            Err(ReadError::Missing) if self.has_file_of(oid) => Err(ReadError::Corrupt("its file is damaged".into())),
            Err(ReadError::Missing) if self.is_partial() => Err(ReadError::Promised),
            read => read,
        }
    }

    /// Whether there is a file for an object; of one that does not decode git says that it is missing.
    fn has_file_of(&self, oid: Oid) -> bool {
        let hex = oid.to_string();
        self.object_dirs().iter().any(|dir| dir.join(&hex[..2]).join(&hex[2..]).exists())
    }

    /// Whether an object is there.
    pub fn has(&self, oid: Oid) -> bool {
        match &self.library {
            Some(library) => to_git2(oid).is_some_and(|oid| library.odb().is_ok_and(|odb| odb.exists(oid))),
            None => self.program().has(oid),
        }
    }

    /// Reads a tree.
    ///
    /// # Errors
    /// As for [`read`](Self::read), or it is no tree.
    pub fn read_tree(&self, oid: Oid) -> Result<Vec<TreeEntry>, ReadError> {
        let object = self.read(oid)?;
        let entries =
            if object.kind == ObjectKind::Tree { parse_tree(&object.bytes, self.object_format()) } else { None };
        entries.ok_or_else(|| ReadError::Corrupt("it is not a tree".into()))
    }

    /// The first object of this kind that tags and commits lead to.
    pub(crate) fn peel(&self, oid: Oid, kind: ObjectKind) -> Option<Oid> {
        let mut oid = oid;
        // Tags of tags end somewhere; ids cannot go round in circles.
        for _ in 0..64 {
            let object = self.read(oid).ok()?;
            let key: &[u8] = match object.kind {
                is if is == kind => return Some(oid),
                ObjectKind::Commit => b"tree ",
                ObjectKind::Tag => b"object ",
                ObjectKind::Tree | ObjectKind::Blob => return None,
            };
            oid = Oid::from_hex(object.bytes.lines().next()?.strip_prefix(key)?)?;
        }
        None
    }

    fn program(&self) -> &Program {
        self.program.get_or_init(|| Program::new(&self.layout))
    }

    /// What the next commit would add, and what of it cannot be told.
    ///
    /// # Errors
    /// There is no way to read the index.
    pub fn staged(&self) -> Result<(Vec<Staged>, Vec<Gap>)> {
        let head = self.head();
        let mut gaps = Vec::new();
        if head.is_none() {
            // No commit yet, or a HEAD that is damaged?
            let branch = self.head_branch().map(|name| [b"refs/heads/", name.as_slice()].concat());
            let names_it = |gap: &Gap| gap.place == "HEAD" || branch.as_ref().is_some_and(|name| gap.place == *name);
            gaps.extend(self.refs().1.into_iter().filter(names_it));
        }
        let tree = head.and_then(|head| {
            let tree = self.peel(head, ObjectKind::Tree);
            if tree.is_none() {
                let why = self.read(head).err().unwrap_or_else(|| ReadError::Corrupt("it leads to no tree".into()));
                gaps.push(why.gap("HEAD", head));
            }
            tree
        });
        let changes = match self.native_index() {
            Ok(index) => index_file::compare(&index, tree, &|oid| self.read_tree(oid)),
            Err(e) => Err(e),
        };
        let mut changes = match changes {
            Ok(changes) => changes,
            Err(e @ (IndexError::Corrupt(_) | IndexError::Io(_))) => return Err(self.index_error(&e, "")),
            Err(e) => self.program().changes(tree).map_err(|why| self.index_error(&e, &why))?,
        };
        for (folder, oid, why) in std::mem::take(&mut changes.unread) {
            let place = if folder.is_empty() { BString::from("HEAD") } else { folder };
            gaps.push(why.gap(place, oid));
        }
        let mut conflicts: Vec<&BString> = changes.changed.iter().filter(|c| c.stage > 0).map(|c| &c.path).collect();
        conflicts.dedup();
        gaps.extend(conflicts.into_iter().map(|path| {
            Gap::new(GapKind::Unmerged, path.clone(), "the index holds a conflict here; its sides were scanned")
        }));
        Ok((self.with_renames(changes), gaps))
    }

    fn with_renames(&self, changes: Changes) -> Vec<Staged> {
        let old_names = renames::find(self, &changes);
        let staged = changes.changed.into_iter().enumerate().map(|(i, change)| Staged {
            path: change.path,
            mode: change.mode,
            blob: change.oid,
            before: change.old.or_else(|| old_names.get(&i).copied()),
            is_new_name: change.old.is_none() && change.stage == 0,
        });
        let mut seen = HashSet::new();
        staged
            .filter(|s| s.before != Some(s.blob) || s.is_new_name)
            .filter(|s| seen.insert((s.path.clone(), s.blob)))
            .collect()
    }

    /// The index, read by ourselves, unless the git program was asked for.
    fn native_index(&self) -> Result<IndexFile, IndexError> {
        // git would wait for a pipe.
        if fs::metadata(&self.layout.index).is_ok_and(|found| !found.is_file()) {
            return Err(IndexError::Io(std::io::Error::other("it is no file")));
        }
        if self.library.is_none() {
            return Err(IndexError::Unsupported("the git program is asked for everything".into()));
        }
        IndexFile::read(&self.layout.index, self.layout.format.len())
    }

    fn index_error(&self, ours: &IndexError, theirs: &str) -> Error {
        let why = match ours {
            IndexError::Unsupported(what) => format!("{what}; git says: {theirs}"),
            // git does not notice everything; what it makes of a damaged index is not asked.
            IndexError::Corrupt(what) => (*what).to_owned(),
            IndexError::Io(e) => e.to_string(),
        };
        Error::new(format!("cannot read the index {}", self.layout.index.display()))
            .because(why)
            .help("run `git status`; if git cannot read it either, delete it and run `git reset`")
    }

    /// What the index says is tracked.
    ///
    /// # Errors
    /// There is no way to read the index.
    pub fn tracked(&self) -> Result<Tracked> {
        match self.native_tracked() {
            Ok(tracked) => Ok(tracked),
            Err(e @ (IndexError::Corrupt(_) | IndexError::Io(_))) => Err(self.index_error(&e, "")),
            Err(e) => self.program().tracked().map_err(|why| self.index_error(&e, &why)),
        }
    }

    fn native_tracked(&self) -> Result<Tracked, IndexError> {
        let index = self.native_index()?;
        let mut tracked =
            Tracked { paths: Vec::with_capacity(index.bytes() / 2), entries: Vec::with_capacity(index.len()) };
        let mut cursor = index.entries()?;
        while cursor.advance()? {
            let entry = cursor.entry();
            // A collapsed folder of a sparse index has no files in the working tree.
            if entry.stage != 1 && entry.mode != MODE_TREE {
                tracked.push(cursor.path(), entry.mode, entry.oid, entry.skip_worktree);
            }
        }
        Ok(tracked)
    }

    /// The file of a user's own ignore rules, and the repository's.
    pub(crate) fn exclude_files(&self) -> Vec<PathBuf> {
        let global = match self.config("core.excludesfile") {
            Some(path) => expand_home(path.as_bstr()),
            None => env::var_os("XDG_CONFIG_HOME")
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
                .or_else(|| Some(env::home_dir()?.join(".config")))
                .map(|dir| dir.join("git/ignore")),
        };
        // The later ones win.
        global.into_iter().chain([self.common_dir().join("info/exclude")]).collect()
    }
}

fn expand_home(path: &BStr) -> Option<PathBuf> {
    let path = match path.strip_prefix(b"~/") {
        Some(rest) => env::home_dir()?.join(rest.to_path_lossy()),
        None => path.to_path_lossy().into_owned(),
    };
    Some(path)
}

/// A remote's URL as it may be shown: what stands before the `@` is left out, but for a user's name
/// where ssh needs one.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Some((user, host)) = host.rsplit_once('@') else { return url.to_owned() };
    match user.split_once(':').map_or(user, |(name, _)| name) {
        name if scheme.contains("ssh") && !name.is_empty() => format!("{scheme}://{name}@{host}{path}"),
        _ => format!("{scheme}://{host}{path}"),
    }
}

fn broken(place: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot read the git repository {}", place.display()))
        .because(why)
        .help("run `git status` there; if git cannot read it either, run `git fsck` or clone it again")
}

/// Settings of libgit2 that hold for the whole process.
#[allow(unsafe_code)]
fn configure_library() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Reading is all we do: a damaged object does not inflate, and hashing every object again
        // takes longer than everything else together.
        git2::opts::strict_hash_verification(false);
        // SAFETY: changes a flag of libgit2; nothing else of libgit2 runs before this, because every
        // call to it goes through here first.
        let _ = unsafe { git2::opts::set_verify_owner_validation(false) };
    });
}

fn open_library(layout: &Layout) -> Result<git2::Repository, git2::Error> {
    configure_library();
    let flags = git2::RepositoryOpenFlags::NO_SEARCH | git2::RepositoryOpenFlags::NO_DOTGIT;
    let library = git2::Repository::open_ext(&layout.git_dir, flags, std::iter::empty::<PathBuf>())?;
    add_object_dirs(&library, layout)?;
    Ok(library)
}

fn add_object_dirs(library: &git2::Repository, layout: &Layout) -> Result<(), git2::Error> {
    let own = layout.common_dir.join("objects");
    if layout.object_dirs.iter().any(|dir| *dir != own) {
        let odb = library.odb()?;
        for dir in layout.object_dirs.iter().filter(|dir| **dir != own && dir.is_dir()) {
            odb.add_disk_alternate(&dir.to_string_lossy())?;
        }
    }
    Ok(())
}

/// Looks for a repository at a path and above.
fn find(start: &Path, environment: &Environment) -> Result<Option<Repository>> {
    let start = environment.cwd.join(start);
    let mut folder = start.as_path();
    if !folder.is_dir() {
        folder = folder.parent().unwrap_or(folder);
    }
    if environment.backend == Backend::Program {
        return find_by_program(folder, environment, "KEYSIFT_GIT_BACKEND asks for the git program".into());
    }
    configure_library();
    let mut flags = git2::RepositoryOpenFlags::empty();
    flags.set(git2::RepositoryOpenFlags::CROSS_FS, environment.across_filesystems);
    match git2::Repository::open_ext(folder, flags, &environment.ceilings) {
        Ok(library) => Ok(Some(from_library(library, environment)?)),
        Err(e) if e.code() == git2::ErrorCode::NotFound => match damaged(folder, environment) {
            Some(place) => Err(broken(&place, e.message())),
            None => Ok(None),
        },
        Err(e) => find_by_program(folder, environment, format!("libgit2 cannot read it: {}", e.message())),
    }
}

/// A `.git` at or above a folder that git would take for a repository and that is none.
fn damaged(folder: &Path, environment: &Environment) -> Option<PathBuf> {
    for folder in folder.ancestors() {
        let git = folder.join(".git");
        match fs::metadata(&git) {
            Ok(found) if found.is_file() => return Some(git),
            Ok(found) if found.is_dir() && ["HEAD", "objects", "refs"].iter().any(|f| git.join(f).exists()) => {
                return Some(git);
            }
            _ => {}
        }
        if environment.ceilings.iter().any(|c| folder.parent() == Some(c)) {
            break;
        }
    }
    None
}

fn at_git_dir(dir: &Path, environment: &Environment) -> Result<Repository> {
    let mut why = String::from("KEYSIFT_GIT_BACKEND asks for the git program");
    if environment.backend == Backend::Auto {
        configure_library();
        let flags = git2::RepositoryOpenFlags::NO_SEARCH | git2::RepositoryOpenFlags::NO_DOTGIT;
        match git2::Repository::open_ext(dir, flags, std::iter::empty::<PathBuf>()) {
            Ok(library) => return from_library(library, environment),
            Err(e) => why = format!("libgit2 cannot read it: {}", e.message()),
        }
    }
    match program::discover(&environment.cwd, Some(dir), environment) {
        Ok(Some(found)) => Ok(from_program(found, environment, why)),
        Ok(None) => Err(broken(dir, "GIT_DIR names it, and it is not a git repository")),
        Err(e) => Err(broken(dir, format!("{why}; git says: {e}"))),
    }
}

fn find_by_program(folder: &Path, environment: &Environment, why: String) -> Result<Option<Repository>> {
    match program::discover(folder, None, environment) {
        Ok(Some(found)) => Ok(Some(from_program(found, environment, why))),
        Ok(None) => match damaged(folder, environment) {
            Some(place) => Err(broken(&place, "git does not take it for a repository")),
            None => Ok(None),
        },
        Err(e) => Err(broken(folder, format!("{why}; git says: {e}"))),
    }
}

fn from_library(library: git2::Repository, environment: &Environment) -> Result<Repository> {
    let found = program::Found {
        git_dir: library.path().to_owned(),
        common_dir: library.commondir().to_owned(),
        root: library.workdir().map(Path::to_owned),
        is_bare: library.is_bare(),
        format: ObjectFormat::Sha1,
    };
    let layout = layout(found, environment, None);
    add_object_dirs(&library, &layout).map_err(|e| broken(&layout.git_dir, e.message()))?;
    let layout = Arc::new(layout);
    Ok(Repository { layout, library: Some(library), program: OnceCell::new(), promises: OnceCell::new() })
}

fn from_program(found: program::Found, environment: &Environment, why: String) -> Repository {
    let layout = Arc::new(layout(found, environment, Some(why)));
    Repository { layout, library: None, program: OnceCell::new(), promises: OnceCell::new() }
}

fn layout(found: program::Found, environment: &Environment, program: Option<String>) -> Layout {
    // libgit2 ends folders in a slash; comparing and joining is easier without.
    let plain = |path: PathBuf| path.components().collect::<PathBuf>();
    let (git_dir, common_dir) = (plain(found.git_dir), plain(found.common_dir));
    let mut root = found.root.map(plain);
    if environment.git_dir.is_some() {
        if let Some(tree) = &environment.work_tree {
            root = Some(tree.clone());
        } else if let Some(found) = &root {
            // With GIT_DIR alone the current directory is the root, as for git itself.
            let inside = |outer: &Path| {
                let real = |p: &Path| fs::canonicalize(p).unwrap_or_else(|_| p.to_owned());
                real(&environment.cwd).starts_with(real(outer))
            };
            if !inside(found) {
                root = Some(environment.cwd.clone());
            }
        }
    }
    let index = environment.index_file.clone().unwrap_or_else(|| git_dir.join("index"));
    let mut object_dirs = environment.object_dirs.clone();
    object_dirs.push(common_dir.join("objects"));
    object_dirs.extend(environment.alternates.iter().cloned());
    Layout {
        object_dirs: with_alternates(object_dirs),
        git_dir,
        common_dir,
        root,
        is_bare: found.is_bare,
        format: found.format,
        index,
        environment: environment.clone(),
        program,
    }
}

/// Folders of objects, and those that their `info/alternates` name, each once.
fn with_alternates(mut dirs: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    dirs.retain(|dir| seen.insert(fs::canonicalize(dir).unwrap_or_else(|_| dir.clone())));
    let mut at = 0;
    while at < dirs.len() {
        let list = file::read(dirs[at].join("info/alternates")).unwrap_or_default();
        for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with(b"#")) {
            let dir = dirs[at].join(unquoted(line).to_path_lossy());
            if seen.insert(fs::canonicalize(&dir).unwrap_or_else(|_| dir.clone())) {
                dirs.push(dir);
            }
        }
        at += 1;
    }
    dirs
}

/// A path that git may have put in quotes, with escapes as in C.
fn unquoted(line: &[u8]) -> BString {
    let Some(inside) = line.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else { return line.into() };
    let (mut path, mut rest) = (BString::default(), inside);
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            path.push(byte);
            continue;
        }
        let octal = rest.get(..3).and_then(|digits| u8::from_str_radix(digits.to_str().ok()?, 8).ok());
        let Some((&escape, behind)) = rest.split_first() else { return line.into() };
        rest = if octal.is_some() { &rest[3..] } else { behind };
        path.push(match (octal, escape) {
            (Some(byte), _) => byte,
            (None, b'a') => 7,
            (None, b'b') => 8,
            (None, b't') => b'\t',
            (None, b'n') => b'\n',
            (None, b'v') => 11,
            (None, b'f') => 12,
            (None, b'r') => b'\r',
            (None, other) => other,
        });
    }
    path
}

fn read_library(library: &git2::Repository, oid: Oid) -> Result<Object, ReadError> {
    let corrupt = |e: git2::Error| ReadError::Corrupt(e.message().to_owned());
    let id = to_git2(oid).ok_or(ReadError::Missing)?;
    let odb = library.odb().map_err(corrupt)?;
    let object = match odb.read(id) {
        Ok(object) => object,
        Err(e) if e.code() == git2::ErrorCode::NotFound => return Err(ReadError::Missing),
        Err(e) => return Err(corrupt(e)),
    };
    let kind = match object.kind() {
        git2::ObjectType::Commit => ObjectKind::Commit,
        git2::ObjectType::Tree => ObjectKind::Tree,
        git2::ObjectType::Blob => ObjectKind::Blob,
        git2::ObjectType::Tag => ObjectKind::Tag,
        _ => return Err(ReadError::Corrupt("it is of no known kind".into())),
    };
    Ok(Object { kind, bytes: object.data().to_vec() })
}

fn to_git2(oid: Oid) -> Option<git2::Oid> {
    git2::Oid::from_bytes(oid.as_bytes()).ok()
}

fn from_git2(oid: git2::Oid) -> Option<Oid> {
    Oid::from_bytes(oid.as_bytes())
}

/// A path as git writes it.
pub(crate) fn bytes_of(path: &Path) -> BString {
    Vec::from_path_lossy(path).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_without_credentials() {
        for (url, shown) in [
            ("https://user:pass@example.com/a/b", "https://example.com/a/b"),
            ("https://token@example.com", "https://example.com"),
            ("ssh://git:pass@example.com/a@b", "ssh://git@example.com/a@b"),
            ("git@example.com:a/b.git", "git@example.com:a/b.git"),
            ("https://u:p@ss@example.com/a", "https://example.com/a"),
            ("/srv/git/a.git", "/srv/git/a.git"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }

    #[test]
    fn damaged_trees_are_none() {
        assert_eq!(parse_tree(b"", ObjectFormat::Sha1), Some(Vec::new()));
        assert_eq!(parse_tree(b"100644 a\0short", ObjectFormat::Sha1), None);
        assert_eq!(parse_tree(b"garbage", ObjectFormat::Sha1), None);
    }
}
