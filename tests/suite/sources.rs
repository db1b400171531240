//! What sources hand out, and what they say they could not: through libgit2 and through git itself.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use keysift::{
    Gap, GapKind,
    content::{Content, Place},
    source::{
        Sink, Source,
        index::Index,
        oid::Oid,
        repository::{Backend, Environment, ObjectFormat, ObjectKind, ReadError, Repository},
        stdin::Stdin,
        worktree::Worktree,
    },
};

use crate::common::{Repo, Run, World, github_token};

const BOTH: [Backend; 2] = [Backend::Auto, Backend::Program];

/// What a source pushed.
#[derive(Default)]
#[allow(clippy::type_complexity)] // Path, content, what stood there before.
struct Seen {
    contents: Mutex<Vec<(String, Vec<u8>, Option<Vec<u8>>)>>,
    names: Mutex<Vec<String>>,
    gaps: Mutex<Vec<Gap>>,
}

impl Sink for Seen {
    fn content(&self, content: Content<'_>) {
        let path = content.origin.path.to_string();
        if content.origin.place == Place::FileName {
            self.names.lock().unwrap().push(path);
        } else {
            let before = content.before.map(<[u8]>::to_vec);
            self.contents.lock().unwrap().push((path, content.bytes.to_vec(), before));
        }
    }
    fn gap(&self, gap: Gap) {
        self.gaps.lock().unwrap().push(gap);
    }
    fn is_stopped(&self) -> bool {
        false
    }
}

impl Seen {
    #[track_caller]
    fn of(source: &dyn Source) -> Seen {
        let seen = Seen::default();
        source.for_each(&seen).unwrap();
        seen.contents.lock().unwrap().sort();
        seen.gaps.lock().unwrap().sort();
        seen.names.lock().unwrap().sort();
        seen
    }

    fn paths(&self) -> Vec<String> {
        self.contents.lock().unwrap().iter().map(|(path, ..)| path.clone()).collect()
    }

    #[track_caller]
    fn text(&self, path: &str) -> String {
        let contents = self.contents.lock().unwrap();
        let found = contents.iter().find(|c| c.0 == path).unwrap_or_else(|| panic!("no {path} in {contents:?}"));
        String::from_utf8_lossy(&found.1).into_owned()
    }

    #[track_caller]
    fn before(&self, path: &str) -> Option<String> {
        let contents = self.contents.lock().unwrap();
        let found = contents.iter().find(|c| c.0 == path).unwrap_or_else(|| panic!("no {path} in {contents:?}"));
        found.2.as_ref().map(|b| String::from_utf8_lossy(b).into_owned())
    }

    fn gaps(&self) -> Vec<(GapKind, String)> {
        self.gaps.lock().unwrap().iter().map(|g| (g.kind, g.place.to_string())).collect()
    }

    #[track_caller]
    fn complete(self) -> Seen {
        assert_eq!(self.gaps(), []);
        self
    }
}

fn environment(repo: &Repo, backend: Backend) -> Environment {
    let mut environment = Environment::new(repo.path(), backend);
    environment.global_config = Some(repo.world.config());
    environment
}

#[track_caller]
fn open(repo: &Repo, backend: Backend) -> Repository {
    Repository::discover(repo.path(), &environment(repo, backend)).unwrap().unwrap()
}

#[track_caller]
fn staged_in(environment: &Environment) -> Seen {
    let repo = Repository::discover(&environment.cwd, environment).unwrap().unwrap();
    Seen::of(&Index::new(&repo, None))
}

#[track_caller]
fn staged(repo: &Repo, backend: Backend) -> Seen {
    staged_in(&environment(repo, backend))
}

fn paths(paths: &[&str]) -> Vec<PathBuf> {
    paths.iter().map(PathBuf::from).collect()
}

#[track_caller]
fn scan(repo: &Repo, backend: Backend, what: &[&str]) -> Seen {
    Seen::of(&Worktree::new(paths(what), environment(repo, backend), None))
}

// --- staged ---

#[test]
fn staged_is_what_the_next_commit_adds() {
    let repo = Repo::new();
    repo.put("old", "old\n");
    repo.put("same", "same\n");
    repo.put("gone", "gone\n");
    repo.stage("old", "old\nnew\n");
    repo.stage("a/b/new", "new\n");
    repo.run("rm -q gone");
    repo.write("same", "changed, not staged\n");
    repo.write("a/b/new", "not what is staged\n");
    repo.write("untracked", "untracked\n");
    for backend in BOTH {
        let seen = staged(&repo, backend).complete();
        assert_eq!(seen.paths(), ["a/b/new", "old"]);
        assert_eq!(seen.text("a/b/new"), "new\n");
        assert_eq!(seen.before("a/b/new"), None);
        assert_eq!(seen.before("old").as_deref(), Some("old\n"));
        assert_eq!(*seen.names.lock().unwrap(), ["a/b/new"]);
        let mut below = environment(&repo, backend);
        below.cwd = repo.path().join("a/b");
        assert_eq!(staged_in(&below).paths(), ["a/b/new", "old"]);
    }
}

#[test]
fn staged_before_the_first_commit_is_everything() {
    let repo = Repo::empty(&[]);
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().paths(), [""; 0]);
    }
    repo.stage("a/b", "x\n");
    repo.stage("c", "y\n");
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().paths(), ["a/b", "c"]);
    }
}

#[test]
fn staged_nothing_is_complete() {
    let repo = Repo::new();
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().paths(), [""; 0]);
    }
}

#[test]
fn staged_names_sort_around_folders() {
    let repo = Repo::new();
    for name in ["foo-bar", "foo.c", "foo/x", "foo0", "fo/y", "g"] {
        repo.put(name, name);
    }
    repo.stage("foo/x", "changed");
    repo.stage("foo0", "changed too");
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().paths(), ["foo/x", "foo0"]);
    }
    repo.run("rm -qrf foo");
    repo.stage("foo", "a file now");
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().paths(), ["foo", "foo0"]);
    }
}

