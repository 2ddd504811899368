use super::products::wide;
use super::{Operator, Operators, check_vector};
use crate::backend::Gram;
use crate::error::Result;
use crate::ops::Op;

/// J J^T: see [`Operators::ntk`]. A product is J (J^T u), by a reverse sweep and a run of forward mode.
pub struct NtkOperator<'a, B: Gram, O: Op>(pub(super) &'a Operators<'a, B, O>);

impl<B: Gram, O: Op> Operator for NtkOperator<'_, B, O> {
    fn size(&self) -> usize {
        self.0.rows()
    }

    fn apply(&self, u: &[f64]) -> Result<Vec<f64>> {
        check_vector(u, self.size())?;
        self.0.jv(&self.0.jtu(u)?, |_, _, tangent| wide(tangent))
    }

    fn precision(&self) -> f64 {
        self.0.precision()
    }
}

/// (1/N) J^T J: see [`Operators::fisher`]. A product is J^T (J v) / N.
///
/// This is F of the paper (Engel et al., section 5.1) with T = N. Its nonzero eigenvalues are those of K/N.
pub struct FisherOperator<'a, B: Gram, O: Op>(pub(super) &'a Operators<'a, B, O>);

impl<B: Gram, O: Op> Operator for FisherOperator<'_, B, O> {
    fn size(&self) -> usize {
        self.0.columns()
    }

    fn apply(&self, v: &[f64]) -> Result<Vec<f64>> {
        check_vector(v, self.size())?;
        let mut product = self.0.jtu(&self.0.jv(v, |_, _, tangent| wide(tangent))?)?;
        self.0.average(&mut product);
        Ok(product)
    }

    fn precision(&self) -> f64 {
        self.0.precision()
    }
}

impl<B: Gram, O: Op> Operators<'_, B, O> {
    /// Divides by N.
    pub(super) fn average(&self, sum: &mut [f64]) {
        let samples = self.x.samples().max(1) as f64;
        sum.iter_mut().for_each(|x| *x /= samples);
    }
}
