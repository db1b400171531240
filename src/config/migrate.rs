//! From the files of gitleaks, betterleaks and detect-secrets to keysift's own: `.keysift.toml`,
//! `.keysiftignore`, `.keysift-baseline`, and a list of what could not be carried over.

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, Format, Read, dialect, gitleaks, ids, rule_of};
use crate::{
    error::Result,
    rule::expression::Expression,
    triage::baseline::{Baseline, NAME, Note, Resolver},
};

/// The files of other tools, as they are called at the root of a repository.
pub const KNOWN: &[&str] = &[
    ".gitleaks.toml",
    "gitleaks.toml",
    ".betterleaks.toml",
    ".gitleaksignore",
    ".betterleaksignore",
    ".gitleaks-baseline.json",
    "gitleaks-baseline.json",
    "gitleaks-report.json",
    ".secrets.baseline",
];

/// What came of a migration.
#[derive(Debug, Default)]
pub struct Migrated {
    /// The text of `.keysift.toml`, if one is needed.
    pub config: Option<String>,
    /// The text of `.keysiftignore`, if one is needed.
    pub ignore: Option<String>,
    /// The baseline, if there is anything for it.
    pub baseline: Option<Baseline>,
    /// What was carried over, a sentence each.
    pub done: Vec<String>,
    /// What could not be carried over or needs a look, a sentence each.
    pub left: Vec<String>,
}

/// Translates these files (name and content); which is which is told by name and content. Findings of a
/// scan without a baseline help to turn line numbers and foreign hashes into entries.
///
/// # Errors
/// A file is malformed.
pub fn migrate(files: &[(String, Vec<u8>)], resolver: Resolver<'_>, read: Read<'_>) -> Result<Migrated> {
    let mut out = Migrated::default();
    let mut baseline = Baseline::empty(NAME)?;
    let mut config = Draft::default();
    for (name, bytes) in files {
        if name.to_ascii_lowercase().ends_with(".toml") {
            let text = String::from_utf8_lossy(bytes);
            let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
            if super::format_of(text, name) == Format::Keysift {
                out.left.push(format!("{name}: is keysift's own already"));
                continue;
            }
            config.take(gitleaks::load(text, name, read, &mut Vec::new())?, name, &mut out);
            continue;
        }
        config.take_filters(bytes, name, &mut out.left);
        let imported = baseline.import(bytes, name, resolver, &Note::default())?;
        out.done.push(format!(
            "{name} ({}): {} in the baseline",
            imported.what,
            count(imported.added.len(), "entry", "entries")
        ));
        out.left.extend(imported.left);
    }
    out.baseline = (!baseline.is_empty()).then_some(baseline);
    out.ignore = (!config.ignore.is_empty())
        .then(|| format!("# From {}\n{}\n", config.from.join(", "), config.ignore.join("\n")));
    out.config = config.print();
    if let Some(text) = &out.config {
        // What is written must be readable; if it is not, that is for the person to know before they commit it.
        if let Err(error) = Config::parse(text, super::NAME, read) {
            out.left.push(format!("the new configuration needs a hand: {error}"));
        }
    }
    out.left.sort();
    out.left.dedup();
    Ok(out)
}

/// The new configuration, as it grows.
#[derive(Debug, Default)]
struct Draft {
    from: Vec<String>,
    without_builtin: bool,
    disable: Vec<String>,
    rules: Vec<Table>,
    overrides: Vec<(String, Table)>,
    lists: Vec<Table>,
    ignore: Vec<String>,
}

