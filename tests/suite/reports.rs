//! What users of the output formats rely on: shape, completeness, and that no secret gets out.

use std::sync::Arc;

use keysift::{
    Gap, GapKind,
    finding::{
        Commit, Confidence, Finding, Fingerprint, Location, Partner, Place, Position, Secret, Severity, SuppressedBy,
        Suppression,
    },
    report::{self, Covered, Format, Mode, Options, Report, Repository, Scan},
    rule::{Kind, Reach, Rule},
};
use serde_json::Value;

/// A value that no file of this repository holds: made when the test runs.
fn generated(prefix: &str, length: usize, seed: u64) -> String {
    let alphabet = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let letters = (0..length).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(alphabet[(state % alphabet.len() as u64) as usize])
    });
    prefix.chars().chain(letters).collect()
}

fn rule(id: &str, severity: Severity) -> Arc<Rule> {
    Arc::new(Rule {
        id: id.to_owned(),
        description: "Example access token".to_owned(),
        kind: Kind::Token,
        pattern: String::new(),
        secret_group: 0,
        keywords: Vec::new(),
        near: false,
        reach: Reach::Whole,
        stretch: None,
        confidence: Confidence::High,
        severity,
        entropy: None,
        joiners: String::new(),
        checksum: None,
        requires: Vec::new(),
        partners: Vec::new(),
        identifier: false,
        path: None,
        allowlists: Vec::new(),
        tags: (0..30).map(|n| format!("tag{n}")).collect(),
        docs: Some("https://example.org/docs".to_owned()),
        rotate: Some("https://example.org/revoke".to_owned()),
        examples: Vec::new(),
        counter_examples: Vec::new(),
        line: 1,
    })
}

fn location(path: impl Into<Vec<u8>>, line: u32) -> Location {
    Location {
        path: path.into().into(),
        place: Place::Content,
        start: Position { line, column: 5 },
        end: Position { line, column: 45 },
        commit: None,
        blob: None,
        in_head: None,
        pushed: None,
        unreachable: false,
        line_hash: Some(format!("{line:x}:1")),
    }
}

fn finding(id: &str, severity: Severity, secret: &str, locations: Vec<Location>) -> Finding {
    let secret = Secret::new(secret.as_bytes());
    Finding {
        rule: rule(id, severity),
        confidence: Confidence::High,
        severity,
        fingerprint: Fingerprint::of(id, &secret),
        secret,
        entropy: 4.5,
        notes: Vec::new(),
        partners: Vec::new(),
        locations,
        suppression: None,
    }
}

fn scan(mode: Mode) -> Scan {
    Scan {
        mode,
        rules: 80,
        rules_hash: "0123456789abcdef".to_owned(),
        repository: None,
        covered: Covered { files: 1234, blobs: 0, commits: 0, bytes: 12_345_678 },
        gaps: Vec::new(),
        accepted_gaps: Vec::new(),
        below_confidence: 0,
        unreachable: 0,
        remarks: Vec::new(),
        started: "2026-11-23T05:00:00Z".to_owned(),
        seconds: 0.2149,
    }
}

fn clean() -> Report {
    Report { scan: scan(Mode::Worktree), findings: Vec::new(), suppressed: Vec::new(), paired: Vec::new() }
}

