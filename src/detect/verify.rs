//! From a window to matches: runs a rule's expression, and says of every candidate what became of it.

use std::{ops::Range, sync::Arc};

use regex::bytes::Regex;

use super::{
    Match, Partner, assignment, checksum::Checksum, entropy, near, placeholder::is_pattern,
    placeholder::placeholder_in_format, prefilter::Hit, private_key, score, web_token, web_token::Worth,
};
use crate::rule::schema::NEIGHBOURS;
use crate::rule::{Confidence, Kind, Reach, Requirement, Rule};

/// What share of a random value's entropy a token must show that stands by its format.
const TOKEN_ENTROPY: f64 = 0.6;
/// What share of a random value's entropy a token must show that stands by its context.
const NEAR_ENTROPY: f64 = 0.8;

/// So many characters at its start tell that a token goes with the one before it.
const HEAD: usize = 4;

/// How many characters of base64 beside a token say that it is a part of them.
const ENCODED: usize = 32;

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

/// A cheap look at the bytes around a hit: whether the rule can match there at all.
///
/// A token cannot start inside a word, and a provider's word does not start inside another one
/// (`kagi` in `packaging`), unless a capital letter starts it (`myDatadogKey`).
pub(super) fn can_start(rule: &Rule, haystack: &[u8], hit: &Hit) -> bool {
    if rule.kind != Kind::Token {
        return true;
    }
    if rule.near {
        let first = haystack[hit.start];
        return match haystack[..hit.start].last() {
            Some(before) if before.is_ascii_alphabetic() && first.is_ascii_alphabetic() => {
                before.is_ascii_lowercase() && first.is_ascii_uppercase() || escaped_before(haystack, hit.start)
            }
            Some(before) if first.is_ascii_digit() => !before.is_ascii_alphanumeric(),
            _ => true,
        };
    }
    // Where the keyword starts every match, the byte before it decides.
    !matches!(rule.reach, Reach::Line { before: NEIGHBOURS, .. }) || !word_before(haystack, hit.start)
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
        if rule.kind == Kind::Token && !stands_alone(rule, window, &span) {
            at = span.start + 1;
            continue;
        }
        for secret in secrets_of(rule, expression, window, &span) {
            // Where groups follow each other, what follows a secret is not its own.
            let span = span.start..if expression.captures_len() > 2 { secret.end } else { span.end };
            let verdict = judge(rule, checksum, window, hit.as_ref(), &span, &secret);
            if verdict.is_err() && rule.near {
                at = span.end;
            }
            emit(Outcome { span, secret, verdict, contributions: Vec::new() });
        }
    }
}

/// Runs the detector of assignments over a window.
pub(super) fn assignment(
    window: &[u8],
    hit: Range<usize>,
    prefixes: &[String],
    explain: bool,
    emit: &mut impl FnMut(Outcome),
) {
    let mut candidates = Vec::new();
    assignment::candidates(window, hit, &mut candidates);
    for candidate in candidates {
        let secret = candidate.value.clone();
        let span = candidate.name.start.min(secret.start)..candidate.name.end.max(secret.end);
        if starts_like_token(&window[secret.clone()], prefixes) {
            let verdict = Err("it starts like a token with a format of its own and has not that format");
            emit(Outcome { span, secret, verdict, contributions: Vec::new() });
            continue;
        }
        let (verdict, contributions) = match score::score(window, &candidate, explain) {
            Some(score) => (Ok(Certainty::Scored(score.log_odds)), score.contributions),
            None => (Err("the value cannot be a credential"), Vec::new()),
        };
        emit(Outcome { span, secret, verdict, contributions });
    }
}

/// What a rule's tokens start with, where that is unmistakable: at least four characters, not all letters,
/// and not made of words that any provider uses (`live_`, `api-`).
pub(super) fn prefixes(rule: &Arc<Rule>) -> impl Iterator<Item = &String> {
    const ANY: &[&str] = &["api", "live", "test", "dev", "prod"];
    let own = |k: &String| k.split(['_', '-', '.', ':']).any(|word| !word.is_empty() && !ANY.contains(&word));
    let starts = rule.kind == Kind::Token && !rule.near && matches!(rule.reach, Reach::Line { before: NEIGHBOURS, .. });
    rule.keywords
        .iter()
        .filter(move |k| starts && k.len() >= 4 && !k.bytes().all(|b| b.is_ascii_alphabetic()) && own(k))
}

