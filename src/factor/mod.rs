//! Factors: the per-sample gradients of a parameter at one use, and the quantities computed from them.
//!
//! The per-sample gradient of a parameter at one use is a sum over positions of products of two arrays: the input of
//! the op, and the cotangent of its result. A [`Factor`] is this pair before multiplication. Its input operand
//! determines the structure:
//!
//! | input operand | ops | gradient of a sample |
//! |---|---|---|
//! | [`Features`](InputOperand::Features) | linear layers | sum over t of `dy[t,o] a[t,i]` |
//! | [`Patches`](InputOperand::Patches) | convolutions | sum over t of `dy[(g o),t] patch[g,t,i]` |
//! | [`Planes`](InputOperand::Planes) | transposed convolutions | sum over t of `a[(g i),t]` patch(dy)`[g,t,o]` |
//! | [`Ids`](InputOperand::Ids) | embeddings | row r: sum over t with id(t) = r of `dy[t,o]` |
//! | [`Last`](InputOperand::Last) | biases of linear layers | sum over t of `dy[t,o]` |
//! | [`Channels`](InputOperand::Channels) | biases of convolutions | sum over t of `dy[o,t]` |
//! | [`Rows`](InputOperand::Rows) | all others | computed by the op |
//!
//! | method | formula | result |
//! |---|---|---|
//! | [`gradient`](Factor::gradient) | sum over n of the gradients | the ordinary gradient |
//! | [`jacobian`](Factor::jacobian) | the gradients, row by row | the per-sample Jacobian |
//! | [`gram`](Factor::gram) | sum over t, u of `(a[n,t] . a[m,u]) (b[n,t] . b[m,u])` | the parameter's part of K |
//! | [`jv`](Factor::jv), [`jtu`](Factor::jtu) | contracted with a direction | J v and J^T u |
//!
//! These methods are composed of backend primitives and run on every backend, also on [`Dual`](crate::backend::Dual).
//! There the tangent of the Gram is dK/dv. Kernels compute the same Gram by tiles, through
//! [`Gram`](crate::backend::Gram).

mod operands;

use std::ops::Range;

pub use operands::Operands;

use crate::backend::{Arrays, Window};
use crate::shape::numel;

/// The input of an op, and how it is contracted with the cotangent dy of the op's result. Computed once per tape.
#[non_exhaustive]
pub enum InputOperand<B: Arrays> {
    /// `a[n,t,i]`. The last axis of dy is o, and the axes before it are the positions t.
    Features(B::Tensor),
    /// The patches of `x[n,g i',h,w]` in a window; `dy[n,g o,h',w']`.
    Patches(B::Tensor, Window),
    /// `x[n,g i,h',w']`; the patches of `dy[n,g o',h,w]` in a window.
    Planes(B::Tensor, Window),
    /// Row numbers `ids[n,t]` of a table; `dy[n,t,o]`.
    Ids {
        /// The row numbers.
        ids: B::Tensor,
        /// The number of rows of the table.
        rows: usize,
    },
    /// dy is summed over all axes of a sample but the last.
    Last,
    /// dy is summed over all axes of a sample but the first.
    Channels,
    /// The op computes the rows, see [`Op::rows`](crate::ops::Op::rows).
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
    input: InputOperand<B>,
    output_grad: B::Tensor,
}

impl<B: Arrays> Factor<B> {
    /// Creates a factor. The output gradient is the cotangent of the op's result, `[n, ...]`. For
    /// [`InputOperand::Rows`] it is the rows `[n, p]` of the op.
    pub fn new(input: InputOperand<B>, output_grad: B::Tensor) -> Self {
        Factor { input, output_grad }
    }

    /// The factor of the samples in `range`.
    pub fn rows(&self, arrays: &B, range: Range<usize>) -> Self {
        let slice = |x: &B::Tensor| arrays.slice(x, 0, range.clone());
        let input = match &self.input {
            InputOperand::Features(a) => InputOperand::Features(slice(a)),
            InputOperand::Patches(x, window) => InputOperand::Patches(slice(x), *window),
            InputOperand::Planes(x, window) => InputOperand::Planes(slice(x), *window),
            InputOperand::Ids { ids, rows } => InputOperand::Ids { ids: slice(ids), rows: *rows },
            other => other.clone(),
        };
        Factor { input, output_grad: slice(&self.output_grad) }
    }

