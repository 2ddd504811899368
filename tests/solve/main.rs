//! Matrix-free solvers against dense answers.

mod eigen;
mod estimates;
mod systems;

use std::sync::atomic::{AtomicUsize, Ordering};

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::matrix_free::conjugate_gradient::{CgParams, conjugate_gradient, conjugate_gradient_scratch};
use faer::matrix_free::{IdentityPrecond, LinOp};
use faer::{Mat, Par, Side};
use tangent_kernels::analysis::operator::{Dense, Operator, Operators};
use tangent_kernels::analysis::solve::faer_adapter::FaerOperator;
use tangent_kernels::analysis::solve::{
    Axis, CgOptions, EigenOptions, Estimate, Probing, condition, conjugate_gradients, density, effective_rank_estimate,
    largest, log_det, spectral_sum, trace,
};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Error, Matrix, Result, Sequential, Session};

/// A stored symmetric matrix, of a precision, that fails after some products.
struct Stored {
    size: usize,
    entries: Vec<f64>,
    single: bool,
    left: AtomicUsize,
}

impl Stored {
    fn new(size: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let entries = (0..size * size).map(|k| entry(k / size, k % size)).collect();
        Stored { size, entries, single: false, left: AtomicUsize::new(usize::MAX) }
    }

    fn diagonal(values: &[f64]) -> Self {
        Self::new(values.len(), |i, j| if i == j { values[i] } else { 0.0 })
    }

    /// Q diag(values) Q with Q = I - 2 u u^T: a full matrix of a known spectrum.
    fn with_spectrum(values: &[f64]) -> Self {
        let n = values.len();
        let mut u = numbers(n, 5);
        let norm = u.iter().map(|x| x * x).sum::<f64>().sqrt();
        u.iter_mut().for_each(|x| *x /= norm);
        let q = |i: usize, k: usize| f64::from(i == k) - 2.0 * u[i] * u[k];
        let q = Mat::from_fn(n, n, q);
        let scaled = Mat::from_fn(n, n, |i, k| q[(i, k)] * values[k]);
        let a = &scaled * &q;
        Self::new(n, |i, j| (a[(i, j)] + a[(j, i)]) / 2.0)
    }

    /// Products in f32.
    fn single(mut self) -> Self {
        self.single = true;
        self
    }

    fn failing_after(self, products: usize) -> Self {
        self.left.store(products, Ordering::Relaxed);
        self
    }

    fn eigenvalues(&self) -> Vec<f64> {
        let matrix = Mat::from_fn(self.size, self.size, |i, j| self.entries[i * self.size + j]);
        let mut values = matrix.self_adjoint_eigenvalues(Side::Lower).unwrap();
        values.reverse();
        values
    }
}

impl Operator for Stored {
    fn size(&self) -> usize {
        self.size
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            return Err(Error::device("the card fell out"));
        }
        let rows = self.entries.chunks_exact(self.size.max(1));
        if self.single {
            let row = |row: &[f64]| row.iter().zip(x).map(|(a, x)| *a as f32 * *x as f32).sum::<f32>();
            return Ok(rows.map(|r| f64::from(row(r))).collect());
        }
        Ok(rows.map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect())
    }

    fn precision(&self) -> f64 {
        if self.single { f64::from(f32::EPSILON) } else { f64::EPSILON }
    }
}

/// Numbers between -1 and 1 from a generator of their own.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = (seed + 1).wrapping_mul(0x2545_F491_4F6C_DD1D);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..20 + count).map(|_| next()).skip(20).collect()
}

/// A Gram of features without a pattern.
fn gram(n: usize, features: usize) -> Stored {
    let x: Vec<Vec<f64>> = (0..n).map(|i| numbers(features, i as u64 * 31 + 1)).collect();
    Stored::new(n, |i, j| x[i].iter().zip(&x[j]).map(|(x, y)| x * y).sum())
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
