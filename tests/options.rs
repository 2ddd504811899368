//! The options of a kernel, where samples come from, and the guards before a long run.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tangent_kernels::backend::Arrays;
use tangent_kernels::kernel::worst_difference;
use tangent_kernels::ops::{At, BatchNorm, Builtin, Case, Conv2d, ConvTranspose2d, Dropout, Op, Permute};
use tangent_kernels::tape::{Parameter, Value};
use tangent_kernels::unary::{Silu, Sqrt, Tanh};
use tangent_kernels::{
    Attributes, Batch, Cpu, Error, Graph, Kernel, Method, Model, Ntk, Outputs, Parameterisation, Progress, Reader,
    Real, Result, Samples, Sequential, Session,
};

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
        assert!(error.to_string().contains(part), "'{error}' does not say '{part}'");
    }
}

#[track_caller]
fn assert_close(got: &Kernel<f64>, want: &Kernel<f64>, what: &str) {
    let (error, component) = worst_difference(got, want).unwrap();
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
    filled(Sequential::mlp(&[4, 5, 4, 3], Silu, true, Parameterisation::Ntk).unwrap())
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

/// Positions, a weight that meets its transpose there and on vectors, a bias used twice, a parameter without use.
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
    fn of(model: &Model, samples: usize, seed: u64) -> Self {
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

/// Does the method do the model at all?
fn does(method: Method, name: &str) -> bool {
    method != Method::ClosedForm || name == "mlp"
}

#[test]
fn some_parameters_have_the_components_that_they_have_among_all() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let data = Data::of(&model, 18, 1);
        let x = data.batches();
        for outputs in modes(3) {
            let whole = session.ntk().outputs(outputs).compute(&x).unwrap();
            for patterns in [&["*.weight"][..], &["out.*", "d2*"], &["*bias"], &["*"]] {
                let fitting = |pattern: &&&str| session.ntk().parameters(&[pattern]).explain(1).is_ok();
                let patterns: Vec<&str> = patterns.iter().filter(fitting).copied().collect();
                for method in Method::ALL.into_iter().filter(|&method| does(method, name)) {
                    let some = session.ntk().outputs(outputs).method(method).parameters(&patterns);
                    let kernel = some.compute(&x).unwrap();
                    let what = format!("{name}, {outputs:?}, {patterns:?}, {method}");
                    let mut sum = vec![0.0; whole.total().as_slice().len()];
                    for (own, matrix) in kernel.components() {
                        let want = whole.component(own).unwrap();
                        assert!(matrix.distance(want).unwrap() <= 1e-12 * want.frobenius_norm(), "{what}: {own}");
                        sum.iter_mut().zip(want.as_slice()).for_each(|(sum, x)| *sum += x);
                    }
                    let scale = whole.total().frobenius_norm();
                    for (got, want) in kernel.total().as_slice().iter().zip(&sum) {
                        assert!((got - want).abs() < 1e-12 * scale, "{what}: {got} {want}");
                    }
                    let bare = some.components(false).compute(&x).unwrap();
                    assert!(bare.total().distance(kernel.total()).unwrap() <= 1e-12 * scale, "{what}");
                }
            }
        }
    }
    let model = mlp();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::of(&model, 3, 1);
    let names = |patterns: &[&str]| {
        let kernel = session.ntk().parameters(patterns).compute(&data.batches()).unwrap();
        kernel.components().iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["d3.*", "d1.bias", "d1.*"]), ["d1.weight", "d1.bias", "d3.weight", "d3.bias"]);
    assert_eq!(names(&["d2.weight"]), ["d2.weight"]);
    for pattern in ["d9*", "weight", ""] {
        let error = session.ntk().parameters(&["d1.*", pattern]).compute(&data.batches()).unwrap_err();
        says(error, Error::is_name, &[&format!("'{pattern}'"), "d1.weight"]);
    }
}

/// A metric's weights for every entry of every parameter.
type Weights = Vec<(String, Vec<f64>)>;

