//! Half the squared distance from a target.

use super::target::{difference, pulled, shape, total};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// l = |f - y|^2 / 2 of outputs f, input 0, and targets y, input 1, of equal shape: one number for each sample.
///
/// The cotangents are dl (f - y) and dl (y - f). Descriptions call it `squared_error`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SquaredError;

impl Op for SquaredError {
    fn name(&self) -> &'static str {
        "squared_error"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "squared_error").then_some(Ok(SquaredError))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        shape(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let rest = difference(at.arrays, at.inputs[0], at.inputs[1]);
        at.arrays.affine(&total(at.arrays, &at.arrays.mul(&rest, &rest)), 0.5, 0.0)
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        pulled(at, dy, &difference(at.arrays, at.inputs[input], at.inputs[1 - input]))
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(SquaredError, &[&[3], &[3]], &[]), Case::new(SquaredError, &[&[2, 2], &[2, 2]], &[])]
    }
}
