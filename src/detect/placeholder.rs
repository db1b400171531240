//! Placeholders, references and published examples: values that stand where a secret would.

/// Published example values, as the first eight bytes of their BLAKE3 hash, sorted.
static KNOWN: &[u64] = include!("known.in");

/// The lengths of published example values: others need not be hashed.
static LENGTHS: &[usize] = include!("known_lengths.in");

/// How long published examples start, hashed as [`KNOWN`] is: what starts so is a variant of one
/// (`…EXAMPLEKEY` with another word at its end, a token with the payload of the example).
static KNOWN_HEADS: &[u64] = include!("known_heads.in");

/// How much of a long published example is hashed to know its variants, in bytes.
pub const HEAD: usize = 24;

/// Why a value is no secret, if its form says so: a template, a reference, a placeholder, an example.
///
/// Also for values with a format of their own (`ghp_xxxx…`): nothing here matches by a few letters that
/// a random value might hold.
pub fn placeholder(value: &[u8]) -> Option<&'static str> {
    unreal(value, 70).or_else(|| patterned(trim(value)).then_some("a pattern"))
}

/// Whether a value is counts in turn, or one part three times and more: `changemechangemechangeme`.
pub fn is_pattern(value: &[u8]) -> bool {
    patterned(trim(value))
}

/// As [`placeholder`], for a value that its format or its provider's name already speak for: short counts
/// in a row (`abcd1234efgh5678`) do not disprove it, only a value that counts from end to end.
pub fn placeholder_in_format(value: &[u8]) -> Option<&'static str> {
    unreal(value, 95)
}

/// Whether a word in capitals inside of a token says that it was written over it: `…FAKE…`. By chance
/// a token of 40 characters holds one of them once in some 400,000.
pub fn says_fake(value: &[u8]) -> bool {
    const SAYS: [&[u8]; 4] = [b"FAKE", b"DUMMY", b"SAMPLE", b"NOTREAL"];
    (16..=64).contains(&value.len()) && SAYS.iter().any(|word| has(value, word))
}

/// Two counts in turn (`1a2b3c4d`), one part three times and more, or the same half twice.
fn patterned(v: &[u8]) -> bool {
    // `a0b1c2d3-e4f5-…`
    let letters: Vec<u8>;
    let v = if v.contains(&b'-') {
        letters = v.iter().copied().filter(|b| *b != b'-').collect();
        &letters
    } else {
        v
    };
    let counts = v.windows(3).filter(|w| step(w[0], w[2])).count();
    v.len() >= 8 && counts >= 6 && counts * 10 >= (v.len() - 2) * 7
        || v.len() >= 24 && (2..=v.len() / 3).any(|period| v[period..] == v[..v.len() - period])
        || v.len() >= 16 && v.len() % 2 == 0 && v[v.len() / 2..] == v[..v.len() / 2]
}

/// `steps`: the percentage of its neighbouring characters that must count up in a sequence.
fn unreal(value: &[u8], steps: usize) -> Option<&'static str> {
    let trimmed = trim(value);
    if trimmed.is_empty() {
        return Some("empty");
    }
    if let Some(why) = template(trimmed) {
        return Some(why);
    }
    if let Some(why) = reference(trimmed) {
        return Some(why);
    }
    if let Some(why) = repeated(trimmed) {
        return Some(why);
    }
    if sequence(trimmed, steps) || counting(trimmed) {
        return Some("a sequence");
    }
    if decodes_to_dead_beef(trimmed) {
        return Some("a published example");
    }
    if let Some(why) = spoken(trimmed) {
        return Some(why);
    }
    known(trimmed).then_some("a published example")
}

fn trim(value: &[u8]) -> &[u8] {
    let mut v = value.trim_ascii();
    while let [b'"' | b'\'' | b'`', rest @ ..] = v {
        v = rest;
    }
    while let [rest @ .., b'"' | b'\'' | b'`'] = v {
        v = rest;
    }
    v
}

fn has(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|w| w == part)
}

fn starts_any(value: &[u8], prefixes: &[&str]) -> bool {
    prefixes.iter().any(|p| value.len() >= p.len() && value[..p.len()].eq_ignore_ascii_case(p.as_bytes()))
}

