//! The two operands of a factor, by position.

use crate::backend::Arrays;
use crate::shape::numel;

/// The operands `a[n,g,t,i]` and `b[n,g,t,o]` of a factor. The gradient of a sample is sum over t of b a, for every
/// group g. Its layout is `[g, o, i]`, or `[g, i, o]` if `swapped`.
pub struct Operands<B: Arrays> {
    /// The inputs a, the same for every output.
    pub inputs: B::Tensor,
    /// The output gradients b.
    pub output_grads: B::Tensor,
    /// True if the layout of the parameter is `[g, i, o]`.
    pub swapped: bool,
}

impl<B: Arrays> Operands<B> {
    /// True if both have the same layout of the parameter.
    pub fn has_layout_of(&self, arrays: &B, other: &Self) -> bool {
        let sizes =
            |s: &Self| (arrays.shape(&s.inputs)[1], arrays.shape(&s.inputs)[3], arrays.shape(&s.output_grads)[3]);
        self.swapped == other.swapped && sizes(self) == sizes(other)
    }

    /// The squared norms, sum over g, t, u of `(a[n,g,t] . a'[n,g,u]) (b[n,g,t] . b'[n,g,u])`: `[n]`.
    pub fn norms(&self, arrays: &B, other: &Self) -> B::Tensor {
        let a = arrays.matmul(&self.inputs, false, &other.inputs, true);
        let b = arrays.matmul(&self.output_grads, false, &other.output_grads, true);
        let sums = arrays.sum(&arrays.mul(&a, &b), &[1, 2, 3]);
        arrays.reshape(&sums, &[arrays.shape(&self.inputs)[0]])
    }

    /// The Gram, sum over g, t, u of `(a[n,g,t] . a[m,g,u]) (b[n,g,t] . b[m,g,u])`: `[n, m]`.
    pub fn gram(&self, arrays: &B, other: &Self) -> B::Tensor {
        let product = |x, y| arrays.matmul(&by_group(arrays, x), false, &by_group(arrays, y), true);
        let pairs =
            arrays.mul(&product(&self.inputs, &other.inputs), &product(&self.output_grads, &other.output_grads));
        let s = arrays.shape(&self.inputs);
        let r = arrays.shape(&other.inputs);
        let pairs = arrays.reshape(&pairs, &[s[1], s[0], s[2], r[0], r[2]]);
        arrays.reshape(&arrays.sum(&pairs, &[0, 2, 4]), &[s[0], r[0]])
    }
}

/// Reshapes `x[n,g,t,i]` to `[g,(n t),i]`.
fn by_group<B: Arrays>(arrays: &B, x: &B::Tensor) -> B::Tensor {
    let s = arrays.shape(x).to_vec();
    let groups_first = if s[1] == 1 { x.clone() } else { arrays.permute(x, &[1, 0, 2, 3]) };
    arrays.reshape(&groups_first, &[s[1], s[0] * s[2], s[3]])
}

/// Reshapes `x[n,(g o),...]` to `[n,g,t,o]`.
pub(super) fn by_position<B: Arrays>(arrays: &B, x: &B::Tensor, groups: usize) -> B::Tensor {
    let s = arrays.shape(x);
    let grouped = arrays.reshape(x, &[s[0], groups, s[1] / groups, numel(&s[2..])]);
    arrays.permute(&grouped, &[0, 1, 3, 2])
}
