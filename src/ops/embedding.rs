//! Embedding: table rows by number.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::numel;

/// `y[n,t,o] = E[id[n,t],o]` for any number of position axes t, including none. The input holds row numbers of the table E
/// as whole numbers. An invalid row number gives NaN.
///
/// Parameter: E, `[rows, o]`. Row r of its per-sample gradient is the sum of `dy[n,t,o]` over all t with `id[n,t] = r`.
/// The cotangent of the row numbers is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Embedding;

impl Op for Embedding {
    fn name(&self) -> &'static str {
        "embedding"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "embedding").then_some(Ok(Embedding))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 1..=1)?;
        match *parameters[0] {
            [rows, o] if rows > 0 => Ok([inputs[0], &[o]].concat()),
            _ => Err(Error::shape(format!(
                "embedding: the table has shape {:?}, but [rows, out] with at least one row is needed (input shape {:?})",
                parameters[0], inputs[0]
            ))),
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let rows = ctx.parameter_shape(0)[0];
        ctx.arrays.gather(ctx.parameters[0], &ctx.arrays.indices(ctx.inputs[0], rows, false))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, _dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.full(0.0, ctx.input_shape(0))
    }

    fn input_operand<B: Arrays>(&self, ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        let shape = ctx.input_shape(0);
        let ids = ctx.arrays.reshape(ctx.inputs[0], &[shape[0], numel(&shape[1..])]);
        (parameter == 0).then(|| InputOperand::Ids { ids, rows: ctx.parameter_shape(0)[0] })
    }

    fn rows_looked_up(&self, _input: usize, parameters: &[&[usize]]) -> Option<usize> {
        parameters.first()?.first().copied()
    }

    fn piecewise_constant_in(&self, _input: usize) -> bool {
        true
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Embedding, &[&[4]], &[&[3, 2]]).whole(0, 3),
            Case::new(Embedding, &[&[]], &[&[5, 3]]).whole(0, 5),
            Case::new(Embedding, &[&[2, 3]], &[&[4, 1]]).whole(0, 4),
            Case::new(Embedding, &[&[2]], &[&[1, 2]]).whole(0, 1),
        ]
    }
}
