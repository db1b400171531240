//! The patch envelope that Codex and its kin write: which files it touches, and what it adds to them.
//!
//! ```text
//! *** Begin Patch
//! *** Update File: src/a.rs
//! *** Move to: src/b.rs
//! @@ fn main
//! -old line
//! +new line
//! *** End Patch
//! ```

use super::event::Action;

/// What a patch does: a write for each file that it adds, changes, deletes or moves to.
pub(super) fn actions(patch: &str) -> Vec<Action> {
    let mut files: Vec<(String, Vec<String>)> = Vec::new();
    for line in patch.lines() {
        let file = ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "]
            .iter()
            .find_map(|mark| line.trim_start().strip_prefix(mark));
        // A unified diff says it otherwise.
        let file = file.or_else(|| line.strip_prefix("+++ ").map(|f| f.strip_prefix("b/").unwrap_or(f)));
        match (file, files.last_mut(), line.strip_prefix('+')) {
            (Some(path), ..) => files.push((path.trim().to_owned(), Vec::new())),
            (None, Some((_, added)), Some(text)) => added.push(text.to_owned()),
            _ => {}
        }
    }
    files.into_iter().map(|(path, added)| Action::Write { path, texts: vec![added.join("\n")] }).collect()
}

/// Whether a text is such a patch.
pub(super) fn is_patch(text: &str) -> bool {
    text.contains("*** Begin Patch")
}
