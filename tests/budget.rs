//! Runs under an allocator that is limited to the budget. A run stays within its plan to the byte, and a kernel that
//! does not fit is an error.
#![cfg(feature = "rand")]

mod allocator;

use std::sync::atomic::Ordering;

use allocator::{LIMIT, MOST, USED};
use tangent_kernels::kernel::sink::{Folding, Trace};
use tangent_kernels::ops::Conv2d;
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Model, Outputs, Real, Sequential, Session};

/// Runs `work` with at most `bytes` more than are in use now. Returns its result and the most bytes that it used.
fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> (T, usize) {
    let before = USED.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    LIMIT.store(before + bytes, Ordering::Relaxed);
    let result = work();
    LIMIT.store(usize::MAX, Ordering::Relaxed);
    (result, MOST.load(Ordering::Relaxed) - before)
}

fn models() -> Vec<(&'static str, Model, Vec<usize>, usize)> {
    let mlp = Sequential::ntk(&[40]).mlp(&[100, 100, 3], Tanh).build().unwrap();
    let cnn = Sequential::ntk(&[3, 12, 12])
        .conv2d("a", 16, [3, 3], Conv2d::new())
        .relu()
        .conv2d("b", 16, [3, 3], Conv2d::new())
        .relu()
        .flatten();
    let cnn = cnn.linear("out", 2).build().unwrap();
    let mut models = vec![("mlp", mlp, vec![40], 1500), ("cnn", cnn, vec![3, 12, 12], 150)];
    for (_, model, ..) in &mut models {
        model.initialise(5).unwrap();
    }
    models
}

fn runs_stay_within<R: Real>() {
    for (name, model, shape, n) in models() {
        let numbers: Vec<R> = (0..n * shape.iter().product::<usize>()).map(|k| R::from_f64((k as f64).sin())).collect();
        let x = Batch::new(&numbers, &[&[n], &shape[..]].concat()).unwrap();
        let session = Session::new(&model, Cpu::<R>::new()).unwrap();
        // faer's products reserve addresses in every thread once, by the size of the cache; few become memory.
        let warm = || session.ntk().fill(&x, &mut Folding::new(Trace)).unwrap();
        warm();
        rayon::broadcast(|_| warm());
        let mut done = 0;
        for outputs in [Outputs::Full, Outputs::TraceSum] {
            let plan = session.ntk().outputs(outputs).plan(n).unwrap();
            // A fold does not store K.
            let free = plan.peak_bytes(rayon::current_num_threads()) - plan.result_bytes;
            for part in [1.2, 1.0, 0.8, 0.6, 0.4, 0.2] {
                let budget = (free * part) as u64;
                let ntk = || session.ntk().outputs(outputs).memory_budget(budget);
                let run = || ntk().fill(&x, &mut Folding::new(Trace));
                let (result, most) = within(budget as usize, run);
                match result {
                    Ok(_) => done += 1,
                    Err(error) => assert!(error.is_memory(), "{name}: {error}"),
                }
                println!("{name} {} {outputs:?}: {most} bytes of {budget}", R::NAME);
            }
        }
        assert!(done > 4, "{name}: {done} runs fit their budgets");
    }
}

#[test]
fn runs_stay_within_their_budget() {
    // One test, since the runs share the allocator.
    runs_stay_within::<f32>();
    runs_stay_within::<f64>();

    let (_, model, ..) = models().remove(0);
    let numbers = vec![0.5f64; 3000 * 40];
    let x = Batch::new(&numbers, &[3000, 40]).unwrap();
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (result, _) = within(60 << 20, || session.ntk().outputs(Outputs::TraceSum).compute(&x).map(|_| ()));
    assert!(result.unwrap_err().is_memory());
}
