use std::ops::Range;

use super::products::{narrow, wide};
use super::{Operator, Operators, check_vector};
use crate::backend::Gram;
use crate::differentiate::{Seed, swept_along};
use crate::error::Result;
use crate::ops::Op;
use crate::train::Loss;

/// (1/N) J^T (d^2 l / df^2) J: see [`Operators::gauss_newton`]. For the squared error it equals
/// [`FisherOperator`](super::FisherOperator).
pub struct GaussNewton<'a, B: Gram, O: Op> {
    pub(super) operators: &'a Operators<'a, B, O>,
    pub(super) loss: Loss<'a>,
}

impl<B: Gram, O: Op> Operator for GaussNewton<'_, B, O> {
    fn size(&self) -> usize {
        self.operators.columns()
    }

    fn apply(&self, v: &[f64]) -> Result<Vec<f64>> {
        check_vector(v, self.size())?;
        let outputs = self.operators.session.model().outputs();
        let curvature = |range: Range<usize>, f: Vec<B::Number>, df: Vec<B::Number>| {
            self.loss.curvature(range, &wide(f), &wide(df), outputs)
        };
        let mut product = self.operators.jtu(&self.operators.jv(v, curvature)?)?;
        self.operators.average(&mut product);
        Ok(product)
    }

    fn precision(&self) -> f64 {
        self.operators.precision()
    }
}

/// The Hessian of (1/N) sum l(f(x_n), y_n): see [`Operators::hessian`]. A product is a reverse sweep over forward mode.
pub struct Hessian<'a, B: Gram, O: Op> {
    pub(super) operators: &'a Operators<'a, B, O>,
    pub(super) loss: Loss<'a>,
}

impl<B: Gram, O: Op> Operator for Hessian<'_, B, O> {
    fn size(&self) -> usize {
        self.operators.columns()
    }

    fn apply(&self, v: &[f64]) -> Result<Vec<f64>> {
        check_vector(v, self.size())?;
        let operators = self.operators;
        let outputs = operators.session.model().outputs();
        let seed = |range: Range<usize>, value: &[B::Number], tangent: &[B::Number]| {
            let f = wide(value.to_vec());
            let df = wide(tangent.to_vec());
            let slope = narrow(self.loss.slope(range.clone(), &f, outputs));
            let curvature = narrow(self.loss.curvature(range, &f, &df, outputs));
            Ok(Seed { value: slope, tangent: Some(curvature) })
        };
        let along = operators.direction(v)?;
        let mut product = vec![0.0; self.size()];
        swept_along(operators.session, operators.x, &along, operators.block, Some(&operators.chosen), seed, |block| {
            operators.add(&mut product, block.tangents);
        })?;
        operators.average(&mut product);
        Ok(product)
    }

    fn precision(&self) -> f64 {
        self.operators.precision()
    }
}
