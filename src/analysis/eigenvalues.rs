//! All eigenvalues of a stored kernel.

use super::solve::small;
use super::stored;
use crate::error::Result;
use crate::kernel::Matrix;
use crate::real::Real;

/// All eigenvalues of a symmetric kernel of one block, the largest first, in f64 (faer's dense solver, one thread). n^3
/// work and n^2 memory: for a few thousand rows. For the largest alone there is
/// [`largest_eigenvalue`](super::largest_eigenvalue), for kernels that are not stored [`solve`](super::solve).
///
/// ```
/// use tangent_kernels::{Matrix, analysis::eigenvalues};
/// let values = eigenvalues(&Matrix::from_vec(1, 2, 2, vec![2.0, 1.0, 1.0, 2.0])?)?;
/// assert!((values[0] - 3.0).abs() < 1e-14 && (values[1] - 1.0).abs() < 1e-14);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The kernel has several blocks or is not square, or holds a number that is not finite; the iteration does not converge.
pub fn eigenvalues<R: Real>(kernel: &Matrix<R>) -> Result<Vec<f64>> {
    let n = stored::one_square(kernel)?;
    stored::finite(kernel)?;
    small::eigenvalues(n, |row, col| kernel[(row, col)].f64())
}
