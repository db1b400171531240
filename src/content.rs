//! A content and where it was seen: what sources hand to detection.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// What kind of text a content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// The content of a file.
    Content,
    /// The name of a file.
    FileName,
    /// A commit's message, author or committer.
    Commit,
    /// An annotated tag's message or tagger.
    Tag,
    /// The name of a ref.
    RefName,
    /// Standard input.
    Stdin,
}

/// Where a content was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// The path from the root of what is scanned, with `/`; for texts that are no file a name for people.
    pub path: BString,
    /// What kind of text it is.
    pub place: Place,
    /// The object id in hex, where the content is an object.
    pub blob: Option<String>,
}

/// A content, borrowed from its source.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// Where it was seen.
    pub origin: &'a Origin,
    /// The bytes.
    pub bytes: &'a [u8],
    /// What stood here before: secrets that this has already are not new.
    pub before: Option<&'a [u8]>,
}

/// A range of a content that stands unchanged in the content it was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Where it starts in the base.
    pub from: usize,
    /// Where it starts in the content.
    pub to: usize,
    /// How long it is; at least 1.
    pub len: usize,
}
