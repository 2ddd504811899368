//! Partitions K: samples into blocks, and blocks into regions.

use std::ops::Range;

use super::sink::Region;
use crate::backend::TileConfig;
use crate::shape::blocks;

/// The least number of rows of a tile, if there are enough samples.
const MIN_ROWS: usize = 16;
/// The lanes of a CPU vector. Sides are multiples of it if that does not change the number of blocks.
const LANES: usize = 16;

/// The number of samples in a block. K has `outputs_per_sample` rows per sample, `matrices` tiles are computed
/// together, and a tile has at most `most` rows. The result is a pure function of the arguments, so it does not depend
/// on the number of threads.
pub(crate) fn block(
    tile_config: &TileConfig,
    samples: usize,
    outputs_per_sample: usize,
    matrices: usize,
    most: usize,
) -> usize {
    let rows = samples.saturating_mul(outputs_per_sample);
    let most = if matrices > 1 { most.min(tile_config.tile_sides[1]) } else { most };
    let most = (tile_config.tile_entries / matrices.max(1)).isqrt().clamp(MIN_ROWS, most);
    let side = rows.div_ceil(tile_config.least_blocks).clamp(MIN_ROWS, most);
    let whole = side.next_multiple_of(LANES).min(most);
    let side = if rows.div_ceil(whole) >= tile_config.least_blocks { whole } else { side };
    // A large tile has no odd remainder, which would be slow. A kernel of a single tile keeps its size.
    let side = if side > 2 * tile_config.multiple && side < rows {
        side / tile_config.multiple * tile_config.multiple
    } else {
        side
    };
    side.div_ceil(outputs_per_sample.max(1))
}

/// A partition of K into regions and of the samples into blocks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Partition {
    /// Blocks of samples along the rows.
    pub rows: Vec<Range<usize>>,
    /// Blocks along the columns; `None` for K(X, X).
    pub cols: Option<Vec<Range<usize>>>,
    /// The number of rows of K per sample.
    pub outputs_per_sample: usize,
    /// Regions as ranges of blocks along rows and columns. Regions of the same row block are consecutive.
    pub regions: Vec<[Range<usize>; 2]>,
}

impl Partition {
    /// Partitions samples into blocks of `block` samples, and K into regions of `tall` x `wide` blocks. `tall` is a
    /// multiple of `wide`.
    pub fn new(
        samples: (usize, Option<usize>),
        block: usize,
        outputs_per_sample: usize,
        [tall, wide]: [usize; 2],
    ) -> Self {
        let rows = blocks(samples.0, block);
        let cols = samples.1.map(|m| blocks(m, block));
        let mut regions = Vec::new();
        let width = cols.as_ref().unwrap_or(&rows).len();
        for row_block in blocks(rows.len(), tall) {
            let first = if cols.is_some() { 0 } else { row_block.start };
            for strip in blocks(width - first, wide) {
                let strip = first + strip.start..first + strip.end;
                let end = if cols.is_some() { row_block.end } else { row_block.end.min(strip.end) };
                regions.push([row_block.start..end, strip]);
            }
        }
        Partition { rows, cols, outputs_per_sample, regions }
    }

    /// The blocks along the columns.
    pub fn columns(&self) -> &[Range<usize>] {
        self.cols.as_ref().unwrap_or(&self.rows)
    }

    pub fn is_symmetric(&self) -> bool {
        self.cols.is_none()
    }

    /// The numbers of rows and columns of K.
    pub fn size(&self) -> [usize; 2] {
        [&self.rows[..], self.columns()]
            .map(|blocks| blocks.last().map_or(0, |last| last.end) * self.outputs_per_sample)
    }

    /// The regions by rows and columns of K.
    pub fn places(&self) -> Vec<Region> {
        let range = |blocks: &[Range<usize>], region: &Range<usize>| {
            blocks[region.start].start * self.outputs_per_sample..blocks[region.end - 1].end * self.outputs_per_sample
        };
        let to_region = |[rows, cols]: &[Range<usize>; 2]| Region {
            rows: range(&self.rows, rows),
            cols: range(self.columns(), cols),
        };
        self.regions.iter().map(to_region).collect()
    }

