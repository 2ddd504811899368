//! y = x W^T + b on the last axis.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::numel;

/// `y[n,t,o] = sum over i of x[n,t,i] W[o,i] + b[o]`, for any number of position axes t, including none.
///
/// Parameters: W, `[o, i]`, and optionally b, `[o]`. The per-sample gradient of W is the sum over t of
/// `dy[n,t,o] x[n,t,i]`. That of b is the sum over t of `dy[n,t,o]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear;

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "linear").then_some(Ok(Linear))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 1..=2)?;
        let x = inputs[0];
        let weight = parameters[0];
        if weight.len() != 2 || x.is_empty() || x[x.len() - 1] != weight[1] {
            return Err(Error::shape(format!(
                "linear: an input of shape {x:?} does not fit a weight of shape {weight:?} [out, in]"
            )));
        }
        if let Some(&bias) = parameters.get(1)
            && bias != [weight[0]]
        {
            return Err(Error::shape(format!(
                "linear: a bias of shape {bias:?} does not fit a weight of shape {weight:?} [out, in]"
            )));
        }
        let mut shape = x.to_vec();
        shape[x.len() - 1] = weight[0];
        Ok(shape)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let y = ctx.arrays.matmul(&as_rows(ctx.arrays, ctx.inputs[0]), false, ctx.parameters[0], true);
        let y = match ctx.parameters.get(1) {
            Some(bias) => ctx.arrays.add(&y, bias),
            None => y,
        };
        let mut shape = ctx.input_shape(0).to_vec();
        *shape.last_mut().expect("an input has axes") = ctx.parameter_shape(0)[0];
        ctx.arrays.reshape(&y, &shape)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let dx = ctx.arrays.matmul(&as_rows(ctx.arrays, dy), false, ctx.parameters[0], false);
        ctx.arrays.reshape(&dx, ctx.input_shape(0))
    }

    fn input_operand<B: Arrays>(&self, ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match parameter {
            0 => Some(InputOperand::Features(positions(ctx.arrays, ctx.inputs[0]))),
            1 => Some(InputOperand::Last),
            _ => None,
        }
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Linear, &[&[4]], &[&[3, 4]]),
            Case::new(Linear, &[&[4]], &[&[3, 4], &[3]]),
            Case::new(Linear, &[&[1]], &[&[1, 1], &[1]]),
            Case::new(Linear, &[&[5, 4]], &[&[3, 4], &[3]]),
            Case::new(Linear, &[&[2, 3, 4]], &[&[5, 4]]),
        ]
    }
}

/// `[n, ..., i]` as `[n t, i]`.
fn as_rows<B: Arrays>(arrays: &B, x: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(x);
    let (rows, last) = shape.split_at(shape.len() - 1);
    arrays.reshape(x, &[numel(rows), last[0]])
}

/// `[n, ..., i]` as `[n, t, i]`.
fn positions<B: Arrays>(arrays: &B, x: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(x);
    let last = shape.len() - 1;
    arrays.reshape(x, &[shape[0], numel(&shape[1..last]), shape[last]])
}
