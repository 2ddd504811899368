use super::runs::{Runs, for_each_index};
use super::{Array, Cpu};
use crate::backend::Reductions;
use crate::real::gemm::{View, product};
use crate::real::{Real, buffer_pool, vectorised};
use crate::shape::{self, broadcast_strides, numel, strides};

impl<R: Real> Reductions for Cpu<R> {
    /// The order of the additions depends on the shape alone.
    fn sum(&self, x: &Array<R>, axes: &[usize]) -> Array<R> {
        let mut shape = x.shape().to_vec();
        for &axis in axes {
            shape[axis] = 1;
        }
        let mut out = buffer_pool::zeros(numel(&shape));
        let entries = x.as_slice();
        if !entries.is_empty() {
            let runs = Runs::new(x.shape(), strides(x.shape()), broadcast_strides(&shape, x.shape()));
            let count = runs.count;
            for_each_index(&runs.shape, &runs.x, &runs.y, |i, j| {
                vectorised(|| match runs.steps {
                    [0, _] => out[j] += entries[i],
                    [_, 0] => out[j] += total(&entries[i..][..count]),
                    _ => out[j..][..count].iter_mut().zip(&entries[i..][..count]).for_each(|(sum, &x)| *sum += x),
                })
            });
        }
        Array::new(out, shape)
    }

    fn matmul(&self, x: &Array<R>, transpose_x: bool, y: &Array<R>, transpose_y: bool) -> Array<R> {
        let shape = shape::matmul(x.shape(), transpose_x, y.shape(), transpose_y);
        let mut out = buffer_pool::unset(numel(&shape));
        let [rows_x, cols_x] = last_two(x.shape());
        let [rows_y, cols_y] = last_two(y.shape());
        if y.shape().len() == 2 && !transpose_x {
            // One right operand for the whole batch: one product over all rows.
            let all_rows = numel(&x.shape()[..x.shape().len() - 1]);
            let rhs = View::new(y.as_slice(), rows_y, cols_y).transposed_if(transpose_y);
            product(&mut out, View::new(x.as_slice(), all_rows, cols_x), rhs);
            return Array::new(out, shape);
        }
        let batch = &shape[..shape.len() - 2];
        let [rows, cols] = last_two(&shape);
        let steps = |s: &[usize]| broadcast_strides(&s[..s.len() - 2], batch);
        let mut next = 0;
        if !out.is_empty() {
            for_each_index(batch, &steps(x.shape()), &steps(y.shape()), |i, j| {
                let lhs = View::new(&x.as_slice()[i * rows_x * cols_x..][..rows_x * cols_x], rows_x, cols_x);
                let rhs = View::new(&y.as_slice()[j * rows_y * cols_y..][..rows_y * cols_y], rows_y, cols_y);
                let to = &mut out[next * rows * cols..][..rows * cols];
                product(to, lhs.transposed_if(transpose_x), rhs.transposed_if(transpose_y));
                next += 1;
            });
        }
        Array::new(out, shape)
    }

    fn softmax(&self, x: &Array<R>) -> Array<R> {
        let mut out = buffer_pool::unset(x.as_slice().len());
        vectorised(
            #[inline(always)]
            || {
                by_row(
                    x,
                    &mut out,
                    #[inline(always)]
                    |exponentials, _, _, others| {
                        let sum = R::from_f64(1.0) + others;
                        for e in exponentials {
                            *e = *e / sum;
                        }
                    },
                )
            },
        );
        Array::new(out, x.shape().to_vec())
    }

    /// The 1 of the largest entry is added by `ln_1p`, which keeps the digits of the others if they are small.
    fn log_softmax(&self, x: &Array<R>) -> Array<R> {
        let mut out = buffer_pool::unset(x.as_slice().len());
        vectorised(
            #[inline(always)]
            || {
                by_row(
                    x,
                    &mut out,
                    #[inline(always)]
                    |entries, row, largest, others| {
                        let log = others.ln_1p();
                        for (y, &x) in entries.iter_mut().zip(row) {
                            *y = (x - largest) - log;
                        }
                    },
                )
            },
        );
        Array::new(out, x.shape().to_vec())
    }
}

/// The sizes of the last two axes.
fn last_two(shape: &[usize]) -> [usize; 2] {
    [shape[shape.len() - 2], shape[shape.len() - 1]]
}

/// The sum of a run, accumulated in eight partial sums.
#[inline(always)]
fn total<R: Real>(run: &[R]) -> R {
    let (chunks, rest) = run.as_chunks::<8>();
    let mut sums = [R::default(); 8];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum += x);
    }
    sums.into_iter().chain(rest.iter().copied()).sum()
}

/// Writes e^(x - largest) of every row to its row of `out`. Then calls `f` with that row of `out`, the row of `x`, its
/// largest entry, and the sum of the exponentials of all other entries.
#[inline(always)]
fn by_row<R: Real>(x: &Array<R>, out: &mut [R], mut f: impl FnMut(&mut [R], &[R], R, R)) {
    let last = *x.shape().last().expect("softmax needs at least one axis");
    let width = last.max(1);
    for (row, exponentials) in x.as_slice().chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let largest = (1..last).fold(0, |best, k| if row[k] > row[best] { k } else { best });
        let top = row[largest];
        for (e, &x) in exponentials.iter_mut().zip(row) {
            *e = (x - top).exp();
        }
        let others = total(&exponentials[..largest]) + total(&exponentials[largest + 1..]);
        f(exponentials, row, top, others);
    }
}
