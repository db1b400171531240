//! What triage sets aside: allowlists, inline comments, the ignore file, the baseline.

use std::{collections::HashMap, sync::Arc};

use bstr::{BStr, BString, ByteSlice};
use jiff::civil::{Date, date};
use keysift::{
    finding::{Commit, Finding, Fingerprint, Location, Place, Position, Secret, SuppressedBy, Suppression},
    rule::{Rule, Ruleset},
    triage::{
        Candidate, IgnoreFile, Options, Reader, Triage, Verdict,
        baseline::{self, Baseline, Coverage, Entry, Hash, Note, Pruned, Resolver, Scope, Spot, Use},
        inline,
    },
};
use proptest::prelude::*;

/// A value that looks random and is the same for the same number.
fn value(seed: u64, len: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let alphabet: Vec<u8> = (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z').collect();
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(alphabet[(state >> 33) as usize % alphabet.len()])
        })
        .collect()
}

fn ruleset(text: &str) -> Ruleset {
    Ruleset::parse(text, "test.toml").expect("rules are valid").ruleset
}

/// Two plain rules, `alpha` and `beta`, and whatever is added to the text.
fn rules(more: &str) -> Ruleset {
    ruleset(&format!(
        "[[rules]]\nid = \"alpha\"\ntoken = 'alpha_[a-z0-9]{{20}}'\n\n[[rules]]\nid = \"beta\"\ntoken = 'beta_[a-z0-9]{{20}}'\n\n{more}"
    ))
}

fn rule(ruleset: &Ruleset, id: &str) -> Arc<Rule> {
    ruleset.rules.iter().find(|r| r.id == id).expect("the rule is there").clone()
}

fn triage(ruleset: &Ruleset, options: Options) -> Triage {
    Triage::new(ruleset, options).expect("triage can be made")
}

struct Case<'a> {
    rule: &'a Rule,
    secret: &'a str,
    line: &'a str,
    above: &'a str,
    path: &'a str,
    commit: Option<&'a str>,
}

fn judge(triage: &Triage, case: &Case<'_>) -> Verdict {
    triage.judge(&Candidate {
        rule: case.rule,
        secret: case.secret.as_bytes(),
        matched: case.secret.as_bytes(),
        lines: case.line.as_bytes(),
        above: case.above.as_bytes(),
        path: case.path.into(),
        commit: case.commit,
    })
}

fn location(path: &str, line: u32) -> Location {
    Location {
        path: path.into(),
        place: Place::Content,
        start: Position { line, column: 1 },
        end: Position { line, column: 10 },
        commit: None,
        blob: None,
        in_head: None,
        pushed: None,
        unreachable: false,
        line_hash: None,
    }
}

fn finding(rule: &Arc<Rule>, secret: &str, locations: Vec<Location>) -> Finding {
    let secret = Secret::new(secret.as_bytes());
    Finding {
        rule: rule.clone(),
        confidence: rule.confidence,
        severity: rule.severity,
        fingerprint: Fingerprint::of(&rule.id, &secret),
        secret,
        entropy: 4.0,
        notes: Vec::new(),
        partners: Vec::new(),
        locations,
        suppression: None,
    }
}

fn at(paths: &[&str]) -> Vec<Location> {
    paths.iter().enumerate().map(|(n, path)| location(path, n as u32 + 1)).collect()
}

fn historic(path: &str, id: &str, in_head: bool) -> Location {
    let commit = Commit { id: id.to_owned(), author: "A".into(), email: "a@example.org".into(), date: String::new() };
    Location { commit: Some(commit), in_head: Some(in_head), ..location(path, 1) }
}

// --- allowlists ---

#[test]
fn a_rule_holds_at_its_paths_only() {
    let set = rules("[[rules]]\nid = \"scoped\"\ntoken = 'scoped_[a-z0-9]{20}'\npath = '(^|/)conf/'\n");
    let (scoped, triage) = (rule(&set, "scoped"), triage(&set, Options::default()));
    let secret = value(1, 20);
    let case = |path| Case { rule: &scoped, secret: &secret, line: &secret, above: "", path, commit: None };
    assert_eq!(judge(&triage, &case("a/conf/x.yml")), Verdict::Keep);
    assert!(matches!(judge(&triage, &case("a/other/x.yml")), Verdict::Drop(_)));
}

#[test]
fn or_wants_one_and_wants_all() {
    let secret = value(2, 20);
    for (condition, path, word, allowed) in [
        ("OR", "test/x", "nothing", true),
        ("OR", "src/x", "SAMPLE", true),
        ("OR", "src/x", "nothing", false),
        ("AND", "test/x", "sample", true),
        ("AND", "test/x", "nothing", false),
        ("AND", "src/x", "sample", false),
    ] {
        let set = rules(&format!(
            "[[allowlists]]\ndescription = \"why\"\ncondition = \"{condition}\"\npaths = ['^test/']\nstopwords = [\"sample\"]\n"
        ));
        let (alpha, triage) = (rule(&set, "alpha"), triage(&set, Options::default()));
        let secret = format!("{secret}{word}");
        let case = Case { rule: &alpha, secret: &secret, line: &secret, above: "", path, commit: None };
        let want = Suppression { by: SuppressedBy::Allowlist, reason: Some("why".to_owned()) };
        let want = if allowed { Verdict::Suppress(want) } else { Verdict::Keep };
        assert_eq!(judge(&triage, &case), want, "{condition} {path} {word}");
        // Only a list for which the path is enough spares the reading.
        assert_eq!(triage.skips(BStr::new("test/x")), condition == "OR");
    }
}