/// A cache tree is what lets unchanged folders be passed over; whatever state it is in, the answer is
/// that of `git diff-index`.
#[test]
fn staged_agrees_with_git_after_any_sequence_of_changes() {
    let repo = Repo::new();
    let mut state = 7u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    for version in ["2", "3", "4"] {
        repo.git(["update-index", "--index-version", version]);
        for step in 0..25 {
            let name = format!("d{}/e{}/f{}", random(3), random(3), random(4));
            match random(5) {
                0 => drop(repo.try_run(&format!("rm -qrf d{}/e{}", random(3), random(3)))),
                1 => repo.commit("step"),
                2 => drop(repo.run("write-tree")),
                _ => repo.stage(&name, format!("{step} {}\n", random(1000)).repeat(5)),
            }
            let git = repo.run("diff-index --cached --no-renames --name-only --diff-filter=d HEAD --");
            let mut expected: Vec<&str> = git.lines().collect();
            expected.sort_unstable();
            let found = open(&repo, Backend::Auto).staged().unwrap().0;
            let mut found: Vec<String> = found.into_iter().map(|s| s.path.to_string()).collect();
            found.sort_unstable();
            assert_eq!(found, expected, "index version {version}, step {step}");
        }
    }
}

#[test]
fn staged_renames_have_their_old_content_before_them() {
    let text: String = (0..40).map(|i| format!("line {i}\n")).collect();
    let repo = Repo::new();
    repo.put("old", &text);
    repo.put("dir/moved", text.replace("line", "verse"));
    repo.put("tiny", "x\n");
    repo.run("mv old new");
    repo.run("mv dir folder");
    repo.run("mv tiny small");
    repo.stage("new", text.clone() + "token\n");
    for backend in BOTH {
        let seen = staged(&repo, backend).complete();
        assert_eq!(seen.paths(), ["new"]);
        assert_eq!(seen.before("new"), Some(text.clone()));
        assert_eq!(*seen.names.lock().unwrap(), ["folder/moved", "new", "small"]);
    }
    // A copy beside the old file is something new.
    repo.run("mv new old");
    repo.stage("copy", &text);
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).before("copy"), None);
    }
}

#[test]
fn staged_type_changes_links_and_submodules() {
    let repo = Repo::new();
    std::os::unix::fs::symlink("README", repo.path().join("was-link")).unwrap();
    repo.run("add was-link");
    repo.commit("link");
    fs::remove_file(repo.path().join("was-link")).unwrap();
    repo.stage("was-link", "a file\n");
    std::os::unix::fs::symlink("some/target", repo.path().join("link")).unwrap();
    repo.run("add link");
    let oid = repo.oid("HEAD");
    repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{oid},sub")]);
    repo.run("update-index --chmod=+x README");
    for backend in BOTH {
        let seen = staged(&repo, backend).complete();
        assert_eq!(seen.paths(), ["link", "was-link"]);
        assert_eq!(seen.text("link"), "some/target");
        assert_eq!(seen.before("was-link").as_deref(), Some("README"));
    }
}

#[test]
fn staged_leaves_out_what_is_only_intended() {
    let repo = Repo::new();
    repo.write("intended", "x\n");
    repo.run("add -N intended");
    repo.put("assumed", "x\n");
    repo.stage("assumed", "y\n");
    repo.run("update-index --assume-unchanged assumed");
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().paths(), ["assumed"]);
    }
}

#[test]
fn staged_conflicts_are_scanned_and_said() {
    let repo = Repo::new();
    repo.conflict("ours\n", "theirs\n");
    for backend in BOTH {
        let seen = staged(&repo, backend);
        assert_eq!(seen.gaps(), [(GapKind::Unmerged, "c.txt".into())]);
        assert_eq!(seen.text("c.txt"), "theirs\n");
        assert_eq!(seen.before("c.txt").as_deref(), Some("ours\n"));
    }
    repo.stage("c.txt", "solved\n");
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().text("c.txt"), "solved\n");
    }
}

#[test]
fn staged_in_every_form_of_index() {
    for (form, commands) in [
        ("split", ["config core.splitIndex true", "update-index --split-index"].as_slice()),
        ("sparse", &["sparse-checkout init --cone --sparse-index", "sparse-checkout set in"]),
        ("version 4", &["config index.version 4", "update-index --index-version 4"]),
        ("end of entries", &["config index.threads 2", "update-index --force-write-index"]),
        ("untracked cache", &["update-index --untracked-cache"]),
        ("no hash", &["config index.skipHash true", "update-index --force-write-index"]),
    ] {
        let repo = Repo::new();
        repo.put("in/a", "x\n");
        repo.put("out/b/c", "x\n");
        repo.put("out/d", "x\n");
        for command in commands {
            repo.run(command);
        }
        for backend in BOTH {
            assert_eq!(staged(&repo, backend).complete().paths(), [""; 0], "{form}");
        }
        repo.stage("in/new", "new\n");
        for backend in BOTH {
            assert_eq!(staged(&repo, backend).complete().paths(), ["in/new"], "{form}");
            let tracked = open(&repo, backend).tracked().unwrap();
            assert!(tracked.iter().any(|t| t.path == "in/a"), "{form}");
        }
        // HEAD moves below a collapsed folder: what the index has there is then new.
        repo.git(["update-ref", "HEAD", &repo.oid("HEAD~3")]);
        for backend in BOTH {
            assert_eq!(
                staged(&repo, backend).complete().paths(),
                ["in/a", "in/new", "out/b/c", "out/d"],
                "{form} {backend:?}"
            );
        }
    }
}

#[test]
fn staged_in_repositories_that_libgit2_refuses() {
    for (option, format) in
        [("--object-format=sha256", ObjectFormat::Sha256), ("--ref-format=reftable", ObjectFormat::Sha1)]
    {
        let repo = Repo::empty(&[option]);
        repo.put("README", "hello\n");
        repo.stage("app.cfg", "x\n");
        for backend in BOTH {
            let opened = open(&repo, backend);
            assert!(opened.remark().is_some());
            assert_eq!(opened.object_format(), format);
            assert_eq!(opened.head().map(|o| o.to_string()), Some(repo.oid("HEAD")));
            assert_eq!(opened.head_branch().unwrap(), "main");
            assert_eq!(opened.root(), Some(repo.path()));
            assert_eq!(staged(&repo, backend).complete().paths(), ["app.cfg"]);
            assert_eq!(scan(&repo, backend, &["."]).complete().paths(), ["README", "app.cfg"]);
        }
    }
}

