//! The user's file, validated: `.keysift.toml`, or a `.gitleaks.toml` in its stead.
//!
//! ```toml
//! min_confidence = "medium"
//! exclude = ["vendor/", "*.lock"]
//! disable = ["square-access-token"]
//!
//! [baseline]
//! scope = "repository"
//!
//! [agent]                       # docs/agents.md
//! sensitive = ["internal/keys/"]
//!
//! [override.generic-secret]     # fields of a rule, one by one; allowlists and tags are added
//! severity = "low"
//!
//! [[rules]]                     # docs/rules.md
//! id = "our-token"
//! token = 'our_[0-9]{20}'
//!
//! [[allowlists]]
//! paths = ['^docs/']
//! ```
//!
//! The text is parsed into a type of its own ([`keysift`]) and validated into [`Config`]; nothing that it
//! says is passed over.

mod dialect;
mod gitleaks;
mod ids;
mod keysift;
pub mod migrate;
mod outline;
pub mod policy;

use std::{collections::BTreeSet, fs, io, path::Path, sync::Arc};

use crate::{
    error::{Error, Result},
    gap::GapKind,
    rule::{BUILTIN_TOML, Confidence, Rule, Ruleset, schema::edit_distance},
    triage::baseline::Scope,
};

/// The name that the configuration has at the root of a repository.
pub const NAME: &str = ".keysift.toml";
/// What is read in its stead.
pub const GITLEAKS_NAME: &str = ".gitleaks.toml";

/// Reads a file that a configuration names; paths are from the root of the repository.
pub type Read<'a> = &'a dyn Fn(&str) -> io::Result<String>;

/// Whose format a configuration is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// keysift's own.
    #[default]
    Keysift,
    /// gitleaks'.
    Gitleaks,
}

/// What the agent guard does: `[agent]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agent {
    /// Whether an event that cannot be judged goes on (it is stopped unless this says otherwise).
    pub passes_failures: bool,
    /// Whether reading a file with secrets is denied even where its content could be redacted.
    pub denies_secrets: bool,
    /// More paths that are not for an agent; patterns as in `src/agent/sensitive.toml`.
    pub sensitive: Vec<String>,
    /// Paths that are for an agent all the same.
    pub allow: Vec<String>,
}

/// A configuration.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What messages call it.
    pub name: String,
    /// Whose format it is in.
    pub format: Format,
    /// Findings of at least this confidence are shown.
    pub min_confidence: Option<Confidence>,
    /// Contents above this many bytes are a gap.
    pub max_size: Option<u64>,
    /// Kinds of gaps that are accepted.
    pub allow_gaps: Vec<GapKind>,
    /// Paths that are not looked at, in gitignore's syntax.
    pub exclude: Vec<String>,
    /// Whether comments in the source count.
    pub inline: Option<bool>,
    /// Whether a scan of history looks at messages, authors and names of refs.
    pub messages: Option<bool>,
    /// Where the baseline is, from the root.
    pub baseline: Option<String>,
    /// How far entries of the baseline reach.
    pub baseline_scope: Option<Scope>,
    /// What people who meet a finding are told besides: whom to ask, where to read.
    pub advice: Option<String>,
    /// What the agent guard does here.
    pub agent: Agent,
    /// What the person who runs it should know.
    pub remarks: Vec<String>,
    layers: Vec<Layer>,
}

/// Rules that build on those of the layers below.
#[derive(Debug, Clone, Default)]
struct Layer {
    /// What messages call it.
    name: String,
    /// Whether the built-in rules join in here.
    builtin: bool,
    /// Rules that are switched off; with whether it is an error if there is none of the name.
    disable: Vec<Named>,
    /// Rules whose fields change.
    overrides: Vec<Override>,
    /// Rules and allowlists that are added.
    own: Ruleset,
    /// The text that `own` was read from.
    text: String,
}

/// A rule by its id, and the line that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    id: String,
    line: u32,
}