/// J M J^T in a mode of outputs, from the session's Jacobian: every parameter's part, then the total.
fn by_jacobian(
    session: &Session<'_, Cpu<f64>>,
    x: &dyn Samples<f64>,
    outputs: Outputs,
    weights: &Weights,
) -> Vec<Vec<f64>> {
    let jacobian = session.jacobian(x).unwrap();
    let (n, c) = (jacobian.samples(), jacobian.outputs());
    let mut parts: Vec<Vec<f64>> = jacobian
        .iter()
        .zip(weights)
        .map(|((info, rows), (name, weights))| {
            assert_eq!(&info.name, name);
            let p = weights.len();
            let row = |sample: usize, output: usize| &rows[(sample * c + output) * p..][..p];
            let dot = |(i, a): (usize, usize), (j, b): (usize, usize)| -> f64 {
                row(i, a).iter().zip(row(j, b)).zip(weights).map(|((x, y), w)| x * w * y).sum()
            };
            let pairs = || (0..n).flat_map(move |i| (0..n).map(move |j| (i, j)));
            let trace = |(i, j)| (0..c).map(|a| dot((i, a), (j, a))).sum::<f64>();
            let all = |(i, j)| (0..c).flat_map(|a| (0..c).map(move |b| (a, b))).map(|(a, b)| dot((i, a), (j, b))).sum();
            let of_output = |a| pairs().map(move |(i, j)| ((i, a), (j, a)));
            match outputs {
                Outputs::TraceSum => pairs().map(trace).collect(),
                Outputs::TraceMean => pairs().map(|pair| trace(pair) / c as f64).collect(),
                Outputs::PerOutput => (0..c).flat_map(of_output).map(|(one, two)| dot(one, two)).collect(),
                Outputs::Output(a) => of_output(a).map(|(one, two)| dot(one, two)).collect(),
                Outputs::SumOfOutputs => pairs().map(all).collect(),
                _ => {
                    let rows = || (0..n).flat_map(move |i| (0..c).map(move |a| (i, a)));
                    rows().flat_map(|one| rows().map(move |two| (one, two))).map(|(one, two)| dot(one, two)).collect()
                }
            }
        })
        .collect();
    let total = (0..parts[0].len()).map(|k| parts.iter().map(|part| part[k]).sum()).collect();
    parts.push(total);
    parts
}

#[track_caller]
fn assert_parts(kernel: &Kernel<f64>, want: &[Vec<f64>], what: &str) {
    let scale = kernel.total().frobenius_norm();
    let matrices = kernel.components().iter().map(|(_, matrix)| matrix).chain([kernel.total()]);
    assert_eq!(kernel.components().len() + 1, want.len());
    for (k, (matrix, want)) in matrices.zip(want).enumerate() {
        assert_eq!(matrix.as_slice().len(), want.len(), "{what}");
        for (got, want) in matrix.as_slice().iter().zip(want) {
            assert!((got - want).abs() < 1e-12 * scale, "{what}, part {k}: {got} {want}");
        }
    }
}

/// Positive weights without a pattern.
fn positive(count: usize, seed: u64) -> Vec<f64> {
    numbers(count, seed).into_iter().map(|x| x + 1.25).collect()
}

type Asked<'s> = Ntk<'s, Cpu<f64>, Builtin>;

/// Every kind of metric: how it is asked for, and what it weighs every entry with.
fn metrics<'s>(ntk: &Asked<'s>, model: &Model) -> Vec<(&'static str, Asked<'s>, Weights)> {
    let infos = model.parameters();
    let size = |k: usize| infos[k].shape.iter().product::<usize>();
    let ones = || (0..infos.len()).map(|k| (infos[k].name.clone(), vec![1.0; size(k)])).collect::<Weights>();
    let mut uniform = (ntk.clone().weight("*", 0.3).weight("*.weight", 2.5), ones());
    let (mut elements, mut rank_one) = ((ntk.clone(), ones()), (ntk.clone(), ones()));
    for (k, info) in infos.iter().enumerate() {
        let name = &info.name;
        uniform.1[k].1.fill(if name.ends_with(".weight") { 2.5 } else { 0.3 });
        let weights = positive(size(k), 3 + k as u64);
        elements = (elements.0.weights(name, weights.clone()), elements.1);
        elements.1[k].1 = weights;
        let rows = info.shape[0];
        let (out, input) = (positive(rows, 4 + k as u64), positive(size(k) / rows, 9 + k as u64));
        rank_one.1[k].1 = out.iter().flat_map(|o| input.iter().map(move |i| o * i)).collect();
        rank_one = (rank_one.0.weights_of_rank_one(name, out, input), rank_one.1);
    }
    let list = [("uniform", uniform), ("by entry", elements), ("of rank one", rank_one)];
    list.map(|(name, (ntk, weights))| (name, ntk, weights)).into()
}

