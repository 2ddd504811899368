//! Classification with kernels: the sign classifier of the paper, and targets and decisions for several classes.

use crate::error::{Error, Result};
use crate::kernel::Matrix;
use crate::real::Real;

/// The scores of the sign classifier: sum over k of w_k Y_k K(x_i, X_k) for every row i of `kernel`, K(x, X), `[n, m]`. The
/// predicted class of x_i is the sign of its score (Engel et al., section 5.2).
///
/// `labels` are the Y_k, 1 or -1, of the m columns. `weights` are the w_k, or 1 without weights. Sums are in f64.
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
/// The kernel has several blocks, or the number of labels or weights differs from the number of columns.
pub fn sign_scores<R: Real>(kernel: &Matrix<R>, labels: &[f64], weights: Option<&[f64]>) -> Result<Vec<f64>> {
    let [blocks, _, cols] = kernel.shape();
    if blocks != 1 || labels.len() != cols || weights.is_some_and(|w| w.len() != cols) {
        return Err(Error::shape(format!(
            "the sign classifier needs one block and one label per column, but the kernel has shape {:?} with {} labels \
             and {} weights",
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

/// The fraction of scores that have the sign of their label. A score of 0 has no sign.
///
/// # Errors
/// There are no scores, or the numbers of scores and labels differ.
pub fn accuracy(scores: &[f64], labels: &[f64]) -> Result<f64> {
    if scores.is_empty() || scores.len() != labels.len() {
        let scores = scores.len();
        let labels = labels.len();
        return Err(Error::shape(format!(
            "accuracy needs one score per label, got {scores} scores and {labels} labels"
        )));
    }
    let correct = scores.iter().zip(labels).filter(|(score, label)| *score * *label > 0.0).count();
    Ok(correct as f64 / scores.len() as f64)
}

/// Targets -1/+1 for classes below `count`: `[n, count]` row-major, +1 for the class of a sample and -1 for all others.
///
/// Each column is a two-class problem with labels for [`accuracy`] and [`sign_scores`]. For two classes, the columns are
/// negatives of each other, so the largest score ([`argmax`]) and the sign of a score agree. For a linear fit such as
/// [`Ridge`](super::Ridge), targets 0/1 give the same decisions, since all scores are halved and shifted equally.
///
/// ```
/// use tangent_kernels::analysis::signed_targets;
/// assert_eq!(signed_targets(&[2, 0], 3)?, [-1.0, -1.0, 1.0, 1.0, -1.0, -1.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// A class is not below `count`.
pub fn signed_targets(classes: &[usize], count: usize) -> Result<Vec<f64>> {
    check_classes(classes, count)?;
    let row = |&class: &usize| (0..count).map(move |c| if c == class { 1.0 } else { -1.0 });
    Ok(classes.iter().flat_map(row).collect())
}

/// The class with the largest of each sample's `count` scores, `[m, count]` row-major. The first of equal scores is taken.
///
/// ```
/// use tangent_kernels::analysis::{argmax, class_accuracy};
/// let scores = [0.1, 0.7, -0.3, 2.0, -1.0, 0.0];
/// assert_eq!(argmax(&scores, 3)?, [1, 0]);
/// assert_eq!(class_accuracy(&scores, &[1, 2])?, 0.5);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The number of scores is not a multiple of `count`, or a score is NaN.
pub fn argmax(scores: &[f64], count: usize) -> Result<Vec<usize>> {
    if count == 0 || !scores.len().is_multiple_of(count) {
        let given = scores.len();
        return Err(Error::shape(format!("{given} scores cannot be divided into rows of {count} classes")));
    }
    if let Some(index) = scores.iter().position(|score| score.is_nan()) {
        return Err(Error::value(format!("the score of class {} of sample {} is NaN", index % count, index / count)));
    }
    let first_largest = |row: &[f64]| (1..count).fold(0, |best, c| if row[c] > row[best] { c } else { best });
    Ok(scores.chunks_exact(count).map(first_largest).collect())
}

/// The fraction of samples whose class has a larger score than all other classes. Scores are `[m, count]`, row-major. If
/// classes share the largest score, the sample counts as wrong, like a score of 0 in [`accuracy`]. For two classes it is the
/// accuracy of the sign of the difference.
///
/// # Errors
/// There are no scores, their number is not a multiple of the number of samples, or one is NaN. A class is not below
/// `count`.
pub fn class_accuracy(scores: &[f64], classes: &[usize]) -> Result<f64> {
    if classes.is_empty() || scores.is_empty() || !scores.len().is_multiple_of(classes.len()) {
        let scores = scores.len();
        let samples = classes.len();
        return Err(Error::shape(format!(
            "{scores} scores cannot be divided into rows for the classes of {samples} samples"
        )));
    }
    let count = scores.len() / classes.len();
    check_classes(classes, count)?;
    let decisions = argmax(scores, count)?;
    let unique = |row: &[f64], class: usize| row.iter().filter(|&&score| score == row[class]).count() == 1;
    let samples = scores.chunks_exact(count).zip(&decisions).zip(classes);
    let correct = samples.filter(|&((row, decision), class)| decision == class && unique(row, *class)).count();
    Ok(correct as f64 / classes.len() as f64)
}

fn check_classes(classes: &[usize], count: usize) -> Result<()> {
    match classes.iter().position(|&class| class >= count) {
        None => Ok(()),
        Some(sample) => {
            let class = classes[sample];
            Err(Error::value(format!("the class of sample {sample} is {class}, but there are only {count} classes")))
        }
    }
}
