//! Pictures: heat maps of kernels, with a colour bar and marks of the classes, and plots of lines.
//!
//! ```
//! use tangent_kernels::io::png::HeatMap;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("kernel.png");
//! let kernel = [2.0f32, 0.5, 0.4, 0.5, 2.2, 0.3, 0.4, 0.3, 1.9];
//! HeatMap::new(3, 3, &kernel).title("Layer 2").classes(&[("6", 2), ("9", 1)]).label("K(x, x')").save(path)?;
//! # Ok::<(), tangent_kernels::Error>(())
//! ```

mod average;
mod axis;
mod canvas;
mod layout;
mod plot;
mod ticks;

use std::path::Path;

use crate::error::{Error, Result};
use crate::real::Real;
use axis::{Axis, Side};
pub use canvas::Image;
use layout::Parts;
pub use plot::Plot;

/// A larger matrix is averaged over blocks.
const LONGEST_SIDE: usize = 1000;
/// The cells of a smaller matrix are larger.
const SHORTEST_SIDE: usize = 500;
/// The size that small matrices are brought near to, in pixels.
const SMALL_SIDE: usize = 600;
/// The side of a matrix with few rows or few columns, which would be a thin strip otherwise, has about so many pixels.
const STRIP_SIDE: usize = 200;
/// Larger numbers could overflow where they are added.
const LARGEST: f64 = 1e300;

/// A matrix as a picture: a colour for each entry, with a title, a colour bar and ticks along the sides, on white.
///
/// Row 0 is at the top, column 0 on the left. The cells make 500 to 1000 pixels at the longer side, whatever the size of
/// the matrix: small ones are magnified by a whole number, large ones averaged over blocks, 2 x 2 for 2000 x 2000 (where
/// a size is no multiple, an entry between two blocks counts for both, by its parts). One side of a very oblong matrix is
/// stretched. The text around the cells is 20 pixels high; it may have Latin and Greek letters.
///
/// Colours are those of viridis, which are told apart by lightness alone, on paper and by the colour-blind alike. The same
/// numbers always give the same bytes.
#[derive(Clone, Debug)]
pub struct HeatMap<'a, R> {
    rows: usize,
    cols: usize,
    data: &'a [R],
    title: String,
    label: String,
    axes: [String; 2],
    classes: [Vec<(String, usize)>; 2],
    borders: bool,
    range: Option<(f64, f64)>,
    diverging: bool,
}

impl<'a, R: Real> HeatMap<'a, R> {
    /// The heat map of `data`, \[rows, cols\], row-major. What does not fit is refused when it is drawn.
    pub fn new(rows: usize, cols: usize, data: &'a [R]) -> Self {
        HeatMap {
            rows,
            cols,
            data,
            title: String::new(),
            label: String::new(),
            axes: Default::default(),
            classes: Default::default(),
            borders: false,
            range: None,
            diverging: false,
        }
    }

    /// Writes `title` above the picture, in several lines if it is long.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Writes beside the colour bar what the colours stand for, such as `K(x, x')`.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Writes along the rows and along the columns what they stand for, such as `test images`.
    #[must_use]
    pub fn axes(mut self, rows: impl Into<String>, columns: impl Into<String>) -> Self {
        self.axes = [rows.into(), columns.into()];
        self
    }

    /// Marks classes along both sides instead of numbering samples: name and number of samples of each, in their order.
    ///
    /// Ticks stand at the borders. Where there is no room, the numbers are left out, and then the names of small classes.
    #[must_use]
    pub fn classes(self, classes: &[(&str, usize)]) -> Self {
        self.row_classes(classes).column_classes(classes)
    }

    /// As [`classes`](Self::classes), along the rows only.
    #[must_use]
    pub fn row_classes(mut self, classes: &[(&str, usize)]) -> Self {
        self.classes[0] = classes.iter().map(|&(name, count)| (name.into(), count)).collect();
        self
    }

