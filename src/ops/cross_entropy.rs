//! The cross-entropy of one class among many.

use super::target::{difference, pulled, shape, total};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// l = - sum over c of y_c log softmax(f)_c along the last axis, summed over all others, of outputs (logits) f, input 0,
/// and probabilities y, input 1, of equal shape: one number for each sample. Of a class, y is 1 there and 0 elsewhere.
///
/// The cotangents are dl (softmax(f) sum_c y_c - y) and -dl log softmax(f). Descriptions call it `cross_entropy`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy;

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "cross_entropy").then_some(Ok(CrossEntropy))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        let shape = shape(self, inputs, parameters)?;
        match inputs[0].last() {
            None | Some(0) => {
                Err(Error::shape(format!("cross_entropy: outputs of shape {:?} have no classes", inputs[0])))
            }
            Some(_) => Ok(shape),
        }
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let product = at.arrays.mul(at.inputs[1], &at.arrays.log_softmax(at.inputs[0]));
        at.arrays.affine(&total(at.arrays, &product), -1.0, 0.0)
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let (arrays, [f, y]) = (at.arrays, [at.inputs[0], at.inputs[1]]);
        if input == 1 {
            return pulled(at, dy, &arrays.affine(&arrays.log_softmax(f), -1.0, 0.0));
        }
        let mass = arrays.sum(y, &[at.input_shape(1).len() - 1]);
        pulled(at, dy, &difference(arrays, &arrays.mul(&arrays.softmax(f), &mass), y))
    }

    fn cases() -> Vec<Case<Self>> {
        let op = CrossEntropy;
        vec![
            Case::new(op, &[&[4], &[4]], &[]),
            Case::new(op, &[&[1], &[1]], &[]),
            Case::new(op, &[&[2, 3], &[2, 3]], &[]),
        ]
    }
}
