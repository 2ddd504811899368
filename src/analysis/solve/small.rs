//! Eigenvalues of symmetric matrices that are written out, by faer.

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
    let mut vectors = Mat::zeros(size, size);
    let values = decomposed(size, entry, Some(&mut vectors))?;
    let vector = |k: usize| (0..size).map(|i| vectors[(i, k)]).collect();
    Ok(Spectrum { values, vectors: (0..size).rev().map(vector).collect() })
}

/// As [`spectrum`], the eigenvalues alone.
///
/// # Errors
/// As [`spectrum`].
pub(crate) fn eigenvalues(size: usize, entry: impl Fn(usize, usize) -> f64) -> Result<Vec<f64>> {
    decomposed(size, entry, None)
}

/// The eigenvalues, largest first; their vectors are written in faer's order, which is the other one.
fn decomposed(size: usize, entry: impl Fn(usize, usize) -> f64, vectors: Option<&mut Mat<f64>>) -> Result<Vec<f64>> {
    let matrix = Mat::from_fn(size, size, |i, j| entry(i.max(j), i.min(j)));
    if (0..size).any(|j| (0..size).any(|i| !matrix[(i, j)].is_finite())) {
        return Err(Error::value("the operator's products are too large to square"));
    }
    let compute = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    // The low-level routine, on this thread: faer's convenient one reads a setting of the whole process.
    let scratch = evd::self_adjoint_evd_scratch::<f64>(size, compute, Par::Seq, Default::default());
    let mut values = Mat::zeros(size, 1);
    evd::self_adjoint_evd(
        matrix.as_ref(),
        values.as_mut().col_mut(0).as_diagonal_mut(),
        vectors.map(|vectors| vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .map_err(|_| Error::value(format!("the eigenvalues of a matrix of {size} x {size} did not converge")))?;
    Ok((0..size).rev().map(|k| values[(k, 0)]).collect())
}
