//! Group norm.

use super::normalise::{Normalise, affine_map, affine_pull, by_channel, channel_sums, sample_shape};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::{checked_numel, numel};

/// Group norm: `y[n,(g i),t] = w[(g i)] xhat[n,(g i),t] + b[(g i)]` with xhat = (x - mean) / sqrt(variance + eps). Mean and
/// variance are taken over i and t of `x[n,(g i),t]`. The channels (g i) are a sample's first axis.
///
/// Parameters: w and b with one entry per channel, or none. The per-sample gradient of w is the sum over t of dy xhat.
/// That of b is the sum over t of dy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    /// The number of groups of channels. The attribute `groups`.
    pub groups: usize,
    /// The number that is added to the variance. The attribute `eps`, default 1e-5.
    pub eps: f64,
}

impl GroupNorm {
    fn normalise<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> Normalise {
        Normalise { size: numel(sample_shape(ctx)) / self.groups, eps: self.eps, centre: true }
    }
}

impl Op for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Ok(GroupNorm { groups: attributes.size("groups")?, eps: attributes.number_or("eps", 1e-5)? });
        (name == "group_norm").then(|| read().map_err(|e: Error| e.context(name)))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=2)?;
        let x = inputs[0];
        let groups = self.groups;
        let empty = checked_numel(x).is_none_or(|size| size == 0);
        if x.is_empty() || empty || groups == 0 || !x[0].is_multiple_of(groups) {
            return Err(Error::shape(format!(
                "group_norm: the channels of an input of shape {x:?} cannot be divided into {groups} groups"
            )));
        }
        if parameters.len() == 1 || parameters.iter().any(|&parameter| parameter != &x[..1]) {
            return Err(Error::shape(format!(
                "group_norm: parameters of shapes {parameters:?} do not fit an input of shape {x:?}; pass weight and bias \
                 with one entry per channel, or no parameters"
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let xhat = self.normalise(ctx).xhat(ctx.arrays, ctx.inputs[0]);
        affine_map(ctx.arrays, xhat, ctx.parameters, &by_channel(ctx.input_shape(0)[1], ctx.input_shape(0)))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let shape = by_channel(ctx.input_shape(0)[1], ctx.input_shape(0));
        let dxhat = affine_pull(ctx.arrays, dy, ctx.parameters, &shape);
        self.normalise(ctx).pull(ctx.arrays, ctx.inputs[0], &dxhat)
    }

    fn input_operand<B: Arrays>(&self, _ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match parameter {
            0 => Some(InputOperand::Rows),
            1 => Some(InputOperand::Channels),
            _ => None,
        }
    }

    fn rows<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        let xhat = self.normalise(ctx).xhat(ctx.arrays, ctx.inputs[0]);
        channel_sums(ctx.arrays, &ctx.arrays.mul(dy, &xhat))
    }

    fn cases() -> Vec<Case<Self>> {
        let norm = |groups| GroupNorm { groups, eps: 1e-2 };
        vec![
            Case::new(norm(2), &[&[4, 2, 2]], &[&[4], &[4]]),
            Case::new(norm(1), &[&[3, 2]], &[&[3], &[3]]),
            Case::new(norm(2), &[&[6]], &[&[6], &[6]]),
            Case::new(norm(3), &[&[3, 2, 2]], &[]),
        ]
    }
}
