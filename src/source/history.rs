//! History: every content that refs reach, each delta read once, and where what was found came from.
//!
//! First all blobs are inspected along the delta trees of their packs ([`delta`], [`blobs`]), then all trees are
//! read the same way, keeping what leads to a finding ([`trees`]), then commits are compared with their
//! parents ([`provenance`]). A short range of commits is inspected by comparing trees directly.

mod blobs;
pub mod cache;
mod commits;
mod delta;
mod known;
pub mod lanes;
mod lineage;
mod messages;
mod object;
mod objects;
mod pack;
pub mod pieces;
mod provenance;
mod range;
mod remembered;
mod stream;
mod trees;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Mutex,
    time::Instant,
};

use bstr::BString;
use rayon::prelude::*;

use self::{
    blobs::Large,
    cache::Cache,
    commits::Commits,
    delta::Forest,
    known::Known,
    lineage::Lineage,
    messages::Messages,
    object::Kind,
    objects::{Absent, Objects},
    pieces::Piece,
    provenance::{EMPTY, Reduced},
    remembered::Remembered,
    trees::{Bits, Graph, Leaf, Shared, Trees},
};
use super::{oid::Oid, repository::Repository};
use crate::{
    content::{Copied, Place},
    error::{Error, Result},
    gap::{Gap, GapKind},
};

/// Ranges of at most this many commits are inspected by comparing trees.
const SHORT_RANGE: usize = 2000;
/// How many gaps of one kind are named one by one.
const NAMED_GAPS: usize = 10_000;
/// How many places a commit may put contents with findings at.
const MOST_PLACES: usize = 100_000;

/// What looks at contents, delta by delta.
pub trait Inspector: Sync {
    /// What was seen in a content.
    type Seen: Send + Sync;
    /// Looks at a whole content.
    fn whole(&self, content: &[u8]) -> Self::Seen;
    /// Looks at what is new in a content made from another one.
    fn derived(&self, content: &[u8], base: &Self::Seen, copied: &[Copied]) -> Self::Seen;
    /// The same for a content that nothing is made from.
    fn derived_last(&self, content: &[u8], base: &Self::Seen, copied: &[Copied]) -> Self::Seen {
        self.derived(content, base, copied)
    }
    /// What there is in a content.
    fn noticed(&self, content: &[u8], seen: &Self::Seen) -> Noticed;
    /// The numbers of the secrets that count, sorted and distinct. Of all others nothing more is asked.
    fn counted(&self, secrets: &[Spotted]) -> Vec<u64>;
    /// What there is in a content that is not derived from another one, nor another one from it.
    fn look(&self, content: &[u8]) -> Noticed {
        self.noticed(content, &self.whole(content))
    }
    /// The numbers of the secrets that count in such a content.
    fn secrets(&self, content: &[u8]) -> Vec<u64> {
        self.counted(&self.look(content).secrets)
    }
    /// What besides the rules decides which secrets count.
    fn threshold(&self) -> String {
        String::new()
    }
    /// Progress: this many more objects of `total` are done.
    fn progress(&self, done: u64, total: u64);
    /// Whether to stop early.
    fn is_stopped(&self) -> bool;
}

/// What there is in a content.
#[derive(Debug, Clone, Default)]
pub struct Noticed {
    /// All secrets, whether they count or not; sorted, distinct.
    pub secrets: Vec<Spotted>,
    /// Whether nothing was left out, and nothing outside of the content was looked at. Only then it is remembered.
    pub is_complete: bool,
}

impl Noticed {
    /// Whether there is nothing in the content.
    pub fn is_clean(&self) -> bool {
        self.is_complete && self.secrets.is_empty()
    }
}

/// A secret in a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spotted {
    /// Equal for equal secrets of one rule.
    pub number: u64,
    /// How sure it is, as far as the content tells; the inspector's own measure.
    pub level: u8,
}

/// What of a history to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// Revisions and ranges; none means every ref.
    pub revs: Vec<String>,
    /// Whether commit and tag messages, people and names of refs are looked at.
    pub messages: bool,
    /// Whether what no ref reaches is reported.
    pub unreachable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { revs: Vec::new(), messages: true, unreachable: false }
    }
}

