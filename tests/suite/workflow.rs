//! At work: paths, hooks, policy from the base, installation, the doctor.

use std::{fs, path::Path};

use serde_json::Value;

use crate::common::{Repo, Run, github_token};

/// A line of a configuration file that holds a secret.
fn line(seed: u64) -> String {
    format!("token = \"{}\"\n", github_token(seed))
}

/// The paths of all findings.
fn paths(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let places = findings.flat_map(|f| f["locations"].as_array().unwrap().clone());
    places.map(|l| l["path"].as_str().unwrap().to_owned()).collect()
}

/// git in this repository, with keysift on the PATH, without the checks of `Repo::run`.
fn git(repo: &Repo, args: &[&str]) -> Run {
    let mut git = repo.world.git_command(repo.path());
    git.args(args).env("PATH", path_with_keysift());
    Run::of(git, b"")
}

fn path_with_keysift() -> std::ffi::OsString {
    let own = Path::new(env!("CARGO_BIN_EXE_keysift")).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([own].into_iter().chain(std::env::split_paths(&path))).unwrap()
}

/// A bare repository beside this one, as its remote `origin`.
fn server(repo: &Repo) -> Repo {
    let server = Repo::in_world(repo.world.clone(), "server.git", &["--bare"]);
    repo.git(["remote", "add", "origin", server.path().to_str().unwrap()]);
    server
}

/// Whether git runs hooks that its configuration names.
fn git_has_configured_hooks(repo: &Repo) -> bool {
    let version = git(repo, &["--version"]).exits(0).out;
    let mut numbers = version.split_whitespace().nth(2).unwrap().split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (2, 54)
}

