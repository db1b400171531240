//! A rules file, and what detection makes of its rules.
#![no_main]

use keysift::{detect::Detector, rule::Ruleset};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(file) = Ruleset::parse(text, "rules.toml") else { return };
    let _ = file.ruleset.hash();
    let Ok(detector) = Detector::new(&file.ruleset) else { return };
    // The file holds what its own rules look for, more likely than any other text.
    let seen = detector.scan(text.as_bytes());
    let _ = detector.resolve(text.as_bytes(), &seen);
});
