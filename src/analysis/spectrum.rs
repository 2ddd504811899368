//! The spectrum of stored kernels.

use super::operator::Dense;
use super::solve::{EigenOptions, largest};
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// (tr K)^2 / |K|_F^2: between 1, for a kernel of rank one, and the number of rows, for a multiple of the identity. It is 0
/// for a kernel that is zero. [`solve::effective_rank_estimate`](super::solve::effective_rank_estimate) estimates it for an
/// operator.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::effective_rank};
/// assert_eq!(effective_rank(&Matrix::from_vec(1, 2, 2, vec![1.0; 4])?), 1.0);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub fn effective_rank<R: Real>(kernel: &Matrix<R>) -> f64 {
    let norm = kernel.frobenius_norm();
    if norm == 0.0 { 0.0 } else { (kernel.trace() / norm).powi(2) }
}

/// The relative residual at which the iteration ends.
const TOLERANCE: f64 = 1e-10;
/// The maximum number of products with K.
const MAX_STEPS: usize = 300;

/// The largest eigenvalue of a symmetric kernel, to a relative residual of 1e-10, in f64. For several blocks it is the
/// largest of all.
///
/// # Errors
/// The kernel is not square, holds a number that is not finite, or the iteration has not converged after 300 products.
pub(super) fn largest_eigenvalue<R: Real>(kernel: &Matrix<R>) -> Result<f64> {
    let [blocks, n, cols] = kernel.shape();
    if n != cols {
        return Err(Error::shape(format!("eigenvalues need a square kernel, got {n} x {cols}")));
    }
    // All vectors are kept, since a restart would need more products.
    let options = EigenOptions::default().tolerance(TOLERANCE).steps(MAX_STEPS).basis(MAX_STEPS);
    let block_largest = |block| Ok(largest(&Dense::block(kernel, block), 1, &options)?.values.first().copied());
    let largest = (0..blocks).map(block_largest).collect::<Result<Vec<_>>>()?;
    Ok(largest.into_iter().flatten().reduce(f64::max).unwrap_or(0.0))
}
