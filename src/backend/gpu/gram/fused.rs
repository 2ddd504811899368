//! Terms of one position: one run of the kernel of tiles for all of them.

use super::block::{Block, Layout, Steps, padded};
use super::code::{ADD, FLUSH, KEEP, RECORD, STEPS, Shape};
use crate::backend::Recipe;
use crate::backend::gpu::context::Run;
use crate::backend::gpu::elementwise::Move;
use crate::backend::gpu::memory::Buffer;
use crate::backend::gpu::tensor::Storage;
use crate::backend::gpu::{Gpu, Tensor, word};
use crate::error::{Error, Result};

/// What a workgroup does, record by record, for one matrix of K.
#[derive(Default)]
pub(super) struct Records {
    words: Vec<u32>,
    /// Steps of all products.
    steps: usize,
    /// Slots that are written.
    pub slots: Vec<bool>,
}

/// A side's first step as the kernel counts: in fours from the panel's start.
fn start(steps: Steps, block: usize, stride: usize, before: usize) -> u32 {
    word((before + (steps.first + block * steps.count) * stride) / 4)
}

impl Records {
    /// The records of block `block` of K. With several rows for a sample, A is read from matrices that were computed
    /// before: number k is of pair k of [`pairs`].
    pub fn new(recipe: &Recipe, rows: &Block, cols: &Block, block: usize) -> Self {
        let mut records = Records { slots: vec![false; recipe.slots], ..Records::default() };
        let layout = &rows.layout;
        let [rows_left, rows_right] = rows.strides(recipe.inner);
        let [cols_left, cols_right] = cols.strides(recipe.inner);
        let before = [layout.depth[0] * rows_left, layout.depth[0] * cols_left];
        let pairs = pairs(recipe, layout);
        let unit = recipe.unit_weight as f32;
        let mut flush: Option<usize> = None;
        for term in layout.terms(recipe, true) {
            let sides = term.right.map(|k| layout.rights[k]);
            let b = match sides {
                [Some(one), Some(two)] => [
                    start(one, block, rows_right, before[0]),
                    start(two, block, cols_right, before[1]),
                    word(one.count),
                    0,
                ],
                // Unit vectors are in no panel.
                _ => [0, 0, 0, unit.to_bits()],
            };
            let mut keep = 0;
            for (slot, left, weight, bias) in by_slot(&term.parts) {
                let (mut a, mut steps) = ([0; 4], 0);
                match left {
                    Some(pair) if recipe.inner > 1 => {
                        a[3] = 1 + word(pairs.iter().position(|own| *own == pair).expect("all pairs are listed"));
                    }
                    Some([one, two]) => {
                        let [one, two] = [one, two].map(|k| layout.lefts[k].expect("a left side of this kernel"));
                        a = [start(one, 0, rows_left, 0), start(two, 0, cols_left, 0), word(one.count), 0];
                        steps = one.count;
                    }
                    None => {}
                }
                let starts_new = flush.is_some_and(|last| last != slot);
                if starts_new {
                    records.flush();
                }
                flush = Some(slot);
                records.steps += steps + if keep == 0 { b[2] as usize } else { 0 };
                records.words.extend(b);
                records.words.extend(a);
                records.words.extend([weight.to_bits(), bias.to_bits(), keep, word(slot)]);
                keep = KEEP;
            }
        }
        records.flush();
        records
    }

    /// The last record writes what was added up.
    fn flush(&mut self) {
        let Some(last) = self.words.len().checked_sub(4) else { return };
        let slot = self.words[last + 3] as usize;
        let add = if std::mem::replace(&mut self.slots[slot], true) { ADD } else { 0 };
        self.words[last + 2] |= FLUSH | add;
    }

    /// The product of two panels of so many steps.
    fn product(steps: usize) -> Self {
        let mut records = Records { slots: vec![false], steps, ..Records::default() };
        records.words.extend([0, 0, word(steps), 0]);
        records.words.extend([0; 4]);
        records.words.extend([0, 1f32.to_bits(), 0, 0]);
        records.flush();
        records
    }

