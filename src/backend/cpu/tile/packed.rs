//! A side of a use, packed for products.

use crate::real::Real;

/// Rows of k numbers each, as \[group of [`LANES`](crate::backend::cpu::vector::Vector::LANES) rows\]\[k\]\[row in the
/// group\], the last group filled up with zeros: what a micro tile reads, from either side, is contiguous, and a line of
/// the cache is one k of a group.
#[derive(Clone, Default)]
pub struct Packed<R> {
    data: Vec<R>,
    /// Where the first line of the cache begins.
    start: usize,
    rows: usize,
    k: usize,
}

impl<R: Real> Packed<R> {
    /// Makes room for `rows` rows of `k` numbers, all zeros, in the memory that is there already if it is enough.
    pub fn reset(&mut self, rows: usize, k: usize) {
        let len = rows.div_ceil(R::LANES) * R::LANES * k;
        self.data.clear();
        self.data.resize(len + R::LANES, R::default());
        let offset = self.data.as_ptr().align_offset(64);
        self.start = if offset <= R::LANES { offset } else { 0 };
        (self.rows, self.k) = (rows, k);
    }

    /// Writes the rows from `first` on, which are k numbers each in `rows`.
    pub fn fill(&mut self, first: usize, rows: &[R]) {
        let (k, lanes) = (self.k, R::LANES);
        if k == 0 {
            return;
        }
        assert!(rows.len().is_multiple_of(k) && first + rows.len() / k <= self.rows, "rows of a panel");
        let mut row = first;
        let mut rest = rows;
        while !rest.is_empty() {
            let lane = row % lanes;
            let count = (lanes - lane).min(rest.len() / k);
            let (these, others) = rest.split_at(count * k);
            let group = &mut self.data[self.start + row / lanes * lanes * k..][..lanes * k];
            if count == lanes {
                let line = |at: usize| these.iter().skip(at).step_by(k);
                group.chunks_exact_mut(lanes).enumerate().for_each(|(at, to)| {
                    to.iter_mut().zip(line(at)).for_each(|(to, &x)| *to = x);
                });
            } else {
                for (number, these) in these.chunks_exact(k).enumerate() {
                    let column = group.iter_mut().skip(lane + number).step_by(lanes);
                    column.zip(these).for_each(|(to, &x)| *to = x);
                }
            }
            (row, rest) = (row + count, others);
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of numbers in a row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The number of groups.
    pub(super) fn groups(&self) -> usize {
        self.rows.div_ceil(R::LANES)
    }

    /// A group's numbers from `k` on, `count` of them a row: \[count\]\[row\].
    pub(super) fn group(&self, group: usize, k: usize, count: usize) -> &[R] {
        &self.data[self.start + (group * self.k + k) * R::LANES..][..count * R::LANES]
    }
}
