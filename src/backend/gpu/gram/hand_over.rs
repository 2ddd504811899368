//! How tiles come to the host, found out once for a device: copied, or from memory that both see.
//!
//! A kernel that writes straight to memory that the host can map spares the copy, and its writes go over the bus while other
//! workgroups compute. Where the card's own memory is much faster, a copy at the end may win: it depends on the card.

use std::time::Duration;

use super::fused::{Sides, Target};
use super::records::Records;
use crate::backend::gpu::Gpu;
use crate::backend::gpu::memory::{Buffer, Purpose};
use crate::error::Result;

/// Steps of a side in the trial.
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
        let rows = self.trial_rows();
        let shape = self.tile_shape()?;
        let panel = self.empty(2 * STEPS * rows)?;
        self.0.clear(&panel);
        let records = Records::trial(STEPS, rows);
        let sides = Sides { panels: [&panel, &panel], strides: [rows, rows], lefts: &panel };
        self.shorter(|| {
            let kernel = self.0.pool.take(purpose, 4 * (rows * rows) as u64)?;
            let target =
                Target { kernel: &kernel, size: [rows, rows], outputs_per_sample: 1, first: 0, apart: 0, upper: false };
            self.run_records(shape, &records, &sides, &target)?;
            self.hand_over(&kernel, &mut vec![0f32; rows * rows])
        })
    }

    /// Copies what is in a tile to `out`.
    pub(super) fn hand_over(&self, kernel: &Buffer, out: &mut [f32]) -> Result<()> {
        let bytes = 4 * out.len() as u64;
        self.0.read(kernel, bytes, |bytes| bytemuck::cast_slice_mut(out).copy_from_slice(bytes))
    }
}
