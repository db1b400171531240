//! The whole flow: a source's contents through detection and triage into a report.

mod line_hash;
mod locate;

use std::{
    borrow::Cow,
    cell::{LazyCell, OnceCell},
    collections::{BTreeMap, HashMap, HashSet},
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use bstr::{BStr, BString, ByteSlice};
use rayon::prelude::*;

use self::locate::{Locator, lines_around};
use crate::{
    content::{Content, Copied, Origin, Place},
    detect::{Certainty, Detector, LONGEST_ENCODED, Match, Recent, Seen, entropy, note, score, text},
    error::Result,
    finding::{Commit, Confidence, Finding, Fingerprint, Location, Partner, Secret, Suppression},
    gap::{Gap, GapKind},
    report::{Covered, Mode, Report, Repository, Scan},
    rule::Kind,
    source::{
        Sink, Source, archive, file,
        history::{
            Appearance, History, Inspector, Noticed, Spotted,
            cache::{Cache, Memory},
            lanes::Lanes,
            pieces::Piece,
        },
        lfs,
        oid::Oid,
    },
    triage::{Candidate, Triage, Verdict},
};

/// The most that a path may add to a score, in log-odds: what cannot reach the minimum with it is not kept.
const BEST_PATH: f32 = 1.5;

/// A path that no ordinary pattern names: where it is left out, so is everything.
const NOWHERE: &str = "keysift-probe-1f0c/a9/b7";

/// What a scan is to do, beyond its source.
pub struct Settings<'a> {
    /// Findings below this are counted, not shown.
    pub min_confidence: Confidence,
    /// Kinds of gaps that are accepted.
    pub allow_gaps: Vec<GapKind>,
    /// Set from outside to end the scan early.
    pub stop: &'a AtomicBool,
    /// Told how many objects of how many are done.
    pub progress: &'a (dyn Fn(u64, u64) + Sync),
    /// The hash of the active rules.
    pub rules_hash: String,
    /// The repository, for the report.
    pub repository: Option<Repository>,
    /// The `.git` that has the Git LFS objects which pointers in history name.
    pub large_files: Option<PathBuf>,
    /// Remarks to pass on.
    pub remarks: Vec<String>,
    /// Whether to remark how it went.
    pub verbose: bool,
}

/// The name of this engine: another one may see other things in the same contents.
pub const ENGINE: &str = env!("KEYSIFT_ENGINE");

/// Scans a source: working tree, index, standard input.
///
/// # Errors
/// What was asked for cannot be met at all.
pub fn scan(
    mode: Mode,
    source: &dyn Source,
    detector: &Detector,
    triage: &Triage,
    settings: Settings<'_>,
) -> Result<Report> {
    let begun = Begun::now();
    let collector = Collector::new(detector, triage, &settings);
    source.for_each(&collector)?;
    let covered = Covered {
        files: collector.files.load(Ordering::Relaxed),
        bytes: collector.bytes.load(Ordering::Relaxed),
        ..Covered::default()
    };
    let mut gaps = std::mem::take(&mut *lock(&collector.gaps));
    // A commit may well touch only what is ignored; a whole tree of which nothing is left is a mistake.
    if mode == Mode::Worktree && covered.files > 0 && covered.bytes == 0 && collector.hides_everything() {
        let reason = format!("ignore patterns leave out every one of {} files", covered.files);
        gaps.push(Gap::new(GapKind::NoInput, "ignore patterns", reason));
    }
    let below = lock(&collector.below).len();
    Ok(collector.report(begun, mode, covered, gaps, Counts { below, unreachable: 0 }, settings))
}

