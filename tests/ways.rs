//! Plans: every way that a parameter can be forced to go gives the kernel of multiplied-out Jacobians, and plans keep what
//! they promise.

use serde_json::Value as Json;
use tangent_kernels::kernel::{Plan, Rates, Way, worst_difference};
use tangent_kernels::ops::{AvgPool2d, Conv1d, Conv2d, ConvTranspose2d, LayerNorm};
use tangent_kernels::tape::Value;
use tangent_kernels::unary::{Silu, Tanh};
use tangent_kernels::{
    Batch, Cpu, Graph, Kernel, Method, Model, Ntk, Outputs, Parameterisation, Real, Sequential, Session,
};

/// More than one block of samples, in rows and in columns, of unlike numbers.
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
        numbers(count, seed).into_iter().map(|x| R::of(number(x))).collect()
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

fn parameters<const N: usize>(graph: &mut Graph, list: [(&str, &[usize]); N]) -> [tangent_kernels::tape::Parameter; N] {
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
    let model = Sequential::mlp(&[6, 7, 5, outputs], Silu, true, Parameterisation::Ntk).unwrap();
    Network { name: format!("mlp, {outputs} outputs"), model: filled(model), table: None }
}

/// A weight that meets itself and its own transpose, one position each.
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
    let of = |outputs| {
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
    [1, 3].into_iter().flat_map(of).collect()
}

fn modes(outputs: usize) -> [Outputs; 6] {
    use Outputs::*;
    [Full, TraceSum, TraceMean, PerOutput, Output(outputs - 1), SumOfOutputs]
}

#[track_caller]
fn assert_close(got: &Kernel<f64>, want: &Kernel<f64>, what: &str) {
    let (error, component) = worst_difference(got, want).unwrap();
    assert!(error < 1e-12, "{what}: {error:.2e} at {component}");
}

/// A parameter and a way that it can go.
fn all_ways(plan: &Plan) -> Vec<(String, Way)> {
    let of = |p: &tangent_kernels::kernel::PlannedParameter| {
        let ways = p.alternatives.iter().map(|(way, _)| *way).chain([p.way]);
        ways.map(|way| (p.name.clone(), way)).collect::<Vec<_>>()
    };
    plan.parameters.iter().flat_map(of).collect()
}

#[test]
fn every_way_gives_the_kernel_of_jacobians() {
    let mut seen = Vec::new();
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        let (x, z) = (network.input(ROWS, 8), network.input(COLUMNS, 9));
        let x = Batch::new(&x, &network.shape(ROWS)).unwrap();
        let z = Batch::new(&z, &network.shape(COLUMNS)).unwrap();
        for outputs in modes(network.model.outputs()) {
            let ntk = || session.ntk().outputs(outputs);
            let rows = ntk().method(Method::FullJacobian);
            let (want, want_between) = (rows.compute(&x).unwrap(), rows.between(&x, &z).unwrap());
            let plan = ntk().explain(ROWS).unwrap();
            let allowed = all_ways(&plan);
            let compare = |ntk: Ntk<'_, _, _>, what: String| {
                let what = format!("{}, {outputs:?}, {what}", network.name);
                let kernel = ntk.compute(&x).unwrap();
                assert_close(&kernel, &want, &what);
                assert_close(&ntk.between(&x, &z).unwrap(), &want_between, &format!("{what}, between"));
                kernel.manifest().unwrap().plan.clone()
            };
            compare(ntk(), "the plan's own ways".into());
            for (name, way) in &allowed {
                let taken = compare(ntk().force(name, *way), format!("{name} by {way}"));
                assert_eq!(taken.parameters.iter().find(|p| &p.name == name).unwrap().way, *way);
                seen.push(*way);
            }
            for way in Way::ALL {
                let can = |name: &str| allowed.contains(&(name.to_string(), way));
                if plan.parameters.iter().any(|p| can(&p.name)) {
                    let taken = compare(ntk().force("*", way), format!("all by {way}"));
                    assert!(taken.parameters.iter().all(|p| (p.way == way) == can(&p.name)));
                } else {
                    let error = ntk().force("*", way).compute(&x).unwrap_err();
                    let message = error.to_string();
                    assert!(
                        error.is_unsupported() && message.contains("'*'") && message.contains(way.name()),
                        "{error}"
                    );
                }
            }
        }
    }
    for way in Way::ALL {
        assert!(seen.contains(&way), "no network goes the way {way}");
    }
}

