//! Hidden values: where a content has encoded text, and what it says when decoded.
//!
//! Three families of encodings, found in three ways:
//!
//! - **Blocks**: base64 and hex, on one line or wrapped at any column. A *unit* is a maximal stretch of
//!   the alphabet, across line ends; one that has a long enough word is decoded as a whole, and a secret
//!   in it has the place of the whole encoding.
//! - **Edits**: `%5F`, `\u005f`, `\x5f`, `&#95;`, and the joint of two string literals (`" + "`). Edits
//!   that stand close together are a *cluster*; its surroundings are searched with all of them applied,
//!   and a secret that one of them touches has the tight place of its encoded form.
//!
//! - **Wide text**: text in UTF-16 inside of a content that is something else, as in programs, and in files that
//!   were appended to in another encoding. A secret in it has its own tight place.
//!
//! **Contract: locality.** Whether and where a run (a unit or a cluster) stands, and what it decodes to,
//! depends on the bytes in its [`Run::needs`] alone, so a content made from another one inherits what
//! the runs hold whose needs were copied as a whole. **Contract: bounded.** Nothing decodes to more bytes
//! than it is made of ([`INFLATED`] times as many where it is compressed, too), runs of a family are disjoint but for their surroundings of at most
//! [`CONTEXT`] bytes on either side, and decoding ends at [`DEPTH`]: the work is linear in the content.

use std::{io::Read, ops::Range};

use super::{
    chunk::{CHUNK, Classify, Framed, Portable, is_digit, is_text},
    text,
};

/// How many encodings may be wrapped in one another.
pub const DEPTH: usize = 4;
/// The longest unit or cluster that is decoded, in bytes; longer ones are reported as not covered.
pub const RUN_LIMIT: usize = 64 << 20;
/// The shortest word that makes a unit worth a look: 18 bytes in base64.
const WORD: usize = 24;
/// The shortest one that does so where the next line is as long.
const LINE: usize = 16;
/// How many times its size something compressed is read.
pub const INFLATED: usize = 200;
/// The shortest hex that is decoded.
const HEX: usize = 32;
/// The shortest base64 that is decoded whole although it does not start as text.
const BINARY: usize = 40;
/// The least text that decoded bytes must have.
const LEAST: usize = HEX / 2;
/// The shortest stretch of printable text in decoded bytes that is searched.
const STRETCH: usize = 20;
/// The most white space between two lines of a unit.
const INDENT: usize = 44;
/// How much is seen of the line around a cluster, and how far apart its edits may stand.
const CONTEXT: usize = 256;
/// The longest edit, in bytes.
const EDIT: usize = 96;
/// How far a cluster looks beyond its first and last edit.
const CLUSTER_MARGIN: usize = CONTEXT + EDIT + SLASHES + LOOK_BEHIND + 2;
/// The most backslashes before an escape or a quote that belong to it.
const SLASHES: usize = 8;
/// How far beyond its words, or beside a place without one, the bytes stand that decide where a unit ends.
const UNIT_MARGIN: usize = INDENT + 4;
/// How far before a joint its literal is looked at.
const LOOK_BEHIND: usize = 24;
/// The least that the two pieces around a joint without an operator have together.
const PIECES: usize = 12;
/// How many bytes get a first look together.
const SURVEYED: usize = 2048;
/// How many bytes before a line feed decide whether it is a barrier.
const LINE_END: usize = 3;

/// A place that holds something encoded.
#[derive(Debug)]
pub(super) struct Run {
    /// What its place and meaning depend on, with 0 for the start of the content, `i + 1` for the byte
    /// at `i`, and `len + 1` for the end.
    pub needs: Range<usize>,
    /// What is encoded there.
    pub form: Form,
}

/// How something is encoded.
#[derive(Debug)]
pub(super) enum Form {
    /// Base64 or hex, here.
    Unit(Range<usize>),
    /// These edits.
    Cluster(Vec<Edit>),
    /// Text with NULs between its bytes, here.
    Wide(Range<usize>),
}

impl Run {
    fn unit(text: &[u8], range: Range<usize>) -> Run {
        // The first and the last byte that decide where it ends.
        let first = match text[..range.start].last() {
            Some(b'\\') => range.start.checked_sub(2),
            Some(b) if is_space(*b) => (range.start - spaces_before(text, range.start)).checked_sub(1),
            _ => range.start.checked_sub(1),
        };
        let last = match text.get(range.end) {
            Some(b'\\' | b'=') => range.end + 1,
            Some(b'\n' | b'\r') => range.end + spaces_from(text, range.end),
            _ => range.end,
        };
        Run { needs: first.map_or(0, |first| first + 1)..(last + 2).min(text.len() + 2), form: Form::Unit(range) }
    }

    fn cluster(text: &[u8], edits: Vec<Edit>) -> Run {
        let (first, last) = (edits[0].place.start, edits[edits.len() - 1].place.end);
        let before = first.saturating_sub(CLUSTER_MARGIN)..first;
        let start = barrier_before(Portable, text, before)
            .map_or((first + 1).saturating_sub(CLUSTER_MARGIN), |at| (at + 1).saturating_sub(LINE_END));
        let behind = last..(last + CLUSTER_MARGIN).min(text.len());
        let end =
            barrier_from(Portable, text, behind).map_or((last + 1 + CLUSTER_MARGIN).min(text.len() + 2), |at| at + 2);
        Run { needs: start..end, form: Form::Cluster(edits) }
    }

