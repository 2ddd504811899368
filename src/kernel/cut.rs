//! How K is cut: samples into blocks, and blocks into units.

use std::ops::Range;

use super::sink::Unit;
use crate::backend::Grain;
use crate::shape::blocks;

/// A tile has at least so many rows, if there are.
const MIN_SIDE: usize = 16;
/// The numbers in a vector of the CPU: sides are multiples of it where that leaves as many blocks.
const VECTOR: usize = 16;

/// The number of samples in a block where K has `inner` rows for a sample, `matrices` tiles are computed side by side, and
/// a tile has at most `most` rows. A pure function of these, so that nothing depends on the number of threads.
pub(crate) fn block(grain: &Grain, samples: usize, inner: usize, matrices: usize, most: usize) -> usize {
    let rows = samples.saturating_mul(inner);
    let most = if matrices > 1 { most.min(grain.tile_sides[1]) } else { most };
    let most = (grain.tile_entries / matrices.max(1)).isqrt().clamp(MIN_SIDE, most);
    let side = rows.div_ceil(grain.least_blocks).clamp(MIN_SIDE, most);
    let whole = side.next_multiple_of(VECTOR).min(most);
    let side = if rows.div_ceil(whole) >= grain.least_blocks { whole } else { side };
    // Of a large tile no odd rest is left, which would be slow; nor is a small one, of a kernel that is one tile.
    let side = if side > 2 * grain.multiple && side < rows { side / grain.multiple * grain.multiple } else { side };
    side.div_ceil(inner.max(1))
}

/// K in units, and samples in blocks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cut {
    /// Blocks of samples along the rows.
    pub rows: Vec<Range<usize>>,
    /// Blocks along the columns; `None` for K(X, X).
    pub cols: Option<Vec<Range<usize>>>,
    /// The number of rows of K for a sample.
    pub inner: usize,
    /// Units as ranges of blocks along rows and columns, band by band: all that share their rows stand together.
    pub units: Vec<[Range<usize>; 2]>,
}

impl Cut {
    /// Cuts into blocks of `block` samples and units of `tall` x `wide` blocks; `tall` is a multiple of `wide`.
    pub fn new(samples: (usize, Option<usize>), block: usize, inner: usize, [tall, wide]: [usize; 2]) -> Self {
        let rows = blocks(samples.0, block);
        let cols = samples.1.map(|m| blocks(m, block));
        let mut units = Vec::new();
        let width = cols.as_ref().unwrap_or(&rows).len();
        for band in blocks(rows.len(), tall) {
            let first = if cols.is_some() { 0 } else { band.start };
            for strip in blocks(width - first, wide) {
                let strip = first + strip.start..first + strip.end;
                let end = if cols.is_some() { band.end } else { band.end.min(strip.end) };
                units.push([band.start..end, strip]);
            }
        }
        Cut { rows, cols, inner, units }
    }

    /// The blocks along the columns.
    pub fn columns(&self) -> &[Range<usize>] {
        self.cols.as_ref().unwrap_or(&self.rows)
    }

    pub fn is_symmetric(&self) -> bool {
        self.cols.is_none()
    }

    /// The rows and columns of K.
    pub fn size(&self) -> [usize; 2] {
        [&self.rows[..], self.columns()].map(|blocks| blocks.last().map_or(0, |last| last.end) * self.inner)
    }

    /// The units by rows and columns of K.
    pub fn places(&self) -> Vec<Unit> {
        let range = |blocks: &[Range<usize>], unit: &Range<usize>| {
            blocks[unit.start].start * self.inner..blocks[unit.end - 1].end * self.inner
        };
        let place = |[rows, cols]: &[Range<usize>; 2]| Unit {
            rows: range(&self.rows, rows),
            cols: range(self.columns(), cols),
        };
        self.units.iter().map(place).collect()
    }

    /// The blocks whose panels are held for some units: along their rows, and along their columns too if `all` are held.
    pub fn held(&self, units: &[usize], all: bool) -> [Vec<bool>; 2] {
        let mut held = [vec![false; self.rows.len()], vec![false; self.cols.as_ref().map_or(0, Vec::len)]];
        for &unit in units {
            let [rows, cols] = &self.units[unit];
            held[0][rows.clone()].fill(true);
            if all {
                held[if self.is_symmetric() { 0 } else { 1 }][cols.clone()].fill(true);
            }
        }
        held
    }

    /// `units` in bands, each of which has blocks of its own to hold; one if `all` are held.
    pub fn bands<'a>(&self, units: &'a [usize], all: bool) -> impl Iterator<Item = &'a [usize]> {
        units.chunk_by(move |&one, &two| all || self.units[one][0].start == self.units[two][0].start)
    }

    /// The tiles of a unit that are computed: of K(X, X), those on and above the diagonal.
    pub fn tiles(&self, [rows, cols]: &[Range<usize>; 2]) -> impl Iterator<Item = [usize; 2]> {
        let (rows, symmetric) = (rows.clone(), self.is_symmetric());
        cols.clone().flat_map(move |j| rows.clone().filter(move |&i| !symmetric || i <= j).map(move |i| [i, j]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_samples_and_tiles_stay_small() {
        for (samples, inner, matrices) in
            [(0, 1, 1), (1, 1, 1), (10, 3, 1), (1000, 1, 5), (1000, 10, 60), (5000, 1, 60_000), (3, 1000, 2)]
        {
            for most in Grain::CPU.tile_sides {
                let blocks = blocks(samples, block(&Grain::CPU, samples, inner, matrices, most));
                let side = blocks.iter().map(|range| range.len() * inner).max().unwrap_or(0);
                assert!(side <= most + inner, "{side}");
                assert!(side <= 16 + inner || side * side * matrices <= 1 << 22, "{side} rows, {matrices} matrices");
                assert!(samples * inner < 128 || inner > 16 || blocks.len() >= 8, "{} blocks", blocks.len());
            }
        }
    }

    #[test]
    fn units_cover_every_tile_once() {
        for (samples, cols) in [(0, None), (1, None), (50, None), (50, Some(23)), (7, Some(0)), (0, Some(7))] {
            for [tall, wide] in [[1, 1], [2, 2], [4, 2], [6, 3], [20, 1], [20, 20]] {
                let cut = Cut::new((samples, cols), 4, 3, [tall, wide]);
                let mut seen = std::collections::HashSet::new();
                for unit in &cut.units {
                    assert!(cut.tiles(unit).all(|tile| seen.insert(tile)));
                }
                let (n, m) = (cut.rows.len(), cut.columns().len());
                assert_eq!(seen.len(), if cols.is_some() { n * m } else { n * (n + 1) / 2 });
                let [rows, columns] = cut.size();
                assert_eq!([rows, columns], [samples * 3, cols.unwrap_or(samples) * 3]);
                let area: usize = cut.places().iter().map(|unit| unit.entries() + mirrored(unit, cols.is_none())).sum();
                assert_eq!(area, rows * columns, "{samples} {cols:?} {tall} {wide}");
            }
        }
    }

    fn mirrored(unit: &Unit, symmetric: bool) -> usize {
        if symmetric { unit.above().len() * unit.cols.len() } else { 0 }
    }
}
