//! Secrets in archives and compressed files, through the program: found with the path of the member, in every
//! mode; what cannot be read to its end is said, and nothing makes a scan grow without limit.

use std::io::Write;

use crate::common::{Repo, Run, github_token};

fn line() -> Vec<u8> {
    format!("token = \"{}\"\n", github_token(1)).into_bytes()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, *content).unwrap();
    }
    out.into_inner().unwrap()
}

/// A zip of one member, compressed by `method`; `data` is the compressed content.
fn zip(name: &str, method: u16, data: &[u8]) -> Vec<u8> {
    zip_of(1, name, method, data)
}

/// The same, with the member named so many times in the directory.
fn zip_of(times: usize, name: &str, method: u16, data: &[u8]) -> Vec<u8> {
    let sizes: Vec<u8> = [0, data.len() as u32, 0].iter().flat_map(|n| n.to_le_bytes()).collect();
    let name_len = (name.len() as u16).to_le_bytes();
    let middle = |flags: u16| [&flags.to_le_bytes()[..], &method.to_le_bytes(), &[0; 4], &sizes, &name_len].concat();
    let local = [b"PK\x03\x04\x14\0", &middle(0)[..], &[0; 2], name.as_bytes(), data].concat();
    let central = [b"PK\x01\x02\x14\0\x14\0", &middle(0)[..], &[0; 16], name.as_bytes()].concat().repeat(times);
    let end = [
        b"PK\x05\x06\0\0\0\0\x01\0\x01\0",
        &(central.len() as u32).to_le_bytes()[..],
        &(local.len() as u32).to_le_bytes(),
        &[0; 2],
    ]
    .concat();
    [local, central, end].concat()
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

/// The paths and lines of what was found, in order.
fn places(run: &Run) -> Vec<(String, u64)> {
    let mut places: Vec<_> = run.json()["findings"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|finding| finding["locations"].as_array().unwrap().clone())
        .map(|l| (l["path"].as_str().unwrap().to_owned(), l["start_line"].as_u64().unwrap()))
        .collect();
    places.sort();
    places
}

/// Kind, place and reason of every gap.
fn gaps(run: &Run) -> Vec<(String, String, String)> {
    let text = |gap: &serde_json::Value, key: &str| gap[key].as_str().unwrap().to_owned();
    let gaps = run.json()["scan"]["gaps"].as_array().unwrap().clone();
    gaps.iter().map(|g| (text(g, "kind"), text(g, "place"), text(g, "reason"))).collect()
}

#[test]
fn every_kind_is_read_in_every_mode() {
    let secret = [b"first line\n", &line()[..]].concat();
    let tarred = tar(&[("a/none.txt", b"nothing"), ("b/c.txt", &secret)]);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("plain.gz", gzip(&secret), "plain.gz"),
        ("plain.bz2", bzip2(&secret), "plain.bz2"),
        ("plain.xz", xz(&secret), "plain.xz"),
        ("plain.zst", zstd(&secret), "plain.zst"),
        ("a.tar", tarred.clone(), "a.tar!b/c.txt"),
        ("a.tgz", gzip(&tarred), "a.tgz!b/c.txt"),
        ("a.tar.bz2", bzip2(&tarred), "a.tar.bz2!b/c.txt"),
        ("a.tar.xz", xz(&tarred), "a.tar.xz!b/c.txt"),
        ("a.tar.zst", zstd(&tarred), "a.tar.zst!b/c.txt"),
        ("stored.zip", zip("b/c.txt", 0, &secret), "stored.zip!b/c.txt"),
        ("deflated.jar", zip("b/c.txt", 8, &deflate(&secret)), "deflated.jar!b/c.txt"),
        ("bzip2.zip", zip("b/c.txt", 12, &bzip2(&secret)), "bzip2.zip!b/c.txt"),
        ("zstd.zip", zip("b/c.txt", 93, &zstd(&secret)), "zstd.zip!b/c.txt"),
        ("xz.zip", zip("b/c.txt", 95, &xz(&secret)), "xz.zip!b/c.txt"),
        ("nested.zip", zip("in.tgz", 0, &gzip(&tarred)), "nested.zip!in.tgz!b/c.txt"),
    ];
    let repo = Repo::new();
    for (name, content, _) in &cases {
        repo.stage(name, content);
    }
    let mut expected: Vec<_> = cases.iter().map(|(.., shown)| ((*shown).to_owned(), 2)).collect();
    expected.sort();
    for mode in [&["scan", "--staged"][..], &["scan", "."], &["scan", "--history"]] {
        if mode.contains(&"--history") {
            repo.commit("archives");
        }
        let run = repo.keysift(mode.iter().chain(&["--format", "json"])).exits(1);
        assert_eq!(places(&run), expected, "{mode:?}");
        assert_eq!(gaps(&run), [], "{mode:?}");
    }
}

