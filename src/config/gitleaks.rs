//! gitleaks' configuration: rules, allowlists, `[extend]`. Its keys are of any case and unknown ones are
//! passed over, as gitleaks does, but each with a remark.

use std::{collections::BTreeMap, sync::Arc};

use toml::{Table, Value};

use super::{Config, Format, Layer, Named, Override, Read, dialect::from_go, ids, line_of, merged, rule_of};
use crate::{
    error::{Error, Result},
    rule::{Allowlist, Ruleset},
};

/// How many files may build on one another.
const DEEPEST: usize = 8;
/// Shortest keyword that our rules may have.
const SHORTEST_KEYWORD: usize = 3;

const FILE_KEYS: &[&str] =
    &["title", "description", "minVersion", "betterleaksMinVersion", "extend", "rules", "allowlist", "allowlists"];
const EXTEND_KEYS: &[&str] = &["useDefault", "path", "url", "disabledRules"];
const RULE_KEYS: &[&str] = &[
    "id",
    "description",
    "regex",
    "path",
    "secretGroup",
    "entropy",
    "keywords",
    "tags",
    "allowlist",
    "allowlists",
    "required",
    "skipReport",
];
const LIST_KEYS: &[&str] = &[
    "id",
    "description",
    "condition",
    "matchCondition",
    "commits",
    "paths",
    "regexes",
    "regexTarget",
    "stopwords",
    "targetRules",
];
const REQUIRED_KEYS: &[&str] = &["id", "withinLines", "withinColumns"];

/// A configuration with everything that it builds on, before validation.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) use_default: bool,
    /// Rules in order of their definition.
    pub(super) rules: Vec<(String, Table)>,
    pub(super) disabled: Vec<String>,
    pub(super) lists: Vec<Table>,
    pub(super) remarks: Vec<String>,
}

/// Reads a configuration.
pub(super) fn parse(text: &str, name: &str, read: Read<'_>) -> Result<Config> {
    let merged = load(text, name, read, &mut Vec::new())?;
    let mut remarks = merged.remarks;
    let mut layer = Layer { name: name.to_owned(), builtin: merged.use_default, ..Layer::default() };
    if merged.use_default {
        for id in &merged.disabled {
            let ours = ids::ours(id);
            if ours.is_empty() && !merged.rules.iter().any(|(own, _)| own == id) {
                remarks.push(format!("{name}: gitleaks' rule `{id}`, which it disables, has no counterpart here"));
            }
            let ours = ours.iter().copied().chain([id.as_str()]);
            layer.disable.extend(ours.map(|id| Named { id: id.to_owned(), line: 0 }));
        }
    }
    for (id, table) in merged.rules {
        let is_change = !table.contains_key("regex") && !table.contains_key("path");
        if is_change && merged.use_default {
            let ours = ids::ours(&id);
            if ours.is_empty() {
                remarks.push(format!("{name}: gitleaks' rule `{id}`, which it changes, has no counterpart here"));
            }
            // What gitleaks' keywords and entropy are to its own expression they are not to ours.
            let fields: Table =
                table.into_iter().filter(|(key, _)| matches!(key.as_str(), "allowlists" | "tags")).collect();
            for id in ours {
                let rule = Named { id: (*id).to_owned(), line: 0 };
                layer.overrides.push(Override { rule, fields: fields.clone(), lenient: true });
            }
            continue;
        }
        let rule = rule_of(table).map_err(|(what, help)| {
            let error = Error::new(format!("{name}: rule `{id}`")).because(what);
            match help {
                Some(help) => error.help(help),
                None => error.help("gitleaks' rules need a `regex` or a `path`"),
            }
        })?;
        layer.own.rules.push(Arc::new(rule));
    }
    for table in merged.lists {
        layer
            .own
            .allowlists
            .push(list_of(table).map_err(|what| Error::new(format!("{name}: allowlist")).because(what))?);
    }
    Ok(Config { name: name.to_owned(), format: Format::Gitleaks, remarks, layers: vec![layer], ..Config::default() })
}

/// Validates the table of an allowlist over all rules.
pub(super) fn list_of(mut table: Table) -> std::result::Result<Allowlist, String> {
    // Lists for some of gitleaks' rules hold for their counterparts.
    if let Some(Value::Array(rules)) = table.get_mut("targetRules") {
        let ours: Vec<Value> = rules
            .iter()
            .filter_map(Value::as_str)
            .flat_map(ids::ours)
            .map(|id| Value::String((*id).to_owned()))
            .collect();
        rules.extend(ours);
    }
    let mut file = Table::new();
    file.insert("allowlists".to_owned(), Value::Array(vec![Value::Table(table)]));
    let text = toml::to_string(&file).map_err(|e| e.to_string())?;
    let parsed = Ruleset::parse(&text, "allowlist").map_err(|e| e.to_string())?;
    parsed.ruleset.allowlists.into_iter().next().ok_or_else(|| "there is none".to_owned())
}