#[cfg(unix)]
fn hook(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_finding_has_one_path_wherever_it_is_scanned_from() {
    let repo = Repo::new();
    repo.put("app/config/dev.env", line(1));
    let root = repo.path().to_str().unwrap().to_owned();
    let inside = repo.at(repo.path().join("app"));
    let elsewhere = repo.at(repo.world.path("home"));
    for (place, args) in [
        (&repo, vec!["scan"]),
        (&repo, vec!["scan", "--", "app/config/dev.env"]),
        (&repo, vec!["scan", root.as_str()]),
        (&inside, vec!["scan"]),
        (&inside, vec!["scan", "../app"]),
        (&inside, vec!["scan", "config/dev.env"]),
        (&inside, vec!["scan", "--history"]),
        (&elsewhere, vec!["scan", root.as_str()]),
    ] {
        let report = place.keysift(["scan", "--format", "json"].iter().chain(&args[1..])).exits(1).json();
        assert_eq!(paths(&report), ["app/config/dev.env"], "{args:?}");
    }
    // What a person reads can be opened from where they stand.
    assert!(inside.keysift(["scan"]).exits(1).out.contains("\n  config/dev.env:1:10"));
    assert!(inside.keysift(["scan", ".."]).exits(1).out.contains("\n  config/dev.env:1:10"));
    assert!(elsewhere.keysift(["scan", root.as_str()]).exits(1).out.contains("/app/config/dev.env:1:10"));
    let other = repo.at(repo.world.path("repo/other"));
    fs::create_dir(other.path()).unwrap();
    assert!(other.keysift(["scan", "../app"]).exits(1).out.contains("\n  ../app/config/dev.env:1:10"));
}

#[test]
fn a_baseline_holds_wherever_the_scan_starts() {
    let repo = Repo::new();
    repo.put("app/dev.env", line(2));
    let inside = repo.at(repo.path().join("app"));
    inside.keysift(["baseline", "create"]).exits(0);
    assert!(repo.path().join(".keysift-baseline").exists() && !inside.path().join(".keysift-baseline").exists());
    assert!(fs::read_to_string(repo.path().join(".keysift-baseline")).unwrap().contains(" app/dev.env\n"));
    let root = repo.path().to_str().unwrap().to_owned();
    for (place, what) in [(&repo, "."), (&inside, "."), (&inside, "dev.env"), (&inside, root.as_str())] {
        place.keysift(["scan", what]).exits(0);
    }
    inside.keysift(["baseline", "show"]).exits(0);
    // An entry for what this scan did not look at is not called unused.
    repo.write("docs/empty", "");
    let run = repo.keysift(["scan", "docs"]).exits(0);
    assert!(!run.out.contains("matches nothing"), "{}", run.out);
}

#[test]
fn the_configuration_names_the_baseline_and_ignores_paths_from_the_root() {
    let repo = Repo::new();
    repo.put("app/dev.env", line(3));
    repo.put("app/test.env", line(4));
    repo.put(".keysift.toml", "exclude = [\"/app/test.env\"]\n[baseline]\npath = \"ci/known\"\n");
    fs::create_dir(repo.path().join("ci")).unwrap();
    let inside = repo.at(repo.path().join("app"));
    let run = inside.keysift(["scan"]).exits(2);
    assert!(run.err.contains("ci/known") && run.err.contains("baseline create"), "{}", run.err);
    let run = inside.keysift(["scan", "--baseline", "/dev/null"]).exits(1);
    assert!(run.out.contains("dev.env:1") && !run.out.contains("test.env"), "{}", run.out);
}

#[test]
fn explain_and_rules_know_the_configuration() {
    let repo = Repo::new();
    repo.put(
        ".keysift.toml",
        "disable = [\"github-classic-pat\"]\n[[rules]]\nid = \"acme\"\ntoken = 'acme_[0-9]{10}'\nentropy = 0\n\
         [[allowlists]]\npaths = ['^docs/']\n",
    );
    repo.put("app/a.cfg", format!("{}id = acme_8402917365\n", line(5)));
    repo.put("docs/a.cfg", "id = acme_8402917365\n");
    let inside = repo.at(repo.path().join("app"));
    let run = inside.keysift(["rules", "list"]).exits(0);
    assert!(run.out.contains("\nacme ") && !run.out.contains("github-classic-pat "), "{}", run.out);
    let run = inside.keysift(["explain", "a.cfg"]).exits(0);
    assert!(run.out.contains("rule acme") && !run.out.contains("github-classic-pat"), "{}", run.out);
    assert!(repo.keysift(["explain", "docs/a.cfg"]).exits(0).out.contains("not reported: the ignore file or an allow"));
    inside.keysift(["config", "check"]).exits(0);
    repo.write("app/a.cfg", "id = acme_8402917365 # keysift:allow a sample\n");
    let run = inside.keysift(["explain", "a.cfg:1"]).exits(0);
    assert!(run.out.contains("a comment here sets it aside: a sample"), "{}", run.out);
    repo.write("app/a.cfg", "id = acme_8402917365\n");
    inside.keysift(["baseline", "create", "--reason", "an old one"]).exits(0);
    let run = inside.keysift(["explain", "a.cfg:1"]).exits(0);
    assert!(run.out.contains("not reported: the baseline knows it: an old one"), "{}", run.out);
}

#[test]
fn advice_and_messages_of_the_configuration_count() {
    let repo = Repo::new();
    repo.put("README", "hello again\n");
    repo.commit(&format!("a message with {}", github_token(6)));
    repo.keysift(["scan", "--history"]).exits(1);
    repo.write(".keysift.toml", "messages = false\nadvice = \"Ask security@example.com\"\n");
    repo.keysift(["scan", "--history"]).exits(0);
    repo.write("a.cfg", line(6));
    assert!(repo.keysift(["scan"]).exits(1).out.contains("\n  Ask security@example.com\n"));
}

/// A repository whose change tries to switch the gate off: each in its own way.
fn sly() -> Repo {
    let repo = Repo::new();
    repo.put("old.cfg", "# nothing yet\n");
    repo.run("checkout -q -b change");
    repo.put("new.cfg", line(7));
    repo
}

#[test]
fn a_change_cannot_set_its_own_findings_aside() {
    let repo = sly();
    let scan = |more: &[&str]| {
        let args = ["scan", "--history", "main..change"].iter().chain(more);
        repo.keysift(args.copied().collect::<Vec<_>>())
    };
    scan(&[]).exits(1);
    repo.run("tag ORIG_CHANGE");
    for (file, text, said) in [
        (
            ".keysift.toml",
            "disable = [\"github-classic-pat\"]\nexclude = [\"*.cfg\"]\n".to_owned(),
            "switches the rule `github-classic-pat` off",
        ),
        (".keysiftignore", "*.cfg\n".to_owned(), "adds `*.cfg` to the ignore file"),
        ("new.cfg", line(7).replace('\n', " # keysift:allow trust me\n"), "1 inline marker not in main"),
    ] {
        repo.stage(file, text);
        repo.git(["commit", "-q", "--amend", "-m", "all in one"]);
        scan(&[]).exits(0);
        let run = scan(&["--policy-from", "main"]).exits(1);
        assert!(run.out.contains(said), "{file}\n{}", run.out);
        let run = scan(&["--policy-from", "main", "--allow-policy-changes"]).exits(0);
        assert!(run.out.contains(said), "{file}\n{}", run.out);
        repo.run("reset -q --hard ORIG_CHANGE");
    }
    repo.keysift(["baseline", "create", "--history", "main..change"]).exits(0);
    repo.run("add .keysift-baseline");
    repo.commit("baseline");
    scan(&[]).exits(0);
    let run = scan(&["--policy-from", "main"]).exits(1);
    assert!(run.out.contains("adds 1 entry to the baseline"), "{}", run.out);
    // What has been merged counts.
    repo.run("branch -f merged change");
    scan(&["--policy-from", "merged"]).exits(0);
    // A configuration that does not parse is no way either.
    repo.put(".keysift.toml", "disable = [\n");
    scan(&[]).exits(2);
    scan(&["--policy-from", "main"]).exits(1);
    scan(&["--policy-from", "no-such-branch"]).exits(2);
}

#[test]
fn pull_and_merge_requests_take_the_policy_of_their_target() {
    let repo = sly();
    repo.put(".keysiftignore", "*.cfg\n");
    let event = repo.world.path("event.json");
    let scan = |variables: &[(&str, &str)]| {
        let mut command = repo.world.command(env!("CARGO_BIN_EXE_keysift"), repo.path());
        command.arg("scan").envs(variables.iter().copied());
        Run::of(command, b"")
    };
    scan(&[]).exits(0);
    let pull = |sha: &str| format!("{{\"pull_request\": {{\"base\": {{\"sha\": \"{sha}\"}}}}}}");
    fs::write(&event, pull(&repo.oid("main"))).unwrap();
    let event_path = event.to_str().unwrap();
    let github = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", event_path)];
    let run = scan(&github).exits(1);
    assert!(run.out.contains("adds `*.cfg` to the ignore file"), "{}", run.out);
    let push = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "push"), ("GITHUB_EVENT_PATH", event_path)];
    scan(&push).exits(0);
    // A clone without the target branch: the change's own policy is not believed, and that is said.
    fs::write(&event, pull(&"ab".repeat(20))).unwrap();
    let run = scan(&github).exits(2);
    assert!(run.err.contains("fetch-depth: 0"), "{}", run.err);
    let main = repo.oid("main");
    let gitlab = [
        ("GITLAB_CI", "true"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", main.as_str()),
    ];
    scan(&gitlab).exits(1);
}