#[test]
fn staged_follows_the_environment() {
    let repo = Repo::new();
    let other = repo.world.path("other.index");
    repo.write("app.cfg", "x\n");
    for args in [["read-tree", "HEAD"], ["add", "app.cfg"]] {
        let mut git = repo.world.git_command(repo.path());
        assert_eq!(
            Run::of(
                {
                    git.args(args).env("GIT_INDEX_FILE", &other);
                    git
                },
                b""
            )
            .status,
            0
        );
    }
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).paths(), [""; 0]);
        let mut here = environment(&repo, backend);
        here.index_file = Some(other.clone());
        assert_eq!(staged_in(&here).complete().paths(), ["app.cfg"]);

        let mut elsewhere = here.clone();
        elsewhere.cwd = repo.world.path("home");
        elsewhere.git_dir = Some(repo.dot_git(""));
        elsewhere.work_tree = Some(repo.path().to_owned());
        assert_eq!(staged_in(&elsewhere).complete().paths(), ["app.cfg"]);
    }
}

#[test]
fn staged_in_linked_working_trees_and_separate_folders() {
    let repo = Repo::new();
    let linked = repo.world.path("linked");
    repo.git(["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    let linked = repo.at(linked);
    linked.stage("app.cfg", "x\n");
    let separate = Repo::in_world(repo.world.clone(), "separate", &["--separate-git-dir=../elsewhere.git"]);
    separate.stage("app.cfg", "x\n");
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).paths(), [""; 0]);
        assert_eq!(staged(&linked, backend).complete().paths(), ["app.cfg"]);
        assert_eq!(staged(&separate, backend).complete().paths(), ["app.cfg"]);
        let opened = open(&linked, backend);
        assert_eq!(opened.common_dir(), repo.dot_git("").components().collect::<PathBuf>());
        assert_eq!(opened.root(), Some(linked.path()));
        assert_eq!(opened.head_branch().unwrap(), "side");
    }
}

#[test]
fn staged_names_of_any_bytes() {
    let repo = Repo::new();
    let names: [&[u8]; 5] = [b"new\nline", b"--help", b":(exclude)x", b"caf\xe9", b"HEAD:a b\t\"'"];
    for name in names {
        repo.stage(OsStr::from_bytes(name), "x\n");
    }
    for backend in BOTH {
        let mut found: Vec<_> = open(&repo, backend).staged().unwrap().0.into_iter().map(|s| s.path).collect();
        found.sort();
        let mut names: Vec<_> = names.iter().map(|n| bstr::BString::from(*n)).collect();
        names.sort();
        assert_eq!(found, names);
    }
}

#[test]
fn staged_blobs_that_cannot_be_read_are_gaps() {
    let repo = Repo::new();
    let absent = "4d7a".repeat(10);
    repo.git(["update-index", "--add", "--cacheinfo", &format!("100644,{absent},absent")]);
    repo.stage("broken", "x\n");
    fs::write(repo.loose(&repo.oid(":broken")), "garbage").unwrap();
    repo.stage("fine", "fine\n");
    for backend in BOTH {
        let seen = staged(&repo, backend);
        assert_eq!(seen.paths(), ["fine"]);
        assert_eq!(
            seen.gaps(),
            [(GapKind::MissingObject, "absent".into()), (GapKind::CorruptObject, "broken".into())],
            "{backend:?}"
        );
    }
}

#[test]
fn staged_beside_a_damaged_head_is_all_new() {
    let repo = Repo::new();
    repo.put("a/b", "x\n");
    repo.stage("a/c", "y\n");
    fs::remove_file(repo.loose(&repo.oid("HEAD:a"))).unwrap();
    let seen = staged(&repo, Backend::Auto);
    assert_eq!(seen.paths(), ["a/b", "a/c"]);
    assert_eq!(seen.gaps(), [(GapKind::MissingObject, "a/".into())]);
}

#[test]
fn staged_from_a_damaged_index_is_an_error() {
    let repo = Repo::new();
    repo.stage("app.cfg", "x\n");
    let good = fs::read(repo.dot_git("index")).unwrap();
    let cut = good[..good.len() - 40].to_vec();
    for bad in [b"DIRC\xff\xff\xff\xff".repeat(10), b"x".to_vec(), cut.clone()] {
        fs::write(repo.dot_git("index"), &bad).unwrap();
        // What git takes for an index although it is cut off is git's affair.
        for backend in if bad == cut { vec![Backend::Auto] } else { BOTH.to_vec() } {
            let opened = open(&repo, backend);
            let error = opened.staged().unwrap_err().to_string();
            assert!(error.contains("cannot read the index") && error.contains("help:"), "{error}");
            assert!(opened.tracked().is_err());
        }
    }
}

#[test]
fn staged_from_any_index_does_not_panic() {
    let repo = Repo::new();
    for name in ["a/b/c", "a/b/d", "a/e", "f", "g/h"] {
        repo.put(name, name);
    }
    repo.stage("a/b/c", "changed");
    let mut state = 1u64;
    for version in ["2", "4"] {
        repo.git(["update-index", "--index-version", version]);
        let good = fs::read(repo.dot_git("index")).unwrap();
        for _ in 0..500 {
            let mut bad = good.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                // Not the version: then git is asked, which takes long.
                let at = 8 + (state >> 33) as usize % (bad.len() - 8);
                bad[at] = (state >> 20) as u8;
            }
            fs::write(repo.dot_git("index"), bad).unwrap();
            let opened = open(&repo, Backend::Auto);
            drop((opened.staged(), opened.tracked()));
        }
    }
}

#[test]
fn staged_many_files_on_many_threads() {
    let repo = Repo::new();
    for i in 0..200 {
        repo.write(format!("d{}/f{i}", i % 7), format!("{i}\n"));
    }
    repo.run("add .");
    for backend in BOTH {
        let seen = staged(&repo, backend).complete();
        assert_eq!(seen.paths().len(), 200);
        assert_eq!(seen.text("d3/f3"), "3\n");
    }
}

// --- LFS ---

fn lfs_pointer(hash: &str) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{hash}\nsize 3\n")
}

