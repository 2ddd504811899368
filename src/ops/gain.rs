//! y = x w with a parameter w.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::{broadcast, numel};

/// y = x w entry by entry. The parameter w is broadcast to a sample: axes agree from the last one on, of size 1 or missing
/// where they are stretched. The sample is never stretched.
///
/// The per-sample gradient of w is dy x, summed over what w was stretched along.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gain;

impl Op for Gain {
    fn name(&self) -> &'static str {
        "gain"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "gain").then_some(Ok(Gain))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        stretched_to_sample(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        at.arrays.mul(at.inputs[0], at.parameters[0])
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        at.arrays.mul(dy, at.parameters[0])
    }

    fn input_operand<B: Arrays>(&self, _at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        summed_to_parameter(at, &at.arrays.mul(dy, at.inputs[0]))
    }

    fn cases() -> Vec<Case<Self>> {
        parameter_cases(Gain)
    }
}

/// The shape rule of one input and one parameter that is broadcast to it.
pub(super) fn stretched_to_sample(op: &impl Op, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
    expect_arity(op, inputs, parameters, 1, 1..=1)?;
    let (x, parameter) = (inputs[0], parameters[0]);
    match broadcast(x, parameter) {
        Some(shape) if shape == x => Ok(shape),
        _ => Err(Error::shape(format!(
            "{}: a parameter of shape {parameter:?} does not stretch to an input of shape {x:?}",
            op.name()
        ))),
    }
}

/// \[n, ...\] summed down to the parameter's shape, as rows \[n, p\].
pub(super) fn summed_to_parameter<B: Arrays>(at: &OpContext<'_, B>, x: &B::Tensor) -> B::Tensor {
    let (shape, parameter) = (at.arrays.shape(x), at.parameter_shape(0));
    let mut target = vec![1; shape.len()];
    target[0] = shape[0];
    target[shape.len() - parameter.len()..].copy_from_slice(parameter);
    at.arrays.reshape(&at.arrays.sum_to(x, &target), &[shape[0], numel(parameter)])
}

/// Parameters of the sample's shape, with stretched and with missing axes.
pub(super) fn parameter_cases<O: Op>(op: O) -> Vec<Case<O>> {
    let case = |x: &[usize], parameter: &[usize]| Case::new(op.clone(), &[x], &[parameter]);
    vec![
        case(&[3], &[3]),
        case(&[2, 3], &[2, 3]),
        case(&[2, 3], &[3]),
        case(&[2, 3, 2], &[3, 1]),
        case(&[2, 1, 2], &[2, 1, 1]),
        case(&[2, 2], &[1]),
        case(&[2], &[]),
    ]
}
