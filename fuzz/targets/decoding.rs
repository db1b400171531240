//! Detection and decoding of anything: a content made from another one gives what it gives when looked at whole.
#![no_main]

use keysift::{content::Copied, detect::text};
use keysift_fuzz::{Input, detector, rescan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let len = input.number() % (input.0.len() + 1);
    let mut base = input.take(len).to_vec();
    let detector = detector();
    let mut seen = detector.scan(&base);
    // Each step copies a part of the base, or inserts a part of the input.
    for _ in 0..3 {
        let (mut content, mut copied) = (Vec::new(), Vec::<Copied>::new());
        for _ in 0..input.byte() % 8 {
            let what = input.byte();
            if what & 1 == 1 && !base.is_empty() {
                let from = input.number() % base.len();
                let len = (input.number() % (base.len() - from)).max(1);
                copied.push(Copied { from, to: content.len(), len });
                content.extend_from_slice(&base[from..from + len]);
            } else {
                content.extend_from_slice(input.take(usize::from(what)));
            }
        }
        let (again, whole) = (rescan(&content, &seen, &copied), detector.scan(&content));
        assert_eq!(detector.resolve(&content, &again), detector.resolve(&content, &whole));
        assert_eq!(again.undecoded().collect::<Vec<_>>(), whole.undecoded().collect::<Vec<_>>());
        detector.explain(&content);
        let _ = text::text(&content);
        (base, seen) = (content, again);
    }
});
