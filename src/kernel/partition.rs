//! How K is cut: samples into blocks, and blocks into units.

use std::ops::Range;

use super::sink::Region;
use crate::backend::TileConfig;
use crate::shape::blocks;

/// A tile has at least so many rows, if there are.
const MIN_SIDE: usize = 16;
/// The numbers in a vector of the CPU: sides are multiples of it where that leaves as many blocks.
const VECTOR: usize = 16;

/// The number of samples in a block where K has `outputs_per_sample` rows for a sample, `matrices` tiles are computed side by side, and
/// a tile has at most `most` rows. A pure function of these, so that nothing depends on the number of threads.
pub(crate) fn block(
    tile_config: &TileConfig,
    samples: usize,
    outputs_per_sample: usize,
    matrices: usize,
    most: usize,
) -> usize {
    let rows = samples.saturating_mul(outputs_per_sample);
    let most = if matrices > 1 { most.min(tile_config.tile_sides[1]) } else { most };
    let most = (tile_config.tile_entries / matrices.max(1)).isqrt().clamp(MIN_SIDE, most);
    let side = rows.div_ceil(tile_config.least_blocks).clamp(MIN_SIDE, most);
    let whole = side.next_multiple_of(VECTOR).min(most);
    let side = if rows.div_ceil(whole) >= tile_config.least_blocks { whole } else { side };
    // Of a large tile no odd rest is left, which would be slow; nor is a small one, of a kernel that is one tile.
    let side = if side > 2 * tile_config.multiple && side < rows {
        side / tile_config.multiple * tile_config.multiple
    } else {
        side
    };
    side.div_ceil(outputs_per_sample.max(1))
}

/// K in units, and samples in blocks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Partition {
    /// Blocks of samples along the rows.
    pub rows: Vec<Range<usize>>,
    /// Blocks along the columns; `None` for K(X, X).
    pub cols: Option<Vec<Range<usize>>>,
    /// The number of rows of K for a sample.
    pub outputs_per_sample: usize,
    /// Units as ranges of blocks along rows and columns, band by band: all that share their rows stand together.
    pub regions: Vec<[Range<usize>; 2]>,
}

impl Partition {
    /// Cuts into blocks of `block` samples and units of `tall` x `wide` blocks; `tall` is a multiple of `wide`.
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

    /// The rows and columns of K.
    pub fn size(&self) -> [usize; 2] {
        [&self.rows[..], self.columns()]
            .map(|blocks| blocks.last().map_or(0, |last| last.end) * self.outputs_per_sample)
    }

    /// The units by rows and columns of K.
    pub fn places(&self) -> Vec<Region> {
        let range = |blocks: &[Range<usize>], region: &Range<usize>| {
            blocks[region.start].start * self.outputs_per_sample..blocks[region.end - 1].end * self.outputs_per_sample
        };
        let place = |[rows, cols]: &[Range<usize>; 2]| Region {
            rows: range(&self.rows, rows),
            cols: range(self.columns(), cols),
        };
        self.regions.iter().map(place).collect()
    }

    /// The blocks whose panels are held for some units: along their rows, and along their columns too if `all` are held.
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

    /// `regions` in bands, each of which has blocks of its own to hold; one if `all` are held.
    pub fn row_blocks<'a>(&self, regions: &'a [usize], all: bool) -> impl Iterator<Item = &'a [usize]> {
        regions.chunk_by(move |&one, &two| all || self.regions[one][0].start == self.regions[two][0].start)
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
    fn units_cover_every_tile_once() {
        for (samples, cols) in [(0, None), (1, None), (50, None), (50, Some(23)), (7, Some(0)), (0, Some(7))] {
            for [tall, wide] in [[1, 1], [2, 2], [4, 2], [6, 3], [20, 1], [20, 20]] {
                let partition = Partition::new((samples, cols), 4, 3, [tall, wide]);
                let mut seen = std::collections::HashSet::new();
                for region in &partition.regions {
                    assert!(partition.tiles(region).all(|tile| seen.insert(tile)));
                }
                let (n, m) = (partition.rows.len(), partition.columns().len());
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
