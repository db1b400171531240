//! What is known of the objects of a history from one scan to the next, so that the next one looks at new ones only:
//! which secrets blobs have, which texts of commits are clean, whose children commits are, and what trees lead to
//! ([`Reduced`]).
//!
//! What is known of trees holds while every object is there that was there: nothing that a tree names can be missing
//! then. What is known of blobs and of texts holds for good.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Write},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Noticed, Spotted,
    lineage::{Lineage, Lines},
    lock,
    object::Kind,
    objects::Objects,
    pack::NONE,
    provenance::{EMPTY, Item, Node, Reduced},
    trees::Leaf,
};
use crate::source::oid::Oid;

/// How many ids are looked for together.
const IDS_A_SEARCH: usize = 1 << 12;
/// How many items reductions may have, all together, to be remembered.
const MOST_ITEMS: usize = 1 << 24;

/// How many objects are written down by one thread.
const OBJECTS_A_TASK: usize = 1 << 14;

/// What is known of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    /// Nothing.
    Unknown,
    /// It is a blob of so many bytes that was looked at. Unless it is clean, its secrets are known.
    Blob {
        /// Its length in bytes.
        size: u64,
        /// Whether there is nothing in it.
        is_clean: bool,
    },
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
            Fact::Blob { size, is_clean } => 1 | u64::from(is_clean) << 2 | size << 3,
            Fact::Tree(node) => 2 | u64::from(node) << 2,
            Fact::Commit { is_clean, is_remembered } => 3 | u64::from(is_clean) << 2 | u64::from(is_remembered) << 3,
        }
    }

    fn of_bits(bits: u64) -> Fact {
        match bits & 3 {
            0 => Fact::Unknown,
            1 => Fact::Blob { size: bits >> 3, is_clean: bits >> 2 & 1 == 1 },
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
    /// The secrets of blobs that are not clean.
    spotted: Mutex<BTreeMap<u32, Vec<Spotted>>>,
    /// Whether something was learnt.
    has_news: AtomicBool,
}

impl Known {
    /// Nothing is known, and nothing is to be remembered.
    pub fn nothing() -> Known {
        Known::of(Vec::new(), BTreeMap::new())
    }

    /// Nothing is known yet of so many objects.
    pub fn to_be(objects: usize) -> Known {
        Known::of(vec![0; objects], BTreeMap::new())
    }

    fn of(facts: Vec<u64>, spotted: BTreeMap<u32, Vec<Spotted>>) -> Known {
        let facts = facts.into_iter().map(AtomicU64::new).collect();
        Known { facts, spotted: Mutex::new(spotted), has_news: AtomicBool::new(false) }
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
        matches!(self.fact(number), Fact::Blob { is_clean: true, .. } | Fact::Commit { is_clean: true, .. })
    }

    /// Whether an object may be of this kind.
    pub fn may_be(&self, number: u32, kind: Kind) -> bool {
        match self.fact(number) {
            Fact::Unknown => true,
            Fact::Blob { .. } => kind == Kind::Blob,
            Fact::Tree(_) => kind == Kind::Tree,
            Fact::Commit { .. } => kind == Kind::Commit,
        }
    }

    /// The size of a blob that need not be read.
    pub fn blob(&self, number: u32) -> Option<u64> {
        match self.fact(number) {
            Fact::Blob { size, .. } => Some(size),
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

    /// These secrets are in this blob of so many bytes.
    pub fn blob_has(&self, number: u32, size: u64, secrets: Vec<Spotted>) {
        self.set(number, Fact::Blob { size, is_clean: secrets.is_empty() });
        if self.is_kept() && !secrets.is_empty() {
            lock(&self.spotted).insert(number, secrets);
        }
    }

    /// The blobs whose secrets are known, by number.
    pub fn spotted(&self) -> BTreeMap<u32, Vec<Spotted>> {
        lock(&self.spotted).clone()
    }

    /// This object cannot be read.
    pub fn forget(&self, number: u32) {
        self.set(number, Fact::Unknown);
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
    /// Each secret by an object that has it, and its rank among the secrets of that.
    secrets: Vec<(u32, u32)>,
}

/// What is written of an object. Others are named by their places among the ids.
#[derive(Serialize, Deserialize)]
enum Record {
    Unknown,
    Clean(u64),
    /// A blob of this size with these secrets.
    Blob(u64, Vec<u32>),
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

    /// Reads what [`write`] wrote. `look` says what there is in an object.
    ///
    /// # Errors
    /// It makes no sense.
    pub fn read(
        bytes: &[u8],
        objects: &Objects,
        look: &(dyn Fn(&Oid) -> Option<Noticed> + Sync),
    ) -> Result<Remembered, Damaged> {
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
        let secrets = found_again(&head.secrets, &numbers, objects, look)?;
        let (mut facts, mut spotted, mut lines) = (vec![0; objects.len()], BTreeMap::new(), Lines::default());
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
                Record::Clean(size) => Fact::Blob { size, is_clean: true },
                Record::Blob(size, places) => {
                    let secret = |place: u32| secrets.get(place as usize).copied().ok_or(Damaged);
                    let inside = places.into_iter().map(secret).collect::<Result<Option<Vec<_>>, _>>()?;
                    // What cannot be found again is looked for anew.
                    let Some(inside) = inside else { continue };
                    spotted.insert(at, inside);
                    Fact::Blob { size, is_clean: false }
                }
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
        Ok(Remembered { known: Known::of(facts, spotted), lines, names, nodes })
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
    let all = (0..objects.len() as u32).into_par_iter();
    let numbers: Vec<u32> = all.filter(|number| objects.is_first(*number)).collect();
    let places = Places::of(&numbers, objects.len());
    let (reductions, names, nodes) = used(known, &numbers, reduced, &places);
    let spotted = known.spotted();
    let secrets = Secrets::of(&spotted);
    let named = secrets.named.iter().map(|(blob, rank)| (places.find(*blob).unwrap_or(NONE), *rank)).collect();
    let head = Head { objects: numbers.len() as u32, names, nodes, secrets: named };
    out.write_all(&postcard::to_allocvec(&head).map_err(io::Error::other)?)?;
    let ids = |numbers: &[u32]| {
        let mut ids = Vec::with_capacity(numbers.len() * objects.width);
        numbers.iter().for_each(|number| ids.extend_from_slice(objects.id(*number)));
        ids
    };
    let ids: Vec<Vec<u8>> = numbers.par_chunks(OBJECTS_A_TASK).map(ids).collect();
    ids.iter().try_for_each(|ids| out.write_all(ids))?;
    let records = Records { known, lineage, places, reductions, spotted, secrets };
    let records: Vec<_> = numbers.par_chunks(OBJECTS_A_TASK).map(|numbers| records.of(numbers)).collect();
    records.into_iter().try_for_each(|records| out.write_all(&records.map_err(io::Error::other)?))
}

/// The places of objects among the ids that are written, by number.
struct Places(Vec<u32>);

impl Places {
    fn of(numbers: &[u32], objects: usize) -> Places {
        let mut places = vec![NONE; objects];
        for (number, place) in numbers.iter().zip(0..) {
            places[*number as usize] = place;
        }
        Places(places)
    }

    /// `None` for what is not there.
    fn find(&self, number: u32) -> Option<u32> {
        self.0.get(number as usize).copied().filter(|place| *place != NONE)
    }
}

/// What records are made from.
struct Records<'a> {
    known: &'a Known,
    lineage: &'a Lineage,
    places: Places,
    /// The reductions that are written: their new numbers.
    reductions: Vec<u32>,
    spotted: BTreeMap<u32, Vec<Spotted>>,
    secrets: Secrets,
}

impl Records<'_> {
    fn of(&self, numbers: &[u32]) -> postcard::Result<Vec<u8>> {
        numbers.iter().try_fold(Vec::new(), |out, number| postcard::to_extend(&self.record(*number), out))
    }

    fn record(&self, number: u32) -> Record {
        match self.known.fact(number) {
            Fact::Blob { size, is_clean: true } => return Record::Clean(size),
            Fact::Blob { size, .. } => {
                let inside = self.spotted.get(&number).and_then(|inside| self.secrets.places(inside));
                return inside.map_or(Record::Unknown, |inside| Record::Blob(size, inside));
            }
            Fact::Tree(node) => {
                let node = self.reductions[node as usize];
                return if node == NONE { Record::Unknown } else { Record::Tree(node) };
            }
            Fact::Commit { .. } | Fact::Unknown => {}
        }
        let is_clean = self.known.is_clean(number);
        let line = self.lineage.find(number).and_then(|(line, parents)| {
            let parents = parents.iter().map(|parent| self.places.find(*parent)).collect::<Option<_>>()?;
            Some(Record::Commit { is_clean, tree: self.places.find(line.tree)?, parents, seconds: line.seconds })
        });
        line.unwrap_or(if is_clean { Record::Texts } else { Record::Unknown })
    }
}

/// The reductions of whole trees: their new numbers, the names in them, and themselves. Other names may hold secrets.
fn used(known: &Known, trees: &[u32], reduced: &Reduced<'_>, places: &Places) -> (Vec<u32>, Vec<Box<[u8]>>, Vec<Node>) {
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
                Item::Leaf(Leaf::Blob(blob)) => Item::Leaf(Leaf::Blob(places.find(*blob).unwrap_or(NONE))),
                Item::Leaf(leaf) => Item::Leaf(*leaf),
            };
            (name, item)
        };
        nodes.push(node.iter().map(item).collect());
    }
    (numbers, names, nodes)
}

