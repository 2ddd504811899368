//! Matrix-free solvers against dense answers.

use std::sync::atomic::{AtomicUsize, Ordering};

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::matrix_free::conjugate_gradient::{CgParams, conjugate_gradient, conjugate_gradient_scratch};
use faer::matrix_free::{IdentityPrecond, LinOp};
use faer::{Mat, Par, Side};
use tangent_kernels::analysis::operator::{Dense, Operator, Operators};
use tangent_kernels::analysis::solve::faer_adapter::FaerOperator;
use tangent_kernels::analysis::solve::{
    Axis, CgOptions, EigenOptions, Estimate, Probing, condition, conjugate_gradients, density, effective_rank, largest,
    log_det, spectral_sum, trace,
};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Error, Matrix, Parameterisation, Result, Sequential, Session};

/// A stored symmetric matrix, of a precision, that fails after some products.
struct Stored {
    size: usize,
    entries: Vec<f64>,
    single: bool,
    left: AtomicUsize,
}

impl Stored {
    fn new(size: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let entries = (0..size * size).map(|k| entry(k / size, k % size)).collect();
        Stored { size, entries, single: false, left: AtomicUsize::new(usize::MAX) }
    }

    fn diagonal(values: &[f64]) -> Self {
        Self::new(values.len(), |i, j| if i == j { values[i] } else { 0.0 })
    }

    /// Q diag(values) Q with Q = I - 2 u u^T: a full matrix of a known spectrum.
    fn with_spectrum(values: &[f64]) -> Self {
        let n = values.len();
        let mut u = numbers(n, 5);
        let norm = u.iter().map(|x| x * x).sum::<f64>().sqrt();
        u.iter_mut().for_each(|x| *x /= norm);
        let q = |i: usize, k: usize| f64::from(i == k) - 2.0 * u[i] * u[k];
        let q = Mat::from_fn(n, n, q);
        let scaled = Mat::from_fn(n, n, |i, k| q[(i, k)] * values[k]);
        let a = &scaled * &q;
        Self::new(n, |i, j| (a[(i, j)] + a[(j, i)]) / 2.0)
    }

    /// Products in f32.
    fn single(mut self) -> Self {
        self.single = true;
        self
    }

    fn failing_after(self, products: usize) -> Self {
        self.left.store(products, Ordering::Relaxed);
        self
    }

    fn eigenvalues(&self) -> Vec<f64> {
        let matrix = Mat::from_fn(self.size, self.size, |i, j| self.entries[i * self.size + j]);
        let mut values = matrix.self_adjoint_eigenvalues(Side::Lower).unwrap();
        values.reverse();
        values
    }
}

impl Operator for Stored {
    fn size(&self) -> usize {
        self.size
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            return Err(Error::device("the card fell out"));
        }
        let rows = self.entries.chunks_exact(self.size.max(1));
        if self.single {
            let row = |row: &[f64]| row.iter().zip(x).map(|(a, x)| *a as f32 * *x as f32).sum::<f32>();
            return Ok(rows.map(|r| f64::from(row(r))).collect());
        }
        Ok(rows.map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect())
    }

    fn precision(&self) -> f64 {
        if self.single { f64::from(f32::EPSILON) } else { f64::EPSILON }
    }
}

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