/// Scans a history, or of a history that `cache` knows what is new.
///
/// # Errors
/// None at present: what cannot be read is a gap.
pub fn scan_history(
    history: &History,
    cache: Option<&Cache>,
    detector: &Detector,
    triage: &Triage,
    settings: Settings<'_>,
) -> Result<Report> {
    let begun = Begun::now();
    let mut settings = settings;
    let mut collector = Collector::new(detector, triage, &settings);
    // Of a range of commits little is to be remembered.
    let cache = cache.filter(|_| history.is_whole());
    let recalled = cache.and_then(|cache| cache.recall(history, &collector));
    let is_recalled = recalled.is_some();
    let mut memory = recalled.unwrap_or_else(|| {
        let outcome = history.inspect(&collector, cache);
        Memory { outcome, below: 0 }
    });
    collector.place_appearances(history, &memory.outcome.appearances);
    memory.outcome.gaps.append(collector.gaps.get_mut().unwrap_or_else(PoisonError::into_inner));
    let below = collector.below.get_mut().unwrap_or_else(PoisonError::into_inner).len();
    memory.below = below.max(memory.below);
    if let Some(cache) = cache {
        if !is_recalled && !collector.looks_elsewhere.load(Ordering::Relaxed) {
            cache.keep(history, &collector, &memory);
        }
        settings.remarks.append(&mut cache.take_remarks());
    }
    let Memory { outcome, below } = memory;
    if settings.verbose {
        let stages = outcome.stages.iter().map(|(name, seconds)| format!("{name} {seconds:.2} s"));
        let stages: Vec<String> = if is_recalled { vec!["nothing is new".into()] } else { stages.collect() };
        settings.remarks.push(format!("history: {}", stages.join(", ")));
        if let Some(cache) = cache {
            let known = if is_recalled { "all".to_owned() } else { outcome.known.to_string() };
            settings.remarks.push(format!("cache: {known} objects known, {}", cache.folder().display()));
        }
    }
    let covered = Covered { files: 0, blobs: outcome.blobs, commits: outcome.commits, bytes: outcome.bytes };
    let counts = Counts { below, unreachable: outcome.unreachable };
    Ok(collector.report(begun, Mode::History, covered, outcome.gaps, counts, settings))
}

/// What was found and is not reported.
struct Counts {
    /// Secrets below the minimum confidence.
    below: usize,
    /// Contents with findings that no ref reaches.
    unreachable: usize,
}

/// When a scan began.
struct Begun {
    clock: Instant,
    stamp: String,
}

impl Begun {
    fn now() -> Self {
        Begun { clock: Instant::now(), stamp: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string() }
    }
}

/// A secret under a rule, and how it was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    rule: u32,
    secret: Secret,
    suppressed: bool,
}

/// What is gathered of one secret.
#[derive(Debug)]
struct Gathering {
    confidence: Confidence,
    suppression: Option<Suppression>,
    /// The other halves of a pair, with where they stand by the secret.
    partners: BTreeMap<(u32, Secret), Vec<(u32, Location)>>,
    locations: Vec<(u32, Location)>,
}

/// Takes contents, and gathers findings.
struct Collector<'a> {
    detector: &'a Detector,
    triage: &'a Triage,
    min_confidence: Confidence,
    stop: &'a AtomicBool,
    progress: &'a (dyn Fn(u64, u64) + Sync),
    gathered: Mutex<HashMap<Key, Gathering>>,
    /// Numbers of secrets below the minimum confidence.
    below: Mutex<HashSet<u64>>,
    gaps: Mutex<Vec<Gap>>,
    files: AtomicU64,
    bytes: AtomicU64,
    /// How many contents ignore files and allowlists leave out.
    skipped: AtomicU64,
    /// The length of the repository's object ids, in bytes.
    id_len: usize,
    /// Where the objects of Git LFS are.
    large_files: Option<PathBuf>,
    /// Whether something outside of the object database was looked at.
    looks_elsewhere: AtomicBool,
    /// What each thread saw lately in new parts of contents.
    recent: Lanes<Recent>,
}

