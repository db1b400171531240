//! Hostile surroundings: no room for the report, nobody who reads it, no home, nothing that may be written, and
//! things that are no files.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

use crate::common::{Repo, Run, github_token};

/// A repository with a secret in its working tree, index and history.
fn repo_with_secret() -> Repo {
    let repo = Repo::new();
    repo.put("app.cfg", format!("token = \"{}\"\n", github_token(1)));
    repo
}

fn keysift(repo: &Repo, args: &[&str]) -> Command {
    let mut command = repo.world.command(env!("CARGO_BIN_EXE_keysift"), repo.path());
    command.args(args);
    command
}

#[test]
fn a_report_that_cannot_be_written_is_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let repo = repo_with_secret();
    for format in ["text", "json", "jsonl", "sarif", "gitlab", "junit", "csv"] {
        let mut command = keysift(&repo, &["scan", "--format", format]);
        command.stdin(Stdio::null()).stdout(File::options().write(true).open("/dev/full").unwrap());
        let output = command.stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{format}: {said}");
        assert!(said.contains("No space left"), "{format}: {said}");
        let run = repo.keysift(["scan", "--format", format, "--output", "/dev/full"]).exits(2);
        assert!(run.err.contains("/dev/full"), "{run:?}");
    }
    let run = repo.keysift(["scan", "--output", "no/such/folder/report"]).exits(2);
    assert!(run.err.contains("no/such/folder"), "{run:?}");
}

#[test]
fn a_reader_who_goes_away_does_not_make_a_scan_clean() {
    let repo = repo_with_secret();
    let mut command = keysift(&repo, &["scan"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panic"), "{output:?}");
}

#[test]
fn without_a_home_or_anything_else_in_the_environment() {
    let repo = repo_with_secret();
    for mode in [&["scan", "."][..], &["scan", "--staged"], &["scan", "--history"]] {
        let usual = repo.keysift(mode);
        let mut bare = Command::new(env!("CARGO_BIN_EXE_keysift"));
        bare.current_dir(repo.path()).env_clear().args(mode);
        let bare = Run::of(bare, b"");
        assert_eq!(bare.status, usual.status, "{bare:?}");
        let findings =
            |run: &Run| run.out.lines().filter(|l| l.contains("app.cfg")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(findings(&bare), findings(&usual));
    }
}

#[test]
fn a_repository_that_may_not_be_written() {
    let repo = repo_with_secret();
    let every = |mode: u32| {
        let mut folders = vec![repo.path().to_owned()];
        while let Some(folder) = folders.pop() {
            if mode & 0o200 != 0 {
                fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            }
            for file in fs::read_dir(&folder).unwrap() {
                let file = file.unwrap();
                if file.file_type().unwrap().is_dir() {
                    folders.push(file.path());
                }
            }
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    every(0o555);
    let runs = [&["scan"][..], &["scan", "--staged"], &["scan", "--history"]].map(|mode| repo.keysift(mode).status);
    every(0o755);
    assert_eq!(runs, [1, 0, 1]);
}

#[test]
fn what_is_named_and_no_file_is_said() {
    let repo = Repo::new();
    symlink("two", repo.path().join("one")).unwrap();
    symlink("one", repo.path().join("two")).unwrap();
    symlink("/dev/zero", repo.path().join("endless")).unwrap();
    let socket = repo.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for name in ["endless", "socket", "/dev/zero", "/dev/null"] {
        let run = repo.keysift(["scan", "--format", "json", name]);
        let gaps = run.json()["scan"]["gaps"].clone();
        assert_eq!((run.status, gaps[0]["kind"].as_str()), (3, Some("unreadable")), "{name}: {gaps}");
    }
    for name in ["one", "not-there"] {
        assert!(repo.keysift(["scan", name]).exits(2).err.contains(name));
    }
}

#[test]
fn a_current_folder_that_is_gone_is_an_error() {
    let repo = Repo::new();
    let gone = repo.world.path("gone");
    fs::create_dir(&gone).unwrap();
    let script = format!("rmdir ../gone && '{}' scan", env!("CARGO_BIN_EXE_keysift"));
    let mut shell = repo.world.command("sh", &gone);
    shell.args(["-c", &script]);
    let run = Run::of(shell, b"");
    assert!([2, 3].contains(&run.status) && !run.err.contains("panic"), "{run:?}");
}

#[test]
fn files_that_change_and_vanish_while_they_are_read() {
    let repo = repo_with_secret();
    let folder = repo.path().join("busy");
    fs::create_dir(&folder).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let runs: Vec<Run> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut n = 0u64;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                n += 1;
                let file = folder.join(format!("{}", n % 50));
                let _ = fs::write(&file, vec![b'x'; (n % 7) as usize * 100_000]);
                let other = folder.join(format!("{}", n.wrapping_mul(17) % 50));
                let _ = if n.is_multiple_of(3) { fs::create_dir(&other) } else { fs::remove_file(&other) };
                let _ = fs::remove_dir(&other);
            }
        });
        let runs = (0..10).map(|_| repo.keysift(["scan", "--format", "json"])).collect();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        runs
    });
    for run in runs {
        assert_eq!(run.status, 1, "{run:?}");
        assert_eq!(run.json()["findings"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_tree_of_which_nothing_is_left_is_not_clean() {
    let repo = repo_with_secret();
    for patterns in ["*\n", "/*\n", "**\n"] {
        repo.write(".keysiftignore", patterns);
        let run = repo.keysift(["scan", "--format", "json"]).exits(3);
        assert_eq!(run.json()["scan"]["gaps"][0]["kind"], "no-input", "{patterns}");
        assert!(repo.keysift(["scan"]).exits(3).out.contains("hides every file"));
    }
    // A commit of nothing but what is ignored is in order, and so is a list of what is not.
    repo.write(".keysiftignore", "/app.cfg\n");
    repo.keysift(["scan", "app.cfg"]).exits(0);
    repo.write(".keysiftignore", "/*\n!/app.cfg\n");
    repo.keysift(["scan"]).exits(1);
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn pipes_in_the_place_of_files_are_not_waited_for() {
    let repo = repo_with_secret();
    let modes = [&["scan"][..], &["scan", "--staged"], &["scan", "--history"]];
    for (name, statuses) in [
        (".keysiftignore", [2, 2, 2]),
        (".keysift-baseline", [2, 2, 2]),
        (".git/refs/heads/pipe", [1, 0, 1]),
        (".git/index", [2, 2, 1]),
    ] {
        let path = repo.path().join(name);
        let kept = fs::read(&path).ok();
        let _ = fs::remove_file(&path);
        make_pipe(&path);
        let seen = modes.map(|mode| repo.keysift(mode).status);
        fs::remove_file(&path).unwrap();
        if let Some(kept) = kept {
            fs::write(&path, kept).unwrap();
        }
        assert_eq!(seen, statuses, "{name}");
    }
}

#[test]
fn a_large_file_that_changes_while_it_is_read_is_said() {
    let repo = Repo::new();
    let path = repo.write("large.log", vec![b'x'; 64 << 20]);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write;
            let mut log = File::options().append(true).open(&path).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                log.write_all(b"one more line\n").unwrap();
            }
        });
        let said = (0..20).any(|_| {
            let run = repo.keysift(["scan", "--format", "json"]);
            run.status == 3 && run.json()["scan"]["gaps"][0]["kind"] == "changed"
        });
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        said
    });
    assert!(said);
    repo.keysift(["scan"]).exits(0);
}
