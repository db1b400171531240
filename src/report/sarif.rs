//! SARIF 2.1.0, as GitHub's code scanning takes it: one run, one result a finding.
//!
//! It never shows a value: no snippet, redacted messages, redacted names. GitHub ignores SARIF's
//! `suppressions` and would open an alert for each suppressed result (github/codeql-action#1230), so
//! these are written with [`Options::verbose`] only; a notification always counts them.
//!
//! GitHub refuses more than 25,000 results, 25,000 rules or 10 MB compressed. The report has its most
//! severe findings first; what is beyond the limits below is cut from the end, and a notification
//! says so. They keep the largest file under 10 MB, at some 200 compressed bytes a result and 80 a
//! related location.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, Message, MultiformatMessageString, Notification, PhysicalLocation,
    PropertyBag, Region, ReportingConfiguration, ReportingDescriptor, ReportingDescriptorReference,
    ReportingDescriptorRelationship, Result as SarifResult, ResultLevel, Run, RunAutomationDetails, Suppression, Tool,
    ToolComponent, ToolComponentReference, VersionControlDetails,
};

use super::{Options, Report, json::write_value, mask::Mask, safe::Safe, words};
use crate::{
    finding::{self, Finding, Place, SuppressedBy},
    gap::{Gap, GapKind},
    rule::{Confidence, Kind, Rule, Severity},
};

/// Where the schema of the standard is.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// What relative paths are relative to.
const ROOT: &str = "%SRCROOT%";
/// Most results.
const RESULTS: usize = 25_000;
/// Most rules.
const RULES: usize = 5_000;
/// Most related locations of one result: GitHub keeps no more.
const RELATED: usize = 100;
/// Most related locations of all results together.
const ALL_RELATED: usize = 40_000;
/// Most tags of one rule: GitHub keeps no more.
const TAGS: usize = 10;
/// Most notifications of one kind of gap.
const NOTIFICATIONS: usize = 1_000;
/// Longest description, in characters.
const DESCRIPTION: usize = 1_000;

/// Writes one log with one run.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Log<'a> {
        #[serde(rename = "$schema")]
        schema: &'static str,
        version: &'static str,
        runs: [StreamedRun<'a>; 1],
    }
    #[derive(Serialize)]
    struct StreamedRun<'a> {
        #[serde(flatten)]
        run: Run,
        #[serde(serialize_with = "Selection::serialize")]
        results: &'a Selection<'a>,
    }
    let selection = Selection::of(report, options);
    let run = StreamedRun { run: selection.run(options), results: &selection };
    write_value(&Log { schema: SCHEMA, version: "2.1.0", runs: [run] }, out)
}

/// What of a report fits into the limits.
struct Selection<'a> {
    report: &'a Report,
    mask: Mask,
    /// The rules of the chosen findings by id, with their index.
    rules: BTreeMap<&'a str, (usize, &'a Rule)>,
    /// The chosen findings, each with how many related locations it may have.
    chosen: Vec<(&'a Finding, usize)>,
    /// How many findings were cut.
    cut: usize,
    /// How many related locations were cut.
    cut_places: usize,
}

