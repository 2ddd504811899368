//! The idx files in which MNIST and its relatives come, gzipped or not.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::open;
use crate::error::{Error, Result};
use crate::shape::checked_numel;

/// Deflate makes of one byte at most this many.
const MOST_INFLATION: u64 = 1032;
/// The only type of entry that is read: unsigned bytes, as in all of MNIST's relatives.
const UNSIGNED_BYTE: u8 = 0x08;

/// An array of bytes: images of shape \[n, height, width\] or labels of shape \[n\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// The sizes, 1 to 4 of them, the sample first.
    pub shape: Vec<usize>,
    /// The entries, row-major.
    pub data: Vec<u8>,
}

/// The array in the idx file at `path`: unsigned bytes in 1 to 4 dimensions.
///
/// Whether the file is gzipped is told by its first bytes, not by its name.
///
/// ```
/// use tangent_kernels::io::idx;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("labels-idx1-ubyte");
/// std::fs::write(&path, [0, 0, 0x08, 1, 0, 0, 0, 3, 6, 6, 9])?;
/// let labels = idx::read(&path)?;
/// assert_eq!((labels.shape, labels.data), (vec![3], vec![6, 6, 9]));
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The file cannot be read, is not an idx file of unsigned bytes, holds more or fewer bytes than its header says, or is
/// corrupt where it is gzipped (checksum and all). The message names the file. Memory is taken as the bytes arrive, and
/// no more bytes are unpacked than the header promises and one.
pub fn read(path: impl AsRef<Path>) -> Result<Idx> {
    let path = path.as_ref();
    try_read(path).map_err(|error| error.context(path.display()))
}

fn try_read(path: &Path) -> Result<Idx> {
    let (file, length) = open(path)?;
    let mut file = BufReader::new(file);
    if file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        parse(MultiGzDecoder::new(file), length.saturating_mul(MOST_INFLATION))
    } else {
        parse(file, length)
    }
}

/// Reads from a source that yields at most `most` bytes.
fn parse(mut source: impl Read, most: u64) -> Result<Idx> {
    let magic = bytes(&mut source, 4)?;
    let [0, 0, kind, dimensions] = magic[..] else {
        return Err(Error::format("this is no idx file: it does not begin with the bytes 0, 0, type and dimensions"));
    };
    if kind != UNSIGNED_BYTE {
        let what = match kind {
            0x09 => "signed bytes",
            0x0b => "16 bit integers",
            0x0c => "32 bit integers",
            0x0d => "32 bit floats",
            0x0e => "64 bit floats",
            _ => "an unknown type",
        };
        return Err(Error::format(format!("this holds {what} (0x{kind:02x}), where unsigned bytes (0x08) are needed")));
    }
    if !(1..=4).contains(&dimensions) {
        return Err(Error::format(format!("this has {dimensions} dimensions, where 1 to 4 are needed")));
    }
    let header = bytes(&mut source, 4 * u64::from(dimensions))?;
    let sizes = header.as_chunks::<4>().0.iter().map(|&size| u32::from_be_bytes(size) as usize);
    let shape: Vec<usize> = sizes.collect();
    let entries = checked_numel(&shape).map(|entries| entries as u64).filter(|&entries| entries <= most);
    let Some(entries) = entries else {
        return Err(Error::format(format!("this is truncated: its header promises more than it can hold, {shape:?}")));
    };
    let data = bytes(&mut source, entries).map_err(|error| error.context(format_args!("bytes of shape {shape:?}")))?;
    // To ask for one byte more also has the checksum of a gzipped file compared.
    if source.take(1).read_to_end(&mut Vec::new()).map_err(refusal)? > 0 {
        return Err(Error::format(format!("this is too long: bytes follow those of shape {shape:?}")));
    }
    Ok(Idx { shape, data })
}

/// The next `count` bytes.
fn bytes(source: &mut impl Read, count: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(count).read_to_end(&mut bytes).map_err(refusal)?;
    if (bytes.len() as u64) < count {
        return Err(Error::format(format!("this is truncated: {} of {count} bytes are there", bytes.len())));
    }
    Ok(bytes)
}

fn refusal(error: std::io::Error) -> Error {
    match error.kind() {
        // What flate2 says of data that is not gzip's.
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            Error::format(format!("what is gzipped here is truncated or corrupt: {error}"))
        }
        ErrorKind::OutOfMemory => Error::memory("its bytes do not fit in memory"),
        _ => error.into(),
    }
}
