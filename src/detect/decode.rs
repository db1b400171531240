//! Hidden values: where a content has encoded text, and what it says when decoded.
//!
//! Two families of encodings, found in two ways:
//!
//! - **Blocks**: base64 and hex, on one line or wrapped at any column. A *unit* is a maximal stretch of
//!   the alphabet, across line ends; one that has a long enough word is decoded as a whole, and a secret
//!   in it has the place of the whole encoding.
//! - **Edits**: `%5F`, `\u005f`, `\x5f`, `&#95;`, and the joint of two string literals (`" + "`). Edits
//!   that stand close together are a *cluster*; its surroundings are searched with all of them applied,
//!   and a secret that one of them touches has the tight place of its encoded form.
//!
//! **Contract: locality.** Whether and where a run (a unit or a cluster) stands, and what it decodes to,
//! depends on the bytes in its [`Run::needs`] alone, so a content made from another one inherits what
//! the runs hold whose needs were copied as a whole. **Contract: bounded.** Nothing decodes to more bytes
//! than it is made of, runs of a family are disjoint but for their surroundings of at most
//! [`CONTEXT`] bytes on either side, and decoding ends at [`DEPTH`]: the work is linear in the content.

use std::ops::Range;

use super::text;

/// How many encodings may be wrapped in one another.
pub const DEPTH: usize = 4;
/// The longest unit or cluster that is decoded, in bytes; longer ones are reported as not covered.
pub const RUN_LIMIT: usize = 64 << 20;
/// The shortest word that makes a unit worth a look: 18 bytes in base64.
const WORD: usize = 24;
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
/// How far a unit looks beyond its ends: white space, and the byte behind it; or padding.
const UNIT_MARGIN: usize = INDENT + 2;
/// How much is seen of the line around a cluster, and how far apart its edits may stand.
const CONTEXT: usize = 256;
/// The longest edit, in bytes.
const EDIT: usize = 96;
/// How far a cluster looks beyond its first and last edit.
const CLUSTER_MARGIN: usize = CONTEXT + EDIT + LOOK_BEHIND + 2;
/// How far before a joint its literal is looked at.
const LOOK_BEHIND: usize = 24;
/// The least that the two pieces around a joint without an operator have together.
const PIECES: usize = 12;
/// How many bytes are classified together.
const CHUNK: usize = 64;

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
}

impl Run {
    fn new(text: &[u8], range: Range<usize>, margin: usize, form: Form) -> Run {
        let needs = (range.start + 1).saturating_sub(margin)..(range.end + 1 + margin).min(text.len() + 2);
        Run { needs, form }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Range<usize> {
        match &self.form {
            Form::Unit(range) => range.clone(),
            Form::Cluster(edits) => edits[0].place.start..edits[edits.len() - 1].place.end,
        }
    }
}

/// Hands out every run whose needs are not wholly before `range` or wholly behind it (some others, too),
/// by families, ascending within one. Nothing that starts before the given places is looked for: these
/// must be ends of runs, or 0. Returns where each family has got to.
pub(super) fn runs(text: &[u8], range: Range<usize>, done: Done, visit: &mut dyn FnMut(Run)) -> Done {
    Done { units: units(text, &range, done.units, visit), clusters: clusters(text, &range, done.clusters, visit) }
}

/// How far the runs of a content have been handed out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    units: usize,
    clusters: usize,
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
        matches!(self.map, Map::Edits { .. })
    }
}

/// From places in decoded bytes to places in the bytes that they were made of.
#[derive(Debug)]
pub(super) enum Map {
    /// All of it comes from here.
    Whole(Range<usize>),
    /// Each byte stands for itself, but for edits: places of these in the decoded bytes and in the text.
    Edits { start: usize, edits: Vec<(Range<usize>, Range<usize>)> },
}

