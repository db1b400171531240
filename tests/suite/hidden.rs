//! Hidden values, through the program: what is encoded, wrapped or transcoded is found where it stands.

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::common::{Repo, github_token};

/// Scans a content in the working tree and in history; the line of the one secret in it.
#[track_caller]
fn line_of_secret(content: impl AsRef<[u8]>) -> u64 {
    let repo = Repo::new();
    repo.put("a.txt", content);
    let [tree, history] = [&["scan"][..], &["scan", "--history"]].map(|mode| {
        let run = repo.keysift(mode.iter().chain(&["--format", "json", "--show-secrets"])).exits(1);
        let report = run.json();
        assert_eq!(report["findings"].as_array().unwrap().len(), 1, "{report:#}");
        assert_eq!(report["findings"][0]["secret"], github_token(1), "{report:#}");
        report["findings"][0]["locations"][0]["start_line"].as_u64().unwrap()
    });
    assert_eq!(tree, history);
    tree
}

fn prose(lines: usize) -> String {
    (0..lines).map(|n| format!("line {n} of harmless words\n")).collect()
}

#[test]
fn base64_wrapped_at_any_column() {
    for width in [16, 20, 23, 24, 37, 64, 76] {
        let encoded = BASE64_STANDARD.encode(format!("{}token = \"{}\"\n", prose(3), github_token(1)));
        for end in ["\n", "\r\n", "\\\n"] {
            let lines: Vec<_> = encoded.as_bytes().chunks(width).map(|l| std::str::from_utf8(l).unwrap()).collect();
            let content = format!("data: |\n{}\n", lines.join(end));
            line_of_secret(content);
        }
    }
}

#[test]
fn compressed_text_in_base64() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(format!("{}token = \"{}\"\n", prose(20), github_token(1)).as_bytes()).unwrap();
    let release = BASE64_STANDARD.encode(BASE64_STANDARD.encode(gzip.finish().unwrap()));
    assert_eq!(line_of_secret(format!("kind: Secret\ndata:\n  release: {release}\n")), 3);
}

#[test]
fn literals_that_go_on_in_the_next_line_and_entities_of_entities() {
    let token = github_token(1);
    let (one, two) = token.split_at(20);
    assert_eq!(line_of_secret(format!("\nconst char *t = \"{one}\\\n{two}\";\n")), 2);
    assert_eq!(line_of_secret(format!("t: \"{one}\\\r\n    {two}\"\n")), 1);
    assert_eq!(line_of_secret(format!("<p>{}</p>\n", token.replace('_', "&amp;#95;"))), 1);
}

#[test]
fn text_of_other_encodings_inside_of_a_content() {
    let secret = format!("token = \"{}\"\n", github_token(1));
    let wide = |order: fn(u16) -> [u8; 2]| secret.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let mut state = 7u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8 | 0x80
    })
    .take(5001)
    .collect();
    for wide in [wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
        assert_eq!(line_of_secret([prose(5).as_bytes(), &wide].concat()), 6);
        assert_eq!(line_of_secret([&b"MZ"[..], &noise, b"\n\0\0", &wide, &noise].concat()), 2);
    }
    // ASCII that was appended to UTF-16.
    let marked: Vec<u8> = format!("\u{feff}{}", prose(5)).encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(line_of_secret([&marked[..], secret.as_bytes()].concat()), 6);
}

#[test]
fn utf_32_without_a_mark() {
    let secret = format!("{}token = \"{}\"\n", prose(3), github_token(1));
    let encoded = format!("{}x: {}\n", prose(3), BASE64_STANDARD.encode(&secret));
    for text in [secret, encoded] {
        for order in [u32::to_le_bytes, u32::to_be_bytes] {
            let content: Vec<u8> = text.chars().flat_map(|c| order(c as u32)).collect();
            assert_eq!(line_of_secret(content), 4);
        }
    }
}
