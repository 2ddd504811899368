//! Weights derived from parameters, and parameters with several uses. All methods and strategies agree, and gradients
//! match finite differences.

use tangent_kernels::kernel::{Strategy, worst_difference};
use tangent_kernels::ops::{
    Add, Builtin, Concat, Conv2d, ConvTranspose2d, Flatten, Matmul, Mul, Permute, Reshape, Scale, Slice, Sum,
};
use tangent_kernels::unary::{Reciprocal, Silu, Sqrt, Tanh, Unary};
use tangent_kernels::{Batch, Cpu, Graph, Method, Model, Outputs, Session};
use tangent_kernels::{Parameter, Value};

/// More than one block of samples.
const SAMPLES: usize = 19;

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    (1..=count as u64).map(|k| ((k * k + 31 * seed * k) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0).collect()
}

struct Network {
    name: &'static str,
    model: Model,
    /// The number of table rows, if the inputs are row numbers.
    table: Option<usize>,
}

impl Network {
    fn new(name: &'static str, graph: Graph, output: Value) -> Self {
        let mut model = Model::new(graph, output).unwrap();
        let all = [model.parameters(), model.buffers()].concat();
        for (k, info) in all.into_iter().enumerate() {
            model.set(&info.name, &info.shape, numbers(info.shape.iter().product(), 7 + k as u64)).unwrap();
        }
        Network { name, model, table: None }
    }

    fn input(&self, samples: usize) -> (Vec<f64>, Vec<usize>) {
        let shape = [&[samples], self.model.input_shape()].concat();
        let number = |x: f64| self.table.map_or(x, |rows| ((x + 1.0) / 2.0 * rows as f64).floor());
        (numbers(shape.iter().product(), 3).into_iter().map(number).collect(), shape)
    }
}

/// A graph that is written down in few words.
struct Sketch(Graph);

impl Sketch {
    fn new(shape: &[usize]) -> (Self, Value) {
        let graph = Graph::new(shape).unwrap();
        let x = graph.input();
        (Sketch(graph), x)
    }
    fn parameter(&mut self, name: &str, shape: &[usize]) -> Parameter {
        self.0.parameter(name, shape).unwrap()
    }
    fn derive(&mut self, op: impl Into<Builtin>, from: &[Parameter]) -> Parameter {
        self.0.derive(op, from).unwrap()
    }
    fn transposed(&mut self, weight: Parameter) -> Parameter {
        self.derive(Permute::new([1, 0]), &[weight])
    }
    fn rows(&mut self, weight: Parameter, range: std::ops::Range<usize>) -> Parameter {
        self.derive(Slice { axis: 0, range }, &[weight])
    }
    fn linear(&mut self, x: Value, weight: Parameter) -> Value {
        self.0.linear(x, weight, None).unwrap()
    }
    fn tanh(&mut self, x: Value) -> Value {
        self.0.unary(Tanh, x).unwrap()
    }
    fn flat(&mut self, x: Value) -> Value {
        self.0.flatten(x).unwrap()
    }
    /// tanh, flat, and a layer of two outputs.
    fn finish(mut self, name: &'static str, x: Value) -> Network {
        let x = self.tanh(x);
        let x = self.flat(x);
        let width = self.0.shape(x)[0];
        let out = self.parameter("out", &[2, width]);
        let y = self.linear(x, out);
        Network::new(name, self.0, y)
    }
}

/// An autoencoder that decodes with the transpose of its weight, on a vector or on positions.
fn autoencoder(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let weight = g.parameter("w", &[3, 4]);
    let bias = g.parameter("bias", &[3]);
    let transposed = g.transposed(weight);
    let code = g.0.linear(x, weight, Some(bias)).unwrap();
    let code = g.tanh(code);
    let y = g.linear(code, transposed);
    g.finish(name, y)
}

