//! Contents that are too large to be held, made from others: as they are read, through their chains of deltas.
//!
//! Nothing is held of a base in the same pack: what a delta copies is read where the base comes to it. Deltas mostly copy in order; for
//! one that goes back its base is read anew, as long as that does not get out of hand.

use std::{
    cell::Cell,
    io::{self, BufReader, Cursor, Read},
    rc::Rc,
};

use super::{
    objects::Objects,
    pack::{self, Base, Pack, RATIO},
};

/// How many bytes of bases are passed over for one content; to begin anew counts as a step.
const MOST_PASSED_OVER: u64 = 64 << 30;
/// The longest chain of deltas that is followed.
const LONGEST_CHAIN: usize = 256;
/// How many bytes are passed over at once.
const STEP: u64 = 1 << 20;

/// Where a stream reads from, and what it may cost.
#[derive(Clone)]
pub struct Limits<'a> {
    /// How many more bytes of bases may be passed over.
    left: Rc<Cell<u64>>,
    /// Whether to stop early.
    is_stopped: &'a dyn Fn() -> bool,
}

impl<'a> Limits<'a> {
    /// What one content may cost.
    pub fn new(is_stopped: &'a dyn Fn() -> bool) -> Self {
        Limits { left: Rc::new(Cell::new(MOST_PASSED_OVER)), is_stopped }
    }

    fn charge(&self, bytes: u64) -> io::Result<()> {
        if (self.is_stopped)() {
            return Err(error("the scan was interrupted"));
        }
        let left = self.left.get().checked_sub(bytes).ok_or_else(|| error("its delta goes back and forth"))?;
        self.left.set(left);
        Ok(())
    }
}

/// The content of a pack's entry.
pub struct Stream<'a> {
    objects: &'a Objects,
    pack: &'a Pack,
    entry: u32,
    /// How many deltas were made from it.
    depth: usize,
    limits: Limits<'a>,
    /// How many bytes were read.
    at: u64,
    source: Source<'a>,
}

/// What an entry is made from.
enum Source<'a> {
    Whole(Box<dyn Read + 'a>),
    Held(Cursor<Vec<u8>>),
    Delta(Box<Delta<'a>>),
}

struct Delta<'a> {
    instructions: BufReader<Box<dyn Read + 'a>>,
    base: Stream<'a>,
    /// How many bytes are still to be made.
    left: u64,
    now: Instruction,
}

/// What a delta does for the next so many bytes.
#[derive(Clone, Copy)]
enum Instruction {
    Copy(u64),
    Insert(u64),
}

fn error(why: &str) -> io::Error {
    io::Error::other(why)
}

impl<'a> Stream<'a> {
    /// The content of an entry from its start.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn open(objects: &'a Objects, pack: &'a Pack, entry: u32, limits: Limits<'a>) -> io::Result<Self> {
        Stream::below(objects, pack, entry, 0, limits)
    }

    fn below(objects: &'a Objects, pack: &'a Pack, entry: u32, depth: usize, limits: Limits<'a>) -> io::Result<Self> {
        limits.charge(STEP)?;
        if depth > LONGEST_CHAIN {
            return Err(error("its chain of deltas is too long for a content of this size"));
        }
        let makes_no_sense = || error("its header in the pack makes no sense");
        let stream = || pack.stream(entry).ok_or_else(makes_no_sense);
        let source = match pack.base(entry) {
            Base::Whole(_) => Source::Whole(Box::new(stream()?)),
            Base::Entry(base) => {
                let base = Stream::below(objects, pack, base, depth + 1, limits.clone())?;
                Source::Delta(Box::new(Delta::new(Box::new(stream()?), base)?))
            }
            Base::Foreign => {
                let id = pack.foreign_base(entry).ok_or_else(makes_no_sense)?;
                let (_, content) = objects.read_foreign(&id, depth).map_err(io::Error::other)?;
                let base = Source::Held(Cursor::new(content));
                let base =
                    Stream { objects, pack, entry, depth: depth + 1, limits: limits.clone(), at: 0, source: base };
                Source::Delta(Box::new(Delta::new(Box::new(stream()?), base)?))
            }
            Base::Corrupt => return Err(makes_no_sense()),
        };
        Ok(Stream { objects, pack, entry, depth, limits, at: 0, source })
    }

    /// Goes to a place in the content.
    fn go_to(&mut self, to: u64) -> io::Result<()> {
        if let Source::Held(content) = &mut self.source {
            content.set_position(to);
            self.at = to;
            return Ok(());
        }
        if to < self.at {
            *self = Stream::below(self.objects, self.pack, self.entry, self.depth, self.limits.clone())?;
        }
        while self.at < to {
            let step = STEP.min(to - self.at);
            self.limits.charge(step)?;
            if io::copy(&mut self.by_ref().take(step), &mut io::sink())? < step {
                return Err(error("its delta copies from beyond its base"));
            }
        }
        Ok(())
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let got = match &mut self.source {
            Source::Whole(content) => content.read(out)?,
            Source::Held(content) => content.read(out)?,
            Source::Delta(delta) => delta.read(out)?,
        };
        self.at += got as u64;
        Ok(got)
    }
}

