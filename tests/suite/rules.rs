//! The built-in rules through the real detector.

use keysift::rule::{BUILTIN_TOML, Ruleset};

use crate::common::Repo;

#[test]
fn the_embedded_rules_are_those_of_the_text() {
    let text = Ruleset::parse(BUILTIN_TOML, "rules.toml").unwrap().ruleset;
    assert_eq!(text.hash_without_examples(), Ruleset::builtin().hash());
}

#[test]
fn examples_are_found_and_counter_examples_are_not() {
    let repo = Repo::new();
    let run = repo.keysift(["rules", "test"]);
    assert_eq!(run.status, 0, "{}", run.out);
}

#[test]
fn every_rule_names_where_its_format_is_documented() {
    let rules = Ruleset::builtin().rules;
    let missing: Vec<&str> = rules.iter().filter(|r| r.docs.is_none()).map(|r| r.id.as_str()).collect();
    assert!(missing.len() * 20 < rules.len(), "{missing:?}");
}
