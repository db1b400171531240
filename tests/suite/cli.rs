//! The program as a user meets it: modes, exit status, reports.

use std::fs;

use crate::common::{Repo, github_token};

/// A line of a configuration file that holds a secret.
fn line(seed: u64) -> String {
    format!("token = \"{}\"\n", github_token(seed))
}

#[test]
fn a_staged_secret_stops_the_commit_and_a_clean_index_does_not() {
    let repo = Repo::new();
    repo.put("README", "hello\n");
    repo.keysift(["scan", "--staged"]).exits(0);
    repo.stage("app.cfg", line(1));
    let run = repo.keysift(["scan", "--staged", "--format", "json"]).exits(1);
    let report = run.json();
    assert_eq!(report["schema"], "keysift/report/v1");
    assert_eq!(report["findings"][0]["rule"], "github-classic-pat");
    assert_eq!(report["findings"][0]["locations"][0]["start_line"], 1);
    assert_eq!(report["findings"][0]["locations"][0]["start_column"], 10);
    assert!(!run.out.contains(&github_token(1)), "the value is redacted");
}

#[test]
fn history_says_who_brought_a_secret_and_that_it_is_gone() {
    let repo = Repo::new();
    repo.put("README", "hello\n");
    repo.put("app.cfg", line(2));
    repo.put("app.cfg", format!("# moved down\n{}", line(2)));
    repo.put("app.cfg", "clean\n");
    let report = repo.keysift(["scan", "--history", "--format", "json", "--no-cache"]).exits(1).json();
    let locations = report["findings"][0]["locations"].as_array().unwrap().clone();
    assert_eq!(locations.len(), 1, "a version that still has it introduces nothing: {locations:#?}");
    assert_eq!(locations[0]["path"], "app.cfg");
    assert_eq!(locations[0]["in_head"], false);
    assert!(locations[0]["commit"].is_string() && locations[0]["author"].is_string());
    let commits = repo.run("rev-list --count --all").trim().parse::<u64>().unwrap();
    assert_eq!(report["scan"]["covered"]["commits"], commits);
}

#[test]
fn a_range_reports_what_its_commits_introduce() {
    let repo = Repo::new();
    repo.put("old.cfg", line(3));
    repo.put("README", "hello\n");
    repo.put("new.cfg", line(4));
    let report = repo.keysift(["scan", "--history", "HEAD~1..HEAD", "--format", "json"]).exits(1).json();
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    assert_eq!(report["findings"][0]["locations"][0]["path"], "new.cfg");
    repo.keysift(["scan", "--history", "HEAD~2..HEAD~1"]).exits(0);
    repo.keysift(["scan", "--history", "nonsense..HEAD"]).exits(2);
}

#[test]
fn the_report_is_the_same_whatever_the_number_of_threads() {
    let repo = Repo::new();
    for n in 0..40 {
        repo.write(format!("dir{}/file{n}.cfg", n % 7), line(100 + n % 13));
    }
    repo.run("add .");
    repo.run("commit -q -m all");
    for mode in [vec!["scan"], vec!["scan", "--history"]] {
        let run = |jobs: &str| {
            let mut report = repo.keysift(mode.iter().copied().chain(["--format", "json", "-j", jobs])).exits(1).json();
            report["scan"]["seconds"] = 0.into();
            report["scan"]["started"] = "".into();
            report
        };
        assert_eq!(run("1"), run("4"), "{mode:?}");
    }
}

#[test]
fn bad_requests_end_with_status_2_and_say_what_to_do() {
    let repo = Repo::new();
    for args in [
        &["scan", "--no-such-flag"][..],
        &["scan", "missing-path"],
        &["scan", "--format", "yaml"],
        &["scan", "--skip-rule", "github-clasic-pat"],
        &["scan", "--rules", "missing.toml"],
        &["scan", "--allow-gaps", "everything"],
        &["scan", "--staged", "somewhere"],
    ] {
        let run = repo.keysift(args.iter().copied()).exits(2);
        assert!(!run.err.is_empty(), "{args:?}");
    }
    let run = repo.keysift(["scan", "--skip-rule", "github-clasic-pat"]).exits(2);
    assert!(run.err.contains("did you mean `github-classic-pat`"), "{}", run.err);
}

