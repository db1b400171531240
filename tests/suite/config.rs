//! The user's file: what it may say, what it comes to, gitleaks' in its stead, policy from the base, migration.

use std::{collections::HashMap, io};

use keysift::{
    GapKind,
    config::{
        Config, Format,
        migrate::migrate,
        policy::{Change, Texts, decide},
    },
    rule::{Confidence, Rule, Ruleset, Severity},
    triage::{
        Base, Candidate, IgnoreFile, Options, Reader, Triage, Verdict,
        baseline::{Baseline, Note, Resolver, Scope},
    },
};
use proptest::prelude::*;

fn none(path: &str) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no {path}")))
}

fn parse(text: &str) -> Config {
    Config::parse(text, ".keysift.toml", &none).unwrap_or_else(|e| panic!("{e}"))
}

fn error(text: &str) -> String {
    match Config::parse(text, ".keysift.toml", &none) {
        Err(error) => error.to_string(),
        Ok(config) => match config.ruleset(Ruleset::builtin()) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("this is accepted: {text}"),
        },
    }
}

fn rules(config: &Config) -> (Ruleset, Vec<String>) {
    config.ruleset(Ruleset::builtin()).unwrap_or_else(|e| panic!("{e}"))
}

fn rule<'a>(set: &'a Ruleset, id: &str) -> &'a Rule {
    set.rules.iter().find(|r| r.id == id).unwrap_or_else(|| panic!("there is no rule {id}"))
}

fn gitleaks(text: &str) -> Config {
    Config::parse(text, ".gitleaks.toml", &none).unwrap_or_else(|e| panic!("{e}"))
}

// --- .keysift.toml ---

#[test]
fn an_empty_file_changes_nothing() {
    let (set, remarks) = rules(&parse("# nothing\n"));
    assert_eq!(set.hash(), Ruleset::builtin().hash());
    assert!(remarks.is_empty());
}

#[test]
fn every_option_is_read() {
    let config = parse(
        r#"
min_confidence = "high"
max_size = "10 MiB"
allow_gaps = ["shallow", "lfs"]
exclude = ["vendor/", "*.lock"]
inline = false
messages = false
advice = "ask #security"

[baseline]
path = "ci/known"
scope = "repository"
"#,
    );
    assert_eq!(config.min_confidence, Some(Confidence::High));
    assert_eq!(config.max_size, Some(10 << 20));
    assert_eq!(config.allow_gaps, [GapKind::Shallow, GapKind::Lfs]);
    assert_eq!(config.exclude, ["vendor/", "*.lock"]);
    assert_eq!((config.inline, config.messages), (Some(false), Some(false)));
    assert_eq!(config.baseline.as_deref(), Some("ci/known"));
    assert_eq!(config.baseline_scope, Some(Scope::Repository));
    assert_eq!(config.advice.as_deref(), Some("ask #security"));
    for (text, bytes) in [("1000", 1000), ("\"1000\"", 1000), ("\"2k\"", 2000), ("\"3 GB\"", 3_000_000_000)] {
        assert_eq!(parse(&format!("max_size = {text}")).max_size, Some(bytes));
    }
}

