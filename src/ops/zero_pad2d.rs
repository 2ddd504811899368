//! Zero padding of planes.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// Planes `[i, h, w]` padded with zeros to `[i, top + h + bottom, left + w + right]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ZeroPad2d {
    /// The numbers of zeros: left, right, top, bottom. The attribute `pad`, in this order or as one number for all sides.
    pub pad: [usize; 4],
}

impl Op for ZeroPad2d {
    fn name(&self) -> &'static str {
        "zero_pad2d"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || match attributes.sizes_by_axis("pad").map_err(|e| e.context(name))? {
            Some(pad) => Ok(ZeroPad2d { pad }),
            None => Err(Error::name(format!(
                "{name}: attribute 'pad' is missing; pass [left, right, top, bottom] or a number"
            ))),
        };
        (name == "zero_pad2d").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        let [left, right, top, bottom] = self.pad;
        let sum = |size: usize, before: usize, after: usize| size.checked_add(before)?.checked_add(after);
        let padded = match *inputs[0] {
            [i, h, w] => sum(h, top, bottom).zip(sum(w, left, right)).map(|(h, w)| vec![i, h, w]),
            _ => None,
        };
        padded.ok_or_else(|| {
            Error::shape(format!(
                "zero_pad2d: an input of shape {:?} does not fit a padding of {:?}; the input must be [channels, h, w]",
                inputs[0], self.pad
            ))
        })
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let [left, right, top, bottom] = self.pad;
        let rows = padded(ctx.arrays, ctx.inputs[0], 2, [top, bottom]);
        padded(ctx.arrays, &rows, 3, [left, right])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let [left, _, top, _] = self.pad;
        let shape = ctx.input_shape(0);
        let rows = ctx.arrays.slice(dy, 2, top..top + shape[2]);
        ctx.arrays.slice(&rows, 3, left..left + shape[3])
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(ZeroPad2d { pad: [1, 2, 3, 0] }, &[&[2, 2, 3]], &[]),
            Case::new(ZeroPad2d { pad: [0, 0, 0, 0] }, &[&[1, 2, 2]], &[]),
        ]
    }
}

/// `x` with zeros before and after it along `axis`.
fn padded<B: Arrays>(arrays: &B, x: &B::Tensor, axis: usize, sides: [usize; 2]) -> B::Tensor {
    let [before, after] = sides.map(|size| {
        let mut shape = arrays.shape(x).to_vec();
        shape[axis] = size;
        arrays.full(0.0, &shape)
    });
    arrays.concat(&[&before, x, &after], axis)
}