/// A place in history where secrets appeared.
#[derive(Debug, Clone)]
pub struct Appearance {
    /// The path, or a name for people where it is no file.
    pub path: BString,
    /// What kind of text it is.
    pub place: Place,
    /// The object whose content it is: a blob, commit or tag.
    pub object: Option<Oid>,
    /// The text itself, where it is not an object's content.
    pub text: Option<Vec<u8>>,
    /// The commit that introduced it.
    pub commit: Option<Oid>,
    /// The numbers of the secrets that appeared here, and whether HEAD has each of them at this path.
    pub secrets: BTreeMap<u64, bool>,
    /// Whether a remote-tracking ref has the commit; `None` where there is no commit or no such ref.
    pub pushed: Option<bool>,
    /// Whether no ref reaches it.
    pub unreachable: bool,
    /// Its place in the order of history.
    order: u32,
}

/// What a history scan found and covered.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Where secrets appeared: first introduction first.
    pub appearances: Vec<Appearance>,
    /// Distinct blobs that were looked at.
    pub blobs: u64,
    /// Commits in scope.
    pub commits: u64,
    /// Bytes of content.
    pub bytes: u64,
    /// Objects that were not read, because an earlier scan did.
    pub known: u64,
    /// Contents with findings that no ref reaches and that are not reported.
    pub unreachable: usize,
    /// What could not be covered.
    pub gaps: Vec<Gap>,
    /// How long each stage took, in seconds.
    pub stages: Vec<(&'static str, f64)>,
}

impl Outcome {
    /// Runs a stage and notes how long it took.
    fn stage<T>(&mut self, name: &'static str, run: impl FnOnce(&mut Self) -> T) -> T {
        let begun = Instant::now();
        let result = run(self);
        self.stages.push((name, begun.elapsed().as_secs_f64()));
        result
    }
}

/// A history, opened.
#[derive(Debug)]
pub struct History {
    objects: Objects,
    include: Vec<Oid>,
    exclude: Vec<Oid>,
    /// Names of refs and what they name, for whole histories.
    refs: Vec<(BString, Oid)>,
    remotes: Vec<Oid>,
    head: Option<Oid>,
    shallow: HashSet<Oid>,
    partial: bool,
    options: Options,
    gaps: Vec<Gap>,
}

impl History {
    /// Opens the history of a repository.
    ///
    /// # Errors
    /// A revision is unknown.
    pub fn open(repository: &Repository, options: Options) -> Result<History> {
        let (refs, mut gaps) = repository.refs();
        let objects = Objects::open(repository.object_dirs(), repository.object_format().len(), &mut gaps);
        let remotes = refs.iter().filter(|r| r.name.starts_with(b"refs/remotes/")).map(|r| r.target).collect();
        let (include, exclude, refs) = if options.revs.is_empty() {
            let tips = refs.iter().map(|r| r.target).collect();
            (tips, Vec::new(), refs.into_iter().map(|r| (r.name, r.target)).collect())
        } else {
            let range = repository.resolve(&options.revs)?;
            gaps.retain(|g| g.kind != GapKind::BrokenRef);
            (range.include, range.exclude, Vec::new())
        };
        Ok(History {
            objects,
            include,
            exclude,
            refs,
            remotes,
            head: repository.head(),
            shallow: repository.shallow_boundary().into_iter().collect(),
            partial: repository.is_partial(),
            options,
            gaps,
        })
    }

