//! The fastest tile shape of a device, measured once by running all shapes.

use std::time::{Duration, Instant};

use super::code::{SHAPES, SIDE, STEPS, Shape};
use super::fused::{Operands, Target};
use super::records::Records;
use crate::backend::gpu::Gpu;
use crate::error::Result;

/// The number of rows of the trial: on a software device, and on others.
const ROWS: [usize; 2] = [256, 2048];
/// The number of steps of either operand.
const DEPTH: usize = 256;

/// The time of a tile shape in a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tuned {
    /// The shape.
    pub shape: Shape,
    /// The shorter time of two runs.
    pub time: Duration,
    /// The multiplications and additions of the trial, the same for all shapes.
    pub flops: f64,
}

impl Gpu {
    /// The shape of the tiles of K on this device: the fastest shape in [`tune`](Gpu::tune), measured on first use. It
    /// changes only speed and the last bits.
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

    /// Runs all tile shapes on a layer with 256 inputs and outputs, for 2,048 samples, or 256 on a software device. If
    /// the device's arrays are small, the trial is smaller. The first call fixes the shape that the device uses.
    ///
    /// # Errors
    /// The device failed.
    pub fn tune(&self) -> Result<Vec<Tuned>> {
        // At most as much as one array of the device can hold.
        let most = (self.0.pool.largest_array() / 8) as usize;
        let rows = self.trial_rows().min(most / DEPTH / SIDE * SIDE).max(SIDE);
        let depth = DEPTH.min(most / rows / STEPS * STEPS).max(STEPS);
        let numbers: Vec<f32> = (0..2 * depth * rows).map(|k| (k % 31) as f32 / 31.0 - 0.5).collect();
        let panel = self.0.upload(bytemuck::cast_slice(&numbers))?;
        let kernel = self.empty(rows * rows)?;
        let records = Records::trial(depth, rows);
        let operands = Operands { panels: [&panel, &panel], strides: [rows, rows], lefts: &panel };
        let target =
            Target { kernel: &kernel, size: [rows, rows], outputs_per_sample: 1, first: 0, apart: 0, upper: true };
        let flops = (rows * (rows + 1) / 2 * 2 * 2 * depth) as f64;
        let time = |shape: Shape| {
            let time = self.shorter(|| {
                self.run_records(shape, &records, &operands, &target)?;
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

    /// The number of rows of a trial. Its tile fits one array.
    pub(super) fn trial_rows(&self) -> usize {
        let most = (self.0.pool.largest_array() / 4).isqrt() as usize / SIDE * SIDE;
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
