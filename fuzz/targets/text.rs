//! UTF-16 and UTF-32: transcoding, and detection in what it gives.
#![no_main]

use keysift::detect::text;
use keysift_fuzz::detector;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = text::text(data);
    // A UTF-16 unit becomes at most three bytes, and so does what cannot be transcoded.
    assert!(text.len() <= data.len() * 2);
    let seen = detector().scan(&text);
    for found in detector().resolve(&text, &seen) {
        assert!(found.span.end <= text.len() && !found.value(&text).is_empty());
    }
});
