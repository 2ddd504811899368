//! Lanczos' method with full reorthogonalisation: the one of the crate.

use rayon::prelude::*;

use super::small::{Spectrum, spectrum};
use super::vectors::{combined, norm, normalise, orthogonalise, product};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// What is left of a product is nothing when it is smaller than so many roundings of the product.
const ROUNDINGS: f64 = 4.0;

/// An orthonormal basis V of a Krylov space, V^T A V, and the direction in which the space grows. All is orthogonal to
/// `locked`.
///
/// V^T A V is held as it was computed, without using that it is tridiagonal: after a restart it is not.
pub(super) struct Krylov<'a> {
    operator: &'a dyn Operator,
    locked: &'a [Vec<f64>],
    basis: Vec<Vec<f64>>,
    /// Column j of V^T A V, down to the diagonal.
    columns: Vec<Vec<f64>>,
    next: Vec<f64>,
    rest: f64,
    norm: f64,
}

impl<'a> Krylov<'a> {
    pub fn new(operator: &'a dyn Operator, locked: &'a [Vec<f64>], mut start: Vec<f64>) -> Self {
        for _ in 0..2 {
            orthogonalise(&mut start, locked);
            normalise(&mut start);
        }
        Krylov { operator, locked, basis: Vec::new(), columns: Vec::new(), next: start, rest: f64::INFINITY, norm: 0.0 }
    }

    pub fn len(&self) -> usize {
        self.basis.len()
    }

    /// The largest |A v| so far: no more than the norm of A.
    pub fn norm(&self) -> f64 {
        self.norm
    }

    /// Takes one product.
    pub fn step(&mut self) -> Result<()> {
        let mut next = product(self.operator, &self.next)?;
        self.norm = self.norm.max(norm(&next));
        self.basis.push(std::mem::take(&mut self.next));
        let mut column = vec![0.0; self.basis.len()];
        for _ in 0..2 {
            orthogonalise(&mut next, self.locked);
            let along = orthogonalise(&mut next, &self.basis);
            column.iter_mut().zip(along).for_each(|(sum, x)| *sum += x);
        }
        self.rest = normalise(&mut next);
        if !self.rest.is_finite() || !self.norm.is_finite() {
            return Err(Error::value("the operator's products are too large to square"));
        }
        self.columns.push(column);
        self.next = next;
        Ok(())
    }

    /// Whether A maps the space to itself, to the precision of products: then its Ritz pairs are eigenpairs.
    pub fn exhausted(&self) -> bool {
        let whole = self.basis.len() + self.locked.len() >= self.operator.size();
        whole || self.rest <= ROUNDINGS * self.operator.precision() * self.norm
    }

    /// The eigenvalues of V^T A V, and their vectors s in the basis.
    pub fn ritz(&self) -> Result<Spectrum> {
        spectrum(self.len(), |i, j| self.columns[i][j])
    }

    /// |A y - theta y| of the Ritz vector y = V s: what is left of the last product, times the last entry of s.
    pub fn residual(&self, s: &[f64]) -> f64 {
        if self.exhausted() { 0.0 } else { self.rest * s[s.len() - 1].abs() }
    }

    /// The first `count` Ritz vectors.
    pub fn vectors(&self, ritz: &Spectrum, count: usize) -> Vec<Vec<f64>> {
        ritz.vectors[..count].par_iter().map(|s| combined(&self.basis, s)).collect()
    }

    /// Goes on from the first `count` Ritz vectors (Wu & Simon 2000, section 2).
    pub fn restart(&mut self, ritz: &Spectrum, count: usize) {
        self.basis = self.vectors(ritz, count);
        let diagonal = |(j, theta): (usize, &f64)| (0..=j).map(|i| if i == j { *theta } else { 0.0 }).collect();
        self.columns = ritz.values[..count].iter().enumerate().map(diagonal).collect();
    }
}