/// Whether a value starts with one of these (sorted, lower case): then it is for that rule to judge.
fn starts_like_token(value: &[u8], prefixes: &[String]) -> bool {
    let head = value[..value.len().min(24)].to_ascii_lowercase();
    let end = prefixes.partition_point(|p| p.as_bytes() <= head.as_slice());
    prefixes[..end]
        .iter()
        .rev()
        .take_while(|p| p.as_bytes().first() == head.first())
        .any(|p| head.starts_with(p.as_bytes()))
}

/// The groups of a match that hold secrets: the rule's own one, else every group that took part; without
/// groups the whole match.
fn secrets_of(rule: &Rule, expression: &Regex, window: &[u8], span: &Range<usize>) -> Vec<Range<usize>> {
    if rule.kind == Kind::Token || expression.captures_len() == 1 {
        return vec![span.clone()];
    }
    let Some(groups) = expression.captures_at(window, span.start) else { return vec![span.clone()] };
    let found: Vec<_> = match rule.secret_group {
        0 => groups.iter().skip(1).flatten().map(|g| g.range()).filter(|g| !g.is_empty()).collect(),
        n => groups.get(n as usize).map(|g| g.range()).into_iter().collect(),
    };
    if found.is_empty() { vec![span.clone()] } else { found }
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
    if value.starts_with(b"-----BEGIN ") && private_key::is_shortened(value, &window[secret.end..]) {
        return Err("it is shortened");
    }
    if let Some(checksum) = checksum {
        if !checksum.verify(value) {
            return Err("its checksum is wrong");
        }
        if checksum.proves() {
            return match placeholder_in_format(value) {
                Some(why) => Err(why),
                None => Ok(Certainty::Fixed(Confidence::High)),
            };
        }
    }
    if let Some(why) = placeholder_in_format(value) {
        return Err(why);
    }
    // A key in base64 of a word over and over.
    if rule.kind == Kind::Regex && score::decoded(value).is_some_and(|text| is_pattern(&text)) {
        return Err("it is the base64 of a pattern");
    }
    if rule.kind == Kind::Token && is_called_example(&window[..span.start]) {
        return Err("what stands before it says that it is an example");
    }
    if checksum == Some(Checksum::Jwt) {
        match web_token::worth(value) {
            Some(Worth::Nothing(why)) => return Err(why),
            Some(Worth::Example) => return Ok(Certainty::Fixed(Confidence::Low)),
            _ if web_token::is_named_invalid(&window[..secret.start]) => return Ok(Certainty::Fixed(Confidence::Low)),
            _ => {}
        }
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

/// Whether what stands before a token, as a part of the same word, says that it is an example: `sample-…`.
fn is_called_example(before: &[u8]) -> bool {
    const SAYS: [&[u8]; 4] = [b"sample", b"example", b"fake", b"dummy"];
    let Some((b'-' | b'_', word)) = before.split_last() else { return false };
    let letters = word.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    SAYS.iter().any(|says| word[word.len() - letters..].eq_ignore_ascii_case(says))
}

/// Whether a token is not part of a longer word, nor of a longer encoded text.
fn stands_alone(rule: &Rule, window: &[u8], span: &Range<usize>) -> bool {
    !touched_before(rule, window, span.start)
        && !touched_after(rule, window, span.clone())
        && !goes_on(window[..span.start].iter().rev())
        && !goes_on(window[span.end..].iter())
}

/// Whether a token is touched by base64: `+` or `/`, and then more than a path's part would be without a break.
///
/// Windows may end within the text: what is seen of it is enough.
fn goes_on<'a>(beside: impl Iterator<Item = &'a u8> + Clone) -> bool {
    if !matches!(beside.clone().next(), Some(b'+' | b'/')) {
        return false;
    }
    let (mut upper, mut lower, mut digits, mut n) = (false, false, false, 0);
    for b in beside.take(ENCODED) {
        match b {
            b'A'..=b'Z' => upper = true,
            b'a'..=b'z' => lower = true,
            b'0'..=b'9' => digits = true,
            b'+' | b'/' => {}
            _ => return false,
        }
        n += 1;
    }
    n == ENCODED && upper && lower && digits
}

/// Whether a word touches this place from before.
fn word_before(text: &[u8], start: usize) -> bool {
    is_word(text[start]) && text[..start].last().is_some_and(|b| is_word(*b)) && !escaped_before(text, start)
}

/// `\n` and `\u003d` in an escaped string and `%3D` in a URL end a word, too.
fn escaped_before(text: &[u8], start: usize) -> bool {
    if let [b'\\', b'u', b'0', b'0', high, low] = text[start.saturating_sub(6)..start] {
        return high.is_ascii_hexdigit() && low.is_ascii_hexdigit();
    }
    let [.., third, second, before] = text[start.saturating_sub(3)..start] else {
        return matches!(text[..start], [b'\\', b'n' | b'r' | b't']);
    };
    second == b'\\' && matches!(before, b'n' | b'r' | b't')
        || third == b'%' && second.is_ascii_hexdigit() && before.is_ascii_hexdigit()
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
        return !escaped_before(window, start);
    }
    // A joiner extends the token only if the token's alphabet has it and more of it stands before: more than
    // a word (`provider-secret-key-` before a UUID).
    matches!(before, b'-' | b'+')
        && rule.joiners.as_bytes().contains(&before)
        && start >= 2
        && window[start - 2].is_ascii_alphanumeric()
        && rule.near
        && !word_ends(&window[..start - 1])
}

