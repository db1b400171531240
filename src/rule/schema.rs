//! From the TOML text of a rules file (keysift's or gitleaks' vocabulary) to validated rules.
//!
//! Self-contained (no `crate::`): `build.rs` includes it too. `docs/rules.md` is the reference.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::expression::{Expression, Stretch};

/// Shortest keyword that may be given or inferred.
const SHORTEST_KEYWORD: usize = 3;
/// Longest match of an expression without a bound of its own, in bytes, unless `reach` says otherwise.
const DEFAULT_REACH: usize = 1024;
/// The most that `reach` may ask for, in bytes.
pub const LONGEST_REACH: usize = 1 << 16;
/// Bytes on either side of a match that decide whether it stands alone, and not in a longer encoded text.
pub const NEIGHBOURS: u32 = 36;
/// How far a `near` word may stand from its token, in bytes.
const NEAR: usize = 256;

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Counted, shown on demand.
    Low,
    /// Probably a credential.
    Medium,
    /// A credential by its form.
    High,
}

impl Confidence {
    /// The name in reports and flags.
    pub fn name(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

/// How bad a leak would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Opens little.
    Low,
    /// Opens something limited.
    Medium,
    /// Opens an account or a service.
    High,
    /// Opens everything, or moves money.
    Critical,
}

impl Severity {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// What sort of expression a rule has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The expression is the secret, which stands alone.
    Token,
    /// The expression is over the text around; the secret is a group of it.
    Regex,
    /// The built-in detector of `name = value`.
    Assignment,
    /// A file is the finding, by its path.
    Path,
}

/// The bytes around a keyword hit that a rule may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// At most this many bytes before and after the keyword, and never beyond its line.
    Line {
        /// Bytes before the keyword's start.
        before: u32,
        /// Bytes after the keyword's end.
        after: u32,
    },
    /// At most this many bytes before and after, across lines.
    Span {
        /// Bytes before the keyword's start.
        before: u32,
        /// Bytes after the keyword's end.
        after: u32,
    },
    /// The whole content: a rule without a keyword inside its matches. Slow; only rules of users.
    Whole,
}

/// A rule that must match near by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Its id.
    pub rule: String,
    /// How many lines away at most.
    pub within_lines: Option<u32>,
}

/// Whether one or all parts of an allowlist must match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// One is enough.
    Or,
    /// All parts that are given must match.
    And,
}

/// What an allowlist's expressions look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The secret.
    Secret,
    /// The whole match.
    Match,
    /// The line of the match.
    Line,
}

/// What is not to be reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowlist {
    /// Why.
    pub description: String,
    /// One or all.
    pub condition: Condition,
    /// Commits by full id.
    pub commits: Vec<String>,
    /// Expressions over the path.
    pub paths: Vec<String>,
    /// Expressions over `target`.
    pub regexes: Vec<String>,
    /// What `regexes` look at.
    pub target: Target,
    /// Texts of which a secret may contain none, lower case.
    pub stopwords: Vec<String>,
    /// The rules it holds for; empty: all.
    pub rules: Vec<String>,
}

/// One rule, validated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Unique, kebab-case.
    pub id: String,
    /// A noun phrase for people.
    pub description: String,
    /// What the expression means.
    pub kind: Kind,
    /// The expression; empty for [`Kind::Assignment`] and [`Kind::Path`].
    pub pattern: String,
    /// The group that holds the secret (0: the first that matched, or all).
    pub secret_group: u32,
    /// Lower-case texts of which one stands in every match (with `near`: near every match).
    pub keywords: Vec<String>,
    /// Whether the keywords are context and not part of the token.
    pub near: bool,
    /// What the rule may see.
    pub reach: Reach,
    /// What a window must hold to be worth the expression.
    pub stretch: Option<Stretch>,
    /// How sure a match is before scoring.
    pub confidence: Confidence,
    /// How bad a leak would be.
    pub severity: Severity,
    /// Bits per character that the secret must exceed.
    pub entropy: Option<f32>,
    /// Characters beyond letters, digits and `_` that the token's alphabet has.
    pub joiners: String,
    /// The name of a checksum algorithm.
    pub checksum: Option<String>,
    /// The other half of a pair, without which it is none.
    pub requires: Vec<Requirement>,
    /// The other half of a pair, named where it stands near by.
    pub partners: Vec<Requirement>,
    /// Never reported, only supports.
    pub identifier: bool,
    /// The paths where it holds.
    pub path: Option<String>,
    /// What is not to be reported.
    pub allowlists: Vec<Allowlist>,
    /// Free words.
    pub tags: Vec<String>,
    /// The page that documents the format.
    pub docs: Option<String>,
    /// Where to revoke or replace it.
    pub rotate: Option<String>,
    /// Templates that must be found.
    pub examples: Vec<String>,
    /// Templates in which it must find nothing.
    pub counter_examples: Vec<String>,
    /// The line of its definition.
    pub line: u32,
}