/// A report of a history in which everything happens that can, and the secrets in it.
fn eventful() -> (Report, Vec<String>) {
    let secrets: Vec<String> = (1..=6).map(|seed| generated("tok_", 36, seed)).collect();
    let commit = |id: char, author: &[u8]| {
        Some(Commit {
            id: id.to_string().repeat(40),
            author: author.into(),
            email: "dev@example.org".into(),
            date: "2024-03-01T12:00:00+01:00".to_owned(),
        })
    };
    let old = |path: &[u8], line, id| Location {
        commit: commit(id, b"J\xc3\xbcrgen"),
        blob: Some("b".repeat(40)),
        in_head: Some(true),
        pushed: Some(false),
        ..location(path, line)
    };

    let many = (0..25).map(|n| old(format!("src/conf {n}.rs").as_bytes(), n + 1, 'a')).collect();
    let mut first = finding("example-token", Severity::Critical, &secrets[0], many);
    first.notes = vec!["checksum is right".to_owned()];
    let id = finding("example-id", Severity::High, &secrets[1], vec![old(b"src/conf 0.rs", 2, 'a')]);
    first.partners =
        vec![Partner { rule: id.rule.id.clone(), secret: id.secret.clone(), locations: id.locations.clone() }];

    // The secret is the name of the file and of the author; the rest of both is hostile.
    let mut hostile = old(format!("a\u{1b}[2J\u{202e}/{}\n::error::x|=1,\"<&>", secrets[2]).as_bytes(), 1, 'c');
    hostile.place = Place::FileName;
    hostile.commit = commit('d', format!("Eve\u{1b}]0;\u{7}\u{9b}31m {}", secrets[2]).as_bytes());
    hostile.in_head = Some(false);
    hostile.pushed = Some(true);
    let mut bytes = old(b"raw\xff\x9b.bin", 7, 'e');
    bytes.unreachable = true;
    let second = finding("other-token", Severity::Medium, &secrets[2], vec![hostile, bytes]);

    let mut key = finding("private-key", Severity::High, "", vec![old(b"=id", 1, 'f')]);
    let block = format!("-----BEGIN\n{}\n{}\n-----END", secrets[3], generated("", 64, 9));
    key.secret = Secret::new(block.as_bytes());
    key.fingerprint = Fingerprint::of("private-key", &key.secret);
    key.locations[0].end = Position { line: 4, column: 9 };

    let suppressed =
        [(SuppressedBy::Inline, &secrets[4]), (SuppressedBy::Baseline, &secrets[5])].map(|(by, secret)| {
            let mut finding = finding("example-token", Severity::Low, secret, vec![location("old.rs", 3)]);
            finding.suppression = Some(Suppression { by, reason: Some(format!("a test value {secret}")) });
            finding
        });

    let mut scan = scan(Mode::History);
    scan.covered = Covered { files: 0, blobs: 500, commits: 60, bytes: 1_500_000 };
    scan.repository = Some(Repository {
        root: "/home/me/my repo".to_owned(),
        remote: Some("https://example.org/o/r.git".to_owned()),
        head: Some("9".repeat(40)),
        branch: Some(format!("fix/{}", secrets[2])),
    });
    scan.gaps =
        (0..5).map(|n| Gap::new(GapKind::Unreadable, format!("dir\u{1b}[1m/{n}"), "permission denied")).collect();
    scan.gaps.push(Gap::new(GapKind::CorruptObject, format!("refs/{}", secrets[2]), "wrong checksum"));
    scan.accepted_gaps = vec![Gap::new(GapKind::Shallow, "repository", "the clone is shallow")];
    scan.below_confidence = 2;
    scan.unreachable = 3;
    scan.remarks = vec!["read without the fast path".to_owned()];
    let mut all = secrets;
    all.push(block);
    (Report { scan, findings: vec![first, key, second], suppressed: suppressed.to_vec(), paired: vec![id] }, all)
}

fn written(report: &Report, format: Format, options: &Options) -> Vec<u8> {
    let mut out = Vec::new();
    report::write(report, format, options, &mut out).unwrap();
    out
}

fn text_of(report: &Report, format: Format) -> String {
    String::from_utf8(written(report, format, &Options::default())).expect("every format is UTF-8 here")
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn json_of(report: &Report, format: Format, options: &Options) -> Value {
    serde_json::from_slice(&written(report, format, options)).unwrap()
}

fn verbose() -> Options {
    Options { verbose: true, ..Options::default() }
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle.as_bytes())
}