#[test]
fn lfs_pointers_stand_for_their_objects() {
    let repo = Repo::new();
    let (here, absent) = ("ab".repeat(32), "cd".repeat(32));
    let store = repo.dot_git("lfs/objects/ab/ab");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join(&here), "big").unwrap();
    repo.stage("here.bin", lfs_pointer(&here));
    repo.stage("absent.bin", lfs_pointer(&absent));
    repo.stage("not.bin", lfs_pointer(&absent) + "token\n");
    for backend in BOTH {
        let seen = staged(&repo, backend);
        assert_eq!(seen.paths(), ["here.bin", "not.bin"]);
        assert_eq!(seen.text("here.bin"), "big");
        assert_eq!(seen.gaps(), [(GapKind::Lfs, "absent.bin".into())]);
        let seen = scan(&repo, backend, &["."]);
        assert_eq!(seen.paths(), ["README", "here.bin", "not.bin"]);
        assert_eq!(seen.text("here.bin"), "big");
        assert_eq!(seen.gaps(), [(GapKind::Lfs, "absent.bin".into())]);
        let seen = scan(&repo, backend, &["here.bin", "absent.bin"]);
        assert_eq!(seen.text("here.bin"), "big");
        assert_eq!(seen.gaps(), [(GapKind::Lfs, "absent.bin".into())]);
    }
}

// --- working tree ---

#[test]
fn worktree_is_tracked_and_not_ignored() {
    let repo = Repo::new();
    repo.put("sub/tracked.log", "tracked\n");
    repo.put("sub/build/kept", "kept\n");
    repo.write(".gitignore", "*.log\nbuild/\n/only-root\n!keep.log\n");
    repo.write("sub/.gitignore", "local\n!special.log\n");
    repo.write(".hidden", "hidden\n");
    for name in ["x.log", "keep.log", "sub/special.log", "local", "sub/local", "only-root", "sub/only-root"] {
        repo.write(name, "x\n");
    }
    repo.write("sub/build/untracked", "x\n");
    repo.write("build/deep/untracked", "x\n");
    fs::create_dir_all(repo.dot_git("info")).unwrap();
    fs::write(repo.dot_git("info/exclude"), "excluded\n").unwrap();
    repo.write("excluded", "x\n");
    let rules = repo.world.path("home/rules");
    fs::write(&rules, "mine\nkeep.log\n").unwrap();
    repo.git(["config", "--global", "core.excludesFile", rules.to_str().unwrap()]);
    repo.write("mine", "x\n");
    for backend in BOTH {
        let seen = scan(&repo, backend, &["."]).complete();
        let git = repo.run("ls-files --cached --others --exclude-standard");
        let mut expected: Vec<&str> = git.lines().collect();
        expected.sort_unstable();
        assert_eq!(seen.paths(), expected);
        assert!(expected.contains(&"sub/tracked.log") && expected.contains(&"sub/build/kept"));

        let seen = scan(&repo, backend, &["sub"]).complete();
        let below: Vec<_> = expected.iter().filter(|p| p.starts_with("sub/")).collect();
        assert_eq!(seen.paths().iter().collect::<Vec<_>>(), below);
        // From below, paths are as seen from there, or from whatever they are to be seen from.
        let mut inner = environment(&repo, backend);
        inner.cwd = repo.path().join("sub");
        let seen = Seen::of(&Worktree::new(vec![], inner.clone(), None));
        assert_eq!(seen.paths(), below.iter().map(|p| &p[4..]).collect::<Vec<_>>());
        let seen = Seen::of(&Worktree::new(paths(&["../sub/"]), inner, None).from_root(repo.path()));
        assert_eq!(seen.paths().iter().collect::<Vec<_>>(), below);
    }
}

#[test]
fn worktree_scans_what_is_named() {
    let repo = Repo::new();
    repo.put(".gitignore", ".env\nbuild/\n*.o\n");
    repo.write(".env", "x\n");
    repo.write("build/out", "x\n");
    repo.write("build/inner/out", "x\n");
    for backend in BOTH {
        assert_eq!(scan(&repo, backend, &[".env"]).complete().paths(), [".env"]);
        assert_eq!(scan(&repo, backend, &["./.env", "README", "./README"]).paths(), [".env", "README"]);
        assert_eq!(scan(&repo, backend, &["build"]).complete().paths(), ["build/inner/out", "build/out"]);
        assert_eq!(scan(&repo, backend, &["build/inner"]).complete().paths(), ["build/inner/out"]);
        let seen = scan(&repo, backend, &[".", "./.env", "build/inner"]);
        assert_eq!(seen.complete().paths(), [".env", ".gitignore", "README", "build/inner/out"]);
        let seen = scan(&repo, backend, &[".git"]);
        assert!(seen.paths().contains(&".git/HEAD".to_owned()), "{:?}", seen.paths());
        let missing = Worktree::new(paths(&["README", "missing"]), environment(&repo, backend), None);
        assert!(missing.for_each(&Seen::default()).unwrap_err().to_string().contains("missing"));
    }
}

#[test]
fn worktree_outside_of_a_repository_is_every_file() {
    let world = World::new();
    let folder = world.path("folder");
    fs::create_dir_all(folder.join("a/.hidden")).unwrap();
    fs::write(folder.join(".gitignore"), "*\n").unwrap();
    fs::write(folder.join("a/.hidden/x"), "x\n").unwrap();
    let inner = Repo::in_world(world.clone(), "folder/inner", &[]);
    inner.put(".gitignore", "ignored\n");
    inner.write("ignored", "x\n");
    for backend in BOTH {
        let seen = Seen::of(&Worktree::new(vec![], Environment::new(&folder, backend), None)).complete();
        assert_eq!(seen.paths(), [".gitignore", "a/.hidden/x", "inner/.gitignore"]);
    }
}

#[test]
fn worktree_without_files_is_a_gap() {
    let world = World::new();
    fs::create_dir(world.path("empty")).unwrap();
    for backend in BOTH {
        let seen = Seen::of(&Worktree::new(vec![], Environment::new(world.path("empty"), backend), None));
        assert_eq!(seen.gaps(), [(GapKind::NoInput, ".".into())]);
    }
    let bare = Repo::in_world(world, "bare.git", &["--bare"]);
    for backend in BOTH {
        let seen = scan(&bare, backend, &["."]);
        assert!(seen.gaps().contains(&(GapKind::NoInput, ".".into())));
        assert_eq!(seen.paths(), [""; 0]);
    }
}

