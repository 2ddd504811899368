//! Common parts of norms: statistics of groups of entries, and the affine map that follows.

use super::OpContext;
use crate::backend::Arrays;
use crate::shape::numel;
use crate::unary::{Reciprocal, Sqrt, Unary};

/// Normalises groups of `size` consecutive entries of a row-major array:
///
/// xhat = (x - mean) / sqrt(variance + eps), where the variance is the mean of (x - mean)^2.
#[derive(Clone, Copy)]
pub(super) struct Normalise {
    pub size: usize,
    pub eps: f64,
    /// Whether the mean is subtracted. If not, the mean is taken to be 0.
    pub centre: bool,
}

impl Normalise {
    fn mean<B: Arrays>(&self, arrays: &B, x: &B::Tensor) -> B::Tensor {
        arrays.affine(&arrays.sum(x, &[1]), 1.0 / self.size as f64, 0.0)
    }

    /// x as `[groups, size]`.
    fn groups<B: Arrays>(&self, arrays: &B, x: &B::Tensor) -> B::Tensor {
        let entries = numel(arrays.shape(x));
        arrays.reshape(x, &[entries / self.size, self.size])
    }

    /// xhat, `[groups, size]`, and 1 / sqrt(variance + eps), `[groups, 1]`.
    fn statistics<B: Arrays>(&self, arrays: &B, x: &B::Tensor) -> (B::Tensor, B::Tensor) {
        let mut x = self.groups(arrays, x);
        if self.centre {
            x = arrays.add(&x, &arrays.affine(&self.mean(arrays, &x), -1.0, 0.0));
        }
        let scale = inverse_root(arrays, &self.mean(arrays, &arrays.mul(&x, &x)), self.eps);
        (arrays.mul(&x, &scale), scale)
    }

    /// xhat, in the shape of `x`.
    pub fn xhat<B: Arrays>(&self, arrays: &B, x: &B::Tensor) -> B::Tensor {
        arrays.reshape(&self.statistics(arrays, x).0, arrays.shape(x))
    }

    /// The cotangent of x from the cotangent of xhat:
    /// dx = (dxhat - mean of dxhat - xhat mean of (dxhat xhat)) / sqrt(variance + eps). The first mean is omitted if x is
    /// not centred.
    pub fn pull<B: Arrays>(&self, arrays: &B, x: &B::Tensor, dxhat: &B::Tensor) -> B::Tensor {
        let (xhat, scale) = self.statistics(arrays, x);
        let dxhat = self.groups(arrays, dxhat);
        let mut along = arrays.mul(&xhat, &self.mean(arrays, &arrays.mul(&dxhat, &xhat)));
        if self.centre {
            along = arrays.add(&along, &self.mean(arrays, &dxhat));
        }
        let dx = arrays.mul(&arrays.add(&dxhat, &arrays.affine(&along, -1.0, 0.0)), &scale);
        arrays.reshape(&dx, arrays.shape(x))
    }
}

/// 1 / sqrt(x + eps)
pub(super) fn inverse_root<B: Arrays>(arrays: &B, x: &B::Tensor, eps: f64) -> B::Tensor {
    let root = arrays.apply(Unary::from(Sqrt), &arrays.affine(x, 1.0, eps));
    arrays.apply(Unary::from(Reciprocal), &root)
}

/// xhat w + b, each parameter reshaped to `shape`. The list `affine` may hold w and b, w only, or nothing.
pub(super) fn affine_map<B: Arrays>(arrays: &B, xhat: B::Tensor, affine: &[&B::Tensor], shape: &[usize]) -> B::Tensor {
    let parameter = |k: usize| affine.get(k).map(|p| arrays.reshape(p, shape));
    let scaled = parameter(0).map_or(xhat.clone(), |w| arrays.mul(&xhat, &w));
    parameter(1).map_or(scaled.clone(), |b| arrays.add(&scaled, &b))
}

/// The cotangent of xhat in [`affine_map`].
pub(super) fn affine_pull<B: Arrays>(arrays: &B, dy: &B::Tensor, affine: &[&B::Tensor], shape: &[usize]) -> B::Tensor {
    affine.first().map_or(dy.clone(), |w| arrays.mul(dy, &arrays.reshape(w, shape)))
}

/// The shape that broadcasts a parameter `[i]` over `[n, i, ...]`.
pub(super) fn by_channel(channels: usize, input: &[usize]) -> Vec<usize> {
    let mut shape = vec![1; input.len() - 1];
    shape[0] = channels;
    shape
}

/// `[n, i, ...]` summed over all axes except samples and channels.
pub(super) fn channel_sums<B: Arrays>(arrays: &B, x: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(x);
    let n = shape[0];
    let channels = shape[1];
    let positions = arrays.reshape(x, &[n, channels, numel(&shape[2..])]);
    arrays.reshape(&arrays.sum(&positions, &[2]), &[n, channels])
}

/// `[n, ..., i]` as `[n, t, last]`, summed over t.
pub(super) fn last_sums<B: Arrays>(arrays: &B, x: &B::Tensor, last: usize) -> B::Tensor {
    let shape = arrays.shape(x);
    let n = shape[0];
    let entries = numel(&shape[1..]);
    let positions = arrays.reshape(x, &[n, entries / last, last]);
    arrays.reshape(&arrays.sum(&positions, &[1]), &[n, last])
}

/// The input's shape without the samples.
pub(super) fn sample_shape<'a, B: Arrays>(ctx: &OpContext<'a, B>) -> &'a [usize] {
    &ctx.input_shape(0)[1..]
}
