//! Dropout. At inference it is the identity.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// y = x: dropout at inference. Active dropout is random, so f(x) and its gradient are not functions of x. Recording it
/// is an error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// Whether dropout is active. The attribute `training`, default false.
    pub training: bool,
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        let read = || Ok(Dropout { training: attributes.flag_or("training", false).map_err(|e| e.context(name))? });
        (name == "dropout").then(read)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        Ok(inputs[0].to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.inputs[0].clone()
    }

    fn pull<B: Arrays>(&self, _ctx: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        dy.clone()
    }

    fn mixes_samples(&self) -> Option<&'static str> {
        self.training.then_some("active dropout draws at random")
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(Dropout { training: false }, &[&[2, 3]], &[])]
    }
}