#[test]
fn worktree_files_that_are_not_there() {
    let repo = Repo::new();
    repo.put("deleted", "x\n");
    repo.put("folder-now", "x\n");
    repo.put("was-folder/x", "x\n");
    fs::remove_file(repo.path().join("deleted")).unwrap();
    fs::remove_file(repo.path().join("folder-now")).unwrap();
    repo.write("folder-now/x", "x\n");
    fs::remove_dir_all(repo.path().join("was-folder")).unwrap();
    repo.write("was-folder", "x\n");
    for backend in BOTH {
        assert_eq!(scan(&repo, backend, &["."]).complete().paths(), ["README", "folder-now/x", "was-folder"]);
    }
}

#[test]
fn worktree_links_are_their_targets_and_not_followed() {
    let repo = Repo::new();
    let outside = repo.world.path("outside");
    fs::write(&outside, "secret\n").unwrap();
    std::os::unix::fs::symlink(&outside, repo.path().join("out")).unwrap();
    std::os::unix::fs::symlink("..", repo.path().join("up")).unwrap();
    std::os::unix::fs::symlink("two", repo.path().join("one")).unwrap();
    std::os::unix::fs::symlink("one", repo.path().join("two")).unwrap();
    repo.run("add out");
    for backend in BOTH {
        let seen = scan(&repo, backend, &["."]).complete();
        assert_eq!(seen.paths(), ["README", "one", "out", "two", "up"]);
        assert_eq!(seen.text("out"), outside.to_str().unwrap());
        // Whoever names a link means what it points to.
        assert_eq!(scan(&repo, backend, &["out"]).complete().text("out"), "secret\n");
    }
}

#[test]
fn worktree_pipes_are_not_opened() {
    let repo = Repo::new();
    let status = std::process::Command::new("mkfifo").arg(repo.path().join("pipe")).status().unwrap();
    assert!(status.success());
    for backend in BOTH {
        assert_eq!(scan(&repo, backend, &["."]).complete().paths(), ["README"]);
    }
}

#[test]
fn worktree_that_may_not_be_read_is_a_gap() {
    let repo = Repo::new();
    let file = repo.write("locked", "x\n");
    let folder = repo.write("closed/x", "x\n").parent().unwrap().to_owned();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o0)).unwrap();
    // Root may read everything.
    if fs::File::open(&file).is_err() {
        for backend in BOTH {
            let seen = scan(&repo, backend, &["."]);
            assert_eq!(seen.paths(), ["README"]);
            assert_eq!(seen.gaps(), [(GapKind::Unreadable, "closed/".into()), (GapKind::Unreadable, "locked".into())]);
        }
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn worktree_sizes() {
    let repo = Repo::new();
    let sizes = [0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 9 << 20, 20 << 20];
    for size in sizes {
        repo.write(format!("f{size}"), vec![b'x'; size]);
    }
    let seen = scan(&repo, Backend::Auto, &["."]).complete();
    for size in sizes {
        assert_eq!(seen.text(&format!("f{size}")).len(), size);
    }
    let limited = Worktree::new(vec![], environment(&repo, Backend::Auto), Some(300 << 10));
    let seen = Seen::of(&limited);
    let large = [9 << 20, 20 << 20].map(|size| (GapKind::Size, format!("f{size}")));
    assert_eq!(seen.gaps().into_iter().collect::<BTreeMap<_, _>>().len(), 1);
    let mut gaps = seen.gaps();
    gaps.sort_by(|a, b| a.1.cmp(&b.1));
    let mut large = large.to_vec();
    large.sort_by(|a, b| a.1.cmp(&b.1));
    assert_eq!(gaps, large);
    assert_eq!(seen.paths().len(), sizes.len() - 2 + 1);
}

#[test]
fn worktree_deep_and_wide() {
    let repo = Repo::new();
    let deep = "d/".repeat(1000) + "f";
    // Longer than a path may be in one piece where the temporary folder is; made step by step.
    repo.write(&deep, "deep\n");
    for i in 0..1000 {
        repo.write(format!("wide/{i}"), "x\n");
    }
    for backend in BOTH {
        let seen = scan(&repo, backend, &["."]).complete();
        assert_eq!(seen.paths().len(), 1002);
        assert_eq!(seen.text(&deep), "deep\n");
    }
}

#[test]
fn worktree_names_of_any_bytes() {
    let repo = Repo::new();
    repo.write(OsStr::from_bytes(b"caf\xe9"), "x\n");
    repo.stage(OsStr::from_bytes(b"\xff/\n"), "y\n");
    repo.write(".gitignore", "\\*\n");
    repo.write("*", "ignored\n");
    for backend in BOTH {
        let seen = Mutex::new(Vec::new());
        struct Names<'a>(&'a Mutex<Vec<Vec<u8>>>);
        impl Sink for Names<'_> {
            fn content(&self, content: Content<'_>) {
                self.0.lock().unwrap().push(content.origin.path.to_vec());
            }
            fn gap(&self, gap: Gap) {
                panic!("{gap:?}");
            }
            fn is_stopped(&self) -> bool {
                false
            }
        }
        Worktree::new(vec![], environment(&repo, backend), None).for_each(&Names(&seen)).unwrap();
        let mut seen = seen.into_inner().unwrap();
        seen.sort();
        assert_eq!(seen, [b".gitignore".to_vec(), b"README".to_vec(), b"caf\xe9".to_vec(), b"\xff/\n".to_vec()]);
    }
}

