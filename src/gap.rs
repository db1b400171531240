//! What was asked for and could not be covered.

use bstr::BString;
use serde::{Deserialize, Serialize};

/// One thing that a scan was asked to cover and did not: its kind, its place, the reason.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What sort of gap it is; `--allow-gaps` accepts by kind.
    pub kind: GapKind,
    /// Where: a path, an object id, a revision, the name of the repository.
    pub place: BString,
    /// Why it was not covered, in one sentence without a full stop.
    pub reason: String,
}

impl GapKind {
    /// Whether the place of such a gap in a working tree or index is a path.
    pub(crate) fn is_of_a_path(self) -> bool {
        use GapKind::*;
        matches!(self, Unreadable | Changed | Submodule | NestedRepository | Lfs | Size | Archive | Decoding | Unmerged)
    }
}

impl Gap {
    /// A gap of this kind at this place.
    pub fn new(kind: GapKind, place: impl Into<BString>, reason: impl Into<String>) -> Self {
        Gap { kind, place: place.into(), reason: reason.into() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $remedy:literal;)*) => {
        /// The kinds of gaps. Their names are part of the report format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum GapKind { $($(#[$doc])* $name,)* }

        impl GapKind {
            /// Every kind, in the order of this list.
            pub const ALL: &[GapKind] = &[$(GapKind::$name,)*];

            /// The name in reports and in `--allow-gaps`.
            pub fn name(self) -> &'static str {
                match self { $(GapKind::$name => $text,)* }
            }

            /// What a person can do about it.
            pub fn remedy(self) -> &'static str {
                match self { $(GapKind::$name => $remedy,)* }
            }

            /// The kind of this name.
            pub fn from_name(name: &str) -> Option<GapKind> {
                GapKind::ALL.iter().copied().find(|k| k.name() == name)
            }
        }
    };
}

kinds! {
    /// A file or directory that could not be opened or read.
    Unreadable = "unreadable", "check that it exists and that you may read it";
    /// A file changed while it was read.
    Changed = "changed", "scan again when nothing writes to it";
    /// An object that git names and the object database does not have.
    MissingObject = "missing-object", "run `git fsck`, then fetch or clone again";
    /// An object that is there and does not decode.
    CorruptObject = "corrupt-object", "run `git fsck`, then fetch or clone again";
    /// A pack or its index that cannot be read as a whole.
    CorruptPack = "corrupt-pack", "run `git fsck`, then `git index-pack` or clone again";
    /// A ref that names nothing that is there.
    BrokenRef = "broken-ref", "run `git fsck`, then repair or delete the ref";
    /// The history ends at a shallow boundary.
    Shallow = "shallow", "run `git fetch --unshallow` (in CI: fetch-depth: 0), or accept with --allow-gaps shallow";
    /// A partial clone lacks a promised object.
    Promised = "promised", "run `git fetch --refetch --no-filter`, or accept with --allow-gaps promised";
    /// A submodule that is not checked out.
    Submodule = "submodule", "run `git submodule update --init --recursive`, or accept with --allow-gaps submodule";
    /// A repository inside the repository that is not a submodule.
    NestedRepository = "nested-repository", "scan it on its own";
    /// A Git LFS pointer whose object is not there.
    Lfs = "lfs", "run `git lfs pull`, or accept with --allow-gaps lfs";
    /// A content above the size limit.
    Size = "size", "raise --max-size, or accept with --allow-gaps size";
    /// An archive or compressed file that could not be read to its end.
    Archive = "archive", "scan its unpacked content, or accept with --allow-gaps archive";
    /// The decoding budget of a content was used up.
    Decoding = "decoding", "scan the decoded content on its own, or accept with --allow-gaps decoding";
    /// An unmerged entry of the index.
    Unmerged = "unmerged", "resolve the conflict and scan again";
    /// The scan had nothing to look at.
    NoInput = "no-input", "check the path, the revisions and the ignore files";
    /// The scan had no rules to look with.
    NoRules = "no-rules", "check the configuration and the --only-rule and --skip-rule options";
    /// An interrupted scan.
    Interrupted = "interrupted", "run it again; what was scanned is remembered";
}
