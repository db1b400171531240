//! Reads every tree once, delta by delta, and keeps of each only what leads to something wanted:
//! its subtrees, and its entries with findings.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
    io::{self, Read},
    ops::Range,
    sync::Mutex,
};

use foldhash::quality::RandomState;
use serde::{Deserialize, Serialize};

use super::{
    delta::Visitor,
    lanes::Lanes,
    object::{self, Entry},
    objects::Objects,
    pack::NONE,
};
use crate::{content::Copied, source::oid::Oid};

/// How many entries each thread remembers: so many that they stay in the processor's second cache.
const RECENT: usize = 1 << 15;

/// A set of numbers.
#[derive(Debug, Default)]
pub struct Bits(Vec<u64>);

impl Bits {
    /// The set of these numbers, all below `end`.
    pub fn of(numbers: impl Iterator<Item = u32>, end: usize) -> Bits {
        let mut words = vec![0u64; end.div_ceil(64)];
        numbers.for_each(|n| words[n as usize / 64] |= 1 << (n % 64));
        Bits(words)
    }

    /// Whether a number is in it.
    pub fn contains(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }
}

/// What an entry of a tree leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Leaf {
    /// A wanted content, by number.
    Blob(u32),
    /// A name that may hold a secret.
    Name,
    /// A commit of a submodule.
    Submodule,
}

/// What is kept of a tree.
#[derive(Debug, Clone, Default)]
struct Kept {
    /// (where the entry starts, name, number of the subtree)
    subtrees: Vec<(u32, u32, u32)>,
    /// (where the entry starts, name, what it leads to)
    leaves: Vec<(u32, u32, Leaf)>,
    /// Whether something that it names is not there, or was not there for a base that may have it too.
    lacks: bool,
}

/// An entry that was not read lately.
struct Fresh<'a> {
    /// Where it starts.
    at: u32,
    /// The hash of all of it.
    hash: u64,
    entry: Entry<'a>,
}

/// What is learnt of a tree for those made from it.
#[derive(Debug)]
pub struct State {
    /// Its number.
    tree: u32,
    /// Where its entries start, and where the last one ends.
    starts: Vec<u32>,
    kept: Kept,
}

/// Where the entries of a tree start, if anybody wants to know.
struct Starts(Option<Vec<u32>>);

impl Starts {
    fn note(&mut self, places: impl Iterator<Item = u32>) {
        if let Some(starts) = &mut self.0 {
            starts.extend(places);
        }
    }

    fn reserve(&mut self, more: usize) {
        if let Some(starts) = &mut self.0 {
            starts.reserve(more);
        }
    }
}

/// Part of the graph, filled by one thread at a time.
#[derive(Debug, Default)]
struct Arena {
    /// Tree, subtrees, leaves, whether it is whole.
    trees: Vec<(u32, u32, u32, bool)>,
    subtrees: Vec<(u32, u32)>,
    leaves: Vec<(u32, Leaf)>,
}

/// Visits trees.
pub struct Trees<'a, N> {
    objects: &'a Objects,
    /// Adds the numbers of a pack's entries up to those of all objects.
    first: u32,
    wanted: &'a Bits,
    /// Whether there is nothing in a name.
    is_clean_name: &'a N,
    shared: &'a Shared,
    is_stopped: &'a (dyn Fn() -> bool + Sync),
}

/// What all visits fill.
#[derive(Debug, Default)]
pub struct Shared {
    names: Mutex<Names>,
    lanes: Lanes<Local>,
    /// (tree, the id of something that is not there)
    missing: Mutex<Vec<(u32, Oid)>>,
    /// (tree, its base that lacks something)
    heirs: Mutex<Vec<(u32, u32)>>,
    /// (tree, why it cannot be read)
    failed: Mutex<Vec<(u32, String)>>,
    /// Makes hashes unforeseeable; the same for all threads.
    seed: RandomState,
}

/// Names by number.
#[derive(Debug, Default)]
struct Names {
    by_name: HashMap<Box<[u8]>, u32>,
    list: Vec<Box<[u8]>>,
}

impl Names {
    fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.by_name.insert(name.into(), number);
        self.list.push(name.into());
        number
    }
}