    /// As [`classes`](Self::classes), along the columns only.
    #[must_use]
    pub fn column_classes(mut self, classes: &[(&str, usize)]) -> Self {
        self.classes[1] = classes.iter().map(|&(name, count)| (name.into(), count)).collect();
        self
    }

    /// Whether white lines, one pixel thick, are drawn over the picture at the borders of classes. They are not by
    /// default.
    #[must_use]
    pub fn borders(mut self, borders: bool) -> Self {
        self.borders = borders;
        self
    }

    /// Spans the colours from `lo` to `hi`, so that several pictures share one scale; what is beyond has the colour of
    /// the nearer end. The default is from the least to the largest number in the picture, after averaging.
    #[must_use]
    pub fn range(mut self, lo: f64, hi: f64) -> Self {
        self.range = Some((lo, hi));
        self
    }

    /// Whether colours diverge from white at 0 to blue below and to red above, equally far to both sides: the range is
    /// widened to the side that reaches less far from 0.
    #[must_use]
    pub fn diverging(mut self, diverging: bool) -> Self {
        self.diverging = diverging;
        self
    }

    /// Draws the heat map and writes it to a PNG file at `path`, which appears when it is whole.
    ///
    /// # Errors
    /// Those of [`render`](Self::render), or the file cannot be written. The message names the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.render().map_err(|error| error.context(path.display()))?.save(path)
    }

    /// Draws the heat map.
    ///
    /// # Errors
    /// The matrix is empty, its sizes do not multiply to the number of entries, or classes do not add up to its rows or
    /// columns: [`is_shape`](Error::is_shape). An entry is NaN, infinite or beyond 1e300 (the message names its row and
    /// column), or the range is empty or not finite: [`is_value`](Error::is_value).
    pub fn render(&self) -> Result<Image> {
        self.check()?;
        let [down, across] = sides(self.rows, self.cols);
        let averages = average::averaged(self.data, [self.rows, self.cols], [down.cells, across.cells]);
        let (lo, hi) = self.span(&averages);
        // The least entry may be below `lo` by rounding, or by the caller's range. The gradient clamps it.
        let position = |value: f64| (value - lo) / (hi - lo);
        let colour = |position: f64| {
            let colour = match self.diverging {
                true => colorous::RED_BLUE.eval_continuous(1.0 - position),
                false => colorous::VIRIDIS.eval_continuous(position),
            };
            [colour.r, colour.g, colour.b]
        };
        let cells: Vec<[u8; 3]> = averages.iter().map(|&value| colour(position(value))).collect();

        let mut scale = ticks::ticks(lo, hi, 6);
        for (value, _) in &mut scale.marks {
            *value = position(*value);
        }
        let row_axis = Axis::new(down, &self.classes[0], |_| canvas::Font::Plain.size().1 + 4);
        let col_axis = Axis::new(across, &self.classes[1], |label| canvas::Font::Plain.width(label) + 20);
        let inner = |axis: &Axis, classes: &[_]| match (self.borders && !classes.is_empty(), &axis.ticks[..]) {
            (true, [_, inner @ .., _]) => inner.to_vec(),
            _ => Vec::new(),
        };
        let parts = Parts {
            title: &self.title,
            borders: [inner(&row_axis, &self.classes[0]), inner(&col_axis, &self.classes[1])],
            rows: (down, row_axis, &self.axes[0]),
            cols: (across, col_axis, &self.axes[1]),
            scale,
            label: &self.label,
        };
        Ok(layout::draw(&parts, &cells, colour))
    }

    fn check(&self) -> Result<()> {
        let HeatMap { rows, cols, data, .. } = *self;
        if rows == 0 || cols == 0 {
            return Err(Error::shape(format!("a matrix of {rows} x {cols} has no entries to draw")));
        }
        if crate::shape::checked_numel(&[rows, cols]) != Some(data.len()) {
            return Err(Error::shape(format!("a matrix of {rows} x {cols} does not have {} entries", data.len())));
        }
        for (classes, side, size) in [(&self.classes[0], "rows", rows), (&self.classes[1], "columns", cols)] {
            let total = classes.iter().try_fold(0usize, |total, (_, count)| total.checked_add(*count));
            if !classes.is_empty() && total != Some(size) {
                let counts: Vec<usize> = classes.iter().map(|(_, count)| *count).collect();
                return Err(Error::shape(format!("classes of {counts:?} samples do not add up to {size} {side}")));
            }
        }
        if let Some((lo, hi)) = self.range
            && !(drawable(lo) && drawable(hi) && apart(lo, hi))
        {
            return Err(Error::value(format!("colours cannot span the range from {lo} to {hi}")));
        }
        match data.iter().position(|x| !drawable(x.f64())) {
            Some(at) => {
                let (row, col) = (at / cols, at % cols);
                Err(Error::value(format!("the entry at row {row}, column {col} is {}, which has no colour", data[at])))
            }
            None => Ok(()),
        }
    }

    /// The numbers that the ends of the colour bar stand for.
    fn span(&self, averages: &[f64]) -> (f64, f64) {
        let own = || averages.iter().fold((f64::MAX, f64::MIN), |(lo, hi), &x| (x.min(lo), x.max(hi)));
        let (lo, hi) = self.range.unwrap_or_else(own);
        let far = lo.abs().max(hi.abs());
        let (lo, hi) = if self.diverging { (-far, far) } else { (lo, hi) };
        if apart(lo, hi) {
            return (lo, hi);
        }
        // One number only, but for rounding: it is in the middle of the bar.
        let reach = if far > 1e-280 { far / 2.0 } else { 1.0 };
        (lo - reach, lo + reach)
    }
}

