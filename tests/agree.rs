//! Compares every method with kernels that PyTorch computed in float64, and with every other method.
#![cfg(feature = "fixture")]

use std::path::{Path, PathBuf};

use tangent_kernels::check;
use tangent_kernels::io::fixture::Fixture;
use tangent_kernels::kernel::worst_difference;
use tangent_kernels::ops::Arrays;
use tangent_kernels::ops::InputOperand;
use tangent_kernels::ops::{Builtin, Case, Op, OpContext};
use tangent_kernels::unary::{Gelu, LeakyRelu, Tanh, Unary};
use tangent_kernels::{
    Attributes, Batch, Cpu, Error, Graph, Kernel, Method, Model, Outputs, Real, Result, Sequential, Session,
};

/// The tolerance of a component: f64, f32.
fn tolerance<R: Real>() -> f64 {
    if R::NAME == "f64" { 1e-10 } else { 1e-5 }
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "safetensors"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 59, "fixtures are missing: {paths:?}");
    paths
}

fn compute<R: Real>(
    model: &Model,
    input: &[f64],
    shape: &[usize],
    method: Method,
    outputs: Outputs,
) -> tangent_kernels::Result<Kernel<R>> {
    let x: Vec<R> = input.iter().map(|&x| R::from_f64(x)).collect();
    let session = Session::new(model, Cpu::<R>::new())?;
    session.ntk().method(method).outputs(outputs).compute(&Batch::new(&x, shape)?)
}

/// The plain MLPs among the fixtures, which the closed form supports.
const PLAIN: [&str; 12] = [
    "mlp_erf",
    "mlp_gelu",
    "mlp_leaky_elu",
    "mlp_relu_3_outputs",
    "mlp_sigmoid",
    "mlp_silu",
    "mlp_sin",
    "mlp_softplus",
    "paper_mlp",
    "paper_mlp_bias",
    "real_sb3_cartpole_critic",
    "real_sb3_lunarlander_actor",
];

fn methods_match_pytorch<R: Real>() {
    for path in fixtures() {
        let fixture = Fixture::read(&path).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy();
        for method in Method::ALL {
            if method == Method::ForwardMode && fixture.model.parameter_count() > 20_000 {
                continue; // forward mode takes one run per entry of every parameter
            }
            let kernel = compute::<R>(&fixture.model, &fixture.input, &fixture.input_shape, method, Outputs::Full);
            if method == Method::ClosedForm && !PLAIN.contains(&&*name) {
                assert!(kernel.unwrap_err().is_unsupported(), "{name} is not a plain MLP");
                continue;
            }
            let (error, component) = fixture.worst_difference(&kernel.unwrap()).unwrap();
            assert!(error < tolerance::<R>(), "{name}, {method}, {}: {error:.2e} at {component}", R::NAME);
        }
    }
}

#[test]
fn methods_match_pytorch_in_f64() {
    methods_match_pytorch::<f64>();
}

#[test]
fn methods_match_pytorch_in_f32() {
    methods_match_pytorch::<f32>();
}

#[test]
fn outputs_match_pytorch() {
    for path in fixtures() {
        let fixture = Fixture::read(&path).unwrap();
        let session = Session::new(&fixture.model, Cpu::<f64>::new()).unwrap();
        let f = session.run(&Batch::new(&fixture.input, &fixture.input_shape).unwrap()).unwrap();
        assert_eq!(f.len(), fixture.output.len());
        // The outputs of real networks are stored in the float32 of their framework.
        let tolerance = if path.to_string_lossy().contains("real_") { 1e-5 } else { 1e-13 };
        let scale = fixture.output.iter().fold(1.0f64, |max, x| max.max(x.abs()));
        for (got, expected) in f.iter().zip(&fixture.output) {
            assert!((got - expected).abs() < tolerance * scale, "{path:?}: {got} against {expected}");
        }
    }
}

#[test]
fn a_wrong_kernel_is_detected() {
    let fixture = Fixture::read(&fixtures()[0]).unwrap();
    let mut model = fixture.model.clone();
    let info = model.parameters()[0].clone();
    let mut values = model.parameter(&info.name).unwrap().to_vec();
    values[0] *= 1.0 + 1e-6;
    model.set(&info.name, &info.shape, values).unwrap();
    let kernel =
        compute::<f64>(&model, &fixture.input, &fixture.input_shape, Method::Structured, Outputs::Full).unwrap();
    assert!(fixture.worst_difference(&kernel).unwrap().0 > 1e-9);
}

