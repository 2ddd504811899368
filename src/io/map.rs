//! A file as memory: the one unsafe call of the formats.
#![allow(unsafe_code)]

use std::fs::File;

use memmap2::Mmap;

use crate::error::Result;

/// The whole of `file`, mapped to be read.
///
/// # Errors
/// The operating system refuses.
pub(super) fn map(file: &File) -> Result<Mmap> {
    // SAFETY: the mapping is private and read-only, lives as long as the `Mmap`, and every bit pattern is a valid byte
    // (and, later, a valid number). What the call cannot promise is that no other program changes the file meanwhile:
    // one that overwrites it changes numbers under our hands, and one that cuts it off ends the process with a signal
    // at the next access. No language can rule that out; `npy::Mapped` says so to its callers, and its feature is off
    // by default. Nothing here writes to a file in place: `atomic` gives a new file the old one's name, which leaves a
    // mapping of the old one as it was.
    let map = unsafe { Mmap::map(file)? };
    Ok(map)
}