/// A Gram of features without a pattern.
fn gram(n: usize, features: usize) -> Stored {
    let x: Vec<Vec<f64>> = (0..n).map(|i| numbers(features, i as u64 * 31 + 1)).collect();
    Stored::new(n, |i, j| x[i].iter().zip(&x[j]).map(|(x, y)| x * y).sum())
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

/// The k largest are those of `want`, and their vectors are orthonormal and theirs.
fn check_pairs(operator: &Stored, k: usize, want: &[f64], tolerance: f64) {
    let pairs = largest(operator, k, &EigenOptions::default()).unwrap();
    let scale = want.iter().fold(0.0f64, |max, x| max.max(x.abs()));
    let what = format!("{k} of {}", operator.size);
    assert_eq!(pairs.values.len(), k.min(operator.size), "{what}");
    assert_eq!((pairs.vectors.len(), pairs.residuals.len()), (pairs.values.len(), pairs.values.len()), "{what}");
    for (i, (got, want)) in pairs.values.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance * scale, "{what}: eigenvalue {i} is {got}, not {want}");
        let v = &pairs.vectors[i];
        let rest: f64 = operator.apply(v).unwrap().iter().zip(v).map(|(av, v)| (av - got * v).powi(2)).sum();
        assert!((rest.sqrt() - pairs.residuals[i]).abs() <= 1e-12 * scale, "{what}: residual {i}");
        assert!(rest.sqrt() <= 3.0 * tolerance * scale, "{what}: residual {i} is {}", rest.sqrt());
        for (j, other) in pairs.vectors[..=i].iter().enumerate() {
            assert!((dot(v, other) - f64::from(i == j)).abs() < 1e-12, "{what}: vectors {i} and {j}");
        }
    }
}

#[test]
fn the_largest_eigenvalues_are_those_of_a_dense_solver() {
    for (n, features) in [(7, 3), (60, 60), (150, 20), (150, 300)] {
        let operator = gram(n, features);
        let want = operator.eigenvalues();
        for k in [1, 4, 12, n, n + 3] {
            check_pairs(&operator, k, &want, 1e-10);
        }
    }
    // Not semi-definite: the largest algebraically, though others are larger in magnitude.
    let values: Vec<f64> = (0..120).map(|k| 1.0 - f64::from(k)).collect();
    check_pairs(&Stored::with_spectrum(&values), 3, &values, 1e-10);
}

#[test]
fn eigenvalues_come_out_as_often_as_they_are_there() {
    check_pairs(&Stored::new(0, |_, _| 0.0), 3, &[], 0.0);
    check_pairs(&Stored::new(1, |_, _| -2.0), 1, &[-2.0], 1e-15);
    assert!(largest(&Stored::new(3, |_, _| 1.0), 0, &EigenOptions::default()).unwrap().values.is_empty());
    let n = 100;
    check_pairs(&Stored::new(n, |_, _| 0.0), 5, &[0.0; 5], 0.0);
    check_pairs(&Stored::new(n, |_, _| 1.0), 5, &[100.0, 0.0, 0.0, 0.0, 0.0], 1e-12);
    check_pairs(&Stored::new(n, |i, j| f64::from(i == j)), 5, &[1.0; 5], 1e-12);
    check_pairs(&Stored::new(n, |i, j| f64::from(i == 3 && j == 3)), 2, &[1.0, 0.0], 1e-12);
    // Three copies of a Gram, side by side.
    let (one, m) = (gram(50, 60), 50);
    let copies = Stored::new(3 * m, |i, j| if i / m == j / m { one.entries[(i % m) * m + j % m] } else { 0.0 });
    let want: Vec<f64> = one.eigenvalues().into_iter().flat_map(|value| [value; 3]).collect();
    check_pairs(&copies, 11, &want, 1e-10);
    // A second copy far above the others, and one far down.
    let mut values: Vec<f64> = (0..200).map(|k| 1.0 / f64::from(k + 1)).collect();
    values[..4].copy_from_slice(&[100.0, 100.0, 50.0, 50.0]);
    check_pairs(&Stored::with_spectrum(&values), 4, &values, 1e-10);
    values.sort_by(|a, b| b.total_cmp(a));
    values[6] = values[5];
    check_pairs(&Stored::with_spectrum(&values), 7, &values, 1e-10);
    // A second copy that takes many steps to stand out from the others.
    let values: Vec<f64> =
        (0..200).map(|k| [10.0, 10.0, 9.9].get(k).copied().unwrap_or(9.5 - k as f64 / 30.0)).collect();
    check_pairs(&Stored::with_spectrum(&values), 2, &values, 1e-10);
}

