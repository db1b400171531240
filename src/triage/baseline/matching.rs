//! What a baseline says of the findings of a scan, and what the scan says of the baseline.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, OnceLock},
};

use bstr::{BStr, ByteSlice};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use rayon::prelude::*;

use super::{
    ANY_RULE, Baseline, Coverage, Entry, Note, Scope, Spot, entry_of, format,
    hash::{Hash, Salt, normalized, spellings},
};
use crate::{
    error::Result,
    finding::{Finding, SuppressedBy, Suppression},
    rule::{Rule, Ruleset},
    triage::Reader,
};

/// How many entries a remark names.
const NAMED: usize = 5;

/// How a baseline is used: what the scan covered, and what is asked of it.
#[derive(Debug)]
pub struct Use {
    /// How far entries reach.
    pub scope: Scope,
    /// What the scan looked at.
    pub coverage: Coverage,
    /// The content that a path has now, in the tree that is scanned (index, working tree, HEAD); tells
    /// whether the place of an entry is gone. Without it, what the scan did not look at is never gone.
    pub now: Option<Reader>,
    /// Whether the scan showed findings of low confidence.
    pub low: bool,
    /// The day, for `until=`.
    pub today: Date,
    /// The active rules; see [`Use::with_rules`].
    pub rules: ActiveRules,
}

/// The rules that a scan had. Their names are gathered when they are first asked for.
#[derive(Debug, Default)]
pub struct ActiveRules {
    rules: Vec<Arc<Rule>>,
    ids: OnceLock<HashSet<String>>,
}

impl ActiveRules {
    fn contains(&self, id: &str) -> bool {
        self.ids.get_or_init(|| self.rules.iter().map(|r| r.id.clone()).collect()).contains(id)
    }

    fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl Default for Use {
    fn default() -> Self {
        Use {
            scope: Scope::Path,
            coverage: Coverage::Part,
            now: None,
            low: false,
            today: Timestamp::now().to_zoned(TimeZone::UTC).date(),
            rules: ActiveRules::default(),
        }
    }
}

impl Use {
    /// Use with these rules. What no active rule could have found says nothing about an entry.
    #[must_use]
    pub fn with_rules(mut self, ruleset: &Ruleset) -> Self {
        self.rules = ActiveRules { rules: ruleset.rules.clone(), ids: OnceLock::new() };
        self
    }

    /// Whether the scan would have found what an entry is about, were it still there.
    fn covers(&self, baseline: &Baseline, entry: &Entry) -> bool {
        let looked = match (&self.coverage, &entry.spot) {
            (Coverage::Part, _) => false,
            (Coverage::History, _) => true,
            // What has left the tree may still be in the history.
            (Coverage::Tree { .. }, _) if baseline.history || entry.past => false,
            (Coverage::Tree { below }, Spot::Path(path)) => lies_below(path.as_bstr(), below),
            (Coverage::Tree { below }, Spot::FileName) => below.is_empty(),
            (Coverage::Tree { .. }, _) => false,
        };
        looked && (entry.rule == ANY_RULE || self.rules.contains(&entry.rule)) && (self.low || !entry.low)
    }
}

fn lies_below(path: &BStr, below: &[bstr::BString]) -> bool {
    below.is_empty()
        || below.iter().any(|folder| {
            let folder = folder.strip_suffix(b"/").unwrap_or(folder);
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
}

/// What came of matching.
#[derive(Debug)]
pub(in crate::triage) struct Outcome {
    pub(in crate::triage) findings: Vec<Finding>,
    pub(in crate::triage) suppressed: Vec<Finding>,
    pub(in crate::triage) remarks: Vec<String>,
}

/// What [`Baseline::update`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entries for findings that were not known.
    pub added: Vec<Entry>,
    /// Entries that followed their secret: the old one, the new one.
    pub moved: Vec<(Entry, Entry)>,
    /// Entries that a peer's hash has given way to.
    pub resolved: Vec<Entry>,
    /// Entries whose last day is over and whose findings are still there; left as they are, unless the
    /// update names another day.
    pub expired: Vec<Entry>,
}

/// An entry that [`Baseline::prune`] dropped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pruned {
    /// Its finding is not there any more.
    Unused,
    /// Its last day is over.
    Expired,
}

/// How the spots of one finding are covered.
#[derive(Debug, Default)]
struct Cover {
    /// For each known spot the entry that makes it known.
    known: BTreeMap<Spot, usize>,
    /// For each spot that is known by a move, the entry that moved there.
    moved: BTreeMap<Spot, usize>,
    /// For each spot that is not known, an entry that made it known until it expired.
    expired: BTreeMap<Spot, usize>,
}

/// The covers of all findings.
struct Matching<'a> {
    entries: Vec<&'a Entry>,
    covers: Vec<Cover>,
    /// Which entries have a finding, expired ones included.
    used: Vec<bool>,
}

