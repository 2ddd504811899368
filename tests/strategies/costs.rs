//! Compares the costs of strategies with counts by hand, per sample and per pair of samples. There are C outputs, t
//! positions, g groups, i input and o output features, and a weight has p = g i o entries. A multiplication and its
//! addition are two flops.

use super::*;

/// Counts by hand of one strategy. The first three are per sample, the next two per pair of samples.
#[derive(Clone, Copy, Default)]
struct ByHand {
    forming: f64,
    touched: f64,
    resident: f64,
    gram: f64,
    /// Entries between two products, in cache.
    between: f64,
    /// True if the product is over positions.
    positions: bool,
}

/// Rates that are different powers of two.
fn rates() -> Rates {
    let mut rates = Rates::shipped::<f64>();
    (rates.product, rates.positions, rates.forming, rates.entries) = (8.0, 4.0, 2.0, 0.5);
    rates
}

/// Checks every count and the predicted time for K(X, X) of 10 samples and K(X, Z) of 4 and 3.
fn assert_costs(model: &Model, outputs: Outputs, parameter: &str, strategy: Strategy, by_hand: ByHand) {
    let session = Session::new(model, Cpu::<f64>::new()).unwrap();
    let ntk = || session.ntk().outputs(outputs).force(parameter, strategy).rates(rates());
    let cases = [(ntk().plan(10).unwrap(), 10.0, 55.0), (ntk().plan_between(4, 3).unwrap(), 7.0, 12.0)];
    for (plan, samples, pairs) in cases {
        let found = plan.parameters.iter().find(|p| p.name == parameter).unwrap();
        let ByHand { forming, touched, resident, gram, between, positions } = by_hand;
        let seconds = samples * (forming / 2.0 + touched / 0.5)
            + pairs * (gram / if positions { 4.0 } else { 8.0 } + between / (16.0 * 0.5));
        let what = format!("{parameter} by {strategy}, {outputs:?}, {samples} samples");
        assert_eq!(found.strategy, strategy, "{what}");
        assert_eq!(found.forming_flops, samples * forming, "flops of forming, {what}");
        assert_eq!(found.gram_flops, pairs * gram, "flops for pairs, {what}");
        assert_eq!(found.bytes, 8.0 * samples * resident, "bytes, {what}");
        assert!((found.seconds - seconds).abs() <= 1e-12 * seconds, "{} s, by hand {seconds} s, {what}", found.seconds);
        let all = plan.parameters.iter().map(|p| p.gram_flops).sum::<f64>();
        let formed = plan.parameters.iter().map(|p| p.forming_flops).sum::<f64>();
        assert_eq!(plan.gram_flops(), all);
        assert_eq!(plan.flops(), plan.forward_flops + plan.reverse_flops + formed + all);
        assert_eq!(plan.seconds(), plan.passes_seconds + plan.parameters.iter().map(|p| p.seconds).sum::<f64>());
    }
}

fn model(shape: &[&[usize]], record: impl FnOnce(&mut Graph, &[Value]) -> Result<Value>) -> Model {
    filled(Model::from_fn(shape, record).unwrap())
}

/// 5 - 7 - 3 with biases.
fn small_mlp() -> Model {
    model(&[&[5]], |graph, inputs| {
        let [w1, b1, w2, b2] = parameters(graph, [("w1", &[7, 5]), ("b1", &[7]), ("w2", &[3, 7]), ("b2", &[3])]);
        let h = graph.linear(inputs[0], w1, Some(b1))?;
        let h = graph.unary(Tanh, h)?;
        graph.linear(h, w2, Some(b2))
    })
}

