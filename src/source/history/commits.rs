//! The commits in scope: which are reachable, in which order, and what holds them.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
};

use super::{
    lineage::Lineage,
    object::{self, Kind},
    objects::{Absent, Objects},
};
use crate::source::oid::Oid;

/// A commit in scope.
#[derive(Debug, Clone)]
pub struct Node {
    /// The number of its object.
    pub number: u32,
    /// The number of its tree in the [`Lineage`].
    pub tree: u32,
    /// Its parents by place in the list; those out of scope too, if they were read.
    pub parents: Vec<u32>,
    /// Whether its parents were read.
    is_read: bool,
    /// When it was committed, in seconds since 1970.
    pub seconds: i64,
    /// Whether it is in scope (and not only known as a parent of one that is).
    pub wanted: bool,
}

/// The commits that were read.
#[derive(Debug)]
pub struct Commits {
    /// In the order of reading.
    pub nodes: Vec<Node>,
    /// Number of a commit's object → its place in `nodes`, [`UNREAD`] or [`ABSENT`].
    places: Vec<u32>,
    /// What they say, and others too.
    pub lineage: Lineage,
    /// Commits that are named and could not be read.
    pub absent: Vec<(Oid, Absent)>,
}

/// The children of commits, by place in the list.
struct Children {
    starts: Vec<u32>,
    all: Vec<u32>,
}

impl Children {
    fn of(&self, at: u32) -> &[u32] {
        let end = self.starts.get(at as usize + 1).map_or(self.all.len(), |end| *end as usize);
        &self.all[self.starts[at as usize] as usize..end]
    }
}

/// Nobody asked for it yet.
const UNREAD: u32 = u32::MAX;
/// It cannot be read.
const ABSENT: u32 = u32::MAX - 1;

/// Commits to be looked at, newest first.
type Queue = BinaryHeap<(i64, Reverse<u32>)>;

