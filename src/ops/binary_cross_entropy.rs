//! The cross-entropy of yes and no.

use super::target::{difference, pulled, shape, total};
use super::{Case, Op, OpContext};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::unary::{Order, Softplus, Unary};

/// l = sum over all entries of -y log s(f) - (1 - y) log(1 - s(f)), s the sigmoid, of outputs (logits) f, input 0, and
/// probabilities y, input 1, of equal shape: one number for each sample.
///
/// It is computed as y softplus(-f) + (1 - y) softplus(f), which neither overflows nor cancels: the loss of a sample that
/// is surely right is tiny, not zero. The cotangents are dl (s(f) - y) and -dl f. Descriptions call it
/// `binary_cross_entropy`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryCrossEntropy;

/// -f, and 1 - y.
fn opposite<B: Arrays>(at: &OpContext<'_, B>) -> [B::Tensor; 2] {
    [at.arrays.affine(at.inputs[0], -1.0, 0.0), at.arrays.affine(at.inputs[1], -1.0, 1.0)]
}

impl Op for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }

    fn parse(name: &str, _attributes: &Attributes) -> Option<Result<Self>> {
        (name == "binary_cross_entropy").then_some(Ok(BinaryCrossEntropy))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        shape(self, inputs, parameters)
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        let (arrays, softplus) = (at.arrays, Unary::from(Softplus));
        let [minus, no] = opposite(at);
        let yes = arrays.mul(at.inputs[1], &arrays.apply(softplus, &minus));
        let no = arrays.mul(&no, &arrays.apply(softplus, at.inputs[0]));
        total(arrays, &arrays.add(&yes, &no))
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, input: usize) -> B::Tensor {
        let arrays = at.arrays;
        let [minus, no] = opposite(at);
        if input == 1 {
            return pulled(at, dy, &minus);
        }
        // (1 - y) s(f) - y s(-f): no difference of numbers near 1.
        let slope = |f: &B::Tensor, weight: &B::Tensor| {
            let softplus = Unary::from(Softplus);
            arrays.apply_derivative(softplus, Order::First, f, &arrays.apply(softplus, f), weight)
        };
        let slope = difference(arrays, &slope(at.inputs[0], &no), &slope(&minus, at.inputs[1]));
        pulled(at, dy, &slope)
    }

    fn cases() -> Vec<Case<Self>> {
        let op = BinaryCrossEntropy;
        vec![Case::new(op, &[&[1], &[1]], &[]), Case::new(op, &[&[2, 3], &[2, 3]], &[])]
    }
}
