//! Lanczos' method with full reorthogonalisation.

use rayon::prelude::*;

use super::small::{Spectrum, spectrum};
use super::vectors::{combined, norm, normalise, orthogonalise, product};
use crate::analysis::operator::Operator;
use crate::error::{Error, Result};

/// The rest of a product counts as zero if it is at most this number of roundings of the product.
const ROUNDINGS: f64 = 4.0;

/// An orthonormal basis V of a Krylov space, the matrix V^T A V, and the next direction. All vectors are orthogonal to
/// `locked`.
///
/// V^T A V is stored as computed. It is not tridiagonal after a restart.
pub(super) struct Krylov<'a> {
    operator: &'a dyn Operator,
    locked: &'a [Vec<f64>],
    basis: Vec<Vec<f64>>,
    /// Column j of V^T A V, up to the diagonal.
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

    /// The largest |A v| so far, which is at most the norm of A.
    pub fn norm(&self) -> f64 {
        self.norm
    }

    /// Adds one product with A to the space.
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
            return Err(Error::value("the squares of the operator's products are too large for f64"));
        }
        self.columns.push(column);
        self.next = next;
        Ok(())
    }

    /// Whether A maps the space to itself, to the precision of products. Its Ritz pairs are then eigenpairs.
    pub fn exhausted(&self) -> bool {
        let whole = self.basis.len() + self.locked.len() >= self.operator.size();
        whole || self.rest <= ROUNDINGS * self.operator.precision() * self.norm
    }

    /// The eigenvalues of V^T A V and their eigenvectors s in the basis.
    pub fn ritz(&self) -> Result<Spectrum> {
        spectrum(self.len(), |i, j| self.columns[i][j])
    }

    /// The residual |A y - theta y| of the Ritz vector y = V s: the norm of the last rest times the last entry of s.
    pub fn residual(&self, s: &[f64]) -> f64 {
        if self.exhausted() { 0.0 } else { self.rest * s[s.len() - 1].abs() }
    }

    /// The first `count` Ritz vectors.
    pub fn vectors(&self, ritz: &Spectrum, count: usize) -> Vec<Vec<f64>> {
        ritz.vectors[..count].par_iter().map(|s| combined(&self.basis, s)).collect()
    }

    /// Restarts from the first `count` Ritz vectors (Wu & Simon 2000, section 2).
    pub fn restart(&mut self, ritz: &Spectrum, count: usize) {
        self.basis = self.vectors(ritz, count);
        let diagonal = |(j, theta): (usize, &f64)| (0..=j).map(|i| if i == j { *theta } else { 0.0 }).collect();
        self.columns = ritz.values[..count].iter().enumerate().map(diagonal).collect();
    }
}
