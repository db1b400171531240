//! Whether rules find what they are for: examples made from their own templates, looked for by the detector
//! and the triage of a scan. A rule that finds none of its examples is inert, and a scan with it would be
//! clean for the wrong reason.

use bstr::BStr;

use crate::{
    detect::{Certainty, DEFAULT_CONFIDENCE, Detector, checksum::Checksum, score},
    error::{Error, Result},
    rule::{Rule, Ruleset, template},
    triage::{Candidate, Options, Triage, Verdict},
};

/// How often a rule is tried before it counts as inert: a random value may look like a placeholder.
const TRIES: u64 = 8;
/// Where the examples stand; no ordinary allowlist names it.
const PLACE: &str = "keysift-canary";
/// What every allowlist over all rules is tried with: the shapes that credentials have.
const SHAPES: &[&str] = &["{alnum:36}", "{hex:40}", "{b64:44}", "{upnum:20}"];

/// Fills in a template of a rule's examples; another seed gives another one.
///
/// # Errors
/// The template is malformed.
pub fn fill(rule: &Rule, text: &str, seed: u64) -> Result<String> {
    let checksum = rule.checksum.as_deref().and_then(Checksum::named);
    template::fill(text, seed, &|head| checksum.and_then(|c| c.fill(head)))
}

/// Whether a rule is found in a text at the default confidence.
///
/// # Errors
/// Why it is not.
pub fn finds(detector: &Detector, triage: &Triage, number: u32, text: &str) -> std::result::Result<(), String> {
    let text = text.as_bytes();
    let seen = detector.scan(text);
    let mut why = None;
    for found in detector.resolve_all(text, &seen).iter().filter(|m| m.rule == number) {
        let candidate = Candidate {
            rule: &detector.rules()[number as usize],
            secret: &text[found.secret.clone()],
            matched: &text[found.span.clone()],
            lines: text,
            above: b"",
            path: PLACE.into(),
            commit: None,
        };
        let is_sure = match found.certainty {
            Certainty::Fixed(_) => true,
            Certainty::Scored(odds) => score::confidence(odds).is_some_and(|c| c >= DEFAULT_CONFIDENCE),
        };
        match triage.judge(&candidate) {
            Verdict::Keep if is_sure => return Ok(()),
            Verdict::Keep => why = Some("its score is too low".to_owned()),
            Verdict::Drop(reason) => why = Some(reason.to_owned()),
            Verdict::Suppress(by) => why = Some(format!("an allowlist over all rules names it{}", because(by.reason))),
        }
    }
    Err(why.unwrap_or_else(|| {
        let traces = detector.explain(text);
        let mut verdicts =
            traces.iter().filter(|t| t.rule == number).filter_map(|t| t.outcome.verdict.as_ref().err().copied());
        verdicts.next_back().unwrap_or("none of its keywords stands there").to_owned()
    }))
}

/// Tries the rules that a user has changed or added, which are those that have examples: the built-in ones
/// have shed theirs. Also tries the allowlists over all rules, whoever they are from.
///
/// # Errors
/// A rule finds none of its examples, or an allowlist sets everything aside.
pub fn check(ruleset: &Ruleset, detector: &Detector) -> Result<()> {
    let tried = |rule: &Rule| !rule.examples.is_empty();
    if ruleset.allowlists.is_empty() && !ruleset.rules.iter().any(|rule| tried(rule)) {
        return Ok(());
    }
    // Where a rule holds is not what is tried.
    let mut anywhere = ruleset.clone();
    for rule in anywhere.rules.iter_mut().filter(|rule| rule.path.is_some()) {
        std::sync::Arc::make_mut(rule).path = None;
    }
    let triage = Triage::new(&anywhere, Options { inline: false, ..Options::default() })?;
    if let Some(rule) = ruleset.rules.first()
        && let Some(reason) = allows_anything(&triage, rule)?
    {
        return Err(Error::new("an allowlist over all rules")
            .because(format!("it allows whatever a secret may be{}", because(reason)))
            .help("narrow its expressions"));
    }
    for (number, rule) in ruleset.rules.iter().enumerate().filter(|(_, rule)| tried(rule)) {
        let mut why = None;
        'tries: for seed in 0..TRIES {
            for example in &rule.examples {
                match finds(detector, &triage, number as u32, &fill(rule, example, seed)?) {
                    Ok(()) => {
                        why = None;
                        break 'tries;
                    }
                    Err(reason) => why = Some((example, reason)),
                }
            }
        }
        if let Some((example, reason)) = why {
            return Err(Error::new(format!("rule `{}` is inert", rule.id))
                .because(format!("it finds none of its own examples; in `{example}`: {reason}"))
                .help("mend the rule or its examples (`keysift rules test`), or leave it out with --skip-rule"));
        }
    }
    Ok(())
}

/// Whether values of every shape are allowed; with the reason that the allowlist gives.
fn allows_anything(triage: &Triage, rule: &Rule) -> Result<Option<Option<String>>> {
    let mut given = None;
    for (seed, shape) in SHAPES.iter().enumerate() {
        let value = template::fill(shape, seed as u64, &|_| None)?;
        let candidate = Candidate {
            rule,
            secret: value.as_bytes(),
            matched: value.as_bytes(),
            lines: value.as_bytes(),
            above: b"",
            path: BStr::new(PLACE),
            commit: None,
        };
        match triage.judge(&candidate) {
            Verdict::Suppress(by) => given = Some(by.reason),
            _ => return Ok(None),
        }
    }
    Ok(given)
}

fn because(reason: Option<String>) -> String {
    reason.map(|reason| format!(" ({reason})")).unwrap_or_default()
}
