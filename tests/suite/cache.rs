//! The cache of a history: a second scan says what the first one said, a later one what a first one would
//! say, whatever happened to the repository, the rules or the cache in between; and it holds no secret.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use keysift::{
    GapKind,
    content::Copied,
    source::{
        history::{History, Inspector, Noticed, Options, Outcome, Spotted, cache::Cache},
        repository::{Backend, Environment, Repository},
    },
};
use serde_json::Value;

use crate::common::{Repo, Run, github_token};

/// The report without what differs from run to run.
fn lasting(run: &Run) -> Value {
    let mut report = run.json();
    let scan = report["scan"].as_object_mut().unwrap();
    for key in ["remarks", "started", "seconds"] {
        scan.remove(key);
    }
    report
}

/// Scans without the cache, then with it, twice: always the same. The remarks of the last two.
#[track_caller]
fn same(repo: &Repo, args: &[&str]) -> [String; 2] {
    let scan =
        |more: &[&str]| repo.keysift(["scan", "--history", "--format=json", "-v"].iter().chain(args).chain(more));
    let fresh = scan(&["--no-cache"]);
    [scan(&[]), scan(&[])].map(|run| {
        assert_eq!(run.status, fresh.status, "{run:?}");
        assert_eq!(lasting(&run), lasting(&fresh));
        run.json()["scan"]["remarks"].to_string()
    })
}

/// Every file of the cache.
fn files(repo: &Repo) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![repo.world.path("home/cache/keysift")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

fn line(seed: u64) -> String {
    format!("token = \"{}\"\n", github_token(seed))
}

/// A repository with something to find in every kind of place that a history has.
fn everything() -> Repo {
    let repo = Repo::new();
    repo.put("a.env", line(1));
    repo.put("weak.txt", "password = \"password\"\n");
    repo.put("b.gz", gzip(line(2).as_bytes()));
    repo.put("cut.gz", &gzip(line(3).repeat(9).as_bytes())[..40]);
    repo.commit(&format!("Use {}", github_token(4)));
    repo.git(["-c", &format!("user.name={}", github_token(5)), "commit", "-q", "--allow-empty", "-m", "x"]);
    repo.git(["tag", "-a", "-m", &line(6), "v1"]);
    repo.put("deep/down/c.env", line(12));
    repo.put("deep/plain.txt", "nothing\n");
    repo.put("a.env", format!("# moved\n{}", line(1)));
    repo.write("lost", line(7));
    repo.git(["hash-object", "-w", "lost"]);
    fs::remove_file(repo.path().join("lost")).unwrap();
    repo
}

#[test]
fn a_second_scan_says_what_the_first_one_said() {
    let repo = everything();
    for args in [&[][..], &["--min-confidence=low"], &["--no-messages"], &["--unreachable"], &["HEAD~2"]] {
        let [_, again] = same(&repo, args);
        assert!(again.contains("nothing is new"), "{args:?}: {again}");
    }
}

#[test]
fn whatever_happens_to_the_repository_the_cache_changes_nothing() {
    let repo = everything();
    let steps: [(&str, &dyn Fn()); 17] = [
        ("a new secret", &|| repo.put("c.env", line(8))),
        ("HEAD loses a secret", &|| repo.put("a.env", "moved\n")),
        ("a branch from before", &|| {
            repo.run("checkout -q -b old HEAD~4");
            repo.put("a.env", line(9));
            repo.run("checkout -q main");
        }),
        ("a push", &|| drop(repo.run("update-ref refs/remotes/origin/main main~1"))),
        ("a repack", &|| drop(repo.run("repack -adq"))),
        ("more after it", &|| repo.put("d.env", line(1) + &line(10))),
        ("two packs, one of them with what the other has", &|| {
            repo.run("repack -q");
            repo.run("repack -aq");
        }),
        ("a branch goes away", &|| drop(repo.run("branch -qD old"))),
        ("what nothing led to is gone", &|| drop(repo.run("prune"))),
        ("a folder has another name", &|| {
            repo.run("mv deep shallow");
            repo.commit("moved");
        }),
        ("a submodule", &|| {
            repo.git(["update-index", "--add", "--cacheinfo", &format!("160000,{},sub", repo.oid("HEAD"))]);
            repo.commit("submodule");
        }),
        ("a pointer to a large file", &|| {
            let version = "https://git-lfs.github.com/spec/v1";
            repo.put("large.bin", format!("version {version}\noid sha256:{}\nsize 3\n", "ab".repeat(32)));
        }),
        ("the large file", &|| {
            let id = "ab".repeat(32);
            let path = repo.dot_git("lfs/objects/ab/ab").join(id);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, line(13)).unwrap();
        }),
        ("an object that will be lost", &|| repo.put("gone/lost.txt", "lost\n")),
        ("it is lost", &|| fs::remove_file(repo.loose(&repo.oid("HEAD:gone/lost.txt"))).unwrap()),
        ("it is there again", &|| drop(repo.run("hash-object -w gone/lost.txt"))),
        ("a secret in the name of a file", &|| repo.put(github_token(11), "x\n")),
    ];
    same(&repo, &[]);
    for (what, step) in steps {
        step();
        let [first, again] = same(&repo, &[]);
        assert!(!first.contains("cache: 0 objects"), "{what}: {first}");
        // What cannot be told without a secret is not remembered, nor what depends on more than git's objects.
        let may_be = !what.contains("name of a file") && !repo.path().join("large.bin").exists();
        assert_eq!(again.contains("nothing is new"), may_be, "{what}: {again}");
    }
}