/// What one thread has of its own.
#[derive(Debug, Default)]
struct Local {
    /// Hashes of names without secrets.
    clean: HashSet<u64, RandomState>,
    recent: Recent,
    arena: Arena,
    /// The numbers of a tree's entries, while it is read.
    numbers: Vec<u32>,
}

/// What entries led to that were read lately: most come back in the trees of many commits.
#[derive(Debug)]
struct Recent(Box<[Recalled]>);

/// An entry that was read.
#[derive(Debug, Clone, Copy)]
struct Recalled {
    /// The hash of the whole entry.
    hash: u64,
    /// The number of its name.
    name: u32,
    /// The number of the subtree, or [`NONE`] where the entry leads to nothing.
    subtree: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Recent(vec![Recalled { hash: 0, name: NONE, subtree: NONE }; RECENT].into())
    }
}

impl Recent {
    /// What the entry of this hash led to.
    fn find(&self, hash: u64) -> Option<Recalled> {
        Some(self.0[hash as usize % RECENT]).filter(|recalled| recalled.hash == hash)
    }

    fn keep(&mut self, recalled: Recalled) {
        self.0[recalled.hash as usize % RECENT] = recalled;
    }
}

impl<'a, N: Fn(&[u8]) -> bool + Sync> Trees<'a, N> {
    /// A visitor for the trees of one pack, whose entries have numbers from `first` on.
    pub fn new(
        objects: &'a Objects,
        first: u32,
        wanted: &'a Bits,
        is_clean_name: &'a N,
        shared: &'a Shared,
        is_stopped: &'a (dyn Fn() -> bool + Sync),
    ) -> Self {
        Trees { objects, first, wanted, is_clean_name, shared, is_stopped }
    }

