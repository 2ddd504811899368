//! The records that the fused kernel executes for one matrix of K.
//!
//! The number of steps of a dispatch is limited. Long dispatches block a GPU that also draws a screen, and some
//! software drivers silently end all loops of an invocation after 2^16 rounds. A longer sum is split, and later
//! dispatches add to the result of earlier ones.

use std::ops::Range;

use super::block::{Block, Layout, Steps};
use super::code::{ADD, FLUSH, KEEP, RECORD};
use crate::backend::gpu::launch::param;
use crate::backend::{Addend, ContractionPlan};

/// The largest number of steps of a dispatch.
const DISPATCH_STEPS: usize = 1 << 16;
/// The largest number of steps of one product in a record, which has two.
const PRODUCT_STEPS: usize = DISPATCH_STEPS / 2;

/// The records of a matrix of K.
#[derive(Default)]
pub(super) struct Records {
    pub numbers: Vec<u32>,
    /// The accumulators that are written.
    pub accumulators: Vec<bool>,
    /// The range of records of every dispatch, and the number of its steps.
    pub dispatches: Vec<(Range<usize>, usize)>,
}

/// A product of two operands in panels.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// The offsets of the operands, in groups of four numbers.
    pub rows: usize,
    pub cols: usize,
    pub steps: usize,
    /// The distance between two steps, in groups of four numbers.
    pub strides: [usize; 2],
}

impl Product {
    /// The product in parts that fit a record.
    fn parts(self) -> impl Iterator<Item = Product> {
        let part = move |first: usize| Product {
            rows: self.rows + first * self.strides[0],
            cols: self.cols + first * self.strides[1],
            steps: PRODUCT_STEPS.min(self.steps - first),
            ..self
        };
        (0..self.steps).step_by(PRODUCT_STEPS).map(part)
    }

    fn numbers(self) -> [u32; 4] {
        [param(self.rows), param(self.cols), param(self.steps), 0]
    }
}

/// The right factor B of a record.
#[derive(Clone, Copy)]
pub(super) enum Right {
    Product(Product),
    /// This number where c = c', else 0.
    Unit(f32),
}

/// The left factor A of a record.
#[derive(Clone, Copy)]
pub(super) enum Left {
    Nothing,
    Product(Product),
    /// The number of a matrix that was computed earlier.
    Matrix(usize),
}

impl Records {
    /// An empty list of records for this number of accumulators.
    pub fn empty(accumulators: usize) -> Self {
        Records { accumulators: vec![false; accumulators], ..Records::default() }
    }

    /// The records of block `block` of K. If a sample has several rows, A is read from matrices that were computed
    /// earlier: matrix k belongs to pair k of [`pairs`].
    pub fn new(contraction_plan: &ContractionPlan, rows: &Block, cols: &Block, block: usize) -> Self {
        let mut records = Records::empty(contraction_plan.accumulators);
        let layout = &rows.layout;
        let pairs = pairs(contraction_plan, layout);
        let [row_strides, col_strides] = [rows, cols].map(|block| block.strides(contraction_plan.outputs_per_sample));
        let product = |operands: [Steps; 2], kind: usize, block: usize| {
            let strides = [row_strides[kind], col_strides[kind]];
            // Right operands follow all left operands.
            let before =
                [row_strides[0], col_strides[0]].map(|stride| if kind == 1 { layout.depth[0] * stride } else { 0 });
            let offset = |k: usize| (before[k] + (operands[k].first + block * operands[k].count) * strides[k]) / 4;
            Product {
                rows: offset(0),
                cols: offset(1),
                steps: operands[0].count,
                strides: strides.map(|stride| stride / 4),
            }
        };
        for term in layout.terms(contraction_plan, true) {
            let right = match term.right.map(|k| layout.rights[k]) {
                [Some(rows), Some(cols)] => Right::Product(product([rows, cols], 1, block)),
                // Unit vectors are in no panel.
                _ => Right::Unit(contraction_plan.one_hot_weight as f32),
            };
            for (k, update) in updates(&term.parts).into_iter().enumerate() {
                let left = match update.left {
                    Some(pair) if contraction_plan.outputs_per_sample > 1 => {
                        Left::Matrix(pairs.iter().position(|listed| *listed == pair).expect("all pairs are listed"))
                    }
                    Some(pair) => {
                        let operands = pair.map(|k| layout.lefts[k].expect("the layout has all left operands"));
                        Left::Product(product(operands, 0, 0))
                    }
                    None => Left::Nothing,
                };
                records.add(update.accumulator, right, left, [update.weight, update.bias], k > 0);
            }
        }
        records.finished()
    }