/// How many objects a scan did not read, and how many there are.
fn unread(repo: &Repo) -> (usize, usize) {
    let run = repo.keysift(["scan", "--history", "-v"]).exits(1);
    let (_, known) = run.out.split_once("cache: ").unwrap_or_else(|| panic!("{run:#?}"));
    let all = repo.run("cat-file --batch-all-objects --batch-check --unordered").lines().count();
    (known.split_once(' ').unwrap().0.parse().unwrap_or(usize::MAX), all)
}

#[test]
fn after_a_fetch_only_new_objects_are_read() {
    let origin = Repo::new();
    for n in 0..20 {
        origin.put(format!("a/{}/{n}.txt", n % 3), format!("{n}\n").repeat(30));
    }
    origin.put("a/secret.env", line(31) + "password = \"password\"\n");
    let repo = origin.clone_to("clone", &["--bare"]);
    assert_eq!(unread(&repo).0, 0);
    let (_, before) = unread(&repo);
    origin.put("a/1/4.txt", "changed\n");
    for packed in [false, true] {
        repo.run("fetch -q origin +refs/heads/*:refs/heads/*");
        if packed {
            repo.run("repack -adq");
        }
        let (known, all) = unread(&repo);
        // A commit, three trees and a blob.
        assert_eq!((known, all), (if packed { all } else { before }, before + 5));
    }
}

#[test]
fn a_shallow_clone_that_grows_is_read_to_its_end() {
    let origin = everything();
    let url = format!("file://{}", origin.path().display());
    let repo = origin.clone_to("clone", &["--depth=2"]);
    repo.git(["remote", "set-url", "origin", &url]);
    for fetch in ["fetch -q", "fetch -q --deepen=1", "fetch -q --unshallow"] {
        repo.run(fetch);
        let [first, _] = same(&repo, &[]);
        assert_eq!(first.contains("cache: 0 objects"), fetch == "fetch -q", "{fetch}: {first}");
    }
}

#[test]
fn what_has_secrets_and_breaks_is_said() {
    let repo = everything();
    repo.commit(&line(23));
    let said = repo.oid("HEAD");
    repo.put("b.env", line(24));
    same(&repo, &[]);
    for broken in [said, repo.oid("HEAD:b.env")] {
        fs::write(repo.loose(&broken), "broken").unwrap();
        // As long as refs and objects are the same nobody looks.
        repo.commit("more");
        same(&repo, &[]);
        let run = repo.keysift(["scan", "--history"]).exits(1);
        assert!(run.out.contains(&broken) && run.out.contains("cannot be read"), "{run:#?}");
    }
}

#[test]
fn a_secret_in_a_name_is_not_remembered() {
    let repo = everything();
    let name = github_token(21);
    repo.put(format!("{name}/under.env"), line(22));
    repo.put(format!("beside/{name}"), "x\n");
    for _ in 0..2 {
        repo.commit("more");
        same(&repo, &[]);
        for file in files(&repo) {
            let content = fs::read(&file).unwrap();
            let part = &name.as_bytes()[8..16];
            assert!(!content.windows(part.len()).any(|w| w == part), "{}", file.display());
        }
    }
}

#[test]
fn other_rules_start_anew() {
    let repo = everything();
    same(&repo, &[]);
    let [first, _] = same(&repo, &["--skip-rule=github-oauth-token"]);
    assert!(first.contains("cache: 0 objects"), "{first}");
}

#[test]
fn the_cache_holds_no_secret_and_stays_out_of_the_repository() {
    let repo = everything();
    let before = repo.run("status --porcelain --ignored");
    same(&repo, &[]);
    assert_eq!(repo.run("status --porcelain --ignored"), before);
    let files = files(&repo);
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let content = fs::read(&file).unwrap();
        for seed in 1..8 {
            let token = github_token(seed);
            let part = &token.as_bytes()[8..16];
            assert!(!content.windows(part.len()).any(|w| w == part), "{}", file.display());
        }
    }
}

