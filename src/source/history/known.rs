//! What is known of the objects of a history from one scan to the next, so that the next one looks at new ones only:
//! which are clean, whose children commits are, and what trees lead to ([`Reduced`]).
//!
//! What is known of trees holds while every object is there that was there: nothing that a tree names can be missing
//! then. What is known of others holds for good.

use std::{
    collections::HashMap,
    io::{self, Write},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    lineage::{Lineage, Lines},
    object::Kind,
    objects::Objects,
    pack::NONE,
    provenance::{EMPTY, Item, Node, Reduced},
    trees::Leaf,
};

/// How many ids are looked for together.
const IDS_A_SEARCH: usize = 1 << 12;
/// How many items reductions may have, all together, to be remembered.
const MOST_ITEMS: usize = 1 << 24;

/// How many bytes are written together.
const WAITING: usize = 1 << 16;

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// Nothing.
    Unknown,
    /// It is a clean blob, of so many bytes.
    Blob(u64),
    /// It is a tree with this reduction, and everything below it was there and readable.
    Tree(u32),
    /// It is a commit.
    Commit {
        /// Whether its texts are clean.
        is_clean: bool,
        /// Whether it is among the remembered lines.
        is_remembered: bool,
    },
}

impl Fact {
    fn to_bits(self) -> u64 {
        match self {
            Fact::Unknown => 0,
            Fact::Blob(size) => 1 | size << 2,
            Fact::Tree(node) => 2 | u64::from(node) << 2,
            Fact::Commit { is_clean, is_remembered } => 3 | u64::from(is_clean) << 2 | u64::from(is_remembered) << 3,
        }
    }

    fn of_bits(bits: u64) -> Fact {
        match bits & 3 {
            0 => Fact::Unknown,
            1 => Fact::Blob(bits >> 2),
            2 => Fact::Tree((bits >> 2) as u32),
            _ => Fact::Commit { is_clean: bits >> 2 & 1 == 1, is_remembered: bits >> 3 & 1 == 1 },
        }
    }
}

/// What is known of objects, by number.
#[derive(Debug)]
pub struct Known {
    /// Facts in bits; none where nothing is to be remembered.
    facts: Vec<AtomicU64>,
    /// Whether something was learnt.
    has_news: AtomicBool,
}

impl Known {
    /// Nothing is known, and nothing is to be remembered.
    pub fn nothing() -> Known {
        Known::of(Vec::new())
    }

    /// Nothing is known yet of so many objects.
    pub fn to_be(objects: usize) -> Known {
        Known::of(vec![0; objects])
    }

    fn of(facts: Vec<u64>) -> Known {
        Known { facts: facts.into_iter().map(AtomicU64::new).collect(), has_news: AtomicBool::new(false) }
    }

    /// Whether anything is to be remembered.
    pub fn is_kept(&self) -> bool {
        !self.facts.is_empty()
    }

    fn fact(&self, number: u32) -> Fact {
        self.facts.get(number as usize).map_or(Fact::Unknown, |fact| Fact::of_bits(fact.load(Ordering::Relaxed)))
    }

    fn set(&self, number: u32, fact: Fact) {
        let Some(known) = self.facts.get(number as usize) else { return };
        let is_new = known.swap(fact.to_bits(), Ordering::Relaxed) != fact.to_bits();
        if is_new && !self.has_news() {
            self.has_news.store(true, Ordering::Relaxed);
        }
    }

    /// Whether more is known than was remembered.
    pub fn has_news(&self) -> bool {
        self.has_news.load(Ordering::Relaxed)
    }

    /// Of how many objects something is known.
    pub fn count(&self) -> u64 {
        self.facts.iter().filter(|fact| fact.load(Ordering::Relaxed) != 0).count() as u64
    }

    /// Whether an object is known to be clean.
    pub fn is_clean(&self, number: u32) -> bool {
        matches!(self.fact(number), Fact::Blob(_) | Fact::Commit { is_clean: true, .. })
    }

    /// Whether an object may be of this kind.
    pub fn may_be(&self, number: u32, kind: Kind) -> bool {
        match self.fact(number) {
            Fact::Unknown => true,
            Fact::Blob(_) => kind == Kind::Blob,
            Fact::Tree(_) => kind == Kind::Tree,
            Fact::Commit { .. } => kind == Kind::Commit,
        }
    }

    /// The size of an object that is known to be a clean blob.
    pub fn blob(&self, number: u32) -> Option<u64> {
        match self.fact(number) {
            Fact::Blob(size) => Some(size),
            _ => None,
        }
    }