    /// Appends records that add (bias + weight A) B to an accumulator. `same_right` is true if the last record has the
    /// same B.
    pub fn add(&mut self, accumulator: usize, right: Right, left: Left, [weight, bias]: [f32; 2], same_right: bool) {
        let rights: Vec<([u32; 4], usize)> = match right {
            Right::Product(product) => product.parts().map(|part| (part.numbers(), part.steps)).collect(),
            Right::Unit(value) => vec![([0, 0, 0, value.to_bits()], 0)],
        };
        let lefts: Vec<([u32; 4], usize)> = match left {
            Left::Product(product) => product.parts().map(|part| (part.numbers(), part.steps)).collect(),
            Left::Matrix(number) => vec![([0, 0, 0, 1 + param(number)], 0)],
            Left::Nothing => vec![([0; 4], 0)],
        };
        // Registers hold only the last part of B.
        let mut keep = same_right && rights.len() == 1;
        for (right, right_steps) in &rights {
            for (part, (left, left_steps)) in lefts.iter().enumerate() {
                let bias = if part == 0 { bias } else { 0.0 };
                self.prepare(accumulator, left_steps + right_steps, &mut keep);
                let steps = left_steps + if keep { 0 } else { *right_steps };
                let flags = if keep { KEEP } else { 0 };
                self.numbers.extend(right.iter().chain(left));
                self.numbers.extend([weight.to_bits(), bias.to_bits(), flags, param(accumulator)]);
                let (range, sum) = self.dispatches.last_mut().expect("prepare opened a dispatch");
                range.end += 1;
                *sum += steps;
                keep = true;
            }
            keep = false;
        }
    }

    /// Prepares for a record with this number of steps: flushes another accumulator, and opens a new dispatch if the
    /// last one would become too long.
    fn prepare(&mut self, accumulator: usize, steps: usize, keep: &mut bool) {
        if self.numbers.last().is_some_and(|&last| last != param(accumulator)) {
            self.flush();
        }
        match self.dispatches.last() {
            Some((_, sum)) if sum + steps <= DISPATCH_STEPS => {}
            _ => {
                self.flush();
                let end = self.numbers.len() / (4 * RECORD);
                self.dispatches.push((end..end, 0));
                // A new dispatch starts with empty registers.
                *keep = false;
            }
        }
    }

    /// Makes the last record write its accumulator.
    fn flush(&mut self) {
        let Some(last) = self.numbers.len().checked_sub(4) else { return };
        if self.numbers[last + 2] & FLUSH != 0 {
            return;
        }
        let accumulator = self.numbers[last + 3] as usize;
        let add = if std::mem::replace(&mut self.accumulators[accumulator], true) { ADD } else { 0 };
        self.numbers[last + 2] |= FLUSH | add;
    }

    /// The complete list: the last accumulator is written.
    pub fn finished(mut self) -> Self {
        self.flush();
        self
    }

    /// The records for the product of two panels.
    pub fn product(product: Product) -> Self {
        let mut records = Records::empty(1);
        records.add(0, Right::Product(product), Left::Nothing, [0.0, 1.0], false);
        records.finished()
    }