#[test]
#[cfg(unix)]
fn installed_hooks_stop_commits_messages_merges_and_pushes() {
    let repo = Repo::new();
    let server = server(&repo);
    repo.keysift(["install"]).exits(0);
    repo.stage("a.cfg", line(8));
    let run = git(&repo, &["commit", "-m", "no"]);
    assert!(run.status != 0 && run.err.contains("keysift stopped this commit"), "{run:#?}");
    assert!(!run.err.contains(&github_token(8)), "the value is redacted");
    repo.run("rm -q --cached a.cfg");
    fs::remove_file(repo.path().join("a.cfg")).unwrap();
    repo.stage("b", "fine\n");
    let message = format!("token {}", github_token(9));
    let run = git(&repo, &["commit", "-m", &message]);
    assert!(run.status != 0 && run.err.contains("commit message:1"), "{run:#?}");
    // A clean commit is silent.
    let run = git(&repo, &["commit", "-q", "-m", "fine"]).exits(0);
    assert_eq!(run.err, "");
    git(&repo, &["push", "-q", "origin", "main"]).exits(0);
    repo.run("checkout -q -b side");
    repo.stage("c.cfg", line(10));
    repo.git(["commit", "-q", "--no-verify", "-m", "bypassed"]);
    repo.git(["rm", "-q", "c.cfg"]);
    repo.git(["commit", "-q", "--no-verify", "-m", "taken out"]);
    let run = git(&repo, &["push", "origin", "side"]);
    assert!(run.status != 0 && run.err.contains("c.cfg:1") || run.out.contains("c.cfg:1"), "{run:#?}");
    assert!(!server.try_run("rev-parse --verify side"));
    repo.run("checkout -q main");
    repo.git(["commit", "-q", "--allow-empty", "-m", "other"]);
    git(&repo, &["merge", "-q", "--no-ff", "-m", "clean merge", "side"]).exits(0);
    repo.run("reset -q --hard HEAD~1");
    let run = git(&repo, &["merge", "-q", "--no-ff", "-m", "merge", "side~1"]);
    assert!(run.status != 0 && run.err.contains("c.cfg:1"), "{run:#?}");
    repo.run("merge --abort");
    repo.keysift(["uninstall"]).exits(0);
    git(&repo, &["push", "-q", "origin", "side"]).exits(0);
}

