//! `keysift explain FILE:LINE`: why a line was found, or at which stage it was dropped.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use bstr::{BString, ByteSlice};
use keysift::{
    Error,
    detect::{Certainty, Detector, Trace, score, text},
    finding::{Finding, Fingerprint, Location, Place, Position, Secret, SuppressedBy, Suppression},
    rule::{Rule, Ruleset},
    source::repository::{Environment, Repository},
    triage::{Candidate, Triage, Verdict, baseline::Coverage},
};

use super::{
    CLEAN, Done,
    policy::{Named, Policy, Wish},
    setup,
};

/// The flags of `keysift explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A place: FILE:LINE, or FILE for all its lines
    #[arg(value_name = "FILE[:LINE]")]
    place: String,
    /// Show the values
    #[arg(long)]
    show_secrets: bool,
    /// The configuration (default: .keysift.toml or .gitleaks.toml at the root of the repository)
    #[arg(long, value_name = "FILE", env = "KEYSIFT_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    rules: setup::RuleFlags,
}

/// Runs `keysift explain`.
pub(crate) fn run(args: &Args) -> Done {
    let (path, line) = match args.place.rsplit_once(':') {
        Some((path, line)) if line.parse::<usize>().is_ok() => (path, line.parse::<usize>().ok()),
        _ => (args.place.as_str(), None),
    };
    let content = fs::read(path)
        .map_err(|e| Error::new(format!("cannot read {path}")).because(e).help("name a file as FILE:LINE"))?;
    let repository = Repository::discover(Path::new(path), &Environment::of_process())?;
    let root = repository.as_ref().and_then(Repository::root).unwrap_or(Path::new(".")).to_owned();
    let named = Named { config: args.config.as_deref(), baseline: None };
    let policy = Policy::of(repository.as_ref(), &root, named, &Wish::default())?;
    let ruleset = args.rules.apply(policy.config.ruleset(Ruleset::builtin())?.0)?;
    let detector = Detector::new(&ruleset)?;
    let triage = Triage::new(&ruleset, policy.triage(true, true, Coverage::Part))?;
    let seen = from_root(Path::new(path), &root);
    let text = text::text(&content);
    let mut out = anstream::stdout().lock();
    let line_of = |at: usize| text[..at].iter().filter(|b| **b == b'\n').count() + 1;
    let mut shown = 0;
    for trace in detector.explain(&text) {
        let at = line_of(trace.outcome.secret.start.min(text.len()));
        if line.is_some_and(|l| l != at && l != line_of(trace.hit.start)) {
            continue;
        }
        shown += 1;
        let rule = &ruleset.rules[trace.rule as usize];
        let how = match &trace.decoded {
            Some(_) => "in encoded text".to_owned(),
            None => format!("at keyword `{}`", String::from_utf8_lossy(&text[trace.hit.clone()]).escape_debug()),
        };
        let value = trace.decoded.as_deref().unwrap_or(&text[trace.outcome.secret.clone()]);
        let secret = Secret::new(value);
        let value =
            if args.show_secrets { String::from_utf8_lossy(secret.expose()).into_owned() } else { secret.redacted() };
        let verdict = match trace.outcome.verdict {
            Ok(Certainty::Fixed(confidence)) => format!("found, confidence {}", confidence.name()),
            Ok(Certainty::Scored(odds)) => {
                let place = (&text[..], &trace.outcome.span, &trace.outcome.secret);
                let place = trace.decoded.is_none().then_some(place);
                let total = score::in_place(odds, seen.as_bstr(), secret.expose(), place);
                let name = score::confidence(total).map_or("none", |c| c.name());
                format!("scored {odds:+.2}, with the path {total:+.2}: confidence {name}")
            }
            Err(why) => format!("dropped: {why}"),
        };
        writeln!(
            out,
            "{path}:{at}: rule {} {how}, value {} ({} bytes): {verdict}",
            rule.id,
            value.escape_debug(),
            secret.len()
        )?;
        for (feature, weight) in &trace.outcome.contributions {
            writeln!(out, "    {weight:+.2}  {feature}")?;
        }
        if trace.outcome.verdict.is_ok()
            && let Some(why) = set_aside(&triage, rule, &text, &trace, &secret, &seen, at)
        {
            writeln!(out, "    not reported: {why}")?;
        }
    }
    if shown == 0 {
        writeln!(out, "{}: no rule has a keyword here", args.place)?;
    }
    Ok(CLEAN)
}

/// The path from the root, with `/`; as it was named where it lies outside.
fn from_root(path: &Path, root: &Path) -> BString {
    let inside = fs::canonicalize(path).ok().zip(fs::canonicalize(root).ok());
    let inside = inside.as_ref().and_then(|(path, root)| path.strip_prefix(root).ok()).unwrap_or(path);
    BString::from(inside.to_string_lossy().replace('\\', "/"))
}

/// Why triage does not let a match become a finding.
fn set_aside(
    triage: &Triage,
    rule: &Arc<Rule>,
    text: &[u8],
    trace: &Trace,
    secret: &Secret,
    path: &BString,
    line: usize,
) -> Option<String> {
    if triage.skips(path.as_bstr()) {
        return Some("the ignore file or an allowlist leaves this path out".to_owned());
    }
    let span = trace.outcome.secret.start.min(text.len())..trace.outcome.secret.end.min(text.len());
    let start = text[..span.start].rfind_byte(b'\n').map_or(0, |at| at + 1);
    let end = text[span.end..].find_byte(b'\n').map_or(text.len(), |at| span.end + at);
    let above = text[..start.saturating_sub(1)].rfind_byte(b'\n').map_or(0, |at| at + 1);
    let candidate = Candidate {
        rule,
        secret: secret.expose(),
        matched: &text[span],
        lines: &text[start..end],
        above: &text[above..start.saturating_sub(1).max(above)],
        path: path.as_bstr(),
        commit: None,
    };
    match triage.judge(&candidate) {
        Verdict::Drop(why) => return Some(why.to_owned()),
        Verdict::Suppress(Suppression { by, reason }) => {
            let by = match by {
                SuppressedBy::Inline => "a comment here sets it aside",
                SuppressedBy::Allowlist => "an allowlist sets it aside",
                SuppressedBy::IgnoreFile => "the ignore file sets it aside",
                SuppressedBy::Baseline => "the baseline knows it",
            };
            return Some(reason.map_or_else(|| by.to_owned(), |reason| format!("{by}: {reason}")));
        }
        Verdict::Keep => {}
    }
    let position = Position { line: line as u32, column: 1 };
    let finding = Finding {
        rule: rule.clone(),
        confidence: rule.confidence,
        severity: rule.severity,
        fingerprint: Fingerprint::of(&rule.id, secret),
        secret: secret.clone(),
        entropy: 0.0,
        notes: Vec::new(),
        partners: Vec::new(),
        locations: vec![Location {
            path: path.clone(),
            place: Place::Content,
            start: position,
            end: position,
            commit: None,
            blob: None,
            in_head: None,
            pushed: None,
            unreachable: false,
            line_hash: None,
        }],
        suppression: None,
    };
    let known = triage.settle_as(vec![finding], false).suppressed.pop()?;
    let reason = known.suppression.and_then(|s| s.reason);
    Some(reason.map_or_else(|| "the baseline knows it".to_owned(), |reason| format!("the baseline knows it: {reason}")))
}
