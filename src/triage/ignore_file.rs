//! `.keysiftignore`: paths that are not looked at, in gitignore's syntax.

use std::path::Path;

use bstr::{BStr, ByteSlice};
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use super::tidy;
use crate::error::{Error, Result};

/// The name that an ignore file has at the root of a repository.
pub const NAME: &str = ".keysiftignore";

/// Paths that an ordinary pattern does not name: where all of them are ignored, everything is.
const PROBES: &[&str] =
    &["keysift-probe-1f0c", "keysift-probe-1f0c/a9/b7/c3", "src/keysift-probe-1f0c.rs", ".keysift/.probe-1f0c"];

/// The patterns of an ignore file.
#[derive(Debug, Clone)]
pub struct IgnoreFile {
    matcher: Gitignore,
    remarks: Vec<String>,
}

impl IgnoreFile {
    /// Reads patterns; where there are several texts, the last matching pattern of all counts. `name` is
    /// what messages call a text.
    ///
    /// # Errors
    /// A pattern is malformed: with file and line.
    pub fn parse<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<IgnoreFile> {
        let mut builder = GitignoreBuilder::new("");
        let mut remarks = Vec::new();
        for (name, text) in texts {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            for (number, line) in text.lines().enumerate() {
                let at = number + 1;
                if matches!(line.get(..7), Some("<<<<<<<" | ">>>>>>>")) || line == "=======" {
                    return Err(Error::new(format!("{name}:{at}"))
                        .because("a merge conflict is not resolved")
                        .help("keep the lines that you want"));
                }
                builder.add_line(None, line).map_err(|e| {
                    Error::new(format!("{name}:{at}")).because(e).help("patterns are those of .gitignore")
                })?;
                if let Ok(alone) = GitignoreBuilder::new("").add_line(None, line).and_then(|b| b.build())
                    && hides_all(&alone)
                {
                    remarks.push(format!("{name}:{at}: the pattern `{}` hides every file", line.trim()));
                }
            }
        }
        let matcher = builder.build().map_err(|e| Error::new("cannot use the ignore patterns").because(e))?;
        if !hides_all(&matcher) {
            // A later pattern takes it back.
            remarks.clear();
        }
        Ok(IgnoreFile { matcher, remarks })
    }

    /// Whether a path is ignored, by itself or by one of its folders.
    pub fn covers(&self, path: &BStr) -> bool {
        if self.matcher.is_empty() {
            return false;
        }
        let path = tidy(path);
        let path = path.strip_prefix(b"/").unwrap_or(path);
        // A path with a root of another kind (`C:\`) is outside of what patterns speak of.
        // `.///x` would have a root once its `./` is gone.
        let path: std::path::PathBuf = path.to_path_lossy().components().collect();
        if path.as_os_str().is_empty() || path.has_root() {
            return false;
        }
        matches!(self.matcher.matched_path_or_any_parents(path, false), Match::Ignore(_))
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.matcher.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.matcher.is_empty()
    }

    /// What the person who wrote it should know.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

fn hides_all(matcher: &Gitignore) -> bool {
    !matcher.is_empty()
        && PROBES
            .iter()
            .all(|path| matches!(matcher.matched_path_or_any_parents(Path::new(path), false), Match::Ignore(_)))
}
