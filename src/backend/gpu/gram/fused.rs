//! The fused kernel: one run for all terms with one position.

use super::block::{Block, padded};
use super::code::{STEPS, Shape};
use super::records::{Left, Product, Records, Right};
use crate::backend::gpu::context::Run;
use crate::backend::gpu::launch::param;
use crate::backend::gpu::memory::Buffer;
use crate::backend::gpu::storage::Copy;
use crate::backend::gpu::tensor::Allocation;
use crate::backend::gpu::{Gpu, Tensor};
use crate::error::Result;

/// The part of K that a run writes.
pub(super) struct Target<'a> {
    pub kernel: &'a Buffer,
    /// The numbers of rows and columns.
    pub size: [usize; 2],
    /// The number of rows per sample.
    pub outputs_per_sample: usize,
    /// The offset of the matrix.
    pub first: usize,
    /// The distance between two accumulators.
    pub apart: usize,
    /// If true, only the upper triangle is needed.
    pub upper: bool,
}

/// An operand of a matrix product: the rows of x or the columns of y.
pub(in crate::backend::gpu) struct Operand<'a> {
    pub tensor: &'a Tensor,
    /// The number of rows or columns.
    pub count: usize,
    /// The length of the sum.
    pub steps: usize,
    /// The distance between two rows or columns.
    pub stride: usize,
    /// The distance between two steps.
    pub step_stride: usize,
}

/// The panels of a run.
pub(super) struct Operands<'a> {
    pub panels: [&'a Buffer; 2],
    /// The distance between two steps.
    pub strides: [usize; 2],
    /// The matrices that A is read from, or any buffer without them.
    pub lefts: &'a Buffer,
}

impl Gpu {
    /// Runs the fused kernel for all records.
    pub(super) fn run_records(
        &self,
        shape: Shape,
        records: &Records,
        operands: &Operands<'_>,
        target: &Target<'_>,
    ) -> Result<()> {
        let [rows, cols] = target.size;
        let side = shape.side as usize;
        let tiles = [rows.div_ceil(side), cols.div_ceil(side)];
        let record_buffer = self.0.constant(&records.numbers)?;
        for (range, steps) in &records.dispatches {
            let params = [
                tiles[0],
                tiles[1],
                rows,
                cols,
                operands.strides[0] / 4,
                operands.strides[1] / 4,
                range.start,
                range.end,
                usize::from(target.upper),
                target.outputs_per_sample,
                target.first,
                target.apart,
            ];
            self.0.run(&Run {
                kernel: &shape.kernel(),
                inputs: &[operands.panels[0], operands.panels[1], &record_buffer, operands.lefts],
                output: target.kernel,
                params: &params.map(param),
                groups: tiles[0] * tiles[1],
                work: (side * side) as f64 * (2 * steps + 16 * range.len()) as f64,
            });
        }
        Ok(())
    }

    /// True if an operand of a product fits one array as a panel.
    pub(in crate::backend::gpu) fn has_panels(&self, count: usize, steps: usize) -> bool {
        4 * (padded(count) * steps.next_multiple_of(STEPS)) as u64 <= self.0.pool.largest_array()
    }

    /// The product x y. Both operands are copied to panels for the fused kernel.
    pub(in crate::backend::gpu) fn product_of_panels(&self, x: &Operand<'_>, y: &Operand<'_>) -> Allocation {
        let shape = self.tile_shape()?;
        let steps = x.steps.next_multiple_of(STEPS);
        let [rows, cols] = [self.panel(x)?, self.panel(y)?];
        let kernel = self.empty(x.count * y.count)?;
        let strides = [padded(x.count), padded(y.count)];
        let operands = Operands { panels: [&rows, &cols], strides, lefts: &rows };
        let size = [x.count, y.count];
        let target = Target { kernel: &kernel, size, outputs_per_sample: 1, first: 0, apart: 0, upper: false };
        let product = Product { rows: 0, cols: 0, steps, strides: strides.map(|stride| stride / 4) };
        self.run_records(shape, &Records::product(product), &operands, &target)?;
        Ok(kernel)
    }

    /// The panel of an operand.
    fn panel(&self, operand: &Operand<'_>) -> Allocation {
        let steps = operand.steps.next_multiple_of(STEPS);
        let stride = padded(operand.count);
        let panel = self.empty(steps * stride)?;
        if [steps, stride] != [operand.steps, operand.count] {
            self.0.clear(&panel);
        }
        let copy = Copy {
            shape: &[operand.steps, operand.count],
            from: &[operand.step_stride, operand.stride],
            to: &[stride, 1],
            first: [0, 0],
        };
        self.copy_entries(operand.tensor, &copy, &panel)?;
        Ok(panel)
    }

    /// A of every pair of left operands, `[pairs, n, m]`.
    pub(super) fn left_products(
        &self,
        shape: Shape,
        pairs: &[[usize; 2]],
        rows: &Block,
        cols: &Block,
    ) -> Result<std::sync::Arc<Buffer>> {
        let [n, m] = [rows.samples, cols.samples];
        let matrices = self.empty(pairs.len() * n * m)?;
        let strides = [rows.strides(1)[0], cols.strides(1)[0]];
        let mut records = Records::empty(pairs.len());
        for (accumulator, pair) in pairs.iter().enumerate() {
            let [left, right] =
                pair.map(|k| rows.layout.lefts[k].expect("the layout has all left operands of its terms"));
            let [first, second] = [left.first * strides[0], right.first * strides[1]].map(|start| start / 4);
            let strides = strides.map(|stride| stride / 4);
            let product = Product { rows: first, cols: second, steps: left.count, strides };
            records.add(accumulator, Right::Unit(1.0), Left::Product(product), [1.0, 0.0], false);
        }
        let records = records.finished();
        let panels = [rows.panel.as_deref(), cols.panel.as_deref()]
            .map(|panel| panel.expect("a block is packed before its tiles"));
        let operands = Operands { panels, strides, lefts: panels[0] };
        let target =
            Target { kernel: &matrices, size: [n, m], outputs_per_sample: 1, first: 0, apart: n * m, upper: false };
        self.run_records(shape, &records, &operands, &target)?;
        Ok(matrices)
    }
}
