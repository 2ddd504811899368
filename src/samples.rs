//! Samples: batches in memory, or any type that reads ranges of them.

use std::borrow::Cow;
use std::ops::Range;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::real::Real;

/// The samples of a run: one array `[n, ...]` per input of the model.
///
/// A [`Batch`] holds the samples of a model with one input; an array or a `Vec` of batches is for several inputs. A
/// [`Reader`] calls a function for ranges of samples, and `io::npy::Mapped` maps a file. Both keep only the samples in
/// use in memory.
pub trait Samples<R: Real>: Sync {
    /// The number of samples.
    fn samples(&self) -> usize;

    /// The number of inputs of the model.
    fn inputs(&self) -> usize;

    /// The shape of one sample of input `input`.
    fn sample_shape(&self, input: usize) -> &[usize];

    /// Checks the samples as a whole. Called before any is read.
    ///
    /// # Errors
    /// Returns an error if the samples are invalid, for example if the inputs have different lengths.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Reads the samples in `range` of input `input`, row-major. Called from several threads at once.
    ///
    /// # Errors
    /// Returns an error if reading fails.
    fn read(&self, input: usize, range: Range<usize>) -> Result<Cow<'_, [R]>>;
}

impl<R: Real> Samples<R> for Batch<'_, R> {
    fn samples(&self) -> usize {
        Batch::samples(self)
    }
    fn inputs(&self) -> usize {
        1
    }
    fn sample_shape(&self, _input: usize) -> &[usize] {
        Batch::sample_shape(self)
    }
    fn read(&self, _input: usize, range: Range<usize>) -> Result<Cow<'_, [R]>> {
        Ok(Cow::Borrowed(self.rows(range).as_slice()))
    }
}

macro_rules! several {
    ($(($($generic:tt)*), $indices:ty;)*) => {
        $(
            /// One batch per input, all with the same number of samples.
            impl<R: Real, $($generic)*> Samples<R> for $indices {
                /// The number of samples of the shortest batch: [`Session`](crate::Session) rejects batches of
                /// different lengths.
                fn samples(&self) -> usize {
                    self.iter().map(Batch::samples).min().unwrap_or(0)
                }
                fn inputs(&self) -> usize {
                    self.len()
                }
                fn sample_shape(&self, input: usize) -> &[usize] {
                    self[input].sample_shape()
                }
                fn check(&self) -> Result<()> {
                    if let Some(other) = self.iter().find(|batch| batch.samples() != self[0].samples()) {
                        return Err(Error::shape(format!(
                            "all inputs need the same number of samples, got {} and {}",
                            self[0].samples(),
                            other.samples()
                        )));
                    }
                    Ok(())
                }
                fn read(&self, input: usize, range: Range<usize>) -> Result<Cow<'_, [R]>> {
                    self[input].read(0, range)
                }
            }
        )*
    };
}

several! {
    (const N: usize), [Batch<'_, R>; N];
    (), Vec<Batch<'_, R>>;
}

/// Samples that are read by a function.
///
/// ```
/// use tangent_kernels::{Reader, Samples};
/// // 1,000 samples of three numbers each, computed on demand.
/// let reader = Reader::new(1000, &[&[3]], |_input, range| {
///     Ok(range.flat_map(|n| (0..3).map(move |i| (n * 3 + i) as f64)).collect())
/// });
/// assert_eq!(*reader.read(0, 1..2)?, [3.0, 4.0, 5.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Reader<F> {
    samples: usize,
    shapes: Vec<Vec<usize>>,
    read: F,
}

impl<F> Reader<F> {
    /// Creates a reader of `samples` samples with the shapes `shapes`, one per input. `read` returns the numbers of an
    /// input for a range of samples, row-major. It is called from several threads at once, and more than once for the
    /// same samples.
    pub fn new<R: Real>(samples: usize, shapes: &[&[usize]], read: F) -> Self
    where
        F: Fn(usize, Range<usize>) -> Result<Vec<R>> + Sync,
    {
        Reader { samples, shapes: shapes.iter().map(|shape| shape.to_vec()).collect(), read }
    }
}

impl<R: Real, F: Fn(usize, Range<usize>) -> Result<Vec<R>> + Sync> Samples<R> for Reader<F> {
    fn samples(&self) -> usize {
        self.samples
    }
    fn inputs(&self) -> usize {
        self.shapes.len()
    }
    fn sample_shape(&self, input: usize) -> &[usize] {
        &self.shapes[input]
    }
    fn read(&self, input: usize, range: Range<usize>) -> Result<Cow<'_, [R]>> {
        Ok(Cow::Owned((self.read)(input, range)?))
    }
}

/// A selection of samples in any order, for example a minibatch.
///
/// ```
/// use tangent_kernels::{Batch, Samples, Subset};
/// let all = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
/// let all = Batch::new(&all, &[3, 2])?;
/// let subset = Subset::new(&all, &[2, 0])?;
/// assert_eq!(*subset.read(0, 0..2)?, [4.0, 5.0, 0.0, 1.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Subset<'a, R: Real> {
    all: &'a dyn Samples<R>,
    indices: Vec<usize>,
}

impl<'a, R: Real> Subset<'a, R> {
    /// Selects the samples of `all` with the indices `indices`.
    ///
    /// # Errors
    /// Returns an error if an index is out of range.
    pub fn new(all: &'a dyn Samples<R>, indices: &[usize]) -> Result<Self> {
        let count = all.samples();
        match indices.iter().find(|&&n| n >= count) {
            Some(n) => Err(Error::value(format!("no sample {n}: there are {count} samples, numbered from 0"))),
            None => Ok(Subset { all, indices: indices.to_vec() }),
        }
    }
}

impl<R: Real> Samples<R> for Subset<'_, R> {
    fn samples(&self) -> usize {
        self.indices.len()
    }
    fn inputs(&self) -> usize {
        self.all.inputs()
    }
    fn sample_shape(&self, input: usize) -> &[usize] {
        self.all.sample_shape(input)
    }
    fn check(&self) -> Result<()> {
        self.all.check()
    }
    fn read(&self, input: usize, range: Range<usize>) -> Result<Cow<'_, [R]>> {
        let mut numbers = Vec::new();
        for &n in &self.indices[range] {
            numbers.extend_from_slice(&self.all.read(input, n..n + 1)?);
        }
        Ok(Cow::Owned(numbers))
    }
}
