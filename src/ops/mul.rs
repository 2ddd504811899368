//! y = x1 x2

use super::add::{broadcast_shape, pair_cases};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// y = x1 x2 entry by entry, as in a gate. Both shapes have the same rank. Axes of size 1 are broadcast.
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
        broadcast_shape(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.mul(ctx.inputs[0], ctx.inputs[1])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        ctx.arrays.sum_to(&ctx.arrays.mul(dy, ctx.inputs[1 - input]), ctx.input_shape(input))
    }

    fn cases() -> Vec<Case<Self>> {
        pair_cases(Mul)
    }
}
