//! GitHub's `primaryLocationLineHash`: how code scanning knows an alert again when lines move.
//!
//! The algorithm of github/codeql-action, `src/fingerprints.ts`: a rolling hash over the 100 UTF-16
//! units from the start of a line on, without spaces and tabs, line ends as `\n`.

/// How many units a hash is over.
const BLOCK: usize = 100;
/// The multiplier of the rolling hash.
const MULTIPLIER: u64 = 37;
/// What stands for the end of the text.
const END: u16 = 0xffff;

/// The hashes of these lines (from 1, ascending), in order; `None` for lines that the text does not have.
pub(super) fn line_hashes(text: &[u8], lines: &[u32]) -> Vec<Option<String>> {
    let mut found = vec![None; lines.len()];
    if lines.is_empty() {
        return found;
    }
    let mut hasher = Hasher { lines, found: &mut found, ..Hasher::new() };
    for chunk in text.utf8_chunks() {
        chunk.valid().encode_utf16().for_each(|unit| hasher.take(unit));
        if !chunk.invalid().is_empty() {
            hasher.take(0xfffd);
        }
    }
    hasher.take(END);
    for _ in 0..BLOCK {
        hasher.emit();
        hasher.push(0);
    }
    found
}

struct Hasher<'a> {
    window: [u16; BLOCK],
    /// The line that starts at each place of the window.
    starts: [u32; BLOCK],
    hash: u64,
    first: u64,
    at: usize,
    line: u32,
    at_line_start: bool,
    after_cr: bool,
    seen: std::collections::HashMap<u64, u32>,
    lines: &'a [u32],
    found: &'a mut [Option<String>],
}

impl Hasher<'_> {
    fn new() -> Self {
        let first = (0..BLOCK).fold(1u64, |f, _| f.wrapping_mul(MULTIPLIER));
        Hasher {
            window: [0; BLOCK],
            starts: [0; BLOCK],
            hash: 0,
            first,
            at: 0,
            line: 0,
            at_line_start: true,
            after_cr: false,
            seen: std::collections::HashMap::new(),
            lines: &[],
            found: &mut [],
        }
    }

    fn take(&mut self, unit: u16) {
        const SPACE: u16 = b' ' as u16;
        const TAB: u16 = b'\t' as u16;
        const LF: u16 = b'\n' as u16;
        const CR: u16 = b'\r' as u16;
        if unit == SPACE || unit == TAB || self.after_cr && unit == LF {
            self.after_cr = false;
            return;
        }
        self.after_cr = unit == CR;
        let unit = if unit == CR { LF } else { unit };
        self.emit();
        if self.at_line_start {
            self.at_line_start = false;
            self.line += 1;
            self.starts[self.at] = self.line;
        }
        self.at_line_start = unit == LF;
        self.push(unit);
    }

    /// The line that starts where the window wraps has all its units.
    fn emit(&mut self) {
        let line = std::mem::take(&mut self.starts[self.at]);
        if line == 0 {
            return;
        }
        let count = self.seen.entry(self.hash).or_default();
        *count += 1;
        if let Ok(at) = self.lines.binary_search(&line) {
            self.found[at] = Some(format!("{:x}:{count}", self.hash));
        }
    }

    fn push(&mut self, unit: u16) {
        let old = u64::from(self.window[self.at]);
        self.window[self.at] = unit;
        self.hash =
            self.hash.wrapping_mul(MULTIPLIER).wrapping_add(u64::from(unit)).wrapping_sub(self.first.wrapping_mul(old));
        self.at = (self.at + 1) % BLOCK;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values are those of codeql-action's own tests (`src/fingerprints.test.ts`).
    #[test]
    fn hashes_are_github_s() {
        let text = b" a\nb\n  \t\tc\n d";
        let lines: Vec<u32> = (1..=4).collect();
        let found: Vec<String> = line_hashes(text, &lines).into_iter().flatten().collect();
        assert_eq!(found, ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"]);
    }
}
