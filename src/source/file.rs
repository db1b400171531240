//! A file, opened for reading so that nothing but a file can be meant: a pipe that takes its place is not waited
//! for, a device is not read without end.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::Path,
};

/// Opens a file; links to files are followed.
///
/// # Errors
/// Those of the operating system, or it is something else.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    // A folder is left to whoever reads it: that has a better message.
    let kind = file.metadata()?.file_type();
    if kind.is_file() || kind.is_dir() { Ok(file) } else { Err(io::Error::other("it is a pipe or a device")) }
}

/// Reads a file.
///
/// # Errors
/// As for [`open`], or it cannot be read.
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path.as_ref())?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
