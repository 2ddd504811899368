use std::ops::Range;

use crate::backend::Arrays;
use crate::error::Result;
use crate::model::blocks::{RUN_BLOCK, fold_blocks};
use crate::model::{Gradient, Jacobian, Model, Session, add};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::SweepTargets;

/// J^T u, for parameters and inputs.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Vjp<R> {
    /// sum over n, c of u\[n,c\] grad f_c(x_n), by parameter.
    pub parameters: Gradient<R>,
    /// The same in every input, \[n, ...\] row-major: sum over c of u\[n,c\] times the derivative of f_c in x_n.
    pub inputs: Vec<Vec<R>>,
}

/// J^T u for parameters and inputs, by one reverse sweep; `u` is \[n, C\] row-major. For parameters alone
/// [`Session::gradient`] does less.
///
/// # Errors
/// As [`Session::gradient`].
pub fn vjp<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    u: &[B::Number],
) -> Result<Vjp<B::Number>> {
    session.check(x)?;
    session.check_cotangents(x, u)?;
    let mut sums = session.zeros();
    let mut inputs = Inputs::none(session.model());
    let of_block = |range| session.pulled(x, range, u, SweepTargets::ALL);
    fold_blocks(x.samples(), RUN_BLOCK, of_block, |range, block| {
        add(&mut sums, block.parameters);
        inputs.extend(range, block.inputs);
    })?;
    Ok(Vjp { parameters: Gradient::new(session.model().parameters().to_vec(), sums), inputs: inputs.list })
}

/// What belongs to every entry of every input, block by block.
pub(super) struct Inputs<'m, R> {
    shapes: &'m [Vec<usize>],
    pub list: Vec<Vec<R>>,
}

impl<'m, R: Real> Inputs<'m, R> {
    pub fn none<O: Op>(model: &'m Model<O>) -> Self {
        Inputs { shapes: model.input_shapes(), list: vec![Vec::new(); model.input_shapes().len()] }
    }

    /// Adds the samples in `range`: zeros for an input that the output does not depend on.
    pub fn extend(&mut self, range: Range<usize>, block: Vec<Option<Vec<R>>>) {
        for ((all, own), shape) in self.list.iter_mut().zip(block).zip(self.shapes) {
            all.extend(own.unwrap_or_else(|| vec![R::default(); range.len() * numel(shape)]));
        }
    }
}

/// J for all samples, by reverse mode: [`Session::jacobian`].
///
/// # Errors
/// Those of [`Session::jacobian`].
pub fn jacobian<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
) -> Result<Jacobian<B::Number>> {
    session.jacobian(x)
}
