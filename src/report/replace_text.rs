//! Expressions for `git filter-repo --replace-text` (and `--replace-message`): take secrets out of history.
//!
//! This one format necessarily shows the secrets: what to replace has to be named. Keep the file out
//! of the repository and delete it afterwards. File and ref names are out of its reach, and a path
//! rule's finding has no text to replace.
//!
//! The format has no comments and one expression a line, so a secret of several lines becomes a
//! regular expression, and so does a short secret inside it: filter-repo applies all literals before
//! all expressions. Longer secrets come first, else a part would be replaced inside them.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use super::Report;
use crate::{finding::Place, rule::Kind};

/// Writes one line for every secret that stands in a content or message.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let replaceable = report.findings.iter().chain(&report.paired).filter(|f| {
        f.rule.kind != Kind::Path
            && f.locations.iter().any(|l| !matches!(l.place, Place::FileName | Place::RefName | Place::Stdin))
    });
    let secrets: BTreeSet<&[u8]> = replaceable.map(|f| f.secret.expose()).filter(|s| !s.is_empty()).collect();
    let mut secrets: Vec<&[u8]> = secrets.into_iter().collect();
    secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
    let spanning: Vec<&[u8]> = secrets.iter().copied().filter(|s| s.contains(&b'\n')).collect();
    for secret in secrets {
        if spanning.iter().any(|long| memchr::memmem::find(long, secret).is_some()) {
            out.write_all(b"regex:")?;
            out.write_all(&expression(secret))?;
        } else {
            out.write_all(b"literal:")?;
            out.write_all(secret)?;
        }
        out.write_all(b"==>***REMOVED***\n")?;
    }
    Ok(())
}

/// A Python regular expression over bytes that matches just this text.
fn expression(text: &[u8]) -> Vec<u8> {
    let mut expression = Vec::with_capacity(text.len() * 2);
    for &byte in text {
        match byte {
            b'\n' => expression.extend(b"\\n"),
            b'\r' => expression.extend(b"\\r"),
            _ if byte.is_ascii_alphanumeric() || byte == b'_' => expression.push(byte),
            b' '..=b'~' => expression.extend([b'\\', byte]),
            _ => expression.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn an_expression_has_one_line_and_no_live_characters() {
        assert_eq!(expression(b"-----A b\r\nx+/=_\xff"), br"\-\-\-\-\-A\ b\r\nx\+\/\=_\xff");
    }
}
