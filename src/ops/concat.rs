//! Concatenation.

use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// Concatenates the inputs along an axis of a sample. All other axes agree. Samples are never concatenated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concat {
    /// The axis, of a sample.
    pub axis: usize,
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "concat").then(|| Ok(Concat { axis: attributes.size("axis").map_err(|e| e.context(name))? }))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        let Concat { axis } = *self;
        let mut shape = inputs.first().map(|first| first.to_vec()).unwrap_or_default();
        let alike = |other: &&[usize]| {
            other.len() == shape.len() && (0..shape.len()).all(|k| k == axis || other[k] == shape[k])
        };
        let total = inputs.iter().try_fold(0usize, |sum, other| sum.checked_add(*other.get(axis)?));
        match total {
            Some(total) if axis < shape.len() && parameters.is_empty() && inputs.iter().all(alike) => {
                shape[axis] = total;
                Ok(shape)
            }
            _ => Err(Error::shape(format!("concat: inputs of shapes {inputs:?} do not fit along axis {axis}"))),
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.concat(ctx.inputs, self.axis + 1)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let size = |k: usize| ctx.input_shape(k)[self.axis + 1];
        let start: usize = (0..input).map(size).sum();
        ctx.arrays.slice(dy, self.axis + 1, start..start + size(input))
    }

    fn moves_entries(&self) -> Option<f64> {
        Some(1.0)
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Concat { axis: 0 }, &[&[2], &[3]], &[]),
            Case::new(Concat { axis: 1 }, &[&[2, 3], &[2, 1], &[2, 2]], &[]),
            Case::new(Concat { axis: 0 }, &[&[2, 3]], &[]),
        ]
    }
}
