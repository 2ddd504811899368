//! Two-dimensional transposed convolution.

use super::convolution::{self, Padding, Sliding, check_bias, plane, refuse};
use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::InputOperand;

/// The transposed convolution of `[i, h, w]` with a weight `[i, o/groups, kh, kw]`. It is the adjoint of a
/// [`Conv2d`](super::Conv2d) whose window slides over the result. Where the convolution gathers a patch, this op adds
///
/// `sum over i of x[n,(g i),t] w[(g i),o]`
///
/// to entry o of the patch at position t. Then `b[(g o)]` is added to every entry. The result has
/// `(h - 1) stride - padding + dilation (kh - 1) + output_padding + 1` rows, with `padding` summed over both sides. The
/// number of columns follows the same formula.
///
/// Parameters: the weight, and optionally b, `[o]`. Attributes: `stride`, `dilation` (default 1), `padding` and
/// `output_padding` (default 0), each a number or `[height, width]`. `padding` may also be `[top, left, bottom, right]`.
/// `groups` defaults to 1. `output_padding` must be smaller than the stride. (PyTorch also accepts an `output_padding`
/// that is only smaller than the dilation. Here it is an error.)
///
/// The per-sample gradient of the weight is the sum over t of `x[n,(g i),t] patch[n,g,t,o]`, with the patches of dy. That
/// of b is the sum over t of `dy[n,(g o),t]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvTranspose2d {
    sliding: Sliding,
    output_padding: [usize; 2],
}

impl ConvTranspose2d {
    /// A transposed convolution with stride 1, no padding, no dilation and one group.
    pub fn new() -> Self {
        ConvTranspose2d { sliding: Sliding::PLAIN, output_padding: [0, 0] }
    }

    /// The distance between two positions of the window, along height and width of the result.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.sliding.stride = stride;
        self
    }

    /// The number of entries cut off the result on either side, along height and width.
    #[must_use]
    pub fn padding(self, [h, w]: [usize; 2]) -> Self {
        self.padding_sides([[h, h], [w, w]])
    }

    /// The numbers of entries cut off the result, `[[top, bottom], [left, right]]`.
    #[must_use]
    pub fn padding_sides(mut self, sides: [[usize; 2]; 2]) -> Self {
        self.sliding.padding = Padding::Sides(sides);
        self
    }

    /// The number of additional rows at the bottom and of additional columns at the right.
    #[must_use]
    pub fn output_padding(mut self, output_padding: [usize; 2]) -> Self {
        self.output_padding = output_padding;
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

    fn read(attributes: &Attributes) -> Result<Self> {
        let sliding = Sliding::parse_plane(attributes)?;
        if sliding.padding == Padding::Same {
            return Err(Error::value("attribute 'padding' is 'same', but a transposed convolution needs sizes"));
        }
        let output_padding = attributes.sizes_by_axis("output_padding")?.unwrap_or([0, 0]);
        Ok(ConvTranspose2d { sliding, output_padding })
    }

    /// Height and width of the result. `None` if the result is empty or a size overflows.
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
        let x = inputs[0];
        let weight = parameters[0];
        let groups = self.sliding.groups;
        let stride = self.sliding.stride;
        let shapes = || format!("an input of shape {x:?} and a weight of shape {weight:?}");
        if x.len() != 3 || weight.len() != 4 {
            return refuse(
                self,
                format!("{} do not fit; [in, h, w] and [in, out/groups, kh, kw] are needed", shapes()),
            );
        }
        if x.contains(&0) || weight.contains(&0) {
            return refuse(self, format!("{} must not be empty", shapes()));
        }
        if weight[0] != x[0] || !x[0].is_multiple_of(groups) {
            return refuse(self, format!("{} [in, out/groups, kh, kw] do not fit in {groups} groups", shapes()));
        }
        let Some(channels) = weight[1].checked_mul(groups) else {
            return refuse(self, format!("{} in {groups} groups have too many channels", shapes()));
        };
        check_bias(self, parameters, channels)?;
        let extra = self.output_padding;
        if extra[0] >= stride[0] || extra[1] >= stride[1] {
            return refuse(self, format!("output_padding {extra:?} must be smaller than the stride {stride:?}"));
        }
        match self.result(plane(&x[1..]), plane(&weight[2..])) {
            Some([h, w]) => Ok(vec![channels, h, w]),
            None => refuse(
                self,
                format!("{} with {:?} give an empty result or too large a result", shapes(), self.sliding.padding),
            ),
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let window = convolution::window(&self.sliding, ctx);
        let size =
            self.result(plane(&ctx.input_shape(0)[2..]), window.kernel).expect("the shape rule accepted the sizes");
        convolution::with_bias(ctx, ctx.arrays.convolve_input(ctx.inputs[0], ctx.parameters[0], &window, size))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.convolve(dy, ctx.parameters[0], &convolution::window(&self.sliding, ctx))
    }

    fn input_operand<B: Arrays>(&self, ctx: &OpContext<'_, B>, parameter: usize) -> Option<InputOperand<B>> {
        match parameter {
            0 => Some(InputOperand::Planes(ctx.inputs[0].clone(), convolution::window(&self.sliding, ctx))),
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
            // Kernels smaller than the stride leave entries that receive no contribution.
            case(conv.stride([3, 2]).output_padding([2, 0]), [1, 2, 2], [1, 2, 1, 1]),
        ]
    }
}
