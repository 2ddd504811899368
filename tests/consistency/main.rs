//! Forward and reverse mode, first and second order, gradients and kernels agree: on every op, every network of the examples
//! and every reference network, in both precisions.
//!
//! `cargo test --all-features --test consistency`
//!
//! | law | holds against each other |
//! |---|---|
//! | <u, J v> = <J^T u, v> | forward mode and reverse mode, for parameters and inputs together |
//! | forward Jacobian = reverse Jacobian | the same, entry by entry |
//! | H v = (g(theta + s v) - g(theta - s v)) / 2 s | forward over reverse, and differences of reverse mode |
//! | <w, H v> = <H w, v> | forward over reverse, and itself |
//! | J (J^T u) = K u | both modes, and the stored kernel |
//! | the gradient of a sum is the sum of gradients | batches, and samples one by one |

#[cfg(feature = "rand")]
#[path = "../../examples/common/attention.rs"]
mod attention;
/// What the examples' CNN takes from its neighbour.
#[cfg(feature = "rand")]
mod digits {
    pub const SIDE: usize = 28;
}
#[cfg(feature = "rand")]
#[path = "../../examples/cnn_kernel/network.rs"]
mod network;
mod setups;

use setups::Setup;
use tangent_kernels::analysis::operator::{Operator, Operators};
use tangent_kernels::differentiate::{self, Direction};
use tangent_kernels::{Batch, Cpu, Model, Real, Session};

/// Numbers between -1 and 1 without a pattern.
pub fn numbers<R: Real>(count: usize, seed: u64) -> Vec<R> {
    let at = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(|k| R::from_f64(at(k))).collect()
}

fn dot<R: Real>(x: &[R], y: &[R]) -> f64 {
    assert_eq!(x.len(), y.len());
    x.iter().zip(y).map(|(x, y)| x.f64() * y.f64()).sum()
}

fn norm<R: Real>(x: &[R]) -> f64 {
    dot(x, x).sqrt()
}

/// |x - y| relative to the larger norm.
fn apart<R: Real, S: Real>(x: &[R], y: &[S]) -> f64 {
    assert_eq!(x.len(), y.len());
    let [x, y]: [Vec<f64>; 2] = [x.iter().map(|x| x.f64()).collect(), y.iter().map(|y| y.f64()).collect()];
    let difference: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x - y).collect();
    norm(&difference) / norm(&x).max(norm(&y)).max(1e-30)
}

/// What rounding may do to a law that is exact: deep networks in f32 lose some digits.
fn tolerance<R: Real>() -> f64 {
    if R::NAME == "f64" { 1e-11 } else { 1e-4 }
}

/// Jacobians are compared entry by entry up to this many parameters, because forward mode runs once per parameter.
const ENTRIES: usize = 300;

fn check(what: &str, setup: &Setup, error: f64, tolerance: f64) {
    assert!(error <= tolerance, "{}: {what}: {error:.1e}, where {tolerance:.0e} is allowed", setup.name);
}

/// A direction of all parameters and all inputs that may vary.
fn direction<R: Real>(setup: &Setup, parameters: &[R], seed: u64) -> Direction<R> {
    let mut direction = Direction::from_parameters(&setup.model, parameters).unwrap();
    for (input, data) in setup.inputs.iter().enumerate() {
        if !setup.whole[input] {
            direction = direction.input(input, &numbers(data.len(), seed + input as u64)).unwrap();
        }
    }
    direction
}

fn first_order<R: Real>(setup: &Setup) {
    let (data, model) = (setup.data::<R>(), &setup.model);
    let x = setup.batches(&data);
    let session = Session::new(model, Cpu::<R>::new()).unwrap();
    let outputs = setup.samples * model.outputs();
    let (v, u) = (numbers::<R>(model.parameter_count(), 1), numbers::<R>(outputs, 2));
    let along = differentiate::jvp(&session, &x, &direction(setup, &v, 50)).unwrap();
    let gradient = session.gradient(&x, &u).unwrap();
    let cotangents = differentiate::input_gradient(&session, &x, &u).unwrap();
    check("a run and forward mode", setup, apart(&along.value, &session.run(&x).unwrap()), tolerance::<R>());

    let mut right = dot(&gradient.flat(), &v);
    for (input, cotangent) in cotangents.iter().enumerate().filter(|(input, _)| !setup.whole[*input]) {
        right += dot(cotangent, &numbers::<R>(cotangent.len(), 50 + input as u64));
    }
    let left = dot(&u, &along.tangent);
    let scale = (norm(&u) * norm(&along.tangent)).max(1e-30);
    check("<u, J v> = <J^T u, v>", setup, (left - right).abs() / scale, tolerance::<R>());

    if model.parameter_count() <= ENTRIES {
        let forward = differentiate::jacobian_forward(&session, &x).unwrap();
        let reverse = session.jacobian(&x).unwrap();
        for ((info, forward), (_, reverse)) in forward.iter().zip(reverse.iter()) {
            check(&format!("Jacobian of {}", info.name), setup, apart(forward, reverse), tolerance::<R>());
        }
    }
    sums(setup, &session, &x, &u);
}

