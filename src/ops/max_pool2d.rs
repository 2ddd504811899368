//! The largest entry of a window.

use super::pooling::{Pooling, pooling_methods};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::shape::numel;

/// y\[n,i,t\] = the largest of the entries of x\[n,i\] that a window shows at position t, on \[i, h, w\].
///
/// Of equal ones the first, row by row, takes the whole derivative; NaN counts as the largest. Padding is never the
/// largest. All as in PyTorch.
///
/// Attributes: `kernel`, `stride` (the kernel where missing), `padding` (0, at most half of the kernel) and `dilation`
/// (1), each a number or \[height, width\], `padding` also \[top, left, bottom, right\]; `ceil_mode` (false).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPool2d {
    pooling: Pooling,
}

impl MaxPool2d {
    pooling_methods!();

    /// From one entry of the kernel to the next, along height and width.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.pooling.dilation = dilation;
        self
    }

    fn from_pooling(pooling: Pooling) -> Self {
        MaxPool2d { pooling }
    }

    fn largest<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Index {
        let shape = at.input_shape(0);
        let window = self.pooling.window([shape[2], shape[3]]).expect("the shape rule said so");
        at.arrays.window_argmax(at.inputs[0], &window)
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

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let all = numel(at.input_shape(0));
        let y = at.arrays.gather(&at.arrays.reshape(at.inputs[0], &[all, 1]), &self.largest(at));
        let shape = at.arrays.shape(&y);
        at.arrays.reshape(&y, &shape[..4])
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let entries = at.arrays.reshape(dy, &[at.arrays.shape(dy), &[1]].concat());
        let dx = at.arrays.scatter(&entries, &self.largest(at), numel(at.input_shape(0)));
        at.arrays.reshape(&dx, at.input_shape(0))
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
