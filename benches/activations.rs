//! Activations over arrays of 4096 entries, on one thread, compared with the same functions built on std's scalars.
//!
//! In addition to criterion's times it prints nanoseconds per value, the minimum of all measurements.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use tangent_kernels::ops::{Pointwise, Reductions, Storage};
use tangent_kernels::unary::{Elu, Erf, Exp, Gelu, Log, Order, Sigmoid, Silu, Softplus, Tanh, Unary};
use tangent_kernels::{Cpu, Real};
use tangent_kernels_benches::machine;

const ENTRIES: usize = 4096;

/// Times `run` under criterion; returns the minimum time of one run, in nanoseconds per entry.
fn least<T>(criterion: &mut Criterion, name: &str, mut run: impl FnMut() -> T) -> f64 {
    let mut least = f64::INFINITY;
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut all = Duration::ZERO;
            for _ in 0..rounds {
                let start = Instant::now();
                black_box(run());
                let time = start.elapsed();
                least = least.min(time.as_nanos() as f64 / ENTRIES as f64);
                all += time;
            }
            all
        });
    });
    least
}

/// A function and its equivalent built on std.
type Pair<R> = (Unary, fn(R) -> R);

fn in_precision<R: Real>(criterion: &mut Criterion, std: [Pair<R>; 9]) {
    let cpu = Cpu::<R>::new();
    let numbers: Vec<R> = machine::numbers::<R>(ENTRIES).into_iter().map(|x| R::from_f64(4.0) * x).collect();
    // Some functions are undefined below 0.
    let positive: Vec<R> = numbers.iter().map(|x| x.abs()).collect();
    let mut lines = Vec::new();
    for (f, scalar) in std {
        let x = if f == Log.into() { &positive } else { &numbers };
        let array = cpu.upload(x, &[ENTRIES]);
        let name = format!("{}/{}", f.name(), R::NAME);
        let ours = least(criterion, &name, || cpu.apply(f, &array));
        let theirs = least(criterion, &format!("{name}/std"), || x.iter().map(|&x| scalar(x)).collect::<Vec<R>>());
        let y = cpu.apply(f, &array);
        let slope =
            least(criterion, &format!("{name}/first"), || cpu.apply_derivative(f, Order::First, &array, &y, &array));
        lines.push(format!("{name:<14} {ours:>6.2} ns a value, its slope {slope:>6.2}, by std {theirs:>6.2}"));
    }
    let rows = cpu.upload(&numbers, &[ENTRIES / 64, 64]);
    let name = format!("softmax of 64/{}", R::NAME);
    let ours = least(criterion, &name, || cpu.softmax(&rows));
    lines.push(format!("{name:<14} {ours:>6.2} ns a value"));
    // Functions that criterion's filter excluded have no time.
    lines.retain(|line| !line.contains("inf ns"));
    println!("{}\n", lines.join("\n"));
}

macro_rules! by_std {
    ($t:ident, $erf:path) => {
        [
            (Tanh.into(), $t::tanh),
            (Exp.into(), $t::exp),
            (Sigmoid.into(), |x| 1.0 / (1.0 + $t::exp(-x))),
            (Silu.into(), |x| x / (1.0 + $t::exp(-x))),
            (Softplus.into(), |x| $t::ln_1p($t::exp(x))),
            (Elu { alpha: 1.0 }.into(), |x| if x < 0.0 { $t::exp_m1(x) } else { x }),
            (Erf.into(), $erf),
            (Gelu { approximate: false }.into(), |x| 0.5 * x * (1.0 + $erf(x * std::f64::consts::FRAC_1_SQRT_2 as $t))),
            (Log.into(), $t::ln),
        ]
    };
}

fn activations(criterion: &mut Criterion) {
    in_precision::<f32>(criterion, by_std!(f32, libm::erff));
    in_precision::<f64>(criterion, by_std!(f64, libm::erf));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = activations
}
criterion_main!(benches);
