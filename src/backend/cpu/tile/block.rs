//! The sides of a block of samples, packed once for all the tiles that it is in.

use super::super::array::{Array, concatenated};
use crate::backend::{Contraction, Panels, Recipe, RightPanel};
use crate::real::Real;

/// The packed sides of a block of samples.
pub struct Block<R: Real> {
    pub(super) samples: usize,
    pub(super) lefts: Vec<Array<R>>,
    pub(super) rights: Vec<Right<R>>,
}

impl<R: Real> Default for Block<R> {
    fn default() -> Self {
        Block { samples: 0, lefts: Vec::new(), rights: Vec::new() }
    }
}

pub(super) enum Right<R: Real> {
    Array(Array<R>),
    Unit,
    Segments(Segments<R>),
}

/// Cotangents summed by the row of a table that they belong to: one vector for every row and sample that has it.
pub(super) struct Segments<R: Real> {
    /// The row of every segment, rising.
    pub rows: Vec<usize>,
    /// The sample of every segment, rising where rows are equal.
    pub samples: Vec<usize>,
    /// \[blocks, segments, inner, o\]
    pub vectors: Array<R>,
}

impl<R: Real> Block<R> {
    pub(super) fn pack(&mut self, recipe: &Recipe, parts: &[Panels<Array<R>>]) {
        self.samples = parts.iter().map(|part| part.samples).sum();
        let count = |list: fn(&Panels<Array<R>>) -> usize| parts.first().map_or(0, list);
        self.lefts = (0..count(|part| part.lefts.len()))
            .map(|k| whole(parts.iter().map(|part| &part.lefts[k]).collect(), 1))
            .collect();
        self.rights = (0..count(|part| part.rights.len()))
            .map(|k| {
                let arrays = parts.iter().map(|part| match &part.rights[k] {
                    RightPanel::Array(array) => Some(array),
                    RightPanel::Unit => None,
                });
                arrays.collect::<Option<Vec<_>>>().map_or(Right::Unit, |list| Right::Array(whole(list, 2)))
            })
            .collect();
        for term in recipe.terms.iter().filter(|term| term.contraction == Contraction::Joined) {
            let lefts = term.parts[0].left.expect("row numbers");
            for (left, right) in lefts.into_iter().zip(term.right) {
                if let Right::Array(b) = &self.rights[right] {
                    self.rights[right] = Right::Segments(segments(&self.lefts[left], b));
                }
            }
        }
    }
}

/// Arrays one after another along `axis`.
fn whole<R: Real>(list: Vec<&Array<R>>, axis: usize) -> Array<R> {
    match &list[..] {
        [one] => (*one).clone(),
        _ => concatenated(&list, axis),
    }
}

/// Sums b\[blocks,1,n,t,c,o\] over the positions of a sample that have the same row.
fn segments<R: Real>(ids: &Array<R>, b: &Array<R>) -> Segments<R> {
    let s = b.shape();
    let (blocks, n, t, inner, o) = (s[0], s[2], s[3], s[4], s[5]);
    let row = |at: usize| ids.as_slice()[at].f64().round() as usize;
    let mut order: Vec<usize> = (0..n * t).collect();
    order.sort_by_key(|&at| (row(at), at));
    let (mut rows, mut samples, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for (place, &at) in order.iter().enumerate() {
        if (rows.last(), samples.last()) != (Some(&row(at)), Some(&(at / t))) {
            rows.push(row(at));
            samples.push(at / t);
            starts.push(place);
        }
    }
    starts.push(order.len());
    let size = inner * o;
    let mut vectors = vec![R::default(); blocks * rows.len() * size];
    for (k, sum) in vectors.chunks_exact_mut(size.max(1)).enumerate() {
        let (block, segment) = (k / rows.len(), k % rows.len());
        for &at in &order[starts[segment]..starts[segment + 1]] {
            let from = &b.as_slice()[(block * n * t + at) * size..][..size];
            sum.iter_mut().zip(from).for_each(|(sum, &x)| *sum += x);
        }
    }
    let vectors = Array::new(vectors, vec![blocks, rows.len(), inner, o]);
    Segments { rows, samples, vectors }
}
