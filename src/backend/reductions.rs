//! Sums, matrix products and softmax.

use super::Storage;
use crate::shape;

/// The primitives that sum over axes.
pub trait Reductions: Storage {
    /// The sum over `axes`, which remain as axes of size 1.
    fn sum(&self, x: &Self::Tensor, axes: &[usize]) -> Self::Tensor;
    /// The matrix product over the last two axes. Each operand can be transposed there. The other axes are broadcast.
    fn matmul(&self, x: &Self::Tensor, transpose_x: bool, y: &Self::Tensor, transpose_y: bool) -> Self::Tensor;
    /// softmax over the last axis: e^x / sum e^x, without overflow.
    fn softmax(&self, x: &Self::Tensor) -> Self::Tensor;
    /// log(softmax(x)) over the last axis, accurate if softmax is near 0 or 1.
    fn log_softmax(&self, x: &Self::Tensor) -> Self::Tensor;

    /// Sums `x` down to `target`, the shape of an operand before it was broadcast to the shape of `x`.
    fn sum_to(&self, x: &Self::Tensor, target: &[usize]) -> Self::Tensor {
        let axes = shape::stretched_axes(target, self.shape(x));
        let summed = if axes.is_empty() { x.clone() } else { self.sum(x, &axes) };
        self.reshape(&summed, target)
    }
}
