use std::ops::Range;

use faer::Mat;
use faer::linalg::solvers::Solve;
use tangent_kernels::analysis::Ridge;
use tangent_kernels::analysis::operator::{Dense, Operators};
use tangent_kernels::analysis::solve::CgOptions;
use tangent_kernels::kernel::sink::{Folding, MatVec};
use tangent_kernels::{Batch, Cpu, Matrix, Model, Session};

use crate::*;

#[test]
fn two_targets_by_hand() {
    // The inverse of (2 1; 1 2) is (2 -1; -1 2) / 3.
    let kernel = matrix(2, 2, |i, j| if i == j { 2.0 } else { 1.0 });
    let ridge = Ridge::fit(&kernel, &[3.0, 0.0, 0.0, 6.0], 0.0).unwrap();
    assert_near(ridge.coefficients(), &[2.0, -2.0, -1.0, 4.0], 1e-15);
    assert_near(&ridge.column(1).unwrap(), &[-2.0, 4.0], 1e-15);
    assert_eq!((ridge.columns(), ridge.column(2).unwrap_err().is_shape()), (2, true));
    let cross = matrix(3, 2, |i, j| (i * 2 + j) as f64);
    assert_near(&ridge.predict(&cross).unwrap(), &[-1.0, 4.0, 1.0, 8.0, 3.0, 12.0], 1e-14);
    // A ridge of 1, which n does not multiply: (3 1; 1 3) a = (4, 8).
    assert_near(Ridge::fit(&kernel, &[4.0, 8.0], 1.0).unwrap().coefficients(), &[0.5, 2.5], 1e-15);
}

/// J of all outputs, `[n C, P]`.
fn jacobian(model: &Model, x: &Batch<'_, f64>) -> Mat<f64> {
    let session = Session::new(model, Cpu::<f64>::new()).unwrap();
    let jacobian = session.jacobian(x).unwrap();
    let rows = jacobian.samples() * jacobian.outputs();
    let parts: Vec<(usize, &[f64])> = jacobian.iter().map(|(_, part)| (part.len() / rows, part)).collect();
    let row = |row: usize| parts.iter().flat_map(move |(size, part)| part[row * size..][..*size].to_vec());
    let entries: Vec<f64> = (0..rows).flat_map(row).collect();
    columns(&entries, entries.len() / rows)
}

/// J(Z) (J^T J + lambda I)^-1 J^T y: ridge regression on the features, which knows no kernel.
fn primal(train: &Mat<f64>, test: &Mat<f64>, targets: &[f64], lambda: f64) -> Vec<f64> {
    let mut normal = train.transpose() * train;
    (0..normal.nrows()).for_each(|i| normal[(i, i)] += lambda);
    flat(&(test * normal.partial_piv_lu().solve(train.transpose() * columns(targets, 1))))
}

#[test]
fn four_ways_to_one_prediction() {
    let model = mlp(&[3, 6, 2]);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (train, test) = (numbers(7 * 3, 1), numbers(4 * 3, 2));
    let (train, test) = (Batch::new(&train, &[7, 3]).unwrap(), Batch::new(&test, &[4, 3]).unwrap());
    let targets = numbers(7 * 2, 3);
    let kernel = session.ntk().compute(&train).unwrap();
    let cross = session.ntk().between(&test, &train).unwrap();
    let operators = Operators::new(&session, &train).unwrap();
    let options = CgOptions::default().tolerance(1e-13);
    for lambda in [1e-3, 0.1, 10.0] {
        let want = primal(&jacobian(&model, &train), &jacobian(&model, &test), &targets, lambda);
        let ridge = Ridge::fit(kernel.total(), &targets, lambda).unwrap();
        assert_near(&ridge.predict(cross.total()).unwrap(), &want, 1e-9);
        let free = Ridge::fit_operator(&operators.ntk(), &targets, lambda, &options).unwrap();
        assert_near(free.coefficients(), ridge.coefficients(), 1e-8);
        let mut folding = Folding::new(MatVec::new(free.column(0).unwrap()));
        session.ntk().fill_between(&test, &train, &mut folding).unwrap();
        assert_near(folding.total().unwrap(), &want, 1e-8);
    }
}

