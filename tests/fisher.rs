//! Fisher matrices, kernels and Hessians (Engel et al., section 5.1).

use faer::{Mat, Side};
use tangent_kernels::analysis::fisher_matrix;
use tangent_kernels::analysis::operator::{Operator, Operators};
use tangent_kernels::differentiate::{self, Direction};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Kernel, Loss, Matrix, Model, Sequential, Session};

/// Numbers without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let at = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(at).collect()
}

fn model(sizes: &[usize]) -> Model {
    let mut model = Sequential::ntk(&sizes[..1]).mlp(&sizes[1..], Tanh).build().unwrap();
    for (k, info) in model.parameters().to_vec().iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), k as u64)).unwrap();
    }
    model
}

/// The eigenvalues of a symmetric matrix, falling.
fn spectrum(matrix: &Matrix<f64>) -> Vec<f64> {
    let n = matrix.rows();
    let dense = Mat::from_fn(n, n, |i, j| matrix[(i, j)]);
    let mut values = dense.self_adjoint_eigenvalues(Side::Lower).unwrap();
    values.sort_by(|x, y| y.total_cmp(x));
    values
}

/// The larger of both spectra's first entries is where errors are measured.
fn same_but_for_zeros(one: &[f64], two: &[f64], what: &str) {
    let scale = one[0].max(two[0]);
    for k in 0..one.len().max(two.len()) {
        let at = |list: &[f64]| list.get(k).copied().unwrap_or(0.0);
        let error = (at(one) - at(two)).abs();
        assert!(error <= 1e-10 * scale, "{what}: eigenvalue {k} is {} and {}", at(one), at(two));
    }
}

#[test]
fn kernels_and_fisher_matrices_share_their_spectra() {
    for (sizes, samples) in [(&[4, 6, 5, 1][..], 12), (&[4, 3, 1], 40), (&[3, 5, 2], 9)] {
        let model = model(sizes);
        let x = numbers(samples * sizes[0], 9);
        let x = Batch::new(&x, &[samples, sizes[0]]).unwrap();
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let kernel: Kernel<f64> = session.ntk().compute(&x).unwrap();
        let parts =
            kernel.components().iter().map(|(name, matrix)| (name.as_str(), matrix)).chain([("*", kernel.total())]);
        for (name, matrix) in parts {
            let scaled: Vec<f64> = spectrum(matrix).iter().map(|x| x / samples as f64).collect();
            let fisher = fisher_matrix(&session, &x, &[name]).unwrap();
            same_but_for_zeros(&scaled, &spectrum(&fisher), &format!("{name} of {sizes:?}"));
        }
    }
}

/// H = F - (1/N) sum (y - f) H_c, by three ways that share little: the operator, the stored matrix, and Hessian products
/// of the outputs.
#[test]
fn the_hessian_of_the_squared_error_is_the_fisher_matrix_and_a_rest() {
    let (model, samples) = (model(&[3, 4, 2]), 8);
    let x = numbers(samples * 3, 5);
    let x = Batch::new(&x, &[samples, 3]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let y = numbers(samples * 2, 6);
    let f = session.run(&x).unwrap();
    let operators = Operators::new(&session, &x).unwrap();
    let hessian = operators.hessian(Loss::SquaredError(&y)).unwrap();
    let stored = fisher_matrix(&session, &x, &["*"]).unwrap();
    let residual: Vec<f64> = y.iter().zip(&f).map(|(y, f)| y - f).collect();
    for seed in 0..3 {
        let v = numbers(operators.columns(), 20 + seed);
        let along = Direction::from_parameters(&model, &v).unwrap();
        let rest = differentiate::hvp(&session, &x, &residual, &along).unwrap().product.flat();
        let got = hessian.apply(&v).unwrap();
        let scale = got.iter().fold(0.0f64, |max, x| max.max(x.abs()));
        let size = v.len();
        for row in 0..size {
            let fisher: f64 = (0..size).map(|col| stored[(row, col)] * v[col]).sum();
            let want = fisher - rest[row] / samples as f64;
            assert!((got[row] - want).abs() < 1e-12 * scale, "entry {row}: {} and {want}", got[row]);
        }
        // The rest is not nothing, so that its sign and factor were seen.
        assert!(rest.iter().any(|x| x.abs() / samples as f64 > 1e-3 * scale));
    }
}
