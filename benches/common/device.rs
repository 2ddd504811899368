//! The rate at which a device multiplies matrices: the reference for its kernels.

use std::time::{Duration, Instant};

use tangent_kernels::ops::Arrays;
use tangent_kernels::{Real, Result};

/// The product of two square matrices.
pub struct Ruler {
    pub gflops: f64,
    /// Rows and columns.
    pub side: usize,
}

/// Sides to try until a product takes long enough to be measured. Software drivers are slow enough with a small one.
const SIDES: [usize; 5] = [256, 512, 1024, 2048, 4096];
const LONG: Duration = Duration::from_millis(50);

/// The device's product of two square matrices by `Reductions::matmul`, in `Number`: the best of three, without transfers.
///
/// # Errors
/// The device failed.
pub fn product_rate<B: Arrays>(arrays: &B) -> Result<Ruler> {
    let mut ruler = Ruler { gflops: 0.0, side: 0 };
    for side in SIDES {
        let numbers: Vec<B::Number> = (0..side * side).map(|k| B::Number::from_f64((k % 101) as f64 / 101.0)).collect();
        let x = arrays.upload(&numbers, &[side, side]);
        let best = best_of_three(arrays, || arrays.matmul(&x, false, &x, true))?;
        ruler = Ruler { gflops: 2.0 * (side as f64).powi(3) / best.as_secs_f64() / 1e9, side };
        if best >= LONG {
            break;
        }
    }
    Ok(ruler)
}

/// The shortest time of three, after one run that compiles the shaders.
///
/// # Errors
/// The device failed.
fn best_of_three<B: Arrays>(arrays: &B, work: impl Fn() -> B::Tensor) -> Result<Duration> {
    let mut best = Duration::MAX;
    for run in 0..4 {
        let start = Instant::now();
        wait(arrays, &work())?;
        if run > 0 {
            best = best.min(start.elapsed());
        }
    }
    Ok(best)
}

/// Waits until `x` is computed, by reading one of its entries.
///
/// # Errors
/// The device failed.
pub fn wait<B: Arrays>(arrays: &B, x: &B::Tensor) -> Result<()> {
    let entries: usize = arrays.shape(x).iter().product();
    let line = arrays.reshape(x, &[entries]);
    arrays.read(&arrays.slice(&line, 0, 0..1)).map(drop)
}
