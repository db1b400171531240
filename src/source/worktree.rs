//! What git would see of a working tree: what is tracked, and what is neither tracked nor ignored.
//!
//! The walk knows the index: a tracked file needs no ignore rule (tracked wins), so that where all
//! is tracked no rule is ever read. Every folder is a task of its own, large folders are several;
//! whoever lists a file's name also reads it, so that all threads read while the walk goes on.
//!
//! Files are read into a buffer that each thread keeps, not mapped: for the small files that
//! working trees consist of, mapping and unmapping takes longer than copying; and a mapped file
//! that somebody truncates while it is searched ends the process.
//!
//! Binary files are searched like any other: a secret in a `.sqlite`, a `.pyc` or a core dump is a
//! secret. Nothing is skipped by its name, its first bytes or its NUL bytes.

mod rules;

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    ffi::OsString,
    fs::{self, File, FileType, OpenOptions},
    io::{self, Read as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bstr::{BStr, BString, ByteSlice};

use self::rules::{Folder, Shared};
use super::{
    Sink, Source, file, lfs,
    repository::{Environment, Repository, Tracked, bytes_of},
};
use crate::{
    content::{Content, Origin, Place},
    error::{Error, Result},
    gap::{Gap, GapKind},
};

/// Files of one folder that are read by one thread before others may help.
const BATCH: usize = 64;
/// A thread's buffer to begin with: most files fit.
const BUFFER: usize = 256 << 10;
/// Shorter names hold no secret.
const LEAST_NAME: usize = 16;
/// The largest buffer that a thread keeps.
const LARGEST_KEPT: usize = 8 << 20;

/// The files below some paths.
pub struct Worktree {
    paths: Vec<PathBuf>,
    root: PathBuf,
    environment: Environment,
    max_size: Option<u64>,
}

impl Worktree {
    /// The files below these paths, each in the repository it lies in; none means the current
    /// directory. Larger files than `max_size` become gaps.
    pub fn new(paths: Vec<PathBuf>, environment: Environment, max_size: Option<u64>) -> Self {
        let paths = if paths.is_empty() { vec![PathBuf::from(".")] } else { paths };
        Worktree { paths, root: environment.cwd.clone(), environment, max_size }
    }

    /// The same, with paths shown from this folder instead of the current one. What lies outside of it is
    /// shown as the user named it.
    #[must_use]
    pub fn from_root(mut self, root: impl Into<PathBuf>) -> Self {
        self.root = root.into();
        self
    }
}

/// A repository, as far as the walk needs it.
struct Tree {
    root: PathBuf,
    common_dir: PathBuf,
    tracked: Tracked,
    shared: Arc<Shared>,
}

/// A folder to be visited.
struct Visit {
    /// What opens it.
    path: PathBuf,
    /// What is shown before the names in it: its path from the root, with a slash.
    shown: BString,
    /// What is known of the repository; `None` outside of one.
    inside: Option<Inside>,
    /// Whether its `.git`, if it has one, is that of the repository the walk is already in.
    is_root: bool,
}

#[derive(Clone)]
struct Inside {
    tree: Arc<Tree>,
    /// The folder above, for its rules; `None` in the root.
    above: Option<Arc<Folder>>,
    /// Its path from the root, with a slash.
    path: BString,
    /// Where in the index everything below it is.
    range: Range<usize>,
    /// Whether the user named it.
    is_named: bool,
}

struct Walk<'a> {
    sink: &'a dyn Sink,
    environment: &'a Environment,
    max_size: Option<u64>,
    /// Paths that the user named beside others that contain them.
    named: HashSet<PathBuf>,
    saw_file: AtomicBool,
}

/// What a user's path is, and how it is shown.
enum Start {
    File { shown: BString },
    Folder { real: PathBuf, shown: BString },
}

