//! The order of rows.

use std::cmp::Ordering;

use super::array::Array;
use crate::real::{Real, buffer_pool};

pub(super) fn sort_order<R: Real>(x: &Array<R>, descending: bool) -> Array<R> {
    let size = *x.shape().last().expect("a row has an axis");
    let mut out = buffer_pool::empty(x.as_slice().len());
    for row in x.as_slice().chunks_exact(size.max(1)) {
        let mut places: Vec<usize> = (0..size).collect();
        // The sort is stable: equal entries keep their order both ways.
        match descending {
            true => places.sort_by(|&a, &b| ascending(row[b], row[a])),
            false => places.sort_by(|&a, &b| ascending(row[a], row[b])),
        }
        out.extend(places.into_iter().map(|place| R::from_f64(place as f64)));
    }
    Array::new(out, x.shape().to_vec())
}

/// The order of two numbers, NaN after all others.
fn ascending<R: Real>(x: R, y: R) -> Ordering {
    let by_nan = || x.f64().is_nan().cmp(&y.f64().is_nan());
    x.partial_cmp(&y).unwrap_or_else(by_nan)
}
