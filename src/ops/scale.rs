//! y = c x

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// `y[n,...] = factor x[n,...]`, for example the 1 / sqrt(width) of the NTK parameterisation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The factor of every entry.
    pub factor: f64,
}

impl Op for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        (name == "scale").then(|| Ok(Scale { factor: attributes.number("factor").map_err(|e| e.context(name))? }))
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        Ok(inputs[0].to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.affine(ctx.inputs[0], self.factor, 0.0)
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.affine(dy, self.factor, 0.0)
    }

    fn moves_entries(&self) -> Option<f64> {
        Some(self.factor)
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(Scale { factor: -0.25 }, &[&[3, 2]], &[])]
    }
}
