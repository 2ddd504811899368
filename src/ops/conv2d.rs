//! Two-dimensional convolution.

use super::convolution::{self, Padding, Sliding};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::factor::InputOperand;

/// The convolution (a cross-correlation, as usual in deep learning) of `[i, h, w]` with a weight `[o, i/groups, kh, kw]`:
///
/// `y[n,(g o),t] = b[(g o)] + sum over i of w[(g o),i] patch[n,g,t,i]`
///
/// `patch[n,g,t,i]` is the part of group g of the input in a [`Window`](crate::backend::Window) of the weight's size at
/// position t, with zeros around the plane. Along the height, entry k of the window at position t is entry
/// `t stride + k dilation - padding` of the plane. The same holds along the width.
///
/// Parameters: the weight, and optionally b, `[o]`. Attributes: `stride`, `dilation` (default 1) and `padding` (default
/// 0), each a number or `[height, width]`. `padding` may also be `[top, left, bottom, right]`, `"valid"` (no padding) or
/// `"same"`, which keeps the size at stride 1 and puts the smaller half before the plane. `groups` defaults to 1.
///
/// The per-sample gradient of the weight is the sum over t of `dy[n,(g o),t] patch[n,g,t,i]`. That of b is the sum over t
/// of `dy[n,(g o),t]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2d {
    sliding: Sliding,
}

impl Conv2d {
    /// A convolution with stride 1, no padding, no dilation and one group.
    pub fn new() -> Self {
        Conv2d { sliding: Sliding::PLAIN }
    }

    /// The distance between two positions of the window, along height and width.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.sliding.stride = stride;
        self
    }

    /// The number of zeros on either side, along height and width.
    #[must_use]
    pub fn padding(self, [h, w]: [usize; 2]) -> Self {
        self.padding_sides([[h, h], [w, w]])
    }

    /// The numbers of zeros `[[top, bottom], [left, right]]`.
    #[must_use]
    pub fn padding_sides(mut self, sides: [[usize; 2]; 2]) -> Self {
        self.sliding.padding = Padding::Sides(sides);
        self
    }

    /// As many zeros as keep the size, with the smaller half at the top and at the left.
    #[must_use]
    pub fn padding_same(mut self) -> Self {
        self.sliding.padding = Padding::Same;
        self
    }

    /// The distance between two entries of the kernel, along height and width.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.sliding.dilation = dilation;
        self
    }

    /// The number of groups of channels. Groups do not interact.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.sliding.groups = groups;
        self
    }

    /// The shape of the weight, from `channels` to `out` channels.
    pub(crate) fn weight_shape(&self, channels: usize, out: usize, [h, w]: [usize; 2]) -> [usize; 4] {
        // The shape rule rejects groups that do not divide the channels.
        [out, channels.checked_div(self.sliding.groups).unwrap_or(0), h, w]
    }
}

impl Default for Conv2d {
    fn default() -> Self {
        Conv2d::new()
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Ok(Conv2d { sliding: Sliding::parse_plane(attributes).map_err(|e| e.context(name))? });
        (name == "conv2d").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        convolution::shape(self, &self.sliding, 2, inputs, parameters)
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
        let conv = Conv2d::new();
        let case = |op, x: [usize; 3], weight: [usize; 4]| Case::new(op, &[&x], &[&weight]);
        let biased = |op, x: [usize; 3], weight: [usize; 4]| Case::new(op, &[&x], &[&weight, &weight[..1]]);
        vec![
            biased(conv.padding([1, 1]), [2, 4, 5], [3, 2, 3, 3]),
            case(conv.stride([2, 1]).padding_sides([[1, 0], [0, 2]]).dilation([1, 2]), [2, 4, 3], [2, 2, 3, 2]),
            biased(conv.groups(2).stride([2, 2]).padding([1, 1]), [4, 3, 3], [4, 2, 2, 2]),
            case(conv.groups(3), [3, 3, 3], [6, 1, 2, 2]),
            biased(conv, [3, 2, 3], [2, 3, 1, 1]),
            case(conv.groups(2), [4, 2, 2], [2, 2, 1, 1]),
            case(conv.padding_same().dilation([2, 1]), [1, 3, 4], [2, 1, 2, 4]),
            // Entries that no window contains, and windows that lie in the padding.
            case(conv.stride([3, 3]), [1, 5, 5], [2, 1, 2, 1]),
            case(conv.padding([3, 2]), [1, 2, 2], [1, 1, 2, 2]),
            case(conv.padding([1, 0]), [1, 20, 15], [2, 1, 3, 1]),
        ]
    }
}
