//! Kernel machines: ridge regression, gradient flow, alignment and the conjugate kernel, against answers by hand, by other
//! ways, and by real training.

mod alignment;
mod classes;
mod conjugate;
mod flow;
mod ridge;
#[cfg(feature = "rand")]
mod wide;

use faer::Mat;
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Matrix, Model, Real, Sequential};

/// Numbers between -1 and 1 from a generator of their own.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut state = (seed + 1).wrapping_mul(0x2545_F491_4F6C_DD1D);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..20 + count).map(|_| next()).skip(20).collect()
}

/// `[rows, cols]` of entries.
fn matrix(rows: usize, cols: usize, entry: impl Fn(usize, usize) -> f64) -> Matrix<f64> {
    Matrix::from_vec(1, rows, cols, (0..rows * cols).map(|k| entry(k / cols, k % cols)).collect()).unwrap()
}

fn diagonal(values: &[f64]) -> Matrix<f64> {
    matrix(values.len(), values.len(), |i, j| if i == j { values[i] } else { 0.0 })
}

/// Features without a pattern, `[n, features]`.
fn random(n: usize, features: usize, seed: u64) -> Mat<f64> {
    let x = numbers(n * features, seed);
    Mat::from_fn(n, features, |i, j| x[i * features + j])
}

/// The product of two sets of features, as a kernel.
fn kernel(x: &Mat<f64>, z: &Mat<f64>) -> Matrix<f64> {
    let product = x * z.transpose();
    matrix(x.nrows(), z.nrows(), |i, j| product[(i, j)])
}

/// X X^T, symmetric to the bit.
fn gram(x: &Mat<f64>) -> Matrix<f64> {
    let product = kernel(x, x);
    matrix(x.nrows(), x.nrows(), |i, j| product[(i.max(j), i.min(j))])
}

fn single(kernel: &Matrix<f64>) -> Matrix<f32> {
    let [blocks, rows, cols] = kernel.shape();
    Matrix::from_vec(blocks, rows, cols, kernel.as_slice().iter().map(|x| *x as f32).collect()).unwrap()
}

fn as_mat<R: Real>(kernel: &Matrix<R>) -> Mat<f64> {
    Mat::from_fn(kernel.rows(), kernel.cols(), |i, j| kernel[(i, j)].f64())
}

/// `[n, k]`, row-major.
fn columns(numbers: &[f64], k: usize) -> Mat<f64> {
    Mat::from_fn(numbers.len() / k, k, |i, j| numbers[i * k + j])
}

/// A network whose parameters have no pattern.
fn mlp(widths: &[usize]) -> Model {
    let mut model = Sequential::standard(&widths[..1]).mlp(&widths[1..], Tanh).build().unwrap();
    for (k, info) in model.parameters().to_vec().iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), 70 + k as u64)).unwrap();
    }
    model
}

/// The largest difference, relative to the largest number.
#[track_caller]
fn assert_near(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    let scale = want.iter().fold(0.0f64, |max, x| max.max(x.abs()));
    let worst = got.iter().zip(want).fold(0.0f64, |max, (x, y)| max.max((x - y).abs()));
    let finite = got.iter().all(|x| x.is_finite());
    assert!(finite && worst <= tolerance * scale, "off by {:.1e}:\n{got:?}\n{want:?}", worst / scale);
}

/// Row-major.
fn flat(x: &Mat<f64>) -> Vec<f64> {
    (0..x.nrows() * x.ncols()).map(|k| x[(k / x.ncols(), k % x.ncols())]).collect()
}