    /// The materialised per-sample Jacobian: `[n, p]`.
    pub fn jacobian(&self, arrays: &B) -> B::Tensor {
        let shape = arrays.shape(&self.output_grad);
        let n = shape[0];
        let rows = match &self.input {
            InputOperand::Features(a) => {
                let b = self.positions(arrays);
                let i = arrays.shape(a)[2];
                let s = arrays.shape(&b).to_vec();
                if s[1] == 1 {
                    arrays.mul(&arrays.reshape(&b, &[n, s[2], 1]), &arrays.reshape(a, &[n, 1, i]))
                } else {
                    arrays.matmul(&b, true, a, false)
                }
            }
            InputOperand::Patches(x, window) => {
                arrays.convolve_weight(x, &one_cotangent(arrays, &self.output_grad), window)
            }
            InputOperand::Planes(x, window) => {
                arrays.convolve_weight(&self.output_grad, &one_cotangent(arrays, x), window)
            }
            InputOperand::Ids { ids, rows } => {
                arrays.scatter(&self.positions(arrays), &arrays.indices(ids, *rows, true), n * rows)
            }
            InputOperand::Last => arrays.sum(&self.positions(arrays), &[1]),
            InputOperand::Channels => {
                let t = numel(&shape[2..]);
                arrays.sum(&arrays.reshape(&self.output_grad, &[n, shape[1], t]), &[2])
            }
            InputOperand::Rows => self.output_grad.clone(),
        };
        arrays.reshape(&rows, &[n, self.width(arrays)])
    }

    /// The number p of entries of a gradient.
    fn width(&self, arrays: &B) -> usize {
        let s = arrays.shape(&self.output_grad);
        let last = if s.len() > 1 { s[s.len() - 1] } else { 1 };
        match &self.input {
            InputOperand::Features(a) => last * arrays.shape(a)[2],
            InputOperand::Patches(x, w) => s[1] * arrays.shape(x)[1] / w.groups * w.kernel[0] * w.kernel[1],
            InputOperand::Planes(x, w) => arrays.shape(x)[1] * s[1] / w.groups * w.kernel[0] * w.kernel[1],
            InputOperand::Ids { rows, .. } => rows * last,
            InputOperand::Last | InputOperand::Rows => last,
            InputOperand::Channels => s[1],
        }
    }

    /// The gradient summed over samples: `[p]`.
    pub fn gradient(&self, arrays: &B) -> B::Tensor {
        let flat = |x: &B::Tensor| {
            let s = arrays.shape(x);
            arrays.reshape(x, &[s[0] * s[1], s[2]])
        };
        let gradient = match &self.input {
            InputOperand::Features(a) => arrays.matmul(&flat(&self.positions(arrays)), true, &flat(a), false),
            InputOperand::Patches(x, window) => {
                arrays.convolve_weight_sum(x, &one_cotangent(arrays, &self.output_grad), window)
            }
            InputOperand::Planes(x, window) => {
                arrays.convolve_weight_sum(&self.output_grad, &one_cotangent(arrays, x), window)
            }
            InputOperand::Ids { ids, rows } => {
                arrays.scatter(&self.positions(arrays), &arrays.indices(ids, *rows, false), *rows)
            }
            InputOperand::Last => arrays.sum(&self.positions(arrays), &[0, 1]),
            InputOperand::Channels | InputOperand::Rows => arrays.sum(&self.jacobian(arrays), &[0]),
        };
        arrays.reshape(&gradient, &[numel(arrays.shape(&gradient))])
    }

    /// The gradient summed over samples as one row, `[1, p]`.
    pub fn gradient_row(&self, arrays: &B) -> B::Tensor {
        let gradient = self.gradient(arrays);
        arrays.reshape(&gradient, &[1, numel(arrays.shape(&gradient))])
    }