#[test]
fn expressions_look_at_their_target() {
    let secret = value(3, 20);
    let line = format!("set_{secret} # fine");
    for (target, pattern, allowed) in [
        ("secret", "fine", false),
        ("line", "fine", true),
        ("match", "fine", false),
        ("secret", &secret[..8], true),
        ("match", &secret[..8], true),
    ] {
        let set = rules(&format!("[[allowlists]]\nregexTarget = \"{target}\"\nregexes = ['{pattern}']\n"));
        let (alpha, triage) = (rule(&set, "alpha"), triage(&set, Options::default()));
        let case = Case { rule: &alpha, secret: &secret, line: &line, above: "", path: "x", commit: None };
        assert_eq!(judge(&triage, &case) != Verdict::Keep, allowed, "{target} {pattern}");
    }
}

#[test]
fn lists_hold_for_the_rules_they_name_and_the_commits_they_know() {
    let id = "0123456789abcdef0123456789abcdef01234567";
    let set = rules(&format!("[[allowlists]]\ntargetRules = [\"beta\"]\ncommits = [\"{id}\"]\n"));
    let (alpha, beta) = (rule(&set, "alpha"), rule(&set, "beta"));
    let triage = triage(&set, Options::default());
    let secret = value(4, 20);
    let case =
        |rule, commit| judge(&triage, &Case { rule, secret: &secret, line: &secret, above: "", path: "x", commit });
    assert_ne!(case(&beta, Some(id)), Verdict::Keep);
    assert_eq!(case(&alpha, Some(id)), Verdict::Keep);
    assert_eq!(case(&beta, None), Verdict::Keep);
    assert_eq!(case(&beta, Some("0123456789abcdef0123456789abcdef01234568")), Verdict::Keep);
}

#[test]
fn an_empty_list_allows_nothing() {
    for condition in ["AND", "OR"] {
        let set = rules(&format!("[[allowlists]]\ndescription = \"later\"\ncondition = \"{condition}\"\n"));
        let (alpha, triage) = (rule(&set, "alpha"), triage(&set, Options::default()));
        let secret = value(5, 20);
        let case = Case { rule: &alpha, secret: &secret, line: &secret, above: "", path: "x", commit: None };
        assert_eq!(judge(&triage, &case), Verdict::Keep);
    }
}

// --- inline ---

fn marker(line: &str, above: &str) -> Option<Option<String>> {
    let secret = value(6, 24);
    let line = line.replace("$", &secret);
    inline::find("alpha", secret.as_bytes(), line.as_bytes(), above.as_bytes()).map(|m| m.reason)
}

#[test]
fn markers_of_all_peers_count() {
    for text in [
        "keysift:allow",
        "gitleaks:allow",
        "betterleaks:allow",
        "trufflehog:ignore",
        "kingfisher:ignore",
        "pragma: allowlist secret",
        "pragma: whitelist secret",
        "ggignore",
        "Pragma: Allowlist Secret",
        "GGIGNORE",
    ] {
        assert_eq!(marker(&format!("key = \"$\" # {text}"), ""), Some(None), "{text}");
        assert_eq!(marker("key = \"$\"", &format!("# {text}")), None, "{text} is of its own line only");
    }
    for text in ["keysift:allow-next-line", "pragma: allowlist nextline secret"] {
        assert_eq!(marker("key = \"$\"", &format!("# {text}\r")), Some(None), "{text}");
        assert_eq!(marker(&format!("key = \"$\" # {text}"), ""), None, "{text} is of the next line only");
    }
}

#[test]
fn a_marker_may_name_rules_and_a_reason() {
    assert_eq!(marker("k = $ # keysift:allow[alpha] a test account", ""), Some(Some("a test account".into())));
    assert_eq!(marker("k = $ # keysift:allow[beta, Alpha]: both", ""), Some(Some("both".into())));
    assert_eq!(marker("k = $ # keysift:allow[beta] other", ""), None);
    assert_eq!(marker("k = $ # keysift:allow[] none", ""), None);
    assert_eq!(marker("k = $ # keysift:allow[alpha", ""), None, "an unclosed list names no rule");
    assert_eq!(marker("k = $ # keysift:allow[beta] keysift:allow[alpha] yes", ""), Some(Some("yes".into())));
    assert_eq!(marker("k = $ /* keysift:allow - sample */ int x;", ""), Some(Some("sample".into())));
    assert_eq!(marker("<k>$</k> <!-- gitleaks:allow doc -->", ""), Some(Some("doc".into())));
    assert_eq!(
        marker("k = $", "// keysift:allow-next-line[alpha] (from the docs)"),
        Some(Some("from the docs)".into()))
    );
}

#[test]
fn what_only_looks_like_a_marker_is_none() {
    assert_eq!(marker("k = $ # keysift:allowed", ""), None);
    assert_eq!(marker("k = $ # xkeysift:allow", ""), None);
    assert_eq!(marker("k = $ # keysift:allow-something", ""), None);
    assert_eq!(marker("k = $ loggignored", ""), None);
    let secret = format!("gitleaks:allow{}", value(7, 8));
    assert!(inline::find("alpha", secret.as_bytes(), format!("k = '{secret}'").as_bytes(), b"").is_none());
}

