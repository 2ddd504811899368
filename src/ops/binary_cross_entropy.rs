//! Binary cross-entropy.

use super::target::{difference, shape, sum_per_sample, times_cotangent};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::unary::{Order, Softplus, Unary};

/// Binary cross-entropy, one number per sample: the sum over all entries of `-y log s(f) - (1 - y) log(1 - s(f))`, where
/// s is the sigmoid. Input 0 is the outputs (logits) f. Input 1 is the probabilities y, of the same shape.
///
/// It is computed as `y softplus(-f) + (1 - y) softplus(f)`, which neither overflows nor cancels. The loss of a sample
/// that is classified with certainty is tiny instead of zero. The cotangents are `dl (s(f) - y)` and `-dl f`. In
/// descriptions it is `binary_cross_entropy`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryCrossEntropy;

/// -f, and 1 - y.
fn opposite<B: Arrays>(ctx: &OpContext<'_, B>) -> [B::Tensor; 2] {
    [ctx.arrays.affine(ctx.inputs[0], -1.0, 0.0), ctx.arrays.affine(ctx.inputs[1], -1.0, 1.0)]
}

impl Op for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "binary_cross_entropy").then_some(Ok(BinaryCrossEntropy))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        shape(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let arrays = ctx.arrays;
        let softplus = Unary::from(Softplus);
        let [minus, no] = opposite(ctx);
        let yes = arrays.mul(ctx.inputs[1], &arrays.apply(softplus, &minus));
        let no = arrays.mul(&no, &arrays.apply(softplus, ctx.inputs[0]));
        sum_per_sample(arrays, &arrays.add(&yes, &no))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let arrays = ctx.arrays;
        let [minus, no] = opposite(ctx);
        if input == 1 {
            return times_cotangent(ctx, dy, &minus);
        }
        // (1 - y) s(f) - y s(-f) never subtracts two numbers near 1.
        let slope = |f: &B::Tensor, weight: &B::Tensor| {
            let softplus = Unary::from(Softplus);
            arrays.apply_derivative(softplus, Order::First, f, &arrays.apply(softplus, f), weight)
        };
        let slope = difference(arrays, &slope(ctx.inputs[0], &no), &slope(&minus, ctx.inputs[1]));
        times_cotangent(ctx, dy, &slope)
    }

    fn cases() -> Vec<Case<Self>> {
        let op = BinaryCrossEntropy;
        vec![Case::new(op, &[&[1], &[1]], &[]), Case::new(op, &[&[2, 3], &[2, 3]], &[])]
    }
}
