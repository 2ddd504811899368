//! Matrices that several threads fill region by region, each region once.
#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Frame, Region};
use crate::error::{Error, Result};
use crate::real::{Real, vectorised};
use crate::shape::zeros;

/// Mirror images are written by squares of this side: a cache line in f32.
const SQUARE: usize = 16;

/// The storage of a matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// All entries, row by row.
    Full,
    /// The upper triangle, row by row.
    Upper,
}

/// The matrices of a frame, and flags of the regions that were written.
pub(crate) struct Canvas<R> {
    storage: Storage,
    blocks: usize,
    cols: usize,
    symmetric: bool,
    /// A copy: its rectangles have been checked not to overlap.
    regions: Vec<Region>,
    written: Vec<AtomicBool>,
    matrices: Vec<Box<[UnsafeCell<R>]>>,
    size: usize,
}

// SAFETY: a thread writes only to the rectangles of a region that it has taken, and no region is taken twice. `new` has
// checked that the rectangles and their mirror images lie inside the matrix and do not overlap. Only `into_matrices`
// reads the entries, and it owns them.
unsafe impl<R: Send> Sync for Canvas<R> {}

impl<R: Real> Canvas<R> {
    /// # Errors
    /// Returns an error if the regions do not tile the matrix, or if memory is too small.
    pub fn new(frame: &Frame, storage: Storage) -> Result<Self> {
        let n = frame.rows;
        let cols = frame.cols;
        if (storage == Storage::Upper || frame.symmetric) && (!frame.symmetric || n != cols) {
            return Err(Error::shape(format!(
                "a kernel K(X, Z) of {n} x {cols} has no upper triangle; use a dense sink, or compute K(X, X)"
            )));
        }
        check(frame)?;
        let size = if storage == Storage::Full { n.checked_mul(cols) } else { n.checked_mul(n + 1).map(|x| x / 2) };

        Ok(Canvas {
            storage,
            blocks: frame.blocks,
            cols,
            symmetric: frame.symmetric,
            regions: frame.regions.clone(),
            written: frame.regions.iter().map(|_| AtomicBool::new(false)).collect(),
            matrices: frame.matrices.iter().map(|_| allocate(frame, size)).collect::<Result<_>>()?,
            size: size.unwrap_or(0),
        })
    }

    /// Writes region `index`. `entries` are `[matrices, blocks, rows, cols]`.
    ///
    /// # Errors
    /// Returns an error if the region does not exist, was written before, or has another size.
    pub fn write(&self, index: usize, entries: &[R]) -> Result<()> {
        let region = self.regions.get(index).ok_or_else(|| {
            Error::value(format!("write: region {index} does not exist; there are {}", self.regions.len()))
        })?;
        let size = region.entries();
        let width = region.cols.len();
        if entries.len() != self.matrices.len() * self.blocks * size {
            return Err(Error::shape(format!(
                "write: region {index} needs {} entries, got {}",
                self.matrices.len() * self.blocks * size,
                entries.len()
            )));
        }
        // Relaxed is enough: only the flag matters, and the end of the parallel run orders the writes.
        if self.written[index].swap(true, Ordering::Relaxed) {
            return Err(Error::value(format!("write: region {index} was written before")));
        }
        if size == 0 {
            return Ok(());
        }
        for (number, tile) in entries.chunks_exact(size).enumerate() {
            let matrix = &self.matrices[number / self.blocks];
            let block = number % self.blocks * self.size;
            for (row, entries) in region.rows.clone().zip(tile.chunks_exact(width)) {
                let first = if self.storage == Storage::Upper { row.max(region.cols.start) } else { region.cols.start };
                put(matrix, block + self.row(row) + first, &entries[first - region.cols.start..]);
            }
            if self.symmetric && self.storage == Storage::Full {
                vectorised(|| self.mirror(matrix, block, region, tile));
            }
        }
        Ok(())
    }

