//! How tiles come to the host, found out once for a device: copied, or from memory that both see.
//!
//! A kernel that writes straight to memory that the host can map spares the copy, and its writes go over the bus while other
//! workgroups compute. Where the card's own memory is much faster, a copy at the end may win: it depends on the card.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fused::{Sides, Target};
use super::records::Records;
use crate::backend::gpu::Gpu;
use crate::backend::gpu::memory::{Buffer, Purpose};
use crate::error::Result;

/// Rows of the trial on a device of software, and on others; steps of a side.
const ROWS: [usize; 2] = [256, 2048];
const STEPS: usize = 64;

impl Gpu {
    /// What tiles are written to: arrays that are copied for reading, or such as can be read where they are.
    pub(super) fn tiles_are(&self) -> Result<Purpose> {
        if !self.0.can_map_arrays() {
            return Ok(Purpose::Array);
        }
        if let Some(purpose) = self.0.tiles_are.get() {
            return Ok(*purpose);
        }
        let copied = self.hand_over_time(Purpose::Array)?;
        let in_place = self.hand_over_time(Purpose::Mapped)?;
        let best = if in_place < copied { Purpose::Mapped } else { Purpose::Array };
        Ok(*self.0.tiles_are.get_or_init(|| best))
    }

    /// The shorter time of two trials: a tile computed and read.
    fn hand_over_time(&self, purpose: Purpose) -> Result<Duration> {
        let rows = ROWS[usize::from(!self.0.is_software())].min((self.0.pool.most() / 4).isqrt() as usize / 128 * 128);
        let shape = self.tile_shape()?;
        let panel = self.empty(2 * STEPS * rows)?;
        self.0.clear(&panel);
        let records = Records::trial(STEPS, rows);
        let sides = Sides { panels: [&panel, &panel], strides: [rows, rows], lefts: &panel };
        let mut best = Duration::MAX;
        for run in 0..3 {
            self.0.finish()?;
            let start = Instant::now();
            let kernel = self.0.pool.take(purpose, 4 * (rows * rows) as u64)?;
            let target = Target { kernel: &kernel, size: [rows, rows], inner: 1, first: 0, apart: 0, upper: false };
            self.run_records(shape, &records, &sides, &target)?;
            let mut host = vec![0f32; rows * rows];
            self.hand_over(&Arc::new(kernel), &mut host)?;
            if run > 0 {
                best = best.min(start.elapsed());
            }
        }
        Ok(best)
    }

    /// Copies what is in a tile to `out`.
    pub(super) fn hand_over(&self, kernel: &Arc<Buffer>, out: &mut [f32]) -> Result<()> {
        let bytes = 4 * out.len() as u64;
        self.0.read(kernel, bytes, |bytes| bytemuck::cast_slice_mut(out).copy_from_slice(bytes))
    }
}
