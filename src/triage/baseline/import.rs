//! Other tools' lists of known findings: gitleaks' reports and `.gitleaksignore`, betterleaks'
//! `.betterleaksignore`, detect-secrets' baselines, and keysift's own reports.

use std::collections::BTreeSet;

use bstr::{BStr, BString, ByteSlice};
use serde::Deserialize;

use super::{
    ANY_RULE, Baseline, Entry, Note, Spot, entry_of,
    hash::{Hash, Salt, hex, spellings, unhex},
};
use crate::{
    error::{Error, Result},
    finding::Finding,
    triage::tidy_foreign,
};

/// The shortest value of a report that is taken for part of one of our secrets, or the other way round.
const SHORTEST_PART: usize = 8;

/// Reads the file at a path in a commit, or in the working tree.
pub type ReadAt<'a> = &'a dyn Fn(Option<&str>, &BStr) -> Option<Vec<u8>>;

/// What foreign entries are compared with: findings, and the files that they were found in.
#[derive(Clone, Copy)]
pub struct Resolver<'a> {
    /// The findings of a scan without a baseline.
    pub findings: &'a [Finding],
    /// Reads files, so that entries with a commit and a line can be looked up where they point.
    pub read: Option<ReadAt<'a>>,
}

/// What an import did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What it was, for people.
    pub what: &'static str,
    /// Entries that were added.
    pub added: Vec<Entry>,
    /// What could not be carried over, a sentence each.
    pub left: Vec<String>,
}

/// A finding in a report of gitleaks.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Leak {
    #[serde(rename = "RuleID")]
    rule: String,
    file: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    start_line: u32,
    #[serde(default)]
    commit: String,
}

/// keysift's own report, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Report {
    schema: String,
    findings: Vec<Known>,
}

#[derive(Debug, Deserialize)]
struct Known {
    rule: String,
    fingerprint: String,
    locations: Vec<KnownPlace>,
}

#[derive(Debug, Deserialize)]
struct KnownPlace {
    path: String,
    #[serde(default)]
    place: String,
}

/// A baseline of detect-secrets.
#[derive(Debug, Deserialize)]
struct DetectSecrets {
    results: std::collections::BTreeMap<String, Vec<Detected>>,
}

#[derive(Debug, Deserialize)]
struct Detected {
    hashed_secret: String,
    #[serde(default)]
    is_secret: Option<bool>,
}

/// Reads a report as a baseline.
pub(super) fn report(bytes: &[u8], name: &str) -> Result<Baseline> {
    let fail = |e: serde_json::Error| {
        Error::new(format!("cannot read {name} as a baseline"))
            .because(e)
            .help("it may be keysift's baseline, or a JSON report of keysift or gitleaks; `keysift baseline import` reads more")
    };
    let mut baseline = Baseline {
        name: name.to_owned(),
        salts: BTreeSet::new(),
        entries: BTreeSet::new(),
        history: false,
        redacted: 0,
    };
    if bytes.trim_ascii_start().starts_with(b"[") {
        let leaks: Vec<Leak> = serde_json::from_slice(bytes).map_err(fail)?;
        let salt = Salt::transient();
        for leak in leaks {
            if is_redacted(&leak.secret) {
                baseline.redacted += 1;
                continue;
            }
            baseline.salts.insert(salt);
            let spot = Spot::Path(tidy_foreign(&leak.file));
            baseline.entries.insert(Entry::new(ANY_RULE, salt.hash(leak.secret.as_bytes()), spot));
        }
        // Such a report may be of a history, and does not say so.
        baseline.history = true;
        return Ok(baseline);
    }
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(fail)?;
    if value.get("results").is_some() && value.get("schema").is_none() {
        let mut none = Vec::new();
        baseline.entries.extend(detected(bytes, name, &mut none)?);
        return Ok(baseline);
    }
    let report: Report = serde_json::from_value(value).map_err(fail)?;
    if !report.schema.starts_with("keysift/report/v1") {
        return Err(Error::new(format!("cannot read {name} as a baseline"))
            .because(format!("its schema is `{}`", report.schema))
            .help("keysift/report/v1 is understood"));
    }
    for known in report.findings {
        let hash = unhex(&known.fingerprint).map(Hash::Fingerprint).ok_or_else(|| {
            Error::new(format!("cannot read {name} as a baseline"))
                .because(format!("`{}` is no fingerprint", known.fingerprint))
        })?;
        for place in known.locations {
            let spot = match place.place.as_str() {
                "file-name" | "name" => Spot::FileName,
                "commit" => Spot::Commit,
                "tag" => Spot::Tag,
                "ref" | "ref-name" => Spot::Ref,
                _ => Spot::Path(place.path.into()),
            };
            baseline.entries.insert(Entry::new(&known.rule, hash, spot));
        }
    }
    baseline.history = true;
    Ok(baseline)
}

/// Whether gitleaks wrote something else in the place of a value.
fn is_redacted(secret: &str) -> bool {
    secret.is_empty() || secret == "REDACTED" || secret.ends_with("...")
}

