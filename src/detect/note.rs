//! Notes: what a value says of itself beyond its rule, for the person who reads the finding.

use serde_json::{Map, Value};

use super::checksum::{Checksum, decode_base64};
use crate::rule::Rule;

/// Longest text of a token's own claims that is repeated, in characters.
const CLAIM: usize = 80;

/// What is known of a value that a rule found: `checksum is right`, `signed with HS256`, `expired
/// 2023-05-01`, `encrypted`. `now` is in seconds since 1970.
pub fn notes(rule: &Rule, value: &[u8], now: i64) -> Vec<String> {
    let mut notes = Vec::new();
    if rule.checksum.as_deref().and_then(Checksum::named).is_some_and(Checksum::proves) {
        notes.push("checksum is right".to_owned());
    }
    if value.starts_with(b"eyJ") {
        json_web_token(value, now, &mut notes);
    } else if value.starts_with(b"-----BEGIN ") {
        private_key(value, &mut notes);
    }
    notes
}

/// A JSON Web Token's algorithm, issuer and end (RFC 7519).
fn json_web_token(token: &[u8], now: i64, notes: &mut Vec<String>) {
    let mut parts = token.split(|b| *b == b'.');
    let mut object = || -> Option<Map<String, Value>> { serde_json::from_slice(&decode_base64(parts.next()?)?).ok() };
    let (Some(header), Some(claims)) = (object(), object()) else { return };
    let text = |object: &Map<String, Value>, key: &str| -> Option<String> {
        Some(object.get(key)?.as_str()?.chars().filter(|c| !c.is_control()).take(CLAIM).collect())
    };
    match text(&header, "alg") {
        Some(none) if none.eq_ignore_ascii_case("none") => notes.push("not signed".to_owned()),
        Some(algorithm) => notes.push(format!("signed with {algorithm}")),
        None => {}
    }
    if let Some(issuer) = text(&claims, "iss").filter(|i| !i.is_empty()) {
        notes.push(format!("issued by {issuer}"));
    }
    // Some issuers write a fraction.
    let seconds = claims.get("exp").and_then(|e| e.as_i64().or_else(|| e.as_f64().map(|f| f as i64)));
    if let Some((seconds, end)) = seconds.and_then(|s| Some((s, jiff::Timestamp::from_second(s).ok()?))) {
        let word = if seconds < now { "expired" } else { "expires" };
        notes.push(format!("{word} {}", end.strftime("%Y-%m-%d")));
    }
}

/// Whether a private key in PEM is encrypted, and whether it is there to its end.
fn private_key(pem: &[u8], notes: &mut Vec<String>) {
    let has = |part: &[u8]| pem.windows(part.len()).any(|w| w == part);
    // Without what stands between lines: breaks (also as `\n`), quotes, comment signs.
    let after = memchr::memmem::find(pem, b"KEY-----").map_or(pem.len(), |at| at + 8);
    let mut escaped = false;
    let body: Vec<u8> = pem[after..]
        .iter()
        .take(120)
        .copied()
        .filter(|b| {
            let keep = !escaped && (b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
            escaped = *b == b'\\';
            keep
        })
        .collect();
    // openssh-key-v1: a magic word, then the length and the name of the cipher.
    let cipher = decode_base64(&body[..body.len() / 4 * 4]).and_then(|key| {
        let rest = key.strip_prefix(b"openssh-key-v1\0")?;
        let length = usize::from(*rest.get(3)?);
        rest.get(4..4 + length).map(<[u8]>::to_vec)
    });
    let encrypted = has(b"ENCRYPTED") || cipher.as_ref().is_some_and(|name| name.as_slice() != b"none");
    notes.push(if encrypted { "encrypted" } else { "not encrypted" }.to_owned());
    if has(b"PGP") {
        // Whether a PGP key is encrypted stands deeper in its packets.
        notes.pop();
    }
    if !has(b"-----END ") {
        notes.push("cut off".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::*;
    use crate::rule::Ruleset;

    fn of(value: &str) -> String {
        let rules = Ruleset::builtin();
        let rule = rules.rules.iter().find(|r| r.id == "json-web-token").expect("it is built in");
        notes(rule, value.as_bytes(), 1_700_000_000).join(", ")
    }

    #[test]
    fn a_web_token_says_who_issued_it_and_until_when() {
        let token = |header: &str, claims: &str| format!("{}.{}.x", STANDARD.encode(header), STANDARD.encode(claims));
        for (header, claims, expected) in [
            (
                r#"{"alg":"HS256"}"#,
                r#"{"iss":"https://a","exp":1600000000}"#,
                "signed with HS256, issued by https://a, expired 2020-09-13",
            ),
            (r#"{"alg":"RS256"}"#, r#"{"exp":1800000000}"#, "signed with RS256, expires 2027-01-15"),
            (r#"{"alg":"none"}"#, r#"{"sub":"x"}"#, "not signed"),
            (r#"{"alg":"HS256"}"#, r#"{"iss":7,"exp":"x"}"#, "signed with HS256"),
        ] {
            assert_eq!(of(&token(header, claims)), expected);
        }
        assert_eq!(of("eyJhIjox.eyJh"), "");
    }

    #[test]
    fn a_private_key_says_whether_it_is_encrypted_and_whole() {
        let begin = |kind: &str, body: &str| format!("-----BEGIN {kind}PRIVATE KEY-----\n{body}\n");
        let open = STANDARD.encode(b"openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0");
        let closed = STANDARD.encode(b"openssh-key-v1\0\0\0\0\x0aaes256-ctr\0\0\0\x06bcrypt");
        let end = "-----END PRIVATE KEY-----";
        assert_eq!(of(&(begin("RSA ", "MIIE") + end)), "not encrypted");
        assert_eq!(of(&(begin("ENCRYPTED ", "MIIE") + end)), "encrypted");
        assert_eq!(of(&begin("OPENSSH ", &open)), "not encrypted, cut off");
        assert_eq!(of(&(begin("OPENSSH ", &closed) + end)), "encrypted");
        assert_eq!(of(&(begin("OPENSSH ", &closed).replace('\n', "\\n") + end)), "encrypted");
    }
}