#[test]
fn a_reason_never_shows_a_secret() {
    assert_eq!(marker("# keysift:allow k = $", ""), Some(None));
    let other = value(8, 30);
    let reason = marker(&format!("k = $ # keysift:allow like {other} here"), "").flatten().unwrap();
    assert!(!reason.contains(&other), "{reason}");
    let long = marker(&format!("k = $ # keysift:allow {}", "word ".repeat(500)), "").flatten().unwrap();
    assert!(long.chars().count() <= 201);
    assert_eq!(marker("k = $ # keysift:allow a\u{1b}[31mb", ""), Some(Some("a[31mb".into())));
}

#[test]
fn every_line_of_a_match_may_carry_the_marker() {
    let lines = "first\nsecond # gitleaks:allow\nthird";
    assert!(inline::find("alpha", b"first\nsecond", lines.as_bytes(), b"").is_some());
}

#[test]
fn inline_markers_can_be_switched_off() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let triage = triage(&set, Options { inline: false, ..Options::default() });
    let secret = value(9, 20);
    let line = format!("{secret} # keysift:allow");
    let case = Case { rule: &alpha, secret: &secret, line: &line, above: "", path: "x", commit: None };
    assert_eq!(judge(&triage, &case), Verdict::Keep);
}

// --- the ignore file ---

fn ignore(text: &str) -> IgnoreFile {
    IgnoreFile::parse([(".keysiftignore", text)]).expect("patterns are valid")
}

#[test]
fn ignore_patterns_are_those_of_git() {
    let file = ignore("# comment\nvendor/\n*.lock\n!Cargo.lock\n/only-root.txt\n");
    for (path, covered) in [
        ("vendor/a/b.c", true),
        ("src/vendor/x", true),
        ("src/vendor.c", false),
        ("yarn.lock", true),
        ("Cargo.lock", false),
        ("only-root.txt", true),
        ("a/only-root.txt", false),
        ("./yarn.lock", true),
        ("/yarn.lock", true),
        ("", false),
        ("/", false),
    ] {
        assert_eq!(file.covers(path.into()), covered, "{path}");
    }
    assert!(!file.covers(b"\xff/x".as_bstr()) && file.covers(b"vendor/\xff".as_bstr()));
    assert!(file.remarks().is_empty());
}

#[test]
fn a_pattern_that_hides_everything_is_said() {
    for text in ["*", "**", "/**", "src\n*\n", "**/*"] {
        assert_eq!(ignore(text).remarks().len(), 1, "{text}");
    }
    for text in ["", "*.rs", "src/", "*\n!*.rs\n!*/\n"] {
        assert!(ignore(text).remarks().is_empty(), "{text}");
    }
    let set = rules("");
    let triage = triage(&set, Options { ignore: Some(ignore("*")), ..Options::default() });
    assert!(triage.skips("a/b".into()));
    assert!(triage.settle(Vec::new()).remarks.iter().any(|r| r.contains("hides every file")));
}

#[test]
fn an_unresolved_conflict_in_the_ignore_file_is_an_error() {
    let error = IgnoreFile::parse([("f", "a\n<<<<<<< HEAD\nb\n")]).unwrap_err().to_string();
    assert!(error.contains("f:2") && error.contains("conflict"), "{error}");
}

// --- the baseline ---

const TODAY: Date = date(2026, 11, 23);

fn usage(set: &Ruleset) -> Use {
    Use { coverage: Coverage::Tree { below: Vec::new() }, today: TODAY, ..Use::default() }.with_rules(set)
}

/// The paths of new findings and of known ones.
fn settle(
    set: &Ruleset,
    baseline: &Baseline,
    usage: Use,
    findings: Vec<Finding>,
) -> (Vec<String>, Vec<String>, Vec<String>) {
    let options = Options { baseline: Some(baseline.clone()), usage, ..Options::default() };
    let settled = triage(set, options).settle(findings);
    let paths = |all: &[Finding]| all.iter().flat_map(|f| &f.locations).map(|l| l.path.to_string()).collect();
    (paths(&settled.findings), paths(&settled.suppressed), settled.remarks)
}

fn created(findings: &[Finding]) -> Baseline {
    let baseline = Baseline::create(".keysift-baseline", findings, &Note::default()).unwrap();
    // What stands in the file is all there is.
    let again = Baseline::parse(baseline.print().as_bytes(), ".keysift-baseline").unwrap();
    assert_eq!(again, baseline);
    again
}

#[test]
fn known_is_what_moves_within_its_file_and_new_what_is_another_secret() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let (old, new) = (value(10, 30), value(11, 30));
    let baseline = created(&[finding(&alpha, &old, vec![location("a.txt", 3)])]);
    let scan =
        vec![finding(&alpha, &old, vec![location("a.txt", 900)]), finding(&alpha, &new, vec![location("a.txt", 3)])];
    let (fresh, known, remarks) = settle(&set, &baseline, usage(&set), scan);
    assert_eq!((fresh, known), (vec!["a.txt".to_owned()], vec!["a.txt".to_owned()]));
    assert!(remarks.is_empty(), "{remarks:?}");
}