#[test]
fn eigenvalues_of_many_seeds_are_the_same_and_of_one_to_the_bit() {
    let operator = gram(150, 20);
    let of = |seed| largest(&operator, 5, &EigenOptions::default().seed(seed)).unwrap();
    let (first, again) = (of(0), of(0));
    assert_eq!((&first.values, &first.vectors), (&again.values, &again.vectors));
    for seed in 1..10 {
        let other = of(seed);
        assert_ne!(other.vectors, first.vectors);
        other.values.iter().zip(&first.values).for_each(|(a, b)| assert!((a - b).abs() < 1e-10 * first.values[0]));
    }
    // A larger basis takes fewer products.
    let hard = Stored::with_spectrum(&(0..200).map(|k| 200.0 - f64::from(k)).collect::<Vec<_>>());
    let steps = |basis| largest(&hard, 3, &EigenOptions::default().basis(basis)).unwrap().steps;
    assert!(steps(150) < steps(0));
}

/// A diagonal matrix, not stored as a square.
struct Diagonal(Vec<f64>);

impl Operator for Diagonal {
    fn size(&self) -> usize {
        self.0.len()
    }

    fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
        Ok(self.0.iter().zip(x).map(|(a, x)| a * x).collect())
    }
}

#[test]
fn large_operators_and_any_number_of_threads() {
    let n = 20_000;
    let mut values: Vec<f64> = (0..n).map(|k| (k as f64 / 50.0 + 1.0).powi(-2)).collect();
    values[1] = 1.0;
    let operator = Diagonal(values.clone());
    let probing = Probing::default().probes(3).steps(10);
    let runs = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let pairs = largest(&operator, 4, &EigenOptions::default().tolerance(1e-8)).unwrap();
            let solution = conjugate_gradients(&operator, 0.1, &values, &CgOptions::default()).unwrap();
            (pairs.values, pairs.vectors, pairs.residuals, solution.x, log_det(&operator, 0.1, &probing).unwrap())
        })
    });
    assert!(runs[1] == runs[0] && runs[2] == runs[0]);
    let (found, _, residuals, x, log) = &runs[0];
    found.iter().zip(&values).for_each(|(got, want)| assert!((got - want).abs() < 1e-8, "{got} and {want}"));
    assert!(residuals.iter().all(|r| *r < 3e-8), "{residuals:?}");
    x.iter().zip(&values).for_each(|(x, a)| assert!((x - a / (a + 0.1)).abs() < 1e-8));
    // Signs know a diagonal's trace of any function without an error but the quadrature's.
    let want: f64 = values.iter().map(|x| (x + 0.1).ln()).sum();
    assert!((log.value / want - 1.0).abs() < 1e-3, "{log:?} and {want}");
}

#[test]
fn what_stops_an_eigensolver_is_named() {
    let operator = gram(150, 300);
    let error = |operator: &Stored, options: EigenOptions| largest(operator, 3, &options).unwrap_err();
    let few = error(&operator, EigenOptions::default().steps(12));
    assert!(
        few.is_value() && few.to_string().contains("after 12 steps") && few.to_string().contains("residual"),
        "{few}"
    );
    assert!(error(&gram(20, 20), EigenOptions::default().steps(12)).to_string().contains("12 steps"));
    assert!(error(&operator, EigenOptions::default().steps(0)).is_value());
    assert!(error(&operator, EigenOptions::default().tolerance(f64::NAN)).is_value());
    for n in [10, 100] {
        assert!(error(&Stored::new(n, |_, _| f64::NAN), EigenOptions::default()).to_string().contains("NaN"));
        assert!(error(&Stored::new(n, |_, _| 1e300), EigenOptions::default()).is_value());
        assert!(error(&gram(n, n).failing_after(7), EigenOptions::default()).is_device());
    }
}