impl Map {
    /// Where decoded bytes come from.
    pub(super) fn place(&self, decoded: &Range<usize>) -> Range<usize> {
        match self {
            Map::Whole(range) => range.clone(),
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
            Map::Whole(_) => true,
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
    }
}

// ---------------------------------------------------------------------------------------------------
// Base64 and hex
// ---------------------------------------------------------------------------------------------------

/// Whether a byte is in one of the alphabets of base64.
#[inline(always)]
const fn is_alphabet(b: u8) -> bool {
    // `-`, `.`, `/` and the digits are neighbours.
    ((b | 0x20).wrapping_sub(b'a') < 26) | ((b.wrapping_sub(b'-') < 13) & (b != b'.')) | (b == b'+') | (b == b'_')
}

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

/// Hands out the units that have a long enough word. Returns the end of the last one, or where it stopped.
fn units(text: &[u8], range: &Range<usize>, done: usize, visit: &mut dyn FnMut(Run)) -> usize {
    let mut at = unit_start(text, range.start.saturating_sub(UNIT_MARGIN), done);
    let stop = unit_end(text, (range.end + UNIT_MARGIN).min(text.len()));
    while let Some(word) = next_word(text, at, stop) {
        let unit = unit_start(text, word.start, at)..unit_end(text, word.end);
        at = unit.end;
        visit(Run::new(text, unit.clone(), UNIT_MARGIN, Form::Unit(unit)));
    }
    at.max(stop)
}

/// The next maximal stretch of the alphabet that is long enough.
fn next_word(text: &[u8], from: usize, stop: usize) -> Option<Range<usize>> {
    let (mut at, mut carry) = (from, 0u8);
    while at + CHUNK <= stop {
        let chunk: &[u8; CHUNK] = text[at..at + CHUNK].try_into().expect("a chunk");
        let full = full_blocks(chunk);
        // A word that is long enough has two neighbouring blocks, however the blocks fall.
        let pairs = full & (full << 1 | carry);
        if pairs == 0 {
            carry = full >> 7;
            at += CHUNK;
            continue;
        }
        let inside = at + 8 * pairs.trailing_zeros() as usize;
        let start = text[from..inside].iter().rposition(|b| !is_alphabet(*b)).map_or(from, |last| from + last + 1);
        let end = word_end(text, inside);
        if end - start >= WORD {
            return Some(start..end);
        }
        (at, carry) = (end, 0);
    }
    at = text[from..at].iter().rposition(|b| !is_alphabet(*b)).map_or(from, |last| from + last + 1);
    while at < stop {
        let end = word_end(text, at);
        if end - at >= WORD {
            return Some(at..end);
        }
        at = end + 1;
    }
    None
}

/// For each of eight blocks of eight bytes, a bit: whether all of them are in the alphabet.
#[inline(always)]
fn full_blocks(chunk: &[u8; CHUNK]) -> u8 {
    let mut members = [0u8; CHUNK];
    for (member, byte) in members.iter_mut().zip(chunk) {
        *member = u8::from(is_alphabet(*byte));
    }
    let mut full = 0;
    for (at, block) in members.chunks_exact(8).enumerate() {
        let block = u64::from_le_bytes(block.try_into().expect("eight bytes"));
        full |= u8::from(block == 0x0101_0101_0101_0101) << at;
    }
    full
}

fn word_end(text: &[u8], from: usize) -> usize {
    text[from..].iter().position(|b| !is_alphabet(*b)).map_or(text.len(), |at| from + at)
}

/// Where the bridge from one word of a unit to the next ends that starts here: a line end with indentation,
/// also an escaped one (whose letter counts as the start of the next word).
fn bridge(text: &[u8], at: usize) -> Option<usize> {
    if at == 0 || !is_alphabet(text[at - 1]) {
        return None;
    }
    match text.get(at)? {
        b'\\' => matches!(text.get(at + 1), Some(b'n' | b'r')).then_some(at + 1),
        b'\n' | b'\r' => {
            let first = if text[at..].starts_with(b"\r\n") { at + 2 } else { at + 1 };
            let rest = &text[first..(at + INDENT + 1).min(text.len())];
            let indent = rest.iter().position(|b| !matches!(b, b' ' | b'\t'))?;
            (text[first - 1] == b'\n' && is_alphabet(rest[indent])).then_some(first + indent)
        }
        _ => None,
    }
}

/// Where the white space starts that ends here, as far as a bridge can reach.
fn space_start(text: &[u8], at: usize, floor: usize) -> usize {
    let first = at.saturating_sub(INDENT + 1).max(floor);
    let space = |b: &u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r');
    text[first..at].iter().rposition(|b| !space(b)).map_or(at, |last| first + last + 1)
}

/// The end of the unit that reaches to or over this place.
fn unit_end(text: &[u8], from: usize) -> usize {
    // In the midst of a bridge.
    let start = space_start(text, from, 0);
    let mut at = match bridge(text, start) {
        Some(next) if start < from && next > from => next,
        _ => from,
    };
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
        at = text[floor..at].iter().rposition(|b| !is_alphabet(*b)).map_or(floor, |last| floor + last + 1);
        if at == floor {
            return at;
        }
        let start = if text[at - 1] == b'\\' { at - 1 } else { space_start(text, at, floor) };
        // `at` itself may be in the midst of a bridge.
        if start <= floor || start == at || bridge(text, start).is_none_or(|next| next < at) {
            return at;
        }
        at = start;
    }
}

