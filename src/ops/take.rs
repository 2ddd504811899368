//! Rows of a sample by number.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::shape::numel;

/// `y[n,s,k,i] = x[n,s,id[n,s,k],i]`: rows of the sample's own tables, `[s, rows, i]`, by the numbers in id, `[s, k]`.
/// There may be any number of axes s, or zero: each has its own table. An invalid row number gives NaN.
///
/// The cotangent of x is dy added up row by row; that of id is 0. [`Put`](super::Put) is the adjoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Take;

impl Op for Take {
    fn name(&self) -> &'static str {
        "take"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "take").then_some(Ok(Take))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        match (inputs[0], inputs[1]) {
            ([tables @ .., _, i], [own @ .., _]) if tables == own => Ok([inputs[1], &[*i]].concat()),
            (x, ids) => Err(Error::shape(format!(
                "take: inputs of shapes {x:?} and {ids:?}, where [s, rows, i] and [s, k] are needed, with any axes s"
            ))),
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        take(ctx.arrays, ctx.inputs[0], ctx.inputs[1])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let shape = ctx.input_shape(0);
        match input {
            0 => put(ctx.arrays, dy, ctx.inputs[1], shape[shape.len() - 2]),
            _ => ctx.arrays.full(0.0, ctx.input_shape(1)),
        }
    }

    fn piecewise_constant_in(&self, input: usize) -> bool {
        input == 1
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Take, &[&[4, 3], &[5]], &[]).whole(1, 4),
            Case::new(Take, &[&[2, 3, 1], &[2, 4]], &[]).whole(1, 3),
            Case::new(Take, &[&[2, 1, 2, 2], &[2, 1, 1]], &[]).whole(1, 2),
        ]
    }
}

/// The rows of the tables `x`, `[n, s, rows, i]`, by `ids`, `[n, s, k]`: `[n, s, k, i]`.
pub(super) fn take<B: Arrays>(arrays: &B, x: &B::Tensor, ids: &B::Tensor) -> B::Tensor {
    let (shape, wanted) = (arrays.shape(x), arrays.shape(ids));
    let [tables @ .., rows, i] = shape else { unreachable!("the shape rule said so") };
    let count = wanted[wanted.len() - 1];
    let table = arrays.reshape(x, &[numel(tables) * rows, *i]);
    let flat = arrays.reshape(ids, &[numel(tables), count]);
    let y = arrays.gather(&table, &arrays.indices(&flat, *rows, true));
    arrays.reshape(&y, &[wanted, &[*i]].concat())
}

/// The rows of `y`, `[n, s, k, i]`, added up where `ids`, `[n, s, k]`, says, in tables of `rows` rows: `[n, s, rows, i]`.
pub(super) fn put<B: Arrays>(arrays: &B, y: &B::Tensor, ids: &B::Tensor, rows: usize) -> B::Tensor {
    let [tables @ .., count, i] = arrays.shape(y) else { unreachable!("the shape rule said so") };
    let flat = arrays.reshape(y, &[numel(tables), *count, *i]);
    let ids = arrays.reshape(ids, &[numel(tables), *count]);
    let sums = arrays.scatter(&flat, &arrays.indices(&ids, rows, true), numel(tables) * rows);
    arrays.reshape(&sums, &[tables, &[rows, *i]].concat())
}