#[test]
fn tolerances_know_the_precision_of_products() {
    let operator = gram(150, 300).single();
    check_pairs(&operator, 4, &operator.eigenvalues(), 1e-5);
    // Products in f32 that claim f64 do not reach its tolerance.
    struct Boast(Stored);
    impl Operator for Boast {
        fn size(&self) -> usize {
            self.0.size
        }
        fn apply(&self, x: &[f64]) -> Result<Vec<f64>> {
            self.0.apply(x)
        }
    }
    let b = numbers(150, 3);
    let solution = conjugate_gradients(&operator, 10.0, &b, &CgOptions::default()).unwrap();
    assert!(solution.residual < 1e-5 && solution.residual > 1e-10);
    let error = conjugate_gradients(&Boast(operator), 10.0, &b, &CgOptions::default()).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("nearer"), "{error}");
}

#[test]
fn conjugate_gradients_solve_what_is_definite() {
    for (n, features, lambda) in [(1, 1, 0.5), (7, 3, 0.1), (60, 90, 0.0), (150, 20, 1e-3)] {
        let operator = gram(n, features);
        let want = numbers(n, 9);
        let mut b = operator.apply(&want).unwrap();
        b.iter_mut().zip(&want).for_each(|(b, x)| *b += lambda * x);
        for scale in [1.0, 1e-200, 1e200] {
            let b: Vec<f64> = b.iter().map(|b| b * scale).collect();
            let solution = conjugate_gradients(&operator, lambda, &b, &CgOptions::default()).unwrap();
            assert!(solution.residual <= 1e-10 && solution.steps > 0);
            for (x, want) in solution.x.iter().zip(&want) {
                assert!((x / scale - want).abs() < 1e-5, "{n}: {x} and {want}");
            }
        }
    }
    // As many steps as there are eigenvalues, to rounding.
    let three = Stored::with_spectrum(&(0..60).map(|k| f64::from(k % 3 + 1)).collect::<Vec<_>>());
    assert_eq!(conjugate_gradients(&three, 0.0, &numbers(60, 1), &CgOptions::default()).unwrap().steps, 3);
    let none = conjugate_gradients(&three, 0.0, &[0.0; 60], &CgOptions::default()).unwrap();
    assert!(none.x == [0.0; 60] && none.steps == 0 && none.residual == 0.0);
    let empty = conjugate_gradients(&Stored::new(0, |_, _| 0.0), 0.0, &[], &CgOptions::default()).unwrap();
    assert!(empty.x.is_empty());
    // Singular, with b in the range.
    let ones = conjugate_gradients(&Stored::new(50, |_, _| 1.0), 0.0, &[50.0; 50], &CgOptions::default()).unwrap();
    assert!(ones.x.iter().all(|x| (x - 1.0).abs() < 1e-12));
}

#[test]
fn what_stops_conjugate_gradients_is_named() {
    let error = |operator: &Stored, lambda: f64, b: &[f64]| {
        conjugate_gradients(operator, lambda, b, &CgOptions::default()).unwrap_err()
    };
    let b = numbers(50, 2);
    let indefinite = Stored::diagonal(&(0..50).map(|k| f64::from(k) - 2.5).collect::<Vec<_>>());
    assert!(error(&indefinite, 0.0, &b).to_string().contains("indefinite"));
    conjugate_gradients(&indefinite, 3.0, &b, &CgOptions::default()).unwrap();
    for singular in [Stored::new(50, |_, _| 0.0), Stored::new(50, |_, _| 1.0), gram(50, 3)] {
        let error = error(&singular, 0.0, &b);
        assert!(error.is_value() && error.to_string().contains("singular"), "{error}");
        conjugate_gradients(&singular, 1e-3, &b, &CgOptions::default()).unwrap();
    }
    let few = conjugate_gradients(&gram(50, 60), 0.0, &b, &CgOptions::default().steps(4)).unwrap_err();
    assert!(few.is_value() && few.to_string().contains("after 4 steps: the relative residual is"), "{few}");
    assert!(error(&gram(50, 60).failing_after(3), 0.0, &b).is_device());
    assert!(error(&Stored::new(50, |_, _| f64::INFINITY), 0.0, &b).is_value());
    assert!(error(&Stored::new(50, |_, _| 1e300), 0.0, &b).is_value());
    assert!(error(&gram(50, 60), 0.0, &b[1..]).is_shape());
    assert!(error(&gram(50, 60), -1.0, &b).is_value());
    assert!(error(&gram(50, 60), f64::NAN, &b).is_value());
    assert!(error(&gram(50, 60), 0.0, &[f64::NAN; 50]).is_value());
    // A tolerance that rounding does not allow is not waited for.
    let close = Stored::with_spectrum(&(0..50).map(|k| 10f64.powi(-k / 4)).collect::<Vec<_>>());
    let error = conjugate_gradients(&close, 0.0, &b, &CgOptions::default().tolerance(0.0)).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("residual"), "{error}");
}