/// Decodes what a unit holds.
fn unit(text: &[u8], range: &Range<usize>, emit: &mut dyn FnMut(Decoded)) {
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
    let (first, last) = (words[0].start, words[words.len() - 1].end);
    let letters = || words.iter().flat_map(|w| &text[w.clone()]).copied();
    let bytes = if letters().take(WORD).all(|b| b.is_ascii_hexdigit()) && letters().all(|b| b.is_ascii_hexdigit()) {
        hex(letters, words.iter().map(Range::len).sum())
    } else if text[first..].starts_with(b"0x") || text[first..].starts_with(b"0X") {
        let mut words = words.to_vec();
        words[0].start += 2;
        if words[0].len() < HEX || !text[words[0].clone()].iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        return encoding(text, &words, emit);
    } else {
        base64(letters)
    };
    let Some(bytes) = bytes else { return false };
    let padding = text[last..].iter().take(2).take_while(|b| **b == b'=').count();
    let place = first..last + padding;
    let bytes = match text::text(&bytes) {
        std::borrow::Cow::Owned(transcoded) => transcoded,
        std::borrow::Cow::Borrowed(_) => bytes,
    };
    let parts = printable(&bytes);
    if parts.is_empty() {
        return false;
    }
    emit(Decoded { bytes, parts, map: Map::Whole(place) });
    true
}

/// The bytes of hex, if they may be text.
fn hex<I: Iterator<Item = u8>>(letters: impl Fn() -> I, len: usize) -> Option<Vec<u8>> {
    if len < HEX || !len.is_multiple_of(2) {
        return None;
    }
    // Hashes are not text.
    let strict = matches!(len, 32 | 40 | 56 | 64 | 96 | 128);
    let mut bytes = Vec::new();
    let mut letters = letters();
    while let (Some(high), Some(low)) = (letters.next(), letters.next()) {
        let byte = (hex_digit(high)? << 4) | hex_digit(low)?;
        if strict && !is_text(byte) {
            return None;
        }
        bytes.push(byte);
    }
    Some(bytes)
}

/// The bytes of base64, if they may be something else than chance.
fn base64<I: Iterator<Item = u8>>(letters: impl Fn() -> I) -> Option<Vec<u8>> {
    let starts_as_text = {
        let mut head = Vec::with_capacity(WORD);
        unpack(letters().take(WORD), &mut head);
        head.iter().all(|b| is_text(*b)) || wide(&head)
    };
    if !starts_as_text {
        let (mut lower, mut upper, mut digits, mut all) = (0, 0, 0, 0);
        for b in letters().take(4 * BINARY) {
            lower += usize::from(b.is_ascii_lowercase());
            upper += usize::from(b.is_ascii_uppercase());
            digits += usize::from(b.is_ascii_digit());
            all += 1;
        }
        if all < BINARY || lower < 4 || upper < 4 || digits < 2 {
            return None;
        }
    }
    let mut bytes = Vec::new();
    unpack(letters(), &mut bytes);
    Some(bytes)
}

/// Whether bytes look like the start of UTF-16.
fn wide(head: &[u8]) -> bool {
    head.len() >= 8 && (head.iter().step_by(2).all(|b| *b == 0) || head.iter().skip(1).step_by(2).all(|b| *b == 0))
}

/// Decodes base64 digits; what is left over at the end makes no byte.
fn unpack(letters: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let (mut bits, mut have) = (0u32, 0);
    for letter in letters {
        bits = bits << 6 | u32::from(DIGITS[usize::from(letter)] & 63);
        have += 1;
        if have == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, have) = (0, 0);
        }
    }
    match have {
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
        _ => {}
    }
}

