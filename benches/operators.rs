//! Products without a matrix: the NTK, the Fisher matrix and the Hessian of the paper's MLP at N = 60,000.
//!
//! Prints their time compared with the matrix products they consist of, the five largest eigenvalues, a trace, a solution
//! by conjugate gradients, and the peak of memory.

use std::time::Instant;

use tangent_kernels::analysis::operator::{Operator, Operators};
use tangent_kernels::analysis::solve::{CgOptions, EigenOptions, Probing, conjugate_gradients, largest, trace};
use tangent_kernels::{Batch, Cpu, Loss, Session};
use tangent_kernels_benches::{machine, memory, mlp};

const SAMPLES: usize = 60_000;
const WIDTH: usize = 100;
const BUDGET: u64 = 1 << 30;

/// The median of three, in seconds.
fn seconds<T>(mut f: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..3)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(f());
            start.elapsed().as_secs_f64()
        })
        .collect();
    machine::median(&mut times)
}

fn list(values: &[f64]) -> String {
    values.iter().map(|value| format!("{value:.5e}")).collect::<Vec<_>>().join(", ")
}

fn main() {
    let model = mlp::mlp(4, WIDTH, 1).unwrap();
    let rate = machine::product_rate::<f32>();
    let numbers: Vec<f32> = machine::numbers::<f32>(SAMPLES * WIDTH).iter().map(|x| x * 3f32.sqrt()).collect();
    let x = Batch::new(&numbers, &[SAMPLES, WIDTH]).unwrap();
    let peak = memory::Peak::start();
    let session = Session::new(&model, Cpu::<f32>::new()).unwrap();
    let operators = Operators::new(&session, &x).unwrap().memory_budget(BUDGET).unwrap();
    let targets: Vec<f64> = (0..SAMPLES).map(|n| if n % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let threads = rayon::current_num_threads();
    println!(
        "MLP, {} parameters, N = {SAMPLES}, f32, {threads} threads; ruler {rate:.0} GFLOP/s",
        model.parameter_count()
    );

    // Products with the weights, in N P multiplications and additions each. A run has 1, a sweep 1 for inputs and 1 for
    // weights. A run of forward mode has 3 (x W, x dW, dx W), a sweep over it twice a sweep's plus both once more.
    let ntk = operators.ntk();
    let fisher = operators.fisher();
    let hessian = operators.hessian(Loss::SquaredError(&targets)).unwrap();
    let cases: [(&str, &dyn Operator, f64); 3] =
        [("NTK", &ntk, 6.0), ("Fisher", &fisher, 6.0), ("Hessian", &hessian, 8.0)];
    println!("\n{:<8} {:>10} {:>12} {:>26}", "operator", "seconds", "of products", "times their time alone");
    for (name, operator, passes) in cases {
        let v: Vec<f64> = machine::numbers::<f64>(operator.size());
        let time = seconds(|| operator.apply(&v).unwrap());
        let flops = passes * 2.0 * (SAMPLES * model.parameter_count()) as f64;
        println!("{name:<8} {time:>10.3} {:>9.1} GF {:>26.1}", flops / 1e9, time / (flops / (rate * 1e9)));
    }

    let start = Instant::now();
    let pairs = largest(&ntk, 5, &EigenOptions::default()).unwrap();
    println!("\nthe five largest eigenvalues of K in {:.1} s: {}", start.elapsed().as_secs_f64(), list(&pairs.values));
    let start = Instant::now();
    let estimate = trace(&ntk, &Probing::default()).unwrap();
    let exact: f64 = session.ntk().diagonal(&x).unwrap().total().iter().map(|&x| f64::from(x)).sum();
    println!(
        "trace of K in {:.1} s: {:.4e} +- {:.1e}; exactly {exact:.4e}",
        start.elapsed().as_secs_f64(),
        estimate.value,
        estimate.error
    );
    let (start, lambda) = (Instant::now(), 1e-2 * pairs.values[0]);
    let solution = conjugate_gradients(&ntk, lambda, &targets, &CgOptions::default()).unwrap();
    println!(
        "(K + {lambda:.2e}) x = y in {:.1} s: {} steps, residual {:.1e}",
        start.elapsed().as_secs_f64(),
        solution.steps,
        solution.residual
    );
    if let Some(bytes) = peak.bytes() {
        println!(
            "\npeak of memory beyond the samples {:.0} MB, of a budget of {:.0} MB",
            bytes / 1e6,
            BUDGET as f64 / 1e6
        );
    }
}
