//! The sides of a block of samples, packed once for all the tiles that it is in.

use super::super::array::{Array, concatenated};
use super::packed::Packed;
use crate::backend::{Contraction, ContractionPlan, Panels};
use crate::real::Real;

/// The sides of a block of samples: of one position, packed for products; of several, as arrays.
pub struct Block<R: Real> {
    pub(super) samples: usize,
    pub(super) lefts: Vec<Left<R>>,
    pub(super) rights: Vec<Right<R>>,
}

impl<R: Real> Default for Block<R> {
    fn default() -> Self {
        Block { samples: 0, lefts: Vec::new(), rights: Vec::new() }
    }
}

/// A left side, as its terms need it.
#[derive(Default)]
pub(super) struct Left<R: Real> {
    array: Option<Array<R>>,
    packed: Packed<R>,
}

/// A right side, as its terms need it.
#[derive(Default)]
pub(super) struct Right<R: Real> {
    /// It is the unit vector of its output.
    pub unit: bool,
    pub segments: Option<Segments<R>>,
    array: Option<Array<R>>,
    /// For every block of outputs.
    packed: Vec<Packed<R>>,
}

impl<R: Real> Left<R> {
    pub fn array(&self) -> &Array<R> {
        self.array.as_ref().expect("a left side with positions")
    }
    pub fn packed(&self) -> &Packed<R> {
        &self.packed
    }
}

impl<R: Real> Right<R> {
    pub fn array(&self) -> Option<&Array<R>> {
        self.array.as_ref()
    }
    pub fn packed(&self, block: usize) -> Option<&Packed<R>> {
        self.packed.get(block)
    }
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

/// How terms use a side.
#[derive(Clone, Copy, Default)]
struct SweepTargets {
    array: bool,
    packed: bool,
}

impl<R: Real> Block<R> {
    /// Packs the panels in `parts`; memory of what was packed before is used again.
    pub(super) fn pack(&mut self, contraction_plan: &ContractionPlan, parts: &[Panels<Array<R>>]) {
        let Some(one) = parts.first() else { return };
        self.samples = parts.iter().map(|part| part.samples).sum();
        self.lefts.resize_with(one.lefts.len(), Left::default);
        self.rights.resize_with(one.rights.len(), Right::default);
        let (lefts, rights) = wanted(contraction_plan, one);
        for (k, (side, wanted)) in self.lefts.iter_mut().zip(lefts).enumerate() {
            let list = || parts.iter().map(|part| &part.lefts[k]);
            side.array = wanted.array.then(|| whole(list().collect(), 1));
            if wanted.packed {
                let s = one.lefts[k].shape();
                side.packed.reset(self.samples * s[2], s[3]);
                let mut first = 0;
                for a in list() {
                    side.packed.fill(first, a.as_slice());
                    first += a.shape()[1] * s[2];
                }
            }
        }
        for (k, (side, wanted)) in self.rights.iter_mut().zip(rights).enumerate() {
            let list = || parts.iter().filter_map(|part| part.rights[k].array());
            let Some(s) = one.rights[k].array().map(Array::shape) else {
                side.unit = true;
                continue;
            };
            side.array = wanted.array.then(|| whole(list().collect(), 2));
            side.packed.resize_with(if wanted.packed { s[0] } else { 0 }, Packed::default);
            for (block, packed) in side.packed.iter_mut().enumerate() {
                packed.reset(self.samples * s[4], s[5]);
                let mut first = 0;
                for b in list() {
                    let entries = b.as_slice().len() / s[0];
                    packed.fill(first, &b.as_slice()[block * entries..][..entries]);
                    first += b.shape()[2] * s[4];
                }
            }
        }
        for term in contraction_plan.terms.iter().filter(|term| term.contraction == Contraction::Joined) {
            let lefts = term.parts[0].left.expect("row numbers");
            for (left, right) in lefts.into_iter().zip(term.right) {
                let side = &mut self.rights[right];
                if let Some(b) = side.array.take() {
                    side.segments = Some(segments(self.lefts[left].array(), &b));
                }
            }
        }
    }
}

/// How every left and every right side is used.
fn wanted<R: Real>(
    contraction_plan: &ContractionPlan,
    panels: &Panels<Array<R>>,
) -> (Vec<SweepTargets>, Vec<SweepTargets>) {
    let mut lefts = vec![SweepTargets::default(); panels.lefts.len()];
    let mut rights = vec![SweepTargets::default(); panels.rights.len()];
    for term in &contraction_plan.terms {
        let packed = match term.contraction {
            Contraction::Straight => term.right.iter().all(|&k| panels.rights[k].array().is_none_or(is_vector)),
            Contraction::Crossed => true,
            Contraction::Mixed | Contraction::Joined => false,
        };
        let mark = |wanted: &mut SweepTargets| if packed { wanted.packed = true } else { wanted.array = true };
        term.right.iter().for_each(|&k| mark(&mut rights[k]));
        term.parts.iter().filter_map(|part| part.left).flatten().for_each(|k| mark(&mut lefts[k]));
    }
    (lefts, rights)
}

/// Is b\[blocks,g,n,t,inner,o\] of one group and one position?
fn is_vector<R: Real>(b: &Array<R>) -> bool {
    b.shape()[1] == 1 && b.shape()[3] == 1
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
    let (blocks, n, t, outputs_per_sample, o) = (s[0], s[2], s[3], s[4], s[5]);
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
    let size = outputs_per_sample * o;
    let mut vectors = vec![R::default(); blocks * rows.len() * size];
    for (k, sum) in vectors.chunks_exact_mut(size.max(1)).enumerate() {
        let (block, segment) = (k / rows.len(), k % rows.len());
        for &at in &order[starts[segment]..starts[segment + 1]] {
            let from = &b.as_slice()[(block * n * t + at) * size..][..size];
            sum.iter_mut().zip(from).for_each(|(sum, &x)| *sum += x);
        }
    }
    let vectors = Array::new(vectors, vec![blocks, rows.len(), outputs_per_sample, o]);
    Segments { rows, samples, vectors }
}
