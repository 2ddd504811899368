//! Arrays in numpy's `.npy` format.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, TypeStr, WriteOptions, WriterBuilder};

use super::{atomic, open};
use crate::error::{Error, Result};
use crate::real::Real;

#[cfg(feature = "mmap")]
mod mapped;
mod numbers;
#[cfg(feature = "mmap")]
pub use mapped::Mapped;
pub use numbers::read_numbers;

/// The longest header that is accepted, as in numpy. Numbers in 64 axes need less than 1,500 bytes.
const LONGEST_HEADER: usize = 10_000;
/// The most sizes that a header may contain. numpy arrays have at most 64 axes.
const MOST_SIZES: usize = 64;
/// The deepest nesting of brackets that is accepted. The parser is recursive.
const DEEPEST_NESTING: usize = 6;
/// The number of entries that are converted at once.
const CHUNK: usize = 16 * 1024;

/// Writes `data`, row-major, as an array of shape `shape` to a `.npy` file at `path`.
///
/// The type is `<f4` or `<f8`, in C order. The file appears when it is complete.
///
/// ```
/// use tangent_kernels::io::npy;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("kernel.npy");
/// npy::write(&path, &[2, 3], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// let (shape, data) = npy::read::<f64>(&path)?;
/// assert_eq!((shape, data[5]), (vec![2, 3], 6.0));
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The product of the sizes is not the number of entries, there are more than 64 sizes, or the file cannot be written.
/// The message names the file.
pub fn write<R: Real>(path: impl AsRef<Path>, shape: &[usize], data: &[R]) -> Result<()> {
    atomic::write(path.as_ref(), |out| write_to(out, shape, data))
}

