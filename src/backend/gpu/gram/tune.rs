//! Which shape of tiles is fastest on a device, found out once by running them.

use std::time::{Duration, Instant};

use super::code::{SHAPES, Shape};
use super::fused::{Records, Sides, Target};
use crate::backend::gpu::Gpu;
use crate::error::Result;

/// Rows of the trial on a device of software, and on others.
const ROWS: [usize; 2] = [256, 2048];
/// Steps of either side.
const DEPTH: usize = 256;

impl Gpu {
    /// The shape of tiles for this device. It changes speed and the last bits, and nothing else.
    pub(super) fn tile_shape(&self) -> Result<Shape> {
        if let Some(shape) = self.0.tile_shape.get() {
            return Ok(*shape);
        }
        let times = self.tile_times()?;
        let best = times.iter().min_by_key(|(_, time)| *time).map_or(SHAPES[0], |(shape, _)| *shape);
        Ok(*self.0.tile_shape.get_or_init(|| best))
    }

    /// How long each of the shapes takes for a trial.
    pub(super) fn tile_times(&self) -> Result<Vec<(Shape, Duration)>> {
        let rows = ROWS[usize::from(!self.0.is_software())];
        let numbers: Vec<f32> = (0..2 * DEPTH * rows).map(|k| (k % 31) as f32 / 31.0 - 0.5).collect();
        let panel = self.0.upload(bytemuck::cast_slice(&numbers))?;
        let kernel = self.empty(rows * rows)?;
        let records = Records::trial(DEPTH, rows);
        let sides = Sides { panels: [&panel, &panel], strides: [rows, rows], lefts: &panel };
        let target = Target { kernel: &kernel, size: [rows, rows], inner: 1, first: 0, apart: 0, upper: true };
        let time = |shape: Shape| {
            let mut best = Duration::MAX;
            // The first run compiles.
            for run in 0..3 {
                self.0.finish()?;
                let start = Instant::now();
                self.run_records(shape, &records, &sides, &target)?;
                self.0.finish()?;
                if run > 0 {
                    best = best.min(start.elapsed());
                }
            }
            Ok((shape, best))
        };
        SHAPES.into_iter().map(time).collect()
    }
}
