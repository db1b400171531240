//! From bytes to matches: prefilter → window → verify → score. A pure function of the bytes.
//!
//! The detector knows no path, no commit, no user; the same bytes give the same matches in every mode.
//! [`Detector::scan`] looks at a whole content; [`Detector::rescan`] looks only at what is new in a
//! content that was made from another one, and gives the identical result.

pub mod assignment;
pub mod checksum;
mod chunk;
mod decode;
pub mod entropy;
pub mod near;
pub mod note;
pub mod placeholder;
pub mod prefilter;
mod private_key;
mod recent;
pub mod score;
pub mod text;
mod verify;
mod web_token;
mod weights;
pub mod window;
mod words;

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use regex::bytes::{Regex, RegexBuilder};

use crate::{
    content::Copied,
    error::{Error, Result},
    rule::{Confidence, Kind, Reach, Rule, Ruleset},
};
use checksum::Checksum;
pub use decode::{DEPTH as ENCODINGS, INFLATED, RUN_LIMIT as LONGEST_ENCODED};
use decode::{Decoded, Done, Run};
use prefilter::{Hit, Prefilter};
pub use recent::Recent;
use recent::{Key, Met, Part};
pub use verify::{Certainty, Outcome};
use window::{Interior, LineReach};

/// The most memory that one compiled expression may take, in bytes.
const EXPRESSION_LIMIT: usize = 32 << 20;
/// How many lines below its keyword an assignment may have its value.
const ASSIGNMENT_LINES: usize = 1;

/// What it takes from an assignment's log-odds that it names a provider and has not its format.
const FOREIGN_FORMAT: f32 = 4.0;
/// At most so much is left of it: counted, shown on demand.
const UNLIKELY: f32 = -1.0;
/// Copied ranges of fewer bytes are searched like new ones: that is quicker than taking over what is there.
const SHORTEST_COPY: usize = 256;
/// Hits are kept for what is made from a content while there is at most one in so many bytes…
const BYTES_A_HIT: usize = 64;
/// …and so many more.
const SPARE_HITS: usize = 256;

/// Values of fewer bytes are not expected to have a provider's format.
const FORMATTED: usize = 12;

/// One place where a rule matched.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// The rule's number in the detector.
    pub rule: u32,
    /// The keyword hit that led to it.
    hit: Hit,
    /// The whole match.
    pub span: Range<usize>,
    /// The secret inside it.
    pub secret: Range<usize>,
    /// How sure it is.
    pub certainty: Certainty,
    /// The secret itself, where the content has it encoded.
    pub decoded: Option<Arc<[u8]>>,
    /// The other halves of a pair that stand near by ([`Detector::resolve`] finds them).
    pub partners: Vec<Partner>,
}

/// The other half of a pair: the key id of a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Partner {
    /// The number of the rule that knows it.
    pub rule: u32,
    /// Where it stands.
    pub secret: Range<usize>,
    /// Its value, decoded where the content has it encoded.
    pub value: Arc<[u8]>,
}

impl Match {
    fn plain(rule: u32, hit: Hit, span: Range<usize>, secret: Range<usize>, certainty: Certainty) -> Match {
        Match { rule, hit, span, secret, certainty, decoded: None, partners: Vec::new() }
    }

    /// The same where everything stands elsewhere.
    fn moved(self, hit: Hit, place: impl Fn(&Range<usize>) -> Range<usize>) -> Match {
        let partners = self.partners.into_iter().map(|p| Partner { secret: place(&p.secret), ..p }).collect();
        Match { hit, span: place(&self.span), secret: place(&self.secret), partners, ..self }
    }

    /// The secret, decoded where the content has it encoded. `text` is the content.
    pub fn value<'a>(&'a self, text: &'a [u8]) -> &'a [u8] {
        match &self.decoded {
            Some(value) => value,
            None => &text[self.secret.clone()],
        }
    }
}

/// A match in something encoded, and what in the content it depends on (see [`decode::Run::needs`]).
#[derive(Debug, Clone, PartialEq)]
struct Hidden {
    needs: Range<usize>,
    found: Match,
}