/// `${X}`, `{{ x }}`, `<x>`, `%s`, `$(x)`, `#{x}`, `%X%`, `[x]`.
fn template(v: &[u8]) -> Option<&'static str> {
    let (first, last) = (v[0], v[v.len() - 1]);
    let wordy = |v: &[u8]| {
        v.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b' ' | b':' | b'/' | b'\''))
    };
    let named = |v: &[u8]| v.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    if has(v, b"{{") || has(v, b"<%") || has(v, b"#{") || has(v, b"{%") || has(v, b"@@") && v.starts_with(b"@@") {
        return Some("a template");
    }
    if let Some(i) = v.windows(2).position(|w| w == b"${" || w == b"$(") {
        let _ = i;
        return Some("a variable");
    }
    if first == b'$'
        && v.len() > 1
        && (v[1].is_ascii_alphabetic() || v[1] == b'_')
        && named(&v[1..])
        && !looks_hashed(v)
    {
        let digits = v.iter().filter(|b| b.is_ascii_digit()).count();
        if digits * 4 <= v.len() {
            return Some("a variable");
        }
    }
    if first == b'<' && last == b'>' || v.starts_with(b"&lt;") && v.ends_with(b"&gt;") {
        return Some("a placeholder in angle brackets");
    }
    if first == b'[' && last == b']' && wordy(&v[1..v.len() - 1]) {
        return Some("a placeholder in brackets");
    }
    if first == b'{' && last == b'}' && v.len() > 2 && (named(&v[1..v.len() - 1]) || v[1] == b'$') {
        return Some("a template");
    }
    if first == b'%' && last == b'%' && v.len() > 2 && named(&v[1..v.len() - 1]) {
        return Some("a variable");
    }
    if first == b'_' && last == b'_' && v.len() > 4 && v[1] == b'_' && named(v) {
        return Some("a template");
    }
    if translated(v) {
        return Some("a placeholder of a translation");
    }
    if matches!(v, b"%s" | b"%d" | b"%v" | b"%q" | b"%r" | b"%@" | b"%x" | b"{}" | b"{0}" | b"{1}" | b"?" | b"%S")
        || v.starts_with(b"%(")
        || v.starts_with(b"%{")
        || v.starts_with(b"%[")
    {
        return Some("a format string");
    }
    None
}

/// The pseudo-language of Crowdin's in-context translation: `crwdns1777:0crwdne1777:0`, the same number twice.
fn translated(v: &[u8]) -> bool {
    let number = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_digit()).count();
    let Some(open) = v.strip_prefix(b"crwdns") else { return false };
    let length = number(open);
    length > 0
        && open[length..].starts_with(b":")
        && memchr::memmem::rfind(v, b"crwdne").is_some_and(|at| v[at + 6..].starts_with(&open[..length]))
}

fn looks_hashed(v: &[u8]) -> bool {
    v.iter().filter(|b| **b == b'$').count() >= 2
}

