//! What commits say of their trees and parents, with objects by number.

use super::{object::Commit, objects::Objects, pack::NONE};
use crate::source::oid::Oid;

/// What one commit says.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// The number of the commit.
    pub commit: u32,
    /// The number of its tree.
    pub tree: u32,
    /// When it was committed, in seconds since 1970.
    pub seconds: i64,
    /// Where its parents end in the list of all.
    end: u32,
}

/// What some commits say. Objects that are named and not there have numbers behind those of all that are.
#[derive(Debug, Default)]
pub struct Lines {
    lines: Vec<Line>,
    parents: Vec<u32>,
    /// The ids of objects that are not there.
    absent: Vec<Oid>,
}

impl Lines {
    /// Adds what a commit says.
    pub fn add(&mut self, objects: &Objects, commit: u32, said: &Commit) {
        let tree = self.number(objects, &said.tree);
        for parent in &said.parents {
            let parent = self.number(objects, parent);
            self.parents.push(parent);
        }
        self.end_line(commit, tree, said.seconds);
    }

    /// Adds what a commit says that names only what is there.
    pub fn push(&mut self, commit: u32, tree: u32, parents: impl IntoIterator<Item = u32>, seconds: i64) {
        self.parents.extend(parents);
        self.end_line(commit, tree, seconds);
    }

    fn end_line(&mut self, commit: u32, tree: u32, seconds: i64) {
        self.lines.push(Line { commit, tree, seconds, end: self.parents.len() as u32 });
    }

    /// The number of an object, or a new one for what is not there.
    fn number(&mut self, objects: &Objects, id: &Oid) -> u32 {
        objects.find(id.as_bytes()).unwrap_or_else(|| {
            self.absent.push(*id);
            (objects.len() + self.absent.len() - 1) as u32
        })
    }

    /// Adds lines that were read elsewhere, of `objects` objects.
    fn append(&mut self, other: Lines, objects: usize) {
        let (absent, parents) = (self.absent.len() as u32, self.parents.len() as u32);
        let moved = |number: u32| if number as usize >= objects { number + absent } else { number };
        self.lines.extend(other.lines.iter().map(|line| Line {
            tree: moved(line.tree),
            end: line.end + parents,
            ..*line
        }));
        self.parents.extend(other.parents.into_iter().map(moved));
        self.absent.extend(other.absent);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    fn at(&self, place: usize) -> (&Line, &[u32]) {
        let start = place.checked_sub(1).map_or(0, |before| self.lines[before].end);
        let line = &self.lines[place];
        (line, &self.parents[start as usize..line.end as usize])
    }
}

/// What all commits say that were read.
#[derive(Debug)]
pub struct Lineage {
    /// What they say.
    pub lines: Lines,
    /// Number of a commit's object → its place in `lines`, or [`NONE`].
    places: Vec<u32>,
}

impl Lineage {
    /// Puts together what was read in several places, of `objects` objects.
    pub fn of(parts: impl IntoIterator<Item = Lines>, objects: usize) -> Lineage {
        let mut lineage = Lineage { lines: Lines::default(), places: vec![NONE; objects] };
        for part in parts {
            lineage.lines.append(part, objects);
        }
        for (line, place) in lineage.lines.lines.iter().zip(0..) {
            lineage.places[line.commit as usize] = place;
        }
        lineage
    }

    /// Adds what a commit says that is not here yet.
    pub fn add(&mut self, objects: &Objects, commit: u32, said: &Commit) {
        self.places[commit as usize] = self.lines.len() as u32;
        self.lines.add(objects, commit, said);
    }

    /// Forgets what a commit said: it has to be read again.
    pub fn forget(&mut self, commit: u32) {
        self.places[commit as usize] = NONE;
    }

    /// What a commit says: that, and the numbers of its parents. `None` if it was not read.
    pub fn find(&self, commit: u32) -> Option<(&Line, &[u32])> {
        let place = *self.places.get(commit as usize)?;
        (place != NONE).then(|| self.lines.at(place as usize))
    }

    /// The id of an object that a commit names.
    pub fn oid(&self, objects: &Objects, number: u32) -> Oid {
        match (number as usize).checked_sub(objects.len()) {
            Some(absent) => self.lines.absent[absent],
            None => objects.oid(number),
        }
    }
}
