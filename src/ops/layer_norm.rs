//! Layer norm.

use super::normalise::{Normalise, last_sums, mapped, sample_shape, unmapped};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::{checked_numel, numel};

/// y\[n,t,i\] = w\[i\] xhat\[n,t,i\] + b\[i\] with xhat = (x - mean) / sqrt(variance + eps), mean and variance over i of
/// x\[n,t,i\], for any number of position axes t, also none; i may stand for several axes, the last ones.
///
/// Parameters: w and b, of the shape of what is normalised; or w alone; or none. The per-sample gradient of w is
/// sum over t of dy xhat, that of b is sum over t of dy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// What is added to the variance. The attribute `eps`, 1e-5 where missing.
    pub eps: f64,
    /// How many axes are normalised over. The attribute `axes`, 1 where missing.
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

    fn normalise<B: Arrays>(&self, at: &OpContext<'_, B>) -> Normalise {
        Normalise { size: numel(self.normalised(sample_shape(at))), eps: self.eps, centre: true }
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
        let (x, axes) = (inputs[0], self.axes);
        if axes == 0 || axes > x.len() || checked_numel(self.normalised(x)).is_none_or(|size| size == 0) {
            return Err(Error::shape(format!("layer_norm: over the last {axes} axes of an input of shape {x:?}")));
        }
        if parameters.iter().any(|&parameter| parameter != self.normalised(x)) {
            return Err(Error::shape(format!(
                "layer_norm: parameters of shapes {parameters:?} do not fit the last {axes} axes of an input of shape \
                 {x:?}"
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let xhat = self.normalise(at).xhat(at.arrays, at.inputs[0]);
        mapped(at.arrays, xhat, at.parameters, self.normalised(sample_shape(at)))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let dxhat = unmapped(at.arrays, dy, at.parameters, self.normalised(sample_shape(at)));
        self.normalise(at).pull(at.arrays, at.inputs[0], &dxhat)
    }

    fn input_operand<B: Arrays>(&self, _at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match parameter {
            1 if self.axes == 1 => Some(InputOperand::Last),
            0 | 1 => Some(InputOperand::Rows),
            _ => None,
        }
    }

    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, parameter: usize) -> B::Tensor {
        let normalise = self.normalise(at);
        match parameter {
            0 => {
                let xhat = normalise.xhat(at.arrays, at.inputs[0]);
                last_sums(at.arrays, &at.arrays.mul(dy, &xhat), normalise.size)
            }
            _ => last_sums(at.arrays, dy, normalise.size),
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
