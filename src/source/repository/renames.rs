//! Which removed file a new one was before: by identity, then by likeness, as git does it.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hasher},
};

use bstr::ByteSlice;

use super::{
    ObjectKind, Repository,
    index_file::{Changes, MODE_LINK, MODE_TREE, Removal},
};
use crate::source::oid::Oid;

/// Pairs of files that are compared at most; beyond, a file counts as new, as with git.
const MOST_PAIRS: usize = 100_000;
/// Larger files are compared by identity only.
const LARGEST: usize = 8 << 20;
/// Percentage of a file that must be in the other, as with git.
const LIKENESS: usize = 50;

/// For new files, by their place in `changes.changed`: the content they had under their old name.
pub(super) fn find(repo: &Repository, changes: &Changes) -> HashMap<usize, Oid> {
    let mut found = HashMap::new();
    let mut new: Vec<usize> = (0..changes.changed.len())
        .filter(|&i| changes.changed[i].old.is_none() && changes.changed[i].stage == 0)
        .collect();
    if new.is_empty() || changes.removed.is_empty() {
        return found;
    }
    let removed = files(repo, &changes.removed);

    let mut same: HashMap<Oid, Vec<usize>> = HashMap::new();
    for (i, old) in removed.iter().enumerate().rev() {
        same.entry(old.oid).or_default().push(i);
    }
    let mut used = vec![false; removed.len()];
    new.retain(|&i| {
        let change = &changes.changed[i];
        let Some(candidates) = same.get_mut(&change.oid) else { return true };
        let named = candidates.iter().rposition(|&o| file_name(&removed[o].path) == file_name(&change.path));
        let Some(old) = named.or(candidates.len().checked_sub(1)).map(|at| candidates.remove(at)) else { return true };
        used[old] = true;
        found.insert(i, removed[old].oid);
        false
    });

    new.retain(|&i| changes.changed[i].mode != MODE_LINK);
    let old: Vec<usize> = (0..removed.len()).filter(|&o| !used[o] && removed[o].mode != MODE_LINK).collect();
    if new.is_empty() || old.is_empty() || new.len().saturating_mul(old.len()) > MOST_PAIRS {
        return found;
    }
    let chunks = |oid: Oid| match repo.read(oid) {
        Ok(blob) if blob.kind == ObjectKind::Blob && blob.bytes.len() <= LARGEST => Chunks::of(&blob.bytes),
        _ => Chunks::default(),
    };
    let old: Vec<(usize, Chunks)> = old.into_iter().map(|o| (o, chunks(removed[o].oid))).collect();
    let mut pairs = Vec::new();
    for &i in &new {
        let change = &changes.changed[i];
        let chunks = chunks(change.oid);
        for (o, theirs) in &old {
            let likeness = chunks.likeness(theirs);
            if likeness >= LIKENESS {
                let same_name = file_name(&removed[*o].path) == file_name(&change.path);
                pairs.push((likeness, same_name, i, *o));
            }
        }
    }
    // The most alike first; among equals those that kept the file's name, then in order of paths.
    pairs.sort_by(|a, b| (b.0, b.1).cmp(&(a.0, a.1)).then((a.2, a.3).cmp(&(b.2, b.3))));
    for (_, _, i, o) in pairs {
        if !used[o] && !found.contains_key(&i) {
            used[o] = true;
            found.insert(i, removed[o].oid);
        }
    }
    found
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit_once_str("/").map_or(path, |(_, name)| name)
}

/// The files below removed folders.
fn files(repo: &Repository, removed: &[Removal]) -> Vec<Removal> {
    let (mut files, mut left): (Vec<Removal>, Vec<Removal>) = (Vec::new(), removed.to_vec());
    left.reverse();
    while let Some(removal) = left.pop() {
        if removal.mode != MODE_TREE {
            files.push(removal);
            continue;
        }
        // A tree that cannot be read offers no old names: what is new stays new, which is the safe side.
        for entry in repo.read_tree(removal.oid).unwrap_or_default().into_iter().rev() {
            let path = [removal.path.as_slice(), b"/", &entry.name].concat().into();
            left.push(Removal { path, mode: entry.mode, oid: entry.oid });
        }
    }
    files
}

/// A file as a bag of lines (or of 64 bytes, where lines are longer).
#[derive(Default)]
struct Chunks {
    /// Hash and number of bytes, sorted by hash.
    bytes: Vec<(u64, usize)>,
    total: usize,
}

impl Chunks {
    fn of(mut content: &[u8]) -> Chunks {
        let (total, mut bytes) = (content.len(), Vec::new());
        while !content.is_empty() {
            let most = content.len().min(64);
            let len = memchr::memchr(b'\n', &content[..most]).map_or(most, |at| at + 1);
            let mut hasher = DefaultHasher::new();
            hasher.write(&content[..len]);
            bytes.push((hasher.finish(), len));
            content = &content[len..];
        }
        bytes.sort_unstable();
        bytes.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.1 += next.1;
            }
            same
        });
        Chunks { bytes, total }
    }

    /// How much of the larger is in the smaller, in percent.
    fn likeness(&self, other: &Chunks) -> usize {
        let (smaller, larger) = (self.total.min(other.total), self.total.max(other.total));
        if smaller == 0 || smaller * 100 < larger * LIKENESS {
            return 0;
        }
        let (mut a, mut b, mut common) = (self.bytes.iter().peekable(), other.bytes.iter().peekable(), 0);
        while let (Some(one), Some(two)) = (a.peek(), b.peek()) {
            match one.0.cmp(&two.0) {
                std::cmp::Ordering::Less => drop(a.next()),
                std::cmp::Ordering::Greater => drop(b.next()),
                std::cmp::Ordering::Equal => {
                    common += one.1.min(two.1);
                    a.next();
                    b.next();
                }
            }
        }
        common * 100 / larger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likeness_is_that_of_lines() {
        let text: String = (0..40).map(|i| format!("line {i} of a text\n")).collect();
        let of = |s: &str| Chunks::of(s.as_bytes());
        assert_eq!(of(&text).likeness(&of(&text)), 100);
        assert!(of(&text).likeness(&of(&(text.clone() + "token = x\n"))) > 90);
        assert_eq!(of(&text).likeness(&of(&text.replace("text", "poem"))), 0);
        assert_eq!(of(&text).likeness(&of("")), 0);
    }
}