#[test]
fn a_baseline_never_holds_the_value_nor_a_line_number_nor_a_date() {
    let set = rules("");
    let secret = value(12, 30);
    let note = Note { reason: Some("test account".into()), by: Some("ada".into()), until: Some(date(2027, 1, 1)) };
    let findings = [finding(&rule(&set, "alpha"), &secret, vec![location("a b/ü.txt", 4711)])];
    let text = Baseline::create("b", &findings, &note).unwrap().print();
    assert!(!text.contains(&secret) && !text.contains(&secret[..5]) && !text.contains("4711"), "{text}");
    assert!(text.contains(r#""a b/ü.txt" reason="test account" by=ada until=2027-01-01"#), "{text}");
    // The salt makes two files of the same findings differ.
    assert_ne!(text, Baseline::create("b", &findings, &note).unwrap().print());
}

#[test]
fn line_ends_and_indentation_do_not_matter() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let (one, two) = (value(13, 40), value(14, 40));
    let baseline = created(&[finding(&alpha, &format!("{one}\n{two}\n"), at(&["key.pem"]))]);
    for text in [format!("{one}\r\n{two}\r\n"), format!("    {one}\n\t{two}"), format!("{one}\n\n{two}")] {
        let (fresh, ..) = settle(&set, &baseline, usage(&set), vec![finding(&alpha, &text, at(&["key.pem"]))]);
        assert!(fresh.is_empty(), "{text:?}");
    }
    let (fresh, ..) =
        settle(&set, &baseline, usage(&set), vec![finding(&alpha, &format!("{one}{two}"), at(&["key.pem"]))]);
    assert_eq!(fresh.len(), 1);
}

#[test]
fn a_copy_is_new_and_a_move_is_not() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let secret = value(15, 30);
    let baseline = created(&[finding(&alpha, &secret, at(&["old/a.txt"]))]);
    let scan = |paths: &[&str]| settle(&set, &baseline, usage(&set), vec![finding(&alpha, &secret, at(paths))]);
    assert_eq!(scan(&["old/a.txt", "b.txt"]).0, ["b.txt"], "a copy");
    let (fresh, known, remarks) = scan(&["new/a.txt"]);
    assert_eq!((fresh.len(), known), (0, vec!["new/a.txt".to_owned()]), "a move");
    assert!(remarks[0].contains("update"), "{remarks:?}");
    // One entry covers one place; the one of the same name is meant.
    assert_eq!(scan(&["b.txt", "new/a.txt"]).0, ["b.txt"]);
    // Where the whole repository is the scope, a copy is known.
    let wide = Use { scope: Scope::Repository, ..usage(&set) };
    let findings = vec![finding(&alpha, &secret, at(&["old/a.txt", "b.txt"]))];
    assert!(settle(&set, &baseline, wide, findings).0.is_empty());
}

#[test]
fn what_a_partial_scan_did_not_look_at_is_not_gone() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let secret = value(16, 30);
    let baseline = created(&[finding(&alpha, &secret, at(&["a.txt"]))]);
    let scan = || vec![finding(&alpha, &secret, at(&["b.txt"]))];
    let part = |now| Use { coverage: Coverage::Part, now, ..usage(&set) };
    assert_eq!(settle(&set, &baseline, part(None), scan()).0, ["b.txt"]);
    let tree = |files: &[(&str, String)]| {
        let files: HashMap<BString, Vec<u8>> =
            files.iter().map(|(p, t)| ((*p).into(), t.clone().into_bytes())).collect();
        Some(Reader::new(move |path: &BStr| files.get(path).cloned()))
    };
    let here = format!("x = {secret}\n");
    // Still there: a copy.
    let now = tree(&[("a.txt", here.clone()), ("b.txt", here.clone())]);
    assert_eq!(settle(&set, &baseline, part(now), scan()).0, ["b.txt"]);
    // The line, or the file, is gone: a move.
    let now = tree(&[("a.txt", "nothing\n".into()), ("b.txt", here.clone())]);
    assert!(settle(&set, &baseline, part(now), scan()).0.is_empty());
    let now = tree(&[("b.txt", here)]);
    assert!(settle(&set, &baseline, part(now), scan()).0.is_empty());
    // A value that cannot be looked for, for it had to be decoded: no proof that it is gone.
    let now = tree(&[("a.txt", "encoded".into()), ("b.txt", "encoded".into())]);
    assert_eq!(settle(&set, &baseline, part(now), scan()).0, ["b.txt"]);
}

#[test]
fn entries_expire() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let findings = [finding(&alpha, &value(17, 30), at(&["a.txt"]))];
    for (until, is_known) in [(date(2026, 11, 22), false), (date(2026, 11, 23), true)] {
        let note = Note { until: Some(until), ..Note::default() };
        let mut baseline = Baseline::create("b", &findings, &note).unwrap();
        let options = Options { baseline: Some(baseline.clone()), usage: usage(&set), ..Options::default() };
        let settled = triage(&set, options).settle(findings.to_vec());
        assert_eq!(settled.findings.is_empty(), is_known);
        assert_eq!(settled.remarks.iter().any(|r| r.contains("expired") && r.contains("a.txt")), !is_known);
        if !is_known {
            assert!(settled.findings[0].notes.iter().any(|n| n.contains("2026-11-22")));
            // An update does not renew it unless asked to.
            let changes = baseline.update(&findings, &usage(&set), &Note::default()).unwrap();
            assert_eq!((changes.expired.len(), changes.added.len(), baseline.len()), (1, 0, 1));
            let renew = Note { until: Some(date(2027, 1, 1)), ..Note::default() };
            baseline.update(&findings, &usage(&set), &renew).unwrap();
            assert_eq!(baseline.entries().next().unwrap().until, Some(date(2027, 1, 1)));
        }
    }
}

