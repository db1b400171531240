//! A world for a test: a folder that vanishes, a repository made by the real git, a clean
//! environment, a clock that stands still but for its own ticks.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::Value;
use tempfile::TempDir;

/// What `git init` is configured with, and nothing else.
const CONFIG: &str = "\
[user]
	name = A U Thor
	email = author@example.com
[init]
	defaultBranch = main
[protocol \"file\"]
	allow = always
[core]
	fsync = none
[gc]
	auto = 0
[maintenance]
	auto = false
[advice]
	detachedHead = false
	graftFileDeprecated = false
";

/// A folder of its own for one test, with a home and a clock.
pub(crate) struct World {
    folder: TempDir,
    seconds: AtomicU64,
}

impl World {
    /// A new, empty world.
    pub(crate) fn new() -> Arc<World> {
        let folder = tempfile::Builder::new().prefix("keysift-").tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        fs::create_dir(folder.path().join("home/template")).unwrap();
        fs::write(folder.path().join("home/gitconfig"), CONFIG).unwrap();
        Arc::new(World { folder, seconds: AtomicU64::new(1_700_000_000) })
    }

    /// A path in it, links resolved.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        fs::canonicalize(self.folder.path()).unwrap().join(name)
    }

    /// git's configuration in this world.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("home/gitconfig")
    }

    /// A command that knows nothing but this world.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, cwd: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(cwd)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("XDG_CACHE_HOME", self.path("home/cache"))
            .env("TMPDIR", self.path(""))
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("TERM", "dumb")
            .env("GIT_CONFIG_GLOBAL", self.config())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TEMPLATE_DIR", self.path("home/template"))
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_EDITOR", "true");
        // So that the whole suite can be run through the git program.
        if let Some(backend) = std::env::var_os("KEYSIFT_GIT_BACKEND") {
            command.env("KEYSIFT_GIT_BACKEND", backend);
        }
        command
    }

    /// git, one minute later than the last time.
    pub(crate) fn git_command(&self, cwd: &Path) -> Command {
        let date = format!("{} +0000", self.seconds.fetch_add(60, Ordering::Relaxed) + 60);
        let mut git = self.command("git", cwd);
        git.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date).env("GIT_LITERAL_PATHSPECS", "1");
        git
    }

    /// keysift, with these arguments.
    pub(crate) fn keysift<S: AsRef<OsStr>>(&self, cwd: &Path, args: impl IntoIterator<Item = S>) -> Run {
        let mut command = self.command(env!("CARGO_BIN_EXE_keysift"), cwd);
        command.args(args);
        Run::of(command, b"")
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its exit status; -1 if a signal ended it.
    pub(crate) status: i32,
    /// What it wrote on standard output.
    pub(crate) out: String,
    /// What it wrote on standard error.
    pub(crate) err: String,
}

impl Run {
    /// Runs a command to its end.
    pub(crate) fn of(mut command: Command, stdin: &[u8]) -> Run {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            // The command may end without having read it all.
            scope.spawn(move || pipe.write_all(stdin).is_ok());
            child.wait_with_output().unwrap()
        });
        Run {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Its output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}\n{self:#?}"))
    }

    /// The same, after the exit status has been checked.
    #[track_caller]
    pub(crate) fn exits(self, status: i32) -> Run {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }
}

/// A repository.
pub(crate) struct Repo {
    /// The world that it is in.
    pub(crate) world: Arc<World>,
    path: PathBuf,
}

impl Repo {
    /// A new repository in a world of its own, with one harmless commit.
    pub(crate) fn new() -> Repo {
        let repo = Repo::empty(&[]);
        repo.put("README", "hello\n");
        repo
    }

    /// A new repository without a commit; `init` goes to `git init`.
    pub(crate) fn empty(init: &[&str]) -> Repo {
        Repo::in_world(World::new(), "repo", init)
    }

    /// A new repository without a commit in a world that is there.
    pub(crate) fn in_world(world: Arc<World>, name: &str, init: &[&str]) -> Repo {
        let path = world.path(name);
        fs::create_dir_all(&path).unwrap();
        let repo = Repo { world, path };
        repo.git(["init", "-q"].iter().chain(init).chain(&["."]));
        repo
    }