impl Sink for Collector<'_> {
    fn content(&self, content: Content<'_>) {
        if content.origin.place != Place::FileName {
            self.files.fetch_add(1, Ordering::Relaxed);
        }
        if self.triage.skips(content.origin.path.as_bstr()) {
            if content.origin.place != Place::FileName {
                self.skipped.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        self.bytes.fetch_add(content.bytes.len() as u64, Ordering::Relaxed);
        let known = OnceCell::new();
        let known =
            || known.get_or_init(|| content.before.map(|before| self.secrets_inside(before)).unwrap_or_default());
        if archive::is_archive(content.bytes) {
            let gap = &mut |gap| lock(&self.gaps).push(gap);
            let visit = &mut |path: &BStr, bytes: &[u8]| {
                let origin = Origin { path: path.to_owned(), ..content.origin.clone() };
                self.look(&origin, bytes, &known);
            };
            archive::expand(content.origin.path.as_bstr(), content.bytes, visit, gap);
        } else {
            self.look(content.origin, content.bytes, &known);
        }
    }

    fn gap(&self, gap: Gap) {
        lock(&self.gaps).push(gap);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Collector<'_> {
    /// Looks at bytes that are no archive; secrets that are known are not new.
    fn look<'k>(&self, origin: &Origin, bytes: &[u8], known: &dyn Fn() -> &'k HashSet<u64>) {
        let text = text::text(bytes);
        let seen = self.detector.scan(&text);
        self.undecoded(&seen, origin.path.as_bstr());
        if seen.is_clean() {
            return;
        }
        let mut matches = self.detector.resolve(&text, &seen);
        matches.retain(|m| !known().contains(&self.number(&text, m)));
        self.place(&text, 0, &matches, &origin.path, |matched| (0, location(origin, matched), None));
    }

    /// The numbers of all secrets of a content, also of those inside if it is an archive.
    fn secrets_inside(&self, content: &[u8]) -> HashSet<u64> {
        let mut numbers = HashSet::new();
        let visit = &mut |_: &BStr, bytes: &[u8]| {
            let text = text::text(bytes);
            let seen = self.detector.scan(&text);
            numbers.extend(self.detector.resolve(&text, &seen).iter().map(|m| self.number(&text, m)));
        };
        archive::expand("".into(), content, visit, &mut |_| {});
        numbers
    }
}

/// A location that still lacks its position.
fn location(origin: &Origin, _matched: &Match) -> Location {
    Location {
        path: origin.path.clone(),
        place: origin.place,
        start: crate::finding::Position { line: 1, column: 1 },
        end: crate::finding::Position { line: 1, column: 1 },
        commit: None,
        blob: origin.blob.clone(),
        in_head: None,
        pushed: None,
        unreachable: false,
        line_hash: None,
    }
}

impl<'a> Collector<'a> {
    fn new(detector: &'a Detector, triage: &'a Triage, settings: &Settings<'a>) -> Self {
        Collector {
            detector,
            triage,
            min_confidence: settings.min_confidence,
            stop: settings.stop,
            progress: settings.progress,
            gathered: Mutex::default(),
            below: Mutex::default(),
            gaps: Mutex::default(),
            files: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            large_files: settings.large_files.clone(),
            id_len: settings.repository.as_ref().and_then(|r| r.head.as_ref()).map_or(20, |head| head.len() / 2),
            looks_elsewhere: AtomicBool::new(false),
            recent: Lanes::default(),
        }
    }

    /// A name for a blob of which nothing but the content is at hand.
    fn blob(&self, content: &[u8]) -> BString {
        Oid::of_blob(content, self.id_len).map_or_else(|| "blob".into(), |id| format!("blob {id}").into())
    }

    /// Whether every content was left out, also those that no pattern can mean in particular.
    fn hides_everything(&self) -> bool {
        self.skipped.load(Ordering::Relaxed) == self.files.load(Ordering::Relaxed) && self.triage.skips(NOWHERE.into())
    }

    /// Says what was too long to be decoded.
    fn undecoded(&self, seen: &Seen, place: &BStr) {
        for run in seen.undecoded() {
            let reason =
                format!("{} bytes of encoded text, more than the {} that are decoded", run.len(), LONGEST_ENCODED);
            lock(&self.gaps).push(Gap::new(GapKind::Decoding, place, reason));
        }
    }

    /// A number for a secret under a rule: equal for equal ones, and practically only for these.
    fn number(&self, text: &[u8], matched: &Match) -> u64 {
        let mut hash = blake3::Hasher::new();
        hash.update(&matched.rule.to_le_bytes()).update(matched.value(text));
        u64::from_le_bytes(hash.finalize().as_bytes()[..8].try_into().expect("eight bytes"))
    }

    /// How sure a match is at a path; `None` where it is no finding there.
    fn confidence(&self, text: &[u8], matched: &Match, path: &BStr) -> Option<Confidence> {
        match matched.certainty {
            // Its surroundings speak for it, not its value: that may still be a dummy.
            Certainty::Fixed(Confidence::Medium)
                if self.detector.rules()[matched.rule as usize].kind == Kind::Regex
                    && (score::is_dummy(path, matched.value(text))
                        || score::is_word_of_script(path, matched.value(text))) =>
            {
                Some(Confidence::Low)
            }
            Certainty::Fixed(_) if score::is_fake(path, matched.value(text)) => Some(Confidence::Low),
            Certainty::Fixed(confidence) => Some(confidence),
            Certainty::Scored(log_odds) => {
                let place = matched.decoded.is_none().then_some((text, &matched.span, &matched.secret));
                score::confidence(score::in_place(log_odds, path, matched.value(text), place))
            }
        }
    }

    /// Puts the matches of a text, before which there are so many lines, to their findings. `at` makes the order and the location of a match,
    /// and the commit that triage wants to know.
    fn place(
        &self,
        text: &[u8],
        lines_before: u32,
        matches: &[Match],
        path: &BString,
        at: impl Fn(&Match) -> (u32, Location, Option<String>),
    ) {
        let mut locator = Locator::new(text);
        let mut placed: Vec<(Key, Gathering)> = Vec::new();
        for matched in matches {
            let rule = &self.detector.rules()[matched.rule as usize];
            let Some(confidence) = self.confidence(text, matched, path.as_bstr()) else { continue };
            if confidence < self.min_confidence {
                lock(&self.below).insert(self.number(text, matched));
                continue;
            }
            let (order, mut location, commit) = at(matched);
            let (lines, above) = lines_around(text, &matched.span);
            let candidate = Candidate {
                rule,
                secret: matched.value(text),
                matched: &text[matched.span.clone()],
                lines: &text[lines],
                above: &text[above],
                path: path.as_bstr(),
                commit: commit.as_deref(),
            };
            let suppression = match self.triage.judge(&candidate) {
                Verdict::Keep => None,
                Verdict::Drop(_) => continue,
                Verdict::Suppress(suppression) => Some(suppression),
            };
            location.start = locator.position(matched.secret.start);
            location.end = locator.position(matched.secret.end);
            let secret = Secret::new(matched.value(text));
            let key = Key { rule: matched.rule, secret, suppressed: suppression.is_some() };
            let partners = matched.partners.iter().map(|partner| {
                let start = locator.position(partner.secret.start);
                let mut place = Location { start, end: locator.position(partner.secret.end), ..location.clone() };
                place.start.line += lines_before;
                place.end.line += lines_before;
                ((partner.rule, Secret::new(&*partner.value)), vec![(order, place)])
            });
            let partners = partners.collect();
            placed.push((key, Gathering { confidence, suppression, partners, locations: vec![(order, location)] }));
        }
        let mut lines: Vec<u32> = placed.iter().map(|(_, g)| g.locations[0].1.start.line).collect();
        lines.sort_unstable();
        lines.dedup();
        let hashes = line_hash::line_hashes(text, &lines);
        let mut gathered = lock(&self.gathered);
        for (key, mut new) in placed {
            let line = new.locations[0].1.start.line;
            let location = &mut new.locations[0].1;
            location.line_hash = lines.binary_search(&line).ok().and_then(|at| hashes[at].clone());
            location.start.line += lines_before;
            location.end.line += lines_before;
            match gathered.entry(key) {
                std::collections::hash_map::Entry::Vacant(free) => drop(free.insert(new)),
                std::collections::hash_map::Entry::Occupied(mut old) => {
                    let old = old.get_mut();
                    old.confidence = old.confidence.max(new.confidence);
                    for (partner, mut places) in new.partners {
                        old.partners.entry(partner).or_default().append(&mut places);
                    }
                    old.locations.append(&mut new.locations);
                }
            }
        }
    }

    /// Reads what has appeared in history once more, to say where in it the secrets stand.
    fn place_appearances(&self, history: &History, appearances: &[Appearance]) {
        let mut by_object: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, appearance) in appearances.iter().enumerate() {
            let key = if appearance.text.is_some() { Err(at) } else { appearance.object.ok_or(at) };
            by_object.entry(key).or_default().push(at);
        }
        let authors: Mutex<HashMap<Oid, Option<Commit>>> = Mutex::default();
        let groups: Vec<_> = by_object.into_iter().collect();
        groups.into_par_iter().for_each(|(object, places)| {
            let place = &mut |piece: &Piece<'_>| {
                if piece.is_part {
                    return self.place_text(history, appearances, &places, &authors, "".into(), piece);
                }
                // What cannot be read in it was said when it was inspected.
                let content = match self.large_file(piece.bytes) {
                    Some(Ok(object)) => Cow::Owned(object),
                    _ => Cow::Borrowed(piece.bytes),
                };
                let visit = &mut |path: &BStr, bytes: &[u8]| {
                    self.place_text(history, appearances, &places, &authors, path, &Piece::whole(bytes));
                };
                archive::expand("".into(), &content, visit, &mut |_| {});
            };
            match (&appearances[places[0]].text, object) {
                (Some(text), _) => place(&Piece::whole(text)),
                (None, Ok(id)) => {
                    if let Err(error) = history.read(&id, place) {
                        let place = appearances[places[0]].path.clone();
                        lock(&self.gaps).push(Gap::new(GapKind::CorruptObject, place, error.to_string()));
                    }
                }
                (None, Err(_)) => {}
            }
        });
    }

    /// Places the secrets of one text, `inner` being its path inside of the appearances' own.
    fn place_text(
        &self,
        history: &History,
        appearances: &[Appearance],
        places: &[usize],
        authors: &Mutex<HashMap<Oid, Option<Commit>>>,
        inner: &BStr,
        piece: &Piece<'_>,
    ) {
        let text = text::text(piece.bytes);
        let seen = self.detector.scan(&text);
        let mut matches = self.detector.resolve(&text, &seen);
        matches.retain(|matched| !piece.is_part || matched.secret.start < piece.own);
        for &at in places {
            let appearance = &appearances[at];
            let path: BString = [appearance.path.as_slice(), inner].concat().into();
            let new: Vec<Match> =
                matches.iter().filter(|m| appearance.secrets.contains_key(&self.number(&text, m))).cloned().collect();
            let commit = appearance.commit.and_then(|id| {
                let known = lock(authors).get(&id).cloned();
                known.unwrap_or_else(|| {
                    let commit = history.author(&id).map(|(author, email, date)| Commit {
                        id: id.to_string(),
                        author,
                        email,
                        date,
                    });
                    lock(authors).insert(id, commit.clone());
                    commit
                })
            });
            self.place(&text, piece.lines, &new, &path, |matched| {
                let origin = Origin {
                    path: path.clone(),
                    place: appearance.place,
                    blob: appearance.object.map(|id| id.to_string()),
                };
                let in_head = appearance.secrets.get(&self.number(&text, matched)).copied();
                let location = Location {
                    commit: commit.clone(),
                    in_head: if appearance.place == Place::Content { in_head } else { None },
                    pushed: appearance.pushed,
                    unreachable: appearance.unreachable,
                    ..location(&origin, matched)
                };
                (at as u32, location, commit.as_ref().map(|c| c.id.clone()))
            });
        }
    }

    /// Makes the report of what was gathered.
    fn report(
        self,
        begun: Begun,
        mode: Mode,
        covered: Covered,
        mut gaps: Vec<Gap>,
        counts: Counts,
        settings: Settings<'_>,
    ) -> Report {
        let rules = self.detector.rules();
        let gathered = self.gathered.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut findings, mut suppressed) = (Vec::new(), Vec::new());
        let now = jiff::Timestamp::now().as_second();
        for (key, found) in gathered {
            let rule = &rules[key.rule as usize];
            let finding = Finding {
                confidence: found.confidence,
                severity: rule.severity,
                fingerprint: Fingerprint::of(&rule.id, &key.secret),
                entropy: entropy::shannon(key.secret.expose()),
                notes: note::notes(rule, key.secret.expose(), now),
                partners: found
                    .partners
                    .into_iter()
                    .map(|((r, secret), places)| {
                        let rule = rules[r as usize].id.clone();
                        Partner { rule, secret, locations: in_order(places) }
                    })
                    .collect(),
                locations: in_order(found.locations),
                suppression: found.suppression,
                rule: rule.clone(),
                secret: key.secret,
            };
            if key.suppressed { suppressed.push(finding) } else { findings.push(finding) }
        }
        findings.sort_by(order);
        let complete = gaps.is_empty() && !self.stop.load(Ordering::Relaxed);
        let settled = self.triage.settle_as(findings, complete);
        findings = settled.findings;
        suppressed.extend(settled.suppressed);
        let mut paired = take_paired(&mut findings, &mut suppressed);
        findings.sort_by(order);
        suppressed.sort_by(order);
        paired.sort_by(order);
        gaps.extend(settled.gaps);
        if rules.is_empty() {
            gaps.push(Gap::new(GapKind::NoRules, "rules", "no rule is active"));
        }
        if self.stop.load(Ordering::Relaxed) {
            gaps.push(Gap::new(GapKind::Interrupted, "scan", "the scan was interrupted"));
        }
        gaps.sort();
        gaps.dedup();
        let (accepted_gaps, gaps) = gaps.into_iter().partition(|g| settings.allow_gaps.contains(&g.kind));
        let mut remarks = settings.remarks;
        remarks.extend(settled.remarks);
        let scan = Scan {
            mode,
            rules: rules.len(),
            rules_hash: settings.rules_hash,
            repository: settings.repository,
            covered,
            gaps,
            accepted_gaps,
            below_confidence: counts.below,
            unreachable: counts.unreachable,
            remarks,
            started: begun.stamp,
            seconds: begun.clock.elapsed().as_secs_f64(),
        };
        Report { scan, findings, suppressed, paired }
    }
}

