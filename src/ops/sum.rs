//! Sums and means over axes of a sample.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::shape::numel;

/// The sum or mean of x over axes of a sample. The axes are removed. Samples are never summed.
///
/// In descriptions it is `sum` or `mean` with the attribute `axes`, `mean1` (the mean over a sample's first axis), or
/// `global_avg_pool2d` (the mean over height and width of `[i, h, w]`).
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    axes: Vec<usize>,
    mean: bool,
}

impl Sum {
    /// The sum over `axes` of a sample.
    pub fn over(axes: impl Into<Vec<usize>>) -> Self {
        Sum { axes: axes.into(), mean: false }
    }

    /// The mean over `axes` of a sample.
    pub fn mean_over(axes: impl Into<Vec<usize>>) -> Self {
        Sum { axes: axes.into(), mean: true }
    }

    /// The factor of every entry of the sum, for an input of shape `input`, `[n, ...]`.
    fn factor(&self, input: &[usize]) -> f64 {
        let count: usize = self.axes.iter().map(|axis| input[axis + 1]).product();
        if self.mean { 1.0 / count as f64 } else { 1.0 }
    }
}

impl Op for Sum {
    fn name(&self) -> &'static str {
        if self.mean { "mean" } else { "sum" }
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let axes = || attributes.sizes("axes").map_err(|e| e.context(name));
        match name {
            "sum" => Some(axes().map(Sum::over)),
            "mean" => Some(axes().map(Sum::mean_over)),
            "mean1" => Some(Ok(Sum::mean_over([0]))),
            "global_avg_pool2d" => Some(Ok(Sum::mean_over([1, 2]))),
            _ => None,
        }
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        let axes = &self.axes;
        let shape = inputs[0];
        let twice = axes.iter().enumerate().any(|(k, axis)| axes[..k].contains(axis));
        if twice || axes.iter().any(|&axis| axis >= shape.len()) {
            let name = self.name();
            return Err(Error::shape(format!(
                "{name}: axes {axes:?} are not distinct axes of a sample of shape {shape:?}"
            )));
        }
        if self.mean && axes.iter().any(|&axis| shape[axis] == 0) {
            return Err(Error::shape(format!(
                "mean: axes {axes:?} of a sample of shape {shape:?} are empty, so there is no mean"
            )));
        }
        Ok((0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        let input = ctx.input_shape(0);
        let axes: Vec<usize> = self.axes.iter().map(|axis| axis + 1).collect();
        let kept: Vec<usize> = (0..input.len()).filter(|axis| !axes.contains(axis)).map(|axis| input[axis]).collect();
        let sum = ctx.arrays.reshape(&ctx.arrays.sum(ctx.inputs[0], &axes), &kept);
        if self.mean { ctx.arrays.affine(&sum, self.factor(input), 0.0) } else { sum }
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let input = ctx.input_shape(0);
        let mut narrow = input.to_vec();
        self.axes.iter().for_each(|axis| narrow[axis + 1] = 1);
        debug_assert_eq!(numel(&narrow), numel(ctx.arrays.shape(dy)));
        let dy = ctx.arrays.affine(&ctx.arrays.reshape(dy, &narrow), self.factor(input), 0.0);
        ctx.arrays.add(&dy, &ctx.arrays.full(0.0, input))
    }

    fn cases() -> Vec<Case<Self>> {
        vec![
            Case::new(Sum::over([1]), &[&[2, 3]], &[]),
            Case::new(Sum::mean_over([0]), &[&[4, 3]], &[]),
            Case::new(Sum::mean_over([2, 0]), &[&[2, 3, 4]], &[]),
            Case::new(Sum::over([0]), &[&[5]], &[]),
        ]
    }
}