    fn wide(text: &[u8], range: Range<usize>) -> Run {
        Run { needs: range.start..(range.end + 2).min(text.len() + 2), form: Form::Wide(range) }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Range<usize> {
        match &self.form {
            Form::Unit(range) | Form::Wide(range) => range.clone(),
            Form::Cluster(edits) => edits[0].place.start..edits[edits.len() - 1].place.end,
        }
    }
}

/// Hands out every run whose needs are not wholly before `range` or wholly behind it (some others, too),
/// ascending within a family. Nothing that starts before the given places is looked for: these
/// must be ends of runs, or 0. Returns where each family has got to.
pub(super) fn runs(text: &[u8], range: Range<usize>, done: Done, visit: &mut dyn FnMut(Run)) -> Done {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = super::chunk::Avx2::detect() {
        return each_part(avx2, text, range, done, visit);
    }
    each_part(Portable, text, range, done, visit)
}

fn each_part<C: Classify>(
    classes: C,
    text: &[u8],
    range: Range<usize>,
    mut done: Done,
    visit: &mut dyn FnMut(Run),
) -> Done {
    let settled = done.units.max(done.clusters).max(done.wide);
    done.reach = Some(range.clone());
    let mut at = range.start;
    loop {
        let part = at..range.end.min(at + SURVEYED);
        at = part.end;
        let span = unit_span(text, &part, done.units);
        let edits = near_edits(classes, text, &part, done.clean);
        let worth = survey(classes, text, &part, &span, &edits.place, &mut done.clean);
        let reach = edits.reach.filter(|_| !worth.wide).zip(done.reach).map(|(edits, so_far)| {
            let start = span.start.min(part.start).saturating_sub(UNIT_MARGIN).min(edits.start);
            let end = (span.end.max(part.end) + UNIT_MARGIN).min(text.len()).max(edits.end);
            start.min(so_far.start)..end.max(so_far.end)
        });
        // What was handed out before would not be looked for.
        done.reach = reach.filter(|reach| settled <= reach.start);
        done.units = if worth.units { units(classes, text, span, visit) } else { span.end };
        if worth.clusters {
            done.clusters = clusters(classes, text, &part, done.clusters, visit);
        }
        if worth.wide {
            done.wide = wide_text(classes, text, &part, done.wide, visit);
        }
        if at == range.end {
            return done;
        }
    }
}

/// Which families may have a run that depends on a place.
#[derive(Debug, Clone, Copy)]
struct Worth {
    units: bool,
    clusters: bool,
    wide: bool,
}

/// Looks at everything that a run may be found by which depends on a range: mostly there is nothing. The words of
/// such units are in `units`, the edits of such clusters in `edits`. Up to `clean` there is neither an edit nor a NUL.
fn survey<C: Classify>(
    classes: C,
    text: &[u8],
    range: &Range<usize>,
    units: &Range<usize>,
    edits: &Range<usize>,
    clean: &mut usize,
) -> Worth {
    // Wide text depends on the two bytes beside it.
    let mut start = edits.start.min(range.start.saturating_sub(2)).max(*clean);
    let mut end = edits.end.max((range.end + 2).min(text.len()));
    if !units.is_empty() {
        (start, end) = (start.min(units.start), end.max(units.end));
    }
    let mut worth = Worth { units: false, clusters: false, wide: false };
    let mut words = Words { at: start, members: 0, skip: units.start };
    let mut chunks = Chunks::new(text, start);
    while chunks.at < end {
        let at = chunks.at;
        let seen = chunks.next(|framed| classes.survey(framed));
        worth.wide |= seen.zeros != 0;
        if !worth.units && at < units.end {
            worth.units = words.next(text, seen.digits).is_some();
        }
        let mut triggers = seen.triggers;
        while triggers != 0 && !worth.clusters {
            let place = at + triggers.trailing_zeros() as usize;
            triggers &= triggers - 1;
            worth.clusters = edits.contains(&place) && edit_at(text, place).is_some();
        }
    }
    if !worth.clusters && !worth.wide {
        *clean = edits.end;
    }
    worth
}

/// Where edits are near enough to matter.
struct Near {
    /// Where they have their triggers.
    place: Range<usize>,
    /// The bytes that this was seen from, if it ends at barriers or with the content on both sides.
    reach: Option<Range<usize>>,
}

/// Where those edits are that belong to a cluster which depends on a range: up to a barrier, or as far as it looks.
fn near_edits<C: Classify>(classes: C, text: &[u8], range: &Range<usize>, clean: usize) -> Near {
    let far = range.start.saturating_sub(CLUSTER_MARGIN + EDIT).max(clean.min(range.start));
    let first = barrier_before(classes, text, far..range.start);
    let last = (range.end + LINE_END).min(text.len());
    let farther = (last + CLUSTER_MARGIN + SLASHES).min(text.len());
    let behind = barrier_from(classes, text, last..farther);
    let start = first.map(|at| at.saturating_sub(LINE_END)).or((far == 0).then_some(0));
    let end = behind.map(|at| at + 1).or((farther == text.len()).then_some(farther));
    Near { place: first.map_or(far, |at| at + 1)..behind.unwrap_or(farther), reach: start.zip(end).map(|(a, b)| a..b) }
}

/// A text, chunk by chunk.
struct Chunks<'a> {
    text: &'a [u8],
    /// Where the next one starts.
    at: usize,
}

impl<'a> Chunks<'a> {
    fn new(text: &'a [u8], at: usize) -> Self {
        Chunks { text, at }
    }

    /// Looks at the next one; beyond the text there are spaces.
    #[inline(always)]
    fn next<T>(&mut self, look: impl Fn(&Framed) -> T) -> T {
        let framed: Option<&Framed> = self.at.checked_sub(1).and_then(|first| self.text[first..].first_chunk());
        let seen = match framed {
            Some(framed) => look(framed),
            None => look(&self.at_an_end()),
        };
        self.at += CHUNK;
        seen
    }

    fn at_an_end(&self) -> Framed {
        let mut framed = [b' '; CHUNK + 2];
        let skip = usize::from(self.at == 0);
        let rest = &self.text[self.at + skip - 1..];
        let len = rest.len().min(framed.len() - skip);
        framed[skip..skip + len].copy_from_slice(&rest[..len]);
        framed
    }
}

/// The first line feed in a range.
fn first_line_feed<C: Classify>(classes: C, text: &[u8], range: Range<usize>) -> Option<usize> {
    let mut at = range.start;
    while let Some(chunk) = text[at..range.end].first_chunk() {
        let found = classes.equal(chunk, b'\n');
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += CHUNK;
    }
    text[at..range.end].iter().position(|b| *b == b'\n').map(|found| at + found)
}

/// The last line feed in a range.
fn last_line_feed<C: Classify>(classes: C, text: &[u8], range: Range<usize>) -> Option<usize> {
    let mut end = range.end;
    while let Some(chunk) = text[range.start..end].last_chunk() {
        let found = classes.equal(chunk, b'\n');
        if found != 0 {
            return Some(end - 1 - found.leading_zeros() as usize);
        }
        end -= CHUNK;
    }
    text[range.start..end].iter().rposition(|b| *b == b'\n').map(|found| range.start + found)
}

/// How far the runs of a content have been handed out.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    units: usize,
    clusters: usize,
    wide: usize,
    /// Up to here there is neither an edit nor a NUL, from where a look at it began.
    clean: usize,
    /// The bytes that alone decide which runs depend on the last range (runs have needs of their own, too), where
    /// that is known.
    pub(super) reach: Option<Range<usize>>,
}

/// Something that a run decodes to.
#[derive(Debug)]
pub(super) struct Decoded {
    /// The decoded bytes.
    pub bytes: Vec<u8>,
    /// Which decoded bytes to search.
    pub parts: Vec<Range<usize>>,
    /// Where they come from.
    pub map: Map,
}

