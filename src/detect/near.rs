//! Whether a token that has no format of its own stands where a credential stands, near its provider's word.

use std::ops::Range;

use super::words;

/// How many lines may lie between the word and the token.
const LINES: usize = 5;
/// How far the word may stand from the token on the same line, in bytes.
const GAP: usize = 80;
/// Words in a name that say "credential".
const CREDENTIAL: &[&[u8]] = &[
    b"key",
    b"token",
    b"secret",
    b"pass",
    b"pwd",
    b"auth",
    b"credential",
    b"bearer",
    b"api",
    b"pat",
    b"access",
    b"sid",
    b"licen",
    b"signature",
    b"private",
    b"webhook",
    b"hook",
    b"login",
    b"session",
];
/// Words in a name that say "not a credential".
const OTHER: &[&[u8]] = &[
    b"sha",
    b"commit",
    b"md5",
    b"checksum",
    b"digest",
    b"hash",
    b"etag",
    b"revision",
    b"integrity",
    b"resolved",
    b"version",
    b"trace",
    b"span",
    b"request",
    b"public",
];

/// Whether a `near` word is a name (`datadog`, `box_api_key`) and not only says what is there (`access_token`).
pub fn names_a_provider(word: &str) -> bool {
    /// Words that any provider's credentials may stand by.
    const ANY: &[&str] = &[
        "authorization",
        "access",
        "refresh",
        "oauth",
        "auth",
        "tokens",
        "token",
        "secret",
        "client",
        "consumer",
        "api",
        "key",
        "bot",
        "private",
        "public",
        "application",
        "app",
        "password",
        "user",
        "login",
        "session",
        "http",
        "seed",
        "id",
        "run",
    ];
    let rest = ANY.iter().fold(word.to_owned(), |rest, any| rest.replace(any, ""));
    rest.bytes().filter(u8::is_ascii_alphabetic).count() >= 3
}

/// A token of so many bytes needs no name on its own line.
const LONG: usize = 60;

/// Judges a token at `span` in a window, near the word at `word`: `Ok(true)` where the statement itself
/// names the provider or a credential, `Ok(false)` where only the neighbourhood does.
pub fn evidence(window: &[u8], word: &Range<usize>, span: &Range<usize>) -> Result<bool, &'static str> {
    if word.start < span.end && span.start < word.end {
        return Err("the word is part of the value");
    }
    let between = if word.end <= span.start { &window[word.end..span.start] } else { &window[span.end..word.start] };
    let lines = between.iter().filter(|b| **b == b'\n').count();
    if lines > LINES {
        return Err("the provider's word stands too far away");
    }
    let line_start = memchr::memrchr(b'\n', &window[..span.start]).map_or(0, |at| at + 1);
    let before = &window[line_start..span.start];
    if !introduced(before, window.get(span.end).copied()) {
        return Err("it does not stand where a value stands");
    }
    if is_digest(before, window[span.start]) {
        return Err("it is a checksum");
    }
    let value = &window[span.clone()];
    if value.len() < 12 && value.iter().all(u8::is_ascii_digit) || reads_like_words(value) {
        return Err("it is less random than a token is");
    }
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let object = value.len() == 40 && before.ends_with(b"/") && in_url(before);
    if hex && (before.ends_with(b"@") || object) || is_path_of_something_else(before) {
        return Err("it is a commit, not a credential");
    }
    if is_in_path_of_url(before, word, line_start) {
        return Err("it is a part of a link");
    }
    if is_file_name(before, &window[span.end..]) {
        return Err("it is the name of a file");
    }
    let name = statement_name(before);
    if OTHER.iter().any(|w| contains(name, w)) && !CREDENTIAL.iter().any(|w| contains(name, w)) {
        return Err("its name says that it is something else");
    }
    if is_search_key(window, span) {
        return Ok(false);
    }
    if lines == 0 && word.end <= span.start {
        return if between.len() <= GAP { Ok(true) } else { Err("the provider's word stands too far away") };
    }
    // `<datadogToken>` above the value says as much as `token` before it.
    let word_line = {
        let start = memchr::memrchr(b'\n', &window[..word.start]).map_or(0, |at| at + 1);
        let end = memchr::memchr(b'\n', &window[word.end..]).map_or(window.len(), |at| word.end + at);
        &window[start..end]
    };
    let above = lines == 1 && word.end <= span.start;
    // What else is drawn so long is written in hexadecimal, or in base64, which hardly ever lacks its signs.
    let is_long = value.len() >= LONG && value.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') && !hex;
    Ok(is_long || CREDENTIAL.iter().any(|w| contains(before, w) || above && contains(word_line, w)))
}