/// Estimates of many seeds: all within five of their errors of the truth, two thirds within one, some not, and no error
/// is far from how estimates spread.
fn check_estimates(want: f64, of: impl Fn(Probing) -> Result<Estimate>, probing: Probing) {
    let seeds = 60;
    let (mut within, mut spread, mut stated) = (0, 0.0, 0.0);
    for seed in 0..seeds {
        let estimate = of(probing.seed(seed)).unwrap();
        assert!(seed > 0 || estimate == of(probing).unwrap());
        let off = (estimate.value - want).abs();
        assert!(estimate.error > 0.0 && off < 5.0 * estimate.error, "{estimate:?} of {want}");
        within += usize::from(off < estimate.error);
        spread += off * off / seeds as f64;
        stated += estimate.error * estimate.error / seeds as f64;
    }
    assert!((28..=52).contains(&within), "{within} of {seeds} within one error of {want}");
    assert!((0.5..2.0).contains(&(spread / stated)), "spread {spread}, stated {stated}");
}

#[test]
fn estimates_lie_within_their_errors() {
    let operator = gram(120, 200);
    let values = operator.eigenvalues();
    let sum = |f: &dyn Fn(f64) -> f64| values.iter().map(|x| f(*x)).sum::<f64>();
    let probing = Probing::default().probes(20).steps(40);
    check_estimates(sum(&|x| x), |probing| trace(&operator, &probing), probing);
    let rank = sum(&|x| x).powi(2) / sum(&|x| x * x);
    check_estimates(rank, |probing| effective_rank(&operator, &probing), probing.probes(40));
    check_estimates(sum(&|x| (x + 1.0).ln()), |probing| log_det(&operator, 1.0, &probing), probing);
    check_estimates(sum(&f64::sqrt), |probing| spectral_sum(&operator, f64::sqrt, &probing), probing);
    // Four times the probes halve the error.
    let error = |probes| trace(&operator, &probing.probes(probes)).unwrap().error;
    assert!((1.4..2.8).contains(&(error(25) / error(100))));
}

#[test]
fn as_many_probes_as_rows_leave_no_error() {
    for operator in [gram(1, 1), gram(30, 8), gram(30, 60), gram(30, 60).single(), Stored::new(30, |_, _| 1.0)] {
        let values = operator.eigenvalues();
        let sum = |f: &dyn Fn(f64) -> f64| values.iter().map(|x| f(*x)).sum::<f64>();
        let probing = Probing::default().probes(operator.size);
        let close = |got: Estimate, want: f64, what: &str| {
            let tolerance = if operator.single { 1e-4 } else { 1e-9 };
            assert!((got.value - want).abs() < tolerance * want.abs().max(1.0), "{what}: {} and {want}", got.value);
            assert_eq!((got.error, got.probes), (0.0, operator.size));
        };
        close(trace(&operator, &probing).unwrap(), sum(&|x| x), "trace");
        close(effective_rank(&operator, &probing).unwrap(), sum(&|x| x).powi(2) / sum(&|x| x * x), "rank");
        close(log_det(&operator, 0.1, &probing).unwrap(), sum(&|x| (x + 0.1).ln()), "log det");
    }
    let (zero, empty) = (Stored::new(40, |_, _| 0.0), Stored::new(0, |_, _| 0.0));
    let few = Probing::default().probes(3);
    assert_eq!(trace(&zero, &few).unwrap().value, 0.0);
    assert_eq!(effective_rank(&zero, &few).unwrap().value, 0.0);
    assert!((log_det(&zero, 2.0, &few).unwrap().value - 40.0 * 2f64.ln()).abs() < 1e-12);
    assert_eq!(trace(&empty, &few).unwrap().value, 0.0);
    assert_eq!(log_det(&empty, 1.0, &few).unwrap().value, 0.0);
    // Singular, and a lambda far below the roundings of products in f32: some Ritz values are below zero.
    for seed in 0..8 {
        let got = log_det(&gram(60, 8).single(), 1e-9, &Probing::default().seed(seed)).unwrap();
        assert!(got.value > 60.0 * 1e-9f64.ln() && got.value < 0.0, "{got:?}");
    }
}

