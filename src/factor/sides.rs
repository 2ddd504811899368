//! The two sides of a factor, position by position.

use crate::backend::Arrays;
use crate::shape::numel;

/// A factor as a\[n,g,t,i\] and b\[n,g,t,o\]: the gradient of a sample is, for every group g, sum over t of b a, laid out
/// \[g, o, i\], or \[g, i, o\] if `swapped`.
pub struct Sides<B: Arrays> {
    /// What came in, the same for every output.
    pub a: B::Tensor,
    /// What depends on the output.
    pub b: B::Tensor,
    /// The parameter's layout is \[g, i, o\].
    pub swapped: bool,
}

impl<B: Arrays> Sides<B> {
    /// Do entries of both mean the same entries of a parameter, side by side?
    pub fn meets(&self, arrays: &B, other: &Self) -> bool {
        let sizes = |s: &Self| (arrays.shape(&s.a)[1], arrays.shape(&s.a)[3], arrays.shape(&s.b)[3]);
        self.swapped == other.swapped && sizes(self) == sizes(other)
    }

    /// sum over g, t, u of (a\[n,g,t\] . a'\[n,g,u\]) (b\[n,g,t\] . b'\[n,g,u\]), of every sample with itself: \[n\].
    pub fn norms(&self, arrays: &B, other: &Self) -> B::Tensor {
        let a = arrays.matmul(&self.a, false, &other.a, true);
        let b = arrays.matmul(&self.b, false, &other.b, true);
        let sums = arrays.sum(&arrays.mul(&a, &b), &[1, 2, 3]);
        arrays.reshape(&sums, &[arrays.shape(&self.a)[0]])
    }

    /// sum over g, t, u of (a\[n,g,t\] . a\[m,g,u\]) (b\[n,g,t\] . b\[m,g,u\]): \[n, m\].
    pub fn gram(&self, arrays: &B, other: &Self) -> B::Tensor {
        let product = |x: &B::Tensor, y: &B::Tensor| {
            let flat = |x: &B::Tensor| {
                let s = arrays.shape(x).to_vec();
                let by_group = if s[1] == 1 { x.clone() } else { arrays.permute(x, &[1, 0, 2, 3]) };
                arrays.reshape(&by_group, &[s[1], s[0] * s[2], s[3]])
            };
            arrays.matmul(&flat(x), false, &flat(y), true)
        };
        let pairs = arrays.mul(&product(&self.a, &other.a), &product(&self.b, &other.b));
        let (s, r) = (arrays.shape(&self.a), arrays.shape(&other.a));
        let pairs = arrays.reshape(&pairs, &[s[1], s[0], s[2], r[0], r[2]]);
        arrays.reshape(&arrays.sum(&pairs, &[0, 2, 4]), &[s[0], r[0]])
    }
}

/// x\[n,(g o),...\] as \[n,g,t,o\].
pub(super) fn by_position<B: Arrays>(arrays: &B, x: &B::Tensor, groups: usize) -> B::Tensor {
    let s = arrays.shape(x);
    let grouped = arrays.reshape(x, &[s[0], groups, s[1] / groups, numel(&s[2..])]);
    arrays.permute(&grouped, &[0, 1, 3, 2])
}
