//! PReLU: a relu whose left slope is a parameter.

use super::normalise::{by_channel, channel_sums};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::numel;
use crate::unary::{Order, Relu, Unary};

/// `y[n,i,t] = max(x[n,i,t], 0) + a[i] min(x[n,i,t], 0)`.
///
/// Parameter: a, with one slope per channel (a sample's first axis), or `[1]`, a slope shared by all channels. The
/// derivative at 0 is a, as in PyTorch. The per-sample gradient of a is the sum over t of dy min(x, 0). A shared slope
/// sums over channels too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prelu;

impl Prelu {
    /// a, in the shape that broadcasts over x.
    fn slope<B: Arrays>(ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.reshape(ctx.parameters[0], &by_channel(ctx.parameter_shape(0)[0], ctx.input_shape(0)))
    }

    /// min(x, 0) = -relu(-x)
    fn negative<B: Arrays>(ctx: &OpContext<'_, B>) -> B::Tensor {
        let minus = ctx.arrays.affine(ctx.inputs[0], -1.0, 0.0);
        ctx.arrays.affine(&ctx.arrays.apply(Unary::from(Relu), &minus), -1.0, 0.0)
    }
}

impl Op for Prelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "prelu").then_some(Ok(Prelu))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 1..=1)?;
        let x = inputs[0];
        let slope = parameters[0];
        if x.is_empty() || (slope != [1] && slope != &x[..1]) {
            return Err(Error::shape(format!(
                "prelu: a slope of shape {slope:?} does not fit an input of shape {x:?}; pass [1] or [channels]"
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let positive = ctx.arrays.apply(Unary::from(Relu), ctx.inputs[0]);
        ctx.arrays.add(&positive, &ctx.arrays.mul(&Prelu::negative(ctx), &Prelu::slope(ctx)))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let arrays = ctx.arrays;
        let x = ctx.inputs[0];
        let positive = arrays.apply(Unary::from(Relu), x);
        let right = arrays.apply_derivative(Unary::from(Relu), Order::First, x, &positive, dy);
        // Entries with x > 0 contribute to `right`, all others to `left`.
        let left = arrays.add(dy, &arrays.affine(&right, -1.0, 0.0));
        arrays.add(&right, &arrays.mul(&left, &Prelu::slope(ctx)))
    }

    fn input_operand<B: Arrays>(&self, _ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        let product = ctx.arrays.mul(dy, &Prelu::negative(ctx));
        let n = ctx.input_shape(0)[0];
        let channels = ctx.parameter_shape(0)[0];
        let entries = numel(&ctx.input_shape(0)[1..]);
        channel_sums(ctx.arrays, &ctx.arrays.reshape(&product, &[n, channels, entries / channels.max(1)]))
    }

    fn cases() -> Vec<Case<Self>> {
        let case = |x: &[usize], slope: usize| Case::new(Prelu, &[x], &[&[slope]]).away_from(&[0.0]);
        vec![case(&[3, 2, 2], 3), case(&[3, 2], 1), case(&[4], 4), case(&[4], 1)]
    }
}