/// Whether a value is an identifier or words: few digits, and letters that read like words.
fn reads_like_words(value: &[u8]) -> bool {
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let reading = words::reading(value);
    digits * 8 < value.len() && (reading.mean > 0.0 || reading.covered > 0.5)
}

/// Whether a value is the part of a URL that follows `/commit/` or the like.
fn is_path_of_something_else(before: &[u8]) -> bool {
    const PARTS: &[&[u8]] = &[
        b"commit", b"commits", b"blob", b"blobs", b"tree", b"trees", b"raw", b"compare", b"sha", b"sha256", b"objects",
    ];
    // Also with the slashes escaped: `\/commit\/`.
    let Some(path) = before.strip_suffix(b"/") else { return false };
    let path = path.strip_suffix(b"\\").unwrap_or(path);
    let part = &path[path.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1)..];
    PARTS.contains(&part)
}

/// Whether a value is a part of a URL's path, and the provider's word is not in its host: an identifier, not
/// a credential of that provider. Versions of keys in a vault are identifiers at any host.
fn is_in_path_of_url(before: &[u8], word: &Range<usize>, line_start: usize) -> bool {
    if !before.ends_with(b"/") {
        return false;
    }
    let start =
        before.iter().rposition(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`' | b'(' | b'<' | b'='));
    let start = start.map_or(0, |at| at + 1);
    let url = &before[start..];
    let Some(scheme) = memchr::memmem::find(url, b"://") else { return false };
    let host = scheme + 3;
    let Some(path) = memchr::memchr(b'/', &url[host..]).map(|at| host + at) else { return false };
    let mut parts = url[path..].split(|b| *b == b'/').rev().skip(2);
    let vault = parts.next().is_some_and(|part| matches!(part, b"keys" | b"secrets" | b"certificates"));
    let hosts = line_start + start + host..line_start + start + path;
    vault || !(word.start < hosts.end && hosts.start < word.end)
}

/// Whether a key stands beside an application's id and the name of an index: what a page's search sends to its
/// visitors, and may do nothing but search.
pub(super) fn is_search_key(window: &[u8], span: &Range<usize>) -> bool {
    /// How far to either side the two are looked for, in bytes.
    const BESIDE: usize = 160;
    let near = &window[span.start.saturating_sub(BESIDE)..window.len().min(span.end + BESIDE)];
    [[&b"appId"[..], b"app_id"], [b"indexName", b"index_name"]]
        .iter()
        .all(|names| names.iter().any(|name| memchr::memmem::find(near, name).is_some()))
}

/// What the names of files end with that pages and archives are made of.
const ENDS: [&str; 24] = [
    "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "css", "js", "mjs", "map", "woff", "woff2", "ttf",
    "html", "htm", "pdf", "mp3", "mp4", "webm", "json", "zip", "gz",
];

/// Whether a text ends as the name of a file does.
pub(super) fn ends_like_file(text: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', text) else { return false };
    ENDS.iter().any(|known| text[dot + 1..].eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a value is the name of a file in a path: `…/<hash>.png`.
fn is_file_name(before: &[u8], after: &[u8]) -> bool {
    let Some(after) = after.strip_prefix(b".").filter(|_| before.ends_with(b"/")) else { return false };
    let end = after.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    ENDS.iter().any(|known| after[..end].eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a value is marked as a checksum: `h1:` (go.sum), `sha256-`, `sha512-` (integrity), `sha256:`, `md5:`.
fn is_digest(before: &[u8], first: u8) -> bool {
    const MARKS: &[&[u8]] = &[b"h1:", b"sha1-", b"sha256-", b"sha384-", b"sha512-", b"sha1:", b"sha256:", b"md5:"];
    let digits = before.iter().rev().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count();
    // Back to where the checksum starts: the token may be the part from a `/` of it.
    let goes_on = matches!(first, b'/' | b'+') || before.ends_with(b"/") || before.ends_with(b"+");
    let before = if goes_on { &before[..before.len() - digits] } else { before };
    MARKS.iter().any(|mark| {
        before.len() >= mark.len()
            && before[before.len() - mark.len()..].eq_ignore_ascii_case(mark)
            && !before[..before.len() - mark.len()].last().is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// Whether the word that ends here is a URL: it has a `/` or a `=`.
fn in_url(before: &[u8]) -> bool {
    let word = before.rsplit(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'' | b'`')).next().unwrap_or(before);
    word.iter().any(|b| matches!(b, b'/' | b'='))
}

/// Whether what stands before and after lets this be a value: a quote, an operator, a delimiter.
fn introduced(before: &[u8], after: Option<u8>) -> bool {
    let opened = match before.trim_ascii_end().last() {
        None => true,
        Some(b) => {
            before.last().is_some_and(u8::is_ascii_whitespace)
                || matches!(
                    b,
                    b'"' | b'\''
                        | b'`'
                        | b'='
                        | b':'
                        | b'('
                        | b'['
                        | b'{'
                        | b'<'
                        | b'>'
                        | b','
                        | b'|'
                        | b'/'
                        | b'?'
                        | b'&'
                        | b'@'
                        | b'\\'
                        | b';'
                        | b'~'
                        | b'-'
                        | b'n'
                        | b'D'
                )
        }
    };
    // A question mark only opens or closes a value in a URL.
    if (before.ends_with(b"?") || after == Some(b'?')) && !in_url(before) {
        return false;
    }
    let closed = after.is_none_or(|b| {
        b.is_ascii_whitespace()
            || matches!(
                b,
                b'"' | b'\''
                    | b'`'
                    | b','
                    | b';'
                    | b')'
                    | b']'
                    | b'}'
                    | b'<'
                    | b'>'
                    | b'&'
                    | b'|'
                    | b'\\'
                    | b'#'
                    | b'?'
                    | b':'
                    | b'/'
                    | b'.'
                    | b'@'
                    | b'='
            )
    });
    opened && closed
}

/// The text of the statement that introduces a value: back to the last separator.
fn statement_name(before: &[u8]) -> &[u8] {
    let end = before.len();
    let start =
        before[..end].iter().rposition(|b| matches!(b, b',' | b';' | b'{' | b'}' | b'&' | b'?')).map_or(0, |at| at + 1);
    &before[start..]
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|w| w.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_page_s_search_is_low() {
        let value = "0b7d".repeat(8);
        for (text, sure) in [
            (format!("acme: {{ appId: 'A1', apiKey: '{value}', indexName: 'docs' }}"), false),
            (format!("acme: {{ apiKey: '{value}', indexName: 'docs' }}"), true),
            (format!("acme: {{ appId: 'A1', apiKey: '{value}' }}"), true),
        ] {
            let at = text.find(&value).expect("it stands there");
            assert_eq!(evidence(text.as_bytes(), &(0..4), &(at..at + 32)), Ok(sure), "{text}");
        }
    }

    #[test]
    fn a_long_token_needs_no_name_on_its_line() {
        let drawn = crate::detect::score::tests::random(crate::detect::score::tests::ALNUM, 64, 7);
        let sealed = format!("{}+{}", &drawn[..30], &drawn[31..]);
        for (value, sure) in [(&drawn[..], true), (&drawn[..40], false), (&"0b7d".repeat(16), false), (&sealed, false)]
        {
            let text = format!("{{ \"method\": \"acme\",\n  \"params\": [\n \"{value}\"] }}");
            let at = text.find(value).expect("it stands there");
            let word = text.find("acme").expect("it stands there");
            let judged = evidence(text.as_bytes(), &(word..word + 4), &(at..at + value.len()));
            assert_eq!(judged, Ok(sure), "{text}");
        }
    }

    #[test]
    fn a_hash_that_names_a_file_is_no_credential() {
        let value = "0b7d".repeat(8);
        for (text, is_file) in [
            (format!("\"acme\": \"https://img.acme.net/u/{value}.png\""), true),
            (format!("acme = \"/static/{value}.min.js\""), false),
            (format!("acme = \"/static/{value}.js?v=1\""), true),
            (format!("acme_key = \"{value}\""), false),
        ] {
            let at = text.find(&value).expect("it stands there");
            assert_eq!(is_file_name(&text.as_bytes()[..at], &text.as_bytes()[at + value.len()..]), is_file, "{text}");
        }
        let text = format!("acme: \"https://img.acme.net/u/{value}.png\"");
        let at = text.find(&value).expect("it stands there");
        let host = text.find("acme.net").expect("it stands there");
        let judged = evidence(text.as_bytes(), &(host..host + 4), &(at..at + 32));
        assert_eq!(judged, Err("it is the name of a file"));
    }
}
