//! A relu whose left slope is a parameter.

use super::normalise::{by_channel, channel_sums};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;
use crate::shape::numel;
use crate::unary::{Order, Relu, Unary};

/// y\[n,i,t\] = max(x\[n,i,t\], 0) + a\[i\] min(x\[n,i,t\], 0).
///
/// Parameter: a, one slope per channel, a sample's first axis, or \[1\], the same for all. The derivative at 0 is a, as
/// in PyTorch. The per-sample gradient of a is sum over t of dy min(x, 0), summed over channels too if they share it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prelu;

impl Prelu {
    /// a as it meets x.
    fn slope<B: Arrays>(at: &OpContext<'_, B>) -> B::Tensor {
        at.arrays.reshape(at.parameters[0], &by_channel(at.parameter_shape(0)[0], at.input_shape(0)))
    }

    /// min(x, 0) = -relu(-x)
    fn negative<B: Arrays>(at: &OpContext<'_, B>) -> B::Tensor {
        let minus = at.arrays.affine(at.inputs[0], -1.0, 0.0);
        at.arrays.affine(&at.arrays.apply(Unary::from(Relu), &minus), -1.0, 0.0)
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
        let (x, slope) = (inputs[0], parameters[0]);
        if x.is_empty() || (slope != [1] && slope != &x[..1]) {
            return Err(Error::shape(format!(
                "prelu: a slope of shape {slope:?} does not fit an input of shape {x:?}: [1] or [channels] is needed"
            )));
        }
        Ok(x.to_vec())
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let positive = at.arrays.apply(Unary::from(Relu), at.inputs[0]);
        at.arrays.add(&positive, &at.arrays.mul(&Prelu::negative(at), &Prelu::slope(at)))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let (arrays, x) = (at.arrays, at.inputs[0]);
        let positive = arrays.apply(Unary::from(Relu), x);
        let right = arrays.apply_derivative(Unary::from(Relu), Order::First, x, &positive, dy);
        // What the right side does not take is the left side's.
        let left = arrays.add(dy, &arrays.affine(&right, -1.0, 0.0));
        arrays.add(&right, &arrays.mul(&left, &Prelu::slope(at)))
    }

    fn input_operand<B: Arrays>(&self, _at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        (parameter == 0).then_some(InputOperand::Rows)
    }

    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _parameter: usize) -> B::Tensor {
        let product = at.arrays.mul(dy, &Prelu::negative(at));
        let (n, channels) = (at.input_shape(0)[0], at.parameter_shape(0)[0]);
        let entries = numel(&at.input_shape(0)[1..]);
        channel_sums(at.arrays, &at.arrays.reshape(&product, &[n, channels, entries / channels.max(1)]))
    }

    fn cases() -> Vec<Case<Self>> {
        let case = |x: &[usize], slope: usize| Case::new(Prelu, &[x], &[&[slope]]).away_from(&[0.0]);
        vec![case(&[3, 2, 2], 3), case(&[3, 2], 1), case(&[4], 4), case(&[4], 1)]
    }
}
