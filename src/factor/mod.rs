//! What one use of a parameter leaves behind, and its readings.
//!
//! The per-sample gradient of a parameter at one of its uses is sum over t of b\[n,t,o\] a\[n,t,i\]: what came in at the
//! op, and what the output's derivative is at what went out. A [`Factor`] is that pair, not multiplied out.
//!
//! | reading | formula | gives |
//! |---|---|---|
//! | [`gradient`](Factor::gradient) | sum over n, t of b a | the ordinary gradient |
//! | [`jacobian`](Factor::jacobian) | sum over t of b a, row by row | the per-sample Jacobian |
//! | [`gram`](Factor::gram) | sum over t, u of (a\[n,t\] . a\[m,u\]) (b\[n,t\] . b\[m,u\]) | the parameter's part of K |
//! | [`jv`](Factor::jv), [`jtu`](Factor::jtu) | contracted with a direction | J v and J^T u |
//!
//! The readings here are composed of array kernels and run on every backend, [`Dual`](crate::backend::Dual) included:
//! over it, the Gram's tangent is dK/dv. Kernels read the same pairs by tiles, through
//! [`Gram`](crate::backend::Gram).

use std::ops::Range;

use crate::backend::Arrays;
use crate::shape::numel;

/// The left side of a per-sample gradient: what came in. Made once per tape.
pub enum Left<B: Arrays> {
    /// Ones, as at a bias: the gradient is sum over t of b\[n,t,o\].
    Ones,
    /// a\[n,t,i\]
    Features(B::Tensor),
}

/// The right side of a per-sample gradient, as an op gives it. Made once per output.
pub enum Right<B: Arrays> {
    /// The cotangent of the op's result, its last axis being o and all between it and the sample positions t.
    Cotangent,
    /// b\[n,t,o\] of its own; with [`Left::Ones`] and t = 1, the gradient multiplied out, row by row.
    Array(B::Tensor),
}

impl<B: Arrays> Clone for Left<B> {
    fn clone(&self) -> Self {
        match self {
            Left::Ones => Left::Ones,
            Left::Features(a) => Left::Features(a.clone()),
        }
    }
}

/// The per-sample gradient of one parameter at one use: sum over t of b\[n,t,o\] a\[n,t,i\], laid out \[o, i\].
pub struct Factor<B: Arrays> {
    left: Left<B>,
    right: B::Tensor,
}

impl<B: Arrays> Factor<B> {
    /// The factor with sides `left` and `right`, b\[n,t,o\].
    pub fn new(left: Left<B>, right: B::Tensor) -> Self {
        Factor { left, right }
    }

    /// The factor of the samples in `range`.
    pub fn rows(&self, arrays: &B, range: Range<usize>) -> Self {
        let left = match &self.left {
            Left::Ones => Left::Ones,
            Left::Features(a) => Left::Features(arrays.slice(a, 0, range.clone())),
        };
        Factor { left, right: arrays.slice(&self.right, 0, range) }
    }

    /// The per-sample Jacobian, multiplied out: \[n, p\] with p = o i.
    pub fn jacobian(&self, arrays: &B) -> B::Tensor {
        let shape = arrays.shape(&self.right);
        let (n, t, o) = (shape[0], shape[1], shape[2]);
        let Left::Features(a) = &self.left else { return self.summed_right(arrays) };
        let i = arrays.shape(a)[2];
        let rows = if t == 1 {
            arrays.mul(&arrays.reshape(&self.right, &[n, o, 1]), &arrays.reshape(a, &[n, 1, i]))
        } else {
            arrays.matmul(&self.right, true, a, false)
        };
        arrays.reshape(&rows, &[n, o * i])
    }

    /// The gradient summed over samples: \[p\].
    pub fn gradient(&self, arrays: &B) -> B::Tensor {
        match &self.left {
            Left::Features(a) => {
                let flat = |x: &B::Tensor| {
                    let s = arrays.shape(x);
                    arrays.reshape(x, &[s[0] * s[1], s[2]])
                };
                let gradient = arrays.matmul(&flat(&self.right), true, &flat(a), false);
                arrays.reshape(&gradient, &[numel(arrays.shape(&gradient))])
            }
            Left::Ones => {
                let o = arrays.shape(&self.right)[2];
                arrays.reshape(&arrays.sum(&self.right, &[0, 1]), &[o])
            }
        }
    }

    /// J v for a direction `v`, \[p\]: \[n\].
    pub fn jv(&self, arrays: &B, v: &B::Tensor) -> B::Tensor {
        let o = arrays.shape(&self.right)[2];
        let moved = match &self.left {
            Left::Features(a) => {
                let i = arrays.shape(a)[2];
                arrays.matmul(a, false, &arrays.reshape(v, &[o, i]), true)
            }
            Left::Ones => arrays.reshape(v, &[1, 1, o]),
        };
        let product = arrays.mul(&self.right, &moved);
        let n = arrays.shape(&product)[0];
        arrays.reshape(&arrays.sum(&product, &[1, 2]), &[n])
    }

    /// J^T u for weights `u` of the samples, \[n\]: \[p\].
    pub fn jtu(&self, arrays: &B, u: &B::Tensor) -> B::Tensor {
        let n = numel(arrays.shape(u));
        let weighted = arrays.mul(&self.right, &arrays.reshape(u, &[n, 1, 1]));
        Factor { left: self.left.clone(), right: weighted }.gradient(arrays)
    }

    /// The Gram of the per-sample gradients of `self` and `other`: \[n, m\]. Both are uses of one parameter.
    ///
    /// Composed of array kernels, so that it also runs in forward mode, and checks the tiles of
    /// [`Gram`](crate::backend::Gram).
    pub fn gram(&self, arrays: &B, other: &Self) -> B::Tensor {
        let (Left::Features(a), Left::Features(a2)) = (&self.left, &other.left) else {
            return arrays.matmul(&self.jacobian(arrays), false, &other.jacobian(arrays), true);
        };
        let product = |x: &B::Tensor, y: &B::Tensor| {
            let (s, r) = (arrays.shape(x), arrays.shape(y));
            let (x, y) = (arrays.reshape(x, &[s[0] * s[1], s[2]]), arrays.reshape(y, &[r[0] * r[1], r[2]]));
            arrays.matmul(&x, false, &y, true)
        };
        let pairs = arrays.mul(&product(a, a2), &product(&self.right, &other.right));
        let (s, r) = (arrays.shape(a), arrays.shape(a2));
        let pairs = arrays.reshape(&pairs, &[s[0], s[1], r[0], r[1]]);
        arrays.reshape(&arrays.sum(&pairs, &[1, 3]), &[s[0], r[0]])
    }

    /// sum over t of b\[n,t,o\]: \[n, o\].
    fn summed_right(&self, arrays: &B) -> B::Tensor {
        let shape = arrays.shape(&self.right);
        let (n, t, o) = (shape[0], shape[1], shape[2]);
        let summed = if t == 1 { self.right.clone() } else { arrays.sum(&self.right, &[1]) };
        arrays.reshape(&summed, &[n, o])
    }
}
