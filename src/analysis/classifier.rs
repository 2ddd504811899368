//! The paper's sign classifier.

use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// What the sign classifier decides by: sum over k of w_k Y_k K(x_i, X_k) for every row i of `kernel`, K(x, X), \[n, m\].
/// The class of x_i is its sign (Engel et al., section 5.2).
///
/// `labels` are the Y_k, 1 or -1, of the m columns, `weights` the w_k, 1 if there are none. Sums are in f64.
///
/// ```
/// use tangent_kernels::Matrix;
/// use tangent_kernels::analysis::{accuracy, sign_scores};
/// let kernel = Matrix::from_vec(1, 2, 3, vec![3.0, 2.0, 1.0, 0.5, 1.0, 4.0])?;
/// let scores = sign_scores(&kernel, &[1.0, 1.0, -1.0], None)?;
/// assert_eq!(scores, [4.0, -2.5]);
/// assert_eq!(accuracy(&scores, &[1.0, -1.0])?, 1.0);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The kernel has more than one block, or labels or weights are not one for each column.
pub fn sign_scores<R: Real>(kernel: &Matrix<R>, labels: &[f64], weights: Option<&[f64]>) -> Result<Vec<f64>> {
    let [blocks, _, cols] = kernel.shape();
    if blocks != 1 || labels.len() != cols || weights.is_some_and(|w| w.len() != cols) {
        return Err(Error::shape(format!(
            "a kernel of shape {:?} with {} labels and {} weights",
            kernel.shape(),
            labels.len(),
            weights.map_or("no".to_string(), |w| w.len().to_string())
        )));
    }
    let signed: Vec<f64> = match weights {
        Some(weights) => labels.iter().zip(weights).map(|(y, w)| y * w).collect(),
        None => labels.to_vec(),
    };
    let score = |row: &[R]| row.iter().zip(&signed).map(|(k, y)| k.f64() * y).sum();
    Ok(kernel.as_slice().chunks_exact(cols.max(1)).map(score).collect())
}

/// The share of scores that have the sign of their label; a score of 0 has none.
///
/// # Errors
/// There are no scores, or not one label for each.
pub fn accuracy(scores: &[f64], labels: &[f64]) -> Result<f64> {
    if scores.is_empty() || scores.len() != labels.len() {
        return Err(Error::shape(format!("{} scores for {} labels", scores.len(), labels.len())));
    }
    let right = scores.iter().zip(labels).filter(|(score, label)| *score * *label > 0.0).count();
    Ok(right as f64 / scores.len() as f64)
}
