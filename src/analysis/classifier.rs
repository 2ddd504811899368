//! Classes from kernels: the paper's sign classifier, and targets and decisions of several classes.

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

/// Targets of `classes`, each below `count`: \[n, count\] row-major, 1 for a sample's class and -1 for every other one.
///
/// With -1 and not 0, a column is a question of two classes with the labels that [`accuracy`] and [`sign_scores`] take, and
/// of two classes the columns are each other's negative, so that the larger score ([`argmax`]) and the sign of one say the
/// same. Of a linear fit such as [`Ridge`](super::Ridge) the decision between classes is the same with 0: the scores of all
/// classes are halved and moved alike.
///
/// ```
/// use tangent_kernels::analysis::one_hot;
/// assert_eq!(one_hot(&[2, 0], 3)?, [-1.0, -1.0, 1.0, 1.0, -1.0, -1.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// A class is not below `count`.
pub fn signed_targets(classes: &[usize], count: usize) -> Result<Vec<f64>> {
    check_classes(classes, count)?;
    Ok(classes.iter().flat_map(|&own| (0..count).map(move |c| if c == own { 1.0 } else { -1.0 })).collect())
}

/// The class of the largest of every sample's `count` scores, \[m, count\] row-major; the first of equal ones.
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
/// There are not `count` scores for each sample, or one is NaN.
pub fn argmax(scores: &[f64], count: usize) -> Result<Vec<usize>> {
    if count == 0 || !scores.len().is_multiple_of(count) {
        return Err(Error::shape(format!("{} scores of {count} classes for each sample", scores.len())));
    }
    if let Some(at) = scores.iter().position(|score| score.is_nan()) {
        return Err(Error::value(format!("the score of class {} of sample {} is NaN", at % count, at / count)));
    }
    let first_largest = |row: &[f64]| (1..count).fold(0, |best, c| if row[c] > row[best] { c } else { best });
    Ok(scores.chunks_exact(count).map(first_largest).collect())
}

/// The share of samples whose own class has a larger score than every other one, of scores \[m, count\] for m classes.
/// Where classes share the largest score a sample has none, as with a score of 0 in [`accuracy`]: of two classes, `count`
/// = 2, it is the accuracy of the difference's sign.
///
/// # Errors
/// There are no scores, not as many for each class, or one is NaN; a class is not below `count`.
pub fn class_accuracy(scores: &[f64], classes: &[usize]) -> Result<f64> {
    if classes.is_empty() || scores.is_empty() || !scores.len().is_multiple_of(classes.len()) {
        return Err(Error::shape(format!("{} scores for the classes of {} samples", scores.len(), classes.len())));
    }
    let count = scores.len() / classes.len();
    check_classes(classes, count)?;
    let decided = argmax(scores, count)?;
    let alone = |row: &[f64], class: usize| row.iter().filter(|&&score| score == row[class]).count() == 1;
    let samples = scores.chunks_exact(count).zip(&decided).zip(classes);
    let right = samples.filter(|&((row, decided), class)| decided == class && alone(row, *class)).count();
    Ok(right as f64 / classes.len() as f64)
}

fn check_classes(classes: &[usize], count: usize) -> Result<()> {
    match classes.iter().position(|&class| class >= count) {
        None => Ok(()),
        Some(at) => Err(Error::value(format!("the class of sample {at} is {}, where there are {count}", classes[at]))),
    }
}