#[test]
#[cfg(unix)]
fn a_push_is_scanned_for_exactly_what_the_remote_lacks() {
    let repo = Repo::new();
    let server = server(&repo);
    repo.put("old.cfg", line(11));
    repo.run("push -q origin main");
    repo.keysift(["install", "--hook", "pre-push"]).exits(0);
    // What the remote has is not pushed again, whatever branch it is on; tags and deletions are fine.
    repo.run("checkout -q -b next");
    repo.put("fine", "fine\n");
    git(&repo, &["push", "-q", "origin", "next"]).exits(0);
    repo.run("tag -a v1 -m one");
    git(&repo, &["push", "-q", "origin", "v1"]).exits(0);
    git(&repo, &["push", "-q", "origin", ":v1"]).exits(0);
    // A forced push over what somebody else pushed since.
    let other = server.clone_to("other", &["-b", "next"]);
    other.put("theirs", "theirs\n");
    other.run("push -q origin next");
    repo.git(["commit", "-q", "--amend", "--allow-empty", "-m", "changed"]);
    git(&repo, &["push", "-q", "--force", "origin", "next"]).exits(0);
    // A remote by its URL: nothing is known of it but what git tells.
    let url = format!("file://{}", server.path().display());
    repo.put("more", "more\n");
    git(&repo, &["push", "-q", &url, "next"]).exits(0);
    repo.put("new.cfg", line(12));
    git(&repo, &["push", "-q", "origin", "next"]).exits(1);
    // Another remote has nothing: all of the history goes there.
    let empty = Repo::in_world(repo.world.clone(), "empty.git", &["--bare"]);
    repo.git(["remote", "add", "empty", empty.path().to_str().unwrap()]);
    let run = git(&repo, &["push", "-q", "empty", "next"]).exits(1);
    assert!((run.out + &run.err).contains("old.cfg:1"));
}

