//! Training of the paper's MLP of section 5.2 (784-50-50-50-1, tanh, no biases): the time of a step of gradient descent on
//! all 10,000 samples compared with that of its matrix products alone.
//!
//! `training STEPS` times that many steps and prints the seconds of one, for `benches/peers/compare_training.py`.

use std::hint::black_box;
use std::time::Instant;

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use tangent_kernels::train::{GradientDescent, Optimiser};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Loss, Model, Sequential, Session};
use tangent_kernels_benches::machine;

const SAMPLES: usize = 10_000;
const WIDTHS: [usize; 5] = [784, 50, 50, 50, 1];
const RATE: f64 = 1e-2;

fn main() {
    let mut model = Sequential::ntk(&WIDTHS[..1]).mlp_without_bias(&WIDTHS[1..], Tanh).build().unwrap();
    model.initialise(0).unwrap();
    let numbers: Vec<f32> = machine::numbers::<f32>(SAMPLES * WIDTHS[0]);
    let x = Batch::new(&numbers, &[SAMPLES, WIDTHS[0]]).unwrap();
    let labels: Vec<f64> = (0..SAMPLES).map(|n| if n < SAMPLES / 2 { -1.0 } else { 1.0 }).collect();
    if let Some(steps) = std::env::args().skip(1).find_map(|argument| argument.parse().ok()) {
        println!("{}", seconds(&mut model, &x, &labels, steps));
        return;
    }
    let threads = rayon::current_num_threads();
    println!(
        "784-50-50-50-1, {SAMPLES} samples, f32, {threads} threads; {:.0} GFLOP/s in a large product",
        machine::product_rate::<f32>()
    );
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let (ours, bare) = (seconds(&mut model, &x, &labels, 20), products(20));
        println!("a step {:.2} ms, its products alone {:.2} ms: {:.2}", 1e3 * ours, 1e3 * bare, ours / bare);
        ratios.push(ours / bare);
    }
    println!("median {:.2}", machine::median(&mut ratios));
}

/// The seconds of one step.
fn seconds(model: &mut Model, x: &Batch<'_, f32>, labels: &[f64], steps: usize) -> f64 {
    let mut descent = GradientDescent::new(RATE);
    let start = Instant::now();
    for _ in 0..steps {
        let session = Session::new(model, Cpu::<f32>::new()).unwrap();
        let (loss, gradient) = session.loss_gradient(x, Loss::Logistic(labels)).unwrap();
        black_box(loss);
        descent.step(model, &gradient).unwrap();
    }
    start.elapsed().as_secs_f64() / steps as f64
}

/// The seconds of the products of one step by faer on all threads: forward, to the inputs of every layer but the first,
/// and to the weights.
fn products(steps: usize) -> f64 {
    let all =
        |rows: usize, cols: usize| Mat::<f32>::from_fn(rows, cols, |i, j| ((i * 31 + j * 17) % 101) as f32 / 101.0);
    let layers: Vec<[Mat<f32>; 3]> =
        WIDTHS.windows(2).map(|w| [all(SAMPLES, w[0]), all(w[0], w[1]), all(SAMPLES, w[1])]).collect();
    let mut made = [Mat::zeros(SAMPLES, WIDTHS[0]), Mat::zeros(WIDTHS[0], WIDTHS[1])];
    let start = Instant::now();
    for _ in 0..steps {
        for (l, [x, w, dy]) in layers.iter().enumerate() {
            let mut y = made[0].as_mut().subcols_mut(0, dy.ncols());
            matmul(&mut y, Accum::Replace, x, w, 1.0, Par::rayon(0));
            if l > 0 {
                let mut dx = made[0].as_mut().subcols_mut(0, x.ncols());
                matmul(&mut dx, Accum::Replace, dy, w.transpose(), 1.0, Par::rayon(0));
            }
            let mut dw = made[1].as_mut().submatrix_mut(0, 0, w.nrows(), w.ncols());
            matmul(&mut dw, Accum::Replace, x.transpose(), dy, 1.0, Par::rayon(0));
        }
    }
    black_box(&made);
    start.elapsed().as_secs_f64() / steps as f64
}
