//! Plans: the chosen strategies, the table and the JSON.

use super::*;

#[test]
fn a_plan_is_the_same_for_any_number_of_threads_and_the_run_follows_it() {
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f32>::new()).unwrap();
        let (x, z) = (network.input(ROWS, 8), network.input(COLUMNS, 9));
        let x = Batch::new(&x, &network.shape(ROWS)).unwrap();
        let z = Batch::new(&z, &network.shape(COLUMNS)).unwrap();
        let pools = [1, 2].map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap());
        for outputs in modes(network.model.outputs()) {
            let ntk = || session.ntk().outputs(outputs);
            let (plan, between) = (ntk().plan(ROWS).unwrap(), ntk().plan_between(ROWS, COLUMNS).unwrap());
            assert_eq!(plan.samples, (ROWS, None));
            assert_eq!(between.samples, (ROWS, Some(COLUMNS)));
            for pool in &pools {
                assert_eq!(pool.install(|| ntk().plan(ROWS)).unwrap(), plan, "{}", network.name);
                let kernel = ntk().pool(pool).compute(&x).unwrap();
                assert_eq!(kernel.manifest().unwrap().plan, plan, "{}, {outputs:?}", network.name);
                let kernel = ntk().pool(pool).between(&x, &z).unwrap();
                assert_eq!(kernel.manifest().unwrap().plan, between, "{}, {outputs:?}", network.name);
            }
        }
    }
}

#[test]
fn the_cheapest_strategy_is_taken_and_other_rates_change_the_plan() {
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        let plan = session.ntk().plan(1000).unwrap();
        for p in &plan.parameters {
            let mut last = p.seconds;
            for (strategy, seconds) in &p.alternatives {
                assert!(*seconds >= last, "{}: {} by {strategy}", network.name, p.name);
                last = *seconds;
            }
        }
    }
    // Gradients are formed if that is almost free, and not if it is very expensive.
    let network = tokens(6, 6, 1);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let strategy = |forming: f64| {
        let mut rates = Rates::shipped::<f64>();
        (rates.forming, rates.entries) = (forming, 1e15);
        let plan = session.ntk().rates(rates).plan(200).unwrap();
        assert_eq!(plan.rates, rates);
        plan.parameters.iter().find(|p| p.name == "token.weight").unwrap().strategy
    };
    assert_eq!(strategy(1e15), Strategy::Materialise);
    assert_ne!(strategy(1e3), Strategy::Materialise);
}

