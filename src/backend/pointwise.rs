//! Arithmetic and functions, entry by entry.

use super::{Relation, Storage};
use crate::unary::{Order, Unary};

/// The primitives that work entry by entry.
pub trait Pointwise: Storage {
    /// a x + b
    fn affine(&self, x: &Self::Tensor, a: f64, b: f64) -> Self::Tensor;
    /// x + y, broadcast.
    fn add(&self, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// x y entry by entry, broadcast.
    fn mul(&self, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// f(x)
    fn apply(&self, f: Unary, x: &Self::Tensor) -> Self::Tensor;
    /// g f'(x) or g f''(x), given y = f(x). The shapes of `x`, `y` and `g` are equal.
    fn apply_derivative(
        &self,
        f: Unary,
        order: Order,
        x: &Self::Tensor,
        y: &Self::Tensor,
        g: &Self::Tensor,
    ) -> Self::Tensor;
    /// 1 where the relation holds between x and y, else 0, broadcast. The result is constant.
    fn compare(&self, relation: Relation, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
    /// x where `mask` is not 0, else y, broadcast. The mask is constant. An entry that is not selected has no effect, also
    /// if it is infinite or NaN.
    fn select(&self, mask: &Self::Tensor, x: &Self::Tensor, y: &Self::Tensor) -> Self::Tensor;
}