#[test]
fn several_targets_are_as_many_fits() {
    let kernel = gram(&random(20, 30, 4));
    let cross = kernel_of_few(&kernel);
    let targets = numbers(20 * 3, 5);
    let all = Ridge::fit(&kernel, &targets, 0.3).unwrap();
    let free = Ridge::fit_operator(&Dense::new(&kernel).unwrap(), &targets, 0.3, &CgOptions::default()).unwrap();
    assert_near(free.coefficients(), all.coefficients(), 1e-8);
    for k in 0..3 {
        let own: Vec<f64> = targets.iter().skip(k).step_by(3).copied().collect();
        let one = Ridge::fit(&kernel, &own, 0.3).unwrap();
        assert_near(&all.column(k).unwrap(), one.coefficients(), 1e-13);
        let predicted: Vec<f64> = all.predict(&cross).unwrap().iter().skip(k).step_by(3).copied().collect();
        assert_near(&predicted, &one.predict(&cross).unwrap(), 1e-13);
    }
    let rough = Ridge::fit(&single(&kernel), &targets, 0.3).unwrap();
    assert_near(rough.coefficients(), all.coefficients(), 1e-4);
}

/// Some rows of a kernel.
fn kernel_of_few(kernel: &Matrix<f64>) -> Matrix<f64> {
    matrix(4, kernel.cols(), |i, j| kernel[(3 * i, j)])
}

/// Two samples that differ by this much: the remainder of the second after projection on the first is above zero.
fn almost(difference: f64) -> Matrix<f64> {
    matrix(2, 2, |i, j| if i + j == 2 { 1.0 + difference } else { 1.0 })
}

/// Kernels that are singular, each with the rows that are combinations of those before them.
fn singular() -> Vec<(Matrix<f64>, Range<usize>)> {
    let twice = random(12, 40, 6);
    let twice = Mat::from_fn(13, 40, |i, j| twice[(if i == 9 { 4 } else { i.min(11) }, j)]);
    let tall = random(120, 5, 7);
    let scaled = Mat::from_fn(50, 7, |i, j| tall[(i, j % 5)] * 1e-9 * (i + 1) as f64);
    vec![
        (gram(&twice), 9..10),
        (gram(&tall), 5..120),
        (gram(&scaled), 5..50),
        (matrix(60, 60, |_, _| 0.1), 1..60),
        (matrix(4, 4, |_, _| 0.0), 0..4),
        (almost(f64::EPSILON), 1..2),
        (diagonal(&[1.0, -1.0]), 1..2),
    ]
}

