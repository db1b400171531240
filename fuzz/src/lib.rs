//! What several targets need: a repository on disk that is written anew for each input.

use std::{
    cell::RefCell,
    fs,
    path::PathBuf,
    sync::{Once, OnceLock},
};

use keysift::{
    content::Copied,
    detect::{Detector, Recent, Seen},
    rule::Ruleset,
    source::repository::{Backend, Environment, Repository},
};
use tempfile::TempDir;

/// The detector with the built-in rules.
pub fn detector() -> &'static Detector {
    static DETECTOR: OnceLock<Detector> = OnceLock::new();
    DETECTOR.get_or_init(|| Detector::new(&Ruleset::builtin()).expect("the built-in rules are in order"))
}

/// Looks at what is new in a content, remembering what was new in all others.
pub fn rescan(content: &[u8], base: &Seen, copied: &[Copied]) -> Seen {
    thread_local! {
        static RECENT: RefCell<Recent> = RefCell::default();
    }
    RECENT.with_borrow_mut(|recent| detector().rescan(content, base, copied, recent))
}

/// A repository whose files are whatever an input says. Set `TMPDIR` to a file system in memory.
pub struct Folder(TempDir);

impl Folder {
    /// A repository whose branch `main` names the object `0101…`, in one thread.
    pub fn new() -> Folder {
        static ONE_THREAD: Once = Once::new();
        ONE_THREAD.call_once(|| {
            rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("nothing has run yet");
            // So that the git program is not found: it is slow, and not what is to be tried.
            // SAFETY: the only other thread is rayon's, which has nothing to do yet.
            unsafe { std::env::set_var("PATH", "") };
        });
        let folder = Folder(tempfile::Builder::new().prefix("keysift-fuzz-").tempdir().expect("a temporary folder"));
        for name in ["refs/heads", "refs/tags", "objects/pack", "objects/info"] {
            fs::create_dir_all(folder.path(name)).expect("a folder");
        }
        folder.write("HEAD", b"ref: refs/heads/main\n");
        folder.write("config", b"[core]\nrepositoryformatversion = 0\nbare = false\n");
        folder.write("refs/heads/main", format!("{}\n", "01".repeat(20)).as_bytes());
        folder
    }

    /// A path below `.git`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(".git").join(name)
    }

    /// Writes a file below `.git`.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a temporary file");
    }

    /// Opens it.
    pub fn open(&self) -> Option<Repository> {
        let environment = Environment::new(self.0.path(), Backend::Auto);
        Repository::discover(self.0.path(), &environment).ok().flatten()
    }
}

impl Default for Folder {
    fn default() -> Self {
        Folder::new()
    }
}

/// Reads an input piece by piece; at its end everything is 0 or empty.
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    /// Two bytes as a number.
    pub fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// At most so many bytes.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(len.min(self.0.len()));
        self.0 = tail;
        head
    }

    /// Whether there is nothing left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Looks at a whole history, and holds delta-wise detection to what detection of whole contents gives.
pub mod history {
    use keysift::{
        content::Copied,
        detect::Seen,
        source::{
            history::{History, Inspector, Noticed, Options, Spotted},
            repository::Repository,
        },
    };

    /// Opens the history of a repository and looks at all of it.
    pub fn inspect(repository: &Repository) {
        for unreachable in [false, true] {
            let options = Options { unreachable, ..Options::default() };
            let Ok(history) = History::open(repository, options) else { continue };
            for appearance in history.inspect(&Checking, None).appearances {
                if let Some(object) = appearance.object {
                    let _ = history.read(&object, &mut |_| {});
                }
                if let Some(commit) = appearance.commit {
                    let _ = history.author(&commit);
                }
            }
        }
    }

    struct Checking;

    impl Inspector for Checking {
        type Seen = (Vec<u8>, Seen);

        fn whole(&self, content: &[u8]) -> Self::Seen {
            (content.to_vec(), super::detector().scan(content))
        }

        fn derived(&self, content: &[u8], (base, seen): &Self::Seen, copied: &[Copied]) -> Self::Seen {
            let mut end = 0;
            for c in copied {
                assert!(c.len > 0 && c.to >= end, "copied ranges are not empty and ascend");
                assert_eq!(content[c.to..c.to + c.len], base[c.from..c.from + c.len]);
                end = c.to + c.len;
            }
            let detector = super::detector();
            let (again, whole) = (super::rescan(content, seen, copied), detector.scan(content));
            assert_eq!(detector.resolve(content, &again), detector.resolve(content, &whole));
            (content.to_vec(), again)
        }

        // Anything may be a secret: an `S` is one, so that places in history are worked out.
        fn noticed(&self, content: &[u8], _: &Self::Seen) -> Noticed {
            let secrets = if content.contains(&b'S') { vec![u64::from(content[0]), 1 << 32] } else { Vec::new() };
            let secrets = secrets.into_iter().map(|number| Spotted { number, level: 0 }).collect();
            Noticed { secrets, is_complete: false }
        }

        fn counted(&self, secrets: &[Spotted]) -> Vec<u64> {
            secrets.iter().map(|secret| secret.number).collect()
        }

        fn progress(&self, _: u64, _: u64) {}

        fn is_stopped(&self) -> bool {
            false
        }
    }
}
