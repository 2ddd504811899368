//! y = x w with a parameter w.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::{broadcast, numel};

/// y = x w entry by entry. The parameter w is broadcast to a sample. Axes are aligned from the last one. An axis of w that
/// is missing or of size 1 is broadcast. The sample itself is never broadcast.
///
/// The per-sample gradient of w is dy x, summed over the broadcast axes.
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
        broadcast_to_sample(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.mul(ctx.inputs[0], ctx.parameters[0])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.mul(dy, ctx.parameters[0])
    }

    fn input_operand<B: Arrays>(&self, _ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        summed_to_parameter(ctx, &ctx.arrays.mul(dy, ctx.inputs[0]))
    }

    fn cases() -> Vec<Case<Self>> {
        parameter_cases(Gain)
    }
}

/// The shape rule of ops with one input and one parameter that is broadcast to it.
pub(super) fn broadcast_to_sample(op: &impl Op, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
    expect_arity(op, inputs, parameters, 1, 1..=1)?;
    let x = inputs[0];
    let parameter = parameters[0];
    match broadcast(x, parameter) {
        Some(shape) if shape == x => Ok(shape),
        _ => Err(Error::shape(format!(
            "{}: a parameter of shape {parameter:?} cannot be broadcast to an input of shape {x:?}",
            op.name()
        ))),
    }
}

/// `[n, ...]` summed to the parameter's shape, as rows `[n, p]`.
pub(super) fn summed_to_parameter<B: Arrays>(ctx: &OpContext<'_, B>, x: &B::Tensor) -> B::Tensor {
    let shape = ctx.arrays.shape(x);
    let parameter = ctx.parameter_shape(0);
    let mut target = vec![1; shape.len()];
    target[0] = shape[0];
    target[shape.len() - parameter.len()..].copy_from_slice(parameter);
    ctx.arrays.reshape(&ctx.arrays.sum_to(x, &target), &[shape[0], numel(parameter)])
}

/// Parameters of the sample's shape, with broadcast axes and with missing axes.
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
