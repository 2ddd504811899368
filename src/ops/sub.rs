//! y = x1 - x2

use super::add::{broadcast_shape, pair_cases};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// y = x1 - x2 entry by entry. Both shapes have the same rank. Axes of size 1 are broadcast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sub;

impl Op for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "sub").then_some(Ok(Sub))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        broadcast_shape(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.add(ctx.inputs[0], &ctx.arrays.affine(ctx.inputs[1], -1.0, 0.0))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let dx = ctx.arrays.sum_to(dy, ctx.input_shape(input));
        if input == 0 { dx } else { ctx.arrays.affine(&dx, -1.0, 0.0) }
    }

    fn cases() -> Vec<Case<Self>> {
        pair_cases(Sub)
    }
}
