//! The sizes of a matrix in pixels.

use std::ops::RangeInclusive;

/// The allowed sizes in pixels.
pub(super) const SIZES: RangeInclusive<usize> = 50..=10_000;

/// One side of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub samples: usize,
    /// The cells of the shrunk matrix.
    pub cells: usize,
    /// The pixels of each cell.
    pub zoom: usize,
}

impl Side {
    /// The length in pixels.
    pub(super) fn length(&self) -> usize {
        self.cells * self.zoom
    }

    /// The rounded position in pixels after `halves` half samples.
    pub(super) fn position(&self, halves: usize) -> usize {
        (halves * self.length() + self.samples) / (2 * self.samples)
    }
}

/// Bounds of the longer side, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// A larger matrix is averaged over blocks.
    longest: usize,
    /// The target length of a small matrix, if it is at least half of the longest.
    small: usize,
}

impl Size {
    /// The default for `maps` maps in a row. A single map may be studied pixel by pixel. Several maps have to fit on a
    /// screen.
    pub(super) fn default_of(maps: usize) -> Self {
        if maps == 1 { Size { longest: 1000, small: 600 } } else { Size::at_most((1500 / maps.max(1)).clamp(100, 700)) }
    }

    /// At most `longest` pixels, and as close to it as whole cells allow.
    pub(super) fn at_most(longest: usize) -> Self {
        Size { longest, small: longest }
    }

    /// The number of cells and the pixels per cell, for the rows and the columns of a matrix.
    pub(super) fn sides(self, rows: usize, cols: usize) -> [Side; 2] {
        let Size { longest, small } = self;
        // Without this minimum, a matrix with few rows or few columns would be a thin strip.
        let strip = longest / 5;
        let longer = rows.max(cols);
        let block = longer.div_ceil(longest);
        let zoom = match small / longer {
            zoom if zoom * longer >= longest / 2 => zoom,
            _ => (longest / longer).max(1),
        };
        [rows, cols].map(|samples| side(samples, block, zoom, strip))
    }
}

/// A side of blocks of `block` samples and `zoom` pixels, at least about `strip` pixels long.
fn side(samples: usize, block: usize, zoom: usize, strip: usize) -> Side {
    // Rounded to nearest: 1967 rows and 2000 columns become 984 and 1000.
    let cells = (samples + block / 2) / block;
    if cells * zoom >= strip {
        return Side { samples, cells, zoom };
    }
    let cells = samples.min(strip);
    Side { samples, cells, zoom: strip / cells }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sizes_make_pictures_between_the_longest_and_half_of_it() {
        for (size, longest) in [(Size::default_of(1), 1000), (Size::default_of(2), 700), (Size::at_most(50), 50)] {
            for n in 1..12_000 {
                let [down, across] = size.sides(n, n);
                assert!((longest / 2..=longest).contains(&across.length()), "{n}");
                assert!(across.cells <= n && down.length() == across.length());
            }
            for (rows, cols) in [(1, 12), (12, 1), (1, 100_000), (300, 2000), (7, 599), (1967, 2000), (60, 2000)] {
                let [down, across] = size.sides(rows, cols);
                assert!(down.cells <= rows && across.cells <= cols);
                assert!(down.length().max(across.length()) <= longest);
                assert!(down.length().min(across.length()) > longest / 10, "{rows} x {cols}");
            }
        }
        let size = Size::default_of(1);
        assert_eq!(size.sides(1967, 2000).map(|side| side.length()), [984, 1000]);
        assert_eq!(size.sides(12, 12).map(|side| side.zoom), [50, 50]);
        assert_eq!(Size::at_most(500).sides(12, 12).map(|side| side.zoom), [41, 41]);
    }

    #[test]
    fn several_maps_fit_on_a_screen() {
        for maps in 2..=14 {
            let total: usize = (0..maps).map(|_| Size::default_of(maps).sides(2000, 2000)[1].length()).sum();
            assert!(total <= 1500, "{maps}");
        }
    }
}
