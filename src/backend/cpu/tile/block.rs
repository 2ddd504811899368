//! The operands of a block of samples, packed once for all tiles of the block.

use super::packed::Packed;
use crate::backend::cpu::{Array, Cpu};
use crate::backend::{Contraction, ContractionPlan, Panels, Storage};
use crate::real::Real;

/// The operands of a block of samples: packed for products if they have one position, else as arrays.
pub struct Block<R: Real> {
    pub(super) samples: usize,
    pub(super) lefts: Vec<LeftOperand<R>>,
    pub(super) rights: Vec<RightOperand<R>>,
}

impl<R: Real> Default for Block<R> {
    fn default() -> Self {
        Block { samples: 0, lefts: Vec::new(), rights: Vec::new() }
    }
}

/// A left operand, in the forms that its terms need.
#[derive(Default)]
pub(super) struct LeftOperand<R: Real> {
    array: Option<Array<R>>,
    packed: Packed<R>,
}

/// A right operand, in the forms that its terms need.
#[derive(Default)]
pub(super) struct RightOperand<R: Real> {
    /// True if the operand is the unit vector of its output.
    pub unit: bool,
    pub segments: Option<Segments<R>>,
    array: Option<Array<R>>,
    /// One per block of outputs.
    packed: Vec<Packed<R>>,
}

impl<R: Real> LeftOperand<R> {
    pub fn array(&self) -> &Array<R> {
        self.array.as_ref().expect("terms with positions keep their left operand as an array")
    }
    pub fn packed(&self) -> &Packed<R> {
        &self.packed
    }
}

impl<R: Real> RightOperand<R> {
    pub fn array(&self) -> Option<&Array<R>> {
        self.array.as_ref()
    }
    pub fn packed(&self, block: usize) -> Option<&Packed<R>> {
        self.packed.get(block)
    }
}

/// Cotangents summed by the row of a table: one vector per row and sample that uses the row.
pub(super) struct Segments<R: Real> {
    /// The row of every segment, in ascending order.
    pub rows: Vec<usize>,
    /// The sample of every segment, in ascending order for equal rows.
    pub samples: Vec<usize>,
    /// `[blocks, segments, outputs, o]`
    pub vectors: Array<R>,
}

/// The forms of an operand that terms need.
#[derive(Clone, Copy, Default)]
struct Forms {
    array: bool,
    packed: bool,
}

impl<R: Real> Block<R> {
    /// Packs the panels in `parts`. The memory of earlier panels is reused.
    pub(super) fn pack(&mut self, contraction_plan: &ContractionPlan, parts: &[Panels<Array<R>>]) {
        let Some(first_part) = parts.first() else { return };
        self.samples = parts.iter().map(|part| part.samples).sum();
        self.lefts.resize_with(first_part.lefts.len(), LeftOperand::default);
        self.rights.resize_with(first_part.rights.len(), RightOperand::default);
        let (left_forms, right_forms) = needed_forms(contraction_plan, first_part);
        for (k, (left, forms)) in self.lefts.iter_mut().zip(left_forms).enumerate() {
            let arrays = || parts.iter().map(|part| &part.lefts[k]);
            left.array = forms.array.then(|| joined(arrays().collect(), 1));
            if forms.packed {
                let s = first_part.lefts[k].shape();
                left.packed.reset(self.samples * s[2], s[3]);
                let mut first = 0;
                for a in arrays() {
                    left.packed.fill(first, a.as_slice());
                    first += a.shape()[1] * s[2];
                }
            }
        }
        for (k, (right, forms)) in self.rights.iter_mut().zip(right_forms).enumerate() {
            let arrays = || parts.iter().filter_map(|part| part.rights[k].array());
            let Some(s) = first_part.rights[k].array().map(Array::shape) else {
                right.unit = true;
                continue;
            };
            right.array = forms.array.then(|| joined(arrays().collect(), 2));
            right.packed.resize_with(if forms.packed { s[0] } else { 0 }, Packed::default);
            for (block, packed) in right.packed.iter_mut().enumerate() {
                packed.reset(self.samples * s[4], s[5]);
                let mut first = 0;
                for b in arrays() {
                    let entries = b.as_slice().len() / s[0];
                    packed.fill(first, &b.as_slice()[block * entries..][..entries]);
                    first += b.shape()[2] * s[4];
                }
            }
        }
        for term in contraction_plan.terms.iter().filter(|term| term.contraction == Contraction::Joined) {
            let lefts = term.parts[0].left.expect("the left operands of a joined term are row numbers");
            for (left, right) in lefts.into_iter().zip(term.right) {
                let right = &mut self.rights[right];
                if let Some(b) = right.array.take() {
                    right.segments = Some(segments(self.lefts[left].array(), &b));
                }
            }
        }
    }
}

