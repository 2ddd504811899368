//! softmax and its logarithm.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::{Error, Result};

/// y = e^x / sum e^x along an axis of a sample, or log y.
///
/// The cotangents are dx = y (dy - sum y dy), and dx = dy - e^y sum dy for the logarithm. Neither overflows. An entry of
/// infinity, or all entries -infinity, give NaN.
///
/// Descriptions call it `softmax` or `log_softmax` with the attribute `axis`, -1 where missing; a negative one counts
/// from the end of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softmax {
    axis: i64,
    log: bool,
}

impl Softmax {
    /// softmax along `axis`; a negative one counts from the end of a sample.
    pub fn along(axis: i64) -> Self {
        Softmax { axis, log: false }
    }

    /// log(softmax) along `axis`; a negative one counts from the end of a sample.
    pub fn log_along(axis: i64) -> Self {
        Softmax { axis, log: true }
    }

    /// The axis among `rank` axes of a sample, if it is one.
    fn among(&self, rank: usize) -> Option<usize> {
        let axis = usize::try_from(self.axis.unsigned_abs()).ok()?;
        let axis = if self.axis < 0 { rank.checked_sub(axis)? } else { axis };
        (axis < rank).then_some(axis)
    }

    /// The axis of \[n, ...\].
    fn axis<B: Arrays>(&self, at: &OpContext<'_, B>) -> usize {
        self.among(at.input_shape(0).len() - 1).expect("the shape rule said so") + 1
    }

    /// `f`, which works on the last axis, on the op's axis.
    fn on_axis<B: Arrays>(&self, at: &OpContext<'_, B>, f: impl Fn(&B::Tensor) -> B::Tensor) -> B::Tensor {
        let (axis, last) = (self.axis(at), at.input_shape(0).len() - 1);
        if axis == last {
            return f(at.inputs[0]);
        }
        // Two axes that are swapped come back by being swapped once more.
        let mut order: Vec<usize> = (0..=last).collect();
        order.swap(axis, last);
        at.arrays.permute(&f(&at.arrays.permute(at.inputs[0], &order)), &order)
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
                let (name, axis, shape) = (self.name(), self.axis, inputs[0]);
                Err(Error::shape(format!("{name}: {axis} is no axis of a sample of shape {shape:?}")))
            }
        }
    }

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        self.on_axis(at, |x| if self.log { at.arrays.log_softmax(x) } else { at.arrays.softmax(x) })
    }

    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        let (arrays, axes) = (at.arrays, [self.axis(at)]);
        let minus = |x: &B::Tensor| arrays.affine(x, -1.0, 0.0);
        if self.log {
            let softmax = self.on_axis(at, |x| arrays.softmax(x));
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