#[test]
fn a_metric_gives_j_m_j_transposed_by_every_method_and_way() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let data = Data::of(&model, 9, 1);
        let x = data.batches();
        for outputs in modes(3) {
            for (kind, ntk, weights) in metrics(&session.ntk().outputs(outputs), &model) {
                let want = by_jacobian(&session, &x, outputs, &weights);
                for method in Method::ALL.into_iter().filter(|&method| does(method, name)) {
                    let what = format!("{name}, {outputs:?}, weights {kind}, {method}");
                    let kernel = ntk.clone().method(method).compute(&x);
                    if method == Method::ClosedForm && kind != "uniform" {
                        says(kernel.unwrap_err(), Error::is_unsupported, &["closed-form", "structured"]);
                        continue;
                    }
                    assert_parts(&kernel.unwrap(), &want, &what);
                }
                for p in ntk.explain(9).unwrap().parameters {
                    for (way, _) in p.alternatives {
                        let kernel = ntk.clone().force(&p.name, way).compute(&x).unwrap();
                        assert_parts(&kernel, &want, &format!("{name}, {outputs:?}, weights {kind}, {} {way}", p.name));
                    }
                }
                let other = Data::of(&model, 5, 7);
                let rows = ntk.clone().method(Method::FullJacobian).between(&x, &other.batches()).unwrap();
                let what = format!("{name}, {outputs:?}, weights {kind}, between");
                assert_close(&ntk.between(&x, &other.batches()).unwrap(), &rows, &what);
            }
        }
    }
}

#[test]
fn weights_that_are_none_are_refused_by_name() {
    let model = mlp();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::of(&model, 3, 1);
    let refused = |ntk: Ntk<'_, _, _>, is: fn(&Error) -> bool, parts: &[&str]| {
        says(ntk.clone().compute(&data.batches()).unwrap_err(), is, parts);
        says(ntk.clone().diagonal(&data.batches()).unwrap_err(), is, parts);
        says(ntk.explain(3).unwrap_err(), is, parts);
    };
    for (bad, word) in [(0.0, "is 0"), (-0.0, "is -0"), (-2.0, "is -2"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        refused(session.ntk().weight("d2.*", bad), Error::is_value, &["d2.weight", word, "positive"]);
        let mut list = vec![1.0; 5];
        list[3] = bad;
        refused(session.ntk().weights("d1.bias", list.clone()), Error::is_value, &["d1.bias", "number 3", word]);
        let rank_one = session.ntk().weights_of_rank_one("d1.weight", list, vec![1.0; 4]);
        refused(rank_one, Error::is_value, &["d1.weight", word]);
    }
    refused(session.ntk().weights("d1.weight", vec![1.0; 19]), Error::is_shape, &["d1.weight", "19", "[5, 4]"]);
    refused(session.ntk().weights("d1.*", vec![1.0; 20]), Error::is_shape, &["d1.bias", "20", "[5]"]);
    let turned = session.ntk().weights_of_rank_one("d1.weight", vec![1.0; 4], vec![1.0; 5]);
    refused(turned, Error::is_shape, &["d1.weight", "4 x 5", "[5, 4]"]);
    let short = session.ntk().weights_of_rank_one("d1.weight", vec![1.0; 5], vec![1.0; 3]);
    refused(short, Error::is_shape, &["d1.weight", "5 x 3"]);
    refused(session.ntk().weight("d7.*", 1.0), Error::is_name, &["d7.*", "d1.weight"]);
    // The first thing that was wrong is told, whatever follows.
    refused(session.ntk().weight("d7.*", 1.0).weight("d1.*", -1.0).parameters(&["d8"]), Error::is_name, &["d7.*"]);
}

#[test]
fn the_diagonal_is_the_kernel_s() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let data = Data::of(&model, 18, 1);
        let x = data.batches();
        for outputs in modes(3) {
            let plain = session.ntk().outputs(outputs);
            let some = plain.clone().parameters(if name == "mlp" { &["d2*", "d3.bias"] } else { &["out.*", "*s*"] });
            let mut list = vec![("all", plain.clone()), ("some", some)];
            list.extend(metrics(&plain, &model).into_iter().map(|(kind, ntk, _)| (kind, ntk)));
            for (kind, ntk) in list {
                let (kernel, diagonal) = (ntk.compute(&x).unwrap(), ntk.diagonal(&x).unwrap());
                let of = |matrix: &tangent_kernels::Matrix<f64>| {
                    let block = |b| matrix.block(b).iter().step_by(matrix.cols() + 1).copied().collect::<Vec<_>>();
                    (0..matrix.blocks()).flat_map(block).collect::<Vec<_>>()
                };
                assert_eq!(diagonal.components().len(), kernel.components().len());
                let pairs =
                    kernel.components().iter().zip(diagonal.components()).map(|((own, matrix), (name, list))| {
                        assert_eq!(own, name);
                        assert_eq!(diagonal.component(name).unwrap(), list);
                        (own.as_str(), of(matrix), &list[..])
                    });
                for (part, want, got) in pairs.chain([("total", of(kernel.total()), diagonal.total())]) {
                    assert_eq!(got.len(), want.len(), "{name}, {outputs:?}, {kind}, {part}");
                    for (got, want) in got.iter().zip(&want) {
                        let what = format!("{name}, {outputs:?}, {kind}, {part}: {got} {want}");
                        assert!((got - want).abs() < 1e-12 * (1.0 + want), "{what}");
                    }
                }
                assert!(diagonal.component("nothing").unwrap_err().is_name());
            }
        }
    }
}

