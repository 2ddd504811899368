//! Memory-mapped files. This is the only unsafe call of the formats.
#![allow(unsafe_code)]

use std::fs::File;

use memmap2::Mmap;

use crate::error::Result;

/// Maps the whole of `file` for reading.
///
/// # Errors
/// The operating system reports an error.
pub(super) fn map(file: &File) -> Result<Mmap> {
    // SAFETY: The mapping is private and read-only, and lives as long as the `Mmap`. Every bit pattern is a valid byte and,
    // later, a valid number. The call cannot exclude that another program changes the file meanwhile: overwriting changes
    // the numbers that we read, and truncating ends the process with a signal at the next access. No language can exclude
    // that. `npy::Mapped` documents it, and its feature is off by default. This crate never writes to a file in place:
    // `atomic` renames a new file, which leaves a mapping of the old one unchanged.
    let map = unsafe { Mmap::map(file)? };
    Ok(map)
}
