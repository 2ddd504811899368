//! Common parts of convolutions: how a window slides, whether it fits, and the arithmetic on planes. A line is a plane of
//! height 1.

use super::{Op, OpContext, expect_arity};
use crate::attributes::{Attribute, Attributes};
use crate::backend::{Arrays, Window};
use crate::error::{Error, Result};
use crate::factor::InputOperand;

/// The zeros around a plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Padding {
    /// Their numbers before and after, for height and width.
    Sides([[usize; 2]; 2]),
    /// As many as keep the size, with the smaller half before.
    Same,
}

/// How a window slides. The kernel size is not part of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sliding {
    pub stride: [usize; 2],
    pub padding: Padding,
    pub dilation: [usize; 2],
    pub groups: usize,
}

/// An error that names the op and says why it rejects its arguments.
pub(super) fn refuse<T>(op: &impl Op, why: String) -> Result<T> {
    Err(Error::shape(format!("{}: {why}", op.name())))
}

impl Sliding {
    /// Stride 1, no padding, no dilation, one group.
    pub const PLAIN: Sliding =
        Sliding { stride: [1, 1], padding: Padding::Sides([[0, 0], [0, 0]]), dilation: [1, 1], groups: 1 };

    /// The attributes `stride`, `padding`, `dilation` and `groups`, for a plane.
    pub fn parse_plane(attributes: &Attributes) -> Result<Self> {
        let padding = match attributes.get("padding") {
            Some(Attribute::Text(_)) => parse_word(attributes)?,
            Some(Attribute::Numbers(sides)) if sides.len() == 4 => {
                let sides = attributes.sizes("padding")?;
                Padding::Sides([[sides[0], sides[2]], [sides[1], sides[3]]])
            }
            _ => {
                let [h, w] = attributes.sizes_by_axis("padding")?.unwrap_or([0, 0]);
                Padding::Sides([[h, h], [w, w]])
            }
        };
        Ok(Sliding {
            stride: attributes.sizes_by_axis("stride")?.unwrap_or([1, 1]),
            padding,
            dilation: attributes.sizes_by_axis("dilation")?.unwrap_or([1, 1]),
            groups: attributes.size_or("groups", 1)?,
        })
    }

    /// The same attributes for a line.
    pub fn parse_line(attributes: &Attributes) -> Result<Self> {
        let padding = match attributes.get("padding") {
            Some(Attribute::Text(_)) => parse_word(attributes)?,
            Some(Attribute::Numbers(sides)) if sides.len() == 2 => {
                let sides = attributes.sizes("padding")?;
                Padding::Sides([[0, 0], [sides[0], sides[1]]])
            }
            _ => {
                let [side] = attributes.sizes_by_axis("padding")?.unwrap_or([0]);
                Padding::Sides([[0, 0], [side, side]])
            }
        };
        let along = |name| Ok::<_, Error>(attributes.sizes_by_axis::<1>(name)?.map_or([1, 1], |[size]| [1, size]));
        Ok(Sliding {
            stride: along("stride")?,
            padding,
            dilation: along("dilation")?,
            groups: attributes.size_or("groups", 1)?,
        })
    }

    /// The window with a kernel of this size.
    pub fn window(&self, kernel: [usize; 2]) -> Window {
        let Sliding { stride, dilation, groups, .. } = *self;
        let padding = match self.padding {
            Padding::Sides(sides) => sides,
            Padding::Same => [0, 1].map(|axis| {
                let total = kernel[axis].saturating_sub(1).saturating_mul(dilation[axis]);
                [total / 2, total - total / 2]
            }),
        };
        Window { kernel, stride, dilation, padding, groups }
    }

    /// Rejects attributes that fit no input.
    pub fn check(&self, op: &impl Op) -> Result<()> {
        let Sliding { stride, dilation, groups, .. } = *self;
        if stride.contains(&0) || dilation.contains(&0) || groups == 0 {
            return refuse(
                op,
                format!("stride {stride:?}, dilation {dilation:?} and groups {groups} must not be zero"),
            );
        }
        if self.padding == Padding::Same && stride != [1, 1] {
            return refuse(op, format!("padding \"same\" needs stride 1, but the stride is {stride:?}"));
        }
        Ok(())
    }
}

fn parse_word(attributes: &Attributes) -> Result<Padding> {
    match attributes.text_or("padding", "valid")? {
        "same" => Ok(Padding::Same),
        "valid" => Ok(Padding::Sides([[0, 0], [0, 0]])),
        word => Err(Error::value(format!("attribute 'padding' is '{word}'; pass sizes, 'same' or 'valid'"))),
    }
}