#[test]
fn several_inputs_are_read_side_by_side() {
    let model = ids_and_features();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::of(&model, 20, 2);
    let [ids, features] = &data.batches()[..] else { panic!("two inputs") };
    let want = session.ntk().method(Method::ForwardMode).compute(&data.batches()).unwrap();
    let kernel = session.ntk().compute(&[ids.clone(), features.clone()]).unwrap();
    assert_close(&kernel, &want, "two inputs");
    assert_eq!(kernel, session.ntk().compute(&data.batches()).unwrap(), "an array and a list");
    // The same network on one input that is not looked up: f depends on both.
    let other = session.ntk().compute(&[ids.clone(), Batch::new(&numbers(40, 77), &[20, 2]).unwrap()]).unwrap();
    assert!(other.total().distance(want.total()).unwrap() > 1e-3);

    let one = session.ntk().compute(features).unwrap_err();
    says(one, Error::is_shape, &["takes 2 inputs", "samples of 1"]);
    let three = [ids.clone(), features.clone(), features.clone()];
    says(session.ntk().compute(&three).unwrap_err(), Error::is_shape, &["takes 2 inputs", "samples of 3"]);
    says(session.ntk().compute(&Vec::new()).unwrap_err(), Error::is_shape, &["takes 2 inputs", "samples of 0"]);
    let turned = [features.clone(), ids.clone()];
    says(session.ntk().compute(&turned).unwrap_err(), Error::is_shape, &["input 0", "[4]", "[20, 2]"]);
    for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
        for short in [19, 1, 0] {
            let unlike = [ids.clone(), features.rows(0..short)];
            let error = session.ntk().method(method).compute(&unlike).unwrap_err();
            says(error, Error::is_shape, &["20 samples of one input", &format!("{short} of another")]);
            let unlike = vec![ids.rows(0..short), features.clone()];
            let error = session.ntk().method(method).compute(&unlike).unwrap_err();
            says(error, Error::is_shape, &[&format!("{short} samples of one input"), "20 of another"]);
        }
    }
    let unlike = [ids.rows(0..0), features.clone()];
    says(session.ntk().diagonal(&unlike).unwrap_err(), Error::is_shape, &["20 of another"]);
    says(session.run(&unlike).unwrap_err(), Error::is_shape, &["20 of another"]);
    says(session.gradient(&unlike, &[]).unwrap_err(), Error::is_shape, &["20 of another"]);
    says(session.jacobian(&unlike).unwrap_err(), Error::is_shape, &["20 of another"]);
    says(session.ntk().between(&data.batches(), &unlike).unwrap_err(), Error::is_shape, &["20 of another"]);
}

fn a_reader_gives_the_bits_of_memory<R: Real>() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<R>::new()).unwrap();
        let data = Data::of(&model, 40, 1);
        let own: Vec<Vec<R>> = data.inputs.iter().map(|(list, _)| list.iter().map(|&x| R::of(x)).collect()).collect();
        let shapes: Vec<&[usize]> = model.input_shapes().iter().map(Vec::as_slice).collect();
        let reader = Reader::new(40, &shapes, |input, range| {
            let size = shapes[input].iter().product::<usize>();
            Ok(own[input][range.start * size..range.end * size].to_vec())
        });
        let batches: Vec<Batch<'_, R>> =
            own.iter().zip(&data.inputs).map(|(list, (_, shape))| Batch::new(list, shape).unwrap()).collect();
        for method in [Method::Structured, Method::Layerwise] {
            let ntk = || session.ntk().method(method).outputs(Outputs::TraceSum);
            assert_eq!(ntk().compute(&reader).unwrap(), ntk().compute(&batches).unwrap(), "{name}, {method}");
            let halves: Vec<Batch<'_, R>> = batches.iter().map(|batch| batch.rows(5..11)).collect();
            assert_eq!(ntk().between(&halves, &reader).unwrap(), ntk().between(&halves, &batches).unwrap(), "{name}");
        }
        assert_eq!(session.ntk().diagonal(&reader).unwrap(), session.ntk().diagonal(&batches).unwrap(), "{name}");
        assert_eq!(session.run(&reader).unwrap(), session.run(&batches).unwrap(), "{name}");
        assert_eq!(session.jacobian(&reader).unwrap(), session.jacobian(&batches).unwrap(), "{name}");
    }
}

#[test]
fn samples_that_are_read_give_the_bits_of_those_in_memory() {
    a_reader_gives_the_bits_of_memory::<f32>();
    a_reader_gives_the_bits_of_memory::<f64>();
}

