//! The git program, asked where libgit2 cannot read a repository.
//!
//! Plumbing commands only, in their `-z` form where they have one. The program is kept from running
//! anything that the repository names, from writing, and from asking anybody: no file system
//! monitor, no hooks, no lazy fetching, no transports, no prompts, no optional locks, no replaced
//! objects. The environment's own variables go in as `GIT_CONFIG_COUNT` and its kin, because
//! `safe.directory` is honoured only there.

use std::{
    cell::RefCell,
    env,
    ffi::OsStr,
    io::{self, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use bstr::{BString, ByteSlice};

use super::{
    Environment, Layout, Object, ObjectFormat, ObjectKind, ReadError, Ref, Tracked,
    index_file::{Change, Changes, MODE_GITLINK, MODE_TREE, Removal},
    refs::{PSEUDO_REFS, stash_name},
};
use crate::{
    error::{Error, Result},
    gap::{Gap, GapKind},
    source::oid::Oid,
};

/// What the repository's configuration may name and we do not run.
const CONFIG: [(&str, &str); 7] = [
    ("safe.directory", "*"),
    ("safe.bareRepository", "all"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("core.untrackedCache", "false"),
    ("core.alternateRefsCommand", "false"),
    ("protocol.allow", "never"),
];

/// Variables that would send git elsewhere.
const CLEARED: [&str; 17] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_NAMESPACE",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_REPLACE_REF_BASE",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_SHALLOW_FILE",
    "GIT_ATTR_SOURCE",
    "GIT_TRACE",
];

/// A repository as it was found.
pub(super) struct Found {
    pub(super) git_dir: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) root: Option<PathBuf>,
    pub(super) is_bare: bool,
    pub(super) format: ObjectFormat,
}

/// What a command gave.
struct Output {
    ok: bool,
    out: Vec<u8>,
    err: Vec<u8>,
}

fn git(cwd: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(cwd);
    for name in CLEARED {
        git.env_remove(name);
    }
    git.env("GIT_CONFIG_COUNT", CONFIG.len().to_string());
    for (n, (key, value)) in CONFIG.iter().enumerate() {
        git.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
    }
    git.env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .env("GIT_PAGER", "cat")
        .env("LC_ALL", "C");
    git
}

fn run(mut command: Command, stdin: &[u8]) -> io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let pipe = child.stdin.take();
    let output = thread::scope(|scope| {
        scope.spawn(move || {
            // git may end before it has read everything; what it then says decides.
            pipe.map(|mut pipe| pipe.write_all(stdin).and_then(|()| pipe.flush()))
        });
        child.wait_with_output()
    })?;
    Ok(Output { ok: output.status.success(), out: output.stdout, err: output.stderr })
}

fn message(output: &Output) -> String {
    let text = output.err.to_str_lossy();
    let line =
        text.lines().find(|l| l.starts_with("fatal:") || l.starts_with("error:")).or_else(|| text.lines().next());
    line.unwrap_or("it failed without a word").trim().to_owned()
}

fn not_started(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::NotFound => "there is no git program on the PATH; install git".into(),
        _ => format!("the git program cannot be started: {e}"),
    }
}

/// Asks git which repository a folder is in (or `git_dir` names).
pub(super) fn discover(
    folder: &Path,
    git_dir: Option<&Path>,
    environment: &Environment,
) -> Result<Option<Found>, String> {
    let ask = |args: &[&str]| {
        let mut command = git(folder);
        if let Some(dir) = git_dir {
            command.env("GIT_DIR", dir);
            if let Some(tree) = &environment.work_tree {
                command.env("GIT_WORK_TREE", tree);
            }
        }
        if let Ok(list) = env::join_paths(&environment.ceilings) {
            command.env("GIT_CEILING_DIRECTORIES", list);
        }
        command.arg("rev-parse").args(args);
        run(command, b"").map_err(|e| not_started(&e))
    };
    let line = |output: &Output| output.out.strip_suffix(b"\n").unwrap_or(&output.out).to_vec();
    let path = |output: &Output| folder.join(line(output).to_path_lossy());
    let found = ask(&["--absolute-git-dir"])?;
    if !found.ok {
        let why = message(&found);
        return if why.contains("not a git repository") { Ok(None) } else { Err(why) };
    }
    let format = match line(&ask(&["--show-object-format"])?).as_slice() {
        b"sha256" => ObjectFormat::Sha256,
        _ => ObjectFormat::Sha1,
    };
    let top = ask(&["--show-toplevel"])?;
    Ok(Some(Found {
        git_dir: path(&found),
        common_dir: path(&ask(&["--git-common-dir"])?),
        root: top.ok.then(|| path(&top)),
        is_bare: line(&ask(&["--is-bare-repository"])?) == b"true",
        format,
    }))
}