/// A secret that stands elsewhere, or is encrypted.
fn reference(v: &[u8]) -> Option<&'static str> {
    const STORES: &[&str] = &[
        "op://",
        "vault:",
        "vault://",
        "secret://",
        "secrets://",
        "ssm:",
        "ssm://",
        "gsm:",
        "sm://",
        "gcp-sm://",
        "awssm://",
        "akv://",
        "keyring:",
        "keychain:",
        "keepass:",
        "pass://",
        "bws://",
        "doppler://",
        "infisical://",
        "env:",
        "env://",
        "file:",
        "file://",
        "ref+",
        "arn:aws",
        "aws-sm://",
        "ssm-parameter:",
        "{{resolve:",
        "@microsoft.keyvault",
        "kubernetes.io/",
        "akeyless:",
        "chamber:",
    ];
    const SEALED: &[&str] = &[
        "enc[",
        "enc(",
        "{cipher}",
        "{encrypted}",
        "!vault",
        "$ansible_vault",
        "kms:",
        "{aes}",
        "{dec}",
        "encrypted:",
        "sops:",
        "{aqaaabaaaa",
        "{vault}",
        "age-encryption.org",
        "{noop}",
        "[encrypted",
        "secure:",
    ];
    const CODE: &[&str] = &[
        "process.env",
        "os.environ",
        "os.getenv",
        "system.getenv",
        "getenv(",
        "$env:",
        "env[",
        "env.",
        "secrets.",
        "data.",
        "var.",
        "local.",
        "module.",
        "self.",
        "this.",
        "config.",
        "settings.",
        "params.",
        "req.",
        "request.",
        "props.",
        "options.",
        "args.",
    ];
    if starts_any(v, STORES) {
        return Some("a reference to a store");
    }
    if v.starts_with(b"projects/") && has(v, b"/secrets/") {
        return Some("a reference to a store");
    }
    // Sealed Secrets: the length of an RSA-encrypted key of 512 bytes, then the key.
    let sealed = v.len() >= 400 && v.starts_with(b"Ag") && matches!(v[2], b'A'..=b'D');
    if sealed {
        return Some("an encrypted value");
    }
    // Maven: base64 in braces is encrypted with the master password of `settings-security.xml`.
    if let [b'{', inside @ .., b'}'] = v
        && inside.len() >= 24
        && inside.len() % 4 == 0
        && inside.iter().any(u8::is_ascii_digit)
        && inside.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
    {
        return Some("an encrypted value");
    }
    if starts_any(v, SEALED) {
        // `{noop}` marks plain text; what follows is the value.
        if starts_any(v, &["{noop}"]) {
            return None;
        }
        return Some("an encrypted value");
    }
    let identifier = v.iter().all(|b| {
        b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'[' | b']' | b'(' | b')' | b':' | b'"' | b'\'' | b'$')
    });
    if starts_any(v, CODE) && identifier && v.iter().filter(|b| b.is_ascii_digit()).count() * 5 <= v.len() {
        return Some("a reference in code");
    }
    None
}

/// One character over and over, sequences, `xxxx`.
fn repeated(v: &[u8]) -> Option<&'static str> {
    let core: &[u8] = v;
    let body = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'*' || **b == b'.' || **b == b'#';
    let mut seen = [0u16; 256];
    let mut n = 0u16;
    for b in core.iter().filter(body).take(2000) {
        seen[usize::from(b.to_ascii_lowercase())] += 1;
        n += 1;
    }
    if n == 0 {
        return Some("no letter and no digit");
    }
    let distinct = seen.iter().filter(|c| **c > 0).count();
    if distinct == 1 && n >= 3 {
        return Some("one character repeated");
    }
    let most = seen.iter().max().copied().unwrap_or(0);
    if n >= 8 && (most * 5 >= n * 4 || distinct == 2 && n >= 10) {
        return Some("hardly more than one character");
    }
    // The same run of one filler character, long: `ghp_xxxxxxxx…`, `AIza********`, `sk-...`.
    let mut run = 1usize;
    for w in core.windows(2) {
        run = if w[0] == w[1] { run + 1 } else { 1 };
        let filler = matches!(w[1], b'x' | b'X' | b'*' | b'.' | b'#' | b'?' | b'_');
        // In long values (keys, parameters) runs happen.
        let telling = run * 8 >= core.len();
        if run >= 5 && filler && telling && (run >= 8 || w[1] != b'.') {
            return Some("filler characters");
        }
        if run >= 8 && telling && w[1] != b'=' && w[1] != b'A' {
            return Some("one character repeated");
        }
    }
    // `eyJhbGc...Qssw5c`
    if has(v, b"...") || has(v, "…".as_bytes()) {
        return Some("shortened");
    }
    None
}

/// What follows a character when people count: `a` after `9`, `0` after `9`, `f` and `z`.
fn step(a: u8, b: u8) -> bool {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    a.is_ascii_alphanumeric()
        && b.is_ascii_alphanumeric()
        && (b == a + 1
            || (a == b'9' && matches!(b, b'0' | b'a'))
            || (a == b'0' && b == b'a')
            || (a == b'f' && b == b'0')
            || (a == b'z' && matches!(b, b'0' | b'1' | b'a')))
}