#[test]
fn worktree_submodules_and_nested_repositories() {
    let source = Repo::new();
    source.put("lib.c", "x\n");
    let repo = Repo::in_world(source.world.clone(), "super", &[]);
    repo.put("README", "hello\n");
    repo.git(["submodule", "--quiet", "add", source.path().to_str().unwrap(), "sub"]);
    repo.commit("submodule");
    let nested = Repo::in_world(source.world.clone(), "super/vendor/nested", &[]);
    nested.put(".gitignore", "*.o\n");
    nested.write("new", "x\n");
    nested.write("x.o", "x\n");
    repo.write("vendor/.git/not-a-repository", "x\n");
    let clone = repo.clone_to("clone", &[]);
    for backend in BOTH {
        assert_eq!(
            scan(&repo, backend, &["."]).complete().paths(),
            [".gitmodules", "README", "sub/README", "sub/lib.c", "vendor/nested/.gitignore", "vendor/nested/new"]
        );
        assert_eq!(scan(&repo, backend, &["sub"]).complete().paths(), ["sub/README", "sub/lib.c"]);
        let seen = scan(&clone, backend, &["."]);
        assert_eq!(seen.paths(), [".gitmodules", "README"]);
        assert_eq!(seen.gaps(), [(GapKind::Submodule, "sub".into())]);
        assert_eq!(scan(&clone, backend, &["README"]).gaps(), []);
        let several = Worktree::new(
            vec![repo.path().join("sub"), clone.path().to_owned()],
            Environment::new(repo.world.path(""), backend),
            None,
        );
        assert_eq!(Seen::of(&several).paths().len(), 4);
    }
    // Broken: said, and its files scanned as any others.
    fs::write(nested.path().join(".git/config"), "[broken").unwrap();
    for backend in BOTH {
        let seen = scan(&repo, backend, &["vendor"]);
        assert_eq!(seen.gaps(), [(GapKind::NestedRepository, "vendor/nested/".into())]);
        assert!(seen.paths().contains(&"vendor/nested/new".to_owned()));
    }
}

#[test]
fn worktree_hides_nothing_that_the_outer_repository_tracks() {
    let repo = Repo::new();
    repo.put("vendor/tracked.o", "x\n");
    let nested = Repo::in_world(repo.world.clone(), "repo/vendor", &[]);
    nested.write(".gitignore", "*\n");
    for backend in BOTH {
        assert!(scan(&repo, backend, &["."]).paths().contains(&"vendor/tracked.o".to_owned()));
    }
}

#[test]
fn worktree_of_a_sparse_checkout() {
    let repo = Repo::new();
    repo.put("in/a", "x\n");
    repo.put("out/b", "x\n");
    repo.run("sparse-checkout init --cone --sparse-index");
    repo.run("sparse-checkout set in");
    for backend in BOTH {
        assert_eq!(scan(&repo, backend, &["."]).complete().paths(), ["README", "in/a"]);
    }
}

#[test]
fn worktree_in_a_hook_is_the_repository_of_the_hook() {
    let repo = Repo::new();
    repo.put(".gitignore", "ignored\n");
    repo.write("ignored", "x\n");
    let other = Repo::in_world(repo.world.clone(), "other", &[]);
    other.put("theirs", "x\n");
    for backend in BOTH {
        let mut hook = environment(&repo, backend);
        hook.git_dir = Some(repo.dot_git(""));
        hook.index_file = Some(repo.dot_git("index"));
        assert_eq!(Seen::of(&Worktree::new(vec![], hook.clone(), None)).paths(), [".gitignore", "README"]);
        let seen = Seen::of(&Worktree::new(paths(&["../other"]), hook, None));
        assert_eq!(seen.complete().paths(), ["../other/theirs"]);
    }
}