impl Decoded {
    /// Whether the decoded bytes have the surroundings of the encoded ones.
    pub(super) fn has_context(&self) -> bool {
        matches!(self.map, Map::Edits { .. } | Map::Wide(_))
    }
}

/// From places in decoded bytes to places in the bytes that they were made of.
#[derive(Debug)]
pub(super) enum Map {
    /// All of it comes from here.
    Whole(Range<usize>),
    /// Each byte is every second one from here on.
    Wide(usize),
    /// Each byte stands for itself, but for edits: places of these in the decoded bytes and in the text.
    Edits { start: usize, edits: Vec<(Range<usize>, Range<usize>)> },
}

impl Map {
    /// Where decoded bytes come from.
    pub(super) fn place(&self, decoded: &Range<usize>) -> Range<usize> {
        match self {
            Map::Whole(range) => range.clone(),
            Map::Wide(first) => first + 2 * decoded.start..(first + 2 * decoded.end).saturating_sub(1),
            Map::Edits { .. } if decoded.is_empty() => {
                let at = self.byte(decoded.start).start;
                at..at
            }
            Map::Edits { .. } => self.byte(decoded.start).start..self.byte(decoded.end - 1).end,
        }
    }

    /// Where one decoded byte comes from.
    fn byte(&self, at: usize) -> Range<usize> {
        let Map::Edits { start, edits } = self else { return 0..0 };
        let next = edits.partition_point(|(decoded, _)| decoded.start <= at);
        let Some((decoded, place)) = next.checked_sub(1).map(|last| &edits[last]) else {
            return start + at..start + at + 1;
        };
        if decoded.contains(&at) {
            return place.clone();
        }
        let at = place.end + (at - decoded.end);
        at..at + 1
    }

    /// Whether decoded bytes, or what stands right beside them, were changed by decoding.
    pub(super) fn is_changed(&self, decoded: &Range<usize>) -> bool {
        match self {
            Map::Whole(_) | Map::Wide(_) => true,
            Map::Edits { edits, .. } => {
                let first = edits.partition_point(|(e, _)| e.end < decoded.start);
                edits.get(first).is_some_and(|(e, _)| e.start <= decoded.end)
            }
        }
    }
}

/// Decodes a run.
pub(super) fn decode(text: &[u8], run: &Run, emit: &mut dyn FnMut(Decoded)) {
    match &run.form {
        Form::Unit(range) => unit(text, range, emit),
        Form::Cluster(edits) => emit(apply(text, edits)),
        Form::Wide(range) => emit(narrow(text, range)),
    }
}

// ---------------------------------------------------------------------------------------------------
// Base64 and hex
// ---------------------------------------------------------------------------------------------------

/// Base64 digits: 0 to 63, and 255 for all else.
const DIGITS: [u8; 256] = {
    let mut table = [255; 256];
    let mut at = 0;
    while at < 256 {
        let b = at as u8;
        table[at] = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => 255,
        };
        at += 1;
    }
    table
};

/// Where the words are of the units that depend on a range; nothing before `done`.
fn unit_span(text: &[u8], range: &Range<usize>, done: usize) -> Range<usize> {
    // Only white space and a few bytes more may stand between a unit and what it depends on.
    let between = |b: &u8| is_space(*b) || matches!(b, b'\\' | b'=');
    let last = range.end + text[range.end..].iter().take(INDENT + 2).take_while(|b| between(b)).count();
    // However long a unit is, its end is looked for once.
    if last < done {
        return done..done;
    }
    let stop = unit_end(text, last);
    if stop <= done {
        return done..done;
    }
    let first = range.start - text[..range.start].iter().rev().take(INDENT + 2).take_while(|b| between(b)).count();
    let at = unit_start(text, first, done);
    at..at.max(stop)
}

/// Hands out the units that have a long enough word. Returns the end of the last one, or where it stopped.
fn units<C: Classify>(classes: C, text: &[u8], span: Range<usize>, visit: &mut dyn FnMut(Run)) -> usize {
    let mut at = span.start;
    while let Some(word) = next_word(classes, text, at, span.end) {
        let unit = unit_start(text, word.start, at)..unit_end(text, word.end);
        at = unit.end;
        visit(Run::unit(text, unit));
    }
    at.max(span.end)
}

/// The next word that may be encoded. No word is cut by `from`.
fn next_word<C: Classify>(classes: C, text: &[u8], from: usize, stop: usize) -> Option<Range<usize>> {
    let (mut words, mut chunks) = (Words::new(from), Chunks::new(text, from));
    while chunks.at < stop {
        let digits = chunks.next(|framed| classes.digits(framed));
        if let Some(word) = words.next(text, digits) {
            return Some(word);
        }
    }
    None
}

/// Finds words that may be encoded: maximal stretches of the alphabet that are long enough, and have a digit
/// or start as encoded text, as nearly every line of an encoding does; or ones of at least [`LINE`] with another
/// one as long on the next line.
struct Words {
    /// Where the next chunk starts.
    at: usize,
    /// The members of two chunks: the one before the last in the low bits.
    members: u128,
    /// The end of a word that went beyond its chunk.
    skip: usize,
}

impl Words {
    fn new(at: usize) -> Self {
        Words { at, members: 0, skip: at }
    }

    /// The first word in the next chunk, whose members of the alphabet these are.
    #[inline(always)]
    fn next(&mut self, text: &[u8], digits: u64) -> Option<Range<usize>> {
        let skip = self.skip.saturating_sub(self.at);
        let digits = if skip < CHUNK { digits >> skip << skip } else { 0 };
        self.members = self.members >> CHUNK | u128::from(digits) << CHUNK;
        self.at += CHUNK;
        let long = stretches(self.members);
        if long == 0 { None } else { self.wanted(text, long) }
    }

    /// The first word that is wanted of those that start at these places.
    fn wanted(&mut self, text: &[u8], mut long: u128) -> Option<Range<usize>> {
        while long != 0 {
            let first = long.trailing_zeros();
            let len = (!(self.members >> first)).trailing_zeros();
            let start = self.at + first as usize - 2 * CHUNK;
            let goes_beyond = first + len == 2 * CHUNK as u32;
            let end = if goes_beyond { word_end(text, start + len as usize) } else { start + len as usize };
            let is_wanted = match text[start..end].first_chunk() {
                Some(head) => may_be_encoded(head),
                None => is_line(text, start, end),
            };
            if is_wanted {
                return Some(start..end);
            }
            if goes_beyond {
                (self.members, self.skip) = (0, end);
                return None;
            }
            self.members &= !0 << (first + len);
            long &= self.members;
        }
        None
    }
}