    /// The reduction of a tree that need not be read.
    pub fn tree(&self, number: u32) -> Option<u32> {
        match self.fact(number) {
            Fact::Tree(node) => Some(node),
            _ => None,
        }
    }

    /// Whether what a commit says is known, besides its texts.
    pub fn has_line(&self, number: u32) -> bool {
        matches!(self.fact(number), Fact::Commit { is_remembered: true, .. })
    }

    /// There is nothing in this blob.
    pub fn clean_blob(&self, number: u32, size: u64) {
        self.set(number, Fact::Blob(size));
    }

    /// Everything below this tree is there, and this is its reduction.
    pub fn whole_tree(&self, number: u32, node: u32) {
        self.set(number, Fact::Tree(node));
    }

    /// There is nothing in the texts of this commit.
    pub fn clean_commit(&self, number: u32) {
        self.set(number, Fact::Commit { is_clean: true, is_remembered: self.has_line(number) });
    }
}

/// What is known of objects, and what goes with it.
#[derive(Debug)]
pub struct Remembered {
    /// What is known of objects.
    pub known: Known,
    /// What commits say.
    pub lines: Lines,
    /// The names in reductions.
    pub names: Vec<Box<[u8]>>,
    /// The reductions of trees.
    pub nodes: Vec<Node>,
}

/// Something is damaged.
#[derive(Debug)]
pub struct Damaged;

impl From<postcard::Error> for Damaged {
    fn from(_: postcard::Error) -> Self {
        Damaged
    }
}

/// What stands before everything else.
#[derive(Serialize, Deserialize)]
struct Head {
    /// How many objects there are.
    objects: u32,
    names: Vec<Box<[u8]>>,
    /// Blobs are named by their places among the ids.
    nodes: Vec<Node>,
}

/// What is written of an object. Others are named by their places among the ids.
#[derive(Serialize, Deserialize)]
enum Record {
    Unknown,
    Blob(u64),
    Tree(u32),
    /// A commit of which only the texts are known.
    Texts,
    Commit {
        is_clean: bool,
        tree: u32,
        parents: Vec<u32>,
        seconds: i64,
    },
}

impl Remembered {
    /// Nothing yet, of so many objects.
    pub fn nothing(known: Known) -> Remembered {
        Remembered { known, lines: Lines::default(), names: Vec::new(), nodes: Vec::new() }
    }

    /// Reads what [`write`] wrote.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn read(bytes: &[u8], objects: &Objects) -> Result<Remembered, Damaged> {
        let (mut head, rest) = postcard::take_from_bytes::<Head>(bytes)?;
        let (ids, mut rest) = rest.split_at_checked(head.objects as usize * objects.width).ok_or(Damaged)?;
        let find = |ids: &[u8]| {
            let mut numbers = Vec::new();
            objects.find_all(ids.chunks_exact(objects.width), &mut numbers);
            numbers
        };
        let numbers: Vec<u32> = ids.par_chunks(IDS_A_SEARCH * objects.width).flat_map_iter(find).collect();
        let all_are_there = !numbers.contains(&NONE);
        let number = |place: u32| numbers.get(place as usize).copied().ok_or(Damaged);
        let (mut facts, mut lines) = (vec![0; objects.len()], Lines::default());
        if all_are_there {
            let names = head.names.len();
            for (at, node) in (0..).zip(&mut head.nodes) {
                for (name, item) in node {
                    match item {
                        _ if *name as usize >= names => return Err(Damaged),
                        Item::Leaf(Leaf::Blob(blob)) => *blob = number(*blob)?,
                        // Subtrees are reduced first.
                        Item::Tree(subtree) if *subtree >= at => return Err(Damaged),
                        _ => {}
                    }
                }
            }
        }
        for &at in &numbers {
            let record;
            (record, rest) = postcard::take_from_bytes(rest)?;
            let fact = match record {
                _ if at == NONE => continue,
                Record::Unknown => continue,
                Record::Blob(size) => Fact::Blob(size),
                Record::Tree(node) if (node as usize) < head.nodes.len() => match all_are_there {
                    true => Fact::Tree(node),
                    false => continue,
                },
                Record::Tree(_) => return Err(Damaged),
                Record::Texts => Fact::Commit { is_clean: true, is_remembered: false },
                Record::Commit { is_clean, tree, parents, seconds } => {
                    let (tree, parents) =
                        (number(tree)?, parents.into_iter().map(number).collect::<Result<Vec<_>, _>>()?);
                    // Where something is gone it has to be read again, to say what.
                    let is_remembered = tree != NONE && !parents.contains(&NONE);
                    if is_remembered {
                        lines.push(at, tree, parents, seconds);
                    }
                    Fact::Commit { is_clean, is_remembered }
                }
            };
            facts[at as usize] = fact.to_bits();
        }
        let (names, nodes) = if all_are_there { (head.names, head.nodes) } else { (Vec::new(), Vec::new()) };
        Ok(Remembered { known: Known::of(facts), lines, names, nodes })
    }
}