/// The gradient of a sum, and the sum of per-sample gradients.
fn sums<R: Real>(setup: &Setup, session: &Session<'_, Cpu<R>>, x: &[Batch<'_, R>], u: &[R]) {
    let together = session.gradient(&x.to_vec(), u).unwrap().flat();
    let mut sum = vec![0.0; together.len()];
    let outputs = setup.model.outputs();
    for n in 0..setup.samples {
        let alone: Vec<_> = x.iter().map(|batch| batch.rows(n..n + 1)).collect();
        let gradient = session.gradient(&alone, &u[n * outputs..(n + 1) * outputs]).unwrap();
        sum.iter_mut().zip(gradient.flat()).for_each(|(sum, g)| *sum += g.f64());
    }
    check("the gradient of a sum", setup, apart(&together, &sum), tolerance::<R>());
}

/// The gradient of u . f with parameters moved.
fn moved_gradient(setup: &Setup, v: &[f64], step: f64, u: &[f64]) -> Vec<f64> {
    let mut model: Model = setup.model.clone();
    let mut first = 0;
    for info in setup.model.parameters() {
        let values = setup.model.parameter(&info.name).unwrap();
        let moved = values.iter().zip(&v[first..]).map(|(x, v)| x + step * v).collect();
        model.set(&info.name, &info.shape, moved).unwrap();
        first += values.len();
    }
    let data = setup.data::<f64>();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    session.gradient(&setup.batches(&data), u).unwrap().flat()
}

fn second_order<R: Real>(setup: &Setup) {
    let (data, model) = (setup.data::<R>(), &setup.model);
    let x = setup.batches(&data);
    let session = Session::new(model, Cpu::<R>::new()).unwrap();
    let count = model.parameter_count();
    // Short steps stay away from kinks, and large networks move far along a direction of many parameters.
    let size = 1.0 / (count as f64).sqrt();
    let along = |seed: u64| -> Vec<R> { numbers::<f64>(count, seed).iter().map(|x| R::from_f64(size * x)).collect() };
    let (v, w, u) = (along(3), along(4), numbers::<R>(setup.samples * model.outputs(), 5));
    let product = |v: &[R]| {
        let direction = Direction::from_parameters(model, v).unwrap();
        differentiate::hvp(&session, &x, &u, &direction).unwrap()
    };
    let (hv, hw) = (product(&v), product(&w));
    check(
        "a sweep and one over forward mode",
        setup,
        apart(&hv.gradient.flat(), &session.gradient(&x, &u).unwrap().flat()),
        tolerance::<R>(),
    );
    let (hv, hw) = (hv.product.flat(), hw.product.flat());
    let scale = (norm(&w) * norm(&hv)).max(norm(&v) * norm(&hw)).max(1e-6 * norm(&u));
    check("<w, H v> = <H w, v>", setup, (dot(&w, &hv) - dot(&v, &hw)).abs() / scale, tolerance::<R>());

    let wide = |x: &[R]| x.iter().map(|x| x.f64()).collect::<Vec<f64>>();
    let (v, u) = (wide(&v), wide(&u));
    let step = 1e-5;
    let [after, before] = [step, -step].map(|step| moved_gradient(setup, &v, step, &u));
    let difference: Vec<f64> = after.iter().zip(&before).map(|(a, b)| (a - b) / (2.0 * step)).collect();
    let own: Vec<f64> = hv.iter().zip(&difference).map(|(x, y)| x.f64() - y).collect();
    // Rounding of the gradients, divided by the step.
    let noise = 1e-15 / step * norm(&after);
    let scale = norm(&difference).max(1e-3 * norm(&after) * size);
    let allowed = if R::NAME == "f64" { 1e-6 } else { 1e-3 };
    check("H v and differences of gradients", setup, (norm(&own) - noise).max(0.0) / scale.max(1e-30), allowed);
}

fn kernel_products<R: Real>(setup: &Setup) {
    let (data, model) = (setup.data::<R>(), &setup.model);
    let x = setup.batches(&data);
    let session = Session::new(model, Cpu::<R>::new()).unwrap();
    let kernel = session.ntk().compute(&x).unwrap();
    let size = kernel.total().rows();
    let u = numbers::<f64>(size, 6);
    let stored: Vec<f64> = (0..size).map(|n| (0..size).map(|m| kernel.total()[(n, m)].f64() * u[m]).sum()).collect();
    let product = Operators::new(&session, &x).unwrap().ntk().apply(&u).unwrap();
    check("J (J^T u) = K u", setup, apart(&product, &stored), 10.0 * tolerance::<R>());
}

fn all(setups: impl Iterator<Item = Setup>, at_least: usize) {
    let mut count = 0;
    for setup in setups {
        first_order::<f64>(&setup);
        first_order::<f32>(&setup);
        if setup.model.parameter_count() > 0 {
            second_order::<f64>(&setup);
            second_order::<f32>(&setup);
            kernel_products::<f64>(&setup);
            kernel_products::<f32>(&setup);
        }
        count += 1;
    }
    assert!(count >= at_least, "only {count} networks");
}

#[test]
fn every_op() {
    all(setups::ops(), 100);
}

#[cfg(feature = "rand")]
#[test]
fn every_example() {
    all(setups::examples(), 3);
}

#[cfg(feature = "fixture")]
#[test]
fn every_reference_network() {
    all(setups::fixtures(), 59);
}