impl Source for Worktree {
    fn for_each(&self, sink: &dyn Sink) -> Result<()> {
        let mut starts = Vec::with_capacity(self.paths.len());
        let mut named = HashSet::new();
        let base = fs::canonicalize(self.environment.cwd.join(&self.root)).unwrap_or_else(|_| self.root.clone());
        for path in &self.paths {
            let absolute = self.environment.cwd.join(path);
            let found = fs::metadata(&absolute).map_err(|e| {
                Error::new(format!("cannot scan {}", path.display()))
                    .because(e)
                    .help("name files and folders that exist")
            })?;
            let real = fs::canonicalize(&absolute).unwrap_or_else(|_| absolute.clone());
            if named.insert(real.clone()) {
                let start = if found.is_dir() {
                    Start::Folder { shown: shown(path, &real, &base), real }
                } else {
                    // A link is shown by its own name.
                    let folder = absolute.parent().and_then(|folder| fs::canonicalize(folder).ok());
                    let own = folder.zip(absolute.file_name()).map(|(folder, name)| folder.join(name));
                    let mut shown = shown(path, own.as_deref().unwrap_or(&real), &base);
                    shown.pop();
                    Start::File { shown }
                };
                starts.push((path, start));
            }
        }
        let several = starts.len() > 1 && starts.iter().any(|(_, s)| matches!(s, Start::Folder { .. }));
        let walk = Walk {
            sink,
            environment: &self.environment,
            max_size: self.max_size,
            named: if several { named } else { HashSet::new() },
            saw_file: AtomicBool::new(false),
        };
        let mut trees: HashMap<PathBuf, Arc<Tree>> = HashMap::new();
        let mut visits = Vec::new();
        let mut files = Vec::new();
        for (path, start) in starts {
            match start {
                Start::File { shown } => files.push((path, shown)),
                Start::Folder { real, shown } => visits.extend(self.visit_of(path, &real, shown, &mut trees, sink)?),
            }
        }
        rayon::scope(|scope| {
            let walk = &walk;
            for visit in visits {
                scope.spawn(move |scope| walk.folder(scope, visit));
            }
            for files in files.chunks(BATCH) {
                scope.spawn(move |_| files.iter().for_each(|(path, shown)| walk.named_file(path, shown)));
            }
        });
        if !walk.saw_file.into_inner() && !sink.is_stopped() {
            let place = bstr::join(", ", self.paths.iter().map(|p| bytes_of(p)));
            sink.gap(Gap::new(GapKind::NoInput, place, "there is no file to scan"));
        }
        Ok(())
    }
}

impl Worktree {
    /// How the walk of a folder begins.
    fn visit_of(
        &self,
        path: &Path,
        real: &Path,
        shown: BString,
        trees: &mut HashMap<PathBuf, Arc<Tree>>,
        sink: &dyn Sink,
    ) -> Result<Option<Visit>> {
        let mut visit = Visit { path: self.environment.cwd.join(path), shown, inside: None, is_root: true };
        let Some(repo) = Repository::discover(real, &self.environment)? else {
            // Not the root of anything: a `.git` found here is one that git does not take for a repository.
            return Ok(Some(visit));
        };
        let root = repo.root().map(|root| fs::canonicalize(root).unwrap_or_else(|_| root.to_owned()));
        let Some(root) = root.filter(|root| real.starts_with(root)) else {
            let is_inside = fs::canonicalize(repo.git_dir()).is_ok_and(|dir| real.starts_with(dir));
            if repo.is_bare() && is_inside {
                let why = "a bare repository has no working tree; scan it with --history";
                sink.gap(Gap::new(GapKind::NoInput, bytes_of(path), why));
                return Ok(None);
            }
            return Ok(Some(visit));
        };
        if real.starts_with(fs::canonicalize(repo.git_dir()).unwrap_or_default()) && real != root {
            // A folder inside `.git` that the user named.
            return Ok(Some(visit));
        }
        let tree = match trees.get(&root) {
            Some(tree) => Arc::clone(tree),
            None => trees.entry(root.clone()).or_insert(Arc::new(Tree::of(&repo, root.clone())?)).clone(),
        };
        let below = real.strip_prefix(&root).unwrap_or(Path::new(""));
        let (mut above, mut at, mut fs_path) = (None::<Arc<Folder>>, BString::default(), root.clone());
        for part in below.components() {
            let file = Some(fs_path.join(".gitignore")).filter(|f| f.is_file());
            above = Some(match &above {
                None => Folder::root(file, Arc::clone(&tree.shared)),
                Some(above) => above.child(at.clone(), file, false),
            });
            fs_path.push(part);
            at.extend_from_slice(&bytes_of(part.as_ref()));
            at.push(b'/');
        }
        let range = tree.tracked.below(0..tree.tracked.len(), &at);
        visit.is_root = at.is_empty();
        for file in range.clone().map(|i| tree.tracked.get(i)).filter(|f| f.is_submodule() && !f.skip_worktree) {
            report_submodule(&tree, file.path, &at, visit.shown.as_bstr(), sink);
        }
        visit.inside = Some(Inside { tree, above, path: at, range, is_named: true });
        Ok(Some(visit))
    }
}

