//! Batches of samples in memory.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::real::Real;
use crate::shape::checked_numel;

/// A batch of samples: a view of row-major numbers of shape `[n, ...]`, with the sample axis first.
///
/// ```
/// use tangent_kernels::Batch;
/// let numbers = [1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0];
/// let batch = Batch::new(&numbers, &[2, 3])?;
/// assert_eq!((batch.samples(), batch.sample_shape()), (2, &[3][..]));
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch<'a, R> {
    data: &'a [R],
    shape: Vec<usize>,
}

impl<'a, R: Real> Batch<'a, R> {
    /// Creates a batch of shape `shape`, `[n, ...]`, from the entries `data`.
    ///
    /// # Errors
    /// Returns an error if the shape has no axes, or if the product of the sizes is not the number of entries.
    pub fn new(data: &'a [R], shape: &[usize]) -> Result<Self> {
        if shape.is_empty() {
            return Err(Error::shape("a batch needs a sample axis, got the shape []"));
        }
        if checked_numel(shape) != Some(data.len()) {
            return Err(Error::shape(format!(
                "a batch of shape {shape:?} needs {} entries, got {}",
                shape.iter().map(|&size| size as u128).product::<u128>(),
                data.len()
            )));
        }
        Ok(Batch { data, shape: shape.to_vec() })
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.shape[0]
    }

    /// The shape of one sample.
    pub fn sample_shape(&self) -> &[usize] {
        &self.shape[1..]
    }

    /// The entries, row-major.
    pub fn as_slice(&self) -> &'a [R] {
        self.data
    }

    /// The samples in `range`.
    ///
    /// # Panics
    /// Panics if the range ends after the last sample.
    pub fn rows(&self, range: Range<usize>) -> Batch<'a, R> {
        let size = self.shape[1..].iter().product::<usize>();
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        Batch { data: &self.data[range.start * size..range.end * size], shape }
    }

    /// The whole shape, `[n, ...]`.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
}
