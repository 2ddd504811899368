//! Layer norm.

use super::normalise::{Normalise, affine_map, affine_pull, last_sums, sample_shape};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::{checked_numel, numel};

/// Layer norm: `y[n,t,i] = w[i] xhat[n,t,i] + b[i]` with xhat = (x - mean) / sqrt(variance + eps). Mean and variance are
/// taken over i of `x[n,t,i]`. There may be any number of position axes t, including none. i may be several axes, the last
/// ones.
///
/// Parameters: w and b of the shape of the normalised axes, or w only, or none. The per-sample gradient of w is the sum
/// over t of dy xhat. That of b is the sum over t of dy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// The number that is added to the variance. The attribute `eps`, default 1e-5.
    pub eps: f64,
    /// The number of axes that are normalised. The attribute `axes`, default 1.
    pub axes: usize,
}

impl LayerNorm {
    /// Over the last axis.
    pub fn new(eps: f64) -> Self {
        LayerNorm { eps, axes: 1 }
    }

    fn normalised<'a>(&self, sample: &'a [usize]) -> &'a [usize] {
        &sample[sample.len() - self.axes..]
    }

    fn normalise<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> Normalise {
        Normalise { size: numel(self.normalised(sample_shape(ctx))), eps: self.eps, centre: true }
    }
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Ok(LayerNorm { eps: attributes.number_or("eps", 1e-5)?, axes: attributes.size_or("axes", 1)? });
        (name == "layer_norm").then(|| read().map_err(|e: Error| e.context(name)))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=2)?;
        let x = inputs[0];
        let axes = self.axes;
        if axes == 0 || axes > x.len() || checked_numel(self.normalised(x)).is_none_or(|size| size == 0) {
            return Err(Error::shape(format!(
                "layer_norm: cannot normalise the last {axes} axes of an input of shape {x:?}; the axes must exist and not \
                 be empty"
            )));
        }
        if parameters.iter().any(|&parameter| parameter != self.normalised(x)) {
            return Err(Error::shape(format!(
                "layer_norm: parameters of shapes {parameters:?} do not fit the last {axes} axes of an input of shape \
                 {x:?}"
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let xhat = self.normalise(ctx).xhat(ctx.arrays, ctx.inputs[0]);
        affine_map(ctx.arrays, xhat, ctx.parameters, self.normalised(sample_shape(ctx)))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let dxhat = affine_pull(ctx.arrays, dy, ctx.parameters, self.normalised(sample_shape(ctx)));
        self.normalise(ctx).pull(ctx.arrays, ctx.inputs[0], &dxhat)
    }

    fn input_operand<B: Arrays>(&self, _ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match parameter {
            1 if self.axes == 1 => Some(InputOperand::Last),
            0 | 1 => Some(InputOperand::Rows),
            _ => None,
        }
    }

    fn rows<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, parameter: usize) -> B::Tensor {
        let normalise = self.normalise(ctx);
        match parameter {
            0 => {
                let xhat = normalise.xhat(ctx.arrays, ctx.inputs[0]);
                last_sums(ctx.arrays, &ctx.arrays.mul(dy, &xhat), normalise.size)
            }
            _ => last_sums(ctx.arrays, dy, normalise.size),
        }
    }

    fn cases() -> Vec<Case<Self>> {
        let norm = LayerNorm::new(1e-2);
        vec![
            Case::new(norm, &[&[5]], &[&[5], &[5]]),
            Case::new(norm, &[&[2, 4]], &[&[4], &[4]]),
            Case::new(norm, &[&[2, 4]], &[&[4]]),
            Case::new(norm, &[&[4]], &[]),
            Case::new(LayerNorm { axes: 2, ..norm }, &[&[2, 2, 3]], &[&[2, 3], &[2, 3]]),
        ]
    }
}