#[test]
fn no_format_shows_a_secret() {
    let (report, secrets) = eventful();
    for format in Format::ALL.iter().filter(|f| **f != Format::ReplaceText) {
        for options in [Options::default(), verbose()] {
            let out = written(&report, *format, &options);
            for secret in &secrets {
                for line in secret.lines().filter(|l| l.len() > 12) {
                    assert!(!contains(&out, line), "{} shows a secret", format.name());
                    assert!(!contains(&out, &line[8..]), "{} shows most of a secret", format.name());
                }
            }
        }
    }
    let mut summary = Vec::new();
    report::github::write_summary(&report, &mut summary).unwrap();
    assert!(secrets.iter().all(|s| !contains(&summary, s)));
}

#[test]
fn a_short_secret_in_a_content_does_not_garble_paths() {
    let mut report = clean();
    let places = vec![location("internal/a.rs", 1)];
    report.findings = vec![finding("weak-password", Severity::Low, "internal", places)];
    assert!(plain(&text_of(&report, Format::Text)).contains("internal/a.rs:1:5"));
    // Found in the name itself, it is hidden there.
    report.findings[0].locations[0].place = Place::FileName;
    assert!(!plain(&text_of(&report, Format::Text)).contains("internal"));
}

#[test]
fn a_path_that_is_the_finding_is_shown() {
    let mut report = clean();
    let mut place = location("home/deploy/.ssh/id_ed25519", 1);
    place.place = Place::FileName;
    let mut found = finding("key-file", Severity::Medium, "home/deploy/.ssh/id_ed25519", vec![place]);
    Arc::make_mut(&mut found.rule).kind = Kind::Path;
    report.findings = vec![found];
    for format in Format::ALL.iter().filter(|f| **f != Format::ReplaceText) {
        assert!(text_of(&report, *format).contains("id_ed25519"), "{}", format.name());
    }
    assert_eq!(text_of(&report, Format::ReplaceText), "", "there is no text to replace");
}

#[test]
fn show_secrets_is_for_text_and_json_alone() {
    let (report, secrets) = eventful();
    let options = Options { show_secrets: true, verbose: true, ..Options::default() };
    for format in Format::ALL.iter().copied() {
        let shows = matches!(format, Format::Text | Format::Json | Format::Jsonl | Format::ReplaceText);
        assert_eq!(contains(&written(&report, format, &options), &secrets[0]), shows, "{}", format.name());
    }
}

#[test]
fn no_format_passes_on_what_a_terminal_obeys() {
    let (report, _) = eventful();
    for format in Format::ALL.iter().filter(|f| **f != Format::ReplaceText) {
        let text = plain(&text_of(&report, *format));
        let bad = text.chars().find(|c| *c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}')));
        assert_eq!(bad, None, "{}", format.name());
        // A line break in a name starts no line of its own.
        assert!(!text.lines().any(|l| l.starts_with("::error::x")), "{}", format.name());
    }
    // In text, before styles are stripped, the only sequences are our own.
    let styled = text_of(&report, Format::Text);
    assert!(!styled.contains("\u{1b}[2J") && !styled.contains("\u{1b}]0;") && !styled.contains('\u{9b}'));
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let (report, _) = eventful();
    for format in Format::ALL {
        assert_eq!(written(&report, *format, &verbose()), written(&report, *format, &verbose()));
        assert_eq!(Format::from_name(format.name()), Some(*format));
    }
}

