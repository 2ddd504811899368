//! The array kernels that every device offers, and what forward mode makes of them.
//!
//! [`Arrays`] is the vocabulary in which ops are written, once, for all devices: [`Cpu<f32>`](Cpu) and [`Cpu<f64>`](Cpu),
//! and [`Dual<B>`](Dual), which carries a tangent beside every tensor of `B`. [`Gram`] adds what only kernels need: the
//! tiles of K.
//!
//! Array kernels do not return `Result`: shapes were checked when the model was recorded, and a device that fails hands
//! out poisoned tensors whose [`read`](Arrays::read) returns the error. A shape that does not fit is therefore a fault
//! of an op, and panics.

mod count;
pub mod cpu;
mod device;
mod dual;
#[cfg(feature = "gpu")]
pub mod gpu;
mod gram;
mod rates;
mod relation;
mod tile_config;
mod window;

use std::ops::Range;

pub use count::{Count, Counted};
pub use cpu::Cpu;
pub use device::{Device, DeviceBlock, DeviceIndex, DeviceScratch, DeviceTensor};
pub use dual::{Dual, DualTensor};
#[cfg(feature = "gpu")]
pub use gpu::Gpu;
pub use gram::{Addend, Contraction, ContractionPlan, Gram, Helpers, Panels, RightPanel, Term};
pub use rates::Rates;
pub use relation::Relation;
pub use tile_config::TileConfig;
pub use window::Window;

use crate::error::Result;
use crate::real::Real;
use crate::shape;
use crate::unary::{Order, Unary};

/// The array kernels that ops are made of. All arrays are row-major; axis 0 of an activation is the sample.
///
/// Every kernel is differentiable in its tensor arguments, and linear in each of them but for [`apply`](Arrays::apply),
/// [`apply_derivative`](Arrays::apply_derivative), [`softmax`](Arrays::softmax) and
/// [`log_softmax`](Arrays::log_softmax); that is what makes [`Dual`] one product rule per kernel. The results of
/// [`compare`](Arrays::compare) and [`sort_order`](Arrays::sort_order) are piecewise constant: their derivative is 0. An
/// [`Index`](Arrays::Index) does not vary: where it comes from a maximum, the values are gathered by it, so nothing is detached.
pub trait Arrays: Clone + Send + Sync {
    /// The numbers on the host side of [`upload`](Arrays::upload) and [`read`](Arrays::read).
    type Number: Real;
    /// A handle to an array on the device; cloning it copies no data.
    type Tensor: Clone + Send + Sync;
    /// A handle to an array of row numbers on the device: see [`gather`](Arrays::gather).
    type Index: Clone + Send + Sync;

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

    /// 1 where the relation holds between x and y, else 0, broadcast. The result does not vary.
    fn compare(&self, relation: Relation, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// x where `mask` is not 0, and y where it is, broadcast. The mask does not vary. An entry that is not chosen has no
    /// effect, also if it is infinite or NaN.
    fn select(&self, mask: &Self::Tensor, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// The order of every row of the last axis, with the shape of `x`: entry k is the place of the k-th smallest entry of
    /// the row, or of the k-th largest one if `descending`. Equal entries keep their order; NaN counts as the largest
    /// number. The result does not vary.
    fn sort_order(&self, x: &Self::Tensor, descending: bool) -> Self::Tensor;

    /// softmax over the last axis: e^x / sum e^x, without overflow.
    fn softmax(&self, x: &Self::Tensor) -> Self::Tensor;
    /// log(softmax(x)) over the last axis, accurate where softmax is near 0 or 1.
    fn log_softmax(&self, x: &Self::Tensor) -> Self::Tensor;

    /// What a window sees at each of its positions: of `x`, \[n, g i', h, w\], the patches \[n, g, t, i\], where g are
    /// the window's groups, t its positions and i = i' kh kw, zeros around the plane.
    fn patches(&self, x: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// The convolution y\[n,(g o),t\] = sum over i of w\[(g o),i\] patch\[n,g,t,i\], of shape \[n, g o, h', w'\]; `w` has g o
    /// rows of i entries, whatever its shape.
    fn convolve(&self, x: &Self::Tensor, w: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// The adjoint of [`convolve`](Arrays::convolve) in `x`, of shape \[n, g i', h, w\] with h and w being `size`.
    fn convolve_input(&self, dy: &Self::Tensor, w: &Self::Tensor, window: &Window, size: [usize; 2]) -> Self::Tensor;
    /// The adjoint of [`convolve`](Arrays::convolve) in `w` for every sample and for s cotangents of each: with `dy` of
    /// shape \[n, s, g o, h', w'\], sum over t of dy\[n,s,(g o),t\] patch\[n,g,t,i\], of shape \[n, s, g o, i\].
    fn convolve_weight(&self, x: &Self::Tensor, dy: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// [`convolve_weight`](Arrays::convolve_weight) summed over samples, \[1, s, g o, i\].
    fn convolve_weight_sum(&self, x: &Self::Tensor, dy: &Self::Tensor, window: &Window) -> Self::Tensor {
        self.sum(&self.convolve_weight(x, dy, window), &[0])
    }
    /// The sum over a window at each of its positions, channel by channel: \[n, i, h', w'\].
    fn window_sum(&self, x: &Self::Tensor, window: &Window) -> Self::Tensor;
    /// The adjoint of [`window_sum`](Arrays::window_sum), with h and w being `size`.
    fn window_spread(&self, dy: &Self::Tensor, window: &Window, size: [usize; 2]) -> Self::Tensor;

    /// Where the largest entry in a window is, at each of its positions, \[n, i, h', w'\]: its place among all entries of
    /// `x`. Of equal ones the first; NaN counts as the largest.
    fn window_argmax(&self, x: &Self::Tensor, window: &Window) -> Self::Index;
    /// The entries of `x`, \[n, ...\], as row numbers of a table with `rows` rows. With `apart`, of a table of its own for
    /// each sample: n `rows` are added. A number that is no row, or not whole, leads to NaN where it is gathered, and to
    /// nothing where it is scattered.
    fn indices(&self, x: &Self::Tensor, rows: usize, apart: bool) -> Self::Index;
    /// The rows of `x`, \[rows, d\], that `index` tells: of the index's shape and d.
    fn gather(&self, x: &Self::Tensor, index: &Self::Index) -> Self::Tensor;
    /// The adjoint of [`gather`](Arrays::gather): the rows of `y` added up where `index` tells, \[rows, d\].
    fn scatter(&self, y: &Self::Tensor, index: &Self::Index, rows: usize) -> Self::Tensor;

    /// Sums `x` down to `target`, the shape that an operand had before it was broadcast to the shape of `x`.
    fn sum_to(&self, x: &Self::Tensor, target: &[usize]) -> Self::Tensor {
        let axes = shape::stretched_axes(target, self.shape(x));
        let summed = if axes.is_empty() { x.clone() } else { self.sum(x, &axes) };
        self.reshape(&summed, target)
    }
}
