//! y = x + b with a parameter b.

use super::gain::{broadcast_to_sample, parameter_cases, summed_to_parameter};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::factor::InputOperand;

/// y = x + b entry by entry. The parameter b is broadcast to a sample. Axes are aligned from the last one. An axis of b
/// that is missing or of size 1 is broadcast. The sample itself is never broadcast.
///
/// The per-sample gradient of b is dy, summed over the broadcast axes.
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
        broadcast_to_sample(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.add(ctx.inputs[0], ctx.parameters[0])
    }

    fn pull<B: Arrays>(&self, _ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        dy.clone()
    }

    fn input_operand<B: Arrays>(&self, _ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        summed_to_parameter(ctx, dy)
    }

    fn cases() -> Vec<Case<Self>> {
        parameter_cases(Shift)
    }
}
