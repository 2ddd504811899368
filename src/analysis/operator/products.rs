//! J v and J^T u for the chosen parameters, in blocks of samples.

use std::ops::Range;

use super::Operators;
use crate::backend::{Dual, Gram};
use crate::differentiate::Direction;
use crate::error::Result;
use crate::model::blocks::{fold_blocks, map_blocks};
use crate::ops::Op;
use crate::real::Real;
use crate::tape::SweepTargets;

impl<B: Gram, O: Op> Operators<'_, B, O> {
    pub(super) fn direction(&self, v: &[f64]) -> Result<Direction<B::Number>> {
        let mut direction = Direction::none(self.session.model());
        let mut first = 0;
        for (info, _) in self.session.model().parameters().iter().zip(&self.chosen).filter(|(_, chosen)| **chosen) {
            let size = crate::shape::numel(&info.shape);
            let values: Vec<B::Number> = v[first..first + size].iter().map(|&x| B::Number::from_f64(x)).collect();
            direction = direction.parameter(&info.name, &values)?;
            first += size;
        }
        Ok(direction)
    }

    /// The results of `f` for the outputs and the tangents J v of every block of samples, in order.
    pub(super) fn jv(
        &self,
        v: &[f64],
        f: impl Fn(Range<usize>, Vec<B::Number>, Vec<B::Number>) -> Vec<f64> + Sync,
    ) -> Result<Vec<f64>> {
        let session = self.session;
        let arrays = session.arrays();
        let dual = Dual::new(arrays.clone());
        let along = self.direction(v)?;
        let weights = along.weights(session, &dual);
        let parts = map_blocks(self.x.samples(), self.block, |range| {
            let tape = along.tape(session, &dual, &weights, self.x, &range)?;
            let value = arrays.read(tape.output().value())?;
            Ok(f(range, value, arrays.read(&dual.tangent(tape.output()))?))
        })?;
        Ok(parts.concat())
    }

    /// J^T u, summed over blocks in f64.
    pub(super) fn jtu(&self, u: &[f64]) -> Result<Vec<f64>> {
        let u: Vec<B::Number> = u.iter().map(|&x| B::Number::from_f64(x)).collect();
        let mut sum = vec![0.0; self.columns()];
        let targets = SweepTargets { inputs: false, parameters: Some(&self.chosen) };
        let pulled = |range: Range<usize>| self.session.pulled(self.x, range, &u, targets);
        fold_blocks(self.x.samples(), self.block, pulled, |_, block| self.add(&mut sum, block.parameters))?;
        Ok(sum)
    }

    /// Adds a block's gradients of the chosen parameters to `sum`.
    pub(super) fn add(&self, sum: &mut [f64], block: Vec<Option<Vec<B::Number>>>) {
        let mut first = 0;
        let infos = self.session.model().parameters();
        for ((gradient, info), _) in block.into_iter().zip(infos).zip(&self.chosen).filter(|(_, chosen)| **chosen) {
            let sum = &mut sum[first..first + crate::shape::numel(&info.shape)];
            sum.iter_mut().zip(gradient.unwrap_or_default()).for_each(|(sum, x)| *sum += x.f64());
            first += sum.len();
        }
    }
}

/// Numbers in f64.
pub(super) fn wide<R: Real>(x: Vec<R>) -> Vec<f64> {
    x.into_iter().map(Real::f64).collect()
}

/// Numbers in the precision of the backend.
pub(super) fn narrow<R: Real>(x: Vec<f64>) -> Vec<R> {
    x.into_iter().map(R::from_f64).collect()
}