/// How a file of rules stands to others (gitleaks' `[extend]`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extend {
    /// `useDefault`: whether the built-in rules stay on. `None` where the file does not say.
    pub use_default: Option<bool>,
    /// Rules to switch off.
    pub disabled: Vec<String>,
    /// Another file to build on.
    pub path: Option<String>,
}

/// A rules file, validated.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// Its rules.
    pub rules: Vec<Rule>,
    /// Its allowlists over all rules.
    pub allowlists: Vec<Allowlist>,
    /// Its relation to other files.
    pub extend: Extend,
}

/// What is wrong with a rules file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1.
    pub line: u32,
    /// The rule, if it is inside one.
    pub rule: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub help: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default, rename = "title")]
    _title: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "minVersion")]
    _min_version: Option<String>,
    #[serde(default, rename = "betterleaksMinVersion")]
    _betterleaks_min_version: Option<String>,
    #[serde(default)]
    extend: RawExtend,
    #[serde(default)]
    rules: Vec<Spanned<RawRule>>,
    #[serde(default)]
    allowlist: Option<Spanned<RawAllowlist>>,
    #[serde(default)]
    allowlists: Vec<Spanned<RawAllowlist>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawExtend {
    #[serde(rename = "useDefault")]
    use_default: Option<bool>,
    path: Option<String>,
    #[serde(default, rename = "url")]
    _url: Option<String>,
    #[serde(default, rename = "disabledRules")]
    disabled: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: Option<String>,
    #[serde(default)]
    description: String,
    token: Option<String>,
    regex: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    near: Vec<String>,
    #[serde(default)]
    keywords: Vec<String>,
    #[serde(default, rename = "secretGroup")]
    secret_group: u32,
    confidence: Option<Confidence>,
    severity: Option<Severity>,
    entropy: Option<f32>,
    checksum: Option<String>,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default)]
    partners: Vec<String>,
    within: Option<u32>,
    #[serde(default)]
    required: Vec<RawRequired>,
    #[serde(default)]
    identifier: bool,
    #[serde(default, rename = "skipReport")]
    skip_report: bool,
    path: Option<String>,
    multiline: Option<bool>,
    reach: Option<usize>,
    #[serde(default)]
    tags: Vec<String>,
    docs: Option<String>,
    rotate: Option<String>,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    counter_examples: Vec<String>,
    #[serde(default)]
    allowlist: Option<RawAllowlist>,
    #[serde(default)]
    allowlists: Vec<RawAllowlist>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequired {
    id: String,
    #[serde(rename = "withinLines")]
    within_lines: Option<u32>,
    #[serde(default, rename = "withinColumns")]
    _within_columns: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAllowlist {
    #[serde(default, rename = "id")]
    _id: Option<String>,
    #[serde(default)]
    description: String,
    condition: Option<String>,
    #[serde(rename = "matchCondition")]
    match_condition: Option<String>,
    #[serde(default)]
    commits: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    regexes: Vec<String>,
    #[serde(rename = "regexTarget")]
    regex_target: Option<String>,
    #[serde(default)]
    stopwords: Vec<String>,
    #[serde(default, rename = "targetRules")]
    target_rules: Vec<String>,
}

/// Reads and validates the text of a rules file.
///
/// # Errors
/// The first problem, with its line.
pub fn parse(text: &str) -> Result<File, Problem> {
    let line = |at: usize| text[..at.min(text.len())].bytes().filter(|b| *b == b'\n').count() as u32 + 1;
    let raw: RawFile = toml::from_str(text).map_err(|e| {
        let at = e.span().map_or(0, |s| s.start);
        Problem {
            line: line(at),
            rule: rule_around(text, at),
            what: e.message().to_owned(),
            help: help_for(e.message()),
        }
    })?;
    let mut rules: Vec<Rule> = Vec::new();
    for spanned in raw.rules {
        let Range { start, .. } = spanned.span();
        let at = line(start);
        let raw = spanned.into_inner();
        let id = raw.id.clone();
        let fail = |(what, help): (String, Option<&str>)| Problem {
            line: at,
            rule: id.clone(),
            what,
            help: help.map(str::to_owned),
        };
        let rule = validate(raw, at).map_err(fail)?;
        if let Some(old) = rules.iter().find(|r| r.id == rule.id) {
            return Err(fail((
                format!("the id stands twice, first in line {}", old.line),
                Some("give each rule an id of its own"),
            )));
        }
        rules.push(rule);
    }
    let mut allowlists = Vec::new();
    for spanned in raw.allowlist.into_iter().chain(raw.allowlists) {
        let at = line(spanned.span().start);
        let list =
            allowlist(spanned.into_inner()).map_err(|what| Problem { line: at, rule: None, what, help: None })?;
        allowlists.push(list);
    }
    let extend = Extend { use_default: raw.extend.use_default, disabled: raw.extend.disabled, path: raw.extend.path };
    Ok(File { rules, allowlists, extend })
}

/// The id of the rule that a byte of the text stands in, for errors of the TOML parser.
fn rule_around(text: &str, at: usize) -> Option<String> {
    let start = text.get(..at)?.rfind("[[rules]]")?;
    let id = text[start..].lines().find_map(|l| l.trim().strip_prefix("id")?.trim().strip_prefix('='))?;
    Some(id.trim().trim_matches(['"', '\'']).to_owned())
}

/// For an unknown key: the known one that it looks like.
fn help_for(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (key, expected) = rest.split_once('`')?;
    let known = expected.split('`').skip(1).step_by(2);
    let (distance, best) = known.map(|k| (edit_distance(&key.to_lowercase(), &k.to_lowercase()), k)).min()?;
    (distance <= 1 + key.len() / 4).then(|| format!("did you mean `{best}`?"))
}

/// Levenshtein's distance.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

type Flaw = (String, Option<&'static str>);

fn validate(raw: RawRule, line: u32) -> Result<Rule, Flaw> {
    let id = raw
        .id
        .filter(|id| !id.is_empty())
        .ok_or(("a rule has no id".to_owned(), Some("add `id = \"provider-kind\"`")))?;
    let (kind, pattern) = match (raw.token, raw.regex, raw.kind.as_deref(), &raw.path) {
        (Some(token), None, None, _) => (Kind::Token, token),
        (None, Some(regex), None, _) => (Kind::Regex, regex),
        (None, None, Some("assignment"), _) => (Kind::Assignment, String::new()),
        (None, None, Some(other), _) => {
            return Err((format!("unknown kind `{other}`"), Some("the one kind there is: `assignment`")));
        }
        (None, None, None, Some(_)) => (Kind::Path, String::new()),
        (None, None, None, None) => {
            return Err(("nothing to look for".to_owned(), Some("add `token`, `regex` or `path`")));
        }
        _ => return Err(("more than one of `token`, `regex`, `kind`".to_owned(), Some("keep one of them"))),
    };
    let mut keywords: Vec<String> = raw.keywords.iter().chain(&raw.near).map(|k| k.to_ascii_lowercase()).collect();
    keywords.sort();
    keywords.dedup();
    if !raw.near.is_empty() && kind != Kind::Token {
        return Err((
            "`near` goes with `token`".to_owned(),
            Some("use `keywords`, or turn the `regex` into a `token`"),
        ));
    }
    let near = !raw.near.is_empty();
    if let Some(path) = &raw.path {
        Expression::parse(path).map_err(|e| (format!("`path` is not a valid expression: {e}"), None))?;
    }
    let reach_limit = raw.reach.unwrap_or(DEFAULT_REACH);
    if reach_limit > LONGEST_REACH {
        return Err((format!("`reach` is {reach_limit} bytes, more than the {LONGEST_REACH} allowed"), None));
    }
    let (mut joiners, mut stretch) = (String::new(), None);
    let reach = match kind {
        Kind::Path => Reach::Whole,
        Kind::Assignment => {
            if keywords.is_empty() {
                return Err((
                    "an assignment rule needs keywords".to_owned(),
                    Some("name parts of variable names: `keywords = [\"password\"]`"),
                ));
            }
            Reach::Line { before: reach_limit as u32, after: reach_limit as u32 }
        }
        Kind::Token | Kind::Regex => {
            let expression = Expression::parse(&pattern).map_err(|e| {
                (
                    format!("the expression is not valid: {e}"),
                    Some("the dialect is that of Rust's regex crate: no look-around, no back-references"),
                )
            })?;
            if expression.min_len() == 0 && kind == Kind::Token {
                return Err(("the token can be empty".to_owned(), Some("give it a least length")));
            }
            if raw.secret_group as usize > expression.groups() {
                return Err((
                    format!(
                        "secretGroup is {}, and the expression has {} groups",
                        raw.secret_group,
                        expression.groups()
                    ),
                    None,
                ));
            }
            stretch = expression.stretch();
            if kind == Kind::Token {
                joiners = expression.members("-+/=");
            }
            if keywords.is_empty() {
                keywords = expression.literals(SHORTEST_KEYWORD);
                if keywords.is_empty() && kind == Kind::Token {
                    keywords = expression.spelled();
                }
                if keywords.is_empty() && kind == Kind::Token {
                    return Err((
                        "no keyword, and none to be had from the token".to_owned(),
                        Some("add `keywords` that are inside every match, or `near`"),
                    ));
                }
            } else if let Some(short) = keywords.iter().find(|k| k.len() < SHORTEST_KEYWORD) {
                return Err((format!("the keyword `{short}` is shorter than {SHORTEST_KEYWORD} characters"), None));
            }
            reach_of(&expression, &keywords, near, raw.multiline.unwrap_or(kind == Kind::Regex), reach_limit)
        }
    };
    if near && let Some(short) = keywords.iter().find(|k| k.len() < SHORTEST_KEYWORD) {
        return Err((format!("the near word `{short}` is shorter than {SHORTEST_KEYWORD} characters"), None));
    }
    let within = raw.within.or(Some(5));
    let requires = raw
        .requires
        .into_iter()
        .map(|rule| Requirement { rule, within_lines: within })
        .chain(raw.required.into_iter().map(|r| Requirement { rule: r.id, within_lines: r.within_lines }))
        .collect();
    let partners = raw.partners.into_iter().map(|rule| Requirement { rule, within_lines: within }).collect();
    let allowlists = raw
        .allowlist
        .into_iter()
        .chain(raw.allowlists)
        .map(allowlist)
        .collect::<Result<_, _>>()
        .map_err(|what| (what, None))?;
    Ok(Rule {
        description: if raw.description.is_empty() { id.clone() } else { raw.description },
        id,
        kind,
        pattern,
        secret_group: raw.secret_group,
        keywords,
        near,
        reach,
        stretch,
        confidence: raw.confidence.unwrap_or(if near || kind == Kind::Assignment {
            Confidence::Medium
        } else {
            Confidence::High
        }),
        severity: raw.severity.unwrap_or(Severity::High),
        entropy: raw.entropy,
        joiners,
        checksum: raw.checksum,
        requires,
        partners,
        identifier: raw.identifier || raw.skip_report,
        path: raw.path,
        allowlists,
        tags: raw.tags,
        docs: raw.docs,
        rotate: raw.rotate,
        examples: raw.examples,
        counter_examples: raw.counter_examples,
        line,
    })
}

fn reach_of(expression: &Expression, keywords: &[String], near: bool, may_span: bool, limit: usize) -> Reach {
    if near {
        let length = expression.max_len().unwrap_or(limit).min(limit);
        let reach = (NEAR + length) as u32;
        return Reach::Span { before: reach, after: reach };
    }
    if keywords.is_empty() || !expression.requires_one_of(keywords) {
        return Reach::Whole;
    }
    let longest = expression.max_len().unwrap_or(limit).min(limit);
    let before = expression.max_before(keywords).unwrap_or(longest).min(longest) as u32 + NEIGHBOURS;
    let after = longest as u32 + NEIGHBOURS;
    if may_span && expression.spans_lines() { Reach::Span { before, after } } else { Reach::Line { before, after } }
}

fn allowlist(raw: RawAllowlist) -> Result<Allowlist, String> {
    let condition = match raw.condition.or(raw.match_condition).map(|c| c.to_ascii_uppercase()).as_deref() {
        None | Some("OR" | "||" | "") => Condition::Or,
        Some("AND" | "&&") => Condition::And,
        Some(other) => return Err(format!("allowlist condition `{other}` is neither OR nor AND")),
    };
    let target = match raw.regex_target.as_deref() {
        None | Some("" | "secret") => Target::Secret,
        Some("match") => Target::Match,
        Some("line") => Target::Line,
        Some(other) => return Err(format!("allowlist regexTarget `{other}` is none of secret, match, line")),
    };
    for pattern in raw.paths.iter().chain(&raw.regexes) {
        Expression::parse(pattern).map_err(|e| format!("an allowlist's expression is not valid: {e}"))?;
    }
    Ok(Allowlist {
        description: raw.description,
        condition,
        commits: raw.commits.into_iter().map(|c| c.to_ascii_lowercase()).collect(),
        paths: raw.paths,
        regexes: raw.regexes,
        target,
        stopwords: raw.stopwords.into_iter().map(|w| w.to_ascii_lowercase()).collect(),
        rules: raw.target_rules,
    })
}