impl Baseline {
    /// Sets aside what is known.
    pub(in crate::triage) fn settle(&self, findings: Vec<Finding>, usage: &Use, complete: bool) -> Outcome {
        let matching = self.matching(&findings, usage);
        let remarks = self.remarks(&matching, usage, complete);
        let mut outcome = Outcome { findings: Vec::new(), suppressed: Vec::new(), remarks };
        for (finding, cover) in findings.into_iter().zip(&matching.covers) {
            let entry_at =
                |spot: &Spot| cover.known.get(spot).or_else(|| cover.moved.get(spot)).map(|at| matching.entries[*at]);
            let (known, new): (Vec<_>, Vec<_>) =
                finding.locations.iter().cloned().partition(|l| entry_at(&Spot::of(l)).is_some());
            if let Some(first) = known.first() {
                let reason = entry_at(&Spot::of(first)).and_then(|e| e.reason.clone());
                let suppression = Some(Suppression { by: SuppressedBy::Baseline, reason });
                outcome.suppressed.push(Finding { locations: known, suppression, ..finding.clone() });
            }
            if !new.is_empty() {
                let mut finding = Finding { locations: new, ..finding };
                let expired = cover.expired.values().filter_map(|at| matching.entries[*at].until).max();
                if let Some(until) = expired {
                    finding.notes.push(format!("accepted until {until}, which is over"));
                }
                outcome.findings.push(finding);
            }
        }
        outcome
    }

    /// Makes the findings known that are not: adds entries, lets entries follow their secrets, and puts
    /// entries of our own in the place of peers' hashes.
    ///
    /// # Errors
    /// The operating system has no random bytes for a salt.
    pub fn update(&mut self, findings: &[Finding], usage: &Use, note: &Note) -> Result<Changes> {
        let salt = self.salt()?;
        let mut changes = Changes::default();
        let (mut gone, mut come) = (BTreeSet::new(), BTreeSet::new());
        let history = self.history || findings.iter().any(super::is_of_history);
        let matching = self.matching(findings, usage);
        for (finding, cover) in findings.iter().zip(&matching.covers) {
            let spots: BTreeSet<Spot> = finding.locations.iter().map(Spot::of).collect();
            let mut hash = None;
            for spot in spots {
                let mut ours = || *hash.get_or_insert_with(|| salt.hash(finding.secret.expose()));
                if let Some(at) = cover.known.get(&spot) {
                    let old = matching.entries[*at];
                    // A foreign hash with a place gives way; one for any place may cover others.
                    if !matches!(old.hash, Hash::Keyed { .. }) && old.spot == spot {
                        let new = Entry {
                            past: old.past,
                            reason: old.reason.clone(),
                            by: old.by.clone(),
                            until: old.until,
                            ..entry_of(finding, ours(), spot)
                        };
                        gone.insert(old.clone());
                        changes.resolved.push(new.clone());
                        come.insert(new);
                    }
                } else if let Some(at) = cover.moved.get(&spot) {
                    let old = matching.entries[*at];
                    let new = Entry {
                        reason: old.reason.clone(),
                        by: old.by.clone(),
                        until: old.until,
                        ..entry_of(finding, ours(), spot)
                    };
                    gone.insert(old.clone());
                    if history {
                        // A scan of the history still finds it in its old place.
                        come.insert(Entry { past: true, ..old.clone() });
                    }
                    come.insert(new.clone());
                    changes.moved.push((old.clone(), new));
                } else if let Some(at) = cover.expired.get(&spot) {
                    let old = matching.entries[*at];
                    changes.expired.push(old.clone());
                    if note.until.is_some_and(|until| until >= usage.today) {
                        gone.insert(old.clone());
                        come.insert(old.clone().with(note));
                    }
                } else {
                    let new = entry_of(finding, ours(), spot).with(note);
                    changes.added.push(new.clone());
                    come.insert(new);
                }
            }
        }
        drop(matching);
        self.history = history;
        self.entries.retain(|e| !gone.contains(e));
        self.entries.extend(come);
        changes.expired.dedup();
        Ok(changes)
    }

    /// Drops the entries that have expired, and those whose finding the scan would have seen and did not.
    pub fn prune(&mut self, findings: &[Finding], usage: &Use) -> Vec<(Entry, Pruned)> {
        let matching = self.matching(findings, usage);
        let dropped: Vec<(Entry, Pruned)> = matching
            .entries
            .iter()
            .zip(&matching.used)
            .filter_map(|(entry, used)| {
                let why = match (entry.is_expired(usage.today), used) {
                    (true, _) => Pruned::Expired,
                    (false, false) if usage.covers(self, entry) => Pruned::Unused,
                    _ => return None,
                };
                Some(((*entry).clone(), why))
            })
            .collect();
        drop(matching);
        for (entry, _) in &dropped {
            self.entries.remove(entry);
        }
        dropped
    }

