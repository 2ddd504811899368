//! Reading tiles: from a copy, or in place from memory that the host can map. A trial per device decides.
//!
//! A kernel that writes to mappable memory needs no copy, and its writes cross the bus while other workgroups compute.
//! If the GPU's own memory is much faster, a copy at the end can be faster.

use std::time::Duration;

use super::fused::{Operands, Target};
use super::records::Records;
use crate::backend::gpu::Gpu;
use crate::backend::gpu::memory::{Buffer, Purpose};
use crate::error::Result;

/// The number of steps of an operand in the trial.
const STEPS: usize = 64;

impl Gpu {
    /// The kind of buffer for tiles: arrays that are copied for reading, or arrays that are read in place.
    pub(super) fn tile_purpose(&self) -> Result<Purpose> {
        if !self.0.can_map_arrays() {
            return Ok(Purpose::Array);
        }
        if let Some(purpose) = self.0.tile_purpose.get() {
            return Ok(*purpose);
        }
        let copied = self.read_back_time(Purpose::Array)?;
        let in_place = self.read_back_time(Purpose::Mapped)?;
        let best = if in_place < copied { Purpose::Mapped } else { Purpose::Array };
        Ok(*self.0.tile_purpose.get_or_init(|| best))
    }

    /// The time to compute and read a tile: the shorter of two trials.
    fn read_back_time(&self, purpose: Purpose) -> Result<Duration> {
        let rows = self.trial_rows();
        let shape = self.tile_shape()?;
        let panel = self.empty(2 * STEPS * rows)?;
        self.0.clear(&panel);
        let records = Records::trial(STEPS, rows);
        let operands = Operands { panels: [&panel, &panel], strides: [rows, rows], lefts: &panel };
        self.shorter(|| {
            let kernel = self.0.pool.take(purpose, 4 * (rows * rows) as u64)?;
            let target =
                Target { kernel: &kernel, size: [rows, rows], outputs_per_sample: 1, first: 0, apart: 0, upper: false };
            self.run_records(shape, &records, &operands, &target)?;
            self.read_tile(&kernel, &mut vec![0f32; rows * rows])
        })
    }

    /// Copies the entries of a tile to `out`.
    pub(super) fn read_tile(&self, kernel: &Buffer, out: &mut [f32]) -> Result<()> {
        let bytes = 4 * out.len() as u64;
        self.0.read(kernel, bytes, |bytes| bytemuck::cast_slice_mut(out).copy_from_slice(bytes))
    }
}
