//! Compressed streams, read to their end or to a limit.

use std::io::{self, BufReader, Read};

use super::WINDOW;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    /// RFC 1951, as in zip.
    Deflate,
    /// RFC 1952; any number of members.
    Gzip,
    /// RFC 1950, as git keeps single objects.
    Zlib,
    /// The format of `.lzma` files.
    Lzma,
    /// Any number of streams.
    Bzip2,
    /// Any number of streams.
    Xz,
    /// RFC 8878; any number of frames.
    Zstd,
}

/// Decompresses into `out` at most `limit` bytes.
///
/// # Errors
/// Why it was not read to its end; what came before is in `out`.
pub(super) fn read(codec: Codec, compressed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), String> {
    // A small content is not worth a guess.
    out.reserve(compressed.len().saturating_mul(3).min(limit));
    let mut rest = compressed;
    match codec {
        Codec::Deflate => take(flate2::bufread::DeflateDecoder::new(rest), limit, out),
        Codec::Zlib => take(flate2::bufread::ZlibDecoder::new(rest), limit, out),
        Codec::Lzma => {
            let reader = lzma_rust2::LzmaReader::new_mem_limit(rest, (WINDOW >> 10) as u32, None);
            take(reader.map_err(|e| format!("it does not decompress: {e}"))?, limit, out)
        }
        Codec::Gzip => take(flate2::bufread::MultiGzDecoder::new(rest), limit, out),
        Codec::Bzip2 => take(bzip2::bufread::MultiBzDecoder::new(rest), limit, out),
        Codec::Xz => {
            let window = (WINDOW >> 10) as u32;
            take(lzma_rust2::XzReader::new_mem_limit(rest, true, window), limit, out)
        }
        Codec::Zstd => {
            while !rest.is_empty() {
                if let Some(next) = after_skippable(rest)? {
                    rest = next;
                    continue;
                }
                let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(&mut rest, WINDOW as u64)
                    .map_err(|e| format!("it does not decompress: {e}"))?;
                take(BufReader::new(decoder), limit - out.len(), out)?;
            }
            Ok(())
        }
    }
}

/// How many bytes a stream must give before it counts as one that is damaged, and not as something else.
const PROOF: usize = 256;

/// Whether this is a stream of zlib: its two bytes of header prove nothing.
pub(super) fn is_zlib(content: &[u8]) -> bool {
    let mut start = Vec::new();
    read(Codec::Zlib, content, PROOF, &mut start).is_ok() || start.len() >= PROOF
}

/// Whether this is an `.lzma` file, which has no magic number: what `lzma` and `xz` write in its header.
pub(super) fn is_lzma(content: &[u8]) -> bool {
    let Some((head, _)) = content.split_first_chunk::<13>() else { return false };
    let window = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let size = u64::from_le_bytes([head[5], head[6], head[7], head[8], head[9], head[10], head[11], head[12]]);
    window >= 1 << 16 && window.count_ones() <= 2 && (size == u64::MAX || size < 1 << 38) && {
        let mut start = Vec::new();
        read(Codec::Lzma, content, PROOF, &mut start).is_ok() || start.len() >= PROOF
    }
}

/// Reads to the end, or to so many bytes more.
fn take(reader: impl Read, limit: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    let read = reader.take(limit as u64 + 1).read_to_end(out);
    if out.len() - start > limit {
        out.truncate(start + limit);
        return Err("it expands to more than is read".into());
    }
    match read {
        Ok(_) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Err("it is cut off".into()),
        Err(e) => Err(format!("it does not decompress: {e}")),
    }
}

/// What comes after a skippable frame of zstd (RFC 8878, 3.1.2), where one starts here.
fn after_skippable(frames: &[u8]) -> Result<Option<&[u8]>, String> {
    let Some((head, rest)) = frames.split_first_chunk::<8>() else { return Ok(None) };
    if !matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
        return Ok(None);
    }
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    rest.get(size..).map(Some).ok_or_else(|| "it is cut off".into())
}
