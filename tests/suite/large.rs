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

/// A pack with an index, made by hand: the ids are what the index says, and nobody checks them.
fn pack(repo: &Repo, entries: &[(&str, Vec<u8>)]) {
    let (mut pack, mut offsets) = (b"PACK\0\0\0\x02".to_vec(), Vec::new());
    pack.extend((entries.len() as u32).to_be_bytes());
    for (_, entry) in entries {
        offsets.push(pack.len());
        pack.extend(entry);
    }
    pack.extend([0; 20]);
    let mut index = b"\xfftOc\0\0\0\x02".to_vec();
    let heads: Vec<u8> = entries.iter().map(|(id, _)| u8::from_str_radix(&id[..2], 16).unwrap()).collect();
    assert!(heads.is_sorted());
    for head in 0..=255 {
        index.extend((heads.iter().filter(|h| **h <= head).count() as u32).to_be_bytes());
    }
    heads.iter().for_each(|head| index.extend([*head; 20]));
    index.extend(vec![0; 4 * entries.len()]);
    offsets.iter().for_each(|offset| index.extend((*offset as u32).to_be_bytes()));
    index.extend([0; 40]);
    std::fs::create_dir_all(repo.dot_git("objects/pack")).unwrap();
    std::fs::write(repo.dot_git("objects/pack/pack-made.pack"), pack).unwrap();
    std::fs::write(repo.dot_git("objects/pack/pack-made.idx"), index).unwrap();
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

/// An entry of a pack: type and size, what comes between, the content.
fn entry(kind: u8, between: &[u8], content: &[u8]) -> Vec<u8> {
    let mut size = varint(content.len() >> 4);
    let more = if content.len() > 15 {
        0x80
    } else {
        size.clear();
        0
    };
    [&[more | kind << 4 | (content.len() & 15) as u8], &size[..], between, &deflated(content)].concat()
}

#[test]
fn what_is_made_from_others_and_too_large_to_be_held_is_looked_at_to_its_end() {
    const BASE: usize = 0xff_ffff;
    const COPIES: usize = 130;
    let repo = Repo::new();
    let [base, huge, small, filler] = ["11", "22", "33", "44"].map(|head| head.repeat(20));
    let name = |id: &str| [u8::from_str_radix(&id[..2], 16).unwrap(); 20];
    let from = |id: &str, base: usize, size: usize, instructions: &[u8]| {
        entry(7, &name(id), &[varint(base), varint(size), instructions.to_vec()].concat())
    };
    let lines = COPIES * BASE;
    let all_of_base = [0xf0, 0xff, 0xff, 0xff];
    // The last two bytes of it.
    let end = [[0x9f].to_vec(), (lines as u32).to_le_bytes().to_vec(), [2].to_vec()].concat();
    // What a pack may make is limited by its size: this is not to be deflated.
    let next = |n: &u64| Some(n.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f));
    let noise: Vec<u8> = std::iter::successors(Some(1), next).map(|n| (n >> 56) as u8 | 0x80).take(3 << 20).collect();
    pack(
        &repo,
        &[
            (&base, entry(3, &[], &vec![b'\n'; BASE])),
            (&huge, from(&base, BASE, lines + 2, &[&all_of_base.repeat(COPIES)[..], b"\x02S\n"].concat())),
            (&small, from(&huge, lines + 2, 4, &[b"\x02a\n", &end[..]].concat())),
            (&filler, entry(3, &[], &noise)),
        ],
    );
    let tree = [("huge", &huge), ("small", &small)].map(|(name, id)| format!("100644 blob {id}\t{name}\n")).concat();
    let mut git = repo.world.git_command(repo.path());
    git.args(["mktree", "--missing"]);
    let tree = crate::common::Run::of(git, tree.as_bytes()).exits(0).out;
    let commit = repo.git(["commit-tree", "-m", "large", tree.trim()]);
    repo.git(["update-ref", "refs/heads/large", commit.trim()]);
    let opened = Repository::discover(repo.path(), &Environment::new(repo.path(), Backend::Auto)).unwrap().unwrap();
    let history = History::open(&opened, Options::default()).unwrap();
    let outcome = history.inspect(&Small, None);
    assert_eq!(outcome.gaps, []);
    let places: Vec<String> = outcome.appearances.iter().map(|a| a.path.to_string()).collect();
    assert_eq!(places, ["huge", "small"]);
    for (appearance, line) in outcome.appearances.iter().zip([lines, 1]) {
        let mut found = Vec::new();
        let read = history.read(&appearance.object.unwrap(), &mut |piece| {
            let before = piece.lines as usize;
            let inside = memchr::memchr(b'S', piece.bytes).filter(|at| *at < piece.own);
            found.extend(inside.map(|at| before + memchr::memchr_iter(b'\n', &piece.bytes[..at]).count()));
        });
        read.unwrap();
        assert_eq!(found, [line]);
    }
}