#[test]
fn every_stream_of_a_compressed_file_is_read() {
    let repo = Repo::new();
    let (none, secret) = (&b"nothing to see here\n"[..], &line()[..]);
    repo.write("a.gz", [gzip(none), gzip(secret)].concat());
    repo.write("a.bz2", [bzip2(none), bzip2(secret)].concat());
    repo.write("a.xz", [xz(none), xz(secret)].concat());
    repo.write("a.zst", [zstd(none), vec![0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], zstd(secret)].concat());
    repo.write("two.tar", [tar(&[("a", none)]), tar(&[("b", secret)])].concat());
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    let expected = ["a.bz2", "a.gz", "a.xz", "a.zst"].map(|name| (name.to_owned(), 2));
    assert_eq!(places(&run)[..4], expected);
    assert_eq!(places(&run)[4..], [("two.tar!b".to_owned(), 1)]);
    assert_eq!(gaps(&run), []);
}

#[test]
fn what_is_cut_off_is_read_as_far_as_it_goes_and_said() {
    let repo = Repo::new();
    // What follows does not compress, so that the secret is in the first half.
    let mut state = 1u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    let noise: Vec<u8> = noise.take(1 << 20).collect();
    let content = [&line()[..], &noise].concat();
    for (name, whole) in [
        ("cut.gz", gzip(&content)),
        ("cut.bz2", bzip2(&content)),
        ("cut.xz", xz(&content)),
        ("cut.zst", zstd(&content)),
        ("cut.tar", tar(&[("a", &content)])),
    ] {
        repo.write(name, &whole[..whole.len() / 2]);
        let run = repo.keysift(["scan", "--format", "json", name]).exits(1);
        let shown = if name == "cut.tar" { "cut.tar!a" } else { name };
        assert_eq!(places(&run), [(shown.to_owned(), 1)], "{name}");
        let gaps = gaps(&run);
        assert_eq!((gaps.len(), gaps[0].0.as_str(), gaps[0].1.as_str()), (1, "archive", name), "{gaps:?}");
    }
    let whole = zip("a", 0, &line());
    repo.write("cut.zip", &whole[..whole.len() - 30]);
    let run = repo.keysift(["scan", "--format", "json", "cut.zip"]).exits(1);
    assert_eq!(gaps(&run).len(), 1);
}

#[test]
fn what_expands_without_end_is_left_and_said() {
    let repo = Repo::new();
    // 300 MB of zeros in 300 KB and less, and that once more.
    let zeros = vec![0; 300 << 20];
    let bomb = gzip(&zeros);
    repo.write("bomb.gz", &bomb);
    repo.write("bomb.zip", zip("zeros", 8, &deflate(&zeros)));
    repo.write("bomb.bz2", bzip2(&zeros));
    drop(zeros);
    repo.write("twice.gz", gzip(&bomb));
    let mut deep = line();
    for _ in 0..8 {
        deep = gzip(&deep);
    }
    repo.write("deep.gz", deep);
    repo.write("many.zip", zip_of(100_001, "x", 0, b"y"));
    let run = repo.keysift(["scan", "--format", "json"]).exits(3);
    let gaps: Vec<_> = gaps(&run).into_iter().map(|(_, place, why)| (place, why)).collect();
    let more = "it expands to more than is read";
    let expected = [
        ("bomb.bz2", more),
        ("bomb.gz", more),
        ("bomb.zip!zeros", more),
        ("deep.gz", "it stands more than 6 archives deep"),
        ("many.zip", "it has more than 100000 entries"),
        ("twice.gz", more),
    ];
    assert_eq!(gaps, expected.map(|(place, why)| (place.to_owned(), why.to_owned())));
}

#[test]
fn what_is_not_read_is_said_and_what_only_looks_like_it_is_searched() {
    let repo = Repo::new();
    repo.write("a.7z", b"7z\xbc\xaf\x27\x1c and so on");
    repo.write("a.rar", [&b"Rar!\x1a\x07\x01 and so on\n"[..], &line()].concat());
    repo.write("encrypted.zip", {
        let mut whole = zip("a", 0, b"x");
        let central = whole.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
        whole[central + 8] = 1;
        whole
    });
    // No checksum: no tar.
    let mut text = vec![b'x'; 600];
    text[257..262].copy_from_slice(b"ustar");
    repo.write("ustar.txt", [&text[..], b"\n", &line()].concat());
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    assert_eq!(places(&run), [("a.rar".to_owned(), 2), ("ustar.txt".to_owned(), 2)]);
    let gaps: Vec<_> = gaps(&run).into_iter().map(|(_, place, _)| place).collect();
    assert_eq!(gaps, ["a.7z", "a.rar", "encrypted.zip!a"]);
}

