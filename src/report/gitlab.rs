//! GitLab's secret detection report, schema 15.2: the file `gl-secret-detection-report.json`.
//!
//! One vulnerability a finding, at its first location; further places are among its details. The
//! schema demands a commit for every location: where a scan has none it is HEAD's, and without a
//! repository the seven zeros of GitLab's own analyzer. Never shows a value.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Report, json::write_value, mask::Mask, safe::Safe, words};
use crate::{
    finding::{Finding, Location, Place},
    rule::Severity,
};

/// The version of the schema.
const VERSION: &str = "15.2.1";
/// Where the schema is published.
const SCHEMA: &str = "https://gitlab.com/gitlab-org/security-products/security-report-schemas/-/raw/v15.2.1/dist/secret-detection-report-format.json";
/// Stands for a commit where there is no repository.
const NO_COMMIT: &str = "0000000";
/// Most places of one finding that are listed.
const PLACES: usize = 100;
/// Longest name, in characters.
const LONGEST_NAME: usize = 255;

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        version: &'static str,
        schema: &'static str,
        scan: Value,
        #[serde(serialize_with = "each")]
        vulnerabilities: (&'a Report, &'a Mask),
    }
    fn each<S: serde::Serializer>((report, mask): &(&Report, &Mask), serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(report.findings.iter().map(|f| vulnerability(f, report, mask)))
    }
    let mask = Mask::of(report);
    let document =
        Document { version: VERSION, schema: SCHEMA, scan: scan(report, &mask), vulnerabilities: (report, &mask) };
    write_value(&document, out)
}

fn scan(report: &Report, mask: &Mask) -> Value {
    let scan = &report.scan;
    let component = json!({
        "id": "keysift", "name": "keysift", "url": words::HOME, "version": words::VERSION,
        "vendor": { "name": "keysift" },
    });
    let (start, end) = words::times(scan).unwrap_or_default();
    let time = |t: jiff::Timestamp| t.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let message = |level, value| json!({ "level": level, "value": value });
    let rules = words::count(scan.rules, "rule");
    let mut messages = vec![message("info", format!("scanned {} with {rules}", words::covered(scan)))];
    for (gaps, level, verb) in [(&scan.gaps, "warn", "not covered"), (&scan.accepted_gaps, "info", "accepted")] {
        for (kind, gaps) in words::by_kind(gaps) {
            let first = gaps[0];
            let (place, reason) = (mask.safe(&first.place), mask.safe(first.reason.as_bytes()));
            let (name, n) = (kind.name(), words::number(gaps.len() as u64));
            messages.push(message(level, format!("{verb}: {name} ({n}), first {place}: {reason}; {}", kind.remedy())));
        }
    }
    json!({
        "analyzer": component, "scanner": component, "type": "secret_detection",
        "start_time": time(start), "end_time": time(end),
        "status": if scan.is_complete() { "success" } else { "failure" },
        "messages": messages,
    })
}

fn vulnerability(finding: &Finding, report: &Report, mask: &Mask) -> Value {
    let rule = &finding.rule;
    let description = Safe(rule.description.as_bytes()).to_string();
    let mut vulnerability = json!({
        "id": uuid(finding),
        "name": words::cut(&description, LONGEST_NAME),
        "description": words::message(finding, mask),
        "severity": match finding.severity {
            Severity::Info => "Info",
            Severity::Low => "Low",
            Severity::Medium => "Medium",
            Severity::High => "High",
            Severity::Critical => "Critical",
        },
        "identifiers": [
            { "type": "keysift_rule_id", "name": format!("keysift rule {}", rule.id), "value": rule.id },
            { "type": "cwe", "name": "CWE-798", "value": "798", "url": "https://cwe.mitre.org/data/definitions/798.html" },
        ],
        "raw_source_code_extract": Safe(finding.secret.redacted().as_bytes()).to_string(),
    });
    let fields = vulnerability.as_object_mut().expect("it is an object");
    if let Some(first) = finding.locations.first() {
        fields.insert("location".to_owned(), location(first, report, mask));
    }
    let links = [("Format", &rule.docs), ("Revoke or replace", &rule.rotate)];
    let links: Vec<Value> = links
        .into_iter()
        .filter_map(|(name, url)| Some((name, url.as_ref()?)))
        .filter(|(_, url)| url.starts_with("https://") || url.starts_with("http://"))
        .map(|(name, url)| json!({ "name": name, "url": url }))
        .collect();
    if !links.is_empty() {
        fields.insert("links".to_owned(), links.into());
    }
    if let Some(rotate) = &rule.rotate {
        fields
            .insert("solution".to_owned(), format!("Revoke or replace it first: {}", words::cut(rotate, 6000)).into());
    }
    if finding.locations.len() > 1 {
        let items: Vec<Value> = finding.locations[1..].iter().take(PLACES).map(|l| place(l, mask)).collect();
        let name = match finding.locations.len() - 1 {
            all if all > PLACES => format!("Further places ({PLACES} of {})", words::number(all as u64)),
            _ => "Further places".to_owned(),
        };
        let mut details = Map::new();
        details.insert("places".to_owned(), json!({ "name": name, "type": "list", "items": items }));
        fields.insert("details".to_owned(), details.into());
    }
    vulnerability
}

fn location(location: &Location, report: &Report, mask: &Mask) -> Value {
    let commit = match (&location.commit, &report.scan.repository) {
        (Some(commit), _) => json!({ "sha": commit.id, "author": mask.lossy(&commit.author), "date": commit.date }),
        (None, Some(repository)) => json!({ "sha": repository.head.as_deref().unwrap_or(NO_COMMIT) }),
        (None, None) => json!({ "sha": NO_COMMIT }),
    };
    json!({
        "file": mask.lossy(&location.path),
        "start_line": location.start.line,
        "end_line": location.end.line,
        "commit": commit,
    })
}

fn place(location: &Location, mask: &Mask) -> Value {
    if location.place == Place::Content && !location.path.is_empty() && location.start.line > 0 {
        json!({
            "type": "file-location",
            "file_name": mask.lossy(&location.path),
            "line_start": location.start.line,
            "line_end": location.end.line.max(location.start.line),
        })
    } else {
        json!({ "type": "text", "value": words::position(location, mask) })
    }
}

/// An identifier in the form of a UUID (version 8), the same in every run.
fn uuid(finding: &Finding) -> String {
    let mut hash = blake3::Hasher::new_derive_key("keysift 2026-11 GitLab vulnerability id v1");
    hash.update(finding.fingerprint.as_str().as_bytes());
    let hex = hash.finalize().to_hex();
    format!("{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}