#[test]
fn json_has_the_shape_of_the_contract() {
    let (report, secrets) = eventful();
    let json = json_of(&report, Format::Json, &Options::default());
    assert_eq!(json["schema"], "keysift/report/v1");
    assert_eq!(json["tool"]["name"], "keysift");
    assert_eq!(json["tool"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["tool"]["rules"], 80);
    assert_eq!(json["tool"]["rules_hash"], "0123456789abcdef");
    let scan = &json["scan"];
    assert_eq!(scan["mode"], "history");
    assert_eq!(scan["state"], "incomplete");
    assert_eq!(scan["covered"], serde_json::json!({ "blobs": 500, "commits": 60, "bytes": 1_500_000 }));
    assert_eq!(scan["gaps"].as_array().unwrap().len(), 6);
    assert_eq!(scan["gaps"][0]["kind"], "unreadable");
    assert_eq!(scan["gaps"][0]["reason"], "permission denied");
    assert_eq!(scan["gaps"][0]["place"], "dir\u{1b}[1m/0", "escaped in the file, the same when read");
    assert_eq!(scan["accepted_gaps"][0]["kind"], "shallow");
    assert_eq!((scan["below_confidence"].as_u64(), scan["unreachable"].as_u64()), (Some(2), Some(3)));
    assert_eq!(scan["seconds"], 0.215);

    let first = &json["findings"][0];
    assert_eq!(first["rule"], "example-token");
    assert_eq!(first["description"], "Example access token");
    assert_eq!((&first["confidence"], &first["severity"]), (&"high".into(), &"critical".into()));
    assert_eq!(first["fingerprint"], report.findings[0].fingerprint.as_str());
    assert_eq!(first["secret"], "tok_…");
    assert_eq!(first["secret_len"], 40);
    assert_eq!(first["entropy"], 4.5);
    assert_eq!(first["partners"][0]["rule"], "example-id");
    assert_eq!(first["partners"][0]["secret"], "tok_…");
    assert_eq!(first["partners"][0]["locations"][0]["start_line"], 2);
    let place = &first["locations"][1];
    assert_eq!(place["path"], "src/conf 1.rs");
    assert_eq!((place["start_line"].as_u64(), place["start_column"].as_u64()), (Some(2), Some(5)));
    assert_eq!((place["end_line"].as_u64(), place["end_column"].as_u64()), (Some(2), Some(45)));
    assert_eq!(place["commit"], "a".repeat(40));
    assert_eq!((&place["author"], &place["email"]), (&"Jürgen".into(), &"dev@example.org".into()));
    assert_eq!(place["date"], "2024-03-01T12:00:00+01:00");
    assert_eq!((&place["in_head"], &place["pushed"]), (&true.into(), &false.into()));
    assert_eq!(json["findings"][2]["locations"][0]["place"], "file-name");
    assert_eq!(json["findings"][2]["locations"][1]["unreachable"], true);
    assert_eq!(json["suppressed"].as_array().unwrap().len(), 2);
    assert_eq!(json["suppressed"][0]["by"], "inline");
    assert_eq!((&json["suppressed"][1]["path"], &json["suppressed"][1]["line"]), (&"old.rs".into(), &3.into()));

    let shown = json_of(&report, Format::Json, &Options { show_secrets: true, ..Options::default() });
    assert_eq!(shown["findings"][0]["secret"], secrets[0]);

    let bare = json_of(&clean(), Format::Json, &Options::default());
    assert_eq!(bare["scan"]["state"], "complete");
    assert_eq!(bare["scan"]["covered"], serde_json::json!({ "files": 1234, "bytes": 12_345_678 }));
    assert_eq!(bare["findings"], serde_json::json!([]));
}

#[test]
fn json_leaves_out_what_a_location_does_not_have() {
    let mut report = clean();
    report.findings = vec![finding("r", Severity::Low, &generated("", 20, 3), vec![location("a", 1)])];
    let json = json_of(&report, Format::Json, &Options::default());
    let keys: Vec<&String> = json["findings"][0]["locations"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["end_column", "end_line", "path", "place", "start_column", "start_line"]);
}

#[test]
fn jsonl_has_a_finding_a_line_and_the_scan_at_the_end() {
    let (report, _) = eventful();
    let lines: Vec<Value> = text_of(&report, Format::Jsonl).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    let whole = json_of(&report, Format::Json, &Options::default());
    for (line, finding) in lines.iter().zip(whole["findings"].as_array().unwrap()) {
        let mut line = line.clone();
        assert_eq!(line.as_object_mut().unwrap().remove("type").unwrap(), "finding");
        assert_eq!(&line, finding);
    }
    assert_eq!(lines[3]["type"], "scan");
    assert_eq!(lines[3]["scan"], whole["scan"]);
    assert_eq!(lines[3]["schema"], "keysift/report/v1");
}

fn assert_valid_sarif(sarif: &Value) {
    let schema: Value = serde_json::from_str(include_str!("../schemas/sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(sarif).map(|e| format!("{}: {e}", e.instance_path)).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn sarif_is_valid_and_has_what_github_asks_for() {
    let (report, _) = eventful();
    let options = Options { category: Some("nightly".to_owned()), exit_code: 1, ..Options::default() };
    let sarif = json_of(&report, Format::Sarif, &options);
    assert_valid_sarif(&sarif);
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(sarif["runs"].as_array().unwrap().len(), 1);
    let run = &sarif["runs"][0];
    assert_eq!(run["automationDetails"]["id"], "keysift/history/nightly/");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    assert_eq!(run["originalUriBaseIds"]["%SRCROOT%"]["uri"], "file:///home/me/my%20repo/");
    assert_eq!(run["versionControlProvenance"][0]["repositoryUri"], "https://example.org/o/r.git");
    assert_eq!(run["versionControlProvenance"][0]["revisionId"], "9".repeat(40));

    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 3);
    for rule in rules {
        for text in ["/shortDescription/text", "/fullDescription/text", "/help/text", "/help/markdown", "/name"] {
            assert_ne!(rule.pointer(text).unwrap(), "", "{text}");
        }
        let tags = rule["properties"]["tags"].as_array().unwrap();
        assert!(tags.contains(&"security".into()) && tags.len() <= 10);
        let score: f64 = rule["properties"]["security-severity"].as_str().unwrap().parse().unwrap();
        assert!(score > 0.0 && score <= 10.0);
        assert_eq!(rule["properties"]["precision"], "high");
        assert!(rule["help"]["markdown"].as_str().unwrap().contains("https://example.org/revoke"));
    }

    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(result["locations"].as_array().unwrap().len(), 1);
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
        assert!(result["fingerprints"]["secretHash/v1"].is_string());
        for place in result["locations"]
            .as_array()
            .unwrap()
            .iter()
            .chain(result["relatedLocations"].as_array().unwrap_or(&vec![]))
        {
            let physical = &place["physicalLocation"];
            assert!(physical.pointer("/region/snippet").is_none());
            assert_eq!(physical["artifactLocation"]["uriBaseId"], "%SRCROOT%");
            let uri = physical["artifactLocation"]["uri"].as_str().unwrap();
            assert!(uri.is_ascii() && !uri.contains([' ', ':']) && !uri.starts_with("./"), "{uri}");
            for number in ["startLine", "startColumn", "endLine", "endColumn"] {
                assert!(physical["region"][number].as_u64().unwrap() >= 1);
            }
        }
    }
    assert_eq!(results[0]["level"], "error");
    let related = results[0]["relatedLocations"].as_array().unwrap();
    assert_eq!(related.len(), 25);
    assert_eq!(related[0]["message"]["text"], "with example-id (tok_…, 40 characters)");
    assert_eq!(related[0]["physicalLocation"]["region"]["startLine"], 2);
    let message = results[0]["message"]["text"].as_str().unwrap();
    assert!(message.contains("Introduced by aaaaaaaa (Jürgen, 2024-03-01), still in HEAD, not pushed"), "{message}");
    assert_eq!(results[0]["properties"]["commit"], "a".repeat(40));
    assert_eq!(results[2]["level"], "warning");
    let raw = &results[2]["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(raw, "raw%FF%9B.bin", "the bytes of the path, not what is left of them in UTF-8");
    assert_eq!(results[1]["locations"][0]["physicalLocation"]["region"]["endLine"], 4);

    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(invocation["exitCode"], 1);
    assert_eq!(invocation["startTimeUtc"], "2026-11-23T05:00:00.000Z");
    assert_eq!(invocation["endTimeUtc"], "2026-11-23T05:00:00.214Z");
    let of_level = |level: &str| {
        let all = invocation["toolExecutionNotifications"].as_array().unwrap();
        all.iter().filter(|n| n["level"] == level).count()
    };
    assert_eq!(of_level("error"), 6, "one for each gap");
    assert_eq!(of_level("note"), 3, "the accepted gap, what was suppressed, the remark");
}

#[test]
fn sarif_of_a_clean_scan_is_valid() {
    let sarif = json_of(&clean(), Format::Sarif, &Options::default());
    assert_valid_sarif(&sarif);
    assert_eq!(sarif["runs"][0]["results"], serde_json::json!([]));
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], true);
    assert_eq!(sarif["runs"][0]["automationDetails"]["id"], "keysift/worktree/");
}