/// What was seen in a content: what a content made from it may inherit.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The length of the content.
    len: usize,
    /// Matches, one for each hit that led to it, by hit.
    matches: Vec<Match>,
    /// Hits of keywords, by start. `None` where there are too many to be worth keeping: what is made from
    /// this content is looked at whole.
    hits: Option<Vec<Hit>>,
    /// Matches in encoded text, by what they depend on.
    hidden: Vec<Hidden>,
    /// Encoded text that is too long to be decoded, with what its extent depends on.
    undecoded: Vec<(Range<usize>, Range<usize>)>,
}

impl Seen {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.matches.is_empty() && self.hidden.is_empty()
    }

    /// Encoded text that is longer than [`decode::RUN_LIMIT`] and was not decoded.
    pub fn undecoded(&self) -> impl Iterator<Item = Range<usize>> {
        self.undecoded.iter().map(|(_, place)| place.clone())
    }

    /// Nothing seen yet of a content of this length.
    fn of(len: usize) -> Seen {
        Seen { len, hits: Some(Vec::new()), ..Seen::default() }
    }

    /// Remembers a hit.
    fn keep(&mut self, hit: Hit) {
        if let Some(hits) = &mut self.hits {
            if hits.len() < SPARE_HITS + self.len / BYTES_A_HIT {
                hits.push(hit);
            } else {
                self.hits = None;
            }
        }
    }

    /// Remembers many hits.
    fn keep_all(&mut self, more: impl ExactSizeIterator<Item = Hit>) {
        if let Some(hits) = &mut self.hits {
            if hits.len() + more.len() <= SPARE_HITS + self.len / BYTES_A_HIT {
                hits.extend(more);
            } else {
                self.hits = None;
            }
        }
    }

    fn sort(&mut self) {
        self.matches.sort_by_key(|m| (m.hit, m.rule));
        if let Some(hits) = &mut self.hits {
            hits.sort_unstable();
            hits.shrink_to(hits.len() + SPARE_HITS / 8);
        }
        self.undecoded.sort_by_key(|(needs, place)| (needs.start, place.start));
        self.hidden.sort_by(|a, b| hidden_order(a).cmp(&hidden_order(b)));
    }
}

/// How a content was judged at one hit, for `keysift explain`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Where the keyword stood.
    pub hit: Range<usize>,
    /// The rule's number in the detector.
    pub rule: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// The secret itself, where the content has it encoded.
    pub decoded: Option<Arc<[u8]>>,
}

/// The active rules, made ready to run. Cheap to share between threads.
#[derive(Debug)]
pub struct Detector {
    rules: Vec<Arc<Rule>>,
    checksums: Vec<Option<Checksum>>,
    expressions: Vec<OnceLock<Option<Regex>>>,
    prefilter: Prefilter,
    /// For each keyword the rules it leads to.
    uses: Vec<Vec<u32>>,
    /// For each keyword whether one of its rules has a reach across lines.
    spans: Vec<bool>,
    /// For each keyword whether it is a provider's name, near which the provider's format is expected.
    names: Vec<OnceLock<bool>>,
    /// Rules that must see whole contents.
    whole: Vec<u32>,
    /// What tokens with a format of their own start with.
    prefixes: OnceLock<Vec<String>>,
    reach: LineReach,
}

