//! Fits and judges the score of generic credentials.
//!
//! `cargo run --release --example fit -- WINDOWS.jsonl [--write] [--false FILE] [--missed FILE] [--all FILE]`
//!
//! Reads labelled windows, extracts candidates and features with the library's own code, adds copies of
//! the true rows with realistic values, cross-validates by repository, prints the figures of the held-out
//! folds and with `--write` fits on everything and writes `src/detect/weights.rs`.
//! Same input, same output: no clock, no unseeded randomness.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;

use aho_corasick::AhoCorasick;
use keysift::detect::{
    assignment::{Candidate, Quote, Syntax, candidates},
    score::{COUNT, FEATURES, features, path_adjustment},
};
use regex::bytes::Regex;
use serde_json::Value;

/// The keywords of the rules of kind `assignment`, with the rule's name.
const KEYWORDS: &[&str] = &[
    "pass",
    "pwd",
    "_pw",
    "psw",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "://",
    "bearer",
    "basic",
    "curl",
    "identified by",
    "jwt",
    "hmac",
    "bindpw",
    "rootpw",
];

const CORE_IGNORE: [&str; 6] =
    ["UUID", "Nonce", "Salt", "AWS S3 Bucket", "Firebase Domain", "Tencent WeChat API App ID"];

struct Label {
    start: usize,
    end: usize,
    kind: char,
    value: Option<(usize, usize)>,
    aside: bool,
    category: String,
}

struct Window {
    repo: usize,
    path: String,
    text: Vec<u8>,
    lines: Vec<usize>,
    /// What triage adds for the file's name (the folders are not in the data).
    path_adds: f32,
    labels: Vec<Label>,
    /// Lines of findings of the rules with a format.
    fixed: Vec<(usize, usize)>,
}

struct Row {
    window: usize,
    lines: (usize, usize),
    value: (usize, usize),
    features: [f32; COUNT],
    /// What is added to the fitted score.
    judged: f32,
    target: f32,
    weight: f32,
    copy: bool,
    name: String,
    score: f32,
}

fn line_of(lines: &[usize], at: usize) -> usize {
    lines.partition_point(|s| *s <= at)
}

/// The bytes that a rule may see around a hit: its line and the next.
fn view(text: &[u8], start: usize, end: usize) -> (usize, usize) {
    let from = start.saturating_sub(1024);
    let from = text[from..start].iter().rposition(|b| *b == b'\n').map_or(from, |p| from + p + 1);
    let limit = text.len().min(end + 1024);
    let mut to = limit;
    let mut seen = 0;
    for (i, b) in text[end..limit].iter().enumerate() {
        if *b == b'\n' {
            seen += 1;
            if seen == 2 {
                to = end + i;
                break;
            }
        }
    }
    (from, to)
}