impl<'a> Selection<'a> {
    fn of(report: &'a Report, options: &Options) -> Self {
        let suppressed = if options.verbose { &report.suppressed[..] } else { &[] };
        let mut selection = Selection {
            report,
            mask: Mask::of(report),
            rules: BTreeMap::new(),
            chosen: Vec::new(),
            cut: 0,
            cut_places: 0,
        };
        let mut budget = ALL_RELATED;
        for finding in report.findings.iter().chain(suppressed) {
            let known = selection.rules.contains_key(finding.rule.id.as_str());
            if selection.chosen.len() == RESULTS || (!known && selection.rules.len() == RULES) {
                selection.cut += 1;
                continue;
            }
            selection.rules.entry(&finding.rule.id).or_insert((0, &finding.rule));
            let wanted = finding.partners.len() + finding.locations.len().saturating_sub(1);
            let granted = wanted.min(RELATED).min(budget);
            budget -= granted;
            selection.cut_places += wanted - granted;
            selection.chosen.push((finding, granted));
        }
        for (index, (slot, _)) in selection.rules.values_mut().enumerate() {
            *slot = index;
        }
        selection
    }

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.chosen.iter().map(|(finding, related)| self.result(finding, *related)))
    }

    fn run(&self, options: &Options) -> Run {
        let scan = &self.report.scan;
        let category = options.category.as_ref().map(|c| format!("{c}/")).unwrap_or_default();
        let id = format!("keysift/{}/{category}", scan.mode.name());
        let mut run = Run::builder()
            .tool(Tool::builder().driver(self.driver()).build())
            .automation_details(RunAutomationDetails::builder().id(id).build())
            .column_kind("unicodeCodePoints")
            .invocations(vec![self.invocation(options)])
            .original_uri_base_ids(BTreeMap::from([(ROOT.to_owned(), self.root())]))
            .taxonomies(vec![cwe()])
            .properties(properties([
                ("covered", json!(words::covered(scan))),
                ("belowConfidence", json!(scan.below_confidence)),
                ("unreachable", json!(scan.unreachable)),
                ("suppressed", json!(self.report.suppressed.len())),
                ("rules", json!(scan.rules)),
                ("rulesHash", json!(scan.rules_hash)),
            ]))
            .build();
        run.version_control_provenance = self.provenance().map(|details| vec![details]);
        run
    }

    fn driver(&self) -> ToolComponent {
        let kinds = GapKind::ALL.iter().map(|kind| {
            ReportingDescriptor::builder()
                .id(kind.name())
                .short_description(text(&format!("Not covered: {}", kind.name())))
                .help(text(kind.remedy()))
                .build()
        });
        ToolComponent::builder()
            .name("keysift")
            .version(words::VERSION)
            .semantic_version(words::VERSION)
            .information_uri(words::HOME)
            .rules(self.rules.values().map(|(_, rule)| descriptor(rule)).collect::<Vec<_>>())
            .notifications(kinds.collect::<Vec<_>>())
            .supported_taxonomies(vec![ToolComponentReference::builder().name("CWE").index(0).build()])
            .build()
    }

    /// What relative paths are relative to: a URI where the repository's root is known.
    fn root(&self) -> ArtifactLocation {
        let root = self.report.scan.repository.as_ref().map(|r| r.root.replace('\\', "/"));
        let windows = root.as_ref().is_some_and(|r| r.as_bytes().get(1) == Some(&b':'));
        match root {
            Some(root) if root.starts_with('/') || windows => {
                let slash = if windows { "/" } else { "" };
                let path = encoded(&self.mask.apply(root.trim_end_matches('/').as_bytes()));
                ArtifactLocation::builder().uri(format!("file://{slash}{path}/")).build()
            }
            _ => ArtifactLocation::builder().description(Message::from("The root of what was scanned.")).build(),
        }
    }

    fn provenance(&self) -> Option<VersionControlDetails> {
        let repository = self.report.scan.repository.as_ref()?;
        let remote = self.mask.lossy(repository.remote.as_ref()?.as_bytes()).into_owned();
        let root = ArtifactLocation::builder().uri_base_id(ROOT).build();
        let mut details = VersionControlDetails::builder().repository_uri(absolute(&remote)?).mapped_to(root).build();
        details.revision_id.clone_from(&repository.head);
        details.branch = repository.branch.as_ref().map(|b| self.mask.lossy(b.as_bytes()).into_owned());
        Some(details)
    }

    fn invocation(&self, options: &Options) -> Invocation {
        let scan = &self.report.scan;
        let mut notifications = Vec::new();
        for (gaps, level) in [(&scan.gaps, "error"), (&scan.accepted_gaps, "note")] {
            for (kind, gaps) in words::by_kind(gaps) {
                notifications.extend(gaps.iter().take(NOTIFICATIONS).map(|gap| self.gap(gap, level)));
                if let Some(more) = gaps.len().checked_sub(NOTIFICATIONS).filter(|n| *n > 0) {
                    notifications.push(notification(level, format!("and {more} more of the kind {}", kind.name())));
                }
            }
        }
        if self.cut > 0 {
            let cut = words::count(self.cut, "result");
            let kept = words::number(self.chosen.len() as u64);
            let why = format!("{cut} left out, the least severe: the file holds {kept}, and GitHub takes no more");
            notifications.push(notification("warning", why));
        }
        if self.cut_places > 0 {
            let cut = words::count(self.cut_places, "further location");
            notifications.push(notification("note", format!("{cut} left out; the JSON report has all")));
        }
        if !self.report.suppressed.is_empty() {
            let (n, by) = (self.report.suppressed.len(), words::by_suppression(&self.report.suppressed));
            notifications.push(notification("note", format!("{} suppressed: {by}", words::count(n, "result"))));
        }
        notifications.extend(scan.remarks.iter().map(|r| notification("note", self.mask.safe(r.as_bytes()))));
        let mut invocation = Invocation::builder()
            .execution_successful(scan.is_complete())
            .exit_code(i64::from(options.exit_code))
            .tool_execution_notifications(notifications)
            .build();
        if let Some((start, end)) = words::times(scan) {
            invocation.start_time_utc = Some(format!("{start:.3}"));
            invocation.end_time_utc = Some(format!("{end:.3}"));
        }
        invocation
    }

    fn gap(&self, gap: &Gap, level: &str) -> Notification {
        let (place, reason) = (self.mask.safe(&gap.place), self.mask.safe(gap.reason.as_bytes()));
        let accepted = if level == "note" { " (accepted)" } else { "" };
        let message = format!("not covered{accepted}: {place}: {reason}; {}", gap.kind.remedy());
        let index = GapKind::ALL.iter().position(|k| *k == gap.kind).unwrap_or_default() as i64;
        let mut notification = notification(level, message);
        notification.descriptor =
            Some(ReportingDescriptorReference::builder().id(gap.kind.name()).index(index).build());
        notification.properties = Some(properties([("kind", json!(gap.kind.name())), ("place", json!(place))]));
        notification
    }

    fn result(&self, finding: &Finding, related: usize) -> SarifResult {
        let mut result = SarifResult::builder()
            .rule_id(finding.rule.id.clone())
            .rule_index(self.rules.get(finding.rule.id.as_str()).map_or(-1, |(index, _)| *index as i64))
            .level(level(finding.severity))
            .message(Message::from(&words::message(finding, &self.mask)))
            .fingerprints(BTreeMap::from([("secretHash/v1".to_owned(), finding.fingerprint.as_str().to_owned())]))
            .properties(self.result_properties(finding))
            .build();
        let mut locations = finding.locations.iter();
        if let Some(first) = locations.next() {
            result.locations = Some(vec![self.location(first)]);
            result.partial_fingerprints =
                first.line_hash.clone().map(|hash| BTreeMap::from([("primaryLocationLineHash".to_owned(), hash)]));
        }
        if related > 0 {
            let partners = finding.partners.iter().filter_map(|partner| {
                let with = format!("with {} ({})", Safe(partner.rule.as_bytes()), words::redacted(&partner.secret));
                Some((partner.locations.first()?, with))
            });
            let further = partners.chain(locations.map(|location| (location, self.whence(location))));
            let numbered = further.take(related).zip(1..).map(|((location, message), id)| {
                let mut related = self.location(location);
                related.id = Some(id);
                related.message = Some(Message::from(&message));
                related
            });
            result.related_locations = Some(numbered.collect());
        }
        result.suppressions = finding.suppression.as_ref().map(|suppression| {
            let reason = suppression.reason.as_ref().map(|r| self.mask.safe(r.as_bytes()));
            let by = words::suppressor(suppression.by);
            let inline = suppression.by == SuppressedBy::Inline;
            vec![
                Suppression::builder()
                    .kind(if inline { "inSource" } else { "external" })
                    .status("accepted")
                    .justification(reason.map_or_else(|| format!("by {by}"), |reason| format!("by {by}: {reason}")))
                    .build(),
            ]
        });
        result
    }

    fn result_properties(&self, finding: &Finding) -> PropertyBag {
        let mut bag = properties([
            ("confidence", json!(finding.confidence.name())),
            ("severity", json!(finding.severity.name())),
            ("places", json!(finding.locations.len())),
        ]);
        let mut add = |key: &str, value: Value| bag.additional_properties.insert(key.to_owned(), value);
        if let Some(first) = finding.locations.first() {
            if let Some(commit) = &first.commit {
                add("commit", json!(commit.id));
                add("author", json!(self.mask.lossy(&commit.author)));
                add("email", json!(self.mask.lossy(&commit.email)));
                add("date", json!(commit.date));
            }
            if let Some(blob) = &first.blob {
                add("blob", json!(blob));
            }
            if let Some(in_head) = first.in_head {
                add("inHead", json!(in_head));
            }
            if let Some(pushed) = first.pushed {
                add("pushed", json!(pushed));
            }
            if first.unreachable {
                add("unreachable", json!(true));
            }
        }
        bag
    }

    fn location(&self, location: &finding::Location) -> Location {
        let (start, end) = (location.start, location.end);
        let region = match location.place {
            // Not a text of lines: the region is the start of the file.
            Place::FileName | Place::RefName => region(1, 1, 1, 1),
            _ => region(start.line, start.column, end.line, end.column),
        };
        let physical =
            PhysicalLocation::builder().artifact_location(self.artifact(&location.path)).region(region).build();
        Location::builder().physical_location(physical).build()
    }

    fn artifact(&self, path: &[u8]) -> ArtifactLocation {
        let path = self.mask.apply(path);
        let path = path.strip_prefix(b"./").unwrap_or(&path);
        match path {
            [] => ArtifactLocation::builder().uri("unnamed").uri_base_id(ROOT).build(),
            [b'/', ..] => ArtifactLocation::builder().uri(format!("file://{}", encoded(path))).build(),
            _ => ArtifactLocation::builder().uri(encoded(path)).uri_base_id(ROOT).build(),
        }
    }

    /// The message of a further location.
    fn whence(&self, location: &finding::Location) -> String {
        let mut parts = vec!["also here".to_owned()];
        parts.extend(location.commit.as_ref().map(|c| format!("since {}", words::commit(c, &self.mask))));
        parts.extend(words::standing(location).into_iter().map(str::to_owned));
        parts.join(", ")
    }
}

