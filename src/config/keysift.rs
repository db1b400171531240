//! `.keysift.toml`: its text, and what it may say.

use std::collections::BTreeMap;

use serde::{Deserialize, de::IgnoredAny};
use toml::Spanned;

use super::{Agent, Config, Format, Layer, Named, Override, Read, line_of, nearest, outline};
use crate::{
    error::{Error, Result},
    gap::GapKind,
    rule::{Confidence, Ruleset},
    triage::baseline::Scope,
};

/// Every key that may stand at the top.
pub(super) const KEYS: &[&str] = &[
    "use_default",
    "rule_files",
    "disable",
    "min_confidence",
    "max_size",
    "allow_gaps",
    "exclude",
    "inline",
    "messages",
    "advice",
    "baseline",
    "agent",
    "override",
    "rules",
    "allowlists",
];

/// What the text is parsed into.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    use_default: Option<bool>,
    #[serde(default)]
    rule_files: Vec<Spanned<String>>,
    #[serde(default)]
    disable: Vec<Spanned<String>>,
    min_confidence: Option<Confidence>,
    max_size: Option<Spanned<Size>>,
    #[serde(default)]
    allow_gaps: Vec<Spanned<String>>,
    #[serde(default)]
    exclude: Vec<Spanned<String>>,
    inline: Option<bool>,
    messages: Option<bool>,
    advice: Option<String>,
    #[serde(default)]
    baseline: RawBaseline,
    #[serde(default)]
    agent: RawAgent,
    #[serde(default, rename = "override")]
    overrides: BTreeMap<Spanned<String>, toml::Table>,
    #[serde(default, rename = "rules")]
    _rules: IgnoredAny,
    #[serde(default, rename = "allowlists")]
    _allowlists: IgnoredAny,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBaseline {
    path: Option<String>,
    scope: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAgent {
    on_failure: Option<Spanned<String>>,
    secrets: Option<Spanned<String>>,
    #[serde(default)]
    sensitive: Vec<String>,
    #[serde(default)]
    allow: Vec<String>,
}

/// A number of bytes, or a text such as `"10 MB"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Size {
    Bytes(u64),
    Text(String),
}

/// Reads a configuration.
pub(super) fn parse(text: &str, name: &str, read: Read<'_>) -> Result<Config> {
    let raw: Raw = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        let error = Error::new(format!("{name}:{}", line_of(text, at))).because(e.message());
        match help_for(e.message()) {
            Some(help) => error.help(help),
            None => error,
        }
    })?;
    let fail = |at: usize, why: String| Error::new(format!("{name}:{}", line_of(text, at))).because(why);
    let one_of = |value: &Spanned<String>, what: &str, known: Vec<&str>| {
        let help = nearest(value.get_ref(), known.iter().copied());
        let help =
            help.map_or_else(|| format!("there are: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
        fail(value.span().start, format!("unknown {what} `{}`", value.get_ref())).help(help)
    };
    let allow_gaps = raw.allow_gaps.iter().map(|kind| {
        GapKind::from_name(kind.get_ref())
            .ok_or_else(|| one_of(kind, "kind of gap", GapKind::ALL.iter().map(|k| k.name()).collect()))
    });
    let allow_gaps = allow_gaps.collect::<Result<_>>()?;
    let baseline_scope = raw.baseline.scope.as_ref().map(|scope| {
        Scope::from_name(scope.get_ref()).ok_or_else(|| one_of(scope, "scope", vec!["path", "repository"]))
    });
    let choice = |value: &Option<Spanned<String>>, what: &str, usual: &'static str, other: &'static str| match value {
        Some(value) if value.get_ref() == other => Ok(true),
        Some(value) if value.get_ref() != usual => Err(one_of(value, what, vec![usual, other])),
        _ => Ok(false),
    };
    let agent = Agent {
        passes_failures: choice(&raw.agent.on_failure, "failure mode", "block", "allow")?,
        denies_secrets: choice(&raw.agent.secrets, "way with secrets", "redact", "deny")?,
        sensitive: raw.agent.sensitive,
        allow: raw.agent.allow,
    };
    let max_size = raw.max_size.map(|size| {
        let at = size.span().start;
        bytes(size.get_ref()).ok_or_else(|| {
            fail(at, "max_size is no size".to_owned()).help("a number of bytes, or a text such as \"10 MB\"")
        })
    });
    for pattern in &raw.exclude {
        crate::triage::IgnoreFile::parse([("exclude", pattern.get_ref().as_str())])
            .map_err(|e| fail(pattern.span().start, e.to_string()))?;
    }
    let mut layers = Vec::new();
    for file in &raw.rule_files {
        let path = file.get_ref();
        let rules = read(path).map_err(|e| {
            fail(file.span().start, format!("cannot read rules file {path}: {e}"))
                .help("paths are from the root of the repository")
        })?;
        let parsed = Ruleset::parse(&rules, path)?;
        let disable = parsed.extend.disabled.into_iter().map(|id| Named { id, line: 0 }).collect();
        layers.push(Layer { name: path.clone(), disable, own: parsed.ruleset, text: rules, ..Layer::default() });
    }
    // The schema of rules reads its part of the same text, so that its line numbers are right.
    let own = Ruleset::parse(&outline::only(text, &["rules", "allowlists"]), name)?.ruleset;
    let named = |id: &Spanned<String>| Named { id: id.get_ref().clone(), line: line_of(text, id.span().start) };
    let overrides =
        raw.overrides.iter().map(|(id, fields)| Override { rule: named(id), fields: fields.clone(), lenient: false });
    // The first layer brings the built-in rules in, whatever is added from files.
    if let Some(first) = layers.first_mut() {
        first.builtin = raw.use_default.unwrap_or(true);
    }
    layers.push(Layer {
        name: name.to_owned(),
        builtin: layers.is_empty() && raw.use_default.unwrap_or(true),
        disable: raw.disable.iter().map(named).collect(),
        overrides: overrides.collect(),
        own,
        text: format!("{text}\n"),
    });
    Ok(Config {
        name: name.to_owned(),
        format: Format::Keysift,
        min_confidence: raw.min_confidence,
        max_size: max_size.transpose()?,
        allow_gaps,
        exclude: raw.exclude.into_iter().map(Spanned::into_inner).collect(),
        inline: raw.inline,
        messages: raw.messages,
        baseline: raw.baseline.path,
        baseline_scope: baseline_scope.transpose()?,
        advice: raw.advice,
        agent,
        remarks: Vec::new(),
        layers,
    })
}

/// For an unknown key: the known one that it looks like, or what else to do.
fn help_for(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, expected) = rest.split_once('`')?;
    if matches!(key, "extend" | "allowlist" | "title" | "minVersion") {
        return Some("that is gitleaks' format: `keysift migrate` translates it".to_owned());
    }
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    Some(match nearest(key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.join(", ")),
    })
}

fn bytes(size: &Size) -> Option<u64> {
    let text = match size {
        Size::Bytes(bytes) => return Some(*bytes),
        Size::Text(text) => text.trim(),
    };
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "kib" => 1 << 10,
        "m" | "mb" => 1_000_000,
        "mib" => 1 << 20,
        "g" | "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}