#[test]
fn mistakes_are_said_with_their_line_and_a_remedy() {
    for (text, wanted) in [
        ("\nmin_confidnce = \"low\"\n", &[":2", "did you mean `min_confidence`?"][..]),
        ("min_confidence = \"hgih\"\n", &[":1", "high"]),
        ("[baseline]\npth = \"x\"\n", &[":2", "did you mean `path`?"]),
        ("[baseline]\n\nscope = \"repo\"\n", &[":3", "path, repository"]),
        ("allow_gaps = [\n\"shallow\",\n\"lsf\"]\n", &[":3", "did you mean `lfs`?"]),
        ("max_size = \"many\"\n", &[":1", "10 MB"]),
        ("disable = [\"github-clasic-pat\"]\n", &[":1", "did you mean `github-classic-pat`?"]),
        ("\n\n[override.github-clasic-pat]\nseverity = \"low\"\n", &[":3", "did you mean `github-classic-pat`?"]),
        ("\n[override.github-classic-pat]\nseverty = \"low\"\n", &["github-classic-pat", "did you mean `severity`?"]),
        ("[override.github-classic-pat]\nseverity = \"lowest\"\n", &["github-classic-pat", "low"]),
        ("a = 1\n[[rules]]\nid = \"x\"\n", &[":1", "unknown field `a`"]),
        ("inline = true\n\n[[rules]]\nid = \"x\"\nregx = 'y'\n", &[":5", "did you mean `regex`?"]),
        ("inline = true\n\n[[rules]]\nid = \"x\"\n", &[":3", "nothing to look for"]),
        ("[[allowlists]]\nregexes = ['(']\n", &[":1", "allowlist"]),
        ("use_default = false\n", &["leaves no rule active", "add [[rules]]"]),
        ("rule_files = [\"none.toml\"]\n", &[":1", "none.toml"]),
        ("title = \"x\"\n[extend]\nuseDefault = true\n", &["keysift migrate"]),
        ("x = \n", &[":1"]),
    ] {
        let error = error(text);
        for part in wanted {
            assert!(error.contains(part), "{text:?} should say {part}: {error}");
        }
    }
}

#[test]
fn rules_are_added_disabled_and_overridden_field_by_field() {
    let config = parse(
        r#"
disable = ["github-oauth-token"]

# A [header] in a comment, and """ quotes.
[override.github-classic-pat]
severity = "low"
confidence = "medium"
tags = ["ours"]
[[override.github-classic-pat.allowlists]]
description = """
[[rules]] in a text"""
paths = ['^docs/']

[override.slack-token]
keywords = ["xoxb-"]

[[rules]]
id = "our-token"
token = 'our_[a-z0-9]{32}'
[[rules.allowlists]]
stopwords = ["sample"]

[[allowlists]]
description = "generated"
paths = ['^gen/']
"#,
    );
    let (set, remarks) = rules(&config);
    let builtin = Ruleset::builtin();
    assert_eq!(set.rules.len(), builtin.rules.len());
    assert!(!set.rules.iter().any(|r| r.id == "github-oauth-token"));
    let (old, new) = (rule(&builtin, "github-classic-pat"), rule(&set, "github-classic-pat"));
    assert_eq!((new.severity, new.confidence), (Severity::Low, Confidence::Medium));
    assert_eq!((&new.pattern, &new.checksum, &new.keywords), (&old.pattern, &old.checksum, &old.keywords));
    assert_eq!(new.allowlists.len(), old.allowlists.len() + 1);
    assert!(new.tags.contains(&"ours".to_owned()));
    assert_eq!(rule(&set, "slack-token").keywords, ["xoxb-"]);
    assert_eq!(rule(&set, "our-token").allowlists.len(), 1);
    assert_eq!(set.allowlists.len(), 1);
    assert!(remarks.is_empty());
    let shown = config.show(Ruleset::builtin()).unwrap();
    assert!(shown.contains("disable = [\"github-oauth-token\"]") && shown.contains("# added: our-token"), "{shown}");
}

#[test]
fn an_override_of_the_expression_is_validated() {
    let config = parse("[override.github-classic-pat]\nregex = 'ghp_[0-9]{36}'\n");
    let (set, _) = rules(&config);
    let new = rule(&set, "github-classic-pat");
    assert_eq!(new.pattern, "ghp_[0-9]{36}");
    let error = error("[override.github-classic-pat]\ntoken = '('\n");
    assert!(error.contains(".keysift.toml:1") && error.contains("expression"), "{error}");
}

#[test]
fn every_builtin_rule_can_be_overridden() {
    let builtin = Ruleset::builtin();
    // All at once would be slow without need: every twentieth.
    let text: String =
        builtin.rules.iter().step_by(20).map(|r| format!("[override.\"{}\"]\nseverity = \"info\"\n", r.id)).collect();
    let (set, _) = rules(&parse(&text));
    for (old, new) in builtin.rules.iter().zip(&set.rules).step_by(20) {
        assert_eq!(new.severity, Severity::Info);
        let mut same = Rule::clone(new);
        (same.severity, same.line) = (old.severity, old.line);
        (same.examples, same.counter_examples) = (old.examples.clone(), old.counter_examples.clone());
        assert_eq!(&same, old.as_ref());
    }
}

