//! y = x1 - x2

use super::add::{pair_cases, stretched};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// y = x1 - x2 entry by entry. Shapes are of one rank; an axis of size 1 is stretched.
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
        stretched(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        at.arrays.add(at.inputs[0], &at.arrays.affine(at.inputs[1], -1.0, 0.0))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let dx = at.arrays.sum_to(dy, at.input_shape(input));
        if input == 0 { dx } else { at.arrays.affine(&dx, -1.0, 0.0) }
    }

    fn cases() -> Vec<Case<Self>> {
        pair_cases(Sub)
    }
}
