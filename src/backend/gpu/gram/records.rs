//! What the kernel of tiles does, record by record, for one matrix of K.
//!
//! A dispatch has so many steps at most: long ones would block a card that draws a screen too, and some drivers of software
//! end all loops of an invocation after 2^16 rounds without a word. Where a sum is longer, it is cut, and what later
//! dispatches find is added to what is there.

use std::ops::Range;

use super::block::{Block, Layout, Steps};
use super::code::{ADD, FLUSH, KEEP, RECORD};
use crate::backend::gpu::word;
use crate::backend::{Addend, ContractionPlan};

/// Steps of a dispatch, and of one side's product in a record: two make a record.
const MOST_STEPS: usize = 1 << 16;
const DEEP: usize = MOST_STEPS / 2;

/// The records of a matrix of K.
#[derive(Default)]
pub(super) struct Records {
    pub words: Vec<u32>,
    /// Slots that are written.
    pub accumulators: Vec<bool>,
    /// Records of every dispatch, and their steps.
    pub dispatches: Vec<(Range<usize>, usize)>,
}

/// A product of two sides in panels: where they begin, in fours, and how many steps it has.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub rows: usize,
    pub cols: usize,
    pub steps: usize,
    /// Fours from one step to the next.
    pub strides: [usize; 2],
}

impl Product {
    /// In parts that fit a record.
    fn parts(self) -> impl Iterator<Item = Product> {
        let part = move |first: usize| Product {
            rows: self.rows + first * self.strides[0],
            cols: self.cols + first * self.strides[1],
            steps: DEEP.min(self.steps - first),
            ..self
        };
        (0..self.steps).step_by(DEEP).map(part)
    }

    fn words(self) -> [u32; 4] {
        [word(self.rows), word(self.cols), word(self.steps), 0]
    }
}

/// The right side of a record.
#[derive(Clone, Copy)]
pub(super) enum Right {
    Product(Product),
    /// So much where c = c'.
    Unit(f32),
}

/// The left side of a record.
#[derive(Clone, Copy)]
pub(super) enum Left {
    Nothing,
    Product(Product),
    /// The number of a matrix that was computed before.
    Matrix(usize),
}

impl Records {
    /// Records for so many slots, none yet.
    pub fn none(accumulators: usize) -> Self {
        Records { accumulators: vec![false; accumulators], ..Records::default() }
    }

    /// The records of block `block` of K. With several rows for a sample, A is read from matrices that were computed
    /// before: number k is of pair k of [`pairs`].
    pub fn new(contraction_plan: &ContractionPlan, rows: &Block, cols: &Block, block: usize) -> Self {
        let mut records = Records::none(contraction_plan.accumulators);
        let layout = &rows.layout;
        let pairs = pairs(contraction_plan, layout);
        let [of_rows, of_cols] = [rows, cols].map(|block| block.strides(contraction_plan.outputs_per_sample));
        let product = |sides: [Steps; 2], kind: usize, block: usize| {
            let strides = [of_rows[kind], of_cols[kind]];
            // Right sides stand after all left ones.
            let before = [of_rows[0], of_cols[0]].map(|stride| if kind == 1 { layout.depth[0] * stride } else { 0 });
            let at = |k: usize| (before[k] + (sides[k].first + block * sides[k].count) * strides[k]) / 4;
            Product { rows: at(0), cols: at(1), steps: sides[0].count, strides: strides.map(|stride| stride / 4) }
        };
        for term in layout.terms(contraction_plan, true) {
            let right = match term.right.map(|k| layout.rights[k]) {
                [Some(one), Some(two)] => Right::Product(product([one, two], 1, block)),
                // Unit vectors are in no panel.
                _ => Right::Unit(contraction_plan.one_hot_weight as f32),
            };
            for (k, (accumulator, left, weight, bias)) in by_slot(&term.parts).into_iter().enumerate() {
                let left = match left {
                    Some(pair) if contraction_plan.outputs_per_sample > 1 => {
                        Left::Matrix(pairs.iter().position(|own| *own == pair).expect("all pairs are listed"))
                    }
                    Some(pair) => {
                        let sides = pair.map(|k| layout.lefts[k].expect("a left side of this kernel"));
                        Left::Product(product(sides, 0, 0))
                    }
                    None => Left::Nothing,
                };
                records.add(accumulator, right, left, [weight, bias], k > 0);
            }
        }
        records.finished()
    }

    /// Adds (bias + weight A) B to a slot. `again` says that the record before has the same B.
    pub fn add(&mut self, accumulator: usize, right: Right, left: Left, [weight, bias]: [f32; 2], again: bool) {
        let rights: Vec<([u32; 4], usize)> = match right {
            Right::Product(product) => product.parts().map(|part| (part.words(), part.steps)).collect(),
            Right::Unit(value) => vec![([0, 0, 0, value.to_bits()], 0)],
        };
        let lefts: Vec<([u32; 4], usize)> = match left {
            Left::Product(product) => product.parts().map(|part| (part.words(), part.steps)).collect(),
            Left::Matrix(number) => vec![([0, 0, 0, 1 + word(number)], 0)],
            Left::Nothing => vec![([0; 4], 0)],
        };
        // What stands in registers is the last part of B only.
        let mut keep = again && rights.len() == 1;
        for (right, right_steps) in &rights {
            for (part, (left, left_steps)) in lefts.iter().enumerate() {
                let bias = if part == 0 { bias } else { 0.0 };
                self.leave(accumulator, left_steps + right_steps, &mut keep);
                let steps = left_steps + if keep { 0 } else { *right_steps };
                let flags = if keep { KEEP } else { 0 };
                self.words.extend(right.iter().chain(left));
                self.words.extend([weight.to_bits(), bias.to_bits(), flags, word(accumulator)]);
                let (range, sum) = self.dispatches.last_mut().expect("there is one now");
                range.end += 1;
                *sum += steps;
                keep = true;
            }
            keep = false;
        }
    }

