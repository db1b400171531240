//! From a window to matches: runs a rule's expression, and says of every candidate what became of it.

use std::{ops::Range, sync::Arc};

use regex::bytes::Regex;

use super::{Match, assignment, checksum::Checksum, entropy, near, placeholder::placeholder, score};
use crate::rule::{Confidence, Kind, Rule};

/// What share of a random value's entropy a token must show that stands by its format.
const TOKEN_ENTROPY: f64 = 0.6;
/// What share of a random value's entropy a token must show that stands by its context.
const NEAR_ENTROPY: f64 = 0.8;

/// How sure a match is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Certainty {
    /// By format and checks.
    Fixed(Confidence),
    /// By weighed evidence: log-odds, to which the path may add.
    Scored(f32),
}

/// What became of a candidate.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The whole match.
    pub span: Range<usize>,
    /// The secret inside it.
    pub secret: Range<usize>,
    /// How sure it is, or why it is none.
    pub verdict: Result<Certainty, &'static str>,
    /// What the score is made of, on demand.
    pub contributions: Vec<(&'static str, f32)>,
}

impl Outcome {
    /// The rule's expression does not match around this hit.
    pub(super) fn nothing(hit: Range<usize>) -> Outcome {
        Outcome {
            span: hit.clone(),
            secret: hit,
            verdict: Err("the keyword stands there, the rest does not match"),
            contributions: Vec::new(),
        }
    }

    pub(super) fn shifted(self, by: usize) -> Outcome {
        let place = |r: Range<usize>| r.start + by..r.end + by;
        Outcome { span: place(self.span), secret: place(self.secret), ..self }
    }
}

/// Runs an expression over a window. With a hit (its place in the window), a match must contain it,
/// unless the rule only wants it near.
pub(super) fn expression(
    rule: &Rule,
    expression: &Regex,
    checksum: Option<Checksum>,
    window: &[u8],
    hit: Option<Range<usize>>,
    emit: &mut impl FnMut(Outcome),
) {
    let mut at = 0;
    while at <= window.len() {
        let Some(found) = expression.find_at(window, at) else { return };
        let span = found.range();
        at = span.end.max(span.start + 1);
        let holds_hit = hit.as_ref().is_none_or(|h| rule.near || span.start <= h.start && h.end <= span.end);
        if !holds_hit {
            // A shorter start may hide the match that contains the hit.
            if hit.as_ref().is_some_and(|h| span.start > h.start) {
                return;
            }
            at = span.start + 1;
            continue;
        }
        let secret = secret_of(rule, expression, window, &span);
        if rule.kind == Kind::Token && !stands_alone(rule, window, &span) {
            at = span.start + 1;
            continue;
        }
        let verdict = judge(rule, checksum, window, hit.as_ref(), &span, &secret);
        if verdict.is_err() && rule.near {
            at = span.end;
        }
        emit(Outcome { span, secret, verdict, contributions: Vec::new() });
    }
}

/// Runs the detector of assignments over a window.
pub(super) fn assignment(window: &[u8], hit: Range<usize>, explain: bool, emit: &mut impl FnMut(Outcome)) {
    let mut candidates = Vec::new();
    assignment::candidates(window, hit, &mut candidates);
    for candidate in candidates {
        let secret = candidate.value.clone();
        let span = candidate.name.start.min(secret.start)..candidate.name.end.max(secret.end);
        let (verdict, contributions) = match score::score(window, &candidate, explain) {
            Some(score) => (Ok(Certainty::Scored(score.log_odds)), score.contributions),
            None => (Err("the value cannot be a credential"), Vec::new()),
        };
        emit(Outcome { span, secret, verdict, contributions });
    }
}

/// The group of a match that holds the secret.
fn secret_of(rule: &Rule, expression: &Regex, window: &[u8], span: &Range<usize>) -> Range<usize> {
    if rule.kind == Kind::Token || expression.captures_len() == 1 {
        return span.clone();
    }
    let Some(groups) = expression.captures_at(window, span.start) else { return span.clone() };
    let group = match rule.secret_group {
        0 => groups.iter().skip(1).flatten().find(|g| !g.is_empty()),
        n => groups.get(n as usize),
    };
    group.map_or_else(|| span.clone(), |g| g.range())
}