/// Whether a text ends in a word: at least three letters, not all of them hexadecimal.
fn word_ends(text: &[u8]) -> bool {
    let letters = text.iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
    let word = &text[text.len() - letters..];
    let alone = text.len() == letters || !text[text.len() - letters - 1].is_ascii_digit();
    (alone || letters >= 5) && (3..=12).contains(&letters) && !word.iter().all(u8::is_ascii_hexdigit)
}

fn touched_after(rule: &Rule, window: &[u8], Range { start, end }: Range<usize>) -> bool {
    let Some(&after) = window.get(end) else { return false };
    // Tokens in a row without a break: the next one starts as this one does.
    let head = &window[start..end.min(start + HEAD)];
    if head.len() == HEAD && window[end..].starts_with(head) {
        return false;
    }
    if is_word(after) {
        return is_word(window[end - 1]) || rule.joiners.as_bytes().contains(&window[end - 1]);
    }
    rule.joiners.as_bytes().contains(&after) && window.get(end + 1).is_some_and(u8::is_ascii_alphanumeric)
}

/// Of the matches that claim the same bytes, the surest and most specific one.
pub(super) fn resolve(rules: &[Arc<Rule>], haystack: &[u8], mut matches: Vec<Match>) -> Vec<Match> {
    let rule = |m: &Match| &rules[m.rule as usize];
    let mut all = Vec::new();
    if matches.iter().any(|m| !rule(m).requires.is_empty() || !rule(m).partners.is_empty()) {
        all.clone_from(&matches);
        matches.retain(|m| supported(rules, haystack, &all, m));
    }
    let kind = |m: &Match| match (rule(m).kind, rule(m).near) {
        (Kind::Token, false) => 0,
        (Kind::Regex, _) => 1,
        (Kind::Token, true) => 2,
        (Kind::Assignment | Kind::Path, _) => 3,
    };
    // An identifier is no finding, but its bytes are its own: no vaguer rule finds anything inside.
    let identifiers: Vec<Match> = matches.extract_if(.., |m| rule(m).identifier).collect();
    matches.retain(|m| {
        let is_inside = |i: &Match| i.secret.start <= m.secret.start && m.secret.end <= i.secret.end;
        !identifiers.iter().any(|i| is_inside(i) && kind(i) < kind(m))
    });
    let rank = |m: &Match| {
        // Of equals, the one with the longer fixed part knows more (`sk_live_a2V5Xz` against `k_live_`).
        let fixed = m.hit.end - m.hit.start;
        (kind(m), std::cmp::Reverse(m.secret.len()), std::cmp::Reverse(fixed), m.rule)
    };
    matches.sort_by_key(|m| (m.secret.start, rank(m), m.secret.end));
    let mut kept: Vec<Match> = Vec::new();
    for found in matches {
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
    for found in &mut kept {
        for needed in rule(found).requires.iter().chain(&rule(found).partners) {
            let nearest = near_by(rules, haystack, &all, found, needed)
                .min_by_key(|m| (m.span.start.abs_diff(found.span.start), m.span.start));
            let Some((surer, partner)) = nearest.map(|m| {
                let value = m.value(haystack).into();
                (sure(m), Partner { rule: m.rule, secret: m.secret.clone(), value })
            }) else {
                continue;
            };
            // A pair is as sure as the surer half.
            if sure(found) == Some(Confidence::Medium) && surer == Some(Confidence::High) {
                found.certainty = Certainty::Fixed(Confidence::High);
            }
            found.partners.push(partner);
        }
    }
    kept
}

/// Adds matches in encoded text. Where both claim the same bytes, the surer one has them, else the plain one.
pub(super) fn with_hidden<'a>(mut kept: Vec<Match>, hidden: impl Iterator<Item = &'a Match>) -> Vec<Match> {
    let overlap = |a: &Match, b: &Match| a.secret.start < b.secret.end && b.secret.start < a.secret.end;
    let mut any = false;
    for found in hidden {
        // Sorted by start, and far fewer than there are plain ones: a short look at all of them.
        let beats = |k: &Match| sure(found) > sure(k);
        let same = |k: &Match| k.rule == found.rule && k.decoded == found.decoded;
        let taken = kept.iter().any(|k| overlap(k, found) && if k.decoded.is_some() { same(k) } else { !beats(k) });
        if !taken {
            kept.retain(|k| k.decoded.is_some() || !overlap(k, found));
            kept.push(found.clone());
            any = true;
        }
    }
    if any {
        kept.sort_by(|a, b| {
            (a.secret.start, a.secret.end, a.rule, &a.decoded).cmp(&(b.secret.start, b.secret.end, b.rule, &b.decoded))
        });
    }
    kept
}

