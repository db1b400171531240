//! Writes `src/detect/known.in`, the table of published example values, from a list of them.
//!
//! `cargo run --example known -- known_examples.csv`: of the rows of kind `value`, each value (separated by
//! `; `, remarks in brackets left out) becomes the first eight bytes of its BLAKE3 hash. The values
//! themselves do not enter the repository.
#![allow(clippy::print_stdout)]

fn main() {
    let path = std::env::args().nth(1).expect("the list is named");
    let text = std::fs::read_to_string(path).expect("the list can be read");
    let mut hashes: Vec<u64> = Vec::new();
    let mut lengths: Vec<usize> = Vec::new();
    for line in text.lines().skip(1) {
        let mut columns = line.splitn(3, ',');
        let (Some(_), Some("value"), Some(rest)) = (columns.next(), columns.next(), columns.next()) else { continue };
        let field = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or(""),
            None => rest.split(',').next().unwrap_or(""),
        };
        for word in field.split([' ', ';', ',', '(', ')', '/']).chain(field.split("; ")) {
            let digits = word.bytes().filter(u8::is_ascii_digit).count();
            if word.len() >= 8 && (digits > 0 || word.len() >= 24) && !word.contains(' ') {
                let hash = blake3::hash(word.as_bytes());
                let mut head = [0u8; 8];
                head.copy_from_slice(&hash.as_bytes()[..8]);
                hashes.push(u64::from_be_bytes(head));
                lengths.push(word.len());
            }
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    let rows: Vec<String> =
        hashes.chunks(5).map(|c| c.iter().map(|h| format!("{h:#018x}")).collect::<Vec<_>>().join(", ")).collect();
    std::fs::write("src/detect/known.in", format!("&[\n    {},\n]\n", rows.join(",\n    ")))
        .expect("the table can be written");
    lengths.sort_unstable();
    lengths.dedup();
    std::fs::write("src/detect/known_lengths.in", format!("&{lengths:?}\n")).expect("the table can be written");
    println!("{} hashes", hashes.len());
}