#[cfg(feature = "mmap")]
#[test]
fn samples_of_a_mapped_file_give_the_bits_of_those_in_memory() {
    use tangent_kernels::io::npy;
    let (model, folder) = (planes(), tempfile::tempdir().unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (data, path) = (Data::of(&model, 40, 1), folder.path().join("x.npy"));
    npy::write(&path, &data.inputs[0].1, &data.inputs[0].0).unwrap();
    let mapped = npy::Mapped::<f64>::open(&path).unwrap();
    for outputs in modes(3) {
        let ntk = || session.ntk().outputs(outputs);
        assert_eq!(ntk().compute(&mapped).unwrap(), ntk().compute(&data.batches()).unwrap());
        assert_eq!(ntk().diagonal(&mapped).unwrap(), ntk().diagonal(&data.batches()).unwrap());
    }
    // A file of samples of another shape.
    npy::write(&path, &[3, 4], &numbers(12, 1)).unwrap();
    let error = session.ntk().compute(&npy::Mapped::<f64>::open(&path).unwrap()).unwrap_err();
    says(error, Error::is_shape, &["[2, 4, 3]", "[3, 4]"]);
}

#[test]
fn errors_of_a_reader_come_out() {
    let model = mlp();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::of(&model, 4, 1);
    let good = data.batches();
    let broken = Reader::new(64, &[&[4]], |_, range| match range.contains(&40) {
        false => Ok(vec![0.5; range.len() * 4]),
        true => Err(Error::io("the tape is torn at sample 40")),
    });
    let short = Reader::new(64, &[&[4]], |_, range| Ok(vec![0.5; range.len() * 4 - usize::from(range.contains(&40))]));
    let nan = Reader::new(64, &[&[4]], |_, range| {
        Ok(range.flat_map(|n| [0.0, 0.0, 0.0, if n == 40 { f64::NAN } else { 0.0 }]).collect::<Vec<f64>>())
    });
    type Wrong<'a> = (&'a dyn Samples<f64>, fn(&Error) -> bool, &'a [&'a str]);
    let wrong: [Wrong<'_>; 3] = [
        (&broken, Error::is_io, &["torn at sample 40"]),
        (&short, Error::is_shape, &["numbers", "needed"]),
        (&nan, Error::is_value, &["NaN at entry 3 of sample 40"]),
    ];
    for (x, is, parts) in wrong {
        for method in Method::ALL {
            says(session.ntk().method(method).compute(x).unwrap_err(), is, parts);
        }
        says(session.ntk().between(&good, x).unwrap_err(), is, parts);
        says(session.ntk().diagonal(x).unwrap_err(), is, parts);
        says(session.run(x).unwrap_err(), is, parts);
        says(session.gradient(x, &[0.0; 192]).unwrap_err(), is, parts);
        says(session.jacobian(x).unwrap_err(), is, parts);
    }
}

#[test]
fn row_numbers_that_are_none_are_named() {
    let model = ids_and_features();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let features = numbers(6, 1);
    let features = Batch::new(&features, &[3, 2]).unwrap();
    for (bad, word) in [(5.0, "5"), (-1.0, "-1"), (2.5, "2.5"), (1e300, "1"), (f64::NAN, "NaN")] {
        let mut ids = row_numbers(12, 5, 1);
        ids[9] = bad;
        let ids = Batch::new(&ids, &[3, 4]).unwrap();
        let x = [ids, features.clone()];
        let parts: &[&str] = if bad.is_nan() { &["NaN"] } else { &["no row of a table of 5"] };
        for error in [
            session.ntk().compute(&x).unwrap_err(),
            session.ntk().method(Method::ForwardMode).compute(&x).unwrap_err(),
            session.ntk().diagonal(&x).unwrap_err(),
            session.run(&x).unwrap_err(),
        ] {
            says(error.clone(), Error::is_value, parts);
            says(error, Error::is_value, &["input 0", word, "entry 1 of sample 2"]);
        }
    }
    // Row numbers must be an input's: what is computed has no row.
    let mut graph = Graph::new(&[3]).unwrap();
    let table = graph.parameter("t", &[5, 2]).unwrap();
    let x = graph.input();
    let h = graph.unary(Tanh, x).unwrap();
    says(graph.embedding(h, table).unwrap_err(), Error::is_unsupported, &["embedding", "straight from an input"]);
}

/// Row numbers beside other numbers in one input. What is no row there is not taken for one.
#[test]
fn row_numbers_in_a_part_of_an_input_are_not_rounded() {
    let mut graph = Graph::new(&[4]).unwrap();
    let table = graph.parameter("t", &[5, 2]).unwrap();
    let x = graph.input();
    let ids = graph.slice(x, 0, 1..3).unwrap();
    let h = graph.embedding(ids, table).unwrap();
    let h = graph.unary(Tanh, h).unwrap();
    let y = read_out(&mut graph, h, 2);
    let model = filled(Model::new(graph, y).unwrap());
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let by = |ids: [f64; 2]| session.ntk().compute(&Batch::new(&[0.3, ids[0], ids[1], -7.5], &[1, 4]).unwrap());
    assert!(by([4.0, 0.0]).is_ok());
    for bad in [[5.0, 0.0], [-1.0, 0.0], [0.0, 2.4]] {
        says(by(bad).unwrap_err(), Error::is_value, &["not finite"]);
    }
}

