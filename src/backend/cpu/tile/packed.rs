//! An operand of a use, packed for products.

use crate::real::Real;

/// The number of k in a block. Three groups of columns over one block take 36 KiB and stay in the first cache. A block
/// of rows stays in the second.
pub(super) const K_BLOCK: usize = 192;

/// Rows of k numbers each, as `[block of K_BLOCK k][group of LANES rows][k][row in the group]`. The last group is
/// padded with zeros. A cache line is one k of a group, and a product reads a block of k contiguously. See
/// [`LANES`](crate::real::vector::Vector::LANES).
#[derive(Clone, Default)]
pub struct Packed<R> {
    data: Vec<R>,
    /// The offset of the first cache line.
    start: usize,
    rows: usize,
    k: usize,
}

impl<R: Real> Packed<R> {
    /// Becomes `rows` rows of `k` zeros. The memory is reused if it is large enough.
    pub fn reset(&mut self, rows: usize, k: usize) {
        let len = rows.div_ceil(R::LANES) * R::LANES * k;
        self.data.clear();
        self.data.resize(len + R::LANES, R::default());
        let offset = self.data.as_ptr().align_offset(64);
        self.start = if offset <= R::LANES { offset } else { 0 };
        self.rows = rows;
        self.k = k;
    }

    /// Writes `rows`, which are k numbers each, to the rows from `first` on.
    pub fn fill(&mut self, first: usize, rows: &[R]) {
        let k = self.k;
        let lanes = R::LANES;
        if k == 0 {
            return;
        }
        assert!(rows.len().is_multiple_of(k) && first + rows.len() / k <= self.rows, "the rows do not fit the panel");
        let mut row = first;
        let mut rest = rows;
        while !rest.is_empty() {
            let lane = row % lanes;
            let count = (lanes - lane).min(rest.len() / k);
            let (current, following) = rest.split_at(count * k);
            for from in (0..k).step_by(K_BLOCK) {
                let to = self.group_mut(row / lanes, from);
                if count == lanes {
                    let line = |offset: usize| current.iter().skip(from + offset).step_by(k);
                    to.chunks_exact_mut(lanes).enumerate().for_each(|(offset, to)| {
                        to.iter_mut().zip(line(offset)).for_each(|(to, &x)| *to = x);
                    });
                } else {
                    for (number, current) in current.chunks_exact(k).enumerate() {
                        let column = to.iter_mut().skip(lane + number).step_by(lanes);
                        column.zip(&current[from..]).for_each(|(to, &x)| *to = x);
                    }
                }
            }
            row += count;
            rest = following;
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The length of a row.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The number of groups.
    pub(super) fn groups(&self) -> usize {
        self.rows.div_ceil(R::LANES)
    }

    /// The numbers of a group in the block of k that begins at `from`: `[k][row]`.
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

    /// Prefetches part `part` of `parts` even parts of the block of k that begins at `from`, if that block exists.
    /// Products of rows of 10,000 numbers are 12 % faster with it (`benches/tiles.rs`).
    #[inline(always)]
    #[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "the prefetch instruction has no safe form"))]
    #[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "only x86-64 has the hint"))]
    pub(super) fn prefetch(&self, from: usize, part: usize, parts: usize) {
        #[cfg(target_arch = "x86_64")]
        if from < self.k {
            let lines = self.groups() * K_BLOCK.min(self.k - from);
            let first = self.start + self.groups() * from * R::LANES;
            for line in part * lines / parts..(part + 1) * lines / parts {
                let address: *const R = &self.data[first + line * R::LANES];
                // SAFETY: a prefetch reads and writes nothing, and the address is inside `data`.
                unsafe { core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T1 }>(address.cast()) };
            }
        }
    }
}
