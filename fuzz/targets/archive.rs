//! Archives: what comes out of one stays within what is promised.
#![no_main]

use keysift::source::archive;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut bytes = 0;
    archive::expand("a".into(), data, &mut |_, content| bytes += content.len(), &mut |_| {});
    // No compression that is read gives back more than this for each byte.
    assert!(bytes <= archive::EXPANDED + data.len());
});
