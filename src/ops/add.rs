//! y = x1 + x2

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// y = x1 + x2 entry by entry. Both shapes have the same rank. Axes of size 1 are broadcast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Add;

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "add").then_some(Ok(Add))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 2, 0..=0)?;
        broadcast_shape(self, inputs[0], inputs[1])
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.add(ctx.inputs[0], ctx.inputs[1])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        ctx.arrays.sum_to(dy, ctx.input_shape(input))
    }

    fn cases() -> Vec<Case<Self>> {
        pair_cases(Add)
    }
}

/// The shape rule of ops on two inputs. Ranks must agree. If shapes were aligned at the last axis as in numpy, the sample
/// axis of the input with fewer axes would be paired with another axis.
pub(super) fn broadcast_shape(op: &impl Op, x: &[usize], y: &[usize]) -> Result<Vec<usize>> {
    let shape = if x.len() == y.len() { crate::shape::broadcast(x, y) } else { None };
    shape.ok_or_else(|| {
        Error::shape(format!(
            "{}: inputs of shapes {x:?} and {y:?} do not fit; axes must be equal or of size 1",
            op.name()
        ))
    })
}

/// Two inputs of one shape, and broadcast axes on either side.
pub(super) fn pair_cases<O: Op>(op: O) -> Vec<Case<O>> {
    vec![
        Case::new(op.clone(), &[&[3, 4], &[3, 4]], &[]),
        Case::new(op.clone(), &[&[3, 4], &[1, 4]], &[]),
        Case::new(op, &[&[1, 2, 1], &[3, 1, 4]], &[]),
    ]
}
