//! Walks the delta trees of a pack from their roots: each entry is inflated once, applied to its base,
//! and visited with what was learnt of the base and which ranges were copied from it.

use std::{
    cell::RefCell,
    io::{self, Read},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use libdeflater::Decompressor;
use rayon::{Scope, prelude::*};

use super::{
    object::Kind,
    objects::Objects,
    pack::{self, Base, NONE, Pack},
    pieces,
    stream::{Limits, Stream},
};
use crate::content::Copied;

/// Bytes of bases that are kept for their children, over all threads; beyond it they are made anew.
const LIVE_BYTES: usize = 48 << 20;
/// Subtrees with at least this many entries become tasks of their own.
const TASK_ENTRIES: u32 = 48;

/// What is done with each content.
pub trait Visitor: Sync {
    /// What is learnt of a content and of use for those made from it.
    type State: Send + Sync;
    /// A content, with the state of its base and the ranges copied from it, where it has one.
    fn visit(&self, entry: u32, content: &[u8], base: Option<(&Self::State, &[Copied])>) -> Self::State;
    /// The same for a content that nothing is made from, as most are: nothing has to be learnt of it.
    fn visit_last(&self, entry: u32, content: &[u8], base: Option<(&Self::State, &[Copied])>) {
        self.visit(entry, content, base);
    }
    /// A content that is too large to be held, as it is read: of those made from it nothing is inherited.
    ///
    /// # Errors
    /// Why it cannot be read to its end.
    fn large(&self, entry: u32, content: &mut dyn Read) -> io::Result<()>;
    /// An entry that cannot be read.
    fn failed(&self, entry: u32, why: String);
    /// Whether to stop early.
    fn is_stopped(&self) -> bool;
}

/// How the entries of a pack hang together.
#[derive(Debug)]
pub struct Forest {
    /// The kind of each entry; `None` for those that no root leads to.
    kinds: Vec<Option<Kind>>,
    roots: Vec<u32>,
    parents: Vec<u32>,
    /// Where each entry's children start in `children`.
    starts: Vec<u32>,
    children: Vec<u32>,
    /// Every entry that a root leads to, bases before what is made from them.
    order: Vec<u32>,
}

impl Forest {
    /// Reads the headers of a pack.
    pub fn of(objects: &Objects, pack: &Pack) -> Forest {
        let bases = pack.bases();
        let mut starts = vec![0u32; bases.len() + 1];
        let mut parents = vec![NONE; bases.len()];
        let (mut kinds, mut roots) = (vec![None; bases.len()], Vec::new());
        for (entry, base) in bases.iter().enumerate() {
            match base {
                Base::Entry(parent) => {
                    parents[entry] = *parent;
                    starts[*parent as usize + 1] += 1;
                }
                Base::Whole(kind) => {
                    kinds[entry] = Some(*kind);
                    roots.push(entry as u32);
                }
                Base::Foreign => {
                    let base = pack.foreign_base(entry as u32);
                    kinds[entry] = base.and_then(|id| objects.read(id.as_bytes()).ok()).map(|(kind, _)| kind);
                    roots.push(entry as u32);
                }
                Base::Corrupt => roots.push(entry as u32),
            }
        }
        for entry in 0..bases.len() {
            starts[entry + 1] += starts[entry];
        }
        let mut next = starts.clone();
        let mut children = vec![0u32; starts[bases.len()] as usize];
        for (entry, parent) in parents.iter().enumerate().filter(|(_, p)| **p != NONE) {
            children[next[*parent as usize] as usize] = entry as u32;
            next[*parent as usize] += 1;
        }
        let mut forest = Forest { kinds, roots, parents, starts, children, order: Vec::new() };
        forest.order = forest.in_order();
        forest.spread_kinds();
        forest
    }

    /// Every entry that a root leads to, bases before what is made from them.
    fn in_order(&self) -> Vec<u32> {
        // As git writes packs, that is the order of entries, unless they name their bases by id.
        let is_behind = |(entry, parent): (usize, &u32)| *parent == NONE || (*parent as usize) < entry;
        if self.parents.iter().enumerate().all(is_behind) {
            return (0..self.parents.len() as u32).collect();
        }
        let mut order = self.roots.clone();
        let mut at = 0;
        while at < order.len() {
            order.extend_from_slice(self.children(order[at]));
            at += 1;
        }
        order
    }

    /// Deltas are of the kind of their root.
    fn spread_kinds(&mut self) {
        for &entry in &self.order {
            if let Some(parent) = Some(self.parents[entry as usize]).filter(|parent| *parent != NONE) {
                self.kinds[entry as usize] = self.kinds[parent as usize];
            }
        }
    }

    /// The kind of an entry.
    pub fn kind(&self, entry: u32) -> Option<Kind> {
        self.kinds[entry as usize]
    }

    fn children(&self, entry: u32) -> &[u32] {
        &self.children[self.starts[entry as usize] as usize..self.starts[entry as usize + 1] as usize]
    }

    /// The entries of this kind that are wanted.
    pub fn entries(&self, kind: Kind) -> impl Iterator<Item = u32> {
        (0..self.kinds.len() as u32).filter(move |e| self.kind(*e) == Some(kind))
    }

    /// The entries whose kind cannot be known: corrupt ones and what hangs below them.
    pub fn unknown(&self) -> impl Iterator<Item = u32> {
        (0..self.kinds.len() as u32).filter(|e| self.kind(*e).is_none())
    }

    /// For each entry, how many wanted ones are in its subtree, itself included.
    fn weights(&self, kind: Kind, wanted: &(impl Fn(u32) -> bool + Sync)) -> Vec<u32> {
        let mut weights: Vec<u32> = (0..self.kinds.len() as u32)
            .into_par_iter()
            .with_min_len(4096)
            .map(|e| u32::from(self.kind(e) == Some(kind) && wanted(e)))
            .collect();
        for &entry in self.order.iter().rev() {
            let parent = self.parents[entry as usize];
            if parent != NONE {
                weights[parent as usize] += weights[entry as usize];
            }
        }
        weights
    }
}

/// A content that others are made from.
struct Live<'w, S> {
    content: Vec<u8>,
    /// What was learnt of it, if it was visited.
    state: Option<S>,
    total: &'w AtomicUsize,
}