fn descriptor(rule: &Rule) -> ReportingDescriptor {
    let description = Safe(rule.description.as_bytes()).to_string();
    let description = words::cut(&description, DESCRIPTION);
    let (plain, markdown) = help(rule, description);
    let mut tags: Vec<String> = ["security", "secret", "external/cwe/cwe-798"].map(str::to_owned).to_vec();
    for tag in &rule.tags {
        if tags.len() < TAGS && !tags.contains(tag) && !tag.is_empty() {
            tags.push(tag.clone());
        }
    }
    let precision = match rule.confidence {
        Confidence::High if rule.checksum.is_some() => "very-high",
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    };
    let security_severity = match rule.severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "1.0",
    };
    let mut bag = properties([("precision", json!(precision)), ("security-severity", json!(security_severity))]);
    bag.tags = Some(tags);
    let level = json!(level(rule.severity));
    let weakness = ReportingDescriptorReference::builder().id("798").index(0).tool_component(cwe_reference()).build();
    let mut descriptor = ReportingDescriptor::builder()
        .id(rule.id.clone())
        .name(pascal_case(&rule.id))
        .short_description(text(description))
        .full_description(text(&match rule.kind {
            Kind::Path => format!("A file that should not be in a repository: {description}."),
            _ => format!("A secret in plain text: {description}. Whoever can read the repository can use it."),
        }))
        .help(MultiformatMessageString::builder().text(plain).markdown(markdown).build())
        .default_configuration(ReportingConfiguration::builder().level(level).build())
        .relationships(vec![
            ReportingDescriptorRelationship::builder().target(weakness).kinds(vec!["superset".to_owned()]).build(),
        ])
        .properties(bag)
        .build();
    descriptor.help_uri = [&rule.docs, &rule.rotate].into_iter().flatten().find(|uri| is_web(uri)).cloned();
    descriptor
}

