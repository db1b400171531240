//! What a regular expression says about itself: how long its matches are, and which literals they
//! must contain. Worked out from the parsed expression, so that reach and keywords cannot lie.
//!
//! Self-contained (no `crate::`): `build.rs` includes it too.

use regex_syntax::{
    ParserBuilder,
    hir::{
        Class, Hir, HirKind,
        literal::{ExtractKind, Extractor},
    },
};
use serde::{Deserialize, Serialize};

/// How many bytes a class may have for each of them to be spelled out.
const FEW: usize = 12;

/// The most ways through an expression that are looked at one by one.
const MOST_SPELLINGS: usize = 256;

/// How many bytes are spelled out: what the prefilter looks at together.
const SPELLED: usize = 4;
/// The most texts that are spelled out.
const MOST_SPELLED: usize = 1200;

/// The shortest stretch worth a look before the expression itself.
const SHORTEST_STRETCH: u32 = 8;

/// A parsed expression.
#[derive(Debug)]
pub struct Expression(Hir);

/// So many bytes in a row of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// A bit for each byte of the class.
    class: [u64; 4],
    /// How many bytes.
    len: u32,
}

impl Stretch {
    /// Whether a text has such a stretch.
    pub fn stands_in(&self, text: &[u8]) -> bool {
        let mut run = 0;
        text.iter().any(|b| {
            run = if self.class[usize::from(b >> 6)] >> (b & 63) & 1 == 1 { run + 1 } else { 0 };
            run >= self.len
        })
    }
}

/// One step of an expression: a byte known up to ASCII case, one of a few, or something else with a length.
#[derive(Clone)]
enum Step {
    Byte(u8),
    /// At most [`FEW`] bytes.
    Few(Vec<u8>),
    Other {
        max: Option<usize>,
    },
}

impl Expression {
    /// Parses as the engine will: bytes, ASCII classes.
    pub fn parse(pattern: &str) -> Result<Self, String> {
        ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(pattern)
            .map(Expression)
            .map_err(|e| e.to_string())
    }

    /// The longest possible match in bytes, if there is a bound.
    pub fn max_len(&self) -> Option<usize> {
        self.0.properties().maximum_len()
    }

    /// The shortest possible match in bytes.
    pub fn min_len(&self) -> usize {
        self.0.properties().minimum_len().unwrap_or(0)
    }

    /// How many capture groups there are.
    pub fn groups(&self) -> usize {
        self.0.properties().explicit_captures_len()
    }

    /// Which of these ASCII characters can stand in a match.
    pub fn members(&self, of: &str) -> String {
        of.bytes().filter(|b| can_match(&self.0, *b)).map(char::from).collect()
    }

    /// Whether a match can contain a line end.
    pub fn spans_lines(&self) -> bool {
        can_match(&self.0, b'\n')
    }

    /// Whether every match contains one of these lower-case keywords, in any case.
    pub fn requires_one_of(&self, keywords: &[String]) -> bool {
        requires(&self.0, keywords)
    }

    /// The most bytes of a match that can stand before one of the keywords, if that is bounded.
    pub fn max_before(&self, keywords: &[String]) -> Option<usize> {
        if self.starts_with_one_of(keywords) {
            return Some(0);
        }
        let all = self.max_len();
        let branches = branches(&self.0);
        let mut most = 0;
        for branch in branches {
            let steps = steps(branch);
            let mut before = Some(0usize);
            let mut found = None;
            for at in 0..steps.len() {
                if spells(&steps[at..], keywords) {
                    found = before;
                    break;
                }
                before = match &steps[at] {
                    Step::Byte(_) | Step::Few(_) => before.map(|b| b + 1),
                    Step::Other { max } => before.zip(*max).map(|(b, m)| b + m),
                };
            }
            most = most.max(found.or(all)?);
        }
        Some(most)
    }

    /// Whether every match starts with one of the keywords, in any case.
    fn starts_with_one_of(&self, keywords: &[String]) -> bool {
        let prefixes = Extractor::new().kind(ExtractKind::Prefix).extract(&self.0);
        let starts = |literal: &[u8]| {
            let folded = literal.to_ascii_lowercase();
            keywords.iter().any(|k| folded.starts_with(k.as_bytes()))
        };
        prefixes.literals().is_some_and(|all| !all.is_empty() && all.iter().all(|l| starts(l.as_bytes())))
    }

    /// The longest stretch of bytes of one class that every match has.
    pub fn stretch(&self) -> Option<Stretch> {
        longest_stretch(&self.0).filter(|s| s.len >= SHORTEST_STRETCH)
    }

    /// Literals (lower case, at least `shortest` bytes) of which every match contains one; the
    /// longest of each branch. Empty if some branch has none.
    pub fn literals(&self, shortest: usize) -> Vec<String> {
        let mut found = Vec::new();
        if !collect_literals(&self.0, shortest, &mut found) {
            return Vec::new();
        }
        found.sort();
        found.dedup();
        found
    }

