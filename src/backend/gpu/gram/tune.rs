//! Which shape of tiles is fastest on a device, found out once by running them.

use std::time::{Duration, Instant};

use super::code::{SHAPES, SIDE, STEPS, Shape};
use super::fused::{Sides, Target};
use super::records::Records;
use crate::backend::gpu::Gpu;
use crate::error::Result;

/// Rows of the trial on a device of software, and on others.
const ROWS: [usize; 2] = [256, 2048];
/// Steps of either side.
const DEPTH: usize = 256;

/// How fast a shape of tiles was in a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tuned {
    /// The shape.
    pub shape: Shape,
    /// The shorter time of two runs.
    pub time: Duration,
    /// Multiplications and additions that the trial needs, the same for all shapes.
    pub flops: f64,
}

impl Gpu {
    /// The shape of tiles of K on this device: what was the fastest in [`tune`](Gpu::tune) when it was first needed. It
    /// changes speed and the last bits, and nothing else.
    ///
    /// # Errors
    /// The device failed.
    pub fn tile_shape(&self) -> Result<Shape> {
        if let Some(shape) = self.0.tile_shape.get() {
            return Ok(*shape);
        }
        self.tune()?;
        Ok(*self.0.tile_shape.get().unwrap_or(&SHAPES[0]))
    }

    /// Tries all shapes of tiles: a layer of 256 features on either side, for 2,048 samples, or 256 on a device of
    /// software; fewer where arrays are small. If no shape was settled yet, the fastest is from now on.
    ///
    /// # Errors
    /// The device failed.
    pub fn tune(&self) -> Result<Vec<Tuned>> {
        // Of a device whose arrays are small, what one can hold.
        let most = (self.0.pool.most() / 8) as usize;
        let rows = self.trial_rows().min(most / DEPTH / SIDE * SIDE).max(SIDE);
        let depth = DEPTH.min(most / rows / STEPS * STEPS).max(STEPS);
        let numbers: Vec<f32> = (0..2 * depth * rows).map(|k| (k % 31) as f32 / 31.0 - 0.5).collect();
        let panel = self.0.upload(bytemuck::cast_slice(&numbers))?;
        let kernel = self.empty(rows * rows)?;
        let records = Records::trial(depth, rows);
        let sides = Sides { panels: [&panel, &panel], strides: [rows, rows], lefts: &panel };
        let target =
            Target { kernel: &kernel, size: [rows, rows], outputs_per_sample: 1, first: 0, apart: 0, upper: true };
        let flops = (rows * (rows + 1) / 2 * 2 * 2 * depth) as f64;
        let time = |shape: Shape| {
            let time = self.shorter(|| {
                self.run_records(shape, &records, &sides, &target)?;
                self.0.finish()
            })?;
            Ok(Tuned { shape, time, flops })
        };
        let tuned: Vec<Tuned> = SHAPES.into_iter().map(time).collect::<Result<_>>()?;
        if let Some(best) = tuned.iter().min_by_key(|tuned| tuned.time) {
            self.0.tile_shape.get_or_init(|| best.shape);
        }
        Ok(tuned)
    }
    /// The rows of a trial whose tile is to fit an array.
    pub(super) fn trial_rows(&self) -> usize {
        let most = (self.0.pool.most() / 4).isqrt() as usize / SIDE * SIDE;
        ROWS[usize::from(!self.0.is_software())].min(most)
    }

    /// The shorter time of two trials, after one that compiles.
    pub(super) fn shorter(&self, trial: impl Fn() -> Result<()>) -> Result<Duration> {
        let mut best = Duration::MAX;
        for run in 0..3 {
            self.0.finish()?;
            let start = Instant::now();
            trial()?;
            if run > 0 {
                best = best.min(start.elapsed());
            }
        }
        Ok(best)
    }
}
