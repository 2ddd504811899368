//! The options of a kernel, where samples come from, and the guards before a long run.

mod guards;
mod parts;
mod runs;
mod samples;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tangent_kernels::kernel::worst_difference;
use tangent_kernels::ops::Arrays;
use tangent_kernels::ops::{BatchNorm, Builtin, Case, Conv2d, ConvTranspose2d, Dropout, Op, OpContext, Permute};
use tangent_kernels::unary::{Silu, Sqrt, Tanh};
use tangent_kernels::{
    Attributes, Batch, Cpu, Error, Graph, Kernel, Method, Model, Ntk, Outputs, Progress, Reader, Real, Result, Samples,
    Sequential, Session,
};
use tangent_kernels::{Parameter, Value};

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    (1..=count as u64).map(|k| ((k * k + 31 * seed * k) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0).collect()
}

fn row_numbers(count: usize, rows: usize, seed: u64) -> Vec<f64> {
    numbers(count, seed).into_iter().map(|x| ((x + 1.0) / 2.0 * rows as f64).floor()).collect()
}

fn filled<O: Op>(mut model: Model<O>) -> Model<O> {
    for (k, info) in model.parameters().to_vec().into_iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), 5 + k as u64)).unwrap();
    }
    model
}

#[track_caller]
fn says(error: Error, is: fn(&Error) -> bool, parts: &[&str]) {
    assert!(is(&error), "another kind: {error:?}");
    for part in parts {
        assert!(error.to_string().contains(part), "'{error}' supports not say '{part}'");
    }
}

#[track_caller]
fn assert_close(got: &Kernel<f64>, expected: &Kernel<f64>, what: &str) {
    let (error, component) = worst_difference(got, expected).unwrap();
    assert!(error < 1e-12, "{what}: {error:.2e} at {component}");
}

fn read_out<O: Op + From<Builtin>>(graph: &mut Graph<O>, x: Value, outputs: usize) -> Value {
    let x = graph.flatten(x).unwrap();
    let width = graph.shape(x)[0];
    let weight = graph.parameter("out.weight", &[outputs, width]).unwrap();
    let bias = graph.parameter("out.bias", &[outputs]).unwrap();
    graph.linear(x, weight, Some(bias)).unwrap()
}

fn parameters<const N: usize>(graph: &mut Graph, list: [(&str, &[usize]); N]) -> [Parameter; N] {
    list.map(|(name, shape)| graph.parameter(name, shape).unwrap())
}

fn mlp() -> Model {
    filled(Sequential::ntk(&[4]).mlp(&[5, 4, 3], Silu).build().unwrap())
}

/// Groups, several positions, a transposed convolution.
fn planes() -> Model {
    let mut graph = Graph::new(&[2, 4, 3]).unwrap();
    let [w1, b1, w2] =
        parameters(&mut graph, [("conv.weight", &[4, 1, 2, 2]), ("conv.bias", &[4]), ("up.weight", &[4, 2, 2, 1])]);
    let x = graph.input();
    let h = graph.conv2d(x, Conv2d::new().groups(2).padding([0, 1]), w1, Some(b1)).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.conv_transpose2d(h, ConvTranspose2d::new().stride([1, 2]), w2, None).unwrap();
    let h = graph.unary(Silu, h).unwrap();
    let y = read_out(&mut graph, h, 3);
    filled(Model::new(graph, y).unwrap())
}

/// Positions, a weight that is used with its transpose, a bias used twice, a parameter without use.
fn tokens() -> Model {
    let mut graph = Graph::new(&[3, 4]).unwrap();
    let [w, b, tied, _unused] = parameters(
        &mut graph,
        [("token.weight", &[4, 4]), ("token.bias", &[4]), ("tied.weight", &[3, 4]), ("unused", &[2])],
    );
    let transposed = graph.derive(Permute::new([1, 0]), &[tied]).unwrap();
    let x = graph.input();
    let h = graph.linear(x, w, Some(b)).unwrap();
    let h = graph.unary(Silu, h).unwrap();
    let h = graph.mean(h, &[0]).unwrap();
    let h = graph.linear(h, tied, None).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.linear(h, transposed, Some(b)).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let y = read_out(&mut graph, h, 3);
    filled(Model::new(graph, y).unwrap())
}

/// A table of row numbers, which are the first input, and features, which are the second.
fn ids_and_features() -> Model {
    let mut graph = Graph::with_inputs(&[&[4], &[2]]).unwrap();
    let [table, weight] = parameters(&mut graph, [("words", &[5, 3]), ("features.weight", &[3, 2])]);
    let [ids, features] = graph.inputs()[..] else { panic!("two inputs") };
    let h = graph.embedding(ids, table).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.sum(h, &[0]).unwrap();
    let other = graph.linear(features, weight, None).unwrap();
    let h = graph.mul(h, other).unwrap();
    let h = graph.unary(Silu, h).unwrap();
    let y = read_out(&mut graph, h, 3);
    filled(Model::new(graph, y).unwrap())
}

/// Samples of one or several inputs in memory.
struct Data {
    inputs: Vec<(Vec<f64>, Vec<usize>)>,
}

impl Data {
    fn random(model: &Model, samples: usize, seed: u64) -> Self {
        let shapes = model.input_shapes();
        let input = |(k, shape): (usize, &Vec<usize>)| {
            let shape = [&[samples], &shape[..]].concat();
            let count = shape.iter().product();
            let ids = shapes.len() == 2 && k == 0;
            (if ids { row_numbers(count, 5, seed) } else { numbers(count, seed + k as u64) }, shape)
        };
        Data { inputs: shapes.iter().enumerate().map(input).collect() }
    }

    fn batches(&self) -> Vec<Batch<'_, f64>> {
        self.inputs.iter().map(|(numbers, shape)| Batch::new(numbers, shape).unwrap()).collect()
    }
}

fn models() -> [(&'static str, Model); 4] {
    [("mlp", mlp()), ("planes", planes()), ("tokens", tokens()), ("ids and features", ids_and_features())]
}

fn modes(outputs: usize) -> [Outputs; 6] {
    use Outputs::*;
    [Full, TraceSum, TraceMean, PerOutput, Output(outputs - 1), SumOfOutputs]
}

/// True if the method supports the model.
fn supports(method: Method, name: &str) -> bool {
    method != Method::ClosedForm || name == "mlp"
}
