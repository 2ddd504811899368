//! Terms with several positions, for a few rows and columns of samples at a time. Intermediate results stay in cache.

use super::{Operand, Size, Tile, add_scaled, grown};
use crate::real::gemm::{Gemm, View, product};
use crate::real::{Real, vectorised};

/// The preferred number of entries of a product over positions.
const PAIR_ENTRIES: usize = 1 << 16;
/// The preferred number of rows of such a product, enough for it to be fast.
const PAIR_ROWS: usize = 96;
/// The preferred number of entries of the contraction of one operand, for one row of samples.
const HALF_ENTRIES: usize = 1 << 18;

impl<'a, R: Real> Tile<'a, R> {
    /// `K[n c, m c'] += sum over g, t, u of A[n t, m u] B[n c t, m c' u]`.
    pub(super) fn positions(&mut self, right: [Operand<'_, R>; 2]) {
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let lefts = self.lefts(part.left.expect("a term with positions has left operands"));
            let pairs = Pairs { size: self.size, lefts, right, weight: R::from_f64(part.weight) };
            let out = self.accumulators.get(part.accumulator);
            for group in 0..lefts[0].groups {
                if self.size.outputs_per_sample == 1 {
                    pairs.both_products(group, &mut scratch, out);
                } else {
                    pairs.one_operand_at_a_time(group, &mut scratch, out);
                }
            }
        }
        *self.scratch = scratch;
    }

    /// `K[n c, m c'] += sum over t of b[n,t,c] . (G[m,c'] a[n,t])`, with the materialised gradients G of the columns.
    pub(super) fn mixed(&mut self, right: [Operand<'_, R>; 2]) {
        let Size { n, m, outputs_per_sample } = self.size;
        let [b, gradients] = right;
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let [left, _] = part.left.expect("a mixed term has a left operand for the rows");
            let a = Operand::left(self.panels[0].lefts[left].array());
            let [t, i, o] = [a.positions, a.features, b.features];
            let step = (HALF_ENTRIES / (t * outputs_per_sample * o).max(1)).clamp(1, m.max(1));
            let out = self.accumulators.get(part.accumulator);
            for row in 0..n {
                for col in (0..m).step_by(step) {
                    let count = step.min(m - col);
                    // G of `count` samples as [(m c' o), i], times a: V[t, (m c' o)].
                    let columns = count * outputs_per_sample * o;
                    let from = &gradients.data[col * outputs_per_sample * o * i..][..columns * i];
                    let half = grown(&mut scratch.right, t * columns);
                    product(half, a.samples(0, row, 1), View::new(from, columns, i).t());
                    let b = b.samples(0, row, 1);
                    let shape = [outputs_per_sample, t, count, o];
                    add_contracted(
                        &mut out[row * outputs_per_sample * m * outputs_per_sample..],
                        col,
                        m,
                        b,
                        half,
                        shape,
                        part.weight,
                        &mut scratch.row,
                    );
                }
            }
        }
        *self.scratch = scratch;
    }
}

