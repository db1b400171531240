//! The contract of delta-wise detection: `rescan` of a content made from another gives what `scan` gives.

use std::sync::{LazyLock, Mutex, PoisonError};

use keysift::{
    content::Copied,
    detect::{Detector, Recent},
    rule::Ruleset,
};
use proptest::prelude::*;

use crate::common::{filled, github_token};

/// A detector, and what it saw lately.
static LATELY: LazyLock<Mutex<(Detector, Recent)>> =
    LazyLock::new(|| Mutex::new((Detector::new(&Ruleset::builtin()).unwrap(), Recent::default())));

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
        // What was seen in other cases is remembered, too.
        let (detector, recent) = &mut *LATELY.lock().unwrap_or_else(PoisonError::into_inner);
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
            let again = detector.rescan(&content, &seen, &copied, recent);
            let whole = detector.scan(&content);
            prop_assert_eq!(detector.resolve(&content, &again), detector.resolve(&content, &whole));
            let remembered = detector.rescan_last(&content, &seen, &copied, recent);
            prop_assert_eq!(detector.resolve(&content, &remembered), detector.resolve(&content, &whole));
            seen = again;
            base = content;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]
    #[test]
    fn what_was_seen_lately_counts_only_where_all_that_decides_is_the_same(
        text in prop::collection::vec(piece(), 1..6),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 4),
        others in ("[a-z \n]{0,40}", "[a-z \n]{0,40}"),
    ) {
        let detector = &LATELY.lock().unwrap_or_else(PoisonError::into_inner).0;
        let mut recent = Recent::default();
        let text = text.concat();
        cuts.sort_by_key(|cut| cut.index(text.len().max(1)));
        let at = |n: usize| cuts[n].index(text.len().max(1));
        // The same bytes around the same part, once with others around them and once with their own.
        let near = (&text.as_bytes()[at(0)..at(1)], &text.as_bytes()[at(2)..at(3)]);
        let far = (&text.as_bytes()[..at(0)], &text.as_bytes()[at(3)..]);
        let rest = "nothing to see here\n".repeat(10).into_bytes();
        for (before, behind) in [(others.0.as_bytes(), others.1.as_bytes()), far] {
            let (before, behind) = ([&rest, before, near.0].concat(), [near.1, behind, &rest].concat());
            let part = &text.as_bytes()[at(1)..at(2)];
            let content = [&before, part, &behind].concat();
            let copied = [
                Copied { from: 0, to: 0, len: before.len() },
                Copied { from: before.len(), to: before.len() + part.len(), len: behind.len() },
            ];
            let base = detector.scan(&[before, behind].concat());
            let again = detector.rescan(&content, &base, &copied, &mut recent);
            prop_assert_eq!(detector.resolve(&content, &again), detector.resolve(&content, &detector.scan(&content)));
        }
    }
}

/// Whether something is found in a new part of 30 bytes with 130 more behind it: first where the text is cut off there,
/// then where it goes on, with what was seen in the first one at hand.
fn found_cut_and_whole(detector: &Detector, text: &str) -> [bool; 2] {
    let mut recent = Recent::default();
    ["\n", &text[160..]].map(|end| {
        let (part, rest) = (&text[..30], [&text[30..160], end, &"\n".repeat(400)].concat());
        let content = [part, &rest].concat();
        let copied = [Copied { from: 0, to: part.len(), len: rest.len() }];
        let seen = detector.rescan(content.as_bytes(), &detector.scan(rest.as_bytes()), &copied, &mut recent);
        assert_eq!(seen.is_clean(), detector.scan(content.as_bytes()).is_clean());
        !seen.is_clean()
    })
}

#[test]
fn a_keyword_that_led_to_nothing_lately_leads_to_a_token_that_is_whole() {
    let claims =
        r#"{base64({{"alg":"HS256","typ":"JWT"}})}.{base64({{"sub":"{digit:200}","iat":1{digit:9}}})}.{b64url:43}"#;
    let token = filled(&format!("token = {claims}\n"), 1);
    assert_eq!(found_cut_and_whole(&Detector::new(&Ruleset::builtin()).unwrap(), &token), [false, true]);
}

#[test]
fn a_keyword_longer_than_what_is_seen_around_a_part_is_found() {
    let word = "keyword".repeat(30);
    let rules = format!("[[rules]]\nid = \"long\"\nregex = '{word}[0-9]{{12}}'\nkeywords = [\"{word}\"]\n");
    let detector = Detector::new(&Ruleset::parse(&rules, "long.toml").unwrap().ruleset).unwrap();
    assert_eq!(found_cut_and_whole(&detector, &filled(&format!("{word}{{digit:12}}\n"), 1)), [false, true]);
}

#[test]
fn a_hidden_pair_is_inherited_with_both_halves() {
    let pair = "k: {base64({digit:12}-{lownum:32}.apps.googleusercontent.com\nGOCSPX-{alnum:28}\n)}\n";
    let base = [&"\n".repeat(200), &filled(pair, 1)[..]].concat();
    let content = ["new\n", &base].concat();
    let detector = Detector::new(&Ruleset::builtin()).unwrap();
    let seen = detector.scan(base.as_bytes());
    let copied = [Copied { from: 0, to: 4, len: base.len() }];
    let again = detector
        .resolve(content.as_bytes(), &detector.rescan(content.as_bytes(), &seen, &copied, &mut Recent::default()));
    assert_eq!(again, detector.resolve(content.as_bytes(), &detector.scan(content.as_bytes())));
    assert_eq!(again[0].partners[0].secret, again[0].secret, "one encoded text holds both");
}
