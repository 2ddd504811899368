//! Embeddings: two samples contribute the rows of the table that both use.

use std::cmp::Ordering;

use super::block::Segments;
use super::{Tile, add_scaled, grown};
use crate::real::Real;
use crate::real::gemm::{View, product};

impl<R: Real> Tile<'_, R> {
    /// `K[n c, m c'] += sum over the rows that both samples use of b[n,c] . b'[m,c']`.
    pub(super) fn joined(&mut self, [b, b2]: [&Segments<R>; 2]) {
        let outputs = self.size.outputs_per_sample;
        let o = b.vectors.shape()[3];
        let block = self.accumulators.block;
        let [first, first2] = [b, b2].map(|segments| block * segments.rows.len() * outputs * o);
        let mut scratch = std::mem::take(self.scratch);
        let mut i = 0;
        let mut j = 0;
        while i < b.rows.len() && j < b2.rows.len() {
            match b.rows[i].cmp(&b2.rows[j]) {
                Ordering::Less => i += 1,
                Ordering::Greater => j += 1,
                Ordering::Equal => {
                    let rows = i..run_end(&b.rows, i);
                    let cols = j..run_end(&b2.rows, j);
                    let height = rows.len() * outputs;
                    let width = cols.len() * outputs;
                    let lhs = &b.vectors.as_slice()[first + i * outputs * o..][..height * o];
                    let rhs = &b2.vectors.as_slice()[first2 + j * outputs * o..][..width * o];
                    let products = grown(&mut scratch.right, height * width);
                    product(products, View::new(lhs, height, o), View::new(rhs, width, o).t());
                    i = rows.end;
                    j = cols.end;
                    self.add_joined(products, &b.samples[rows], &b2.samples[cols]);
                }
            }
        }
        *self.scratch = scratch;
    }

    /// Adds the products of samples that use the same row to every accumulator.
    fn add_joined(&mut self, products: &[R], row_samples: &[usize], col_samples: &[usize]) {
        let outputs = self.size.outputs_per_sample;
        let cols = self.size.cols();
        let width = col_samples.len() * outputs;
        for part in &self.term.parts {
            let weight = R::from_f64(part.weight);
            let out = self.accumulators.get(part.accumulator);
            for (k, products) in products.chunks_exact(width).enumerate() {
                let row = row_samples[k / outputs] * outputs + k % outputs;
                for (products, sample) in products.chunks_exact(outputs).zip(col_samples) {
                    add_scaled(&mut out[row * cols + sample * outputs..][..outputs], products, weight);
                }
            }
        }
    }
}

/// The end of the run of equal numbers that begins at `start`.
fn run_end(numbers: &[usize], start: usize) -> usize {
    start + numbers[start..].iter().take_while(|&&x| x == numbers[start]).count()
}