/// Whether this percentage of the value is counting: `1234567890abcdef`, `abcdefghij`, `0123…`.
fn sequence(v: &[u8], percentage: usize) -> bool {
    if v.len() < 8 {
        return false;
    }
    let pairs = v.windows(2).filter(|w| w[0].is_ascii_alphanumeric() && w[1].is_ascii_alphanumeric()).count();
    let steps = v.windows(2).filter(|w| step(w[0], w[1])).count();
    steps >= 6 && steps * 100 >= pairs * percentage
}

/// Whether the value is counting bytes in hexadecimal: `000102030405…`.
fn counting(v: &[u8]) -> bool {
    if v.len() < 16 || !v.iter().all(u8::is_ascii_hexdigit) {
        return false;
    }
    let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0);
    let byte = |c: &[u8]| digit(c[0]) * 16 + digit(c[1]);
    let steps = v.chunks_exact(2).zip(v[2..].chunks_exact(2)).filter(|(a, b)| byte(b) == (byte(a) + 1) % 256).count();
    steps * 10 >= (v.len() / 2 - 1) * 8
}

/// Whether a seed of one-time passwords is a greeting and 0xDEADBEEF, as manuals have it (`Hello!` and these).
fn decodes_to_dead_beef(v: &[u8]) -> bool {
    if v.len() != 16 || !v.iter().all(|b| matches!(b, b'A'..=b'Z' | b'2'..=b'7')) {
        return false;
    }
    let digit = |b: &u8| u128::from(if b.is_ascii_digit() { b - b'2' + 26 } else { b - b'A' });
    let bits = v.iter().fold(0u128, |bits, b| bits << 5 | digit(b));
    // The last byte varies.
    bits & 0xffff_ff00 == 0xdead_be00
}

/// Words that say so, as whole words: `YOUR_API_KEY`, `<insert…`, `AKIA…EXAMPLE`, `changeme`.
fn spoken(v: &[u8]) -> Option<&'static str> {
    if v.len() > 200 {
        return None;
    }
    let mut low = [0u8; 200];
    let low = &mut low[..v.len()];
    low.copy_from_slice(v);
    low.make_ascii_lowercase();
    for i in 0..low.len() {
        let words: &[&str] = match low[i] {
            b'-' => &["-here"],
            b'_' => &["_here"],
            b'c' => &["change-me", "change_me", "changeit", "changeme"],
            b'd' => &["deadbeefdeadbeef", "deadbeefcafe", "dummyvalue"],
            b'e' => &["enter_your", "example"],
            b'f' => &["fakefake", "fill_in"],
            b'g' => &["goes-here", "goes_here"],
            b'h' => &["hidden"],
            b'i' => &["insert-your", "insert_your", "insertyour"],
            b'm' => &[
                "my-password",
                "my_password",
                "mypassword",
                "my-secret",
                "my_secret",
                "my-token",
                "my_token",
                "mysecret",
                "mytoken",
                "masked",
            ],
            b'n' => &["not-a-real", "not_a_real", "not-real", "not-used", "not_used", "notareal", "notused"],
            b'o' => &["obfuscated"],
            b'p' => &["placeholder", "put-your", "put_your"],
            b'r' => &[
                "replace-with",
                "replace_with",
                "replacewith",
                "replace-me",
                "replace_me",
                "replaceme",
                "redacted",
                "removed",
            ],
            b's' => &["some-secret", "some_secret", "sanitized"],
            b't' => &["topsecret", "todo"],
            b'u' => &["undefined", "unused"],
            b'x' => &["xxxxx"],
            b'y' => &[
                "yourpassword",
                "youraccess",
                "yourapikey",
                "yoursecret",
                "yourtoken",
                "yourapi",
                "yourkey",
                "your-",
                "your_",
            ],
            _ => continue,
        };
        for word in words.iter().filter(|w| low[i..].starts_with(w.as_bytes())) {
            let end = i + word.len();
            // Short words only where they stand alone and in one case.
            let edge = |j: usize| low.get(j).is_none_or(|b| !b.is_ascii_alphanumeric());
            let alone = (i == 0 || edge(i - 1) || !low[i].is_ascii_alphanumeric())
                && (edge(end) || !low[end - 1].is_ascii_alphanumeric());
            let same_case = v[i..end].iter().all(|b| !b.is_ascii_lowercase())
                || v[i + 1..end].iter().all(|b| !b.is_ascii_uppercase());
            if word.len() >= 7 || (alone && same_case) || *word == "xxxxx" {
                return Some("a placeholder");
            }
        }
    }
    None
}

