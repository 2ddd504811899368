//! The grid of chunks in which a matrix is stored. Every region consists of whole chunks.

use super::kernel_layout::KernelLayout;
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// A matrix in chunks. Chunks are squares, but not larger than the matrix. Chunks at the right and lower edge may extend
/// beyond the matrix.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    size: [usize; 2],
    /// The rows and columns of a chunk; not 0.
    pub chunk: [usize; 2],
}

impl Grid {
    /// The grid with the widest chunks whose edges include the edges of all regions.
    ///
    /// # Errors
    /// These chunks are narrower than the regions. Then the partition of K is not a grid.
    pub fn new(layout: &KernelLayout) -> Result<Self> {
        let size = [layout.rows, layout.cols];
        let mut side = 0;
        for region in &layout.regions {
            for (range, end) in [(&region.rows, size[0]), (&region.cols, size[1])] {
                side = common_divisor(side, range.start);
                if range.end != end {
                    side = common_divisor(side, range.end);
                }
            }
        }
        // Without inner edges, one region covers the matrix.
        let side = if side == 0 { size[0].max(size[1]) } else { side };
        match layout.regions.iter().find(|region| region.cols.len() > side) {
            Some(Region { rows, cols }) => Err(Error::unsupported(format!(
                "a Zarr store needs regions on a grid of squares, but these regions have no grid: the region {rows:?} x \
                 {cols:?} is wider than the largest possible chunk side, {side}"
            ))),
            None => Ok(Grid { size, chunk: size.map(|size| size.min(side).max(1)) }),
        }
    }

    /// The number of chunks along rows and columns.
    pub fn counts(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis].div_ceil(self.chunk[axis]))
    }

    /// The number of entries of a chunk, including those beyond the matrix.
    pub fn entries(&self) -> usize {
        self.chunk[0] * self.chunk[1]
    }

    /// The chunks that overlap `area`.
    pub fn overlapping(&self, area: &Region) -> impl Iterator<Item = [usize; 2]> {
        let [height, width] = self.chunk;
        let cols = area.cols.start / width..area.cols.end.div_ceil(width);
        (area.rows.start / height..area.rows.end.div_ceil(height)).flat_map(move |i| cols.clone().map(move |j| [i, j]))
    }

    /// The part of the matrix in the chunk `[i, j]`.
    pub fn region(&self, chunk: [usize; 2]) -> Region {
        Region { rows: self.range(chunk, 0), cols: self.range(chunk, 1) }
    }

    fn range(&self, chunk: [usize; 2], axis: usize) -> std::ops::Range<usize> {
        let start = chunk[axis] * self.chunk[axis];
        start..self.size[axis].min(start + self.chunk[axis])
    }
}

/// The greatest common divisor. For 0 and a number it is the number.
fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::partition::Partition;

    fn layout(rows: usize, cols: usize, symmetric: bool, regions: Vec<Region>) -> KernelLayout {
        KernelLayout {
            format: "zarr",
            size: 4,
            matrices: vec!["total".into()],
            blocks: 1,
            rows,
            cols,
            symmetric,
            regions,
        }
    }

    /// The number of regions and mirror images that overlap each chunk. Each of them must contain the whole chunk.
    fn overlaps(layout: &KernelLayout, grid: &Grid) -> Vec<usize> {
        let [height, width] = grid.counts();
        let mut overlaps = vec![0; height * width];
        let images = layout.regions.iter().filter_map(|region| layout.mirror(region));
        for area in layout.regions.iter().cloned().chain(images) {
            for [i, j] in grid.overlapping(&area) {
                let chunk = grid.region([i, j]);
                assert!(area.rows.start <= chunk.rows.start && chunk.rows.end <= area.rows.end, "{area:?} {chunk:?}");
                assert!(area.cols.start <= chunk.cols.start && chunk.cols.end <= area.cols.end, "{area:?} {chunk:?}");
                overlaps[i * width + j] += 1;
            }
        }
        overlaps
    }

    #[test]
    fn every_chunk_belongs_to_one_region_of_every_partition() {
        for (samples, cols) in
            [(1, None), (50, None), (51, None), (50, Some(23)), (50, Some(3)), (3, Some(50)), (0, None)]
        {
            for [tall, wide] in [[1, 1], [2, 2], [4, 2], [6, 3], [20, 1], [20, 20]] {
                let partition = Partition::new((samples, cols), 4, 3, [tall, wide]);
                let [rows, columns] = partition.size();
                let layout = layout(rows, columns, cols.is_none(), partition.places());
                let grid = Grid::new(&layout).unwrap();
                assert!(overlaps(&layout, &grid).iter().all(|&count| count == 1), "{samples} {cols:?} {tall} {wide}");
                assert!(grid.chunk[0] >= rows.min(wide * 4 * 3), "{:?}", grid.chunk);
            }
        }
    }

    #[test]
    fn a_partition_without_a_grid_is_rejected() {
        let strips = |edges: &[usize]| -> Vec<Region> {
            edges.windows(2).map(|pair| Region { rows: 0..9, cols: pair[0]..pair[1] }).collect()
        };
        assert_eq!(Grid::new(&layout(9, 9, false, strips(&[0, 4, 8, 9]))).unwrap().chunk, [4, 4]);
        for edges in [&[0, 2, 5, 9][..], &[0, 3, 9], &[0, 4, 6, 9]] {
            let error = Grid::new(&layout(9, 9, false, strips(edges))).unwrap_err().to_string();
            assert!(error.contains("no grid"), "{error}");
        }
    }
}
