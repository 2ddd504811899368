//! Lines over numbers: spectra, losses, whatever changes along something.

use std::path::Path;

use super::canvas::{Area, BLACK, Colour, Font, GREY, Image};
use super::layout::{GAP, LINE, MARGIN, TICK, TITLE_LINE, wrapped};
use super::ticks;
use super::{LARGEST, apart};
use crate::error::{Error, Result};

/// The area of the lines, in pixels.
const WIDTH: usize = 800;
const HEIGHT: usize = 500;
/// The sample of a line in the legend.
const SAMPLE: usize = 36;

/// Colours that are told apart by the colour-blind too (Okabe and Ito 2008), the yellow one left out.
const COLOURS: [Colour; 7] =
    [[0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [86, 180, 233], [230, 159, 0], [0, 0, 0]];

/// Lines through points, with axes, ticks and a legend, on white; either axis may be logarithmic.
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
/// On a logarithmic axis numbers that are not positive have no place: they are left out.
#[derive(Clone, Debug, Default)]
pub struct Plot {
    title: String,
    axes: [String; 2],
    log: [bool; 2],
    lines: Vec<(String, Vec<(f64, f64)>)>,
}

impl Plot {
    /// Without lines.
    pub fn new() -> Self {
        Plot::default()
    }

    /// Writes `title` above, in several lines if it is long.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Writes along the axes what they stand for, with units.
    #[must_use]
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = [x.into(), y.into()];
        self
    }

    /// Whether x is logarithmic.
    #[must_use]
    pub fn log_x(mut self, log: bool) -> Self {
        self.log[0] = log;
        self
    }

    /// Whether y is logarithmic.
    #[must_use]
    pub fn log_y(mut self, log: bool) -> Self {
        self.log[1] = log;
        self
    }

    /// One more line, through points (x, y) in their order; `name` stands in the legend.
    #[must_use]
    pub fn line(mut self, name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        self.lines.push((name.into(), points.to_vec()));
        self
    }

    /// Draws it and writes it to a PNG file at `path`, which appears when it is whole.
    ///
    /// # Errors
    /// Those of [`render`](Self::render), or the file cannot be written. The message names the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.render().map_err(|error| error.context(path.display()))?.save(path)
    }

    /// Draws it.
    ///
    /// # Errors
    /// No line has a point with a place; a number is NaN, infinite or beyond 1e300.
    pub fn render(&self) -> Result<Image> {
        for (name, points) in &self.lines {
            if let Some((x, y)) = points.iter().find(|(x, y)| !(x.abs() <= LARGEST && y.abs() <= LARGEST)) {
                return Err(Error::value(format!("line '{name}' has the point ({x}, {y}), which has no place")));
            }
        }
        let placed: Vec<Vec<[f64; 2]>> = self.lines.iter().map(|(_, points)| self.placed(points)).collect();
        if placed.iter().all(Vec::is_empty) {
            return Err(Error::shape(
                "a plot without points; on a logarithmic axis only positive numbers have a place",
            ));
        }
        let scales = [0, 1].map(|axis| Scale::new(placed.iter().flatten().map(|point| point[axis]), self.log[axis]));
        Ok(self.drawn(&placed, &scales))
    }

    /// Points with a place, by the logarithms of what is on logarithmic axes.
    fn placed(&self, points: &[(f64, f64)]) -> Vec<[f64; 2]> {
        let place = |value: f64, log: bool| match (log, value > 0.0) {
            (false, _) => Some(value),
            (true, true) => Some(value.log10()),
            (true, false) => None,
        };
        points.iter().filter_map(|&(x, y)| Some([place(x, self.log[0])?, place(y, self.log[1])?])).collect()
    }

    fn drawn(&self, lines: &[Vec<[f64; 2]>], scales: &[Scale; 2]) -> Image {
        let named = |axis: usize| match scales[axis].factor.as_str() {
            "" => self.axes[axis].clone(),
            factor => format!("{} ({factor})", self.axes[axis]).trim_start().to_string(),
        };
        let (x_name, y_name) = (named(0), named(1));
        let widest = |list: &mut dyn Iterator<Item = &str>| list.map(|text| Font::Plain.width(text)).max().unwrap_or(0);
        let labels = widest(&mut scales[1].marks.iter().map(|(_, label)| label.as_str()));
        let legend = widest(&mut self.lines.iter().map(|(name, _)| name.as_str()));
        let left = MARGIN + LINE + 2 * GAP + labels + GAP + TICK;
        let width = left + WIDTH + 3 * GAP + SAMPLE + GAP + legend + MARGIN;
        let title = wrapped(&self.title, width - 2 * MARGIN);
        let top = MARGIN + if title.is_empty() { LINE / 2 } else { title.len() * TITLE_LINE + 2 * GAP };
        let below_lines = top + HEIGHT + TICK + GAP + LINE + 2 * GAP + LINE + MARGIN;
        let below_legend = top + self.lines.len() * TITLE_LINE + MARGIN;
        let mut image = Image::white(width, below_lines.max(below_legend));
        let area = Area { x: left as i32, y: top as i32, width: WIDTH, height: HEIGHT };
        for (number, text) in title.iter().enumerate() {
            let x = (left + WIDTH / 2).saturating_sub(Font::Plain.width(text) / 2).max(MARGIN);
            image.text(text, Font::Plain, x as i32, (MARGIN + number * TITLE_LINE) as i32);
        }
        let at = |point: [f64; 2]| {
            let x = area.x as f64 + scales[0].position(point[0]) * (WIDTH - 1) as f64;
            let y = area.bottom() as f64 - 1.0 - scales[1].position(point[1]) * (HEIGHT - 1) as f64;
            [x.round() as i32, y.round() as i32]
        };
        for (k, points) in lines.iter().enumerate() {
            let colour = COLOURS[k % COLOURS.len()];
            match &points[..] {
                [one] => dot(&mut image, at(*one), 7, colour),
                _ => points.windows(2).for_each(|pair| stroke(&mut image, at(pair[0]), at(pair[1]), colour)),
            }
        }
        image.frame(area, GREY);
        marks(&mut image, area, scales);
        let middle =
            |text: &str, start: usize, length: usize| (start + length / 2) as i32 - Font::Plain.width(text) as i32 / 2;
        image.text(&x_name, Font::Plain, middle(&x_name, left, WIDTH), area.bottom() + (TICK + 3 * GAP + LINE) as i32);
        image.text_upwards(&y_name, Font::Plain, MARGIN as i32, middle(&y_name, top, HEIGHT).max(0));
        for (k, (name, _)) in self.lines.iter().enumerate() {
            let (x, y) = (area.right() + 3 * GAP as i32, (top + k * TITLE_LINE) as i32);
            let sample = Area { x, y: y + LINE as i32 / 2 - 1, width: SAMPLE, height: 3 };
            image.fill(sample, COLOURS[k % COLOURS.len()]);
            image.text(name, Font::Plain, sample.right() + GAP as i32, y);
        }
        image
    }
}

