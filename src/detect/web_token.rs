//! What a JSON Web Token (RFC 7519) is worth: one that nobody signed opens nothing, and one that everybody could
//! sign, or that shows what manuals show, hardly anything.

use serde_json::{Map, Value};

use super::{
    checksum::decode_base64,
    score::{is_made_of_words, split_words},
};

/// Shorter ones are no signature, not even a part of one: HS256 has 43 characters, ES256 86.
const SHORTEST_SIGNATURE: usize = 16;
/// The keys with which jwt.io signs what it shows.
const PUBLISHED_KEYS: [&[u8]; 2] = [b"your-256-bit-secret", b"a-string-secret-at-least-256-bits-long"];
/// The claims that jwt.io shows.
const SHOWN_SUBJECT: &str = "1234567890";
const SHOWN_ISSUED_AT: i64 = 1_516_239_022;

/// What a web token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// It may open something.
    Credential,
    /// Everybody can make it, or it is an example.
    Example,
    /// It opens nothing.
    Nothing(&'static str),
}

/// What a value is worth as a web token; `None` where it is none.
pub(super) fn worth(token: &[u8]) -> Option<Worth> {
    let mut parts = token.split(|b| *b == b'.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next());
    // What is encrypted has five parts.
    if parts.next().is_some() {
        return None;
    }
    let header = object(header)?;
    let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
    // What goes on in another literal is judged when the two are joined.
    let Some(signature) = signature else {
        return (!algorithm.is_empty()).then_some(Worth::Nothing("it is a part of a web token"));
    };
    let claims = object(claims)?;
    if signature.is_empty() {
        return Some(Worth::Nothing("it is not signed"));
    }
    if signature.len() < SHORTEST_SIGNATURE || is_made_of_words(signature) {
        return Some(Worth::Nothing("its signature is none"));
    }
    let signed = &token[..token.len() - signature.len() - 1];
    let is_open = algorithm == "HS256"
        && decode_base64(signature)
            .is_some_and(|given| PUBLISHED_KEYS.iter().any(|key| hmac_sha256::HMAC::mac(signed, key)[..] == given[..]));
    let is_shown = claims.get("sub").and_then(Value::as_str) == Some(SHOWN_SUBJECT)
        && (claims.contains_key("name") || claims.get("iat").and_then(Value::as_i64) == Some(SHOWN_ISSUED_AT));
    Some(if is_open || is_shown { Worth::Example } else { Worth::Credential })
}

/// Whether a value is written like a web token and cannot be read as one: `eyJfoobar.eyJfoobar.12345`.
pub(super) fn is_imitation(value: &[u8]) -> bool {
    let mut parts = value.split(|b| *b == b'.');
    let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    (header.starts_with(b"eyJ") || object(header).is_some()) && claims.starts_with(b"ey") && object(claims).is_none()
}

/// Whether the name before a token says that it does not hold: `invalidToken = "`, `EXPIRED_JWT:`.
pub(super) fn is_named_invalid(before: &[u8]) -> bool {
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before);
    let before = before.trim_ascii_end();
    // The name on the line above, where the token stands alone.
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let statement = &before[start..];
    let start = statement.iter().rposition(|b| matches!(b, b',' | b';' | b'{' | b'}' | b'&' | b'?'));
    let mut says = false;
    split_words(&statement[start.map_or(0, |at| at + 1)..], |word| {
        says |= matches!(
            word,
            b"invalid" | b"expired" | b"forged" | b"tampered" | b"malformed" | b"fake" | b"bogus" | b"wrong"
        );
    });
    says
}

fn object(part: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decode_base64(part)?).ok()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};

    use super::*;
    use crate::detect::score::tests::{ALNUM, random};

    fn signed(claims: &str, key: &[u8]) -> String {
        let head = format!("{}.{}", BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#), BASE64.encode(claims));
        format!("{head}.{}", BASE64.encode(hmac_sha256::HMAC::mac(head.as_bytes(), key)))
    }

    fn worth_of(token: &str) -> Option<Worth> {
        worth(token.as_bytes())
    }

    #[test]
    fn a_token_is_worth_what_its_signature_is() {
        let key = random(ALNUM, 40, 1);
        let token = signed(r#"{"sub":"7","exp":1}"#, key.as_bytes());
        let head = &token[..=token.rfind('.').expect("a signature")];
        assert_eq!(worth_of(&token), Some(Worth::Credential));
        for signature in ["", "omitted", "signature", "this-is-no-valid-signature"] {
            assert!(matches!(worth_of(&format!("{head}{signature}")), Some(Worth::Nothing(_))), "{signature}");
        }
        for key in PUBLISHED_KEYS {
            assert_eq!(worth_of(&signed(r#"{"sub":"7"}"#, key)), Some(Worth::Example));
        }
        assert_eq!(worth_of(&signed(r#"{"sub":"1234567890","name":"J"}"#, key.as_bytes())), Some(Worth::Example));
        assert_eq!(worth_of(&signed(r#"{"sub":"1234567890"}"#, key.as_bytes())), Some(Worth::Credential));
        assert_eq!(worth_of(&key), None);
        assert!(matches!(worth_of(&head[..head.len() - 4]), Some(Worth::Nothing(_))), "a part");
        assert!(!is_imitation(token.as_bytes()) && is_imitation(b"eyJsomething.eyJsomething.98765qwer"));
        let spaced = format!("{}.eyJsomething.98765qwer", BASE64.encode(r#"{ "alg": "RS256" }"#));
        assert!(is_imitation(spaced.as_bytes()), "{spaced}");
    }

    #[test]
    fn a_name_says_that_a_token_does_not_hold() {
        for before in ["String INVALID_JWT = \"", "expiredToken: '", "tamperedToken =\n    \"", "a = 1; forged(\""] {
            assert!(is_named_invalid(before.as_bytes()), "{before}");
        }
        for before in
            ["accessToken = \"", "invalidate(x); token = \"", "expired = true, token: \"", "invalid\n\nt = \""]
        {
            assert!(!is_named_invalid(before.as_bytes()), "{before}");
        }
    }
}
