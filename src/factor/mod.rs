//! What one use of a parameter leaves behind, and its readings.
//!
//! The per-sample gradient of a parameter at one of its uses is a sum over positions of products of two things: what
//! came in at the op, and what the output's derivative is at what went out. A [`Factor`] is that pair, not multiplied
//! out. Its left side tells its form:
//!
//! | left side | made by | gradient of a sample |
//! |---|---|---|
//! | [`Features`](InputOperand::Features) | linear layers | sum over t of dy\[t,o\] a\[t,i\] |
//! | [`Patches`](InputOperand::Patches) | convolutions | sum over t of dy\[(g o),t\] patch\[g,t,i\] |
//! | [`Planes`](InputOperand::Planes) | transposed convolutions | sum over t of a\[(g i),t\] patch(dy)\[g,t,o\] |
//! | [`Ids`](InputOperand::Ids) | embeddings | row id(t) is the sum over its t of dy\[t,o\] |
//! | [`Last`](InputOperand::Last) | biases of linear layers | sum over t of dy\[t,o\] |
//! | [`Channels`](InputOperand::Channels) | biases of convolutions | sum over t of dy\[o,t\] |
//! | [`Rows`](InputOperand::Rows) | all else | as the op gives it |
//!
//! | reading | formula | gives |
//! |---|---|---|
//! | [`gradient`](Factor::gradient) | sum over n of the gradients | the ordinary gradient |
//! | [`jacobian`](Factor::jacobian) | the gradients, row by row | the per-sample Jacobian |
//! | [`gram`](Factor::gram) | sum over t, u of (a\[n,t\] . a\[m,u\]) (b\[n,t\] . b\[m,u\]) | the parameter's part of K |
//! | [`jv`](Factor::jv), [`jtu`](Factor::jtu) | contracted with a direction | J v and J^T u |
//!
//! The readings here are composed of array kernels and run on every backend, [`Dual`](crate::backend::Dual) included:
//! over it, the Gram's tangent is dK/dv. Kernels read the same pairs by tiles, through
//! [`Gram`](crate::backend::Gram).

mod sides;

use std::ops::Range;

pub use sides::Sides;

use crate::backend::{Arrays, Window};
use crate::shape::numel;

/// The left side of a per-sample gradient: what came in at the op, and how it meets the cotangent dy of the op's
/// result. Made once per tape.
#[non_exhaustive]
pub enum InputOperand<B: Arrays> {
    /// a\[n,t,i\]; the last axis of dy is o, the axes before it are the positions t.
    Features(B::Tensor),
    /// x\[n,g i',h,w\], seen through a window; dy\[n,g o,h',w'\].
    Patches(B::Tensor, Window),
    /// x\[n,g i,h',w'\]; dy\[n,g o',h,w\], seen through a window.
    Planes(B::Tensor, Window),
    /// ids\[n,t\] of rows of a table; dy\[n,t,o\].
    Ids {
        /// The rows, as numbers.
        ids: B::Tensor,
        /// How many the table has.
        rows: usize,
    },
    /// dy is summed over all axes of a sample but the last.
    Last,
    /// dy is summed over all axes of a sample but the first.
    Channels,
    /// The op gives rows of its own, see [`Op::rows`](crate::ops::Op::rows).
    Rows,
}

impl<B: Arrays> Clone for InputOperand<B> {
    fn clone(&self) -> Self {
        match self {
            InputOperand::Features(a) => InputOperand::Features(a.clone()),
            InputOperand::Patches(x, window) => InputOperand::Patches(x.clone(), *window),
            InputOperand::Planes(x, window) => InputOperand::Planes(x.clone(), *window),
            InputOperand::Ids { ids, rows } => InputOperand::Ids { ids: ids.clone(), rows: *rows },
            InputOperand::Last => InputOperand::Last,
            InputOperand::Channels => InputOperand::Channels,
            InputOperand::Rows => InputOperand::Rows,
        }
    }
}

/// The per-sample gradient of one parameter at one use.
pub struct Factor<B: Arrays> {
    left: InputOperand<B>,
    right: B::Tensor,
}

impl<B: Arrays> Factor<B> {
    /// The factor with the left side `left`. Its right side is the cotangent of the op's result, \[n, ...\], or, for
    /// [`InputOperand::Rows`], the rows \[n, p\] that the op gives.
    pub fn new(left: InputOperand<B>, right: B::Tensor) -> Self {
        Factor { left, right }
    }