    /// Reads the content of an object that an appearance names; one that is too large to be held in pieces.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, id: &Oid, visit: &mut dyn FnMut(&Piece<'_>)) -> Result<()> {
        let error = |why: String| Error::new(format!("cannot read object {id}")).because(why);
        if let Some(mut content) = self.objects.large(id.as_bytes()) {
            let visit = &mut |piece: &Piece<'_>| {
                visit(piece);
                true
            };
            return pieces::for_each(&mut content, visit).map(drop).map_err(|e| error(e.to_string()));
        }
        match self.objects.read(id.as_bytes()) {
            Ok((_, content)) => {
                visit(&Piece::whole(&content));
                Ok(())
            }
            Err(Absent::Missing) => Err(error("it is missing".into())),
            Err(Absent::Corrupt(why)) => Err(error(why)),
        }
    }

    /// Looks at the content of an object: its length, and the numbers of its secrets.
    fn look<I: Inspector>(&self, inspector: &I, id: &Oid) -> Result<(u64, Vec<u64>), Absent> {
        if let Some(mut content) = self.objects.large(id.as_bytes()) {
            let large = Large::inspect(inspector, &mut content).map_err(|e| Absent::Corrupt(e.to_string()))?;
            return Ok((large.bytes, inspector.counted(&large.noticed.secrets)));
        }
        let (_, content) = self.objects.read(id.as_bytes())?;
        Ok((content.len() as u64, inspector.secrets(&content)))
    }

    /// What there is in an object, if it can be read.
    fn noticed<I: Inspector>(&self, inspector: &I, id: &Oid) -> Option<Noticed> {
        Some(inspector.look(&self.objects.read(id.as_bytes()).ok()?.1))
    }

    /// Who wrote a commit, and when: name, e-mail, RFC 3339 date.
    pub fn author(&self, id: &Oid) -> Option<(BString, BString, String)> {
        let (_, content) = self.objects.read(id.as_bytes()).ok()?;
        let author = object::author(&content);
        Some((author.name, author.email, date(author.seconds, author.offset)))
    }

    /// Whether everything that the revisions reach is in scope.
    pub fn is_whole(&self) -> bool {
        self.exclude.is_empty()
    }

    /// Everything that decides what an inspection comes to, besides what is seen in contents.
    fn state(&self, part: &mut dyn FnMut(&[u8])) {
        let Options { revs, messages, unreachable } = &self.options;
        let mut shallow: Vec<&Oid> = self.shallow.iter().collect();
        shallow.sort();
        part(format!("{messages} {unreachable} {} {}", revs.is_empty(), self.partial).as_bytes());
        for ids in [&self.include, &self.exclude, &self.remotes] {
            part(&ids.len().to_le_bytes());
            ids.iter().for_each(|id| part(id.as_bytes()));
        }
        for (name, id) in &self.refs {
            part(name);
            part(id.as_bytes());
        }
        part(&shallow.len().to_le_bytes());
        shallow.into_iter().chain(&self.head).for_each(|id| part(id.as_bytes()));
        self.objects.state(part);
    }

    /// Looks at everything in scope, or at what is not known yet.
    pub fn inspect<I: Inspector>(&self, inspector: &I, cache: Option<&Cache>) -> Outcome {
        let mut outcome = Outcome { gaps: self.gaps.clone(), ..Outcome::default() };
        let Remembered { known, lines, names, nodes } = match cache {
            Some(cache) => {
                outcome.stage("cache", |_| cache.remembered(&self.objects, &|id| self.noticed(inspector, id)))
            }
            None => Remembered::nothing(Known::nothing()),
        };
        outcome.known = known.count();
        let lines_before = lines.len();
        let messages = Messages::default();
        let whole = self.is_whole();
        // A short range is read commit by commit; a whole history through the packs.
        let forests = || if whole { self.forests() } else { Vec::new() };
        let ((tips, exclude), forests) =
            outcome.stage("headers", |outcome| rayon::join(|| self.peel_all(&mut outcome.gaps), forests));
        if whole {
            outcome.stage("messages", |_| {
                messages.read(&self.objects, &forests, inspector, self.options.messages, &known)
            });
        }
        let read_commits = || {
            let mut lineage = Lineage::of(messages.take_commits().chain([lines]), self.objects.len());
            messages.take_failed().for_each(|commit| lineage.forget(commit));
            let is_stopped = || inspector.is_stopped();
            let (include, exclude) = (&tips.commits, &exclude.commits);
            let commits = Commits::reachable(&self.objects, lineage, include, exclude, &self.shallow, &is_stopped);
            Scope::new(self, commits)
        };
        // Commits are put in order by one thread, beside those that read blobs.
        let (scope, blobs) = outcome.stage("blobs", |_| {
            rayon::join(read_commits, || whole.then(|| blobs::inspect(self, inspector, &forests, &known)))
        });
        let commits = &scope.commits;
        outcome.gaps.extend(self.commit_gaps(commits));
        let wanted = commits.nodes.iter().filter(|n| n.wanted).count();
        outcome.commits = wanted as u64;
        if !whole && self.options.messages {
            for node in commits.nodes.iter().filter(|n| n.wanted) {
                let id = self.objects.oid(node.number);
                if let Ok((_, content)) = self.objects.read(id.as_bytes()) {
                    messages.hear(inspector, id, &content);
                }
            }
        }
        if whole || wanted > SHORT_RANGE {
            let forests = if whole { forests } else { self.forests() };
            let blobs = blobs.unwrap_or_else(|| blobs::inspect(self, inspector, &forests, &known));
            let found = blobs.hand_over(&mut outcome);
            let graph = outcome.stage("trees", |_| self.read_trees(inspector, &forests, &found, &known, names));
            let mut reduced = Reduced::new(&graph, &known, nodes);
            if inspector.is_stopped() {
                outcome.gaps.push(Gap::new(GapKind::Interrupted, "history", "the scan was interrupted"));
            } else {
                outcome.stage("places", |outcome| {
                    self.place_blobs(inspector, &found, &mut reduced, &scope, &tips, outcome)
                });
                if known.is_kept() {
                    reduced.reduce_all(&known);
                }
            }
            let has_news = known.has_news() || commits.lineage.lines.len() > lines_before;
            if let Some(cache) = cache.filter(|_| has_news) {
                outcome.stage("remembering", |_| cache.remember(&self.objects, &known, &commits.lineage, &reduced));
            }
            drop(reduced);
            release((forests, found, graph));
        } else {
            range::inspect(self, inspector, &scope, &mut outcome);
        }
        if self.options.messages {
            self.place_messages(inspector, messages, &scope, &tips, &mut outcome);
        }
        outcome.appearances.sort_by(|a, b| {
            (a.order, a.unreachable, &a.path, a.place, a.object).cmp(&(
                b.order,
                b.unreachable,
                &b.path,
                b.place,
                b.object,
            ))
        });
        release(scope);
        outcome.gaps = summarised(std::mem::take(&mut outcome.gaps));
        outcome
    }

    /// Gaps for commits that cannot be read, that a shallow clone has no parents of, or that there are none at all.
    fn commit_gaps(&self, commits: &Commits) -> Vec<Gap> {
        let mut gaps: Vec<Gap> =
            commits.absent.iter().map(|(id, absent)| self.gap(*id, absent.clone(), "commit")).collect();
        let seen = self.shallow.iter().filter(|id| commits.find(&self.objects, id).is_some()).count();
        if seen > 0 {
            let plural = if seen == 1 { "" } else { "s" };
            let reason = format!("shallow clone: history before {seen} commit{plural} was not scanned");
            gaps.push(Gap::new(GapKind::Shallow, "history", reason));
        }
        if self.include.is_empty() {
            gaps.push(Gap::new(GapKind::NoInput, "history", "there is no commit and no ref to start from"));
        }
        gaps
    }

    /// Where the contents with findings appeared.
    fn place_blobs<I: Inspector>(
        &self,
        inspector: &I,
        found: &HashMap<u32, Vec<u64>>,
        reduced: &mut Reduced<'_>,
        scope: &Scope,
        tips: &Tips,
        outcome: &mut Outcome,
    ) {
        let graph = reduced.graph;
        let number = |tree: &Oid| self.objects.find(tree.as_bytes());
        let mut reduce = |tree: u32| if tree as usize >= graph.len() { EMPTY } else { reduced.reduce(tree) };
        let reduce_all = || scope.commits.nodes.iter().map(|node| reduce(node.tree)).collect::<Vec<u32>>();
        let (reductions, gaps) = rayon::join(reduce_all, || self.tree_gaps(scope, tips, graph));
        outcome.gaps.extend(gaps);
        let tip_trees: Vec<u32> = tips.trees.iter().filter_map(number).map(|tree| reduced.reduce(tree)).collect();
        // What may be found another day is among the leaves, too.
        let places = reduced.projected(|leaf| !matches!(leaf, Leaf::Blob(blob) if !found.contains_key(&blob)));
        let trees: Vec<u32> = reductions.into_iter().map(|reduction| places.of(reduction)).collect();
        let head_tree = scope.head.map(|at| trees[at as usize]);
        let mut appeared: HashSet<u32> = HashSet::new();
        let mut submodules: BTreeSet<BString> = BTreeSet::new();
        let wanted = scope.commits.nodes.par_iter().enumerate().filter(|(_, node)| node.wanted);
        let introduced: Vec<_> = wanted
            .flat_map_iter(|(at, node)| {
                let parents: Vec<u32> = node.parents.iter().map(|p| trees[*p as usize]).collect();
                places.introduced(trees[at], &parents, MOST_PLACES).into_iter().map(move |new| (at, new))
            })
            .collect();
        for many in introduced.chunk_by(|a, b| a.0 == b.0).filter(|many| many.len() >= MOST_PLACES) {
            outcome.gaps.push(too_many(scope.tree(&self.objects, many[0].0), MOST_PLACES));
        }
        for (at, new) in introduced {
            match new.leaf {
                Leaf::Submodule => {
                    submodules.insert(new.path);
                }
                Leaf::Name => {
                    let name: BString = new.path.rsplitn(2, |b| *b == b'/').next().unwrap_or_default().into();
                    let secrets: BTreeMap<u64, bool> =
                        inspector.secrets(&name).into_iter().map(|s| (s, false)).collect();
                    if !secrets.is_empty() {
                        let appearance = scope.appearance(&self.objects, at, new.path, Place::FileName, secrets);
                        outcome.appearances.push(Appearance { text: Some(name.into()), ..appearance });
                    }
                }
                Leaf::Blob(blob) => {
                    appeared.insert(blob);
                    let Some(secrets) = found.get(&blob) else { continue };
                    let known = |s: &u64| {
                        new.before.iter().any(|b| found.get(b).is_some_and(|all| all.binary_search(s).is_ok()))
                    };
                    let in_head =
                        head_tree.and_then(|tree| places.blob_at(tree, &new.path)).and_then(|b| found.get(&b));
                    let secrets: BTreeMap<u64, bool> = secrets
                        .iter()
                        .filter(|s| !known(s))
                        .map(|s| (*s, in_head.is_some_and(|all| all.binary_search(s).is_ok())))
                        .collect();
                    if !secrets.is_empty() {
                        let object = Some(self.objects.oid(blob));
                        outcome.appearances.push(Appearance {
                            object,
                            ..scope.appearance(&self.objects, at, new.path, Place::Content, secrets)
                        });
                    }
                }
            }
        }
        // Trees that refs name, and no commit.
        for tree in tip_trees {
            for new in places.introduced(places.of(tree), &[], MOST_PLACES) {
                let Leaf::Blob(blob) = new.leaf else { continue };
                let Some(secrets) = found.get(&blob).filter(|_| appeared.insert(blob)) else { continue };
                let secrets = secrets.iter().map(|s| (*s, false)).collect();
                let appearance = Appearance::new(new.path, Place::Content, secrets);
                outcome.appearances.push(Appearance { object: Some(self.objects.oid(blob)), ..appearance });
            }
        }
        for (name, id) in &tips.blobs {
            if let Some((number, secrets)) = number(id).and_then(|n| found.get(&n).map(|s| (n, s))) {
                appeared.insert(number);
                let secrets = secrets.iter().map(|s| (*s, false)).collect();
                let appearance = Appearance::new(name.clone(), Place::Content, secrets);
                outcome.appearances.push(Appearance { object: Some(*id), ..appearance });
            }
        }
        for path in submodules {
            outcome.gaps.push(Gap::new(GapKind::Submodule, path, "the submodule's own history was not scanned"));
        }
        // Everything that was found and did not appear is held by no ref, or out of the asked-for scope.
        let whole = self.options.revs.is_empty();
        for (blob, secrets) in found.iter().filter(|(blob, _)| whole && !appeared.contains(blob)) {
            if self.options.unreachable {
                let id = self.objects.oid(*blob);
                let secrets = secrets.iter().map(|s| (*s, false)).collect();
                let appearance = Appearance::new(format!("blob {id}").into(), Place::Content, secrets);
                outcome.appearances.push(Appearance {
                    object: Some(id),
                    unreachable: true,
                    order: u32::MAX,
                    ..appearance
                });
            } else {
                outcome.unreachable += 1;
            }
        }
    }

    fn read_trees<I: Inspector>(
        &self,
        inspector: &I,
        forests: &[Forest],
        found: &HashMap<u32, Vec<u64>>,
        known: &Known,
        names: Vec<Box<[u8]>>,
    ) -> Graph {
        let all = 0..self.objects.len() as u32;
        // What is remembered has to hold whatever will be found in what is not clean.
        let wanted = match known.is_kept() {
            true => Bits::of(all.filter(|number| !known.is_clean(*number)), self.objects.len()),
            false => Bits::of(found.keys().copied(), self.objects.len()),
        };
        let is_clean_name = |name: &[u8]| name.len() < 8 || inspector.look(name).is_clean();
        let shared = Shared::new(names);
        let is_stopped = || inspector.is_stopped();
        let trees = |first| Trees::new(&self.objects, first, &wanted, &is_clean_name, &shared, &is_stopped);
        for (at, (pack, forest)) in self.objects.packs().iter().zip(forests).enumerate() {
            let first = self.objects.number(at, 0);
            let wanted = |entry: u32| self.objects.is_first(first + entry) && known.tree(first + entry).is_none();
            delta::walk(&self.objects, pack, forest, Kind::Tree, wanted, &trees(first));
        }
        let may_be_new = |number| known.may_be(number, Kind::Tree) && known.tree(number).is_none();
        delta::walk_loose(&self.objects, Kind::Tree, may_be_new, &trees(0));
        shared.finish(self.objects.len())
    }

    /// Gaps for what reachable trees name and what is not there, or does not decode.
    fn tree_gaps(&self, scope: &Scope, tips: &Tips, graph: &Graph) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut numbers: Vec<u32> = tips.trees.iter().filter_map(|tree| self.objects.find(tree.as_bytes())).collect();
        for (at, node) in scope.commits.nodes.iter().enumerate().filter(|(_, node)| node.wanted) {
            if (node.tree as usize) < graph.len() {
                numbers.push(node.tree);
            } else {
                gaps.push(self.gap(scope.tree(&self.objects, at), Absent::Missing, "tree"));
            }
        }
        if graph.missing.is_empty() && graph.failed.is_empty() {
            return gaps;
        }
        let reached = graph.reached_from(numbers.into_iter());
        let mut missing: BTreeSet<Oid> =
            graph.missing.iter().filter(|(tree, _)| reached[*tree as usize]).map(|(_, id)| *id).collect();
        // What a base lacks is noted for the base only: where nothing leads to that, its heirs are read again.
        for (tree, _) in graph.heirs.iter().filter(|(tree, base)| reached[*tree as usize] && !reached[*base as usize]) {
            match self.missing_in(*tree) {
                Ok(ids) => missing.extend(ids),
                Err(why) => gaps.push(self.gap(self.objects.oid(*tree), Absent::Corrupt(why), "tree")),
            }
        }
        gaps.extend(missing.into_iter().map(|id| self.gap(id, Absent::Missing, "object")));
        for (tree, why) in graph.failed.iter().filter(|(tree, _)| reached[*tree as usize]) {
            gaps.push(self.gap(self.objects.oid(*tree), Absent::Corrupt(why.clone()), "tree"));
        }
        gaps
    }

    /// What a tree names that is not there.
    fn missing_in(&self, tree: u32) -> Result<Vec<Oid>, String> {
        let (content, width) = (self.objects.read_number(tree)?.1, self.objects.width);
        let entries = object::entries(&content, width).filter(|entry| !entry.is_submodule);
        let missing = entries.filter(|entry| self.objects.find(entry.id).is_none());
        Ok(missing.filter_map(|entry| Oid::from_bytes(entry.id)).collect())
    }

    /// How the entries of each pack hang together.
    fn forests(&self) -> Vec<Forest> {
        self.objects.packs().iter().map(|pack| Forest::of(&self.objects, pack)).collect()
    }

    /// Messages of commits and tags, the people in them, and the names of refs.
    fn place_messages<I: Inspector>(
        &self,
        inspector: &I,
        messages: Messages,
        scope: &Scope,
        tips: &Tips,
        outcome: &mut Outcome,
    ) {
        let secrets_of =
            |text: &[u8]| -> BTreeMap<u64, bool> { inspector.secrets(text).into_iter().map(|s| (s, false)).collect() };
        // Of what people wrote into their names only the first commit matters.
        let mut authors: BTreeMap<Vec<u8>, (u32, usize, BTreeMap<u64, bool>)> = BTreeMap::new();
        for said in messages.into_said() {
            let Some(at) = scope.commits.find(&self.objects, &said.commit).map(|at| at as usize) else { continue };
            if !scope.commits.nodes[at].wanted {
                continue;
            }
            if said.what != "author" {
                let name = format!("commit {} {}", &said.commit.to_string()[..12], said.what);
                let appearance = scope.appearance(&self.objects, at, name.into(), Place::Commit, said.secrets);
                outcome.appearances.push(Appearance { object: Some(said.commit), text: Some(said.text), ..appearance });
            } else {
                let first = authors.entry(said.text).or_insert_with(|| (u32::MAX, at, said.secrets));
                if scope.order[at] < first.0 {
                    (first.0, first.1) = (scope.order[at], at);
                }
            }
        }
        for (person, (_, at, secrets)) in authors {
            let id = self.objects.oid(scope.commits.nodes[at].number);
            let name = format!("commit {} author", &id.to_string()[..12]);
            let appearance = scope.appearance(&self.objects, at, name.into(), Place::Commit, secrets);
            outcome.appearances.push(Appearance { object: Some(id), text: Some(person), ..appearance });
        }
        for (name, id, content) in &tips.tags {
            for text in object::texts(content) {
                let secrets = secrets_of(text);
                if !secrets.is_empty() {
                    let appearance = Appearance::new(format!("tag {name} message").into(), Place::Tag, secrets);
                    outcome.appearances.push(Appearance { object: Some(*id), text: Some(text.to_vec()), ..appearance });
                }
            }
        }
        for (name, _) in &self.refs {
            let secrets = secrets_of(name);
            if !secrets.is_empty() {
                let appearance = Appearance::new(format!("ref {name}").into(), Place::RefName, secrets);
                outcome.appearances.push(Appearance { text: Some(name.to_vec()), ..appearance });
            }
        }
    }

    /// What is in scope, and what is not.
    fn peel_all(&self, gaps: &mut Vec<Gap>) -> (Tips, Tips) {
        (self.peel(&self.include, gaps), self.peel(&self.exclude, gaps))
    }

    /// Follows tags to what they name.
    fn peel(&self, ids: &[Oid], gaps: &mut Vec<Gap>) -> Tips {
        let names: HashMap<Oid, &BString> = self.refs.iter().map(|(name, id)| (*id, name)).collect();
        let mut tips = Tips::default();
        let mut done = HashSet::new();
        for first in ids {
            let name = names.get(first).map_or_else(|| BString::from(first.to_string()), |n| (*n).clone());
            let mut id = *first;
            while done.insert(id) {
                let (kind, content) = match self.objects.read(id.as_bytes()) {
                    Ok(object) => object,
                    Err(absent) => {
                        let mut gap = self.gap(id, absent, "object");
                        gap.reason = format!("{} ({name} names it)", gap.reason);
                        gaps.push(gap);
                        break;
                    }
                };
                match kind {
                    Kind::Commit => tips.commits.push(id),
                    Kind::Tree => tips.trees.push(id),
                    Kind::Blob => tips.blobs.push((name.clone(), id)),
                    Kind::Tag => {
                        let target = object::tag_target(&content);
                        tips.tags.push((name.clone(), id, content));
                        if let Some((target, _)) = target {
                            id = target;
                            continue;
                        }
                        gaps.push(self.gap(id, Absent::Corrupt("it names nothing".into()), "tag"));
                    }
                }
                break;
            }
        }
        tips
    }

    fn gap(&self, id: Oid, absent: Absent, what: &str) -> Gap {
        match absent {
            Absent::Corrupt(why) => {
                Gap::new(GapKind::CorruptObject, id.to_string(), format!("the {what} cannot be read: {why}"))
            }
            Absent::Missing if self.partial || self.objects.has_promisor() => Gap::new(
                GapKind::Promised,
                id.to_string(),
                format!("partial clone: the {what} was promised and is not here"),
            ),
            Absent::Missing => Gap::new(GapKind::MissingObject, id.to_string(), format!("the {what} is missing")),
        }
    }
}