/// Locations as they were introduced.
fn in_order(mut places: Vec<(u32, Location)>) -> Vec<Location> {
    places.sort_by(|(a, l), (b, m)| (a, &l.path, l.start, l.end).cmp(&(b, &m.path, m.start, m.end)));
    places.into_iter().map(|(_, location)| location).collect()
}

/// Takes out the findings that others name as their partner wherever they stand: a pair is one finding.
///
/// What names a partner of its own stays: so each pair is told by one that is reported.
fn take_paired(findings: &mut Vec<Finding>, suppressed: &mut Vec<Finding>) -> Vec<Finding> {
    // The hash of the line is not a part of the place.
    let place = |l: &Location| Location { line_hash: None, ..l.clone() };
    let mut named: HashMap<(String, Secret), HashSet<Location>> = HashMap::new();
    for Partner { rule, secret, locations } in findings.iter().chain(&*suppressed).flat_map(|f| &f.partners) {
        named.entry((rule.clone(), secret.clone())).or_default().extend(locations.iter().map(place));
    }
    let is_named = |f: &Finding| {
        let places = named.get(&(f.rule.id.clone(), f.secret.clone()));
        f.partners.is_empty() && places.is_some_and(|places| f.locations.iter().all(|l| places.contains(&place(l))))
    };
    let taken = findings.extract_if(.., |f| is_named(f)).chain(suppressed.extract_if(.., |f| is_named(f)));
    taken.collect()
}