#[test]
fn without_the_builtin_rules_it_says_so() {
    let (set, remarks) = rules(&parse("use_default = false\n[[rules]]\nid = \"one\"\ntoken = 'one_[a-z]{20}'\n"));
    assert_eq!(set.rules.len(), 1);
    assert!(remarks[0].contains("1 rule is active"), "{remarks:?}");
}

#[test]
fn rule_files_are_read_from_the_root() {
    let read = |path: &str| match path {
        "ci/rules.toml" => Ok("[[rules]]\nid = \"more\"\ntoken = 'more_[a-z]{20}'\n".to_owned()),
        other => none(other),
    };
    let text = "rule_files = [\"ci/rules.toml\"]\n[override.more]\nseverity = \"low\"\n";
    let (set, _) = rules(&Config::parse(text, ".keysift.toml", &read).unwrap());
    assert_eq!(set.rules.len(), Ruleset::builtin().rules.len() + 1);
    assert_eq!(rule(&set, "more").severity, Severity::Low);
}

#[test]
fn the_file_is_found_at_the_root_and_gitleaks_in_its_stead() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Config::find(folder.path()).unwrap().is_none());
    std::fs::write(folder.path().join(".gitleaks.toml"), "[extend]\nuseDefault = true\n").unwrap();
    assert_eq!(Config::find(folder.path()).unwrap().unwrap().format, Format::Gitleaks);
    std::fs::write(folder.path().join(".keysift.toml"), "inline = true\n").unwrap();
    assert_eq!(Config::find(folder.path()).unwrap().unwrap().format, Format::Keysift);
    // A file of any name is told by what it says.
    let other = folder.path().join("secrets.toml");
    for (text, format) in
        [("title = \"x\"\n[extend]\nuseDefault = true\n", Format::Gitleaks), ("inline = true\n", Format::Keysift)]
    {
        std::fs::write(&other, text).unwrap();
        assert_eq!(Config::read(&other, folder.path()).unwrap().format, format);
    }
    assert!(
        Config::read(&folder.path().join("none.toml"), folder.path()).unwrap_err().to_string().contains("none.toml")
    );
}

// --- .gitleaks.toml ---

#[test]
fn gitleaks_without_default_has_its_own_rules_only_and_says_so() {
    let config = gitleaks(
        r#"
title = "ours"
[[rules]]
ID = "ours"
description = "Ours"
regex = '''ours_([a-z0-9]{20})'''
secretGroup = 1
entropy = 3
keywords = ["ours_"]
"#,
    );
    let (set, remarks) = rules(&config);
    assert_eq!(set.rules.len(), 1);
    assert_eq!((rule(&set, "ours").secret_group, rule(&set, "ours").entropy), (1, Some(3.0)));
    assert!(remarks.iter().any(|r| r.contains("built-in rules are off") && r.contains("useDefault")), "{remarks:?}");
}

#[test]
fn gitleaks_that_leaves_no_rule_is_an_error() {
    for text in ["title = \"x\"\n", "[allowlist]\npaths = ['x']\n", "[extend]\nuseDefault = false\n"] {
        let error = gitleaks(text).ruleset(Ruleset::builtin()).unwrap_err().to_string();
        assert!(error.contains("no rule active") && error.contains("useDefault = true"), "{error}");
    }
}