    /// J v for a direction `v`, `[p]`: `[n]`. The op is linear in its parameter, so its result for `v` is multiplied by
    /// dy.
    pub fn jv(&self, arrays: &B, v: &B::Tensor) -> B::Tensor {
        let shape = arrays.shape(&self.output_grad);
        let n = shape[0];
        let p = numel(arrays.shape(v));
        let weight = |rows: usize| arrays.reshape(v, &[rows, p.checked_div(rows).unwrap_or(0)]);
        let result = match &self.input {
            InputOperand::Features(a) => {
                let b = self.positions(arrays);
                let result = arrays.matmul(a, false, &weight(arrays.shape(&b)[2]), true);
                arrays.reshape(&result, shape)
            }
            InputOperand::Patches(x, window) => arrays.reshape(&arrays.convolve(x, &weight(shape[1]), window), shape),
            InputOperand::Planes(x, window) => {
                arrays.convolve_input(x, &weight(arrays.shape(x)[1]), window, [shape[2], shape[3]])
            }
            InputOperand::Ids { ids, rows } => {
                let result = arrays.gather(&weight(*rows), &arrays.indices(ids, *rows, false));
                arrays.reshape(&result, shape)
            }
            InputOperand::Last | InputOperand::Rows => v.clone(),
            InputOperand::Channels => {
                let mut broadcast = vec![1; shape.len()];
                broadcast[1] = shape[1];
                arrays.reshape(v, &broadcast)
            }
        };
        let product = arrays.mul(&self.output_grad, &result);
        let axes: Vec<usize> = (1..shape.len()).collect();
        arrays.reshape(&arrays.sum(&product, &axes), &[n])
    }

    /// J^T u for weights `u` of the samples, `[n]`: `[p]`.
    pub fn jtu(&self, arrays: &B, u: &B::Tensor) -> B::Tensor {
        let mut shape = vec![1; arrays.shape(&self.output_grad).len()];
        shape[0] = numel(arrays.shape(u));
        let weighted = arrays.mul(&self.output_grad, &arrays.reshape(u, &shape));
        Factor { input: self.input.clone(), output_grad: weighted }.gradient(arrays)
    }

    /// The Gram of the per-sample gradients of `self` and `other`, two uses of one parameter: `[n, m]`.
    ///
    /// It is composed of primitives, so that it also runs in forward mode. It serves as a reference for the tiles of
    /// [`Gram`](crate::backend::Gram).
    pub fn gram(&self, arrays: &B, other: &Self) -> B::Tensor {
        match (self.operands(arrays), other.operands(arrays)) {
            (Some(first), Some(second)) if first.has_layout_of(arrays, &second) => first.gram(arrays, &second),
            _ => arrays.matmul(&self.jacobian(arrays), false, &other.jacobian(arrays), true),
        }
    }

    /// Both operands by position, if the structure has them.
    pub fn operands(&self, arrays: &B) -> Option<Operands<B>> {
        Some(Operands {
            inputs: self.inputs(arrays)?,
            output_grads: self.output_grads(arrays)?,
            swapped: matches!(self.input, InputOperand::Planes(..)),
        })
    }

    /// The inputs `a[n,g,t,i]` of the operands. They do not depend on the output.
    pub(crate) fn inputs(&self, arrays: &B) -> Option<B::Tensor> {
        Some(match &self.input {
            InputOperand::Features(a) => {
                let s = arrays.shape(a);
                arrays.reshape(a, &[s[0], 1, s[1], s[2]])
            }
            InputOperand::Patches(x, window) => arrays.patches(x, window),
            InputOperand::Planes(x, window) => operands::by_position(arrays, x, window.groups),
            _ => return None,
        })
    }

    /// The output gradients `b[n,g,t,o]` of the operands.
    pub(crate) fn output_grads(&self, arrays: &B) -> Option<B::Tensor> {
        Some(match &self.input {
            InputOperand::Features(_) => {
                let b = self.positions(arrays);
                let s = arrays.shape(&b);
                arrays.reshape(&b, &[s[0], 1, s[1], s[2]])
            }
            InputOperand::Patches(_, window) => operands::by_position(arrays, &self.output_grad, window.groups),
            InputOperand::Planes(_, window) => arrays.patches(&self.output_grad, window),
            _ => return None,
        })
    }

    /// The output gradient dy, as `[n,t,o]`.
    fn positions(&self, arrays: &B) -> B::Tensor {
        let shape = arrays.shape(&self.output_grad);
        let n = shape[0];
        let o = if shape.len() > 1 { shape[shape.len() - 1] } else { 1 };
        let t = if shape.len() > 2 { numel(&shape[1..shape.len() - 1]) } else { 1 };
        arrays.reshape(&self.output_grad, &[n, t, o])
    }
}

/// Reshapes `[n, ...]` to `[n, 1, ...]`: one cotangent per sample.
fn one_cotangent<B: Arrays>(arrays: &B, dy: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(dy);
    arrays.reshape(dy, &[&shape[..1], &[1], &shape[1..]].concat())
}