    /// Writes the mirror image of a region by squares. Each square is transposed on the stack.
    #[inline(always)]
    fn mirror(&self, matrix: &[UnsafeCell<R>], block: usize, region: &Region, tile: &[R]) {
        let width = region.cols.len();
        let above = region.above();
        for col in (0..width).step_by(SQUARE) {
            for row in (0..above.len()).step_by(SQUARE) {
                let high = SQUARE.min(above.len() - row);
                let wide = SQUARE.min(width - col);
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

    /// The entries of every matrix, `[blocks, size]`.
    pub fn into_matrices(self) -> Vec<Vec<R>> {
        // SAFETY: UnsafeCell<R> has the layout of R, and the box is the only owner.
        let entries = |cells| unsafe { Box::from_raw(Box::into_raw(cells) as *mut [R]) }.into_vec();
        self.matrices.into_iter().map(entries).collect()
    }

    /// The offset of entry (row, 0), which the upper triangle may not hold.
    fn row(&self, row: usize) -> usize {
        match self.storage {
            Storage::Full => row * self.cols,
            Storage::Upper => row * (2 * self.cols - row - 1) / 2,
        }
    }
}

/// Allocates one matrix `[blocks, size]`.
fn allocate<R: Real>(frame: &Frame, size: Option<usize>) -> Result<Box<[UnsafeCell<R>]>> {
    let data: Option<Vec<R>> = size.and_then(|size| zeros(&[frame.blocks, size]));
    let Some(mut data) = data else {
        return Err(Error::memory(format!(
            "a kernel of {} x {} x {} {} does not fit in memory; use a sink on disk, or fewer samples",
            frame.blocks,
            frame.rows,
            frame.cols,
            R::NAME
        )));
    };
    advise_huge_pages(&mut data);
    // SAFETY: UnsafeCell<R> has the layout of R, and the box is the only owner.
    Ok(unsafe { Box::from_raw(Box::into_raw(data.into_boxed_slice()) as *mut [UnsafeCell<R>]) })
}

/// Asks the system for pages of 2 MiB, whose first touch is several times as fast as that of 4 KiB pages. Does nothing
/// if the system has none.
#[cfg(target_os = "linux")]
fn advise_huge_pages<R>(data: &mut [R]) {
    const HUGE: usize = 2 << 20;
    // Allocators often take smaller blocks from memory that was touched before.
    const LEAST: usize = 16 * HUGE;
    let start = data.as_mut_ptr() as usize;
    let bytes = size_of_val(data);
    let first = start.next_multiple_of(HUGE);
    let Some(bytes) = (start + bytes).checked_sub(first).filter(|&bytes| bytes >= LEAST) else { return };
    // SAFETY: the pages from `first` to the last whole one belong to `data`, and the advice changes no byte of them.
    unsafe { libc::madvise(first as *mut libc::c_void, bytes / HUGE * HUGE, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages<R>(_: &mut [R]) {}

/// Copies `from` to a matrix. Only for rectangles of a region that this thread has taken.
fn put<R: Copy>(matrix: &[UnsafeCell<R>], start: usize, from: &[R]) {
    let to = &matrix[start..start + from.len()];
    // SAFETY: `to` is inside the matrix, and no other thread reads or writes it: see `Sync` of `Canvas`.
    unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), UnsafeCell::raw_get(to.as_ptr()), from.len()) };
}

/// # Errors
/// Returns an error if the regions and their mirror images do not tile the matrix.
fn check(frame: &Frame) -> Result<()> {
    let wrong = |index: usize| {
        Error::value(format!("region {index} of the frame overlaps another region, or is outside the kernel"))
    };
    let mut events: Vec<(usize, bool, Range<usize>, usize)> = Vec::new();
    let mut area = 0u128;
    for (index, region) in frame.regions.iter().enumerate() {
        let Region { rows, cols } = region;
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
    // Sort by row, with ends before beginnings. `open` then holds the columns of the rectangles at a row.
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
        return Err(Error::value("the regions of the frame do not cover the kernel"));
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
    fn regions_fill_both_storages_from_threads_and_are_refused_twice() {
        let n = 43;
        let frame = frame(&[(0..20, 0..20), (0..37, 20..37), (0..20, 37..43), (20..43, 37..43)], n);
        let entry = |k: usize, r: usize, c: usize| ((k * n + r.min(c)) * n + r.max(c)) as f64;
        for storage in [Storage::Full, Storage::Upper] {
            let canvas = Canvas::<f64>::new(&frame, storage).unwrap();
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
            let kept = all.filter(|&(_, r, c)| storage == Storage::Full || c >= r);
            assert!(data.into_iter().eq(kept.map(|(k, r, c)| entry(k, r, c))));
        }
    }

    #[test]
    fn regions_that_overlap_or_leave_gaps_are_refused() {
        for regions in [vec![(0..2, 0..2), (0..4, 2..4), (0..1, 3..4)], vec![(0..2, 0..2)], vec![(0..5, 0..5)]] {
            assert!(Canvas::<f32>::new(&frame(&regions, 4), Storage::Full).is_err(), "{regions:?}");
        }
    }
}