/// A submodule that is not checked out is a gap.
fn report_submodule(tree: &Tree, path: &BStr, folder: &[u8], shown: &BStr, sink: &dyn Sink) {
    if fs::symlink_metadata(tree.root.join(path.to_path_lossy()).join(".git")).is_err() {
        let place = [shown.as_bytes(), &path[folder.len()..]].concat();
        sink.gap(Gap::new(GapKind::Submodule, place, "the submodule is not checked out"));
    }
}

impl Tree {
    fn of(repo: &Repository, root: PathBuf) -> Result<Tree> {
        let (opener, again) = (repo.opener(), repo.opener());
        let files = move || opener.open().map(|repo| repo.exclude_files()).unwrap_or_default();
        let ignore_case = move || {
            let value = again.open().ok().and_then(|repo| repo.config("core.ignorecase"));
            value.is_some_and(|v| matches!(v.to_ascii_lowercase().as_slice(), b"true" | b"yes" | b"on" | b"1" | b""))
        };
        Ok(Tree {
            common_dir: repo.common_dir().to_owned(),
            tracked: repo.tracked()?,
            shared: Arc::new(Shared::new(files, ignore_case)),
            root,
        })
    }
}

/// What is shown before the names in a folder that the user named: its path from the root, or else as it was
/// named; with a slash.
fn shown(path: &Path, real: &Path, root: &Path) -> BString {
    let mut shown = bytes_of(real.strip_prefix(root).unwrap_or(path));
    while let Some(rest) = shown.strip_prefix(b"./") {
        shown = rest.trim_start_with(|c| c == '/').into();
    }
    if shown.as_slice() == b"." {
        shown.clear();
    }
    if !shown.is_empty() && !shown.ends_with(b"/") {
        shown.push(b'/');
    }
    shown
}

impl<'a> Walk<'a> {
    fn unreadable(&self, place: impl Into<BString>, error: &io::Error) {
        self.saw_file.store(true, Ordering::Relaxed);
        self.sink.gap(Gap::new(GapKind::Unreadable, place, error.to_string()));
    }

