//! softmax and its logarithm, over the last axis.

use super::array::Array;
use super::shelf;
use crate::real::Real;

/// Every row with its largest entry, and what e^(x - largest) of all others sums to.
fn by_row<R: Real>(x: &Array<R>, mut f: impl FnMut(&[R], R, R)) {
    let last = *x.shape().last().expect("softmax has an axis");
    for row in x.as_slice().chunks_exact(last.max(1)) {
        let largest = (1..last).fold(0, |best, k| if row[k] > row[best] { k } else { best });
        let others = row[..largest].iter().chain(&row[largest + 1..]);
        f(row, row[largest], others.map(|&x| (x - row[largest]).exp()).sum());
    }
}

pub(super) fn softmax<R: Real>(x: &Array<R>) -> Array<R> {
    let mut out = shelf::empty(x.as_slice().len());
    by_row(x, |row, largest, others| {
        let sum = R::of(1.0) + others;
        out.extend(row.iter().map(|&x| (x - largest).exp() / sum));
    });
    Array::new(out, x.shape().to_vec())
}

/// The largest entry's own 1 is left to `ln_1p`, which keeps the digits where it outweighs all others.
pub(super) fn log_softmax<R: Real>(x: &Array<R>) -> Array<R> {
    let mut out = shelf::empty(x.as_slice().len());
    by_row(x, |row, largest, others| {
        let log = others.ln_1p();
        out.extend(row.iter().map(|&x| (x - largest) - log));
    });
    Array::new(out, x.shape().to_vec())
}