fn judge(
    rule: &Rule,
    checksum: Option<Checksum>,
    window: &[u8],
    hit: Option<&Range<usize>>,
    span: &Range<usize>,
    secret: &Range<usize>,
) -> Result<Certainty, &'static str> {
    let value = &window[secret.clone()];
    if value.is_empty() {
        return Err("the secret is empty");
    }
    if let Some(checksum) = checksum {
        if !checksum.verify(value) {
            return Err("its checksum is wrong");
        }
        if checksum.proves() {
            return match placeholder(value) {
                Some(why) => Err(why),
                None => Ok(Certainty::Fixed(Confidence::High)),
            };
        }
    }
    if let Some(why) = placeholder(value) {
        return Err(why);
    }
    let measured = entropy::shannon(value);
    match rule.entropy {
        Some(least) if measured <= f64::from(least) => return Err("its entropy is below the rule's"),
        Some(_) => {}
        None if rule.kind == Kind::Token => {
            let share = if rule.near { NEAR_ENTROPY } else { TOKEN_ENTROPY };
            if measured < share * entropy::of_random(entropy::alphabet(value), value.len()) {
                return Err("it is less random than a token is");
            }
        }
        None => {}
    }
    if let (true, Some(hit)) = (rule.near, hit) {
        return near::evidence(window, hit, span)
            .map(|sure| Certainty::Fixed(if sure { rule.confidence } else { Confidence::Low }));
    }
    Ok(Certainty::Fixed(rule.confidence))
}

/// Whether a token is not part of a longer word.
fn stands_alone(rule: &Rule, window: &[u8], span: &Range<usize>) -> bool {
    !touched_before(rule, window, span.start) && !touched_after(rule, window, span.end)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn touched_before(rule: &Rule, window: &[u8], start: usize) -> bool {
    let Some(&before) = window[..start].last() else { return false };
    if !is_word(window[start]) {
        return false;
    }
    if is_word(before) {
        // `\n` in an escaped string and `%3D` in a URL end a word, too.
        let escaped = matches!(before, b'n' | b'r' | b't') && start >= 2 && window[start - 2] == b'\\';
        let percent = start >= 3
            && window[start - 3] == b'%'
            && window[start - 2].is_ascii_hexdigit()
            && before.is_ascii_hexdigit();
        return !escaped && !percent;
    }
    // A joiner extends the token only if the token's alphabet has it and more of it stands before.
    matches!(before, b'-' | b'+')
        && rule.joiners.as_bytes().contains(&before)
        && start >= 2
        && window[start - 2].is_ascii_alphanumeric()
        && rule.near
}

fn touched_after(rule: &Rule, window: &[u8], end: usize) -> bool {
    let Some(&after) = window.get(end) else { return false };
    if is_word(after) {
        return is_word(window[end - 1]) || rule.joiners.as_bytes().contains(&window[end - 1]);
    }
    rule.joiners.as_bytes().contains(&after) && window.get(end + 1).is_some_and(u8::is_ascii_alphanumeric)
}

/// Of the matches that claim the same bytes, the surest and most specific one.
pub(super) fn resolve(rules: &[Arc<Rule>], haystack: &[u8], mut matches: Vec<Match>) -> Vec<Match> {
    let rule = |m: &Match| &rules[m.rule as usize];
    matches.retain(|m| supported(rules, haystack, m));
    let rank = |m: &Match| {
        let kind = match (rule(m).kind, rule(m).near) {
            (Kind::Token, false) => 0,
            (Kind::Regex, _) => 1,
            (Kind::Token, true) => 2,
            (Kind::Assignment | Kind::Path, _) => 3,
        };
        (kind, std::cmp::Reverse(m.secret.len()), m.rule)
    };
    matches.sort_by_key(|m| (m.secret.start, rank(m), m.secret.end));
    let mut kept: Vec<Match> = Vec::new();
    for found in matches {
        if rule(&found).identifier {
            continue;
        }
        // Secrets are sorted by start, so only the last few kept ones can overlap.
        let overlapping = |k: &Match| k.secret.start < found.secret.end && found.secret.start < k.secret.end;
        let mut overlaps = kept.iter().rposition(overlapping);
        let mut beaten = false;
        while let Some(at) = overlaps {
            if stronger(&found, &kept[at], &rank) {
                kept.remove(at);
                overlaps = kept.iter().rposition(overlapping);
            } else {
                beaten = true;
                break;
            }
        }
        if !beaten {
            kept.push(found);
        }
    }
    kept.sort_by_key(|m| (m.secret.start, m.secret.end));
    kept
}

fn stronger<K: Ord>(new: &Match, old: &Match, rank: &impl Fn(&Match) -> K) -> bool {
    let sure = |m: &Match| match m.certainty {
        Certainty::Fixed(c) => Some(c),
        Certainty::Scored(_) => None,
    };
    (std::cmp::Reverse(sure(new)), rank(new)) < (std::cmp::Reverse(sure(old)), rank(old))
}

fn supported(_rules: &[Arc<Rule>], _haystack: &[u8], _m: &Match) -> bool {
    true
}