fn autoencoder_without_more() -> Network {
    let (mut g, x) = Sketch::new(&[3]);
    let weight = g.parameter("w", &[2, 3]);
    let transposed = g.transposed(weight);
    let code = g.linear(x, weight);
    let code = g.tanh(code);
    let y = g.linear(code, transposed);
    Network::new("autoencoder up to its result", g.0, y)
}

fn transposed_alone(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let weight = g.parameter("w", &[4, 5]);
    let transposed = g.transposed(weight);
    let y = g.linear(x, transposed);
    g.finish(name, y)
}

fn packed_attention() -> Network {
    let (mut g, x) = Sketch::new(&[4, 3]);
    let packed = g.parameter("qkv.weight", &[9, 3]);
    let bias = g.parameter("qkv.bias", &[9]);
    let [q, k, v] = [0, 1, 2].map(|part| {
        let (weight, bias) = (g.rows(packed, 3 * part..3 * part + 3), g.rows(bias, 3 * part..3 * part + 3));
        g.0.linear(x, weight, Some(bias)).unwrap()
    });
    let scores = g.0.matmul(q, k, true).unwrap();
    let scores = g.0.softmax(scores, -1).unwrap();
    let read = g.0.matmul(scores, v, false).unwrap();
    let y = g.0.mean(read, &[0]).unwrap();
    g.finish("packed attention", y)
}

fn overlapping_slices(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let weight = g.parameter("w", &[6, 4]);
    let (low, high) = (g.rows(weight, 0..4), g.rows(weight, 2..6));
    let h = g.linear(x, low);
    let h = g.tanh(h);
    let y = g.linear(h, high);
    g.finish(name, y)
}

/// One slice of columns only: the others have no derivative.
fn slice_of_columns(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let weight = g.parameter("w", &[3, 6]);
    let part = g.derive(Slice { axis: 1, range: 1..5 }, &[weight]);
    let y = g.linear(x, part);
    g.finish(name, y)
}

fn reshaped_and_scaled(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let flat = g.parameter("flat", &[24]);
    let square = g.derive(Reshape::new([6, 4]), &[flat]);
    let scaled = g.derive(Scale { factor: -0.3 }, &[square]);
    // The entries in another order, for another layer.
    let other = g.derive(Reshape::new([4, 6]), &[flat]);
    let h = g.linear(x, scaled);
    let h = g.tanh(h);
    let y = g.linear(h, other);
    g.finish(name, y)
}

fn scaled_alone(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let weight = g.parameter("w", &[3, 4]);
    let bias = g.parameter("bias", &[3]);
    let (weight, bias) = (g.derive(Scale { factor: 2.5 }, &[weight]), g.derive(Scale { factor: 0.5 }, &[bias]));
    let y = g.0.linear(x, weight, Some(bias)).unwrap();
    g.finish(name, y)
}

/// A weight scaled by two factors, and the second of these transposed: its uses have different factors.
fn scaled_several_times() -> Network {
    let (mut g, x) = Sketch::new(&[4]);
    let weight = g.parameter("w", &[4, 4]);
    let first = g.derive(Scale { factor: 0.7 }, &[weight]);
    let second = g.derive(Scale { factor: -1.9 }, &[weight]);
    let transposed = g.transposed(second);
    let mut h = x;
    for weight in [first, second, transposed] {
        h = g.linear(h, weight);
        h = g.tanh(h);
    }
    g.finish("scaled several times", h)
}

/// A read-out whose weight and bias are scaled. The rule for unit vectors applies only to parameters.
fn scaled_read_out() -> Network {
    let (mut g, x) = Sketch::new(&[4]);
    let (weight, bias) = (g.parameter("w", &[3, 4]), g.parameter("bias", &[3]));
    let (weight, bias) = (g.derive(Scale { factor: 2.5 }, &[weight]), g.derive(Scale { factor: 0.5 }, &[bias]));
    let y = g.0.linear(x, weight, Some(bias)).unwrap();
    Network::new("scaled read-out", g.0, y)
}

