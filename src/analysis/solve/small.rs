//! Eigenvalues of small symmetric matrices, by faer.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::{Mat, Par};

use crate::error::{Error, Result};

/// Eigenvalues, largest first, and their vectors.
pub(super) struct Spectrum {
    pub values: Vec<f64>,
    pub vectors: Vec<Vec<f64>>,
}

/// The spectrum of the matrix whose entry (i, j), j <= i, is `entry(i, j)`.
///
/// # Errors
/// An entry is not finite; the iteration did not converge.
pub(super) fn spectrum(size: usize, entry: impl Fn(usize, usize) -> f64) -> Result<Spectrum> {
    let matrix = Mat::from_fn(size, size, |i, j| entry(i.max(j), i.min(j)));
    if (0..size).any(|j| (0..size).any(|i| !matrix[(i, j)].is_finite())) {
        return Err(Error::value("the operator's products are too large to square"));
    }
    // The low-level routine, on this thread: faer's convenient one reads a setting of the whole process.
    let scratch = evd::self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    let (mut values, mut vectors) = (Mat::zeros(size, 1), Mat::zeros(size, size));
    evd::self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut().col_mut(0).as_diagonal_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::value(format!("the eigenvalues of a matrix of {size} x {size} did not converge")))?;
    // faer's order is the other one.
    Ok(Spectrum {
        values: (0..size).rev().map(|k| values[(k, 0)]).collect(),
        vectors: (0..size).rev().map(|k| (0..size).map(|i| vectors[(i, k)]).collect()).collect(),
    })
}
