//! Plans under a memory budget.

use super::*;

/// A tight budget takes smaller tiles before it changes a strategy.
#[test]
fn a_tight_budget_makes_tiles_smaller_first() {
    let network = mlp(1);
    let session = Session::new(&network.model, Cpu::<f32>::new()).unwrap();
    let ntk = || session.ntk().components(false);
    let free = ntk().plan(20_000).unwrap();
    let sink_free = |plan: &Plan| plan.peak_bytes(1) - plan.result_bytes;
    let tight = ntk().memory_budget((free.result_bytes + 0.6 * sink_free(&free)) as u64).plan(20_000).unwrap();
    assert!(tight.block < free.block, "{} and {}", tight.block, free.block);
    assert_eq!(strategies(&tight), strategies(&free));
}

/// Lowers the budget to just below the need, until the kernel is rejected.
#[test]
fn a_budget_changes_strategies_or_is_rejected_with_the_need() {
    let mut strategy_changes = 0;
    let mut partition_changes = 0;
    // Slow products favour gradients, which take more memory than operands.
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
            let expected = ntk().method(Method::FullJacobian).compute(&x).unwrap();
            let mut plan = ntk().plan(ROWS).unwrap();
            loop {
                let budget = plan.peak_bytes(1) as u64;
                let enough = ntk().memory_budget(budget).plan(ROWS).unwrap();
                assert_eq!(strategies(&enough), strategies(&plan), "the need is enough: {}", network.name);
                match ntk().memory_budget(budget - 1).compute(&x) {
                    Ok(kernel) => {
                        assert_close(&kernel, &expected, &format!("{}, {outputs:?}, {budget} bytes", network.name));
                        let other = kernel.manifest().unwrap().plan.clone();
                        assert!(other.peak_bytes(1) < plan.peak_bytes(1));
                        assert_eq!((other.resident, other.computed_samples), resident_and_computed(&other));
                        // Factors are computed again before a strategy changes.
                        let partition = |plan: &Plan| (plan.resident, plan.tall, plan.wide);
                        if strategies(&other) == strategies(&plan) {
                            assert_ne!(partition(&other), partition(&plan));
                            partition_changes += 1;
                        } else {
                            strategy_changes += 1;
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
            assert!(ntk().memory_budget(0).plan(ROWS).unwrap_err().is_memory());
        }
    }
    assert!(strategy_changes > 20, "{strategy_changes} changes of a strategy");
    assert!(partition_changes > 10, "{partition_changes} changes of the partition");
}

/// Four threads would leave room for row blocks of one block, for which factors are computed 26 times. Two threads,
/// which compute them a few times, finish sooner.
#[test]
fn fewer_threads_are_taken_if_factors_would_be_computed_too_often() {
    let model = mlp_h();
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let n = 20_000;
    let result_bytes = 4 * (n * n) as u64;
    let plan = session.ntk().components(false).memory_budget(result_bytes + (512 << 20)).plan(n).unwrap();
    assert!(!plan.is_resident() && plan.peak_bytes(2) <= (result_bytes + (512 << 20)) as f64, "{plan}");
    assert!(plan.computed_samples < 10.0 * n as f64, "{plan}");
}

/// The resident samples and the computed samples of a symmetric kernel, by a loop over its row blocks.
fn resident_and_computed(plan: &Plan) -> (usize, f64) {
    let n = plan.samples.0;
    if plan.is_resident() {
        return (n, n as f64);
    }
    let row_block = plan.tall * plan.block;
    let mut start = 0;
    let mut computed = 0;
    while start < n {
        // The columns of the row block, and all to its right.
        computed += n - start;
        start += row_block;
    }
    (row_block.min(n), computed as f64)
}

fn strategies(plan: &Plan) -> Vec<Strategy> {
    plan.parameters.iter().map(|p| p.strategy).collect()
}

#[test]
fn a_budget_does_not_change_a_forced_strategy() {
    let network = planes(3);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let forced = || session.ntk().force("grouped.weight", Strategy::PositionPairs);
    let needed = |plan: &Plan| plan.peak_bytes(1) as u64;
    let (pairs, materialised) = (
        forced().plan(ROWS).unwrap(),
        session.ntk().force("grouped.weight", Strategy::Materialise).plan(ROWS).unwrap(),
    );
    assert!(needed(&materialised) < needed(&pairs), "the test needs a strategy that takes less memory");
    let mut budget = needed(&pairs);
    let error = loop {
        match forced().memory_budget(budget - 1).plan(ROWS) {
            Ok(plan) => {
                assert_eq!(plan.parameters[0].strategy, Strategy::PositionPairs);
                assert!(needed(&plan) < budget, "a plan of {} bytes for {}", needed(&plan), budget - 1);
                budget = needed(&plan);
            }
            Err(error) => break error,
        }
    };
    assert!(error.is_memory(), "{error:?}");
}
