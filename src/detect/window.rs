//! The bytes that a rule may see around a keyword hit.
//!
//! **Contract: a verdict depends on its window alone.** Everything after the prefilter gets these bytes
//! and nothing else, so detection is independent of chunking, of threads, and of how history is read.
//! **Contract: reach is bounded.** A window is never longer than its rule's reach allows.

use std::ops::Range;

use crate::{content::Copied, detect::prefilter::Hit, rule::Reach};

/// How far a window of bounded lines may reach, over a set of rules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineReach {
    /// The most bytes before a keyword's start.
    pub before: usize,
    /// The most bytes after a keyword's end.
    pub after: usize,
    /// The most lines below the keyword's own.
    pub below: usize,
}

/// The last line end in `text`. NUL is one too: it bounds the text runs of binary files.
fn last_line_end(text: &[u8]) -> Option<usize> {
    memchr::memrchr2(b'\n', 0, text)
}

/// The first line end in `text`.
fn first_line_end(text: &[u8]) -> Option<usize> {
    memchr::memchr2(b'\n', 0, text)
}

/// The window of a hit. For [`Reach::Whole`] it is the haystack.
pub fn window(haystack: &[u8], hit: &Hit, reach: Reach, below: usize) -> Range<usize> {
    match reach {
        Reach::Whole => 0..haystack.len(),
        Reach::Span { before, after } => {
            hit.start.saturating_sub(before as usize)..(hit.end + after as usize).min(haystack.len())
        }
        Reach::Line { before, after } => {
            let first = hit.start.saturating_sub(before as usize);
            let start = last_line_end(&haystack[first..hit.start]).map_or(first, |at| first + at + 1);
            let last = (hit.end + after as usize).min(haystack.len());
            let mut end = hit.end;
            for line in 0..=below {
                end = first_line_end(&haystack[end..last]).map_or(last, |at| end + at + usize::from(line < below));
                if end == last {
                    break;
                }
            }
            start..end
        }
    }
}

/// A copied range with what is known about its ends.
#[derive(Debug, Clone, Copy)]
pub struct Interior {
    /// The copied range.
    pub copied: Copied,
    /// Hits that start here or later have all that stands before them in their line windows copied.
    pub start: usize,
    /// Hits that end here or earlier have all that stands after them in their line windows copied.
    pub end: usize,
    /// Both contents start with this range.
    at_start: bool,
    /// Both contents end with this range.
    at_end: bool,
}

impl Interior {
    /// Works out the interior of a copied range.
    pub fn new(haystack: &[u8], base_len: usize, copied: Copied, reach: LineReach) -> Interior {
        let (first, last) = (copied.to, copied.to + copied.len);
        let at_start = copied.to == 0 && copied.from == 0;
        let at_end = last == haystack.len() && copied.from + copied.len == base_len;
        let start = if at_start {
            0
        } else {
            let far = (first + reach.before).min(last);
            first_line_end(&haystack[first..far]).map_or(far, |at| first + at + 1)
        };
        let end = if at_end {
            last
        } else {
            let near = last.saturating_sub(reach.after).max(first);
            let mut end = last;
            for _ in 0..=reach.below {
                match last_line_end(&haystack[near..end]) {
                    Some(at) => end = near + at,
                    None => {
                        end = near;
                        break;
                    }
                }
            }
            end
        };
        Interior { copied, start, end, at_start, at_end }
    }

    /// Whether a hit's line windows are copied as a whole.
    pub fn contains(&self, hit: &Hit) -> bool {
        self.start <= hit.start && hit.end <= self.end
    }

    /// Which of these hits of the base, by start and none longer than `longest`, are contained for certain.
    pub fn sure(&self, hits: &[Hit], longest: usize) -> Range<usize> {
        let moved = |hit: &Hit| hit.start - self.copied.from + self.copied.to;
        let first = hits.partition_point(|hit| moved(hit) < self.start);
        first..first.max(hits.partition_point(|hit| moved(hit) + longest <= self.end))
    }

    /// Whether this hit's window of fixed reach is copied as a whole.
    pub fn covers(&self, hit: &Hit, reach: Reach) -> bool {
        let Reach::Span { before, after } = reach else { return matches!(reach, Reach::Line { .. }) };
        (self.at_start || hit.start >= self.copied.to + before as usize)
            && (self.at_end || hit.end + after as usize <= self.copied.to + self.copied.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hit(start: usize, end: usize) -> Hit {
        Hit { start, end, keyword: 0 }
    }

    #[test]
    fn a_line_window_ends_at_line_ends_and_at_its_reach() {
        let text = b"first\nsecond line\nthird\nfourth";
        let reach = Reach::Line { before: 100, after: 100 };
        assert_eq!(&text[window(text, &hit(13, 17), reach, 0)], b"second line");
        assert_eq!(&text[window(text, &hit(13, 17), reach, 1)], b"second line\nthird");
        let short = Reach::Line { before: 2, after: 1 };
        assert_eq!(&text[window(text, &hit(8, 10), short, 0)], b"secon");
    }
}