    /// Keeps what leads to something wanted of entries that the tree's base did not have.
    fn add(&self, local: &mut Local, tree: u32, fresh: &[Fresh<'_>], kept: &mut Kept) {
        self.objects.find_all(fresh.iter().map(|fresh| fresh.entry.id), &mut local.numbers);
        for (Fresh { at, hash, entry }, number) in fresh.iter().zip(&local.numbers) {
            let (at, number) = (*at, *number);
            if entry.is_submodule {
                kept.leaves.push((at, self.name(entry.name), Leaf::Submodule));
                continue;
            }
            let is_clean = self.is_clean(&mut local.clean, entry.name);
            if !is_clean {
                kept.leaves.push((at, self.name(entry.name), Leaf::Name));
            }
            let mut recalled = Recalled { hash: *hash, name: NONE, subtree: NONE };
            if number == NONE {
                let id = Oid::from_bytes(entry.id).expect("an entry has an id of the right width");
                lock(&self.shared.missing).push((tree, id));
                kept.lacks = true;
                continue;
            } else if entry.is_tree {
                (recalled.name, recalled.subtree) = (self.name(entry.name), number);
                kept.subtrees.push((at, recalled.name, number));
            } else if self.wanted.contains(number) {
                kept.leaves.push((at, self.name(entry.name), Leaf::Blob(number)));
                continue;
            }
            if is_clean {
                local.recent.keep(recalled);
            }
        }
    }

    /// Whether there is nothing in a name.
    fn is_clean(&self, clean: &mut HashSet<u64, RandomState>, name: &[u8]) -> bool {
        let hash = self.shared.seed.hash_one(name);
        clean.contains(&hash) || (self.is_clean_name)(name) && clean.insert(hash)
    }

    fn name(&self, name: &[u8]) -> u32 {
        lock(&self.shared.names).number(name)
    }

    /// Reads a tree: the entries in ranges copied from `base` are taken over, the others are read.
    /// Where its entries start is noted for those made from it.
    fn read(
        &self,
        tree: u32,
        content: &[u8],
        base: Option<(&State, &[Copied])>,
        starts: &mut Starts,
    ) -> Result<Kept, String> {
        let mut local = self.shared.lanes.lock();
        let local = &mut *local;
        let width = self.objects.width;
        let (mut kept, mut fresh) = (Kept::default(), Vec::new());
        let mut at = 0;
        let (recent, mut recalled) = (&local.recent, Vec::new());
        let mut parse_to = |starts: &mut Starts, at: &mut usize, end: usize| {
            while *at < end {
                let entry = object::entry(content, *at, width).ok_or("it is no tree that git would write")?;
                starts.note(std::iter::once(*at as u32));
                let hash = self.shared.seed.hash_one(&content[*at..entry.end]);
                match recent.find(hash) {
                    Some(Recalled { subtree: NONE, .. }) => {}
                    Some(Recalled { name, subtree, .. }) => recalled.push((*at as u32, name, subtree)),
                    None => fresh.push(Fresh { at: *at as u32, hash, entry }),
                }
                *at = entry.end;
            }
            Ok::<(), String>(())
        };
        if let Some((base, copied)) = base {
            if base.kept.lacks {
                kept.lacks = true;
                lock(&self.shared.heirs).push((tree, base.tree));
            }
            starts.reserve(base.starts.len() + 4);
            // A mode, a space, a name, a NUL and an id.
            let shortest = 5 + 1 + 1 + 1 + width;
            for part in copied.iter().filter(|part| part.len >= shortest) {
                let shift = |old: u32| old as usize - part.from + part.to;
                let (from, to) = (part.from as u32, (part.from + part.len) as u32);
                // Whole entries of the base inside the copied range: `first..last` of its starts.
                let mut first = base.starts.partition_point(|s| *s < from);
                let last = base.starts.partition_point(|s| *s <= to).saturating_sub(1);
                if first >= last {
                    continue;
                }
                parse_to(starts, &mut at, shift(base.starts[first]))?;
                // Reading may have run beyond the first entry; take over from where both meet.
                while first < last && shift(base.starts[first]) < at {
                    first += 1;
                }
                if first >= last || shift(base.starts[first]) != at {
                    continue;
                }
                let (from, to) = (base.starts[first], base.starts[last]);
                starts.note(base.starts[first..last].iter().map(|s| shift(*s) as u32));
                let inside =
                    |list: &[(u32, u32, u32)]| list.partition_point(|e| e.0 < from)..list.partition_point(|e| e.0 < to);
                let subtrees = &base.kept.subtrees[inside(&base.kept.subtrees)];
                kept.subtrees.extend(subtrees.iter().map(|(s, n, t)| (shift(*s) as u32, *n, *t)));
                let leaves = base.kept.leaves.iter().filter(|e| (from..to).contains(&e.0));
                kept.leaves.extend(leaves.map(|(s, n, l)| (shift(*s) as u32, *n, *l)));
                at = shift(to);
            }
        }
        parse_to(starts, &mut at, content.len())?;
        starts.note(std::iter::once(content.len() as u32));
        kept.subtrees.append(&mut recalled);
        self.add(local, tree, &fresh, &mut kept);
        kept.subtrees.sort_unstable();
        kept.leaves.sort_by_key(|leaf| leaf.0);
        let arena = &mut local.arena;
        // A name with a secret is not for keeping.
        let is_whole = !kept.lacks && kept.leaves.iter().all(|(_, _, leaf)| *leaf != Leaf::Name);
        arena.trees.push((tree, kept.subtrees.len() as u32, kept.leaves.len() as u32, is_whole));
        arena.subtrees.extend(kept.subtrees.iter().map(|(_, name, subtree)| (*name, *subtree)));
        arena.leaves.extend(kept.leaves.iter().map(|(_, name, leaf)| (*name, *leaf)));
        Ok(kept)
    }
}

impl<N: Fn(&[u8]) -> bool + Sync> Visitor for Trees<'_, N> {
    type State = Option<State>;

    fn visit(&self, entry: u32, content: &[u8], base: Option<(&Option<State>, &[Copied])>) -> Option<State> {
        let mut starts = Starts(Some(Vec::new()));
        let kept = self.read(self.first + entry, content, known(base), &mut starts);
        let state = |kept| State { tree: self.first + entry, starts: starts.0.unwrap_or_default(), kept };
        kept.map(state).map_err(|why| self.failed(entry, why)).ok()
    }

    fn visit_last(&self, entry: u32, content: &[u8], base: Option<(&Option<State>, &[Copied])>) {
        if let Err(why) = self.read(self.first + entry, content, known(base), &mut Starts(None)) {
            self.failed(entry, why);
        }
    }

    fn large(&self, _entry: u32, _content: &mut dyn Read) -> io::Result<()> {
        Ok(())
    }

    fn failed(&self, entry: u32, why: String) {
        lock(&self.shared.failed).push((self.first + entry, why));
    }