#[test]
fn gitleaks_rules_and_disabled_rules_find_their_counterparts() {
    let config = gitleaks(
        r#"
[extend]
useDefault = true
disabledRules = ["github-pat", "never-heard-of"]

[[rules]]
id = "generic-api-key"
[[rules.allowlists]]
paths = ['^test/']

[[rules]]
id = "ours"
regex = '''[^[]ours_[a-z]{20}[[]'''
tags = ["x"]
[rules.allowlist]
stopwords = ["SAMPLE"]

[allowlist]
description = "global"
paths = ['''\.md$''', '''{{tmpl}}''']

[[allowlists]]
targetRules = ["generic-api-key"]
regexes = ["fine"]
regexTarget = "line"
"#,
    );
    let (set, remarks) = rules(&config);
    assert!(!set.rules.iter().any(|r| r.id == "github-classic-pat"));
    assert!(set.rules.iter().any(|r| r.id == "github-fine-grained-pat"));
    let before = Ruleset::builtin();
    assert_eq!(
        rule(&set, "generic-credential").allowlists.len(),
        rule(&before, "generic-credential").allowlists.len() + 1
    );
    assert_eq!(rule(&set, "ours").allowlists[0].stopwords, ["sample"]);
    assert_eq!(set.allowlists.len(), 2);
    assert!(set.allowlists[1].rules.contains(&"generic-credential".to_owned()));
    assert!(remarks.len() == 1 && remarks[0].contains("never-heard-of"), "{remarks:?}");
}

#[test]
fn gitleaks_extends_files_and_notices_circles() {
    let files: HashMap<&str, &str> = HashMap::from([
        (
            "base.toml",
            "[extend]\npath = \"deep.toml\"\n[[rules]]\nid = \"a\"\nregex = 'aaa_[a-z]{20}'\nkeywords = [\"aaa_\"]\n[rules.allowlist]\npaths = ['x']\n",
        ),
        ("deep.toml", "[[rules]]\nid = \"b\"\nregex = 'bbb_[a-z]{20}'\n[allowlist]\npaths = ['y']\n"),
        ("circle.toml", "[extend]\npath = \"circle.toml\"\n"),
    ]);
    let read = |path: &str| files.get(path).map(|t| (*t).to_owned()).map_or_else(|| none(path), Ok);
    let parse = |text: &str| Config::parse(text, ".gitleaks.toml", &read);
    let config = parse(
        "[extend]\npath = \"base.toml\"\ndisabledRules = [\"b\"]\n[[rules]]\nid = \"a\"\ndescription = \"changed\"\n[rules.allowlist]\npaths = ['z']\n",
    );
    let (set, _) = rules(&config.unwrap());
    assert_eq!(set.rules.len(), 1);
    let a = rule(&set, "a");
    assert_eq!((a.pattern.as_str(), a.description.as_str(), a.allowlists.len()), ("aaa_[a-z]{20}", "changed", 2));
    assert_eq!(set.allowlists.len(), 1);
    let circle = parse("[extend]\npath = \"circle.toml\"\n").unwrap_err().to_string();
    assert!(circle.contains("circle"), "{circle}");
    assert!(parse("[extend]\npath = \"gone.toml\"\n").unwrap_err().to_string().contains("gone.toml"));
}

#[test]
fn gitleaks_required_rules_and_strange_keys() {
    let config = gitleaks(
        r#"
[extend]
useDefault = true
[[rules]]
id = "half"
regex = 'half_[a-z]{20}'
filter = "entropy(x)"
[[rules.required]]
id = "other"
withinLines = 3
[[rules]]
id = "other"
regex = 'other_[a-z]{20}'
skipReport = true
keywords = ["ot"]
"#,
    );
    let (set, remarks) = rules(&config);
    let half = rule(&set, "half");
    assert_eq!((half.requires[0].rule.as_str(), half.requires[0].within_lines), ("other", Some(3)));
    assert!(rule(&set, "other").identifier);
    assert!(remarks.len() == 1 && remarks[0].contains("`filter`") && remarks[0].contains("half"), "{remarks:?}");
}

#[test]
fn a_rule_of_gitleaks_that_cannot_be_used_is_an_error() {
    for (text, want) in [
        ("[[rules]]\nregex = 'x'\n", "rule number 1"),
        ("[[rules]]\nid = \"x\"\nregex = '(?=y)z'\n", "rule `x`"),
        ("[[rules]]\nid = \"x\"\n", "nothing to look for"),
        ("x = = 1\n", ".gitleaks.toml:1"),
    ] {
        let error = Config::parse(text, ".gitleaks.toml", &none).unwrap_err().to_string();
        assert!(error.contains(want), "{text:?}: {error}");
    }
}

