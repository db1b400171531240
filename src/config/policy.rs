//! What a change does to the policy: configuration, ignore file and baseline as they stand in the base
//! revision against what the change makes of them. The gate is not to be switched off by what it gates.

use std::collections::{BTreeMap, BTreeSet};

use super::{Config, Read};
use crate::{
    error::Result,
    rule::{Allowlist, Rule, Ruleset},
    triage::Baseline,
};

/// How many entries of a baseline are named.
const NAMED: usize = 5;

/// The texts of a policy, as they stand in one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// The configuration: its name and its text.
    pub config: Option<(String, String)>,
    /// The ignore file.
    pub ignore: Option<String>,
    /// The baseline.
    pub baseline: Option<Vec<u8>>,
}

/// One thing that a change does to the policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Whether it may hide findings.
    pub loosens: bool,
    /// What it does, a sentence without a full stop.
    pub what: String,
}

/// Which policy holds, and what a change would make of it.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The texts that hold.
    pub texts: Texts,
    /// What the change does: what may hide findings first.
    pub changes: Vec<Change>,
}

/// Decides between the policy of the base and that of a change: the base's holds, unless changes are
/// allowed. The functions read files that configurations name, each in its own revision.
///
/// # Errors
/// The base's policy is malformed; the change's too, if it is to hold.
pub fn decide(
    base: Texts,
    now: Texts,
    allow: bool,
    builtin: &Ruleset,
    read_base: Read<'_>,
    read_now: Read<'_>,
) -> Result<Decision> {
    let mut changes = BTreeSet::new();
    let mut say = |loosens, what: String| {
        changes.insert(Change { loosens, what });
    };
    let before = Policy::of(&base, builtin, read_base)?;
    match Policy::of(&now, builtin, read_now) {
        Ok(after) => compare(&before, &after, &mut say),
        Err(error) if allow => return Err(error),
        Err(error) => say(true, format!("leaves a policy that cannot be used: {error}")),
    }
    let mut changes: Vec<Change> = changes.into_iter().collect();
    changes.sort_by(|a, b| (b.loosens, &a.what).cmp(&(a.loosens, &b.what)));
    Ok(Decision { texts: if allow { now } else { base }, changes })
}

/// A policy, read.
struct Policy {
    config: Config,
    rules: Ruleset,
    ignore: Vec<String>,
    baseline: Option<Baseline>,
}

impl Policy {
    fn of(texts: &Texts, builtin: &Ruleset, read: Read<'_>) -> Result<Policy> {
        let config = match &texts.config {
            Some((name, text)) => Config::parse(text, name, read)?,
            None => Config::none(),
        };
        let (rules, _) = config.ruleset(builtin.clone())?;
        let patterns = |text: &String| -> Vec<String> {
            text.lines()
                .map(str::trim_end)
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
                .map(str::to_owned)
                .collect()
        };
        let ignore = texts.ignore.as_ref().map(patterns).unwrap_or_default();
        let baseline = texts.baseline.as_ref().map(|b| Baseline::parse(b, "baseline")).transpose()?;
        Ok(Policy { config, rules, ignore, baseline })
    }
}

fn compare(before: &Policy, after: &Policy, say: &mut dyn FnMut(bool, String)) {
    rules(&before.rules, &after.rules, say);
    let (old, new) = (&before.config, &after.config);
    if old.min_confidence != new.min_confidence {
        let name = |c: &Config| c.min_confidence.map_or("the default", |c| c.name());
        say(
            old.min_confidence < new.min_confidence,
            format!("sets min_confidence from {} to {}", name(old), name(new)),
        );
    }
    if old.max_size != new.max_size {
        let name = |c: &Config| c.max_size.map_or("none".to_owned(), |n| n.to_string());
        let loosens = new.max_size.is_some_and(|new| old.max_size.is_none_or(|old| new < old));
        say(loosens, format!("sets max_size from {} to {}", name(old), name(new)));
    }
    for kind in new.allow_gaps.iter().filter(|k| !old.allow_gaps.contains(k)) {
        say(true, format!("accepts gaps of kind {}", kind.name()));
    }
    for kind in old.allow_gaps.iter().filter(|k| !new.allow_gaps.contains(k)) {
        say(false, format!("accepts gaps of kind {} no more", kind.name()));
    }
    if old.inline != new.inline {
        say(new.inline != Some(false), format!("lets inline comments count: {}", new.inline.unwrap_or(true)));
    }
    if old.messages != new.messages {
        say(new.messages == Some(false), format!("has messages scanned: {}", new.messages.unwrap_or(true)));
    }
    if old.baseline != new.baseline {
        let path = new.baseline.as_deref().unwrap_or(crate::triage::baseline::NAME);
        say(true, format!("takes another baseline: {path}"));
    }
    let scope = |c: &Config| c.baseline_scope.unwrap_or_default();
    if scope(old) != scope(new) {
        let loosens = scope(new) == crate::triage::baseline::Scope::Repository;
        say(loosens, format!("sets baseline.scope from {} to {}", scope(old).name(), scope(new).name()));
    }
    patterns("the configuration", &old.exclude, &new.exclude, say);
    patterns("the ignore file", &before.ignore, &after.ignore, say);
    entries(before.baseline.as_ref(), after.baseline.as_ref(), say);
}

