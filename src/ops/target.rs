//! Common parts of losses: outputs f and targets y of equal shape, and one number per sample.

use super::{Op, OpContext, expect_arity};
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// The shape rule of a loss: f and y have equal shapes, and the result is one number per sample.
pub(super) fn shape(op: &impl Op, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
    expect_arity(op, inputs, parameters, 2, 0..=0)?;
    if inputs[0] == inputs[1] {
        return Ok(Vec::new());
    }
    let name = op.name();
    let f = inputs[0];
    let y = inputs[1];
    Err(Error::shape(format!(
        "{name}: outputs of shape {f:?} and targets of shape {y:?} do not fit; pass equal shapes"
    )))
}

/// The sum over all entries of each sample, `[n]`.
pub(super) fn sum_per_sample<B: Arrays>(arrays: &B, x: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(x).to_vec();
    let axes: Vec<usize> = (1..shape.len()).collect();
    arrays.reshape(&arrays.sum(x, &axes), &shape[..1])
}

/// The loss's cotangent, `[n]`, times its derivative in the outputs or targets.
pub(super) fn times_cotangent<B: Arrays>(ctx: &OpContext<'_, B>, dy: &B::Tensor, slope: &B::Tensor) -> B::Tensor {
    let mut column = vec![1; ctx.input_shape(0).len()];
    column[0] = ctx.input_shape(0)[0];
    ctx.arrays.mul(&ctx.arrays.reshape(dy, &column), slope)
}

/// x - y
pub(super) fn difference<B: Arrays>(arrays: &B, x: &B::Tensor, y: &B::Tensor) -> B::Tensor {
    arrays.add(x, &arrays.affine(y, -1.0, 0.0))
}
