//! A baseline: what was read is printed as what is read. A report that serves as one is only read.
#![no_main]

use keysift::triage::Baseline;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(baseline) = Baseline::parse(data, "baseline") else { return };
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    if matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return;
    }
    let printed = baseline.print();
    let again = Baseline::parse(printed.as_bytes(), "baseline").expect("what was printed can be read");
    assert_eq!(again.print(), printed);
});
