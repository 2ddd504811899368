//! Permutation of axes.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// Axis k of the result is axis `order[k]` of the input. Axes are those of a sample. The sample axis stays first.
///
/// In descriptions it is `permute` with the attribute `order`, or `transpose12`, which swaps a sample's two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Permute {
    order: Vec<usize>,
}

impl Permute {
    /// A permutation to the order `order`.
    pub fn new(order: impl Into<Vec<usize>>) -> Self {
        Permute { order: order.into() }
    }

    /// The order including the sample axis, which comes first.
    fn with_samples(order: &[usize]) -> Vec<usize> {
        std::iter::once(0).chain(order.iter().map(|axis| axis + 1)).collect()
    }
}

impl Op for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        match name {
            "permute" => Some(attributes.sizes("order").map(Permute::new).map_err(|e| e.context(name))),
            "transpose12" => Some(Ok(Permute::new([1, 0]))),
            _ => None,
        }
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..inputs[0].len()) {
            let order = &self.order;
            let shape = inputs[0];
            return Err(Error::shape(format!(
                "permute: {order:?} is not a permutation of the axes of a sample of shape {shape:?}"
            )));
        }
        Ok(self.order.iter().map(|&axis| inputs[0][axis]).collect())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.permute(ctx.inputs[0], &Permute::with_samples(&self.order))
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let mut back = vec![0; self.order.len()];
        self.order.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        ctx.arrays.permute(dy, &Permute::with_samples(&back))
    }

    fn moves_entries(&self) -> Option<f64> {
        Some(1.0)
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(Permute::new([1, 0]), &[&[2, 3]], &[]), Case::new(Permute::new([2, 0, 1]), &[&[2, 3, 4]], &[])]
    }
}