#[test]
fn sarif_has_suppressed_results_only_when_asked() {
    // GitHub opens alerts for suppressed results: github/codeql-action#1230.
    let (report, _) = eventful();
    let quiet = json_of(&report, Format::Sarif, &Options::default());
    assert!(quiet["runs"][0]["results"].as_array().unwrap().iter().all(|r| r["suppressions"].is_null()));
    let sarif = json_of(&report, Format::Sarif, &verbose());
    assert_valid_sarif(&sarif);
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 5);
    assert_eq!(results[3]["suppressions"][0]["kind"], "inSource");
    assert_eq!(results[4]["suppressions"][0]["kind"], "external");
    assert!(results[3]["suppressions"][0]["justification"].as_str().unwrap().contains("a test value"));
}

#[test]
fn sarif_keeps_to_the_limits_of_github_and_says_what_it_cut() {
    let mut report = clean();
    let rule = rule("example-token", Severity::High);
    let mut model = finding("example-token", Severity::High, &generated("", 30, 5), Vec::new());
    model.rule = rule;
    report.findings = vec![model; 25_010];
    for finding in &mut report.findings {
        finding.locations = vec![location("a", 1)];
    }
    report.findings[0].locations = (1..=150).map(|n| location("a", n)).collect();
    report.findings[0].severity = Severity::Critical;
    let sarif = json_of(&report, Format::Sarif, &Options::default());
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 25_000);
    assert_eq!(results[0]["relatedLocations"].as_array().unwrap().len(), 100);
    let notes = sarif["runs"][0]["invocations"][0]["toolExecutionNotifications"].to_string();
    assert!(notes.contains("10 results left out") && notes.contains("49 further locations left out"), "{notes}");
}