    fn is_stopped(&self) -> bool {
        (self.is_stopped)()
    }
}

/// A base that could be read.
fn known<'a>(base: Option<(&'a Option<State>, &'a [Copied])>) -> Option<(&'a State, &'a [Copied])> {
    base.and_then(|(state, copied)| Some((state.as_ref()?, copied)))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Where a tree's subtrees and leaves stand in an arena.
#[derive(Debug)]
struct Part {
    arena: u32,
    subtrees: Range<u32>,
    leaves: Range<u32>,
    is_whole: bool,
}

/// How trees hang together, and where they lead to something wanted.
#[derive(Debug, Default)]
pub struct Graph {
    names: Vec<Box<[u8]>>,
    /// Number of the object → place in `trees`.
    places: Vec<u32>,
    trees: Vec<Part>,
    /// What the threads gathered, as it is: to put it together would take as much memory again.
    arenas: Vec<Arena>,
    /// (tree, the id of something that is not there)
    pub missing: Vec<(u32, Oid)>,
    /// (tree, a base that lacks something, which the tree may lack too)
    pub heirs: Vec<(u32, u32)>,
    /// (tree, why it cannot be read)
    pub failed: Vec<(u32, String)>,
}

impl Shared {
    /// Nothing gathered yet. These names have the first numbers.
    pub fn new(names: Vec<Box<[u8]>>) -> Shared {
        let by_name = names.iter().cloned().zip(0..).collect();
        Shared { names: Mutex::new(Names { by_name, list: names }), ..Shared::default() }
    }

    /// Ends the gathering.
    pub fn finish(self, objects: usize) -> Graph {
        let mut graph = Graph { places: vec![u32::MAX; objects], ..Graph::default() };
        for Local { mut arena, .. } in self.lanes.into_values() {
            let (mut subtree, mut leaf) = (0, 0);
            for (number, subtrees, leaves, is_whole) in std::mem::take(&mut arena.trees) {
                graph.places[number as usize] = graph.trees.len() as u32;
                let (subtrees, leaves) = (subtree..subtree + subtrees, leaf..leaf + leaves);
                (subtree, leaf) = (subtrees.end, leaves.end);
                graph.trees.push(Part { arena: graph.arenas.len() as u32, subtrees, leaves, is_whole });
            }
            graph.arenas.push(arena);
        }
        graph.names = into_inner(self.names).list;
        graph.missing = into_inner(self.missing);
        graph.heirs = into_inner(self.heirs);
        graph.failed = into_inner(self.failed);
        graph
    }
}

impl Graph {
    /// How many numbers objects may have.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// The trees that were read.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.places).filter(|(_, place)| **place != u32::MAX).map(|(number, _)| number)
    }

    /// Whether a tree was read, and all that it names is there and can be told.
    pub fn is_whole(&self, number: u32) -> bool {
        self.trees.get(self.places[number as usize] as usize).is_some_and(|part| part.is_whole)
    }

    /// A name by its number.
    pub fn name(&self, number: u32) -> &[u8] {
        &self.names[number as usize]
    }

    /// The subtrees and leaves of a tree; nothing for one that was not read.
    #[allow(clippy::type_complexity)] // Two lists, each of a name and what it stands for.
    pub fn tree(&self, number: u32) -> (&[(u32, u32)], &[(u32, Leaf)]) {
        match self.places.get(number as usize) {
            Some(&place) if place != u32::MAX => {
                let Part { arena, subtrees, leaves, .. } = &self.trees[place as usize];
                let arena = &self.arenas[*arena as usize];
                let list = |range: &Range<u32>| range.start as usize..range.end as usize;
                (&arena.subtrees[list(subtrees)], &arena.leaves[list(leaves)])
            }
            _ => (&[], &[]),
        }
    }

    /// Which trees these ones reach, by number of the object.
    pub fn reached_from(&self, roots: impl Iterator<Item = u32>) -> Vec<bool> {
        let mut reached = vec![false; self.places.len()];
        let mut todo: Vec<u32> = roots.collect();
        while let Some(tree) = todo.pop() {
            if !std::mem::replace(&mut reached[tree as usize], true) {
                todo.extend(self.tree(tree).0.iter().map(|(_, subtree)| *subtree));
            }
        }
        reached
    }
}