fn load(path: &str) -> (Vec<Window>, Vec<String>) {
    let text = std::fs::read_to_string(path).expect("the windows can be read");
    let mut repos: Vec<String> = Vec::new();
    let mut out = Vec::new();
    let fixed: Vec<Regex> = [
        r"-----BEGIN[ A-Z0-9]*PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,40}?[A-Za-z0-9+/=\\n\s:,*#\x22'-]{60,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*",
        r"\bAIza[0-9A-Za-z_-]{35}\b",
        r"\beyJrIjoi[A-Za-z0-9=]{40,}",
        r"\bxox[bpas]-[A-Za-z0-9-]{20,}",
        r"\bS[ACNOPUX][A-Z2-7]{56}\b",
    ]
    .iter()
    .map(|r| Regex::new(r).expect("the expression is valid"))
    .collect();
    for line in text.lines() {
        let w: Value = serde_json::from_str(line).expect("a line is JSON");
        let repo = w["repo"].as_str().unwrap_or("").to_owned();
        let repo = repos.iter().position(|r| *r == repo).unwrap_or_else(|| {
            repos.push(repo);
            repos.len() - 1
        });
        let text = w["text"].as_str().unwrap_or("").as_bytes().to_vec();
        let mut lines = vec![0];
        lines.extend(text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(i, _)| i + 1));
        let labels = w["labels"].as_array().map_or(&[][..], |v| v).iter();
        let labels = labels
            .map(|l| {
                let number = |k: &str| l[k].as_i64().unwrap_or(-1);
                let start = number("line_start") as usize;
                let category = l["category"].as_str().unwrap_or("").to_owned();
                let first = lines.get(start - 1).copied().unwrap_or(text.len());
                let tail = String::from_utf8_lossy(&text[first..]).into_owned();
                let byte = |chars: i64| first + tail.chars().take(chars as usize).map(char::len_utf8).sum::<usize>();
                let value = (number("value_start") >= 0).then(|| {
                    let end = if number("value_end") > number("value_start") {
                        byte(number("value_end"))
                    } else {
                        text.len()
                    };
                    (byte(number("value_start")), end)
                });
                Label {
                    start,
                    end: number("line_end") as usize,
                    kind: l["label"].as_str().and_then(|s| s.chars().next()).unwrap_or('F'),
                    value,
                    aside: category.split(':').all(|c| CORE_IGNORE.contains(&c)),
                    category,
                }
            })
            .collect();
        let mut found = Vec::new();
        for r in &fixed {
            for m in r.find_iter(&text) {
                found.push((line_of(&lines, m.start()), line_of(&lines, m.end() - 1)));
            }
        }
        out.push(Window {
            repo,
            path: w["path"].as_str().unwrap_or("").to_owned(),
            text,
            path_adds: path_adjustment(w["path"].as_str().unwrap_or("").rsplit('/').next().unwrap_or("").as_bytes()),
            lines,
            labels,
            fixed: found,
        });
    }
    (out, repos)
}

/// A small deterministic generator.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as usize) % n.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// A password as people make them.
fn realistic(r: &mut Random, nouns: &[String]) -> String {
    let word = |r: &mut Random| nouns[r.below(nouns.len())].clone();
    let capital = |w: String| w[..1].to_uppercase() + &w[1..];
    match r.below(12) {
        0 => format!("{}{}", capital(word(r)), 1980 + r.below(50)),
        1 => format!("{}{}!", capital(word(r)), 2015 + r.below(12)),
        2 => format!("{}{}", word(r), r.below(1000)),
        3 => format!("{}-{}-{}", word(r), word(r), word(r)),
        4 => format!("{}@{}", capital(word(r)), r.below(10000)),
        5 => word(r).replace('a', "@").replace('o', "0") + &r.below(100).to_string(),
        6 => word(r).replace('e', "3").replace('i', "1") + r.pick(&["!", "#", "$1", "99"]),
        7 => format!("{}{}", word(r), word(r)),
        8 => format!("{}_{}", word(r), r.below(100)),
        9 => format!("{}{}{}", capital(word(r)), r.pick(&["!", "#", "$", "*"]), capital(word(r))),
        10 => word(r),
        _ => format!("{}{}{}", word(r), capital(word(r)), r.below(10)),
    }
}

