//! The commits in scope: which are reachable, in which order, and what holds them.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use super::{
    object::{self, Commit, Kind},
    objects::{Absent, Objects},
};
use crate::source::oid::Oid;

/// A commit in scope.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its id.
    pub id: Oid,
    /// Its tree.
    pub tree: Oid,
    /// Its parents by place in the list; those out of scope too, if they were read.
    pub parents: Vec<u32>,
    /// Parents that were not read yet.
    unread: Vec<Oid>,
    /// When it was committed, in seconds since 1970.
    pub seconds: i64,
    /// Whether it is in scope (and not only known as a parent of one that is).
    pub wanted: bool,
}

/// The commits that were read.
#[derive(Debug, Default)]
pub struct Commits {
    /// In the order of reading.
    pub nodes: Vec<Node>,
    by_id: HashMap<Oid, u32>,
    /// Commits that were read beforehand.
    ready: HashMap<Oid, Commit>,
    /// Commits that are named and could not be read.
    pub absent: Vec<(Oid, Absent)>,
}

impl Commits {
    /// Reads what `include` reaches and `exclude` does not. Commits of `shallow` have no parents here.
    ///
    /// Newest first, as git does it, so that a short range of a long history reads only a little of it.
    ///
    /// `ready` may hold commits that were read beforehand. Where it is stopped, there are only some of them.
    pub fn reachable(
        objects: &Objects,
        ready: HashMap<Oid, Commit>,
        include: &[Oid],
        exclude: &[Oid],
        shallow: &HashSet<Oid>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Commits {
        let mut commits = Commits { ready, ..Commits::default() };
        let mut queue: BinaryHeap<(i64, Reverse<u32>)> = BinaryHeap::new();
        let (mut excluded, mut done): (Vec<bool>, Vec<bool>) = (Vec::new(), Vec::new());
        for (ids, out) in [(exclude, true), (include, false)] {
            for id in ids {
                let Some(at) = commits.read(objects, *id) else { continue };
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
            for parent in commits.parents(objects, node, shallow) {
                excluded.resize(commits.nodes.len(), false);
                done.resize(commits.nodes.len(), false);
                let news = out && !excluded[parent as usize];
                excluded[parent as usize] |= out;
                if news || !done[parent as usize] {
                    queue.push((commits.nodes[parent as usize].seconds, Reverse(parent)));
                }
            }
            let settled =
                |queue: &BinaryHeap<(i64, Reverse<u32>)>| queue.iter().all(|(_, Reverse(at))| excluded[*at as usize]);
            if !exclude.is_empty() && settled(&queue) && !commits.newer_wanted(&queue) {
                break;
            }
        }
        commits.ready = HashMap::new();
        commits
    }

    /// Whether a wanted commit is as old as what is still to be looked at (clocks differ).
    fn newer_wanted(&self, queue: &BinaryHeap<(i64, Reverse<u32>)>) -> bool {
        let newest = queue.peek().map_or(i64::MIN, |(seconds, _)| *seconds);
        self.nodes.iter().rev().take(64).any(|n| n.wanted && n.seconds <= newest)
    }

    /// The parents of a commit that can be read, read on the first call.
    fn parents(&mut self, objects: &Objects, at: usize, shallow: &HashSet<Oid>) -> Vec<u32> {
        let ids = std::mem::take(&mut self.nodes[at].unread);
        if !shallow.contains(&self.nodes[at].id) {
            let mut parents: Vec<u32> = ids.into_iter().filter_map(|id| self.read(objects, id)).collect();
            parents.extend(&self.nodes[at].parents);
            parents.sort_unstable();
            parents.dedup();
            self.nodes[at].parents = parents;
        }
        self.nodes[at].parents.clone()
    }

    fn read(&mut self, objects: &Objects, id: Oid) -> Option<u32> {
        if let Some(at) = self.by_id.get(&id) {
            return (*at != u32::MAX).then_some(*at);
        }
        let commit = match self.ready.remove(&id).map_or_else(|| objects.read(id.as_bytes()).map(Err), |c| Ok(Ok(c))) {
            Ok(Ok(commit)) => Ok(commit),
            Ok(Err((Kind::Commit, bytes))) => {
                object::commit(&bytes).ok_or_else(|| Absent::Corrupt("it is no commit that git would write".into()))
            }
            Ok(_) => Err(Absent::Corrupt("it is named as a commit and is none".into())),
            Err(absent) => Err(absent),
        };
        match commit {
            Ok(commit) => {
                let at = self.nodes.len() as u32;
                self.nodes.push(Node {
                    id,
                    tree: commit.tree,
                    parents: Vec::new(),
                    unread: commit.parents,
                    seconds: commit.seconds,
                    wanted: false,
                });
                self.by_id.insert(id, at);
                Some(at)
            }
            Err(absent) => {
                self.by_id.insert(id, u32::MAX);
                self.absent.push((id, absent));
                None
            }
        }
    }

    /// The place of a commit in the list.
    pub fn find(&self, id: &Oid) -> Option<u32> {
        self.by_id.get(id).copied().filter(|at| *at != u32::MAX)
    }

    /// For each commit its place in an order in which parents stand before their children, older ones
    /// first; the same whatever the order of reading.
    pub fn order(&self) -> Vec<u32> {
        let mut children: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        let mut waiting: Vec<u32> = vec![0; self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            waiting[at] = node.parents.len() as u32;
            node.parents.iter().for_each(|p| children[*p as usize].push(at as u32));
        }
        let key = |at: u32| Reverse((self.nodes[at as usize].seconds, self.nodes[at as usize].id, at));
        let mut ready: BinaryHeap<_> =
            (0..self.nodes.len() as u32).filter(|at| waiting[*at as usize] == 0).map(key).collect();
        let mut order = vec![u32::MAX; self.nodes.len()];
        let mut next = 0;
        while let Some(Reverse((_, _, at))) = ready.pop() {
            order[at as usize] = next;
            next += 1;
            for child in &children[at as usize] {
                waiting[*child as usize] -= 1;
                if waiting[*child as usize] == 0 {
                    ready.push(key(*child));
                }
            }
        }
        order
    }

    /// For each commit whether one of these reaches it.
    pub fn reached_from(&self, tips: &[Oid]) -> Vec<bool> {
        let mut reached = vec![false; self.nodes.len()];
        let mut todo: Vec<u32> = tips.iter().filter_map(|id| self.find(id)).collect();
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut reached[at as usize], true) {
                todo.extend(&self.nodes[at as usize].parents);
            }
        }
        reached
    }
}
