//! Where in a text a match stands: lines and columns, and the lines themselves.

use std::ops::Range;

use crate::finding::Position;

/// The longest part of a line that is handed to triage, in bytes.
const LINE_LIMIT: usize = 4096;

/// Counts lines and columns in a text, moving forward only.
#[derive(Debug)]
pub(super) struct Locator<'a> {
    text: &'a [u8],
    at: usize,
    line: u32,
    line_start: usize,
}

impl<'a> Locator<'a> {
    /// At the start of a text.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Locator { text, at: 0, line: 1, line_start: 0 }
    }

    /// The position of an offset; offsets must not descend by more than a line.
    pub(super) fn position(&mut self, offset: usize) -> Position {
        if offset < self.at {
            (self.at, self.line, self.line_start) = (0, 1, 0);
        }
        for newline in memchr::memchr_iter(b'\n', &self.text[self.at..offset]) {
            self.line += 1;
            self.line_start = self.at + newline + 1;
        }
        self.at = offset;
        // A byte order mark takes no column.
        let start = if self.line_start == 0 && self.text.starts_with(b"\xef\xbb\xbf") && offset >= 3 {
            3
        } else {
            self.line_start
        };
        let column = code_points(&self.text[start..offset]) + 1;
        Position { line: self.line, column }
    }
}

/// How many code points a text has; bytes that are no UTF-8 count one each.
fn code_points(text: &[u8]) -> u32 {
    if text.is_ascii() {
        return text.len() as u32;
    }
    text.utf8_chunks().map(|c| c.valid().chars().count() + c.invalid().len()).sum::<usize>() as u32
}

/// The lines that a match stands on, and the line above; each cut around the match to a few KB.
pub(super) fn lines_around(text: &[u8], span: &Range<usize>) -> (Range<usize>, Range<usize>) {
    let first = span.start.saturating_sub(LINE_LIMIT);
    let start = memchr::memrchr(b'\n', &text[first..span.start]).map_or(first, |at| first + at + 1);
    let last = (span.end + LINE_LIMIT).min(text.len());
    let end = memchr::memchr(b'\n', &text[span.end..last]).map_or(last, |at| span.end + at);
    let above_end = start.saturating_sub(1);
    let above_first = above_end.saturating_sub(LINE_LIMIT);
    let above = memchr::memrchr(b'\n', &text[above_first..above_end]).map_or(above_first, |at| above_first + at + 1);
    (start..end, above..above_end)
}
