//! What is known of objects, as a cache keeps it from one scan to the next: which secrets blobs have, which texts of
//! commits are clean, whose children commits are, and what trees lead to ([`Reduced`]).
//!
//! What is known of trees holds while every object is there that was there: nothing that a tree names can be missing
//! then. What is known of blobs and of texts holds for good.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    io::{self, Write},
};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Noticed, Spotted,
    known::{Fact, Known},
    lineage::{Lineage, Lines},
    objects::Objects,
    pack::NONE,
    provenance::{EMPTY, Item, Node, Reduced},
    trees::Leaf,
};
use crate::source::oid::Oid;

/// How many ids are looked for together.
const IDS_A_SEARCH: usize = 1 << 12;
/// How many objects are written down by one thread.
const OBJECTS_A_TASK: usize = 1 << 14;
/// How many items reductions may have, all together, to be remembered; and secrets of blobs.
const MOST_ITEMS: usize = 1 << 24;

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
        let (Head { objects: count, names, nodes, secrets }, rest) = postcard::take_from_bytes(bytes)?;
        let (ids, mut rest) = rest.split_at_checked(count as usize * objects.width).ok_or(Damaged)?;
        let numbers = Numbers::of(ids, objects);
        let all_are_there = !numbers.0.contains(&NONE);
        let (names, nodes) = if all_are_there { (names, numbers.restore(nodes)?) } else { (Vec::new(), Vec::new()) };
        if nodes.iter().flatten().any(|(name, _)| *name as usize >= names.len()) {
            return Err(Damaged);
        }
        let secrets = found_again(&secrets, &numbers, objects, look)?;
        let mut facts = Facts {
            numbers: &numbers,
            secrets,
            nodes: nodes.len(),
            facts: vec![0; objects.len()],
            spotted: BTreeMap::new(),
            lines: Lines::default(),
        };
        for &number in &numbers.0 {
            let record;
            (record, rest) = postcard::take_from_bytes(rest)?;
            if number != NONE {
                let fact = facts.fact(number, record)?;
                facts.facts[number as usize] = fact.to_bits();
            }
        }
        let Facts { facts, spotted, lines, .. } = facts;
        Ok(Remembered { known: Known::of(facts, spotted), lines, names, nodes })
    }
}

/// The numbers of objects by their places among the ids that were written; [`NONE`] for what is not there.
struct Numbers(Vec<u32>);

impl Numbers {
    fn of(ids: &[u8], objects: &Objects) -> Numbers {
        let find = |ids: &[u8]| {
            let mut numbers = Vec::new();
            objects.find_all(ids.chunks_exact(objects.width), &mut numbers);
            numbers
        };
        Numbers(ids.par_chunks(IDS_A_SEARCH * objects.width).flat_map_iter(find).collect())
    }

    fn at(&self, place: u32) -> Result<u32, Damaged> {
        self.0.get(place as usize).copied().ok_or(Damaged)
    }

    /// Reductions with blobs by number.
    fn restore(&self, mut nodes: Vec<Node>) -> Result<Vec<Node>, Damaged> {
        for (at, node) in (0..).zip(&mut nodes) {
            for (_, item) in node {
                match item {
                    Item::Leaf(Leaf::Blob(blob)) => *blob = self.at(*blob)?,
                    // Subtrees are reduced first.
                    Item::Tree(subtree) if *subtree >= at => return Err(Damaged),
                    _ => {}
                }
            }
        }
        Ok(nodes)
    }
}

/// Facts, and what goes with them, as they are read.
struct Facts<'a> {
    numbers: &'a Numbers,
    /// Every secret that is named.
    secrets: Vec<Option<Spotted>>,
    /// How many reductions hold.
    nodes: usize,
    /// By number, in bits.
    facts: Vec<u64>,
    spotted: BTreeMap<u32, Vec<Spotted>>,
    lines: Lines,
}

impl Facts<'_> {
    /// What a record says of the object with this number.
    fn fact(&mut self, number: u32, record: Record) -> Result<Fact, Damaged> {
        Ok(match record {
            Record::Unknown => Fact::Unknown,
            Record::Clean(size) => Fact::Blob { size, is_clean: true },
            Record::Blob(size, places) => {
                let secret = |place: u32| self.secrets.get(place as usize).copied().ok_or(Damaged);
                match places.into_iter().map(secret).collect::<Result<Option<Vec<_>>, _>>()? {
                    Some(secrets) => {
                        self.spotted.insert(number, secrets);
                        Fact::Blob { size, is_clean: false }
                    }
                    // What cannot be found again is looked for anew.
                    None => Fact::Unknown,
                }
            }
            Record::Tree(node) if (node as usize) < self.nodes => Fact::Tree(node),
            Record::Tree(_) if self.nodes == 0 => Fact::Unknown,
            Record::Tree(_) => return Err(Damaged),
            Record::Texts => Fact::Commit { is_clean: true, is_remembered: false },
            Record::Commit { is_clean, tree, parents, seconds } => {
                let tree = self.numbers.at(tree)?;
                let parents: Vec<u32> =
                    parents.into_iter().map(|place| self.numbers.at(place)).collect::<Result<_, _>>()?;
                // Where something is gone the commit has to be read again, to say what.
                let is_remembered = tree != NONE && !parents.contains(&NONE);
                if is_remembered {
                    self.lines.push(number, tree, parents, seconds);
                }
                Fact::Commit { is_clean, is_remembered }
            }
        })
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
    numbers: &Numbers,
    objects: &Objects,
    look: &(dyn Fn(&Oid) -> Option<Noticed> + Sync),
) -> Result<Vec<Option<Spotted>>, Damaged> {
    let places: BTreeSet<u32> = named.iter().map(|(place, _)| *place).collect();
    let look = |place: u32| {
        let number = numbers.at(place)?;
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
