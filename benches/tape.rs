//! The cost of recording and sweeping compared with the products alone, and the cost of a plan.
//!
//! - `passes`: forward and sweep over 192 samples of MLP-h (eight layers of 1000) on one thread, and the same products by
//!   faer alone. The difference is tanh, its derivative, and the tape.
//! - `chain`: forward and sweep through 1,000 ops on four numbers, so that only the tape's own work remains.
//! - `plan`: `Ntk::plan`, for a CNN and for a network of 200 layers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use tangent_kernels::extend::SweepTargets;
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Graph, Model, Sequential, Session};
use tangent_kernels_benches::cnn;
use tangent_kernels_benches::machine::{median, numbers};

const SAMPLES: usize = 192;
const WIDTH: usize = 1000;
const LAYERS: usize = 8;
const CHAIN: usize = 1000;

fn mlp(widths: &[usize]) -> Model {
    let mut model = Sequential::ntk(&widths[..1]).mlp_without_bias(&widths[1..], Tanh).build().unwrap();
    model.initialise(0).unwrap();
    model
}

/// Times `work` by criterion and returns the median seconds of one call.
fn timed(criterion: &mut Criterion, name: &str, mut work: impl FnMut()) -> f64 {
    let mut times = Vec::new();
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let start = Instant::now();
            for _ in 0..rounds {
                work();
            }
            let elapsed = start.elapsed();
            times.push(elapsed.as_secs_f64() / rounds as f64);
            elapsed
        });
    });
    median(&mut times)
}

fn forward_and_sweep(session: &Session<'_, Cpu<f32>>, x: &Batch<'_, f32>) {
    let flags = vec![true; session.model().parameters().len()];
    let tape = session.tape(x).unwrap();
    black_box(tape.sweep(&tape.ones_seed(), SweepTargets { inputs: false, parameters: Some(&flags) }));
}

fn passes(criterion: &mut Criterion) {
    let mut widths = vec![WIDTH; LAYERS];
    widths.push(1);
    let model = mlp(&widths);
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let x = numbers::<f32>(SAMPLES * WIDTH);
    let batch = Batch::new(&x, &[SAMPLES, WIDTH]).unwrap();
    let ours = timed(criterion, "passes/tape", || forward_and_sweep(&session, &batch));

    // Forward x W^T, reverse y W, of all layers but the read-out.
    let weights = numbers::<f32>(WIDTH * WIDTH);
    let mut y = vec![0.0f32; SAMPLES * WIDTH];
    let products = timed(criterion, "passes/products", || {
        let (x, w) =
            (MatRef::from_row_major_slice(&x, SAMPLES, WIDTH), MatRef::from_row_major_slice(&weights, WIDTH, WIDTH));
        for w in (1..LAYERS).flat_map(|_| [w.transpose(), w]) {
            let y = MatMut::from_row_major_slice_mut(black_box(&mut y), SAMPLES, WIDTH);
            matmul(y, Accum::Replace, x, w, 1.0, Par::Seq);
        }
    });
    println!("\nforward and sweep of MLP-h take {:.2} times their products alone\n", ours / products);
}

fn chain(criterion: &mut Criterion) {
    let mut graph = Graph::new(&[4]).unwrap();
    let mut y = graph.input();
    for _ in 0..CHAIN {
        y = graph.scale(y, 0.999).unwrap();
    }
    let weight = graph.parameter("out.weight", &[1, 4]).unwrap();
    let y = graph.linear(y, weight, None).unwrap();
    let mut model = Model::new(graph, y).unwrap();
    model.initialise(0).unwrap();
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let x = numbers::<f32>(4);
    let batch = Batch::new(&x, &[1, 4]).unwrap();
    let seconds = timed(criterion, "chain", || forward_and_sweep(&session, &batch));
    println!("\n{:.0} ns for an op, forward and reverse\n", seconds / CHAIN as f64 * 1e9);
}

fn plan(criterion: &mut Criterion) {
    let deep = mlp(&[16; 201]);
    for (name, model) in [("cnn", cnn::cnn(10).unwrap()), ("200-layers", deep)] {
        let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
        timed(criterion, &format!("plan/{name}"), || {
            black_box(session.ntk().plan(1000).unwrap());
        });
    }
}

fn short() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = tape; config = short(); targets = passes, chain, plan }
criterion_main!(tape);