#[test]
fn what_stops_an_estimate_is_named() {
    let (operator, probing) = (gram(50, 60), Probing::default());
    assert!(trace(&operator, &probing.probes(1)).unwrap_err().is_value());
    assert!(log_det(&operator, 1.0, &probing.probes(0)).unwrap_err().is_value());
    assert!(log_det(&operator, 1.0, &probing.steps(0)).unwrap_err().is_value());
    assert!(log_det(&operator, 0.0, &probing).unwrap_err().is_value());
    assert!(log_det(&operator, f64::NAN, &probing).unwrap_err().is_value());
    assert!(spectral_sum(&operator, |_| f64::NAN, &probing).unwrap_err().is_value());
    let indefinite = Stored::diagonal(&(0..50).map(|k| f64::from(k) - 2.5).collect::<Vec<_>>());
    assert!(log_det(&indefinite, 1.0, &probing).unwrap_err().to_string().contains("not positive definite"));
    assert!(condition(&indefinite, 1.0, 50, 0).unwrap_err().to_string().contains("indefinite"));
    for failing in [2, 40] {
        let operator = || gram(200, 60).failing_after(failing);
        assert!(log_det(&operator(), 1.0, &probing).unwrap_err().is_device());
        assert!(density(&operator(), &probing).unwrap_err().is_device());
        assert!(condition(&operator(), 1.0, 50, 0).unwrap_err().is_device());
    }
    assert!(trace(&operator.failing_after(2), &probing).unwrap_err().is_device());
    for entry in [f64::NAN, 1e300] {
        let operator = Stored::new(50, |_, _| entry);
        assert!(trace(&operator, &probing).is_err_and(|e| e.is_value()) || entry == 1e300);
        assert!(effective_rank(&operator, &probing).unwrap_err().is_value());
        assert!(log_det(&operator, 1.0, &probing).unwrap_err().is_value());
        assert!(density(&operator, &probing).unwrap_err().is_value());
        assert!(condition(&operator, 1.0, 5, 0).unwrap_err().is_value());
    }
}