/// What refs and revisions name, tags followed.
#[derive(Debug, Default)]
struct Tips {
    commits: Vec<Oid>,
    trees: Vec<Oid>,
    blobs: Vec<(BString, Oid)>,
    tags: Vec<(BString, Oid, Vec<u8>)>,
}

/// The commits in scope with what is known of their places.
#[derive(Debug)]
struct Scope {
    commits: Commits,
    order: Vec<u32>,
    pushed: Option<Vec<bool>>,
    head: Option<u32>,
}

impl Scope {
    fn new(history: &History, commits: Commits) -> Self {
        let objects = &history.objects;
        let pushed = (!history.remotes.is_empty()).then(|| commits.reached_from(objects, &history.remotes));
        let (order, head) = (commits.order(objects), history.head.and_then(|id| commits.find(objects, &id)));
        Scope { commits, order, pushed, head }
    }

    /// The tree of the commit at this place of the list.
    fn tree(&self, objects: &Objects, at: usize) -> Oid {
        self.commits.lineage.oid(objects, self.commits.nodes[at].tree)
    }

    /// Something that the commit at this place of the list brought.
    fn appearance(
        &self,
        objects: &Objects,
        at: usize,
        path: BString,
        place: Place,
        secrets: BTreeMap<u64, bool>,
    ) -> Appearance {
        Appearance {
            commit: Some(objects.oid(self.commits.nodes[at].number)),
            pushed: self.pushed.as_ref().map(|p| p[at]),
            order: self.order[at],
            ..Appearance::new(path, place, secrets)
        }
    }
}

