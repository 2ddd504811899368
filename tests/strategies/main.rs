//! Plans: every strategy that a parameter allows gives the kernel of materialised Jacobians, and the costs and the
//! memory are as planned.

mod budgets;
mod contractions;
mod costs;
mod plans;

use serde_json::Value as Json;
use tangent_kernels::Value;
use tangent_kernels::kernel::{Plan, Rates, Strategy, worst_difference};
use tangent_kernels::ops::{AvgPool2d, Conv1d, Conv2d, ConvTranspose2d, LayerNorm, Permute};
use tangent_kernels::unary::{Silu, Tanh};
use tangent_kernels::{Batch, Cpu, Graph, Kernel, Method, Model, Ntk, Outputs, Real, Result, Sequential, Session};

/// More than one block of samples in rows and in columns, of different numbers.
const ROWS: usize = 21;

const COLUMNS: usize = 18;

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    (1..=count as u64).map(|k| ((k * k + 31 * seed * k) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0).collect()
}

fn filled(mut model: Model) -> Model {
    for (k, info) in model.parameters().to_vec().into_iter().enumerate() {
        model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), 5 + k as u64)).unwrap();
    }
    model
}

/// A model, and how many rows its input's numbers are of, if they are row numbers.
struct Network {
    name: String,
    model: Model,
    table: Option<usize>,
}

impl Network {
    fn new(name: &str, graph: Graph, output: Value) -> Self {
        let model = filled(Model::new(graph, output).unwrap());
        Network { name: format!("{name}, {} outputs", model.outputs()), model, table: None }
    }

    fn input<R: Real>(&self, samples: usize, seed: u64) -> Vec<R> {
        let count = samples * self.model.input_shape().iter().product::<usize>();
        let number = |x: f64| self.table.map_or(x, |rows| ((x + 1.0) / 2.0 * rows as f64).floor());
        numbers(count, seed).into_iter().map(|x| R::from_f64(number(x))).collect()
    }

    fn shape(&self, samples: usize) -> Vec<usize> {
        [&[samples], self.model.input_shape()].concat()
    }
}

/// Everything flat, then a last layer with a bias.
fn read_out(graph: &mut Graph, x: Value, outputs: usize) -> Value {
    let x = graph.flatten(x).unwrap();
    let width = graph.shape(x)[0];
    let weight = graph.parameter("out.weight", &[outputs, width]).unwrap();
    let bias = graph.parameter("out.bias", &[outputs]).unwrap();
    graph.linear(x, weight, Some(bias)).unwrap()
}

fn parameters<const N: usize>(graph: &mut Graph, list: [(&str, &[usize]); N]) -> [tangent_kernels::Parameter; N] {
    list.map(|(name, shape)| graph.parameter(name, shape).unwrap())
}

fn planes(outputs: usize) -> Network {
    let mut graph = Graph::new(&[4, 5, 4]).unwrap();
    let [w1, b1, w2, w3, b3] = parameters(
        &mut graph,
        [
            ("grouped.weight", &[6, 2, 3, 3]),
            ("grouped.bias", &[6]),
            ("strided.weight", &[4, 6, 2, 2]),
            ("one.weight", &[3, 4, 2, 2]),
            ("one.bias", &[3]),
        ],
    );
    let x = graph.input();
    let h = graph.conv2d(x, Conv2d::new().groups(2).padding([1, 1]), w1, Some(b1)).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.conv2d(h, Conv2d::new().stride([2, 2]), w2, None).unwrap();
    let h = graph.unary(Silu, h).unwrap();
    // One position: what a layer of vectors is.
    let h = graph.conv2d(h, Conv2d::new(), w3, Some(b3)).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let y = read_out(&mut graph, h, outputs);
    Network::new("planes", graph, y)
}

fn planes_and_back(outputs: usize) -> Network {
    let mut graph = Graph::new(&[2, 3, 3]).unwrap();
    let [w1, b1, w2] =
        parameters(&mut graph, [("up.weight", &[2, 2, 2, 2]), ("up.bias", &[4]), ("depthwise.weight", &[4, 1, 2, 2])]);
    let x = graph.input();
    let h = graph.conv_transpose2d(x, ConvTranspose2d::new().groups(2).stride([2, 2]), w1, Some(b1)).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.conv2d(h, Conv2d::new().groups(4).stride([2, 2]), w2, None).unwrap();
    let h = graph.avg_pool2d(h, AvgPool2d::new([2, 2])).unwrap();
    let y = read_out(&mut graph, h, outputs);
    Network::new("planes and back", graph, y)
}