/// x minus the mean over the batch, which is said or not.
#[derive(Clone, Debug)]
struct Centre {
    says: bool,
}

impl Op for Centre {
    fn name(&self) -> &'static str {
        "centre"
    }
    fn parse(_: &str, _: &Attributes) -> Option<Result<Self>> {
        None
    }
    fn shape(&self, inputs: &[&[usize]], _: &[&[usize]]) -> Result<Vec<usize>> {
        Ok(inputs[0].to_vec())
    }
    fn forward<B: Arrays>(&self, at: &At<'_, B>) -> B::Tensor {
        let n = at.input_shape(0)[0] as f64;
        let sum = at.arrays.sum(at.inputs[0], &[0]);
        at.arrays.add(at.inputs[0], &at.arrays.affine(&sum, -1.0 / n, 0.0))
    }
    fn pull<B: Arrays>(&self, _: &At<'_, B>, _: &B::Tensor, dy: &B::Tensor, _: usize) -> B::Tensor {
        dy.clone()
    }
    fn mixes_samples(&self) -> Option<&'static str> {
        self.says.then_some("the mean over the batch is subtracted")
    }
    fn cases() -> Vec<Case<Self>> {
        Vec::new()
    }
}

tangent_kernels::ops! {
    /// The crate's ops and one of our own.
    enum Own {
        Builtin(Builtin),
        Centre(Centre),
    }
}

fn centred() -> Model<Own> {
    let mut graph = Graph::<Own>::with_ops(&[&[3]]).unwrap();
    let x = graph.input();
    let weight = graph.parameter("w", &[4, 3]).unwrap();
    let h = graph.linear(x, weight, None).unwrap();
    let h = graph.apply(Centre { says: false }, &[h], &[]).unwrap();
    let y = read_out(&mut graph, h, 2);
    filled(Model::new(graph, y).unwrap())
}

#[test]
fn an_op_that_mixes_samples_is_refused_by_name_before_anything_long() {
    let model = centred();
    let x = numbers(3 * 40, 1);
    let x = Batch::new(&x, &[40, 3]).unwrap();
    let parts = ["centre (op 1)", "samples beside it"];
    for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let steps = AtomicUsize::new(0);
        let count = |_: Progress| {
            steps.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Continue(())
        };
        let ntk = session.ntk().method(method).progress(&count);
        says(ntk.compute(&x).unwrap_err(), Error::is_unsupported, &parts);
        assert_eq!(steps.load(Ordering::Relaxed), 0, "{method} computed something");
        // A refusal is not forgotten.
        says(ntk.compute(&x).unwrap_err(), Error::is_unsupported, &parts);
        says(ntk.diagonal(&x).unwrap_err(), Error::is_unsupported, &parts);
    }
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let single: Vec<f32> = x.as_slice().iter().map(|&x| x as f32).collect();
    let error = session.ntk().compute(&Batch::new(&single, &[40, 3]).unwrap()).unwrap_err();
    says(error, Error::is_unsupported, &parts);
}

/// A sum that cancels keeps nothing but roundings, and products of other sizes have other ones: no sample depends on another.
#[test]
fn results_near_zero_are_not_taken_for_a_mix() {
    let hidden = |read_out: bool| {
        let layers = Sequential::new(&[200], Parameterisation::Standard).linear_without_bias("d1", 50).tanh();
        filled(if read_out { layers.linear_without_bias("d2", 1) } else { layers }.build().unwrap())
    };
    let (features, mut model) = (hidden(false), hidden(true));
    for seed in 0..100 {
        let x: Vec<f32> = numbers(3 * 200, seed).into_iter().map(|x| x as f32 / 8.0).collect();
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        let session = Session::new(&features, Cpu::<f64>::new()).unwrap();
        let h = session.run(&Batch::new(&wide, &[3, 200]).unwrap()).unwrap();
        // A read-out that gives zero for all three samples, but for rounding.
        let mut weights = numbers(50, seed + 3);
        for _ in 0..100 {
            for h in h.chunks_exact(50) {
                let dot = |x: &[f64]| x.iter().zip(h).map(|(x, h)| x * h).sum::<f64>();
                let along = dot(&weights) / dot(h);
                weights.iter_mut().zip(h).for_each(|(w, h)| *w -= along * h);
            }
        }
        model.set("d2.weight", &[1, 50], weights).unwrap();
        let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
        let x = Batch::new(&x, &[3, 200]).unwrap();
        assert!(session.run(&x).unwrap().iter().all(|f| f.abs() < 1e-5));
        session.ntk().compute(&x).unwrap();
    }
}