/// Writes down what is known of objects.
///
/// # Errors
/// It cannot be written.
pub fn write(
    out: &mut dyn Write,
    objects: &Objects,
    known: &Known,
    lineage: &Lineage,
    reduced: &Reduced<'_>,
) -> io::Result<()> {
    let numbers: Vec<u32> = (0..objects.len() as u32).filter(|number| objects.is_first(*number)).collect();
    let mut places = vec![NONE; objects.len()];
    for (number, place) in numbers.iter().zip(0..) {
        places[*number as usize] = place;
    }
    let place = |number: u32| places.get(number as usize).copied().filter(|place| *place != NONE);
    let (used, names, nodes) = used(known, &numbers, reduced, &place);
    let mut out = Records { out, waiting: Vec::with_capacity(2 * WAITING) };
    out.put(&Head { objects: numbers.len() as u32, names, nodes })?;
    for number in &numbers {
        out.put_bytes(objects.id(*number))?;
    }
    for &number in &numbers {
        let line = lineage.find(number).and_then(|(line, parents)| {
            Some((place(line.tree)?, parents.iter().map(|parent| place(*parent)).collect::<Option<_>>()?, line.seconds))
        });
        let is_clean = known.is_clean(number);
        let tree = known.tree(number).map(|node| used[node as usize]).filter(|node| *node != NONE);
        let record = match (known.fact(number), line, tree) {
            (Fact::Blob(size), ..) => Record::Blob(size),
            (_, Some((tree, parents, seconds)), _) => Record::Commit { is_clean, tree, parents, seconds },
            (Fact::Commit { .. }, ..) if is_clean => Record::Texts,
            (.., Some(node)) => Record::Tree(node),
            _ => Record::Unknown,
        };
        out.put(&record)?;
    }
    out.end()
}

/// The reductions of whole trees: their new numbers, the names in them, and themselves. Other names may hold secrets.
fn used(
    known: &Known,
    trees: &[u32],
    reduced: &Reduced<'_>,
    place: &dyn Fn(u32) -> Option<u32>,
) -> (Vec<u32>, Vec<Box<[u8]>>, Vec<Node>) {
    let all = reduced.nodes();
    let mut is_used = vec![false; all.len()];
    is_used[EMPTY as usize] = true;
    trees.iter().filter_map(|tree| known.tree(*tree)).for_each(|node| is_used[node as usize] = true);
    let of_used = all.iter().zip(&is_used).filter(|(_, is_used)| **is_used).map(|(node, _)| node);
    let (mut numbers, mut names, mut nodes) = (vec![NONE; all.len()], Vec::new(), Vec::new());
    if of_used.map(|node| node.len()).sum::<usize>() > MOST_ITEMS {
        return (numbers, names, nodes);
    }
    let mut next = 0..;
    for (number, _) in numbers.iter_mut().zip(is_used).filter(|(_, is_used)| *is_used) {
        *number = next.next().unwrap_or(NONE);
    }
    let mut name_numbers: HashMap<u32, u32> = HashMap::new();
    for (node, _) in all.iter().zip(&numbers).filter(|(_, number)| **number != NONE) {
        let item = |(name, item): &(u32, Item)| {
            let name = *name_numbers.entry(*name).or_insert_with(|| {
                names.push(reduced.graph.name(*name).into());
                names.len() as u32 - 1
            });
            let item = match item {
                Item::Tree(node) => Item::Tree(numbers[*node as usize]),
                Item::Leaf(Leaf::Blob(blob)) => Item::Leaf(Leaf::Blob(place(*blob).unwrap_or(NONE))),
                Item::Leaf(leaf) => Item::Leaf(*leaf),
            };
            (name, item)
        };
        nodes.push(node.iter().map(item).collect());
    }
    (numbers, names, nodes)
}

/// Writes many small things.
struct Records<'a> {
    out: &'a mut dyn Write,
    waiting: Vec<u8>,
}

impl Records<'_> {
    fn put(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.waiting = postcard::to_extend(value, std::mem::take(&mut self.waiting)).map_err(io::Error::other)?;
        self.put_bytes(&[])
    }

    fn put_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() > WAITING {
            self.out.write_all(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(&self.waiting)
    }
}