#[test]
fn text_says_what_where_since_when_and_what_to_do() {
    let (report, _) = eventful();
    let text = plain(&text_of(&report, Format::Text));
    for expected in [
        "critical: Example access token [example-token]\n  tok_… (40 characters), high confidence, checksum is right",
        "with example-id tok_… (40 characters)",
        "  src/conf 0.rs:1:5  since aaaaaaaa (Jürgen, 2024-03-01), still in HEAD, not pushed\n",
        "and 15 more places (-v or --format json shows all)",
        "revoke: https://example.org/revoke",
        r"a\x1b[2J\u{202e}/tok_…\n::error::x",
        r"raw\xff\x9b.bin:7:5",
        "git rebase -i",
        "git filter-repo",
        "3 secrets found: 1 critical, 1 high, 1 medium\n",
        "scanned 60 commits, 500 blobs, 1.5 MB in 0.21 s with 80 rules\n",
        "2 below the minimum confidence (--min-confidence low",
        "2 suppressed: 1 by inline comments, 1 by the baseline",
        "3 in objects that no ref reaches (--unreachable",
        "accepted with --allow-gaps: shallow (1)",
        "INCOMPLETE: 6 things were not covered",
        "  unreadable (5)\n",
        "and 2 more (-v shows all)",
        "help: check that it exists",
    ] {
        assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
    }
    let all = plain(&String::from_utf8(written(&report, Format::Text, &verbose())).unwrap());
    assert!(all.contains("src/conf 24.rs") && !all.contains("more place"));
    assert!(all.contains("suppressed by inline: old.rs:3:5"));
}

