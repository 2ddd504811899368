//! Line plots, such as spectra and losses.

mod draw;
mod line;
mod scale;

use std::ops::RangeInclusive;
use std::path::Path;

use super::canvas::Image;
use super::{apart, drawable};
use crate::error::{Error, Result};
use scale::Spacing;

/// The default sides of the plot area in pixels.
const SIZE: [usize; 2] = [800, 500];
/// The allowed sides of the plot area in pixels.
const SIZES: RangeInclusive<usize> = 100..=10_000;

/// Lines through points, with axes, ticks and a legend, on white. Both axes may be logarithmic.
///
/// ```
/// use tangent_kernels::io::png::Plot;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("spectrum.png");
/// let spectrum: Vec<(f64, f64)> = (1..50).map(|k| (k as f64, (-0.3 * k as f64).exp())).collect();
/// Plot::new().title("A spectrum").axes("number", "eigenvalue").log_y(true).line("layer 1", &spectrum).save(path)?;
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// Measurements along training, from step 0 on, on a logarithmic axis:
///
/// ```
/// use tangent_kernels::io::png::{Image, Plot};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("training.png");
/// let steps = [0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 1000.0];
/// let train = steps.map(|step| (step, 100.0 - 50.0 / (1.0 + step)));
/// let test = steps.map(|step| (step, 98.0 - 48.0 / (1.0 + step)));
/// let plot = Plot::new().log1p_x(true).size(500, 300);
/// let accuracy = plot.clone().axes("step", "accuracy (%)").range_y(0.0, 100.0).line("train", &train).dashed("test", &test);
/// let trace = plot.axes("step", "trace").line("layer 1", &steps.map(|step| (step, 2.0 + step.sqrt())));
/// Image::join_right(&[accuracy.render()?, trace.render()?])?.save(path)?;
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// Points that a logarithmic axis cannot show are left out. Lines are clipped at given bounds. The legend is to the right
/// of the plot area, in the order of the lines.
///
/// If x ascends along a line, four or more points in one column of pixels are drawn as their mean, over a pale band from the
/// smallest to the largest. A fluctuating line then stays readable.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    title: String,
    axes: [String; 2],
    spacing: [Spacing; 2],
    ranges: [Option<(f64, f64)>; 2],
    size: Option<[usize; 2]>,
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
    dashed: bool,
}

impl Plot {
    /// A plot without lines.
    pub fn new() -> Self {
        Plot::default()
    }

    /// Writes `title` above the plot, in several lines if it is long.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Sets the names of the axes, with units.
    #[must_use]
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = [x.into(), y.into()];
        self
    }

    /// Whether x is logarithmic.
    #[must_use]
    pub fn log_x(mut self, log: bool) -> Self {
        self.spacing[0] = if log { Spacing::Log } else { Spacing::Linear };
        self
    }

    /// Whether y is logarithmic.
    #[must_use]
    pub fn log_y(mut self, log: bool) -> Self {
        self.spacing[1] = if log { Spacing::Log } else { Spacing::Linear };
        self
    }

    /// Whether the position of x is the logarithm of 1 + x. Use it for numbers that are counted from 0, such as training
    /// steps. The ticks are 0, 1, 10, 100 and so on. From 10 on the axis is similar to [`log_x`](Self::log_x). Points below 0
    /// are left out.
    #[must_use]
    pub fn log1p_x(mut self, log: bool) -> Self {
        self.spacing[0] = if log { Spacing::LogPlusOne } else { Spacing::Linear };
        self
    }

    /// The bounds of x. The default is from the smallest to the largest of all lines.
    #[must_use]
    pub fn range_x(mut self, lo: f64, hi: f64) -> Self {
        self.ranges[0] = Some((lo, hi));
        self
    }

    /// The bounds of y, such as 0 and 100 for percentages. The default is from the smallest to the largest of all lines.
    #[must_use]
    pub fn range_y(mut self, lo: f64, hi: f64) -> Self {
        self.ranges[1] = Some((lo, hi));
        self
    }

    /// The width and the height of the plot area, 100 to 10,000 pixels each. The default is 800 and 500. Axes, texts and the
    /// legend make the image larger.
    #[must_use]
    pub fn size(mut self, width: usize, height: usize) -> Self {
        self.size = Some([width, height]);
        self
    }

    /// Adds a line through the points (x, y) in their order, with `name` in the legend. The colours repeat after seven
    /// lines.
    #[must_use]
    pub fn line(mut self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.lines.push(Line { name: name.into(), points: points.to_vec(), dashed: false });
        self
    }

    /// Adds a dashed line in the colour of the previous [`line`](Self::line). Use it for the same quantity in another case,
    /// such as test after train.
    #[must_use]
    pub fn dashed(mut self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.lines.push(Line { name: name.into(), points: points.to_vec(), dashed: true });
        self
    }

    /// Draws the plot and writes it to a PNG file at `path`. The file appears when it is complete.
    ///
    /// # Errors
    /// The errors of [`render`](Self::render), or the file cannot be written. The message names the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.render().map_err(|error| error.context(path.display()))?.save(path)
    }

    /// Draws the plot.
    ///
    /// # Errors
    /// No line has a point that the axes can show: [`is_shape`](Error::is_shape). A number is NaN, infinite or beyond 1e300,
    /// bounds are empty or cannot be on a logarithmic axis, or the size is out of range: [`is_value`](Error::is_value).
    pub fn render(&self) -> Result<Image> {
        let [width, height] = self.size.unwrap_or(SIZE);
        if !SIZES.contains(&width) || !SIZES.contains(&height) {
            let (least, most) = (SIZES.start(), SIZES.end());
            return Err(Error::value(format!(
                "the size of a plot is {width} x {height} pixels, but sides of {least} to {most} are supported"
            )));
        }
        for Line { name, points, .. } in &self.lines {
            if let Some((x, y)) = points.iter().find(|(x, y)| !(drawable(*x) && drawable(*y))) {
                return Err(Error::value(format!("line '{name}' has the point ({x}, {y}), which cannot be drawn")));
            }
        }
        let placed: Vec<Vec<[f64; 2]>> = self.lines.iter().map(|line| self.placed(&line.points)).collect();
        if placed.iter().all(Vec::is_empty) {
            return Err(Error::shape("the plot has no points to draw: a logarithmic axis shows positive numbers only"));
        }
        let spans = [self.span(0, &placed)?, self.span(1, &placed)?];
        Ok(draw::drawn(self, &placed, spans, [width, height]))
    }

    /// The positions of the points that the axes can show.
    fn placed(&self, points: &[(f64, f64)]) -> Vec<[f64; 2]> {
        let place = |&(x, y): &(f64, f64)| Some([self.spacing[0].place(x)?, self.spacing[1].place(y)?]);
        points.iter().filter_map(place).collect()
    }

    /// The first and the last position of an axis.
    fn span(&self, axis: usize, lines: &[Vec<[f64; 2]>]) -> Result<(f64, f64)> {
        let Some((lo, hi)) = self.ranges[axis] else {
            let places = lines.iter().flatten().map(|point| point[axis]);
            return Ok(places.fold((f64::MAX, f64::MIN), |(lo, hi), x| (x.min(lo), x.max(hi))));
        };
        match (self.spacing[axis].place(lo), self.spacing[axis].place(hi)) {
            (Some(first), Some(last)) if drawable(lo) && drawable(hi) && apart(first, last) => Ok((first, last)),
            _ => Err(Error::value(format!(
                "the axis of {} cannot span from {lo} to {hi}: the bounds must be finite and ascending, and positive on a logarithmic axis",
                ["x", "y"][axis]
            ))),
        }
    }
}