// --- policy from the base ---

fn config_texts(config: &str) -> Texts {
    Texts { config: Some((".keysift.toml".to_owned(), config.to_owned())), ..Texts::default() }
}

fn changes(base: Texts, now: Texts) -> Vec<Change> {
    decide(base, now, false, &Ruleset::builtin(), &none, &none).unwrap().changes
}

#[test]
fn a_change_cannot_switch_the_gate_off() {
    let entry = format!("salt {} 1\nany abababab:{} a.txt\n", "ab".repeat(16), "cd".repeat(16));
    let now = Texts {
        ignore: Some("# note\nsrc/\n".to_owned()),
        baseline: Some(entry.clone().into_bytes()),
        ..config_texts(
            "disable = [\"github-classic-pat\"]\nmin_confidence = \"high\"\nexclude = [\"*.env\"]\nallow_gaps = [\"lfs\"]\n[override.slack-token]\nseverity = \"low\"\n[[allowlists]]\npaths = ['.*']\n",
        )
    };
    let builtin = Ruleset::builtin();
    let decision = decide(Texts::default(), now.clone(), false, &builtin, &none, &none).unwrap();
    assert_eq!(decision.texts, Texts::default());
    for part in [
        "`github-classic-pat` off",
        "min_confidence",
        "`*.env`",
        "lfs",
        "slack-token`: severity",
        "allowlist over all rules",
        "`src/`",
        "1 entry to the baseline: any a.txt",
    ] {
        assert!(decision.changes.iter().any(|c| c.loosens && c.what.contains(part)), "{part}: {:#?}", decision.changes);
    }
    assert_eq!(decision.changes.len(), 8, "{:#?}", decision.changes);
    assert_eq!(decide(Texts::default(), now.clone(), true, &builtin, &none, &none).unwrap().texts, now);
    // The other way round it tightens.
    assert!(changes(now.clone(), Texts::default()).iter().filter(|c| c.loosens).count() <= 1);
    assert!(changes(now.clone(), now).is_empty());
}

#[test]
fn a_change_that_breaks_the_policy_does_not_count() {
    let builtin = Ruleset::builtin();
    let broken = config_texts("nonsense = 1\n");
    let decision = decide(Texts::default(), broken.clone(), false, &builtin, &none, &none).unwrap();
    assert!(decision.changes[0].loosens && decision.changes[0].what.contains("nonsense"));
    assert!(decide(Texts::default(), broken.clone(), true, &builtin, &none, &none).is_err());
    assert!(decide(broken, Texts::default(), false, &builtin, &none, &none).is_err());
}

#[test]
fn markers_count_only_if_the_base_has_them() {
    let set = Ruleset::parse("[[rules]]\nid = \"alpha\"\ntoken = 'alpha_[a-z]{20}'\n", "t").unwrap().ruleset;
    let (old, new) = ("q".repeat(20), "w".repeat(20));
    let file = format!("x = {old}  # keysift:allow fine\r\n\t# keysift:allow-next-line\n\ty = {old}\n");
    let judge = |allow: bool, secret: &str, line: &str, above: &str, path: &str| {
        let file = file.clone().into_bytes();
        let read = Reader::new(move |path: &bstr::BStr| (path == "a.txt").then(|| file.clone()));
        let triage =
            Triage::new(&set, Options { base: Some(Base::new("origin/main", read, allow)), ..Options::default() })
                .unwrap();
        let candidate = Candidate {
            rule: &set.rules[0],
            secret: secret.as_bytes(),
            matched: secret.as_bytes(),
            lines: line.as_bytes(),
            above: above.as_bytes(),
            path: path.into(),
            commit: None,
        };
        (triage.judge(&candidate) != Verdict::Keep, triage.settle(Vec::new()).remarks)
    };
    let line = |secret: &str| format!("    x = {secret}  # keysift:allow fine");
    assert_eq!(judge(false, &old, &line(&old), "", "a.txt"), (true, Vec::new()), "re-indented");
    let (heeded, remarks) = judge(false, &new, &line(&new), "", "a.txt");
    assert!(!heeded && remarks[0].contains("not heeded") && remarks[0].contains("a.txt (alpha)"), "{remarks:?}");
    assert!(!judge(false, &old, &line(&old), "", "b.txt").0);
    let (heeded, remarks) = judge(true, &new, &line(&new), "", "a.txt");
    assert!(heeded && remarks[0].contains("origin/main"), "{remarks:?}");
    // The next-line form holds for the line that follows it in the base.
    let above = "# keysift:allow-next-line";
    assert!(judge(false, &old, &format!("y = {old}"), above, "a.txt").0);
    assert!(!judge(false, &new, &format!("y = {new}"), above, "a.txt").0);
}

