//! Arrays of any real numbers. Pictures are often bytes, and ids are integers.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use npyz::{DType, Endianness, TypeChar};

use super::{Contents, decode, number_shape, read_header, reorder};
use crate::error::{Error, Result};
use crate::io::half::half;
use crate::io::open;
use crate::real::Real;

/// The shape and the entries, row-major, of the `.npy` file at `path`.
///
/// The file may contain floats (`f2`, `f4`, `f8`), integers (`i1` to `i8`, `u1` to `u8`) or booleans (`b1`, read as 0 and 1), in
/// any order of axes and bytes. Floats are rounded to the nearest `R`. Integers are never rounded, because a rounded id or
/// class would be another one.
///
/// ```
/// use tangent_kernels::io::npy;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("x.npy");
/// npy::write(&path, &[3], &[0.5f64, 0.25, 1.0])?;
/// assert_eq!(npy::read_numbers::<f32>(&path)?, (vec![3], vec![0.5, 0.25, 1.0]));
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The errors of [`read`](super::read) except those for types. Also an integer that `R` cannot represent
/// ([`is_unsupported`](Error::is_unsupported)).
pub fn read_numbers<R: Real>(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<R>)> {
    let path = path.as_ref();
    try_read(path).map_err(|error| error.context(path.display()))
}

fn try_read<R: Real>(path: &Path) -> Result<(Vec<usize>, Vec<R>)> {
    let (mut file, length) = open(path)?;
    let Contents { header, start, count, .. } =
        read_header(&mut file, length, |dtype| Ok(NumberType::new(dtype)?.bytes))?;
    let number_type = NumberType::new(&header.dtype())?;
    file.seek(SeekFrom::Start(start))?;
    let data = number_type.read(&mut file, count)?;
    Ok((number_shape(&header), reorder(data, &header)))
}

/// A type of numbers.
#[derive(Clone, Copy)]
struct NumberType {
    letter: TypeChar,
    bytes: u64,
    big_endian: bool,
}

/// Reads numbers of the type `$number` in either byte order.
macro_rules! read {
    ($number:ty, $big_endian:expr, $file:expr, $count:expr) => {{
        let value = |bytes| if $big_endian { <$number>::from_be_bytes(bytes) } else { <$number>::from_le_bytes(bytes) };
        decode($file, $count, |bytes| value(bytes) as f64)
    }};
}

impl NumberType {
    fn new(dtype: &DType) -> Result<Self> {
        if let DType::Plain(number) = dtype {
            let (letter, bytes) = (number.type_char(), number.size_field());
            let supported = match letter {
                TypeChar::Float => matches!(bytes, 2 | 4 | 8),
                TypeChar::Int | TypeChar::Uint => matches!(bytes, 1 | 2 | 4 | 8),
                TypeChar::Bool => bytes == 1,
                _ => false,
            };
            if supported {
                return Ok(NumberType { letter, bytes, big_endian: number.endianness() == Endianness::Big });
            }
        }
        let descr = dtype.descr();
        Err(Error::format(format!(
            "the file has the type {descr}, but real numbers are needed: floats of 2, 4 or 8 bytes, integers or booleans"
        )))
    }

    fn read<R: Real>(self, file: &mut File, count: usize) -> Result<Vec<R>> {
        let NumberType { letter, bytes, big_endian } = self;
        match (letter, bytes) {
            (TypeChar::Float, 2) => {
                let bits = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
                return decode(file, count, |bytes| half(bits(bytes)));
            }
            (TypeChar::Float, 4) => return read!(f32, big_endian, file, count),
            (TypeChar::Float, _) => return read!(f64, big_endian, file, count),
            _ => {}
        }
        let data: Vec<R> = match (letter, bytes) {
            (TypeChar::Int, 1) => read!(i8, big_endian, file, count),
            (TypeChar::Int, 2) => read!(i16, big_endian, file, count),
            (TypeChar::Int, 4) => read!(i32, big_endian, file, count),
            (TypeChar::Int, _) => read!(i64, big_endian, file, count),
            (TypeChar::Uint, 2) => read!(u16, big_endian, file, count),
            (TypeChar::Uint, 4) => read!(u32, big_endian, file, count),
            (TypeChar::Uint, 8) => read!(u64, big_endian, file, count),
            _ => read!(u8, big_endian, file, count),
        }?;
        // Below this limit R represents all integers exactly.
        let limit = if R::NAME == "f32" { 2f64.powi(24) } else { 2f64.powi(53) };
        match data.iter().position(|x| x.f64().abs() >= limit) {
            Some(index) => Err(Error::unsupported(format!(
                "entry {index} is the integer {}, which {} may not represent exactly",
                data[index],
                R::NAME
            ))),
            None => Ok(data),
        }
    }
}
