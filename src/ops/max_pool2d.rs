//! The largest entry of a window.

use super::pooling::{Pooling, pooling_methods};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::shape::numel;

/// The maximum over a sliding window on `[i, h, w]`: `y[n,i,t]` is the largest entry of `x[n,i]` in the window at position
/// t.
///
/// If several entries are equal, the first one in row-major order takes the whole derivative. NaN counts as the largest
/// entry. Padding is never the maximum. All of this agrees with PyTorch.
///
/// Attributes: `kernel`, `stride` (default: the kernel), `padding` (default 0, at most half of the kernel) and `dilation`
/// (default 1). Each is a number or `[height, width]`. `padding` may also be `[top, left, bottom, right]`. `ceil_mode`
/// defaults to false.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPool2d {
    pooling: Pooling,
}

impl MaxPool2d {
    pooling_methods!();

    /// The distance between two entries of the kernel, along height and width.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.pooling.dilation = dilation;
        self
    }

    fn from_pooling(pooling: Pooling) -> Self {
        MaxPool2d { pooling }
    }

    fn argmax<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Index {
        let shape = ctx.input_shape(0);
        let window = self.pooling.window([shape[2], shape[3]]).expect("the shape rule accepted the window");
        ctx.arrays.window_argmax(ctx.inputs[0], &window)
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Ok(MaxPool2d { pooling: Pooling::parse(attributes).map_err(|e| e.context(name))? });
        (name == "max_pool2d").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        self.pooling.shape(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let entries = numel(ctx.input_shape(0));
        let y = ctx.arrays.gather(&ctx.arrays.reshape(ctx.inputs[0], &[entries, 1]), &self.argmax(ctx));
        let shape = ctx.arrays.shape(&y);
        ctx.arrays.reshape(&y, &shape[..4])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let entries = ctx.arrays.reshape(dy, &[ctx.arrays.shape(dy), &[1]].concat());
        let dx = ctx.arrays.scatter(&entries, &self.argmax(ctx), numel(ctx.input_shape(0)));
        ctx.arrays.reshape(&dx, ctx.input_shape(0))
    }

    fn cases() -> Vec<Case<Self>> {
        let pool = MaxPool2d::new;
        vec![
            Case::new(pool([2, 2]), &[&[2, 4, 5]], &[]),
            Case::new(pool([3, 2]).stride([2, 1]).padding([1, 1]), &[&[2, 4, 4]], &[]),
            Case::new(pool([2, 3]).stride([3, 2]).ceil_mode(true), &[&[1, 5, 6]], &[]),
            Case::new(pool([2, 2]).stride([1, 1]).dilation([2, 3]), &[&[2, 4, 5]], &[]),
        ]
    }
}