/// Writes the bytes of a `.npy` file to `out`.
pub(super) fn write_to<R: Real>(out: &mut impl Write, shape: &[usize], data: &[R]) -> Result<()> {
    let sizes: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    if sizes.len() > MOST_SIZES {
        return Err(Error::shape(format!(
            "an array has {} axes, but numpy supports at most {MOST_SIZES}",
            sizes.len()
        )));
    }
    if entries(&sizes) != Some(data.len() as u64) {
        return Err(Error::shape(format!("an array of shape {shape:?} cannot have {} entries", data.len())));
    }
    let single = R::NAME == "f32";
    let number: TypeStr = if single { "<f4" } else { "<f8" }.parse().expect("a valid numpy type");
    WriteOptions::new_header_only()
        .dtype(DType::new_scalar(number))
        .shape(&sizes)
        .writer(&mut *out)
        .write_header_only()?;
    let mut bytes = Vec::with_capacity(8 * CHUNK);
    for chunk in data.chunks(CHUNK) {
        bytes.clear();
        for x in chunk {
            // The conversion from f64 back to f32 is exact.
            if single {
                bytes.extend_from_slice(&(x.f64() as f32).to_le_bytes());
            } else {
                bytes.extend_from_slice(&x.f64().to_le_bytes());
            }
        }
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// The shape and the entries, row-major, of the `.npy` file at `path`.
///
/// The file has the type `<f4` or `<f8`, in C or Fortran order. Fortran order is converted to row-major order, which needs
/// the memory of the array twice. All values are accepted, also NaN and infinities. Memory is reserved only after the
/// length of the file was compared with its header.
///
/// # Errors
/// The file cannot be read, is not a `.npy` file, does not have the length that its header states, or has another type:
/// [`is_format`](Error::is_format) or [`is_io`](Error::is_io). The file has the type `<f8` and `R` is `f32`, which would
/// lose precision: [`is_unsupported`](Error::is_unsupported). The message names the file.
pub fn read<R: Real>(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<R>)> {
    let path = path.as_ref();
    try_read(path).map_err(|error| error.context(path.display()))
}

fn try_read<R: Real>(path: &Path) -> Result<(Vec<usize>, Vec<R>)> {
    let (mut file, length) = open(path)?;
    let Contents { header, start, bytes, count } = read_header(&mut file, length, float_bytes)?;
    if bytes == 8 && R::NAME == "f32" {
        return Err(Error::unsupported(
            "the file has the type <f8, which f32 cannot represent exactly: read it as f64",
        ));
    }
    file.seek(SeekFrom::Start(start))?;
    let data = match bytes {
        4 => decode(&mut file, count, |bytes| f64::from(f32::from_le_bytes(bytes)))?,
        _ => decode(&mut file, count, f64::from_le_bytes)?,
    };
    Ok((number_shape(&header), reorder(data, &header)))
}

/// A header that agrees with the length of its file.
struct Contents {
    header: NpyHeader,
    /// The position of the first entry.
    start: u64,
    /// The number of bytes per entry.
    bytes: u64,
    /// The number of entries.
    count: usize,
}

/// Reads the header of a file of `length` bytes. `type_bytes` returns the number of bytes per entry.
///
/// # Errors
/// There is no valid header, its type is not supported, or the file has another length than the header states.
fn read_header(file: &mut File, length: u64, type_bytes: impl Fn(&DType) -> Result<u64>) -> Result<Contents> {
    let (header, start) = parse_header(file)?;
    let bytes = type_bytes(&header.dtype())?;
    let count = entries(header.shape()).ok_or_else(too_large)?;
    let expected = count.checked_mul(bytes).and_then(|bytes| bytes.checked_add(start));
    if expected != Some(length) {
        let fault = if expected.is_none_or(|expected| expected > length) { "truncated" } else { "too long" };
        let dtype = header.dtype().descr();
        let shape = header.shape();
        return Err(Error::format(format!(
            "the file is {fault}: {} bytes follow a header that states {dtype} of shape {shape:?}",
            length - start
        )));
    }
    let count = usize::try_from(count).map_err(|_| too_large())?;
    Ok(Contents { header, start, bytes, count })
}

/// The header and the position of the first entry.
fn parse_header(file: &mut File) -> Result<(NpyHeader, u64)> {
    let mut head = Vec::new();
    file.take(LONGEST_HEADER as u64).read_to_end(&mut head)?;
    if !head.starts_with(b"\x93NUMPY") {
        return Err(Error::format("the file is not a .npy file: it does not begin with numpy's magic bytes"));
    }
    let (start, text) = match head[6..] {
        [1, 0, a, b, ..] => (10, u32::from(u16::from_le_bytes([a, b]))),
        [2 | 3, 0, a, b, c, d, ..] => (12, u32::from_le_bytes([a, b, c, d])),
        [1..=3, 0, ..] | [] | [_] => return Err(truncated_header()),
        [major, minor, ..] => {
            return Err(Error::format(format!("the file has the unknown .npy version {major}.{minor}")));
        }
    };
    let end = start + text as usize;
    if end > LONGEST_HEADER {
        return Err(Error::format(format!("its header has {text} bytes, longer than that of any array of numbers")));
    }
    let text = head.get(start..end).ok_or_else(truncated_header)?;
    reject_hostile(text)?;
    let header = NpyHeader::from_reader(&head[..end])
        .map_err(|error| Error::format(format!("its header is invalid: {error}")))?;
    Ok((header, end as u64))
}

fn truncated_header() -> Error {
    Error::format("the file is truncated within the header")
}

/// Rejects header texts that would make npyz overflow, exhaust the stack or run very long. It multiplies the sizes
/// unchecked, and its parser of Python literals is recursive and tries alternatives at each bracket.
fn reject_hostile(text: &[u8]) -> Result<()> {
    let mut sizes: Vec<u64> = Vec::new();
    let mut depth = 0usize;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let position = text.len() - rest.len();
        rest = tail;
        match byte {
            // Strings may contain anything except escapes. With empty strings, three quotes could begin a longer string.
            quote @ (b'\'' | b'"') => match tail.iter().position(|&byte| byte == quote || byte == b'\\') {
                Some(end) if end > 0 && tail[end] == quote => rest = &tail[end + 1..],
                _ => return Err(Error::format("a string in its header is empty, unterminated or contains an escape")),
            },
            b'0'..=b'9' => {
                let digits = 1 + tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = std::str::from_utf8(&text[position..position + digits]).ok();
                sizes.push(number.and_then(|digits| digits.parse().ok()).ok_or_else(too_large)?);
                rest = &tail[digits - 1..];
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b' ' | b'\n' | b',' | b':' => {}
            // The letters of True, False and None. Numbers with letters (0x1F, 1e9, 1j) contain others or are invalid sizes.
            b'T' | b'r' | b'u' | b'e' | b'F' | b'a' | b'l' | b's' | b'N' | b'o' | b'n'
                if !tail.first().is_some_and(u8::is_ascii_digit) => {}
            other => {
                let other = char::from(other);
                return Err(Error::format(format!("its header contains the invalid character {other:?}")));
            }
        }
        if depth > DEEPEST_NESTING {
            return Err(Error::format("the brackets in its header are nested too deeply"));
        }
    }
    if sizes.len() > MOST_SIZES {
        return Err(Error::format(format!("its header contains more sizes than numpy's {MOST_SIZES}")));
    }
    entries(&sizes).map(drop).ok_or_else(too_large)
}

/// The product of the sizes. `None` if the product of the nonzero sizes overflows, because then the strides overflow too.
fn entries(sizes: &[u64]) -> Option<u64> {
    let product = sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(size.max(1)))?;
    Some(if sizes.contains(&0) { 0 } else { product })
}

fn too_large() -> Error {
    Error::format("the product of the sizes in its header is more than any memory can hold")
}

/// The number of bytes of a little endian float: 4 or 8.
fn float_bytes(dtype: &DType) -> Result<u64> {
    let kind = match dtype {
        DType::Plain(number) => match (number.type_char(), number.size_field(), number.endianness()) {
            (TypeChar::Float, bytes @ (4 | 8), Endianness::Little) => return Ok(bytes),
            (TypeChar::Float, 4 | 8, _) => " (big endian)",
            (TypeChar::Object, ..) => " (Python objects)",
            _ => "",
        },
        _ => " (a structured type)",
    };
    let descr = dtype.descr();
    Err(Error::format(format!("the file has the type {descr}{kind}, but '<f4' or '<f8' is needed")))
}

fn number_shape(header: &NpyHeader) -> Vec<usize> {
    header.shape().iter().map(|&size| size as usize).collect()
}

/// Reads `count` entries and converts each with `number`.
fn decode<const BYTES: usize, R: Real>(
    file: &mut File,
    count: usize,
    number: impl Fn([u8; BYTES]) -> f64,
) -> Result<Vec<R>> {
    let mut numbers: Vec<R> = Vec::new();
    numbers
        .try_reserve_exact(count)
        .map_err(|_| Error::memory(format!("its {count} entries do not fit in memory as {}", R::NAME)))?;
    let mut chunk = vec![0; BYTES * CHUNK.min(count)];
    while numbers.len() < count {
        let bytes = &mut chunk[..BYTES * CHUNK.min(count - numbers.len())];
        file.read_exact(bytes)?;
        numbers.extend(bytes.as_chunks::<BYTES>().0.iter().map(|&bytes| R::from_f64(number(bytes))));
    }
    Ok(numbers)
}

/// The entries in row-major order.
fn reorder<R: Real>(data: Vec<R>, header: &NpyHeader) -> Vec<R> {
    match header.order() {
        Order::C => data,
        Order::Fortran => row_major(&data, &number_shape(header), header.strides()),
    }
}

/// Converts entries with the given strides to row-major order.
fn row_major<R: Real>(data: &[R], shape: &[usize], strides: &[u64]) -> Vec<R> {
    let mut index = vec![0; shape.len()];
    let mut position = 0;
    let mut entries = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        entries.push(data[position]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            position += strides[axis] as usize;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
            position -= shape[axis] * strides[axis] as usize;
        }
    }
    entries
}