impl Detector {
    /// Makes the rules ready to run.
    ///
    /// # Errors
    /// A rule names an unknown checksum.
    pub fn new(ruleset: &Ruleset) -> Result<Detector> {
        let rules = ruleset.rules.clone();
        let mut keywords: Vec<(&str, u32)> = Vec::new();
        let (mut whole, mut checksums, mut reach) = (Vec::new(), Vec::new(), LineReach::default());
        for (number, rule) in rules.iter().enumerate() {
            let number = number as u32;
            checksums.push(match rule.checksum.as_deref() {
                None => None,
                Some(name) => Some(Checksum::named(name).ok_or_else(|| {
                    Error::new(format!("rule `{}` names the unknown checksum `{name}`", rule.id))
                        .help(format!("there are: {}", Checksum::names().collect::<Vec<_>>().join(", ")))
                })?),
            });
            match (rule.kind, rule.reach) {
                (Kind::Path, _) => continue,
                (_, Reach::Whole) => {
                    whole.push(number);
                    continue;
                }
                (kind, Reach::Line { before, after }) => {
                    reach.before = reach.before.max(before as usize);
                    reach.after = reach.after.max(after as usize);
                    reach.below = reach.below.max(lines_below(kind));
                }
                (_, Reach::Span { .. }) => {}
            }
            keywords.extend(rule.keywords.iter().map(|k| (k.as_str(), number)));
        }
        keywords.sort_unstable();
        let mut distinct: Vec<&str> = Vec::new();
        let mut uses: Vec<Vec<u32>> = Vec::new();
        for (keyword, number) in keywords {
            if distinct.last() != Some(&keyword) {
                distinct.push(keyword);
                uses.push(Vec::new());
            }
            uses.last_mut().expect("pushed above").push(number);
        }
        let spans =
            uses.iter().map(|u| u.iter().any(|r| matches!(rules[*r as usize].reach, Reach::Span { .. }))).collect();
        let names = distinct.iter().map(|_| OnceLock::new()).collect();
        let expressions = rules.iter().map(|_| OnceLock::new()).collect();
        Ok(Detector {
            prefilter: Prefilter::new(&distinct),
            checksums,
            expressions,
            uses,
            spans,
            names,
            whole,
            prefixes: OnceLock::new(),
            reach,
            rules,
        })
    }

    /// The rules, by number.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Looks at a whole content.
    pub fn scan(&self, haystack: &[u8]) -> Seen {
        let mut seen = Seen::of(haystack.len());
        self.prefilter.for_each(haystack, 0..haystack.len(), |hit| {
            seen.keep(hit);
            self.meet(haystack, &hit, None, &mut seen.matches);
        });
        self.search_whole(haystack, &mut seen.matches);
        decode::runs(haystack, 0..haystack.len(), Done::default(), &mut |run| self.look_into(haystack, run, &mut seen));
        seen.sort();
        seen
    }

    /// Looks at a content that was made from another one, given what was seen there and which ranges
    /// were copied (ascending and disjoint in the content). Gives what [`Detector::scan`] gives.
    ///
    /// What was copied is known from the base; only the parts between are looked at, and the places that depend on
    /// them. `recent` is of use where it is given for many contents, and belongs to this detector.
    pub fn rescan(&self, haystack: &[u8], base: &Seen, copied: &[Copied], recent: &mut Recent) -> Seen {
        self.rescan_for(haystack, base, copied, recent, false)
    }

    /// The same where no other content is made from this one: what is seen is of no use as a base.
    pub fn rescan_last(&self, haystack: &[u8], base: &Seen, copied: &[Copied], recent: &mut Recent) -> Seen {
        self.rescan_for(haystack, base, copied, recent, true)
    }

    fn rescan_for(&self, haystack: &[u8], base: &Seen, copied: &[Copied], recent: &mut Recent, is_last: bool) -> Seen {
        let Some(known) = &base.hits else { return self.scan(haystack) };
        let is_long = |c: &&Copied| c.len >= SHORTEST_COPY;
        let mut long = Vec::with_capacity(copied.iter().filter(is_long).count());
        long.extend(copied.iter().filter(is_long).copied());
        let copied = long;
        let mut seen = Seen::of(haystack.len());
        seen.hits = (!is_last).then(|| Vec::with_capacity(known.len() + SPARE_HITS / 8));
        let frames = frames(haystack.len(), base.len, &copied);
        inherit_hidden(base, &frames, &mut seen);
        let mut done = Done::default();
        // In order, as that leaves little to sort.
        let mut ranges = copied.iter();
        for part in self.parts(haystack.len(), &frames) {
            if let Some(part) = part {
                self.look_at(haystack, part, &frames, recent, &mut done, &mut seen);
            }
            if let Some(range) = ranges.next() {
                self.inherit(haystack, base, known, *range, &mut seen);
            }
        }
        self.search_whole(haystack, &mut seen.matches);
        seen.sort();
        seen
    }

