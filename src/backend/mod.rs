//! The array kernels that every device offers, and what forward mode makes of them.
//!
//! [`Arrays`] is the vocabulary in which ops are written, once, for all devices: [`Cpu<f32>`](Cpu) and [`Cpu<f64>`](Cpu),
//! and [`Dual<B>`](Dual), which carries a tangent beside every tensor of `B`. [`Gram`] adds what only kernels need: the
//! tiles of K.
//!
//! Array kernels do not return `Result`: shapes were checked when the model was recorded, and a device that fails hands
//! out poisoned tensors whose [`read`](Arrays::read) returns the error. A shape that does not fit is therefore a fault
//! of an op, and panics.

pub mod cpu;
mod dual;
mod gram;

use std::ops::Range;

pub use cpu::Cpu;
pub use dual::{Dual, DualTensor};
pub use gram::{Gram, Panels, Part, Recipe, RightPanel, Term};

use crate::error::Result;
use crate::real::Real;
use crate::shape;
use crate::unary::{Order, Unary};

/// The array kernels that ops are made of. All arrays are row-major; axis 0 of an activation is the sample.
///
/// Every kernel is differentiable in its tensor arguments, and linear in each of them but for [`apply`](Arrays::apply)
/// and [`apply_derivative`](Arrays::apply_derivative); that is what makes [`Dual`] one product rule per kernel.
pub trait Arrays: Clone + Send + Sync {
    /// The numbers on the host side of [`upload`](Arrays::upload) and [`read`](Arrays::read).
    type Number: Real;
    /// A handle to an array on the device; cloning it copies no data.
    type Tensor: Clone + Send + Sync;

    /// An array of `shape` with the entries `data`.
    fn upload(&self, data: &[Self::Number], shape: &[usize]) -> Self::Tensor;
    /// The entries of `x`. An error if the device failed at any step that led to `x`.
    fn read(&self, x: &Self::Tensor) -> Result<Vec<Self::Number>>;
    /// The shape of `x`.
    fn shape<'a>(&self, x: &'a Self::Tensor) -> &'a [usize];
    /// An array of `shape`, every entry `value`.
    fn full(&self, value: f64, shape: &[usize]) -> Self::Tensor;

    /// The same entries in another shape.
    fn reshape(&self, x: &Self::Tensor, shape: &[usize]) -> Self::Tensor;
    /// The entries `range` along `axis`.
    fn slice(&self, x: &Self::Tensor, axis: usize, range: Range<usize>) -> Self::Tensor;
    /// Axis k of the result is axis `order[k]` of `x`.
    fn permute(&self, x: &Self::Tensor, order: &[usize]) -> Self::Tensor;
    /// The arrays one after another along `axis`.
    fn concat(&self, list: &[&Self::Tensor], axis: usize) -> Self::Tensor;
    /// The sum over `axes`, which stay as axes of size 1.
    fn sum(&self, x: &Self::Tensor, axes: &[usize]) -> Self::Tensor;

    /// a x + b
    fn affine(&self, x: &Self::Tensor, a: f64, b: f64) -> Self::Tensor;
    /// x + y, broadcast.
    fn add(&self, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// x y entry by entry, broadcast.
    fn mul(&self, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// The matrix product over the last two axes, each operand transposed there if asked; other axes broadcast.
    fn matmul(&self, x: &Self::Tensor, transpose_x: bool, y: &Self::Tensor, transpose_y: bool) -> Self::Tensor;

    /// f(x) entry by entry.
    fn apply(&self, f: Unary, x: &Self::Tensor) -> Self::Tensor;
    /// g f'(x) or g f''(x) entry by entry, where y = f(x) is at hand; `g` has the shape of `x`.
    fn apply_derivative(
        &self,
        f: Unary,
        order: Order,
        x: &Self::Tensor,
        y: &Self::Tensor,
        g: &Self::Tensor,
    ) -> Self::Tensor;

    /// Sums `x` down to `target`, the shape that an operand had before it was broadcast to the shape of `x`.
    fn sum_to(&self, x: &Self::Tensor, target: &[usize]) -> Self::Tensor {
        let axes = shape::stretched_axes(target, self.shape(x));
        let summed = if axes.is_empty() { x.clone() } else { self.sum(x, &axes) };
        self.reshape(&summed, target)
    }
}