#[test]
fn layers_at_one_position() {
    let model = small_mlp();
    let (full, one, sum) = (Outputs::Full, Outputs::Output(1), Outputs::TraceSum);
    // a . a' once, b . b' for every pair of outputs with a product: 9, 1, or 3 numbers that are summed as one product.
    let outer = |c_squared: f64, seeds: f64, between: f64| ByHand {
        resident: 5.0 + 7.0 * seeds,
        gram: 2.0 * (5.0 + 7.0 * c_squared),
        between,
        ..ByHand::default()
    };
    assert_costs(&model, full, "w1", Strategy::Hadamard, outer(9.0, 3.0, 9.0));
    assert_costs(&model, one, "w1", Strategy::Hadamard, outer(1.0, 1.0, 1.0));
    assert_costs(&model, sum, "w1", Strategy::Hadamard, outer(3.0, 3.0, 1.0));
    assert_costs(&model, Outputs::PerOutput, "w1", Strategy::Hadamard, outer(3.0, 3.0, 3.0));
    // 35 entries of every output's gradient.
    let multiplied = |c_squared: f64, seeds: f64| ByHand {
        forming: 2.0 * seeds * 35.0,
        touched: seeds * 35.0,
        resident: seeds * 35.0,
        gram: 2.0 * c_squared * 35.0,
        ..ByHand::default()
    };
    assert_costs(&model, full, "w1", Strategy::Materialise, multiplied(9.0, 3.0));
    assert_costs(&model, one, "w1", Strategy::Materialise, multiplied(1.0, 1.0));
    assert_costs(&model, sum, "w1", Strategy::Materialise, multiplied(3.0, 3.0));
    // A bias has its gradient: 7 entries, which are read in order and then resident.
    let bias = ByHand { touched: 3.0 * (7.0 + 7.0 / 16.0), resident: 21.0, gram: 2.0 * 9.0 * 7.0, ..ByHand::default() };
    assert_costs(&model, full, "b1", Strategy::Materialise, bias);
    // Outputs of a last layer have a product only with themselves, in every mode: a . a' is all.
    for outputs in [full, one, sum] {
        let features = ByHand { resident: 7.0, gram: 14.0, ..ByHand::default() };
        assert_costs(&model, outputs, "w2", Strategy::ReadOut, features);
        assert_costs(&model, outputs, "b2", Strategy::ReadOut, ByHand::default());
    }
}

/// A 3 x 3 convolution of planes of 4 x 4, and two outputs.
fn small_cnn(channels: [usize; 2], groups: usize) -> Model {
    model(&[&[channels[0], 4, 4]], |graph, inputs| {
        let shape = [channels[1], channels[0] / groups, 3, 3];
        let [kernel, out] = parameters(graph, [("kernel", &shape), ("out", &[2, channels[1]])]);
        let x = graph.conv2d(inputs[0], Conv2d::new().padding([1, 1]).groups(groups), kernel, None)?;
        let x = graph.unary(Tanh, x)?;
        let x = graph.global_avg_pool2d(x)?;
        graph.linear(x, out, None)
    })
}

#[test]
fn layers_at_many_positions() {
    let model = small_cnn([2, 3], 1);
    let (t, i, o, p) = (16.0, 18.0, 3.0, 54.0);
    // For one output a[t] . a'[u] and b[t] . b'[u] for all pairs of positions, and their product.
    let one = |features: f64| ByHand {
        resident: t * (i + features),
        gram: 2.0 * t * t * (i + features),
        between: 2.0 * t * t,
        positions: true,
        ..ByHand::default()
    };
    assert_costs(&model, Outputs::Output(0), "kernel", Strategy::PositionPairs, one(o));
    assert_costs(&model, Outputs::TraceSum, "kernel", Strategy::PositionPairs, one(2.0 * o));
    // For every pair of two outputs: (a a'^T) b' first, for each of the two, then b with the result.
    let full = ByHand {
        resident: t * (i + 2.0 * o),
        gram: 2.0 * (t * t * i + 2.0 * t * t * o + 4.0 * t * o),
        between: 2.0 * t * o,
        positions: true,
        ..ByHand::default()
    };
    assert_costs(&model, Outputs::Full, "kernel", Strategy::PositionPairs, full);
    // The gradient of one sample is contracted with the operands of the other: (G a) . b.
    let mixed = |c: f64, summed: f64, seeds: f64| ByHand {
        forming: 2.0 * seeds * t * p,
        resident: seeds * p + t * (i + seeds * o),
        touched: seeds * p + t * (i + seeds * o),
        gram: 2.0 * (t * i * c * summed * o + c * c * t * summed * o),
        between: c * t * summed * o,
        positions: true,
    };
    assert_costs(&model, Outputs::Full, "kernel", Strategy::Mixed, mixed(2.0, 1.0, 2.0));
    assert_costs(&model, Outputs::Output(1), "kernel", Strategy::Mixed, mixed(1.0, 1.0, 1.0));
    assert_costs(&model, Outputs::TraceSum, "kernel", Strategy::Mixed, mixed(1.0, 2.0, 2.0));
    let multiplied = ByHand {
        forming: 2.0 * 2.0 * t * p,
        touched: 2.0 * p,
        resident: 2.0 * p,
        gram: 2.0 * 4.0 * p,
        ..ByHand::default()
    };
    assert_costs(&model, Outputs::Full, "kernel", Strategy::Materialise, multiplied);
}