#[test]
fn lines_that_git_does_not_write_are_refused() {
    let repo = Repo::new();
    let zeros = |n: usize| "0".repeat(n);
    let hook = |name: &str, line: String| {
        let mut command = repo.world.command(env!("CARGO_BIN_EXE_keysift"), repo.path());
        command.args(["hook", name]).args((name == "pre-push").then_some("origin"));
        Run::of(command, line.as_bytes())
    };
    let head = repo.oid("HEAD");
    for n in [40, 64] {
        hook("pre-push", format!("(delete) {} refs/heads/x {head}\n", zeros(n))).exits(0);
        hook("pre-push", format!("refs/heads/x {head} refs/heads/x {}\n", zeros(n))).exits(0);
        hook("pre-receive", format!("{head} {} refs/heads/x\n", zeros(n))).exits(0);
    }
    hook("pre-push", String::new()).exits(0);
    for name in ["pre-push", "pre-receive"] {
        assert!(hook(name, "nonsense\n".to_owned()).exits(2).err.contains("keysift install"));
    }
}

#[test]
#[cfg(unix)]
fn a_server_refuses_what_was_committed_past_the_hooks() {
    let repo = Repo::new();
    let server = server(&repo);
    hook(
        &server.path().join("hooks/pre-receive"),
        &format!("#!/bin/sh\nexec '{}' hook pre-receive\n", env!("CARGO_BIN_EXE_keysift")),
    );
    git(&repo, &["push", "-q", "origin", "main"]).exits(0);
    repo.put("a.cfg", line(13));
    let objects = |repo: &Repo| repo.run("count-objects -v");
    let before = objects(&server);
    for (file, text) in [
        (".keysiftignore", "*.cfg\n".to_owned()),
        (".keysift.toml", "min_confidence = \"high\"\nexclude = [\"*\"]\n".to_owned()),
        ("a.cfg", line(13).replace('\n', " # keysift:allow me\n")),
    ] {
        repo.put(file, text);
        let run = git(&repo, &["push", "origin", "main"]).exits(1);
        assert!(run.err.contains("remote: keysift stopped this push") && run.err.contains("a.cfg:1"), "{run:#?}");
        assert!(!run.err.contains(&github_token(13)), "the value is redacted");
    }
    assert_eq!(objects(&server), before, "nothing stays on the server");
    // A new branch, and a secret that is gone again by the last commit.
    repo.run("checkout -q -b side");
    repo.run("rm -q a.cfg");
    repo.commit("gone");
    git(&repo, &["push", "-q", "origin", "side"]).exits(1);
    git(&repo, &["push", "-q", "origin", "HEAD~5:refs/heads/fine"]).exits(0);
}

#[test]
#[cfg(unix)]
fn the_policy_of_the_branch_counts_on_the_server() {
    let repo = Repo::new();
    let server = server(&repo);
    repo.put(".keysiftignore", "samples/\n");
    repo.run("push -q origin main");
    hook(
        &server.path().join("hooks/pre-receive"),
        &format!("#!/bin/sh\nexec '{}' hook pre-receive\n", env!("CARGO_BIN_EXE_keysift")),
    );
    repo.put("samples/a.cfg", line(14));
    git(&repo, &["push", "-q", "origin", "main"]).exits(0);
    repo.put("b.cfg", line(15));
    git(&repo, &["push", "-q", "origin", "main"]).exits(1);
}