/// A bit where a stretch of [`LINE`] members starts.
#[inline(always)]
fn stretches(members: u128) -> u128 {
    const { assert!(LINE == 16) };
    let mut long = members & members >> 1;
    long &= long >> 2;
    long &= long >> 4;
    long & long >> 8
}

/// Whether the word that follows this one in its unit, on the next line, is as long.
fn is_line(text: &[u8], start: usize, end: usize) -> bool {
    bridge(text, end).is_some_and(|next| {
        // The letter of an escaped line end is not part of the word.
        let next = next + usize::from(text[next - 1] == b'\\');
        next < text.len() && word_end(text, next) - next == end - start
    })
}

fn may_be_encoded(head: &[u8; WORD]) -> bool {
    count(head, b'0', 10) > 0 || starts_as_text(head)
}

fn word_end(text: &[u8], from: usize) -> usize {
    text[from..].iter().position(|b| DIGITS[usize::from(*b)] == 255).map_or(text.len(), |at| from + at)
}

/// Where the bridge from one word of a unit to the next ends that starts here: a line end with indentation,
/// also an escaped one (whose letter counts as the start of the next word).
fn bridge(text: &[u8], at: usize) -> Option<usize> {
    if at == 0 || !is_digit(text[at - 1]) {
        return None;
    }
    match text.get(at)? {
        b'\\' => matches!(text.get(at + 1), Some(b'n' | b'r')).then_some(at + 1),
        b'\n' | b'\r' => {
            let first = if text[at..].starts_with(b"\r\n") { at + 2 } else { at + 1 };
            let rest = &text[first..(at + INDENT + 1).min(text.len())];
            let indent = rest.iter().position(|b| !matches!(b, b' ' | b'\t'))?;
            (text[first - 1] == b'\n' && is_digit(rest[indent])).then_some(first + indent)
        }
        _ => None,
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// How much white space ends here; a little more than a bridge has at most, and no more.
fn spaces_before(text: &[u8], at: usize) -> usize {
    text[..at].iter().rev().take(INDENT + 1).take_while(|b| is_space(**b)).count()
}

/// How much white space starts here; a little more than a bridge has at most, and no more.
fn spaces_from(text: &[u8], at: usize) -> usize {
    text[at..].iter().take(INDENT + 1).take_while(|b| is_space(**b)).count()
}

/// The end of the unit that reaches to or over this place.
fn unit_end(text: &[u8], from: usize) -> usize {
    let mut at = from;
    if from > 0 && is_space(text[from - 1]) {
        // In the midst of a bridge?
        if let Some(next) = bridge(text, from - spaces_before(text, from)) {
            at = at.max(next);
        }
    }
    loop {
        at = word_end(text, at);
        match bridge(text, at) {
            Some(next) => at = next,
            None => return at,
        }
    }
}

/// The start of the unit that reaches to or over this place; not before `floor`.
fn unit_start(text: &[u8], from: usize, floor: usize) -> usize {
    let mut at = from.max(floor);
    loop {
        at -= text[floor..at].iter().rev().take_while(|b| DIGITS[usize::from(**b)] < 64).count();
        if at == floor {
            return at;
        }
        let start = if text[at - 1] == b'\\' { at - 1 } else { at - spaces_before(text, at) };
        // `at` itself may be in the midst of a bridge.
        if start <= floor || start == at || bridge(text, start).is_none_or(|next| next < at) {
            return at;
        }
        at = start;
    }
}

/// Decodes what a unit holds.
fn unit(text: &[u8], range: &Range<usize>, emit: &mut dyn FnMut(Decoded)) {
    if word_end(text, range.start) == range.end {
        if !encoding(text, std::slice::from_ref(range), emit) {
            pieces(text, range, emit);
        }
        return;
    }
    let words = words(text, range);
    let mut at = 0;
    while at < words.len() {
        let end = block(&words, at);
        if end - at > 1 && encoding(text, &words[at..end], emit) {
            at = end;
            continue;
        }
        // A first line that is shorter or longer than the others: something stands before it.
        if end - at <= 2 && at + 1 < words.len() {
            let rest = block(&words, at + 1);
            if rest - at > 2 && encoding(text, &words[at..rest], emit) {
                at = rest;
                continue;
            }
        }
        if end - at > 2 {
            at = end;
            continue;
        }
        if words[at].len() >= WORD && !encoding(text, &words[at..=at], emit) {
            pieces(text, &words[at], emit);
        }
        at += 1;
    }
}

/// The words of a unit.
fn words(text: &[u8], range: &Range<usize>) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let end = word_end(text, at);
        // The letter of an escaped line end, and the `r` of an escaped `\r\n`.
        let start = at + usize::from(at > range.start && text[at - 1] == b'\\');
        if start < end {
            words.push(start..end);
        }
        match bridge(text, end) {
            Some(next) => at = next,
            None => break,
        }
    }
    words
}

/// The end of the lines of equal width that start here, with a shorter last one.
fn block(words: &[Range<usize>], first: usize) -> usize {
    let width = words[first].len();
    let mut end = first + 1;
    while end < words.len() && words[end].len() == width {
        end += 1;
    }
    if end < words.len() && words[end].len() < width { end + 1 } else { end }
}

/// The parts of a word between characters that are also separators.
fn pieces(text: &[u8], word: &Range<usize>, emit: &mut dyn FnMut(Decoded)) {
    let mut start = word.start;
    for at in word.start..=word.end {
        if at == word.end || matches!(text[at], b'/' | b'-' | b'_') {
            if at - start >= WORD && at - start < word.len() {
                encoding(text, std::slice::from_ref(&(start..at)), emit);
            }
            start = at + 1;
        }
    }
}

/// Decodes words that together may be one encoding. Says whether they were.
fn encoding(text: &[u8], words: &[Range<usize>], emit: &mut dyn FnMut(Decoded)) -> bool {
    let mut head = [0; WORD];
    let mut len = 0;
    for word in words {
        let part = &text[word.clone()];
        let part = &part[..part.len().min(WORD - len)];
        head[len..len + part.len()].copy_from_slice(part);
        len += part.len();
        if len == WORD {
            break;
        }
    }
    if len < WORD {
        return false;
    }
    let parts = || words.iter().map(|w| &text[w.clone()]);
    let bytes =
        if head[2..].iter().all(u8::is_ascii_hexdigit) && (head[1] | 0x20 == b'x' || head[1].is_ascii_hexdigit()) {
            hex(parts())
        } else {
            base64(&head, parts)
        };
    let Some(bytes) = bytes else { return false };
    let bytes = inflated(&bytes).unwrap_or(bytes);
    let bytes = match text::text(&bytes) {
        std::borrow::Cow::Owned(transcoded) => transcoded,
        std::borrow::Cow::Borrowed(_) => bytes,
    };
    let parts = printable(&bytes);
    if parts.is_empty() {
        return false;
    }
    let (first, last) = (words[0].start, words[words.len() - 1].end);
    let padding = text[last..].iter().take(2).take_while(|b| **b == b'=').count();
    emit(Decoded { bytes, parts, map: Map::Whole(first..last + padding) });
    true
}