impl<'a> Delta<'a> {
    fn new(instructions: Box<dyn Read + 'a>, base: Stream<'a>) -> io::Result<Self> {
        let mut instructions = BufReader::new(instructions);
        let (_, left) = pack::delta_sizes(&mut instructions)?;
        // No honest pack has more in it than deflate can make of all of it.
        if left / RATIO > base.pack.size() {
            return Err(error("its stated size makes no sense"));
        }
        Ok(Delta { instructions, base, left, now: Instruction::Insert(0) })
    }

    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Instruction::Copy(0) | Instruction::Insert(0) = self.now {
            if self.left == 0 {
                return Ok(0);
            }
            self.now = self.next()?;
        }
        let (Instruction::Copy(len) | Instruction::Insert(len)) = self.now;
        if len > self.left {
            return Err(error("its delta makes more than stated"));
        }
        let room = out.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        let (got, rest) = match self.now {
            Instruction::Copy(_) => (self.base.read(&mut out[..room])?, Instruction::Copy as fn(u64) -> _),
            Instruction::Insert(_) => (self.instructions.read(&mut out[..room])?, Instruction::Insert as fn(u64) -> _),
        };
        if got == 0 && room > 0 {
            return Err(error("its delta is cut off, or copies from beyond its base"));
        }
        self.now = rest(len - got as u64);
        self.left -= got as u64;
        Ok(got)
    }

    /// The next instruction; a copy leaves the base where it starts.
    fn next(&mut self) -> io::Result<Instruction> {
        let op = byte(&mut self.instructions)?;
        if op & 0x80 == 0 {
            return match op {
                0 => Err(error("its delta has an instruction that there is not")),
                len => Ok(Instruction::Insert(len.into())),
            };
        }
        let (from, len) = pack::copied_range(op, || byte(&mut self.instructions))?;
        self.base.go_to(from.into())?;
        Ok(Instruction::Copy(len.into()))
    }
}

fn byte(from: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    from.read_exact(&mut byte).map_err(|_| error("its delta is cut off"))?;
    Ok(byte[0])
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Command};

    use super::*;

    fn git(dir: &Path, args: &[&str]) {
        let mut git = Command::new("git");
        git.current_dir(dir).args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "x").env(format!("GIT_{who}_EMAIL"), "x@example.com");
        }
        assert!(git.status().unwrap().success(), "{args:?}");
    }

    #[test]
    fn a_stream_is_what_the_chain_of_deltas_makes() {
        let repo = tempfile::tempdir().unwrap();
        git(repo.path(), &["init", "-q", "."]);
        let mut lines: Vec<String> = (0..400).map(|n| format!("line {n} {}", n * n % 997)).collect();
        for version in 0..40 {
            // What moves is copied from further back than what was read last.
            lines.rotate_left(version * 13 % 50);
            lines[version * 7] = format!("version {version}");
            fs::write(repo.path().join("file"), lines.join("\n")).unwrap();
            git(repo.path(), &["add", "file"]);
            git(repo.path(), &["commit", "-q", "-m", "x"]);
        }
        git(repo.path(), &["repack", "-q", "-adf", "--depth=50", "--window=50"]);
        let objects = Objects::open(&[repo.path().join(".git/objects")], 20, &mut Vec::new());
        let pack = &objects.packs()[0];
        let mut deltas = 0;
        for entry in 0..pack.len() as u32 {
            let mut content = Vec::new();
            Stream::open(&objects, pack, entry, Limits::new(&|| false)).unwrap().read_to_end(&mut content).unwrap();
            assert!(content == objects.resolve(pack, entry, 0).unwrap().1, "entry {entry}");
            deltas += u32::from(!matches!(pack.base(entry), Base::Whole(_)));
        }
        assert!(deltas > 30, "{deltas}");
        let last = (0..pack.len() as u32).rfind(|entry| matches!(pack.base(*entry), Base::Entry(_))).unwrap();
        let limits = Limits::new(&|| false);
        limits.left.set(3 * STEP);
        let bounded =
            Stream::open(&objects, pack, last, limits).and_then(|mut content| content.read_to_end(&mut Vec::new()));
        assert_eq!(bounded.unwrap_err().to_string(), "its delta goes back and forth");
    }
}
