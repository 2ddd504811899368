//! Root mean square norm.

use super::normalise::{Normalise, affine_map, affine_pull, last_sums, sample_shape};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::checked_numel;

/// Root mean square norm: `y[n,t,i] = w[i] xhat[n,t,i]` with `xhat = x / sqrt(mean over i of x[n,t,i]^2 + eps)`, for any
/// number of position axes t, including none.
///
/// Parameters: w, or none. The per-sample gradient of w is the sum over t of dy xhat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    /// The number that is added to the mean square. The attribute `eps` is required, since PyTorch's default depends on
    /// the precision.
    pub eps: f64,
}

impl RmsNorm {
    fn normalise(self, sample: &[usize]) -> Normalise {
        Normalise { size: sample[sample.len() - 1], eps: self.eps, centre: false }
    }
}

impl Op for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Ok(RmsNorm { eps: attributes.number("eps").map_err(|e| e.context(name))? });
        (name == "rms_norm").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=1)?;
        let x = inputs[0];
        if x.last().is_none_or(|&size| size == 0) || checked_numel(x).is_none() {
            return Err(Error::shape(format!(
                "rms_norm: cannot normalise the last axis of an input of shape {x:?}; the axis must exist and not be empty"
            )));
        }
        if parameters.iter().any(|&parameter| parameter != &x[x.len() - 1..]) {
            return Err(Error::shape(format!(
                "rms_norm: a weight of shape {:?} does not fit the last axis of an input of shape {x:?}",
                parameters[0]
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let normalise = self.normalise(sample_shape(ctx));
        affine_map(ctx.arrays, normalise.xhat(ctx.arrays, ctx.inputs[0]), ctx.parameters, &[normalise.size])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let normalise = self.normalise(sample_shape(ctx));
        let dxhat = affine_pull(ctx.arrays, dy, ctx.parameters, &[normalise.size]);
        normalise.pull(ctx.arrays, ctx.inputs[0], &dxhat)
    }

    fn input_operand<B: Arrays>(&self, _ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        let normalise = self.normalise(sample_shape(ctx));
        let xhat = normalise.xhat(ctx.arrays, ctx.inputs[0]);
        last_sums(ctx.arrays, &ctx.arrays.mul(dy, &xhat), normalise.size)
    }

    fn cases() -> Vec<Case<Self>> {
        let norm = RmsNorm { eps: 1e-2 };
        vec![
            Case::new(norm, &[&[4]], &[&[4]]),
            Case::new(norm, &[&[2, 3]], &[&[3]]),
            Case::new(norm, &[&[2, 2, 3]], &[]),
        ]
    }
}
