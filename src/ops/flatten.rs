//! Flattening: all axes of a sample become one axis.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::shape::numel;

/// `[n, ...]` to `[n, i]`: the entries of each sample in one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flatten;

impl Op for Flatten {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "flatten").then_some(Ok(Flatten))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        Ok(vec![numel(inputs[0])])
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let shape = ctx.input_shape(0);
        ctx.arrays.reshape(ctx.inputs[0], &[shape[0], numel(&shape[1..])])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.reshape(dy, ctx.input_shape(0))
    }

    fn moves_entries(&self) -> Option<f64> {
        Some(1.0)
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(Flatten, &[&[2, 3, 2]], &[]), Case::new(Flatten, &[&[4]], &[])]
    }
}
