//! Batch norm at inference.

use super::normalise::{affine_map, affine_pull, by_channel, channel_sums, inverse_root};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;

/// Batch norm at inference, with running statistics:
///
/// `y[n,i,t] = w[i] xhat[n,i,t] + b[i]`, `xhat = (x[n,i,t] - mean[i]) / sqrt(variance[i] + eps)`.
///
/// Parameters: w, b, mean and variance, each `[i]`, or mean and variance only. Mean and variance are buffers and have no
/// component in a kernel. The per-sample gradient of w is the sum over t of dy xhat. That of b is the sum over t of dy.
///
/// In descriptions it is `batch_norm1d`, on `[i]` or `[i, l]`, or `batch_norm2d`, on `[i, h, w]`. The attributes are `eps`
/// (default 1e-5) and `training` (default false). In training, mean and variance are those of the batch, and f(x) is not a
/// function of one sample. Recording the op in training mode is an error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// The number that is added to the variance.
    pub eps: f64,
    /// Whether mean and variance are those of the batch.
    pub training: bool,
    planes: bool,
}

impl BatchNorm {
    /// On `[i]` or `[i, l]`, at inference.
    pub fn new1d(eps: f64) -> Self {
        BatchNorm { eps, training: false, planes: false }
    }

    /// On `[i, h, w]`, at inference.
    pub fn new2d(eps: f64) -> Self {
        BatchNorm { planes: true, ..BatchNorm::new1d(eps) }
    }

    /// w and b if they are given: all parameters except the last two.
    fn affine<'a, T>(parameters: &'a [&'a T]) -> &'a [&'a T] {
        &parameters[..parameters.len() - 2]
    }

    fn scale<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let variance = ctx.parameters[ctx.parameters.len() - 1];
        let shape = by_channel(ctx.input_shape(0)[1], ctx.input_shape(0));
        ctx.arrays.reshape(&inverse_root(ctx.arrays, variance, self.eps), &shape)
    }

    fn xhat<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let mean = ctx.arrays.affine(ctx.parameters[ctx.parameters.len() - 2], -1.0, 0.0);
        let shape = by_channel(ctx.input_shape(0)[1], ctx.input_shape(0));
        let centred = ctx.arrays.add(ctx.inputs[0], &ctx.arrays.reshape(&mean, &shape));
        ctx.arrays.mul(&centred, &self.scale(ctx))
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        if self.planes { "batch_norm2d" } else { "batch_norm1d" }
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = |planes| {
            let eps = attributes.number_or("eps", 1e-5);
            let training = attributes.flag_or("training", false);
            eps.and_then(|eps| Ok(BatchNorm { eps, training: training?, planes })).map_err(|e| e.context(name))
        };
        match name {
            "batch_norm1d" => Some(read(false)),
            "batch_norm2d" => Some(read(true)),
            _ => None,
        }
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 2..=4)?;
        let x = inputs[0];
        let name = self.name();
        if !(if self.planes { 3..=3 } else { 1..=2 }).contains(&x.len()) {
            let layout = if self.planes { "[channels, h, w]" } else { "[channels] or [channels, l]" };
            return Err(Error::shape(format!("{name}: the input has shape {x:?}, but {layout} is needed")));
        }
        if parameters.len() == 3 || parameters.iter().any(|&parameter| parameter != &x[..1]) {
            return Err(Error::shape(format!(
                "{name}: parameters of shapes {parameters:?} do not fit an input of shape {x:?}; pass weight, bias, mean \
                 and variance, or mean and variance, with one entry per channel"
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let shape = by_channel(ctx.input_shape(0)[1], ctx.input_shape(0));
        affine_map(ctx.arrays, self.xhat(ctx), Self::affine(ctx.parameters), &shape)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let shape = by_channel(ctx.input_shape(0)[1], ctx.input_shape(0));
        ctx.arrays.mul(&affine_pull(ctx.arrays, dy, Self::affine(ctx.parameters), &shape), &self.scale(ctx))
    }

    fn input_operand<B: Arrays>(&self, ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match (ctx.parameters.len(), parameter) {
            (4, 0) => Some(InputOperand::Rows),
            (4, 1) => Some(InputOperand::Channels),
            _ => None,
        }
    }

    fn rows<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        channel_sums(ctx.arrays, &ctx.arrays.mul(dy, &self.xhat(ctx)))
    }

    fn mixes_samples(&self) -> Option<&'static str> {
        self.training.then_some("training-mode batch norm takes mean and variance over the batch")
    }

    fn cases() -> Vec<Case<Self>> {
        let all: &[&[usize]] = &[&[3], &[3], &[3], &[3]];
        vec![
            Case::new(BatchNorm::new2d(1e-5), &[&[3, 2, 2]], all).with_buffers(&[2, 3]),
            Case::new(BatchNorm::new1d(1e-3), &[&[3, 4]], all).with_buffers(&[2, 3]),
            Case::new(BatchNorm::new1d(1e-5), &[&[3]], all).with_buffers(&[2, 3]),
            Case::new(BatchNorm::new1d(1e-5), &[&[3, 2]], &all[..2]).with_buffers(&[0, 1]),
        ]
    }
}