/// The kernel in every output mode, computed from the reference's full kernel entry by entry.
fn mode_of(full: &Kernel<f64>, name: &str, outputs: Outputs, n: usize, c: usize) -> Vec<f64> {
    let matrix = if name == "total" { full.total() } else { full.component(name).unwrap() };
    let at = |i: usize, a: usize, j: usize, b: usize| matrix[(i * c + a, j * c + b)];
    let pairs = || (0..n).flat_map(|i| (0..n).map(move |j| (i, j)));
    let sum = |i, j| (0..c).map(|a| at(i, a, j, a)).sum::<f64>();
    match outputs {
        Outputs::TraceSum => pairs().map(|(i, j)| sum(i, j)).collect(),
        Outputs::TraceMean => pairs().map(|(i, j)| sum(i, j) / c as f64).collect(),
        Outputs::PerOutput => {
            (0..c).flat_map(|a| pairs().map(move |(i, j)| (a, i, j))).map(|(a, i, j)| at(i, a, j, a)).collect()
        }
        Outputs::Output(a) => pairs().map(|(i, j)| at(i, a, j, a)).collect(),
        Outputs::SumOfOutputs => {
            let all = |i, j| (0..c).map(|a| (0..c).map(|b| at(i, a, j, b)).sum::<f64>()).sum();
            pairs().map(|(i, j)| all(i, j)).collect()
        }
        _ => matrix.as_slice().to_vec(),
    }
}

#[test]
fn output_modes_match_sums_over_the_full_kernel() {
    for name in ["mlp_relu_3_outputs", "mlp_gelu", "tied_weights", "paper_mlp_bias", "real_sb3_lunarlander_actor"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.safetensors"));
        let fixture = Fixture::read(path).unwrap();
        let (n, c) = (fixture.input_shape[0], fixture.model.outputs());
        let modes =
            [Outputs::TraceSum, Outputs::TraceMean, Outputs::PerOutput, Outputs::Output(c - 1), Outputs::SumOfOutputs];
        for outputs in modes {
            for method in [
                Method::Structured,
                Method::ClosedForm,
                Method::Autograd,
                Method::LayerwiseBatched,
                Method::ForwardMode,
            ] {
                if method == Method::ForwardMode && fixture.model.parameter_count() > 1000 {
                    continue;
                }
                let Ok(kernel) = compute::<f64>(&fixture.model, &fixture.input, &fixture.input_shape, method, outputs)
                else {
                    assert_eq!((name, method), ("tied_weights", Method::ClosedForm));
                    continue;
                };
                for (component, matrix) in &kernel {
                    let expected = mode_of(&fixture.reference, component, outputs, n, c);
                    assert_eq!(matrix.as_slice().len(), expected.len());
                    let scale = fixture.reference.total().frobenius_norm();
                    for (got, expected) in matrix.as_slice().iter().zip(&expected) {
                        assert!(
                            (got - expected).abs() < 1e-11 * scale,
                            "{name} {component} {outputs:?} {method}: {got} {expected}"
                        );
                    }
                }
            }
        }
    }
}

fn filled(mut model: Model, seed: u64) -> Model {
    for (k, info) in model.parameters().to_vec().into_iter().enumerate() {
        let count = info.shape.iter().product::<usize>();
        model.set(&info.name, &info.shape, numbers(count, seed + k as u64)).unwrap();
    }
    model
}

/// Numbers between -1 and 1 without a pattern.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    (1..=count as u64).map(|k| ((k * k + 31 * seed * k) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0).collect()
}