impl<S> Drop for Live<'_, S> {
    fn drop(&mut self) {
        self.total.fetch_sub(self.content.len(), Ordering::Relaxed);
        recycle(std::mem::take(&mut self.content));
    }
}

/// An entry that is to be visited.
struct Task<'w, S> {
    entry: u32,
    base: From<'w, S>,
}

/// What an entry is made from.
enum From<'w, S> {
    /// Nothing in this pack.
    Root,
    /// A content at hand.
    Live(Arc<Live<'w, S>>),
    /// A content that has to be made anew; its state is not kept.
    Again,
}

struct Walk<'a, V, W> {
    objects: &'a Objects,
    pack: &'a Pack,
    forest: &'a Forest,
    weights: Vec<u32>,
    wanted: W,
    visitor: &'a V,
    live: AtomicUsize,
}

#[derive(Default)]
struct Scratch {
    inflater: Option<Decompressor>,
    delta: Vec<u8>,
    copied: Vec<Copied>,
    spare: Vec<Vec<u8>>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Keeps a few buffers for the next contents of this thread.
fn recycle(buffer: Vec<u8>) {
    SCRATCH.with_borrow_mut(|s| {
        if s.spare.len() < 8 && buffer.capacity() <= 4 << 20 {
            s.spare.push(buffer);
        }
    });
}

/// Visits every wanted entry of one kind.
pub fn walk<V: Visitor>(
    objects: &Objects,
    pack: &Pack,
    forest: &Forest,
    kind: Kind,
    wanted: impl Fn(u32) -> bool + Sync,
    visitor: &V,
) {
    let weights = forest.weights(kind, &wanted);
    let walk = Walk { objects, pack, forest, weights, wanted, visitor, live: AtomicUsize::new(0) };
    let mut roots: Vec<u32> = forest
        .roots
        .iter()
        .copied()
        .filter(|r| forest.kind(*r) == Some(kind) && walk.weights[*r as usize] > 0)
        .collect();
    // The largest trees first, so that none of them is left for the end.
    roots.sort_by_key(|r| (walk.weights[*r as usize] < TASK_ENTRIES, *r));
    rayon::scope(|scope| {
        let walk = &walk;
        roots.par_iter().with_max_len(64).for_each(|root| walk.run(scope, Task { entry: *root, base: From::Root }));
    });
}

/// Visits every wanted loose object of one kind, by number. What cannot be read has no kind: it fails where
/// blobs or commits are asked for.
pub fn walk_loose<V: Visitor>(objects: &Objects, kind: Kind, wanted: impl Fn(u32) -> bool + Sync, visitor: &V) {
    let numbers = objects.loose_numbers().into_par_iter().filter(|number| wanted(*number));
    numbers.for_each(|number| {
        if visitor.is_stopped() {
            return;
        }
        if let Some(mut content) = objects.large_loose(number) {
            if kind == Kind::Blob
                && let Err(why) = visitor.large(number, &mut content)
            {
                visitor.failed(number, why.to_string());
            }
            return;
        }
        match objects.read_number(number) {
            Ok((found, content)) if found == kind => drop(visitor.visit(number, &content, None)),
            Err(why) if kind != Kind::Tree => visitor.failed(number, why),
            _ => {}
        }
    });
}

impl<V: Visitor, W: Fn(u32) -> bool + Sync> Walk<'_, V, W> {
    fn run<'s>(&'s self, scope: &Scope<'s>, first: Task<'s, V::State>) {
        let mut todo = vec![first];
        while let Some(task) = todo.pop() {
            if self.visitor.is_stopped() {
                return;
            }
            let entry = task.entry;
            if self.is_large(&task) {
                let read = self.pack.stream(entry).map(|mut content| self.visitor.large(entry, &mut content));
                if let Some(Err(why)) = read {
                    self.visitor.failed(entry, why.to_string());
                }
                continue;
            }
            let children = self.forest.children(entry);
            if let Some(next) = children.last().copied().or_else(|| todo.last().map(|task| task.entry)) {
                self.pack.expect(next);
            }
            if !self.is_base(entry) {
                self.visit_last(task);
                continue;
            }
            let mut live = self.visit(task).map(Arc::new);
            let last = children.len().wrapping_sub(1);
            for (at, &child) in children.iter().enumerate() {
                let weight = self.weights[child as usize];
                if weight == 0 {
                    continue;
                }
                // The last child is visited next: its base need not wait.
                let over = at != last && self.live.load(Ordering::Relaxed) > LIVE_BYTES;
                let base = match &mut live {
                    Some(_) if over => From::Again,
                    Some(live) => From::Live(Arc::clone(live)),
                    None => From::Again,
                };
                let task = Task { entry: child, base };
                if weight >= TASK_ENTRIES && at != last {
                    scope.spawn(move |scope| self.run(scope, task));
                } else {
                    todo.push(task);
                }
            }
            drop(live.take());
        }
    }

    /// Whether something wanted is made from an entry.
    fn is_base(&self, entry: u32) -> bool {
        self.forest.children(entry).iter().any(|child| self.weights[*child as usize] > 0)
    }

    /// Whether a content is better looked at piece by piece.
    fn is_large(&self, task: &Task<'_, V::State>) -> bool {
        matches!(task.base, From::Root)
            && self.pack.whole_size(task.entry).is_some_and(|size| size > pieces::LARGE)
            && self.forest.kind(task.entry) == Some(Kind::Blob)
            && !self.is_base(task.entry)
    }

    /// Makes an entry's content, and visits it if it is wanted. `None` where it cannot be read.
    fn visit<'s>(&'s self, task: Task<'s, V::State>) -> Option<Live<'s, V::State>> {
        let entry = task.entry;
        let (content, state) = self.with_content(task, |content, base| {
            (self.wanted)(entry).then(|| self.visitor.visit(entry, content, base))
        })?;
        self.live.fetch_add(content.len(), Ordering::Relaxed);
        Some(Live { content, state, total: &self.live })
    }

    /// The same where nothing is made from it.
    fn visit_last(&self, task: Task<'_, V::State>) {
        let entry = task.entry;
        let seen = self.with_content(task, |content, base| self.visitor.visit_last(entry, content, base));
        if let Some((content, ())) = seen {
            recycle(content);
        }
    }

    /// Makes an entry's content and shows it. `None` where it cannot be read.
    fn with_content<T>(
        &self,
        task: Task<'_, V::State>,
        show: impl FnOnce(&[u8], Option<(&V::State, &[Copied])>) -> T,
    ) -> Option<(Vec<u8>, T)> {
        let mut scratch = SCRATCH.take();
        let mut content = scratch.spare.pop().unwrap_or_default();
        let made = self.make(&task, &mut scratch, &mut content);
        let base = match (&made, &task.base) {
            (Ok(()), From::Live(live)) => live.state.as_ref().map(|state| (state, scratch.copied.as_slice())),
            _ => None,
        };
        if let Err(why) = made {
            if self.forest.kind(task.entry) == Some(Kind::Blob) && self.objects.is_too_large(self.pack, task.entry) {
                SCRATCH.set(scratch);
                if (self.wanted)(task.entry) {
                    self.show_stream(task.entry);
                }
                return None;
            }
            // Another pack may have a good copy.
            match self.objects.read(self.pack.id(task.entry)) {
                Ok((_, copy)) => content = copy,
                Err(_) => {
                    SCRATCH.set(scratch);
                    self.visitor.failed(task.entry, why);
                    return None;
                }
            }
        }
        let shown = show(&content, base);
        SCRATCH.set(scratch);
        Some((content, shown))
    }

    /// Shows a content that cannot be held.
    fn show_stream(&self, entry: u32) {
        let is_stopped = || self.visitor.is_stopped();
        let stream = Stream::open(self.objects, self.pack, entry, Limits::new(&is_stopped));
        if let Err(why) = stream.and_then(|mut content| self.visitor.large(entry, &mut content))
            && !is_stopped()
        {
            self.visitor.failed(entry, why.to_string());
        }
    }

    fn make(&self, task: &Task<'_, V::State>, scratch: &mut Scratch, content: &mut Vec<u8>) -> Result<(), String> {
        let inflater = scratch.inflater.get_or_insert_with(Decompressor::new);
        match &task.base {
            From::Root => match self.pack.base(task.entry) {
                Base::Whole(_) => self.pack.inflate(task.entry, inflater, content),
                _ => {
                    *content = self.objects.resolve(self.pack, task.entry, 0)?.1;
                    Ok(())
                }
            },
            From::Again => {
                *content = self.objects.resolve(self.pack, task.entry, 0)?.1;
                Ok(())
            }
            From::Live(base) => {
                self.pack.inflate(task.entry, inflater, &mut scratch.delta)?;
                Ok(pack::apply(&scratch.delta, &base.content, content, &mut scratch.copied)?)
            }
        }
    }
}