    /// Looks at a part that was not copied, and at what depends on it.
    fn look_at(
        &self,
        haystack: &[u8],
        part: Part,
        frames: &[Frame],
        recent: &mut Recent,
        done: &mut Done,
        seen: &mut Seen,
    ) {
        let key = recent.key(haystack, &part, self.prefilter.longest());
        if let Some(known) = recent.find(&key) {
            for Met { hit, is_idle } in key.hits(known).filter(|met| met.hit.end > part.known) {
                seen.keep(hit);
                if !is_idle {
                    self.meet(haystack, &hit, None, &mut seen.matches);
                }
            }
            if !known.is_plain {
                self.uncover(haystack, &part.zone, frames, &key, done, seen);
            }
            return;
        }
        let mut hits = Vec::new();
        self.prefilter.for_each(haystack, part.search, |hit| {
            let is_fresh = hit.end > part.known;
            if is_fresh {
                seen.keep(hit);
            }
            let is_idle = is_fresh && self.meet(haystack, &hit, Some(&key), &mut seen.matches);
            hits.push(Met { hit, is_idle });
        });
        let is_plain = self.uncover(haystack, &part.zone, frames, &key, done, seen);
        recent.keep(&key, &hits, is_plain);
    }

    /// The matches of a content, one a secret's place: where several rules claim the same bytes, the
    /// surest and most specific one has it.
    pub fn resolve(&self, haystack: &[u8], seen: &Seen) -> Vec<Match> {
        let mut matches = seen.matches.clone();
        for found in &mut matches {
            if let Certainty::Scored(log_odds) = &mut found.certainty
                && self.names_a_provider(haystack, &found.span, &found.secret)
            {
                *log_odds = (*log_odds - FOREIGN_FORMAT).min(UNLIKELY);
            }
        }
        let plain = verify::resolve(&self.rules, haystack, matches);
        verify::with_hidden(plain, seen.hidden.iter().map(|h| &h.found))
    }

    /// Whether an assignment of a key or token stands right by the name of a provider whose credentials have
    /// a known format: had the value that format, a rule would have found it.
    fn names_a_provider(&self, haystack: &[u8], span: &Range<usize>, secret: &Range<usize>) -> bool {
        let name = &haystack[span.start..secret.start.max(span.start)];
        // What stands between a user and a host is a password, whoever the host is.
        let in_url = haystack[secret.end..].first() == Some(&b'@');
        if secret.len() < FORMATTED || in_url || contains_folded(name, b"pass") || contains_folded(name, b"pwd") {
            return false;
        }
        let line = memchr::memrchr(b'\n', &haystack[..span.start]).unwrap_or(0);
        let above =
            memchr::memrchr(b'\n', &haystack[..line]).map_or(0, |at| at + 1).max(span.start.saturating_sub(256));
        let (mut is_named, mut is_formed) = (false, false);
        self.prefilter.for_each(haystack, above..secret.start, |hit| {
            if hit.end > secret.start || !self.is_name(&hit, haystack) {
                return;
            }
            for &number in &self.uses[hit.keyword as usize] {
                if verify::can_start(&self.rules[number as usize], haystack, &hit) {
                    is_named = true;
                    is_formed |= self.has_form(number, &haystack[secret.clone()]);
                }
            }
        });
        is_named && !is_formed
    }

    /// Whether a keyword is a provider's name, near which the provider's format is expected.
    fn is_name(&self, hit: &Hit, haystack: &[u8]) -> bool {
        *self.names[hit.keyword as usize].get_or_init(|| {
            let is_near = self.uses[hit.keyword as usize].iter().any(|r| self.rules[*r as usize].near);
            let word = String::from_utf8_lossy(&haystack[hit.start..hit.end]).to_ascii_lowercase();
            is_near && near::names_a_provider(&word)
        })
    }