/// Most severe and surest first, then by first location.
fn order(a: &Finding, b: &Finding) -> std::cmp::Ordering {
    let place = |f: &Finding| f.locations.first().map(|l| (l.path.clone(), l.start, l.end));
    (b.severity, b.confidence)
        .cmp(&(a.severity, a.confidence))
        .then_with(|| place(a).cmp(&place(b)))
        .then_with(|| (&a.rule.id, &a.secret).cmp(&(&b.rule.id, &b.secret)))
}

impl Collector<'_> {
    /// Looks at what is inside a content of history; `name` makes what gaps call it.
    fn inside(&self, content: &[u8], name: impl FnOnce() -> BString) -> Noticed {
        let mut inside = Noticed { secrets: Vec::new(), is_complete: true };
        let mut gaps = Vec::new();
        // Few contents have gaps, and a name may be the hash of all of a content.
        let name = LazyCell::new(name);
        let named = |inner: &BStr| BString::from([name.as_slice(), inner].concat());
        let visit = &mut |path: &BStr, bytes: &[u8]| {
            let seen = self.plain(bytes, || named(path));
            let noticed = self.noticed(bytes, &seen);
            inside.is_complete &= noticed.is_complete;
            inside.secrets.extend(noticed.secrets);
        };
        archive::expand("".into(), content, visit, &mut |gap| gaps.push(gap));
        inside.is_complete &= gaps.is_empty();
        gaps.iter_mut().for_each(|gap| gap.place = named(gap.place.as_bstr()));
        lock(&self.gaps).append(&mut gaps);
        inside.secrets.sort_unstable();
        inside.secrets.dedup();
        inside
    }

    /// Looks at a content of history as it is, whatever it may be.
    fn plain(&self, content: &[u8], place: impl FnOnce() -> BString) -> impl_seen::SeenText {
        let text = text::text(content);
        let seen = self.detector.scan(&text);
        if seen.undecoded().next().is_some() {
            self.undecoded(&seen, place().as_bstr());
        }
        impl_seen::SeenText(match text {
            Cow::Borrowed(_) => Looked::AsIs(seen),
            Cow::Owned(_) => Looked::Transcoded(seen),
        })
    }

    /// Looks at a content of history that was made from another one, by rescanning it if both are plain text.
    fn made_from(
        &self,
        content: &[u8],
        base: &impl_seen::SeenText,
        rescan: impl FnOnce(&[u8], &Seen) -> Seen,
    ) -> impl_seen::SeenText {
        match (&base.0, text::text(content)) {
            (Looked::AsIs(base), Cow::Borrowed(text)) if !archive::is_archive(content) && !lfs::is_pointer(content) => {
                let seen = rescan(text, base);
                if seen.undecoded().next().is_some() {
                    self.undecoded(&seen, self.blob(content).as_bstr());
                }
                impl_seen::SeenText(Looked::AsIs(seen))
            }
            _ => self.whole(content),
        }
    }

    /// The large file that a content of history stands for, if it is a Git LFS pointer.
    fn large_file(&self, content: &[u8]) -> Option<Result<Vec<u8>, Gap>> {
        let hash = lfs::pointer(content)?;
        let object = lfs::object(self.large_files.as_ref()?, hash);
        Some(file::read(&object).map_err(|e| lfs::gap(self.blob(content), hash, &e)))
    }
}