fn concatenated(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let (upper, lower) = (g.parameter("upper", &[2, 4]), g.parameter("lower", &[3, 4]));
    let both = g.derive(Concat { axis: 0 }, &[upper, lower]);
    let h = g.linear(x, both);
    let h = g.tanh(h);
    // A parameter concatenated with itself.
    let twice = g.derive(Concat { axis: 1 }, &[upper, upper, upper]);
    let twice = g.derive(Slice { axis: 1, range: 3..8 }, &[twice]);
    let y = g.linear(h, twice);
    g.finish(name, y)
}

/// w = gain v / |v|, row by row.
fn weight_norm(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let (direction, gain) = (g.parameter("direction", &[3, 4]), g.parameter("gain", &[3]));
    let squares = g.derive(Mul, &[direction, direction]);
    let square = g.derive(Sum::over([1]), &[squares]);
    let norm = g.derive(Unary::from(Sqrt), &[square]);
    let inverse = g.derive(Unary::from(Reciprocal), &[norm]);
    let scale = g.derive(Mul, &[gain, inverse]);
    let column = g.derive(Reshape::new([3, 1]), &[scale]);
    let weight = g.derive(Mul, &[column, direction]);
    let y = g.linear(x, weight);
    g.finish(name, y)
}

/// W + s A B with a fixed scale.
fn low_rank(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let (weight, a, b) = (g.parameter("w", &[3, 4]), g.parameter("a", &[3, 2]), g.parameter("b", &[2, 4]));
    let scale = g.0.buffer("scale", &[1, 1]).unwrap();
    let product = g.derive(Matmul { transpose_b: false }, &[a, b]);
    let scaled = g.derive(Mul, &[product, scale]);
    let sum = g.derive(Add, &[weight, scaled]);
    let y = g.linear(x, sum);
    g.finish(name, y)
}

fn only_buffers() -> Network {
    let (mut g, x) = Sketch::new(&[4]);
    let (one, two) = (g.0.buffer("one", &[3, 4]).unwrap(), g.0.buffer("two", &[3, 4]).unwrap());
    let fixed = g.derive(Mul, &[one, two]);
    let h = g.linear(x, fixed);
    let h = g.tanh(h);
    let weight = g.parameter("w", &[3, 3]);
    let y = g.linear(h, weight);
    g.finish("of buffers only", y)
}

fn tied_convolutions(transposed: bool) -> Network {
    let (mut g, x) = Sketch::new(&[2, 4, 3]);
    let square = !transposed;
    let weight = g.parameter("w", &[if square { 2 } else { 3 }, 2, 2, 2]);
    let bias = g.parameter("bias", &[2]);
    let conv = Conv2d::new().padding_sides([[1, 0], [0, 1]]);
    let h = g.0.conv2d(x, conv, weight, square.then_some(bias)).unwrap();
    let h = g.tanh(h);
    let y = if transposed {
        g.0.conv_transpose2d(h, ConvTranspose2d::new().stride([2, 1]), weight, Some(bias)).unwrap()
    } else {
        // The second use has fewer positions.
        g.0.conv2d(h, conv.stride([2, 2]), weight, Some(bias)).unwrap()
    };
    g.finish(if transposed { "a convolution and its transpose" } else { "a convolution twice" }, y)
}

fn tied_transposed_convolutions() -> Network {
    let (mut g, x) = Sketch::new(&[2, 2, 2]);
    let weight = g.parameter("w", &[2, 2, 2, 2]);
    let conv = ConvTranspose2d::new();
    let h = g.0.conv_transpose2d(x, conv, weight, None).unwrap();
    let h = g.tanh(h);
    let y = g.0.conv_transpose2d(h, conv.padding([1, 1]), weight, None).unwrap();
    g.finish("a transposed convolution twice", y)
}

