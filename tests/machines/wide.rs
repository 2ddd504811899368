//! A wide network, trained for real, and what its kernel says before.

use tangent_kernels::analysis::{Descent, GradientFlow, learning_rate_bound};
use tangent_kernels::{Batch, Cpu, Session};

use crate::*;

const TRAIN: usize = 16;
const TEST: usize = 8;
const INPUTS: usize = 6;

/// One step of gradient descent on 1/(2n) sum |f - y|^2.
fn step(model: &mut Model, x: &Batch<'_, f64>, targets: &[f64], rate: f64) {
    let session = Session::new(model, Cpu::<f64>::new()).unwrap();
    let f = session.run(x).unwrap();
    let slopes: Vec<f64> = f.iter().zip(targets).map(|(f, y)| (f - y) / TRAIN as f64).collect();
    let gradient = session.gradient(x, &slopes).unwrap();
    for (info, slopes) in gradient.iter() {
        let values = model.parameter(&info.name).unwrap().iter().zip(slopes).map(|(p, g)| p - rate * g).collect();
        model.set(&info.name, &info.shape, values).unwrap();
    }
}

fn outputs(model: &Model, x: &Batch<'_, f64>) -> Vec<f64> {
    Session::new(model, Cpu::<f64>::new()).unwrap().run(x).unwrap()
}

fn distance(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

/// The largest distance between the outputs of a network of this width after training and the prediction, relative to how far
/// training moved it: at train and test samples, at several times, by steps and by the flow.
fn worst(width: usize) -> f64 {
    let mut model = Sequential::ntk(&[INPUTS]).mlp(&[width, 1], Tanh).build().unwrap();
    model.initialise(3).unwrap();
    let inputs = |n: usize, seed| numbers(n * INPUTS, seed).into_iter().map(|x| 0.8 * x).collect::<Vec<_>>();
    let (x, z) = (inputs(TRAIN, 41), inputs(TEST, 42));
    let targets: Vec<f64> = x.chunks(INPUTS).map(|x| (2.0 * x[0]).sin() + x[1] * x[2]).collect();
    let (x, z) = (Batch::new(&x, &[TRAIN, INPUTS]).unwrap(), Batch::new(&z, &[TEST, INPUTS]).unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let kernel = session.ntk().compute(&x).unwrap().total().clone();
    let cross = session.ntk().between(&z, &x).unwrap().total().clone();
    let (f0, f0_test) = (outputs(&model, &x), outputs(&model, &z));
    let flow = GradientFlow::new(&kernel, TRAIN, &targets, &f0).unwrap();
    let rate = 0.01 * learning_rate_bound(&kernel, TRAIN).unwrap();
    let (mut done, mut worst) = (0, 0.0f64);
    for count in [30, 300, 3000, 8000] {
        (done..count).for_each(|_| step(&mut model, &x, &targets, rate));
        done = count;
        let (train, test) = (outputs(&model, &x), outputs(&model, &z));
        for descent in [Descent::Steps { rate, steps: count }, Descent::Flow { rate, time: count as f64 }] {
            let predicted = [flow.train(descent).unwrap(), flow.predict(descent, &cross, &f0_test).unwrap()];
            for (predicted, real, before) in [(&predicted[0], &train, &f0), (&predicted[1], &test, &f0_test)] {
                worst = worst.max(distance(predicted, real) / distance(real, before));
            }
        }
    }
    worst
}

#[test]
fn a_wide_network_follows_the_prediction() {
    let off = worst(4096);
    assert!(off < 0.01, "{off}");
}

#[test]
fn a_narrow_network_does_not() {
    let off = worst(8);
    assert!(off > 0.05, "{off}");
}
