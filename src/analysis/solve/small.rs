//! Dense symmetric eigenproblems and linear systems, by faer on one thread.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt;
use faer::linalg::evd::{self, ComputeEigenvectors};
use faer::{Mat, Par};

use crate::error::{Error, Result};

/// Eigenvalues, largest first, and their eigenvectors.
#[derive(Clone)]
pub(crate) struct Spectrum {
    pub values: Vec<f64>,
    pub vectors: Vec<Vec<f64>>,
}

/// The spectrum of the matrix with entries (i, j), j <= i, from `entry(i, j)`.
///
/// # Errors
/// An entry is not finite. The iteration did not converge.
pub(crate) fn spectrum(size: usize, entry: impl Fn(usize, usize) -> f64) -> Result<Spectrum> {
    let mut vectors = Mat::zeros(size, size);
    let values = decomposed(size, entry, Some(&mut vectors))?;
    let vector = |k: usize| (0..size).map(|i| vectors[(i, k)]).collect();
    Ok(Spectrum { values, vectors: (0..size).rev().map(vector).collect() })
}

/// As [`spectrum`], without eigenvectors.
///
/// # Errors
/// As [`spectrum`].
pub(crate) fn eigenvalues(size: usize, entry: impl Fn(usize, usize) -> f64) -> Result<Vec<f64>> {
    decomposed(size, entry, None)
}

/// The eigenvalues, largest first. Eigenvectors are written in faer's order, smallest eigenvalue first.
fn decomposed(size: usize, entry: impl Fn(usize, usize) -> f64, vectors: Option<&mut Mat<f64>>) -> Result<Vec<f64>> {
    let matrix = Mat::from_fn(size, size, |i, j| entry(i.max(j), i.min(j)));
    if (0..size).any(|j| (0..size).any(|i| !matrix[(i, j)].is_finite())) {
        return Err(Error::value("the squares of the operator's products are too large for f64"));
    }
    let compute = if vectors.is_some() { ComputeEigenvectors::Yes } else { ComputeEigenvectors::No };
    // The low-level routine runs on this thread. faer's convenience method reads a global setting.
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
    .map_err(|_| Error::value(format!("the eigenvalues of a {size} x {size} matrix did not converge")))?;
    Ok((0..size).rev().map(|k| values[(k, 0)]).collect())
}

/// The solution X of A X = B, `[size, k]` row-major, for a positive definite A with entries (i, j), j <= i, from
/// `entry(i, j)`. The method is the Cholesky factorisation (Golub & Van Loan 2013, section 4.2).
///
/// # Errors
/// The index of a row that is a combination of the rows before it, to `rounding`: after their elimination its diagonal entry
/// is at most `rounding` times the original entry. A matrix that is not positive semi-definite has such a row.
pub(crate) fn solved(
    size: usize,
    entry: impl Fn(usize, usize) -> f64,
    rounding: f64,
    b: &[f64],
) -> Result<Vec<f64>, usize> {
    let mut factor = Mat::from_fn(size, size, |i, j| entry(i.max(j), i.min(j)));
    let scratch = llt::factor::cholesky_in_place_scratch::<f64>(size, Par::Seq, Default::default());
    let mut memory = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut memory);
    llt::factor::cholesky_in_place(factor.as_mut(), Default::default(), Par::Seq, stack, Default::default())
        .map_err(|llt::factor::LltError::NonPositivePivot { index }| index)?;
    let pivot = |row: usize| factor[(row, row)].powi(2);
    if let Some(row) = (0..size).find(|&row| pivot(row).is_nan() || pivot(row) <= rounding * entry(row, row)) {
        return Err(row);
    }
    let columns = b.len() / size.max(1);
    let mut x = Mat::from_fn(size, columns, |row, column| b[row * columns + column]);
    llt::solve::solve_in_place(factor.as_ref(), x.as_mut(), Par::Seq, MemStack::new(&mut []));
    Ok((0..size * columns).map(|index| x[(index / columns, index % columns)]).collect())
}