impl Baseline {
    /// Takes over another tool's list of known findings, whichever it is: it is told by its content.
    ///
    /// # Errors
    /// It is none of those that are understood, or malformed.
    pub fn import(&mut self, bytes: &[u8], name: &str, resolver: Resolver<'_>, note: &Note) -> Result<Imported> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut imported = Imported::default();
        let salt = self.salt()?;
        let entries = match bytes.trim_ascii_start().first() {
            Some(b'[') => {
                imported.what = "a report of gitleaks";
                let leaks: Vec<Leak> = serde_json::from_slice(bytes)
                    .map_err(|e| Error::new(format!("cannot read {name} as a report of gitleaks")).because(e))?;
                leaks.iter().flat_map(|leak| resolver.leak(leak, &salt, &mut imported.left)).collect()
            }
            Some(b'{') => {
                let other = match serde_json::from_slice::<DetectSecrets>(bytes) {
                    Ok(_) => {
                        imported.what = "a baseline of detect-secrets";
                        detected(bytes, name, &mut imported.left)?
                    }
                    Err(_) => {
                        imported.what = "a report of keysift";
                        report(bytes, name)?.entries.into_iter().collect()
                    }
                };
                other.into_iter().flat_map(|entry| resolver.hashed(entry, &salt)).collect()
            }
            _ if bytes.trim_ascii_start().starts_with(b"# keysift-baseline") => {
                imported.what = "a baseline of keysift";
                let other = Baseline::parse(bytes, name)?;
                let new = other.beyond(self).cloned().collect();
                self.merge(other);
                imported.added = new;
                return Ok(imported);
            }
            _ => {
                imported.what = "an ignore file of gitleaks or betterleaks";
                resolver.ignore_lines(bytes, name, &salt, &mut imported.left)
            }
        };
        let entries: BTreeSet<Entry> = entries;
        for entry in entries {
            let entry = entry.with(note);
            if self.entries.insert(entry.clone()) {
                imported.added.push(entry);
            }
        }
        self.history |= resolver.findings.iter().any(super::is_of_history);
        imported.left.sort();
        imported.left.dedup();
        Ok(imported)
    }
}

/// The entries of a baseline of detect-secrets.
fn detected(bytes: &[u8], name: &str, left: &mut Vec<String>) -> Result<Vec<Entry>> {
    let file: DetectSecrets = serde_json::from_slice(bytes)
        .map_err(|e| Error::new(format!("cannot read {name} as a baseline of detect-secrets")).because(e))?;
    let mut entries = Vec::new();
    for (path, all) in file.results {
        for one in all {
            let Some(hash) = unhex(&one.hashed_secret).map(Hash::Sha1) else {
                left.push(format!("{name}: `{}` in {path} is no SHA-1", one.hashed_secret));
                continue;
            };
            let reason = one.is_secret.map(|real| {
                if real { "audited in detect-secrets: a real secret" } else { "audited in detect-secrets: no secret" }
                    .to_owned()
            });
            entries.push(Entry { reason, ..Entry::new(ANY_RULE, hash, Spot::Path(tidy_foreign(&path))) });
        }
    }
    Ok(entries)
}

/// A line of `.gitleaksignore`: `[commit:]file:rule:line`.
struct Fingerprint<'a> {
    commit: Option<&'a str>,
    file: BString,
    rule: &'a str,
    line: u32,
}

impl<'a> Fingerprint<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (rest, line) = text.rsplit_once(':')?;
        let (rest, rule) = rest.rsplit_once(':')?;
        let line = line.trim().parse().ok()?;
        let is_id = |id: &str| matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
        let (commit, file) = match rest.split_once(':') {
            Some((id, file)) if is_id(id) => (Some(id), file),
            _ => (None, rest),
        };
        (!file.is_empty() && !rule.is_empty()).then(|| Fingerprint { commit, file: tidy_foreign(file), rule, line })
    }
}