#[test]
fn unused_entries_are_said_only_of_what_was_covered() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let (one, two) = (value(18, 30), value(19, 30));
    let baseline = created(&[finding(&alpha, &one, at(&["src/a.txt"])), finding(&alpha, &two, at(&["docs/b.txt"]))]);
    let scan = || vec![finding(&alpha, &one, at(&["src/a.txt"]))];
    let remarks = |coverage, set: &Ruleset| settle(set, &baseline, Use { coverage, ..usage(set) }, scan()).2;
    let all = remarks(Coverage::Tree { below: Vec::new() }, &set);
    assert!(all.len() == 1 && all[0].contains("docs/b.txt") && all[0].contains("prune"), "{all:?}");
    assert!(remarks(Coverage::Part, &set).is_empty());
    assert!(remarks(Coverage::Tree { below: vec!["src".into()] }, &set).is_empty());
    assert_eq!(remarks(Coverage::Tree { below: vec!["docs/".into()] }, &set).len(), 1);
    // Nothing follows from a scan without the rule.
    let others = ruleset("[[rules]]\nid = \"beta\"\ntoken = 'beta_[a-z0-9]{20}'\n");
    assert!(remarks(Coverage::Tree { below: Vec::new() }, &others).is_empty());
    let mut pruned = baseline.clone();
    let dropped = pruned.prune(&scan(), &usage(&set));
    assert!(matches!(&dropped[..], [(e, Pruned::Unused)] if e.spot == Spot::Path("docs/b.txt".into())), "{dropped:?}");
    assert_eq!(pruned.len(), 1);
}

#[test]
fn a_baseline_that_matches_nothing_is_said() {
    let set = rules("");
    let baseline = created(&[finding(&rule(&set, "alpha"), &value(20, 30), at(&["a.txt"]))]);
    let (_, _, remarks) = settle(&set, &baseline, usage(&set), Vec::new());
    assert!(remarks.len() == 1 && remarks[0].contains("another repository"), "{remarks:?}");
}

#[test]
fn what_only_the_past_has_covers_no_new_place() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let secret = value(21, 30);
    let baseline = created(&[finding(&alpha, &secret, vec![historic("gone.txt", "1", false)])]);
    assert!(baseline.is_of_history() && baseline.entries().all(|e| e.past));
    // The tree says nothing about the past.
    let (fresh, _, remarks) = settle(&set, &baseline, usage(&set), vec![finding(&alpha, &secret, at(&["back.txt"]))]);
    assert_eq!((fresh, remarks.len()), (vec!["back.txt".to_owned()], 0));
    // In the history the same secret is known in its old place, whatever the commit is called after a rebase.
    let history = || Use { coverage: Coverage::History, ..usage(&set) };
    let scan = vec![finding(&alpha, &secret, vec![historic("gone.txt", "2", false)])];
    assert!(settle(&set, &baseline, history(), scan).0.is_empty());
}

#[test]
fn a_move_in_history_keeps_both_places_known() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let secret = value(22, 30);
    let history = || Use { coverage: Coverage::History, ..usage(&set) };
    let mut baseline = created(&[finding(&alpha, &secret, vec![historic("a.txt", "1", true)])]);
    let after = || vec![finding(&alpha, &secret, vec![historic("a.txt", "1", false), historic("b.txt", "2", true)])];
    assert!(settle(&set, &baseline, history(), after()).0.is_empty());
    // Written down from a scan of the tree, which sees the new place only.
    let tree = [finding(&alpha, &secret, at(&["b.txt"]))];
    let changes = baseline.update(&tree, &usage(&set), &Note::default()).unwrap();
    assert_eq!((changes.moved.len(), changes.added.len()), (1, 0));
    assert!(settle(&set, &baseline, history(), after()).0.is_empty());
    // And it is only a move once.
    let copy = vec![finding(&alpha, &secret, at(&["b.txt", "c.txt"]))];
    assert_eq!(settle(&set, &baseline, usage(&set), copy).0, ["c.txt"]);
}

#[test]
fn messages_are_known_whatever_their_commit() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let secret = value(23, 30);
    let message = |id: &str| Location { place: Place::Commit, ..historic(&format!("commit {id} message"), id, false) };
    let baseline = created(&[finding(&alpha, &secret, vec![message("aaaa")])]);
    let history = || Use { coverage: Coverage::History, ..usage(&set) };
    let rebased = vec![finding(&alpha, &secret, vec![message("bbbb")])];
    assert!(settle(&set, &baseline, history(), rebased).0.is_empty());
    let in_file = vec![finding(&alpha, &secret, at(&["a.txt"]))];
    assert_eq!(settle(&set, &baseline, history(), in_file).0, ["a.txt"]);
}

#[test]
fn a_rule_that_is_renamed_does_not_make_its_findings_new() {
    let old = rules("[[rules]]\nid = \"gamma\"\ntoken = 'gamma_[a-z0-9]{20}'\n");
    let secret = value(24, 30);
    let baseline = created(&[finding(&rule(&old, "gamma"), &secret, at(&["a.txt"]))]);
    let new = rules("");
    assert!(
        settle(&new, &baseline, usage(&new), vec![finding(&rule(&new, "alpha"), &secret, at(&["a.txt"]))]).0.is_empty()
    );
    // While the rule is there, another rule's finding is new.
    let scan = vec![finding(&rule(&old, "alpha"), &secret, at(&["a.txt"]))];
    assert_eq!(settle(&old, &baseline, usage(&old), scan).0, ["a.txt"]);
}

