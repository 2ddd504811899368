//! The heat map of one matrix.

use std::path::Path;

use super::canvas::Image;
use super::side::SIZES;
use super::{apart, drawable, panels};
use crate::error::{Error, Result};
use crate::real::Real;

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
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) data: &'a [R],
    pub(super) title: String,
    pub(super) caption: String,
    pub(super) label: String,
    pub(super) axes: [String; 2],
    pub(super) classes: [Vec<(String, usize)>; 2],
    pub(super) borders: bool,
    pub(super) range: Option<(f64, f64)>,
    pub(super) diverging: bool,
    pub(super) size: Option<usize>,
    /// What the rows and columns are numbered as.
    pub(super) samples: [usize; 2],
}

impl<'a, R: Real> HeatMap<'a, R> {
    /// The heat map of `data`, \[rows, cols\], row-major. What does not fit is refused when it is drawn.
    pub fn new(rows: usize, cols: usize, data: &'a [R]) -> Self {
        HeatMap {
            rows,
            cols,
            data,
            title: String::new(),
            caption: String::new(),
            label: String::new(),
            axes: Default::default(),
            classes: Default::default(),
            borders: false,
            range: None,
            diverging: false,
            size: None,
            samples: [rows, cols],
        }
    }

    /// Writes `title` above the picture, in several lines if it is long.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Writes one line above the picture and below the title, from the picture's left edge: what changes from frame to frame of
    /// an [`Animation`](super::Animation), such as `step 1,024   loss 0.0312`.
    ///
    /// Whatever it says, if it is not longer than the picture is wide, the image has the same size, and all else its place.
    /// (A title is centred, wrapped and in the way of what stands above the colour bar.)
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
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

    /// The longest side of the cells, 50 to 10,000 pixels; they are as near to it as they can be while all have one size. The
    /// whole image is larger by what stands around them.
    ///
    /// Without it, matrices of up to 1000 rows and columns are drawn entry by entry, on about 600 pixels if they are small.
    #[must_use]
    pub fn size(mut self, pixels: usize) -> Self {
        self.size = Some(pixels);
        self
    }

    /// Says that the matrix is what one of `rows` x `columns` was averaged to: ticks and classes count the samples of that one,
    /// such as those of a kernel of which only a small picture is kept.
    #[must_use]
    pub fn averaged_from(mut self, rows: usize, columns: usize) -> Self {
        self.samples = [rows, columns];
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
    /// column), the range is empty or not finite, or the size in pixels is out of its range: [`is_value`](Error::is_value).
    pub fn render(&self) -> Result<Image> {
        self.check()?;
        Ok(panels::drawn("", &[self]))
    }

    pub(super) fn check(&self) -> Result<()> {
        let HeatMap { rows, cols, data, .. } = *self;
        if rows == 0 || cols == 0 {
            return Err(Error::shape(format!("a matrix of {rows} x {cols} has no entries to draw")));
        }
        if crate::shape::checked_numel(&[rows, cols]) != Some(data.len()) {
            return Err(Error::shape(format!("a matrix of {rows} x {cols} does not have {} entries", data.len())));
        }
        let [n, m] = self.samples;
        if n < rows || m < cols {
            return Err(Error::shape(format!("a matrix of {rows} x {cols} is no average of one of {n} x {m}")));
        }
        for (classes, side, size) in [(&self.classes[0], "rows", n), (&self.classes[1], "columns", m)] {
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
        if let Some(size) = self.size.filter(|size| !SIZES.contains(size)) {
            let (least, most) = (SIZES.start(), SIZES.end());
            return Err(Error::value(format!(
                "heat maps have {least} to {most} pixels at the longer side, not {size}"
            )));
        }
        match data.iter().position(|x| !drawable(x.f64())) {
            Some(at) => {
                let (row, col) = (at / cols, at % cols);
                Err(Error::value(format!("the entry at row {row}, column {col} is {}, which has no colour", data[at])))
            }
            None => Ok(()),
        }
    }
}
