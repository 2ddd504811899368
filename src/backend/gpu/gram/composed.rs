//! Terms with several positions and crossed terms, composed of primitives for some samples at a time.

use std::ops::Range;

use super::block::Block;
use crate::backend::gpu::kernels;
use crate::backend::gpu::launch::{Launch, TOUCH, groups, param};
use crate::backend::gpu::memory::Buffer;
use crate::backend::gpu::{Gpu, Tensor};
use crate::backend::{Addend, Contraction, ContractionPlan, Pointwise, Reductions, Storage, Term};
use crate::error::Result;
use crate::shape::{blocks, numel};

/// The preferred number of entries of an intermediate result.
const INTERMEDIATE: usize = 1 << 23;

/// One term and the block of a tile that it is added to.
pub(super) struct Composed<'a> {
    pub gpu: &'a Gpu,
    pub contraction_plan: &'a ContractionPlan,
    pub term: &'a Term,
    pub panels: [&'a Block; 2],
    pub block: usize,
    /// The tile, `[accumulators, blocks, n outputs, m outputs]`.
    pub kernel: &'a Buffer,
}

impl Composed<'_> {
    pub fn run(&self) -> Result<()> {
        let [b, b2] = [0, 1].map(|k| self.right(k));
        for part in &self.term.parts {
            let left = part.left.expect("a composed term has left operands");
            let [a, a2] = [0, 1].map(|k| self.panels[k].lefts[left[k]].as_ref());
            match self.term.contraction {
                Contraction::Crossed => self.crossed(
                    part,
                    [a, a2].map(|a| a.expect("pack kept the left operand of a composed term")),
                    [&b, &b2],
                )?,
                Contraction::Mixed => {
                    self.mixed(part, a.expect("pack kept the left operand of a composed term"), &b, &b2)?
                }
                _ => self.positions(
                    part,
                    [a, a2].map(|a| a.expect("pack kept the left operand of a composed term")),
                    [&b, &b2],
                )?,
            }
        }
        Ok(())
    }

    /// The right operand of this block, `[g, n, t, outputs, o]`.
    fn right(&self, k: usize) -> Tensor {
        let b =
            self.panels[k].rights[self.term.right[k]].as_ref().expect("pack kept the right operand of a composed term");
        let block = self.gpu.slice(b, 0, self.block..self.block + 1);
        self.gpu.reshape(&block, &b.shape[1..])
    }

    /// sum over g, t, u of `A[n t, m u] B[n c t, m c' u]`. A is a product, or 1 where row numbers are equal and else 0.
    fn positions(&self, part: &Addend, [a, a2]: [&Tensor; 2], [b, b2]: [&Tensor; 2]) -> Result<()> {
        let gpu = self.gpu;
        let (s, r) = (&b.shape, &b2.shape);
        let (g, t, u, outputs_per_sample, o) = (s[0], s[2], r[2], s[3], s[4]);
        let one_output = outputs_per_sample == 1;
        let per_pair = g * t * if one_output { u } else { (outputs_per_sample * o).max(u) };
        self.in_parts(per_pair, |rows, cols| {
            let (n, m) = (rows.len(), cols.len());
            let [a, b] = [a, b].map(|x| gpu.slice(x, 1, rows.clone()));
            let [a2, b2] = [a2, b2].map(|x| gpu.slice(x, 1, cols.clone()));
            let joined = self.term.contraction == Contraction::Joined;
            if one_output {
                let flat = |x: &Tensor, rows: usize| gpu.reshape(x, &[g, rows, numel(&x.shape) / (g * rows).max(1)]);
                let right = gpu.matmul(&flat(&b, n * t), false, &flat(&b2, m * u), true);
                let left = if joined {
                    gpu.zip(&kernels::EQUAL, &flat(&a, n * t), &gpu.reshape(&a2, &[g, 1, m * u]))
                } else {
                    gpu.matmul(&flat(&a, n * t), false, &flat(&a2, m * u), true)
                };
                let pairs = gpu.reshape(&gpu.mul(&left, &right), &[g, n, t, m, u]);
                return self.add(part, &gpu.sum(&pairs, &[0, 2, 4]), &rows, &cols);
            }
            // A[g,n,m,t,u] is contracted with the columns' b over u, then with the rows' b over t.
            let i = a.shape[3];
            let left = if joined {
                gpu.zip(&kernels::EQUAL, &gpu.reshape(&a, &[g, n, 1, t, 1]), &gpu.reshape(&a2, &[g, 1, m, 1, u]))
            } else {
                gpu.matmul(&gpu.reshape(&a, &[g, n, 1, t, i]), false, &gpu.reshape(&a2, &[g, 1, m, u, i]), true)
            };
            let half = gpu.matmul(&left, false, &gpu.reshape(&b2, &[g, 1, m, u, outputs_per_sample * o]), false);
            let half = gpu.permute(&gpu.reshape(&half, &[g, n, m, t, outputs_per_sample, o]), &[1, 2, 4, 0, 3, 5]);
            self.contracted(part, &b, &half, &rows, &cols)
        })
    }

    /// sum over t of `b[n,t,c] . (G[m,c'] a[n,t])`, with the materialised gradients G of the columns.
    fn mixed(&self, part: &Addend, a: &Tensor, b: &Tensor, gradients: &Tensor) -> Result<()> {
        let gpu = self.gpu;
        let (t, i, outputs_per_sample, o) = (a.shape[2], a.shape[3], b.shape[3], b.shape[4]);
        self.in_parts(t * outputs_per_sample * o, |rows, cols| {
            let (n, m) = (rows.len(), cols.len());
            let [a, b] = [a, b].map(|x| gpu.slice(x, 1, rows.clone()));
            let gradients = gpu.reshape(&gpu.slice(gradients, 1, cols.clone()), &[m * outputs_per_sample * o, i]);
            let half = gpu.matmul(&gpu.reshape(&a, &[n * t, i]), false, &gradients, true);
            let half = gpu.permute(&gpu.reshape(&half, &[n, t, m, outputs_per_sample, o]), &[0, 2, 3, 1, 4]);
            self.contracted(part, &b, &gpu.reshape(&half, &[n, m, outputs_per_sample, 1, t, o]), &rows, &cols)
        })
    }

    /// sum over g, t, o of `b[g,n,t,c,o] half[n,m,c',g,t,o]`.
    fn contracted(
        &self,
        part: &Addend,
        b: &Tensor,
        half: &Tensor,
        rows: &Range<usize>,
        cols: &Range<usize>,
    ) -> Result<()> {
        let gpu = self.gpu;
        let (g, t, outputs_per_sample, o) = (b.shape[0], b.shape[2], b.shape[3], b.shape[4]);
        let (n, m, sums) = (rows.len(), cols.len(), g * t * o);
        let b = gpu.reshape(&gpu.permute(b, &[1, 3, 0, 2, 4]), &[n, outputs_per_sample, sums]);
        let product = gpu.matmul(&b, false, &gpu.reshape(half, &[n, m * outputs_per_sample, sums]), true);
        self.add(part, &product, rows, cols)
    }

    /// `A[n, m c'] B[n c, m]`: a weight and its transpose.
    fn crossed(&self, part: &Addend, [a, a2]: [&Tensor; 2], [b, b2]: [&Tensor; 2]) -> Result<()> {
        let gpu = self.gpu;
        let outputs_per_sample = b.shape[3];
        self.in_parts(outputs_per_sample * outputs_per_sample, |rows, cols| {
            let (n, m) = (rows.len(), cols.len());
            let [a, b] = [a, b].map(|x| gpu.slice(x, 1, rows.clone()));
            let [a2, b2] = [a2, b2].map(|x| gpu.slice(x, 1, cols.clone()));
            let flat = |x: &Tensor, rows: usize| {
                gpu.reshape(x, &[rows, *x.shape.last().expect("an operand has a feature axis")])
            };
            let left = gpu.matmul(&flat(&a, n), false, &flat(&b2, m * outputs_per_sample), true);
            let right = gpu.matmul(&flat(&b, n * outputs_per_sample), false, &flat(&a2, m), true);
            let product = gpu.mul(
                &gpu.reshape(&left, &[n, 1, m, outputs_per_sample]),
                &gpu.reshape(&right, &[n, outputs_per_sample, m, 1]),
            );
            self.add(part, &product, &rows, &cols)
        })
    }

    /// Calls `f` for ranges of rows and columns of samples. A pair of samples has `per_pair` intermediate entries.
    fn in_parts(&self, per_pair: usize, f: impl Fn(Range<usize>, Range<usize>) -> Result<()>) -> Result<()> {
        let (n, m) = (self.panels[0].samples, self.panels[1].samples);
        let cols = (INTERMEDIATE / per_pair.max(1)).clamp(1, m.max(1));
        let rows = (INTERMEDIATE / (cols * per_pair).max(1)).clamp(1, n.max(1));
        for rows in blocks(n, rows) {
            for cols in blocks(m, cols) {
                f(rows.clone(), cols)?;
            }
        }
        Ok(())
    }

    /// Adds a part of K, `[n c, m c']` for some samples, to its accumulator.
    fn add(&self, part: &Addend, x: &Tensor, rows: &Range<usize>, cols: &Range<usize>) -> Result<()> {
        let outputs_per_sample = self.contraction_plan.outputs_per_sample;
        let [high, wide] = [0, 1].map(|k| self.panels[k].samples * outputs_per_sample);
        let start = (part.accumulator * self.contraction_plan.blocks + self.block) * high * wide;
        let first = start + rows.start * outputs_per_sample * wide + cols.start * outputs_per_sample;
        let entries = numel(&x.shape);
        let mut params = [entries, cols.len() * outputs_per_sample, wide, first, 0].map(param);
        params[4] = (part.weight as f32).to_bits();
        let launch = Launch {
            kernel: &kernels::ACCUMULATE,
            inputs: &[&x.allocation],
            shape: &x.shape,
            params: &params,
            groups: groups(entries),
            work: 1024.0 * TOUCH,
        };
        self.gpu.launch_to(&launch, self.kernel)
    }
}