/// Networks with positions, branches, tied weights and unreached parameters, which no fixture of this size has.
fn odd_networks() -> Vec<(&'static str, Model)> {
    let mut list = Vec::new();

    // Few positions and many features: pairs of positions are cheaper than rows; many positions: the other way.
    for (name, positions, width) in [("pairs of positions", 2, 12), ("many positions", 20, 3)] {
        let model = Sequential::ntk(&[positions * 4])
            .reshape(&[positions, 4])
            .linear("tokens", width)
            .unary(Gelu { approximate: false })
            .linear("mixed", 3)
            .flatten()
            .linear("out", 2)
            .build();
        list.push((name, model.unwrap()));
    }

    // An output of rank 2 straight from a layer with positions. The read-out's cotangent is not a unit vector there.
    let model = Sequential::standard(&[3, 4]).linear("hidden", 40).tanh().linear("out", 2).build();
    list.push(("positions to the end", model.unwrap()));

    // Tokens mixed along both axes, two concatenated branches, a mean over tokens.
    let mut graph = Graph::new(&[5, 3]).unwrap();
    let [channels, mixing, out] =
        [("channels", [3, 3]), ("mixing", [5, 5]), ("out", [2, 6])].map(|(name, s)| graph.parameter(name, &s).unwrap());
    let x = graph.input();
    let h = graph.linear(x, channels, None).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let turned = graph.permute(h, &[1, 0]).unwrap();
    let mixed = graph.linear(turned, mixing, None).unwrap();
    let back = graph.permute(mixed, &[1, 0]).unwrap();
    let both = graph.concat(&[h, back], 1).unwrap();
    let pooled = graph.mean(both, &[0]).unwrap();
    let y = graph.linear(pooled, out, None).unwrap();
    list.push(("token mixer", Model::new(graph, y).unwrap()));

    // Linear attention with a packed projection.
    let mut graph = Graph::new(&[4, 3]).unwrap();
    let (packed, bias) = (graph.parameter("qkv.weight", &[9, 3]).unwrap(), graph.parameter("qkv.bias", &[9]).unwrap());
    let x = graph.input();
    let all = graph.linear(x, packed, Some(bias)).unwrap();
    let [q, k, v] = [0, 1, 2].map(|part| graph.slice(all, 1, 3 * part..3 * part + 3).unwrap());
    let scores = graph.matmul(q, k, true).unwrap();
    let read = graph.matmul(scores, v, false).unwrap();
    let y = graph.sum(read, &[0]).unwrap();
    list.push(("linear attention", Model::new(graph, y).unwrap()));

    // The second layer takes the first one's result from before its function, which nothing else takes.
    let mut graph = Graph::new(&[3]).unwrap();
    let (w, v) = (graph.parameter("w", &[4, 3]).unwrap(), graph.parameter("v", &[2, 4]).unwrap());
    let x = graph.input();
    let h = graph.linear(x, w, None).unwrap();
    let _unused = graph.unary(Tanh, h).unwrap();
    let y = graph.linear(h, v, None).unwrap();
    list.push(("past a function", Model::new(graph, y).unwrap()));

    // f = W(tanh(W x)) with a bias used twice, a gate, and a read-out shared with a hidden layer.
    let mut graph = Graph::new(&[4]).unwrap();
    let (w, b) = (graph.parameter("w", &[4, 4]).unwrap(), graph.parameter("b", &[4]).unwrap());
    let unused = graph.parameter("unused", &[3]).unwrap();
    let _ = unused;
    let x = graph.input();
    let h = graph.linear(x, w, Some(b)).unwrap();
    let t = graph.unary(Tanh, h).unwrap();
    let gate = graph.unary(LeakyRelu { slope: 0.1 }, h).unwrap();
    let gated = graph.mul(t, gate).unwrap();
    let h = graph.sub(gated, x).unwrap();
    let y = graph.linear(h, w, Some(b)).unwrap();
    list.push(("tied read-out", Model::new(graph, y).unwrap()));

    // One weight on a vector and on positions: its uses have different shapes.
    let mut graph = Graph::new(&[3, 4]).unwrap();
    let (w, v) = (graph.parameter("w", &[4, 4]).unwrap(), graph.parameter("v", &[2, 4]).unwrap());
    let x = graph.input();
    let tokens = graph.linear(x, w, None).unwrap();
    let flat = graph.flatten(tokens).unwrap();
    let first = graph.parameter("first", &[4, 12]).unwrap();
    let pooled = graph.linear(flat, first, None).unwrap();
    let again = graph.linear(pooled, w, None).unwrap();
    let again = graph.unary(Tanh, again).unwrap();
    let y = graph.linear(again, v, None).unwrap();
    list.push(("tied across positions", Model::new(graph, y).unwrap()));

    // An output of rank 2, and one that is a hidden layer's value with a later op recorded but not used.
    let mut graph = Graph::new(&[3]).unwrap();
    let w = graph.parameter("w", &[6, 3]).unwrap();
    let late = graph.parameter("late", &[1, 6]).unwrap();
    let x = graph.input();
    let h = graph.linear(x, w, None).unwrap();
    let _beyond = graph.linear(h, late, None).unwrap();
    list.push(("output in the middle", Model::new(graph.clone(), h).unwrap()));
    let square = graph.reshape(h, &[2, 3]).unwrap();
    list.push(("output of rank 2", Model::new(graph, square).unwrap()));
    list
}

