//! A content that is too large to be held at once: looked at piece by piece, as it is inflated.
//!
//! Pieces overlap, by more than a secret and what its verdict depends on may have; what starts in the overlap
//! belongs to the later piece. They are cut at line ends, where there are any.

use std::io::{self, Read};

/// A blob of more bytes is looked at in pieces, unless others are made from it.
pub const LARGE: u64 = 96 << 20;
/// The length of a piece, in bytes.
const PIECE: usize = 16 << 20;
/// How much of it comes again in the next one, at least.
const OVERLAP: usize = 256 << 10;

/// A piece of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// What starts from here on belongs to the next piece.
    pub own: usize,
    /// How many lines end before it.
    pub lines: u32,
    /// Whether it is not all of the content.
    pub is_part: bool,
}

impl<'a> Piece<'a> {
    /// A content that is its own only piece.
    pub fn whole(bytes: &'a [u8]) -> Piece<'a> {
        Piece { bytes, own: bytes.len() + 1, lines: 0, is_part: false }
    }
}

/// Hands out a content piece by piece, for as long as `visit` says to go on; how many bytes were read.
///
/// # Errors
/// It cannot be read to its end.
pub fn for_each(content: &mut dyn Read, visit: &mut dyn FnMut(&Piece<'_>) -> bool) -> io::Result<u64> {
    let (mut piece, mut len, mut lines) = (Vec::with_capacity(PIECE), 0, 0u32);
    loop {
        let room = (PIECE - piece.len()) as u64;
        len += Read::take(&mut *content, room).read_to_end(&mut piece)? as u64;
        if piece.len() < PIECE {
            visit(&Piece { own: piece.len() + 1, bytes: &piece, lines, is_part: true });
            return Ok(len);
        }
        let far = PIECE - OVERLAP;
        let own = memchr::memrchr(b'\n', &piece[PIECE / 2..far]).map_or(far, |at| PIECE / 2 + at + 1);
        if !visit(&Piece { own, bytes: &piece, lines, is_part: true }) {
            return Ok(len);
        }
        lines = lines.saturating_add(memchr::memchr_iter(b'\n', &piece[..own]).count() as u32);
        piece.drain(..own);
    }
}