#[test]
fn groups_meet_themselves() {
    let model = small_cnn([2, 4], 2);
    let (g, t, i, o, p) = (2.0, 16.0, 9.0, 2.0, 36.0);
    let one = ByHand {
        resident: g * t * (i + o),
        gram: 2.0 * g * t * t * (i + o),
        between: 2.0 * g * t * t,
        positions: true,
        ..ByHand::default()
    };
    assert_costs(&model, Outputs::Output(0), "kernel", Strategy::PositionPairs, one);
    let full = ByHand {
        resident: g * t * (i + 2.0 * o),
        gram: 2.0 * g * (t * t * i + 2.0 * t * t * o + 4.0 * t * o),
        between: 2.0 * g * t * o,
        positions: true,
        ..ByHand::default()
    };
    assert_costs(&model, Outputs::Full, "kernel", Strategy::PositionPairs, full);
    let multiplied = ByHand { forming: 2.0 * t * p, touched: p, resident: p, gram: 2.0 * p, ..ByHand::default() };
    assert_costs(&model, Outputs::Output(0), "kernel", Strategy::Materialise, multiplied);
}

#[test]
fn rows_of_a_table() {
    // Five rows of twenty, four wide: two samples have 5 * 5 / 20 pairs of the same row in common.
    let table = |rows: usize| {
        model(&[&[5]], |graph, inputs| {
            let [table, out] = parameters(graph, [("table", &[rows, 4]), ("out", &[2, 20])]);
            let x = graph.embedding(inputs[0], table)?;
            let x = graph.flatten(x)?;
            let x = graph.unary(Tanh, x)?;
            graph.linear(x, out, None)
        })
    };
    let join = |c_squared: f64, seeds: f64, common: f64| ByHand {
        touched: 4.0 * seeds * 20.0,
        resident: seeds * 20.0,
        gram: 2.0 * common * c_squared * 4.0,
        positions: true,
        ..ByHand::default()
    };
    assert_costs(&table(20), Outputs::Full, "table", Strategy::Join, join(4.0, 2.0, 1.25));
    assert_costs(&table(20), Outputs::TraceSum, "table", Strategy::Join, join(2.0, 2.0, 1.25));
    // With a table of two rows, at most all five positions are in common.
    assert_costs(&table(2), Outputs::Output(0), "table", Strategy::Join, join(1.0, 1.0, 5.0));
    let multiplied =
        ByHand { touched: 2.0 * (80.0 + 20.0), resident: 2.0 * 80.0, gram: 2.0 * 4.0 * 80.0, ..ByHand::default() };
    assert_costs(&table(20), Outputs::Full, "table", Strategy::Materialise, multiplied);
}

/// One matrix that is used as it is and transposed.
#[test]
fn a_weight_and_its_transpose() {
    let model = model(&[&[5]], |graph, inputs| {
        let [w] = parameters(graph, [("w", &[7, 5])]);
        let h = graph.linear(inputs[0], w, None)?;
        let h = graph.unary(Tanh, h)?;
        let transposed = graph.derive(Permute::new([1, 0]), &[w])?;
        graph.linear(h, transposed, None)
    });
    let c = 5.0;
    let by_hand = ByHand {
        resident: (5.0 + c * 7.0) + (7.0 + c * 5.0),
        // Both uses with themselves, then either with the other: a . b' and b . a' for every output of one.
        gram: 2.0 * (5.0 + c * c * 7.0) + 2.0 * (7.0 + c * c * 5.0) + 4.0 * c * 5.0 + 4.0 * c * 7.0,
        between: 4.0 * c * c,
        ..ByHand::default()
    };
    assert_costs(&model, Outputs::Full, "w", Strategy::Hadamard, by_hand);
}

/// 66 entries of gradients for each of three outputs, of which the largest parameter has 35.
#[test]
fn jacobians_that_are_held() {
    let model = small_mlp();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let resident = |method: Method| session.ntk().method(method).plan(10).unwrap().resident_bytes;
    assert_eq!(resident(Method::FullJacobian), 8.0 * 10.0 * 3.0 * 66.0);
    assert_eq!(resident(Method::Layerwise), 8.0 * 10.0 * 3.0 * 35.0);
}
