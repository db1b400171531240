//! The contract of delta-wise detection: `rescan` of a content made from another gives what `scan` gives.

use keysift::{content::Copied, detect::Detector, rule::Ruleset};
use proptest::prelude::*;

use crate::common::{filled, github_token};

/// Pieces that contents are put together from; among them secrets, halves of secrets, and words that
/// only mean something near others.
fn piece() -> impl Strategy<Value = String> {
    let key = || {
        format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{0}\n{0}\n-----END RSA PRIVATE KEY-----\n",
            github_token(9).repeat(2).replace('_', "A")
        )
    };
    prop_oneof![
        3 => "[a-z ]{0,30}\n",
        2 => (0..6u64).prop_map(|n| format!("token = \"{}\"\n", github_token(n))),
        1 => (0..6u64, 0..40usize).prop_map(|(n, cut)| github_token(n)[..cut].to_owned()),
        1 => (0..6u64, 0..40usize).prop_map(|(n, cut)| github_token(n)[cut..].to_owned()),
        1 => Just("datadog\n".to_owned()),
        1 => "[0-9a-f]{32}".prop_map(|hex| format!("api_key: '{hex}'\n")),
        1 => "[a-zA-Z0-9]{6,14}".prop_map(|word| format!("password = \"{word}\"\n")),
        1 => Just(key()),
        1 => (0..200usize).prop_map(move |cut| key()[..cut.min(key().len())].to_owned()),
        1 => (0..6u64).prop_map(|n| { use base64::Engine; base64::engine::general_purpose::STANDARD.encode(format!("x={}", github_token(n))) }),
        1 => (0..4u64).prop_map(|n| filled("aws_access_key_id = AKIA{base32:16}\n", n)),
        1 => (0..4u64).prop_map(|n| filled("aws_secret_access_key = {alnum:39}7\n", n)),
        2 => (0..4u64).prop_map(|n| filled("k: {base64({digit:12}-{lownum:32}.apps.googleusercontent.com\nGOCSPX-{alnum:28}\n)}\n", n)),
        1 => (0..4u64).prop_map(|n| filled("twilio: {digit:12}-{lownum:31}7.apps.googleusercontent.com\n", n)),
        1 => "\u{0}{1,3}",
        1 => "[a-z]{300,2600}",
    ]
}

/// How a content is made from its base: copied parts and new ones.
#[derive(Debug, Clone)]
enum Step {
    Copy(prop::sample::Index, usize),
    Insert(String),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (any::<prop::sample::Index>(), 1..600usize).prop_map(|(at, len)| Step::Copy(at, len)),
        1 => piece().prop_map(Step::Insert),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn rescan_gives_what_scan_gives(
        base in prop::collection::vec(piece(), 0..30),
        chain in prop::collection::vec(prop::collection::vec(step(), 0..12), 1..4),
    ) {
        let detector = Detector::new(&Ruleset::builtin()).unwrap();
        let mut base = base.concat().into_bytes();
        let mut seen = detector.scan(&base);
        for steps in chain {
            let (mut content, mut copied) = (Vec::new(), Vec::<Copied>::new());
            for step in steps {
                match step {
                    Step::Insert(text) => content.extend_from_slice(text.as_bytes()),
                    Step::Copy(_, _) if base.is_empty() => {}
                    Step::Copy(at, len) => {
                        let from = at.index(base.len());
                        let len = len.min(base.len() - from);
                        copied.push(Copied { from, to: content.len(), len });
                        content.extend_from_slice(&base[from..from + len]);
                    }
                }
            }
            let again = detector.rescan(&content, &seen, &copied);
            let whole = detector.scan(&content);
            prop_assert_eq!(detector.resolve(&content, &again), detector.resolve(&content, &whole));
            seen = again;
            base = content;
        }
    }
}

#[test]
fn a_hidden_pair_is_inherited_with_both_halves() {
    let pair = "k: {base64({digit:12}-{lownum:32}.apps.googleusercontent.com\nGOCSPX-{alnum:28}\n)}\n";
    let base = [&"\n".repeat(200), &filled(pair, 1)[..]].concat();
    let content = ["new\n", &base].concat();
    let detector = Detector::new(&Ruleset::builtin()).unwrap();
    let seen = detector.scan(base.as_bytes());
    let copied = [Copied { from: 0, to: 4, len: base.len() }];
    let again = detector.resolve(content.as_bytes(), &detector.rescan(content.as_bytes(), &seen, &copied));
    assert_eq!(again, detector.resolve(content.as_bytes(), &detector.scan(content.as_bytes())));
    assert_eq!(again[0].partners[0].secret, again[0].secret, "one encoded text holds both");
}