    /// The factor of the samples in `range`.
    pub fn rows(&self, arrays: &B, range: Range<usize>) -> Self {
        let cut = |x: &B::Tensor| arrays.slice(x, 0, range.clone());
        let left = match &self.left {
            InputOperand::Features(a) => InputOperand::Features(cut(a)),
            InputOperand::Patches(x, window) => InputOperand::Patches(cut(x), *window),
            InputOperand::Planes(x, window) => InputOperand::Planes(cut(x), *window),
            InputOperand::Ids { ids, rows } => InputOperand::Ids { ids: cut(ids), rows: *rows },
            other => other.clone(),
        };
        Factor { left, right: cut(&self.right) }
    }

    /// The per-sample Jacobian, multiplied out: \[n, p\].
    pub fn jacobian(&self, arrays: &B) -> B::Tensor {
        let shape = arrays.shape(&self.right);
        let n = shape[0];
        let rows = match &self.left {
            InputOperand::Features(a) => {
                let (b, i) = (self.positions(arrays), arrays.shape(a)[2]);
                let s = arrays.shape(&b).to_vec();
                if s[1] == 1 {
                    arrays.mul(&arrays.reshape(&b, &[n, s[2], 1]), &arrays.reshape(a, &[n, 1, i]))
                } else {
                    arrays.matmul(&b, true, a, false)
                }
            }
            InputOperand::Patches(x, window) => arrays.convolve_weight(x, &one_cotangent(arrays, &self.right), window),
            InputOperand::Planes(x, window) => arrays.convolve_weight(&self.right, &one_cotangent(arrays, x), window),
            InputOperand::Ids { ids, rows } => {
                arrays.scatter(&self.positions(arrays), &arrays.indices(ids, *rows, true), n * rows)
            }
            InputOperand::Last => arrays.sum(&self.positions(arrays), &[1]),
            InputOperand::Channels => {
                let t = numel(&shape[2..]);
                arrays.sum(&arrays.reshape(&self.right, &[n, shape[1], t]), &[2])
            }
            InputOperand::Rows => self.right.clone(),
        };
        arrays.reshape(&rows, &[n, self.width(arrays)])
    }

    /// p, the number of entries of a gradient.
    fn width(&self, arrays: &B) -> usize {
        let s = arrays.shape(&self.right);
        let last = if s.len() > 1 { s[s.len() - 1] } else { 1 };
        match &self.left {
            InputOperand::Features(a) => last * arrays.shape(a)[2],
            InputOperand::Patches(x, w) => s[1] * arrays.shape(x)[1] / w.groups * w.kernel[0] * w.kernel[1],
            InputOperand::Planes(x, w) => arrays.shape(x)[1] * s[1] / w.groups * w.kernel[0] * w.kernel[1],
            InputOperand::Ids { rows, .. } => rows * last,
            InputOperand::Last | InputOperand::Rows => last,
            InputOperand::Channels => s[1],
        }
    }

    /// The gradient summed over samples: \[p\].
    pub fn gradient(&self, arrays: &B) -> B::Tensor {
        let flat = |x: &B::Tensor| {
            let s = arrays.shape(x);
            arrays.reshape(x, &[s[0] * s[1], s[2]])
        };
        let gradient = match &self.left {
            InputOperand::Features(a) => arrays.matmul(&flat(&self.positions(arrays)), true, &flat(a), false),
            InputOperand::Patches(x, window) => {
                arrays.convolve_weight_sum(x, &one_cotangent(arrays, &self.right), window)
            }
            InputOperand::Planes(x, window) => {
                arrays.convolve_weight_sum(&self.right, &one_cotangent(arrays, x), window)
            }
            InputOperand::Ids { ids, rows } => {
                arrays.scatter(&self.positions(arrays), &arrays.indices(ids, *rows, false), *rows)
            }
            InputOperand::Last => arrays.sum(&self.positions(arrays), &[0, 1]),
            InputOperand::Channels | InputOperand::Rows => arrays.sum(&self.jacobian(arrays), &[0]),
        };
        arrays.reshape(&gradient, &[numel(arrays.shape(&gradient))])
    }

    /// The gradient summed over samples as one row, \[1, p\].
    pub fn gradient_row(&self, arrays: &B) -> B::Tensor {
        let gradient = self.gradient(arrays);
        arrays.reshape(&gradient, &[1, numel(arrays.shape(&gradient))])
    }