#[test]
fn a_plan_is_json() {
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f32>::new()).unwrap();
        let plan = session.ntk().memory_budget(1 << 30).plan_between(7, 5).unwrap();
        let json: Json = serde_json::from_str(&plan.to_json()).unwrap();
        assert_eq!(json["precision"], "f32");
        assert_eq!(json["outputs"], "Full");
        assert_eq!(json["samples"], serde_json::json!([7, 5]));
        assert_eq!(json["block"], plan.block);
        assert_eq!(json["chunk"], plan.chunk);
        assert_eq!(json["budget_bytes"], 1 << 30);
        // serde_json may read the last bit of a number wrong.
        let number = |json: &Json, name: &str| json[name].as_f64().unwrap_or_else(|| panic!("{name} is not a number"));
        let same = |x: f64, y: f64| assert!((x - y).abs() <= 1e-15 * y.abs(), "{x:e} {y:e}");
        same(number(&json, "forward_flops"), plan.forward_flops);
        same(number(&json, "reverse_flops"), plan.reverse_flops);
        same(number(&json, "result_bytes"), plan.result_bytes);
        same(number(&json, "thread_bytes"), plan.thread_bytes);
        assert_eq!((&json["tall"], &json["wide"]), (&plan.tall.into(), &plan.wide.into()));
        assert_eq!(json["resident"], plan.resident);
        same(number(&json["rates"], "product"), plan.rates.product);
        let list = json["parameters"].as_array().unwrap();
        assert_eq!(list.len(), plan.parameters.len());
        for (json, p) in list.iter().zip(&plan.parameters) {
            assert_eq!(json["name"], p.name);
            assert_eq!(json["shape"], serde_json::json!(p.shape));
            assert_eq!((&json["uses"], &json["positions"]), (&p.uses.into(), &p.positions.into()));
            assert_eq!(json["strategy"], p.strategy.name());
            for (name, value) in [
                ("forming_flops", p.forming_flops),
                ("gram_flops", p.gram_flops),
                ("bytes", p.bytes),
                ("seconds", p.seconds),
            ] {
                same(number(json, name), value);
            }
            assert_eq!(json["alternatives"].as_object().unwrap().len(), p.alternatives.len());
            for (strategy, seconds) in &p.alternatives {
                same(number(&json["alternatives"], strategy.name()), *seconds);
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
fn names_of_any_characters_are_json() {
    let name = "w \u{e9} \"of\" a\\b\n\u{1}\u{1f} ";
    let model = Model::from_fn(&[&[3]], |graph, inputs| {
        let weight = graph.parameter_filled(name, &[1, 3], 0.5)?;
        graph.linear(inputs[0], weight, None)
    });
    let model = model.unwrap();
    let plan = Session::new(&model, Cpu::<f32>::new()).unwrap().ntk().plan(2).unwrap();
    let json: Json = serde_json::from_str(&plan.to_json()).unwrap();
    assert_eq!(json["parameters"][0]["name"], name);
}

/// A layer from 3 numbers to one in f64: products of 3 for every pair of samples, and 3 features of every sample in
/// memory.
#[test]
fn sizes_and_times_have_units() {
    let model = Model::from_fn(&[&[3]], |graph, inputs| {
        let weight = graph.parameter_filled("weight", &[1, 3], 0.5)?;
        let bias = graph.parameter_filled("bias", &[1], 0.5)?;
        graph.linear(inputs[0], weight, Some(bias))
    });
    let model = model.unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let mut rates = Rates::shipped::<f64>();
    rates.product = 1e12;
    let line = |samples: usize, name: &str| {
        let table = session.ntk().components(false).rates(rates).plan_between(samples, 1000).unwrap().to_string();
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_string).collect::<Vec<_>>().join(" ")
    };
    // 6 flops per pair.
    let line_of_parameter = line(1_000, "weight");
    assert!(line_of_parameter.contains("read-out - 6.00 M 48.0 kB 6.0 us"), "{line_of_parameter}");
    let line_of_parameter = line(1_000_000, "weight");
    assert!(line_of_parameter.contains("read-out - 6.00 G 24.0 MB 6.00 ms"), "{line_of_parameter}");
    let line_of_parameter = line(1_000_000_000, "weight");
    assert!(line_of_parameter.contains("read-out - 6.00 T 24.00 GB 6.00 s"), "{line_of_parameter}");
    let line_of_parameter = line(1_000, "bias");
    assert!(
        line_of_parameter.contains("read-out - - - -") && line_of_parameter.ends_with("materialise"),
        "{line_of_parameter}"
    );
    assert!(line(1_000, "kernel").starts_with("kernel of 1000 x 1000 samples"));
}

#[test]
fn a_plan_is_a_table_with_every_parameter() {
    let network = planes(3);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let plan = session.ntk().plan(500).unwrap();
    let table = plan.to_string();
    for p in &plan.parameters {
        let line = table.lines().find(|line| line.starts_with(&p.name)).unwrap();
        assert!(line.contains(p.strategy.name()), "{line}");
    }
}

/// Large weights are read for many samples at once, and weights with many positions for few. The predicted time of
/// passes is that of their products, not that of reading the weights for every sample.
#[test]
fn passes_are_over_enough_samples_for_their_weights() {
    let wide = mlp_h();
    let plan = Session::new(&wide, Cpu::<f32>::new()).unwrap().ntk().plan(5000).unwrap();
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
    let plan = Session::new(&planes, Cpu::<f32>::new()).unwrap().ntk().plan(5000).unwrap();
    assert!((1..40).contains(&plan.chunk), "{} samples", plan.chunk);
}