#[test]
fn a_finding_in_text_takes_few_lines() {
    let mut report = clean();
    report.findings = vec![finding("r", Severity::High, &generated("", 20, 3), vec![location("a", 1)])];
    let text = plain(&text_of(&report, Format::Text));
    let lines = text.lines().take_while(|l| !l.is_empty()).count();
    assert_eq!(lines, 4, "{text}");
}

#[test]
fn a_clean_text_says_what_was_covered_and_an_incomplete_one_is_not_clean() {
    let text = plain(&text_of(&clean(), Format::Text));
    assert_eq!(text, "no secrets found\nscanned 1,234 files, 12.3 MB in 0.21 s with 80 rules\n");
    let mut report = clean();
    report.scan.gaps = vec![Gap::new(GapKind::NoInput, ".", "every file is ignored")];
    let text = plain(&text_of(&report, Format::Text));
    assert!(text.starts_with("no secrets found in what was covered\n"), "{text}");
    assert!(
        text.contains("INCOMPLETE: 1 thing was not covered\n  no-input (1)\n    .: every file is ignored\n"),
        "{text}"
    );
}

#[test]
fn gitlab_has_every_field_that_its_schema_requires() {
    let (report, _) = eventful();
    let json = json_of(&report, Format::Gitlab, &Options::default());
    assert!(json["version"].as_str().unwrap().starts_with("15.2."));
    let scan = &json["scan"];
    assert_eq!(scan["type"], "secret_detection");
    assert_eq!(scan["status"], "failure");
    assert_eq!(
        (&scan["start_time"], &scan["end_time"]),
        (&"2026-11-23T05:00:00".into(), &"2026-11-23T05:00:00".into())
    );
    for part in ["analyzer", "scanner"] {
        for field in ["id", "name", "version"] {
            assert_ne!(scan[part][field].as_str().unwrap(), "");
        }
        assert_ne!(scan[part]["vendor"]["name"].as_str().unwrap(), "");
    }
    for message in scan["messages"].as_array().unwrap() {
        assert!(["info", "warn", "fatal"].contains(&message["level"].as_str().unwrap()));
        assert_ne!(message["value"].as_str().unwrap(), "");
    }
    let vulnerabilities = json["vulnerabilities"].as_array().unwrap();
    assert_eq!(vulnerabilities.len(), 3);
    for vulnerability in vulnerabilities {
        let id: Vec<usize> = vulnerability["id"].as_str().unwrap().split('-').map(str::len).collect();
        assert_eq!(id, [8, 4, 4, 4, 12]);
        assert!(vulnerability["name"].as_str().unwrap().chars().count() <= 255);
        assert!(["Critical", "High", "Medium"].contains(&vulnerability["severity"].as_str().unwrap()));
        let identifier = &vulnerability["identifiers"][0];
        assert!(identifier["type"].is_string() && identifier["name"].is_string() && identifier["value"].is_string());
        assert_ne!(vulnerability["location"]["commit"]["sha"].as_str().unwrap(), "");
        assert!(vulnerability["location"]["file"].is_string());
    }
    assert_eq!(vulnerabilities[0]["details"]["places"]["items"].as_array().unwrap().len(), 24);
    assert_eq!(vulnerabilities[0]["raw_source_code_extract"], "tok_…");

    let mut report = clean();
    report.findings = vec![finding("r", Severity::Info, &generated("", 20, 3), vec![location("a", 1)])];
    let json = json_of(&report, Format::Gitlab, &Options::default());
    assert_eq!(json["scan"]["status"], "success");
    assert_eq!(json["vulnerabilities"][0]["location"]["commit"]["sha"], "0000000");
}