    /// Before a record of so many steps in `accumulator`: flushes another slot, and begins a dispatch where this one would be too long.
    fn leave(&mut self, accumulator: usize, steps: usize, keep: &mut bool) {
        if self.words.last().is_some_and(|&last| last != word(accumulator)) {
            self.flush();
        }
        match self.dispatches.last() {
            Some((_, sum)) if sum + steps <= MOST_STEPS => {}
            _ => {
                self.flush();
                let end = self.words.len() / (4 * RECORD);
                self.dispatches.push((end..end, 0));
                // Registers do not last.
                *keep = false;
            }
        }
    }

    /// The last record writes what was added up.
    fn flush(&mut self) {
        let Some(last) = self.words.len().checked_sub(4) else { return };
        if self.words[last + 2] & FLUSH != 0 {
            return;
        }
        let accumulator = self.words[last + 3] as usize;
        let add = if std::mem::replace(&mut self.accumulators[accumulator], true) { ADD } else { 0 };
        self.words[last + 2] |= FLUSH | add;
    }

    /// All of it, nothing left in registers.
    pub fn finished(mut self) -> Self {
        self.flush();
        self
    }

    /// The product of two panels.
    pub fn product(product: Product) -> Self {
        let mut records = Records::none(1);
        records.add(0, Right::Product(product), Left::Nothing, [0.0, 1.0], false);
        records.finished()
    }

    /// One use of `depth` features on either side, in a panel of `rows` samples.
    pub fn trial(depth: usize, rows: usize) -> Self {
        let side = |first: usize| {
            let start = first * rows / 4;
            Product { rows: start, cols: start, steps: depth, strides: [rows / 4; 2] }
        };
        let mut records = Records::none(1);
        records.add(0, Right::Product(side(0)), Left::Product(side(depth)), [1.0, 0.0], false);
        records.finished()
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

/// The pairs of left sides that the kernel of tiles needs.
pub(super) fn pairs(contraction_plan: &ContractionPlan, layout: &Layout) -> Vec<[usize; 2]> {
    let mut pairs = Vec::new();
    for pair in
        layout.terms(contraction_plan, true).into_iter().flat_map(|term| &term.parts).filter_map(|part| part.left)
    {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

/// The parts of a term with one left side at most: slot, left sides, their weight, and the weight without.
fn by_slot(parts: &[Addend]) -> Vec<(usize, Option<[usize; 2]>, f32, f32)> {
    let mut list: Vec<(usize, Option<[usize; 2]>, f32, f32)> = Vec::new();
    for part in parts {
        let weight = part.weight as f32;
        let same = list.iter_mut().find(|own| own.0 == part.accumulator && (own.1.is_none() || part.left.is_none()));
        match (same, part.left) {
            (Some(own), None) => own.3 += weight,
            (Some(own), left) => (own.1, own.2) = (left, weight),
            (None, None) => list.push((part.accumulator, None, 0.0, weight)),
            (None, left) => list.push((part.accumulator, left, weight, 0.0)),
        }
    }
    // Those of a slot stand together.
    list.sort_by_key(|own| own.0);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the records of one slot add up to, where a product's value is its number of steps.
    fn value(records: &Records) -> f64 {
        let (mut kernel, mut sum, mut right) = (0.0, 0.0, f64::NAN);
        for (range, steps) in &records.dispatches {
            assert!(*steps <= MOST_STEPS);
            let mut counted = 0;
            right = f64::NAN; // a dispatch begins without registers
            for record in range.clone() {
                let words = &records.words[12 * record..][..12];
                if words[10] & KEEP == 0 {
                    right = f64::from(words[2]);
                    counted += words[2] as usize;
                }
                counted += words[6] as usize;
                let [weight, bias] = [words[8], words[9]].map(|bits| f64::from(f32::from_bits(bits)));
                sum += (bias + weight * f64::from(words[6])) * right;
                if words[10] & FLUSH != 0 {
                    kernel = if words[10] & ADD != 0 { kernel + sum } else { sum };
                    sum = 0.0;
                }
            }
            assert!(sum == 0.0, "a dispatch ends with everything written");
            assert_eq!(counted, *steps);
        }
        assert!(!right.is_nan());
        kernel
    }

    #[test]
    fn long_sums_are_cut_and_add_up() {
        let product = |steps| Product { rows: 0, cols: 0, steps, strides: [1, 1] };
        for (a, b) in [(16, 16), (100_000, 16), (16, 100_000), (70_000, 150_000), (32_768, 32_768), (65_536, 65_536)] {
            let mut records = Records::none(1);
            for again in [false, true] {
                records.add(0, Right::Product(product(b)), Left::Product(product(a)), [2.0, 3.0], again);
            }
            let want = 2.0 * (3.0 + 2.0 * a as f64) * b as f64;
            assert_eq!(value(&records.finished()), want, "{a} {b}");
        }
    }
}