#[test]
fn a_damaged_cache_is_said_and_not_used() {
    let repo = everything();
    same(&repo, &[]);
    for file in files(&repo) {
        for damage in 0..4 {
            repo.commit("more");
            same(&repo, &[]);
            let mut content = fs::read(&file).unwrap();
            match damage {
                0 => *content.last_mut().unwrap() ^= 1,
                1 => content.truncate(content.len() / 2),
                2 => content.clear(),
                _ => content.push(b'x'),
            }
            fs::write(&file, content).unwrap();
            if file.ends_with("objects") {
                // As long as nothing is new nobody looks at it.
                repo.commit("more");
            }
            let run = repo.keysift(["scan", "--history"]).exits(1);
            assert!(run.out.contains("is damaged and was not used"), "{}: {run:#?}", file.display());
            same(&repo, &[]);
        }
    }
}

#[test]
fn without_a_home_or_a_writable_place_nothing_is_remembered() {
    let repo = everything();
    let scan = |set: &dyn Fn(&mut std::process::Command)| {
        let mut command = repo.world.command(env!("CARGO_BIN_EXE_keysift"), repo.path());
        command.args(["scan", "--history", "-v"]);
        set(&mut command);
        Run::of(command, b"").exits(1)
    };
    let homeless = scan(&|c| {
        c.env_remove("HOME").env_remove("XDG_CACHE_HOME");
    });
    assert!(homeless.out.contains("no cache is used: the home directory is not known"), "{homeless:#?}");
    let inside = scan(&|c| {
        c.env("XDG_CACHE_HOME", repo.path().join(".cache"));
    });
    assert!(inside.out.contains("is inside the repository"), "{inside:#?}");
    assert!(!repo.path().join(".cache").exists());
    let file = repo.world.path("home/file");
    fs::write(&file, "").unwrap();
    let blocked = scan(&|c| {
        c.env("XDG_CACHE_HOME", &file);
    });
    assert!(blocked.out.contains("cannot be"), "{blocked:#?}");
    // Who names a place for it gets it.
    scan(&|c| {
        c.arg("--cache").arg(repo.world.path("elsewhere"));
    });
    assert!(repo.world.path("elsewhere/history").is_dir());
}

/// Finds every `S`, and stops after so many contents.
struct Impatient {
    patience: usize,
    looked: AtomicUsize,
}

impl Impatient {
    fn of(patience: usize) -> Impatient {
        Impatient { patience, looked: AtomicUsize::new(0) }
    }
}

impl Inspector for Impatient {
    type Seen = bool;

    fn whole(&self, content: &[u8]) -> bool {
        self.looked.fetch_add(1, Ordering::Relaxed);
        content.contains(&b'S')
    }

    fn derived(&self, content: &[u8], _: &bool, _: &[Copied]) -> bool {
        self.whole(content)
    }

    fn noticed(&self, _: &[u8], seen: &bool) -> Noticed {
        let secrets = seen.then_some(Spotted { number: 1, level: 0 });
        Noticed { secrets: secrets.into_iter().collect(), is_complete: true }
    }

    fn counted(&self, secrets: &[Spotted]) -> Vec<u64> {
        secrets.iter().map(|secret| secret.number).collect()
    }

    fn progress(&self, _: u64, _: u64) {}

    fn is_stopped(&self) -> bool {
        self.looked.load(Ordering::Relaxed) >= self.patience
    }
}

#[test]
fn an_interrupted_scan_goes_on_where_it_was() {
    let repo = Repo::new();
    for n in 0..60 {
        repo.stage(format!("f{n}"), format!("{n} {}\n", if n % 20 == 7 { "S" } else { "" }));
    }
    repo.commit("many");
    let environment = Environment::new(repo.path(), Backend::Auto);
    let opened = Repository::discover(repo.path(), &environment).unwrap().unwrap();
    let cache = Cache::of(&repo.world.path("cache"), &opened, "engine");
    let scan = |inspector: &Impatient, cache| {
        History::open(&opened, Options { messages: false, ..Options::default() }).unwrap().inspect(inspector, cache)
    };
    let places =
        |outcome: &Outcome| -> Vec<String> { outcome.appearances.iter().map(|a| a.path.to_string()).collect() };
    let whole = scan(&Impatient::of(usize::MAX), None);
    let (first, second) = (Impatient::of(30), Impatient::of(usize::MAX));
    let cut = scan(&first, Some(&cache));
    assert!(cut.gaps.iter().any(|g| g.kind == GapKind::Interrupted), "{:?}", cut.gaps);
    let rest = scan(&second, Some(&cache));
    assert_eq!(places(&rest), places(&whole));
    assert_eq!((rest.blobs, rest.bytes, rest.gaps), (whole.blobs, whole.bytes, whole.gaps));
    let all = 61 + 3;
    assert!(second.looked.into_inner() <= all - 30 + 3 + 1, "what was clean is not looked at again");
}