#[test]
fn densities_hold_every_eigenvalue() {
    // 40 at 1, 60 at 100, and 20 zeros.
    let values: Vec<f64> = (0..120).map(|k| if k < 40 { 1.0 } else { 100.0 * f64::from(k < 100) }).collect();
    let operator = Stored::with_spectrum(&values);
    let density = density(&operator, &Probing::default().probes(100)).unwrap();
    assert!((density.weights.iter().sum::<f64>() - 120.0).abs() < 1e-9);
    assert!(density.nodes.is_sorted() && density.nodes.len() == density.weights.len());
    let near = |at: f64| {
        let points = density.nodes.iter().zip(&density.weights);
        points.filter(|(x, _)| (**x - at).abs() < 1e-8).map(|(_, w)| w).sum::<f64>()
    };
    for (at, want) in [(0.0, 20.0), (1.0, 40.0), (100.0, 60.0)] {
        assert!((near(at) - want).abs() < 2.0, "{} eigenvalues at {at}", near(at));
    }
    let (linear, log) = (Axis::Linear, Axis::Log { floor: 1e-3 });
    for (axis, width, places) in [(linear, 2.0, [0.5, 1.0, 100.0]), (log, 0.1, [-3.0, 0.0, 2.0])] {
        let curve = density.curve(axis, width, 300).unwrap();
        assert_eq!(curve.places.len(), 300);
        assert!((curve.integral() - 120.0).abs() < 1e-5, "{axis:?}: {}", curve.integral());
        // The hills are where the eigenvalues are, as high as a Gaussian is, and between them is nothing.
        let at = |place: f64| {
            let k = curve.places.iter().position(|x| *x >= place).unwrap();
            curve.values[k] * width * (2.0 * std::f64::consts::PI).sqrt()
        };
        assert!((at(places[2]) - 60.0).abs() < 5.0, "{axis:?}: {}", at(places[2]));
        assert!(at((places[1] + places[2]) / 2.0) < 1e-3);
        assert!(at(places[0]) > 15.0);
    }
    let few = density.curve(Axis::Linear, 0.01, 300).unwrap_err();
    assert!(few.is_value() && few.to_string().contains("are needed"), "{few}");
    for (axis, width) in [(linear, 0.0), (linear, f64::NAN), (Axis::Log { floor: 0.0 }, 1.0)] {
        assert!(density.curve(axis, width, 1000).unwrap_err().is_value());
    }
}

#[test]
fn densities_of_the_least_operators() {
    let empty = density(&Stored::new(0, |_, _| 0.0), &Probing::default()).unwrap();
    assert!(empty.nodes.is_empty() && empty.curve(Axis::Linear, 1.0, 100).unwrap_err().is_shape());
    let zero = density(&Stored::new(40, |_, _| 0.0), &Probing::default().probes(2)).unwrap();
    assert_eq!(zero.nodes, [0.0, 0.0]);
    assert!((zero.curve(Axis::Linear, 1e-3, 100).unwrap().integral() - 40.0).abs() < 1e-6);
    // Moments of a Gram's density are traces of its powers, within what probes allow.
    let operator = gram(120, 200);
    let density = density(&operator, &Probing::default().probes(120)).unwrap();
    for power in 1..4 {
        let moment = |x: &[f64], w: &[f64]| x.iter().zip(w).map(|(x, w)| w * x.powi(power)).sum::<f64>();
        let (got, want) = (moment(&density.nodes, &density.weights), moment(&operator.eigenvalues(), &[1.0; 120]));
        assert!((got / want - 1.0).abs() < 1e-10, "moment {power}: {got} and {want}");
    }
}

#[test]
fn conditions_are_bounds_from_inside() {
    let operator = gram(150, 300);
    let values = operator.eigenvalues();
    let (top, bottom) = (values[0] + 0.5, values[149] + 0.5);
    let mut before = 0.0;
    for steps in [1, 5, 20, 60, 150, 400] {
        let got = condition(&operator, 0.5, steps, 3).unwrap();
        assert!(got.largest <= top * (1.0 + 1e-12) && got.smallest >= bottom * (1.0 - 1e-10), "{got:?}");
        assert!(got.quotient >= before && got.steps == steps.min(150), "{got:?}");
        assert_eq!(got.quotient, got.largest / got.smallest);
        before = got.quotient;
    }
    assert!((before / (top / bottom) - 1.0).abs() < 1e-8);
    assert!((condition(&operator, 0.5, 20, 3).unwrap().largest / top - 1.0).abs() < 1e-2);
    for singular in [gram(50, 3), Stored::new(50, |_, _| 1.0), Stored::new(50, |_, _| 0.0), gram(50, 3).single()] {
        for seed in 0..8 {
            let got = condition(&singular, 0.0, 50, seed).unwrap();
            assert!(got.quotient == f64::INFINITY && !got.largest.is_nan(), "{got:?}");
        }
    }
    assert_eq!(condition(&Stored::new(5, |i, j| f64::from(i == j)), 1.0, 50, 0).unwrap().quotient, 1.0);
    assert_eq!(condition(&Stored::new(1, |_, _| 3.0), 0.0, 50, 0).unwrap().steps, 1);
    assert!(condition(&Stored::new(0, |_, _| 0.0), 0.0, 50, 0).unwrap_err().is_shape());
    assert!(condition(&operator, -1.0, 50, 0).unwrap_err().is_value());
    assert!(condition(&operator, 0.0, 0, 0).unwrap_err().is_value());
}

