//! A short range of commits: what each of them changed against its parents, by comparing trees.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bstr::BString;

use super::{Appearance, History, Inspector, Outcome, Scope, object, objects::Absent, too_many};
use crate::{
    content::Place,
    gap::{Gap, GapKind},
    source::oid::Oid,
};

/// How many folders of a commit are compared.
const MOST_FOLDERS: usize = 1_000_000;
/// The longest path that is followed, in bytes: a tree inside of itself has no end.
const LONGEST_PATH: usize = 64 << 10;

/// A file that a commit has and none of its parents has like this.
#[derive(Debug)]
struct Change {
    path: BString,
    blob: Oid,
}

/// What one commit did.
#[derive(Debug, Default)]
struct Changes {
    new: Vec<Change>,
    /// Contents that a parent has at the path of a change, or at a path that is gone.
    old: BTreeSet<Oid>,
    /// For each path what parents have there.
    before: HashMap<BString, Vec<Oid>>,
}

/// An entry of a tree, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    name: BString,
    id: Oid,
    is_tree: bool,
    is_submodule: bool,
}

/// Looks at what the commits in scope introduced.
pub(super) fn inspect<I: Inspector>(history: &History, inspector: &I, scope: &Scope, outcome: &mut Outcome) {
    let mut known: HashMap<Oid, Vec<u64>> = HashMap::new();
    let mut head: HashMap<BString, Option<Oid>> = HashMap::new();
    let (mut blobs, mut bytes) = (0, 0);
    let mut gaps = Vec::new();
    let mut submodules = BTreeSet::new();
    let mut secrets_of = |id: Oid, gaps: &mut Vec<Gap>| -> Vec<u64> {
        known
            .entry(id)
            .or_insert_with(|| match history.look(inspector, &id) {
                Ok((len, secrets)) => {
                    blobs += 1;
                    bytes += len;
                    secrets
                }
                Err(absent) => {
                    gaps.push(history.gap(id, absent, "blob"));
                    Vec::new()
                }
            })
            .clone()
    };
    for (at, node) in scope.commits.nodes.iter().enumerate().filter(|(_, n)| n.wanted) {
        if inspector.is_stopped() {
            gaps.push(Gap::new(GapKind::Interrupted, "history", "the scan was interrupted"));
            break;
        }
        let parents: Vec<Oid> = node.parents.iter().map(|p| scope.tree(&history.objects, *p as usize)).collect();
        let changes = changes(history, scope.tree(&history.objects, at), parents, &mut gaps, &mut submodules);
        // What moved from one file to another within a commit is not new.
        let mut moved: Option<BTreeSet<u64>> = None;
        for change in &changes.new {
            let secrets = secrets_of(change.blob, &mut gaps);
            if !secrets.is_empty() {
                let old =
                    moved.get_or_insert_with(|| changes.old.iter().flat_map(|id| secrets_of(*id, &mut gaps)).collect());
                let before: BTreeSet<u64> = changes
                    .before
                    .get(&change.path)
                    .into_iter()
                    .flatten()
                    .flat_map(|id| secrets_of(*id, &mut gaps))
                    .collect();
                let in_head = head.entry(change.path.clone()).or_insert_with(|| {
                    scope.head.and_then(|h| blob_at(history, scope.tree(&history.objects, h as usize), &change.path))
                });
                let in_head = in_head.map_or_else(Vec::new, |id| secrets_of(id, &mut gaps));
                let new: BTreeMap<u64, bool> = secrets
                    .into_iter()
                    .filter(|s| !old.contains(s) && !before.contains(s))
                    .map(|s| (s, in_head.contains(&s)))
                    .collect();
                if !new.is_empty() {
                    let appearance = scope.appearance(&history.objects, at, change.path.clone(), Place::Content, new);
                    outcome.appearances.push(Appearance { object: Some(change.blob), ..appearance });
                }
            }
            let name: BString = change.path.rsplitn(2, |b| *b == b'/').next().unwrap_or_default().into();
            if !changes.before.contains_key(&change.path) {
                let secrets: BTreeMap<u64, bool> = inspector.secrets(&name).into_iter().map(|s| (s, false)).collect();
                if !secrets.is_empty() {
                    let appearance =
                        scope.appearance(&history.objects, at, change.path.clone(), Place::FileName, secrets);
                    outcome.appearances.push(Appearance { text: Some(name.into()), ..appearance });
                }
            }
        }
    }
    outcome.blobs += blobs;
    outcome.bytes += bytes;
    outcome.gaps.append(&mut gaps);
    for path in submodules {
        outcome.gaps.push(Gap::new(GapKind::Submodule, path, "the submodule's own history was not scanned"));
    }
}