#[test]
#[cfg(unix)]
fn hooks_that_are_there_go_on_running() {
    let repo = Repo::new();
    hook(&repo.dot_git("hooks/pre-commit"), "#!/bin/sh\necho \"$0 ran\" >>log\n[ ! -e stop ]\n");
    hook(&repo.dot_git("hooks/pre-push"), "#!/bin/sh\ncat >>log\n");
    server(&repo);
    let run = repo.keysift(["install"]).exits(0);
    assert!(run.out.contains("runs what was there") || run.out.contains("other hooks go on running"), "{}", run.out);
    // Once more changes nothing.
    repo.keysift(["install"]).exits(0);
    repo.stage("a", "fine\n");
    git(&repo, &["commit", "-q", "-m", "fine"]).exits(0);
    let log = || fs::read_to_string(repo.path().join("log")).unwrap();
    assert!(log().contains("pre-commit"));
    repo.write("stop", "");
    repo.stage("b", "fine\n");
    git(&repo, &["commit", "-q", "-m", "stopped by the other hook"]).exits(1);
    fs::remove_file(repo.path().join("stop")).unwrap();
    repo.stage("b", line(16));
    git(&repo, &["commit", "-q", "-m", "stopped by keysift"]).exits(1);
    repo.stage("b", "fine\n");
    git(&repo, &["commit", "-q", "-m", "fine"]).exits(0);
    git(&repo, &["push", "-q", "origin", "main"]).exits(0);
    assert!(log().contains("refs/heads/main"), "the other hook was told what git says: {}", log());
    repo.keysift(["uninstall"]).exits(0);
    assert!(fs::read_to_string(repo.dot_git("hooks/pre-commit")).unwrap().contains("ran"));
    assert!(!repo.dot_git("hooks/pre-commit.before-keysift").exists() && !repo.dot_git("hooks/commit-msg").exists());
}

#[test]
#[cfg(unix)]
fn programs_that_keep_hooks_are_told_and_not_overwritten() {
    for (file, text, said) in [
        (".pre-commit-config.yaml", "repos: []\n", "id: keysift-system"),
        ("lefthook.yml", "{}\n", "keysift hook pre-push {1} {2}"),
        (".husky/pre-commit", "npm test\n", ".husky/pre-push:  keysift hook pre-push"),
    ] {
        let repo = Repo::new();
        repo.put(file, text);
        let run = repo.keysift(["install"]);
        if git_has_configured_hooks(&repo) {
            // git itself runs hooks beside others.
            run.exits(0);
            continue;
        }
        let run = run.exits(1);
        assert!(run.out.contains(said) && run.out.contains("nothing was written"), "{}", run.out);
        assert!(!repo.dot_git("hooks/pre-commit").exists());
        repo.write(file, "keysift hook pre-commit\n");
        repo.keysift(["install"]).exits(0);
    }
}

#[test]
#[cfg(unix)]
fn a_global_installation_covers_every_repository_and_its_own_hooks() {
    let repo = Repo::new();
    repo.keysift(["install", "--global"]).exits(0);
    hook(&repo.dot_git("hooks/pre-commit"), "#!/bin/sh\necho pre-commit >>log\n");
    hook(&repo.dot_git("hooks/post-commit"), "#!/bin/sh\necho post-commit >>log\n");
    repo.stage("a.cfg", line(17));
    git(&repo, &["commit", "-q", "-m", "no"]).exits(1);
    repo.stage("a.cfg", "fine\n");
    git(&repo, &["commit", "-q", "-m", "yes"]).exits(0);
    assert!(fs::read_to_string(repo.path().join("log")).unwrap().ends_with("pre-commit\npost-commit\n"));
    repo.keysift(["install", "--global"]).exits(0);
    repo.keysift(["uninstall", "--global"]).exits(0);
    repo.stage("a.cfg", line(17));
    git(&repo, &["commit", "-q", "-m", "yes"]).exits(0);
    assert!(!git(&repo, &["config", "--global", "core.hooksPath"]).out.contains("keysift"));
}

