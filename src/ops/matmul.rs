//! The product of two activations.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// The matrix product x1 x2, or x1 x2^T, over the last two axes of every sample, as in attention. All other axes of the
/// samples agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matmul {
    /// Whether the second input is transposed. The attribute `transpose_b`, default false.
    pub transpose_b: bool,
}

impl Op for Matmul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read =
            || Ok(Matmul { transpose_b: attributes.flag_or("transpose_b", false).map_err(|e| e.context(name))? });
        (name == "matmul").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        let x = inputs[0];
        let y = inputs[1];
        let rank = inputs[0].len();
        let fits = rank >= 2 && y.len() == rank && x[..rank - 2] == y[..rank - 2] && {
            let summed = if self.transpose_b { y[rank - 1] } else { y[rank - 2] };
            x[rank - 1] == summed
        };
        if !fits {
            let transposed = if self.transpose_b { ", the second transposed" } else { "" };
            return Err(Error::shape(format!("matmul: inputs of shapes {x:?} and {y:?}{transposed} do not fit")));
        }
        let mut shape = x.to_vec();
        shape[rank - 1] = if self.transpose_b { y[rank - 2] } else { y[rank - 1] };
        Ok(shape)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.matmul(ctx.inputs[0], false, ctx.inputs[1], self.transpose_b)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let x = ctx.inputs[0];
        let y = ctx.inputs[1];
        match (input, self.transpose_b) {
            (0, transposed) => ctx.arrays.matmul(dy, false, y, !transposed),
            (_, false) => ctx.arrays.matmul(x, true, dy, false),
            (_, true) => ctx.arrays.matmul(dy, true, x, false),
        }
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Matmul { transpose_b: false }, &[&[2, 3], &[3, 4]], &[]),
            Case::new(Matmul { transpose_b: true }, &[&[2, 3], &[4, 3]], &[]),
            Case::new(Matmul { transpose_b: true }, &[&[2, 5, 3], &[2, 1, 3]], &[]),
        ]
    }
}
