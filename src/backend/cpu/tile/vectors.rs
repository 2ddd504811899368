//! Terms with one position: whole tiles by two products.

use super::super::gemm::{product, product_into};
use super::{Side, Size, Tile, add_scaled, grown};
use crate::backend::cpu::vectorised;
use crate::real::Real;

impl<R: Real> Tile<'_, R> {
    /// K\[n c, m c'\] += A\[n,m\] B\[n c, m c'\].
    pub(super) fn vectors(&mut self, right: [Side<'_, R>; 2]) {
        let Size { n, m, inner } = self.size;
        let entries = self.size.entries();
        let [b, b2] = right.map(|side| side.all());
        if let [part] = &self.term.parts[..]
            && part.left.is_none()
            && part.weight == 1.0
        {
            return product_into(self.slots.get(part.slot), b, b2.t(), true, self.upper);
        }
        let mut scratch = std::mem::take(self.scratch);
        product_into(grown(&mut scratch.right, entries), b, b2.t(), false, self.upper);
        for part in &self.term.parts {
            let weight = R::of(part.weight);
            let Some(indices) = part.left else {
                add_scaled(self.slots.get(part.slot), &scratch.right[..entries], weight);
                continue;
            };
            let [a, a2] = self.lefts(indices).map(|side| side.all());
            product_into(grown(&mut scratch.left, n * m), a, a2.t(), false, self.upper);
            let (left, right) = (&scratch.left[..n * m], &scratch.right[..entries]);
            let out = self.slots.get(part.slot);
            if inner == 1 {
                multiply_add(out, left, right, weight);
            } else {
                multiply_add_outputs(out, left, right, inner, m, weight, &mut scratch.row);
            }
        }
        *self.scratch = scratch;
    }

    /// K\[n c, m c'\] += A\[n, m c'\] B\[n c, m\]: a weight meets its transpose.
    pub(super) fn crossed(&mut self, right: [Side<'_, R>; 2]) {
        let Size { n, m, inner } = self.size;
        let cols = self.size.cols();
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let [a, a2] = self.lefts(part.left.expect("both sides of a weight that meets its transpose"));
            let (a, a2, [b, b2]) = (a.all(), a2.all(), right.map(|side| side.all()));
            product(grown(&mut scratch.left, n * cols), a, b2.t());
            product(grown(&mut scratch.right, n * inner * m), b, a2.t());
            let weight = R::of(part.weight);
            let out = self.slots.get(part.slot);
            for row in 0..n * inner {
                let left = &scratch.left[row / inner * cols..][..cols];
                let right = &scratch.right[row * m..][..m];
                let to = out[row * cols..][..cols].chunks_exact_mut(inner).zip(left.chunks_exact(inner));
                for ((to, left), &b) in to.zip(right) {
                    add_scaled(to, left, weight * b);
                }
            }
        }
        *self.scratch = scratch;
    }

    /// The read-out layer: B is the identity over outputs, so K\[n c, m c\] += weight A\[n,m\].
    pub(super) fn unit(&mut self, unit_weight: R) {
        let Size { n, m, inner } = self.size;
        let cols = self.size.cols();
        if let [part] = &self.term.parts[..]
            && let Some(indices) = part.left
            && inner == 1
            && unit_weight * R::of(part.weight) == R::of(1.0)
        {
            let [a, a2] = self.lefts(indices).map(|side| side.all());
            return product_into(self.slots.get(part.slot), a, a2.t(), true, self.upper);
        }
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let left = grown(&mut scratch.left, n * m);
            match part.left {
                Some(indices) => {
                    let [a, a2] = self.lefts(indices).map(|side| side.all());
                    product_into(left, a, a2.t(), false, self.upper);
                }
                None => left.fill(R::of(1.0)),
            }
            let weight = unit_weight * R::of(part.weight);
            let slot = self.slots.get(part.slot);
            for (row, left) in left.chunks_exact(m.max(1)).enumerate() {
                for output in 0..inner {
                    let to = &mut slot[(row * inner + output) * cols..][..cols];
                    for (to, &a) in to.iter_mut().skip(output).step_by(inner).zip(left) {
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
    if weight == R::of(1.0) {
        vectorised(|| triples.for_each(|((out, &x), &y)| *out += x * y));
    } else {
        vectorised(|| triples.for_each(|((out, &x), &y)| *out += weight * (x * y)));
    }
}

/// out\[n c, m c'\] += weight left\[n,m\] right\[n c, m c'\]: every row of `left` is spread over the outputs once.
fn multiply_add_outputs<R: Real>(
    out: &mut [R],
    left: &[R],
    right: &[R],
    inner: usize,
    m: usize,
    weight: R,
    row: &mut Vec<R>,
) {
    let cols = m * inner;
    if cols == 0 {
        return;
    }
    let spread = grown(row, cols);
    let rows = out.chunks_exact_mut(inner * cols).zip(right.chunks_exact(inner * cols));
    for ((out, right), left) in rows.zip(left.chunks_exact(m)) {
        for (to, &a) in spread.chunks_exact_mut(inner).zip(left) {
            to.fill(weight * a);
        }
        for (out, right) in out.chunks_exact_mut(cols).zip(right.chunks_exact(cols)) {
            multiply_add(out, spread, right, R::of(1.0));
        }
    }
}