/// Fields of a rule to be changed.
#[derive(Debug, Clone)]
struct Override {
    rule: Named,
    fields: toml::Table,
    /// Whether the rule may be missing (of gitleaks' rules not all have a counterpart).
    lenient: bool,
}

impl Config {
    /// What holds where there is no file: the built-in rules.
    pub fn none() -> Config {
        let layer = Layer { name: "built in".to_owned(), builtin: true, ..Layer::default() };
        Config { name: "no configuration".to_owned(), layers: vec![layer], ..Config::default() }
    }

    /// The configuration at the root of a repository or folder: `.keysift.toml`, or else `.gitleaks.toml`.
    ///
    /// # Errors
    /// It cannot be read, or as for [`Config::parse`].
    pub fn find(root: &Path) -> Result<Option<Config>> {
        for name in [NAME, GITLEAKS_NAME] {
            let path = root.join(name);
            if path.symlink_metadata().is_ok() {
                let text = read(&path)?;
                return Config::parse(&text, name, &|path| fs::read_to_string(root.join(path))).map(Some);
            }
        }
        Ok(None)
    }

    /// The configuration in this file; files that it names are looked for from `root`.
    ///
    /// # Errors
    /// It cannot be read, or as for [`Config::parse`].
    pub fn read(path: &Path, root: &Path) -> Result<Config> {
        let text = read(path)?;
        let beside = path.parent().map(Path::to_owned).unwrap_or_default();
        Config::parse(&text, &path.display().to_string(), &|named| {
            fs::read_to_string(root.join(named))
                .or_else(|error| fs::read_to_string(beside.join(named)).map_err(|_| error))
        })
    }