impl Draft {
    /// Takes a configuration of gitleaks.
    fn take(&mut self, merged: gitleaks::Merged, name: &str, out: &mut Migrated) {
        self.from.push(name.to_owned());
        out.left.extend(merged.remarks);
        let looks = |(_, table): &(String, Table)| table.contains_key("regex") || table.contains_key("path");
        if !merged.use_default && merged.rules.iter().any(looks) {
            self.without_builtin = true;
            out.left.push(format!(
                "{name}: does not extend gitleaks' default rules, so keysift's built-in rules are off too; take \
                 `use_default = false` out to have them"
            ));
        } else if !merged.use_default {
            out.left.push(format!(
                "{name}: has no rules and does not extend gitleaks' default ones, so gitleaks finds nothing with it; \
                 keysift's built-in rules are on"
            ));
        }
        for id in &merged.disabled {
            let ours = ids::ours(id);
            if ours.is_empty() && merged.use_default {
                out.left.push(format!("{name}: the disabled rule `{id}` has no counterpart"));
            }
            self.disable.extend(ours.iter().map(|id| (*id).to_owned()));
        }
        let (mut rules, mut changed) = (0, 0);
        for (id, table) in merged.rules {
            if !table.contains_key("regex") && !table.contains_key("path") {
                let ours = ids::ours(&id);
                if ours.is_empty() || !merged.use_default {
                    out.left.push(format!("{name}: rule `{id}` changes a rule that has no counterpart"));
                    continue;
                }
                let fields: Table =
                    table.into_iter().filter(|(k, _)| matches!(k.as_str(), "allowlists" | "tags")).collect();
                changed += usize::from(!fields.is_empty());
                self.overrides.extend(ours.iter().map(|id| ((*id).to_owned(), fields.clone())));
                continue;
            }
            match rule_of(table.clone()) {
                Ok(_) => {
                    rules += 1;
                    self.rules.push(table);
                }
                Err((what, _)) => out.left.push(format!("{name}: rule `{id}`: {what}")),
            }
        }
        let mut lists = 0;
        for list in merged.lists {
            lists += 1;
            self.take_list(list, name, &mut out.left);
        }
        out.done.push(format!(
            "{name}: {}, {}, {}, {}",
            count(rules, "rule", "rules"),
            count(changed, "change to a rule", "changes to rules"),
            count(self.disable.len(), "disabled rule", "disabled rules"),
            count(lists, "allowlist", "allowlists"),
        ));
    }

    /// Takes an allowlist over all rules; plain paths go to the ignore file.
    fn take_list(&mut self, mut list: Table, name: &str, left: &mut Vec<String>) {
        let texts = |key: &str| -> Vec<String> {
            list.get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let condition = list.get("condition").or(list.get("matchCondition")).and_then(Value::as_str).unwrap_or("OR");
        let is_or = !matches!(condition.to_ascii_uppercase().as_str(), "AND" | "&&");
        let mut targets = texts("targetRules");
        if is_or && targets.is_empty() {
            let (plain, rest): (Vec<_>, Vec<_>) = texts("paths")
                .into_iter()
                .map(|path| (dialect::as_ignore_pattern(&path), path))
                .partition(|(p, _)| p.is_some());
            self.ignore.extend(plain.into_iter().filter_map(|(p, _)| p));
            if rest.is_empty() {
                list.remove("paths");
            } else {
                list.insert(
                    "paths".to_owned(),
                    rest.into_iter().map(|(_, path)| Value::String(path)).collect::<Vec<_>>().into(),
                );
            }
        }
        if !targets.is_empty() {
            let ours: Vec<String> = targets.iter().flat_map(|id| ids::ours(id)).map(|id| (*id).to_owned()).collect();
            targets.extend(ours);
            targets.sort();
            targets.dedup();
            list.insert("targetRules".to_owned(), targets.into_iter().map(Value::String).collect::<Vec<_>>().into());
        }
        if !["paths", "regexes", "stopwords", "commits"].iter().any(|key| list.contains_key(*key)) {
            return;
        }
        match gitleaks::list_of(list.clone()) {
            Ok(_) => self.lists.push(list),
            Err(what) => left.push(format!("{name}: an allowlist: {what}")),
        }
    }

    /// Takes the filters of a baseline of detect-secrets.
    fn take_filters(&mut self, bytes: &[u8], name: &str, left: &mut Vec<String>) {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            filters_used: Vec<Filter>,
            /// Before version 1.
            #[serde(default)]
            exclude: Option<Exclude>,
            #[serde(default)]
            plugins_used: Vec<serde_json::Value>,
            #[serde(default, rename = "results")]
            _results: serde::de::IgnoredAny,
        }
        #[derive(Deserialize)]
        struct Filter {
            path: String,
            #[serde(default)]
            pattern: Vec<String>,
        }
        #[derive(Deserialize)]
        struct Exclude {
            files: Option<String>,
            lines: Option<String>,
        }
        let Ok(file) = serde_json::from_slice::<File>(bytes) else { return };
        if file.filters_used.is_empty() && file.exclude.is_none() && file.plugins_used.is_empty() {
            return;
        }
        self.from.push(name.to_owned());
        let mut patterns: Vec<(&str, String)> = Vec::new();
        for filter in file.filters_used {
            let key = match filter.path.rsplit('.').next().unwrap_or_default() {
                "should_exclude_file" => "paths",
                "should_exclude_line" => "line",
                "should_exclude_secret" => "secret",
                "is_invalid_file" | "is_non_text_file" | "is_baseline_file" => continue,
                // Heuristics against false alarms, of which keysift has its own.
                _ if filter.path.starts_with("detect_secrets.filters.") => continue,
                _ => {
                    left.push(format!("{name}: the filter {} cannot be carried over", filter.path));
                    continue;
                }
            };
            patterns.extend(filter.pattern.into_iter().map(|p| (key, p)));
        }
        if let Some(Exclude { files, lines }) = file.exclude {
            patterns.extend(files.map(|p| ("paths", p)).into_iter().chain(lines.map(|p| ("line", p))));
        }
        if !file.plugins_used.is_empty() {
            left.push(format!("{name}: its plugins and their limits have no counterpart; keysift's own rules are on"));
        }
        for (key, pattern) in patterns {
            let rust = dialect::from_go(&pattern);
            if let Err(error) = Expression::parse(&rust) {
                left.push(format!("{name}: the filter `{pattern}` cannot be carried over: {error}"));
                continue;
            }
            let mut list = Table::new();
            list.insert("description".to_owned(), format!("from {name}").into());
            let patterns = Value::Array(vec![Value::String(rust)]);
            if key == "paths" {
                list.insert("paths".to_owned(), patterns);
            } else {
                list.insert("regexTarget".to_owned(), key.into());
                list.insert("regexes".to_owned(), patterns);
            }
            self.take_list(list, name, left);
        }
    }