#[test]
#[cfg(unix)]
fn under_pre_commit_files_are_scanned_that_are_not_staged() {
    let repo = Repo::new();
    repo.put("a.cfg", line(18));
    repo.put("b", "fine\n");
    let hook = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = repo.world.command(env!("CARGO_BIN_EXE_keysift"), repo.path());
        command.args(["hook", "pre-commit"]).args(args).envs(variables.iter().copied()).env("PRE_COMMIT", "1");
        Run::of(command, b"")
    };
    // `pre-commit run --all-files`, `--files b`, and by hand without names.
    hook(&["README", "a.cfg", "b"], &[]).exits(1);
    hook(&["b"], &[]).exits(0);
    hook(&[], &[]).exits(1);
    // A commit: only what it adds.
    repo.stage("b", "still fine\n");
    hook(&["b"], &[("GIT_INDEX_FILE", ".git/index")]).exits(0);
    // `pre-commit run` with something staged: that.
    repo.stage("a.cfg", format!("# moved\n{}", line(18)));
    hook(&["a.cfg", "b"], &[]).exits(0);
    let range = [("PRE_COMMIT_FROM_REF", "HEAD~2"), ("PRE_COMMIT_TO_REF", "HEAD")];
    hook(&["b"], &range).exits(1);
    hook(&["b"], &[("PRE_COMMIT_FROM_REF", "HEAD~1"), ("PRE_COMMIT_TO_REF", "HEAD")]).exits(0);
    hook(&[], &[("PRE_COMMIT_LOCAL_BRANCH", "refs/heads/main")]).exits(1);
}

#[test]
fn the_diff_below_the_scissors_is_no_part_of_a_message() {
    let repo = Repo::new();
    let cut = "# ------------------------ >8 ------------------------\n";
    repo.write("message", format!("subject\n{cut}-{}", line(19)));
    repo.keysift(["hook", "commit-msg", "message"]).exits(0);
    repo.write("message", format!("subject\n# {}{cut}", line(19)));
    repo.keysift(["hook", "commit-msg", "message"]).exits(1);
}

#[test]
#[cfg(unix)]
fn the_doctor_says_what_is_not_protected() {
    let repo = Repo::new();
    let state = |name: &str, status: i32| {
        let report = repo.keysift(["doctor", "--format", "json"]).exits(status).json();
        let checks = report["checks"].as_array().unwrap().clone();
        let check = checks.iter().find(|c| c["name"] == name).unwrap_or_else(|| panic!("{name}: {checks:#?}")).clone();
        check["state"].as_str().unwrap().to_owned()
    };
    let run = repo.keysift(["doctor"]).exits(1);
    assert!(run.out.contains("not protected: pre-commit, pre-merge-commit, commit-msg, pre-push, ci"), "{}", run.out);
    repo.keysift(["install"]).exits(0);
    repo.write(".github/workflows/secrets.yml", "uses: keysift/keysift\n");
    for name in ["git", "configuration", "pre-commit", "pre-merge-commit", "commit-msg", "pre-push"] {
        assert_eq!(state(name, 0), "good", "{name}");
    }
    assert_eq!(state("other repositories", 0), "weak");
    repo.keysift(["install", "--global"]).exits(0);
    assert_eq!(state("other repositories", 0), "good");
    repo.keysift(["uninstall", "--global"]).exits(0);
    // A configuration that leaves everything out.
    repo.write(".keysiftignore", "*\n");
    assert_eq!(state("configuration", 1), "failed");
    fs::remove_file(repo.path().join(".keysiftignore")).unwrap();
    if git_has_configured_hooks(&repo) {
        return;
    }
    // A hook that swallows the status.
    hook(&repo.dot_git("hooks/pre-commit"), "#!/bin/sh\nkeysift hook pre-commit || true\n");
    assert_eq!(state("pre-commit", 1), "failed");
    // Somebody else's hooks path hides ours.
    repo.git(["config", "core.hooksPath", repo.world.path("home").to_str().unwrap()]);
    assert_eq!(state("pre-push", 1), "missing");
}