/// Reads a text and what it extends.
pub(super) fn load(text: &str, name: &str, read: Read<'_>, above: &mut Vec<String>) -> Result<Merged> {
    let table: Table = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        Error::new(format!("{name}:{}", line_of(text, at))).because(e.message())
    })?;
    let mut remarks = Vec::new();
    let mut file = known(table, FILE_KEYS, name, &mut remarks);
    let extend = match file.remove("extend") {
        Some(Value::Table(extend)) => known(extend, EXTEND_KEYS, &format!("{name}: extend"), &mut remarks),
        _ => Table::new(),
    };
    above.push(name.to_owned());
    let mut base = match extend.get("path").and_then(Value::as_str).filter(|p| !p.is_empty()) {
        None => Merged::default(),
        Some(path) => {
            if above.iter().any(|n| n == path) {
                return Err(Error::new(format!("{name}: extend"))
                    .because(format!("the files build on one another in a circle: {} → {path}", above.join(" → "))));
            }
            if above.len() >= DEEPEST {
                return Err(Error::new(format!("{name}: extend"))
                    .because(format!("more than {DEEPEST} files build on one another")));
            }
            let text = read(path).map_err(|e| {
                Error::new(format!("{name}: extend"))
                    .because(format!("cannot read {path}: {e}"))
                    .help("the path is from the root of the repository")
            })?;
            load(&text, path, read, above)?
        }
    };
    above.pop();
    if extend.get("url").is_some_and(|url| url.as_str() != Some("")) {
        remarks.push(format!("{name}: `extend.url` is not fetched"));
    }
    base.use_default |= extend.get("useDefault").and_then(Value::as_bool).unwrap_or(false);
    base.remarks.append(&mut remarks);
    for id in strings(extend.get("disabledRules")) {
        base.rules.retain(|(known, _)| *known != id);
        base.disabled.push(id);
    }
    for (number, rule) in tables(file.remove("rules")).into_iter().enumerate() {
        let (id, rule) = rule_table(rule, name, number + 1, &mut base.remarks)?;
        base.disabled.retain(|off| *off != id || !rule.contains_key("regex"));
        match base.rules.iter_mut().find(|(known, _)| *known == id) {
            Some((_, old)) => *old = extended(std::mem::take(old), rule),
            None => base.rules.push((id, rule)),
        }
    }
    for list in tables(file.remove("allowlist")).into_iter().chain(tables(file.remove("allowlists"))) {
        base.lists.push(list_table(list, &format!("{name}: allowlist"), &mut base.remarks));
    }
    Ok(base)
}

/// A rule over one with the same id: gitleaks adds keywords, tags and allowlists, and replaces the rest.
fn extended(old: Table, mut new: Table) -> Table {
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (old.get("keywords"), new.get_mut("keywords")) {
        new.extend(old.iter().cloned());
    }
    merged(old, &new)
}

/// A rule with the keys that we know and expressions that Rust understands.
fn rule_table(rule: Table, name: &str, number: usize, remarks: &mut Vec<String>) -> Result<(String, Table)> {
    let id = rule
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("id"))
        .and_then(|(_, v)| v.as_str())
        .unwrap_or_default()
        .to_owned();
    if id.is_empty() {
        return Err(Error::new(format!("{name}: rule number {number}"))
            .because("it has no id")
            .help("add `id = \"…\"`"));
    }
    let place = format!("{name}: rule `{id}`");
    let mut rule = known(rule, RULE_KEYS, &place, remarks);
    for key in ["regex", "path"] {
        match rule.get_mut(key) {
            Some(Value::String(pattern)) if pattern.is_empty() => drop(rule.remove(key)),
            Some(Value::String(pattern)) => *pattern = from_go(pattern),
            _ => {}
        }
    }
    if let Some(Value::Array(words)) = rule.get("keywords")
        && words.iter().filter_map(Value::as_str).any(|w| w.len() < SHORTEST_KEYWORD)
    {
        // Any of the keywords lets a text in; without the short ones some texts would be missed.
        rule.remove("keywords");
    }
    if let Some(Value::Integer(entropy)) = rule.get("entropy") {
        let entropy = *entropy as f64;
        rule.insert("entropy".to_owned(), Value::Float(entropy));
    }
    let lists: Vec<Value> = tables(rule.remove("allowlist"))
        .into_iter()
        .chain(tables(rule.remove("allowlists")))
        .map(|list| Value::Table(list_table(list, &place, remarks)))
        .collect();
    if !lists.is_empty() {
        rule.insert("allowlists".to_owned(), Value::Array(lists));
    }
    let required: Vec<Value> = tables(rule.remove("required"))
        .into_iter()
        .map(|r| Value::Table(known(r, REQUIRED_KEYS, &place, remarks)))
        .collect();
    if !required.is_empty() {
        rule.insert("required".to_owned(), Value::Array(required));
    }
    Ok((id, rule))
}

fn list_table(list: Table, place: &str, remarks: &mut Vec<String>) -> Table {
    let mut list = known(list, LIST_KEYS, place, remarks);
    for key in ["paths", "regexes"] {
        if let Some(Value::Array(patterns)) = list.get_mut(key) {
            for pattern in patterns {
                if let Value::String(pattern) = pattern {
                    *pattern = from_go(pattern);
                }
            }
        }
    }
    list
}

/// The known keys of a table under their proper names; each other one is remarked upon and left out.
fn known(table: Table, keys: &[&str], place: &str, remarks: &mut Vec<String>) -> Table {
    let mut out = Table::new();
    let mut strange: BTreeMap<String, ()> = BTreeMap::new();
    for (key, value) in table {
        match keys.iter().find(|k| k.eq_ignore_ascii_case(&key)) {
            Some(proper) => drop(out.insert((*proper).to_owned(), value)),
            None => drop(strange.insert(key, ())),
        }
    }
    if !strange.is_empty() {
        let names: Vec<String> = strange.into_keys().map(|k| format!("`{k}`")).collect();
        remarks.push(format!("{place}: {} has no meaning here and was passed over", names.join(", ")));
    }
    out
}

/// A table, or an array of tables.
fn tables(value: Option<Value>) -> Vec<Table> {
    match value {
        Some(Value::Table(table)) => vec![table],
        Some(Value::Array(all)) => {
            all.into_iter().filter_map(|v| if let Value::Table(t) = v { Some(t) } else { None }).collect()
        }
        _ => Vec::new(),
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