/// Ticks and their labels, outside of the frame.
fn marks(image: &mut Image, area: Area, scales: &[Scale; 2]) {
    for (place, label) in &scales[0].marks {
        let x = area.x + (scales[0].position(*place) * (WIDTH - 1) as f64).round() as i32;
        image.fill(Area { x, y: area.bottom() + 1, width: 1, height: TICK }, BLACK);
        let start = x - Font::Plain.width(label) as i32 / 2;
        image.text(label, Font::Plain, start, area.bottom() + (TICK + GAP) as i32);
    }
    for (place, label) in &scales[1].marks {
        let y = area.bottom() - 1 - (scales[1].position(*place) * (HEIGHT - 1) as f64).round() as i32;
        image.fill(Area { x: area.x - 1 - TICK as i32, y, width: TICK, height: 1 }, BLACK);
        let start = area.x - (1 + TICK + GAP + Font::Plain.width(label)) as i32;
        image.text(label, Font::Plain, start, y - LINE as i32 / 2);
    }
}

/// An axis: what it spans, and its ticks.
struct Scale {
    lo: f64,
    hi: f64,
    marks: Vec<(f64, String)>,
    /// What labels are to be multiplied by, in words.
    factor: String,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64>, log: bool) -> Self {
        let (lo, hi) = values.fold((f64::MAX, f64::MIN), |(lo, hi), x| (x.min(lo), x.max(hi)));
        let (lo, hi) = match (apart(lo, hi), log) {
            (true, _) => (lo, hi),
            (false, true) => (lo - 0.5, lo + 0.5),
            (false, false) => (lo - (lo.abs() / 2.0).max(0.5), lo + (lo.abs() / 2.0).max(0.5)),
        };
        if log && hi - lo >= 1.0 {
            let every = ((hi - lo) / 8.0).ceil().max(1.0) as i64;
            let decades = (lo.ceil() as i64..=hi.floor() as i64).filter(|k| k.rem_euclid(every) == 0);
            return Scale {
                lo,
                hi,
                marks: decades.map(|k| (k as f64, format!("1e{k}"))).collect(),
                factor: String::new(),
            };
        }
        if log {
            // Less than a decade: numbers as they are, at their logarithms.
            let marks = ticks::ticks(10f64.powf(lo), 10f64.powf(hi), 6);
            let scale = 10f64.powi(marks.exponent);
            let own = marks.marks.into_iter().map(|(value, label)| (value.log10(), label)).collect();
            return Scale { lo, hi, marks: own, factor: factor(scale) };
        }
        let marks = ticks::ticks(lo, hi, 6);
        let scale = 10f64.powi(marks.exponent);
        Scale { lo, hi, marks: marks.marks, factor: factor(scale) }
    }

    /// From 0 to 1.
    fn position(&self, value: f64) -> f64 {
        ((value - self.lo) / (self.hi - self.lo)).clamp(0.0, 1.0)
    }
}

fn factor(scale: f64) -> String {
    if scale == 1.0 { String::new() } else { format!("times {scale:e}") }
}

fn dot(image: &mut Image, [x, y]: [i32; 2], size: usize, colour: Colour) {
    let half = size as i32 / 2;
    image.fill(Area { x: x - half, y: y - half, width: size, height: size }, colour);
}

/// A line three pixels thick, point by point along its longer side.
fn stroke(image: &mut Image, from: [i32; 2], to: [i32; 2], colour: Colour) {
    let [dx, dy] = [to[0] - from[0], to[1] - from[1]];
    let steps = dx.abs().max(dy.abs()).max(1);
    for step in 0..=steps {
        let along = |from: i32, by: i32| from + (f64::from(by) * f64::from(step) / f64::from(steps)).round() as i32;
        dot(image, [along(from[0], dx), along(from[1], dy)], 3, colour);
    }
}