#[test]
fn worktree_runs_and_writes_nothing() {
    let repo = Repo::new();
    let marker = repo.world.path("marker");
    let script = repo.world.path("script");
    fs::write(&script, format!("#!/bin/sh\ntouch '{}'\ncat\n", marker.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    repo.put(".gitattributes", "* filter=x diff=x\n");
    repo.stage("app.cfg", "x\n");
    let script = script.to_str().unwrap();
    let keys =
        ["core.fsmonitor", "filter.x.clean", "filter.x.smudge", "diff.x.textconv", "diff.external", "core.pager"];
    for key in keys.into_iter().chain(["credential.helper", "core.sshCommand", "core.hooksPath", "gpg.program"]) {
        repo.git(["config", key, script]);
    }
    let state = || {
        let index = fs::metadata(repo.dot_git("index")).unwrap().modified().unwrap();
        let files: Vec<_> = fs::read_dir(repo.dot_git("")).unwrap().map(|f| f.unwrap().file_name()).collect();
        (index, files)
    };
    let before = state();
    for backend in BOTH {
        assert_eq!(staged(&repo, backend).complete().paths(), ["app.cfg"]);
        assert_eq!(scan(&repo, backend, &["."]).complete().paths().len(), 3);
        open(&repo, backend).refs();
        assert!(!marker.exists(), "{backend:?}");
    }
    assert_eq!(state(), before);
}

// --- the repository ---

#[test]
fn repository_none_and_broken() {
    let world = World::new();
    let repo = Repo::in_world(world.clone(), "repo", &[]);
    for backend in BOTH {
        let environment = Environment::new(world.path("home"), backend);
        assert!(Repository::discover(Path::new("."), &environment).unwrap().is_none());
    }
    repo.put("x", "x\n");
    fs::create_dir_all(repo.path().join("a/b")).unwrap();
    for backend in BOTH {
        let mut environment = environment(&repo, backend);
        assert!(Repository::discover(Path::new("a/b"), &environment).unwrap().is_some());
        environment.ceilings = vec![repo.path().join("a")];
        assert!(Repository::discover(Path::new("a/b"), &environment).unwrap().is_none());
    }
    fs::remove_file(repo.dot_git("HEAD")).unwrap();
    for backend in BOTH {
        let error = Repository::discover(repo.path(), &environment(&repo, backend)).err().unwrap().to_string();
        assert!(error.contains("help:"), "{error}");
    }
    fs::remove_dir_all(repo.dot_git("")).unwrap();
    fs::write(repo.path().join(".git"), "gitdir: /nowhere\n").unwrap();
    for backend in BOTH {
        assert!(Repository::discover(repo.path(), &environment(&repo, backend)).is_err());
    }
}

#[test]
fn repository_refs() {
    let repo = Repo::new();
    repo.run("branch side");
    repo.run("tag light");
    repo.git(["tag", "-a", "-m", "annotated", "heavy"]);
    repo.git(["notes", "add", "-m", "note"]);
    repo.git(["update-ref", "refs/pull/1/head", "HEAD"]);
    repo.git(["update-ref", "refs/remotes/origin/main", "HEAD"]);
    repo.git(["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    repo.git(["symbolic-ref", "refs/remotes/origin/gone", "refs/remotes/origin/nothing"]);
    for text in ["one\n", "two\n"] {
        repo.write("README", text);
        repo.run("stash -q");
    }
    repo.run("pack-refs --all");
    repo.put("README", "later\n");
    let linked = repo.world.path("linked");
    repo.git(["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
    repo.at(linked).put("only-there", "x\n");
    fs::write(repo.dot_git("refs/heads/absent"), "4d7a".repeat(10) + "\n").unwrap();
    fs::write(repo.dot_git("refs/heads/empty"), "").unwrap();
    fs::write(repo.dot_git("MERGE_HEAD"), repo.oid("HEAD~1") + "\n").unwrap();
    let mut targets = Vec::new();
    for backend in BOTH {
        let (refs, gaps) = open(&repo, backend).refs();
        let names: BTreeMap<String, Oid> = refs.iter().map(|r| (r.name.to_string(), r.target)).collect();
        for (name, rev) in [
            ("HEAD", "HEAD"),
            ("MERGE_HEAD", "HEAD~1"),
            ("refs/heads/main", "HEAD"),
            ("refs/heads/side", "side"),
            ("refs/tags/light", "light"),
            ("refs/tags/heavy", "heavy"),
            ("refs/notes/commits", "refs/notes/commits"),
            ("refs/pull/1/head", "HEAD~1"),
            ("refs/remotes/origin/HEAD", "HEAD~1"),
            ("refs/stash", "stash@{0}"),
            ("stash@{0}", "stash@{0}"),
            ("stash@{1}", "stash@{1}"),
        ] {
            assert_eq!(names.get(name).map(Oid::to_string), Some(repo.oid(rev)), "{backend:?} {name}");
        }
        let detached = fs::read_to_string(repo.dot_git("worktrees/linked/HEAD")).unwrap();
        assert!(refs.iter().any(|r| r.target.to_string() == detached.trim()), "{backend:?}");
        let gaps: Vec<_> = gaps.iter().map(|g| (g.kind, g.place.to_string())).collect();
        assert_eq!(
            gaps,
            [(GapKind::BrokenRef, "refs/heads/absent".into()), (GapKind::BrokenRef, "refs/heads/empty".into())],
            "{backend:?}"
        );
        let mut all: Vec<Oid> = refs.iter().map(|r| r.target).collect();
        all.sort();
        all.dedup();
        targets.push(all);
    }
    assert_eq!(targets[0], targets[1]);
}

#[test]
fn repository_revisions() {
    let repo = Repo::new();
    repo.put("a", "1\n");
    repo.run("checkout -q -b side HEAD~1");
    repo.put("b", "1\n");
    repo.run("checkout -q main");
    repo.run("tag v1 HEAD~1");
    for backend in BOTH {
        let opened = open(&repo, backend);
        let oids = |revs: &[&str]| revs.iter().map(|r| repo.oid(r)).collect::<Vec<_>>();
        for (revs, include, exclude) in [
            (["main"].as_slice(), ["main"].as_slice(), [].as_slice()),
            (&["v1..main"], &["main"], &["v1"]),
            (&["v1.."], &["HEAD"], &["v1"]),
            (&["main...side"], &["main", "side"], &["v1"]),
            (&["^v1", "side"], &["side"], &["v1"]),
            (&["side", "--not", "main"], &["side"], &["main"]),
            (&["HEAD~1"], &["v1"], &[]),
            (&["--tags"], &["v1"], &[]),
            (&["side", "--not", "--branches"], &["side"], &["main", "side"]),
        ] {
            let range = opened.resolve(revs).unwrap();
            let text = |oids: &[Oid]| oids.iter().map(Oid::to_string).collect::<Vec<_>>();
            assert_eq!(text(&range.include), oids(include), "{revs:?}");
            assert_eq!(text(&range.exclude), oids(exclude), "{revs:?}");
        }
        for bad in ["no-such", "main..no-such", "^no-such", "--no-such", &"0".repeat(40)] {
            let error = opened.resolve(&[bad]).unwrap_err().to_string();
            assert!(error.contains("no-such") || error.contains("0000"), "{error}");
        }
    }
}

#[test]
fn repository_objects() {
    let repo = Repo::new();
    let other = Repo::in_world(repo.world.clone(), "other", &[]);
    other.put("x", "elsewhere\n");
    fs::write(repo.dot_git("objects/info/alternates"), "../../../other/.git/objects\n").unwrap();
    repo.put("big", "x".repeat(1 << 20));
    repo.put("broken", "broken\n");
    let broken = repo.oid("HEAD:broken");
    fs::write(repo.loose(&broken), "garbage").unwrap();
    for backend in BOTH {
        let opened = open(&repo, backend);
        let oid = |hex: &str| Oid::from_hex(hex.as_bytes()).unwrap();
        let head = opened.head().unwrap();
        assert_eq!(opened.read(head).unwrap().kind, ObjectKind::Commit);
        assert_eq!(opened.read(oid(&other.oid("HEAD:x"))).unwrap().bytes, b"elsewhere\n");
        assert_eq!(opened.object_dirs().len(), 2);
        assert_eq!(opened.read(oid(&"4d7a".repeat(10))).unwrap_err(), ReadError::Missing);
        assert!(matches!(opened.read(oid(&broken)).unwrap_err(), ReadError::Corrupt(_)));
        assert_eq!(opened.read(oid(&repo.oid("HEAD:big"))).unwrap().bytes.len(), 1 << 20);
        let again = opened.reopen().unwrap();
        assert_eq!(again.read_tree(oid(&repo.oid("HEAD^{tree}"))).unwrap().len(), 3);
    }
    // Objects in quarantine, as a pre-receive hook sees them.
    fs::remove_file(repo.dot_git("objects/info/alternates")).unwrap();
    for backend in BOTH {
        let mut hook = environment(&repo, backend);
        hook.object_dirs = vec![other.dot_git("objects")];
        hook.alternates = vec![repo.dot_git("objects")];
        let opened = Repository::discover(repo.path(), &hook).unwrap().unwrap();
        for hex in [other.oid("HEAD:x"), repo.oid("HEAD:big")] {
            assert!(opened.has(Oid::from_hex(hex.as_bytes()).unwrap()), "{backend:?}");
        }
    }
}

#[test]
fn repository_shallow_and_partial() {
    let source = Repo::new();
    source.put("a", "1\n");
    source.put("a", "2\n");
    source.run("config uploadpack.allowFilter true");
    let shallow = source.clone_to("shallow", &["--depth=1"]);
    let partial = source.clone_to("partial", &["--filter=blob:none", "--bare"]);
    let absent = source.oid("HEAD~1:a");
    for backend in BOTH {
        let whole = open(&source, backend);
        assert!(!whole.is_shallow() && !whole.is_partial() && !whole.is_bare());
        let shallow = open(&shallow, backend);
        assert_eq!(shallow.shallow_boundary(), [shallow.head().unwrap()]);
        let partial = open(&partial, backend);
        assert!(partial.is_partial() && partial.is_bare() && partial.root().is_none());
        let oid = Oid::from_hex(absent.as_bytes()).unwrap();
        assert_eq!(partial.read(oid).unwrap_err(), ReadError::Promised, "{backend:?}");
    }
}

#[test]
fn repository_origin_is_shown_without_credentials() {
    let repo = Repo::new();
    repo.git(["remote", "add", "origin", "https://user:token@example.com/a/b"]);
    for backend in BOTH {
        assert_eq!(open(&repo, backend).origin_url().as_deref(), Some("https://example.com/a/b"));
    }
}

#[test]
fn repository_replaced_objects_are_not_hidden() {
    let repo = Repo::new();
    repo.put("a", "real\n");
    let real = repo.oid("HEAD:a");
    repo.stage("a", "other\n");
    repo.git(["replace", &real, &repo.oid(":a")]);
    for backend in BOTH {
        let oid = Oid::from_hex(real.as_bytes()).unwrap();
        assert_eq!(open(&repo, backend).read(oid).unwrap().bytes, b"real\n", "{backend:?}");
    }
}

// --- standard input ---

#[test]
fn stdin_is_one_content() {
    let seen = Seen::of(&Stdin::new(&b"a\0b"[..], "name")).complete();
    assert_eq!(seen.text("name"), "a\0b");
    let large = Seen::of(&Stdin::new(&b"four"[..], "name").at_most(Some(3)));
    assert_eq!(large.gaps(), [(GapKind::Size, "name".to_owned())]);
    assert_eq!(Seen::of(&Stdin::new(&b"four"[..], "name").at_most(Some(4))).complete().text("name"), "four");
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("gone"))
        }
    }
    assert!(Stdin::new(Broken, "x").for_each(&Seen::default()).is_err());
}

#[test]
fn lfs_pointers_in_history_stand_for_their_objects() {
    let repo = Repo::new();
    let (here, absent) = ("ab".repeat(32), "cd".repeat(32));
    let store = repo.dot_git("lfs/objects/ab/ab");
    fs::create_dir_all(&store).unwrap();
    fs::write(store.join(&here), format!("\ntoken = \"{}\"\n", github_token(1))).unwrap();
    repo.put("a.bin", lfs_pointer(&here));
    // As a delta, too.
    repo.put("a.bin", lfs_pointer(&absent));
    let blob = repo.oid("HEAD:a.bin");
    for _ in 0..2 {
        let run = repo.keysift(["scan", "--history", "--format", "json"]).exits(1);
        let report = run.json();
        let place = &report["findings"][0]["locations"][0];
        assert_eq!((place["path"].as_str(), place["start_line"].as_u64()), (Some("a.bin"), Some(2)));
        let gap = &report["scan"]["gaps"][0];
        assert_eq!((gap["kind"].as_str(), gap["place"].as_str()), (Some("lfs"), Some(&*format!("blob {blob}"))));
        repo.run("repack -adfq");
    }
    repo.keysift(["scan", "--history", "HEAD~1..HEAD"]).exits(3);
}

#[test]
fn worktree_names_are_searched() {
    let repo = Repo::new();
    let token = github_token(1);
    repo.write(format!("{token}.txt"), "x");
    repo.write(format!("conf-{}/{}", github_token(2), "a.txt"), "");
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    let report = run.json();
    let mut places: Vec<_> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|f| f["locations"].as_array().unwrap())
        .map(|l| l["path"].as_str().unwrap().to_owned())
        .collect();
    places.sort();
    assert_eq!(places.len(), 2, "{report:#}");
}

#[test]
fn alternates_in_quotes() {
    let lender = Repo::new();
    lender.put("a", "lent\n");
    let odd = lender.world.path("odd\tname");
    fs::rename(lender.path(), &odd).unwrap();
    let lender = lender.at(&odd);
    let borrower = Repo::in_world(Arc::clone(&lender.world), "borrower", &[]);
    let objects = lender.dot_git("objects").display().to_string().replace('\t', "\\011");
    fs::create_dir_all(borrower.dot_git("objects/info")).unwrap();
    fs::write(borrower.dot_git("objects/info/alternates"), format!("\"{objects}\"\n")).unwrap();
    borrower.git(["update-ref", "refs/heads/main", &lender.oid("HEAD")]);
    borrower.keysift(["scan", "--history"]).exits(0);
}

#[test]
fn staged_beside_a_head_that_names_nothing_is_said() {
    let repo = Repo::new();
    fs::write(repo.dot_git("HEAD"), "garbage\n").unwrap();
    let status = repo.keysift(["scan", "--staged"]).status;
    assert!([2, 3].contains(&status), "{status}");
    fs::write(repo.dot_git("HEAD"), "ref: refs/heads/main\n").unwrap();
    repo.keysift(["scan", "--staged"]).exits(0);
    if std::env::var_os("KEYSIFT_GIT_BACKEND").is_some() {
        // To git an empty ref is none.
        return;
    }
    fs::write(repo.dot_git("refs/heads/main"), "").unwrap();
    let status = repo.keysift(["scan", "--staged"]).status;
    assert!([2, 3].contains(&status), "{status}");
    fs::remove_file(repo.dot_git("refs/heads/main")).unwrap();
    repo.keysift(["scan", "--staged"]).exits(0);
}
