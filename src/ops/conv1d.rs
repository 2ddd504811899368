//! Convolutions of lines.

use super::convolution::{self, Padding, Sliding};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::factor::InputOperand;

/// The convolution of \[i, l\] with a weight \[o, i/groups, k\], a [`Conv2d`](super::Conv2d) on planes of height 1:
///
/// y\[n,(g o),t\] = b\[(g o)\] + sum over i, k of w\[(g o),i,k\] x\[n,(g i), t stride + k dilation - padding\]
///
/// with zeros around the line. Parameters: the weight, and b, \[o\], which may be left out. Attributes: `stride`,
/// `dilation` (1 where missing) and `padding` (0), each a number or a list of one; `padding` also \[before, after\], or
/// `"same"`, which keeps the size at stride 1 with the smaller half before the line, or `"valid"`, which is none;
/// `groups` (1).
///
/// The per-sample gradient of w is sum over t of dy\[n,(g o),t\] x\[n,(g i), t stride + k dilation - padding\], that of b
/// is sum over t of dy\[n,(g o),t\].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv1d {
    sliding: Sliding,
}

impl Conv1d {
    /// With stride 1, without padding or dilation, all channels together.
    pub fn new() -> Self {
        Conv1d { sliding: Sliding::PLAIN }
    }

    /// From one position to the next.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.sliding.stride = [1, stride];
        self
    }

    /// Zeros on either side.
    #[must_use]
    pub fn padding(self, side: usize) -> Self {
        self.padding_sides([side, side])
    }

    /// Zeros \[before, after\].
    #[must_use]
    pub fn padding_sides(mut self, sides: [usize; 2]) -> Self {
        self.sliding.padding = Padding::Sides([[0, 0], sides]);
        self
    }

    /// As many zeros as keep the size, the smaller half before.
    #[must_use]
    pub fn padding_same(mut self) -> Self {
        self.sliding.padding = Padding::Same;
        self
    }

    /// From one entry of the kernel to the next.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.sliding.dilation = [1, dilation];
        self
    }

    /// So many groups of channels that are treated apart.
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

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        convolution::forward(&self.sliding, at)
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        convolution::pull(&self.sliding, at, dy)
    }

    fn input_operand<B: Arrays>(&self, at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        convolution::input_operand(&self.sliding, at, parameter)
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
