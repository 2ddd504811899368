//! Transposed convolutions of planes.

use super::convolution::{self, Padding, Sliding, check_bias, plane, refuse};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;

/// The transposed convolution of \[i, h, w\] with a weight \[i, o/groups, kh, kw\], the adjoint of a
/// [`Conv2d`](super::Conv2d) whose window slides over the result: where that one gathers a patch, this one adds
///
/// sum over i of x\[n,(g i),t\] w\[(g i),o\]
///
/// to entry o of the patch at position t, then b\[(g o)\] to every entry. The result has
/// (h - 1) stride - padding + dilation (kh - 1) + output_padding + 1 rows, `padding` counted on both sides, and columns
/// likewise.
///
/// Parameters: the weight, and b, \[o\], which may be left out. Attributes: `stride`, `dilation` (1 where missing),
/// `padding` and `output_padding` (0), each a number or \[height, width\]; `padding` also \[top, left, bottom, right\];
/// `groups` (1). `output_padding` is smaller than the stride. (PyTorch also takes one that is only smaller than the
/// dilation; its result is refused here.)
///
/// The per-sample gradient of the weight is sum over t of x\[n,(g i),t\] patch\[n,g,t,o\], where the patches are those of
/// dy; that of b is sum over t of dy\[n,(g o),t\].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvTranspose2d {
    sliding: Sliding,
    output_padding: [usize; 2],
}

impl ConvTranspose2d {
    /// With stride 1, without padding or dilation, all channels together.
    pub fn new() -> Self {
        ConvTranspose2d { sliding: Sliding::PLAIN, output_padding: [0, 0] }
    }

    /// From one position to the next, along height and width of the result.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.sliding.stride = stride;
        self
    }

    /// Entries of the result that are cut off on either side, along height and width.
    #[must_use]
    pub fn padding(self, [h, w]: [usize; 2]) -> Self {
        self.padding_sides([[h, h], [w, w]])
    }

    /// Entries of the result that are cut off, \[\[top, bottom\], \[left, right\]\].
    #[must_use]
    pub fn padding_sides(mut self, sides: [[usize; 2]; 2]) -> Self {
        self.sliding.padding = Padding::Sides(sides);
        self
    }

    /// Rows and columns that the result has in addition, at the bottom and at the right.
    #[must_use]
    pub fn output_padding(mut self, output_padding: [usize; 2]) -> Self {
        self.output_padding = output_padding;
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

    fn read(attributes: &Attributes) -> Result<Self> {
        let sliding = Sliding::parse_plane(attributes)?;
        if sliding.padding == Padding::Same {
            return Err(Error::value("attribute 'padding' is 'same' where sizes are needed"));
        }
        let output_padding = attributes.sizes_by_axis("output_padding")?.unwrap_or([0, 0]);
        Ok(ConvTranspose2d { sliding, output_padding })
    }

    /// Height and width of the result, if there are entries left and sizes fit a `usize`.
    fn result(&self, size: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        let window = self.sliding.window(kernel);
        let along = |axis: usize| {
            let [before, after] = window.padding[axis];
            let span = kernel[axis].checked_sub(1)?.checked_mul(window.dilation[axis])?.checked_add(1)?;
            let all = size[axis].checked_sub(1)?.checked_mul(window.stride[axis])?.checked_add(span)?;
            let all = all.checked_add(self.output_padding[axis])?;
            all.checked_sub(before)?.checked_sub(after).filter(|&left| left > 0)
        };
        let result = [along(0)?, along(1)?];
        (window.positions(result) == Some(size)).then_some(result)
    }
}

impl Default for ConvTranspose2d {
    fn default() -> Self {
        ConvTranspose2d::new()
    }
}

impl Op for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "conv_transpose2d").then(|| ConvTranspose2d::read(attributes).map_err(|e| e.context(name)))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 1..=2)?;
        self.sliding.check(self)?;
        let (x, weight, groups, stride) = (inputs[0], parameters[0], self.sliding.groups, self.sliding.stride);
        let shapes = || format!("an input of shape {x:?} and a weight of shape {weight:?}");
        if x.len() != 3 || weight.len() != 4 {
            return refuse(self, format!("{}, where [in, h, w] and [in, out/groups, kh, kw] are needed", shapes()));
        }
        if x.contains(&0) || weight.contains(&0) {
            return refuse(self, format!("{}: one has no entries", shapes()));
        }
        if weight[0] != x[0] || !x[0].is_multiple_of(groups) {
            return refuse(self, format!("{} [in, out/groups, kh, kw] do not fit in {groups} groups", shapes()));
        }
        let Some(channels) = weight[1].checked_mul(groups) else {
            return refuse(self, format!("{} in {groups} groups: too many channels", shapes()));
        };
        check_bias(self, parameters, channels)?;
        let more = self.output_padding;
        if more[0] >= stride[0] || more[1] >= stride[1] {
            return refuse(self, format!("output_padding {more:?} must be smaller than the stride {stride:?}"));
        }
        match self.result(plane(&x[1..]), plane(&weight[2..])) {
            Some([h, w]) => Ok(vec![channels, h, w]),
            None => refuse(
                self,
                format!("{} with {:?} leave no result, or too large a one", shapes(), self.sliding.padding),
            ),
        }
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let window = convolution::window(&self.sliding, at);
        let size = self.result(plane(&at.input_shape(0)[2..]), window.kernel).expect("the shape rule said so");
        convolution::with_bias(at, at.arrays.convolve_input(at.inputs[0], at.parameters[0], &window, size))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        at.arrays.convolve(dy, at.parameters[0], &convolution::window(&self.sliding, at))
    }

    fn input_operand<B: Arrays>(&self, at: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match parameter {
            0 => Some(InputOperand::Planes(at.inputs[0].clone(), convolution::window(&self.sliding, at))),
            1 => Some(InputOperand::Channels),
            _ => None,
        }
    }

    fn cases() -> Vec<Case<Self>> {
        let conv = ConvTranspose2d::new();
        let case = |op, x: [usize; 3], weight: [usize; 4]| Case::new(op, &[&x], &[&weight]);
        vec![
            Case::new(conv, &[&[2, 2, 3]], &[&[2, 3, 2, 2], &[3]]),
            Case::new(
                conv.stride([2, 2]).padding([1, 1]).output_padding([1, 1]).groups(2),
                &[&[4, 2, 2]],
                &[&[4, 1, 3, 3], &[2]],
            ),
            case(conv.stride([1, 3]).padding_sides([[0, 1], [2, 0]]).dilation([2, 1]), [1, 3, 2], [1, 2, 2, 3]),
            case(conv.groups(2), [2, 2, 2], [2, 2, 1, 1]),
            // Kernels smaller than the stride leave entries that nothing is added to.
            case(conv.stride([3, 2]).output_padding([2, 0]), [1, 2, 2], [1, 2, 1, 1]),
        ]
    }
}
