//! The sides of a block of samples on the device.
//!
//! Sides of one position stand in one panel, step by step: for every step of a sum the numbers of all samples, so that
//! what a workgroup reads is side by side. Samples are padded to whole squares and sums to whole steps, by zeros.

use std::sync::Arc;

use super::code::{SIDE, STEPS};
use crate::backend::gpu::elementwise::Move;
use crate::backend::gpu::memory::Buffer;
use crate::backend::gpu::{Gpu, Tensor};
use crate::backend::{Arrays, Contraction, ContractionPlan, Panels, Term};
use crate::error::{Error, Result};

/// The sides of a block of samples: of one position in a panel, of several as arrays.
#[derive(Default)]
pub struct Block {
    pub(super) samples: usize,
    /// Left sides that are arrays, \[g, n, t, i\].
    pub(super) lefts: Vec<Option<Tensor>>,
    /// Right sides that are arrays, \[blocks, g, n, t, inner, o\].
    pub(super) rights: Vec<Option<Tensor>>,
    pub(super) panel: Option<Arc<Buffer>>,
    pub(super) layout: Layout,
}

/// Where sides are in a panel; the same for all blocks of a kernel but for the number of samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// Steps of every left side that is in the panel.
    pub lefts: Vec<Option<Steps>>,
    /// The same of right sides; those of unit vectors have none.
    pub rights: Vec<Option<Steps>>,
    /// Steps of all left sides, and of all right sides of all blocks.
    pub depth: [usize; 2],
    /// Which terms are the kernel of tiles' own.
    pub fused: Vec<bool>,
}

/// The steps of a side: where the first is, among those of all left or right sides, and how many there are with padding.
/// A right side has as many for every block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Steps {
    pub first: usize,
    pub count: usize,
}

impl Layout {
    fn of(contraction_plan: &ContractionPlan, panels: &Panels<Tensor>) -> Self {
        let mut layout = Layout {
            lefts: vec![None; panels.lefts.len()],
            rights: vec![None; panels.rights.len()],
            depth: [0, 0],
            fused: contraction_plan.terms.iter().map(|term| is_fused(term, panels)).collect(),
        };
        for term in layout.terms(contraction_plan, true) {
            for k in term.right {
                let Some(b) = panels.rights[k].array() else { continue };
                place(&mut layout.rights[k], &mut layout.depth[1], b.shape[5], contraction_plan.blocks);
            }
            for k in term.parts.iter().filter_map(|part| part.left).flatten() {
                place(&mut layout.lefts[k], &mut layout.depth[0], panels.lefts[k].shape[3], 1);
            }
        }
        layout
    }

    /// Which left and right sides other kernels take, as arrays.
    fn composed(&self, contraction_plan: &ContractionPlan) -> [Vec<bool>; 2] {
        let mut used = [vec![false; self.lefts.len()], vec![false; self.rights.len()]];
        for term in self.terms(contraction_plan, false) {
            term.right.iter().for_each(|&k| used[1][k] = true);
            term.parts.iter().filter_map(|part| part.left).flatten().for_each(|k| used[0][k] = true);
        }
        used
    }

    /// The terms that are the kernel of tiles' own, or the others.
    pub fn terms<'a>(&self, contraction_plan: &'a ContractionPlan, fused: bool) -> Vec<&'a Term> {
        contraction_plan.terms.iter().zip(&self.fused).filter(|(_, own)| **own == fused).map(|(term, _)| term).collect()
    }
}

/// Gives a side its place, if it has none.
fn place(side: &mut Option<Steps>, depth: &mut usize, steps: usize, blocks: usize) {
    if side.is_none() {
        let count = steps.next_multiple_of(STEPS);
        *side = Some(Steps { first: *depth, count });
        *depth += count * blocks;
    }
}

/// Is a term one of the kernel of tiles: straight, of one position, or of unit vectors?
fn is_fused(term: &Term, panels: &Panels<Tensor>) -> bool {
    let vector = |k: usize| panels.rights[k].array().is_none_or(|b| b.shape[1] == 1 && b.shape[3] == 1);
    term.contraction == Contraction::Straight && term.right.into_iter().all(vector)
}