/// `copies` is the weight of a copy with a realistic value.
fn extract(windows: &[Window], copies: f32) -> Vec<Row> {
    let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(KEYWORDS).expect("keywords");
    let mut nouns: Vec<String> = Vec::new();
    // Words of the windows' prose and code, for realistic passwords: those of at least four repositories.
    let mut at: BTreeMap<&[u8], HashSet<usize>> = BTreeMap::new();
    for w in windows {
        for word in w.text.split(|b| !b.is_ascii_lowercase()).filter(|w| (4..=10).contains(&w.len())) {
            at.entry(word).or_default().insert(w.repo);
        }
    }
    nouns.extend(at.iter().filter(|(_, r)| r.len() >= 4).map(|(w, _)| String::from_utf8_lossy(w).into_owned()));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut rows = Vec::new();
    let mut found = Vec::new();
    for (index, w) in windows.iter().enumerate() {
        let mut seen: HashSet<(usize, usize)> = HashSet::new();
        for hit in finder.find_overlapping_iter(&w.text) {
            let (from, to) = view(&w.text, hit.start(), hit.end());
            let window = &w.text[from..to];
            found.clear();
            candidates(window, hit.start() - from..hit.end() - from, &mut found);
            for c in &found {
                let value = (from + c.value.start, from + c.value.end);
                if !seen.insert(value) {
                    continue;
                }
                let Some(features) = features(window, c) else { continue };
                let lines = (line_of(&w.lines, value.0), line_of(&w.lines, value.1 - 1));
                let touching: Vec<&Label> =
                    w.labels.iter().filter(|l| l.start <= lines.1 && lines.0 <= l.end).collect();
                let exact = |l: &&&Label| l.value.is_none_or(|(a, b)| a < value.1 && value.0 < b);
                let truth = touching.iter().find(|l| l.kind == 'T' && exact(l));
                let (target, weight) = match truth {
                    Some(l) if l.aside => (0.0, 0.0),
                    Some(_) => (1.0, 1.0),
                    None if touching.iter().any(|l| l.kind == 'T') => (0.0, 0.0),
                    None if touching.iter().any(exact_any(value)) => (0.0, 1.0),
                    None => (0.0, 0.8),
                };
                let name = String::from_utf8_lossy(&window[c.name.clone()]).into_owned();
                rows.push(Row {
                    window: index,
                    lines,
                    value,
                    judged: features.judgements().iter().map(|j| j.1).sum(),
                    features: features.values,
                    target,
                    weight,
                    copy: false,
                    name,
                    score: 0.0,
                });
                if target == 1.0 && c.value.len() < 28 && !matches!(c.syntax, Syntax::Bearer | Syntax::Basic) {
                    augment(window, c, &mut random, &nouns, index, lines, value, copies, &mut rows);
                }
            }
        }
    }
    rows
}

fn exact_any(value: (usize, usize)) -> impl Fn(&&Label) -> bool {
    move |l| l.value.is_none_or(|(a, b)| a < value.1 && value.0 < b)
}

/// The same place with a value as people make them.
#[allow(clippy::too_many_arguments)]
fn augment(
    window: &[u8],
    c: &Candidate,
    random: &mut Random,
    nouns: &[String],
    index: usize,
    lines: (usize, usize),
    value: (usize, usize),
    copies: f32,
    rows: &mut Vec<Row>,
) {
    let name = window[c.name.clone()].to_ascii_lowercase();
    let password = [&b"pass"[..], b"pwd", b"pw", b"secret"].iter().any(|k| name.windows(k.len()).any(|w| w == *k))
        || matches!(c.syntax, Syntax::Url | Syntax::Curl);
    if !password {
        return;
    }
    let new = realistic(random, nouns);
    let mut text = window[..c.value.start].to_vec();
    text.extend_from_slice(new.as_bytes());
    text.extend_from_slice(&window[c.value.end..]);
    let mut copy = c.clone();
    copy.value.end = copy.value.start + new.len();
    if c.quote == Quote::None && new.bytes().all(|b| b.is_ascii_alphabetic()) {
        return;
    }
    if let Some(features) = features(&text, &copy) {
        rows.push(Row {
            window: index,
            lines,
            value,
            judged: features.judgements().iter().map(|j| j.1).sum(),
            features: features.values,
            target: 1.0,
            weight: copies,
            copy: true,
            name: String::new(),
            score: 0.0,
        });
    }
}

const BINS: usize = 64;

#[derive(Clone)]
struct Node {
    feature: usize,
    threshold: f32,
    bin: u8,
    left: usize,
    right: usize,
    value: f32,
    mean: f32,
}

struct Model {
    bias: f32,
    trees: Vec<Vec<Node>>,
}

struct Options {
    trees: usize,
    depth: usize,
    rate: f32,
    lambda: f32,
    least: f32,
}

struct Bins {
    edges: Vec<Vec<f32>>,
    rows: Vec<[u8; COUNT]>,
}

fn bins(rows: &[Row]) -> Bins {
    let mut edges = Vec::new();
    for f in 0..COUNT {
        let mut v: Vec<f32> = rows.iter().map(|r| r.features[f]).collect();
        v.sort_by(f32::total_cmp);
        let mut distinct = v.clone();
        distinct.dedup();
        let mut e: Vec<f32> = if distinct.len() <= BINS {
            distinct.windows(2).map(|w| (w[0] + w[1]) / 2.0).collect()
        } else {
            (1..BINS).map(|i| v[i * v.len() / BINS]).collect()
        };
        e.dedup();
        edges.push(e);
    }
    let rows = rows
        .iter()
        .map(|r| {
            let mut b = [0u8; COUNT];
            for f in 0..COUNT {
                b[f] = edges[f].partition_point(|e| *e < r.features[f]) as u8;
            }
            b
        })
        .collect();
    Bins { edges, rows }
}

