//! y = x + b with a parameter b.

use super::gain::{parameter_cases, stretched_to_sample, summed_to_parameter};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::factor::InputOperand;

/// y = x + b entry by entry. The parameter b is broadcast to a sample: axes agree from the last one on, of size 1 or
/// missing where they are stretched. The sample is never stretched.
///
/// The per-sample gradient of b is dy, summed over what b was stretched along.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift;

impl Op for Shift {
    fn name(&self) -> &'static str {
        "shift"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "shift").then_some(Ok(Shift))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        stretched_to_sample(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        at.arrays.add(at.inputs[0], at.parameters[0])
    }

    fn pull<B: Arrays>(&self, _at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        dy.clone()
    }

    fn input_operand<B: Arrays>(&self, _at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        summed_to_parameter(at, dy)
    }

    fn cases() -> Vec<Case<Self>> {
        parameter_cases(Shift)
    }
}
