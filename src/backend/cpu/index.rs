//! Rows by number.

use std::sync::Arc;

use super::array::Array;
use crate::real::{Real, buffer_pool};
use crate::shape::numel;

/// Row numbers, of any shape. The largest `usize` is no row.
#[derive(Clone)]
pub struct Index {
    rows: Arc<Vec<usize>>,
    shape: Vec<usize>,
}

impl Index {
    const NOWHERE: usize = usize::MAX;

    pub(super) fn new(rows: Vec<usize>, shape: Vec<usize>) -> Self {
        debug_assert_eq!(rows.len(), numel(&shape));
        Index { rows: Arc::new(rows), shape }
    }
}

pub(super) fn indices<R: Real>(x: &Array<R>, rows: usize, apart: bool) -> Index {
    let per_sample = numel(&x.shape()[1..]).max(1);
    let row = |(at, id): (usize, &R)| {
        let id = id.f64();
        // A comparison with NaN is false.
        if (0.0..rows as f64).contains(&id) && id.fract() == 0.0 {
            id as usize + if apart { at / per_sample * rows } else { 0 }
        } else {
            Index::NOWHERE
        }
    };
    Index::new(x.as_slice().iter().enumerate().map(row).collect(), x.shape().to_vec())
}

pub(super) fn gather<R: Real>(x: &Array<R>, index: &Index) -> Array<R> {
    let d = x.shape()[1];
    if d == 1 {
        let entry = |&row: &usize| x.as_slice().get(row).copied().unwrap_or(R::from_f64(f64::NAN));
        let mut out = buffer_pool::empty(index.rows.len());
        out.extend(index.rows.iter().map(entry));
        return Array::new(out, [&index.shape[..], &[1]].concat());
    }
    let mut out = buffer_pool::empty(index.rows.len() * d);
    for &row in index.rows.iter() {
        match x.as_slice().get(row.saturating_mul(d)..row.saturating_mul(d).saturating_add(d)) {
            Some(entries) => out.extend_from_slice(entries),
            None => out.resize(out.len() + d, R::from_f64(f64::NAN)),
        }
    }
    Array::new(out, [&index.shape[..], &[d]].concat())
}

pub(super) fn scatter<R: Real>(y: &Array<R>, index: &Index, rows: usize) -> Array<R> {
    let d = y.shape()[y.shape().len() - 1];
    let mut out = buffer_pool::zeros(rows * d);
    for (&row, entries) in index.rows.iter().zip(y.as_slice().chunks_exact(d.max(1))) {
        if row != Index::NOWHERE {
            out[row * d..][..d].iter_mut().zip(entries).for_each(|(to, &x)| *to += x);
        }
    }
    Array::new(out, vec![rows, d])
}