    /// What tokens with a format of their own start with, sorted.
    fn prefixes(&self) -> &[String] {
        self.prefixes.get_or_init(|| {
            let mut prefixes: Vec<String> = self.rules.iter().flat_map(verify::prefixes).cloned().collect();
            prefixes.sort_unstable();
            prefixes.dedup();
            prefixes
        })
    }

    /// Whether a value as a whole is written as a rule's tokens are.
    fn has_form(&self, number: u32, value: &[u8]) -> bool {
        self.expression(number).is_some_and(|e| e.find(value).is_some_and(|m| m.range() == (0..value.len())))
    }

    /// Every match of every rule, also where several claim the same bytes, for the tests of rules.
    pub fn resolve_all(&self, haystack: &[u8], seen: &Seen) -> Vec<Match> {
        let supported = |m: &&Match| verify::supported(&self.rules, haystack, &seen.matches, m);
        seen.matches.iter().filter(supported).chain(seen.hidden.iter().map(|h| &h.found)).cloned().collect()
    }

    /// How every candidate of a content was judged, in order.
    pub fn explain(&self, haystack: &[u8]) -> Vec<Trace> {
        let mut traces = Vec::new();
        self.prefilter.for_each(haystack, 0..haystack.len(), |hit| {
            for &number in &self.uses[hit.keyword as usize] {
                let mut any = false;
                self.verify(haystack, &hit, number, true, |outcome| {
                    any = true;
                    traces.push(Trace { hit: hit.start..hit.end, rule: number, outcome, decoded: None });
                });
                if !any {
                    let outcome = Outcome::nothing(hit.start..hit.end);
                    traces.push(Trace { hit: hit.start..hit.end, rule: number, outcome, decoded: None });
                }
            }
        });
        let mut hidden = Seen::of(haystack.len());
        let every = 0..haystack.len();
        decode::runs(haystack, every, Done::default(), &mut |run| self.look_into(haystack, run, &mut hidden));
        traces.extend(hidden.hidden.into_iter().map(|Hidden { found, .. }| Trace {
            hit: found.hit.start..found.hit.end,
            rule: found.rule,
            outcome: Outcome {
                span: found.span,
                secret: found.secret,
                verdict: Ok(found.certainty),
                contributions: Vec::new(),
            },
            decoded: found.decoded,
        }));
        traces.sort_by_key(|t| (t.hit.start, t.rule));
        traces
    }

    /// Verifies everything that a hit leads to. Says whether it is nothing, and the bytes of this key decide it.
    fn meet(&self, haystack: &[u8], hit: &Hit, key: Option<&Key>, matches: &mut Vec<Match>) -> bool {
        let (before, mut is_local) = (matches.len(), true);
        for &number in &self.uses[hit.keyword as usize] {
            if let Some(window) = self.judge(haystack, hit, number, matches) {
                is_local &= key.is_some_and(|key| key.encloses(&window));
            }
        }
        is_local && matches.len() == before
    }

