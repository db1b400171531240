//! Where contents with findings came into history: which commit put which of them at which path.
//!
//! Trees are reduced to what leads to a finding, and equal reductions get one number. Then a commit
//! introduced something exactly where its number differs from those of all its parents, and most
//! commits are settled by comparing two numbers.

use std::collections::HashMap;

use bstr::BString;
use foldhash::quality::RandomState;
use serde::{Deserialize, Serialize};

use super::{
    known::Known,
    trees::{Graph, Leaf},
};

/// The number of a tree that leads to nothing: the first one.
pub const EMPTY: u32 = 0;
/// No reduction yet.
const UNKNOWN: u32 = u32::MAX;
/// It is being reduced.
const OPEN: u32 = u32::MAX - 1;

/// What a name in a reduced tree stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Item {
    /// A reduced tree, by number.
    Tree(u32),
    /// Something wanted.
    Leaf(Leaf),
}

/// A reduced tree: names by number, and what they stand for.
pub type Node = Box<[(u32, Item)]>;

/// Trees reduced to what leads to findings; equal ones have equal numbers.
#[derive(Debug)]
pub struct Reduced<'a> {
    /// What is reduced.
    pub graph: &'a Graph,
    nodes: Vec<Node>,
    numbers: HashMap<Node, u32, RandomState>,
    /// Number of a tree's object → its reduction, or [`UNKNOWN`].
    known: Vec<u32>,
    /// Number of a tree's object → whether all that it leads to was there.
    is_whole: Vec<bool>,
}

/// A tree that is being reduced.
#[derive(Debug)]
struct Open {
    tree: u32,
    /// Which of its subtrees comes next.
    next: usize,
    items: Vec<(u32, Item)>,
    is_whole: bool,
}

/// Something that a commit has and none of its parents has at the same path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduced {
    /// The path.
    pub path: BString,
    /// What stands there.
    pub leaf: Leaf,
    /// The contents with findings that parents have there.
    pub before: Vec<u32>,
}

impl<'a> Reduced<'a> {
    /// Only those trees are reduced that are known, to these reductions. The graph has the names in them.
    pub fn new(graph: &'a Graph, known: &Known, mut nodes: Vec<Node>) -> Self {
        if nodes.is_empty() {
            nodes.push(Box::default());
        }
        let numbers = nodes.iter().cloned().zip(0..).collect();
        let trees: Vec<Option<u32>> = (0..graph.len() as u32).map(|number| known.tree(number)).collect();
        let is_whole = trees.iter().map(Option::is_some).collect();
        let known = trees.into_iter().map(|node| node.unwrap_or(UNKNOWN)).collect();
        Reduced { graph, nodes, numbers, known, is_whole }
    }

    /// All reductions, by number.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The number of a tree's reduction. A tree that is inside of itself, as only lies about ids can have it, is
    /// empty there.
    pub fn reduce(&mut self, tree: u32) -> u32 {
        let mut todo = Vec::new();
        if self.known[tree as usize] == UNKNOWN {
            todo.push(self.begin(tree));
        }
        while let Some(open) = todo.last_mut() {
            match self.go_on(open) {
                Some(subtree) => todo.push(self.begin(subtree)),
                None => {
                    let Open { tree, items, is_whole, .. } = todo.pop().expect("it is the last one");
                    self.known[tree as usize] = self.number(items);
                    self.is_whole[tree as usize] = is_whole;
                }
            }
        }
        self.known[tree as usize]
    }

    /// Reduces every tree that was read, and notes which are known now.
    pub fn reduce_all(&mut self, known: &Known) {
        for tree in self.graph.numbers() {
            let node = self.reduce(tree);
            if self.is_whole[tree as usize] {
                known.whole_tree(tree, node);
            }
        }
    }

    /// A tree of whose reduction there are only the leaves yet.
    fn begin(&mut self, tree: u32) -> Open {
        self.known[tree as usize] = OPEN;
        let leaves = self.graph.tree(tree).1;
        let items = leaves.iter().map(|(name, leaf)| (*name, Item::Leaf(*leaf))).collect();
        Open { tree, next: 0, items, is_whole: self.graph.is_whole(tree) }
    }

    /// Adds subtrees to a reduction, up to one that has to be reduced before.
    fn go_on(&self, open: &mut Open) -> Option<u32> {
        for (name, subtree) in &self.graph.tree(open.tree).0[open.next..] {
            let known = self.known[*subtree as usize];
            if known == UNKNOWN {
                return Some(*subtree);
            }
            open.is_whole &= self.is_whole[*subtree as usize];
            match known {
                OPEN | EMPTY => {}
                number => open.items.push((*name, Item::Tree(number))),
            }
            open.next += 1;
        }
        None
    }

