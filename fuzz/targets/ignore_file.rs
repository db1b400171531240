//! An ignore file, and the paths that it is asked about.
#![no_main]

use bstr::ByteSlice;
use keysift::triage::IgnoreFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(ignore) = IgnoreFile::parse([(".keysiftignore", text)]) else { return };
    for path in text.as_bytes().lines() {
        ignore.covers(path.as_bstr());
    }
});
