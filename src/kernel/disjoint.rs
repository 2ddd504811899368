//! A matrix that several threads fill tile by tile, each tile once.
#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

/// Mirrored tiles are written by squares of this side, so that both their rows and their columns stay in cache.
const SQUARE: usize = 16;

/// A row-major matrix cut into tiles that are written once each, from any thread.
pub(crate) struct Tiles<'a, R> {
    start: *mut R,
    cols: usize,
    /// Where the tiles begin along the rows, and the end; the same along the columns.
    row_cuts: Vec<usize>,
    col_cuts: Vec<usize>,
    taken: Vec<AtomicBool>,
    borrowed: PhantomData<&'a mut [R]>,
}

// SAFETY: a thread writes to the matrix only inside the rectangle of a tile that it has taken, no tile is taken twice,
// and the rectangles of different tiles do not overlap. The matrix is borrowed for as long as this lives, so nobody
// else reads or writes it.
unsafe impl<R: Send> Send for Tiles<'_, R> {}
unsafe impl<R: Send> Sync for Tiles<'_, R> {}

impl<'a, R: Copy> Tiles<'a, R> {
    /// The matrix `data`, cut at `row_cuts` and `col_cuts`, which rise from 0 to its sizes.
    pub fn new(data: &'a mut [R], row_cuts: &[usize], col_cuts: &[usize]) -> Self {
        for cuts in [row_cuts, col_cuts] {
            assert!(cuts.first() == Some(&0) && cuts.is_sorted(), "cuts {cuts:?}");
        }
        let (rows, cols) = (row_cuts[row_cuts.len() - 1], col_cuts[col_cuts.len() - 1]);
        assert_eq!(data.len(), rows * cols, "entries of a matrix of {rows} x {cols}");
        let tiles = (row_cuts.len() - 1) * (col_cuts.len() - 1);
        Tiles {
            start: data.as_mut_ptr(),
            cols,
            row_cuts: row_cuts.to_vec(),
            col_cuts: col_cuts.to_vec(),
            taken: (0..tiles).map(|_| AtomicBool::new(false)).collect(),
            borrowed: PhantomData,
        }
    }

    /// Writes tile (i, j), row-major.
    ///
    /// # Panics
    /// If it was written before, or `tile` is not of its size.
    pub fn write(&self, i: usize, j: usize, tile: &[R]) {
        let (first, rows, cols) = self.take(i, j);
        assert_eq!(tile.len(), rows * cols, "entries of tile ({i}, {j})");
        for row in 0..rows {
            // SAFETY: `take` gave this thread alone the rectangle, which lies inside the matrix; source and target
            // do not overlap since the matrix is exclusively borrowed.
            unsafe {
                let to = self.start.add(first + row * self.cols);
                std::ptr::copy_nonoverlapping(tile[row * cols..][..cols].as_ptr(), to, cols);
            }
        }
    }

    /// Writes tile (i, j) from its transpose `tile`, that of (j, i).
    ///
    /// # Panics
    /// As [`write`](Tiles::write).
    pub fn write_transposed(&self, i: usize, j: usize, tile: &[R]) {
        let (first, rows, cols) = self.take(i, j);
        assert_eq!(tile.len(), rows * cols, "entries of tile ({i}, {j})");
        for row_0 in (0..rows).step_by(SQUARE) {
            for col_0 in (0..cols).step_by(SQUARE) {
                for row in row_0..rows.min(row_0 + SQUARE) {
                    for col in col_0..cols.min(col_0 + SQUARE) {
                        // SAFETY: as in `write`: row < rows and col < cols are inside the rectangle.
                        unsafe { *self.start.add(first + row * self.cols + col) = tile[col * rows + row] };
                    }
                }
            }
        }
    }

    /// Takes tile (i, j) for good: the offset of its first entry, and its size.
    fn take(&self, i: usize, j: usize) -> (usize, usize, usize) {
        let columns = self.col_cuts.len() - 1;
        assert!(i + 1 < self.row_cuts.len() && j < columns, "there is no tile ({i}, {j})");
        // Whether the flag was set is all that matters; the writes are ordered by the end of the parallel walk.
        let before = self.taken[i * columns + j].swap(true, Ordering::Relaxed);
        assert!(!before, "tile ({i}, {j}) is written twice");
        let (row, col) = (self.row_cuts[i], self.col_cuts[j]);
        (row * self.cols + col, self.row_cuts[i + 1] - row, self.col_cuts[j + 1] - col)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_and_their_mirrors_fill_the_matrix() {
        let (cuts, n) = ([0, 20, 37, 40], 40);
        let mut data = vec![0usize; n * n];
        let tiles = Tiles::new(&mut data, &cuts, &cuts);
        for i in 0..3 {
            for j in i..3 {
                let rows = cuts[i]..cuts[i + 1];
                let tile: Vec<usize> =
                    rows.flat_map(|r| (cuts[j]..cuts[j + 1]).map(move |c| r.min(c) * n + r.max(c))).collect();
                tiles.write(i, j, &tile);
                if i != j {
                    tiles.write_transposed(j, i, &tile);
                }
            }
        }
        drop(tiles);
        for r in 0..n {
            for c in 0..n {
                assert_eq!(data[r * n + c], r.min(c) * n + r.max(c), "({r}, {c})");
            }
        }
    }

    #[test]
    #[should_panic(expected = "written twice")]
    fn a_tile_cannot_be_written_twice() {
        let mut data = vec![0; 4];
        let tiles = Tiles::new(&mut data, &[0, 2], &[0, 2]);
        tiles.write(0, 0, &[1, 2, 3, 4]);
        tiles.write(0, 0, &[1, 2, 3, 4]);
    }
}