#[test]
fn reasons_reach_the_report() {
    let set = rules("");
    let findings = [finding(&rule(&set, "alpha"), &value(25, 30), at(&["a.txt"]))];
    let note = Note { reason: Some("revoked \"long\" ago".into()), ..Note::default() };
    let baseline = Baseline::parse(Baseline::create("b", &findings, &note).unwrap().print().as_bytes(), "b").unwrap();
    let options = Options { baseline: Some(baseline), usage: usage(&set), ..Options::default() };
    let settled = triage(&set, options).settle(findings.to_vec());
    let want = Suppression { by: SuppressedBy::Baseline, reason: note.reason };
    assert_eq!(settled.suppressed[0].suppression, Some(want));
}

#[test]
fn a_union_merge_of_two_branches_is_both() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let make = |seed| finding(&alpha, &value(seed, 30), at(&[&format!("{seed}.txt")]));
    let base = created(&[make(30)]);
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    ours.update(&[make(30), make(31)], &usage(&set), &Note::default()).unwrap();
    theirs.update(&[make(30), make(32)], &usage(&set), &Note::default()).unwrap();
    let foreign = created(&[make(33)]);
    for order in [[&ours, &theirs, &foreign], [&foreign, &theirs, &ours]] {
        let text: String = order.iter().map(|b| b.print()).collect();
        let merged = Baseline::parse(text.replace('\n', "\r\n").as_bytes(), "m").unwrap();
        assert_eq!(merged.len(), 4, "{text}");
        let scan = (30..34).map(make).collect();
        assert!(settle(&set, &merged, usage(&set), scan).0.is_empty());
        assert_eq!(Baseline::parse(merged.print().as_bytes(), "m").unwrap(), merged);
    }
}

#[test]
fn git_merges_two_edited_baselines() {
    let folder = tempfile::tempdir().unwrap();
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let make = |seed| finding(&alpha, &value(seed, 30), at(&[&format!("{seed}.txt")]));
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(args)
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let path = folder.path().join(baseline::NAME);
    git(&["init", "-q", "-b", "main"]);
    std::fs::write(folder.path().join(".gitattributes"), ".keysift-baseline merge=union\n").unwrap();
    let base = created(&[make(40), make(41)]);
    base.write(&path).unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "base"]);
    for (branch, seeds) in [("one", [42, 43]), ("two", [44, 45])] {
        git(&["checkout", "-qb", branch, "main"]);
        let mut own = Baseline::read(&path).unwrap();
        let mut all = vec![make(40), make(41)];
        all.extend(seeds.map(make));
        own.update(&all, &usage(&set), &Note::default()).unwrap();
        own.write(&path).unwrap();
        git(&["commit", "-qam", branch]);
    }
    git(&["merge", "-q", "-m", "merge", "one"]);
    let merged = Baseline::read(&path).unwrap();
    assert_eq!(merged.len(), 6);
    let (fresh, known, remarks) = settle(&set, &merged, usage(&set), (40..46).map(make).collect());
    assert_eq!((fresh.len(), known.len(), remarks.len()), (0, 6, 0), "{remarks:?}");
}

#[test]
fn what_is_wrong_with_a_baseline_is_said_with_its_line() {
    let salt = format!("salt {} 10\n", "ab".repeat(16));
    let digest = format!("abababab:{}", "cd".repeat(16));
    for (text, want) in [
        (format!("{salt}rule\n"), "b:2: the hash is missing"),
        (format!("{salt}rule nonsense a.txt\n"), "no hash"),
        (format!("{salt}rule {digest}\n"), "b:2: the path is missing"),
        (format!("{salt}rule {digest} a.txt until=tomorrow\n"), "no date"),
        (format!("{salt}rule {digest} a.txt raeson=x\n"), "did you mean `reason`?"),
        (format!("{salt}rule {digest} \"a.txt\n"), "quote is not closed"),
        (format!("{salt}rule {digest} \"a\\q\"\n"), "escape"),
        (format!("rule {digest} a.txt\n"), "no salt that starts with abababab"),
        (format!("salt {} 1\n", "00".repeat(16)), "not random"),
        ("salt abc 10\n".to_owned(), "32 hex digits"),
        (format!("salt {} 999999999\n", "ab".repeat(16)), "rounds"),
        (format!("{salt}<<<<<<< HEAD\n"), "merge=union"),
        ("# keysift-baseline 2\n".to_owned(), "version 2"),
        ("{\"schema\": \"other\", \"findings\": []}".to_owned(), "schema is `other`"),
        ("[1]".to_owned(), "as a baseline"),
    ] {
        let error = Baseline::parse(text.as_bytes(), "b").unwrap_err().to_string();
        assert!(error.contains(want), "{text:?}: {error}");
    }
}

#[test]
fn a_report_of_keysift_serves_as_baseline() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let known = finding(&alpha, &value(50, 30), at(&["a.txt"]));
    let json = format!(
        r#"{{"schema":"keysift/report/v1","tool":{{}},"findings":[{{"rule":"alpha","fingerprint":"{}","locations":[{{"path":"a.txt","place":"content","start_line":1}}]}}]}}"#,
        known.fingerprint.as_str()
    );
    let baseline = Baseline::parse(json.as_bytes(), "report.json").unwrap();
    let other = finding(&alpha, &value(51, 30), at(&["a.txt"]));
    let (fresh, known, _) = settle(&set, &baseline, usage(&set), vec![known, other]);
    assert_eq!((fresh.len(), known.len()), (1, 1));
}