fn rules(before: &Ruleset, after: &Ruleset, say: &mut dyn FnMut(bool, String)) {
    let by_id = |set: &Ruleset| -> BTreeMap<String, std::sync::Arc<Rule>> {
        set.rules.iter().map(|r| (r.id.clone(), r.clone())).collect()
    };
    let (old, new) = (by_id(before), by_id(after));
    let gone: Vec<&str> = old.keys().filter(|id| !new.contains_key(*id)).map(String::as_str).collect();
    if gone.len() > NAMED {
        say(true, format!("switches {} rules off: {}, …", gone.len(), gone[..NAMED].join(", ")));
    } else {
        gone.into_iter().for_each(|id| say(true, format!("switches the rule `{id}` off")));
    }
    for id in new.keys().filter(|id| !old.contains_key(*id)) {
        say(false, format!("adds the rule `{id}`"));
    }
    for (id, new) in &new {
        let Some(old) = old.get(id) else { continue };
        for what in differences(old, new) {
            say(true, format!("changes the rule `{id}`: {what}"));
        }
    }
    for list in after.allowlists.iter().filter(|l| !before.allowlists.contains(l)) {
        say(true, format!("adds an allowlist over {}: {}", scope(list), sketch(list)));
    }
    for list in before.allowlists.iter().filter(|l| !after.allowlists.contains(l)) {
        say(false, format!("takes an allowlist over {} away: {}", scope(list), sketch(list)));
    }
}

/// What is different about a rule.
fn differences(old: &Rule, new: &Rule) -> Vec<String> {
    let mut out = Vec::new();
    if old.severity != new.severity {
        out.push(format!("severity {} to {}", old.severity.name(), new.severity.name()));
    }
    if old.confidence != new.confidence {
        out.push(format!("confidence {} to {}", old.confidence.name(), new.confidence.name()));
    }
    if old.path != new.path {
        out.push(format!("it holds at `{}`", new.path.as_deref().unwrap_or("every path")));
    }
    for list in new.allowlists.iter().filter(|l| !old.allowlists.contains(l)) {
        out.push(format!("an allowlist, {}", sketch(list)));
    }
    let detects = |r: &Rule| {
        (
            r.kind,
            r.pattern.clone(),
            r.secret_group,
            r.keywords.clone(),
            r.near,
            r.checksum.clone(),
            r.requires.clone(),
            r.identifier,
        )
    };
    if detects(old) != detects(new) || old.entropy != new.entropy || old.reach != new.reach {
        out.push("what it looks for".to_owned());
    }
    out
}

fn scope(list: &Allowlist) -> String {
    if list.rules.is_empty() { "all rules".to_owned() } else { list.rules.join(", ") }
}

/// What an allowlist says, in short.
fn sketch(list: &Allowlist) -> String {
    let parts = [
        ("paths", &list.paths),
        ("regexes", &list.regexes),
        ("stopwords", &list.stopwords),
        ("commits", &list.commits),
    ];
    let mut out: Vec<String> = parts
        .iter()
        .filter(|(_, all)| !all.is_empty())
        .map(|(name, all)| {
            let more = if all.len() > 3 { ", …" } else { "" };
            format!("{name} {}{more}", all.iter().take(3).map(|p| format!("`{p}`")).collect::<Vec<_>>().join(", "))
        })
        .collect();
    if !list.description.is_empty() {
        out.push(format!("\"{}\"", list.description));
    }
    out.join("; ")
}

fn patterns(place: &str, old: &[String], new: &[String], say: &mut dyn FnMut(bool, String)) {
    let taken_back = |p: &str| p.starts_with('!');
    for pattern in new.iter().filter(|p| !old.contains(p)) {
        say(!taken_back(pattern), format!("adds `{pattern}` to {place}"));
    }
    for pattern in old.iter().filter(|p| !new.contains(p)) {
        say(taken_back(pattern), format!("takes `{pattern}` out of {place}"));
    }
    let common = |a: &[String], b: &[String]| -> Vec<String> { a.iter().filter(|p| b.contains(p)).cloned().collect() };
    if common(old, new) != common(new, old) && (old.iter().chain(new).any(|p| taken_back(p))) {
        say(true, format!("changes the order of patterns in {place}"));
    }
}

fn entries(old: Option<&Baseline>, new: Option<&Baseline>, say: &mut dyn FnMut(bool, String)) {
    let count = |n: usize| if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") };
    let list = |labels: Vec<String>| {
        let more = if labels.len() > NAMED { ", …" } else { "" };
        format!("{}{more}", labels[..labels.len().min(NAMED)].join(", "))
    };
    let beyond = |a: Option<&Baseline>, b: Option<&Baseline>| -> Vec<String> {
        match (a, b) {
            (Some(a), Some(b)) => a.beyond(b).map(|e| e.label()).collect(),
            (Some(a), None) => a.entries().map(|e| e.label()).collect(),
            (None, _) => Vec::new(),
        }
    };
    let added = beyond(new, old);
    if !added.is_empty() {
        say(true, format!("adds {} to the baseline: {}", count(added.len()), list(added)));
    }
    let dropped = beyond(old, new);
    if !dropped.is_empty() {
        say(false, format!("drops {} from the baseline: {}", count(dropped.len()), list(dropped)));
    }
}