impl Appearance {
    fn new(path: BString, place: Place, secrets: BTreeMap<u64, bool>) -> Self {
        Appearance {
            path,
            place,
            object: None,
            text: None,
            commit: None,
            secrets,
            pushed: None,
            unreachable: false,
            order: u32::MAX,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Lets go of what is large beside what comes next: to free millions of things takes its time.
fn release<T: Send + 'static>(large: T) {
    rayon::spawn(move || drop(large));
}

/// What is said of a tree with more places than are followed.
fn too_many(tree: Oid, most: usize) -> Gap {
    let reason = format!("it has more than {most} places to look at: the others were left out");
    Gap::new(GapKind::Size, tree.to_string(), reason)
}

/// Distinct gaps, sorted; of each kind only so many are named, and the others are counted.
fn summarised(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort();
    gaps.dedup();
    let mut out: Vec<Gap> = Vec::new();
    let mut rest: BTreeMap<GapKind, usize> = BTreeMap::new();
    for same in gaps.chunk_by(|a, b| a.kind == b.kind) {
        out.extend_from_slice(&same[..same.len().min(NAMED_GAPS)]);
        if same.len() > NAMED_GAPS {
            rest.insert(same[0].kind, same.len() - NAMED_GAPS);
        }
    }
    out.extend(rest.into_iter().map(|(kind, n)| Gap::new(kind, "elsewhere", format!("{n} more like these"))));
    out.sort();
    out
}

/// RFC 3339 with the author's own offset.
fn date(seconds: i64, offset: i32) -> String {
    let zone = jiff::tz::Offset::from_seconds(offset.clamp(-1500, 1500) * 60).unwrap_or(jiff::tz::Offset::UTC);
    match jiff::Timestamp::from_second(seconds) {
        Ok(stamp) => stamp.to_zoned(zone.to_time_zone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        Err(_) => "1970-01-01T00:00:00+00:00".to_owned(),
    }
}
