//! Conjugate gradients, and the solvers of faer.

use super::*;

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