/// Compares a commit's tree with those of its parents.
fn changes(
    history: &History,
    tree: Oid,
    parents: Vec<Oid>,
    gaps: &mut Vec<Gap>,
    submodules: &mut BTreeSet<BString>,
) -> Changes {
    let mut changes = Changes::default();
    let root = tree;
    let mut todo = vec![(BString::default(), Some(tree), parents)];
    let mut folders = 0;
    while let Some((path, tree, parents)) = todo.pop() {
        folders += 1;
        if folders > MOST_FOLDERS || path.len() > LONGEST_PATH {
            gaps.push(too_many(root, MOST_FOLDERS));
            break;
        }
        if tree.is_some_and(|t| parents.contains(&t)) {
            continue;
        }
        let now = tree.map_or_else(Vec::new, |t| items(history, t, gaps));
        let then: Vec<Vec<Item>> = parents.iter().map(|t| items(history, *t, gaps)).collect();
        let below = |name: &BString| {
            let mut path = path.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            path
        };
        for item in &now {
            let old: Vec<&Item> = then.iter().flatten().filter(|o| o.name == item.name).collect();
            if old.iter().any(|o| o.id == item.id && o.is_tree == item.is_tree) {
                continue;
            }
            let path = below(&item.name);
            if item.is_submodule {
                submodules.insert(path);
            } else if item.is_tree {
                todo.push((path, Some(item.id), old.iter().filter(|o| o.is_tree).map(|o| o.id).collect()));
            } else {
                let old: Vec<Oid> = old.iter().filter(|o| !o.is_tree && !o.is_submodule).map(|o| o.id).collect();
                changes.old.extend(&old);
                changes.before.insert(path.clone(), old);
                changes.new.push(Change { path, blob: item.id });
            }
        }
        let mut gone: Vec<&Item> = then.iter().flatten().filter(|o| !now.iter().any(|i| i.name == o.name)).collect();
        gone.dedup();
        for item in gone {
            if item.is_tree {
                todo.push((below(&item.name), None, vec![item.id]));
            } else if !item.is_submodule {
                changes.old.insert(item.id);
            }
        }
    }
    for change in &changes.new {
        if changes.before.get(&change.path).is_some_and(Vec::is_empty) {
            changes.before.remove(&change.path);
        }
    }
    changes
}

fn items(history: &History, tree: Oid, gaps: &mut Vec<Gap>) -> Vec<Item> {
    let content = match history.objects.read(tree.as_bytes()) {
        Ok((_, content)) => content,
        Err(absent) => {
            gaps.push(history.gap(tree, absent, "tree"));
            return Vec::new();
        }
    };
    let (mut items, mut at) = (Vec::new(), 0);
    while at < content.len() {
        let Some(entry) = object::entry(&content, at, history.objects.width) else {
            gaps.push(history.gap(tree, Absent::Corrupt("it is no tree that git would write".into()), "tree"));
            break;
        };
        at = entry.end;
        let id = Oid::from_bytes(entry.id).expect("an entry has an id of the right width");
        items.push(Item { name: entry.name.into(), id, is_tree: entry.is_tree, is_submodule: entry.is_submodule });
    }
    items
}

fn blob_at(history: &History, tree: Oid, path: &[u8]) -> Option<Oid> {
    let mut at = tree;
    let mut parts = path.split(|b| *b == b'/').peekable();
    while let Some(part) = parts.next() {
        let item = items(history, at, &mut Vec::new()).into_iter().find(|i| i.name == part)?;
        if parts.peek().is_none() {
            return (!item.is_tree && !item.is_submodule).then_some(item.id);
        }
        at = item.id;
    }
    None
}
