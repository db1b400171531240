//! Compares the delta-wise history scan with a scan of every blob as a whole:
//!
//!     cargo run --release --example compare -- REPOSITORY...
//!
//! Prints for each repository how many appearances both found and how long each took, and ends with
//! status 1 if they differ.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use keysift::{
    content::Copied,
    detect::{Detector, Recent, Seen, text},
    rule::Ruleset,
    source::{
        history::{Appearance, History, Inspector, Noticed, Options, Spotted, lanes::Lanes},
        repository::{Environment, Repository},
    },
};

/// Looks at contents, with or without the use of what was seen in their bases.
struct Looker {
    detector: Detector,
    delta_wise: bool,
    recent: Lanes<Recent>,
}

impl Inspector for Looker {
    type Seen = Option<Seen>;

    fn whole(&self, content: &[u8]) -> Option<Seen> {
        match text::text(content) {
            std::borrow::Cow::Borrowed(text) => Some(self.detector.scan(text)),
            std::borrow::Cow::Owned(_) => None,
        }
    }

    fn derived(&self, content: &[u8], base: &Option<Seen>, copied: &[Copied]) -> Option<Seen> {
        match base {
            Some(base) if self.delta_wise && matches!(text::text(content), std::borrow::Cow::Borrowed(_)) => {
                Some(self.detector.rescan(content, base, copied, &mut self.recent.lock()))
            }
            _ => self.whole(content),
        }
    }

    fn noticed(&self, content: &[u8], seen: &Option<Seen>) -> Noticed {
        let text = text::text(content);
        let transcoded;
        let seen = match seen {
            Some(seen) => seen,
            None => {
                transcoded = self.detector.scan(&text);
                &transcoded
            }
        };
        if seen.is_clean() {
            return Noticed::default();
        }
        // Every match counts here, whatever its confidence, with its place.
        let number = |m: keysift::detect::Match| {
            let mut hasher = DefaultHasher::new();
            (m.rule, &m.secret, &m.span, &text[m.secret.clone()], format!("{:?}", m.certainty)).hash(&mut hasher);
            hasher.finish()
        };
        let matches = self.detector.resolve(&text, seen).into_iter();
        let mut secrets: Vec<Spotted> = matches.map(|m| Spotted { number: number(m), level: 0 }).collect();
        secrets.sort_unstable();
        secrets.dedup();
        Noticed { secrets, is_complete: false }
    }

    fn counted(&self, secrets: &[Spotted]) -> Vec<u64> {
        secrets.iter().map(|secret| secret.number).collect()
    }

    fn progress(&self, _done: u64, _total: u64) {}

    fn is_stopped(&self) -> bool {
        false
    }
}

type Found = Vec<(Option<String>, String, BTreeMap<u64, bool>)>;

fn found(appearances: Vec<Appearance>) -> Found {
    let key = |a: Appearance| (a.commit.map(|c| c.to_string()), a.path.to_string(), a.secrets);
    appearances.into_iter().map(key).collect()
}

#[allow(clippy::print_stdout)]
fn main() -> ExitCode {
    let mut same = true;
    for path in std::env::args().skip(1) {
        let environment = Environment::of_process();
        let repository = match Repository::discover(Path::new(&path), &environment) {
            Ok(Some(repository)) => repository,
            Ok(None) => {
                println!("{path}: not a repository");
                return ExitCode::from(2);
            }
            Err(error) => {
                println!("{path}: {error}");
                return ExitCode::from(2);
            }
        };
        let run = |delta_wise| {
            let detector = Detector::new(&Ruleset::builtin()).expect("the built-in rules are valid");
            let history = History::open(&repository, Options::default()).expect("no revisions are named");
            let begun = Instant::now();
            let outcome = history.inspect(&Looker { detector, delta_wise, recent: Lanes::default() }, None);
            (found(outcome.appearances), begun.elapsed().as_secs_f64())
        };
        let (delta, whole) = (run(true), run(false));
        println!(
            "{path}: {} appearances delta-wise in {:.2} s, {} as wholes in {:.2} s: {}",
            delta.0.len(),
            delta.1,
            whole.0.len(),
            whole.1,
            if delta.0 == whole.0 { "the same" } else { "DIFFERENT" }
        );
        for only in delta.0.iter().filter(|a| !whole.0.contains(a)).take(3) {
            println!("  delta-wise: {only:?}");
        }
        for only in whole.0.iter().filter(|a| !delta.0.contains(a)).take(3) {
            println!("  as wholes: {only:?}");
        }
        same &= delta.0 == whole.0;
    }
    ExitCode::from(u8::from(!same))
}