/// faer's own conjugate gradients, on several right sides at once.
fn faer_solves(operator: &FaerOperator<'_>, b: &Mat<f64>) -> (bool, Mat<f64>) {
    let (n, columns) = (b.nrows(), b.ncols());
    let none = IdentityPrecond { dim: n };
    let parameters = CgParams { rel_tolerance: 1e-12, max_iters: 500, ..CgParams::default() };
    let mut x = Mat::zeros(n, columns);
    let mut memory = MemBuffer::new(conjugate_gradient_scratch(none, operator, columns, Par::Seq));
    let stack = MemStack::new(&mut memory);
    let done = conjugate_gradient(x.as_mut(), none, operator, b.as_ref(), parameters, |_| {}, Par::Seq, stack);
    (done.is_ok(), x)
}

#[test]
fn faers_solvers_take_operators_and_keep_their_errors() {
    let stored = Stored::with_spectrum(&(0..60).map(|k| f64::from(k) + 1.0).collect::<Vec<_>>());
    let matrix = Mat::from_fn(60, 60, |i, j| stored.entries[i * 60 + j]);
    let want = Mat::from_fn(60, 2, |i, j| numbers(60, j as u64)[i]);
    let b = &matrix * &want;
    let operator = FaerOperator::new(&stored);
    let (good, x) = faer_solves(&operator, &b);
    operator.outcome().unwrap();
    assert!(good && (&x - &want).norm_max() < 1e-9);
    let failing = stored.failing_after(9);
    let operator = FaerOperator::new(&failing);
    let (good, _) = faer_solves(&operator, &b);
    // Nothing of it passes for a solution.
    assert!(!good && operator.outcome().unwrap_err().is_device());
    let mut product = Mat::zeros(60, 2);
    operator.apply(product.as_mut(), b.as_ref(), Par::Seq, MemStack::new(&mut []));
    assert!((0..60).all(|i| product[(i, 0)].is_nan() && product[(i, 1)].is_nan()));
    assert!(format!("{operator:?}").contains("the card fell out"));
}

#[test]
fn a_models_kernel_has_the_eigenvalues_of_the_computed_one() {
    let mut model = Sequential::mlp(&[3, 8, 2], Tanh, true, Parameterisation::Standard).unwrap();
    for (k, info) in model.parameters().to_vec().iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), k as u64)).unwrap();
    }
    let samples = numbers(3 * 40, 11);
    let x = Batch::new(&samples, &[40, 3]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let operators = Operators::new(&session, &x).unwrap();
    let kernel = session.ntk().outputs(tangent_kernels::Outputs::Full).compute(&x).unwrap();
    let kernel: &Matrix<f64> = kernel.total();
    let dense = Dense::new(kernel).unwrap();
    let oracle = Mat::from_fn(80, 80, |i, j| kernel[(i, j)]).self_adjoint_eigenvalues(Side::Lower).unwrap();
    for k in [3, 10] {
        let free = largest(&operators.ntk(), k, &EigenOptions::default()).unwrap();
        let stored = largest(&dense, k, &EigenOptions::default()).unwrap();
        for (i, (free, stored)) in free.values.iter().zip(&stored.values).enumerate() {
            let want = oracle[79 - i];
            assert!((free - want).abs() < 1e-10 * oracle[79], "eigenvalue {i}: {free} and {want}");
            assert!((stored - want).abs() < 1e-10 * oracle[79], "eigenvalue {i}: {stored} and {want}");
        }
    }
}
