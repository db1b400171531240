//! Candidates: a name, an operator and a value, in whatever syntax the text has.
//!
//! The search starts at a keyword inside the name and looks to the right. It knows no language; it
//! knows how names, operators and values look in all of them. The common hit (a keyword in running
//! code) is given up after a few bytes.

use std::ops::Range;

/// A name and the value that stands to it, found around a keyword hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The name, an identifier that holds the hit; for URLs the user, for headers the scheme.
    pub name: Range<usize>,
    /// The value without its quotes.
    pub value: Range<usize>,
    /// How name and value are joined.
    pub syntax: Syntax,
    /// What stands around the value.
    pub quote: Quote,
    /// What else stands between operator and value.
    pub wrapper: Wrapper,
    /// Whether the value stands on the line after the name.
    pub next_line: bool,
}

/// How a name and its value are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `name = value`, `name := value`, `name ?= value`.
    Assign,
    /// `name: value`.
    Colon,
    /// `name => value`, `name <- value`.
    Arrow,
    /// `name == value`, `name != value`.
    Compare,
    /// `"name", "value"`.
    Comma,
    /// `name("value")`.
    Call,
    /// `--name value`.
    Flag,
    /// `<name>value</name>`.
    Element,
    /// `name: NAME` beside `value: VALUE`.
    Sibling,
    /// `PASSWORD 'value'`: only space between.
    Word,
    /// `Bearer value`.
    Bearer,
    /// `Basic value`.
    Basic,
    /// `scheme://user:value@host`.
    Url,
    /// `curl -u user:value`.
    Curl,
}

/// What stands around a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// Nothing.
    None,
    /// `'`.
    Single,
    /// `"`.
    Double,
    /// A backtick.
    Backtick,
    /// `\"` or `&quot;`: a string in a string.
    Escaped,
}

/// What else stands between operator and value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapper {
    /// Nothing.
    None,
    /// A call or constructor: `Some("x")`, `new Secret("x")`.
    Call,
    /// A list or map opens: `["x"`.
    List,
    /// The value is what holds when a variable is not set: `getenv("X", "x")`, `${X:-x}`.
    Default,
}

/// Longest name looked at.
const LONGEST_NAME: usize = 80;
/// Shortest and longest value.
const SHORTEST: usize = 3;
const LONGEST: usize = 900;

/// Finds the candidates of the keyword hit at `hit` and appends them to `out`.
///
/// The hit's text selects what is looked for: `://` a URL with a password, `bearer` and `basic` an
/// authorization header, `curl` its `-u`; every other keyword is a part of a name.
pub fn candidates(window: &[u8], hit: Range<usize>, out: &mut Vec<Candidate>) {
    let Some(keyword) = window.get(hit.clone()) else { return };
    match keyword {
        [] => {}
        b"://" => url(window, hit, out),
        [b'b' | b'B', ..] if keyword.eq_ignore_ascii_case(b"bearer") || keyword.eq_ignore_ascii_case(b"basic") => {
            if !scheme(window, hit.clone(), out) {
                named(window, hit, out);
            }
        }
        [b'c' | b'C', ..] if keyword.eq_ignore_ascii_case(b"curl") => curl(window, hit, out),
        _ => named(window, hit, out),
    }
}

