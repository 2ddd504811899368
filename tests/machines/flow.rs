use faer::Mat;
use faer::linalg::solvers::Solve;
use tangent_kernels::analysis::{Descent, GradientFlow, Ridge, eigenvalues, learning_rate_bound};
use tangent_kernels::{Batch, Cpu, Matrix, Outputs, Sequential, Session};

use crate::*;

fn flow(rate: f64, time: f64) -> Descent {
    Descent::Flow { rate, time }
}

fn steps(rate: f64, steps: u64) -> Descent {
    Descent::Steps { rate, steps }
}

const FOREVER: Descent = Descent::Flow { rate: 1.0, time: f64::INFINITY };

/// A problem in which outputs are X w and are known by their kernels alone; k targets.
struct Problem {
    kernel: Matrix<f64>,
    cross: Matrix<f64>,
    targets: Vec<f64>,
    f0: Vec<f64>,
    f0_test: Vec<f64>,
    k: usize,
}

impl Problem {
    fn new(train: &Mat<f64>, k: usize) -> Self {
        let (n, m) = (train.nrows(), 5);
        let test = random(m, train.ncols(), 21);
        Problem {
            kernel: gram(train),
            cross: kernel(&test, train),
            targets: numbers(n * k, 22),
            f0: numbers(n * k, 23),
            f0_test: numbers(m * k, 24),
            k,
        }
    }

    fn flow(&self) -> GradientFlow {
        GradientFlow::new(&self.kernel, self.samples(), &self.targets, &self.f0).unwrap()
    }

    fn samples(&self) -> usize {
        self.kernel.rows()
    }

    /// Outputs at train and test samples after `count` steps of size `size` of df/dt = -K (f - y) / n, each of this many terms of
    /// the exponential's series: 1 is gradient descent, 8 as good as exact where steps are small.
    fn simulated(&self, size: f64, count: usize, terms: usize) -> [Vec<f64>; 2] {
        let scale = size / self.samples() as f64;
        let (k, cross) = (as_mat(&self.kernel), as_mat(&self.cross));
        let mut rest = columns(&self.targets, self.k) - columns(&self.f0, self.k);
        let (mut train, mut test) = (columns(&self.f0, self.k), columns(&self.f0_test, self.k));
        for _ in 0..count {
            // The integral of e^(-K s / n) over the step, times the residual.
            let mut moved = Mat::zeros(rest.nrows(), self.k);
            let mut term = &rest * faer::Scale(scale);
            for order in 1..=terms {
                moved += &term;
                term = &k * &term * faer::Scale(-scale / (order + 1) as f64);
            }
            train += &k * &moved;
            test += &cross * &moved;
            rest -= &k * &moved;
        }
        [flat(&train), flat(&test)]
    }

    fn check(&self, descent: Descent, [train, test]: [Vec<f64>; 2], tolerance: f64) {
        let flow = self.flow();
        assert_near(&flow.train(descent).unwrap(), &train, tolerance);
        assert_near(&flow.predict(descent, &self.cross, &self.f0_test).unwrap(), &test, tolerance);
    }
}

/// Of full rank, with samples that are there twice and have other targets, of rank 4 of 12 and of 40, and nothing but zeros.
fn problems() -> Vec<Problem> {
    let full = random(12, 20, 25);
    let twice = Mat::from_fn(12, 20, |i, j| full[(i / 2, j)]);
    let zero = Mat::zeros(6, 3);
    let list = [(full, 1), (twice, 2), (random(12, 4, 26), 1), (random(40, 4, 27), 3), (zero, 1)];
    list.iter().map(|(train, k)| Problem::new(train, *k)).collect()
}