/// The git program at work in one repository.
pub(super) struct Program {
    cwd: PathBuf,
    environment: Vec<(&'static str, std::ffi::OsString)>,
    format: ObjectFormat,
    index: PathBuf,
    objects: RefCell<Option<Batch>>,
}

/// A `git cat-file --batch` that waits for the next object id.
struct Batch {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Its input at an end, it ends.
        self.stdin = None;
        let _ = self.child.wait();
    }
}

impl Program {
    pub(super) fn new(layout: &Layout) -> Program {
        let mut environment = vec![("GIT_DIR", layout.git_dir.clone().into_os_string())];
        if let Some(root) = &layout.root {
            environment.push(("GIT_WORK_TREE", root.clone().into_os_string()));
        }
        if let Some(index) = &layout.environment.index_file {
            environment.push(("GIT_INDEX_FILE", index.clone().into_os_string()));
        }
        if let Some(config) = &layout.environment.global_config {
            environment.push(("GIT_CONFIG_GLOBAL", config.clone().into_os_string()));
        }
        let own = layout.common_dir.join("objects");
        let others = layout.object_dirs.iter().filter(|dir| **dir != own);
        if let Ok(list) = env::join_paths(others) {
            environment.push(("GIT_ALTERNATE_OBJECT_DIRECTORIES", list));
        }
        Program {
            cwd: layout.root.clone().filter(|r| r.is_dir()).unwrap_or_else(|| layout.git_dir.clone()),
            environment,
            format: layout.format,
            index: layout.index.clone(),
            objects: RefCell::new(None),
        }
    }

    fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = git(&self.cwd);
        command.envs(self.environment.iter().map(|(k, v)| (k, v))).args(args);
        command
    }

    fn ask(&self, args: &[&str], stdin: &[u8]) -> Result<Output, String> {
        run(self.command(args), stdin).map_err(|e| not_started(&e))
    }

    /// The output of a command that must succeed.
    fn must(&self, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>, String> {
        let output = self.ask(args, stdin)?;
        if output.ok { Ok(output.out) } else { Err(message(&output)) }
    }

    pub(super) fn config(&self, key: &str) -> Option<BString> {
        let out = self.must(&["config", "-z", "--get", key], b"").ok()?;
        Some(out.strip_suffix(b"\0").unwrap_or(&out).into())
    }

    pub(super) fn head_branch(&self) -> Option<BString> {
        let out = self.must(&["symbolic-ref", "-q", "HEAD"], b"").ok()?;
        Some(out.trim_end().strip_prefix(b"refs/heads/")?.into())
    }

    /// The object that a revision means.
    pub(super) fn resolve(&self, rev: &[u8]) -> Option<Oid> {
        let mut command = self.command(["rev-parse", "--verify", "--quiet", "--end-of-options"]);
        command.arg(rev.to_os_str_lossy());
        let output = run(command, b"").ok().filter(|output| output.ok)?;
        // git before 2.30 repeats the end of options.
        Oid::from_hex(output.out.lines().next_back()?)
    }

    pub(super) fn merge_bases(&self, a: Oid, b: Oid) -> Result<Vec<Oid>> {
        let failed = |why: String| Error::new(format!("cannot tell where {a} and {b} part")).because(why);
        let output = self.ask(&["merge-base", "--all", &a.to_string(), &b.to_string()], b"").map_err(failed)?;
        if !output.ok && !output.err.is_empty() {
            return Err(failed(message(&output)));
        }
        Ok(output.out.lines().filter_map(Oid::from_hex).collect())
    }

    /// For each name the object it means, if it is there.
    fn check(&self, names: &[BString]) -> Vec<Option<Oid>> {
        let mut input = bstr::join("\n", names);
        input.push(b'\n');
        let out = self.must(&["cat-file", "--batch-check", "--buffer"], &input).unwrap_or_default();
        let oid = |line: &[u8]| {
            let (oid, rest) = line.split_once_str(" ")?;
            ObjectKind::from_name(rest.split_str(" ").next()?).and(Oid::from_hex(oid))
        };
        let mut found: Vec<_> = out.lines().map(oid).collect();
        found.resize(names.len(), None);
        found
    }

    pub(super) fn have(&self, oids: &[Oid]) -> Vec<bool> {
        if oids.is_empty() {
            return Vec::new();
        }
        let names: Vec<BString> = oids.iter().map(|oid| oid.to_string().into()).collect();
        self.check(&names).into_iter().map(|found| found.is_some()).collect()
    }

    pub(super) fn has(&self, oid: Oid) -> bool {
        self.have(&[oid]) == [true]
    }

    pub(super) fn refs(&self, gaps: &mut Vec<Gap>) -> Vec<Ref> {
        let mut refs = Vec::new();
        match self.ask(&["for-each-ref", "--format=%(objectname) %(refname)"], b"") {
            Ok(output) => {
                for line in output.out.lines() {
                    if let Some((oid, name)) = line.split_once_str(" ")
                        && let Some(target) = Oid::from_hex(oid)
                    {
                        refs.push(Ref { name: name.into(), target });
                    }
                }
                for line in output.err.lines() {
                    if let Some(at) = line.find("broken ref ") {
                        gaps.push(Gap::new(GapKind::BrokenRef, &line[at + 11..], "git cannot read it"));
                    }
                }
                if !output.ok {
                    gaps.push(Gap::new(GapKind::BrokenRef, "refs", message(&output)));
                }
            }
            Err(why) => gaps.push(Gap::new(GapKind::BrokenRef, "refs", why)),
        }
        let mut names: Vec<BString> = vec!["HEAD".into(), "main-worktree/HEAD".into()];
        names.extend(PSEUDO_REFS.map(BString::from));
        let worktrees = self.must(&["worktree", "list", "--porcelain", "-z"], b"").unwrap_or_default();
        for (n, record) in worktrees.split_str("\0\0").enumerate() {
            let head = record.split_str("\0").find_map(|line| Oid::from_hex(line.strip_prefix(b"HEAD ")?));
            if let Some(target) = head.filter(|oid| !oid.is_zero()) {
                refs.push(Ref { name: format!("worktrees/{n}/HEAD").into(), target });
            }
        }
        let found = self.check(&names);
        refs.extend(names.into_iter().zip(found).filter_map(|(name, target)| Some(Ref { name, target: target? })));
        let stash = self.must(&["rev-list", "--walk-reflogs", "refs/stash", "--"], b"").unwrap_or_default();
        let entries = stash.lines().filter_map(Oid::from_hex);
        refs.extend(entries.enumerate().map(|(n, target)| Ref { name: stash_name(n), target }));
        refs
    }

    pub(super) fn read(&self, oid: Oid) -> Result<Object, ReadError> {
        let mut objects = self.objects.borrow_mut();
        let batch = match &mut *objects {
            Some(batch) => batch,
            none => none.insert(self.batch().map_err(ReadError::Corrupt)?),
        };
        let object = batch.read(oid);
        if object.is_none() {
            // git has ended because of this object; the next one is for a new process.
            *objects = None;
        }
        object.unwrap_or_else(|| Err(ReadError::Corrupt("git cannot read it".into())))
    }

    fn batch(&self) -> Result<Batch, String> {
        let mut command = self.command(["cat-file", "--batch"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|e| not_started(&e))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().ok_or("the git program gives no output")?;
        Ok(Batch { child, stdin, stdout: BufReader::with_capacity(1 << 16, stdout) })
    }

    /// The index against a tree (or against nothing).
    pub(super) fn changes(&self, tree: Option<Oid>) -> Result<Changes, String> {
        let tree = tree.map_or_else(|| self.format.empty_tree().to_owned(), |oid| oid.to_string());
        let args =
            ["diff-index", "-r", "--cached", "--raw", "-z", "--no-renames", "--ita-invisible-in-index", &tree, "--"];
        let out = self.must(&args, b"")?;
        let (mut changes, mut fields) = (Changes::default(), out.split_str("\0"));
        let mut conflicts = false;
        while let (Some(numbers), Some(path)) = (fields.next(), fields.next()) {
            let numbers: Vec<&[u8]> = numbers.strip_prefix(b":").unwrap_or(numbers).split_str(" ").collect();
            let [old_mode, new_mode, old, oid, status] = numbers[..] else {
                return Err("its output is not understood".into());
            };
            let mode = |text: &[u8]| text.to_str().ok().and_then(|m| u32::from_str_radix(m, 8).ok()).unwrap_or(0);
            let (old_mode, mode) = (mode(old_mode), mode(new_mode));
            let old = Oid::from_hex(old).filter(|o| !o.is_zero() && old_mode != MODE_GITLINK);
            let path = BString::from(path);
            match (status.first(), Oid::from_hex(oid)) {
                (Some(b'U'), _) => conflicts = true,
                (Some(b'D'), _) => changes.removed.extend(old.map(|oid| Removal { path, mode: old_mode, oid })),
                (_, Some(oid)) if mode != MODE_GITLINK && old != Some(oid) => {
                    changes.changed.push(Change { path, mode, oid, old, stage: 0 });
                }
                _ => {}
            }
        }
        if conflicts {
            self.conflicts(&tree, &mut changes)?;
        }
        Ok(changes)
    }

    /// The sides of every conflict.
    fn conflicts(&self, tree: &str, changes: &mut Changes) -> Result<(), String> {
        for entry in entries(&self.must(&["ls-files", "-u", "-z"], b"")?) {
            let (path, mode, oid, stage, _) = entry.ok_or("its output is not understood")?;
            let name = [tree.as_bytes(), b":", path].concat();
            let old = self.resolve(&name);
            if stage != 1 && mode != MODE_GITLINK && old != Some(oid) {
                changes.changed.push(Change { path: path.into(), mode, oid, old, stage });
            }
        }
        changes.changed.sort_by(|a, b| (&a.path, a.stage).cmp(&(&b.path, b.stage)));
        Ok(())
    }

    pub(super) fn tracked(&self) -> Result<Tracked, String> {
        let mut tracked = Tracked::default();
        if !self.index.exists() {
            return Ok(tracked);
        }
        for entry in entries(&self.must(&["ls-files", "-s", "-t", "-z"], b"")?) {
            let (path, mode, oid, stage, skip_worktree) = entry.ok_or("its output is not understood")?;
            if stage != 1 && mode != MODE_TREE {
                tracked.push(path, mode, oid, skip_worktree);
            }
        }
        Ok(tracked)
    }
}

/// The lines of `git ls-files -s -z`, with or without the tag of `-t`.
fn entries(out: &[u8]) -> impl Iterator<Item = Option<(&[u8], u32, Oid, u8, bool)>> {
    out.split_str("\0").filter(|line| !line.is_empty()).map(|line| {
        let (numbers, path) = line.split_once_str("\t")?;
        let (tag, numbers) = match numbers.split_once_str(" ")? {
            (tag, rest) if tag.len() == 1 => (tag, rest),
            _ => (b"H".as_slice(), numbers),
        };
        let mut numbers = numbers.split_str(" ");
        let mode = u32::from_str_radix(numbers.next()?.to_str().ok()?, 8).ok()?;
        let oid = Oid::from_hex(numbers.next()?)?;
        let stage = numbers.next()?.to_str().ok()?.parse().ok()?;
        Some((path, mode, oid, stage, tag == b"S"))
    })
}

impl Batch {
    /// An object; `None` if the process is of no more use.
    fn read(&mut self, oid: Oid) -> Option<Result<Object, ReadError>> {
        let stdin = self.stdin.as_mut()?;
        writeln!(stdin, "{oid}").ok()?;
        stdin.flush().ok()?;
        let mut header = Vec::new();
        io::BufRead::read_until(&mut self.stdout, b'\n', &mut header).ok()?;
        let header = header.strip_suffix(b"\n")?;
        let mut words = header.split_str(" ").skip(1);
        let kind = words.next()?;
        if kind == b"missing" {
            return Some(Err(ReadError::Missing));
        }
        let kind = ObjectKind::from_name(kind)?;
        let size: usize = words.next()?.to_str().ok()?.parse().ok()?;
        let mut bytes = Vec::new();
        (&mut self.stdout).take(size as u64 + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() == size + 1 && bytes.pop() == Some(b'\n')).then_some(Ok(Object { kind, bytes }))
    }
}
