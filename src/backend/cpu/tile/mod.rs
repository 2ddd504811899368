//! Tiles of K. One thread; no allocation once the scratch has grown.

mod block;
mod joined;
pub(super) mod micro;
mod packed;
mod positions;
#[cfg(test)]
mod tests;
mod vectors;

use super::Cpu;
use super::array::Array;
use crate::backend::{Contraction, ContractionPlan, Gram, Panels, Term, TileConfig};
use crate::error::Result;
use crate::real::gemm::View;
use crate::real::{Real, vectorised};
pub use block::Block;
use packed::Packed;

/// A worker's buffers.
#[derive(Default)]
pub struct Scratch<R> {
    /// A, the products of left sides.
    left: Vec<R>,
    /// B, the products of right sides, or what is contracted step by step.
    right: Vec<R>,
    /// One row of A, each entry repeated for every output.
    row: Vec<R>,
    /// Slots that nothing was written to yet, for every block.
    fresh: Vec<bool>,
}

impl<R: Real> Gram for Cpu<R> {
    type Scratch = Scratch<R>;
    type Packed = Block<R>;

    fn name(&self) -> String {
        "cpu".into()
    }

    fn tile_config(&self) -> TileConfig {
        TileConfig::CPU
    }

    fn pack(
        &self,
        contraction_plan: &ContractionPlan,
        parts: &[Panels<Array<R>>],
        packed: &mut Block<R>,
    ) -> Result<()> {
        packed.pack(contraction_plan, parts);
        Ok(())
    }

    fn tile(
        &self,
        contraction_plan: &ContractionPlan,
        rows: &Block<R>,
        cols: &Block<R>,
        scratch: &mut Scratch<R>,
        out: &mut [R],
    ) -> Result<()> {
        let upper = std::ptr::eq(rows, cols);
        let size = Size { n: rows.samples, m: cols.samples, outputs_per_sample: contraction_plan.outputs_per_sample };
        let mut fresh = std::mem::take(&mut scratch.fresh);
        fresh.clear();
        fresh.resize(contraction_plan.accumulators * contraction_plan.blocks, true);
        for block in 0..contraction_plan.blocks {
            for term in &contraction_plan.terms {
                let accumulators = Slots { out, fresh: &mut fresh, size, blocks: contraction_plan.blocks, block };
                let mut tile = Tile { size, term, panels: [rows, cols], scratch, accumulators, upper };
                let [one, two] = [&rows.rights[term.right[0]], &cols.rights[term.right[1]]];
                if one.unit || two.unit {
                    tile.unit(R::from_f64(contraction_plan.one_hot_weight));
                } else if let (Some(one), Some(two)) = (&one.segments, &two.segments) {
                    tile.joined([one, two]);
                } else if let (Some(b), Some(b2)) = (one.packed(block), two.packed(block))
                    && term.contraction == Contraction::Straight
                {
                    tile.vectors([b, b2]);
                } else if let (Some(b), Some(b2)) = (one.packed(block), two.packed(block))
                    && term.contraction == Contraction::Crossed
                {
                    tile.crossed([b, b2]);
                } else if let (Some(b), Some(b2)) = (one.array(), two.array()) {
                    let sides = [Side::right(b, block), Side::right(b2, block)];
                    match term.contraction {
                        Contraction::Mixed => tile.mixed(sides),
                        _ => tile.positions(sides),
                    }
                }
            }
        }
        for (out, &fresh) in out.chunks_exact_mut(size.entries().max(1)).zip(&fresh) {
            if fresh {
                out.fill(R::default());
            }
        }
        scratch.fresh = fresh;
        Ok(())
    }
}

/// The samples and outputs of a tile.
#[derive(Clone, Copy)]
struct Size {
    n: usize,
    m: usize,
    outputs_per_sample: usize,
}

impl Size {
    fn cols(&self) -> usize {
        self.m * self.outputs_per_sample
    }
    fn entries(&self) -> usize {
        self.n * self.outputs_per_sample * self.cols()
    }
}

/// A side of a use: `outputs_per_sample` rows at each of its positions, for every group.
#[derive(Clone, Copy)]
struct Side<'a, R> {
    data: &'a [R],
    groups: usize,
    samples: usize,
    positions: usize,
    outputs_per_sample: usize,
    features: usize,
}

impl<'a, R: Real> Side<'a, R> {
    /// a\[g,n,t,i\]
    fn left(a: &'a Array<R>) -> Self {
        let s = a.shape();
        Side { data: a.as_slice(), groups: s[0], samples: s[1], positions: s[2], outputs_per_sample: 1, features: s[3] }
    }

    /// b\[block,g,n,t,c,o\] of one block.
    fn right(b: &'a Array<R>, block: usize) -> Self {
        let s = b.shape();
        let entries = s[1..].iter().product::<usize>();
        let data = &b.as_slice()[block * entries..][..entries];
        Side { data, groups: s[1], samples: s[2], positions: s[3], outputs_per_sample: s[4], features: s[5] }
    }

    /// The rows of the samples from `start` on, `count` of them, in one group: \[count t inner, features\].
    fn samples(&self, group: usize, start: usize, count: usize) -> View<'a, R> {
        let per_sample = self.positions * self.outputs_per_sample;
        let rows = count * per_sample;
        let from = (group * self.samples + start) * per_sample * self.features;
        View::new(&self.data[from..][..rows * self.features], rows, self.features)
    }
}

/// The slots of a tile, in one block.
struct Slots<'a, R> {
    out: &'a mut [R],
    fresh: &'a mut [bool],
    size: Size,
    blocks: usize,
    block: usize,
}

impl<R: Real> Slots<'_, R> {
    fn get(&mut self, accumulator: usize) -> &mut [R] {
        let target = self.target(accumulator, false);
        if target.fresh {
            target.out.fill(R::default());
        }
        target.out
    }

    fn target(&mut self, accumulator: usize, upper: bool) -> micro::Target<'_, R> {
        let (index, entries) = (accumulator * self.blocks + self.block, self.size.entries());
        let fresh = std::mem::take(&mut self.fresh[index]);
        let out = &mut self.out[index * entries..][..entries];
        micro::Target { out, stride: self.size.cols(), fresh, upper }
    }
}

/// One term on its way into one block of a tile.
struct Tile<'a, R: Real> {
    size: Size,
    term: &'a Term,
    panels: [&'a Block<R>; 2],
    scratch: &'a mut Scratch<R>,
    accumulators: Slots<'a, R>,
    /// The tile is on the diagonal: only its upper triangle is needed.
    upper: bool,
}

impl<'a, R: Real> Tile<'a, R> {
    fn lefts(&self, indices: [usize; 2]) -> [Side<'a, R>; 2] {
        [0, 1].map(|k| Side::left(self.panels[k].lefts[indices[k]].array()))
    }

    fn packed_lefts(&self, indices: [usize; 2]) -> [&'a Packed<R>; 2] {
        [0, 1].map(|k| self.panels[k].lefts[indices[k]].packed())
    }
}

/// The first `len` entries of `buffer`, which grows to hold them.
fn grown<R: Real>(buffer: &mut Vec<R>, len: usize) -> &mut [R] {
    if buffer.len() < len {
        buffer.resize(len, R::default());
    }
    &mut buffer[..len]
}

/// out += weight x
fn add_scaled<R: Real>(out: &mut [R], x: &[R], weight: R) {
    vectorised(|| out.iter_mut().zip(x).for_each(|(out, &x)| *out += weight * x));
}