#[test]
fn methods_match_each_other_on_odd_networks() {
    for (name, model) in odd_networks() {
        let model = filled(model, 5);
        let samples = 21; // more than one tile
        let shape: Vec<usize> = [&[samples], model.input_shape()].concat();
        let input = numbers(shape.iter().product(), 99);
        for outputs in [Outputs::Full, Outputs::TraceSum, Outputs::PerOutput, Outputs::SumOfOutputs, Outputs::Output(0)]
        {
            let reference = compute::<f64>(&model, &input, &shape, Method::ForwardMode, outputs).unwrap();
            for method in [
                Method::Structured,
                Method::FullJacobian,
                Method::Autograd,
                Method::Layerwise,
                Method::LayerwiseBatched,
            ] {
                let kernel = compute::<f64>(&model, &input, &shape, method, outputs).unwrap();
                let (error, component) = worst_difference(&kernel, &reference).unwrap();
                assert!(error < 1e-12, "{name}, {method}, {outputs:?}: {error:.2e} at {component}");
            }
            let single = compute::<f32>(&model, &input, &shape, Method::Structured, outputs).unwrap();
            for ((name, single), (_, double)) in single.components().iter().zip(reference.components()) {
                let scale = double.frobenius_norm().max(1e-10);
                let error = single.as_slice().iter().zip(double.as_slice()).map(|(s, d)| (f64::from(*s) - d).abs());
                assert!(error.fold(0.0, f64::max) < 1e-5 * scale, "{name}, {outputs:?} in f32");
            }
        }
    }
}

#[test]
fn scales_before_and_after_functions_are_in_the_closed_form() {
    let f: Unary = Tanh.into();
    let mut graph = Graph::new(&[2, 2]).unwrap();
    let [w1, w2, w3] = [("a.weight", [5, 4]), ("b.weight", [3, 5]), ("c.weight", [2, 3])]
        .map(|(n, s)| graph.parameter(n, &s).unwrap());
    let bias = graph.parameter("c.bias", &[2]).unwrap();
    let x = graph.input();
    let x = graph.flatten(x).unwrap();
    let h = graph.linear(x, w1, None).unwrap();
    let h = graph.scale(h, 0.7).unwrap();
    let h = graph.unary(f, h).unwrap();
    let h = graph.scale(h, -1.3).unwrap();
    let h = graph.linear(h, w2, None).unwrap();
    let h = graph.scale(h, 0.4).unwrap(); // no function: a linear layer follows a linear layer
    let y = graph.linear(h, w3, Some(bias)).unwrap();
    let y = graph.scale(y, 3.0).unwrap();
    let model = filled(Model::new(graph, y).unwrap(), 3);
    let input = numbers(7 * 4, 1);
    for outputs in [Outputs::Full, Outputs::TraceMean, Outputs::PerOutput, Outputs::SumOfOutputs, Outputs::Output(1)] {
        let [closed, forward] = [Method::ClosedForm, Method::ForwardMode]
            .map(|method| compute::<f64>(&model, &input, &[7, 2, 2], method, outputs).unwrap());
        assert!(worst_difference(&closed, &forward).unwrap().0 < 1e-13, "{outputs:?}");
    }
}

