//! Half the squared distance to a target.

use super::target::{difference, shape, sum_per_sample, times_cotangent};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// Squared error, one number per sample: l = |f - y|^2 / 2. Input 0 is the outputs f. Input 1 is the targets y, of the same
/// shape.
///
/// The cotangents are dl (f - y) and dl (y - f). In descriptions it is `squared_error`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquaredError;

impl Op for SquaredError {
    fn name(&self) -> &'static str {
        "squared_error"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "squared_error").then_some(Ok(SquaredError))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        shape(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let residual = difference(ctx.arrays, ctx.inputs[0], ctx.inputs[1]);
        ctx.arrays.affine(&sum_per_sample(ctx.arrays, &ctx.arrays.mul(&residual, &residual)), 0.5, 0.0)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        times_cotangent(ctx, dy, &difference(ctx.arrays, ctx.inputs[input], ctx.inputs[1 - input]))
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(SquaredError, &[&[3], &[3]], &[]), Case::new(SquaredError, &[&[2, 2], &[2, 2]], &[])]
    }
}