/// One sample has none beside it: it says nothing about others, before or along the other axis.
#[test]
fn a_sample_alone_does_not_vouch_for_others() {
    let model = centred();
    let x = numbers(3 * 40, 1);
    let x = Batch::new(&x, &[40, 3]).unwrap();
    let parts = ["centre (op 1)", "samples beside it"];
    for few in [0, 1] {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        session.ntk().compute(&x.rows(0..few)).unwrap();
        says(session.ntk().compute(&x).unwrap_err(), Error::is_unsupported, &parts);
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        says(session.ntk().between(&x.rows(0..few), &x).unwrap_err(), Error::is_unsupported, &parts);
    }
}

#[test]
fn ops_that_say_that_they_mix_or_draw_are_refused_when_they_are_recorded() {
    let mut graph = Graph::<Own>::with_ops(&[&[3]]).unwrap();
    let x = graph.input();
    let weight = graph.parameter("w", &[3]).unwrap();
    let centre = Centre { says: true };
    says(
        graph.apply(centre.clone(), &[x], &[]).unwrap_err(),
        Error::is_unsupported,
        &["centre", "mean over the batch"],
    );
    says(graph.derive(centre, &[weight]).unwrap_err(), Error::is_unsupported, &["centre", "mean over the batch"]);
    let own = |op: Builtin| Own::from(op);
    let dropout = Dropout { training: true };
    says(graph.apply(own(dropout.into()), &[x], &[]).unwrap_err(), Error::is_unsupported, &["dropout", "at random"]);
    for (planes, shape) in [(false, &[3][..]), (true, &[3, 2, 2])] {
        let mut graph = Graph::new(shape).unwrap();
        let x = graph.input();
        let norm = if planes { BatchNorm::new2d(1e-5) } else { BatchNorm::new1d(1e-5) };
        let statistics = ["mean", "variance"].map(|name| graph.buffer(name, &[3]).unwrap());
        let mut training = norm;
        training.training = true;
        let error = graph.batch_norm(x, training, None, statistics).unwrap_err();
        says(error, Error::is_unsupported, &[norm.name(), "batch"]);
        assert!(graph.batch_norm(x, norm, None, statistics).is_ok());
        assert_eq!(graph.nodes().len(), 1, "what is refused is not recorded");
    }
}

#[test]
fn a_callback_cancels_every_method_and_the_diagonal() {
    let model = planes();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::of(&model, 40, 1);
    for at in [1, 4] {
        let stop = |progress: Progress| {
            assert!(progress.done <= progress.total);
            if progress.done < at { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
            let ntk = session.ntk().method(method).progress(&stop);
            says(ntk.compute(&data.batches()).unwrap_err(), Error::is_cancelled, &["cancelled at step"]);
            let error = ntk.between(&data.batches(), &data.batches()).unwrap_err();
            says(error, Error::is_cancelled, &["cancelled at step"]);
        }
    }
    let stop = |_: Progress| ControlFlow::Break(());
    says(session.ntk().progress(&stop).diagonal(&data.batches()).unwrap_err(), Error::is_cancelled, &["cancelled"]);
}

#[test]
fn a_pool_s_threads_compute_and_no_others() {
    let model = planes();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let data = Data::of(&model, 40, 1);
    let x = data.batches();
    let name = |pool: &'static str| move |thread: usize| format!("{pool} {thread}");
    let pool =
        |pool, threads| rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name(pool)).build().unwrap();
    let (own, outer) = (pool("own", 2), pool("outer", 1));
    let seen = Mutex::new(HashSet::new());
    let note = |_: Progress| {
        seen.lock().unwrap().insert(std::thread::current().name().unwrap_or("nameless").to_string());
        ControlFlow::Continue(())
    };
    let only = |prefix: &str| {
        let mut seen = seen.lock().unwrap();
        assert!(!seen.is_empty(), "nobody computed");
        assert!(seen.iter().all(|name| name.starts_with(prefix)), "{prefix}: {seen:?}");
        seen.clear();
    };
    for method in Method::ALL.into_iter().filter(|&method| method != Method::ClosedForm) {
        let ntk = session.ntk().method(method).progress(&note);
        let kernel = ntk.clone().pool(&own).compute(&x).unwrap();
        only("own");
        // The option outweighs the pool that the caller is in, which is the default.
        assert_eq!(outer.install(|| ntk.clone().pool(&own).compute(&x)).unwrap(), kernel);
        only("own");
        assert_eq!(outer.install(|| ntk.compute(&x)).unwrap(), kernel);
        only("outer");
        ntk.clone().pool(&own).between(&x, &x).unwrap();
        only("own");
    }
    session.ntk().progress(&note).pool(&own).diagonal(&x).unwrap();
    only("own");
}

