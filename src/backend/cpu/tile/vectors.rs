//! Terms with one position: a whole tile by two products.

use super::micro::{Finish, fused, plain, product};
use super::packed::Packed;
use super::{Size, Tile, add_scaled, grown};
use crate::real::{Real, vectorised};

/// An update of one accumulator: (weight A + bias) B.
struct Fused<R> {
    accumulator: usize,
    /// The left operands of A. Without them A is 0.
    left: Option<[usize; 2]>,
    weight: R,
    bias: R,
}

impl<R: Real> Tile<'_, R> {
    /// `K[n c, m c'] += A[n,m] B[n c, m c']`.
    pub(super) fn vectors(&mut self, b: [&Packed<R>; 2]) {
        let Some(Fused { accumulator, left, weight, bias }) = self.fusible() else { return self.by_parts(b) };
        let target = self.accumulators.target(accumulator, self.upper);
        match left {
            Some(indices) => {
                let a = [0, 1].map(|k| self.panels[k].lefts[indices[k]].packed());
                fused(a, b, target, weight, bias, &mut self.scratch.right);
            }
            None => product(b, target, bias, Finish::Add),
        }
    }

    /// The parts as one update, if all are of one accumulator and at most one has left operands.
    fn fusible(&self) -> Option<Fused<R>> {
        let parts = &self.term.parts;
        let with_left = || parts.iter().filter(|part| part.left.is_some());
        if parts.iter().any(|part| part.accumulator != parts[0].accumulator) || with_left().count() > 1 {
            return None;
        }
        let left = with_left().next();
        if left.is_some() && self.size.outputs_per_sample > 1 {
            return None;
        }
        let bias = parts.iter().filter(|part| part.left.is_none()).map(|part| part.weight).sum();
        let weight = left.map_or(0.0, |part| part.weight);
        Some(Fused {
            accumulator: parts[0].accumulator,
            left: left.and_then(|part| part.left),
            weight: R::from_f64(weight),
            bias: R::from_f64(bias),
        })
    }

    /// Computes B once, and then adds every part.
    fn by_parts(&mut self, b: [&Packed<R>; 2]) {
        let Size { n, m, outputs_per_sample } = self.size;
        let entries = self.size.entries();
        let mut scratch = std::mem::take(self.scratch);
        let right = grown(&mut scratch.right, entries);
        let upper = self.upper;
        plain(b, right, m * outputs_per_sample, upper);
        for part in &self.term.parts {
            let weight = R::from_f64(part.weight);
            let Some(indices) = part.left else {
                add_scaled(self.accumulators.get(part.accumulator), right, weight);
                continue;
            };
            let a = self.packed_lefts(indices);
            if outputs_per_sample == 1 {
                product(a, self.accumulators.target(part.accumulator, upper), weight, Finish::MultiplyAdd(right));
            } else {
                let left = grown(&mut scratch.left, n * m);
                plain(a, left, m, upper);
                multiply_add_outputs(
                    self.accumulators.get(part.accumulator),
                    left,
                    right,
                    outputs_per_sample,
                    m,
                    weight,
                    &mut scratch.row,
                );
            }
        }
        *self.scratch = scratch;
    }

    /// `K[n c, m c'] += A[n, m c'] B[n c, m]`, for a weight and its transpose.
    pub(super) fn crossed(&mut self, [b, b2]: [&Packed<R>; 2]) {
        let Size { n, m, outputs_per_sample } = self.size;
        let cols = self.size.cols();
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let [a, a2] = self.packed_lefts(part.left.expect("a crossed term has left operands"));
            let left = grown(&mut scratch.left, n * cols);
            let right = grown(&mut scratch.right, n * outputs_per_sample * m);
            plain([a, b2], left, cols, false);
            plain([b, a2], right, m, false);
            let weight = R::from_f64(part.weight);
            let out = self.accumulators.get(part.accumulator);
            for row in 0..n * outputs_per_sample {
                let left = &left[row / outputs_per_sample * cols..][..cols];
                let right = &right[row * m..][..m];
                let to = out[row * cols..][..cols]
                    .chunks_exact_mut(outputs_per_sample)
                    .zip(left.chunks_exact(outputs_per_sample));
                for ((to, left), &b) in to.zip(right) {
                    add_scaled(to, left, weight * b);
                }
            }
        }
        *self.scratch = scratch;
    }

    /// The read-out layer: B is the identity over outputs, so `K[n c, m c] += weight A[n,m]`.
    pub(super) fn unit(&mut self, one_hot_weight: R) {
        let Size { n, m, outputs_per_sample } = self.size;
        let cols = self.size.cols();
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let weight = one_hot_weight * R::from_f64(part.weight);
            let a = part.left.map(|indices| self.packed_lefts(indices));
            if let Some(a) = a
                && outputs_per_sample == 1
            {
                product(a, self.accumulators.target(part.accumulator, self.upper), weight, Finish::Add);
                continue;
            }
            let left = grown(&mut scratch.left, n * m);
            match a {
                Some(a) => plain(a, left, m, self.upper),
                None => left.fill(R::from_f64(1.0)),
            }
            let accumulator = self.accumulators.get(part.accumulator);
            for (row, left) in left.chunks_exact(m.max(1)).enumerate() {
                for output in 0..outputs_per_sample {
                    let to = &mut accumulator[(row * outputs_per_sample + output) * cols..][..cols];
                    for (to, &a) in to.iter_mut().skip(output).step_by(outputs_per_sample).zip(left) {
                        *to += weight * a;
                    }
                }
            }
        }
        *self.scratch = scratch;
    }
}

/// out += weight x y
fn multiply_add<R: Real>(out: &mut [R], x: &[R], y: &[R], weight: R) {
    let triples = out.iter_mut().zip(x).zip(y);
    if weight == R::from_f64(1.0) {
        vectorised(|| triples.for_each(|((out, &x), &y)| *out += x * y));
    } else {
        vectorised(|| triples.for_each(|((out, &x), &y)| *out += weight * (x * y)));
    }
}

/// `out[n c, m c'] += weight left[n,m] right[n c, m c']`. Every row of `left` is repeated over the outputs once.
fn multiply_add_outputs<R: Real>(
    out: &mut [R],
    left: &[R],
    right: &[R],
    outputs_per_sample: usize,
    m: usize,
    weight: R,
    row: &mut Vec<R>,
) {
    let cols = m * outputs_per_sample;
    if cols == 0 {
        return;
    }
    let spread = grown(row, cols);
    let rows = out.chunks_exact_mut(outputs_per_sample * cols).zip(right.chunks_exact(outputs_per_sample * cols));
    for ((out, right), left) in rows.zip(left.chunks_exact(m)) {
        for (to, &a) in spread.chunks_exact_mut(outputs_per_sample).zip(left) {
            to.fill(weight * a);
        }
        for (out, right) in out.chunks_exact_mut(cols).zip(right.chunks_exact(cols)) {
            multiply_add(out, spread, right, R::from_f64(1.0));
        }
    }
}
