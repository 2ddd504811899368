//! The order of the entries along the last axis.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// `y[n,...,k]` is the place of the k-th smallest entry of `x[n,...]` along the last axis, or of the k-th largest one if
/// `descending`. Equal entries keep their order; NaN counts as the largest number.
///
/// The result is piecewise constant: the cotangent is 0. [`Take`](super::Take) gives the sorted entries.
///
/// Descriptions call it `sort_order`, with the attribute `descending` (false).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SortOrder {
    /// Whether the largest entry comes first.
    pub descending: bool,
}

impl Op for SortOrder {
    fn name(&self) -> &'static str {
        "sort_order"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let descending = || attributes.flag_or("descending", false).map_err(|e| e.context(name));
        (name == "sort_order").then(|| Ok(SortOrder { descending: descending()? }))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        match inputs[0] {
            [] => Err(Error::shape("sort_order: a sample is one number, where an axis to sort along is needed")),
            shape => Ok(shape.to_vec()),
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.sort_order(ctx.inputs[0], self.descending)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, _dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.full(0.0, ctx.input_shape(0))
    }

    fn piecewise_constant_in(&self, _input: usize) -> bool {
        true
    }

    fn cases() -> Vec<Case<Self>> {
        let cases = |descending| {
            let op = SortOrder { descending };
            vec![Case::new(op, &[&[2, 5]], &[]), Case::new(op, &[&[6]], &[]).whole(0, 3), Case::new(op, &[&[1]], &[])]
        };
        [false, true].into_iter().flat_map(cases).collect()
    }
}
