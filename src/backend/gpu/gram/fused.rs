//! Terms of one position: one run of the kernel of tiles for all of them.

use super::block::{Block, padded};
use super::code::{STEPS, Shape};
use super::records::{Left, Product, Records, Right};
use crate::backend::gpu::context::Run;
use crate::backend::gpu::elementwise::Move;
use crate::backend::gpu::memory::Buffer;
use crate::backend::gpu::tensor::Storage;
use crate::backend::gpu::{Gpu, Tensor, word};
use crate::error::{Error, Result};

/// What of K a run writes.
pub(super) struct Target<'a> {
    pub kernel: &'a Buffer,
    /// Rows and columns.
    pub size: [usize; 2],
    /// Rows for a sample.
    pub outputs_per_sample: usize,
    /// Where the matrix begins, and from one slot to the next.
    pub first: usize,
    pub apart: usize,
    /// Only the upper triangle is needed.
    pub upper: bool,
}

/// A side of a matrix product: `count` rows of x or columns of y, of so many steps.
pub(in crate::backend::gpu) struct Matrix<'a> {
    pub tensor: &'a Tensor,
    pub count: usize,
    pub steps: usize,
    /// From one row or column to the next, and from one step to the next.
    pub by_one: usize,
    pub by_step: usize,
}

/// The panels of a run.
pub(super) struct Sides<'a> {
    pub panels: [&'a Buffer; 2],
    /// From one step to the next.
    pub strides: [usize; 2],
    /// Matrices that A is read from, or anything.
    pub lefts: &'a Buffer,
}

impl Gpu {
    /// Runs the kernel of tiles for all records.
    pub(super) fn run_records(
        &self,
        shape: Shape,
        records: &Records,
        sides: &Sides<'_>,
        target: &Target<'_>,
    ) -> Result<()> {
        let [rows, cols] = target.size;
        let side = shape.side as usize;
        let tiles = [rows.div_ceil(side), cols.div_ceil(side)];
        let list = self.0.constant(&records.words)?;
        for (range, steps) in &records.dispatches {
            let words = [
                tiles[0],
                tiles[1],
                rows,
                cols,
                sides.strides[0] / 4,
                sides.strides[1] / 4,
                range.start,
                range.end,
                usize::from(target.upper),
                target.outputs_per_sample,
                target.first,
                target.apart,
            ];
            self.0.run(&Run {
                kernel: &shape.kernel(),
                inputs: &[sides.panels[0], sides.panels[1], &list, sides.lefts],
                output: target.kernel,
                words: &words.map(word),
                groups: tiles[0] * tiles[1],
                work: (side * side) as f64 * (2 * steps + 16 * range.len()) as f64,
            });
        }
        Ok(())
    }

    /// Can the device hold a side of a product as a panel?
    pub(in crate::backend::gpu) fn has_panels(&self, count: usize, steps: usize) -> bool {
        4 * (padded(count) * steps.next_multiple_of(STEPS)) as u64 <= self.0.pool.most()
    }

    /// x y for two matrices, given by where their entries are: both are turned into panels for the kernel of tiles.
    pub(in crate::backend::gpu) fn product_of_panels(&self, x: &Matrix<'_>, y: &Matrix<'_>) -> Storage {
        let shape = self.tile_shape()?;
        let steps = x.steps.next_multiple_of(STEPS);
        let panel = |side: &Matrix<'_>| {
            let stride = padded(side.count);
            let panel = self.empty(steps * stride)?;
            if (steps, stride) != (side.steps, side.count) {
                self.0.clear(&panel);
            }
            let (from, to) = ([side.by_step, side.by_one], [stride, 1]);
            let move_ = Move { shape: &[side.steps, side.count], from: &from, to: &to, first: [0, 0] };
            self.move_entries(side.tensor, &move_, &panel)?;
            Ok::<_, Error>(panel)
        };
        let (rows, cols) = (panel(x)?, panel(y)?);
        let kernel = self.empty(x.count * y.count)?;
        let strides = [padded(x.count), padded(y.count)];
        let sides = Sides { panels: [&rows, &cols], strides, lefts: &rows };
        let size = [x.count, y.count];
        let target = Target { kernel: &kernel, size, outputs_per_sample: 1, first: 0, apart: 0, upper: false };
        let product = Product { rows: 0, cols: 0, steps, strides: strides.map(|stride| stride / 4) };
        self.run_records(shape, &Records::product(product), &sides, &target)?;
        Ok(kernel)
    }

    /// A of every pair of left sides, \[pairs, n, m\].
    pub(super) fn left_products(
        &self,
        shape: Shape,
        pairs: &[[usize; 2]],
        rows: &Block,
        cols: &Block,
    ) -> Result<std::sync::Arc<Buffer>> {
        let (n, m) = (rows.samples, cols.samples);
        let matrices = self.empty(pairs.len() * n * m)?;
        let strides = [rows.strides(1)[0], cols.strides(1)[0]];
        let mut records = Records::none(pairs.len());
        for (accumulator, pair) in pairs.iter().enumerate() {
            let [one, two] = pair.map(|k| rows.layout.lefts[k].expect("a left side of this kernel"));
            let [first, second] = [one.first * strides[0], two.first * strides[1]].map(|start| start / 4);
            let strides = strides.map(|stride| stride / 4);
            let product = Product { rows: first, cols: second, steps: one.count, strides };
            records.add(accumulator, Right::Unit(1.0), Left::Product(product), [1.0, 0.0], false);
        }
        let records = records.finished();
        let panels = [rows.panel.as_deref(), cols.panel.as_deref()].map(|panel| panel.expect("packed"));
        let sides = Sides { panels, strides, lefts: panels[0] };
        let target =
            Target { kernel: &matrices, size: [n, m], outputs_per_sample: 1, first: 0, apart: n * m, upper: false };
        self.run_records(shape, &records, &sides, &target)?;
        Ok(matrices)
    }
}