/// Whether `x` is finite, and not so large that a sum of such numbers might not be.
fn drawable(x: f64) -> bool {
    x.abs() <= LARGEST
}

/// Whether `hi` is above `lo` by more than rounding.
fn apart(lo: f64, hi: f64) -> bool {
    hi - lo > (1e-12 * lo.abs().max(hi.abs())).max(1e-290)
}

/// How many cells the rows and the columns of a matrix are averaged to, and how many pixels each cell has.
fn sides(rows: usize, cols: usize) -> [Side; 2] {
    let longer = rows.max(cols);
    let block = longer.div_ceil(LONGEST_SIDE);
    let zoom = match SMALL_SIDE / longer {
        zoom if zoom * longer >= SHORTEST_SIDE => zoom,
        _ => (LONGEST_SIDE / longer).max(1),
    };
    [rows, cols].map(|samples| {
        // To the nearest: 1967 rows beside 2000 columns are 984 beside 1000.
        let cells = (samples + block / 2) / block;
        if cells * zoom >= STRIP_SIDE {
            return Side { samples, cells, zoom };
        }
        let cells = samples.min(STRIP_SIDE);
        Side { samples, cells, zoom: STRIP_SIDE / cells }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sizes_make_pictures_of_500_to_1000_pixels() {
        for n in 1..12_000 {
            let [down, across] = sides(n, n);
            assert!((SHORTEST_SIDE..=LONGEST_SIDE).contains(&across.length()), "{n}");
            assert!(across.cells <= n && down.length() == across.length());
        }
        for (rows, cols) in [(1, 12), (12, 1), (1, 100_000), (300, 2000), (7, 599), (1967, 2000), (60, 2000)] {
            let [down, across] = sides(rows, cols);
            assert!(down.cells <= rows && across.cells <= cols);
            assert!(down.length().max(across.length()) <= LONGEST_SIDE);
            assert!(down.length().min(across.length()) > STRIP_SIDE / 2, "{rows} x {cols}");
        }
        assert_eq!(sides(1967, 2000).map(|side| side.length()), [984, 1000]);
        assert_eq!(sides(12, 12).map(|side| side.zoom), [50, 50]);
    }
}