#[test]
fn two_samples_by_hand() {
    // Eigenvalues 3 along (1, 1) and 1 along (1, -1); n = 2, so the exponents are -3 t / 2 and -t / 2 for a rate of 1.
    let kernel = matrix(2, 2, |i, j| if i == j { 2.0 } else { 1.0 });
    let flow = GradientFlow::new(&kernel, 2, &[3.0, 1.0], &[1.0, 1.0]).unwrap();
    assert_near(flow.eigenvalues(), &[3.0, 1.0], 1e-15);
    // The residual is (2, 0) = (1, 1) + (1, -1).
    let (fast, slow) = (1.0 - (-3.0f64).exp(), 1.0 - (-1.0f64).exp());
    let got = flow.train(Descent::Flow { rate: 4.0, time: 0.5 }).unwrap();
    assert_near(&got, &[1.0 + fast + slow, 1.0 + fast - slow], 1e-15);
    let got = flow.coefficients(Descent::Flow { rate: 4.0, time: 0.5 }).unwrap();
    assert_near(&got, &[fast / 3.0 + slow, fast / 3.0 - slow], 1e-15);
    // Two steps of 1: 1 - (1 - 3/2)^2 and 1 - (1 - 1/2)^2 are both 3/4.
    assert_near(&flow.train(steps(1.0, 2)).unwrap(), &[2.5, 1.0], 1e-15);
    assert_near(&flow.coefficients(steps(1.0, 2)).unwrap(), &[1.0, -0.5], 1e-15);
    // Three: 9/8 and 7/8.
    assert_near(&flow.train(steps(1.0, 3)).unwrap(), &[3.0, 1.25], 1e-15);
}

#[test]
fn at_first_nothing_has_happened() {
    for problem in problems() {
        for descent in [flow(0.3, 0.0), steps(0.3, 0)] {
            problem.check(descent, [problem.f0.clone(), problem.f0_test.clone()], 0.0);
        }
    }
}

#[test]
fn any_time_is_that_of_the_differential_equation() {
    for problem in problems() {
        for (time, count) in [(0.01, 1), (1.0, 50), (30.0, 1500)] {
            let want = problem.simulated(time / count as f64, count, 12);
            problem.check(flow(0.5, 2.0 * time), want, 1e-11);
        }
    }
}

#[test]
fn steps_are_those_of_gradient_descent() {
    for problem in problems() {
        let bound = learning_rate_bound(&problem.kernel, problem.samples()).unwrap();
        for share in [0.01, 0.3, 0.9] {
            let rate = if bound.is_finite() { share * bound } else { share };
            for count in [1, 2, 7, 1000] {
                problem.check(steps(rate, count), problem.simulated(rate, count as usize, 1), 1e-11);
            }
        }
    }
}

#[test]
fn in_the_end_targets_are_learnt_and_ridge_without_a_ridge_is_reached() {
    let problem = &problems()[0];
    let rest: Vec<f64> = problem.targets.iter().zip(&problem.f0).map(|(y, f)| y - f).collect();
    let ridge = Ridge::fit(&problem.kernel, &rest, 1e-11 * eigenvalues(&problem.kernel).unwrap()[0]).unwrap();
    let test = ridge.predict(&problem.cross).unwrap();
    let test: Vec<f64> = test.iter().zip(&problem.f0_test).map(|(moved, f)| f + moved).collect();
    for descent in [FOREVER, flow(3.0, 1e300), steps(0.01, u64::MAX)] {
        problem.check(descent, [problem.targets.clone(), test.clone()], 1e-8);
    }
    assert_near(&problem.flow().train(FOREVER).unwrap(), &problem.targets, 1e-13);
}

#[test]
fn in_the_end_a_singular_kernel_gives_the_least_norm() {
    // 40 samples, 4 features: least squares, w = (X^T X)^-1 X^T (y - f_0), which knows no kernel.
    let train = random(40, 4, 27);
    let problem = &problems()[3];
    let rest = columns(&problem.targets, 3) - columns(&problem.f0, 3);
    let w = (train.transpose() * &train).partial_piv_lu().solve(train.transpose() * rest);
    let test = columns(&problem.f0_test, 3) + random(5, 4, 21) * &w;
    problem.check(FOREVER, [flat(&(columns(&problem.f0, 3) + &train * &w)), flat(&test)], 1e-11);
    // A pair of the same sample learns the mean of its targets.
    let problem = &problems()[1];
    let pair = |i: usize, c: usize| (problem.targets[i * 2 + c] - problem.f0[i * 2 + c]) / 2.0;
    let want = |i: usize, c: usize| problem.f0[i * 2 + c] + pair(i, c) + pair(i ^ 1, c);
    let want: Vec<f64> = (0..24).map(|at| want(at / 2, at % 2)).collect();
    assert_near(&problem.flow().train(FOREVER).unwrap(), &want, 1e-12);
}

