//! Eigenvalues of kernels.

use super::operator::Dense;
use super::solve::{EigenOptions, largest};
use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// (tr K)^2 / |K|_F^2: between 1, for a kernel of rank one, and the number of rows, for a multiple of the identity.
/// 0 for a kernel that is zero.
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

/// Lanczos ends when the residual is this small beside the eigenvalue.
const TOLERANCE: f64 = 1e-10;
/// And is given up after so many products with K.
const MAX_STEPS: usize = 300;

/// The largest eigenvalue of a symmetric kernel, by Lanczos' method, to a relative residual of 1e-10. Arithmetic is in
/// f64; threads take rows. Of several blocks the largest of all.
///
/// The iteration keeps its vectors orthogonal to each other, so that it takes at most a few hundred products with K and
/// holds as many vectors. For more eigenvalues, their vectors, or a kernel that is not stored, see
/// [`solve::largest`](super::solve::largest). (faer 0.24's own partial eigensolver does not end on a kernel of ones, which
/// the component of an output's bias is.)
///
/// # Errors
/// The kernel is not square, holds a number that is not finite, or the iteration has not converged after 300 products;
/// the message says how far it came.
pub fn largest_eigenvalue<R: Real>(kernel: &Matrix<R>) -> Result<f64> {
    let [blocks, n, cols] = kernel.shape();
    if n != cols {
        return Err(Error::shape(format!("a kernel of {n} x {cols} is not square and has no eigenvalues")));
    }
    // All vectors are kept: a restart would take more products.
    let options = EigenOptions::default().tolerance(TOLERANCE).steps(MAX_STEPS).basis(MAX_STEPS);
    let of_block = |block| Ok(largest(&Dense::of_block(kernel, block), 1, &options)?.values.first().copied());
    let largest = (0..blocks).map(of_block).collect::<Result<Vec<_>>>()?;
    Ok(largest.into_iter().flatten().reduce(f64::max).unwrap_or(0.0))
}