fn gitleaks_report(secret: &str, file: &str) -> String {
    format!(
        r#"[{{"RuleID":"generic-api-key","StartLine":1,"EndLine":1,"StartColumn":2,"Match":"x","Secret":"{secret}","File":"{file}","Commit":"","Entropy":4.1,"Author":"","Date":"","Message":"","Tags":[],"Fingerprint":"{file}:generic-api-key:1"}}]"#
    )
}

#[test]
fn a_report_of_gitleaks_serves_as_baseline_and_can_be_imported() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let secret = value(52, 30);
    let known = || vec![finding(&alpha, &secret, at(&["dir/a.txt"]))];
    let report = gitleaks_report(&secret, "dir\\\\a.txt");
    let direct = Baseline::parse(report.as_bytes(), "r.json").unwrap();
    assert!(settle(&set, &direct, usage(&set), known()).0.is_empty());
    let mut imported = Baseline::empty("b").unwrap();
    let resolver = Resolver { findings: &known(), read: None };
    let done = imported.import(report.as_bytes(), "r.json", resolver, &Note::default()).unwrap();
    assert_eq!((done.added.len(), &*done.added[0].rule, done.left.len()), (1, "alpha", 0));
    assert!(!imported.print().contains(&secret));
    assert!(settle(&set, &imported, usage(&set), known()).0.is_empty());
    // Redacted: found again by its line on import, and said when used as it is.
    let redacted = gitleaks_report("REDACTED", "dir/a.txt");
    let (fresh, _, remarks) = settle(&set, &Baseline::parse(redacted.as_bytes(), "r").unwrap(), usage(&set), known());
    assert!(fresh.len() == 1 && remarks[0].contains("redacted"), "{remarks:?}");
    let mut imported = Baseline::empty("b").unwrap();
    assert_eq!(imported.import(redacted.as_bytes(), "r", resolver, &Note::default()).unwrap().added.len(), 1);
}

#[test]
fn lines_of_gitleaksignore_are_resolved() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let (here, past) = (value(53, 30), value(54, 30));
    let id = "0123456789abcdef0123456789abcdef01234567";
    let findings = [
        finding(&alpha, &here, vec![location("a.txt", 7)]),
        finding(&alpha, &past, vec![historic("b.txt", "other", true)]),
    ];
    let old = format!("first\nx = {past}\n");
    let read =
        |commit: Option<&str>, path: &BStr| (commit == Some(id) && path == "b.txt").then(|| old.clone().into_bytes());
    let text = format!(
        "# comment\n\na.txt:some-rule:7\n{id}:b.txt:some-rule:2\n{id}:b.txt:some-rule:1\nmissing.txt:r:1\nnonsense\n"
    );
    let mut baseline = Baseline::empty("b").unwrap();
    let resolver = Resolver { findings: &findings, read: Some(&read) };
    let done = baseline.import(text.as_bytes(), ".gitleaksignore", resolver, &Note::default()).unwrap();
    assert_eq!(done.added.len(), 2, "{done:?}");
    assert_eq!(done.left.len(), 3, "{done:?}");
    assert!(settle(&set, &baseline, usage(&set), findings.to_vec()).0.is_empty());
}

#[test]
fn hashes_of_peers_match_our_secrets() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let secret = "correct horse battery staple";
    let sha1 = "abf7aad6438836dbe526aa231abde2d0eef74d42";
    let sha256 = "c4bbcb1fbec99d65bf59d85c8cb62ee2db963f0fe106f483d9afa73bd4e39a8a";
    let detect_secrets = format!(
        r#"{{"version":"1.5.0","plugins_used":[],"results":{{"a.txt":[{{"type":"Secret Keyword","filename":"a.txt","hashed_secret":"{sha1}","is_verified":false,"is_secret":false,"line_number":3}}]}},"generated_at":"2024-01-01T00:00:00Z"}}"#
    );
    let known = || vec![finding(&alpha, secret, at(&["a.txt"]))];
    let copy = || vec![finding(&alpha, secret, at(&["a.txt", "z.txt"]))];
    for (text, everywhere) in [(detect_secrets.as_str(), false), (sha256, true)] {
        // Without findings the foreign hash is kept, with them ours takes its place.
        for findings in [Vec::new(), known()] {
            let mut baseline = Baseline::empty("b").unwrap();
            let resolver = Resolver { findings: &findings, read: None };
            let done = baseline.import(text.as_bytes(), "f", resolver, &Note::default()).unwrap();
            assert!(done.left.is_empty() && !done.added.is_empty(), "{done:?}");
            let baseline = Baseline::parse(baseline.print().as_bytes(), "b").unwrap();
            assert!(settle(&set, &baseline, usage(&set), known()).0.is_empty(), "{text}");
            assert_eq!(settle(&set, &baseline, usage(&set), copy()).0.is_empty(), everywhere, "{text}");
            if !findings.is_empty() && !everywhere {
                assert!(baseline.entries().all(|e| matches!(e.hash, Hash::Keyed { .. })));
                assert!(
                    baseline.entries().all(|e| e.reason.as_deref() == Some("audited in detect-secrets: no secret"))
                );
            }
        }
    }
    // An update puts our own entry in the place of a foreign one.
    let mut baseline = Baseline::empty("b").unwrap();
    let resolver = Resolver { findings: &[], read: None };
    baseline.import(detect_secrets.as_bytes(), "f", resolver, &Note::default()).unwrap();
    let changes = baseline.update(&known(), &usage(&set), &Note::default()).unwrap();
    assert_eq!((changes.resolved.len(), changes.added.len(), baseline.len()), (1, 0, 1));
}

