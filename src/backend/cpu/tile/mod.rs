//! Tiles of K. A tile is computed on one thread, without allocation once the scratch buffers have grown.

mod block;
mod joined;
mod micro;
mod packed;
mod positions;
#[cfg(test)]
mod tests;
mod vectors;

use super::{Array, Cpu};
use crate::backend::{Contraction, ContractionPlan, Gram, Panels, Term, TileConfig};
use crate::error::Result;
use crate::real::gemm::View;
use crate::real::{Real, vectorised};
pub use block::Block;
use packed::Packed;

/// The buffers of a worker.
#[derive(Default)]
pub struct Scratch<R> {
    /// A, the products of left operands.
    left: Vec<R>,
    /// B, the products of right operands, or the intermediate result of a contraction.
    right: Vec<R>,
    /// One row of A, with each entry repeated for every output.
    row: Vec<R>,
    /// True for the accumulators, in every block, that were not written yet.
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
                let accumulators =
                    Accumulators { out, fresh: &mut fresh, size, blocks: contraction_plan.blocks, block };
                let mut tile = Tile { size, term, panels: [rows, cols], scratch, accumulators, upper };
                let [b, b2] = [&rows.rights[term.right[0]], &cols.rights[term.right[1]]];
                if b.unit || b2.unit {
                    tile.unit(R::from_f64(contraction_plan.one_hot_weight));
                } else if let [Some(b), Some(b2)] = [&b.segments, &b2.segments] {
                    tile.joined([b, b2]);
                } else if let [Some(b), Some(b2)] = [b.packed(block), b2.packed(block)]
                    && term.contraction == Contraction::Straight
                {
                    tile.vectors([b, b2]);
                } else if let [Some(b), Some(b2)] = [b.packed(block), b2.packed(block)]
                    && term.contraction == Contraction::Crossed
                {
                    tile.crossed([b, b2]);
                } else if let [Some(b), Some(b2)] = [b.array(), b2.array()] {
                    let rights = [Operand::right(b, block), Operand::right(b2, block)];
                    match term.contraction {
                        Contraction::Mixed => tile.mixed(rights),
                        _ => tile.positions(rights),
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

/// An operand of a use: `outputs_per_sample` rows at each position, for every group.
#[derive(Clone, Copy)]
struct Operand<'a, R> {
    data: &'a [R],
    groups: usize,
    samples: usize,
    positions: usize,
    outputs_per_sample: usize,
    features: usize,
}

impl<'a, R: Real> Operand<'a, R> {
    /// The left operand `a[g,n,t,i]`.
    fn left(a: &'a Array<R>) -> Self {
        let s = a.shape();
        Operand {
            data: a.as_slice(),
            groups: s[0],
            samples: s[1],
            positions: s[2],
            outputs_per_sample: 1,
            features: s[3],
        }
    }

    /// The right operand `b[block,g,n,t,c,o]` in one block.
    fn right(b: &'a Array<R>, block: usize) -> Self {
        let s = b.shape();
        let entries = s[1..].iter().product::<usize>();
        let data = &b.as_slice()[block * entries..][..entries];
        Operand { data, groups: s[1], samples: s[2], positions: s[3], outputs_per_sample: s[4], features: s[5] }
    }

    /// The rows of `count` samples from `start` on, in one group: `[count t outputs, features]`.
    fn samples(&self, group: usize, start: usize, count: usize) -> View<'a, R> {
        let per_sample = self.positions * self.outputs_per_sample;
        let rows = count * per_sample;
        let from = (group * self.samples + start) * per_sample * self.features;
        View::new(&self.data[from..][..rows * self.features], rows, self.features)
    }
}

/// The accumulators of a tile, in one block.
struct Accumulators<'a, R> {
    out: &'a mut [R],
    fresh: &'a mut [bool],
    size: Size,
    blocks: usize,
    block: usize,
}

impl<R: Real> Accumulators<'_, R> {
    fn get(&mut self, accumulator: usize) -> &mut [R] {
        let target = self.target(accumulator, false);
        if target.fresh {
            target.out.fill(R::default());
        }
        target.out
    }

    fn target(&mut self, accumulator: usize, upper: bool) -> micro::Target<'_, R> {
        let index = accumulator * self.blocks + self.block;
        let entries = self.size.entries();
        let fresh = std::mem::take(&mut self.fresh[index]);
        let out = &mut self.out[index * entries..][..entries];
        micro::Target { out, stride: self.size.cols(), fresh, upper }
    }
}

/// One term and the block of a tile that it is added to.
struct Tile<'a, R: Real> {
    size: Size,
    term: &'a Term,
    panels: [&'a Block<R>; 2],
    scratch: &'a mut Scratch<R>,
    accumulators: Accumulators<'a, R>,
    /// True for a tile on the diagonal: only its upper triangle is needed.
    upper: bool,
}

impl<'a, R: Real> Tile<'a, R> {
    fn lefts(&self, indices: [usize; 2]) -> [Operand<'a, R>; 2] {
        [0, 1].map(|k| Operand::left(self.panels[k].lefts[indices[k]].array()))
    }

    fn packed_lefts(&self, indices: [usize; 2]) -> [&'a Packed<R>; 2] {
        [0, 1].map(|k| self.panels[k].lefts[indices[k]].packed())
    }
}

/// The first `len` entries of `buffer`, which grows if it is shorter.
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
