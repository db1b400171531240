//! What commits say: their messages, and the people in them.

use std::collections::{BTreeMap, HashMap};

use super::{
    Inspector,
    delta::{Forest, Visitor, walk},
    lanes::Lanes,
    object::{self, Commit, Kind},
    objects::{self, Objects},
};
use crate::{content::Copied, source::oid::Oid};

/// A text of a commit that holds secrets.
#[derive(Debug)]
pub struct Said {
    /// The commit.
    pub commit: Oid,
    /// `message` or `author`.
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
    commits: Vec<(Oid, Commit)>,
    said: Vec<Said>,
    /// People, and the secrets in their names and addresses.
    people: HashMap<Vec<u8>, BTreeMap<u64, bool>>,
}

impl Messages {
    /// Reads every commit there is, through the packs.
    pub fn read<I: Inspector>(&self, objects: &Objects, forests: &[Forest], inspector: &I, listen: bool) {
        for (pack, forest) in objects.packs().iter().zip(forests) {
            let visitor = Commits { messages: self, inspector, listen, id: &|entry| pack.oid(entry) };
            walk(objects, pack, forest, Kind::Commit, |_| true, &visitor);
        }
        objects::for_each_loose(
            objects,
            |number, kind, content| {
                if kind == Kind::Commit {
                    Commits { messages: self, inspector, listen, id: &|number| objects.oid(number) }
                        .visit(number, content, None);
                }
            },
            |_, _| {},
        );
    }

    /// Looks at the texts of one commit.
    pub fn hear<I: Inspector>(&self, inspector: &I, commit: Oid, content: &[u8]) {
        let secrets_of = |text: &[u8]| -> BTreeMap<u64, bool> {
            inspector.secrets(text, &inspector.whole(text)).into_iter().map(|s| (s, false)).collect()
        };
        let mut heard = self.0.lock();
        let message = object::message(content);
        let secrets = secrets_of(message);
        if !secrets.is_empty() {
            heard.said.push(Said { commit, what: "message", text: message.to_vec(), secrets });
        }
        for person in object::people(content) {
            let secrets = match heard.people.get(person) {
                Some(secrets) if secrets.is_empty() => continue,
                Some(secrets) => secrets.clone(),
                None => {
                    let secrets = secrets_of(person);
                    heard.people.insert(person.to_vec(), secrets.clone());
                    secrets
                }
            };
            if !secrets.is_empty() {
                heard.said.push(Said { commit, what: "author", text: person.to_vec(), secrets });
            }
        }
    }

    /// The commits that were read, by id.
    pub fn take_commits(&self) -> HashMap<Oid, Commit> {
        self.0.take_each(|heard| std::mem::take(&mut heard.commits)).flatten().collect()
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
    id: &'a (dyn Fn(u32) -> Oid + Sync),
}

impl<I: Inspector> Visitor for Commits<'_, I> {
    type State = ();

    fn visit(&self, entry: u32, content: &[u8], _base: Option<(&(), &[Copied])>) {
        let id = (self.id)(entry);
        if let Some(commit) = object::commit(content) {
            self.messages.0.lock().commits.push((id, commit));
        }
        if self.listen {
            self.messages.hear(self.inspector, id, content);
        }
    }

    // A commit that cannot be read is a gap once history leads to it.
    fn failed(&self, _entry: u32, _why: String) {}

    fn is_stopped(&self) -> bool {
        self.inspector.is_stopped()
    }
}
