use std::cmp::Ordering;
use std::sync::Arc;

use super::{Array, Cpu};
use crate::backend::Indexing;
use crate::real::{Real, buffer_pool};
use crate::shape::numel;

/// Row numbers, in any shape. The largest `usize` marks an invalid number.
#[derive(Clone)]
pub struct Index {
    rows: Arc<Vec<usize>>,
    shape: Vec<usize>,
}

impl Index {
    const INVALID: usize = usize::MAX;

    pub(super) fn new(rows: Vec<usize>, shape: Vec<usize>) -> Self {
        debug_assert_eq!(rows.len(), numel(&shape));
        Index { rows: Arc::new(rows), shape }
    }
}

impl<R: Real> Indexing for Cpu<R> {
    fn indices(&self, x: &Array<R>, rows: usize, apart: bool) -> Index {
        let per_sample = numel(&x.shape()[1..]).max(1);
        let table = |entry: usize| if apart { entry / per_sample * rows } else { 0 };
        let numbers = x.as_slice().iter().enumerate();
        let numbers = numbers.map(|(entry, id)| row_number(id.f64(), rows, table(entry)));
        Index::new(numbers.collect(), x.shape().to_vec())
    }

    fn gather(&self, x: &Array<R>, index: &Index) -> Array<R> {
        let d = x.shape()[1];
        let nan = R::from_f64(f64::NAN);
        if d == 1 {
            let mut out = buffer_pool::empty(index.rows.len());
            out.extend(index.rows.iter().map(|&row| x.as_slice().get(row).copied().unwrap_or(nan)));
            return Array::new(out, [&index.shape[..], &[1]].concat());
        }
        let mut out = buffer_pool::empty(index.rows.len() * d);
        for &row in index.rows.iter() {
            match x.as_slice().get(row.saturating_mul(d)..row.saturating_mul(d).saturating_add(d)) {
                Some(entries) => out.extend_from_slice(entries),
                None => out.resize(out.len() + d, nan),
            }
        }
        Array::new(out, [&index.shape[..], &[d]].concat())
    }

    fn scatter(&self, y: &Array<R>, index: &Index, rows: usize) -> Array<R> {
        let d = y.shape()[y.shape().len() - 1];
        let mut out = buffer_pool::zeros(rows * d);
        for (&row, entries) in index.rows.iter().zip(y.as_slice().chunks_exact(d.max(1))) {
            if row != Index::INVALID {
                out[row * d..][..d].iter_mut().zip(entries).for_each(|(to, &x)| *to += x);
            }
        }
        Array::new(out, vec![rows, d])
    }

    fn sort_order(&self, x: &Array<R>, descending: bool) -> Array<R> {
        let size = *x.shape().last().expect("sort_order needs at least one axis");
        let mut out = buffer_pool::empty(x.as_slice().len());
        for row in x.as_slice().chunks_exact(size.max(1)) {
            let mut places: Vec<usize> = (0..size).collect();
            // The sort is stable: equal entries keep their order in both directions.
            if descending {
                places.sort_by(|&a, &b| ascending(row[b], row[a]));
            } else {
                places.sort_by(|&a, &b| ascending(row[a], row[b]));
            }
            out.extend(places.into_iter().map(|place| R::from_f64(place as f64)));
        }
        Array::new(out, x.shape().to_vec())
    }
}

/// The order of two numbers. NaN comes after all others.
fn ascending<R: Real>(x: R, y: R) -> Ordering {
    let by_nan = || x.f64().is_nan().cmp(&y.f64().is_nan());
    x.partial_cmp(&y).unwrap_or_else(by_nan)
}

/// The number of the row `id` in a table that begins at row `table` and has `rows` rows.
fn row_number(id: f64, rows: usize, table: usize) -> usize {
    // A comparison with NaN is false.
    if (0.0..rows as f64).contains(&id) && id.fract() == 0.0 { id as usize + table } else { Index::INVALID }
}
