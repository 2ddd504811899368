//! Plans under a budget of memory.

use super::*;

/// A tight budget takes smaller tiles before it gives a way up.
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
            let mut plan = ntk().plan(ROWS).unwrap();
            loop {
                let budget = plan.peak_bytes(1) as u64;
                let enough = ntk().memory_budget(budget).plan(ROWS).unwrap();
                assert_eq!(strategies(&enough), strategies(&plan), "what is needed is enough: {}", network.name);
                match ntk().memory_budget(budget - 1).compute(&x) {
                    Ok(kernel) => {
                        assert_close(&kernel, &want, &format!("{}, {outputs:?}, {budget} bytes", network.name));
                        let other = kernel.manifest().unwrap().plan.clone();
                        assert!(other.peak_bytes(1) < plan.peak_bytes(1));
                        assert_eq!((other.resident, other.made), held_and_made(&other));
                        // Factors are made again before a way is left.
                        let cut = |plan: &Plan| (plan.resident, plan.tall, plan.wide);
                        if strategies(&other) == strategies(&plan) {
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
            assert!(ntk().memory_budget(0).plan(ROWS).unwrap_err().is_memory());
        }
    }
    assert!(turns > 20, "{turns} times there was a way that holds less");
    assert!(cuts > 10, "{cuts} times there was a cut that holds less");
}

/// Room for four threads would leave bands of one block, for which factors are made 26 times over: two threads that make
/// them a few times are sooner done.
#[test]
fn threads_are_not_bought_with_factors_that_are_made_again() {
    let model = mlp_h();
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let n = 20_000;
    let beside = 4 * (n * n) as u64;
    let plan = session.ntk().components(false).memory_budget(beside + (512 << 20)).plan(n).unwrap();
    assert!(!plan.is_held() && plan.peak_bytes(2) <= (beside + (512 << 20)) as f64, "{plan}");
    assert!(plan.made < 10.0 * n as f64, "{plan}");
}

/// Samples held at a time and samples made of a symmetric kernel, by walking its bands.
fn held_and_made(plan: &Plan) -> (usize, f64) {
    let n = plan.samples.0;
    if plan.is_held() {
        return (n, n as f64);
    }
    let band = plan.tall * plan.block;
    let (mut start, mut made) = (0, 0);
    while start < n {
        // A band meets itself and all to the right of it.
        made += n - start;
        start += band;
    }
    (band.min(n), made as f64)
}

fn strategies(plan: &Plan) -> Vec<Strategy> {
    plan.parameters.iter().map(|p| p.strategy).collect()
}

#[test]
fn a_budget_does_not_undo_what_was_forced() {
    let network = planes(3);
    let session = Session::new(&network.model, Cpu::<f64>::new()).unwrap();
    let forced = || session.ntk().force("grouped.weight", Strategy::PositionPairs);
    let held = |plan: &Plan| plan.peak_bytes(1) as u64;
    let (straight, out) = (
        forced().plan(ROWS).unwrap(),
        session.ntk().force("grouped.weight", Strategy::Materialise).plan(ROWS).unwrap(),
    );
    assert!(held(&out) < held(&straight), "the test needs a way that holds less");
    let mut budget = held(&straight);
    let error = loop {
        match forced().memory_budget(budget - 1).plan(ROWS) {
            Ok(plan) => {
                assert_eq!(plan.parameters[0].strategy, Strategy::PositionPairs);
                assert!(held(&plan) < budget, "a plan of {} bytes for {}", held(&plan), budget - 1);
                budget = held(&plan);
            }
            Err(error) => break error,
        }
    };
    assert!(error.is_memory(), "{error:?}");
}
