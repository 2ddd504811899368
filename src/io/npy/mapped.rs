//! Samples in a memory-mapped file.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;
use npyz::Order;

use super::{Contents, float_bytes, number_shape, read_header};
use crate::error::{Error, Result};
use crate::io::{map, open};
use crate::real::Real;
use crate::samples::Samples;

/// A `.npy` file of shape `[n, ...]` as [`Samples`], mapped into memory. The operating system loads and drops pages on
/// demand, so the file may be larger than memory.
///
/// The file has the type `<f4` for `f32` or `<f8` for `f64`, in C order. Nothing is converted or copied.
///
/// **The file must not change** while this value lives. If another program overwrites it, kernels mix old and new numbers.
/// If another program truncates it, the operating system ends this process. Replacing the whole file is safe, as
/// [`write`](super::write) does.
///
/// ```
/// use tangent_kernels::{Samples, io::npy};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("x.npy");
/// npy::write(&path, &[3, 2], &[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// let x = npy::Mapped::<f32>::open(&path)?;
/// assert_eq!((x.samples(), x.sample_shape(0)), (3, &[2][..]));
/// assert_eq!(*x.read(0, 1..3)?, [3.0, 4.0, 5.0, 6.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Debug)]
pub struct Mapped<R> {
    map: Mmap,
    /// The position of the first number.
    start: usize,
    shape: Vec<usize>,
    numbers: PhantomData<R>,
}

impl<R: Real> Mapped<R> {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// The errors of [`read`](super::read). Also [`is_unsupported`](Error::is_unsupported) if the numbers are not `R`, are
    /// in Fortran order, or this machine is big endian, and [`is_shape`](Error::is_shape) if there is no sample axis. The
    /// message names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::try_open(path).map_err(|error| error.context(path.display()))
    }

    fn try_open(path: &Path) -> Result<Self> {
        let (mut file, length) = open(path)?;
        let Contents { header, start, bytes, .. } = read_header(&mut file, length, float_bytes)?;
        if bytes != size_of::<R>() as u64 {
            let given = if bytes == 4 { "<f4" } else { "<f8" };
            return Err(not_mappable(&format!("the file has the type {given}, but {} is needed", R::NAME)));
        }
        if cfg!(target_endian = "big") {
            return Err(not_mappable("the file has little endian numbers, but this machine is big endian"));
        }
        if header.order() == Order::Fortran {
            return Err(not_mappable("the file is in Fortran order"));
        }
        let shape = number_shape(&header);
        if shape.is_empty() {
            return Err(Error::shape("the file contains a single number, but samples need a sample axis"));
        }
        let map = map::map(&file)?;
        // The file may have changed since its length was read.
        if map.len() as u64 != length {
            let mapped = map.len();
            return Err(Error::format(format!(
                "the file changed while it was opened, from {length} to {mapped} bytes"
            )));
        }
        Ok(Mapped { map, start: start as usize, shape, numbers: PhantomData })
    }

    /// The whole shape, `[n, ...]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}

fn not_mappable(fault: &str) -> Error {
    Error::unsupported(format!("{fault}, so it cannot be mapped: read it instead"))
}

impl<R: Real> Samples<R> for Mapped<R> {
    fn samples(&self) -> usize {
        self.shape[0]
    }
    fn inputs(&self) -> usize {
        1
    }
    fn sample_shape(&self, _input: usize) -> &[usize] {
        &self.shape[1..]
    }
    fn read(&self, _input: usize, range: Range<usize>) -> Result<Cow<'_, [R]>> {
        let sample_bytes = self.shape[1..].iter().product::<usize>() * size_of::<R>();
        let bytes = &self.map[self.start + range.start * sample_bytes..self.start + range.end * sample_bytes];
        if let Ok(numbers) = bytemuck::try_cast_slice(bytes) {
            return Ok(Cow::Borrowed(numbers));
        }
        // numpy aligns the data to 64 bytes, but other writers may not.
        let mut numbers = vec![R::default(); bytes.len() / size_of::<R>()];
        bytemuck::cast_slice_mut(&mut numbers).copy_from_slice(bytes);
        Ok(Cow::Owned(numbers))
    }
}