/// Samples padded to whole squares.
pub(super) fn padded(samples: usize) -> usize {
    samples.next_multiple_of(SIDE)
}

impl Block {
    /// How far apart steps are in the panel: of left sides, and of right sides.
    pub(super) fn strides(&self, outputs_per_sample: usize) -> [usize; 2] {
        [padded(self.samples), padded(self.samples * outputs_per_sample)]
    }

    /// Packs the panels in `parts`.
    pub(super) fn pack(
        &mut self,
        gpu: &Gpu,
        contraction_plan: &ContractionPlan,
        parts: &[Panels<Tensor>],
    ) -> Result<()> {
        let Some(one) = parts.first() else { return Ok(()) };
        self.samples = parts.iter().map(|part| part.samples).sum();
        self.layout = Layout::of(contraction_plan, one);
        let arrays = |axis: usize, pick: &dyn Fn(&Panels<Tensor>) -> Option<Tensor>| {
            let list: Vec<Tensor> = parts.iter().filter_map(pick).collect();
            (!list.is_empty()).then(|| whole(gpu, &list, axis))
        };
        let used = self.layout.composed(contraction_plan);
        let left = |k: usize| used[0][k].then(|| arrays(1, &|part| Some(part.lefts[k].clone()))).flatten();
        let right = |k: usize| used[1][k].then(|| arrays(2, &|part| part.rights[k].array().cloned())).flatten();
        self.lefts = (0..one.lefts.len()).map(left).collect();
        self.rights = (0..one.rights.len()).map(right).collect();
        for array in self.lefts.iter().chain(&self.rights).flatten() {
            array.storage.as_ref().map_err(Error::clone)?;
        }
        self.fill_panel(gpu, contraction_plan, parts)
    }

    fn fill_panel(&mut self, gpu: &Gpu, contraction_plan: &ContractionPlan, parts: &[Panels<Tensor>]) -> Result<()> {
        let [of_lefts, of_rights] = self.strides(contraction_plan.outputs_per_sample);
        let entries = self.layout.depth[0] * of_lefts + self.layout.depth[1] * of_rights;
        let panel = gpu.empty(entries)?;
        gpu.0.clear(&panel);
        let first_right = self.layout.depth[0] * of_lefts;
        let mut sample = 0;
        for part in parts {
            for (a, steps) in part.lefts.iter().zip(&self.layout.lefts) {
                let Some(steps) = steps else { continue };
                let to = steps.first * of_lefts + sample;
                turned(gpu, a, [part.samples, a.shape[3]], 0, &panel, of_lefts, to)?;
            }
            for (b, steps) in part.rights.iter().zip(&self.layout.rights) {
                let (Some(b), Some(steps)) = (b.array(), steps) else { continue };
                let rows = part.samples * contraction_plan.outputs_per_sample;
                for block in 0..contraction_plan.blocks {
                    let to = first_right
                        + (steps.first + block * steps.count) * of_rights
                        + sample * contraction_plan.outputs_per_sample;
                    let from = block * rows * b.shape[5];
                    turned(gpu, b, [rows, b.shape[5]], from, &panel, of_rights, to)?;
                }
            }
            sample += part.samples;
        }
        self.panel = Some(panel);
        Ok(())
    }
}

/// Writes rows of `x` as columns of a panel.
fn turned(
    gpu: &Gpu,
    x: &Tensor,
    [rows, steps]: [usize; 2],
    from: usize,
    panel: &Buffer,
    stride: usize,
    to: usize,
) -> Result<()> {
    // By steps first, so that what is written is side by side.
    let shape = [steps, rows];
    gpu.move_entries(x, &Move { shape: &shape, from: &[1, steps], to: &[stride, 1], first: [from, to] }, panel)
}

/// Arrays one after another along `axis`.
fn whole(gpu: &Gpu, list: &[Tensor], axis: usize) -> Tensor {
    match list {
        [one] => one.clone(),
        _ => gpu.concat(&list.iter().collect::<Vec<_>>(), axis),
    }
}
