//! The stages of detection, one added at a time, in bytes per second, over this repository's own text.

use std::{fs, hint::black_box, path::Path};

use divan::{Bencher, counter::BytesCount};
use keysift::{
    content::Copied,
    detect::{Detector, Recent, prefilter::Prefilter},
    rule::Ruleset,
};

fn main() {
    divan::main();
}

/// Some megabytes of source text.
fn text() -> Vec<u8> {
    fn gather(folder: &Path, out: &mut Vec<u8>) {
        let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
        paths.sort();
        for path in paths {
            if path.is_dir() {
                gather(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs" || e == "md") {
                out.extend(fs::read(&path).unwrap_or_default());
            }
        }
    }
    let mut once = Vec::new();
    gather(Path::new(env!("CARGO_MANIFEST_DIR")), &mut once);
    once.truncate(4 << 20);
    once
}

/// The gram filter and the comparison of keywords.
#[divan::bench]
fn prefilter(bencher: Bencher) {
    let text = text();
    let mut keywords: Vec<String> = Ruleset::builtin().rules.iter().flat_map(|r| r.keywords.clone()).collect();
    keywords.sort();
    keywords.dedup();
    let prefilter = Prefilter::new(&keywords);
    bencher.counter(BytesCount::new(text.len())).bench(|| {
        let mut hits = 0u32;
        prefilter.for_each(black_box(&text), 0..text.len(), |_| hits += 1);
        hits
    });
}

/// Everything: prefilter, windows, expressions, scores, hidden values.
#[divan::bench]
fn scan(bencher: Bencher) {
    let text = text();
    let detector = Detector::new(&Ruleset::builtin()).expect("the built-in rules are valid");
    bencher.counter(BytesCount::new(text.len())).bench(|| detector.scan(black_box(&text)));
}

/// A content that differs from its base in one line.
#[divan::bench]
fn rescan(bencher: Bencher) {
    let text = text();
    let detector = Detector::new(&Ruleset::builtin()).expect("the built-in rules are valid");
    let seen = detector.scan(&text);
    let middle = text.len() / 2;
    let line = b"one more line\n";
    let changed = [&text[..middle], line, &text[middle..]].concat();
    let copied = [
        Copied { from: 0, to: 0, len: middle },
        Copied { from: middle, to: middle + line.len(), len: text.len() - middle },
    ];
    bencher
        .counter(BytesCount::new(text.len()))
        .with_inputs(Recent::default)
        .bench_values(|mut recent| detector.rescan(black_box(&changed), &seen, &copied, &mut recent));
}

/// From nothing to ready: what every start costs.
#[divan::bench]
fn start() -> Detector {
    Detector::new(&Ruleset::builtin()).expect("the built-in rules are valid")
}
