//! The idx files of MNIST and similar data sets, gzipped or not.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use super::open;
use crate::error::{Error, Result};
use crate::shape::checked_numel;

/// The largest ratio of uncompressed to compressed size in deflate.
const MOST_INFLATION: u64 = 1032;
/// The only supported type of entries: unsigned bytes.
const UNSIGNED_BYTE: u8 = 0x08;

/// An array of bytes: images of shape `[n, height, width]` or labels of shape `[n]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// The sizes of 1 to 4 axes, the sample axis first.
    pub shape: Vec<usize>,
    /// The entries, row-major.
    pub data: Vec<u8>,
}

/// Reads the idx file at `path`: unsigned bytes in 1 to 4 dimensions.
///
/// A gzipped file is recognised by its first bytes, not by its name.
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
/// The file cannot be read, is not an idx file of unsigned bytes, does not have the length that its header states, or its
/// gzip data are corrupt, including a wrong checksum. The message names the file. Memory is reserved as the bytes arrive,
/// and unpacking stops after the bytes that the header states.
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

/// Reads from a source of at most `most` bytes.
fn parse(mut source: impl Read, most: u64) -> Result<Idx> {
    let magic = bytes(&mut source, 4)?;
    let [0, 0, kind, dimensions] = magic[..] else {
        return Err(Error::format(
            "the file is not an idx file: it does not begin with the bytes 0, 0, type, dimensions",
        ));
    };
    if kind != UNSIGNED_BYTE {
        let name = match kind {
            0x09 => "signed bytes",
            0x0b => "16 bit integers",
            0x0c => "32 bit integers",
            0x0d => "32 bit floats",
            0x0e => "64 bit floats",
            _ => "an unknown type",
        };
        return Err(Error::format(format!(
            "the file has entries of {name} (0x{kind:02x}), but unsigned bytes (0x08) are needed"
        )));
    }
    if !(1..=4).contains(&dimensions) {
        return Err(Error::format(format!("the file has {dimensions} dimensions, but 1 to 4 are needed")));
    }
    let header = bytes(&mut source, 4 * u64::from(dimensions))?;
    let sizes = header.as_chunks::<4>().0.iter().map(|&size| u32::from_be_bytes(size) as usize);
    let shape: Vec<usize> = sizes.collect();
    let entries = checked_numel(&shape).map(|entries| entries as u64).filter(|&entries| entries <= most);
    let Some(entries) = entries else {
        return Err(Error::format(format!(
            "the file is truncated: its header states {shape:?}, which is more than it can hold"
        )));
    };
    let data = bytes(&mut source, entries).map_err(|error| error.context(format_args!("data of shape {shape:?}")))?;
    // Reading one more byte also makes gzip compare the checksum.
    if source.take(1).read_to_end(&mut Vec::new()).map_err(read_error)? > 0 {
        return Err(Error::format(format!("the file is too long: bytes follow the data of shape {shape:?}")));
    }
    Ok(Idx { shape, data })
}

/// Reads the next `count` bytes.
fn bytes(source: &mut impl Read, count: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(count).read_to_end(&mut bytes).map_err(read_error)?;
    if (bytes.len() as u64) < count {
        return Err(Error::format(format!("the file is truncated: it has {} of {count} bytes", bytes.len())));
    }
    Ok(bytes)
}

fn read_error(error: std::io::Error) -> Error {
    match error.kind() {
        // The errors of flate2 for invalid data.
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            Error::format(format!("the gzip data are truncated or corrupt: {error}"))
        }
        ErrorKind::OutOfMemory => Error::memory("the data of the file do not fit in memory"),
        _ => error.into(),
    }
}
