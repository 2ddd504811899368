//! The squares that a matrix is stored in, such that every unit is made of whole ones.

use super::layout::Layout;
use crate::error::{Error, Result};
use crate::kernel::sink::Region;

/// A matrix in chunks: squares, but no wider or higher than the matrix. Those at its right and lower edge may stand out
/// of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Grid {
    size: [usize; 2],
    /// The rows and columns of a chunk; not 0.
    pub chunk: [usize; 2],
}

impl Grid {
    /// The widest chunks on whose edges those of all units fall.
    ///
    /// # Errors
    /// They are narrower than the units: then K is not cut along a grid.
    pub fn new(layout: &Layout) -> Result<Self> {
        let size = [layout.rows, layout.cols];
        let mut side = 0;
        for region in &layout.regions {
            for (range, end) in [(&region.rows, size[0]), (&region.cols, size[1])] {
                side = divisor(side, range.start);
                if range.end != end {
                    side = divisor(side, range.end);
                }
            }
        }
        // No edges inside: one unit is all.
        let side = if side == 0 { size[0].max(size[1]) } else { side };
        match layout.regions.iter().find(|region| region.cols.len() > side) {
            Some(Region { rows, cols }) => Err(Error::unsupported(format!(
                "the units' edges lie on no grid of squares as wide as they are: {side} is their widest, and the unit \
                 {rows:?} x {cols:?} is wider"
            ))),
            None => Ok(Grid { size, chunk: size.map(|size| size.min(side).max(1)) }),
        }
    }

    /// How many chunks there are, along rows and columns.
    pub fn counts(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.size[axis].div_ceil(self.chunk[axis]))
    }

    /// The entries of a chunk, with those that are no part of the matrix.
    pub fn entries(&self) -> usize {
        self.chunk[0] * self.chunk[1]
    }

    /// The chunks that `area` touches.
    pub fn touched(&self, area: &Region) -> impl Iterator<Item = [usize; 2]> {
        let [high, wide] = self.chunk;
        let cols = area.cols.start / wide..area.cols.end.div_ceil(wide);
        (area.rows.start / high..area.rows.end.div_ceil(high)).flat_map(move |i| cols.clone().map(move |j| [i, j]))
    }

    /// What a chunk holds of the matrix.
    pub fn place(&self, at: [usize; 2]) -> Region {
        let range = |axis: usize| {
            let start = at[axis] * self.chunk[axis];
            start..self.size[axis].min(start + self.chunk[axis])
        };
        Region { rows: range(0), cols: range(1) }
    }
}

/// The greatest common divisor; that of 0 and a number is the number.
fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::partition::Partition;

    fn layout(rows: usize, cols: usize, symmetric: bool, regions: Vec<Region>) -> Layout {
        Layout { format: "zarr", size: 4, matrices: vec!["total".into()], blocks: 1, rows, cols, symmetric, regions }
    }

    /// How often each chunk is touched by a unit or its mirror image, which must hold all of it.
    fn touches(layout: &Layout, grid: &Grid) -> Vec<usize> {
        let [high, wide] = grid.counts();
        let mut touched = vec![0; high * wide];
        let images = layout.regions.iter().filter_map(|region| layout.mirror(region));
        for area in layout.regions.iter().cloned().chain(images) {
            for at in grid.touched(&area) {
                let place = grid.place(at);
                assert!(area.rows.start <= place.rows.start && place.rows.end <= area.rows.end, "{area:?} {place:?}");
                assert!(area.cols.start <= place.cols.start && place.cols.end <= area.cols.end, "{area:?} {place:?}");
                touched[at[0] * wide + at[1]] += 1;
            }
        }
        touched
    }

    #[test]
    fn every_chunk_belongs_to_one_unit_of_every_cut() {
        for (samples, cols) in
            [(1, None), (50, None), (51, None), (50, Some(23)), (50, Some(3)), (3, Some(50)), (0, None)]
        {
            for [tall, wide] in [[1, 1], [2, 2], [4, 2], [6, 3], [20, 1], [20, 20]] {
                let cut = Partition::new((samples, cols), 4, 3, [tall, wide]);
                let [rows, columns] = cut.size();
                let layout = layout(rows, columns, cols.is_none(), cut.places());
                let grid = Grid::new(&layout).unwrap();
                assert!(touches(&layout, &grid).iter().all(|&times| times == 1), "{samples} {cols:?} {tall} {wide}");
                assert!(grid.chunk[0] >= rows.min(wide * 4 * 3), "{:?}", grid.chunk);
            }
        }
    }

    #[test]
    fn a_cut_along_no_grid_is_refused() {
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
