//! Dropout, which does nothing at inference.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;

/// y = x: dropout at inference. Active dropout draws at random, so that f(x) and its gradient are no functions of x; it
/// is refused when it is recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// It is active. The attribute `training`, false where it is missing.
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

    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        at.inputs[0].clone()
    }

    fn pull<B: Arrays>(&self, _at: &OpContext<'_, B>, _y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        dy.clone()
    }

    fn mixes_samples(&self) -> Option<&'static str> {
        self.training.then_some("active dropout draws at random")
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(Dropout { training: false }, &[&[2, 3]], &[])]
    }
}