/// The forms that terms need of every left and every right operand.
fn needed_forms<R: Real>(contraction_plan: &ContractionPlan, panels: &Panels<Array<R>>) -> (Vec<Forms>, Vec<Forms>) {
    let mut lefts = vec![Forms::default(); panels.lefts.len()];
    let mut rights = vec![Forms::default(); panels.rights.len()];
    for term in &contraction_plan.terms {
        let packed = match term.contraction {
            Contraction::Straight => term.right.iter().all(|&k| panels.rights[k].array().is_none_or(is_vector)),
            Contraction::Crossed => true,
            Contraction::Mixed | Contraction::Joined => false,
        };
        let mark = |forms: &mut Forms| if packed { forms.packed = true } else { forms.array = true };
        term.right.iter().for_each(|&k| mark(&mut rights[k]));
        term.parts.iter().filter_map(|part| part.left).flatten().for_each(|k| mark(&mut lefts[k]));
    }
    (lefts, rights)
}

/// True if `b[blocks,g,n,t,outputs,o]` has one group and one position.
fn is_vector<R: Real>(b: &Array<R>) -> bool {
    b.shape()[1] == 1 && b.shape()[3] == 1
}

/// The arrays joined along `axis`.
fn joined<R: Real>(arrays: Vec<&Array<R>>, axis: usize) -> Array<R> {
    match &arrays[..] {
        [single] => (*single).clone(),
        _ => Cpu::new().concat(&arrays, axis),
    }
}

/// Sums `b[blocks,1,n,t,c,o]` over the positions of a sample with the same row number.
fn segments<R: Real>(ids: &Array<R>, b: &Array<R>) -> Segments<R> {
    let s = b.shape();
    let [blocks, n, t, outputs_per_sample, o] = [s[0], s[2], s[3], s[4], s[5]];
    let row = |entry: usize| ids.as_slice()[entry].f64().round() as usize;
    let mut order: Vec<usize> = (0..n * t).collect();
    order.sort_by_key(|&entry| (row(entry), entry));
    let mut rows = Vec::new();
    let mut samples = Vec::new();
    let mut starts = Vec::new();
    for (place, &entry) in order.iter().enumerate() {
        if rows.last() != Some(&row(entry)) || samples.last() != Some(&(entry / t)) {
            rows.push(row(entry));
            samples.push(entry / t);
            starts.push(place);
        }
    }
    starts.push(order.len());
    let size = outputs_per_sample * o;
    let mut vectors = vec![R::default(); blocks * rows.len() * size];
    for (k, sum) in vectors.chunks_exact_mut(size.max(1)).enumerate() {
        let [block, segment] = [k / rows.len(), k % rows.len()];
        for &entry in &order[starts[segment]..starts[segment + 1]] {
            let from = &b.as_slice()[(block * n * t + entry) * size..][..size];
            sum.iter_mut().zip(from).for_each(|(sum, &x)| *sum += x);
        }
    }
    let vectors = Array::new(vectors, vec![blocks, rows.len(), outputs_per_sample, o]);
    Segments { rows, samples, vectors }
}