/// A kernel of one pixel is a layer on channels.
fn convolution_as_layer() -> Network {
    let (mut g, x) = Sketch::new(&[3, 2, 2]);
    let weight = g.parameter("w", &[3, 3]);
    let kernel = g.derive(Reshape::new([3, 3, 1, 1]), &[weight]);
    let h = g.0.conv2d(x, Conv2d::new(), kernel, None).unwrap();
    let h = g.tanh(h);
    let h = g.0.mean(h, &[1, 2]).unwrap();
    let y = g.linear(h, weight);
    g.finish("a convolution that is a layer", y)
}

fn bias_twice(name: &'static str, shape: &[usize]) -> Network {
    let (mut g, x) = Sketch::new(shape);
    let (one, two, bias) = (g.parameter("one", &[4, 4]), g.parameter("two", &[4, 4]), g.parameter("bias", &[4]));
    let h = g.0.linear(x, one, Some(bias)).unwrap();
    let h = g.tanh(h);
    let y = g.0.linear(h, two, Some(bias)).unwrap();
    g.finish(name, y)
}

/// A table that serves as embedding, as read-out, and as transposed read-out.
fn embedding_and_read_outs() -> Network {
    let (mut g, ids) = Sketch::new(&[4]);
    let table = g.parameter("table", &[5, 3]);
    let transposed = g.transposed(table);
    let h = g.0.embedding(ids, table).unwrap();
    let h = g.tanh(h);
    let logits = g.linear(h, table);
    let p = g.0.softmax(logits, -1).unwrap();
    let back = g.linear(p, transposed);
    let y = g.0.mean(back, &[0]).unwrap();
    Network { table: Some(5), ..g.finish("embedding and read-outs", y) }
}

/// The result is the logits themselves.
fn embedding_tied_to_the_end() -> Network {
    let (mut g, ids) = Sketch::new(&[3]);
    let table = g.parameter("table", &[4, 3]);
    let h = g.0.embedding(ids, table).unwrap();
    let h = g.0.sum(h, &[0]).unwrap();
    let h = g.0.unary(Silu, h).unwrap();
    let y = g.linear(h, table);
    Network { table: Some(4), ..Network::new("embedding tied to the end", g.0, y) }
}

/// Tables that are views: rows of one parameter, and a transposed parameter.
fn tables_that_are_views() -> Network {
    let (mut g, ids) = Sketch::new(&[4]);
    let (packed, across) = (g.parameter("packed", &[9, 2]), g.parameter("across", &[2, 4]));
    let (one, two) = (g.rows(packed, 0..4), g.rows(packed, 5..9));
    let three = g.transposed(across);
    let three = g.derive(Scale { factor: 1.5 }, &[three]);
    let [a, b, c] = [one, two, three].map(|table| g.0.embedding(ids, table).unwrap());
    let h = g.0.mul(a, b).unwrap();
    let h = g.0.add(h, c).unwrap();
    let y = g.0.mean(h, &[0]).unwrap();
    Network { table: Some(4), ..g.finish("tables that are views", y) }
}

fn networks() -> Vec<Network> {
    let tokens = &[3, 4][..];
    vec![
        autoencoder("autoencoder", &[4]),
        autoencoder("autoencoder over positions", tokens),
        autoencoder_without_more(),
        transposed_alone("transposed", &[4]),
        transposed_alone("transposed over positions", tokens),
        packed_attention(),
        overlapping_slices("overlapping slices", &[4]),
        overlapping_slices("overlapping slices over positions", tokens),
        slice_of_columns("slice of columns", &[4]),
        slice_of_columns("slice of columns over positions", tokens),
        reshaped_and_scaled("reshaped and scaled", &[4]),
        reshaped_and_scaled("reshaped and scaled over positions", tokens),
        scaled_alone("scaled", &[4]),
        scaled_alone("scaled over positions", tokens),
        scaled_several_times(),
        scaled_read_out(),
        concatenated("concatenated", &[4]),
        concatenated("concatenated over positions", tokens),
        weight_norm("weight norm", &[4]),
        weight_norm("weight norm over positions", tokens),
        low_rank("low rank", &[4]),
        low_rank("low rank over positions", tokens),
        only_buffers(),
        tied_convolutions(false),
        tied_convolutions(true),
        tied_transposed_convolutions(),
        convolution_as_layer(),
        bias_twice("bias twice", &[4]),
        bias_twice("bias twice over positions", tokens),
        embedding_and_read_outs(),
        embedding_tied_to_the_end(),
        tables_that_are_views(),
    ]
}