/// What a person reads who opens an alert, as plain text and as Markdown.
fn help(rule: &Rule, description: &str) -> (String, String) {
    let (mut plain, mut markdown) = (format!("What: {description}."), format!("**What:** {description}.\n"));
    let mut add = |title: &str, value: &Option<String>| {
        if let Some(value) = value {
            let value = Safe(value.as_bytes()).to_string();
            plain += &format!(" {title}: {value}");
            let value = if is_web(&value) { format!("<{value}>") } else { value };
            markdown += &format!("\n**{title}:** {value}\n");
        }
    };
    add("Revoke or replace it at", &rule.rotate);
    add("Format documented at", &rule.docs);
    let steps = [
        "Revoke or replace the secret. Whoever has a copy of the repository has it already.",
        "Take it out of the files; read it from the environment or a secret store instead.",
        "Take it out of the history, if it must not be seen: `git filter-repo --replace-text`.",
    ];
    markdown += "\n**What to do**\n\n";
    for (i, step) in steps.iter().enumerate() {
        plain += &format!(" {}. {step}", i + 1);
        markdown += &format!("{}. {step}\n", i + 1);
    }
    (plain, markdown)
}

fn level(severity: Severity) -> ResultLevel {
    match severity {
        Severity::Critical | Severity::High => ResultLevel::Error,
        Severity::Medium => ResultLevel::Warning,
        Severity::Low | Severity::Info => ResultLevel::Note,
    }
}