    /// Visits one folder; those in it become tasks.
    fn folder<'s>(&'s self, scope: &rayon::Scope<'s>, mut visit: Visit) {
        if self.sink.is_stopped() {
            return;
        }
        let mut entries: Vec<(OsString, FileType)> = Vec::new();
        let (mut has_git, mut has_ignore) = (false, false);
        let place = |visit: &Visit| if visit.shown.is_empty() { BString::from(".") } else { visit.shown.clone() };
        match fs::read_dir(&visit.path) {
            Ok(files) => {
                for file in files {
                    let found = file.and_then(|f| Ok((f.file_name(), f.file_type()?)));
                    match found {
                        Ok((name, _)) if name == ".git" => has_git = true,
                        Ok((name, kind)) => {
                            has_ignore |= name == ".gitignore";
                            entries.push((name, kind));
                        }
                        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                        Err(e) => {
                            self.unreadable(place(&visit), &e);
                            break;
                        }
                    }
                }
            }
            // Gone since its name was listed.
            Err(e) if e.kind() == io::ErrorKind::NotFound && !visit.is_root => return,
            Err(e) => return self.unreadable(place(&visit), &e),
        }
        if has_git && !visit.is_root {
            self.enter_repository(&mut visit);
        }
        let folder = visit.inside.as_ref().map(|inside| {
            let file = has_ignore.then(|| visit.path.join(".gitignore"));
            match &inside.above {
                None => Folder::root(file, Arc::clone(&inside.tree.shared)),
                Some(above) => above.child(inside.path.clone(), file, inside.is_named),
            }
        });
        let mut files = Vec::new();
        let mut path = visit.inside.as_ref().map(|inside| inside.path.clone()).unwrap_or_default();
        let start = path.len();
        for (name, kind) in entries {
            let inside = visit.inside.as_ref().zip(folder.as_ref());
            path.truncate(start);
            path.extend_from_slice(&bytes_of(name.as_ref()));
            if kind.is_dir() {
                if let Some(next) = self.next(&visit, inside, &mut path, &name) {
                    self.name(&visit, &name);
                    scope.spawn(move |scope| self.folder(scope, next));
                }
                continue;
            }
            if !(kind.is_file() || kind.is_symlink() && inside.is_some()) {
                continue;
            }
            let is_wanted = inside.is_none_or(|(inside, folder)| {
                inside.tree.tracked.find(inside.range.clone(), &path).is_some() || !folder.ignores(&path, false)
            });
            if is_wanted && !self.is_named(&visit.path, &name) {
                self.name(&visit, &name);
                files.push((name, kind));
            }
        }
        if files.len() <= BATCH {
            self.files(&visit, &files);
            return;
        }
        let visit = Arc::new(visit);
        while !files.is_empty() {
            let batch = files.split_off(files.len().saturating_sub(BATCH));
            let visit = Arc::clone(&visit);
            scope.spawn(move |_| self.files(&visit, &batch));
        }
    }

    /// The name of a file or folder is a content, too.
    fn name(&self, visit: &Visit, name: &OsString) {
        let name = bytes_of(name.as_ref());
        if name.len() >= LEAST_NAME {
            let path = [visit.shown.as_slice(), &name].concat().into();
            let origin = Origin { path, place: Place::FileName, blob: None };
            self.sink.content(Content { origin: &origin, bytes: &name, before: None });
        }
    }

    /// A folder in a folder, if it is to be visited.
    fn next(
        &self,
        visit: &Visit,
        inside: Option<(&Inside, &Arc<Folder>)>,
        path: &mut BString,
        name: &OsString,
    ) -> Option<Visit> {
        if self.is_named(&visit.path, name) {
            return None;
        }
        let next = match inside {
            None => None,
            Some((inside, folder)) => {
                let tracked = &inside.tree.tracked;
                let name_end = path.len();
                path.push(b'/');
                let range = tracked.below(inside.range.clone(), path);
                if range.is_empty() {
                    let plain = &path[..name_end];
                    let submodule = tracked.find(inside.range.clone(), plain).filter(|file| file.is_submodule());
                    if submodule.is_none() && folder.ignores(plain, true) {
                        return None;
                    }
                }
                Some(Inside {
                    tree: Arc::clone(&inside.tree),
                    above: Some(Arc::clone(folder)),
                    path: path.clone(),
                    range,
                    is_named: false,
                })
            }
        };
        let mut shown = visit.shown.clone();
        shown.extend_from_slice(&bytes_of(name.as_ref()));
        shown.push(b'/');
        Some(Visit { path: visit.path.join(name), shown, inside: next, is_root: false })
    }

    /// Whether this is a path that the user named as well, so that it is visited on its own.
    fn is_named(&self, folder: &Path, name: &OsString) -> bool {
        !self.named.is_empty() && fs::canonicalize(folder.join(name)).is_ok_and(|real| self.named.contains(&real))
    }

    /// A folder with a `.git`: a submodule, or a repository that merely lies here. Its own index and
    /// rules hold from here on, unless the repository around it tracks files in it.
    fn enter_repository(&self, visit: &mut Visit) {
        if visit.inside.as_ref().is_some_and(|inside| !inside.range.is_empty()) {
            return;
        }
        let found = Repository::at_root(&visit.path, self.environment);
        let tree = found.and_then(|repo| repo.map(|repo| Tree::of(&repo, visit.path.clone())).transpose());
        match tree {
            Ok(Some(tree)) => {
                for file in tree.tracked.iter().filter(|f| f.is_submodule() && !f.skip_worktree) {
                    report_submodule(&tree, file.path, b"", visit.shown.as_bstr(), self.sink);
                }
                let range = 0..tree.tracked.len();
                let path = BString::default();
                visit.inside = Some(Inside { tree: Arc::new(tree), above: None, path, range, is_named: false });
            }
            Ok(None) => {}
            Err(e) => {
                let why = e.to_string().lines().next().unwrap_or_default().to_owned();
                self.sink.gap(Gap::new(GapKind::NestedRepository, visit.shown.clone(), why));
            }
        }
    }

    fn files(&self, visit: &Visit, files: &[(OsString, FileType)]) {
        let common_dir = visit.inside.as_ref().map(|inside| inside.tree.common_dir.as_path());
        let mut path = visit.path.clone();
        path.push("x");
        for (name, kind) in files {
            if self.sink.is_stopped() {
                return;
            }
            path.set_file_name(name);
            let mut shown = visit.shown.clone();
            shown.extend_from_slice(&bytes_of(name.as_ref()));
            if kind.is_symlink() {
                self.link(&path, shown);
            } else {
                self.file(&path, shown, common_dir);
            }
        }
    }

    /// A symbolic link: its content is the name it points to, and that is not followed.
    fn link(&self, path: &Path, shown: BString) {
        match fs::read_link(path) {
            Ok(target) => self.push(shown, &bytes_of(&target)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.unreadable(shown, &e),
        }
    }

    fn push(&self, path: BString, bytes: &[u8]) {
        self.saw_file.store(true, Ordering::Relaxed);
        let origin = Origin { path, place: Place::Content, blob: None };
        self.sink.content(Content { origin: &origin, bytes, before: None });
    }

    /// A file that the user named. A pipe is waited for, as `<(…)` in a shell expects.
    fn named_file(&self, path: &Path, shown: &BString) {
        let shown = shown.clone();
        let path = self.environment.cwd.join(path);
        let found = match fs::metadata(&path) {
            Ok(found) => found,
            Err(e) => return self.unreadable(shown, &e),
        };
        if !found.is_file() && !is_pipe(found.file_type()) {
            return self.unreadable(shown, &io::Error::other("it is neither a file nor a folder"));
        }
        match File::open(&path) {
            Ok(file) => self.content(file, shown, Common::Of(&path)),
            Err(e) => self.unreadable(shown, &e),
        }
    }

    fn file(&self, path: &Path, shown: BString, common_dir: Option<&Path>) {
        match open(path) {
            Ok(file) => self.content(file, shown, Common::Known(common_dir)),
            // Gone since its name was listed.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => self.unreadable(shown, &e),
        }
    }

    fn content(&self, file: File, shown: BString, common: Common<'_>) {
        let mut buffer = Buffer::take();
        let bytes = match buffer.read(file, self.max_size) {
            Ok(Read { bytes, is_steady }) => {
                if !is_steady {
                    let why = "it changed while it was read; what was read was scanned";
                    self.sink.gap(Gap::new(GapKind::Changed, shown.clone(), why));
                }
                bytes
            }
            Err(ReadError::TooLarge) => return self.too_large(shown),
            Err(ReadError::Io(e)) => return self.unreadable(shown, &e),
        };
        let Some(hash) = lfs::pointer(bytes) else { return self.push(shown, bytes) };
        self.saw_file.store(true, Ordering::Relaxed);
        let object = match common {
            Common::Known(dir) => dir.map(|dir| lfs::object(dir, hash)),
            Common::Of(path) => {
                let repo = Repository::discover(path, self.environment).ok().flatten();
                repo.map(|repo| lfs::object(repo.common_dir(), hash))
            }
        };
        let Some(object) = object else { return self.push(shown, bytes) };
        let mut large = Buffer::take();
        match file::open(&object).map_err(ReadError::Io).and_then(|file| large.read(file, self.max_size)) {
            Ok(Read { bytes, .. }) => self.push(shown, bytes),
            Err(ReadError::TooLarge) => self.too_large(shown),
            Err(ReadError::Io(e)) => self.sink.gap(lfs::gap(shown, hash, &e)),
        }
    }

    fn too_large(&self, shown: BString) {
        self.saw_file.store(true, Ordering::Relaxed);
        let limit = self.max_size.unwrap_or_default();
        self.sink.gap(Gap::new(GapKind::Size, shown, format!("it is larger than {limit} bytes")));
    }
}