#[test]
fn methods_and_strategies_agree() {
    use Outputs::{Full, Output, PerOutput, SumOfOutputs, TraceMean, TraceSum};
    let mut transposed_uses = 0;
    for network in networks() {
        let name = network.name;
        let (input, shape) = network.input(SAMPLES);
        let x = Batch::new(&input, &shape).unwrap();
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        for outputs in [Full, TraceSum, TraceMean, PerOutput, Output(1), SumOfOutputs] {
            let ntk = || session.ntk().outputs(outputs);
            let expected = ntk().method(Method::ForwardMode).compute(&x).unwrap();
            for method in [
                Method::Structured,
                Method::FullJacobian,
                Method::Layerwise,
                Method::LayerwiseBatched,
                Method::Autograd,
            ] {
                let kernel = ntk().method(method).compute(&x).unwrap();
                let (error, component) = worst_difference(&kernel, &expected).unwrap();
                assert!(error < 1e-12, "{name}, {outputs:?}, {method}: {error:.2e} at {component}");
            }
            for p in &ntk().plan(SAMPLES).unwrap().parameters {
                for strategy in p.alternatives.iter().map(|(strategy, _)| *strategy).chain([p.strategy]) {
                    let kernel = ntk().force(&p.name, strategy).compute(&x).unwrap();
                    let (error, component) = worst_difference(&kernel, &expected).unwrap();
                    assert!(error < 1e-12, "{name}, {outputs:?}, {} by {strategy}: {error:.2e} at {component}", p.name);
                    transposed_uses +=
                        usize::from(name == "autoencoder" && p.name == "w" && strategy == Strategy::Hadamard);
                }
            }
            let diagonal = ntk().diagonal(&x).unwrap();
            for ((name, expected), (_, got)) in expected.components().iter().zip(diagonal.components()) {
                let entries =
                    (0..expected.blocks()).flat_map(|b| expected.block(b).iter().step_by(expected.cols() + 1));
                for (got, expected) in got.iter().zip(entries) {
                    assert!((got - expected).abs() < 1e-12 * (1.0 + expected), "{name}, {outputs:?}: {got} {expected}");
                }
            }
        }
    }
    assert!(transposed_uses > 0, "no weight was contracted with its own transpose");
}

/// The outputs with one parameter's entry moved by `step`.
fn moved(network: &Network, name: &str, entry: usize, step: f64, x: &Batch<'_, f64>) -> Vec<f64> {
    let mut model = network.model.clone();
    let info = model.parameters().iter().find(|info| info.name == name).unwrap().clone();
    let mut values = model.parameter(name).unwrap().to_vec();
    values[entry] += step;
    model.set(name, &info.shape, values).unwrap();
    Session::new(&model, Cpu::<f64>::new()).unwrap().run(x).unwrap()
}

