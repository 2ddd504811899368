//! What `tests/consistency` does not see of `differentiate`: inputs in second order, blocks of directions, linearised
//! models, and what is refused.

use tangent_kernels::differentiate::{self, Direction};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Model, Sequential, Session};

/// Numbers without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let at = |k: u64| (((k + 1) * (k + 7) + seed * 7919) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (0..count as u64).map(at).collect()
}

const SIZES: [usize; 3] = [3, 5, 2];
const N: usize = 4;

fn model() -> Model {
    let mut model = Sequential::standard(&SIZES[..1]).mlp(&SIZES[1..], Tanh).build().unwrap();
    for (k, info) in model.parameters().to_vec().iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), k as u64)).unwrap();
    }
    model
}

fn close(got: &[f64], want: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (k, (x, y)) in got.iter().zip(want).enumerate() {
        assert!((x - y).abs() <= tolerance, "{what}: entry {k} is {x}, not {y}");
    }
}

#[test]
fn second_order_in_inputs_is_a_difference_of_first_order() {
    let model = model();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (x, dx, u) = (numbers(N * 3, 1), numbers(N * 3, 2), numbers(N * 2, 3));
    let along = Direction::none(&model).input(0, &dx).unwrap();
    let got = differentiate::hvp(&session, &Batch::new(&x, &[N, 3]).unwrap(), &u, &along).unwrap();
    let step = 1e-6;
    let moved = |by: f64| {
        let x: Vec<f64> = x.iter().zip(&dx).map(|(x, dx)| x + by * dx).collect();
        let x = Batch::new(&x, &[N, 3]).unwrap();
        let inputs = differentiate::input_gradient(&session, &x, &u).unwrap();
        (session.gradient(&x, &u).unwrap().flat(), inputs)
    };
    let (after_parameters, after_inputs) = moved(step);
    let (before_parameters, before_inputs) = moved(-step);
    let difference = |after: &[f64], before: &[f64]| -> Vec<f64> {
        after.iter().zip(before).map(|(a, b)| (a - b) / (2.0 * step)).collect()
    };
    close(&got.inputs[0], &difference(&after_inputs[0], &before_inputs[0]), 1e-8, "inputs");
    close(&got.product.flat(), &difference(&after_parameters, &before_parameters), 1e-8, "parameters");
}

#[test]
fn a_block_of_directions_is_one_after_the_other() {
    let model = model();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    // More samples than run together.
    let x = numbers(1100 * 3, 1);
    let x = Batch::new(&x, &[1100, 3]).unwrap();
    let count = model.parameter_count();
    let list: Vec<_> = (0..3).map(|k| Direction::from_parameters(&model, &numbers(count, k)).unwrap()).collect();
    let block = differentiate::jvp_block(&session, &x, &list).unwrap();
    for (own, direction) in block.iter().zip(&list) {
        assert_eq!(*own, differentiate::jvp(&session, &x, direction).unwrap());
        assert_eq!(own.value.len(), 1100 * 2);
    }
    assert!(differentiate::jvp_block(&session, &x, &[]).unwrap().is_empty());
}

/// What a linearised model is off by falls with the square of the step.
#[test]
fn a_linearised_model_is_a_first_order_expansion() {
    let model = model();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers(N * 3, 4);
    let x = Batch::new(&x, &[N, 3]).unwrap();
    let v = numbers(model.parameter_count(), 5);
    let off = |by: f64| {
        let mut moved = model.clone();
        let mut first = 0;
        for info in model.parameters() {
            let values = model.parameter(&info.name).unwrap();
            let own = values.iter().zip(&v[first..]).map(|(x, v)| x + by * v).collect();
            moved.set(&info.name, &info.shape, own).unwrap();
            first += values.len();
        }
        let want = Session::new(&moved, Cpu::<f64>::new()).unwrap().run(&x).unwrap();
        let step: Vec<f64> = v.iter().map(|v| by * v).collect();
        let linear = differentiate::linearize(&session, Direction::from_parameters(&model, &step).unwrap()).unwrap();
        linear.run(&x).unwrap().iter().zip(&want).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max)
    };
    let (large, small) = (off(1e-2), off(1e-3));
    assert!(large > 1e-6 && (80.0..125.0).contains(&(large / small)), "{large} and {small}");
    assert_eq!(off(0.0), 0.0);
}

#[test]
fn what_is_wrong_is_named() {
    let model = model();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let x = numbers(N * 3, 4);
    let x = Batch::new(&x, &[N, 3]).unwrap();
    let none = || Direction::<f64>::none(&model);
    assert!(none().parameter("d9.weight", &[1.0]).unwrap_err().to_string().contains("d1.weight"));
    assert!(none().parameter("d2.bias", &[1.0]).unwrap_err().is_shape());
    assert!(none().parameter("d2.bias", &[1.0, f64::NAN]).unwrap_err().is_value());
    assert!(none().input(1, &[1.0]).unwrap_err().is_name());
    assert!(Direction::from_parameters(&model, &[1.0; 3]).unwrap_err().is_shape());
    let short = none().input(0, &[1.0; 5]).unwrap();
    assert!(differentiate::jvp(&session, &x, &short).unwrap_err().is_shape());
    let other = Sequential::standard(&[3]).mlp(&[4, 2], Tanh).build().unwrap();
    let error = differentiate::linearize(&session, Direction::none(&other)).err().unwrap();
    assert!(error.is_shape() && error.to_string().contains("another model"), "{error}");
    assert!(differentiate::input_gradient(&session, &x, &[1.0]).unwrap_err().is_shape());
}
