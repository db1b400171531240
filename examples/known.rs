//! Writes `src/detect/known.in`, the table of published example values, from a list of them.
//!
//! `cargo run --example known -- known_examples.csv`: of the rows of kind `value`, each value (separated by
//! `; `, remarks in brackets left out) becomes the first eight bytes of its BLAKE3 hash. The values
//! themselves do not enter the repository. Of long ones (32 bytes and more) the first 24 bytes are hashed
//! too, into `known_heads.in`; of a token in parts the second part's, as its header is everybody's.
#![allow(clippy::print_stdout)]

use keysift::detect::placeholder::HEAD;

fn main() {
    let path = std::env::args().nth(1).expect("the list is named");
    let text = std::fs::read_to_string(path).expect("the list can be read");
    let mut hashes: Vec<u64> = Vec::new();
    let mut lengths: Vec<usize> = Vec::new();
    let mut heads: Vec<u64> = Vec::new();
    let short_hash = |bytes: &[u8]| {
        let mut head = [0u8; 8];
        head.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
        u64::from_be_bytes(head)
    };
    for line in text.lines().skip(1) {
        let mut columns = line.splitn(3, ',');
        let (Some(provider), Some("value"), Some(rest)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let field = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or(""),
            None => rest.split(',').next().unwrap_or(""),
        };
        for word in field.split([' ', ';', ',', '(', ')', '/']).chain(field.split("; ")) {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            if word.len() >= 8 && (digits > 0 || word.len() >= 24) && !word.contains(' ') {
                hashes.push(short_hash(word.as_bytes()));
                lengths.push(word.len());
                let telling = if word.starts_with("eyJ") { word.split('.').nth(1).unwrap_or("") } else { word };
                if provider != "generic" && word.len() >= 32 && telling.len() >= HEAD && !telling.contains("://") {
                    heads.push(short_hash(&telling.as_bytes()[..HEAD]));
                }
            }
        }
    }
    for (list, file) in [(&mut hashes, "src/detect/known.in"), (&mut heads, "src/detect/known_heads.in")] {
        list.sort_unstable();
        list.dedup();
        let rows: Vec<String> =
            list.chunks(5).map(|c| c.iter().map(|h| format!("{h:#018x}")).collect::<Vec<_>>().join(", ")).collect();
        std::fs::write(file, format!("&[\n    {},\n]\n", rows.join(",\n    "))).expect("the table can be written");
    }
    lengths.sort_unstable();
    lengths.dedup();
    std::fs::write("src/detect/known_lengths.in", format!("&{lengths:?}\n")).expect("the table can be written");
    println!("{} hashes", hashes.len());
}