    /// Takes over from the base the hits inside a copied range, and the matches whose windows are copied
    /// as a whole; other hits are verified anew.
    fn inherit(&self, haystack: &[u8], base: &Seen, known: &[Hit], copied: Copied, seen: &mut Seen) {
        let (first, last) = (copied.from, copied.from + copied.len);
        let from = known.partition_point(|h| h.start < first);
        let known = &known[from..from + known[from..].partition_point(|h| h.start < last)];
        if known.is_empty() {
            return;
        }
        let from = base.matches.partition_point(|m| m.hit.start < first);
        let matches = &base.matches[from..from + base.matches[from..].partition_point(|m| m.hit.start < last)];
        let shift = |at: usize| at - copied.from + copied.to;
        let moved = |hit: &Hit| Hit { start: shift(hit.start), end: shift(hit.end), keyword: hit.keyword };
        let interior = Interior::new(haystack, base.len, copied, self.reach);
        let meet = |hit: &Hit, matches: &mut Vec<Match>| {
            let is_inside = interior.contains(hit);
            for &number in &self.uses[hit.keyword as usize] {
                if !(is_inside && interior.covers(hit, self.rules[number as usize].reach)) {
                    self.judge(haystack, hit, number, matches);
                }
            }
        };
        let sure = interior.sure(known, self.prefilter.longest());
        for hit in known[..sure.start].iter().filter(|h| h.end <= last).map(moved) {
            seen.keep(hit);
            meet(&hit, &mut seen.matches);
        }
        seen.keep_all(known[sure.clone()].iter().map(moved));
        let spans = known[sure.clone()].iter().filter(|h| self.spans[h.keyword as usize]);
        spans.map(moved).for_each(|hit| meet(&hit, &mut seen.matches));
        for hit in known[sure.end..].iter().filter(|h| h.end <= last).map(moved) {
            seen.keep(hit);
            meet(&hit, &mut seen.matches);
        }
        for old in matches {
            let hit = moved(&old.hit);
            if interior.contains(&hit) && interior.covers(&hit, self.rules[old.rule as usize].reach) {
                seen.matches.push(old.clone().moved(hit, |r| shift(r.start)..shift(r.end)));
            }
        }
    }

    /// Verifies one rule at one hit and keeps what matched.
    /// What it saw is its window, if a match can start there at all.
    fn judge(&self, haystack: &[u8], hit: &Hit, number: u32, matches: &mut Vec<Match>) -> Option<Range<usize>> {
        self.verify(haystack, hit, number, false, |outcome| {
            if let Ok(certainty) = outcome.verdict {
                matches.push(Match::plain(number, *hit, outcome.span, outcome.secret, certainty));
            }
        })
    }

    fn verify(
        &self,
        haystack: &[u8],
        hit: &Hit,
        number: u32,
        explain: bool,
        mut emit: impl FnMut(Outcome),
    ) -> Option<Range<usize>> {
        let rule = &self.rules[number as usize];
        if !verify::can_start(rule, haystack, hit) {
            return None;
        }
        let window = window::window(haystack, hit, rule.reach, lines_below(rule.kind));
        let local = hit.start - window.start..hit.end - window.start;
        let text = &haystack[window.clone()];
        let mut emit = |outcome: Outcome| emit(outcome.shifted(window.start));
        if rule.stretch.is_some_and(|stretch| !stretch.stands_in(text)) {
            return Some(window);
        }
        if rule.kind == Kind::Assignment {
            verify::assignment(text, local, self.prefixes(), explain, &mut emit);
        } else if let Some(expression) = self.expression(number) {
            verify::expression(rule, expression, self.checksums[number as usize], text, Some(local), &mut emit);
        }
        Some(window)
    }

    /// Runs the rules that must see the whole content.
    fn search_whole(&self, haystack: &[u8], matches: &mut Vec<Match>) {
        for &number in &self.whole {
            let rule = &self.rules[number as usize];
            if !rule.keywords.is_empty() && !rule.keywords.iter().any(|k| contains_folded(haystack, k.as_bytes())) {
                continue;
            }
            let Some(expression) = self.expression(number) else { continue };
            let checksum = self.checksums[number as usize];
            verify::expression(rule, expression, checksum, haystack, None, &mut |outcome: Outcome| {
                if let Ok(certainty) = outcome.verdict {
                    let hit = Hit { start: outcome.span.start, end: outcome.span.end, keyword: u32::MAX };
                    matches.push(Match::plain(number, hit, outcome.span, outcome.secret, certainty));
                }
            });
        }
    }