/// A confidence that does not depend on weighed evidence is surer than one that does.
fn sure(m: &Match) -> Option<Confidence> {
    match m.certainty {
        Certainty::Fixed(c) => Some(c),
        Certainty::Scored(_) => None,
    }
}

fn stronger<K: Ord>(new: &Match, old: &Match, rank: &impl Fn(&Match) -> K) -> bool {
    // Between two ways to be written, the surer one: a password in a URL that is a token's value.
    let weighed = |m: &Match| if new.rule == old.rule { None } else { weighed(m) };
    let order = |m: &Match| (std::cmp::Reverse(sure(m)), std::cmp::Reverse(weighed(m)), rank(m));
    order(new) < order(old)
}

/// What weighed evidence alone comes to.
fn weighed(m: &Match) -> Option<Confidence> {
    match m.certainty {
        Certainty::Fixed(_) => None,
        Certainty::Scored(log_odds) => score::confidence(log_odds),
    }
}

/// Whether the rules that a match requires match near by.
pub(super) fn supported(rules: &[Arc<Rule>], haystack: &[u8], matches: &[Match], found: &Match) -> bool {
    let rule = &rules[found.rule as usize];
    rule.requires.iter().all(|needed| near_by(rules, haystack, matches, found, needed).next().is_some())
}

/// The matches of the other half of a pair that stand near a match.
fn near_by<'a>(
    rules: &'a [Arc<Rule>],
    haystack: &'a [u8],
    matches: &'a [Match],
    found: &'a Match,
    needed: &'a Requirement,
) -> impl Iterator<Item = &'a Match> {
    matches.iter().filter(move |partner| {
        if rules[partner.rule as usize].id != needed.rule || partner.span == found.span {
            return false;
        }
        let (first, last) = if partner.span.start < found.span.start { (*partner, found) } else { (found, *partner) };
        let between = haystack.get(first.span.end..last.span.start).unwrap_or_default();
        needed.within_lines.is_none_or(|lines| memchr::memchr_iter(b'\n', between).count() <= lines as usize)
    })
}