/// What gzip has compressed, as far as it can be read.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"\x1f\x8b\x08") {
        return None;
    }
    let mut out = Vec::new();
    let limit = bytes.len().saturating_mul(INFLATED).min(RUN_LIMIT);
    // What follows an encoding may have spoilt its end.
    let _ = flate2::bufread::MultiGzDecoder::new(bytes).take(limit as u64).read_to_end(&mut out);
    (!out.is_empty()).then_some(out)
}

/// The bytes of hex, if they may be text.
fn hex<'a>(words: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Vec<u8>> {
    let skip = usize::from(words.clone().next().is_some_and(|w| w.starts_with(b"0x") || w.starts_with(b"0X"))) * 2;
    let len = words.clone().map(<[u8]>::len).sum::<usize>() - skip;
    if len < HEX || !len.is_multiple_of(2) {
        return None;
    }
    // Hashes are not text.
    let strict = matches!(len, 32 | 40 | 56 | 64 | 96 | 128);
    let mut bytes = Vec::new();
    let mut letters = words.flatten().skip(skip);
    while let (Some(high), Some(low)) = (letters.next(), letters.next()) {
        let byte = (hex_digit(*high)? << 4) | hex_digit(*low)?;
        if strict && !is_text(byte) {
            return None;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

/// The bytes of base64, if they may be something else than chance. `head` is how the words start.
fn base64<'a, I: Iterator<Item = &'a [u8]>>(head: &[u8; WORD], words: impl Fn() -> I) -> Option<Vec<u8>> {
    if !starts_as_text(head) {
        if count(head, b'0', 10) == 0 {
            return None;
        }
        let (mut all, mut lower, mut upper, mut digits) = (0, 0, 0, 0);
        for word in words() {
            all += word.len();
            lower += count(word, b'a', 26);
            upper += count(word, b'A', 26);
            digits += count(word, b'0', 10);
        }
        // Base64 of whatever has a sixth of digits, and as many large as small letters.
        if all < BINARY || lower < all / 8 || upper < all / 8 || digits < all / 32 {
            return None;
        }
    }
    Some(unpack(words()))
}

/// How many of the bytes are one of the `n` from `first` on.
fn count(bytes: &[u8], first: u8, n: u8) -> usize {
    bytes.iter().filter(|b| b.wrapping_sub(first) < n).count()
}

/// Whether base64 starts with text, or with UTF-16.
fn starts_as_text(head: &[u8; WORD]) -> bool {
    let mut bytes = [0; WORD / 4 * 3];
    for (quartet, out) in head.chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let bits = bits(quartet);
        if bits & 0x0080_8080 != 0 {
            return false;
        }
        out.copy_from_slice(&bits.to_be_bytes()[1..]);
    }
    bytes.iter().all(|b| is_text(*b)) || wide(&bytes)
}

/// Whether bytes look like the start of UTF-16.
fn wide(head: &[u8]) -> bool {
    head.len() >= 8 && (head.iter().step_by(2).all(|b| *b == 0) || head.iter().skip(1).step_by(2).all(|b| *b == 0))
}

/// Decodes base64 digits; what is left over at the end makes no byte.
fn unpack<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut carry: Vec<u8> = Vec::new();
    for mut word in words {
        out.reserve(word.len() / 4 * 3 + 3);
        if !carry.is_empty() {
            let (first, rest) = word.split_at(word.len().min(4 - carry.len()));
            carry.extend_from_slice(first);
            word = rest;
            if carry.len() < 4 {
                continue;
            }
            out.extend_from_slice(&bits(&carry).to_be_bytes()[1..]);
            carry.clear();
        }
        let quartets = word.chunks_exact(4);
        carry.extend_from_slice(quartets.remainder());
        for quartet in quartets {
            out.extend_from_slice(&bits(quartet).to_be_bytes()[1..]);
        }
    }
    match carry.len() {
        2 => out.push((bits(&carry) >> 4) as u8),
        3 => out.extend_from_slice(&[(bits(&carry) >> 10) as u8, (bits(&carry) >> 2) as u8]),
        _ => {}
    }
    out
}

/// The bits of up to four base64 digits.
#[inline(always)]
fn bits(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |bits, b| bits << 6 | u32::from(DIGITS[usize::from(*b)] & 63))
}

/// What of decoded bytes is worth a search: everything where nearly all is text (UTF-8, too), else
/// the long stretches.
fn printable(bytes: &[u8]) -> Vec<Range<usize>> {
    let text = bytes.iter().filter(|b| is_text(**b)).count();
    if text < LEAST {
        return Vec::new();
    }
    let controls = bytes.iter().filter(|b| **b < 0x80 && !is_text(**b)).count();
    if text * 10 >= bytes.len() * 9 || text * 10 >= bytes.len() * 7 && controls == 0 && has_utf8(bytes) {
        return std::iter::once(0..bytes.len()).collect();
    }
    let mut parts = Vec::new();
    let mut start = 0;
    for at in 0..=bytes.len() {
        if at == bytes.len() || !is_text(bytes[at]) {
            if at - start >= STRETCH {
                parts.push(start..at);
            }
            start = at + 1;
        }
    }
    parts
}

fn has_utf8(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // What follows an encoding may have spoilt the last few bytes.
        Err(e) => e.valid_up_to() + 4 >= bytes.len(),
    }
}

fn hex_digit(b: u8) -> Option<u8> {
    (b as char).to_digit(16).map(|d| d as u8)
}

// ---------------------------------------------------------------------------------------------------
// Escapes and joints
// ---------------------------------------------------------------------------------------------------

/// A few bytes that stand for another one, or for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// Where they stand.
    pub place: Range<usize>,
    /// What they stand for; a joint stands for nothing.
    byte: Option<u8>,
    /// Whether it is reason enough to look: `&lt;` is not.
    strong: bool,
}