    fn matching(&self, findings: &[Finding], usage: &Use) -> Matching<'_> {
        let entries: Vec<&Entry> = self.entries.iter().collect();
        let mut by_hash: HashMap<Hash, Vec<usize>> = HashMap::new();
        // Rules whose secrets must be hashed with each salt. Hashing is slow on purpose.
        let mut rules: HashMap<&Salt, HashSet<&str>> = self.salts.iter().map(|s| (s, HashSet::new())).collect();
        let mut any_rule: HashSet<&Salt> = HashSet::new();
        let (mut sha1, mut sha256) = (false, false);
        for (at, entry) in entries.iter().enumerate() {
            by_hash.entry(entry.hash).or_default().push(at);
            match entry.hash {
                Hash::Sha1(_) => sha1 = true,
                Hash::Sha256(_) => sha256 = true,
                Hash::Fingerprint(_) => {}
                Hash::Keyed { .. } => {
                    for salt in self.salts.iter().filter(|s| entry.hash.is_of(s)) {
                        if self.speaks_of_any(entry, usage) {
                            any_rule.insert(salt);
                        } else if let Some(rules) = rules.get_mut(salt) {
                            rules.insert(&entry.rule);
                        }
                    }
                }
            }
        }
        let hashes = |finding: &Finding| -> Vec<Hash> {
            let secret = finding.secret.expose();
            let wanted = |salt: &&Salt| {
                any_rule.contains(*salt) || rules.get(*salt).is_some_and(|r| r.contains(finding.rule.id.as_str()))
            };
            let mut all: Vec<Hash> = self.salts.iter().filter(wanted).map(|salt| salt.hash(secret)).collect();
            if sha1 {
                all.extend(spellings(secret).into_iter().map(Hash::sha1));
            }
            if sha256 {
                all.extend(spellings(secret).into_iter().map(Hash::sha256));
            }
            let fingerprint = super::hash::unhex(finding.fingerprint.as_str());
            all.extend(fingerprint.map(Hash::Fingerprint));
            all
        };
        let hashed: Vec<Vec<Hash>> = if self.entries.is_empty() {
            vec![Vec::new(); findings.len()]
        } else {
            findings.par_iter().map(hashes).collect()
        };
        let mut used = vec![false; entries.len()];
        let mut covers = Vec::with_capacity(findings.len());
        for (finding, hashes) in findings.iter().zip(hashed) {
            let mut candidates: Vec<usize> = hashes
                .iter()
                .filter_map(|hash| by_hash.get(hash))
                .flatten()
                .copied()
                .filter(|at| entries[*at].rule == finding.rule.id || self.speaks_of_any(entries[*at], usage))
                .collect();
            candidates.sort_unstable();
            candidates.dedup();
            covers.push(cover(finding, &entries, &candidates, &mut used, usage));
        }
        Matching { entries, covers, used }
    }

    /// Whether an entry holds for every rule: it says so, or its rule is no more (renamed, say), so that
    /// the secret is now found by another one.
    fn speaks_of_any(&self, entry: &Entry, usage: &Use) -> bool {
        entry.rule == ANY_RULE || (!usage.rules.is_empty() && !usage.rules.contains(&entry.rule))
    }

    fn remarks(&self, matching: &Matching<'_>, usage: &Use, complete: bool) -> Vec<String> {
        let mut remarks = Vec::new();
        let name = &self.name;
        if self.redacted > 0 {
            remarks.push(format!(
                "{name}: {} of its findings are redacted and cannot be compared; `keysift baseline import {name}` \
                 finds them again by their lines",
                self.redacted
            ));
        }
        if self.entries.is_empty() {
            return remarks;
        }
        let (mut expired, mut unused) = (Vec::new(), Vec::new());
        for (entry, used) in matching.entries.iter().zip(&matching.used) {
            if entry.is_expired(usage.today) {
                if *used || usage.covers(self, entry) {
                    expired.push(*entry);
                }
            } else if complete && !used && usage.covers(self, entry) {
                unused.push(*entry);
            }
        }
        if !expired.is_empty() {
            let n = entries(expired.len());
            remarks.push(format!("{name}: {n} expired and counts as new: {}", listed(&expired)));
        }
        let total = self.entries.len();
        if unused.len() == total {
            let none = match total {
                1 => "its one entry does not match".to_owned(),
                n => format!("none of its {n} entries matches"),
            };
            remarks.push(format!(
                "{name}: {none} anything in this scan: all is mended (`keysift baseline prune`), or it belongs to \
                 another repository"
            ));
        } else if !unused.is_empty() {
            let n = entries(unused.len());
            remarks
                .push(format!("{name}: {n} matches nothing any more (`keysift baseline prune`): {}", listed(&unused)));
        }
        let moved: usize = matching.covers.iter().map(|c| c.moved.len()).sum();
        if moved > 0 {
            let n = entries(moved);
            remarks.push(format!(
                "{name}: {n} followed a secret to another file (`keysift baseline update` writes it down)"
            ));
        }
        remarks
    }
}