    /// The records for one use with `depth` features in both operands, in a panel of `rows` samples.
    pub fn trial(depth: usize, rows: usize) -> Self {
        let operands = |first: usize| {
            let start = first * rows / 4;
            Product { rows: start, cols: start, steps: depth, strides: [rows / 4; 2] }
        };
        let mut records = Records::empty(1);
        records.add(0, Right::Product(operands(0)), Left::Product(operands(depth)), [1.0, 0.0], false);
        records.finished()
    }

    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }
}

/// The pairs of left operands that the fused kernel reads.
pub(super) fn pairs(contraction_plan: &ContractionPlan, layout: &Layout) -> Vec<[usize; 2]> {
    let mut pairs = Vec::new();
    let parts = layout.terms(contraction_plan, true).into_iter().flat_map(|term| &term.parts);
    for pair in parts.filter_map(|part| part.left) {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}

/// An update of an accumulator: (bias + weight A) B.
struct Update {
    accumulator: usize,
    /// The left operands of A. `None` if the weight is 0.
    left: Option<[usize; 2]>,
    weight: f32,
    bias: f32,
}

/// The updates of a term, sorted by accumulator. Addends without left operands become the bias of another update.
fn updates(parts: &[Addend]) -> Vec<Update> {
    let mut updates: Vec<Update> = Vec::new();
    for part in parts {
        let weight = part.weight as f32;
        let accumulator = part.accumulator;
        let same =
            |update: &&mut Update| update.accumulator == accumulator && (update.left.is_none() || part.left.is_none());
        match (updates.iter_mut().find(same), part.left) {
            (Some(update), None) => update.bias += weight,
            (Some(update), left) => {
                update.left = left;
                update.weight = weight;
            }
            (None, None) => updates.push(Update { accumulator, left: None, weight: 0.0, bias: weight }),
            (None, left) => updates.push(Update { accumulator, left, weight, bias: 0.0 }),
        }
    }
    updates.sort_by_key(|update| update.accumulator);
    updates
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of the records of one accumulator, if the value of a product is its number of steps.
    fn value(records: &Records) -> f64 {
        let mut kernel = 0.0;
        let mut sum = 0.0;
        let mut right = f64::NAN;
        for (range, steps) in &records.dispatches {
            assert!(*steps <= DISPATCH_STEPS);
            let mut counted = 0;
            right = f64::NAN; // a dispatch starts with empty registers
            for record in range.clone() {
                let numbers = &records.numbers[12 * record..][..12];
                if numbers[10] & KEEP == 0 {
                    right = f64::from(numbers[2]);
                    counted += numbers[2] as usize;
                }
                counted += numbers[6] as usize;
                let [weight, bias] = [numbers[8], numbers[9]].map(|bits| f64::from(f32::from_bits(bits)));
                sum += (bias + weight * f64::from(numbers[6])) * right;
                if numbers[10] & FLUSH != 0 {
                    kernel = if numbers[10] & ADD != 0 { kernel + sum } else { sum };
                    sum = 0.0;
                }
            }
            assert!(sum == 0.0, "a dispatch must end with a write");
            assert_eq!(counted, *steps);
        }
        assert!(!right.is_nan());
        kernel
    }

    #[test]
    fn long_sums_are_split_and_add_up() {
        let product = |steps| Product { rows: 0, cols: 0, steps, strides: [1, 1] };
        for (a, b) in [(16, 16), (100_000, 16), (16, 100_000), (70_000, 150_000), (32_768, 32_768), (65_536, 65_536)] {
            let mut records = Records::empty(1);
            for same_right in [false, true] {
                records.add(0, Right::Product(product(b)), Left::Product(product(a)), [2.0, 3.0], same_right);
            }
            let expected = 2.0 * (3.0 + 2.0 * a as f64) * b as f64;
            assert_eq!(value(&records.finished()), expected, "{a} {b}");
        }
    }
}
