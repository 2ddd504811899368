//! A side of a use, packed for products.

use crate::real::Real;

/// Products run over so many k at a time: those of three groups of columns, 36 KiB, stay in the first cache, and those
/// of a block of rows in the second.
pub(super) const K_BLOCK: usize = 192;

/// Rows of k numbers each, as \[block of [`K_BLOCK`] k\]\[group of
/// [`LANES`](crate::real::vector::Vector::LANES) rows\]\[k\]\[row in the group\], the last group filled up with
/// zeros: a line of the cache is one k of a group, and what a product reads before it goes on to other k is contiguous.
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
            for from in (0..k).step_by(K_BLOCK) {
                let to = self.group_mut(row / lanes, from);
                if count == lanes {
                    let line = |at: usize| these.iter().skip(from + at).step_by(k);
                    to.chunks_exact_mut(lanes).enumerate().for_each(|(at, to)| {
                        to.iter_mut().zip(line(at)).for_each(|(to, &x)| *to = x);
                    });
                } else {
                    for (number, these) in these.chunks_exact(k).enumerate() {
                        let column = to.iter_mut().skip(lane + number).step_by(lanes);
                        column.zip(&these[from..]).for_each(|(to, &x)| *to = x);
                    }
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

    /// A group's numbers of the block of k that begins at `from`: \[k\]\[row\].
    pub(super) fn group(&self, group: usize, from: usize) -> &[R] {
        &self.data[self.place(group, from)]
    }

    fn group_mut(&mut self, group: usize, from: usize) -> &mut [R] {
        let place = self.place(group, from);
        &mut self.data[place]
    }

    fn place(&self, group: usize, from: usize) -> std::ops::Range<usize> {
        let count = K_BLOCK.min(self.k - from);
        let first = self.start + (self.groups() * from + group * count) * R::LANES;
        first..first + count * R::LANES
    }

    /// Asks for the `part`-th of `parts` even parts of the block of k that begins at `from`, if there is one, so that it is
    /// near when its turn comes: products of rows of 10,000 numbers are 12 % faster (`benches/tiles.rs`).
    #[inline(always)]
    #[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "the machine's hint has no safe form"))]
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "a hint of one machine"))]
    pub(super) fn prefetch(&self, from: usize, part: usize, parts: usize) {
        #[cfg(target_arch = "x86_64")]
        if from < self.k {
            let lines = self.groups() * K_BLOCK.min(self.k - from);
            let first = self.start + self.groups() * from * R::LANES;
            for line in part * lines / parts..(part + 1) * lines / parts {
                let at: *const R = &self.data[first + line * R::LANES];
                // SAFETY: a hint, which reads and writes nothing; the address is inside `data`.
                unsafe { core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T1 }>(at.cast()) };
            }
        }
    }
}
