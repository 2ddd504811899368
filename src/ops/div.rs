//! y = x1 / x2

use super::add::{broadcast_shape, pair_cases};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::unary::{Reciprocal, Unary};

/// y = x1 / x2 entry by entry, computed as x1 (1 / x2). Both shapes have the same rank. Axes of size 1 are broadcast.
///
/// The cotangents are dx1 = dy / x2 and dx2 = -dy y / x2. If x2 is 0, y is infinite, or NaN if x1 is also 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Div;

impl Op for Div {
    fn name(&self) -> &'static str {
        "div"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "div").then_some(Ok(Div))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        broadcast_shape(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.mul(ctx.inputs[0], &ctx.arrays.apply(Unary::from(Reciprocal), ctx.inputs[1]))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let quotient = ctx.arrays.mul(dy, &ctx.arrays.apply(Unary::from(Reciprocal), ctx.inputs[1]));
        let dx = match input {
            0 => quotient,
            _ => ctx.arrays.affine(&ctx.arrays.mul(&quotient, y), -1.0, 0.0),
        };
        ctx.arrays.sum_to(&dx, ctx.input_shape(input))
    }

    fn cases() -> Vec<Case<Self>> {
        let away = |case: Case<Self>| [case.clone().within(0.5, 2.0), case.within(-2.0, -0.5)];
        pair_cases(Div).into_iter().flat_map(away).collect()
    }
}
