//! The machine's product rate, numbers without a pattern, a median.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tangent_kernels::Real;

/// Rows and columns of the matrices of [`product_rate`].
pub const PRODUCT_SIDE: usize = 4096;

/// faer's product of two 4096 x 4096 matrices on all threads: the best of five, in GFLOP/s.
pub fn product_rate<R: Real + faer::traits::RealField>() -> f64 {
    let side = PRODUCT_SIDE;
    let entry = |i: usize, j: usize| R::from_f64(((i * 31 + j * 17) % 101) as f64 / 101.0);
    let (a, b) = (faer::Mat::from_fn(side, side, entry), faer::Mat::from_fn(side, side, entry));
    let mut c = faer::Mat::zeros(side, side);
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let one = R::from_f64(1.0);
        faer::linalg::matmul::matmul(&mut c, faer::Accum::Replace, &a, &b, one, faer::Par::rayon(0));
        best = best.min(start.elapsed());
    }
    black_box(&c);
    2.0 * (side as f64).powi(3) / best.as_secs_f64() / 1e9
}

/// Numbers between -1 and 1 without a pattern.
pub fn numbers<R: Real>(count: usize) -> Vec<R> {
    let at = |k: u64| ((k * k) as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0;
    (1..=count as u64).map(|k| R::from_f64(at(k))).collect()
}

pub fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