fn notification(level: &str, message: String) -> Notification {
    Notification::builder().level(level).message(Message::from(&message)).build()
}

fn text(text: &str) -> MultiformatMessageString {
    MultiformatMessageString::builder().text(text).build()
}

fn properties<const N: usize>(entries: [(&str, Value); N]) -> PropertyBag {
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    PropertyBag::builder().additional_properties(BTreeMap::from(entries)).build()
}

/// A region that GitHub takes: every number at least 1, the end not before the start.
fn region(start_line: u32, start_column: u32, end_line: u32, end_column: u32) -> Region {
    let (start_line, start_column) = (start_line.max(1), start_column.max(1));
    let end_line = end_line.max(start_line);
    let end_column = if end_line == start_line { end_column.max(start_column) } else { end_column.max(1) };
    Region::builder()
        .start_line(start_line)
        .start_column(start_column)
        .end_line(end_line)
        .end_column(end_column)
        .build()
}

/// The Common Weakness Enumeration, as far as it is needed.
fn cwe() -> ToolComponent {
    let weakness = ReportingDescriptor::builder()
        .id("798")
        .name("UseOfHardCodedCredentials")
        .short_description(text("Use of Hard-coded Credentials"))
        .help_uri("https://cwe.mitre.org/data/definitions/798.html")
        .build();
    ToolComponent::builder()
        .name("CWE")
        .organization("MITRE")
        .short_description(text("The MITRE Common Weakness Enumeration"))
        .information_uri("https://cwe.mitre.org/")
        .taxa(vec![weakness])
        .build()
}

fn cwe_reference() -> ToolComponentReference {
    ToolComponentReference::builder().name("CWE").index(0).build()
}

fn is_web(uri: &str) -> bool {
    let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"".contains(&b)))
}

/// `github-fine-grained-pat` as `GithubFineGrainedPat`.
fn pascal_case(id: &str) -> String {
    let words = id.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let capital = |w: &str| {
        let mut letters = w.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    words::join(words.map(capital), "")
}

/// A path as a relative URI: every byte that is not surely harmless is percent-encoded.
fn encoded(path: &[u8]) -> String {
    let mut uri = String::with_capacity(path.len());
    for &byte in path {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(byte.into()),
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

/// The URL of a remote as an absolute URI; `None` for local paths.
fn absolute(remote: &str) -> Option<String> {
    let keep = |uri: &str| {
        uri.bytes()
            .map(|b| if b.is_ascii_graphic() { char::from(b).to_string() } else { format!("%{b:02X}") })
            .collect()
    };
    match remote.split_once("://") {
        Some((scheme, rest)) => {
            let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
            // Credentials should be gone already; make sure.
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            valid.then(|| keep(&format!("{scheme}://{host}/{path}")))
        }
        // host:path, the way of scp.
        None => {
            let (host, path) = remote.split_once(':')?;
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            let remote = host.len() > 1 && !host.contains(['/', '\\']);
            remote.then(|| keep(&format!("ssh://{host}/{}", path.trim_start_matches('/'))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris_byte_by_byte() {
        assert_eq!(encoded(b"src/a b%#?:\xff.rs"), "src/a%20b%25%23%3F%3A%FF.rs");
        assert_eq!(encoded("ä".as_bytes()), "%C3%A4");
    }

    #[test]
    fn remotes_become_absolute_uris_without_users() {
        assert_eq!(absolute("git@example.org:o/r.git").unwrap(), "ssh://example.org/o/r.git");
        assert_eq!(absolute("https://user:word@example.org/o/r").unwrap(), "https://example.org/o/r");
        assert_eq!(absolute("/srv/git/r.git"), None);
        assert_eq!(absolute(r"C:\git\r"), None);
    }

    #[test]
    fn names_are_in_pascal_case() {
        assert_eq!(pascal_case("github-fine-grained-pat"), "GithubFineGrainedPat");
    }
}
