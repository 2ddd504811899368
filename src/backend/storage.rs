//! Arrays as such: creating, reading and rearranging them.

use std::ops::Range;

use crate::error::Result;
use crate::real::Real;

/// The primitives that create, read and rearrange arrays, and the types of a backend.
pub trait Storage: Clone + Send + Sync {
    /// The numbers that [`upload`](Storage::upload) takes and [`read`](Storage::read) returns.
    type Number: Real;
    /// A handle to an array on the device. Cloning it copies no data.
    type Tensor: Clone + Send + Sync;
    /// A handle to an array of row numbers on the device: see [`gather`](super::Indexing::gather).
    type Index: Clone + Send + Sync;

    /// An array of `shape` with the entries `data`.
    fn upload(&self, data: &[Self::Number], shape: &[usize]) -> Self::Tensor;
    /// The entries of `x`.
    ///
    /// # Errors
    /// The device failed at any step that led to `x`.
    fn read(&self, x: &Self::Tensor) -> Result<Vec<Self::Number>>;
    /// The shape of `x`.
    fn shape<'a>(&self, x: &'a Self::Tensor) -> &'a [usize];
    /// An array of `shape` with every entry equal to `value`.
    fn full(&self, value: f64, shape: &[usize]) -> Self::Tensor;
    /// The same entries in another shape.
    fn reshape(&self, x: &Self::Tensor, shape: &[usize]) -> Self::Tensor;
    /// The entries `range` along `axis`.
    fn slice(&self, x: &Self::Tensor, axis: usize, range: Range<usize>) -> Self::Tensor;
    /// `x` with its axes in another order: axis k of the result is axis `order[k]` of `x`.
    fn permute(&self, x: &Self::Tensor, order: &[usize]) -> Self::Tensor;
    /// The arrays joined along `axis`.
    fn concat(&self, arrays: &[&Self::Tensor], axis: usize) -> Self::Tensor;
}