/// The shape rule: inputs are `[i, l]` if `axes` is 1 and `[i, h, w]` if `axes` is 2.
pub(super) fn shape(
    op: &impl Op,
    sliding: &Sliding,
    axes: usize,
    inputs: &[&[usize]],
    parameters: &[&[usize]],
) -> Result<Vec<usize>> {
    expect_arity(op, inputs, parameters, 1, 1..=2)?;
    sliding.check(op)?;
    let x = inputs[0];
    let weight = parameters[0];
    let groups = sliding.groups;
    if x.len() != axes + 1 || weight.len() != axes + 2 {
        let layout =
            if axes == 1 { "[in, l] and [out, in/groups, k]" } else { "[in, h, w] and [out, in/groups, kh, kw]" };
        return refuse(
            op,
            format!("an input of shape {x:?} and a weight of shape {weight:?} do not fit; {layout} are needed"),
        );
    }
    if x.contains(&0) || weight.contains(&0) {
        return refuse(op, format!("an input of shape {x:?} and a weight of shape {weight:?} must not be empty"));
    }
    if weight[1].checked_mul(groups) != Some(x[0]) || !weight[0].is_multiple_of(groups) {
        return refuse(
            op,
            format!(
                "an input of shape {x:?} does not fit a weight of shape {weight:?} [out, in/groups, ...] in {groups} groups"
            ),
        );
    }
    check_bias(op, parameters, weight[0])?;
    let window = sliding.window(plane(&weight[2..]));
    let Some(positions) = window.positions(plane(&x[1..])) else {
        let dilation = window.dilation;
        let padding = window.padding;
        return refuse(
            op,
            format!(
                "a weight of shape {weight:?} with dilation {dilation:?} is larger than an input of shape {x:?} with \
                 padding {padding:?}"
            ),
        );
    };
    Ok([&weight[..1], &positions[2 - axes..]].concat())
}

/// Checks that a bias, if given, has one entry per channel.
pub(super) fn check_bias(op: &impl Op, parameters: &[&[usize]], channels: usize) -> Result<()> {
    match parameters.get(1) {
        Some(&bias) if bias != [channels] => {
            let weight = parameters[0];
            refuse(
                op,
                format!(
                    "a bias of shape {bias:?} does not fit a weight of shape {weight:?} with {channels} output channels"
                ),
            )
        }
        _ => Ok(()),
    }
}

/// Height and width from the last axes.
pub(super) fn plane(axes: &[usize]) -> [usize; 2] {
    match *axes {
        [h, w] => [h, w],
        [l] => [1, l],
        _ => unreachable!("the shape rule accepts planes and lines only"),
    }
}

/// `[n, i, l]` as `[n, i, 1, l]`. Planes are unchanged.
pub(super) fn as_planes<B: Arrays>(arrays: &B, x: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(x);
    let [h, w] = plane(&shape[2..]);
    arrays.reshape(x, &[shape[0], shape[1], h, w])
}

/// `y[n,o,...] + b[o]`, if there is a bias.
pub(super) fn with_bias<B: Arrays>(ctx: &OpContext<'_, B>, y: B::Tensor) -> B::Tensor {
    match ctx.parameters.get(1) {
        Some(bias) => {
            let channels = ctx.parameter_shape(1)[0];
            ctx.arrays.add(&y, &ctx.arrays.reshape(bias, &[channels, 1, 1]))
        }
        None => y,
    }
}

/// The window of the weight, which is parameter 0.
pub(super) fn window<B: Arrays>(sliding: &Sliding, ctx: &OpContext<'_, B>) -> Window {
    sliding.window(plane(&ctx.parameter_shape(0)[2..]))
}

pub(super) fn forward<B: Arrays>(sliding: &Sliding, ctx: &OpContext<'_, B>) -> B::Tensor {
    let x = as_planes(ctx.arrays, ctx.inputs[0]);
    let y = with_bias(ctx, ctx.arrays.convolve(&x, ctx.parameters[0], &window(sliding, ctx)));
    let shape = ctx.arrays.shape(&y);
    let axes = ctx.input_shape(0).len() - 2;
    ctx.arrays.reshape(&y, &[&shape[..2], &shape[4 - axes..]].concat())
}

pub(super) fn pull<B: Arrays>(sliding: &Sliding, ctx: &OpContext<'_, B>, dy: &B::Tensor) -> B::Tensor {
    let dy = as_planes(ctx.arrays, dy);
    let size = plane(&ctx.input_shape(0)[2..]);
    let dx = ctx.arrays.convolve_input(&dy, ctx.parameters[0], &window(sliding, ctx), size);
    ctx.arrays.reshape(&dx, ctx.input_shape(0))
}

pub(super) fn input_operand<B: Arrays>(
    sliding: &Sliding,
    ctx: &OpContext<'_, B>,
    parameter: usize,
) -> Option<InputOperand<B>> {
    match parameter {
        0 => Some(InputOperand::Patches(as_planes(ctx.arrays, ctx.inputs[0]), window(sliding, ctx))),
        1 => Some(InputOperand::Channels),
        _ => None,
    }
}
