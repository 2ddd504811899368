//! Tiles of K on a GPU.

mod block;
mod code;
mod composed;
mod fused;
mod read_back;
mod records;
mod tune;

use std::sync::Arc;

pub use block::Block;
#[cfg(test)]
pub(super) use code::SHAPES;
use code::SIDE;
pub use code::Shape;
pub(super) use fused::Operand;
pub use tune::Tuned;

use super::memory::{Buffer, Purpose};
use super::{Gpu, Tensor};
use crate::backend::{ContractionPlan, Gram, Panels, Rates, TileConfig};
use crate::error::Result;
use composed::Composed;
use fused::{Operands, Target};
use records::{Records, pairs};

impl Gram for Gpu {
    type Scratch = ();
    type Packed = Block;

    fn name(&self) -> String {
        self.0.name.clone()
    }

    /// Tiles that keep a GPU busy and fit one array. There are two workers: while one gives its tile to the sink, the
    /// device computes the tile of the other.
    fn tile_config(&self) -> TileConfig {
        let largest = self.0.pool.largest_array();
        TileConfig {
            tile_sides: [2048, 1024, 512, 128],
            multiple: SIDE,
            least_blocks: 1,
            tile_entries: (largest / 4).min(1 << 24) as usize,
            pass_bytes: (largest as f64).min((128 << 20) as f64),
            large_pass_bytes: (largest as f64).min((128 << 20) as f64),
            array_bytes: largest as f64,
            // Every GPU has this. Factors of wide networks and many samples are then computed more than once.
            unasked_bytes: Some((2u64 << 30) as f64),
            workers: Some(2),
        }
    }

    /// The rates of a GPU with about 10 Tflop/s and 500 GB/s. Strategies are chosen by their ratios.
    fn rates(&self) -> Rates {
        Rates { product: 5e12, positions: 2e12, forming: 2e12, entries: 50e9 }
    }

    fn pack(&self, contraction_plan: &ContractionPlan, parts: &[Panels<Tensor>], packed: &mut Block) -> Result<()> {
        packed.pack(self, contraction_plan, parts)
    }

    fn tile(
        &self,
        contraction_plan: &ContractionPlan,
        rows: &Block,
        cols: &Block,
        (): &mut (),
        out: &mut [f32],
    ) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let kernel = self.compute(contraction_plan, rows, cols)?;
        self.read_tile(&kernel, out)
    }
}

impl Gpu {
    /// The tiles of all accumulators and blocks, `[accumulators, blocks, n outputs, m outputs]`, on the device.
    fn compute(&self, contraction_plan: &ContractionPlan, rows: &Block, cols: &Block) -> Result<Arc<Buffer>> {
        let ContractionPlan { accumulators, blocks, outputs_per_sample, .. } = *contraction_plan;
        let size = [rows.samples * outputs_per_sample, cols.samples * outputs_per_sample];
        let entries = size[0] * size[1];
        // If terms are added one by one, the device's own memory is faster.
        let written_once = rows.layout.fused.iter().all(|&fused| fused);
        let purpose = if written_once { self.tile_purpose()? } else { Purpose::Array };
        let kernel = Arc::new(self.0.pool.take(purpose, 4 * (accumulators * blocks * entries) as u64)?);
        let records: Vec<Records> =
            (0..blocks).map(|block| Records::new(contraction_plan, rows, cols, block)).collect();
        if records.iter().any(|records| records.accumulators.contains(&false)) {
            // The fused kernel does not write every accumulator.
            self.0.clear(&kernel);
        }
        if let [Some(row_panel), Some(col_panel)] = [&rows.panel, &cols.panel]
            && !records[0].is_empty()
        {
            let shape = self.tile_shape()?;
            let pairs = if outputs_per_sample > 1 { pairs(contraction_plan, &rows.layout) } else { Vec::new() };
            let lefts =
                if pairs.is_empty() { row_panel.clone() } else { self.left_products(shape, &pairs, rows, cols)? };
            let strides = [rows.strides(outputs_per_sample)[1], cols.strides(outputs_per_sample)[1]];
            let operands = Operands { panels: [row_panel, col_panel], strides, lefts: &lefts };
            let upper = std::ptr::eq(rows, cols);
            for (block, records) in records.iter().enumerate() {
                let first = block * entries;
                let target =
                    Target { kernel: &kernel, size, outputs_per_sample, first, apart: blocks * entries, upper };
                self.run_records(shape, records, &operands, &target)?;
            }
        }
        for term in rows.layout.terms(contraction_plan, false) {
            for block in 0..blocks {
                Composed { gpu: self, contraction_plan, term, panels: [rows, cols], block, kernel: &kernel }.run()?;
            }
        }
        Ok(kernel)
    }
}