#[test]
fn the_closed_form_refuses_what_is_no_plain_mlp() {
    for (name, model) in odd_networks() {
        let model = filled(model, 5);
        let shape: Vec<usize> = [&[2], model.input_shape()].concat();
        let input = numbers(shape.iter().product(), 99);
        let result = compute::<f64>(&model, &input, &shape, Method::ClosedForm, Outputs::Full);
        if name == "output in the middle" {
            assert!(result.is_ok(), "a single linear layer is a plain MLP");
        } else {
            let error = result.unwrap_err();
            assert!(error.is_unsupported() && error.to_string().contains("closed-form"), "{name}: {error}");
        }
    }
}

#[test]
fn verify_compares_every_method_on_a_few_samples() {
    let path = fixtures().into_iter().find(|path| path.ends_with("paper_mlp_bias.safetensors")).unwrap();
    let fixture = Fixture::read(path).unwrap();
    let session = Session::new(&fixture.model, Cpu::<f64>::new()).unwrap();
    let report = session.ntk().verify(&Batch::new(&fixture.input, &fixture.input_shape).unwrap(), 4).unwrap();
    assert_eq!(report.samples, 4);
    assert_eq!(report.methods.len(), Method::ALL.len() - 1);
    assert!(report.worst() < 1e-12, "{report:?}");
}

/// y = x o W for samples of W's shape: a use of a weight whose gradients come as rows, not as two sides.
#[derive(Clone, Debug)]
struct Weigh;

impl Op for Weigh {
    fn name(&self) -> &'static str {
        "weigh"
    }
    fn parse(_: &str, _: &Attributes) -> Option<Result<Self>> {
        None
    }
    fn shape(&self, inputs: &[&[usize]], parameters: &[&[usize]]) -> Result<Vec<usize>> {
        match (inputs, parameters) {
            ([x], [w]) if x == w => Ok(x.to_vec()),
            _ => Err(Error::shape(format!("weigh: {inputs:?} by {parameters:?}"))),
        }
    }
    fn forward<B: Arrays>(&self, at: &OpContext<'_, B>) -> B::Tensor {
        at.arrays.mul(at.inputs[0], at.parameters[0])
    }
    fn pull<B: Arrays>(&self, at: &OpContext<'_, B>, _: &B::Tensor, dy: &B::Tensor, _: usize) -> B::Tensor {
        at.arrays.mul(dy, at.parameters[0])
    }
    fn input_operand<B: Arrays>(&self, _: &OpContext<'_, B>, _: usize) -> Option<InputOperand<B>> {
        Some(InputOperand::Rows)
    }
    fn rows<B: Arrays>(&self, at: &OpContext<'_, B>, _: &B::Tensor, dy: &B::Tensor, _: usize) -> B::Tensor {
        let shape = at.arrays.shape(dy);
        let rows = at.arrays.mul(dy, at.inputs[0]);
        at.arrays.reshape(&rows, &[shape[0], shape[1] * shape[2]])
    }
    fn cases() -> Vec<Case<Self>> {
        vec![Case::new(Weigh, &[&[3, 2]], &[&[3, 2]])]
    }
}

tangent_kernels::ops! {
    /// The crate's ops and one of our own.
    enum Own {
        Builtin(Builtin),
        Weigh(Weigh),
    }
}

#[test]
fn uses_of_one_weight_in_unlike_forms_meet_as_rows() {
    check::all::<Own>().unwrap();
    let mut graph = Graph::<Own>::with_ops(&[&[4, 4]]).unwrap();
    let (w, v) = (graph.parameter("w", &[4, 4]).unwrap(), graph.parameter("v", &[4, 16]).unwrap());
    let x = graph.input();
    let h = graph.apply(Weigh, &[x], &[w]).unwrap();
    let h = graph.flatten(h).unwrap();
    let h = graph.linear(h, v, None).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let h = graph.linear(h, w, None).unwrap();
    let y = graph.unary(Tanh, h).unwrap();
    let mut model = Model::new(graph, y).unwrap();
    model.set("w", &[4, 4], numbers(16, 1)).unwrap();
    model.set("v", &[4, 16], numbers(64, 2)).unwrap();
    let input = numbers(5 * 16, 3);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let by = |method| session.ntk().method(method).compute(&Batch::new(&input, &[5, 4, 4]).unwrap()).unwrap();
    let (structured, forward) = (by(Method::Structured), by(Method::ForwardMode));
    assert!(worst_difference(&structured, &forward).unwrap().0 < 1e-13);
}