/// Whether this exact value is published as an example.
pub fn known(value: &[u8]) -> bool {
    if value.len() < 8 || value.len() > 400 {
        return false;
    }
    let listed = |part: &[u8]| {
        if LENGTHS.binary_search(&part.len()).is_err() {
            return false;
        }
        KNOWN.binary_search(&short_hash(part)).is_ok()
    };
    let starts_like =
        |part: &[u8]| part.get(..HEAD).is_some_and(|head| KNOWN_HEADS.binary_search(&short_hash(head)).is_ok());
    // Of a JWT the signature tells, and the payload.
    starts_like(value)
        || value.split(|b| *b == b'.').skip(1).any(starts_like)
        || listed(value)
        || value
            .rsplit(|b| *b == b'.')
            .next()
            .is_some_and(|tail| tail.len() < value.len() && tail.len() >= 20 && listed(tail))
}

fn short_hash(bytes: &[u8]) -> u64 {
    let mut head = [0u8; 8];
    head.copy_from_slice(&blake3::hash(bytes).as_bytes()[..8]);
    u64::from_be_bytes(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_and_references_are_known() {
        for value in [
            "${DB_PASSWORD}",
            "$PASSWORD",
            "{{ password }}",
            "<your-key>",
            "%s",
            "$(cat key)",
            "#{key}",
            "%TOKEN%",
            "YOUR_API_KEY",
            "xxxxxxxxxxxxxxxx",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "0000000000000000",
            "1234567890abcdef",
            "abcdefghijklmnop",
            "op://vault/item/field",
            "vault:secret/data/x#y",
            "${{ secrets.TOKEN }}",
            "projects/p/secrets/s/versions/1",
            "arn:aws:secretsmanager:eu-west-1:000000000000:secret:x",
            "ENC[AES256_GCM,data:abc]",
            "{cipher}abc",
            "!vault",
            "********",
            "changeme",
            "replace_with_your_token",
            "AKIAIOSFODNN7EXAMPLE",
            "process.env.TOKEN",
            "000102030405060708090a0b0c0d0e0f",
            "sk-...",
            "MFRGGZDFM3PK3PXP",
            "crwdns17:0crwdne17:0",
            "crwdns17:0%1$s:18crwdne17:0",
        ] {
            assert!(placeholder(value.as_bytes()).is_some(), "{value}");
        }
    }

    #[test]
    fn a_value_says_that_it_is_fake_or_sealed() {
        use crate::detect::score::tests::{ALNUM, random};
        let drawn = random(ALNUM, 24, 3);
        assert!(!says_fake(drawn.as_bytes()));
        for word in ["FAKE", "DUMMY", "SAMPLE"] {
            assert!(says_fake(format!("{}{word}{}", &drawn[..8], &drawn[12..]).as_bytes()), "{word}");
        }
        assert!(placeholder(format!("{0}{0}", &drawn[..10]).as_bytes()).is_some(), "one half twice");
        assert!(placeholder(format!("{{{}7{drawn}0==}}", &drawn[..16]).as_bytes()).is_some(), "Maven's encryption");
        assert!(!says_fake(format!("{}fake{}", &drawn[..8], &drawn[12..]).as_bytes()));
    }

    #[test]
    fn random_tokens_are_not_rejected() {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut state = 42u64;
        for round in 0..40_000 {
            let length = 16 + round % 48;
            let token: Vec<u8> = (0..length)
                .map(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    alphabet[(state >> 40) as usize % if round % 2 == 0 { 62 } else { 64 }]
                })
                .collect();
            assert_eq!(placeholder(&token), None, "{}", String::from_utf8_lossy(&token));
        }
    }
}
