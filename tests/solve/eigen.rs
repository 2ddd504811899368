//! The largest eigenvalues.

use super::*;

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
    // A second copy that takes many steps to separate from the others.
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
    assert!(error.is_value() && error.to_string().contains("do not converge further"), "{error}");
}
