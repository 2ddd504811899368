//! Convolutions of planes.

use super::convolution::{self, Padding, Sliding};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::factor::InputOperand;

/// The convolution, as deep learning calls it, of \[i, h, w\] with a weight \[o, i/groups, kh, kw\]:
///
/// y\[n,(g o),t\] = b\[(g o)\] + sum over i of w\[(g o),i\] patch\[n,g,t,i\]
///
/// where patch\[n,g,t,i\] is what group g of the input shows through a [`Window`](crate::backend::Window) of the weight's
/// size at position t, zeros around the plane. With k, k' along the height, entry \[k, k'\] of the window at position
/// \[t, t'\] is entry t stride + k dilation - padding of the plane, and the same along the width.
///
/// Parameters: the weight, and b, \[o\], which may be left out. Attributes: `stride`, `dilation` (1 where missing) and
/// `padding` (0), each a number or \[height, width\]; `padding` also \[top, left, bottom, right\], or `"same"`, which keeps
/// the size at stride 1 with the smaller half before the plane, or `"valid"`, which is none; `groups` (1).
///
/// The per-sample gradient of the weight is sum over t of dy\[n,(g o),t\] patch\[n,g,t,i\], that of b is
/// sum over t of dy\[n,(g o),t\].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conv2d {
    sliding: Sliding,
}

impl Conv2d {
    /// With stride 1, without padding or dilation, all channels together.
    pub fn new() -> Self {
        Conv2d { sliding: Sliding::PLAIN }
    }

    /// From one position to the next, along height and width.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.sliding.stride = stride;
        self
    }

    /// Zeros on either side, along height and width.
    #[must_use]
    pub fn padding(self, [h, w]: [usize; 2]) -> Self {
        self.padding_sides([[h, h], [w, w]])
    }

    /// Zeros \[\[top, bottom\], \[left, right\]\].
    #[must_use]
    pub fn padding_sides(mut self, sides: [[usize; 2]; 2]) -> Self {
        self.sliding.padding = Padding::Sides(sides);
        self
    }

    /// As many zeros as keep the size, the smaller half at the top and at the left.
    #[must_use]
    pub fn padding_same(mut self) -> Self {
        self.sliding.padding = Padding::Same;
        self
    }

    /// From one entry of the kernel to the next, along height and width.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.sliding.dilation = dilation;
        self
    }

    /// So many groups of channels that are treated apart.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.sliding.groups = groups;
        self
    }

    /// The shape of the weight, from `channels` to `out` channels.
    pub(crate) fn weight_shape(&self, channels: usize, out: usize, [h, w]: [usize; 2]) -> [usize; 4] {
        // The shape rule refuses groups that do not divide the channels.
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
            // Entries between the positions that no window sees, and windows in the padding alone.
            case(conv.stride([3, 3]), [1, 5, 5], [2, 1, 2, 1]),
            case(conv.padding([3, 2]), [1, 2, 2], [1, 1, 2, 2]),
            case(conv.padding([1, 0]), [1, 20, 15], [2, 1, 3, 1]),
        ]
    }
}
