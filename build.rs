//! Validates `rules.toml` and packs it, so that the program starts without parsing it; names the engine, so that
//! what one engine remembers of a history is nothing to another.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

#[allow(dead_code)]
#[path = "src/rule/expression.rs"]
mod expression;
#[allow(dead_code)]
#[path = "src/rule/schema.rs"]
mod schema;

fn main() {
    for input in ["build.rs", "rules.toml", "src", "Cargo.toml"] {
        println!("cargo::rerun-if-changed={input}");
    }
    println!("cargo::rustc-env=KEYSIFT_ENGINE={:016x}", engine());
    let text = fs::read_to_string("rules.toml").expect("rules.toml stands beside build.rs");
    let mut rules = match schema::parse(&text) {
        Ok(file) => file.rules,
        Err(problem) => {
            println!(
                "cargo::error=rules.toml:{}: rule {:?}: {} {}",
                problem.line,
                problem.rule,
                problem.what,
                problem.help.unwrap_or_default()
            );
            return;
        }
    };
    for rule in &mut rules {
        // A built-in rule that must see whole contents would cost every user on every byte.
        if rule.reach == schema::Reach::Whole && rule.kind != schema::Kind::Path {
            println!(
                "cargo::error=rules.toml:{}: rule {}: no keyword is spelled by every match; write alternatives instead of classes in the literal part, longest first",
                rule.line, rule.id
            );
        }
        // Only `keysift rules test` wants them, and it reads the text.
        rule.examples.clear();
        rule.counter_examples.clear();
    }
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("rules.bin"), postcard::to_allocvec(&rules).expect("rules serialise"))
        .expect("OUT_DIR can be written");
}

/// A hash of everything that this program is made of, but for its dependencies' code: FNV-1a.
fn engine() -> u64 {
    let mut files = vec![PathBuf::from("Cargo.toml"), PathBuf::from("rules.toml")];
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read").map(|e| e.expect("src can be read").path()) {
            if entry.is_dir() { folders.push(entry) } else { files.push(entry) }
        }
    }
    files.sort();
    let contents = files.iter().map(|file| fs::read(file).expect("src can be read"));
    contents.flatten().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
