//! The heat map of one matrix.

use std::path::Path;

use super::canvas::Image;
use super::side::SIZES;
use super::{apart, drawable, panels};
use crate::error::{Error, Result};
use crate::real::Real;

/// A matrix as a picture: one colour per entry, with a title, a colour bar and ticks along the sides, on white.
///
/// Row 0 is at the top, column 0 on the left. The longer side has 500 to 1000 pixels for any size of the matrix. Small
/// matrices are magnified by a whole number. Large matrices are averaged over blocks, such as 2 x 2 for 2000 x 2000. An
/// entry between two blocks is split between them. One side of a very oblong matrix is stretched. The text around the cells
/// is 20 pixels high and supports Latin and Greek letters.
///
/// The colour map is viridis, which differs in lightness and works on paper and for colour-blind readers. The same numbers
/// always give the same bytes.
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
    /// The numbers of samples that ticks and classes count.
    pub(super) samples: [usize; 2],
}

impl<'a, R: Real> HeatMap<'a, R> {
    /// The heat map of `data`, `[rows, cols]`, row-major. The sizes are checked when it is drawn.
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

    /// Writes one line above the picture and below the title, from the picture's left edge. It is meant for text that changes
    /// between the frames of an [`Animation`](super::Animation), such as `step 1,024   loss 0.0312`.
    ///
    /// A caption that is not wider than the picture never changes the layout. A title may, because it is centred and
    /// wrapped.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Sets the label of the colour bar, such as `K(x, x')`.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Sets the names of the rows and of the columns, such as `test images`.
    #[must_use]
    pub fn axes(mut self, rows: impl Into<String>, columns: impl Into<String>) -> Self {
        self.axes = [rows.into(), columns.into()];
        self
    }

    /// Marks classes along both sides instead of numbering samples. Each class has a name and a number of samples.
    ///
    /// Ticks are at the borders. If space is short, the numbers are left out, then the names of small classes.
    #[must_use]
    pub fn classes(self, classes: &[(&str, usize)]) -> Self {
        self.row_classes(classes).column_classes(classes)
    }

    /// Marks [`classes`](Self::classes) along the rows only.
    #[must_use]
    pub fn row_classes(mut self, classes: &[(&str, usize)]) -> Self {
        self.classes[0] = classes.iter().map(|&(name, count)| (name.into(), count)).collect();
        self
    }

    /// Marks [`classes`](Self::classes) along the columns only.
    #[must_use]
    pub fn column_classes(mut self, classes: &[(&str, usize)]) -> Self {
        self.classes[1] = classes.iter().map(|&(name, count)| (name.into(), count)).collect();
        self
    }

    /// Whether white lines of one pixel are drawn over the picture at the borders of classes. The default is false.
    #[must_use]
    pub fn borders(mut self, borders: bool) -> Self {
        self.borders = borders;
        self
    }

    /// Spans the colours from `lo` to `hi`, so that several pictures share one scale. Numbers outside have the colour of
    /// the nearer end. The default is from the smallest to the largest number of the picture, after averaging.
    #[must_use]
    pub fn range(mut self, lo: f64, hi: f64) -> Self {
        self.range = Some((lo, hi));
        self
    }

    /// Whether colours diverge from white at 0 to blue below and to red above. The range is then extended to be symmetric
    /// around 0.
    #[must_use]
    pub fn diverging(mut self, diverging: bool) -> Self {
        self.diverging = diverging;
        self
    }

    /// The longer side of the cells, 50 to 10,000 pixels. The actual length is as close as equal cells allow. Texts and the
    /// colour bar make the image larger.
    ///
    /// By default, matrices of up to 1000 rows and columns are drawn entry by entry, on about 600 pixels if they are small.
    #[must_use]
    pub fn size(mut self, pixels: usize) -> Self {
        self.size = Some(pixels);
        self
    }

    /// Declares that the matrix is the average of a larger one of `rows` x `columns`. Ticks and classes then count the samples
    /// of the larger one. Use it if only a small picture of a kernel is kept.
    #[must_use]
    pub fn averaged_from(mut self, rows: usize, columns: usize) -> Self {
        self.samples = [rows, columns];
        self
    }

    /// Draws the heat map and writes it to a PNG file at `path`. The file appears when it is complete.
    ///
    /// # Errors
    /// The errors of [`render`](Self::render), or the file cannot be written. The message names the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.render().map_err(|error| error.context(path.display()))?.save(path)
    }

    /// Draws the heat map.
    ///
    /// # Errors
    /// The matrix is empty, the product of its sizes is not the number of entries, or classes do not add up to its rows or
    /// columns: [`is_shape`](Error::is_shape). An entry is NaN, infinite or beyond 1e300 (the message names its row and
    /// column), the range is empty or not finite, or the size in pixels is out of range: [`is_value`](Error::is_value).
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
            return Err(Error::shape(format!("a matrix of {rows} x {cols} cannot have {} entries", data.len())));
        }
        let [n, m] = self.samples;
        if n < rows || m < cols {
            return Err(Error::shape(format!("a matrix of {rows} x {cols} cannot be the average of one of {n} x {m}")));
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
            return Err(Error::value(format!(
                "colours cannot span the range from {lo} to {hi}: the bounds must be finite and ascending"
            )));
        }
        if let Some(size) = self.size.filter(|size| !SIZES.contains(size)) {
            let (least, most) = (SIZES.start(), SIZES.end());
            return Err(Error::value(format!(
                "the size of a heat map is {size} pixels, but {least} to {most} are supported"
            )));
        }
        match data.iter().position(|x| !drawable(x.f64())) {
            Some(index) => {
                let (row, col) = (index / cols, index % cols);
                Err(Error::value(format!(
                    "the entry at row {row}, column {col} is {}, which cannot be drawn",
                    data[index]
                )))
            }
            None => Ok(()),
        }
    }
}