#[test]
fn singular_kernels_are_refused_by_name_and_a_ridge_saves_them() {
    for (kernel, rows) in singular() {
        let targets = numbers(kernel.rows(), 8);
        for error in [Ridge::fit(&kernel, &targets, 0.0), Ridge::fit(&single(&kernel), &targets, 0.0)] {
            let error = error.unwrap_err();
            let said = error.to_string();
            let at: usize = said.split("row ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert!(error.is_value() && rows.contains(&at) && said.contains("Use a lambda"), "{said}");
        }
        if kernel.trace() == 0.0 {
            continue;
        }
        let lambda = 1e-6 * kernel.trace();
        let ridge = Ridge::fit(&kernel, &targets, lambda).unwrap();
        let back: Vec<f64> = ridge.predict(&kernel).unwrap();
        let back: Vec<f64> = back.iter().zip(ridge.coefficients()).map(|(f, a)| f + lambda * a).collect();
        assert_near(&back, &targets, 1e-8);
    }
    // What is a difference in f64 may be rounding in f32.
    let kernel = almost(f64::from(f32::EPSILON));
    assert_near(Ridge::fit(&kernel, &[0.0, 1.0], 0.0).unwrap().coefficients(), &[-8388608.0, 8388608.0], 1e-15);
    assert!(Ridge::fit(&single(&kernel), &[0.0, 1.0], 0.0).unwrap_err().to_string().contains("row 1 "));
    // A lambda below the rounding has no effect.
    let ones = matrix(60, 60, |_, _| 1.0);
    assert!(Ridge::fit(&ones, &[1.0; 60], 1e-17).unwrap_err().to_string().contains("well above"));
    let badly = Ridge::fit_operator(&Dense::new(&ones).unwrap(), &numbers(60, 1), 0.0, &CgOptions::default());
    assert!(badly.unwrap_err().to_string().contains("singular"));
}

#[test]
fn an_almost_singular_kernel_is_solved_as_it_is() {
    // Condition 1e10: a scale of rows by 1e-5 hides nothing, though the last pivots are small compared with the first.
    let kernel = diagonal(&[1.0, 1e-5, 1e-10]);
    assert_near(Ridge::fit(&kernel, &[1.0, 1e-5, 1e-10], 0.0).unwrap().coefficients(), &[1.0; 3], 1e-15);
    // Hilbert's matrix of 6, of condition 1.5e7, whose inverse has whole entries, of which the first row's sum is 6 (-1)^5.
    let hilbert = matrix(6, 6, |i, j| 1.0 / (i + j + 1) as f64);
    let sums = Ridge::fit(&hilbert, &[1.0; 6], 0.0).unwrap();
    assert_near(sums.coefficients(), &[-6.0, 210.0, -1680.0, 5040.0, -6300.0, 2772.0], 1e-9);
}

#[test]
fn what_is_no_regression_is_refused() {
    let (kernel, targets) = (gram(&random(4, 6, 9)), [1.0, 2.0, 3.0, 4.0]);
    let fit = |lambda: f64| Ridge::fit(&kernel, &targets, lambda).unwrap_err();
    let options = CgOptions::default();
    for lambda in [-1.0, f64::NAN, f64::INFINITY] {
        let free = Ridge::fit_operator(&Dense::new(&kernel).unwrap(), &targets, lambda, &options).unwrap_err();
        for error in [fit(lambda), free] {
            assert!(error.is_value() && error.to_string().contains("lambda is"), "{error}");
        }
    }
    for targets in [&targets[..3], &targets[..0]] {
        assert!(Ridge::fit(&kernel, targets, 1.0).unwrap_err().is_shape());
        assert!(Ridge::fit_operator(&Dense::new(&kernel).unwrap(), targets, 1.0, &options).unwrap_err().is_shape());
    }
    let error = Ridge::fit(&kernel, &[0.0, 0.0, 0.0, 0.0, 0.0, f64::NAN, 0.0, 0.0], 1.0).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("number 1 of the targets of row 2 is NaN"), "{error}");
    for shape in [[1, 2, 3], [2, 2, 2], [1, 0, 0]] {
        let empty = Matrix::<f64>::from_vec(shape[0], shape[1], shape[2], vec![1.0; shape.iter().product()]).unwrap();
        assert!(Ridge::fit(&empty, &[1.0; 2], 1.0).unwrap_err().is_shape());
    }
    let unlike = |x: f64| matrix(4, 4, |i, j| if (i, j) == (2, 1) { x } else { kernel[(i, j)] });
    let error = Ridge::fit(&unlike(9.0), &targets, 1.0).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("not symmetric: it is 9 at row 2, column 1"), "{error}");
    let error = Ridge::fit(&unlike(f64::NAN), &targets, 1.0).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("NaN at row 2, column 1"), "{error}");
    let ridge = Ridge::fit(&kernel, &targets, 1.0).unwrap();
    assert!(ridge.predict(&matrix(2, 3, |_, _| 1.0)).unwrap_err().to_string().contains("[1, m, 4]"));
    assert!(ridge.predict(&matrix(2, 4, |_, _| f64::INFINITY)).unwrap_err().is_value());
    assert!(ridge.predict(&matrix(0, 4, |_, _| 1.0)).unwrap().is_empty());
}
