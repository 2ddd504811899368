//! Batch norm at inference.

use super::normalise::{by_channel, channel_sums, inverse_root, mapped, unmapped};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;

/// y\[n,i,t\] = w\[i\] xhat\[n,i,t\] + b\[i\] with xhat = (x\[n,i,t\] - mean\[i\]) / sqrt(variance\[i\] + eps): batch norm at
/// inference, with running statistics.
///
/// Parameters: w, b, mean and variance, each \[i\]; or mean and variance alone. Mean and variance are buffers: they have
/// no part of a kernel. The per-sample gradient of w is sum over t of dy xhat, that of b is sum over t of dy.
///
/// Descriptions call it `batch_norm1d`, on \[i\] or \[i, l\], or `batch_norm2d`, on \[i, h, w\], with the attributes `eps`
/// (1e-5 where missing) and `training` (false). In training, mean and variance are those of the batch, so that f(x) is
/// no function of one sample; it is refused when it is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// What is added to the variance.
    pub eps: f64,
    /// Mean and variance are the batch's.
    pub training: bool,
    planes: bool,
}

impl BatchNorm {
    /// On \[i\] or \[i, l\], at inference.
    pub fn new1d(eps: f64) -> Self {
        BatchNorm { eps, training: false, planes: false }
    }

    /// On \[i, h, w\], at inference.
    pub fn new2d(eps: f64) -> Self {
        BatchNorm { planes: true, ..BatchNorm::new1d(eps) }
    }

    /// w and b, if they are there: all parameters but the last two.
    fn affine<'a, T>(parameters: &'a [&'a T]) -> &'a [&'a T] {
        &parameters[..parameters.len() - 2]
    }

    fn scale<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let variance = at.parameters[at.parameters.len() - 1];
        let shape = by_channel(at.input_shape(0)[1], at.input_shape(0));
        at.arrays.reshape(&inverse_root(at.arrays, variance, self.eps), &shape)
    }

    fn xhat<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let mean = at.arrays.affine(at.parameters[at.parameters.len() - 2], -1.0, 0.0);
        let shape = by_channel(at.input_shape(0)[1], at.input_shape(0));
        let centred = at.arrays.add(at.inputs[0], &at.arrays.reshape(&mean, &shape));
        at.arrays.mul(&centred, &self.scale(at))
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        if self.planes { "batch_norm2d" } else { "batch_norm1d" }
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = |planes| {
            let (eps, training) = (attributes.number_or("eps", 1e-5), attributes.flag_or("training", false));
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
        let (x, name) = (inputs[0], self.name());
        if !(if self.planes { 3..=3 } else { 1..=2 }).contains(&x.len()) {
            let layout = if self.planes { "[channels, h, w]" } else { "[channels] or [channels, l]" };
            return Err(Error::shape(format!("{name}: an input of shape {x:?}, where {layout} is needed")));
        }
        if parameters.len() == 3 || parameters.iter().any(|&parameter| parameter != &x[..1]) {
            return Err(Error::shape(format!(
                "{name}: an input of shape {x:?} does not fit parameters of shapes {parameters:?}: weight, bias, mean and \
                 variance, or mean and variance, are needed, one entry per channel"
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let shape = by_channel(at.input_shape(0)[1], at.input_shape(0));
        mapped(at.arrays, self.xhat(at), Self::affine(at.parameters), &shape)
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let shape = by_channel(at.input_shape(0)[1], at.input_shape(0));
        at.arrays.mul(&unmapped(at.arrays, dy, Self::affine(at.parameters), &shape), &self.scale(at))
    }

    fn input_operand<B: Arrays>(&self, at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match (at.parameters.len(), parameter) {
            (4, 0) => Some(InputOperand::Rows),
            (4, 1) => Some(InputOperand::Channels),
            _ => None,
        }
    }

    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        channel_sums(at.arrays, &at.arrays.mul(dy, &self.xhat(at)))
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