    /// One use of `depth` features on either side, in a panel of `rows` samples.
    pub fn trial(depth: usize, rows: usize) -> Self {
        let mut records = Records { slots: vec![false], steps: 2 * depth, ..Records::default() };
        records.words.extend([0, 0, word(depth), 0]);
        records.words.extend([word(depth * rows / 4), word(depth * rows / 4), word(depth), 0]);
        records.words.extend([1f32.to_bits(), 0, 0, 0]);
        records.flush();
        records
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// The pairs of left sides that the kernel of tiles needs.
pub(super) fn pairs(recipe: &Recipe, layout: &Layout) -> Vec<[usize; 2]> {
    let mut pairs = Vec::new();
    for pair in layout.terms(recipe, true).into_iter().flat_map(|term| &term.parts).filter_map(|part| part.left) {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

/// The parts of a term with one left side at most: slot, left sides, their weight, and the weight without.
fn by_slot(parts: &[crate::backend::Part]) -> Vec<(usize, Option<[usize; 2]>, f32, f32)> {
    let mut list: Vec<(usize, Option<[usize; 2]>, f32, f32)> = Vec::new();
    for part in parts {
        let weight = part.weight as f32;
        let same = list.iter_mut().find(|own| own.0 == part.slot && (own.1.is_none() || part.left.is_none()));
        match (same, part.left) {
            (Some(own), None) => own.3 += weight,
            (Some(own), left) => (own.1, own.2) = (left, weight),
            (None, None) => list.push((part.slot, None, 0.0, weight)),
            (None, left) => list.push((part.slot, left, weight, 0.0)),
        }
    }
    // Those of a slot stand together.
    list.sort_by_key(|own| own.0);
    list
}

/// What of K a run writes.
pub(super) struct Target<'a> {
    pub kernel: &'a Buffer,
    /// Rows and columns.
    pub size: [usize; 2],
    /// Rows for a sample.
    pub inner: usize,
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
        let words = [
            tiles[0],
            tiles[1],
            rows,
            cols,
            sides.strides[0] / 4,
            sides.strides[1] / 4,
            0,
            records.words.len() / (4 * RECORD),
            usize::from(target.upper),
            target.inner,
            target.first,
            target.apart,
        ];
        self.0.run(&Run {
            kernel: &shape.kernel(),
            inputs: &[sides.panels[0], sides.panels[1], &list, sides.lefts],
            output: target.kernel,
            words: &words.map(word),
            groups: tiles[0] * tiles[1],
            work: (side * side) as f64 * (2.0 * records.steps as f64 + 16.0 * records.words.len() as f64 / 12.0),
        });
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
        let target = Target { kernel: &kernel, size, inner: 1, first: 0, apart: 0, upper: false };
        self.run_records(shape, &Records::product(steps), &sides, &target)?;
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
        let mut records = Records { slots: vec![false; pairs.len()], ..Records::default() };
        for (slot, &[one, two]) in pairs.iter().enumerate() {
            let [one, two] = [one, two].map(|k| rows.layout.lefts[k].expect("a left side of this kernel"));
            records.words.extend([0, 0, 0, 1f32.to_bits()]);
            records.words.extend([start(one, 0, strides[0], 0), start(two, 0, strides[1], 0), word(one.count), 0]);
            records.words.extend([1f32.to_bits(), 0, 0, word(slot)]);
            records.steps += one.count;
            records.flush();
        }
        let panels = [rows.panel.as_deref(), cols.panel.as_deref()].map(|panel| panel.expect("packed"));
        let sides = Sides { panels, strides, lefts: panels[0] };
        let target = Target { kernel: &matrices, size: [n, m], inner: 1, first: 0, apart: n * m, upper: false };
        self.run_records(shape, &records, &sides, &target)?;
        Ok(matrices)
    }
}