    /// Texts (lower case) of which every match contains one, where a few classes of few bytes follow each other near
    /// its start: their product. Empty if they do not, or if it is large.
    pub fn spelled(&self) -> Vec<String> {
        let ways = spellings(&self.0).unwrap_or_default();
        let spelled = ways.iter().map(|way| way.windows(SPELLED).skip(1).take(SPELLED).find_map(product));
        let mut spelled = spelled.collect::<Option<Vec<_>>>().unwrap_or_default().concat();
        spelled.sort();
        spelled.dedup();
        if spelled.len() <= MOST_SPELLED { spelled } else { Vec::new() }
    }
}

/// What these steps can be, if that is not much and no word: one of those between the ends can be a digit.
fn product(steps: &[Step]) -> Option<Vec<String>> {
    let bytes: Vec<&[u8]> = steps
        .iter()
        .map(|step| match step {
            Step::Byte(b) => Some(std::slice::from_ref(b)),
            Step::Few(few) => Some(few.as_slice()),
            Step::Other { .. } => None,
        })
        .collect::<Option<_>>()?;
    let is_rare = bytes[1..bytes.len() - 1].iter().any(|few| few.iter().any(u8::is_ascii_digit));
    (is_rare && bytes.iter().map(|few| few.len()).product::<usize>() <= MOST_SPELLED).then(|| {
        bytes.iter().fold(vec![String::new()], |heads, few| {
            heads.iter().flat_map(|head| few.iter().map(move |b| format!("{head}{}", char::from(*b)))).collect()
        })
    })
}

fn longest_stretch(hir: &Hir) -> Option<Stretch> {
    match hir.kind() {
        HirKind::Class(Class::Bytes(class)) => {
            let mut bits = [0u64; 4];
            for byte in class.ranges().iter().flat_map(|r| r.start()..=r.end()) {
                bits[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
            Some(Stretch { class: bits, len: 1 })
        }
        HirKind::Repetition(r) if r.min > 0 => {
            let once = longest_stretch(&r.sub)?;
            // More of them stand in a row only where nothing stands between them.
            let is_class = matches!(r.sub.kind(), HirKind::Class(_));
            Some(if is_class { Stretch { len: r.min, ..once } } else { once })
        }
        HirKind::Capture(c) => longest_stretch(&c.sub),
        HirKind::Concat(all) => all.iter().filter_map(longest_stretch).max_by_key(|s| s.len),
        HirKind::Alternation(all) => all.iter().map(longest_stretch).reduce(|a, b| {
            let (a, b) = (a?, b?);
            Some(Stretch { class: std::array::from_fn(|i| a.class[i] | b.class[i]), len: a.len.min(b.len) })
        })?,
        _ => None,
    }
}

fn branches(hir: &Hir) -> Vec<&Hir> {
    match hir.kind() {
        HirKind::Alternation(all) => all.iter().collect(),
        HirKind::Capture(c) => branches(&c.sub),
        _ => vec![hir],
    }
}

/// Flattens concatenations; everything that is not one known byte becomes `Other`.
fn steps(hir: &Hir) -> Vec<Step> {
    let mut out = Vec::new();
    push_steps(hir, &mut out);
    out
}

fn push_steps(hir: &Hir, out: &mut Vec<Step>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend(literal.0.iter().map(|b| Step::Byte(b.to_ascii_lowercase()))),
        HirKind::Class(class) => out.push(match folded_bytes(class).as_deref() {
            Some([byte]) => Step::Byte(*byte),
            Some(few) => Step::Few(few.to_vec()),
            None => Step::Other { max: hir.properties().maximum_len() },
        }),
        HirKind::Capture(c) => push_steps(&c.sub, out),
        HirKind::Concat(all) => all.iter().for_each(|h| push_steps(h, out)),
        HirKind::Repetition(r) if r.max == Some(r.min) && r.min <= 8 => {
            for _ in 0..r.min {
                push_steps(&r.sub, out);
            }
        }
        _ => out.push(Step::Other { max: hir.properties().maximum_len() }),
    }
}

/// The bytes that a class stands for up to ASCII case, if they are few.
fn folded_bytes(class: &Class) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = match class {
        Class::Bytes(c) => c.ranges().iter().flat_map(|r| r.start()..=r.end()).take(2 * FEW + 1).collect(),
        Class::Unicode(c) => {
            let chars = c.ranges().iter().flat_map(|r| r.start()..=r.end()).take(2 * FEW + 1);
            chars.map(|c| u8::try_from(c).ok().filter(u8::is_ascii)).collect::<Option<_>>()?
        }
    };
    bytes.iter_mut().for_each(|b| *b = b.to_ascii_lowercase());
    bytes.sort_unstable();
    bytes.dedup();
    (1..=FEW).contains(&bytes.len()).then_some(bytes)
}