/// One pair of uses and its weight.
struct Pairs<'a, 'b, R> {
    size: Size,
    lefts: [Operand<'a, R>; 2],
    right: [Operand<'b, R>; 2],
    weight: R,
}

impl<R: Real> Pairs<'_, '_, R> {
    /// With one output: A and B for some rows and columns, multiplied and summed over positions.
    fn both_products(&self, group: usize, scratch: &mut super::Scratch<R>, out: &mut [R]) {
        let Size { n, m, .. } = self.size;
        let [t, u] = self.lefts.map(|left| left.positions);
        let rows_step = PAIR_ROWS.div_ceil(t).min(n.max(1));
        let cols_step = (PAIR_ENTRIES / (rows_step * t * u)).clamp(1, m.max(1));
        for row in (0..n).step_by(rows_step) {
            let rows = rows_step.min(n - row);
            for col in (0..m).step_by(cols_step) {
                let cols = cols_step.min(m - col);
                let width = cols * u;
                let left = grown(&mut scratch.left, rows * t * width);
                product(left, self.lefts[0].samples(group, row, rows), self.lefts[1].samples(group, col, cols).t());
                let right = grown(&mut scratch.right, rows * t * width);
                product(right, self.right[0].samples(group, row, rows), self.right[1].samples(group, col, cols).t());
                let sums = grown(&mut scratch.row, width);
                for k in 0..rows {
                    sums.fill(R::default());
                    vectorised(|| {
                        for position in k * t..(k + 1) * t {
                            let pair = left[position * width..].iter().zip(&right[position * width..]);
                            sums.iter_mut().zip(pair).for_each(|(sum, (&a, &b))| *sum += a * b);
                        }
                    });
                    let to = &mut out[(row + k) * m + col..][..cols];
                    for (to, sums) in to.iter_mut().zip(sums.chunks_exact(u)) {
                        *to += self.weight * sums.iter().copied().sum();
                    }
                }
            }
        }
    }

    /// With several outputs: A for a row of samples is contracted with the columns' b, then with the row's b. A pair
    /// takes C t u o + C^2 t o multiplications instead of the C^2 t u o of both products.
    fn one_operand_at_a_time(&self, group: usize, scratch: &mut super::Scratch<R>, out: &mut [R]) {
        let Size { n, m, outputs_per_sample } = self.size;
        let [t, u, o] = [self.lefts[0].positions, self.lefts[1].positions, self.right[1].features];
        let step = (HALF_ENTRIES / (t * outputs_per_sample * o).max(1)).clamp(1, m.max(1));
        let rows_step = PAIR_ROWS.div_ceil(t).min(n.max(1));
        for col in (0..m).step_by(step) {
            let count = step.min(m - col);
            for first in (0..n).step_by(rows_step) {
                let rows = rows_step.min(n - first);
                let left = grown(&mut scratch.left, rows * t * count * u);
                product(left, self.lefts[0].samples(group, first, rows), self.lefts[1].samples(group, col, count).t());
                for k in 0..rows {
                    let half = grown(&mut scratch.right, t * count * outputs_per_sample * o);
                    for c in 0..count {
                        // A[t,u] of a pair of samples times b[u, (c' o)], into [t, (c' o)] at this column.
                        let from = &left[k * t * count * u + c * u..][..(t - 1) * count * u + u];
                        let lhs = View { data: from, rows: t, cols: u, stride: count * u, transposed: false };
                        let b = &self.right[1].samples(group, col + c, 1);
                        let rhs = View::new(b.data, u, outputs_per_sample * o);
                        let stride = count * outputs_per_sample * o;
                        let to = &mut half[c * outputs_per_sample * o..][..(t - 1) * stride + outputs_per_sample * o];
                        R::gemm(Gemm { out: to, out_stride: stride, lhs, rhs, accumulate: false });
                    }
                    let row = first + k;
                    let b = self.right[0].samples(group, row, 1);
                    let to = &mut out[row * outputs_per_sample * m * outputs_per_sample..];
                    let shape = [outputs_per_sample, t, count, o];
                    add_contracted(to, col, m, b, half, shape, self.weight.f64(), &mut scratch.row);
                }
            }
        }
    }
}

/// `out[c, m c'] += weight sum over t, o of b[t,c,o] half[t,m,c',o]`, for `count` samples m from `col` on.
#[expect(clippy::too_many_arguments, reason = "one step of two contractions")]
fn add_contracted<R: Real>(
    out: &mut [R],
    col: usize,
    m: usize,
    b: View<'_, R>,
    half: &[R],
    [outputs_per_sample, t, count, o]: [usize; 4],
    weight: f64,
    sums: &mut Vec<R>,
) {
    let width = count * outputs_per_sample;
    let sums = grown(sums, outputs_per_sample * width);
    for position in 0..t {
        let lhs =
            View::new(&b.data[position * outputs_per_sample * o..][..outputs_per_sample * o], outputs_per_sample, o);
        let rhs = View::new(&half[position * width * o..][..width * o], width, o).t();
        R::gemm(Gemm { out: &mut *sums, out_stride: width, lhs, rhs, accumulate: position > 0 });
    }
    for (c, sums) in sums.chunks_exact(width).enumerate() {
        add_scaled(
            &mut out[c * m * outputs_per_sample + col * outputs_per_sample..][..width],
            sums,
            R::from_f64(weight),
        );
    }
}
