//! Matrices that several threads fill unit by unit, each unit once.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Frame, Region};
use crate::error::{Error, Result};
use crate::real::{Real, vectorised};
use crate::shape::zeros;

/// Mirror images are written by squares of this side: a line of cache in f32.
const SQUARE: usize = 16;

/// How the entries of a matrix lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All of them, row by row.
    Full,
    /// The upper triangle, row by row.
    Upper,
}

/// The matrices of a frame, and which units have come.
pub(crate) struct Canvas<R> {
    layout: Layout,
    blocks: usize,
    cols: usize,
    symmetric: bool,
    /// Its own copy: their rectangles are known not to overlap.
    regions: Vec<Region>,
    taken: Vec<AtomicBool>,
    matrices: Vec<Box<[UnsafeCell<R>]>>,
    size: usize,
}

// SAFETY: a thread writes only to the rectangles of a unit that it has taken, no unit is taken twice, `new` has checked
// that the rectangles, mirror images among them, lie inside the matrix and do not overlap, and nothing reads the entries
// before `into_matrices`, which owns them.
unsafe impl<R: Send> Sync for Canvas<R> {}

impl<R: Real> Canvas<R> {
    /// # Errors
    /// The units do not tile the matrix; there is not enough memory.
    pub fn new(frame: &Frame, layout: Layout) -> Result<Self> {
        let (n, cols) = (frame.rows, frame.cols);
        if (layout == Layout::Upper || frame.symmetric) && (!frame.symmetric || n != cols) {
            return Err(Error::shape(format!("a kernel of {n} x {cols} is not symmetric: it has no upper triangle")));
        }
        check(frame)?;
        let size = if layout == Layout::Full { n.checked_mul(cols) } else { n.checked_mul(n + 1).map(|x| x / 2) };
        let matrix = |_: &String| {
            let data: Option<Vec<R>> = size.and_then(|size| zeros(&[frame.blocks, size]));
            let mut data = data.ok_or_else(|| {
                Error::memory(format!("a kernel of {} x {n} x {cols} {} does not fit", frame.blocks, R::NAME))
            })?;
            advise_huge_pages(&mut data);
            // SAFETY: UnsafeCell<R> has the layout of R, and the box is the only owner.
            Ok(unsafe { Box::from_raw(Box::into_raw(data.into_boxed_slice()) as *mut [UnsafeCell<R>]) })
        };
        Ok(Canvas {
            layout,
            blocks: frame.blocks,
            cols,
            symmetric: frame.symmetric,
            regions: frame.regions.clone(),
            taken: frame.regions.iter().map(|_| AtomicBool::new(false)).collect(),
            matrices: frame.matrices.iter().map(matrix).collect::<Result<_>>()?,
            size: size.unwrap_or(0),
        })
    }

    /// Writes unit `index`: `entries` are \[matrices, blocks, rows, cols\].
    ///
    /// # Errors
    /// There is no such unit, it was written before, or has another size.
    pub fn write(&self, index: usize, entries: &[R]) -> Result<()> {
        let region = self.regions.get(index).ok_or_else(|| Error::value(format!("there is no unit {index}")))?;
        let (size, width) = (region.entries(), region.cols.len());
        if entries.len() != self.matrices.len() * self.blocks * size {
            return Err(Error::shape(format!("unit {index} has {} entries", entries.len())));
        }
        // Whether the flag was set is all that matters; the writes are ordered by the end of the parallel walk.
        if self.taken[index].swap(true, Ordering::Relaxed) {
            return Err(Error::value(format!("unit {index} comes twice")));
        }
        if size == 0 {
            return Ok(());
        }
        for (number, tile) in entries.chunks_exact(size).enumerate() {
            let matrix = &self.matrices[number / self.blocks];
            let block = number % self.blocks * self.size;
            for (row, entries) in region.rows.clone().zip(tile.chunks_exact(width)) {
                let first = if self.layout == Layout::Upper { row.max(region.cols.start) } else { region.cols.start };
                put(matrix, block + self.row(row) + first, &entries[first - region.cols.start..]);
            }
            if self.symmetric && self.layout == Layout::Full {
                vectorised(|| self.mirror(matrix, block, region, tile));
            }
        }
        Ok(())
    }

    /// Writes the mirror image of a unit, by squares, each of which is transposed on the stack.
    #[inline(always)]
    fn mirror(&self, matrix: &[UnsafeCell<R>], block: usize, region: &Region, tile: &[R]) {
        let (width, above) = (region.cols.len(), region.above());
        for col in (0..width).step_by(SQUARE) {
            for row in (0..above.len()).step_by(SQUARE) {
                let (high, wide) = (SQUARE.min(above.len() - row), SQUARE.min(width - col));
                let mut square = [[R::default(); SQUARE]; SQUARE];
                for r in 0..high {
                    let from = &tile[(row + r) * width + col..][..wide];
                    from.iter().zip(&mut square).for_each(|(&x, line)| line[r] = x);
                }
                for (c, line) in square[..wide].iter().enumerate() {
                    let to = block + self.row(region.cols.start + col + c) + above.start + row;
                    put(matrix, to, &line[..high]);
                }
            }
        }
    }

    /// The entries of every matrix, \[blocks, size\].
    pub fn into_matrices(self) -> Vec<Vec<R>> {
        // SAFETY: as in `new`, the other way round.
        let own = |cells| unsafe { Box::from_raw(Box::into_raw(cells) as *mut [R]) }.into_vec();
        self.matrices.into_iter().map(own).collect()
    }

    /// Where entry (row, 0) is, or would be.
    fn row(&self, row: usize) -> usize {
        match self.layout {
            Layout::Full => row * self.cols,
            Layout::Upper => row * (2 * self.cols - row - 1) / 2,
        }
    }
}

