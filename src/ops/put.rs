//! Rows added up by number.

use super::take::{put, take};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// `y[n,s,r,i]` = sum of `x[n,s,k,i]` over all k with `id[n,s,k] = r`: from `[s, k, i]` and the numbers `[s, k]` to
/// `[s, rows, i]`, with any number of axes s. An invalid row number adds nothing.
///
/// The cotangent of x is the rows of dy by number, NaN for an invalid row number; that of id is 0.
/// [`Take`](super::Take) is the adjoint.
///
/// Descriptions call it `put`, with the attribute `rows`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Put {
    /// The number of rows of the result.
    pub rows: usize,
}

impl Op for Put {
    fn name(&self) -> &'static str {
        "put"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let rows = || attributes.size("rows").map_err(|e| e.context(name));
        (name == "put").then(|| Ok(Put { rows: rows()? }))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        match inputs[0] {
            [tables @ .., k, i] if [tables, &[*k]].concat() == inputs[1] => Ok([tables, &[self.rows, *i]].concat()),
            x => Err(Error::shape(format!(
                "put: inputs of shapes {x:?} and {:?}, where [s, k, i] and [s, k] are needed, with any axes s",
                inputs[1]
            ))),
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        put(ctx.arrays, ctx.inputs[0], ctx.inputs[1], self.rows)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        match input {
            0 => take(ctx.arrays, dy, ctx.inputs[1]),
            _ => ctx.arrays.full(0.0, ctx.input_shape(1)),
        }
    }

    fn piecewise_constant_in(&self, input: usize) -> bool {
        input == 1
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Put { rows: 4 }, &[&[5, 3], &[5]], &[]).whole(1, 4),
            Case::new(Put { rows: 3 }, &[&[2, 4, 1], &[2, 4]], &[]).whole(1, 3),
            Case::new(Put { rows: 2 }, &[&[1, 2, 1, 3], &[1, 2, 1]], &[]).whole(1, 2),
        ]
    }
}
