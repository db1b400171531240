//! Validates `rules.toml` and packs it, so that the program starts without parsing it.

use std::{env, fs, path::Path};

#[allow(dead_code)]
#[path = "src/rule/expression.rs"]
mod expression;
#[allow(dead_code)]
#[path = "src/rule/schema.rs"]
mod schema;

fn main() {
    for input in ["build.rs", "rules.toml", "src/rule/schema.rs", "src/rule/expression.rs"] {
        println!("cargo::rerun-if-changed={input}");
    }
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
