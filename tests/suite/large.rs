//! Contents too large to be held: history looks at them piece by piece, and finds in them what it would find
//! in one piece.

use std::io::{self, Write};

use keysift::{
    content::Copied,
    source::{
        history::{
            History, Inspector, Noticed, Options, Spotted,
            pieces::{self, LARGE},
        },
        repository::{Backend, Environment, Repository},
    },
};

use crate::common::Repo;

#[test]
fn pieces_make_up_the_content_and_overlap() {
    let lines: Vec<u8> = (0..2_000_000).flat_map(|n| format!("line {n} of many\n").into_bytes()).collect();
    for content in [&lines[..], &vec![b'x'; 40 << 20], b"short", b""] {
        let (mut own, mut count) = (Vec::new(), 0);
        let len = pieces::for_each(&mut &content[..], &mut |piece| {
            assert!(content[own.len()..].starts_with(piece.bytes), "a piece stands where the last one ends");
            assert_eq!(piece.lines as usize, own.iter().filter(|b| **b == b'\n').count());
            let is_last = own.len() + piece.bytes.len() == content.len();
            assert!(is_last || piece.bytes.len() - piece.own >= 256 << 10);
            own.extend_from_slice(&piece.bytes[..piece.own.min(piece.bytes.len())]);
            count += 1;
            true
        });
        assert_eq!(len.unwrap(), content.len() as u64);
        assert!(own == content, "nothing is left out");
        assert!(count >= content.len() >> 24, "no piece is much larger than 16 MiB");
    }
}

/// Finds `S`; has no patience with contents that are handed over whole.
struct Small;

impl Inspector for Small {
    type Seen = bool;

    fn whole(&self, content: &[u8]) -> bool {
        assert!(content.len() < LARGE as usize, "this was to come in pieces");
        memchr::memchr(b'S', content).is_some()
    }

    fn derived(&self, content: &[u8], _: &bool, _: &[Copied]) -> bool {
        self.whole(content)
    }

    fn noticed(&self, _: &[u8], seen: &bool) -> Noticed {
        let secrets = seen.then_some(Spotted { number: 7, level: 0 });
        Noticed { secrets: secrets.into_iter().collect(), is_complete: true }
    }

    fn counted(&self, secrets: &[Spotted]) -> Vec<u64> {
        secrets.iter().map(|secret| secret.number).collect()
    }

    fn progress(&self, _: u64, _: u64) {}

    fn is_stopped(&self) -> bool {
        false
    }
}

#[test]
fn a_blob_too_large_to_be_held_is_looked_at_to_its_end() {
    let repo = Repo::new();
    let mut file = io::BufWriter::new(std::fs::File::create(repo.path().join("large")).unwrap());
    for _ in 0..LARGE / 4096 {
        file.write_all(&[b'\n'; 4096]).unwrap();
    }
    file.write_all(b"S\n").unwrap();
    file.into_inner().unwrap();
    repo.run("config core.bigFileThreshold 1m");
    repo.run("add large");
    repo.commit("large");
    let look = |revs: &[&str]| {
        let opened = Repository::discover(repo.path(), &Environment::new(repo.path(), Backend::Auto)).unwrap().unwrap();
        let revs = revs.iter().map(|rev| (*rev).to_owned()).collect();
        let history = History::open(&opened, Options { revs, ..Options::default() }).unwrap();
        let outcome = history.inspect(&Small, None);
        assert_eq!(outcome.gaps, []);
        assert_eq!(outcome.bytes, LARGE + 2 + if history.is_whole() { 6 } else { 0 });
        let paths: Vec<String> = outcome.appearances.iter().map(|a| a.path.to_string()).collect();
        assert_eq!(paths, ["large"]);
        let mut found = Vec::new();
        let read = history.read(&outcome.appearances[0].object.unwrap(), &mut |piece| {
            let before: usize = piece.lines as usize;
            found.extend(memchr::memchr(b'S', piece.bytes).filter(|at| *at < piece.own).map(|at| before + at));
        });
        read.unwrap();
        assert_eq!(found, [LARGE as usize], "every byte before it is a line");
    };
    for _ in ["loose", "packed"] {
        look(&[]);
        look(&["HEAD~1..HEAD"]);
        repo.run("repack -adq");
    }
}
