//! Traces, log-determinants, densities and conditions.

use super::*;

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
    check_estimates(rank, |probing| effective_rank_estimate(&operator, &probing), probing.probes(40));
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
        close(effective_rank_estimate(&operator, &probing).unwrap(), sum(&|x| x).powi(2) / sum(&|x| x * x), "rank");
        close(log_det(&operator, 0.1, &probing).unwrap(), sum(&|x| (x + 0.1).ln()), "log det");
    }
    let (zero, empty) = (Stored::new(40, |_, _| 0.0), Stored::new(0, |_, _| 0.0));
    let few = Probing::default().probes(3);
    assert_eq!(trace(&zero, &few).unwrap().value, 0.0);
    assert_eq!(effective_rank_estimate(&zero, &few).unwrap().value, 0.0);
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
        assert!(effective_rank_estimate(&operator, &probing).unwrap_err().is_value());
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
    assert!(few.is_value() && few.to_string().contains("pass at least"), "{few}");
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

#[test]
fn a_models_kernel_has_the_eigenvalues_of_the_computed_one() {
    let mut model = Sequential::standard(&[3]).mlp(&[8, 2], Tanh).build().unwrap();
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