/// How the spots of a finding are covered by those entries that have its hash.
fn cover(finding: &Finding, entries: &[&Entry], candidates: &[usize], used: &mut [bool], usage: &Use) -> Cover {
    let mut cover = Cover::default();
    if candidates.is_empty() {
        return cover;
    }
    let spots: BTreeSet<Spot> = finding.locations.iter().map(Spot::of).collect();
    let (valid, expired): (Vec<usize>, Vec<usize>) =
        candidates.iter().partition(|at| !entries[**at].is_expired(usage.today));
    let everywhere = usage.scope == Scope::Repository;
    let covering = |pool: &[usize], spot: &Spot| -> Option<usize> {
        let exact = pool.iter().find(|at| entries[**at].spot == *spot);
        let wide = || pool.iter().find(|at| everywhere || entries[**at].spot == Spot::Anywhere);
        exact.or_else(wide).copied()
    };
    for at in candidates {
        // Of two entries for one place both are used.
        let entry = entries[*at];
        used[*at] |= spots.contains(&entry.spot) || entry.spot == Spot::Anywhere;
    }
    let mut open: Vec<Spot> = Vec::new();
    for spot in &spots {
        match covering(&valid, spot) {
            Some(at) => {
                cover.known.insert(spot.clone(), at);
                // Where one entry covers everything, the others with this secret are of no further use,
                // and yet about something that is there.
                used[at] = true;
            }
            None => {
                if let Some(at) = covering(&expired, spot) {
                    cover.expired.insert(spot.clone(), at);
                    used[at] = true;
                } else {
                    open.push(spot.clone());
                }
            }
        }
    }
    // What is left may have moved here.
    open.retain(|spot| matches!(spot, Spot::Path(_)));
    let raw = finding.secret.expose();
    for at in valid {
        if open.is_empty() {
            break;
        }
        let Spot::Path(from) = &entries[at].spot else { continue };
        if entries[at].past || !is_gone(from.as_bstr(), finding, raw, &open, usage) {
            continue;
        }
        let same_name = open.iter().position(|spot| matches!(spot, Spot::Path(to) if name_of(to) == name_of(from)));
        let spot = open.remove(same_name.unwrap_or(0));
        cover.moved.insert(spot, at);
        used[at] = true;
    }
    cover
}

/// Whether a secret does not stand at a path any more.
fn is_gone(path: &BStr, finding: &Finding, secret: &[u8], open: &[Spot], usage: &Use) -> bool {
    let mut here = finding.locations.iter().filter(|l| Spot::of(l) == Spot::Path(path.to_owned())).peekable();
    if here.peek().is_some() {
        return here.all(|l| l.in_head == Some(false));
    }
    let Some(now) = &usage.now else {
        return match &usage.coverage {
            Coverage::Part => false,
            Coverage::Tree { below } => lies_below(path, below),
            Coverage::History => true,
        };
    };
    let Some(content) = now.read(path) else { return true };
    let secret = normalized(secret);
    let stands_in = |content: &[u8]| content.contains_str(&*secret) || normalized(content).contains_str(&*secret);
    if stands_in(&content) {
        return false;
    }
    // A secret that had to be decoded cannot be looked for like this: then only a missing file is proof.
    open.iter().any(|spot| matches!(spot, Spot::Path(to) if now.read(to.as_bstr()).is_some_and(|c| stands_in(&c))))
}

fn name_of(path: &[u8]) -> &[u8] {
    path.rsplit(|b| *b == b'/').next().unwrap_or(path)
}

fn entries(n: usize) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") }
}

fn listed(all: &[&Entry]) -> String {
    let mut out: Vec<String> = all
        .iter()
        .take(NAMED)
        .map(|entry| match entry.until {
            Some(until) => format!("{} {} (until {until})", entry.rule, format::spot(&entry.spot)),
            None => format!("{} {}", entry.rule, format::spot(&entry.spot)),
        })
        .collect();
    if all.len() > NAMED {
        out.push(format!("and {} more", all.len() - NAMED));
    }
    out.join(", ")
}