#[test]
fn a_damaged_archive_in_history_is_named_by_its_blob() {
    let repo = Repo::new();
    repo.put("a.7z", b"7z\xbc\xaf\x27\x1c and so on");
    let run = repo.keysift(["scan", "--history", "--format", "json"]).exits(3);
    assert_eq!(gaps(&run)[0].1, format!("blob {}", repo.oid("HEAD:a.7z")));
}

#[test]
fn encoded_text_that_is_too_long_is_said() {
    let repo = Repo::new();
    let long = b"QTFiMmMz".repeat((keysift::detect::LONGEST_ENCODED >> 3) + 1);
    repo.stage("long.txt", [b"x = ", &long[..], b"\n"].concat());
    for mode in [&["scan"][..], &["scan", "--staged"], &["scan", "--history"]] {
        if mode.contains(&"--history") {
            repo.commit("long");
        }
        let run = repo.keysift(mode.iter().chain(&["--format", "json"])).exits(3);
        let gaps = gaps(&run);
        let place =
            if mode.contains(&"--history") { format!("blob {}", repo.oid("HEAD:long.txt")) } else { "long.txt".into() };
        assert_eq!((gaps.len(), gaps[0].0.as_str(), &gaps[0].1), (1, "decoding", &place), "{mode:?}: {gaps:?}");
        repo.keysift(mode.iter().chain(&["--allow-gaps", "decoding"])).exits(0);
    }
}

#[test]
fn a_zip_without_a_directory_is_searched_as_it_is_in_every_mode() {
    let repo = Repo::new();
    let whole = zip("a", 0, &line());
    repo.stage("cut.zip", &whole[..whole.len() - 30]);
    for mode in [&["scan", "--staged"][..], &["scan"], &["scan", "--history"]] {
        if mode.contains(&"--history") {
            repo.commit("cut");
        }
        let run = repo.keysift(mode.iter().chain(&["--format", "json"])).exits(1);
        assert_eq!((places(&run), gaps(&run).len()), (vec![("cut.zip".to_owned(), 1)], 1), "{mode:?}");
    }
}

#[test]
fn what_an_archive_had_before_is_not_staged() {
    let repo = Repo::new();
    let other = format!("token = \"{}\"\n", github_token(2)).into_bytes();
    let (old, none) = (line(), &b"nothing"[..]);
    repo.put("a.tar", tar(&[("old", &old)]));
    repo.put("plain.gz", gzip(&old));
    repo.put("plain.cfg", &old);
    repo.stage("a.tar", tar(&[("old", &old), ("none", none)]));
    repo.stage("plain.gz", gzip(&[&old[..], none].concat()));
    repo.stage("plain.cfg", gzip(&old));
    repo.keysift(["scan", "--staged"]).exits(0);
    repo.stage("a.tar", tar(&[("none", none), ("moved", &old), ("new", &other)]));
    let run = repo.keysift(["scan", "--staged", "--format", "json"]).exits(1);
    assert_eq!(places(&run), [("a.tar!new".to_owned(), 1)]);
}

/// A Debian package with these members behind its first one.
fn deb(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", &b"2.0\n"[..])].iter().chain(members) {
        out.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).into_bytes());
        out.extend_from_slice(content);
        if !content.len().is_multiple_of(2) {
            out.push(b'\n');
        }
    }
    out
}

#[test]
fn packages_and_streams_without_a_magic_number_are_read() {
    let repo = Repo::new();
    let secret = [b"first line\n", &line()[..]].concat();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(&secret).unwrap();
    let options = lzma_rust2::LzmaOptions::with_preset(1);
    let mut lzma = lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
    lzma.write_all(&secret).unwrap();
    repo.write(
        "a.deb",
        deb(&[("control.tar.gz", &gzip(&tar(&[]))), ("data.tar.xz", &xz(&tar(&[("etc/a", &secret)])))]),
    );
    repo.write("object", zlib.finish().unwrap());
    repo.write("old.lzma", lzma.finish().unwrap());
    // What only starts like them is text, and a library's archive is searched as it is.
    repo.write("formula.txt", [b"x^2 + y^2\n", &line()[..]].concat());
    repo.write("lib.a", [b"!<arch>\nobject.o/\n", &line()[..]].concat());
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    let expected = ["a.deb!data.tar.xz!etc/a", "formula.txt", "lib.a", "object", "old.lzma"];
    let lines = [2, 2, 3, 2, 2];
    let expected: Vec<_> = expected.iter().zip(lines).map(|(name, line)| ((*name).to_owned(), line)).collect();
    assert_eq!((places(&run), gaps(&run)), (expected, vec![]));
}

