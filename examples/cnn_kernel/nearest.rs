//! The nearest class mean, from kernels alone.

use tangent_kernels::analysis::accuracy;
use tangent_kernels::{Matrix, Real, Result};

/// How often the nearest class mean of the gradients is the right one.
///
/// With g(x) the gradient of all outputs, and m6 and m9 its means over the training digits of a class, x is a nine if
/// |g(x) - m9|^2 < |g(x) - m6|^2, that is g(x) . (m9 - m6) > (|m9|^2 - |m6|^2) / 2: means of entries of K. The paper's sign
/// rule has 0 on the right. It gives nearly all digits one class if the gradients share a large part, as those of pooled
/// convolutions do.
///
/// `train` has `outputs` rows for each digit, `cross` one row per held-out and one column per training digit.
pub fn nearest_mean<R: Real>(
    train: &Matrix<R>,
    outputs: usize,
    cross: &Matrix<R>,
    train_labels: &[f64],
    test_labels: &[f64],
) -> Result<f64> {
    // 1 / (number of the class), negative for sixes: the weights of m9 - m6.
    let count = |label: f64| train_labels.iter().filter(|&&own| own == label).count() as f64;
    let (sixes, nines) = (count(-1.0), count(1.0));
    let weights: Vec<f64> = train_labels.iter().map(|&y| if y < 0.0 { -1.0 / sixes } else { 1.0 / nines }).collect();

    // The mean over outputs of K(x, c; x', c).
    let same = |n: usize, m: usize| {
        (0..outputs).map(|c| train[(n * outputs + c, m * outputs + c)].f64()).sum::<f64>() / outputs as f64
    };
    let mut border = 0.0;
    for (n, y) in train_labels.iter().enumerate() {
        for (m, _) in train_labels.iter().enumerate().filter(|(_, other)| *other == y) {
            border += y * weights[n] * weights[m] * same(n, m) / 2.0;
        }
    }
    let row = |x: usize| weights.iter().enumerate().map(|(k, w)| w * cross[(x, k)].f64()).sum::<f64>();
    let scores: Vec<f64> = (0..cross.rows()).map(|x| row(x) - border).collect();
    accuracy(&scores, test_labels)
}
