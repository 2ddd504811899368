//! Eigenvalues of kernels.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::{Mat, Par};
use rayon::prelude::*;

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
/// holds as many vectors. (faer 0.24's own partial eigensolver does not end on a kernel of ones, which the component of
/// an output's bias is.)
///
/// # Errors
/// The kernel is not square, holds a number that is not finite, or the iteration has not converged after 300 products;
/// the message says how far it came.
pub fn largest_eigenvalue<R: Real>(kernel: &Matrix<R>) -> Result<f64> {
    let [blocks, n, cols] = kernel.shape();
    if n != cols {
        return Err(Error::shape(format!("a kernel of {n} x {cols} is not square and has no eigenvalues")));
    }
    let largest = (0..blocks).map(|block| lanczos(kernel.block(block), n)).collect::<Result<Vec<f64>>>()?;
    Ok(largest.into_iter().reduce(f64::max).unwrap_or(0.0))
}

fn lanczos<R: Real>(kernel: &[R], n: usize) -> Result<f64> {
    if n == 0 {
        return Ok(0.0);
    }
    // A start without a pattern, so that it is orthogonal to no eigenvector that matters.
    let mut v: Vec<f64> = (1..=n as u64).map(|k| ((k * k) as f64 * 0.618_033_988_749_894_9).fract() + 0.1).collect();
    normalise(&mut v);
    let mut basis = vec![v];
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    let mut reached = (0.0, f64::INFINITY);
    for step in 1..=MAX_STEPS.min(n) {
        let mut next = apply(kernel, &basis[step - 1]);
        diagonal.push(dot(&next, &basis[step - 1]));
        for _ in 0..2 {
            for v in &basis {
                let along = dot(&next, v);
                next.iter_mut().zip(v).for_each(|(x, v)| *x -= along * v);
            }
        }
        let rest = normalise(&mut next);
        if !rest.is_finite() {
            return Err(Error::value("the kernel holds a number that is NaN, infinite, or too large to square"));
        }
        // The eigenvector's last entry times what is left over is the residual; it is only looked at now and then.
        if step.is_multiple_of(5) || step == n || rest == 0.0 {
            let (value, last) = top_of_tridiagonal(&diagonal, &beside)?;
            reached = (value, rest * last.abs());
            if step == n || reached.1 <= TOLERANCE * value.abs() {
                return Ok(value);
            }
        }
        beside.push(rest);
        basis.push(next);
    }
    let (value, residual) = reached;
    Err(Error::value(format!("Lanczos has not converged after {MAX_STEPS} steps: {value} +- {residual:.1e}")))
}

/// K v, with f64 sums.
fn apply<R: Real>(kernel: &[R], v: &[f64]) -> Vec<f64> {
    kernel.par_chunks_exact(v.len()).map(|row| row.iter().zip(v).map(|(k, v)| k.f64() * v).sum()).collect()
}

/// The largest eigenvalue of a symmetric tridiagonal matrix, and the last entry of its eigenvector.
fn top_of_tridiagonal(diagonal: &[f64], beside: &[f64]) -> Result<(f64, f64)> {
    let k = diagonal.len();
    let matrix = Mat::from_fn(k, k, |i, j| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => beside[i.min(j)],
        _ => 0.0,
    });
    // The low-level routine, on this thread: faer's convenient one reads a setting of the whole process.
    let scratch = evd::self_adjoint_evd_scratch::<f64>(k, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    let (mut values, mut vectors) = (Mat::zeros(k, 1), Mat::zeros(k, k));
    evd::self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut().col_mut(0).as_diagonal_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::value("the eigenvalues of Lanczos' tridiagonal matrix did not converge"))?;
    Ok((values[(k - 1, 0)], vectors[(k - 1, k - 1)]))
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// Divides by the norm, and gives it.
fn normalise(x: &mut [f64]) -> f64 {
    let norm = dot(x, x).sqrt();
    if norm > 0.0 {
        x.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}