#[test]
fn peers_lists_are_imported_from_the_command_line() {
    let repo = Repo::new();
    let token = github_token(20);
    repo.put("app/a.cfg", line(20));
    let commit = repo.oid("HEAD");
    let lists = [
        (
            "report.json",
            format!(
                "[{{\"RuleID\":\"github-pat\",\"File\":\"app/a.cfg\",\"Secret\":\"{token}\",\"StartLine\":1,\"Commit\":\"\"}}]"
            ),
        ),
        (".gitleaksignore", format!("{commit}:app/a.cfg:github-pat:1\n")),
        (".gitleaksignore", "app/a.cfg:github-pat:1\n".to_owned()),
        (
            ".secrets.baseline",
            format!(
                "{{\"version\":\"1.5.0\",\"results\":{{\"app/a.cfg\":[{{\"type\":\"GitHub Token\",\"filename\":\"app/a.cfg\",\
                 \"hashed_secret\":\"{}\",\"is_verified\":false,\"line_number\":1}}]}}}}",
                sha1_smol::Sha1::from(&token).digest()
            ),
        ),
    ];
    let inside = repo.at(repo.path().join("app"));
    for (name, text) in lists {
        let file = repo.write(name, text);
        let from = file.to_str().unwrap();
        let run = inside.keysift(["baseline", "import", "--from", from, repo.path().to_str().unwrap()]).exits(0);
        assert!(run.out.contains("1 entr"), "{name}: {}", run.out);
        fs::remove_file(&file).unwrap();
        repo.keysift(["scan"]).exits(0);
        repo.keysift(["scan", "--history"]).exits(0);
        fs::remove_file(repo.path().join(".keysift-baseline")).unwrap();
    }
}

#[test]
fn hashes_in_lists_of_known_findings_are_no_findings() {
    let repo = Repo::new();
    // 32 and 40 hexadecimal digits beside the name of a rule about such keys.
    let key = |digits: usize| "5e1f90b2c7d846a3".chars().cycle().skip(3).take(digits).collect::<String>();
    let (hash, id) = (key(32), key(40));
    let own = format!("twilio-auth-token {}:{hash} src/twilio.py\n", &hash[..8]);
    let theirs = format!("{id}:aws/main.go:aws-secret-access-key:12\n");
    repo.put("other", format!("{own}{theirs}"));
    repo.keysift(["scan"]).exits(1);
    repo.run("rm -q other");
    repo.put(".keysift-baseline", format!("# keysift-baseline 1\nsalt {hash} 2000\n{own}"));
    repo.put(".gitleaksignore", theirs);
    repo.keysift(["scan"]).exits(0);
    // A secret in such a file is one all the same.
    repo.put(".gitleaksignore", line(22));
    repo.keysift(["scan"]).exits(1);
}

#[test]
fn text_says_how_to_drop_a_secret_from_the_last_commits() {
    let repo = Repo::new();
    server(&repo);
    repo.run("push -q origin main");
    repo.put("a.cfg", line(21));
    let first = repo.oid("HEAD")[..8].to_owned();
    assert!(repo.keysift(["scan", "--history"]).exits(1).out.contains("git commit -a --amend"));
    repo.put("b", "more\n");
    let run = repo.keysift(["scan", "--history"]).exits(1);
    assert!(run.out.contains(&format!("git rebase -i {first}^")) && run.out.contains("not pushed"), "{}", run.out);
    repo.run("push -q origin main");
    let run = repo.keysift(["scan", "--history"]).exits(1);
    assert!(run.out.contains("git filter-repo") && !run.out.contains("git rebase"), "{}", run.out);
}

#[test]
fn a_policy_is_from_a_revision_that_there_is() {
    let repo = Repo::new();
    let run = repo.keysift(["scan", "--policy-from", "no-such-branch"]).exits(2);
    assert!(run.err.contains("no-such-branch"), "{run:?}");
    // A first push comes from nothing.
    repo.keysift(["scan", "--policy-from", &"0".repeat(40)]).exits(0);
    repo.keysift(["scan", "--policy-from", "HEAD"]).exits(0);
}