    /// A repository that is there, in the same world.
    pub(crate) fn at(&self, path: impl Into<PathBuf>) -> Repo {
        Repo { world: Arc::clone(&self.world), path: path.into() }
    }

    /// A clone beside this repository; by URL, so that what is fetched is what was asked for.
    pub(crate) fn clone_to(&self, name: &str, args: &[&str]) -> Repo {
        let url = format!("file://{}", self.path.display());
        let path = self.world.path(name);
        self.git(
            ["clone", "-q"].iter().copied().chain(args.iter().copied()).chain([url.as_str(), path.to_str().unwrap()]),
        );
        self.at(path)
    }

    /// The root of its working tree.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path in its `.git` folder.
    pub(crate) fn dot_git(&self, name: &str) -> PathBuf {
        self.path.join(".git").join(name)
    }

    /// Runs git; its output.
    #[track_caller]
    pub(crate) fn git<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let mut git = self.world.git_command(&self.path);
        git.args(args);
        let shown = format!("{git:?}");
        let run = Run::of(git, b"");
        assert_eq!(run.status, 0, "{shown}\n{}", run.err);
        run.out
    }

    /// Runs git with the words of one line.
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> String {
        self.git(line.split_whitespace())
    }

    /// Runs git where it may fail; whether it did not.
    pub(crate) fn try_run(&self, line: &str) -> bool {
        let mut git = self.world.git_command(&self.path);
        git.args(line.split_whitespace());
        Run::of(git, b"").status == 0
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Writes a file and adds it to the index.
    #[track_caller]
    pub(crate) fn stage(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        self.write(&name, content);
        self.git([OsStr::new("add"), OsStr::new("--"), name.as_ref().as_os_str()]);
    }

    /// Commits the index.
    #[track_caller]
    pub(crate) fn commit(&self, message: &str) {
        self.git(["commit", "-q", "--allow-empty", "-m", message]);
    }

    /// Commits a file.
    #[track_caller]
    pub(crate) fn put(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        self.stage(name, content);
        self.commit("change");
    }

    /// The object that a revision means.
    #[track_caller]
    pub(crate) fn oid(&self, rev: &str) -> String {
        self.git(["rev-parse", "--verify", rev]).trim().to_owned()
    }

    /// The file of a loose object, made writable so that a test may damage it.
    pub(crate) fn loose(&self, oid: &str) -> PathBuf {
        let path = self.dot_git("objects").join(&oid[..2]).join(&oid[2..]);
        let mut rights = fs::metadata(&path).unwrap().permissions();
        #[allow(clippy::permissions_set_readonly_false)]
        rights.set_readonly(false);
        fs::set_permissions(&path, rights).unwrap();
        path
    }

    /// A merge with a conflict in `c.txt`.
    pub(crate) fn conflict(&self, ours: &str, theirs: &str) {
        self.put("c.txt", "base\n");
        self.run("checkout -q -b other");
        self.put("c.txt", theirs);
        self.run("checkout -q main");
        self.put("c.txt", ours);
        assert!(!self.try_run("merge -q other"));
    }

    /// keysift, in this repository.
    pub(crate) fn keysift<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Run {
        self.world.keysift(&self.path, args)
    }
}

/// A fake GitHub token whose checksum is right; another seed gives another.
pub(crate) fn github_token(seed: u64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut body = String::new();
    for _ in 0..30 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body.push(char::from(DIGITS[(state >> 33) as usize % 62]));
    }
    let (mut rest, mut check) = (crc32fast::hash(body.as_bytes()), Vec::new());
    for _ in 0..6 {
        check.push(DIGITS[rest as usize % 62]);
        rest /= 62;
    }
    check.reverse();
    format!("ghp_{body}{}", String::from_utf8_lossy(&check))
}

/// What a template of the rules is filled to.
pub(crate) fn filled(template: &str, seed: u64) -> String {
    keysift::rule::template::fill(template, seed, &|_| None).unwrap()
}
