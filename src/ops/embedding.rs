//! Rows of a table by number.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::numel;

/// y\[n,t,o\] = E\[id\[n,t\],o\], for any number of position axes t, also none: the rows of a table that the input, whole
/// numbers below the number of rows, tells. A number that is no row gives NaN.
///
/// Parameter: E, \[rows, o\]. Row r of its per-sample gradient is the sum over those t with id\[n,t\] = r of dy\[n,t,o\].
/// Nothing varies with a whole number: its cotangent is 0.
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
                "embedding: a table of shape {:?} for an input of shape {:?}, where [rows, out] with a row is needed",
                parameters[0], inputs[0]
            ))),
        }
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let rows = at.parameter_shape(0)[0];
        at.arrays.gather(at.parameters[0], &at.arrays.indices(at.inputs[0], rows, false))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, _dy: &B::Tensor, _input: usize) -> B::Tensor {
        at.arrays.full(0.0, at.input_shape(0))
    }

    fn input_operand<B: Arrays>(&self, at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        let shape = at.input_shape(0);
        let ids = at.arrays.reshape(at.inputs[0], &[shape[0], numel(&shape[1..])]);
        (parameter == 0).then(|| InputOperand::Ids { ids, rows: at.parameter_shape(0)[0] })
    }

    fn rows_looked_up(&self, _input: usize, parameters: &[&[usize]]) -> Option<usize> {
        parameters.first()?.first().copied()
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