    /// The parts of a content that were not copied, the seams between copied ranges among them: what stands before
    /// each of the frames, and behind the last one. `None` where there is nothing.
    fn parts(&self, len: usize, frames: &[Frame]) -> impl Iterator<Item = Option<Part>> {
        let (mut end, mut settled, mut zone_start) = (0, 0, 0);
        let last = (len, len, len + 2..len + 2);
        let frames = frames.iter().map(|(frame, copied)| (copied.to, copied.to + copied.len, frame.clone()));
        frames.chain([last]).map(move |(to, copied_to, frame)| {
            // Between two frames there is at least a seam; before a frame at both contents' start, nothing.
            let is_part = zone_start < frame.start || 0 < frame.start && zone_start < len + 2;
            let part = is_part.then(|| {
                let zone_end = (frame.start.max(1) - 1).min(len);
                let zone = zone_start.saturating_sub(1).min(zone_end)..zone_end;
                Part { search: settled..to, known: end, zone }
            });
            end = copied_to;
            settled = (end + 1).saturating_sub(self.prefilter.longest()).max(to);
            zone_start = frame.end;
            part
        })
    }

    /// Finds what is hidden in encoded text that depends on a zone and was not copied as a whole. Says whether there
    /// is nothing, and the bytes of this key decide it.
    fn uncover(
        &self,
        haystack: &[u8],
        zone: &Range<usize>,
        frames: &[Frame],
        key: &Key,
        done: &mut Done,
        seen: &mut Seen,
    ) -> bool {
        let is_copied = |needs: &Range<usize>| {
            let next = frames.partition_point(|(frame, _)| frame.start <= needs.start);
            next.checked_sub(1).is_some_and(|at| needs.end <= frames[at].0.end)
        };
        let before = (seen.hidden.len(), seen.undecoded.len());
        let mut is_local = true;
        *done = decode::runs(haystack, zone.clone(), std::mem::take(done), &mut |run| {
            if !is_copied(&run.needs) {
                is_local &= key.holds(&bytes_of(&run.needs, haystack.len()));
                self.look_into(haystack, run, seen);
            }
        });
        is_local
            && before == (seen.hidden.len(), seen.undecoded.len())
            && done.reach.as_ref().is_some_and(|reach| key.holds(reach))
    }

    /// Searches what a run decodes to.
    fn look_into(&self, haystack: &[u8], run: Run, seen: &mut Seen) {
        let place = run.place();
        if place.len() > decode::RUN_LIMIT {
            seen.undecoded.push((run.needs, place));
            return;
        }
        let mut found = Vec::new();
        self.search_run(haystack, &run, decode::DEPTH, &|place| place.clone(), &mut found);
        seen.hidden.extend(found.into_iter().map(|found| Hidden { needs: run.needs.clone(), found }));
    }

    /// Searches what a run decodes to, and the runs in that. `place` leads from places in `text` to places
    /// in the content.
    fn search_run(
        &self,
        text: &[u8],
        run: &Run,
        depth: usize,
        place: &dyn Fn(&Range<usize>) -> Range<usize>,
        found: &mut Vec<Match>,
    ) {
        decode::decode(text, run, &mut |decoded: Decoded| {
            for part in &decoded.parts {
                let bytes = &decoded.bytes[part.clone()];
                let within = |r: &Range<usize>| r.start + part.start..r.end + part.start;
                let origin = |r: &Range<usize>| place(&decoded.map.place(&within(r)));
                let is_changed = |r: &Range<usize>| decoded.map.is_changed(&within(r));
                let mut matches = Vec::new();
                self.prefilter.for_each(bytes, 0..bytes.len(), |hit| {
                    for &number in &self.uses[hit.keyword as usize] {
                        if decoded.has_context() || has_format(&self.rules[number as usize]) {
                            self.judge(bytes, &hit, number, &mut matches);
                        }
                    }
                });
                self.search_whole(bytes, &mut matches);
                matches.retain(|m| is_changed(&m.span));
                found.extend(verify::resolve(&self.rules, bytes, matches).into_iter().map(|m| {
                    let (secret, decoded) = (origin(&m.secret), Some(bytes[m.secret.clone()].into()));
                    let hit = Hit { start: secret.start, end: secret.end, keyword: u32::MAX };
                    Match { decoded, ..m.moved(hit, origin) }
                }));
                if depth > 1 {
                    decode::runs(bytes, 0..bytes.len(), Done::default(), &mut |inner| {
                        if is_changed(&inner.place()) {
                            self.search_run(bytes, &inner, depth - 1, &origin, found);
                        }
                    });
                }
            }
        });
    }

