//! Where samples come from: memory, or anything that can read a range of them.

use std::borrow::Cow;
use std::ops::Range;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::real::Real;

/// Samples that a model is run on, one array \[n, ...\] for each of its inputs.
///
/// A [`Batch`] is samples in memory for a model with one input; an array or a `Vec` of batches is for one with several.
/// A [`Reader`] calls back for ranges of samples, and `io::npy::Mapped` maps a file: of both only what is in work is in
/// memory.
pub trait Samples<R: Real>: Sync {
    /// n
    fn samples(&self) -> usize;

    /// The number of inputs.
    fn inputs(&self) -> usize;

    /// The shape of one sample of input `input`.
    fn sample_shape(&self, input: usize) -> &[usize];

    /// What is wrong with the samples as a whole, asked before any is read.
    ///
    /// # Errors
    /// They are no samples, such as inputs of unlike lengths.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// The samples in `range` of input `input`, row-major. Called from several threads at once.
    ///
    /// # Errors
    /// They cannot be read.
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
    ($(($($generic:tt)*), $list:ty;)*) => {
        $(
            /// One batch for each input, all of the same number of samples.
            impl<R: Real, $($generic)*> Samples<R> for $list {
                /// That of the shortest batch: [`Session`](crate::Session) refuses batches of unlike lengths.
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
                        let (one, two) = (self[0].samples(), other.samples());
                        return Err(Error::shape(format!("{one} samples of one input, but {two} of another")));
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

/// Samples that a function reads.
///
/// ```
/// use tangent_kernels::{Reader, Samples};
/// // 1,000 samples of three numbers each, made up as they are asked for.
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
    /// `samples` samples of the shapes `shapes`, one for each input. `read` gives the numbers of an input for a range of
    /// samples, row-major; it is called from several threads at once, more than once for the same samples.
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

/// Some of other samples, in any order, as samples of their own: a minibatch, say.
///
/// ```
/// use tangent_kernels::{Batch, Samples, Subset};
/// let all = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
/// let all = Batch::new(&all, &[3, 2])?;
/// let some = Subset::new(&all, &[2, 0])?;
/// assert_eq!(*some.read(0, 0..2)?, [4.0, 5.0, 0.0, 1.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Subset<'a, R: Real> {
    all: &'a dyn Samples<R>,
    list: Vec<usize>,
}

impl<'a, R: Real> Subset<'a, R> {
    /// The samples of `all` with the numbers `list`.
    ///
    /// # Errors
    /// There is no sample with one of the numbers.
    pub fn new(all: &'a dyn Samples<R>, list: &[usize]) -> Result<Self> {
        let count = all.samples();
        match list.iter().find(|&&n| n >= count) {
            Some(n) => Err(Error::value(format!("there is no sample {n}: there are {count}, counted from 0"))),
            None => Ok(Subset { all, list: list.to_vec() }),
        }
    }
}

impl<R: Real> Samples<R> for Subset<'_, R> {
    fn samples(&self) -> usize {
        self.list.len()
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
        for &n in &self.list[range] {
            numbers.extend_from_slice(&self.all.read(input, n..n + 1)?);
        }
        Ok(Cow::Owned(numbers))
    }
}
