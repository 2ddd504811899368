//! All eigenvalues of a stored kernel.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::{Mat, Par};

use crate::error::{Error, Result};
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
    let [blocks, n, cols] = kernel.shape();
    if blocks != 1 || n != cols {
        return Err(Error::shape(format!("a kernel of shape {:?} is not one square matrix", kernel.shape())));
    }
    if let Some(at) = kernel.as_slice().iter().position(|x| !x.is_finite()) {
        return Err(Error::value(format!(
            "the kernel is {} at row {}, column {}",
            kernel.as_slice()[at],
            at / n,
            at % n
        )));
    }
    let matrix = Mat::from_fn(n, n, |row, col| kernel.as_slice()[row * n + col].f64());
    let scratch = evd::self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::No, Par::Seq, Default::default());
    let mut values = Mat::zeros(n, 1);
    evd::self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut().col_mut(0).as_diagonal_mut(),
        None,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::value(format!("the eigenvalues of a kernel of {n} rows did not converge")))?;
    let mut values: Vec<f64> = (0..n).map(|k| values[(k, 0)]).collect();
    values.sort_by(|one, two| two.total_cmp(one));
    Ok(values)
}