#[test]
fn a_bad_rules_file_is_named_with_line_rule_and_remedy() {
    let repo = Repo::new();
    repo.put("README", "hello\n");
    for (text, wanted) in [
        ("[[rules]]\nid = 'a'\ntoken = 'x{'\n", "bad.toml:1, rule `a`"),
        ("[[rules]]\nid = 'a'\nregx = 'x'\n", "did you mean `regex`"),
        ("[[rules]]\nid = 'a'\ntoken = '[a-z]{32}'\n", "no keyword"),
        ("[[rules]\n", "bad.toml:1"),
        ("", "holds no rules"),
        ("[[rules]]\nid = 'a'\ntoken = 'abcd[0-9]{9}'\nchecksum = 'sha512'\n", "unknown checksum"),
    ] {
        repo.write("bad.toml", text);
        let run = repo.keysift(["scan", "--rules", "bad.toml"]).exits(2);
        assert!(run.err.contains(wanted), "{text}\n{}", run.err);
    }
}

#[test]
fn a_rule_of_ones_own_is_used() {
    let repo = Repo::new();
    repo.put("app.cfg", "id = acme_8402917365\n");
    repo.write("own.toml", "[[rules]]\nid = 'acme'\ntoken = 'acme_[0-9]{10}'\nentropy = 0\n");
    let report =
        repo.keysift(["scan", "--rules", "own.toml", "--only-rule", "acme", "--format", "json"]).exits(1).json();
    assert_eq!(report["findings"][0]["rule"], "acme");
    assert_eq!(report["tool"]["rules"], 1);
}

#[test]
fn inline_comments_set_aside_and_servers_can_refuse_them() {
    let repo = Repo::new();
    repo.put("app.cfg", line(5).replace('\n', " # keysift:allow a test\n"));
    repo.keysift(["scan"]).exits(0);
    repo.keysift(["scan", "--no-inline"]).exits(1);
}

#[test]
fn a_baseline_knows_what_moved_and_not_what_is_new() {
    let repo = Repo::new();
    repo.put("app.cfg", line(6));
    repo.keysift(["baseline", "create"]).exits(0);
    assert!(!fs::read_to_string(repo.path().join(".keysift-baseline")).unwrap().contains(&github_token(6)));
    repo.keysift(["scan"]).exits(0);
    repo.write("app.cfg", format!("# a line above\n\n{}", line(6)));
    repo.keysift(["scan"]).exits(0);
    repo.write("app.cfg", line(7));
    repo.keysift(["scan"]).exits(1);
}

#[test]
fn a_report_that_serves_as_baseline_is_not_written_over() {
    let repo = Repo::new();
    repo.put("a.txt", line(1));
    let report = repo.keysift(["scan", "--format", "json"]).exits(1).out;
    repo.write("report.json", &report);
    repo.keysift(["scan", "--baseline", "report.json", "a.txt"]).exits(0);
    for command in ["update", "prune"] {
        let run = repo.keysift(["baseline", command, "--output", "report.json"]).exits(2);
        assert!(run.err.contains("baseline import"), "{run:?}");
        assert_eq!(std::fs::read_to_string(repo.path().join("report.json")).unwrap(), report);
    }
}

#[test]
fn gaps_can_be_accepted_by_kind() {
    let repo = Repo::new();
    repo.put("README", "hello\n");
    repo.write("big", "x".repeat(2000));
    repo.keysift(["scan", "--max-size", "1000"]).exits(3);
    let report =
        repo.keysift(["scan", "--max-size", "1000", "--allow-gaps", "size", "--format", "json"]).exits(0).json();
    assert_eq!(report["scan"]["state"], "complete");
}

#[test]
fn explain_says_at_which_stage_a_line_was_dropped() {
    let repo = Repo::new();
    let token = github_token(8);
    let wrong = format!("{}{}", &token[..39], if token.ends_with('0') { '1' } else { '0' });
    repo.write("app.cfg", format!("a = {token}\nb = {wrong}\n"));
    assert!(repo.keysift(["explain", "app.cfg:1"]).exits(0).out.contains("found, confidence high"));
    assert!(repo.keysift(["explain", "app.cfg:2"]).exits(0).out.contains("checksum is wrong"));
}