    /// J v for a direction `v`, \[p\]: \[n\]. The op is linear in its parameter: what it makes of `v` meets dy.
    pub fn jv(&self, arrays: &B, v: &B::Tensor) -> B::Tensor {
        let shape = arrays.shape(&self.right);
        let (n, p) = (shape[0], numel(arrays.shape(v)));
        let weight = |rows: usize| arrays.reshape(v, &[rows, p.checked_div(rows).unwrap_or(0)]);
        let moved = match &self.left {
            InputOperand::Features(a) => {
                let b = self.positions(arrays);
                let moved = arrays.matmul(a, false, &weight(arrays.shape(&b)[2]), true);
                arrays.reshape(&moved, shape)
            }
            InputOperand::Patches(x, window) => arrays.reshape(&arrays.convolve(x, &weight(shape[1]), window), shape),
            InputOperand::Planes(x, window) => {
                arrays.convolve_input(x, &weight(arrays.shape(x)[1]), window, [shape[2], shape[3]])
            }
            InputOperand::Ids { ids, rows } => {
                let moved = arrays.gather(&weight(*rows), &arrays.indices(ids, *rows, false));
                arrays.reshape(&moved, shape)
            }
            InputOperand::Last | InputOperand::Rows => v.clone(),
            InputOperand::Channels => {
                let mut broadcast = vec![1; shape.len()];
                broadcast[1] = shape[1];
                arrays.reshape(v, &broadcast)
            }
        };
        let product = arrays.mul(&self.right, &moved);
        let axes: Vec<usize> = (1..shape.len()).collect();
        arrays.reshape(&arrays.sum(&product, &axes), &[n])
    }

    /// J^T u for weights `u` of the samples, \[n\]: \[p\].
    pub fn jtu(&self, arrays: &B, u: &B::Tensor) -> B::Tensor {
        let mut shape = vec![1; arrays.shape(&self.right).len()];
        shape[0] = numel(arrays.shape(u));
        let weighted = arrays.mul(&self.right, &arrays.reshape(u, &shape));
        Factor { left: self.left.clone(), right: weighted }.gradient(arrays)
    }

    /// The Gram of the per-sample gradients of `self` and `other`: \[n, m\]. Both are uses of one parameter.
    ///
    /// Composed of array kernels, so that it also runs in forward mode, and checks the tiles of
    /// [`Gram`](crate::backend::Gram).
    pub fn gram(&self, arrays: &B, other: &Self) -> B::Tensor {
        match (self.sides(arrays), other.sides(arrays)) {
            (Some(one), Some(two)) if one.meets(arrays, &two) => one.gram(arrays, &two),
            _ => arrays.matmul(&self.jacobian(arrays), false, &other.jacobian(arrays), true),
        }
    }

    /// Both sides position by position, if the form has them.
    pub fn sides(&self, arrays: &B) -> Option<Sides<B>> {
        let (a, b) = (self.side_a(arrays)?, self.side_b(arrays)?);
        Some(Sides { a, b, swapped: matches!(self.left, InputOperand::Planes(..)) })
    }

    /// a\[n,g,t,i\] of the sides: it does not depend on the output.
    pub(crate) fn side_a(&self, arrays: &B) -> Option<B::Tensor> {
        Some(match &self.left {
            InputOperand::Features(a) => {
                let s = arrays.shape(a);
                arrays.reshape(a, &[s[0], 1, s[1], s[2]])
            }
            InputOperand::Patches(x, window) => arrays.patches(x, window),
            InputOperand::Planes(x, window) => sides::by_position(arrays, x, window.groups),
            _ => return None,
        })
    }

    /// b\[n,g,t,o\] of the sides.
    pub(crate) fn side_b(&self, arrays: &B) -> Option<B::Tensor> {
        Some(match &self.left {
            InputOperand::Features(_) => {
                let b = self.positions(arrays);
                let s = arrays.shape(&b);
                arrays.reshape(&b, &[s[0], 1, s[1], s[2]])
            }
            InputOperand::Patches(_, window) => sides::by_position(arrays, &self.right, window.groups),
            InputOperand::Planes(_, window) => arrays.patches(&self.right, window),
            _ => return None,
        })
    }

    /// dy as \[n,t,o\].
    fn positions(&self, arrays: &B) -> B::Tensor {
        let shape = arrays.shape(&self.right);
        let (n, o) = (shape[0], if shape.len() > 1 { shape[shape.len() - 1] } else { 1 });
        let t = if shape.len() > 2 { numel(&shape[1..shape.len() - 1]) } else { 1 };
        arrays.reshape(&self.right, &[n, t, o])
    }
}

/// \[n, ...\] as \[n, 1, ...\]: one cotangent for each sample.
fn one_cotangent<B: Arrays>(arrays: &B, dy: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(dy);
    arrays.reshape(dy, &[&shape[..1], &[1], &shape[1..]].concat())
}
