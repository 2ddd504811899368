//! Categorical cross-entropy.

use super::target::{difference, shape, sum_per_sample, times_cotangent};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// Cross-entropy, one number per sample: `- sum over c of y_c log softmax(f)_c` along the last axis, summed over all other
/// axes. Input 0 is the outputs (logits) f. Input 1 is the probabilities y, of the same shape. For a class label, y is 1
/// at the class and 0 elsewhere.
///
/// The cotangents are `dl (softmax(f) sum_c y_c - y)` and `-dl log softmax(f)`. In descriptions it is `cross_entropy`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy;

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "cross_entropy").then_some(Ok(CrossEntropy))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        let shape = shape(self, inputs, parameters)?;
        match inputs[0].last() {
            None | Some(0) => {
                Err(Error::shape(format!("cross_entropy: outputs of shape {:?} have no classes", inputs[0])))
            }
            Some(_) => Ok(shape),
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let product = ctx.arrays.mul(ctx.inputs[1], &ctx.arrays.log_softmax(ctx.inputs[0]));
        ctx.arrays.affine(&sum_per_sample(ctx.arrays, &product), -1.0, 0.0)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let arrays = ctx.arrays;
        let f = ctx.inputs[0];
        let y = ctx.inputs[1];
        if input == 1 {
            return times_cotangent(ctx, dy, &arrays.affine(&arrays.log_softmax(f), -1.0, 0.0));
        }
        let mass = arrays.sum(y, &[ctx.input_shape(1).len() - 1]);
        times_cotangent(ctx, dy, &difference(arrays, &arrays.mul(&arrays.softmax(f), &mass), y))
    }

    fn cases() -> Vec<Case<Self>> {
        let op = CrossEntropy;
        vec![
            Case::new(op, &[&[4], &[4]], &[]),
            Case::new(op, &[&[1], &[1]], &[]),
            Case::new(op, &[&[2, 3], &[2, 3]], &[]),
        ]
    }
}