    /// The configuration that this text says; `name` is what messages call it and tells the format.
    ///
    /// # Errors
    /// The text is not TOML, has an unknown key or a value that cannot be: with its line.
    pub fn parse(text: &str, name: &str, read: Read<'_>) -> Result<Config> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match format_of(text, name) {
            Format::Keysift => keysift::parse(text, name, read),
            Format::Gitleaks => gitleaks::parse(text, name, read),
        }
    }

    /// The active rules, and remarks on how they came about.
    ///
    /// # Errors
    /// A rule that is to be disabled or overridden does not exist, a change makes a rule invalid, or no
    /// rule is left.
    pub fn ruleset(&self, builtin: Ruleset) -> Result<(Ruleset, Vec<String>)> {
        let mut remarks = self.remarks.clone();
        let mut active = Ruleset::default();
        let mut off: BTreeSet<String> = BTreeSet::new();
        for layer in &self.layers {
            if layer.builtin {
                active.extend(builtin.clone());
            }
            for Named { id, line } in &layer.disable {
                if active.rules.iter().any(|r| r.id == *id) {
                    off.insert(id.clone());
                } else if *line > 0 {
                    return Err(unknown_rule(&active, id, &layer.name, *line));
                }
            }
            active.rules.retain(|r| !off.contains(&r.id));
            for change in &layer.overrides {
                let Some(at) = active.rules.iter().position(|r| r.id == change.rule.id) else {
                    if change.lenient || off.contains(&change.rule.id) {
                        continue;
                    }
                    return Err(unknown_rule(&active, &change.rule.id, &layer.name, change.rule.line));
                };
                active.rules[at] = Arc::new(self.overridden(change, layer)?);
            }
            active.extend(layer.own.clone());
        }
        if active.rules.is_empty() {
            return Err(Error::new(format!("{} leaves no rule active", self.name))
                .because("a scan without rules finds nothing")
                .help(if self.format == Format::Gitleaks {
                    "add `useDefault = true` under `[extend]`, or [[rules]]"
                } else {
                    "leave `use_default = false` out, or add [[rules]]"
                }));
        }
        if !self.layers.iter().any(|l| l.builtin) {
            let how = if self.format == Format::Gitleaks {
                "it has no `[extend] useDefault = true`"
            } else {
                "use_default = false"
            };
            let n = active.rules.len();
            let rules = if n == 1 { "1 rule is".to_owned() } else { format!("{n} rules are") };
            remarks.push(format!("{}: the built-in rules are off ({how}); {rules} active", self.name));
        }
        Ok((active, remarks))
    }

    /// What it comes to, as `keysift config show` prints it: options that differ from the defaults, and
    /// how many rules are active.
    ///
    /// # Errors
    /// As for [`Config::ruleset`].
    pub fn show(&self, builtin: Ruleset) -> Result<String> {
        let all = builtin.rules.len();
        let (active, remarks) = self.ruleset(builtin)?;
        let mut out = format!("# {}\n", self.name);
        let mut say = |key: &str, value: Option<toml::Value>| {
            if let Some(value) = value {
                out.push_str(&format!("{key} = {value}\n"));
            }
        };
        let texts = |all: &[String]| (!all.is_empty()).then(|| all.to_vec().into());
        let gaps: Vec<String> = self.allow_gaps.iter().map(|k| k.name().to_owned()).collect();
        say("min_confidence", self.min_confidence.map(|c| c.name().into()));
        say("max_size", self.max_size.and_then(|n| i64::try_from(n).ok()).map(Into::into));
        say("allow_gaps", texts(&gaps));
        say("exclude", texts(&self.exclude));
        say("inline", self.inline.map(Into::into));
        say("messages", self.messages.map(Into::into));
        say("advice", self.advice.clone().map(Into::into));
        say("agent.on_failure", self.agent.passes_failures.then(|| "allow".into()));
        say("agent.secrets", self.agent.denies_secrets.then(|| "deny".into()));
        say("agent.sensitive", texts(&self.agent.sensitive));
        say("agent.allow", texts(&self.agent.allow));
        say("baseline.path", self.baseline.clone().map(Into::into));
        say("baseline.scope", self.baseline_scope.map(|s| s.name().into()));
        let disabled: BTreeSet<&str> = self.layers.iter().flat_map(|l| &l.disable).map(|n| n.id.as_str()).collect();
        say(
            "disable",
            (!disabled.is_empty()).then(|| disabled.iter().map(|id| toml::Value::from(*id)).collect::<Vec<_>>().into()),
        );
        let changed: BTreeSet<&str> =
            self.layers.iter().flat_map(|l| &l.overrides).map(|o| o.rule.id.as_str()).collect();
        let own: Vec<&str> = self.layers.iter().flat_map(|l| &l.own.rules).map(|r| r.id.as_str()).collect();
        for (what, ids) in [("overridden", changed.into_iter().collect()), ("added", own)] {
            if !ids.is_empty() {
                out.push_str(&format!("# {what}: {}\n", ids.join(", ")));
            }
        }
        out.push_str(&format!(
            "# {} rules active ({all} built in), {} allowlists over all rules\n",
            active.rules.len(),
            active.allowlists.len()
        ));
        for remark in remarks {
            out.push_str(&format!("# note: {remark}\n"));
        }
        Ok(out)
    }

    /// A rule with its fields changed: its table is looked up, changed, and validated anew.
    fn overridden(&self, change: &Override, layer: &Layer) -> Result<Rule> {
        let id = &change.rule.id;
        let place = || match change.rule.line {
            0 => format!("{}: rule `{id}`", layer.name),
            line => format!("{}:{line}: override of rule `{id}`", layer.name),
        };
        let texts = self.layers.iter().rev().map(|l| l.text.as_str()).chain([BUILTIN_TOML]);
        let table = texts
            .filter(|text| text.contains(id.as_str()))
            .find_map(|text| {
                let sections = outline::outline(text);
                let rule = outline::rule_text(text, &sections, id)?;
                let toml::Value::Array(mut rules) = toml::from_str::<toml::Table>(rule).ok()?.remove("rules")? else {
                    return None;
                };
                match rules.pop()? {
                    toml::Value::Table(table) => Some(table),
                    _ => None,
                }
            })
            .ok_or_else(|| {
                Error::new(place())
                    .because("the text of the rule cannot be found")
                    .help("define the rule anew under [[rules]]")
            })?;
        let changed = merged(table, &change.fields);
        let rule = rule_of(changed).map_err(|(what, help)| {
            let error = Error::new(place()).because(what);
            match help {
                Some(help) => error.help(help),
                None => error,
            }
        })?;
        Ok(rule)
    }
}