fn lines(outputs: usize) -> Network {
    let mut graph = Graph::new(&[3, 8]).unwrap();
    let [w1, b1, w2] = parameters(&mut graph, [("a.weight", &[4, 3, 3]), ("a.bias", &[4]), ("b.weight", &[6, 2, 2])]);
    let x = graph.input();
    let h = graph.conv1d(x, Conv1d::new().padding_same(), w1, Some(b1)).unwrap();
    let h = graph.unary(Silu, h).unwrap();
    let h = graph.conv1d(h, Conv1d::new().groups(2).stride(2), w2, None).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.mean(h, &[1]).unwrap();
    let y = read_out(&mut graph, h, outputs);
    Network::new("lines", graph, y)
}

/// `positions` and `width` decide which way is the cheapest: gradients, pairs of positions, or one of each.
fn tokens(positions: usize, width: usize, outputs: usize) -> Network {
    let mut graph = Graph::new(&[positions, 4]).unwrap();
    let [w1, b1, w2, scale, shift] = parameters(
        &mut graph,
        [
            ("token.weight", &[width, 4]),
            ("token.bias", &[width]),
            ("mixed.weight", &[3, width]),
            ("norm.weight", &[3]),
            ("norm.bias", &[3]),
        ],
    );
    let x = graph.input();
    let h = graph.linear(x, w1, Some(b1)).unwrap();
    let h = graph.unary(Silu, h).unwrap();
    let h = graph.linear(h, w2, None).unwrap();
    let h = graph.layer_norm(h, LayerNorm::new(1e-2), &[scale, shift]).unwrap();
    let y = read_out(&mut graph, h, outputs);
    Network::new(&format!("{positions} tokens of width {width}"), graph, y)
}

/// Few rows and long sequences, so that rows repeat within a sample and between samples.
fn sentences(positions: usize, width: usize, outputs: usize) -> Network {
    let mut graph = Graph::new(&[positions]).unwrap();
    let [table, other, weight] =
        parameters(&mut graph, [("words", &[5, width]), ("once", &[5, 2]), ("token.weight", &[width, width])]);
    let ids = graph.input();
    let h = graph.embedding(ids, table).unwrap();
    let h = graph.linear(h, weight, None).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    // The table once more, looked up by the same ids.
    let again = graph.embedding(ids, table).unwrap();
    let h = graph.mul(h, again).unwrap();
    let h = graph.mean(h, &[0]).unwrap();
    let second = graph.embedding(ids, other).unwrap();
    let second = graph.sum(second, &[0]).unwrap();
    let h = graph.concat(&[h, second], 0).unwrap();
    let y = read_out(&mut graph, h, outputs);
    Network { table: Some(5), ..Network::new(&format!("sentences of {positions}"), graph, y) }
}

fn mlp(outputs: usize) -> Network {
    let model = Sequential::ntk(&[6]).mlp(&[7, 5, outputs], Silu).build().unwrap();
    Network { name: format!("mlp, {outputs} outputs"), model: filled(model), table: None }
}

/// The paper's MLP-h: eight layers, a thousand wide up to the last.
fn mlp_h() -> Model {
    let widths = [&[1000; 8][..], &[1]].concat();
    filled(Sequential::ntk(&widths[..1]).mlp_without_bias(&widths[1..], Tanh).build().unwrap())
}

/// A weight that is used three times, once transposed, with one position each.
fn tied(outputs: usize) -> Network {
    let mut graph = Graph::new(&[4]).unwrap();
    let weight = graph.parameter("w", &[3, 4]).unwrap();
    let transposed = graph.derive(tangent_kernels::ops::Permute::new([1, 0]), &[weight]).unwrap();
    let x = graph.input();
    let h = graph.linear(x, weight, None).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.linear(h, transposed, None).unwrap();
    let h = graph.unary(Silu, h).unwrap();
    let h = graph.linear(h, weight, None).unwrap();
    let y = read_out(&mut graph, h, outputs);
    Network::new("tied", graph, y)
}

fn networks() -> Vec<Network> {
    let with_outputs = |outputs| {
        [
            planes(outputs),
            planes_and_back(outputs),
            lines(outputs),
            tokens(2, 12, outputs),
            tokens(9, 3, outputs),
            sentences(6, 3, outputs),
            mlp(outputs),
            tied(outputs),
        ]
    };
    [1, 3].into_iter().flat_map(with_outputs).collect()
}

fn modes(outputs: usize) -> [Outputs; 6] {
    use Outputs::*;
    [Full, TraceSum, TraceMean, PerOutput, Output(outputs - 1), SumOfOutputs]
}

#[track_caller]
fn assert_close(got: &Kernel<f64>, expected: &Kernel<f64>, what: &str) {
    let (error, component) = worst_difference(got, expected).unwrap();
    assert!(error < 1e-12, "{what}: {error:.2e} at {component}");
}