impl Resolver<'_> {
    /// Our own entries in the place of one that has a peer's hash; itself, if nothing here matches it.
    fn hashed(&self, entry: Entry, salt: &Salt) -> Vec<Entry> {
        let matches = |finding: &&Finding| {
            let secret = finding.secret.expose();
            match entry.hash {
                Hash::Sha1(_) => spellings(secret).into_iter().any(|s| Hash::sha1(s) == entry.hash),
                Hash::Sha256(_) => spellings(secret).into_iter().any(|s| Hash::sha256(s) == entry.hash),
                Hash::Fingerprint(digest) => finding.fingerprint.as_str() == hex(&digest),
                Hash::Keyed { .. } => false,
            }
        };
        let mut ours: Vec<Entry> = Vec::new();
        for finding in self.findings.iter().filter(matches) {
            let hash = salt.hash(finding.secret.expose());
            let spots: BTreeSet<Spot> = finding.locations.iter().map(Spot::of).collect();
            let here = spots.into_iter().filter(|spot| entry.spot == Spot::Anywhere || entry.spot == *spot);
            ours.extend(here.map(|spot| Entry { reason: entry.reason.clone(), ..entry_of(finding, hash, spot) }));
        }
        // A hash for any place goes on to hold where this scan did not look.
        if ours.is_empty() || entry.spot == Spot::Anywhere { vec![entry] } else { ours }
    }

    /// The entries of a finding of gitleaks.
    fn leak(&self, leak: &Leak, salt: &Salt, left: &mut Vec<String>) -> Vec<Entry> {
        let path = tidy_foreign(&leak.file);
        let spot = Spot::Path(path.clone());
        if is_redacted(&leak.secret) {
            let commit = (!leak.commit.is_empty()).then_some(leak.commit.as_str());
            let mark = Fingerprint { commit, file: path, rule: &leak.rule, line: leak.start_line };
            return self.marked(&mark, salt, left);
        }
        let theirs = leak.secret.as_bytes().trim_ascii();
        let same = |ours: &[u8]| {
            let ours = ours.trim_ascii();
            ours == theirs
                || (ours.len().min(theirs.len()) >= SHORTEST_PART
                    && (ours.contains_str(theirs) || theirs.contains_str(ours)))
        };
        let ours: Vec<Entry> = self
            .findings
            .iter()
            .filter(|f| same(f.secret.expose()) && f.locations.iter().any(|l| Spot::of(l) == spot))
            .map(|f| entry_of(f, salt.hash(f.secret.expose()), spot.clone()))
            .collect();
        if ours.is_empty() { vec![Entry::new(ANY_RULE, salt.hash(theirs), spot)] } else { ours }
    }

    /// The entries of an ignore file with a fingerprint or a SHA-256 a line.
    fn ignore_lines(&self, bytes: &[u8], name: &str, salt: &Salt, left: &mut Vec<String>) -> BTreeSet<Entry> {
        let mut entries = BTreeSet::new();
        for (at, line) in bytes.lines().enumerate() {
            let line = line.to_str_lossy();
            // gitleaks knows comments on lines of their own only; paths may contain a number sign.
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let first = line.split_ascii_whitespace().next().unwrap_or(line);
            let digest = first.strip_prefix("sha256:").unwrap_or(first);
            if let Some(hash) = unhex(digest).map(Hash::Sha256) {
                let reason = line[first.len()..].trim_start_matches(|c: char| c.is_whitespace() || c == '#').to_owned();
                let reason = (!reason.is_empty()).then_some(reason);
                entries.extend(self.hashed(Entry { reason, ..Entry::new(ANY_RULE, hash, Spot::Anywhere) }, salt));
            } else if let Some(mark) = Fingerprint::parse(line) {
                entries.extend(self.marked(&mark, salt, left));
            } else {
                left.push(format!("{name}:{}: `{line}` is neither a fingerprint nor a SHA-256", at + 1));
            }
        }
        entries
    }

    /// The entries for what is found today where a fingerprint points.
    fn marked(&self, mark: &Fingerprint<'_>, salt: &Salt, left: &mut Vec<String>) -> Vec<Entry> {
        let spot = Spot::Path(mark.file.clone());
        let commit = mark.commit.map(|id| format!("{id}:")).unwrap_or_default();
        let label = format!("{commit}{}:{}:{}", mark.file, mark.rule, mark.line);
        let standing = |finding: &&Finding| {
            finding.locations.iter().any(|l| {
                let commit = match (mark.commit, &l.commit) {
                    (None, None) => true,
                    (Some(id), Some(commit)) => commit.id.eq_ignore_ascii_case(id),
                    _ => false,
                };
                commit && Spot::of(l) == spot && (l.start.line..=l.end.line).contains(&mark.line)
            })
        };
        let mut found: Vec<&Finding> = self.findings.iter().filter(standing).collect();
        let mut was_read = false;
        if found.is_empty()
            && let Some(content) = self.read.and_then(|read| read(mark.commit, mark.file.as_bstr()))
        {
            was_read = true;
            // A value that spans lines is known by its first.
            let line = content.lines().nth(mark.line.saturating_sub(1) as usize).unwrap_or_default().to_owned();
            found = self
                .findings
                .iter()
                .filter(|f| {
                    let first = f.secret.expose().lines().next().unwrap_or_default().trim_ascii();
                    !first.is_empty() && line.contains_str(first) && f.locations.iter().any(|l| Spot::of(l) == spot)
                })
                .collect();
        }
        if found.iter().any(|f| f.rule.id == mark.rule) {
            found.retain(|f| f.rule.id == mark.rule);
        }
        if found.is_empty() {
            // What the tree does not have any more only a scan of the history finds.
            let looked = mark.commit.is_none() || self.findings.iter().any(super::is_of_history);
            left.push(match (looked, was_read || self.read.is_none()) {
                (false, _) => format!("{label}: points into the history; take it over with --history"),
                (true, true) => format!("{label}: keysift finds nothing there; no entry is needed"),
                (true, false) => format!("{label}: the file or the commit is not there"),
            });
        }
        found.into_iter().map(|f| entry_of(f, salt.hash(f.secret.expose()), spot.clone())).collect()
    }
}
