//! Tiles of K: two products per term, multiplied entry by entry. One thread; no allocation once the scratch has grown.

use super::Cpu;
use super::array::Array;
use super::gemm::{View, add_product, product};
use crate::backend::{Gram, Panels, Recipe, RightPanel, Term};
use crate::error::Result;
use crate::real::Real;

/// A worker's buffers.
#[derive(Default)]
pub struct Scratch<R> {
    /// A, the products of left sides.
    left: Vec<R>,
    /// B, the products of right sides.
    right: Vec<R>,
    /// One row of A, each entry repeated for every output.
    row: Vec<R>,
}

/// Products over positions are computed for about so many entries at a time, so that they stay in cache.
const POSITION_ENTRIES: usize = 1 << 16;

impl<R: Real> Gram for Cpu<R> {
    type Scratch = Scratch<R>;

    fn tile(
        &self,
        recipe: &Recipe,
        rows: &Panels<Array<R>>,
        cols: &Panels<Array<R>>,
        scratch: &mut Scratch<R>,
        out: &mut [R],
    ) -> Result<()> {
        out.fill(R::default());
        for block in 0..recipe.blocks {
            let size = Size { n: rows.samples, m: cols.samples, inner: recipe.inner };
            let offset = move |slot: usize| (slot * recipe.blocks + block) * size.entries();
            for term in &recipe.terms {
                let mut tile = Tile { size, term, panels: [rows, cols], scratch, out, offset: &offset };
                match (&rows.rights[term.right[0]], &cols.rights[term.right[1]]) {
                    (RightPanel::Array(b), RightPanel::Array(b2)) => {
                        let right = [Side::right(b, block), Side::right(b2, block)];
                        if right.iter().all(|side| side.positions == 1) {
                            tile.vectors(right)
                        } else {
                            tile.positions(right)
                        }
                    }
                    _ => tile.unit(R::of(recipe.unit_weight)),
                }
            }
        }
        Ok(())
    }
}

/// The samples and outputs of a tile.
#[derive(Clone, Copy)]
struct Size {
    n: usize,
    m: usize,
    inner: usize,
}

impl Size {
    fn cols(&self) -> usize {
        self.m * self.inner
    }
    fn entries(&self) -> usize {
        self.n * self.inner * self.cols()
    }
}

/// A side of a use as a matrix: `inner * positions` rows a sample.
#[derive(Clone, Copy)]
struct Side<'a, R> {
    data: &'a [R],
    inner: usize,
    positions: usize,
    features: usize,
}

impl<'a, R: Real> Side<'a, R> {
    /// a\[n,t,i\]
    fn left(a: &'a Array<R>) -> Self {
        let s = a.shape();
        Side { data: a.as_slice(), inner: 1, positions: s[1], features: s[2] }
    }

    /// b\[block,n,c,t,o\] of one block.
    fn right(b: &'a Array<R>, block: usize) -> Self {
        let s = b.shape();
        let entries = s[1] * s[2] * s[3] * s[4];
        Side { data: &b.as_slice()[block * entries..][..entries], inner: s[2], positions: s[3], features: s[4] }
    }

    fn rows_per_sample(&self) -> usize {
        self.inner * self.positions
    }

    /// The rows of the samples from `start` on, `count` of them.
    fn samples(&self, start: usize, count: usize) -> View<'a, R> {
        let rows = count * self.rows_per_sample();
        let from = start * self.rows_per_sample() * self.features;
        View::new(&self.data[from..][..rows * self.features], rows, self.features)
    }
}

/// One term on its way into one block of a tile.
struct Tile<'a, R: Real> {
    size: Size,
    term: &'a Term,
    panels: [&'a Panels<Array<R>>; 2],
    scratch: &'a mut Scratch<R>,
    out: &'a mut [R],
    offset: &'a dyn Fn(usize) -> usize,
}

impl<'a, R: Real> Tile<'a, R> {
    fn lefts(&self, indices: [usize; 2]) -> [Side<'a, R>; 2] {
        [Side::left(&self.panels[0].lefts[indices[0]]), Side::left(&self.panels[1].lefts[indices[1]])]
    }

