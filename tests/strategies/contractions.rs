//! Every strategy gives the same kernel.

use super::*;

/// All pairs of a parameter and a strategy that it allows.
fn allowed_strategies(plan: &Plan) -> Vec<(String, Strategy)> {
    let strategies_of = |p: &tangent_kernels::kernel::PlannedParameter| {
        let strategies = p.alternatives.iter().map(|(strategy, _)| *strategy).chain([p.strategy]);
        strategies.map(|strategy| (p.name.clone(), strategy)).collect::<Vec<_>>()
    };
    plan.parameters.iter().flat_map(strategies_of).collect()
}

#[test]
fn every_strategy_gives_the_kernel_of_jacobians() {
    let mut seen = Vec::new();
    for network in networks() {
        let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
        let (x, z) = (network.input(ROWS, 8), network.input(COLUMNS, 9));
        let x = Batch::new(&x, &network.shape(ROWS)).unwrap();
        let z = Batch::new(&z, &network.shape(COLUMNS)).unwrap();
        for outputs in modes(network.model.outputs()) {
            let ntk = || session.ntk().outputs(outputs);
            let rows = ntk().method(Method::FullJacobian);
            let (expected, expected_between) = (rows.compute(&x).unwrap(), rows.between(&x, &z).unwrap());
            let plan = ntk().plan(ROWS).unwrap();
            let allowed = allowed_strategies(&plan);
            let compare = |ntk: Ntk<'_, _, _>, what: String| {
                let what = format!("{}, {outputs:?}, {what}", network.name);
                let kernel = ntk.compute(&x).unwrap();
                assert_close(&kernel, &expected, &what);
                assert_close(&ntk.between(&x, &z).unwrap(), &expected_between, &format!("{what}, between"));
                kernel.manifest().unwrap().plan.clone()
            };
            compare(ntk(), "the strategies of the plan".into());
            for (name, strategy) in &allowed {
                let taken = compare(ntk().force(name, *strategy), format!("{name} by {strategy}"));
                assert_eq!(taken.parameters.iter().find(|p| &p.name == name).unwrap().strategy, *strategy);
                seen.push(*strategy);
            }
            for strategy in Strategy::ALL {
                let can = |name: &str| allowed.contains(&(name.to_string(), strategy));
                if plan.parameters.iter().any(|p| can(&p.name)) {
                    let taken = compare(ntk().force("*", strategy), format!("all by {strategy}"));
                    assert!(taken.parameters.iter().all(|p| (p.strategy == strategy) == can(&p.name)));
                } else {
                    let error = ntk().force("*", strategy).compute(&x).unwrap_err();
                    let message = error.to_string();
                    assert!(
                        error.is_unsupported() && message.contains("'*'") && message.contains(strategy.name()),
                        "{error}"
                    );
                }
            }
        }
    }
    for strategy in Strategy::ALL {
        assert!(seen.contains(&strategy), "no network uses the strategy {strategy}");
    }
}

#[test]
fn a_strategy_that_a_parameter_does_not_allow_is_an_error_that_names_both() {
    let network = mlp(2);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    for (pattern, strategy) in
        [("d1.*", Strategy::Join), ("d2.bias", Strategy::Hadamard), ("d1.weight", Strategy::ReadOut)]
    {
        let error = session.ntk().force(pattern, strategy).plan(10).unwrap_err();
        assert!(error.is_unsupported(), "{error:?}");
        assert!(error.to_string().contains(pattern) && error.to_string().contains(strategy.name()), "{error}");
    }
    let error = session.ntk().force("d9", Strategy::Hadamard).plan(10).unwrap_err();
    assert!(error.is_name() && error.to_string().contains("'d9'"), "{error:?}");
    for strategy in Strategy::ALL {
        assert_eq!(strategy.name().parse::<Strategy>().unwrap(), strategy);
    }
    assert!("fast".parse::<Strategy>().unwrap_err().to_string().contains("materialise"));
}

#[test]
fn the_later_of_two_forced_strategies_counts() {
    let network = tokens(9, 3, 2);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let plan =
        session.ntk().force("*", Strategy::Materialise).force("mixed.weight", Strategy::PositionPairs).plan(9).unwrap();
    for p in &plan.parameters {
        let expected = if p.name == "mixed.weight" { Strategy::PositionPairs } else { Strategy::Materialise };
        assert_eq!(p.strategy, expected, "{}", p.name);
    }
}

/// A block whose forward pass is split into chunks, whose panels are then joined.
#[test]
fn strategies_agree_if_blocks_run_in_chunks() {
    const SAMPLES: usize = 17;
    let network = sentences(400, 24, 2);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let x = network.input(SAMPLES, 3);
    let x = Batch::new(&x, &network.shape(SAMPLES)).unwrap();
    for outputs in [Outputs::TraceSum, Outputs::PerOutput] {
        let ntk = || session.ntk().outputs(outputs);
        let plan = ntk().plan(SAMPLES).unwrap();
        assert!(
            plan.chunk < plan.block && plan.block < SAMPLES,
            "chunks of {} in blocks of {}",
            plan.chunk,
            plan.block
        );
        let expected = ntk().method(Method::FullJacobian).compute(&x).unwrap();
        for (name, strategy) in allowed_strategies(&plan) {
            let kernel = ntk().force(&name, strategy).compute(&x).unwrap();
            assert_close(&kernel, &expected, &format!("{outputs:?}, {name} by {strategy}"));
        }
    }
}
