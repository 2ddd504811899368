//! Arrays as numpy's `save` writes and `load` reads them.

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

/// The longest header that is read, as in numpy. Plain numbers in 64 axes need less than 1,500 bytes.
const LONGEST_HEADER: usize = 10_000;
/// The most numbers that a header may hold: numpy's arrays have at most 64 axes.
const MOST_SIZES: usize = 64;
/// The deepest nesting of brackets that is read; the parser recurses.
const DEEPEST_NESTING: usize = 6;
/// How many numbers are converted at a time.
const CHUNK: usize = 16 * 1024;

/// Writes `data`, row-major, as an array of shape `shape` to a `.npy` file at `path`: `<f4` or `<f8`, in C order. The
/// file appears when it is whole.
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
/// The sizes do not multiply to the number of entries, there are more than 64 of them, or the file cannot be written.
/// The message names the file.
pub fn write<R: Real>(path: impl AsRef<Path>, shape: &[usize], data: &[R]) -> Result<()> {
    atomic::write(path.as_ref(), |out| write_to(out, shape, data))
}

/// As [`write`], into `out`.
pub(super) fn write_to<R: Real>(out: &mut impl Write, shape: &[usize], data: &[R]) -> Result<()> {
    let sizes: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
    if sizes.len() > MOST_SIZES {
        return Err(Error::shape(format!("{} axes are more than numpy's {MOST_SIZES}", sizes.len())));
    }
    if entries(&sizes) != Some(data.len() as u64) {
        return Err(Error::shape(format!("an array of shape {shape:?} does not have {} entries", data.len())));
    }
    let single = R::NAME == "f32";
    let number: TypeStr = if single { "<f4" } else { "<f8" }.parse().expect("a type of numpy's");
    WriteOptions::new_header_only()
        .dtype(DType::new_scalar(number))
        .shape(&sizes)
        .writer(&mut *out)
        .write_header_only()?;
    let mut bytes = Vec::with_capacity(8 * CHUNK);
    for chunk in data.chunks(CHUNK) {
        bytes.clear();
        for x in chunk {
            // Exact both ways: an f32 comes back from its f64 as it was.
            match single {
                true => bytes.extend_from_slice(&(x.f64() as f32).to_le_bytes()),
                false => bytes.extend_from_slice(&x.f64().to_le_bytes()),
            }
        }
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// The shape and the entries, row-major, of the `.npy` file at `path`.
///
/// The file holds `<f4` or `<f8`, in C or Fortran order (the entries of the latter are put in row-major order, which for
/// a moment takes their memory twice). Any value of the type is read, NaN and infinities too.
///
/// # Errors
/// The file cannot be read, is not a `.npy` file, is longer or shorter than its header says, or holds another type:
/// [`is_format`](Error::is_format) or [`is_io`](Error::is_io). It holds `<f8` where `R` is `f32`, which would lose
/// precision: [`is_unsupported`](Error::is_unsupported). The message names the file. Memory is reserved only after the
/// file was found to be as long as its header says.
pub fn read<R: Real>(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<R>)> {
    let path = path.as_ref();
    try_read(path).map_err(|error| error.context(path.display()))
}

fn try_read<R: Real>(path: &Path) -> Result<(Vec<usize>, Vec<R>)> {
    let (mut file, length) = open(path)?;
    let Promise { header, start, bytes, count } = promise(&mut file, length)?;
    if bytes == 8 && R::NAME == "f32" {
        return Err(Error::unsupported("this holds <f8, which f32 cannot hold exactly; read it as f64"));
    }
    file.seek(SeekFrom::Start(start))?;
    let data = match bytes {
        4 => numbers(&mut file, count, |bytes| f64::from(f32::from_le_bytes(bytes)))?,
        _ => numbers(&mut file, count, f64::from_le_bytes)?,
    };
    let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
    let data = match header.order() {
        Order::C => data,
        Order::Fortran => row_major(&data, &shape, header.strides()),
    };
    Ok((shape, data))
}

/// What a header promises and the length of its file keeps.
struct Promise {
    header: NpyHeader,
    /// The position of the first number.
    start: u64,
    /// The bytes of a number.
    bytes: u64,
    /// How many numbers there are.
    count: usize,
}

/// The header of a file of `length` bytes.
///
/// # Errors
/// It is none, of another type than numbers, or promises more or less than there is.
fn promise(file: &mut File, length: u64) -> Result<Promise> {
    promise_of(file, length, number_bytes)
}

/// As [`promise`], of numbers of any type that `size_of` knows the bytes of.
fn promise_of(file: &mut File, length: u64, size_of: impl Fn(&DType) -> Result<u64>) -> Result<Promise> {
    let (header, start) = header(file)?;
    let bytes = size_of(&header.dtype())?;
    let count = entries(header.shape()).ok_or_else(too_large)?;
    let expected = count.checked_mul(bytes).and_then(|bytes| bytes.checked_add(start));
    if expected != Some(length) {
        let fault = if expected.is_none_or(|expected| expected > length) { "truncated" } else { "too long" };
        let dtype = header.dtype().descr();
        let shape = header.shape();
        return Err(Error::format(format!(
            "this is {fault}: {} bytes follow a header that promises {dtype} of shape {shape:?}",
            length - start
        )));
    }
    let count = usize::try_from(count).map_err(|_| too_large())?;
    Ok(Promise { header, start, bytes, count })
}

/// The header and the position of the first number.
fn header(file: &mut File) -> Result<(NpyHeader, u64)> {
    let mut head = Vec::new();
    file.take(LONGEST_HEADER as u64).read_to_end(&mut head)?;
    if !head.starts_with(b"\x93NUMPY") {
        return Err(Error::format("this is no .npy file: it does not begin with numpy's magic bytes"));
    }
    let (start, text) = match head[6..] {
        [1, 0, a, b, ..] => (10, u32::from(u16::from_le_bytes([a, b]))),
        [2 | 3, 0, a, b, c, d, ..] => (12, u32::from_le_bytes([a, b, c, d])),
        [1..=3, 0, ..] | [] | [_] => return Err(Error::format("this is truncated within the header")),
        [major, minor, ..] => return Err(Error::format(format!("this is of the unknown version {major}.{minor}"))),
    };
    let end = start + text as usize;
    if end > LONGEST_HEADER {
        return Err(Error::format(format!("its header of {text} bytes is longer than that of any array of numbers")));
    }
    let Some(text) = head.get(start..end) else {
        return Err(Error::format("this is truncated within the header"));
    };
    refuse_hostile(text)?;
    let header = NpyHeader::from_reader(&head[..end]).map_err(|error| Error::format(format!("its header: {error}")))?;
    Ok((header, end as u64))
}

/// Refuses a header's text that npyz would overflow, exhaust its stack or take ages on: it multiplies the sizes
/// unchecked, and its parser of Python literals recurses and tries alternatives at each bracket.
fn refuse_hostile(text: &[u8]) -> Result<()> {
    let mut sizes: Vec<u64> = Vec::new();
    let mut depth = 0usize;
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let at = text.len() - rest.len();
        rest = tail;
        match byte {
            // Within a string anything may stand but escapes; empty strings would let three quotes begin a longer one.
            quote @ (b'\'' | b'"') => match tail.iter().position(|&byte| byte == quote || byte == b'\\') {
                Some(end) if end > 0 && tail[end] == quote => rest = &tail[end + 1..],
                _ => return Err(Error::format("a string in its header is empty, holds an escape or has no end")),
            },
            b'0'..=b'9' => {
                let digits = 1 + tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
                let number = std::str::from_utf8(&text[at..at + digits]).ok().and_then(|digits| digits.parse().ok());
                sizes.push(number.ok_or_else(too_large)?);
                rest = &tail[digits - 1..];
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b' ' | b'\n' | b',' | b':' => {}
            // Of True, False and None. Letters in numbers (0x1F, 1e9, 1j) have others among them or are no sizes.
            b'T' | b'r' | b'u' | b'e' | b'F' | b'a' | b'l' | b's' | b'N' | b'o' | b'n'
                if !tail.first().is_some_and(u8::is_ascii_digit) => {}
            other => {
                let other = char::from(other);
                return Err(Error::format(format!(
                    "its header holds {other:?}, which that of no array of numbers does"
                )));
            }
        }
        if depth > DEEPEST_NESTING {
            return Err(Error::format("the brackets in its header are nested too deeply"));
        }
    }
    if sizes.len() > MOST_SIZES {
        return Err(Error::format(format!("its header holds more sizes than numpy's {MOST_SIZES}")));
    }
    entries(&sizes).map(drop).ok_or_else(too_large)
}

/// The product of the sizes, or `None` if it overflows even without the zeros among them, as the strides then would.
fn entries(sizes: &[u64]) -> Option<u64> {
    let product = sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(size.max(1)))?;
    Some(if sizes.contains(&0) { 0 } else { product })
}

fn too_large() -> Error {
    Error::format("the sizes in its header multiply to more than any memory holds")
}

/// The bytes of a number: 4 or 8.
fn number_bytes(dtype: &DType) -> Result<u64> {
    let what = match dtype {
        DType::Plain(number) => match (number.type_char(), number.size_field(), number.endianness()) {
            (TypeChar::Float, bytes @ (4 | 8), Endianness::Little) => return Ok(bytes),
            (TypeChar::Float, 4 | 8, _) => "big endian numbers, ",
            (TypeChar::Object, ..) => "Python objects, ",
            _ => "",
        },
        _ => "a structured type, ",
    };
    Err(Error::format(format!("this holds {what}{}, where '<f4' or '<f8' is needed", dtype.descr())))
}

fn numbers<const BYTES: usize, R: Real>(
    file: &mut File,
    count: usize,
    number: impl Fn([u8; BYTES]) -> f64,
) -> Result<Vec<R>> {
    let mut numbers: Vec<R> = Vec::new();
    numbers
        .try_reserve_exact(count)
        .map_err(|_| Error::memory(format!("its {count} numbers do not fit in memory as {}", R::NAME)))?;
    let mut chunk = vec![0; BYTES * CHUNK.min(count)];
    while numbers.len() < count {
        let bytes = &mut chunk[..BYTES * CHUNK.min(count - numbers.len())];
        file.read_exact(bytes)?;
        numbers.extend(bytes.as_chunks::<BYTES>().0.iter().map(|&bytes| R::from_f64(number(bytes))));
    }
    Ok(numbers)
}

/// The entries in row-major order of an array in which neighbours along each axis lie `strides` apart.
fn row_major<R: Real>(data: &[R], shape: &[usize], strides: &[u64]) -> Vec<R> {
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let next = |_| {
        let entry = data[at];
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis] as usize;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
            at -= shape[axis] * strides[axis] as usize;
        }
        entry
    };
    (0..data.len()).map(next).collect()
}
