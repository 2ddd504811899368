//! Samples straight from a file.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;
use npyz::Order;

use super::{Promise, promise};
use crate::error::{Error, Result};
use crate::io::{map, open};
use crate::real::Real;
use crate::samples::Samples;

/// A `.npy` file of shape \[n, ...\] as [`Samples`], mapped into memory: the operating system reads what is in work and
/// forgets it again, so the file may be larger than memory.
///
/// The file holds `<f4` for `f32` or `<f8` for `f64`, in C order; nothing is converted or copied.
///
/// **The file must stay as it is** while this lives. If another program overwrites it, kernels are of numbers that are
/// neither the old nor the new ones; if it cuts it off, the operating system ends this process. Files that are replaced as
/// a whole, as [`write`](super::write) does, are safe.
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
    /// Where the numbers begin.
    start: usize,
    shape: Vec<usize>,
    numbers: PhantomData<R>,
}

impl<R: Real> Mapped<R> {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// As [`read`](super::read); also [`is_unsupported`](Error::is_unsupported) if the numbers are not `R`, are in Fortran
    /// order, or this machine is big endian, and [`is_shape`](Error::is_shape) if there is no sample axis. The message
    /// names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::try_open(path).map_err(|error| error.context(path.display()))
    }

    fn try_open(path: &Path) -> Result<Self> {
        let (mut file, length) = open(path)?;
        let Promise { header, start, bytes, .. } = promise(&mut file, length)?;
        let refuse = |what: &str| Err(Error::unsupported(format!("{what}, which cannot be mapped; read it instead")));
        if bytes != size_of::<R>() as u64 {
            let given = if bytes == 4 { "<f4" } else { "<f8" };
            return refuse(&format!("this holds {given} where {} is needed", R::NAME));
        }
        if cfg!(target_endian = "big") {
            return refuse("this holds little endian numbers on a big endian machine");
        }
        if header.order() == Order::Fortran {
            return refuse("this is in Fortran order");
        }
        let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
        if shape.is_empty() {
            return Err(Error::shape("this is a single number; samples need a sample axis"));
        }
        let map = map::map(&file)?;
        // The file may have changed since it was measured.
        if map.len() as u64 != length {
            return Err(Error::format(format!("this changed while it was opened: {} bytes of {length}", map.len())));
        }
        Ok(Mapped { map, start: start as usize, shape, numbers: PhantomData })
    }

    /// The whole shape, \[n, ...\].
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
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
        let bytes = self.shape[1..].iter().product::<usize>() * size_of::<R>();
        let bytes = &self.map[self.start + range.start * bytes..self.start + range.end * bytes];
        if let Ok(numbers) = bytemuck::try_cast_slice(bytes) {
            return Ok(Cow::Borrowed(numbers));
        }
        // numpy aligns numbers to 64 bytes, but a header need not.
        let mut numbers = vec![R::default(); bytes.len() / size_of::<R>()];
        bytemuck::cast_slice_mut(&mut numbers).copy_from_slice(bytes);
        Ok(Cow::Owned(numbers))
    }
}