/// Whether one of the keywords starts here, whatever the classes on the way stand for.
fn spells(steps: &[Step], keywords: &[String]) -> bool {
    fn go(steps: &[Step], done: &mut Vec<u8>, keywords: &[String]) -> bool {
        if keywords.iter().any(|k| k.as_bytes() == done.as_slice()) {
            return true;
        }
        if !keywords.iter().any(|k| k.as_bytes().starts_with(done)) {
            return false;
        }
        let few = match steps.first() {
            Some(Step::Byte(b)) => std::slice::from_ref(b),
            Some(Step::Few(few)) => few.as_slice(),
            _ => return false,
        };
        few.iter().all(|b| {
            done.push(*b);
            let found = go(&steps[1..], done, keywords);
            done.pop();
            found
        })
    }
    go(steps, &mut Vec::new(), keywords)
}

fn requires(hir: &Hir, keywords: &[String]) -> bool {
    match hir.kind() {
        HirKind::Capture(c) => requires(&c.sub, keywords),
        HirKind::Alternation(all) => all.iter().all(|h| requires(h, keywords)),
        HirKind::Repetition(r) if r.min > 0 => requires(&r.sub, keywords),
        HirKind::Concat(all) => {
            let steps = steps(hir);
            (0..steps.len()).any(|at| spells(&steps[at..], keywords))
                || all.iter().any(|h| requires(h, keywords))
                || spellings(hir).is_some_and(|all| {
                    all.iter().all(|steps| (0..steps.len()).any(|at| spells(&steps[at..], keywords)))
                })
        }
        _ => {
            let steps = steps(hir);
            (0..steps.len()).any(|at| spells(&steps[at..], keywords))
        }
    }
}

/// The ways to go through an expression's alternations, also of those inside others (`x(a|b(c|d))y`: the parser
/// makes them of what words have in common); `None` if they are many.
fn spellings(hir: &Hir) -> Option<Vec<Vec<Step>>> {
    let ways = match hir.kind() {
        HirKind::Capture(c) => spellings(&c.sub)?,
        HirKind::Alternation(all) => all.iter().map(spellings).collect::<Option<Vec<_>>>()?.concat(),
        HirKind::Concat(all) => all.iter().try_fold(vec![Vec::new()], |ways, part| {
            let parts = spellings(part)?;
            (ways.len() * parts.len() <= MOST_SPELLINGS)
                .then(|| ways.iter().flat_map(|way| parts.iter().map(|part| [&way[..], part].concat())).collect())
        })?,
        _ => vec![steps(hir)],
    };
    (ways.len() <= MOST_SPELLINGS).then_some(ways)
}

fn collect_literals(hir: &Hir, shortest: usize, found: &mut Vec<String>) -> bool {
    match hir.kind() {
        HirKind::Capture(c) => collect_literals(&c.sub, shortest, found),
        HirKind::Alternation(all) => all.iter().all(|h| collect_literals(h, shortest, found)),
        HirKind::Repetition(r) if r.min > 0 => collect_literals(&r.sub, shortest, found),
        _ => {
            let mut best = Vec::new();
            let mut run = Vec::new();
            for step in steps(hir).into_iter().chain([Step::Other { max: None }]) {
                match step {
                    Step::Byte(b) if b.is_ascii_graphic() || b == b' ' => run.push(b),
                    _ => {
                        if run.len() > best.len() {
                            best = std::mem::take(&mut run);
                        }
                        run.clear();
                    }
                }
            }
            if best.len() >= shortest {
                best.truncate(24);
                found.push(String::from_utf8_lossy(&best).into_owned());
                return true;
            }
            // No literal of its own: an alternation inside may have one in each branch.
            if let HirKind::Concat(all) = hir.kind() {
                for child in all {
                    let mut inner = Vec::new();
                    if matches!(child.kind(), HirKind::Capture(_) | HirKind::Alternation(_) | HirKind::Repetition(_))
                        && collect_literals(child, shortest, &mut inner)
                    {
                        found.append(&mut inner);
                        return true;
                    }
                }
            }
            false
        }
    }
}

fn can_match(hir: &Hir, byte: u8) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(l) => l.0.contains(&byte),
        HirKind::Class(Class::Bytes(c)) => c.ranges().iter().any(|r| r.start() <= byte && byte <= r.end()),
        HirKind::Class(Class::Unicode(c)) => {
            c.ranges().iter().any(|r| r.start() <= char::from(byte) && char::from(byte) <= r.end())
        }
        HirKind::Repetition(r) => can_match(&r.sub, byte),
        HirKind::Capture(c) => can_match(&c.sub, byte),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().any(|h| can_match(h, byte)),
    }
}