fn fit(rows: &[Row], bins: &Bins, weights: &[f32], o: &Options) -> Model {
    let members: Vec<usize> = (0..rows.len()).filter(|i| weights[*i] > 0.0).collect();
    let (mut pos, mut all) = (0.0f64, 0.0f64);
    for i in &members {
        pos += f64::from(rows[*i].target * weights[*i]);
        all += f64::from(weights[*i]);
    }
    let bias = (pos / (all - pos)).ln() as f32;
    let mut raw = vec![bias; rows.len()];
    let mut trees = Vec::new();
    let mut grad = vec![0f32; rows.len()];
    let mut hess = vec![0f32; rows.len()];
    let mut random = Random(88172645463325252);
    for _ in 0..o.trees {
        for i in &members {
            let p = 1.0 / (1.0 + (-raw[*i]).exp());
            grad[*i] = weights[*i] * (p - rows[*i].target);
            hess[*i] = weights[*i] * (p * (1.0 - p)).max(1e-4);
        }
        // A part of the features a tree: less overfitting.
        let used: Vec<usize> = (0..COUNT).filter(|f| !bins.edges[*f].is_empty() && random.below(100) < 60).collect();
        let mut tree: Vec<Node> = Vec::new();
        grow(&mut tree, members.clone(), bins, &used, &grad, &hess, o, o.depth);
        for (sum, row) in raw.iter_mut().zip(&bins.rows) {
            let mut n = 0;
            while tree[n].feature != usize::MAX {
                n = if row[tree[n].feature] <= tree[n].bin { tree[n].left } else { tree[n].right };
            }
            *sum += tree[n].value;
        }
        trees.push(tree);
    }
    Model { bias, trees }
}

#[allow(clippy::too_many_arguments)]
fn grow(
    tree: &mut Vec<Node>,
    members: Vec<usize>,
    bins: &Bins,
    used: &[usize],
    grad: &[f32],
    hess: &[f32],
    o: &Options,
    depth: usize,
) -> usize {
    let (mut g, mut h) = (0.0f64, 0.0f64);
    for i in &members {
        g += f64::from(grad[*i]);
        h += f64::from(hess[*i]);
    }
    let me = tree.len();
    let mean = (-g / (h + f64::from(o.lambda))) as f32 * o.rate;
    tree.push(Node { feature: usize::MAX, threshold: 0.0, bin: 0, left: 0, right: 0, value: mean, mean });
    if depth == 0 {
        return me;
    }
    let lambda = f64::from(o.lambda);
    let gain = |g: f64, h: f64| g * g / (h + lambda);
    let mut best = (1e-3f64, 0usize, 0usize);
    for f in used {
        let mut sums = [(0f64, 0f64); BINS + 1];
        for i in &members {
            let s = &mut sums[usize::from(bins.rows[*i][*f])];
            s.0 += f64::from(grad[*i]);
            s.1 += f64::from(hess[*i]);
        }
        let (mut gl, mut hl) = (0.0, 0.0);
        for (b, s) in sums.iter().enumerate().take(bins.edges[*f].len()) {
            gl += s.0;
            hl += s.1;
            if hl < f64::from(o.least) || h - hl < f64::from(o.least) {
                continue;
            }
            let better = gain(gl, hl) + gain(g - gl, h - hl) - gain(g, h);
            if better > best.0 {
                best = (better, *f, b);
            }
        }
    }
    if best.0 <= 1e-3 {
        return me;
    }
    let (_, f, b) = best;
    let (l, r): (Vec<usize>, Vec<usize>) = members.into_iter().partition(|i| usize::from(bins.rows[*i][f]) <= b);
    let left = grow(tree, l, bins, used, grad, hess, o, depth - 1);
    let right = grow(tree, r, bins, used, grad, hess, o, depth - 1);
    tree[me] = Node { feature: f, threshold: bins.edges[f][b], bin: b as u8, left, right, value: 0.0, mean };
    me
}