/// The `.git` whose LFS objects a file may mean.
enum Common<'a> {
    Known(Option<&'a Path>),
    /// That of the repository which this file is in.
    Of(&'a Path),
}

/// Opens a file whose name was listed as a file's: should it be a pipe by now, nobody waits; should
/// it be a link, it is not followed.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: FileType) -> bool {
    false
}

/// A thread's buffer, for the time of one file. Taken, not borrowed: while a content is searched the
/// thread may be given another file to read.
struct Buffer(Vec<u8>);

thread_local! {
    static BUFFERS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What was read of a file.
struct Read<'a> {
    bytes: &'a [u8],
    /// Whether the file stayed as it was meanwhile.
    is_steady: bool,
}

/// Why a file was not read.
enum ReadError {
    /// It is longer than the limit.
    TooLarge,
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        ReadError::Io(error)
    }
}

impl Buffer {
    fn take() -> Buffer {
        let mut bytes = BUFFERS.take();
        if bytes.is_empty() {
            bytes.resize(BUFFER, 0);
        }
        Buffer(bytes)
    }

    /// Reads a file to its end.
    ///
    /// What fits into the buffer to begin with is read in one go, and so in one state; of larger files is told
    /// whether they stayed as they were.
    fn read(&mut self, mut file: File, limit: Option<u64>) -> Result<Read<'_>, ReadError> {
        let (mut len, mut before) = (0, None);
        loop {
            if len == self.0.len() {
                // Larger than the buffer: now its size is worth asking for.
                let found = file.metadata()?;
                let size = usize::try_from(found.len()).unwrap_or(usize::MAX);
                before.get_or_insert(found);
                if limit.is_some_and(|limit| size as u64 > limit) {
                    return Err(ReadError::TooLarge);
                }
                let more = size.saturating_add(1).max(self.0.len().saturating_mul(2)).saturating_sub(self.0.len());
                self.0.try_reserve_exact(more).map_err(io::Error::from)?;
                self.0.resize(self.0.capacity(), 0);
            }
            match file.read(&mut self.0[len..]) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
            if limit.is_some_and(|limit| len as u64 > limit) {
                return Err(ReadError::TooLarge);
            }
        }
        let is_steady = match before {
            // What the kernel makes up has no size.
            Some(before) if before.len() > 0 => {
                let after = file.metadata()?;
                after.len() == len as u64 && before.len() == after.len() && before.modified()? == after.modified()?
            }
            _ => true,
        };
        Ok(Read { bytes: &self.0[..len], is_steady })
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0);
        if bytes.len() > LARGEST_KEPT {
            bytes = Vec::new();
        }
        BUFFERS.set(bytes);
    }
}