/// A printable byte, or white space.
#[inline(always)]
fn is_text(b: u8) -> bool {
    matches!(b, b' '..=b'~' | b'\t' | b'\n' | b'\r')
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
fn clusters(text: &[u8], range: &Range<usize>, done: usize, visit: &mut dyn FnMut(Run)) -> usize {
    let mut at = cluster_start(text, range.start, done);
    let mut stop = (range.end + CLUSTER_MARGIN).min(text.len());
    let mut cluster: Vec<Edit> = Vec::new();
    let mut flush = |cluster: &mut Vec<Edit>| {
        if cluster.iter().any(|e| e.strong) {
            let place = cluster[0].place.start..cluster[cluster.len() - 1].place.end;
            visit(Run::new(text, place, CLUSTER_MARGIN, Form::Cluster(std::mem::take(cluster))));
        }
        cluster.clear();
    };
    let mut triggers = Triggers::new(text, at);
    while let Some(next) = triggers.next(stop) {
        if next < at {
            continue;
        }
        let Some(edit) = edit_at(text, next) else { continue };
        at = edit.place.end;
        if let Some(last) = cluster.last()
            && !is_near(text, last.place.end, edit.place.start)
        {
            flush(&mut cluster);
        }
        if cluster.is_empty() && next >= range.end + CLUSTER_MARGIN {
            // It starts behind everything that was asked for.
            return next;
        }
        // What follows may belong to the cluster, however far it goes.
        stop = stop.max((at + CONTEXT + 1).min(text.len()));
        cluster.push(edit);
    }
    flush(&mut cluster);
    at.max(stop)
}

/// Whether two edits belong together: close, on one line.
fn is_near(text: &[u8], from: usize, to: usize) -> bool {
    to - from <= CONTEXT && memchr::memchr2(b'\n', 0, &text[from..to]).is_none()
}

/// A place at or before which no cluster starts that reaches near `from`; not before `floor`.
fn cluster_start(text: &[u8], from: usize, floor: usize) -> usize {
    let mut at = from.saturating_sub(CLUSTER_MARGIN).max(floor);
    loop {
        let first = at.saturating_sub(CONTEXT + EDIT + 1).max(floor);
        let mut triggers = Triggers::new(text, first);
        let earlier = std::iter::from_fn(|| triggers.next(at)).find(|t| edit_at(text, *t).is_some());
        match earlier {
            Some(edit) if edit < at => at = edit,
            _ => return at,
        }
    }
}

/// Finds bytes that may start an edit.
struct Triggers<'a> {
    text: &'a [u8],
    escape: Option<usize>,
    quote: Option<usize>,
}

impl<'a> Triggers<'a> {
    fn new(text: &'a [u8], at: usize) -> Self {
        Triggers { text, escape: next_escape(text, at), quote: next_quote(text, at) }
    }

    /// The next one before `stop`.
    fn next(&mut self, stop: usize) -> Option<usize> {
        let (escape, quote) = (self.escape.unwrap_or(usize::MAX), self.quote.unwrap_or(usize::MAX));
        let at = escape.min(quote);
        if at >= stop {
            return None;
        }
        if escape < quote {
            self.escape = next_escape(self.text, at + 1);
        } else {
            self.quote = next_quote(self.text, at + 1);
        }
        Some(at)
    }
}

fn next_escape(text: &[u8], at: usize) -> Option<usize> {
    memchr::memchr3(b'%', b'\\', b'&', &text[at..]).map(|found| at + found)
}

fn next_quote(text: &[u8], at: usize) -> Option<usize> {
    memchr::memchr3(b'"', b'\'', b'`', &text[at..]).map(|found| at + found)
}