#[test]
fn junit_parses_and_counts() {
    use quick_xml::{Reader, events::Event};
    let (eventful, _) = eventful();
    for (report, expected) in [(&eventful, [11, 3, 6, 2]), (&clean(), [1, 0, 0, 0])] {
        let xml = text_of(report, Format::Junit);
        let mut reader = Reader::from_str(&xml);
        let mut counts = [0; 4];
        loop {
            match reader.read_event().expect("it is well-formed") {
                Event::Eof => break,
                Event::Start(element) | Event::Empty(element) => {
                    for attribute in element.attributes() {
                        attribute.unwrap().unescape_value().unwrap();
                    }
                    let names: [&[u8]; 4] = [b"testcase", b"failure", b"error", b"skipped"];
                    if let Some(i) = names.iter().position(|n| *n == element.name().as_ref()) {
                        counts[i] += 1;
                    }
                }
                _ => {}
            }
        }
        assert_eq!(counts, expected);
        let [tests, failures, errors, skipped] = expected;
        let totals = format!(r#"tests="{tests}" failures="{failures}" errors="{errors}" skipped="{skipped}""#);
        assert_eq!(xml.matches(&totals).count(), 2, "{xml}");
    }
}

#[test]
fn csv_parses_and_has_a_line_for_every_location() {
    let (report, _) = eventful();
    let out = written(&report, Format::Csv, &Options::default());
    let mut reader = csv::Reader::from_reader(&out[..]);
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 25 + 1 + 2);
    assert_eq!(&rows[0][column("path")], "src/conf 0.rs");
    assert_eq!(&rows[0][column("start_line")], "1");
    assert_eq!(&rows[0][column("secret")], "tok_…");
    assert_eq!(&rows[25][column("path")], "'=id", "no formula");
    assert!(rows[26][column("path")].contains(r#"\n::error::x|=1,"<&>"#));
}

#[test]
fn github_annotates_lines_and_says_what_was_not_covered() {
    let (report, _) = eventful();
    let text = text_of(&report, Format::Github);
    let commands: Vec<&str> = text.lines().filter(|l| l.starts_with("::")).collect();
    assert_eq!(commands.len(), 3 + 2, "{text}");
    let start =
        "::error file=src/conf 0.rs,line=1,endLine=1,col=5,endColumn=45,title=Example access token (example-token)::";
    assert!(commands[0].starts_with(start), "{}", commands[0]);
    assert!(commands[1].starts_with("::error file==id,line=1,endLine=4,title="), "{}", commands[1]);
    assert!(commands[2].starts_with("::warning title="), "not in the tree, no file to annotate: {}", commands[2]);
    assert!(commands[3].contains("unreadable (5)"));

    let mut summary = Vec::new();
    report::github::write_summary(&report, &mut summary).unwrap();
    let summary = String::from_utf8(summary).unwrap();
    assert!(summary.contains("| critical | `Example access token (example-token)` |"), "{summary}");
    assert!(summary.contains("INCOMPLETE") && summary.contains("**Not covered**"));
}

#[test]
fn replace_text_has_one_expression_a_line_longest_first() {
    let (mut report, secrets) = eventful();
    // A part of another secret, the name of a file only, and the same value under another rule.
    let part = &secrets[0][..20];
    report.findings.push(finding("part", Severity::Low, part, vec![location("a", 1)]));
    report.findings.push(finding("inner", Severity::Low, &secrets[3], vec![location("a", 1)]));
    let mut name = location("a", 1);
    name.place = Place::FileName;
    report.findings.push(finding("name", Severity::Low, &generated("", 20, 8), vec![name]));
    report.findings.push(finding("twice", Severity::Low, &secrets[0], vec![location("a", 1)]));
    let text = text_of(&report, Format::ReplaceText);
    let lines: Vec<&str> = text.lines().collect();
    let literal = |secret: &str| format!("literal:{secret}==>***REMOVED***");
    assert_eq!(lines.len(), 6, "{text}");
    assert!(lines.contains(&&literal(&secrets[1])[..]), "the half that another finding names");
    assert!(lines[0].starts_with(r"regex:\-\-\-\-\-BEGIN\n") && lines[0].ends_with("==>***REMOVED***"));
    assert!(lines.contains(&&literal(&secrets[0])[..]) && lines.contains(&&literal(&secrets[2])[..]));
    assert!(lines.contains(&&format!("regex:{}==>***REMOVED***", secrets[3])[..]), "inside the key, so after it");
    assert_eq!(lines[5], literal(part));
}