/// Asks for pages of 2 MiB, which are touched for the first time several times as fast as those of 4 KiB. Where there are
/// none, nothing happens.
#[cfg(target_os = "linux")]
fn advise_huge_pages<R>(data: &mut [R]) {
    const HUGE: usize = 2 << 20;
    // What is smaller an allocator often takes from memory that was touched before.
    const LEAST: usize = 16 * HUGE;
    let (start, bytes) = (data.as_mut_ptr() as usize, size_of_val(data));
    let first = start.next_multiple_of(HUGE);
    let Some(bytes) = (start + bytes).checked_sub(first).filter(|&bytes| bytes >= LEAST) else { return };
    // SAFETY: the pages from `first` on are those of `data`, to the last whole one; the advice changes no byte of them.
    unsafe { libc::madvise(first as *mut libc::c_void, bytes / HUGE * HUGE, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages<R>(_: &mut [R]) {}

/// Only for rectangles of a unit that this thread has taken.
fn put<R: Copy>(matrix: &[UnsafeCell<R>], at: usize, from: &[R]) {
    let to = &matrix[at..at + from.len()];
    // SAFETY: `to` is inside the matrix, and nobody else reads or writes it: see `Sync` of `Canvas`.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), UnsafeCell::raw_get(to.as_ptr()), from.len()) };
}

/// # Errors
/// The units and their mirror images do not tile the matrix.
fn check(frame: &Frame) -> Result<()> {
    let wrong = |index: usize| Error::value(format!("unit {index} overlaps another, or is not inside the kernel"));
    let mut events: Vec<(usize, bool, Range<usize>, usize)> = Vec::new();
    let mut area = 0u128;
    for (index, region) in frame.regions.iter().enumerate() {
        let (rows, cols) = (&region.rows, &region.cols);
        let inside =
            rows.start <= rows.end && rows.end <= frame.rows && cols.start <= cols.end && cols.end <= frame.cols;
        let upper = rows.end <= cols.start || (rows.start <= cols.start && rows.end == cols.end);
        if !inside || (frame.symmetric && !upper) {
            return Err(wrong(index));
        }
        let mirror = frame.symmetric.then(|| (region.cols.clone(), region.above()));
        for (rows, cols) in std::iter::once((rows.clone(), cols.clone())).chain(mirror) {
            if !rows.is_empty() && !cols.is_empty() {
                area += rows.len() as u128 * cols.len() as u128;
                events.push((rows.start, true, cols.clone(), index));
                events.push((rows.end, false, cols, index));
            }
        }
    }
    // Down the rows, ends before beginnings: the columns of the rectangles that are open.
    events.sort_unstable_by_key(|(row, opens, cols, _)| (*row, *opens, cols.start));
    let mut open: BTreeMap<usize, usize> = BTreeMap::new();
    for (_, opens, cols, index) in events {
        if !opens {
            open.remove(&cols.start);
        } else if open.range(..cols.end).next_back().is_some_and(|(_, &end)| end > cols.start) {
            return Err(wrong(index));
        } else {
            open.insert(cols.start, cols.end);
        }
    }
    if area != frame.rows as u128 * frame.cols as u128 {
        return Err(Error::value("the units do not cover the kernel"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(regions: &[(Range<usize>, Range<usize>)], n: usize) -> Frame {
        let regions: Vec<Region> = regions.iter().map(|(r, c)| Region { rows: r.clone(), cols: c.clone() }).collect();
        let shard = 0..regions.len();
        let matrices = vec!["total".to_string(), "w".to_string()];
        let fingerprint = String::new();
        Frame { matrices, blocks: 2, rows: n, cols: n, symmetric: true, regions, shard, part: (0, 1), fingerprint }
    }

    #[test]
    fn units_fill_both_layouts_from_threads_and_refuse_to_come_twice() {
        let n = 43;
        let frame = frame(&[(0..20, 0..20), (0..37, 20..37), (0..20, 37..43), (20..43, 37..43)], n);
        let entry = |k: usize, r: usize, c: usize| ((k * n + r.min(c)) * n + r.max(c)) as f64;
        for layout in [Layout::Full, Layout::Upper] {
            let canvas = Canvas::<f64>::new(&frame, layout).unwrap();
            std::thread::scope(|scope| {
                for (index, region) in frame.regions.iter().enumerate().rev() {
                    let canvas = &canvas;
                    scope.spawn(move || {
                        let row = |k, r| region.cols.clone().map(move |c| entry(k, r, c));
                        let tile: Vec<f64> =
                            (0..4).flat_map(|k| region.rows.clone().flat_map(move |r| row(k, r))).collect();
                        canvas.write(index, &tile).unwrap();
                        assert!(canvas.write(index, &tile).is_err());
                    });
                }
            });
            let data = canvas.into_matrices().concat();
            let all = (0..4).flat_map(|k| (0..n).flat_map(move |r| (0..n).map(move |c| (k, r, c))));
            let kept = all.filter(|&(_, r, c)| layout == Layout::Full || c >= r);
            assert!(data.into_iter().eq(kept.map(|(k, r, c)| entry(k, r, c))));
        }
    }

    #[test]
    fn units_that_overlap_or_leave_gaps_are_refused() {
        for regions in [vec![(0..2, 0..2), (0..4, 2..4), (0..1, 3..4)], vec![(0..2, 0..2)], vec![(0..5, 0..5)]] {
            assert!(Canvas::<f32>::new(&frame(&regions, 4), Layout::Full).is_err(), "{regions:?}");
        }
    }
}