impl Commits {
    /// Reads what `include` reaches and `exclude` does not. Commits of `shallow` have no parents here.
    ///
    /// Newest first, as git does it, so that a short range of a long history reads only a little of it.
    ///
    /// `lineage` may have commits that were read beforehand. Where it is stopped, there are only some of them.
    pub fn reachable(
        objects: &Objects,
        lineage: Lineage,
        include: &[Oid],
        exclude: &[Oid],
        shallow: &HashSet<Oid>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Commits {
        let places = vec![UNREAD; objects.len()];
        let mut commits = Commits { nodes: Vec::new(), places, lineage, absent: Vec::new() };
        let shallow: HashSet<u32> = shallow.iter().filter_map(|id| objects.find(id.as_bytes())).collect();
        let mut queue = Queue::new();
        let (mut excluded, mut done): (Vec<bool>, Vec<bool>) = (Vec::new(), Vec::new());
        for (ids, out) in [(exclude, true), (include, false)] {
            for id in ids {
                let Some(at) = commits.read_id(objects, id) else { continue };
                excluded.resize(commits.nodes.len(), false);
                excluded[at as usize] |= out;
                queue.push((commits.nodes[at as usize].seconds, Reverse(at)));
            }
        }
        while let Some((_, Reverse(at))) = queue.pop().filter(|_| !is_stopped()) {
            let node = at as usize;
            done.resize(commits.nodes.len(), false);
            let out = excluded[node];
            // A second visit matters only where a commit that was wanted turns out to be excluded.
            if done[node] && !(out && commits.nodes[node].wanted) {
                continue;
            }
            done[node] = true;
            commits.nodes[node].wanted = !out;
            commits.read_parents(objects, node, &shallow);
            excluded.resize(commits.nodes.len(), false);
            done.resize(commits.nodes.len(), false);
            for parent in &commits.nodes[node].parents {
                let news = out && !excluded[*parent as usize];
                excluded[*parent as usize] |= out;
                if news || !done[*parent as usize] {
                    queue.push((commits.nodes[*parent as usize].seconds, Reverse(*parent)));
                }
            }
            let settled = |queue: &Queue| queue.iter().all(|(_, Reverse(at))| excluded[*at as usize]);
            if !exclude.is_empty() && settled(&queue) && !commits.newer_wanted(&queue) {
                break;
            }
        }
        commits
    }

    /// Whether a wanted commit is as old as what is still to be looked at (clocks differ).
    fn newer_wanted(&self, queue: &Queue) -> bool {
        let newest = queue.peek().map_or(i64::MIN, |(seconds, _)| *seconds);
        self.nodes.iter().rev().take(64).any(|n| n.wanted && n.seconds <= newest)
    }

    /// Reads the parents of a commit, as far as they can be read, on the first call.
    fn read_parents(&mut self, objects: &Objects, at: usize, shallow: &HashSet<u32>) {
        let number = self.nodes[at].number;
        if std::mem::replace(&mut self.nodes[at].is_read, true) || shallow.contains(&number) {
            return;
        }
        let numbers = self.lineage.find(number).map_or_else(Vec::new, |(_, parents)| parents.to_vec());
        let mut parents: Vec<u32> = numbers.into_iter().filter_map(|number| self.read(objects, number)).collect();
        parents.sort_unstable();
        parents.dedup();
        self.nodes[at].parents = parents;
    }

    fn read_id(&mut self, objects: &Objects, id: &Oid) -> Option<u32> {
        match objects.find(id.as_bytes()) {
            Some(number) => self.read(objects, number),
            None => {
                self.absent.push((*id, Absent::Missing));
                None
            }
        }
    }

    /// Reads a commit by its number in the lineage: its place in the list.
    fn read(&mut self, objects: &Objects, number: u32) -> Option<u32> {
        match self.places.get(number as usize) {
            None => {
                self.absent.push((self.lineage.oid(objects, number), Absent::Missing));
                return None;
            }
            Some(&UNREAD) => {}
            Some(&ABSENT) => return None,
            Some(&at) => return Some(at),
        }
        if self.lineage.find(number).is_none()
            && let Err(absent) = self.learn(objects, number)
        {
            self.places[number as usize] = ABSENT;
            self.absent.push((objects.oid(number), absent));
            return None;
        }
        let (line, _) = self.lineage.find(number)?;
        let at = self.nodes.len() as u32;
        let (tree, seconds) = (line.tree, line.seconds);
        self.nodes.push(Node { number, tree, parents: Vec::new(), is_read: false, seconds, wanted: false });
        self.places[number as usize] = at;
        Some(at)
    }

    /// Adds a commit to the lineage.
    fn learn(&mut self, objects: &Objects, number: u32) -> Result<(), Absent> {
        let corrupt = |why: &str| Absent::Corrupt(why.into());
        let (kind, bytes) = objects.read(objects.id(number))?;
        if kind != Kind::Commit {
            return Err(corrupt("it is named as a commit and is none"));
        }
        let said = object::commit(&bytes).ok_or_else(|| corrupt("it is no commit that git would write"))?;
        self.lineage.add(objects, number, &said);
        Ok(())
    }

    /// The place of a commit in the list.
    pub fn find(&self, objects: &Objects, id: &Oid) -> Option<u32> {
        let place = self.places[objects.find(id.as_bytes())? as usize];
        (place < ABSENT).then_some(place)
    }

    /// For each commit its place in an order in which parents stand before their children, older ones
    /// first; the same whatever the order of reading.
    pub fn order(&self, objects: &Objects) -> Vec<u32> {
        let children = self.children();
        let mut waiting: Vec<u32> = self.nodes.iter().map(|node| node.parents.len() as u32).collect();
        let head = |number: u32| objects.id(number).first_chunk().map_or(0, |head| u64::from_be_bytes(*head));
        let key = |at: u32| {
            let Node { seconds, number, .. } = self.nodes[at as usize];
            Reverse((seconds, head(number), at))
        };
        let mut ready: BinaryHeap<_> =
            (0..self.nodes.len() as u32).filter(|at| waiting[*at as usize] == 0).map(key).collect();
        let mut order = vec![u32::MAX; self.nodes.len()];
        let mut next = 0;
        while let Some(Reverse((_, _, at))) = ready.pop() {
            order[at as usize] = next;
            next += 1;
            for child in children.of(at) {
                waiting[*child as usize] -= 1;
                if waiting[*child as usize] == 0 {
                    ready.push(key(*child));
                }
            }
        }
        order
    }

    fn children(&self) -> Children {
        let mut ends = vec![0; self.nodes.len()];
        self.nodes.iter().flat_map(|node| &node.parents).for_each(|parent| ends[*parent as usize] += 1);
        let mut end = 0;
        for entry in &mut ends {
            end += *entry;
            *entry = end;
        }
        // Filled from the back: what were ends are starts then.
        let mut all = vec![0; end as usize];
        for (at, node) in self.nodes.iter().enumerate().rev() {
            for parent in &node.parents {
                ends[*parent as usize] -= 1;
                all[ends[*parent as usize] as usize] = at as u32;
            }
        }
        Children { starts: ends, all }
    }

    /// For each commit whether one of these reaches it.
    pub fn reached_from(&self, objects: &Objects, tips: &[Oid]) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        let mut todo: Vec<u32> = tips.iter().filter_map(|id| self.find(objects, id)).collect();
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut reached[at as usize], true) {
                todo.extend(&self.nodes[at as usize].parents);
            }
        }
        reached
    }
}
