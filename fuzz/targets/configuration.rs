//! A configuration, keysift's or gitleaks'.
#![no_main]

use std::io;

use keysift::{config::Config, rule::Ruleset};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for name in [".keysift.toml", ".gitleaks.toml"] {
        // Files that it names hold itself, so that circles are tried, too.
        let read = |path: &str| {
            if path == "self" { Ok(text.to_owned()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
        };
        if let Ok(config) = Config::parse(text, name, &read) {
            let _ = config.ruleset(Ruleset::default());
            let _ = config.show(Ruleset::default());
        }
    }
});