    /// The number of a reduction.
    fn number(&mut self, items: Vec<(u32, Item)>) -> u32 {
        if items.is_empty() {
            return EMPTY;
        }
        if let Some(number) = self.numbers.get(items.as_slice()) {
            return *number;
        }
        let (number, items) = (self.nodes.len() as u32, items.into_boxed_slice());
        self.nodes.push(items.clone());
        self.numbers.insert(items, number);
        number
    }

    /// The reductions with only those leaves that count.
    pub fn projected(&self, counts: impl Fn(Leaf) -> bool) -> Projected<'a> {
        let mut table: HashMap<Node, u32, RandomState> = HashMap::default();
        let mut projected = Projected { graph: self.graph, nodes: vec![Box::default()], numbers: Vec::new() };
        for node in &self.nodes {
            let item = |(name, item): &(u32, Item)| match item {
                // Subtrees are reduced first.
                Item::Tree(subtree) => match projected.numbers[*subtree as usize] {
                    EMPTY => None,
                    subtree => Some((*name, Item::Tree(subtree))),
                },
                Item::Leaf(leaf) => counts(*leaf).then_some((*name, *item)),
            };
            let items: Node = node.iter().filter_map(item).collect();
            let number = if items.is_empty() {
                EMPTY
            } else {
                *table.entry(items).or_insert_with_key(|items| {
                    projected.nodes.push(items.clone());
                    projected.nodes.len() as u32 - 1
                })
            };
            projected.numbers.push(number);
        }
        projected
    }
}

/// Reductions with only the leaves that count; equal ones have equal numbers.
#[derive(Debug)]
pub struct Projected<'a> {
    graph: &'a Graph,
    nodes: Vec<Node>,
    /// Number of the reduction → its number here.
    numbers: Vec<u32>,
}

impl Projected<'_> {
    /// The number here of a reduction.
    pub fn of(&self, reduction: u32) -> u32 {
        self.numbers[reduction as usize]
    }

    /// What `tree` has and none of `parents` has at the same path; all are numbers here. At most so many places:
    /// a few trees that name one another can make more paths than there is memory.
    pub fn introduced(&self, tree: u32, parents: &[u32], most: usize) -> Vec<Introduced> {
        let mut found = Vec::new();
        let mut todo = vec![(tree, parents.to_vec(), BString::default())];
        while let Some((tree, parents, path)) = todo.pop().filter(|_| found.len() < most) {
            if parents.contains(&tree) {
                continue;
            }
            for (name, item) in &self.nodes[tree as usize] {
                let at = |parent: &u32| self.nodes[*parent as usize].iter().filter(|(n, _)| n == name).map(|(_, i)| *i);
                if parents.iter().flat_map(at).any(|i| i == *item) {
                    continue;
                }
                let mut path = path.clone();
                if !path.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(self.graph.name(*name));
                match item {
                    Item::Tree(subtree) => {
                        let below = parents.iter().flat_map(at).filter_map(|i| match i {
                            Item::Tree(t) => Some(t),
                            Item::Leaf(_) => None,
                        });
                        todo.push((*subtree, below.collect(), path));
                    }
                    Item::Leaf(leaf) => {
                        let before = parents.iter().flat_map(at).filter_map(|i| match i {
                            Item::Leaf(Leaf::Blob(blob)) => Some(blob),
                            _ => None,
                        });
                        found.push(Introduced { before: before.collect(), leaf: *leaf, path });
                    }
                }
            }
        }
        found
    }

    /// The content with findings that stands at a path of a reduction.
    pub fn blob_at(&self, tree: u32, path: &[u8]) -> Option<u32> {
        let mut tree = tree;
        let mut parts = path.split(|b| *b == b'/').peekable();
        while let Some(part) = parts.next() {
            let item = self.nodes[tree as usize].iter().find(|(n, i)| {
                self.graph.name(*n) == part
                    && match i {
                        Item::Tree(_) => parts.peek().is_some(),
                        Item::Leaf(leaf) => parts.peek().is_none() && matches!(leaf, Leaf::Blob(_)),
                    }
            })?;
            match item.1 {
                Item::Tree(t) => tree = t,
                Item::Leaf(Leaf::Blob(blob)) => return Some(blob),
                Item::Leaf(_) => return None,
            }
        }
        None
    }
}