#[test]
fn a_way_that_a_parameter_cannot_go_is_an_error_that_names_both() {
    let network = mlp(2);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    for (pattern, way) in [("d1.*", Way::Join), ("d2.bias", Way::Outer), ("d1.weight", Way::ReadOut)] {
        let error = session.ntk().force(pattern, way).explain(10).unwrap_err();
        assert!(error.is_unsupported(), "{error:?}");
        assert!(error.to_string().contains(pattern) && error.to_string().contains(way.name()), "{error}");
    }
    let error = session.ntk().force("d9", Way::Outer).explain(10).unwrap_err();
    assert!(error.is_name() && error.to_string().contains("'d9'"), "{error:?}");
    for way in Way::ALL {
        assert_eq!(way.name().parse::<Way>().unwrap(), way);
    }
    assert!("fast".parse::<Way>().unwrap_err().to_string().contains("multiply-out"));
}

#[test]
fn the_later_of_two_forced_ways_counts() {
    let network = tokens(9, 3, 2);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let plan = session.ntk().force("*", Way::MultiplyOut).force("mixed.weight", Way::PairPositions).explain(9).unwrap();
    for p in &plan.parameters {
        let want = if p.name == "mixed.weight" { Way::PairPositions } else { Way::MultiplyOut };
        assert_eq!(p.way, want, "{}", p.name);
    }
}

/// A block whose forward pass is cut into parts, whose panels are put together again.
#[test]
fn ways_survive_blocks_that_are_run_in_parts() {
    const SAMPLES: usize = 17;
    let network = sentences(400, 24, 2);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let x = network.input(SAMPLES, 3);
    let x = Batch::new(&x, &network.shape(SAMPLES)).unwrap();
    for outputs in [Outputs::TraceSum, Outputs::PerOutput] {
        let ntk = || session.ntk().outputs(outputs);
        let plan = ntk().explain(SAMPLES).unwrap();
        assert!(
            plan.chunk < plan.block && plan.block < SAMPLES,
            "chunks of {} in blocks of {}",
            plan.chunk,
            plan.block
        );
        let want = ntk().method(Method::FullJacobian).compute(&x).unwrap();
        for (name, way) in all_ways(&plan) {
            let kernel = ntk().force(&name, way).compute(&x).unwrap();
            assert_close(&kernel, &want, &format!("{outputs:?}, {name} by {way}"));
        }
    }
}

#[test]
fn a_plan_is_the_same_for_any_number_of_threads_and_is_the_one_that_is_followed() {
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f32>::new()).unwrap();
        let (x, z) = (network.input(ROWS, 8), network.input(COLUMNS, 9));
        let x = Batch::new(&x, &network.shape(ROWS)).unwrap();
        let z = Batch::new(&z, &network.shape(COLUMNS)).unwrap();
        let pools = [1, 2].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
        for outputs in modes(network.model.outputs()) {
            let ntk = || session.ntk().outputs(outputs);
            let (plan, between) = (ntk().explain(ROWS).unwrap(), ntk().explain_between(ROWS, COLUMNS).unwrap());
            assert_eq!(plan.samples, (ROWS, None));
            assert_eq!(between.samples, (ROWS, Some(COLUMNS)));
            for pool in &pools {
                assert_eq!(pool.install(|| ntk().explain(ROWS)).unwrap(), plan, "{}", network.name);
                let kernel = ntk().pool(pool).compute(&x).unwrap();
                assert_eq!(kernel.manifest().unwrap().plan, plan, "{}, {outputs:?}", network.name);
                let kernel = ntk().pool(pool).between(&x, &z).unwrap();
                assert_eq!(kernel.manifest().unwrap().plan, between, "{}, {outputs:?}", network.name);
            }
        }
    }
}

#[test]
fn the_cheapest_way_is_taken_and_other_rates_make_another_plan() {
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        let plan = session.ntk().explain(1000).unwrap();
        for p in &plan.parameters {
            let mut last = p.seconds;
            for (way, seconds) in &p.alternatives {
                assert!(*seconds >= last, "{}: {} by {way}", network.name, p.name);
                last = *seconds;
            }
        }
    }
    // Where forming gradients is all but free, they are formed; where it is ruinous, they are not.
    let network = tokens(6, 6, 1);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let way = |forming: f64| {
        let mut rates = Rates::shipped::<f64>();
        (rates.forming, rates.entries) = (forming, 1e15);
        let plan = session.ntk().rates(rates).explain(200).unwrap();
        assert_eq!(plan.rates, rates);
        plan.parameters.iter().find(|p| p.name == "token.weight").unwrap().way
    };
    assert_eq!(way(1e15), Way::MultiplyOut);
    assert_ne!(way(1e3), Way::MultiplyOut);
}

