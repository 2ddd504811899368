//! y = x1 where a mask is not 0, else x2.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::shape::broadcast;

/// y = x1 where the mask is not 0 and y = x2 where it is, entry by entry. The inputs are the mask, x1 and x2, of one rank;
/// an axis of size 1 is stretched.
///
/// The cotangent of x1 is dy where x1 is chosen and 0 elsewhere, and that of x2 the rest; the mask's is 0. An entry that is
/// not chosen may be infinite or NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Select;

impl Op for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "select").then_some(Ok(Select))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 3, 0..=0)?;
        let [mask, x, y] = [inputs[0], inputs[1], inputs[2]];
        let one_rank = mask.len() == x.len() && x.len() == y.len();
        let shape = broadcast(x, y).and_then(|shape| broadcast(mask, &shape)).filter(|_| one_rank);
        shape.ok_or_else(|| {
            Error::shape(format!(
                "select: a mask of shape {mask:?} and inputs of shapes {x:?} and {y:?} do not fit (axes of size 1 are \
                 stretched)"
            ))
        })
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.select(ctx.inputs[0], ctx.inputs[1], ctx.inputs[2])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let zero = ctx.arrays.full(0.0, &vec![1; ctx.arrays.shape(dy).len()]);
        let dx = match input {
            0 => return ctx.arrays.full(0.0, ctx.input_shape(0)),
            1 => ctx.arrays.select(ctx.inputs[0], dy, &zero),
            _ => ctx.arrays.select(ctx.inputs[0], &zero, dy),
        };
        ctx.arrays.sum_to(&dx, ctx.input_shape(input))
    }

    fn piecewise_constant_in(&self, input: usize) -> bool {
        input == 0
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Select, &[&[3, 4], &[3, 4], &[3, 4]], &[]).whole(0, 2),
            Case::new(Select, &[&[1, 4], &[3, 1], &[1, 1]], &[]).whole(0, 2),
            Case::new(Select, &[&[2, 3], &[1, 3], &[2, 1]], &[]).whole(0, 3),
        ]
    }
}