#[test]
fn ten_thousand_findings_are_settled_in_seconds() {
    let set = rules("");
    let alpha = rule(&set, "alpha");
    let one: Vec<Finding> = (0..200).map(|n| finding(&alpha, &value(1000 + n, 30), at(&["a.txt"]))).collect();
    let baseline = created(&one);
    let begun = std::time::Instant::now();
    assert!(settle(&set, &baseline, usage(&set), one).0.is_empty());
    // Fifty times this is ten thousand; with debug code on a busy machine. The point is the order of magnitude.
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}

// --- properties of the baseline's text ---

fn any_hash() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..4u8, any::<[u8; 16]>()).prop_map(|(salt, d)| format!("{}:{}", hex(&[salt; 4]), hex(&d))),
        any::<[u8; 20]>().prop_map(|d| format!("sha1:{}", hex(&d))),
        any::<[u8; 32]>().prop_map(|d| format!("sha256:{}", hex(&d))),
        any::<[u8; 8]>().prop_map(|d| format!("fingerprint:{}", hex(&d))),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn any_spot() -> impl Strategy<Value = Spot> {
    prop_oneof![
        Just(Spot::Anywhere),
        Just(Spot::Commit),
        Just(Spot::Tag),
        Just(Spot::Ref),
        Just(Spot::FileName),
        "[a-z./ =#*<>\"\\\\\t]{1,12}".prop_map(|s| Spot::Path(s.into())),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|b| Spot::Path(b.into())),
        any::<String>().prop_map(|s| Spot::Path(s.into())),
    ]
}

prop_compose! {
    fn any_entry()(
        rule in prop_oneof![Just("*".to_owned()), Just("salt".to_owned()), Just("history".to_owned()), "[a-z-]{1,9}", any::<String>()],
        hash in any_hash(),
        spot in any_spot(),
        past in any::<bool>(),
        low in any::<bool>(),
        reason in proptest::option::of(any::<String>()),
        by in proptest::option::of("[a-z =\"\\\\]{0,9}"),
        until in proptest::option::of((2020i16..2100, 1i8..13, 1i8..29)),
    ) -> Entry {
        let hash = Hash::parse(&hash).unwrap();
        Entry { rule, hash, spot, past, low, reason, by, until: until.map(|(y, m, d)| date(y, m, d)) }
    }
}

fn any_baseline() -> impl Strategy<Value = Baseline> {
    (proptest::collection::vec(any_entry(), 0..6), any::<bool>()).prop_map(|(entries, history)| {
        let mut text: String = (0..3u8).map(|n| format!("salt {} 1\n", hex(&[n + 1; 16]))).collect();
        if history {
            text.push_str("history\n");
        }
        let mut baseline = Baseline::parse(text.as_bytes(), "p").unwrap();
        baseline.extend(entries);
        baseline
    })
}

proptest! {
    #[test]
    fn a_printed_baseline_reads_back(baseline in any_baseline()) {
        let text = baseline.print();
        prop_assert_eq!(&Baseline::parse(text.as_bytes(), "p").unwrap(), &baseline);
        // One line an entry, sorted.
        let lines: Vec<&str> = text.split('\n').filter(|l| !l.is_empty() && !l.starts_with(['#']) && !l.starts_with("salt ") && *l != "history").collect();
        prop_assert_eq!(lines.len(), baseline.len());
        prop_assert!(lines.is_sorted());
    }

    #[test]
    fn a_union_of_texts_is_the_union_of_entries(a in any_baseline(), b in any_baseline(), seed in any::<u64>()) {
        let text = a.print() + &b.print();
        let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut state = seed | 1;
        for at in (1..lines.len()).rev() {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            lines.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut both = a.clone();
        both.merge(b);
        prop_assert_eq!(Baseline::parse(lines.concat().as_bytes(), "p").unwrap(), both);
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in proptest::collection::vec(any::<u8>(), 0..200), line in "[ -~\n\t]{0,120}") {
        let _ = Baseline::parse(&text, "p");
        let _ = Baseline::parse(line.as_bytes(), "p");
        let mut baseline = Baseline::empty("p").unwrap();
        let resolver = Resolver { findings: &[], read: None };
        let _ = baseline.import(&text, "p", resolver, &Note::default());
        let _ = baseline.import(line.as_bytes(), "p", resolver, &Note::default());
        let _ = IgnoreFile::parse([("p", line.as_str())]).map(|f| f.covers(text.as_bstr()));
        let _ = inline::find("r", &text, line.as_bytes(), &text);
    }
}

#[test]
fn odd_paths_do_not_upset_the_ignore_file() {
    let repo = crate::common::Repo::new();
    repo.write(".keysiftignore", "/vendor/\n");
    for name in [".///r", "/.///r", "././/vendor", "..//x"] {
        let run = repo.keysift(["scan", "--stdin", "--stdin-path", name]);
        assert_eq!(run.status, 0, "{name}: {run:?}");
    }
}
