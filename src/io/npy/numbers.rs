//! Arrays of any real numbers: pictures are often bytes, and ids integers.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::Path;

use npyz::{DType, Endianness, Order, TypeChar};

use super::{Promise, numbers, promise_of, row_major};
use crate::error::{Error, Result};
use crate::io::open;
use crate::real::Real;

/// The shape and the entries, row-major, of the `.npy` file at `path`, which may hold floats (`f4`, `f8`), integers (`i1` to
/// `i8`, `u1` to `u8`) or truth values (`b1`, as 0 and 1), in any order of axes and bytes.
///
/// Floats are rounded to the nearest `R`. Integers are not: ids and classes that were rounded would be others.
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
/// As [`read`](super::read), but for the types; an integer that `R` cannot hold
/// ([`is_unsupported`](Error::is_unsupported)).
pub fn read_numbers<R: Real>(path: impl AsRef<Path>) -> Result<(Vec<usize>, Vec<R>)> {
    let path = path.as_ref();
    try_read(path).map_err(|error| error.context(path.display()))
}

fn try_read<R: Real>(path: &Path) -> Result<(Vec<usize>, Vec<R>)> {
    let (mut file, length) = open(path)?;
    let Promise { header, start, count, .. } = promise_of(&mut file, length, |dtype| Ok(Type::of(dtype)?.bytes))?;
    let kind = Type::of(&header.dtype())?;
    file.seek(SeekFrom::Start(start))?;
    let data = kind.read(&mut file, count)?;
    let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
    let data = match header.order() {
        Order::C => data,
        Order::Fortran => row_major(&data, &shape, header.strides()),
    };
    Ok((shape, data))
}

/// A type of numbers.
#[derive(Clone, Copy)]
struct Type {
    letter: TypeChar,
    bytes: u64,
    big: bool,
}

/// Reads numbers of `$number`, whose bytes may stand in the other order.
macro_rules! read {
    ($number:ty, $big:expr, $file:expr, $count:expr) => {{
        let value = |bytes| if $big { <$number>::from_be_bytes(bytes) } else { <$number>::from_le_bytes(bytes) };
        numbers($file, $count, |bytes| value(bytes) as f64)
    }};
}

impl Type {
    fn of(dtype: &DType) -> Result<Self> {
        let refuse = || {
            let what = dtype.descr();
            Error::format(format!("this holds {what}, where real numbers are needed: floats of 4 or 8 bytes, integers"))
        };
        let DType::Plain(number) = dtype else { return Err(refuse()) };
        let (letter, bytes) = (number.type_char(), number.size_field());
        match (letter, bytes) {
            (TypeChar::Float, 4 | 8) | (TypeChar::Int | TypeChar::Uint, 1 | 2 | 4 | 8) | (TypeChar::Bool, 1) => {
                Ok(Type { letter, bytes, big: number.endianness() == Endianness::Big })
            }
            _ => Err(refuse()),
        }
    }

    fn read<R: Real>(self, file: &mut File, count: usize) -> Result<Vec<R>> {
        let Type { letter, bytes, big } = self;
        match (letter, bytes) {
            (TypeChar::Float, 4) => return read!(f32, big, file, count),
            (TypeChar::Float, _) => return read!(f64, big, file, count),
            _ => {}
        }
        let data: Vec<R> = match (letter, bytes) {
            (TypeChar::Int, 1) => read!(i8, big, file, count),
            (TypeChar::Int, 2) => read!(i16, big, file, count),
            (TypeChar::Int, 4) => read!(i32, big, file, count),
            (TypeChar::Int, _) => read!(i64, big, file, count),
            (TypeChar::Uint, 2) => read!(u16, big, file, count),
            (TypeChar::Uint, 4) => read!(u32, big, file, count),
            (TypeChar::Uint, 8) => read!(u64, big, file, count),
            _ => read!(u8, big, file, count),
        }?;
        // Below, neighbouring integers are neighbours in R too, so that none was rounded.
        let limit = if R::NAME == "f32" { 2f64.powi(24) } else { 2f64.powi(53) };
        match data.iter().position(|x| x.f64().abs() >= limit) {
            Some(at) => Err(Error::unsupported(format!(
                "its entry {at} is the integer {}, which {} may not hold exactly",
                data[at],
                R::NAME
            ))),
            None => Ok(data),
        }
    }
}