#[test]
fn a_plan_is_json() {
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f32>::new()).unwrap();
        let plan = session.ntk().memory_budget(1 << 30).explain_between(7, 5).unwrap();
        let json: Json = serde_json::from_str(&plan.to_json()).unwrap();
        assert_eq!(json["precision"], "f32");
        assert_eq!(json["outputs"], "Full");
        assert_eq!(json["samples"], serde_json::json!([7, 5]));
        assert_eq!(json["block"], plan.block);
        assert_eq!(json["chunk"], plan.chunk);
        assert_eq!(json["budget_bytes"], 1 << 30);
        // serde_json reads numbers to the last bit but one.
        let number = |json: &Json, name: &str| json[name].as_f64().unwrap_or_else(|| panic!("{name} is no number"));
        let same = |x: f64, y: f64| assert!((x - y).abs() <= 1e-15 * y.abs(), "{x:e} {y:e}");
        same(number(&json, "forward_flops"), plan.forward_flops);
        same(number(&json, "reverse_flops"), plan.reverse_flops);
        same(number(&json, "result_bytes"), plan.result_bytes);
        same(number(&json, "thread_bytes"), plan.thread_bytes);
        assert_eq!((&json["tall"], &json["wide"]), (&plan.tall.into(), &plan.wide.into()));
        assert_eq!(json["held"], plan.held);
        same(number(&json["rates"], "product"), plan.rates.product);
        let list = json["parameters"].as_array().unwrap();
        assert_eq!(list.len(), plan.parameters.len());
        for (json, p) in list.iter().zip(&plan.parameters) {
            assert_eq!(json["name"], p.name);
            assert_eq!(json["shape"], serde_json::json!(p.shape));
            assert_eq!((&json["uses"], &json["positions"]), (&p.uses.into(), &p.positions.into()));
            assert_eq!(json["way"], p.way.name());
            for (name, value) in [
                ("forming_flops", p.forming_flops),
                ("gram_flops", p.gram_flops),
                ("bytes", p.bytes),
                ("seconds", p.seconds),
            ] {
                same(number(json, name), value);
            }
            assert_eq!(json["alternatives"].as_object().unwrap().len(), p.alternatives.len());
            for (way, seconds) in &p.alternatives {
                same(number(&json["alternatives"], way.name()), *seconds);
            }
        }
        let x = network.input::<f32>(3, 1);
        let kernel = session.ntk().outputs(Outputs::Output(0)).compute(&Batch::new(&x, &network.shape(3)).unwrap());
        let manifest = kernel.unwrap().manifest().unwrap().to_json();
        let json: Json = serde_json::from_str(&manifest).unwrap();
        assert_eq!((&json["method"], &json["version"]), (&"structured".into(), &env!("CARGO_PKG_VERSION").into()));
        assert_eq!(json["plan"]["samples"], serde_json::json!([3]));
        assert_eq!(json["plan"]["outputs"], "Output(0)");
        assert!(json["plan"]["budget_bytes"].is_null());
    }
}

#[test]
fn a_plan_is_a_table_with_every_parameter() {
    let network = planes(3);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let plan = session.ntk().explain(500).unwrap();
    let table = plan.to_string();
    for p in &plan.parameters {
        let line = table.lines().find(|line| line.starts_with(&p.name)).unwrap();
        assert!(line.contains(p.way.name()), "{line}");
    }
}

/// Weights that are large are read for many samples at once, those of many positions for few; and the predicted time of
/// passes is that of their products, not of reading the weights for every sample.
#[test]
fn passes_are_over_enough_samples_for_their_weights() {
    let wide = Model::from_fn(&[&[1000]], |graph, inputs| {
        let mut x = inputs[0];
        for name in ["w1", "w2", "w3", "w4", "w5", "w6", "w7", "w8"] {
            let weight = graph.parameter_filled(name, &[1000, 1000], 0.01)?;
            x = graph.linear(x, weight, None)?;
            x = graph.unary(Tanh, x)?;
        }
        let out = graph.parameter_filled("out", &[1, 1000], 0.01)?;
        graph.linear(x, out, None)
    });
    let wide = wide.unwrap();
    let plan = Session::new(&wide, Cpu::<f32>::new()).unwrap().ntk().explain(5000).unwrap();
    assert!((192..=384).contains(&plan.chunk), "{} samples", plan.chunk);
    let products = (plan.forward_flops + plan.reverse_flops) / plan.rates.forming;
    assert!((products..2.0 * products).contains(&plan.passes_seconds), "{} s, {products} s", plan.passes_seconds);

    let planes = Model::from_fn(&[&[16, 64, 64]], |graph, inputs| {
        let weight = graph.parameter_filled("conv", &[16, 16, 3, 3], 0.1)?;
        let x = graph.conv2d(inputs[0], Conv2d::new().padding([1, 1]), weight, None)?;
        let x = graph.global_avg_pool2d(x)?;
        let out = graph.parameter_filled("out", &[1, 16], 0.1)?;
        graph.linear(x, out, None)
    });
    let planes = planes.unwrap();
    let plan = Session::new(&planes, Cpu::<f32>::new()).unwrap().ntk().explain(5000).unwrap();
    assert!((1..40).contains(&plan.chunk), "{} samples", plan.chunk);
}

