//! softmax and its logarithm, over the last axis.

use super::array::Array;
use super::elementwise::total;
use crate::real::{Real, buffer_pool, vectorised};

/// Writes e^(x - largest) of every row to its row of `out`, and hands that to `f` with the row, its largest entry and
/// what the exponentials of all others sum to.
#[inline(always)]
fn by_row<R: Real>(x: &Array<R>, out: &mut [R], mut f: impl FnMut(&mut [R], &[R], R, R)) {
    let last = *x.shape().last().expect("softmax has an axis");
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

pub(super) fn softmax<R: Real>(x: &Array<R>) -> Array<R> {
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

/// The largest entry's own 1 is left to `ln_1p`, which keeps the digits where it outweighs all others.
pub(super) fn log_softmax<R: Real>(x: &Array<R>) -> Array<R> {
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