#[test]
fn gradients_and_jacobians_match_finite_differences() {
    for network in networks() {
        let name = network.name;
        let (input, shape) = network.input(4);
        let x = Batch::new(&input, &shape).unwrap();
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        let jacobian = session.jacobian(&x).unwrap();
        let rows = 4 * network.model.outputs();
        let u = numbers(rows, 11);
        let gradient = session.gradient(&x, &u).unwrap();
        for (info, j) in jacobian.iter() {
            let p = info.shape.iter().product::<usize>();
            assert_eq!(j.len(), rows * p, "{name}: {}", info.name);
            for entry in 0..p {
                let h = 1e-5;
                let [up, down] = [h, -h].map(|step| moved(&network, &info.name, entry, step, &x));
                for row in 0..rows {
                    let (expected, got) = ((up[row] - down[row]) / (2.0 * h), j[row * p + entry]);
                    let tolerance = 1e-7 * (1.0 + expected.abs());
                    assert!(
                        (got - expected).abs() < tolerance,
                        "{name}: {} {entry}, row {row}: {got} {expected}",
                        info.name
                    );
                }
                let expected: f64 = (0..rows).map(|row| u[row] * j[row * p + entry]).sum();
                let got = gradient.parameter(&info.name).unwrap()[entry];
                assert!(
                    (got - expected).abs() < 1e-12 * (1.0 + expected.abs()),
                    "{name}: {} {entry}: {got} {expected}",
                    info.name
                );
            }
        }
    }
}

#[test]
fn a_weight_of_buffers_has_no_component() {
    let network = only_buffers();
    let (input, shape) = network.input(3);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let kernel = session.ntk().compute(&Batch::new(&input, &shape).unwrap()).unwrap();
    let names: Vec<&str> = kernel.components().iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["w", "out"]);
    assert!(kernel.component("one").unwrap_err().is_name());
}

/// Permuted or scaled parameters are contracted like the parameters themselves.
#[test]
fn views_use_the_strategies_of_parameters() {
    let strategy = |network: Network, name: &str| {
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        let plan = session.ntk().plan(50).unwrap();
        let p = plan.parameters.iter().find(|p| p.name == name).unwrap().clone();
        p.alternatives.iter().map(|(strategy, _)| *strategy).chain([p.strategy]).collect::<Vec<_>>()
    };
    assert!(strategy(autoencoder("", &[4]), "w").contains(&Strategy::Hadamard));
    assert!(strategy(transposed_alone("", &[3, 4]), "w").contains(&Strategy::PositionPairs));
    assert!(strategy(packed_attention(), "qkv.weight").contains(&Strategy::PositionPairs));
    assert!(strategy(tables_that_are_views(), "packed").contains(&Strategy::Join));
    let moved = |ops: &[Builtin]| {
        let (mut g, x) = Sketch::new(&[4]);
        let weight = g.parameter("w", &[3, 4]);
        let weight = ops.iter().fold(weight, |weight, op| g.derive(op.clone(), &[weight]));
        let y = g.linear(x, weight);
        strategy(g.finish("", y), "w")
    };
    let back = || Builtin::from(Reshape::new([3, 4]));
    assert!(moved(&[Reshape::new([2, 6]).into(), back()]).contains(&Strategy::Hadamard));
    assert!(moved(&[Flatten.into(), back()]).contains(&Strategy::Hadamard));
    assert!(moved(&[Scale { factor: -0.3 }.into()]).contains(&Strategy::Hadamard));
    assert!(moved(&[Concat { axis: 0 }.into()]).contains(&Strategy::Hadamard));
    assert_eq!(strategy(weight_norm("", &[4]), "gain"), [Strategy::Materialise]);
    assert_eq!(strategy(overlapping_slices("", &[4]), "w"), [Strategy::Materialise]);
}

#[test]
fn an_invalid_derived_weight_is_an_error_that_names_it() {
    let mut graph = Graph::new(&[4]).unwrap();
    let weight = graph.parameter("w", &[3, 4]).unwrap();
    let error = graph.derive(Slice { axis: 0, range: 2..5 }, &[weight]).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("at w") && error.to_string().contains("[3, 4]"), "{error}");
    let transposed = graph.derive(Permute::new([1, 0]), &[weight]).unwrap();
    let x = graph.input();
    let error = graph.linear(x, transposed, None).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("of w"), "{error}");
    let error = graph.derive(Add, &[weight, transposed]).unwrap_err();
    assert!(error.is_shape() && error.to_string().contains("at w, permute of w"), "{error}");
}
