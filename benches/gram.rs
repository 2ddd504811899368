//! The kernel of the paper's MLP (784-50-50-50-1) compared with the machine's matrix products.
//!
//! In addition to criterion's times it prints, for every case, the rate of the products of the symmetric Gram, of forward
//! and of reverse. It also prints the ratio to the machine's product rate (faer, 4096 cubed, same precision and threads,
//! the better of two runs).

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Batch, Cpu, Method, Model, Real, Sequential, Session};
use tangent_kernels_benches::machine::{median, product_rate};

const WIDTHS: [usize; 5] = [784, 50, 50, 50, 1];

fn paper_mlp() -> Model {
    let mut model = Sequential::ntk(&WIDTHS[..1]).mlp_without_bias(&WIDTHS[1..], Tanh).build().unwrap();
    model.initialise(0).unwrap();
    model
}

/// Inputs of the size of standardised pixels divided by sqrt(784), without a pattern.
fn inputs<R: Real>(samples: usize) -> Vec<R> {
    let at = |k: u64| ((k * k) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (1..=(samples * WIDTHS[0]) as u64).map(|k| R::from_f64(at(k) / 28.0)).collect()
}

/// Multiplications and additions: of the upper triangle's products, and of forward and reverse.
fn flops(samples: usize) -> (f64, f64) {
    let n = samples as f64;
    let pairs = n * (n + 1.0) / 2.0;
    let (mut gram, mut passes) = (0.0, 0.0);
    for (l, pair) in WIDTHS.windows(2).enumerate() {
        let [i, o] = [pair[0] as f64, pair[1] as f64];
        let read_out = l + 2 == WIDTHS.len();
        gram += 2.0 * pairs * (i + if read_out { 0.0 } else { o });
        passes += 2.0 * n * i * o * if l == 0 { 1.0 } else { 2.0 };
    }
    (gram, passes)
}

fn in_precision<R: Real + faer::traits::RealField>(criterion: &mut Criterion) {
    let model = paper_mlp();
    let session = Session::new(&model, Cpu::<R>::new()).unwrap();
    let mut group = criterion.benchmark_group(format!("paper_mlp/{}", R::NAME));
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    let before = product_rate::<R>();
    let mut rates = Vec::new();
    for samples in [1000, 4000] {
        let x = inputs::<R>(samples);
        let x = Batch::new(&x, &[samples, WIDTHS[0]]).unwrap();
        for method in [Method::Structured, Method::ClosedForm] {
            let ntk = session.ntk().method(method).components(false);
            let mut times = Vec::new();
            group.bench_function(format!("{method}/{samples}"), |bencher| {
                bencher.iter_custom(|rounds| {
                    let start = Instant::now();
                    for _ in 0..rounds {
                        black_box(ntk.compute(&x).unwrap());
                    }
                    let elapsed = start.elapsed();
                    times.push(elapsed.as_secs_f64() / rounds as f64);
                    elapsed
                });
            });
            let (gram, passes) = flops(samples);
            let seconds = median(&mut times);
            rates.push((method, samples, seconds, gram, passes, (gram + passes) / seconds / 1e9));
        }
    }
    group.finish();
    let machine = before.max(product_rate::<R>());
    println!(
        "\n{}, {} threads, matrix products {machine:.1} GFLOP/s (4096 cubed)",
        R::NAME,
        rayon::current_num_threads()
    );
    println!("method          samples  seconds   Gram GFLOP  passes GFLOP  GFLOP/s  of the machine's");
    for (method, samples, seconds, gram, passes, rate) in rates {
        println!(
            "{method:<15} {samples:>7}  {seconds:>7.4}  {:>11.3}  {:>12.3}  {rate:>7.1}  {:>16.2}",
            gram / 1e9,
            passes / 1e9,
            rate / machine
        );
    }
    println!();
}

fn benches(criterion: &mut Criterion) {
    in_precision::<f32>(criterion);
    in_precision::<f64>(criterion);
}

criterion_group!(gram, benches);
criterion_main!(gram);