/// A rule's table with other fields. Allowlists and tags are added, everything else is replaced; the three
/// ways to say what to look for replace one another.
fn merged(mut rule: toml::Table, fields: &toml::Table) -> toml::Table {
    let ways = ["token", "regex", "kind"];
    if ways.iter().any(|way| fields.contains_key(*way)) {
        for way in ways {
            rule.remove(way);
        }
    }
    for (key, value) in fields {
        match (key.as_str(), value, rule.get_mut(key)) {
            ("allowlists" | "tags", toml::Value::Array(more), Some(toml::Value::Array(old))) => {
                old.extend(more.iter().cloned())
            }
            // The old way to write one allowlist.
            ("allowlist", list, _) => {
                match rule.entry("allowlists").or_insert_with(|| Vec::<toml::Value>::new().into()) {
                    toml::Value::Array(old) => old.push(list.clone()),
                    _ => drop(rule.insert(key.clone(), list.clone())),
                }
            }
            _ => drop(rule.insert(key.clone(), value.clone())),
        }
    }
    rule
}

/// Validates the table of one rule.
fn rule_of(table: toml::Table) -> std::result::Result<Rule, (String, Option<String>)> {
    let mut file = toml::Table::new();
    file.insert("rules".to_owned(), vec![toml::Value::Table(table)].into());
    let text = toml::to_string(&file).map_err(|e| (e.to_string(), None))?;
    let parsed = crate::rule::schema::parse(&text).map_err(|problem| (problem.what, problem.help))?;
    parsed.rules.into_iter().next().ok_or_else(|| ("there is no rule".to_owned(), None))
}

/// Which format a text is in: by the name of its file, or else by keys that only gitleaks has.
fn format_of(text: &str, name: &str) -> Format {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
    if file.contains("keysift") {
        return Format::Keysift;
    }
    if file.contains("gitleaks") || file.contains("betterleaks") {
        return Format::Gitleaks;
    }
    let sections = outline::outline(text);
    let top: Vec<&str> = sections
        .iter()
        .flat_map(|s| {
            s.header
                .first()
                .into_iter()
                .chain(s.header.is_empty().then_some(&s.keys).into_iter().flatten().map(|(k, ..)| k))
        })
        .map(String::as_str)
        .collect();
    let foreign = ["title", "extend", "allowlist", "minVersion"];
    let ours = |key: &&str| keysift::KEYS.contains(key) && !["rules", "allowlists"].contains(key);
    if top.iter().any(|k| foreign.contains(k)) && !top.iter().any(ours) { Format::Gitleaks } else { Format::Keysift }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| {
        Error::new(format!("cannot read configuration {}", path.display()))
            .because(e)
            .help("name a TOML file that you may read")
    })
}

fn unknown_rule(active: &Ruleset, id: &str, name: &str, line: u32) -> Error {
    let known = active.rules.iter().map(|r| r.id.as_str());
    let error = Error::new(format!("{name}:{line}")).because(format!("there is no rule `{id}`"));
    error.help(
        nearest(id, known)
            .map_or("`keysift rules list` shows them".to_owned(), |near| format!("did you mean `{near}`?")),
    )
}

/// The word that another one looks like.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let best = known.into_iter().map(|k| (edit_distance(&lower, &k.to_lowercase()), k)).min()?;
    (best.0 <= (1 + word.len() / 4).max(2)).then_some(best.1)
}

/// The line of a byte of a text, from 1.
fn line_of(text: &str, at: usize) -> u32 {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() as u32 + 1
}
