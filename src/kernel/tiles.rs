//! The walk over the tiles of K: the upper triangle, all slots of a tile in one pass, threads over tiles.

use std::ops::Range;

use rayon::prelude::*;

use super::disjoint::Tiles;
use super::matrix::Matrix;
use super::progress::Counter;
use crate::backend::{Gram, Panels, Recipe};
use crate::error::Result;
use crate::real::Real;

/// The blocks of samples along one side of K, and their panels.
pub(crate) struct Side<'a, T> {
    pub blocks: &'a [Range<usize>],
    pub panels: &'a [Panels<T>],
}

/// What a walk computes: matrices from the slots of a recipe.
pub(crate) struct Walk<'a, B: Gram> {
    pub arrays: &'a B,
    pub recipe: &'a Recipe,
    pub rows: Side<'a, B::Tensor>,
    /// The other samples of K(X, Z); `None` for K(X, X), of which only the upper triangle is computed.
    pub cols: Option<Side<'a, B::Tensor>>,
    /// What every entry is multiplied by.
    pub scale: f64,
    /// Keep every slot beside their sum.
    pub components: bool,
}

/// The total, and every slot if components are kept.
pub(crate) struct Walked<R> {
    pub total: Matrix<R>,
    pub slots: Vec<Matrix<R>>,
}

/// A worker's memory: a tile of every slot, and of their sum.
struct Worker<B: Gram> {
    scratch: B::Scratch,
    slots: Vec<B::Number>,
    total: Vec<B::Number>,
}

impl<B: Gram> Walk<'_, B> {
    pub fn run(&self, counter: &Counter<'_>) -> Result<Walked<B::Number>> {
        let row_cuts = cuts(self.rows.blocks, self.recipe.inner);
        let col_cuts = self.cols.as_ref().map_or_else(|| row_cuts.clone(), |c| cuts(c.blocks, self.recipe.inner));
        let (rows, cols) = (row_cuts[row_cuts.len() - 1], col_cuts[col_cuts.len() - 1]);
        let zeros = || Matrix::zeros(self.recipe.blocks, rows, cols);
        let mut total = zeros()?;
        let kept = if self.components { self.recipe.slots } else { 0 };
        let mut slots = (0..kept).map(|_| zeros()).collect::<Result<Vec<_>>>()?;
        if rows > 0 && cols > 0 {
            let tiled = |matrix| tiled_blocks(matrix, &row_cuts, &col_cuts);
            let total = tiled(&mut total);
            let slots: Vec<_> = slots.iter_mut().map(tiled).collect();
            self.tile_list().into_par_iter().try_for_each_init(
                || Worker::<B> { scratch: B::Scratch::default(), slots: Vec::new(), total: Vec::new() },
                |worker, (i, j)| {
                    self.tile(i, j, worker, &total, &slots)?;
                    counter.step()
                },
            )?;
        }
        Ok(Walked { total, slots })
    }

    /// The number of tiles that are computed.
    pub fn tile_count(rows: usize, cols: Option<usize>) -> usize {
        cols.map_or(rows * (rows + 1) / 2, |cols| rows * cols)
    }

    fn tile_list(&self) -> Vec<(usize, usize)> {
        let columns = self.cols.as_ref().unwrap_or(&self.rows).blocks.len();
        let first = |i| if self.cols.is_some() { 0 } else { i };
        (0..self.rows.blocks.len()).flat_map(|i| (first(i)..columns).map(move |j| (i, j))).collect()
    }

    fn tile(
        &self,
        i: usize,
        j: usize,
        worker: &mut Worker<B>,
        total: &[Tiles<'_, B::Number>],
        slots: &[Vec<Tiles<'_, B::Number>>],
    ) -> Result<()> {
        let cols = self.cols.as_ref().unwrap_or(&self.rows);
        let (height, width) = (self.rows.blocks[i].len() * self.recipe.inner, cols.blocks[j].len() * self.recipe.inner);
        let entries = height * width;
        let slot_entries = self.recipe.blocks * entries;
        worker.slots.resize(self.recipe.slots * slot_entries, B::Number::default());
        let (rows, cols) = (&self.rows.panels[i], &cols.panels[j]);
        self.arrays.tile(self.recipe, rows, cols, &mut worker.scratch, &mut worker.slots)?;
        let scale = B::Number::of(self.scale);
        if self.scale != 1.0 {
            worker.slots.iter_mut().for_each(|x| *x *= scale);
        }
        let on_diagonal = self.cols.is_none() && i == j;
        if on_diagonal {
            worker.slots.chunks_exact_mut(entries).for_each(|tile| mirror(tile, width));
        }
        let write = |tiles: &Tiles<'_, B::Number>, tile: &[B::Number]| {
            tiles.write(i, j, tile);
            if self.cols.is_none() && i != j {
                tiles.write_transposed(j, i, tile);
            }
        };
        for (slot, tiles) in slots.iter().enumerate() {
            for (block, tiles) in tiles.iter().enumerate() {
                write(tiles, &worker.slots[slot * slot_entries + block * entries..][..entries]);
            }
        }
        let sum =
            if self.recipe.slots == 1 { &worker.slots } else { add_up(&worker.slots, &mut worker.total, slot_entries) };
        for (block, tiles) in total.iter().enumerate() {
            write(tiles, &sum[block * entries..][..entries]);
        }
        Ok(())
    }
}

/// Where blocks of samples begin in K, and its end.
fn cuts(blocks: &[Range<usize>], inner: usize) -> Vec<usize> {
    std::iter::once(0).chain(blocks.iter().map(|range| range.end * inner)).collect()
}

fn tiled_blocks<'a, R: Real>(matrix: &'a mut Matrix<R>, row_cuts: &[usize], col_cuts: &[usize]) -> Vec<Tiles<'a, R>> {
    let size = matrix.rows() * matrix.cols();
    matrix.as_mut_slice().chunks_exact_mut(size).map(|block| Tiles::new(block, row_cuts, col_cuts)).collect()
}

/// Copies the upper triangle to the lower one.
fn mirror<R: Copy>(tile: &mut [R], side: usize) {
    for row in 1..side {
        for col in 0..row {
            tile[row * side + col] = tile[col * side + row];
        }
    }
}

/// The sum over slots, in their order.
fn add_up<'a, R: Real>(slots: &[R], total: &'a mut Vec<R>, slot_entries: usize) -> &'a Vec<R> {
    let mut list = slots.chunks_exact(slot_entries.max(1));
    total.clear();
    total.extend_from_slice(list.next().unwrap_or_default());
    for slot in list {
        total.iter_mut().zip(slot).for_each(|(sum, &x)| *sum += x);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products of faer happen to be symmetric already, so no kernel shows whether this works.
    #[test]
    fn the_lower_triangle_becomes_the_upper_one() {
        let mut tile = [1, 2, 3, 40, 5, 6, 70, 80, 9];
        mirror(&mut tile, 3);
        assert_eq!(tile, [1, 2, 3, 2, 5, 6, 3, 6, 9]);
    }
}