#[test]
fn a_zip_behind_a_program_is_read() {
    let repo = Repo::new();
    let program = &b"#!/bin/sh\nexec java -jar $0\n"[..];
    let inside = [b"\n", &line()[..]].concat();
    let packed = zip("b", 8, &deflate(&inside));
    // Its directory may know of what stands before it, or not.
    let mut told = [program, &packed].concat();
    let (end, shift) = (told.len() - 6, program.len() as u32);
    let directory = u32::from_le_bytes(told[end..end + 4].try_into().unwrap());
    told[end..end + 4].copy_from_slice(&(directory + shift).to_le_bytes());
    let entry = (directory + shift + 42) as usize;
    told[entry..entry + 4].copy_from_slice(&shift.to_le_bytes());
    repo.write("told.sh", told);
    repo.write("untold.sh", [program, &packed].concat());
    repo.write("program.sh", [program, &line(), &zip("b", 0, b"none")].concat());
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    let expected = [("program.sh", 3), ("told.sh!b", 2), ("untold.sh!b", 2)];
    assert_eq!(places(&run), expected.map(|(place, line)| (place.to_owned(), line)));
    assert_eq!(gaps(&run), []);
}

#[test]
fn entries_that_the_directory_of_a_zip_does_not_name_are_said() {
    let repo = Repo::new();
    let hidden = zip("hidden", 0, &line());
    let local = hidden.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let mut seen = zip("seen", 0, b"nothing");
    let (end, directory) = (seen.len() - 6, seen.len() - 22 - 46 - 4);
    seen[end..end + 4].copy_from_slice(&((local + directory) as u32).to_le_bytes());
    seen[directory + 42..directory + 46].copy_from_slice(&(local as u32).to_le_bytes());
    repo.write("a.zip", [&hidden[..local], &seen].concat());
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    assert_eq!(gaps(&run)[0].2, "it holds an entry that its directory does not name");
}

#[test]
fn names_and_comments_of_archives_are_searched() {
    let repo = Repo::new();
    let token = github_token(1);
    repo.write("a.tar", tar(&[("none", b"x"), (&token, b"x")]));
    repo.write("a.zip", zip(&token, 0, b"x"));
    let mut commented = zip("a", 0, b"x");
    let len = commented.len();
    commented[len - 2] = token.len() as u8;
    repo.write("comment.zip", [&commented[..], token.as_bytes()].concat());
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    let expected = [("a.tar", 2), ("a.zip", 1), ("comment.zip", 2)];
    assert_eq!(places(&run), expected.map(|(place, line)| (place.to_owned(), line)));
}

#[test]
fn behind_the_damage_of_a_tar_its_bytes_are_searched() {
    let repo = Repo::new();
    let mut damaged = tar(&[("a", b"none"), ("b", &line())]);
    damaged[1024..1536].fill(1);
    repo.write("a.tar", damaged);
    let run = repo.keysift(["scan", "--format", "json"]).exits(1);
    assert_eq!(places(&run).len(), 1);
    assert_eq!(gaps(&run), [("archive".into(), "a.tar".into(), "it cannot be read to its end".into())]);
}

#[test]
fn every_gap_is_listed_in_json_and_summarised_in_text() {
    let repo = Repo::new();
    for n in 0..250 {
        repo.write(format!("{n}.7z"), [b"7z\xbc\xaf\x27\x1c", n.to_string().as_bytes()].concat());
    }
    repo.run("add .");
    repo.commit("archives");
    for mode in [&["scan"][..], &["scan", "--history"]] {
        let run = repo.keysift(mode.iter().chain(&["--format", "json"])).exits(3);
        assert_eq!(gaps(&run).len(), 250, "{mode:?}");
        let run = repo.keysift(mode).exits(3);
        assert!(run.out.contains("archive (250)") && run.out.contains("and 247 more"), "{mode:?}: {}", run.out);
        assert!(run.out.lines().count() < 20);
    }
}