fn predict(model: &Model, x: &[f32; COUNT]) -> f32 {
    let mut sum = model.bias;
    for tree in &model.trees {
        let mut n = 0;
        while tree[n].feature != usize::MAX {
            n = if x[tree[n].feature] <= tree[n].threshold { tree[n].left } else { tree[n].right };
        }
        sum += tree[n].value;
    }
    sum
}

#[derive(Default, Clone, Copy)]
struct Tally {
    tp: usize,
    missed: usize,
    labelled: usize,
    unlabelled: usize,
}

fn f1(t: &Tally) -> f64 {
    if t.tp == 0 { 0.0 } else { 2.0 * t.tp as f64 / (2 * t.tp + t.missed + t.labelled + t.unlabelled) as f64 }
}

/// As `score.py windows --core`.
fn judge(
    windows: &[Window],
    rows: &[Row],
    threshold: f32,
    fixed: bool,
    repos: usize,
    mut seen: impl FnMut(usize, Option<&Label>, Option<(usize, usize)>),
) -> (Tally, f64) {
    let mut by_window: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
    for r in rows.iter().filter(|r| !r.copy && r.score + windows[r.window].path_adds >= threshold) {
        by_window.entry(r.window).or_default().push(r.lines);
    }
    let mut per = vec![Tally::default(); repos];
    for (index, w) in windows.iter().enumerate() {
        let mut got = by_window.remove(&index).unwrap_or_default();
        if fixed {
            got.extend(&w.fixed);
        }
        got.sort();
        got.dedup();
        let touch = |l: &Label, s: &(usize, usize)| s.0 <= l.end && l.start <= s.1;
        for l in w.labels.iter().filter(|l| l.kind == 'T' && !l.aside) {
            if got.iter().any(|s| touch(l, s)) {
                per[w.repo].tp += 1;
            } else {
                per[w.repo].missed += 1;
                seen(index, Some(l), None);
            }
        }
        for s in &got {
            let on: Vec<&Label> = w.labels.iter().filter(|l| touch(l, s)).collect();
            if on.iter().any(|l| l.kind == 'T') {
                continue;
            }
            if on.is_empty() {
                per[w.repo].unlabelled += 1;
            } else {
                per[w.repo].labelled += 1;
            }
            seen(index, None, Some(*s));
        }
    }
    let mut sum = Tally::default();
    for t in &per {
        sum.tp += t.tp;
        sum.missed += t.missed;
        sum.labelled += t.labelled;
        sum.unlabelled += t.unlabelled;
    }
    let big: Vec<f64> = per.iter().filter(|t| t.tp + t.missed >= 3).map(f1).collect();
    (sum, big.iter().sum::<f64>() / big.len().max(1) as f64)
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let flag = |name: &str| args.iter().position(|a| a == name).and_then(|i| args.get(i + 1)).cloned();
    let number = |name: &str, default: f32| flag(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let (windows, repos) = load(&args[1]);
    let mut rows = extract(&windows, number("--copies", 0.5));
    println!(
        "{} windows, {} rows, {} true, {} copies",
        windows.len(),
        rows.len(),
        rows.iter().filter(|r| r.target > 0.0 && !r.copy).count(),
        rows.iter().filter(|r| r.copy).count()
    );
    // Ceiling: what could be found at all.
    for r in &mut rows {
        r.score = 20.0 * r.target - 10.0;
    }
    let (t, _) = judge(&windows, &rows, 0.5, true, repos.len(), |_, _, _| {});
    println!("ceiling of recall {:.3} ({} of {})", t.tp as f64 / (t.tp + t.missed) as f64, t.tp, t.tp + t.missed);
    if args.iter().any(|a| a == "--inexact") {
        let mut names: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for r in
            rows.iter().filter(|r| !r.copy && r.features[keysift::detect::score::Feature::NameExact as usize] < 1.0)
        {
            let e = names.entry(r.name.clone()).or_default();
            if r.target > 0.0 { e.0 += 1 } else { e.1 += 1 }
        }
        for (n, (t, f)) in names {
            if t > 0 || f > 3 {
                println!("inexact {n} true {t} false {f}");
            }
        }
    }
    let o = Options {
        trees: number("--trees", 150.0) as usize,
        depth: number("--depth", 4.0) as usize,
        rate: number("--rate", 0.12),
        lambda: number("--lambda", 4.0),
        least: number("--least", 4.0),
    };
    // A repository counts with the square root of its rows, so that none decides.
    let mut per = vec![0f32; repos.len()];
    for r in &rows {
        per[windows[r.window].repo] += r.weight;
    }
    let power = number("--power", 0.5);
    let weights: Vec<f32> =
        rows.iter().map(|r| r.weight * (300.0 / per[windows[r.window].repo].max(30.0)).powf(power)).collect();
    let b = bins(&rows);
    let folds = number("--folds", 5.0) as usize;
    if folds > 1 {
        for fold in 0..folds {
            let held =
                |r: &Row| blake3::hash(repos[windows[r.window].repo].as_bytes()).as_bytes()[0] as usize % folds == fold;
            let part: Vec<f32> = rows.iter().zip(&weights).map(|(r, w)| if held(r) { 0.0 } else { *w }).collect();
            let model = fit(&rows, &b, &part, &o);
            for r in rows.iter_mut().filter(|r| {
                blake3::hash(repos[windows[r.window].repo].as_bytes()).as_bytes()[0] as usize % folds == fold
            }) {
                r.score = predict(&model, &r.features) + r.judged;
            }
        }
        for i in -8..=8 {
            let threshold = i as f32 * 0.25;
            let (t, mean) = judge(&windows, &rows, threshold, true, repos.len(), |_, _, _| {});
            let copies: Vec<&Row> = rows.iter().filter(|r| r.copy).collect();
            println!(
                "held out, from {threshold:5.2}: recall {:.3} precision {:.3} F1 {:.3} mean F1 {mean:.3}  false {} labelled {} unlabelled  realistic copies found {:.3}",
                t.tp as f64 / (t.tp + t.missed) as f64,
                t.tp as f64 / (t.tp + t.labelled + t.unlabelled).max(1) as f64,
                f1(&t),
                t.labelled,
                t.unlabelled,
                copies.iter().filter(|r| r.score >= threshold).count() as f64 / copies.len().max(1) as f64
            );
        }
        let threshold = number("--at", 0.0);
        let mut missed = Vec::new();
        let mut wrong = Vec::new();
        judge(&windows, &rows, threshold, true, repos.len(), |i, l, s| {
            let w = &windows[i];
            let (a, b) = l.map_or_else(|| s.unwrap_or((1, 1)), |l| (l.start, l.end));
            let line = |n: usize| {
                let start = w.lines.get(n - 1).copied().unwrap_or(w.text.len());
                let end = w.lines.get(n).copied().unwrap_or(w.text.len());
                String::from_utf8_lossy(&w.text[start..end]).trim().chars().take(260).collect::<String>()
            };
            let text: Vec<String> = (a..=b.min(a + 1)).map(line).collect();
            let near: Vec<String> = rows
                .iter()
                .filter(|r| !r.copy && r.window == i && r.lines.0 <= b && a <= r.lines.1)
                .map(|r| {
                    format!(
                        "{}={} {:.1}",
                        r.name,
                        String::from_utf8_lossy(&w.text[r.value.0..r.value.1.min(r.value.0 + 60)]),
                        r.score
                    )
                })
                .collect();
            let kind = l.map_or_else(
                || {
                    w.labels
                        .iter()
                        .filter(|l| s.is_some_and(|s| s.0 <= l.end && l.start <= s.1))
                        .map(|l| format!("{}/{}", l.kind, l.category))
                        .collect::<Vec<_>>()
                        .join(",")
                },
                |l| l.category.clone(),
            );
            let text = format!(
                "{} [{kind}] {} | {} || {}\n",
                &repos[w.repo][..4],
                w.path.rsplit('.').next().unwrap_or(""),
                text.join("⏎"),
                near.join(" ; ")
            );
            if l.is_some() { missed.push(text) } else { wrong.push(text) }
        });
        if let Some(path) = flag("--missed") {
            std::fs::write(path, missed.concat()).expect("written");
        }
        if let Some(path) = flag("--false") {
            std::fs::write(path, wrong.concat()).expect("written");
        }
    }
    let model = fit(&rows, &b, &weights, &o);
    let mut gain = vec![0usize; COUNT];
    for n in model.trees.iter().flatten().filter(|n| n.feature != usize::MAX) {
        gain[n.feature] += 1;
    }
    let mut order: Vec<usize> = (0..COUNT).collect();
    order.sort_by_key(|f| std::cmp::Reverse(gain[*f]));
    println!(
        "used: {}",
        order.iter().map(|f| format!("{} {}", FEATURES[*f], gain[*f])).collect::<Vec<_>>().join(" | ")
    );
    if args.iter().any(|a| a == "--write") {
        let at = number("--at", 0.15);
        write(&model, at, hopeless(&model, &rows, at));
    }
}

/// After how many trees the score looks whether it is worth going on.
const EARLY: usize = 40;

/// Below which sum after [`EARLY`] trees no row came to a score worth counting, and one more to be safe.
fn hopeless(model: &Model, rows: &[Row], at: f32) -> f32 {
    let part = |r: &Row| {
        let head = Model { bias: model.bias - at, trees: model.trees[..EARLY].to_vec() };
        predict(&head, &r.features)
    };
    let worth = rows.iter().filter(|r| predict(model, &r.features) - at >= keysift::detect::score::LOW);
    worth.map(part).fold(0.0, f32::min) - 0.5
}

fn write(model: &Model, at: f32, hopeless: f32) {
    let mut out = Vec::new();
    let mut roots = Vec::new();
    let mut nodes = Vec::new();
    for tree in &model.trees {
        roots.push(nodes.len());
        let base = nodes.len();
        for (i, n) in tree.iter().enumerate() {
            let leaf = n.feature == usize::MAX;
            assert!(leaf || n.left == i + 1, "the left branch follows its node");
            nodes.push(if leaf {
                (255, 0.0, 0, n.value, n.mean)
            } else {
                (n.feature, n.threshold, n.right - i, 0.0, n.mean)
            });
        }
        assert!(nodes.len() - base < 255, "a tree fits a byte");
    }
    writeln!(out, "//! The weights of the score: written by `examples/fit.rs`, see `docs/scoring.md`. Do not edit.\n")
        .expect("memory");
    writeln!(out, "/// A node of a decision tree. A leaf adds `value`; else the next node follows at once if the feature\n/// is at most `threshold`, or `right` nodes on.").expect("memory");
    writeln!(out, "pub(super) struct Node {{\n    pub(super) feature: u8,\n    pub(super) threshold: f32,\n    pub(super) right: u8,\n    pub(super) value: f32,\n    /// What the tree would say if it ended here: explains what each step adds.\n    pub(super) mean: f32,\n}}\n").expect("memory");
    writeln!(out, "/// Stands for the feature of a leaf.\npub(super) const LEAF: u8 = 255;\n").expect("memory");
    writeln!(out, "const fn n(feature: u8, threshold: f32, right: u8, value: f32, mean: f32) -> Node {{\n    Node {{ feature, threshold, right, value, mean }}\n}}\n").expect("memory");
    writeln!(out, "/// Log-odds before anything is known.\npub(super) const BIAS: f32 = {:.4};\n", model.bias - at)
        .expect("memory");
    writeln!(out, "/// After this many trees\npub(super) const EARLY: usize = {EARLY};\n/// a candidate below this is given up.\npub(super) const HOPELESS: f32 = {hopeless:.2};\n")
        .expect("memory");
    writeln!(out, "/// Where each tree starts.\n#[rustfmt::skip]\npub(super) static ROOTS: &[u16] = &{roots:?};\n")
        .expect("memory");
    writeln!(out, "/// The trees, one after the other.\n#[rustfmt::skip]\n#[allow(clippy::excessive_precision, clippy::unreadable_literal, clippy::approx_constant)]\npub(super) static NODES: &[Node] = &[").expect("memory");
    for (f, t, r, v, m) in nodes {
        writeln!(out, "n({f},{t:?},{r},{v:.4},{m:.4}),").expect("memory");
    }
    writeln!(out, "];").expect("memory");
    std::fs::write("src/detect/weights.rs", out).expect("the weights can be written");
}