/// Hands out clusters of edits. Returns the end of the last one, or where it stopped.
fn clusters<C: Classify>(
    classes: C,
    text: &[u8],
    range: &Range<usize>,
    done: usize,
    visit: &mut dyn FnMut(Run),
) -> usize {
    let far = (range.end + CLUSTER_MARGIN + SLASHES).min(text.len());
    // What starts behind a barrier does not look before it.
    let behind = barrier_from(classes, text, (range.end + LINE_END).min(far)..far).unwrap_or(far);
    if behind <= done {
        return done;
    }
    let start = cluster_start(classes, text, range.start, done);
    let mut triggers = Triggers::new(text, start);
    let Some(mut trigger) = triggers.next(classes, behind) else { return start.max(behind) };
    let (mut at, mut stop) = (start, behind);
    let mut cluster: Vec<Edit> = Vec::new();
    let mut flush = |cluster: &mut Vec<Edit>| {
        if cluster.iter().any(|e| e.strong) {
            visit(Run::cluster(text, std::mem::take(cluster)));
        }
        cluster.clear();
    };
    loop {
        if let Some(edit) = edit_at(text, trigger).filter(|_| trigger >= at) {
            if cluster.last().is_some_and(|last| !is_near(text, last.place.end, edit.place.start)) {
                flush(&mut cluster);
            }
            if cluster.is_empty() && trigger >= behind {
                // It starts behind everything that was asked for.
                return trigger;
            }
            // What follows may belong to the cluster, however far it goes.
            at = edit.place.end;
            stop = stop.max((at + CONTEXT + SLASHES + 1).min(text.len()));
            cluster.push(edit);
        }
        match triggers.next(classes, stop) {
            Some(next) => trigger = next,
            None => break,
        }
    }
    flush(&mut cluster);
    at.max(stop)
}

/// Whether two edits belong together: close, on one line.
fn is_near(text: &[u8], from: usize, to: usize) -> bool {
    to - from <= CONTEXT && memchr::memchr2(b'\n', 0, &text[from..to]).is_none()
}

/// Whether the line feed at this place is a barrier: no joint can cross it, so the edits of a cluster lie
/// on one side of it, and do not depend on what lies on the other. [`LINE_END`] bytes before it decide.
fn is_barrier(text: &[u8], at: usize) -> bool {
    let line = text[..at].strip_suffix(b"\r").unwrap_or(&text[..at]);
    match line {
        [.., b' ' | b'\t' | b'\n' | b'\x0c' | b'\r' | b'"' | b'\'' | b'`' | b'\\'] | [] => false,
        // An operator has white space or a literal before it.
        [.., before, b'+' | b'.' | b'&' | b'|'] => before.is_ascii_alphanumeric(),
        [b'+' | b'.' | b'&' | b'|'] => false,
        _ => true,
    }
}

/// The last barrier in a range.
fn barrier_before<C: Classify>(classes: C, text: &[u8], mut range: Range<usize>) -> Option<usize> {
    while let Some(found) = last_line_feed(classes, text, range.clone()) {
        if is_barrier(text, found) {
            return Some(found);
        }
        range.end = found;
    }
    None
}

/// The first barrier in a range.
fn barrier_from<C: Classify>(classes: C, text: &[u8], mut range: Range<usize>) -> Option<usize> {
    while let Some(found) = first_line_feed(classes, text, range.clone()) {
        if is_barrier(text, found) {
            return Some(found);
        }
        range.start = found + 1;
    }
    None
}

/// A place at or before which no cluster starts that reaches near `from`; not before `floor`.
fn cluster_start<C: Classify>(classes: C, text: &[u8], from: usize, floor: usize) -> usize {
    let far = from.saturating_sub(CLUSTER_MARGIN).max(floor);
    if let Some(barrier) = barrier_before(classes, text, far..from.max(far)) {
        return barrier + 1;
    }
    let mut at = far;
    loop {
        let first = at.saturating_sub(CONTEXT + EDIT + SLASHES + 1).max(floor);
        let mut triggers = Triggers::new(text, first);
        let earlier = std::iter::from_fn(|| triggers.next(classes, at)).find(|t| edit_at(text, *t).is_some());
        match earlier {
            Some(edit) if edit < at => at = edit,
            _ => return at,
        }
    }
}

/// Finds bytes that an edit may be found by: its first one, but for the backslashes before it.
struct Triggers<'a> {
    chunks: Chunks<'a>,
    /// Where the last chunk started, and a bit for each of its bytes that may be a trigger.
    chunk: usize,
    found: u64,
}

impl<'a> Triggers<'a> {
    fn new(text: &'a [u8], at: usize) -> Self {
        Triggers { chunks: Chunks::new(text, at), chunk: at, found: 0 }
    }

    /// The next one before `stop`.
    #[inline(always)]
    fn next<C: Classify>(&mut self, classes: C, stop: usize) -> Option<usize> {
        loop {
            if self.found != 0 {
                let at = self.chunk + self.found.trailing_zeros() as usize;
                if at >= stop {
                    return None;
                }
                self.found &= self.found - 1;
                return Some(at);
            }
            if self.chunks.at >= stop.min(self.chunks.text.len()) {
                return None;
            }
            self.chunk = self.chunks.at;
            self.found = self.chunks.next(|framed| classes.triggers(framed));
        }
    }
}

/// The edit that has its trigger at this place.
fn edit_at(text: &[u8], at: usize) -> Option<Edit> {
    let rest = &text[at..text.len().min(at + EDIT)];
    let edit = |start: usize, len: usize, byte: u32| {
        let byte = u8::try_from(byte).ok().filter(|b| is_text(*b))?;
        Some(Edit { place: start..at + len, byte: Some(byte), strong: true })
    };
    match rest[0] {
        b'%' => edit(at, 3, number(rest.get(1..3)?, 16)?),
        b'&' if rest.get(1) == Some(&b'#') => {
            let end = rest.iter().take(12).position(|b| *b == b';')?;
            match &rest[2..end] {
                [b'x' | b'X', digits @ ..] => edit(at, end + 1, number(digits, 16)?),
                digits => edit(at, end + 1, number(digits, 10)?),
            }
        }
        b'&' => {
            let end = rest.iter().take(8).position(|b| *b == b';')?;
            let (byte, strong) = match &rest[1..end] {
                b"quot" => (b'"', true),
                b"apos" => (b'\'', true),
                b"amp" => (b'&', rest.get(end + 1) == Some(&b'#')),
                _ => return None,
            };
            Some(Edit { place: at..at + end + 1, byte: Some(byte), strong })
        }
        b'\\' => {
            let start = at - slashes_before(text, at);
            match rest.get(1)? {
                b'x' => edit(start, 4, number(rest.get(2..4)?, 16)?),
                b'u' if rest.get(2) == Some(&b'{') => {
                    let end = rest.iter().take(10).position(|b| *b == b'}')?;
                    edit(start, end + 1, number(&rest[3..end], 16)?)
                }
                b'u' => edit(start, 6, number(rest.get(2..6)?, 16)?),
                b'U' => edit(start, 10, number(rest.get(2..10)?, 16)?),
                b'\n' | b'\r' => continued(text, at),
                _ => None,
            }
        }
        b'"' | b'\'' | b'`' => joint(text, at),
        _ => None,
    }
}