// --- migration ---

#[test]
fn a_gitleaks_repository_is_migrated() {
    let config = r#"
title = "ours"
[extend]
useDefault = true
disabledRules = ["github-pat", "slack-bot-token"]

[[rules]]
id = "ours"
description = "Ours"
regex = '''(?i)ours["']?_([a-z0-9]{20})'''
secretGroup = 1
keywords = ["ours"]
[[rules.allowlists]]
description = "samples"
regexTarget = "line"
regexes = ['''sample''']

[[rules]]
id = "broken"
regex = '''(?=x)y'''

[[rules]]
id = "generic-api-key"
[[rules.allowlists]]
stopwords = ["client_id"]

[allowlist]
paths = ['''^vendor/''', '''(^|/)go\.sum$''', '''(a|b)/x''']
"#;
    let files = [
        (".gitleaks.toml".to_owned(), config.as_bytes().to_vec()),
        (".gitleaksignore".to_owned(), b"gone.txt:rule:3\n".to_vec()),
    ];
    let resolver = Resolver { findings: &[], read: None };
    let migrated = migrate(&files, resolver, &none).unwrap();
    let text = migrated.config.unwrap();
    let (set, remarks) = rules(&parse(&text));
    assert!(remarks.is_empty(), "{remarks:?}");
    assert_eq!(rule(&set, "ours").allowlists.len(), 1);
    assert!(!set.rules.iter().any(|r| r.id == "github-classic-pat"));
    assert!(rule(&set, "generic-credential").allowlists.iter().any(|l| l.stopwords == ["client_id"]), "{text}");
    assert_eq!(set.allowlists.len(), 1, "{text}");
    assert!(text.contains("regex = '''(?i)ours"), "{text}");
    let ignore = IgnoreFile::parse([("i", migrated.ignore.unwrap().as_str())]).unwrap();
    assert!(ignore.covers("vendor/x".into()) && ignore.covers("a/go.sum".into()) && !ignore.covers("a/x".into()));
    assert!(migrated.baseline.is_none());
    for part in ["`broken`", "slack-bot-token", "gone.txt:rule:3"] {
        assert!(migrated.left.iter().any(|l| l.contains(part)), "{part}: {:?}", migrated.left);
    }
    // The migrated rules are those that gitleaks' file itself comes to.
    let (direct, _) = rules(&gitleaks(&config.replace("regex = '''(?=x)y'''", "path = 'nowhere'")));
    let ids = |set: &Ruleset| set.rules.iter().map(|r| r.id.clone()).filter(|id| id != "broken").collect::<Vec<_>>();
    assert_eq!(ids(&direct), ids(&set));
}

#[test]
fn a_config_without_default_rules_stays_without_them() {
    let files = [("gitleaks.toml".to_owned(), b"[[rules]]\nid = \"x\"\nregex = 'xxx_[a-z]{20}'\n".to_vec())];
    let migrated = migrate(&files, Resolver { findings: &[], read: None }, &none).unwrap();
    let (set, _) = rules(&parse(&migrated.config.unwrap()));
    assert_eq!(set.rules.len(), 1);
    assert!(migrated.left.iter().any(|l| l.contains("use_default = false")), "{:?}", migrated.left);
}

