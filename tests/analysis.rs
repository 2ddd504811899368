//! Spectra and classifiers against dense answers.

use approx::assert_relative_eq;
use faer::{Mat, Side};
use tangent_kernels::analysis::operator::Dense;
use tangent_kernels::analysis::solve::{EigenOptions, largest};
use tangent_kernels::analysis::{accuracy, effective_rank, eigenvalues, sign_scores};
use tangent_kernels::{Matrix, Result};

fn square(n: usize, entry: impl Fn(usize, usize) -> f64) -> Matrix<f64> {
    let data = (0..n * n).map(|k| entry(k / n, k % n)).collect();
    Matrix::from_vec(1, n, n, data).unwrap()
}

/// A Gram of features without a pattern.
fn gram(n: usize, features: usize) -> Matrix<f64> {
    let at = |i: usize, f: usize| {
        let k = (i * features + f + 1) as u64;
        ((k * k) as f64 * 0.618_033_988_749_894_9).fract() - 0.4
    };
    square(n, |i, j| (0..features).map(|f| at(i, f) * at(j, f)).sum())
}

fn largest_eigenvalue(kernel: &Matrix<f64>) -> Result<f64> {
    let pairs = largest(&Dense::new(kernel)?, 1, &EigenOptions::default())?;
    Ok(pairs.values.first().copied().unwrap_or(0.0))
}

#[test]
fn lanczos_finds_what_the_dense_solver_finds() {
    for (n, features) in [(1, 1), (2, 1), (7, 3), (40, 40), (200, 5), (400, 700)] {
        let kernel = gram(n, features);
        let dense = Mat::from_fn(n, n, |i, j| kernel[(i, j)]).self_adjoint_eigenvalues(Side::Lower).unwrap();
        let largest = largest_eigenvalue(&kernel).unwrap();
        assert_relative_eq!(largest, dense[n - 1], max_relative = 1e-9);
    }
}

#[test]
fn lanczos_ends_on_degenerate_kernels() {
    assert_eq!(largest_eigenvalue(&square(0, |_, _| 0.0)).unwrap(), 0.0);
    assert_eq!(largest_eigenvalue(&square(100, |_, _| 0.0)).unwrap(), 0.0);
    for (kernel, want) in [
        (square(100, |_, _| 1.0), 100.0),
        (square(100, |i, j| f64::from(i == j)), 1.0),
        (square(100, |i, j| f64::from(i == 3 && j == 3)), 1.0),
        (square(100, |i, j| if i == j { (i + 1) as f64 } else { 0.0 }), 100.0),
    ] {
        let largest = largest_eigenvalue(&kernel).unwrap();
        assert_relative_eq!(largest, want, max_relative = 1e-8);
    }
    assert!(largest_eigenvalue(&square(50, |_, _| f64::NAN)).unwrap_err().is_value());
    assert!(largest_eigenvalue(&Matrix::from_vec(1, 2, 3, vec![0.0; 6]).unwrap()).unwrap_err().is_shape());
}

#[test]
fn effective_rank_lies_between_one_and_n() {
    assert_relative_eq!(effective_rank(&square(30, |_, _| 2.0)), 1.0, max_relative = 1e-12);
    assert_relative_eq!(effective_rank(&square(30, |i, j| f64::from(i == j))), 30.0, max_relative = 1e-12);
    assert_eq!(effective_rank(&square(3, |_, _| 0.0)), 0.0);
}

#[test]
fn the_sign_classifier_sums_weighted_labels() {
    let kernel = Matrix::from_vec(1, 2, 2, vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!(sign_scores(&kernel, &[1.0, -1.0], Some(&[3.0, 0.5])).unwrap(), [2.0, 7.0]);
    assert!(sign_scores(&kernel, &[1.0], None).unwrap_err().is_shape());
    assert_eq!(accuracy(&[1.0, 0.0, -2.0, 5.0], &[1.0, 1.0, -1.0, -1.0]).unwrap(), 0.5);
    assert!(accuracy(&[], &[]).unwrap_err().is_shape());
}

#[test]
fn all_eigenvalues_of_a_kernel() {
    // Of n ones everywhere: n once, 0 otherwise; of a diagonal, its entries.
    let ones = Matrix::from_vec(1, 30, 30, vec![1.0f32; 900]).unwrap();
    let values = eigenvalues(&ones).unwrap();
    assert!((values[0] - 30.0).abs() < 1e-10 && values[1..].iter().all(|x| x.abs() < 1e-10), "{values:?}");
    let diagonal = (0..16).map(|k| if k % 5 == 0 { f64::from(k) - 4.0 } else { 0.0 }).collect();
    assert_eq!(eigenvalues(&Matrix::from_vec(1, 4, 4, diagonal).unwrap()).unwrap(), [11.0, 6.0, 1.0, -4.0]);
    assert!(eigenvalues(&Matrix::<f64>::from_vec(1, 0, 0, vec![]).unwrap()).unwrap().is_empty());
    assert!(eigenvalues(&Matrix::from_vec(2, 1, 1, vec![1.0, 2.0]).unwrap()).unwrap_err().is_shape());
    let error = eigenvalues(&Matrix::from_vec(1, 2, 2, vec![1.0, 0.0, f64::NAN, 1.0]).unwrap()).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("row 1, column 0"), "{error}");
}