fn at(window: &[u8], i: usize) -> u8 {
    window.get(i).copied().unwrap_or(b'\n')
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

fn is_blank(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

fn is_eol(b: u8) -> bool {
    b == b'\n' || b == b'\r'
}

fn blanks(window: &[u8], mut i: usize) -> usize {
    while i < window.len() && is_blank(window[i]) {
        i += 1;
    }
    i
}

/// Where the identifier ends that goes on at `i`; `None` if it is too long for one.
fn name_end(window: &[u8], start: usize) -> Option<usize> {
    let mut i = start;
    loop {
        let b = at(window, i);
        let joined = matches!(b, b'-' | b'.') && is_name(at(window, i + 1)) && i > start.saturating_sub(1);
        if !is_name(b) && !joined {
            return Some(i);
        }
        i += 1;
        if i - start > LONGEST_NAME {
            return None;
        }
    }
}

fn name_start(window: &[u8], end: usize) -> Option<usize> {
    let mut i = end;
    while i > 0 && (is_name(window[i - 1]) || matches!(window[i - 1], b'-' | b'.')) {
        i -= 1;
        if end - i > LONGEST_NAME {
            return None;
        }
    }
    while i < end && !is_name(window[i]) {
        i += 1;
    }
    // `\u0026page_token`: the name starts after the escape.
    if i > 0 && escaped_delimiter(&window[i - 1..]) && end - i > 5 {
        i += 5;
    }
    Some(i)
}

/// Whether a text starts with a character that ends a value in a URL or a page, as JSON escapes it:
/// `&`, `<`, `>`, `"`, `'`.
fn escaped_delimiter(text: &[u8]) -> bool {
    let [b'\\', b'u', b'0', b'0', high, low, ..] = text else { return false };
    matches!((high, low | 32), (b'2', b'2' | b'6' | b'7') | (b'3', b'c' | b'e'))
}

fn line_start(window: &[u8], i: usize) -> usize {
    window[..i].iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1)
}

/// The first byte after what closes the name: quotes, brackets, `\"`, `&quot;`, emphasis.
fn close(window: &[u8], mut i: usize) -> usize {
    for _ in 0..6 {
        match at(window, i) {
            b'"' | b'\'' | b'`' | b']' | b'}' | b'?' => i += 1,
            b'*' if at(window, i + 1) == b'*' => i += 2,
            b'\\' if matches!(at(window, i + 1), b'"' | b'\'' | b'\\') => i += 1,
            b'&' if window[i..].starts_with(b"&quot;") => i += 6,
            _ => break,
        }
    }
    i
}

fn named(window: &[u8], hit: Range<usize>, out: &mut Vec<Candidate>) {
    let Some(end) = name_end(window, hit.end) else { return };
    // The common case first: no operator can follow.
    let closed = match at(window, end) {
        b'=' | b':' | b' ' | b'\t' | b'(' | b'>' | b'<' | b'[' | b'|' | b'\r' | b'\n' => end,
        b'"' | b'\'' | b'`' | b']' | b'}' | b'?' | b'*' | b'\\' | b'&' => close(window, end),
        b'!' if at(window, end + 1) == b'=' => end,
        b'%' if window[end..].starts_with(b"%3D") => end,
        b',' | b')' => return column(window, hit, end, out),
        _ => return,
    };
    let mut i = blanks(window, closed);
    if closed > end && matches!(at(window, i), b',' | b')') && is_column(window, hit.start) {
        return column(window, hit, end, out);
    }
    if at(window, i) == b'[' && i == closed {
        // `password[] = `, `key[32] = `
        let Some(n) = window[i..window.len().min(i + 24)].iter().position(|b| *b == b']') else { return };
        i = blanks(window, i + n + 1);
        if at(window, i) != b'=' {
            return;
        }
    }
    let quoted = closed > end;
    let b = at(window, i);
    let next = at(window, i + 1);
    let (syntax, from) = match b {
        b'=' => match next {
            b'=' => (Syntax::Compare, i + if at(window, i + 2) == b'=' { 3 } else { 2 }),
            b'>' => (Syntax::Arrow, i + 2),
            b'~' => return,
            _ => (Syntax::Assign, i + 1),
        },
        b':' => match next {
            b'=' => (Syntax::Assign, i + 2),
            b':' => return,
            _ => (Syntax::Colon, i + 1),
        },
        b'!' if next == b'=' => (Syntax::Compare, i + if at(window, i + 2) == b'=' { 3 } else { 2 }),
        b'|' if next == b'|' && at(window, i + 2) == b'=' => (Syntax::Assign, i + 3),
        b'?' | b'+' | b'.' if next == b'=' => (Syntax::Assign, i + 2),
        b'%' if window[i..].starts_with(b"%3D") => (Syntax::Assign, i + 3),
        b'<' if next == b'-' => (Syntax::Arrow, i + 2),
        b'<' if next == b'/' => {
            plist(window, hit.end, end, i, out);
            return;
        }
        b',' if quoted => (Syntax::Comma, i + 1),
        b'(' if i == end => (Syntax::Call, i + 1),
        b'>' => (Syntax::Element, i + 1),
        b'"' | b'\'' | b'`' if !quoted && i > end => (Syntax::Word, i),
        b'\r' | b'\n' => (Syntax::Sibling, i),
        _ if i > closed && is_name(b) && !quoted => (Syntax::Word, i),
        _ if i > closed && quoted && (is_name(b)) => (Syntax::Sibling, i),
        _ if i > closed
            && !quoted
            && (b.is_ascii_punctuation() && !matches!(b, b'-' | b')' | b'}' | b']' | b';' | b'*')) =>
        {
            (Syntax::Word, i)
        }
        _ => return,
    };
    let Some(start) = name_start(window, hit.start) else { return };
    let mut finder = Finder { window, name: start..end, quoted, syntax, out };
    match syntax {
        Syntax::Comma => finder.comma(from),
        Syntax::Call => finder.call(from),
        Syntax::Element => finder.element(from),
        Syntax::Sibling => finder.sibling(from),
        Syntax::Word => finder.word(from),
        _ => finder.operator(from),
    }
}

/// Longest list of columns looked at.
const LONGEST_LIST: usize = 600;
/// Most rows of values looked at.
const ROWS: usize = 32;

/// Whether a byte can stand in a list of columns.
fn in_columns(b: u8) -> bool {
    is_name(b) || b.is_ascii_whitespace() || matches!(b, b',' | b'.' | b'`' | b'"' | b'[' | b']')
}

/// Where the list opens whose part stands here, if it is the list of columns of an `INSERT INTO`.
fn columns_start(window: &[u8], i: usize) -> Option<usize> {
    let first = i.saturating_sub(LONGEST_LIST);
    let open = first + window[first..i].iter().rposition(|b| !in_columns(*b))?;
    if window[open] != b'(' {
        return None;
    }
    let table = window[..open].trim_ascii_end();
    let table_start = table.iter().rposition(|b| !in_columns(*b) || b.is_ascii_whitespace() || *b == b',')? + 1;
    let head = table[..table_start].trim_ascii_end();
    (head.len() < table_start && table_start < table.len() && head.len() >= 4)
        .then(|| head[head.len() - 4..].eq_ignore_ascii_case(b"into"))?
        .then_some(open)
}

fn is_column(window: &[u8], i: usize) -> bool {
    columns_start(window, i).is_some()
}

/// The values of a column: `INSERT INTO t (id, password) VALUES (1, 'x'), (2, 'y')`.
fn column(window: &[u8], hit: Range<usize>, end: usize, out: &mut Vec<Candidate>) {
    let Some(start) = name_start(window, hit.start) else { return };
    let Some(open) = columns_start(window, start) else { return };
    let place = window[open..start].iter().filter(|b| **b == b',').count();
    let Some(n) = window[end..].iter().take(LONGEST_LIST).position(|b| !in_columns(*b)) else { return };
    let space = |mut i: usize| {
        while i < window.len() && window[i].is_ascii_whitespace() {
            i += 1;
        }
        i
    };
    let mut i = space(end + n + 1);
    if at(window, end + n) != b')' || !window[i..].get(..6).is_some_and(|w| w.eq_ignore_ascii_case(b"values")) {
        return;
    }
    i += 6;
    let mut finder = Finder { window, name: start..end, quoted: false, syntax: Syntax::Assign, out };
    for _ in 0..ROWS {
        i = space(i);
        if at(window, i) != b'(' {
            return;
        }
        i += 1;
        let mut column = 0;
        loop {
            i = space(i);
            // `N'x'`, `E'x'`
            i += usize::from(is_name(at(window, i)) && at(window, i + 1) == b'\'');
            if let Some((value, quote, after)) = finder.sql_string(i) {
                i = space(after);
                if column == place && matches!(at(window, i), b',' | b')') {
                    finder.push(value, quote, Wrapper::None);
                }
            }
            let mut depth = 0;
            while i < window.len() && (depth > 0 || !matches!(window[i], b',' | b')')) {
                match window[i] {
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    b'\'' | b'"' => {
                        let Some((_, _, after)) = finder.sql_string(i) else { return };
                        i = after;
                        continue;
                    }
                    _ => {}
                }
                i += 1;
            }
            if at(window, i) != b',' {
                break;
            }
            column += 1;
            i += 1;
        }
        i = space(i + 1);
        if at(window, i) != b',' {
            return;
        }
        i += 1;
    }
}

/// `<key>name</key> <string>value</string>`.
fn plist(window: &[u8], hit_end: usize, end: usize, at_close: usize, out: &mut Vec<Candidate>) {
    let Some(n) = window[at_close..window.len().min(at_close + 40)].iter().position(|b| *b == b'>') else { return };
    let mut i = at_close + n + 1;
    while i < window.len() && window[i].is_ascii_whitespace() {
        i += 1;
    }
    if at(window, i) != b'<' || at(window, i + 1) == b'/' {
        return;
    }
    let Some(n) = window[i..window.len().min(i + 40)].iter().position(|b| *b == b'>') else { return };
    let Some(start) = name_start(window, hit_end) else { return };
    Finder { window, name: start..end, quoted: false, syntax: Syntax::Sibling, out }.element(i + n + 1);
}

struct Finder<'w, 'o> {
    window: &'w [u8],
    name: Range<usize>,
    quoted: bool,
    syntax: Syntax,
    out: &'o mut Vec<Candidate>,
}

impl Finder<'_, '_> {
    fn push(&mut self, value: Range<usize>, quote: Quote, wrapper: Wrapper) {
        if value.len() < SHORTEST || value.len() > LONGEST || value.end > self.window.len() {
            return;
        }
        // `Authorization: Bearer x` belongs to the scheme's own hit.
        let text = &self.window[value.clone()];
        if text.len() > 7 && (text[..7].eq_ignore_ascii_case(b"bearer ") || text[..6].eq_ignore_ascii_case(b"basic ")) {
            return;
        }
        let next_line = self.window[self.name.end..value.start].contains(&b'\n');
        self.out.push(Candidate { name: self.name.clone(), value, syntax: self.syntax, quote, wrapper, next_line });
    }

    /// The string literal that opens at `i`, if one does: its inside, and the first byte after it.
    fn string(&self, i: usize) -> Option<(Range<usize>, Quote, usize)> {
        let w = self.window;
        let mut start = i;
        while at(w, start) == b'\\' && start - i < 8 {
            start += 1;
        }
        let slashes = start - i;
        let b = at(w, start);
        if slashes == 0 && b == b'&' && w[start..].starts_with(b"&quot;") {
            let inside = start + 6;
            let n = w[inside..].windows(6).position(|x| x == b"&quot;")?;
            return Some((inside..inside + n, Quote::Escaped, inside + n + 6));
        }
        let quote = match b {
            b'"' => Quote::Double,
            b'\'' => Quote::Single,
            b'`' => Quote::Backtick,
            _ => return None,
        };
        let mut inside = start + 1;
        let triple = slashes == 0 && at(w, inside) == b && at(w, inside + 1) == b;
        if triple {
            inside += 2;
        }
        let mut j = inside;
        let mut run = 0;
        while j < w.len() && !is_eol(w[j]) {
            if w[j] == b'\\' {
                run += 1;
                j += 1;
                continue;
            }
            if w[j] == b && (run == slashes || (slashes == 0 && run % 2 == 0) || (slashes > 0 && run < slashes)) {
                let end = j - run.min(if slashes == 0 { 0 } else { run });
                let after = if triple { (j + 3).min(w.len()) } else { j + 1 };
                return Some((inside..end, if slashes > 0 { Quote::Escaped } else { quote }, after));
            }
            run = 0;
            j += 1;
        }
        if triple && inside < w.len() {
            // A multi-line string: its first line, or the next one.
            let mut s = inside;
            while s < w.len() && w[s].is_ascii_whitespace() {
                s += 1;
            }
            let e = w[s..].iter().position(|b| is_eol(*b)).map_or(w.len(), |n| s + n);
            return (e > s).then_some((s..e, quote, e));
        }
        None
    }

    /// The string of SQL that opens at `i`: a quote in it is doubled, or escaped.
    fn sql_string(&self, i: usize) -> Option<(Range<usize>, Quote, usize)> {
        let w = self.window;
        let quote = match at(w, i) {
            b'"' => Quote::Double,
            b'\'' => Quote::Single,
            _ => return None,
        };
        let mut j = i + 1;
        while j < w.len() {
            match w[j] {
                b'\\' => j += 1,
                b if b == w[i] && at(w, j + 1) == b => j += 1,
                b if b == w[i] => return Some((i + 1..j, quote, j + 1)),
                _ => {}
            }
            j += 1;
        }
        None
    }

    /// Whether the quoted word that would be a name is a value itself: one in a row of SQL's `VALUES`, or every
    /// second one in a line of values: `('1', 'password', '2021'),`.
    fn is_value_in_row(&self) -> bool {
        let w = self.window;
        let Some(open) = self.name.start.checked_sub(1).filter(|open| matches!(w[*open], b'"' | b'\'')) else {
            return false;
        };
        let first = open.saturating_sub(LONGEST);
        let values = w[first..open]
            .windows(6)
            .rposition(|word| word.eq_ignore_ascii_case(b"values"))
            .map(|at| first + at)
            .filter(|at| *at == 0 || w[at - 1].is_ascii_whitespace() || w[at - 1] == b')');
        if let Some(values) = values {
            let (mut i, mut depth) = (values + 6, 0);
            while i < open {
                match w[i] {
                    b'(' => depth += 1,
                    b')' => depth -= 1,
                    b';' if depth == 0 => break,
                    b'\'' | b'"' => match self.sql_string(i) {
                        Some((_, _, after)) => {
                            i = after;
                            continue;
                        }
                        None => break,
                    },
                    _ => {}
                }
                i += 1;
            }
            if i == open && depth == 1 {
                return true;
            }
        }
        let mut i = blanks(w, line_start(w, open));
        let row = at(w, i) == b'(';
        i += usize::from(row);
        if !row && !matches!(at(w, i), b'"' | b'\'') {
            return false;
        }
        let mut place = 0;
        while i < open {
            i = match self.sql_string(i) {
                Some((_, _, after)) => after,
                None => i + w[i..open].iter().take_while(|b| is_name(**b) || matches!(b, b'.' | b'-' | b'+')).count(),
            };
            i = blanks(w, i);
            if at(w, i) != b',' {
                return false;
            }
            place += 1;
            i = blanks(w, i + 1);
        }
        i == open && place % 2 == 1
    }

    /// Whether the name is the first word of its line (after a bullet, comment sign, `export` …).
    fn leads(&self) -> bool {
        let start = line_start(self.window, self.name.start);
        let mut head = &self.window[start..self.name.start];
        while let [b' ' | b'\t' | b'-' | b'#' | b'*' | b'/' | b';' | b'"' | b'\'' | b'$' | b'.' | b'`', rest @ ..] =
            head
        {
            head = rest;
        }
        matches!(head, [] | b"export " | b"set " | b"SET " | b"ENV " | b"env " | b"ARG " | b"setenv ")
    }

    fn operator(&mut self, from: usize) {
        let w = self.window;
        let mut i = blanks(w, from);
        if at(w, i) == b'*' && at(w, i + 1) == b'*' {
            i = blanks(w, i + 2);
        }
        if is_eol(at(w, i)) {
            return self.following(i);
        }
        self.value(i, from);
    }

    /// The value on the next line: a string, a list item, a block scalar's text.
    fn following(&mut self, from: usize) {
        let w = self.window;
        let mut i = from;
        while i < w.len() && w[i].is_ascii_whitespace() {
            i += 1;
        }
        if at(w, i) == b'-' && at(w, i + 1) == b' ' && self.syntax == Syntax::Colon {
            let item = blanks(w, i + 1);
            if let Some((value, quote, _)) = self.string(item) {
                return self.push(value, quote, Wrapper::List);
            }
            let end = self.bare(item, true);
            if w[item..end].iter().any(u8::is_ascii_digit) && !w[item..end].contains(&b':') {
                self.push(item..end, Quote::None, Wrapper::List);
            }
            return;
        }
        if let Some((value, quote, after)) = self.string(self.prefix(i)) {
            let after = blanks(w, after);
            if !matches!(at(w, after), b':' | b'=') {
                self.push(value, quote, Wrapper::None);
            }
        }
    }

    /// Skips the letters before a string literal: `b"`, `r'`, `@"`, `$"`, `L"`.
    fn prefix(&self, i: usize) -> usize {
        let w = self.window;
        let mut j = i;
        while j < i + 2 && (at(w, j).is_ascii_alphabetic() || matches!(at(w, j), b'@' | b'$' | b'&' | b'#')) {
            j += 1;
        }
        if matches!(at(w, j), b'"' | b'\'') && !matches!(at(w, i), b'&') { j } else { i }
    }

    fn value(&mut self, at_value: usize, from: usize) {
        let w = self.window;
        let mut i = at_value;
        let mut wrapper = Wrapper::None;
        for _ in 0..5 {
            let s = self.prefix(i);
            if let Some((value, quote, after)) = self.string(s) {
                return self.quoted_value(value, quote, wrapper, after);
            }
            match at(w, i) {
                b'[' | b'{' | b'(' => {
                    // `${X}`, `{{ x }}` are templates, not lists.
                    if at(w, i + 1) == b'{' {
                        return;
                    }
                    if wrapper == Wrapper::None {
                        wrapper = Wrapper::List;
                    }
                    i = blanks(w, i + 1);
                    if is_eol(at(w, i)) {
                        while i < w.len() && w[i].is_ascii_whitespace() {
                            i += 1;
                        }
                    }
                    if !matches!(at(w, self.prefix(i)), b'"' | b'\'' | b'`' | b'[' | b'(') {
                        return;
                    }
                }
                b'$' if at(w, i + 1) == b'{' => return self.shell_default(i),
                b'!' | b'*' | b'&' | b'<' if self.syntax == Syntax::Colon && at(w, i) != b'<' => {
                    // YAML: tags before a quoted value are skipped, the rest are references.
                    let word = w[i..].iter().take(24).position(|b| b.is_ascii_whitespace());
                    let Some(n) = word.filter(|_| w[i..].starts_with(b"!!") || w[i..].starts_with(b"&")) else {
                        return self.bare_value(i, from, wrapper);
                    };
                    i = blanks(w, i + n);
                }
                b'|' | b'>' if self.syntax == Syntax::Colon && w[i + 1..].iter().take(3).any(|b| is_eol(*b)) => {
                    let mut s = i;
                    while s < w.len() && !is_eol(w[s]) {
                        s += 1;
                    }
                    while s < w.len() && w[s].is_ascii_whitespace() {
                        s += 1;
                    }
                    let e = w[s..].iter().position(|b| is_eol(*b)).map_or(w.len(), |n| s + n);
                    return self.push(s..e, Quote::None, Wrapper::List);
                }
                b if is_name(b) => {
                    // A call, a constructor, a type before `=`, an environment lookup with a default.
                    let Some(end) = self.path(i) else { return };
                    let mut j = blanks(w, end);
                    let word = &w[i..end];
                    if word == b"new" && j > end {
                        i = j;
                        wrapper = Wrapper::Call;
                        continue;
                    }
                    if at(w, j) == b'(' {
                        let inner = blanks(w, j + 1);
                        if at(w, self.prefix(inner)) != b')' && self.lookup(word) {
                            return self.fallback(j);
                        }
                        if matches!(at(w, self.prefix(inner)), b'"' | b'\'' | b'`' | b'[')
                            || at(w, inner).is_ascii_alphabetic() && self.is_wrapping(inner)
                        {
                            wrapper = Wrapper::Call;
                            i = inner;
                            continue;
                        }
                        return self.fallback(end);
                    }
                    if at(w, j) == b'[' && self.lookup(word)
                        || word.ends_with(b".env")
                        || w[i..end].windows(5).any(|x| x == b".env.")
                    {
                        return self.fallback(end);
                    }
                    if self.syntax == Syntax::Colon && at_value > from {
                        // `name: Type = value`
                        while j < w.len()
                            && j < end + 40
                            && (is_name(w[j])
                                || matches!(w[j], b'<' | b'>' | b'[' | b']' | b'?' | b'.' | b' ' | b'|' | b'&'))
                        {
                            j += 1;
                        }
                        if at(w, j) == b'='
                            && !matches!(at(w, j + 1), b'=' | b'>' | b'~')
                            && (at(w, j - 1) == b' ' || matches!(at(w, j + 1), b'"' | b'\''))
                        {
                            i = blanks(w, j + 1);
                            self.syntax = Syntax::Assign;
                            if is_eol(at(w, i)) {
                                return self.following(i);
                            }
                            continue;
                        }
                    }
                    return self.bare_value(i, from, wrapper);
                }
                b'&' if self.syntax == Syntax::Assign => return,
                _ => return self.bare_value(i, from, wrapper),
            }
        }
    }

    /// Whether what opens at `i` is one more call or constructor around a string.
    fn is_wrapping(&self, i: usize) -> bool {
        self.path(i).is_some_and(|end| at(self.window, end) == b'(' || (at(self.window, end) == b' ' && end - i == 3))
    }

    /// The end of a dotted path of identifiers.
    fn path(&self, i: usize) -> Option<usize> {
        let w = self.window;
        let mut j = i;
        while j < w.len()
            && (is_name(w[j])
                || (matches!(w[j], b'.' | b':' | b'\\') && is_name(at(w, j + 1)) && j > i)
                || (w[j] == b':' && at(w, j + 1) == b':'))
        {
            j += 1;
            if j - i > LONGEST {
                return None;
            }
        }
        Some(j)
    }

    /// Whether a function reads a setting by the name that it is given.
    fn lookup(&self, word: &[u8]) -> bool {
        let last = word.rsplit(|b| matches!(b, b'.' | b':')).next().unwrap_or(word);
        // `password.encode("latin1")`: a method of a string, not of an encoder.
        const OF_STRINGS: &[&[u8]] =
            &[b"encode", b"decode", b"replace", b"split", b"strip", b"trim", b"rstrip", b"sub"];
        let receiver = &word[..word.len() - last.len()];
        let encoder = receiver.windows(2).any(|x| x == b"64");
        if !receiver.is_empty() && !encoder && OF_STRINGS.contains(&last) {
            return true;
        }
        let mut low = [0u8; 24];
        let n = last.len().min(24);
        low[..n].copy_from_slice(&last[..n]);
        low[..n].make_ascii_lowercase();
        let low = &low[..n];
        low.windows(3).any(|x| x == b"env" || x == b"get")
            || matches!(
                low,
                b"config"
                    | b"fetch"
                    | b"lookup"
                    | b"setting"
                    | b"conf"
                    | b"option"
                    | b"t"
                    | b"_"
                    | b"gettext"
                    | b"translate"
                    | b"read"
                    | b"load"
                    | b"require"
                    | b"import"
                    | b"find"
                    | b"input"
                    | b"open"
                    | b"var"
                    | b"data"
                    | b"string_var"
            )
    }

    /// A default after a lookup: `getenv("X", "value")`, `process.env.X || "value"`.
    fn fallback(&mut self, from: usize) {
        let w = self.window;
        let mut i = from;
        let stop = w.len().min(from + 120);
        let opened = at(w, i) == b'(';
        let mut quoted = false;
        while i < stop && !is_eol(w[i]) {
            match w[i] {
                b'"' | b'\'' | b'`' => {
                    let Some((_, _, after)) = self.string(i) else { return };
                    quoted = true;
                    i = after;
                    continue;
                }
                b',' if opened && quoted => {
                    let s = self.prefix(blanks(w, i + 1));
                    if let Some((value, quote, _)) = self.string(s) {
                        self.push(value, quote, Wrapper::Default);
                    }
                    return;
                }
                b';' | b',' | b'{' => return,
                b'|' | b'?' if at(w, i + 1) == w[i] || at(w, i + 1) == b':' => {
                    let s = self.prefix(blanks(w, i + 2));
                    if let Some((value, quote, _)) = self.string(s) {
                        self.push(value, quote, Wrapper::Default);
                    }
                    return;
                }
                b'o' if w[i..].starts_with(b"or ") && at(w, i.wrapping_sub(1)) == b' ' => {
                    let s = self.prefix(blanks(w, i + 2));
                    if let Some((value, quote, _)) = self.string(s) {
                        self.push(value, quote, Wrapper::Default);
                    }
                    return;
                }
                _ => {}
            }
            i += 1;
        }
    }

    /// `${X:-value}`, `${x:value}`.
    fn shell_default(&mut self, i: usize) {
        let w = self.window;
        let named = |b: &u8| is_name(*b) || matches!(*b, b'.' | b'-');
        let Some(end) = w[i + 2..].iter().take(LONGEST_NAME).position(|b| !named(b)).map(|n| i + 2 + n) else { return };
        if at(w, end) != b':' {
            return;
        }
        let start = if matches!(at(w, end + 1), b'-' | b'=') { end + 2 } else { end + 1 };
        let Some(n) = w[start.min(w.len())..].iter().take(200).position(|b| *b == b'}' || is_eol(*b)) else { return };
        if at(w, start + n) == b'}' && !matches!(at(w, start), b'?' | b'$' | b'+') {
            self.push(start..start + n, Quote::None, Wrapper::Default);
        }
    }

    fn quoted_value(&mut self, value: Range<usize>, quote: Quote, wrapper: Wrapper, after: usize) {
        let w = self.window;
        if self.syntax == Syntax::Assign || self.syntax == Syntax::Colon {
            let text = &w[value.clone()];
            // A shell default inside quotes: "${X:-value}".
            if text.starts_with(b"${") && text.ends_with(b"}") && text.contains(&b':') {
                return self.shell_default(value.start);
            }
        }
        // `"name": "password", "value": "x"` is a sibling; this is `"name": "x"`.
        let _ = after;
        self.push(value, quote, wrapper);
    }

    /// The end of an unquoted value.
    fn bare(&self, i: usize, line: bool) -> usize {
        let w = self.window;
        let before = &w[..self.name.start];
        let query = matches!(before.last(), Some(b'?' | b'&')) || before.ends_with(b"&amp;");
        let encoded = w[..i].ends_with(b"%3D");
        let mut j = i;
        while j < w.len() && j - i <= LONGEST {
            match w[j] {
                b if b.is_ascii_whitespace() => break,
                b'"' | b'\'' | b'`' | b'<' => break,
                b'\\' if matches!(at(w, j + 1), b'"' | b'\'' | b'n' | b'r') => break,
                b'\\' if escaped_delimiter(&w[j..]) => break,
                b'%' if encoded && w[j..].starts_with(b"%26") => break,
                b'&' if query || w[j..].starts_with(b"&quot;") => break,
                b'(' | b'[' | b'{' if !line && !matches!(w[i], b'$' | b'{' | b'%') => {
                    j += 1;
                    break;
                }
                b',' | b';' | b')' | b']' if !line => break,
                b'}' if !line && w[i] != b'$' && w[i] != b'{' => break,
                _ => {}
            }
            j += 1;
        }
        while j > i && matches!(w[j - 1], b',' | b';') {
            j -= 1;
        }
        j
    }

    fn bare_value(&mut self, i: usize, from: usize, wrapper: Wrapper) {
        let w = self.window;
        if self.quoted && self.syntax != Syntax::Assign && self.syntax != Syntax::Colon && self.syntax != Syntax::Arrow
        {
            return;
        }
        let tight = i == from;
        let leads = self.leads();
        let line = leads
            && wrapper == Wrapper::None
            && ((self.syntax == Syntax::Assign && tight) || self.syntax == Syntax::Colon);
        let end = self.bare(i, line);
        if end == i {
            return;
        }
        // A quote inside an unquoted word: code, such as a concatenation or an index.
        if matches!(at(w, end), b'"' | b'\'' | b'`') && matches!(w[end - 1], b'(' | b'[' | b'{' | b'+') {
            return;
        }
        if self.syntax == Syntax::Colon && line {
            // More words: a sentence, or code.
            let rest = blanks(w, end);
            let b = at(w, rest);
            if !is_eol(b) && !matches!(b, b'#' | b'/' | b'\\' | b'"' | b'\'' | b'`' | b',' | b'}' | b'<') && rest > end
            {
                return;
            }
        }
        if self.syntax == Syntax::Assign && !tight {
            // `$x = Get-Thing -Name y`: more words are code.
            let rest = blanks(w, end);
            let b = at(w, rest);
            if rest > end
                && (b == b'-' || b.is_ascii_alphanumeric() || matches!(b, b'(' | b'?' | b'+' | b'|' | b'=' | b'$'))
            {
                return;
            }
        }
        self.push(i..end, Quote::None, wrapper);
    }

    fn comma(&mut self, from: usize) {
        let w = self.window;
        if self.is_value_in_row() {
            return;
        }
        let mut i = from;
        while i < w.len() && w[i].is_ascii_whitespace() {
            i += 1;
        }
        let opener = self.prefix(i);
        let Some((value, quote, after)) = self.string(opener) else {
            // `"token", Some("x")`
            if at(w, i).is_ascii_alphabetic() {
                self.value(i, i.saturating_sub(1));
            }
            return;
        };
        let after = blanks(w, after);
        if matches!(at(w, after), b':' | b'=') {
            // `"name": "password", "value": "x"`
            return self.named_value(&w[value], after + 1 + usize::from(at(w, after + 1) == b'>'));
        }
        self.push(value, quote, Wrapper::None);
    }

    /// The value beside the name of a pair, if `key` says that it is one.
    fn named_value(&mut self, key: &[u8], from: usize) {
        let keys: [&[u8]; 8] =
            [b"value", b"val", b"default", b"content", b"string", b"defaultvalue", b"data", b"stringvalue"];
        if !keys.iter().any(|k| key.eq_ignore_ascii_case(k)) {
            return;
        }
        self.syntax = Syntax::Sibling;
        let i = blanks(self.window, from);
        if let Some((value, quote, _)) = self.string(self.prefix(i)) {
            self.push(value, quote, Wrapper::None);
        } else if !is_eol(at(self.window, i)) {
            let end = self.bare(i, true);
            self.push(i..end, Quote::None, Wrapper::None);
        }
    }

    fn call(&mut self, from: usize) {
        let w = self.window;
        let mut i = blanks(w, from);
        if is_eol(at(w, i)) {
            while i < w.len() && w[i].is_ascii_whitespace() {
                i += 1;
            }
        }
        for argument in 0..3 {
            if let Some((value, quote, after)) = self.string(self.prefix(i)) {
                self.push(value, quote, if argument == 0 { Wrapper::None } else { Wrapper::List });
                i = blanks(w, after);
            } else {
                let Some(end) = self.path(i) else { return };
                if end == i {
                    return;
                }
                if argument == 0 && at(w, end) == b'(' {
                    return self.value(i, i);
                }
                i = blanks(w, end);
            }
            if at(w, i) != b',' {
                return;
            }
            i = blanks(w, i + 1);
        }
    }

    fn element(&mut self, from: usize) {
        let w = self.window;
        if self.syntax == Syntax::Element {
            // The name is a tag or stands in one.
            let start = line_start(w, self.name.start);
            let Some(open) = w[start..self.name.start].iter().rposition(|b| *b == b'<') else { return };
            if w[start + open..self.name.start].contains(&b'>') || at(w, start + open + 1) == b'/' {
                return;
            }
        }
        let mut s = from;
        while s < w.len() && w[s].is_ascii_whitespace() {
            s += 1;
        }
        if w[s.min(w.len())..].starts_with(b"<![CDATA[") {
            s += 9;
        }
        let Some(n) = w[s.min(w.len())..].iter().take(LONGEST).position(|b| matches!(*b, b'<' | b'\n' | b']')) else {
            return;
        };
        let mut e = s + n;
        while e > s && w[e - 1].is_ascii_whitespace() {
            e -= 1;
        }
        self.push(s..e, Quote::None, Wrapper::None);
    }

    fn sibling(&mut self, from: usize) {
        let w = self.window;
        if is_eol(at(w, from)) {
            // `name: PASSWORD` with `value: x` on the next line.
            let start = line_start(w, self.name.start);
            if !w[start..self.name.start].iter().any(|b| matches!(*b, b':' | b'=')) {
                return;
            }
        }
        let mut i = from;
        while i < w.len() && w[i].is_ascii_whitespace() {
            i += 1;
        }
        let quoted = matches!(at(w, i), b'"' | b'\'');
        let s = i + usize::from(quoted);
        let Some(e) = name_end(w, s) else { return };
        let after = blanks(w, e + usize::from(quoted));
        if matches!(at(w, after), b':' | b'=') && e > s {
            let key = &w[s..e];
            self.named_value(key, after + 1 + usize::from(at(w, after + 1) == b'>'));
        }
    }

    /// Only space between name and value: flags, SQL, configuration files, `is`.
    fn word(&mut self, from: usize) {
        let w = self.window;
        let before = self.name.start.checked_sub(1).map_or(b'\n', |i| w[i]);
        let mut i = from;
        if is_name(at(w, i)) {
            let Some(end) = self.path(i) else { return };
            let next = blanks(w, end);
            let word = &w[i..end];
            if next > end {
                let glue: [&[u8]; 6] = [b"by", b"is", b"as", b"to", b"with", b"using"];
                if glue.iter().any(|g| word.eq_ignore_ascii_case(g)) && matches!(at(w, next), b'"' | b'\'' | b'`') {
                    i = next;
                } else if at(w, next) == b'=' && !matches!(at(w, next + 1), b'=' | b'>' | b'~') && before != b'-' {
                    // `password string = "x"`
                    self.syntax = Syntax::Assign;
                    let value = blanks(w, next + 1);
                    return self.value(value, next + 1);
                }
            }
        }
        if let Some((value, quote, _)) = self.string(self.prefix(i)) {
            if before == b'-' {
                self.syntax = Syntax::Flag;
            }
            return self.push(value, quote, Wrapper::None);
        }
        if at(w, i) == b'-' || at(w, i) == b'=' {
            return;
        }
        if before == b'-' {
            self.syntax = Syntax::Flag;
            let end = self.bare(i, true);
            return self.push(i..end, Quote::None, Wrapper::None);
        }
        let start = line_start(w, self.name.start);
        let head = &w[start..self.name.start];
        let end = self.bare(i, true);
        let value = &w[i..end];
        let mixed = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
        let netrc = head.windows(6).any(|x| x == b"login ");
        let sql = self.window[self.name.clone()].eq_ignore_ascii_case(b"password")
            && head.windows(5).any(|x| x.eq_ignore_ascii_case(b"login") || x.eq_ignore_ascii_case(b"user "));
        let identified = self.window[self.name.clone()].eq_ignore_ascii_case(b"identified by")
            && head.windows(5).any(|x| x.eq_ignore_ascii_case(b"user "));
        if identified {
            let end = self.bare(i, false);
            return self.push(i..end, Quote::None, Wrapper::None);
        }
        if netrc
            || (mixed && self.leads() && is_eol(at(w, blanks(w, end))))
            || (sql && value.iter().any(|b| *b == b'_' || b.is_ascii_digit()))
        {
            self.push(i..end, Quote::None, Wrapper::None);
        }
    }
}

/// `Bearer x`, `Basic x`.
fn scheme(window: &[u8], hit: Range<usize>, out: &mut Vec<Candidate>) -> bool {
    if hit.start > 0 && is_name(window[hit.start - 1]) {
        return false;
    }
    let mut start = hit.end;
    while matches!(at(window, start), b' ' | b'\t' | b'+') || window[start.min(window.len())..].starts_with(b"%20") {
        start += if at(window, start) == b'%' { 3 } else { 1 };
    }
    if start == hit.end {
        return false;
    }
    let bearer = matches!(window[hit.end - 1], b'r' | b'R');
    // `panel-basic bg-neutral-11`: classes of a page.
    if !bearer && hit.start > 0 && window[hit.start - 1] == b'-' {
        return true;
    }
    let inside = |b: &u8| {
        b.is_ascii_alphanumeric() || matches!(*b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=' | b':' | b'|' | b'!')
    };
    let n = window[start..].iter().position(|b| !inside(b)).unwrap_or(window.len() - start);
    let mut end = start + n;
    if window[start..end].ends_with(b"...") {
        return true;
    }
    while end > start && matches!(window[end - 1], b'.' | b':' | b'!') {
        end -= 1;
    }
    if end - start < 8 || end - start > 4096 {
        return true;
    }
    let syntax = if bearer { Syntax::Bearer } else { Syntax::Basic };
    out.push(Candidate {
        name: hit,
        value: start..end,
        syntax,
        quote: Quote::None,
        wrapper: Wrapper::None,
        next_line: false,
    });
    true
}

/// `scheme://user:value@host`.
fn url(window: &[u8], hit: Range<usize>, out: &mut Vec<Candidate>) {
    let start = hit.end;
    let mut colon = None;
    let mut last_at = None;
    for (i, b) in window.iter().enumerate().skip(start).take(320) {
        match *b {
            b':' if colon.is_none() => colon = Some(i),
            b'@' if colon.is_some() => last_at = Some(i),
            b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'\\' => break,
            // A password may hold these, but without an `@` behind they are the rest of the URL.
            b'/' | b'?' | b'#' if colon.is_none() || last_at.is_some() => break,
            b'/' => break,
            _ => {}
        }
    }
    let (Some(colon), Some(end)) = (colon, last_at) else { return };
    let host = at(window, end + 1);
    if !(host.is_ascii_alphanumeric() || matches!(host, b'[' | b'$' | b'{' | b'%' | b'(' | b'*' | b'/' | b'_' | b':')) {
        return;
    }
    if end - colon - 1 < SHORTEST || end - colon > 256 {
        return;
    }
    out.push(Candidate {
        name: start..colon,
        value: colon + 1..end,
        syntax: Syntax::Url,
        quote: Quote::None,
        wrapper: Wrapper::None,
        next_line: false,
    });
}

/// `curl -u user:value`.
fn curl(window: &[u8], hit: Range<usize>, out: &mut Vec<Candidate>) {
    if hit.start > 0 && is_name(window[hit.start - 1]) {
        return;
    }
    let line = window[hit.end..].iter().position(|b| *b == b'\n').map_or(window.len(), |n| hit.end + n);
    let mut from = hit.end;
    while from < line {
        let Some(n) = window[from..line].iter().position(|b| *b == b'-') else { return };
        let option = from + n;
        from = option + 1;
        if !is_blank(at(window, option.wrapping_sub(1))) {
            continue;
        }
        let rest = &window[option..line];
        let skip = if rest.starts_with(b"--user ") || rest.starts_with(b"--user=") || rest.starts_with(b"--proxy-user ")
        {
            rest.iter().position(|b| matches!(*b, b' ' | b'=')).unwrap_or(0)
        } else if rest.starts_with(b"-u") || rest.starts_with(b"-U") {
            1
        } else {
            continue;
        };
        let mut i = blanks(window, option + skip + 1);
        let quote = match at(window, i) {
            b'"' => Quote::Double,
            b'\'' => Quote::Single,
            b'\\' => Quote::Escaped,
            _ => Quote::None,
        };
        while matches!(at(window, i), b'"' | b'\'' | b'\\') {
            i += 1;
        }
        let ends = |b: &u8| matches!(*b, b'"' | b'\'' | b'\\') || (quote == Quote::None && b.is_ascii_whitespace());
        let end = window[i..line].iter().position(ends).map_or(line, |n| i + n);
        let Some(colon) = window[i..end].iter().position(|b| *b == b':') else { continue };
        let value = i + colon + 1..end;
        if value.len() >= SHORTEST && value.len() <= 256 {
            out.push(Candidate {
                name: i..i + colon,
                value,
                syntax: Syntax::Curl,
                quote,
                wrapper: Wrapper::None,
                next_line: false,
            });
        }
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name and value of every candidate at `keyword`.
    fn found(text: &str, keyword: &str) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let at = text.find(keyword).expect("the keyword stands in the text");
        candidates(text.as_bytes(), at..at + keyword.len(), &mut out);
        out.into_iter().map(|c| (text[c.name].to_owned(), text[c.value].to_owned())).collect()
    }

    #[test]
    fn values_are_found_in_any_syntax() {
        for (text, keyword, name, value) in [
            ("password = \"abc def\"", "password", "password", "abc def"),
            ("db.password=abc-def", "password", "db.password", "abc-def"),
            ("  \"api_key\": \"abcdef\",", "key", "api_key", "abcdef"),
            ("token := 'abcdef'", "token", "token", "abcdef"),
            ("'secret' => 'abcdef',", "secret", "secret", "abcdef"),
            ("if password == \"abcdef\" {", "password", "password", "abcdef"),
            ("config[:password] = 'abcdef'", "password", "password", "abcdef"),
            ("setApiKey(\"abcdef\")", "Key", "setApiKey", "abcdef"),
            ("password = Some(\"abcdef\"),", "password", "password", "abcdef"),
            ("Password = new Secret(\"abcdef\");", "Password", "Password", "abcdef"),
            ("setProperty(\"X_TOKEN\", \"abcdef\")", "TOKEN", "X_TOKEN", "abcdef"),
            ("{\\\"token\\\": \\\"abcdef\\\"}", "token", "token", "abcdef"),
            ("{&quot;token&quot;: &quot;abcdef&quot;}", "token", "token", "abcdef"),
            ("run --password abcdef --verbose", "password", "password", "abcdef"),
            ("run --password=abcdef --verbose", "password", "password", "abcdef"),
            ("docker run -e X_TOKEN=abcdef image", "TOKEN", "X_TOKEN", "abcdef"),
            ("ALTER USER a WITH PASSWORD 'abcdef';", "PASSWORD", "PASSWORD", "abcdef"),
            ("IDENTIFIED BY 'abcdef'", "IDENTIFIED BY", "IDENTIFIED BY", "abcdef"),
            ("CREATE USER a IDENTIFIED BY abcdef;", "IDENTIFIED BY", "IDENTIFIED BY", "abcdef"),
            ("<password>abcdef</password>", "password", "password", "abcdef"),
            ("<token>\n  abcdef\n</token>", "token", "token", "abcdef"),
            ("<add key=\"Password\" value=\"abcdef\"/>", "Password", "Password", "abcdef"),
            ("<key>Token</key>\n<string>abcdef</string>", "Token", "Token", "abcdef"),
            ("- name: DB_PASSWORD\n  value: abcdef", "PASSWORD", "DB_PASSWORD", "abcdef"),
            ("secret =\n    \"abcdef\"", "secret", "secret", "abcdef"),
            ("password: string = 'abcdef';", "password", "password", "abcdef"),
            ("var password string = \"abcdef\"", "password", "password", "abcdef"),
            ("char password[16] = \"abcdef\";", "password", "password", "abcdef"),
            ("password: ${DB_PASSWORD:abcdef}", "password", "password", "abcdef"),
            ("key = os.getenv(\"KEY\", \"abcdef\")", "key", "key", "abcdef"),
            ("secret: process.env.SECRET || 'abcdef',", "secret", "secret", "abcdef"),
            ("Server=x;Password=abcdef;Timeout=3", "Password", "Password", "abcdef"),
            ("machine x login y password abcdef", "password", "password", "abcdef"),
            ("https://x/?api_key=abcdef&q=1", "key", "api_key", "abcdef"),
            ("https://x/?q=1&amp;api_key=abcdef&amp;q=1", "key", "api_key", "abcdef"),
            (r"https://x/?q=1\u0026api_key=abcdef\u0026r=2", "key", "api_key", "abcdef"),
            (r"\u003chttps://x/?api_key=abcdef\u003e", "key", "api_key", "abcdef"),
            ("GET%26auth_token%3Dabcdef%26q%3D1", "token", "26auth_token", "abcdef"),
            ("Authorization: Bearer abcdef0123", "Bearer", "Bearer", "abcdef0123"),
            ("redis://user:abcdef@host:1/0", "://", "user", "abcdef"),
            ("curl -s -u user:abcdef https://x", "curl", "user", "abcdef"),
            ("INSERT INTO t (id, password, mail) VALUES (1, 'abcdef', 'x');", "password", "password", "abcdef"),
            ("insert into `a`.`t` (`password`, `id`) values (N'abcdef', 2);", "password", "password", "abcdef"),
            ("INSERT INTO t (id, token) VALUES (f('a, (b'), 'it''s'),\n (2, 'abcdef')", "token", "token", "abcdef"),
            ("set(\"a\", \"X_TOKEN\", \"abcdef\")", "TOKEN", "X_TOKEN", "abcdef"),
            ("(\"password\", \"abcdef\"),", "password", "password", "abcdef"),
        ] {
            let got = found(text, keyword);
            assert!(got.contains(&(name.to_owned(), value.to_owned())), "{text}: {got:?}");
        }
    }

    #[test]
    fn running_code_has_no_candidates() {
        for (text, keyword) in [
            ("fn key(&self) -> &Key {", "key"),
            ("for key in keys {", "key"),
            ("map.get(key)", "key"),
            ("token::Kind", "token"),
            ("author of the text", "auth"),
            ("password = get_password(user)", "password"),
            ("secret = os.environ[\"X\"]", "secret"),
            ("https://host/path@2x", "://"),
            ("curl --user-agent x https://y:1/", "curl"),
            ("INSERT INTO t (id, kind, t_id) VALUES ('1', 'password', 'abcdef');", "password"),
            ("('1', 'password', 'abcdef', '2'),", "password"),
            ("\"1\",\"password\",\"abcdef\"", "password"),
            ("INSERT INTO t (\"password\", \"mail\") SELECT a, b", "password"),
            ("call(a, password)", "password"),
            ("<div class=\"login panel-basic bg-neutral-11 mvxl\">", "basic"),
            ("INTO t (a, password", "password"),
        ] {
            assert_eq!(found(text, keyword), [], "{text}");
        }
    }
}
