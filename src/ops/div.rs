//! y = x1 / x2

use super::add::{pair_cases, stretched};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::unary::{Reciprocal, Unary};

/// y = x1 / x2 entry by entry, computed as x1 (1 / x2). Shapes are of one rank; an axis of size 1 is stretched.
///
/// The cotangents are dx1 = dy / x2 and dx2 = -dy y / x2. Where x2 is 0, y is infinite, or NaN if x1 is 0 too.
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
        stretched(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        at.arrays.mul(at.inputs[0], &at.arrays.apply(Unary::from(Reciprocal), at.inputs[1]))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let quotient = at.arrays.mul(dy, &at.arrays.apply(Unary::from(Reciprocal), at.inputs[1]));
        let dx = match input {
            0 => quotient,
            _ => at.arrays.affine(&at.arrays.mul(&quotient, y), -1.0, 0.0),
        };
        at.arrays.sum_to(&dx, at.input_shape(input))
    }

    fn cases() -> Vec<Case<Self>> {
        let away = |case: Case<Self>| [case.clone().within(0.5, 2.0), case.within(-2.0, -0.5)];
        pair_cases(Div).into_iter().flat_map(away).collect()
    }
}
