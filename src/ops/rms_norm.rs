//! Root mean square norm.

use super::normalise::{Normalise, last_sums, mapped, sample_shape, unmapped};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::checked_numel;

/// y\[n,t,i\] = w\[i\] xhat\[n,t,i\] with xhat = x / sqrt(mean over i of x\[n,t,i\]^2 + eps), for any number of position
/// axes t, also none.
///
/// Parameters: w, or none. Its per-sample gradient is sum over t of dy xhat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    /// What is added to the mean square. The attribute `eps`, which must be there: PyTorch's default differs from
    /// precision to precision.
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
            return Err(Error::shape(format!("rms_norm: over the last axis of an input of shape {x:?}")));
        }
        if parameters.iter().any(|&parameter| parameter != &x[x.len() - 1..]) {
            return Err(Error::shape(format!(
                "rms_norm: a weight of shape {:?} does not fit the last axis of an input of shape {x:?}",
                parameters[0]
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let normalise = self.normalise(sample_shape(at));
        mapped(at.arrays, normalise.xhat(at.arrays, at.inputs[0]), at.parameters, &[normalise.size])
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let normalise = self.normalise(sample_shape(at));
        let dxhat = unmapped(at.arrays, dy, at.parameters, &[normalise.size]);
        normalise.pull(at.arrays, at.inputs[0], &dxhat)
    }

    fn input_operand<B: Arrays>(&self, _at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        let normalise = self.normalise(sample_shape(at));
        let xhat = normalise.xhat(at.arrays, at.inputs[0]);
        last_sums(at.arrays, &at.arrays.mul(dy, &xhat), normalise.size)
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
