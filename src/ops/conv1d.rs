//! One-dimensional convolution.

use super::convolution::{self, Padding, Sliding};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::factor::InputOperand;

/// The convolution of `[i, l]` with a weight `[o, i/groups, k]`. It is a [`Conv2d`](super::Conv2d) on planes of height 1:
///
/// `y[n,(g o),t] = b[(g o)] + sum over i, k of w[(g o),i,k] x[n,(g i), t stride + k dilation - padding]`
///
/// with zeros around the line. Parameters: the weight, and optionally b, `[o]`. Attributes: `stride` and
/// `dilation` (1 by default) and `padding` (0 by default), each a number or a list of one. `padding` may also be
/// `[before, after]`, `"valid"` (no padding) or `"same"`, which keeps the size at stride 1 and puts the smaller half before
/// the line. `groups` defaults to 1.
///
/// The per-sample gradient of w is the sum over t of `dy[n,(g o),t] x[n,(g i), t stride + k dilation - padding]`. That of
/// b is the sum over t of `dy[n,(g o),t]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv1d {
    sliding: Sliding,
}

impl Conv1d {
    /// A convolution with stride 1, no padding, no dilation and one group.
    pub fn new() -> Self {
        Conv1d { sliding: Sliding::PLAIN }
    }

    /// The distance between two positions of the window.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.sliding.stride = [1, stride];
        self
    }

    /// The number of zeros on either side.
    #[must_use]
    pub fn padding(self, side: usize) -> Self {
        self.padding_sides([side, side])
    }

    /// The numbers of zeros `[before, after]`.
    #[must_use]
    pub fn padding_sides(mut self, sides: [usize; 2]) -> Self {
        self.sliding.padding = Padding::Sides([[0, 0], sides]);
        self
    }

    /// As many zeros as keep the size, with the smaller half before the line.
    #[must_use]
    pub fn padding_same(mut self) -> Self {
        self.sliding.padding = Padding::Same;
        self
    }

    /// The distance between two entries of the kernel.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.sliding.dilation = [1, dilation];
        self
    }

    /// The number of groups of channels. Groups do not interact.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.sliding.groups = groups;
        self
    }
}

impl Default for Conv1d {
    fn default() -> Self {
        Conv1d::new()
    }
}

impl Op for Conv1d {
    fn name(&self) -> &'static str {
        "conv1d"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Ok(Conv1d { sliding: Sliding::parse_line(attributes).map_err(|e| e.context(name))? });
        (name == "conv1d").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        convolution::shape(self, &self.sliding, 1, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        convolution::forward(&self.sliding, ctx)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        convolution::pull(&self.sliding, ctx, dy)
    }

    fn input_operand<B: Arrays>(&self, ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        convolution::input_operand(&self.sliding, ctx, parameter)
    }

    fn cases() -> Vec<Case<Self>> {
        let conv = Conv1d::new();
        vec![
            Case::new(conv.padding(1), &[&[2, 5]], &[&[3, 2, 3], &[3]]),
            Case::new(conv.stride(2).dilation(2).padding_sides([0, 3]), &[&[1, 4]], &[&[2, 1, 3]]),
            Case::new(conv.groups(2).padding_same(), &[&[4, 3]], &[&[2, 2, 2], &[2]]),
            Case::new(conv, &[&[2, 3]], &[&[2, 2, 1]]),
        ]
    }
}
