//! What losses share: outputs f and targets y of equal shape, and one number for each sample.

use super::{Op, OpContext, expect_arity};
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// The shape of a loss for one sample: a number, of f and y of equal shape.
pub(super) fn shape(op: &impl Op, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
    expect_arity(op, inputs, parameters, 2, 0..=0)?;
    match inputs[0] == inputs[1] {
        true => Ok(Vec::new()),
        false => {
            let (name, f, y) = (op.name(), inputs[0], inputs[1]);
            Err(Error::shape(format!("{name}: outputs of shape {f:?} and targets of shape {y:?}")))
        }
    }
}

/// The sum over all entries of every sample, \[n\].
pub(super) fn total<B: Arrays>(arrays: &B, x: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(x).to_vec();
    let axes: Vec<usize> = (1..shape.len()).collect();
    arrays.reshape(&arrays.sum(x, &axes), &shape[..1])
}

/// The loss's cotangent, \[n\], times its slope at the outputs or targets.
pub(super) fn pulled<B: Arrays>(at: &OpContext<'_, B>, dy: &B::Tensor, slope: &B::Tensor) -> B::Tensor {
    let mut column = vec![1; at.input_shape(0).len()];
    column[0] = at.input_shape(0)[0];
    at.arrays.mul(&at.arrays.reshape(dy, &column), slope)
}

/// x - y
pub(super) fn difference<B: Arrays>(arrays: &B, x: &B::Tensor, y: &B::Tensor) -> B::Tensor {
    arrays.add(x, &arrays.affine(y, -1.0, 0.0))
}
