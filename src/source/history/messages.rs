//! What commits say: their messages, and the people in them.

use std::{
    collections::{BTreeMap, HashMap},
    hash::BuildHasher,
    io::{self, Read},
};

use super::{
    Inspector,
    delta::{Forest, Visitor, walk, walk_loose},
    known::Known,
    lanes::Lanes,
    lineage::Lines,
    object::{self, Kind},
    objects::Objects,
};
use crate::{content::Copied, source::oid::Oid};

/// How many texts each thread remembers. Rebased commits say again what others said: in a history with pull requests
/// half of the messages.
const RECENT: usize = 1 << 14;

/// A text of a commit that holds secrets.
#[derive(Debug)]
pub struct Said {
    /// The commit.
    pub commit: Oid,
    /// `message`, `header` or `author`.
    pub what: &'static str,
    /// The text.
    pub text: Vec<u8>,
    /// The numbers of its secrets.
    pub secrets: BTreeMap<u64, bool>,
}

/// What was read of commits.
#[derive(Debug, Default)]
pub struct Messages(Lanes<Heard>);

/// What one thread read.
#[derive(Debug, Default)]
struct Heard {
    commits: Lines,
    /// The numbers of commits that cannot be read.
    failed: Vec<u32>,
    said: Vec<Said>,
    /// Texts that were clean, by the hash that is theirs.
    recent: Vec<u64>,
    /// Makes hashes unforeseeable.
    seed: foldhash::quality::RandomState,
    /// What people wrote as their names and addresses.
    people: HashMap<Vec<u8>, Verdict, foldhash::fast::RandomState>,
}

/// What was seen in a text.
#[derive(Debug, Clone)]
struct Verdict {
    /// The numbers of its secrets.
    secrets: BTreeMap<u64, bool>,
    /// Whether there is nothing at all in it.
    is_clean: bool,
}

impl Verdict {
    fn on<I: Inspector>(inspector: &I, text: &[u8]) -> Verdict {
        let noticed = inspector.look(text);
        let secrets = inspector.counted(&noticed.secrets).into_iter().map(|s| (s, false)).collect();
        Verdict { secrets, is_clean: noticed.is_clean() }
    }
}

impl Heard {
    /// What is seen in a text that may have been there lately.
    fn verdict<I: Inspector>(&mut self, inspector: &I, text: &[u8]) -> Verdict {
        let hash = self.seed.hash_one(text);
        if self.recent.get(hash as usize % RECENT) == Some(&hash) {
            return Verdict { secrets: BTreeMap::new(), is_clean: true };
        }
        let verdict = Verdict::on(inspector, text);
        if verdict.is_clean {
            self.recent.resize(RECENT, 0);
            self.recent[hash as usize % RECENT] = hash;
        }
        verdict
    }
}

impl Messages {
    /// Reads every commit that is not known, through the packs, and listens to those that are not known to be clean.
    pub fn read<I: Inspector>(
        &self,
        objects: &Objects,
        forests: &[Forest],
        inspector: &I,
        listen: bool,
        known: &Known,
    ) {
        let commits = Commits { messages: self, inspector, listen, known, objects, first: 0 };
        let is_settled = |number| (!listen || known.is_clean(number)) && known.has_line(number);
        for (at, (pack, forest)) in objects.packs().iter().zip(forests).enumerate() {
            let first = objects.number(at, 0);
            let wanted = |entry| objects.is_first(first + entry) && !is_settled(first + entry);
            walk(objects, pack, forest, Kind::Commit, wanted, &Commits { first, ..commits });
        }
        walk_loose(objects, Kind::Commit, |number| known.may_be(number, Kind::Commit) && !is_settled(number), &commits);
    }

    /// Looks at the texts of one commit; whether there is nothing in them.
    pub fn hear<I: Inspector>(&self, inspector: &I, commit: Oid, content: &[u8]) -> bool {
        let mut heard = self.0.lock();
        let message = object::message(content);
        let Verdict { secrets, mut is_clean } = heard.verdict(inspector, message);
        if !secrets.is_empty() {
            heard.said.push(Said { commit, what: "message", text: message.to_vec(), secrets });
        }
        for header in object::extra_headers(content) {
            let verdict = heard.verdict(inspector, header);
            is_clean &= verdict.is_clean;
            if !verdict.secrets.is_empty() {
                heard.said.push(Said { commit, what: "header", text: header.to_vec(), secrets: verdict.secrets });
            }
        }
        for person in object::people(content) {
            let verdict = match heard.people.get(person) {
                Some(verdict) if verdict.is_clean => continue,
                Some(verdict) => verdict.clone(),
                None => {
                    let verdict = Verdict::on(inspector, person);
                    heard.people.insert(person.to_vec(), verdict.clone());
                    verdict
                }
            };
            is_clean &= verdict.is_clean;
            if !verdict.secrets.is_empty() {
                heard.said.push(Said { commit, what: "author", text: person.to_vec(), secrets: verdict.secrets });
            }
        }
        is_clean
    }

    /// What the commits say that were read.
    pub fn take_commits(&self) -> impl Iterator<Item = Lines> {
        self.0.take_each(|heard| std::mem::take(&mut heard.commits))
    }

    /// The numbers of commits that cannot be read.
    pub fn take_failed(&self) -> impl Iterator<Item = u32> {
        self.0.take_each(|heard| std::mem::take(&mut heard.failed)).flatten()
    }

    /// What was found.
    pub fn into_said(self) -> Vec<Said> {
        self.0.into_values().flat_map(|heard| heard.said).collect()
    }
}

/// Visits commits.
struct Commits<'a, I> {
    messages: &'a Messages,
    inspector: &'a I,
    listen: bool,
    known: &'a Known,
    objects: &'a Objects,
    /// Adds the numbers of a pack's entries up to those of all objects.
    first: u32,
}

impl<I> Clone for Commits<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Commits<'_, I> {}

impl<I: Inspector> Visitor for Commits<'_, I> {
    type State = ();

    fn visit(&self, entry: u32, content: &[u8], _base: Option<(&(), &[Copied])>) {
        let number = self.first + entry;
        let id = self.objects.oid(number);
        if !self.known.has_line(number)
            && let Some(commit) = object::commit(content)
        {
            self.messages.0.lock().commits.add(self.objects, number, &commit);
        }
        if self.listen && !self.known.is_clean(number) && self.messages.hear(self.inspector, id, content) {
            self.known.clean_commit(number);
        }
    }

    fn large(&self, _entry: u32, _content: &mut dyn Read) -> io::Result<()> {
        Ok(())
    }

    // A commit that cannot be read is a gap once history leads to it.
    fn failed(&self, entry: u32, _why: String) {
        self.known.forget(self.first + entry);
        self.messages.0.lock().failed.push(self.first + entry);
    }

    fn is_stopped(&self) -> bool {
        self.inspector.is_stopped()
    }
}