    /// The compiled expression of a rule, compiled on first use. `None` where it is too large to compile.
    fn expression(&self, number: u32) -> Option<&Regex> {
        self.expressions[number as usize].get_or_init(|| compile(&self.rules[number as usize].pattern).ok()).as_ref()
    }

    /// Compiles every expression now.
    ///
    /// # Errors
    /// The first one that does not compile: it is too large.
    pub fn compile_all(&self) -> Result<()> {
        for rule in self.rules.iter().filter(|r| matches!(r.kind, Kind::Token | Kind::Regex)) {
            compile(&rule.pattern).map_err(|e| {
                Error::new(format!("the expression of rule `{}` cannot be compiled", rule.id))
                    .because(e)
                    .help("make its repetitions smaller")
            })?;
        }
        Ok(())
    }
}

/// A copied range as [`Run::needs`] has it: with the ends of a content as two more bytes.
type Frame = (Range<usize>, Copied);

/// The frames of copied ranges.
fn frames(len: usize, base_len: usize, copied: &[Copied]) -> Vec<Frame> {
    let frame = |c: &Copied| {
        let at_start = c.from == 0 && c.to == 0;
        let at_end = c.to + c.len == len && c.from + c.len == base_len;
        (c.to + usize::from(!at_start)..c.to + c.len + 1 + usize::from(at_end), *c)
    };
    copied.iter().map(frame).collect()
}

/// The bytes among what a run needs.
fn bytes_of(needs: &Range<usize>, len: usize) -> Range<usize> {
    needs.start.saturating_sub(1)..(needs.end - 1).min(len)
}

/// Takes over from the base what is hidden in encoded text that depends on copied bytes alone.
fn inherit_hidden(base: &Seen, frames: &[Frame], seen: &mut Seen) {
    for (frame, copied) in frames {
        let shift = |r: &Range<usize>| r.start - copied.from + copied.to..r.end - copied.from + copied.to;
        let first = frame.start + copied.from - copied.to;
        let last = frame.end + copied.from - copied.to;
        let inside = |needs: &Range<usize>| first <= needs.start && needs.end <= last;
        let from = base.hidden.partition_point(|h| h.needs.start < first);
        for old in base.hidden[from..].iter().take_while(|h| h.needs.start < last).filter(|h| inside(&h.needs)) {
            let Hit { start, end, keyword } = old.found.hit;
            let at = shift(&(start..end));
            let found = old.found.clone().moved(Hit { start: at.start, end: at.end, keyword }, shift);
            seen.hidden.push(Hidden { needs: shift(&old.needs), found });
        }
        let old = base.undecoded.iter().filter(|(needs, _)| inside(needs));
        seen.undecoded.extend(old.map(|(needs, place)| (shift(needs), shift(place))));
    }
}

fn compile(pattern: &str) -> std::result::Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).unicode(false).size_limit(EXPRESSION_LIMIT).dfa_size_limit(EXPRESSION_LIMIT).build()
}

/// Whether a rule knows its secrets by their own format, and needs no names around them.
fn has_format(rule: &Rule) -> bool {
    rule.kind == Kind::Token && !rule.near || rule.kind == Kind::Regex
}

fn hidden_order(hidden: &Hidden) -> impl Ord {
    let Hidden { needs, found } = hidden;
    (needs.start, needs.end, found.hit, found.span.start, found.rule, found.decoded.clone())
}

fn lines_below(kind: Kind) -> usize {
    if kind == Kind::Assignment { ASSIGNMENT_LINES } else { 0 }
}

fn contains_folded(haystack: &[u8], word: &[u8]) -> bool {
    haystack.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}

/// The confidence below which nothing is shown unless asked for.
pub const DEFAULT_CONFIDENCE: Confidence = Confidence::Medium;