/// What was seen in a text, or that its content had to be transcoded and nothing can be inherited.
enum Looked {
    AsIs(Seen),
    Transcoded(Seen),
    /// An archive, or a pointer to a large file.
    Inside(Noticed),
}

impl Inspector for Collector<'_> {
    type Seen = impl_seen::SeenText;

    fn whole(&self, content: &[u8]) -> Self::Seen {
        match self.large_file(content) {
            // Large files come and go without a trace in the objects.
            Some(found) => {
                self.looks_elsewhere.store(true, Ordering::Relaxed);
                let inside = match found {
                    Ok(object) => self.inside(&object, || self.blob(content)),
                    Err(gap) => {
                        lock(&self.gaps).push(gap);
                        self.inside(content, || self.blob(content))
                    }
                };
                return impl_seen::SeenText(Looked::Inside(Noticed { is_complete: false, ..inside }));
            }
            None if archive::is_archive(content) => {
                return impl_seen::SeenText(Looked::Inside(self.inside(content, || self.blob(content))));
            }
            None => {}
        }
        self.plain(content, || self.blob(content))
    }

    fn derived(&self, content: &[u8], base: &Self::Seen, copied: &[Copied]) -> Self::Seen {
        self.made_from(content, base, |text, base| self.detector.rescan(text, base, copied, &mut self.recent.lock()))
    }

    fn derived_last(&self, content: &[u8], base: &Self::Seen, copied: &[Copied]) -> Self::Seen {
        self.made_from(content, base, |text, base| {
            self.detector.rescan_last(text, base, copied, &mut self.recent.lock())
        })
    }

    fn noticed(&self, content: &[u8], seen: &Self::Seen) -> Noticed {
        let seen = match &seen.0 {
            Looked::AsIs(seen) | Looked::Transcoded(seen) => seen,
            Looked::Inside(inside) => return inside.clone(),
        };
        let mut noticed = Noticed { secrets: Vec::new(), is_complete: seen.undecoded().next().is_none() };
        if seen.is_clean() {
            return noticed;
        }
        let text = text::text(content);
        for matched in self.detector.resolve(&text, seen) {
            let best = match matched.certainty {
                Certainty::Fixed(confidence) => Some(confidence),
                Certainty::Scored(log_odds) => score::confidence(log_odds + BEST_PATH),
            };
            // What is no finding at any path is nothing, whatever confidence is asked for.
            if let Some(best) = best {
                noticed.secrets.push(Spotted { number: self.number(&text, &matched), level: best as u8 });
            }
        }
        noticed.secrets.sort_unstable();
        noticed.secrets.dedup();
        noticed
    }

    fn counted(&self, secrets: &[Spotted]) -> Vec<u64> {
        let (above, below): (Vec<&Spotted>, Vec<_>) =
            secrets.iter().partition(|secret| secret.level >= self.min_confidence as u8);
        if !below.is_empty() {
            lock(&self.below).extend(below.into_iter().map(|secret| secret.number));
        }
        let mut numbers: Vec<u64> = above.into_iter().map(|secret| secret.number).collect();
        numbers.dedup();
        numbers
    }

    fn threshold(&self) -> String {
        format!("{:?}", self.min_confidence)
    }

    fn progress(&self, done: u64, total: u64) {
        (self.progress)(done, total);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A type that `Inspector` can name and nobody else can make.
mod impl_seen {
    /// What was seen in a text.
    pub struct SeenText(pub(super) super::Looked);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