    /// Flags the blocks whose panels stay in memory for some regions: along their rows, and along their columns too if
    /// `all` is true.
    pub fn resident(&self, regions: &[usize], all: bool) -> [Vec<bool>; 2] {
        let mut resident = [vec![false; self.rows.len()], vec![false; self.cols.as_ref().map_or(0, Vec::len)]];
        for &region in regions {
            let [rows, cols] = &self.regions[region];
            resident[0][rows.clone()].fill(true);
            if all {
                resident[if self.is_symmetric() { 0 } else { 1 }][cols.clone()].fill(true);
            }
        }
        resident
    }

    /// Splits `regions` into row blocks, whose panels are in memory one after another. There is a single row block if
    /// `all` is true.
    pub fn row_blocks<'a>(&self, regions: &'a [usize], all: bool) -> impl Iterator<Item = &'a [usize]> {
        regions.chunk_by(move |&first, &second| all || self.regions[first][0].start == self.regions[second][0].start)
    }

    /// The tiles of a region that are computed. For K(X, X) these are the tiles on and above the diagonal.
    pub fn tiles(&self, [rows, cols]: &[Range<usize>; 2]) -> impl Iterator<Item = [usize; 2]> {
        let rows = rows.clone();
        let symmetric = self.is_symmetric();
        cols.clone().flat_map(move |j| rows.clone().filter(move |&i| !symmetric || i <= j).map(move |i| [i, j]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_the_samples_and_tiles_stay_small() {
        for (samples, outputs_per_sample, matrices) in
            [(0, 1, 1), (1, 1, 1), (10, 3, 1), (1000, 1, 5), (1000, 10, 60), (5000, 1, 60_000), (3, 1000, 2)]
        {
            for most in TileConfig::CPU.tile_sides {
                let blocks = blocks(samples, block(&TileConfig::CPU, samples, outputs_per_sample, matrices, most));
                let side = blocks.iter().map(|range| range.len() * outputs_per_sample).max().unwrap_or(0);
                assert!(side <= most + outputs_per_sample, "{side}");
                assert!(
                    side <= 16 + outputs_per_sample || side * side * matrices <= 1 << 22,
                    "{side} rows, {matrices} matrices"
                );
                assert!(
                    samples * outputs_per_sample < 128 || outputs_per_sample > 16 || blocks.len() >= 8,
                    "{} blocks",
                    blocks.len()
                );
            }
        }
    }

    #[test]
    fn regions_cover_every_tile_once() {
        for (samples, cols) in [(0, None), (1, None), (50, None), (50, Some(23)), (7, Some(0)), (0, Some(7))] {
            for [tall, wide] in [[1, 1], [2, 2], [4, 2], [6, 3], [20, 1], [20, 20]] {
                let partition = Partition::new((samples, cols), 4, 3, [tall, wide]);
                let mut seen = std::collections::HashSet::new();
                for region in &partition.regions {
                    assert!(partition.tiles(region).all(|tile| seen.insert(tile)));
                }
                let n = partition.rows.len();
                let m = partition.columns().len();
                assert_eq!(seen.len(), if cols.is_some() { n * m } else { n * (n + 1) / 2 });
                let [rows, columns] = partition.size();
                assert_eq!([rows, columns], [samples * 3, cols.unwrap_or(samples) * 3]);
                let area: usize =
                    partition.places().iter().map(|region| region.entries() + mirrored(region, cols.is_none())).sum();
                assert_eq!(area, rows * columns, "{samples} {cols:?} {tall} {wide}");
            }
        }
    }

    fn mirrored(region: &Region, symmetric: bool) -> usize {
        if symmetric { region.above().len() * region.cols.len() } else { 0 }
    }
}
