//! The inputs and output gradients of a block of samples on the device.
//!
//! Operands of one position are stored in one panel, step by step: all samples of one step of the sum are contiguous,
//! so that a workgroup reads contiguous memory. Samples are padded to whole squares, and sums to whole steps, with
//! zeros.

use std::sync::Arc;

use super::code::{SIDE, STEPS};
use crate::backend::gpu::memory::Buffer;
use crate::backend::gpu::storage::Copy;
use crate::backend::gpu::{Gpu, Tensor};
use crate::backend::{Contraction, ContractionPlan, Panels, Storage, Term};
use crate::error::{Error, Result};

/// The operands of a block of samples: in a panel for one position, as arrays for several.
#[derive(Default)]
pub struct Block {
    pub(super) samples: usize,
    /// Left operands that are arrays, `[g, n, t, i]`.
    pub(super) lefts: Vec<Option<Tensor>>,
    /// Right operands that are arrays, `[blocks, g, n, t, outputs, o]`.
    pub(super) rights: Vec<Option<Tensor>>,
    pub(super) panel: Option<Arc<Buffer>>,
    pub(super) layout: Layout,
}

/// The places of operands in a panel. They are the same for all blocks of a kernel, except for the number of samples.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// The steps of every left operand in the panel.
    pub lefts: Vec<Option<Steps>>,
    /// The steps of every right operand in the panel. Unit vectors have none.
    pub rights: Vec<Option<Steps>>,
    /// The number of steps of all left operands, and of all right operands in all blocks.
    pub depth: [usize; 2],
    /// Which terms the fused kernel computes.
    pub fused: Vec<bool>,
}

/// The steps of an operand: the first among those of all left or right operands, and their number with padding. A right
/// operand has this number of steps in every block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Steps {
    pub first: usize,
    pub count: usize,
}

impl Layout {
    fn new(contraction_plan: &ContractionPlan, panels: &Panels<Tensor>) -> Self {
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

    /// Which left and right operands composed terms read as arrays.
    fn composed(&self, contraction_plan: &ContractionPlan) -> [Vec<bool>; 2] {
        let mut used = [vec![false; self.lefts.len()], vec![false; self.rights.len()]];
        for term in self.terms(contraction_plan, false) {
            term.right.iter().for_each(|&k| used[1][k] = true);
            term.parts.iter().filter_map(|part| part.left).flatten().for_each(|k| used[0][k] = true);
        }
        used
    }

    /// The terms that the fused kernel computes, or the others.
    pub fn terms<'a>(&self, contraction_plan: &'a ContractionPlan, fused: bool) -> Vec<&'a Term> {
        let terms = contraction_plan.terms.iter().zip(&self.fused);
        terms.filter(|(_, is_fused)| **is_fused == fused).map(|(term, _)| term).collect()
    }
}

/// Assigns steps to an operand that has none.
fn place(operand: &mut Option<Steps>, depth: &mut usize, steps: usize, blocks: usize) {
    if operand.is_none() {
        let count = steps.next_multiple_of(STEPS);
        *operand = Some(Steps { first: *depth, count });
        *depth += count * blocks;
    }
}

/// True if the fused kernel computes the term: straight, with one position or unit vectors.
fn is_fused(term: &Term, panels: &Panels<Tensor>) -> bool {
    let vector = |k: usize| panels.rights[k].array().is_none_or(|b| b.shape[1] == 1 && b.shape[3] == 1);
    term.contraction == Contraction::Straight && term.right.into_iter().all(vector)
}

/// The number of samples, padded to whole squares.
pub(super) fn padded(samples: usize) -> usize {
    samples.next_multiple_of(SIDE)
}

impl Block {
    /// The stride of the steps in the panel: for left and for right operands.
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
        let Some(first) = parts.first() else { return Ok(()) };
        self.samples = parts.iter().map(|part| part.samples).sum();
        self.layout = Layout::new(contraction_plan, first);
        let arrays = |axis: usize, pick: &dyn Fn(&Panels<Tensor>) -> Option<Tensor>| {
            let arrays: Vec<Tensor> = parts.iter().filter_map(pick).collect();
            (!arrays.is_empty()).then(|| joined(gpu, &arrays, axis))
        };
        let used = self.layout.composed(contraction_plan);
        let left = |k: usize| used[0][k].then(|| arrays(1, &|part| Some(part.lefts[k].clone()))).flatten();
        let right = |k: usize| used[1][k].then(|| arrays(2, &|part| part.rights[k].array().cloned())).flatten();
        self.lefts = (0..first.lefts.len()).map(left).collect();
        self.rights = (0..first.rights.len()).map(right).collect();
        for array in self.lefts.iter().chain(&self.rights).flatten() {
            array.allocation.as_ref().map_err(Error::clone)?;
        }
        self.fill_panel(gpu, contraction_plan, parts)
    }

    fn fill_panel(&mut self, gpu: &Gpu, contraction_plan: &ContractionPlan, parts: &[Panels<Tensor>]) -> Result<()> {
        let [left_stride, right_stride] = self.strides(contraction_plan.outputs_per_sample);
        let entries = self.layout.depth[0] * left_stride + self.layout.depth[1] * right_stride;
        let panel = gpu.empty(entries)?;
        gpu.0.clear(&panel);
        let first_right = self.layout.depth[0] * left_stride;
        let mut sample = 0;
        for part in parts {
            for (a, steps) in part.lefts.iter().zip(&self.layout.lefts) {
                let Some(steps) = steps else { continue };
                let to = steps.first * left_stride + sample;
                transposed_copy(gpu, a, [part.samples, a.shape[3]], 0, &panel, left_stride, to)?;
            }
            for (b, steps) in part.rights.iter().zip(&self.layout.rights) {
                let (Some(b), Some(steps)) = (b.array(), steps) else { continue };
                let rows = part.samples * contraction_plan.outputs_per_sample;
                for block in 0..contraction_plan.blocks {
                    let to = first_right
                        + (steps.first + block * steps.count) * right_stride
                        + sample * contraction_plan.outputs_per_sample;
                    let from = block * rows * b.shape[5];
                    transposed_copy(gpu, b, [rows, b.shape[5]], from, &panel, right_stride, to)?;
                }
            }
            sample += part.samples;
        }
        self.panel = Some(panel);
        Ok(())
    }
}

/// Writes rows of `x` as columns of a panel.
fn transposed_copy(
    gpu: &Gpu,
    x: &Tensor,
    [rows, steps]: [usize; 2],
    from: usize,
    panel: &Buffer,
    stride: usize,
    to: usize,
) -> Result<()> {
    // Steps are the outer axis, so that writes are contiguous.
    let shape = [steps, rows];
    gpu.copy_entries(x, &Copy { shape: &shape, from: &[1, steps], to: &[stride, 1], first: [from, to] }, panel)
}

/// The arrays joined along `axis`.
fn joined(gpu: &Gpu, arrays: &[Tensor], axis: usize) -> Tensor {
    match arrays {
        [single] => single.clone(),
        _ => gpu.concat(&arrays.iter().collect::<Vec<_>>(), axis),
    }
}