#[test]
fn a_config_that_finds_nothing_is_migrated_with_the_builtin_rules_on() {
    let files = [(".gitleaks.toml".to_owned(), b"[allowlist]\npaths = ['(a|b)/']\n".to_vec())];
    let migrated = migrate(&files, Resolver { findings: &[], read: None }, &none).unwrap();
    let (set, remarks) = rules(&parse(&migrated.config.unwrap()));
    assert_eq!((set.rules.len(), remarks.len()), (Ruleset::builtin().rules.len(), 0));
    assert!(migrated.left.iter().any(|l| l.contains("gitleaks finds nothing with it")), "{:?}", migrated.left);
}

#[test]
fn a_detect_secrets_baseline_is_migrated() {
    let digest = "ab".repeat(20);
    let text = format!(
        r#"{{"version":"1.5.0","plugins_used":[{{"name":"Base64HighEntropyString","limit":4.5}}],
        "filters_used":[{{"path":"detect_secrets.filters.allowlist.is_line_allowlisted"}},
        {{"path":"detect_secrets.filters.regex.should_exclude_file","pattern":["^vendor/","(a|b)\\.txt"]}},
        {{"path":"detect_secrets.filters.regex.should_exclude_line","pattern":["checksum"]}},
        {{"path":"file://mine.py::check"}}],
        "results":{{"src\\a.py":[{{"type":"Secret Keyword","filename":"src\\a.py","hashed_secret":"{digest}","is_verified":false,"line_number":1}}]}},
        "generated_at":"2024-01-01T00:00:00Z"}}"#
    )
    .replace("src\\a.py", "src\\\\a.py");
    let files = [(".secrets.baseline".to_owned(), text.into_bytes())];
    let migrated = migrate(&files, Resolver { findings: &[], read: None }, &none).unwrap();
    assert_eq!(migrated.ignore.as_deref().map(|i| i.contains("/vendor/")), Some(true));
    let (set, _) = rules(&parse(migrated.config.as_deref().unwrap()));
    assert_eq!(set.allowlists.len(), 2);
    let printed = migrated.baseline.unwrap().print();
    assert!(printed.contains(&format!("* sha1:{digest} src/a.py")), "{printed}");
    assert!(migrated.left.iter().any(|l| l.contains("mine.py")) && migrated.left.iter().any(|l| l.contains("plugins")));
}

#[test]
fn nothing_to_migrate_makes_nothing() {
    let files = [(".gitleaks.toml".to_owned(), b"[extend]\nuseDefault = true\n".to_vec())];
    let migrated = migrate(&files, Resolver { findings: &[], read: None }, &none).unwrap();
    assert!(migrated.config.is_none() && migrated.ignore.is_none() && migrated.baseline.is_none());
    assert!(migrated.left.is_empty() && migrated.done.len() == 1);
    let _ = Baseline::create("b", &[], &Note::default()).unwrap();
}

proptest! {
    #[test]
    fn no_text_makes_the_configuration_panic(text in "[ -~\n]{0,160}", words in proptest::collection::vec(prop_oneof![
        Just("[[rules]]\n"), Just("id = \"a\"\n"), Just("regex = '''x[a'''\n"), Just("[override.a]\n"), Just("\"\"\"\n"),
        Just("[allowlist]\n"), Just("paths = [\n'a', # ]\n]\n"), Just("disable = [\"b\"]\n"), Just("[extend]\npath = \"p\"\n"),
        Just("k = { a = '}' }\n"), Just("[a.\"b.c\"]\n"), Just("\\\""),
    ], 0..8)) {
        for text in [text.clone(), words.concat(), words.concat() + &text] {
            for name in [".keysift.toml", ".gitleaks.toml", "other.toml"] {
                let _ = Config::parse(&text, name, &none);
            }
            let files = [("f.toml".to_owned(), text.clone().into_bytes()), ("f".to_owned(), text.clone().into_bytes())];
            let _ = migrate(&files, Resolver { findings: &[], read: None }, &none);
        }
    }
}
