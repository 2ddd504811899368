//! The speed of a machine at the operations of a kernel.

use std::time::{Duration, Instant};

use super::{Arrays, Window};
use crate::real::Real;

/// The rates of one thread, per second. Strategies are chosen by the ratios of these numbers. The seconds that a plan
/// predicts are as accurate as these rates.
///
/// The shipped rates were fitted to the layers of `benches/plan` on a core with AVX-512, and rounded. They are
/// constants, so that a plan is the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rates {
    /// Multiplications and additions in the products of a tile, with many rows, many columns and long sums.
    pub product: f64,
    /// Multiplications and additions in products over positions, with few rows or short sums.
    pub positions: f64,
    /// Multiplications and additions in materialised per-sample gradients and in forward and reverse passes.
    pub forming: f64,
    /// Entries written to memory outside the cache, such as per-sample gradients.
    pub entries: f64,
}

impl Rates {
    /// The shipped rates for the numbers `R`.
    pub fn shipped<R: Real>() -> Self {
        let single = Rates { product: 180e9, positions: 100e9, forming: 150e9, entries: 0.3e9 };
        if size_of::<R>() == 4 {
            return single;
        }
        let half = |rate: f64| rate / 2.0;
        Rates {
            product: half(single.product),
            positions: half(single.positions),
            forming: half(single.forming),
            entries: half(single.entries),
        }
    }

    /// Measures the rates of one thread on a backend, in about a second.
    ///
    /// A plan from measured rates fits this machine. Another machine or another measurement may give another plan.
    pub fn calibrate<B: Arrays>(arrays: &B) -> Self {
        let numbers = |shape: &[usize]| {
            let count = crate::shape::numel(shape);
            let data: Vec<B::Number> = (0..count).map(|k| B::Number::from_f64((k % 17) as f64 / 17.0 - 0.5)).collect();
            arrays.upload(&data, shape)
        };
        let (a, b) = (numbers(&[192, 4096]), numbers(&[192, 4096]));
        let product = 2.0 * (192.0 * 192.0 * 4096.0) / seconds(arrays, || arrays.matmul(&a, false, &b, true));
        // The main product of position pairs: few positions of one operand and many features of the other.
        let (a, b) = (numbers(&[64, 16, 16]), numbers(&[64, 16, 1280]));
        let flops = 2.0 * 64.0 * 16.0 * 16.0 * 1280.0;
        let positions = flops / seconds(arrays, || arrays.matmul(&a, false, &b, false));
        let (x, dy) = (numbers(&[4, 32, 16, 16]), numbers(&[4, 1, 64, 16, 16]));
        let window = Window { padding: [[1, 1], [1, 1]], ..Window::new([3, 3]) };
        let flops = 2.0 * 4.0 * 64.0 * 288.0 * 256.0;
        let forming = flops / seconds(arrays, || arrays.convolve_weight(&x, &dy, &window));
        // Every entry is written once by `affine` and once by `concat`.
        let x = numbers(&[1, 1 << 22]);
        let entries = f64::from(1 << 22) / seconds(arrays, || arrays.concat(&[&arrays.affine(&x, 2.0, 0.0), &x], 0));
        Rates { product, positions, forming, entries }
    }
}

/// The shortest of the runs in a quarter of a second. The first run is not counted.
fn seconds<B: Arrays>(arrays: &B, run: impl Fn() -> B::Tensor) -> f64 {
    let once = || {
        let start = Instant::now();
        // Reading waits for the device.
        let _ = arrays.read(&arrays.slice(&run(), 0, 0..1));
        start.elapsed()
    };
    once();
    let start = Instant::now();
    let mut best = Duration::MAX;
    while start.elapsed() < Duration::from_millis(250) {
        best = best.min(once());
    }
    best.as_secs_f64().max(1e-9)
}