/// How many backslashes stand before this place; as many as nested escaping needs.
fn slashes_before(text: &[u8], at: usize) -> usize {
    text[at.saturating_sub(SLASHES)..at].iter().rev().take_while(|b| **b == b'\\').count()
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// The joint of two string literals: a quote, an operator or white space or both, a quote. On both sides
/// there is something that can be part of a value.
fn joint(text: &[u8], quote: usize) -> Option<Edit> {
    let rest = &text[quote + 1..text.len().min(quote + EDIT)];
    let prefix = |b: &&u8| matches!(b, b'b' | b'B' | b'r' | b'R' | b'u' | b'U' | b'f' | b'F' | b'L' | b'@' | b'$');
    // Mostly there is neither an operator nor another literal.
    let next = rest.iter().find(|b| !b.is_ascii_whitespace())?;
    if !matches!(next, b'+' | b'.' | b'&' | b'|' | b'\\' | b'"' | b'\'' | b'`') && !prefix(&next) {
        return None;
    }
    let at = quote - slashes_before(text, quote);
    let before = *text[..at].last()?;
    if !before.is_ascii_graphic()
        || matches!(before, b'"' | b'\'' | b'`' | b'(' | b'[' | b'{' | b',' | b'<' | b'>' | b'|' | b'\\')
    {
        return None;
    }
    let spaces = |from: usize| from + rest[from..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let start = spaces(0);
    let operator = match &rest[start..] {
        [b'.', b'.', ..] | [b'|', b'|', ..] | [b'+', b'+', ..] => 2,
        [b'+' | b'.' | b'&', ..] => 1,
        _ => 0,
    };
    let mut end = spaces(start + operator);
    // A line that is continued.
    if matches!(&rest[end..], [b'\\', b'\n', ..] | [b'\\', b'\r', b'\n', ..]) {
        end = spaces(end + 1);
    }
    if end == 0 {
        return None;
    }
    end += rest[end..].iter().take(2).take_while(prefix).count();
    end += rest[end..].iter().take(SLASHES).take_while(|b| **b == b'\\').count();
    if !matches!(rest.get(end)?, b'"' | b'\'' | b'`') {
        return None;
    }
    end += 1;
    let after = *rest.get(end)?;
    if after == b'\\' && matches!(rest.get(end + 1), None | Some(b'\n' | b'\r')) {
        return None;
    }
    let special =
        matches!(after, b'_' | b'-' | b'/' | b'=' | b'%' | b'\\' | b'$' | b'@' | b'!' | b':' | b'*' | b'~' | b'#');
    if !after.is_ascii_alphanumeric() && !special {
        return None;
    }
    let behind = &text[at.saturating_sub(LOOK_BEHIND)..at];
    let is_piece = |b: &&u8| DIGITS[usize::from(**b)] < 64 || matches!(b, b'.' | b'=' | b'%');
    // A line of text ends here, unless it is one of base64.
    if let Some(line) = behind.strip_suffix(b"\\n") {
        let line = line.strip_suffix(b"\\r").unwrap_or(line);
        if line.iter().rev().take_while(is_piece).count() < 16 {
            return None;
        }
    } else if operator == 0 {
        let ahead = rest[end..].iter().take(PIECES).take_while(is_piece).count();
        if behind.iter().rev().take_while(is_piece).count() + ahead < PIECES {
            return None;
        }
    }
    Some(Edit { place: at..quote + 1 + end, byte: None, strong: true })
}

/// A backslash that continues a line in the midst of a value: what may be part of it stands on both sides.
fn continued(text: &[u8], at: usize) -> Option<Edit> {
    let rest = &text[at + 1..text.len().min(at + EDIT)];
    let line = rest.strip_prefix(b"\r").unwrap_or(rest).strip_prefix(b"\n")?;
    let indent = line.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    let is_piece = |b: &&u8| DIGITS[usize::from(**b)] < 64 || matches!(b, b'.' | b'=' | b'%');
    let ahead = line[indent..].iter().take(PIECES).take_while(is_piece).count();
    let behind = text[at.saturating_sub(LOOK_BEHIND)..at].iter().rev().take_while(is_piece).count();
    if ahead == 0 || behind == 0 || ahead + behind < PIECES {
        return None;
    }
    let end = at + 1 + (rest.len() - line.len()) + indent;
    Some(Edit { place: at..end, byte: None, strong: true })
}

/// The surroundings of a cluster with its edits applied.
fn apply(text: &[u8], edits: &[Edit]) -> Decoded {
    let (first, last) = (edits[0].place.start, edits[edits.len() - 1].place.end);
    let from = first.saturating_sub(CONTEXT);
    let start = memchr::memrchr2(b'\n', 0, &text[from..first]).map_or(from, |at| from + at + 1);
    let to = (last + CONTEXT).min(text.len());
    let end = memchr::memchr2(b'\n', 0, &text[last..to]).map_or(to, |at| last + at);
    let mut bytes = Vec::new();
    let mut map = Vec::with_capacity(edits.len());
    let mut at = start;
    for edit in edits {
        bytes.extend_from_slice(&text[at..edit.place.start]);
        let decoded = bytes.len();
        bytes.extend(edit.byte);
        map.push((decoded..bytes.len(), edit.place.clone()));
        at = edit.place.end;
    }
    bytes.extend_from_slice(&text[at..end]);
    let parts = std::iter::once(0..bytes.len()).collect();
    Decoded { bytes, parts, map: Map::Edits { start, edits: map } }
}

// ---------------------------------------------------------------------------------------------------
// Wide text
// ---------------------------------------------------------------------------------------------------

/// Hands out the stretches in which text and NUL take turns, if they have enough text. Returns the end of the last
/// one, or where it stopped.
fn wide_text<C: Classify>(
    classes: C,
    text: &[u8],
    range: &Range<usize>,
    done: usize,
    visit: &mut dyn FnMut(Run),
) -> usize {
    // A stretch depends on the byte before it and on the one behind it.
    let last = (range.end + 1).min(text.len());
    if last < done {
        return done;
    }
    let stop = turns_end(text, last);
    if stop <= done {
        return done;
    }
    let mut at = turns_start(text, range.start.saturating_sub(1), done);
    while at < stop
        && let Some(zero) = memchr::memchr(0, &text[at..stop])
    {
        let Some(found) = next_turns(classes, text, (at + zero).saturating_sub(1).max(at), stop) else { break };
        let stretch = found..turns_end(text, found + 1);
        at = stretch.end;
        if stretch.len() >= 2 * STRETCH {
            visit(Run::wide(text, stretch));
        }
    }
    at.max(stop)
}

/// Whether one of two bytes is text and the other NUL.
#[inline(always)]
fn takes_turns(a: u8, b: u8) -> bool {
    ((a == 0) | (b == 0)) & is_text(a | b)
}

/// The next place from which text and NUL take turns for long enough.
fn next_turns<C: Classify>(classes: C, text: &[u8], from: usize, stop: usize) -> Option<usize> {
    // The members of two chunks: the one before `at` in the low bits.
    let (mut at, mut members) = (from, 0u128);
    while at < stop {
        let rest = &text[at..];
        let mut padded = [0xff; CHUNK];
        let chunk = rest.first_chunk().unwrap_or_else(|| {
            padded[..rest.len()].copy_from_slice(rest);
            &padded
        });
        // With the byte behind the chunk as one more bit.
        let behind = rest.get(CHUNK).copied().unwrap_or(0xff);
        let zeros = u128::from(classes.equal(chunk, 0)) | u128::from(behind == 0) << CHUNK;
        let texts = u128::from(classes.text(chunk)) | u128::from(is_text(behind)) << CHUNK;
        let turns = zeros & texts >> 1 | texts & zeros >> 1;
        members = members >> CHUNK | turns << CHUNK;
        at += CHUNK;
        let mut long = members & members >> 1;
        long &= long >> 2;
        long &= long >> 4;
        let long = long & long >> 8 & long >> 16;
        if long != 0 {
            return Some((at + long.trailing_zeros() as usize) - 2 * CHUNK);
        }
    }
    None
}

/// The end of the stretch that reaches to or over this place.
fn turns_end(text: &[u8], from: usize) -> usize {
    let Some(before) = from.checked_sub(1) else { return from };
    let pairs = text[before.min(text.len())..].windows(2);
    from + pairs.take_while(|pair| takes_turns(pair[0], pair[1])).count()
}

/// The start of the stretch that reaches to or over this place; not before `floor`.
fn turns_start(text: &[u8], from: usize, floor: usize) -> usize {
    let from = from.max(floor);
    let end = text.len().min(from + 1);
    from - text[floor.min(end)..end].windows(2).rev().take_while(|pair| takes_turns(pair[0], pair[1])).count()
}

/// Wide text without what makes it wide.
fn narrow(text: &[u8], range: &Range<usize>) -> Decoded {
    let first = range.start + usize::from(text[range.start] == 0);
    let bytes: Vec<u8> = text[first..range.end].iter().step_by(2).copied().collect();
    let parts = std::iter::once(0..bytes.len()).collect();
    Decoded { bytes, parts, map: Map::Wide(first) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &[u8], range: Range<usize>) -> Vec<(Range<usize>, Range<usize>)> {
        let mut found = Vec::new();
        runs(text, range, Done::default(), &mut |run| found.push((run.needs.clone(), run.place())));
        found.sort_by_key(|(needs, place)| (needs.start, place.start, place.end));
        found
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            "[A-Za-z0-9+/_-]{1,60}",
            "[ \t\n\r]{1,4}",
            "\n {0,60}",
            "[=\\\\nr\"'`+.&|; ]{1,6}",
            "\"[ \n]{0,3}[+.&|]{0,2}[ \n]{0,3}[bf]?\"",
            "%[0-9a-f]{2}",
            "[\\\\]{1,10}(u00[4-7][0-9]|x4[0-9]|\"|n|r)",
            "&(#[0-9]{2};|#x[4-7][0-9];|quot;|amp;)",
            "[a-z ,()]{1,50}",
            "[A-Za-z0-9]{16,24}\n {0,2}[A-Za-z0-9]{16,24}",
            "[A-Z]{6,16}\\\\\r?\n {0,4}[A-Z]{6,16}",
            "\\x00?([a-z\n]\\x00){1,40}",
            "\\x00{1,3}",
            "[a-z;]{250,270}",
            "[;,)}]\r?\n",
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(
            std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000)
        ))]

        #[test]
        fn a_part_of_a_content_has_the_runs_of_the_whole(text in text(), a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(), c in any::<prop::sample::Index>()) {
            let mut cuts = [a.index(text.len() + 1), b.index(text.len() + 1), c.index(text.len() + 1)];
            cuts.sort_unstable();
            let [a, b, c] = cuts;
            // As the detector asks: runs that depend on something from `a` to `b`, then from `c` on.
            let touches = |needs: &Range<usize>, from: usize, to: usize| needs.start < to + 1 && needs.end > from + 1;
            let expected: Vec<_> = all(&text, 0..text.len())
                .into_iter()
                .filter(|(needs, _)| touches(needs, a, b) || touches(needs, c, c))
                .collect();
            let mut found = Vec::new();
            let done = runs(&text, a..b, Done::default(), &mut |run| found.push((run.needs.clone(), run.place())));
            runs(&text, c..c, done, &mut |run| found.push((run.needs.clone(), run.place())));
            found.retain(|(needs, _)| touches(needs, a, b) || touches(needs, c, c));
            found.sort_by_key(|(needs, place)| (needs.start, place.start, place.end));
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn a_run_depends_on_its_needs_alone(text in text(), before in text(), after in text()) {
            for (needs, place) in all(&text, 0..text.len()) {
                // The ends of the content are needed, too.
                let first = needs.start == 0;
                let last = needs.end == text.len() + 2;
                let from = if first { 0 } else { needs.start - 1 };
                let to = if last { text.len() } else { needs.end - 1 };
                let mut other = if first { Vec::new() } else { before.clone() };
                let shift = other.len();
                other.extend_from_slice(&text[from..to]);
                if !last {
                    other.extend_from_slice(&after);
                }
                let moved = |at: usize| at - from + shift;
                let expected = moved(place.start)..moved(place.end);
                let found = all(&other, 0..other.len());
                prop_assert!(found.iter().any(|(_, place)| *place == expected), "{:?} is not in {:?}", expected, found);
                let decoded = |text: &[u8], wanted: &Range<usize>| {
                    let mut out = Vec::new();
                    runs(text, 0..text.len(), Done::default(), &mut |run| {
                        if run.place() == *wanted {
                            decode(text, &run, &mut |d| out.push((d.bytes, d.parts)));
                        }
                    });
                    out
                };
                prop_assert_eq!(decoded(&text, &place), decoded(&other, &expected));
            }
        }
    }
}
