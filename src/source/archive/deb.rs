//! The members of a Debian package, which is an `ar` archive of compressed tars: deb(5).

use super::{Member, Members};

/// How every package starts.
pub(super) const START: &[u8] = b"!<arch>\ndebian-binary";
/// The length of a member's header: name 16, time 12, owner 6, group 6, mode 8, size 10, end 2.
const HEADER: usize = 60;

/// Each member.
pub(super) fn members(package: &[u8]) -> Members<'_> {
    let mut members = Members { read: Vec::new(), damage: None };
    let mut rest = &package[8..];
    while !rest.is_empty() {
        let member = rest.split_first_chunk::<HEADER>().and_then(|(header, rest)| {
            let size: usize = std::str::from_utf8(&header[48..58]).ok()?.trim_ascii().parse().ok()?;
            let content = rest.get(..size).filter(|_| header.ends_with(b"`\n"))?;
            // Members start at even places.
            let next = rest.get(size + size % 2..).unwrap_or_default();
            Some((Member { name: header[..16].trim_ascii_end().into(), content: content.into() }, next))
        });
        let Some((member, next)) = member else {
            members.damage = Some(("it cannot be read to its end", rest));
            break;
        };
        members.read.push(member);
        rest = next;
    }
    members
}
