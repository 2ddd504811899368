//! y = x1 x2

use super::add::{pair_cases, stretched};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// y = x1 x2 entry by entry, as in a gate. Shapes are of one rank; an axis of size 1 is stretched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mul;

impl Op for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "mul").then_some(Ok(Mul))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        stretched(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        at.arrays.mul(at.inputs[0], at.inputs[1])
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        at.arrays.sum_to(&at.arrays.mul(dy, at.inputs[1 - input]), at.input_shape(input))
    }

    fn cases() -> Vec<Case<Self>> {
        pair_cases(Mul)
    }
}
