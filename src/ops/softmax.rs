//! softmax and its logarithm.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// y = e^x / sum e^x along an axis of a sample, or log y.
///
/// The cotangents are dx = y (dy - sum y dy) for softmax and dx = dy - e^y sum dy for its logarithm. Neither overflows. An
/// infinite entry gives NaN, and so do entries that are all -infinity.
///
/// In descriptions it is `softmax` or `log_softmax` with the attribute `axis`, default -1. A negative axis counts from the
/// end of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softmax {
    axis: i64,
    log: bool,
}

impl Softmax {
    /// softmax along `axis`. A negative axis counts from the end of a sample.
    pub fn along(axis: i64) -> Self {
        Softmax { axis, log: false }
    }

    /// log(softmax) along `axis`. A negative axis counts from the end of a sample.
    pub fn log_along(axis: i64) -> Self {
        Softmax { axis, log: true }
    }

    /// Whether it is softmax itself, along the last axis of samples of rank `rank`.
    #[cfg(feature = "onnx")]
    pub(crate) fn is_along_last(&self, rank: usize) -> bool {
        !self.log && self.among(rank).is_some_and(|axis| axis + 1 == rank)
    }

    /// The axis as an index of `rank` axes of a sample, if it exists.
    fn among(&self, rank: usize) -> Option<usize> {
        let axis = usize::try_from(self.axis.unsigned_abs()).ok()?;
        let axis = if self.axis < 0 { rank.checked_sub(axis)? } else { axis };
        (axis < rank).then_some(axis)
    }

    /// The axis of an array `[n, ...]`.
    fn axis<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> usize {
        self.among(ctx.input_shape(0).len() - 1).expect("the shape rule accepted the axis") + 1
    }

    /// Applies `f`, which works on the last axis, to the op's axis.
    fn on_axis<B: Arrays>(&self, ctx: &OpContext<'_, B>, f: impl Fn(&B::Tensor) -> B::Tensor) -> B::Tensor {
        let axis = self.axis(ctx);
        let last = ctx.input_shape(0).len() - 1;
        if axis == last {
            return f(ctx.inputs[0]);
        }
        // Swapping two axes twice restores their order.
        let mut order: Vec<usize> = (0..=last).collect();
        order.swap(axis, last);
        ctx.arrays.permute(&f(&ctx.arrays.permute(ctx.inputs[0], &order)), &order)
    }
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let axis = || attributes.integer_or("axis", -1).map_err(|e| e.context(name));
        match name {
            "softmax" => Some(axis().map(Softmax::along)),
            "log_softmax" => Some(axis().map(Softmax::log_along)),
            _ => None,
        }
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        match self.among(inputs[0].len()) {
            Some(_) => Ok(inputs[0].to_vec()),
            None => {
                let name = self.name();
                let axis = self.axis;
                let shape = inputs[0];
                Err(Error::shape(format!("{name}: axis {axis} does not exist in a sample of shape {shape:?}")))
            }
        }
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        self.on_axis(ctx, |x| if self.log { ctx.arrays.log_softmax(x) } else { ctx.arrays.softmax(x) })
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let arrays = ctx.arrays;
        let axes = [self.axis(ctx)];
        let minus = |x: &B::Tensor| arrays.affine(x, -1.0, 0.0);
        if self.log {
            let softmax = self.on_axis(ctx, |x| arrays.softmax(x));
            arrays.add(dy, &minus(&arrays.mul(&softmax, &arrays.sum(dy, &axes))))
        } else {
            let mean = arrays.sum(&arrays.mul(y, dy), &axes);
            arrays.mul(y, &arrays.add(dy, &minus(&mean)))
        }
    }

    fn cases() -> Vec<Case<Self>> {
        let both = [Softmax::along, Softmax::log_along];
        let cases = |new: fn(i64) -> Softmax| {
            vec![
                Case::new(new(-1), &[&[4]], &[]),
                Case::new(new(1), &[&[2, 3]], &[]),
                Case::new(new(-3), &[&[3, 2, 2]], &[]),
                Case::new(new(1), &[&[2, 3, 2]], &[]),
            ]
        };
        both.into_iter().flat_map(cases).collect()
    }
}