#[test]
fn derivatives_that_are_not_finite_are_an_error_that_names_the_component() {
    let mut graph = Graph::new(&[2]).unwrap();
    let [inner, outer] = parameters(&mut graph, [("inner", &[2, 2]), ("outer", &[2, 2])]);
    let x = graph.input();
    let h = graph.linear(x, inner, None).unwrap();
    let h = graph.unary(Sqrt, h).unwrap();
    let y = graph.linear(h, outer, None).unwrap();
    let mut model = Model::new(graph, y).unwrap();
    model.set("inner", &[2, 2], vec![1.0, 0.5, 0.5, 1.0]).unwrap();
    model.set("outer", &[2, 2], vec![1.0; 4]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let mut x = vec![1.0; 40];
    (x[30], x[31]) = (0.0, 0.0); // sample 15
    let x = Batch::new(&x, &[20, 2]).unwrap();
    for outputs in modes(2) {
        for method in Method::ALL {
            let ntk = session.ntk().outputs(outputs).method(method);
            says(ntk.compute(&x).unwrap_err(), Error::is_value, &["inner is not finite"]);
            let error = ntk.clone().components(false).compute(&x).unwrap_err();
            says(error, Error::is_value, &["not finite"]);
            // Wherever it stands, among the rows or the columns, and however many there are of the other.
            for few in [1, 3, 15, 16, 20] {
                let few = x.rows(0..few);
                says(ntk.between(&few, &x).unwrap_err(), Error::is_value, &["inner is not finite"]);
                says(ntk.between(&x, &few).unwrap_err(), Error::is_value, &["inner is not finite"]);
            }
            ntk.compute(&x.rows(0..15)).unwrap();
            ntk.clone().parameters(&["outer"]).compute(&x).unwrap();
        }
        let error = session.ntk().outputs(outputs).diagonal(&x).unwrap_err();
        says(error, Error::is_value, &["not finite"]);
    }
}

#[test]
fn no_sample_and_one_sample_work_in_every_mode() {
    for (name, model) in models() {
        let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
        let [none, one, more] = [0, 1, 17].map(|samples| Data::of(&model, samples, 1));
        let count = model.parameters().len();
        for outputs in modes(3) {
            let (blocks, inner) = match outputs {
                Outputs::Full => (1, 3),
                Outputs::PerOutput => (3, 1),
                _ => (1, 1),
            };
            let want = session.ntk().outputs(outputs).method(Method::FullJacobian).compute(&one.batches()).unwrap();
            for method in Method::ALL.into_iter().filter(|&method| does(method, name)) {
                let what = format!("{name}, {outputs:?}, {method}");
                let ntk = session.ntk().outputs(outputs).method(method);
                let shape = |kernel: Kernel<f64>| (kernel.total().shape(), kernel.components().len());
                let empty = ntk.compute(&none.batches()).unwrap();
                assert!(empty.components().iter().all(|(_, matrix)| matrix.shape() == [blocks, 0, 0]), "{what}");
                assert_eq!(shape(empty), ([blocks, 0, 0], count), "{what}");
                let wide = ntk.between(&none.batches(), &more.batches()).unwrap();
                assert_eq!(shape(wide), ([blocks, 0, 17 * inner], count), "{what}");
                let high = ntk.between(&more.batches(), &none.batches()).unwrap();
                assert_eq!(shape(high), ([blocks, 17 * inner, 0], count), "{what}");
                let kernel = ntk.compute(&one.batches()).unwrap();
                assert_eq!(kernel.total().shape(), [blocks, inner, inner], "{what}");
                assert_close(&kernel, &want, &what);
                assert_close(&ntk.between(&one.batches(), &one.batches()).unwrap(), &want, &what);
            }
            let diagonal = session.ntk().outputs(outputs).diagonal(&none.batches()).unwrap();
            assert!(diagonal.total().is_empty());
            assert_eq!(diagonal.components().len(), count);
            let diagonal = session.ntk().outputs(outputs).diagonal(&one.batches()).unwrap();
            assert_eq!(diagonal.total().len(), blocks * inner, "{name}, {outputs:?}");
        }
        assert!(session.run(&none.batches()).unwrap().is_empty());
        assert!(session.gradient(&none.batches(), &[]).unwrap().iter().all(|(_, list)| list.iter().all(|&x| x == 0.0)));
        assert!(session.jacobian(&none.batches()).unwrap().iter().all(|(_, list)| list.is_empty()));
    }
}