#[test]
fn small_eigenvalues_lose_no_digits() {
    // Of one sample: phi = (1 - e^-x) / lambda, x = 1e-12, is t (1 - x / 2) to all digits.
    for (lambda, time) in [(1e-12, 1.0), (1.0, 1e-12), (1e-300, 1e10), (5e-324, 3.0), (1e-200, 1e188)] {
        let one = GradientFlow::new(&diagonal(&[lambda]), 1, &[1.0], &[0.0]).unwrap();
        let want = time * (1.0 - lambda * time / 2.0);
        assert_near(&one.coefficients(flow(1.0, time)).unwrap(), &[want], 1e-15);
        assert_near(&one.coefficients(steps(time, 1)).unwrap(), &[time], 1e-15);
        assert_near(&one.coefficients(steps(time / 1e3, 1000)).unwrap(), &[want], 2e-15);
        assert_near(&one.train(flow(1.0, time)).unwrap(), &[lambda * want], 1e-15);
    }
    // Zero, tiny, and below zero by rounding: the limit eta t / n, and nothing at infinite time.
    let values = [1.0, 1e-17, 0.0, -1e-17, -1e-12];
    let five = GradientFlow::new(&diagonal(&values), 5, &[1.0; 5], &[0.0; 5]).unwrap();
    assert_eq!(five.eigenvalues(), [1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(five.rank_tolerance(), 5.0 * f64::EPSILON);
    for descent in [flow(2.0, 15.0), steps(0.5, 60)] {
        let got = five.coefficients(descent).unwrap();
        assert_near(&got[1..], &[6.0; 4], 1e-15);
        assert_eq!(five.train(descent).unwrap()[1..], [0.0; 4]);
    }
    assert_near(&five.coefficients(FOREVER).unwrap(), &[1.0, 0.0, 0.0, 0.0, 0.0], 1e-15);
    // Numbers in f32 say less.
    let five = GradientFlow::new(&single(&diagonal(&values)), 5, &[1.0; 5], &[0.0; 5]).unwrap();
    assert_eq!(five.rank_tolerance(), f64::from(f32::EPSILON));
    // A kernel of large numbers, and of small ones.
    for scale in [1e150, 1e-150] {
        let kernel = matrix(12, 12, |i, j| scale * problems()[2].kernel[(i, j)]);
        let flow = GradientFlow::new(&kernel, 12, &[1.0; 12], &[0.0; 12]).unwrap();
        let rank = flow.eigenvalues().iter().filter(|x| **x > 0.0).count();
        assert_eq!(rank, 4);
        assert!(flow.coefficients(FOREVER).unwrap().iter().all(|x| x.is_finite()));
    }
}

#[test]
fn a_linear_model_trained_for_real_is_predicted_to_rounding() {
    // Two outputs, by the full kernel and n samples; by one kernel of both and two targets a sample.
    let (n, rate, count) = (9, 0.4, 200);
    let mut model = Sequential::standard(&[4]).linear("d", 2).build().unwrap();
    model.set("d.weight", &[2, 4], numbers(8, 31)).unwrap();
    model.set("d.bias", &[2], numbers(2, 32)).unwrap();
    let (x, z, targets) = (numbers(n * 4, 33), numbers(5 * 4, 34), numbers(n * 2, 35));
    let (x, z) = (Batch::new(&x, &[n, 4]).unwrap(), Batch::new(&z, &[5, 4]).unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (f0, f0_test) = (session.run(&x).unwrap(), session.run(&z).unwrap());
    let mode = |outputs| {
        let ntk = session.ntk().outputs(outputs);
        (ntk.compute(&x).unwrap().total().clone(), ntk.between(&z, &x).unwrap().total().clone())
    };
    let modes = [mode(Outputs::Full), mode(Outputs::TraceMean)];
    let descent = steps(rate, count);
    let predicted = modes.map(|(kernel, cross)| {
        let flow = GradientFlow::new(&kernel, n, &targets, &f0).unwrap();
        [flow.train(descent).unwrap(), flow.predict(descent, &cross, &f0_test).unwrap()]
    });
    for _ in 0..count {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let slopes: Vec<f64> = session.run(&x).unwrap().iter().zip(&targets).map(|(f, y)| (f - y) / n as f64).collect();
        let gradient = session.gradient(&x, &slopes).unwrap();
        for (info, slopes) in gradient.iter() {
            let values = model.parameter(&info.name).unwrap().iter().zip(slopes).map(|(p, g)| p - rate * g).collect();
            model.set(&info.name, &info.shape, values).unwrap();
        }
    }
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    for [train, test] in predicted {
        assert_near(&train, &session.run(&x).unwrap(), 1e-12);
        assert_near(&test, &session.run(&z).unwrap(), 1e-12);
    }
}

#[test]
fn rates_are_stable_up_to_the_bound() {
    let problem = &problems()[0];
    let bound = learning_rate_bound(&problem.kernel, 12).unwrap();
    let far = |values: &[f64]| values.iter().zip(&problem.targets).map(|(f, y)| (f - y).abs()).fold(0.0, f64::max);
    let after = |share: f64, count| far(&problem.simulated(share * bound, count, 1)[0]);
    assert!(after(0.98, 4000) < 1e-2 * after(0.98, 10) && after(1.02, 4000) > 1e10);
    // For the full kernel of C outputs, n is the number of samples. The bound scales with other divisors.
    assert_eq!(learning_rate_bound(&problem.kernel, 6).unwrap(), bound / 2.0);
    assert_eq!(learning_rate_bound(&diagonal(&[0.0, 0.0]), 2).unwrap(), f64::INFINITY);
    assert!(learning_rate_bound(&problem.kernel, 0).unwrap_err().is_value());
    let error = problem.flow().train(steps(3.0 * bound, 100_000)).unwrap_err();
    assert!(error.is_value() && error.to_string().contains("stable for learning rates below"), "{error}");
    assert!(problem.flow().predict(steps(3.0 * bound, 100_000), &problem.cross, &problem.f0_test).is_err());
}

#[test]
fn what_is_no_training_is_refused() {
    let problem = &problems()[0];
    let good = problem.flow();
    for descent in [flow(0.0, 1.0), flow(-1.0, 1.0), flow(f64::NAN, 1.0), flow(f64::INFINITY, 1.0), steps(0.0, 1)] {
        assert!(good.train(descent).unwrap_err().to_string().contains("rate is"), "{descent:?}");
    }
    for time in [-1.0, f64::NAN] {
        assert!(good.coefficients(flow(1.0, time)).unwrap_err().to_string().contains("time is"));
    }
    let new =
        |samples, targets: &[f64], f0: &[f64]| GradientFlow::new(&problem.kernel, samples, targets, f0).unwrap_err();
    assert!(new(0, &problem.targets, &problem.f0).is_value());
    assert!(new(12, &problem.targets[1..], &problem.f0).is_shape());
    assert!(new(12, &problem.targets, &problem.f0[1..]).is_shape());
    let nan = vec![f64::NAN; 12];
    assert!(
        new(12, &nan, &problem.f0).is_value()
            && new(12, &problem.targets, &nan).to_string().contains("before training")
    );
    let (cross, f0) = (&problem.cross, &problem.f0_test);
    assert!(good.predict(FOREVER, cross, &f0[1..]).unwrap_err().is_shape());
    assert!(good.predict(FOREVER, cross, &nan[..5]).unwrap_err().is_value());
    assert!(good.predict(FOREVER, &matrix(5, 11, |i, j| cross[(i, j)]), f0).unwrap_err().is_shape());
    assert!(good.predict(FOREVER, &matrix(0, 12, |_, _| 0.0), &[]).unwrap().is_empty());
    let negative = GradientFlow::new(&diagonal(&[1.0, -0.5]), 2, &[0.0; 2], &[0.0; 2]).unwrap_err();
    assert!(negative.is_value() && negative.to_string().contains("the eigenvalue -5e-1"), "{negative}");
    assert!(GradientFlow::new(cross, 5, &[0.0; 5], &[0.0; 5]).unwrap_err().is_shape());
    let unlike = matrix(2, 2, |i, j| (2 * i + j) as f64);
    assert!(GradientFlow::new(&unlike, 2, &[0.0; 2], &[0.0; 2]).unwrap_err().to_string().contains("not symmetric"));
}
