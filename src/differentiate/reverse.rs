use std::ops::Range;

use crate::backend::Arrays;
use crate::error::Result;
use crate::model::blocks::{RUN_BLOCK, fold_blocks};
use crate::model::{Model, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::SweepTargets;

/// J^T u in the inputs, by one reverse sweep: for every input, `[n, ...]` row-major, the sum over c of `u[n,c]` times the
/// derivative of f_c in x_n. `u` is `[n, C]`, row-major. [`Session::gradient`] is the same in the parameters.
///
/// # Errors
/// As [`Session::gradient`].
pub fn input_gradient<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    u: &[B::Number],
) -> Result<Vec<Vec<B::Number>>> {
    session.check(x)?;
    session.check_cotangents(x, u)?;
    let none = vec![false; session.model().parameters().len()];
    let targets = SweepTargets { inputs: true, parameters: Some(&none) };
    let mut inputs = Inputs::none(session.model());
    let pulled = |range| session.pulled(x, range, u, targets);
    fold_blocks(x.samples(), RUN_BLOCK, pulled, |range, block| inputs.extend(range, block.inputs))?;
    Ok(inputs.values)
}

/// One number per entry of every input, collected block by block.
pub(super) struct Inputs<'m, R> {
    shapes: &'m [Vec<usize>],
    pub values: Vec<Vec<R>>,
}

impl<'m, R: Real> Inputs<'m, R> {
    pub fn none<O: Op>(model: &'m Model<O>) -> Self {
        Inputs { shapes: model.input_shapes(), values: vec![Vec::new(); model.input_shapes().len()] }
    }

    /// Appends the samples in `range`. An input that the output does not depend on gets zeros.
    pub fn extend(&mut self, range: Range<usize>, block: Vec<Option<Vec<R>>>) {
        for ((values, block), shape) in self.values.iter_mut().zip(block).zip(self.shapes) {
            values.extend(block.unwrap_or_else(|| vec![R::default(); range.len() * numel(shape)]));
        }
    }
}
