//! Embeddings: only rows of the table that both samples have meet.

use super::block::Segments;
use super::{Size, Tile, add_scaled, grown};
use crate::real::Real;
use crate::real::gemm::{View, product};

impl<R: Real> Tile<'_, R> {
    /// K\[n c, m c'\] += sum over the rows that both have of b\[n,c\] . b'\[m,c'\].
    pub(super) fn joined(&mut self, [one, two]: [&Segments<R>; 2]) {
        let Size { outputs_per_sample, .. } = self.size;
        let cols = self.size.cols();
        let o = one.vectors.shape()[3];
        let [first_one, first_two] =
            [one, two].map(|segments| self.accumulators.block * segments.rows.len() * outputs_per_sample * o);
        let mut scratch = std::mem::take(self.scratch);
        let (mut i, mut j) = (0, 0);
        while i < one.rows.len() && j < two.rows.len() {
            let row = one.rows[i];
            match row.cmp(&two.rows[j]) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    let (rows_end, cols_end) = (run_end(&one.rows, i), run_end(&two.rows, j));
                    let (height, width) = ((rows_end - i) * outputs_per_sample, (cols_end - j) * outputs_per_sample);
                    let lhs = &one.vectors.as_slice()[first_one + i * outputs_per_sample * o..][..height * o];
                    let rhs = &two.vectors.as_slice()[first_two + j * outputs_per_sample * o..][..width * o];
                    let (lhs, rhs) = (View::new(lhs, height, o), View::new(rhs, width, o));
                    let products = grown(&mut scratch.right, height * width);
                    product(products, lhs, rhs.t());
                    for part in &self.term.parts {
                        let (weight, out) = (R::from_f64(part.weight), self.accumulators.get(part.accumulator));
                        for (k, products) in products.chunks_exact(width).enumerate() {
                            let at = (one.samples[i + k / outputs_per_sample] * outputs_per_sample
                                + k % outputs_per_sample)
                                * cols;
                            let by_sample = products.chunks_exact(outputs_per_sample).zip(&two.samples[j..cols_end]);
                            for (products, sample) in by_sample {
                                add_scaled(
                                    &mut out[at + sample * outputs_per_sample..][..outputs_per_sample],
                                    products,
                                    weight,
                                );
                            }
                        }
                    }
                    (i, j) = (rows_end, cols_end);
                }
            }
        }
        *self.scratch = scratch;
    }
}

/// Where the run of equal numbers that begins at `start` ends.
fn run_end(list: &[usize], start: usize) -> usize {
    start + list[start..].iter().take_while(|&&x| x == list[start]).count()
}
