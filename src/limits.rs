//! The limits of a scan: what each is, its value (from the constant itself), and how it is said when it is met.

use crate::{
    detect::{ENCODINGS, INFLATED, LONGEST_ENCODED},
    gap::GapKind,
    rule::schema::LONGEST_REACH,
    source::archive::{DEPTH, ENTRIES, EXPANDED, FREE, RATIO, WINDOW},
};

/// One limit.
#[derive(Debug, Clone)]
pub struct Limit {
    /// What it is a limit on.
    pub what: &'static str,
    /// Its value, for people.
    pub value: String,
    /// The gap that says so when it is met; `None` where nothing is left out of a scan.
    pub gap: Option<GapKind>,
    /// What is behind it, or what to do.
    pub note: &'static str,
}

/// Every limit, in the order of the flow.
pub fn all() -> Vec<Limit> {
    let limit = |what, value: String, gap, note| Limit { what, value, gap, note };
    vec![
        limit("size of a file", "none".into(), Some(GapKind::Size), "--max-size or max_size sets one"),
        limit("archives inside archives", DEPTH.to_string(), Some(GapKind::Archive), "compressed files count, too"),
        limit("entries of an archive, over all levels", ENTRIES.to_string(), Some(GapKind::Archive), ""),
        limit("bytes that a content expands to, over all levels", bytes(EXPANDED), Some(GapKind::Archive), ""),
        limit(
            "times that a content expands to its size",
            RATIO.to_string(),
            Some(GapKind::Archive),
            "however small it is, it may expand to the bytes of the next line",
        ),
        limit("bytes that any content may expand to", bytes(FREE), Some(GapKind::Archive), ""),
        limit(
            "memory that a decoder may ask for",
            bytes(WINDOW),
            Some(GapKind::Archive),
            "what xz -9 and zstd -19 need",
        ),
        limit("length of one encoded text", bytes(LONGEST_ENCODED), Some(GapKind::Decoding), "base64, hex, escapes"),
        limit("encodings inside encodings", ENCODINGS.to_string(), None, "what is encoded more often stays as it is"),
        limit(
            "times that gzip in base64 expands to its size",
            INFLATED.to_string(),
            None,
            "what lies beyond is not searched",
        ),
        limit("`reach` that a rule may ask for", bytes(LONGEST_REACH), None, "a rule that asks for more does not load"),
    ]
}

/// A line for each limit, for the program's long help.
pub fn text() -> String {
    let mut text = String::from("Limits (docs/limits.md; what meets one is a gap of the kind in brackets):\n");
    for Limit { what, value, gap, note } in all() {
        let gap = gap.map(|gap| format!(" [{}]", gap.name())).unwrap_or_default();
        let note = if note.is_empty() { String::new() } else { format!("; {note}") };
        text.push_str(&format!("  {what}: {value}{gap}{note}\n"));
    }
    text
}

fn bytes(n: usize) -> String {
    match n {
        n if n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}
