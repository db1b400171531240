//! A well-formed pack whose entries are what the input describes: contents, deltas in right and wrong order,
//! trees and commits that name each other.
#![no_main]

use std::{fmt::Write, sync::OnceLock};

use keysift_fuzz::{Folder, Input, history};
use libdeflater::{CompressionLvl, Compressor};
use libfuzzer_sys::fuzz_target;

/// The most entries of a pack.
const ENTRIES: usize = 64;
/// The largest content.
const LARGEST: usize = 1 << 16;

fuzz_target!(|data: &[u8]| {
    static FOLDER: OnceLock<Folder> = OnceLock::new();
    let folder = FOLDER.get_or_init(Folder::new);
    let mut pack = Pack::default();
    let mut input = Input(data);
    while !input.is_empty() && pack.contents.len() < ENTRIES {
        pack.entry(&mut input);
    }
    let (index, bytes) = pack.finish();
    folder.write("objects/pack/pack-1.idx", &index);
    folder.write("objects/pack/pack-1.pack", &bytes);
    if let Some(repository) = folder.open() {
        history::inspect(&repository);
    }
});

/// A pack that is being made. Entry `n` has the id `n + 1` in all its bytes.
struct Pack {
    bytes: Vec<u8>,
    offsets: Vec<usize>,
    contents: Vec<Vec<u8>>,
    compressor: Compressor,
}

impl Default for Pack {
    fn default() -> Self {
        Pack {
            bytes: b"PACK\0\0\0\x02\0\0\0\0".to_vec(),
            offsets: Vec::new(),
            contents: Vec::new(),
            compressor: Compressor::new(CompressionLvl::fastest()),
        }
    }
}

impl Pack {
    fn entry(&mut self, input: &mut Input<'_>) {
        let (kind, other) = (input.byte(), input.byte());
        let len = input.number() % 4096;
        let payload = input.take(len);
        let start = self.bytes.len();
        let base = usize::from(other) % self.contents.len().max(1);
        let is_raw = kind & 8 != 0;
        let (mut kind, mut content) = (kind & 7, payload.to_vec());
        if kind == 6 && self.contents.is_empty() {
            kind = 3;
        }
        let mut data = payload.to_vec();
        match kind {
            1 if !is_raw => data = commit(other, payload),
            2 if !is_raw => data = tree(payload),
            6 | 7 if !is_raw => match self.contents.get(base) {
                Some(base) => (data, content) = delta(base, payload),
                None => content.clear(),
            },
            _ => {}
        }
        if kind < 6 {
            content.clone_from(&data);
        }
        // The header: kind and size, four bits, then seven at a time.
        let (mut size, mut byte) = (data.len() >> 4, kind << 4 | (data.len() & 15) as u8);
        while size > 0 {
            self.bytes.push(byte | 0x80);
            (byte, size) = ((size & 127) as u8, size >> 7);
        }
        self.bytes.push(byte);
        match kind {
            6 => {
                let mut distance = start - self.offsets[base];
                let mut digits = vec![(distance & 127) as u8];
                while distance >= 128 {
                    distance = (distance >> 7) - 1;
                    digits.push((distance & 127) as u8 | 0x80);
                }
                self.bytes.extend(digits.iter().rev());
            }
            // Perhaps an entry that comes later, itself, or none.
            7 => self.bytes.extend([if is_raw { other } else { base as u8 + 1 }; 20]),
            _ => {}
        }
        let room = self.compressor.zlib_compress_bound(data.len());
        let at = self.bytes.len();
        self.bytes.resize(at + room, 0);
        let size = self.compressor.zlib_compress(&data, &mut self.bytes[at..]).expect("there is room");
        self.bytes.truncate(at + size);
        self.offsets.push(start);
        self.contents.push(content);
    }

    fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        let count = self.offsets.len() as u32;
        self.bytes[8..12].copy_from_slice(&count.to_be_bytes());
        self.bytes.extend([0; 20]);
        let mut index = b"\xfftOc\0\0\0\x02".to_vec();
        for byte in 0..256u32 {
            index.extend(byte.min(count).to_be_bytes());
        }
        for number in 0..count {
            index.extend([number as u8 + 1; 20]);
        }
        index.extend(vec![0; 4 * count as usize]);
        for offset in &self.offsets {
            index.extend((*offset as u32).to_be_bytes());
        }
        index.extend([0; 40]);
        (index, self.bytes)
    }
}

/// A commit with the given tree and parents.
fn commit(tree: u8, parents: &[u8]) -> Vec<u8> {
    let hex = |id: u8| format!("{id:02x}").repeat(20);
    let mut text = format!("tree {}\n", hex(tree));
    for parent in parents.iter().take(8) {
        let _ = writeln!(text, "parent {}", hex(*parent));
    }
    text.push_str("author A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\n\n");
    let mut commit = text.into_bytes();
    commit.extend(parents.iter().skip(8));
    commit
}

/// A tree: for each entry what it is and the number of its object.
fn tree(payload: &[u8]) -> Vec<u8> {
    let mut tree = Vec::new();
    for (at, pair) in payload.chunks_exact(2).enumerate() {
        let mode = ["100644", "40000", "160000", "120000"][usize::from(pair[0] & 3)];
        tree.extend(format!("{mode} {}{at:03}\0", if pair[0] & 4 == 0 { "f" } else { "S" }).bytes());
        tree.extend([pair[1]; 20]);
    }
    tree
}

/// A delta that holds good for its base, and what it makes. Of three bytes the first says what to do.
fn delta(base: &[u8], payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut steps, mut made) = (Vec::new(), Vec::new());
    let mut input = Input(payload);
    while !input.is_empty() && made.len() < LARGEST {
        let step = input.byte();
        if step & 1 == 1 && !base.is_empty() {
            let from = input.number() % base.len();
            let len = (input.number() % (base.len() - from)).max(1);
            steps.push(0x80 | 1 | 2 | 0x10 | 0x20);
            steps.extend([from as u8, (from >> 8) as u8, len as u8, (len >> 8) as u8]);
            // A length of 0 is one of 65,536.
            if len & 0xffff != 0 {
                made.extend_from_slice(&base[from..from + len]);
            } else {
                steps.truncate(steps.len() - 5);
            }
        } else {
            let text = input.take(usize::from(step >> 1).max(1));
            if !text.is_empty() {
                steps.push(text.len() as u8);
                steps.extend_from_slice(text);
                made.extend_from_slice(text);
            }
        }
    }
    let mut delta = varint(base.len());
    delta.extend(varint(made.len()));
    delta.extend(steps);
    (delta, made)
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 128 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
