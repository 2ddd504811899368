//! A range along an axis.

use std::ops::Range;

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// The entries of a range along an axis of a sample, such as one part of a packed projection.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// The axis of a sample.
    pub axis: usize,
    /// The range along the axis. The attributes `start` and `end`.
    pub range: Range<usize>,
}

impl Op for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || {
            let size = |key| attributes.size(key).map_err(|e| e.context(name));
            Ok(Slice { axis: size("axis")?, range: size("start")?..size("end")? })
        };
        (name == "slice").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        let Slice { axis, range } = self;
        let mut shape = inputs[0].to_vec();
        match shape.get_mut(*axis) {
            Some(size) if range.start <= range.end && range.end <= *size => *size = range.len(),
            _ => {
                return Err(Error::shape(format!(
                    "slice: the range {range:?} is not valid along axis {axis} of a sample of shape {shape:?}"
                )));
            }
        }
        Ok(shape)
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.slice(ctx.inputs[0], self.axis + 1, self.range.clone())
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let axis = self.axis + 1;
        let zeros = |size: usize| {
            let mut shape = ctx.input_shape(0).to_vec();
            shape[axis] = size;
            ctx.arrays.full(0.0, &shape)
        };
        let before = zeros(self.range.start);
        let after = zeros(ctx.input_shape(0)[axis] - self.range.end);
        ctx.arrays.concat(&[&before, dy, &after], axis)
    }

    fn moves_entries(&self) -> Option<f64> {
        Some(1.0)
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Slice { axis: 0, range: 1..3 }, &[&[4]], &[]),
            Case::new(Slice { axis: 1, range: 0..2 }, &[&[2, 5, 3]], &[]),
            Case::new(Slice { axis: 2, range: 2..3 }, &[&[2, 2, 3]], &[]),
        ]
    }
}
