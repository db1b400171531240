//! A secret that is none: made when it is needed, told from a real one by nobody but us.

use crate::error::{Error, Result};

/// The digits of GitHub's base 62.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A GitHub token with random digits and the checksum that belongs to them; another one each time.
///
/// # Errors
/// The operating system has no random bytes.
pub fn token() -> Result<String> {
    let mut random = [0; 30];
    getrandom::fill(&mut random).map_err(|e| Error::new("cannot make a canary").because(e))?;
    let body: String = random.iter().map(|byte| char::from(DIGITS[usize::from(*byte) % DIGITS.len()])).collect();
    let (mut rest, mut check) = (crc32fast::hash(body.as_bytes()) as usize, Vec::new());
    for _ in 0..6 {
        check.push(DIGITS[rest % DIGITS.len()]);
        rest /= DIGITS.len();
    }
    check.reverse();
    // The prefix is put together here, so that no scanner takes this file for one that holds a token.
    Ok(["gh", "p_", &body, &String::from_utf8_lossy(&check)].concat())
}