    /// The text of `.keysift.toml`.
    fn print(&mut self) -> Option<String> {
        self.disable.sort();
        self.disable.dedup();
        let nothing =
            self.disable.is_empty() && self.rules.is_empty() && self.overrides.is_empty() && self.lists.is_empty();
        if nothing && !self.without_builtin {
            return None;
        }
        let mut out = format!("# Made by `keysift migrate` from {}\n", self.from.join(", "));
        if self.without_builtin {
            out.push_str("use_default = false\n");
        }
        if !self.disable.is_empty() {
            let ids = self.disable.iter().map(|id| Value::String(id.clone())).collect();
            out.push_str(&format!("disable = {}\n", print_value(&Value::Array(ids))));
        }
        for (id, fields) in &self.overrides {
            print_table(&mut out, &format!("[override.{}]", key(id)), &format!("override.{}", key(id)), fields);
        }
        for rule in &self.rules {
            print_table(&mut out, "[[rules]]", "rules", rule);
        }
        for list in &self.lists {
            print_table(&mut out, "[[allowlists]]", "allowlists", list);
        }
        Some(out)
    }
}

/// The order in which keys are written; what is not among them follows.
const ORDER: &[&str] = &[
    "id",
    "description",
    "condition",
    "regexTarget",
    "regex",
    "path",
    "secretGroup",
    "keywords",
    "entropy",
    "paths",
    "regexes",
];

fn print_table(out: &mut String, header: &str, prefix: &str, table: &Table) {
    out.push_str(&format!("\n{header}\n"));
    let rank = |key: &str| ORDER.iter().position(|k| *k == key).unwrap_or(ORDER.len());
    let mut keys: Vec<&String> = table.keys().collect();
    keys.sort_by_key(|k| (rank(k), k.as_str()));
    let is_tables = |value: &Value| matches!(value, Value::Array(all) if all.first().is_some_and(Value::is_table));
    for name in keys.iter().filter(|k| !is_tables(&table[k.as_str()])) {
        out.push_str(&format!("{} = {}\n", key(name), print_value(&table[name.as_str()])));
    }
    for name in keys.iter().filter(|k| is_tables(&table[k.as_str()])) {
        for sub in table[name.as_str()].as_array().into_iter().flatten().filter_map(Value::as_table) {
            let path = format!("{prefix}.{}", key(name));
            print_table(out, &format!("[[{path}]]"), &path, sub);
        }
    }
}

fn print_value(value: &Value) -> String {
    match value {
        // Expressions read best without escapes.
        Value::String(text)
            if text.contains(['\\', '"']) && !text.contains('\'') && !text.chars().any(char::is_control) =>
        {
            format!("'{text}'")
        }
        Value::String(text)
            if text.contains(['\\', '"'])
                && !text.contains("'''")
                && !text.ends_with('\'')
                && !text.chars().any(char::is_control) =>
        {
            format!("'''{text}'''")
        }
        Value::Array(all) if all.len() > 1 && !all.iter().any(Value::is_table) => {
            let items: Vec<String> = all.iter().map(print_value).collect();
            let line = items.join(", ");
            if line.len() <= 80 { format!("[{line}]") } else { format!("[\n    {},\n]", items.join(",\n    ")) }
        }
        Value::Array(all) => format!("[{}]", all.iter().map(print_value).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A key, in quotes where it must be.
fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if bare { name.to_owned() } else { Value::String(name.to_owned()).to_string() }
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
