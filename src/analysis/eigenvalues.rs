//! All eigenvalues of a stored kernel.

use super::solve::small;
use super::stored;
use crate::error::Result;
use crate::kernel::Matrix;
use crate::real::Real;

/// All eigenvalues of a symmetric kernel of one block, largest first, in f64, by faer's dense solver on one thread. The cost
/// is n^3 and memory for n^2 numbers, which suits a few thousand rows. [`solve::largest`](super::solve::largest) gives the
/// largest eigenvalues of larger kernels and of operators.
///
/// ```
/// use tangent_kernels::{Matrix, analysis::eigenvalues};
/// let values = eigenvalues(&Matrix::from_vec(1, 2, 2, vec![2.0, 1.0, 1.0, 2.0])?)?;
/// assert!((values[0] - 3.0).abs() < 1e-14 && (values[1] - 1.0).abs() < 1e-14);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The kernel has several blocks, is not square, or holds a number that is not finite. The iteration does not converge.
pub fn eigenvalues<R: Real>(kernel: &Matrix<R>) -> Result<Vec<f64>> {
    let n = stored::one_square(kernel)?;
    stored::finite(kernel)?;
    small::eigenvalues(n, |row, col| kernel[(row, col)].f64())
}