    /// One position: K\[n c, m c'\] += A\[n,m\] B\[n c, m c'\].
    fn vectors(&mut self, right: [Side<'_, R>; 2]) {
        let Size { n, m, inner } = self.size;
        let entries = self.size.entries();
        let [b, b2] = [right[0].samples(0, n), right[1].samples(0, m)];
        if let [part] = &self.term.parts[..]
            && part.left.is_none()
        {
            return add_product(self.slot(part.slot), b, b2.t());
        }
        let mut scratch = std::mem::take(self.scratch);
        product(grown(&mut scratch.right, entries), b, b2.t());
        for part in &self.term.parts {
            let Some(indices) = part.left else {
                add(self.slot(part.slot), &scratch.right);
                continue;
            };
            let [a, a2] = self.lefts(indices);
            product(grown(&mut scratch.left, n * m), a.samples(0, n), a2.samples(0, m).t());
            let (left, right) = (&scratch.left[..n * m], &scratch.right[..entries]);
            if inner == 1 {
                multiply_add(self.slot(part.slot), left, right);
            } else {
                multiply_add_outputs(self.slot(part.slot), left, right, inner, m, &mut scratch.row);
            }
        }
        *self.scratch = scratch;
    }

    /// Several positions: K\[n c, m c'\] += sum over t, u of A\[n t, m u\] B\[n c t, m c' u\], for as many columns at a
    /// time as stay in cache.
    fn positions(&mut self, right: [Side<'_, R>; 2]) {
        let Size { n, m, inner } = self.size;
        let cols = self.size.cols();
        let (t, u) = (right[0].positions, right[1].positions);
        let step = (POSITION_ENTRIES / (t * u * inner * inner)).clamp(1, m.max(1));
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let indices = part.left.expect("a right side with positions has a left side");
            for row in 0..n {
                for col in (0..m).step_by(step) {
                    let count = step.min(m - col);
                    let [a, a2] = self.lefts(indices);
                    product(grown(&mut scratch.left, t * count * u), a.samples(row, 1), a2.samples(col, count).t());
                    let [b, b2] = [right[0].samples(row, 1), right[1].samples(col, count)];
                    product(grown(&mut scratch.right, inner * t * count * inner * u), b, b2.t());
                    let first = row * inner * cols + col * inner;
                    let shape = [inner, t, count, u];
                    contract_positions(&mut self.slot(part.slot)[first..], cols, &scratch, shape);
                }
            }
        }
        *self.scratch = scratch;
    }

    /// The read-out layer: B is the identity over outputs, so K\[n c, m c\] += weight A\[n,m\].
    fn unit(&mut self, weight: R) {
        let Size { n, m, inner } = self.size;
        let cols = self.size.cols();
        if let [part] = &self.term.parts[..]
            && let Some(indices) = part.left
            && inner == 1
            && weight == R::of(1.0)
        {
            let [a, a2] = self.lefts(indices);
            return add_product(self.slot(part.slot), a.samples(0, n), a2.samples(0, m).t());
        }
        let mut scratch = std::mem::take(self.scratch);
        for part in &self.term.parts {
            let left = grown(&mut scratch.left, n * m);
            match part.left {
                Some(indices) => {
                    let [a, a2] = self.lefts(indices);
                    product(left, a.samples(0, n), a2.samples(0, m).t());
                }
                None => left.fill(R::of(1.0)),
            }
            let slot = self.slot(part.slot);
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

    fn slot(&mut self, slot: usize) -> &mut [R] {
        &mut self.out[(self.offset)(slot)..][..self.size.entries()]
    }
}

/// The first `len` entries of `buffer`, which grows to hold them.
fn grown<R: Real>(buffer: &mut Vec<R>, len: usize) -> &mut [R] {
    if buffer.len() < len {
        buffer.resize(len, R::default());
    }
    &mut buffer[..len]
}

fn add<R: Real>(out: &mut [R], x: &[R]) {
    out.iter_mut().zip(x).for_each(|(out, &x)| *out += x);
}

fn multiply_add<R: Real>(out: &mut [R], x: &[R], y: &[R]) {
    out.iter_mut().zip(x).zip(y).for_each(|((out, &x), &y)| *out += x * y);
}

/// out\[n c, m c'\] += left\[n,m\] right\[n c, m c'\]: every row of `left` is spread over the outputs once.
fn multiply_add_outputs<R: Real>(out: &mut [R], left: &[R], right: &[R], inner: usize, m: usize, row: &mut Vec<R>) {
    let cols = m * inner;
    if cols == 0 {
        return;
    }
    let spread = grown(row, cols);
    let rows = out.chunks_exact_mut(inner * cols).zip(right.chunks_exact(inner * cols));
    for ((out, right), left) in rows.zip(left.chunks_exact(m)) {
        for (to, &a) in spread.chunks_exact_mut(inner).zip(left) {
            to.fill(a);
        }
        for (out, right) in out.chunks_exact_mut(cols).zip(right.chunks_exact(cols)) {
            multiply_add(out, spread, right);
        }
    }
}

/// out\[c, m c'\] += sum over t, u of A\[t, m u\] B\[c t, m c' u\], rows of `out` being `stride` entries apart.
fn contract_positions<R: Real>(out: &mut [R], stride: usize, scratch: &Scratch<R>, shape: [usize; 4]) {
    let [inner, t, count, u] = shape;
    for c in 0..inner {
        for m in 0..count {
            for c2 in 0..inner {
                let mut sum = R::default();
                for position in 0..t {
                    let left = &scratch.left[(position * count + m) * u..][..u];
                    let right = &scratch.right[(((c * t + position) * count + m) * inner + c2) * u..][..u];
                    sum += left.iter().zip(right).map(|(&a, &b)| a * b).sum();
                }
                out[c * stride + m * inner + c2] += sum;
            }
        }
    }
}