/// A tight budget takes smaller tiles before it gives a way up.
#[test]
fn a_tight_budget_makes_tiles_smaller_first() {
    let network = mlp(1);
    let session = Session::new(&network.model, Cpu::<f32>::new()).unwrap();
    let ntk = || session.ntk().components(false);
    let free = ntk().explain(20_000).unwrap();
    let sink_free = |plan: &Plan| plan.peak_bytes(1) - plan.result_bytes;
    let tight = ntk().memory_budget((free.result_bytes + 0.6 * sink_free(&free)) as u64).explain(20_000).unwrap();
    assert!(tight.block < free.block, "{} and {}", tight.block, free.block);
    assert_eq!(ways(&tight), ways(&free));
}

/// Lowers the budget to just below what is needed, again and again, until the kernel is refused.
#[test]
fn a_budget_makes_other_ways_go_or_refuses_with_what_is_needed() {
    let (mut turns, mut cuts) = (0, 0);
    // Slow products make gradients go first, of which more is held than of sides.
    let mut slow = Rates::shipped::<f64>();
    (slow.positions, slow.product) = (slow.positions / 100.0, slow.product / 100.0);
    let cases = networks().into_iter().flat_map(|network| {
        let network = std::sync::Arc::new(network);
        [Rates::shipped::<f64>(), slow].map(|rates| (network.clone(), rates))
    });
    for (network, rates) in cases {
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        let x = network.input(ROWS, 8);
        let x = Batch::new(&x, &network.shape(ROWS)).unwrap();
        for outputs in modes(network.model.outputs()) {
            let ntk = || session.ntk().outputs(outputs).rates(rates);
            let want = ntk().method(Method::FullJacobian).compute(&x).unwrap();
            let mut plan = ntk().explain(ROWS).unwrap();
            loop {
                let budget = plan.peak_bytes(1) as u64;
                let enough = ntk().memory_budget(budget).explain(ROWS).unwrap();
                assert_eq!(ways(&enough), ways(&plan), "what is needed is enough: {}", network.name);
                match ntk().memory_budget(budget - 1).compute(&x) {
                    Ok(kernel) => {
                        assert_close(&kernel, &want, &format!("{}, {outputs:?}, {budget} bytes", network.name));
                        let other = kernel.manifest().unwrap().plan.clone();
                        assert!(other.peak_bytes(1) < plan.peak_bytes(1));
                        // Factors are made again before a way is left.
                        let cut = |plan: &Plan| (plan.held, plan.tall, plan.wide);
                        if ways(&other) == ways(&plan) {
                            assert_ne!(cut(&other), cut(&plan));
                            cuts += 1;
                        } else {
                            turns += 1;
                        }
                        plan = other;
                    }
                    Err(error) => {
                        let needed = format!("needs {:.1} kB", plan.peak_bytes(1) / 1e3);
                        assert!(error.is_memory() && error.to_string().contains(&needed), "{error:?}: {needed}");
                        assert!(error.to_string().contains(&format!("budget of {:.1} kB", (budget - 1) as f64 / 1e3)));
                        break;
                    }
                }
            }
            assert!(ntk().memory_budget(0).explain(ROWS).unwrap_err().is_memory());
        }
    }
    assert!(turns > 20, "{turns} times there was a way that holds less");
    assert!(cuts > 10, "{cuts} times there was a cut that holds less");
}

fn ways(plan: &Plan) -> Vec<Way> {
    plan.parameters.iter().map(|p| p.way).collect()
}

#[test]
fn a_budget_does_not_undo_what_was_forced() {
    let network = planes(3);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let forced = || session.ntk().force("grouped.weight", Way::PairPositions);
    let held = |plan: &Plan| plan.peak_bytes(1) as u64;
    let (straight, out) = (
        forced().explain(ROWS).unwrap(),
        session.ntk().force("grouped.weight", Way::MultiplyOut).explain(ROWS).unwrap(),
    );
    assert!(held(&out) < held(&straight), "the test needs a way that holds less");
    let mut budget = held(&straight);
    let error = loop {
        match forced().memory_budget(budget - 1).explain(ROWS) {
            Ok(plan) => {
                assert_eq!(plan.parameters[0].way, Way::PairPositions);
                assert!(held(&plan) < budget, "a plan of {} bytes for {}", held(&plan), budget - 1);
                budget = held(&plan);
            }
            Err(error) => break error,
        }
    };
    assert!(error.is_memory(), "{error:?}");
}