/// The edit that starts at this place.
fn edit_at(text: &[u8], at: usize) -> Option<Edit> {
    let rest = &text[at..text.len().min(at + EDIT)];
    let edit = |len: usize, byte: u32| {
        let byte = u8::try_from(byte).ok().filter(|b| is_text(*b))?;
        Some(Edit { place: at..at + len, byte: Some(byte), strong: true })
    };
    match rest[0] {
        b'%' => edit(3, number(rest.get(1..3)?, 16)?),
        b'&' if rest.get(1) == Some(&b'#') => {
            let end = rest.iter().take(12).position(|b| *b == b';')?;
            match &rest[2..end] {
                [b'x' | b'X', digits @ ..] => edit(end + 1, number(digits, 16)?),
                digits => edit(end + 1, number(digits, 10)?),
            }
        }
        b'&' => {
            let end = rest.iter().take(8).position(|b| *b == b';')?;
            let (byte, strong) = match &rest[1..end] {
                b"quot" => (b'"', true),
                b"apos" => (b'\'', true),
                b"amp" => (b'&', false),
                b"lt" => (b'<', false),
                b"gt" => (b'>', false),
                _ => return None,
            };
            Some(Edit { place: at..at + end + 1, byte: Some(byte), strong })
        }
        b'\\' if at == 0 || text[at - 1] != b'\\' => {
            let slashes = rest.iter().take(8).take_while(|b| **b == b'\\').count();
            let code = &rest[slashes..];
            match code.first()? {
                b'x' => edit(slashes + 3, number(code.get(1..3)?, 16)?),
                b'u' if code.get(1) == Some(&b'{') => {
                    let end = code.iter().take(9).position(|b| *b == b'}')?;
                    edit(slashes + end + 1, number(&code[2..end], 16)?)
                }
                b'u' => edit(slashes + 5, number(code.get(1..5)?, 16)?),
                b'U' => edit(slashes + 9, number(code.get(1..9)?, 16)?),
                b'"' | b'\'' => joint(text, at, slashes),
                _ => None,
            }
        }
        b'"' | b'\'' | b'`' => joint(text, at, 0),
        _ => None,
    }
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_alphanumeric) {
        return None;
    }
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// The joint of two string literals: a quote, an operator or white space or both, a quote. On both sides
/// there is something that can be part of a value.
fn joint(text: &[u8], at: usize, slashes: usize) -> Option<Edit> {
    let before = *text[..at].last()?;
    if !before.is_ascii_graphic()
        || matches!(before, b'"' | b'\'' | b'`' | b'(' | b'[' | b'{' | b',' | b'<' | b'>' | b'|')
    {
        return None;
    }
    let rest = &text[at + slashes + 1..text.len().min(at + EDIT)];
    if !matches!(rest.first()?, b' ' | b'\t' | b'\n' | b'\r' | b'+' | b'.' | b'&' | b'|' | b'\\' | b'<') {
        return None;
    }
    let spaces = |from: usize| rest[from..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let mut end = spaces(0);
    let operator =
        rest[end..].iter().take(3).take_while(|b| matches!(b, b'+' | b'.' | b'&' | b'|' | b'<' | b'>')).count();
    let operator = &rest[end..end + operator];
    if !matches!(operator, b"" | b"+" | b"." | b"&" | b".." | b"||" | b"++" | b"<>") {
        return None;
    }
    end += operator.len();
    end += spaces(end);
    // A line that is continued.
    if rest[end..].starts_with(b"\\\n") || rest[end..].starts_with(b"\\\r\n") {
        end += 1;
        end += spaces(end);
    }
    if end == 0 {
        return None;
    }
    end += rest[end..]
        .iter()
        .take(2)
        .take_while(|b| matches!(b, b'b' | b'B' | b'r' | b'R' | b'u' | b'U' | b'f' | b'F' | b'L' | b'@' | b'$'))
        .count();
    end += rest[end..].iter().take(8).take_while(|b| **b == b'\\').count();
    if !matches!(rest.get(end)?, b'"' | b'\'' | b'`') {
        return None;
    }
    end += 1;
    let after = *rest.get(end)?;
    if after == b'\\' && matches!(rest.get(end + 1), None | Some(b'\n' | b'\r')) {
        return None;
    }
    if !after.is_ascii_alphanumeric()
        && !matches!(after, b'_' | b'-' | b'/' | b'=' | b'%' | b'\\' | b'$' | b'@' | b'!' | b':' | b'*' | b'~' | b'#')
    {
        return None;
    }
    let behind = &text[at.saturating_sub(LOOK_BEHIND)..at];
    let piece =
        |text: &[u8]| text.iter().rev().take_while(|b| is_alphabet(**b) || matches!(b, b'.' | b'=' | b'%')).count();
    // A line of text ends here, unless it is one of base64.
    if let Some(line) = behind.strip_suffix(b"\\n") {
        let line = line.strip_suffix(b"\\r").unwrap_or(line);
        if line.iter().rev().take_while(|b| is_alphabet(**b)).count() < 16 {
            return None;
        }
    } else if operator.is_empty() {
        let ahead =
            rest[end..].iter().take(PIECES).take_while(|b| is_alphabet(**b) || matches!(b, b'.' | b'=' | b'%')).count();
        if piece(behind) + ahead < PIECES {
            return None;
        }
    }
    Some(Edit { place: at..at + slashes + 1 + end, byte: None, strong: true })
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