/// The secrets that objects name, in their order: `None` for those that cannot be found again.
fn found_again(
    named: &[(u32, u32)],
    numbers: &[u32],
    objects: &Objects,
    look: &(dyn Fn(&Oid) -> Option<Noticed> + Sync),
) -> Result<Vec<Option<Spotted>>, Damaged> {
    let places: BTreeSet<u32> = named.iter().map(|(place, _)| *place).collect();
    let look = |place: u32| {
        let number = *numbers.get(place as usize).ok_or(Damaged)?;
        let noticed = if number == NONE { None } else { look(&objects.oid(number)) };
        Ok((place, noticed.filter(|noticed| noticed.is_complete)))
    };
    let seen = places.into_par_iter().map(look).collect::<Result<HashMap<u32, Option<Noticed>>, Damaged>>()?;
    let secret = |(place, rank): &(u32, u32)| seen[place].as_ref()?.secrets.get(*rank as usize).copied();
    Ok(named.iter().map(secret).collect())
}

/// Every secret that is known, once.
struct Secrets {
    /// A blob that has it, and its rank among the secrets of that.
    named: Vec<(u32, u32)>,
    /// Its place in that list.
    places: HashMap<Spotted, u32>,
}

impl Secrets {
    /// Names secrets by few blobs: those that have most of them.
    fn of(spotted: &BTreeMap<u32, Vec<Spotted>>) -> Secrets {
        let mut secrets = Secrets { named: Vec::new(), places: HashMap::new() };
        if spotted.values().map(Vec::len).sum::<usize>() > MOST_ITEMS {
            return secrets;
        }
        let mut blobs: Vec<_> = spotted.iter().collect();
        blobs.sort_by_key(|(_, inside)| Reverse(inside.len()));
        for (blob, inside) in blobs {
            for (secret, rank) in inside.iter().zip(0..) {
                secrets.places.entry(*secret).or_insert_with(|| {
                    secrets.named.push((*blob, rank));
                    secrets.named.len() as u32 - 1
                });
            }
        }
        secrets
    }

    fn places(&self, secrets: &[Spotted]) -> Option<Vec<u32>> {
        secrets.iter().map(|secret| self.places.get(secret).copied()).collect()
    }
}
