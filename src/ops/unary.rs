//! Functions of one number, entry by entry: every function of [`crate::unary`] is an op.

use super::{Case, Op, OpContext, expect_arity};
use crate::attributes::Attributes;
use crate::backend::Arrays;
use crate::error::Result;
use crate::unary::{Order, Unary};

/// `y[n,...] = f(x[n,...])` and dx = dy f'(x).
impl Op for Unary {
    fn name(&self) -> &'static str {
        Unary::name(*self)
    }

    fn parse(name: &str, attributes: &Attributes) -> Option<Result<Self>> {
        Unary::parse(name, attributes)
    }

    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        expect_arity(self, inputs, parameters, 1, 0..=0)?;
        Ok(inputs[0].to_vec())
    }

    fn forward<B: Arrays>(&self, ctx: &OpContext<'_, B>) -> B::Tensor {
        ctx.arrays.apply(*self, ctx.inputs[0])
    }

    fn pull<B: Arrays>(&self, ctx: &OpContext<'_, B>, y: &B::Tensor, dy: &B::Tensor, _input: usize) -> B::Tensor {
        ctx.arrays.apply_derivative(*self, Order::First, ctx.inputs[0], y, dy)
    }

    fn piecewise_constant_in(&self, _input: usize) -> bool {
        self.is_piecewise_constant()
    }

    fn cases() -> Vec<Case<Self>> {
        let case = |f: Unary| {
            let [low, high] = f.domain();
            Case::new(f, &[&[3, 5]], &[]).away_from(&f.kinks()).within(low, high)
        };
        // The checker compares derivatives with differences.
        Unary::cases().into_iter().filter(|f| !f.stops_gradients()).map(case).collect()
    }
}
