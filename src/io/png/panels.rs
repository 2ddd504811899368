//! Several heat maps in one picture.

use std::path::Path;

use super::average::averaged;
use super::axis::Axis;
use super::canvas::{Colour, Font, Image};
use super::colours::Colours;
use super::draw::draw;
use super::heat_map::HeatMap;
use super::layout::{Figure, Panel};
use super::side::{Side, Size};
use crate::error::{Error, Result};
use crate::real::Real;

/// Heat maps in a row with one colour scale and one colour bar, so equal numbers have equal colours.
///
/// ```
/// use tangent_kernels::io::png::{HeatMap, Panels};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("kernels.png");
/// let (before, after) = ([1.0, 0.2, 0.2, 1.1], [5.0, -3.0, -3.0, 6.0]);
/// let maps = [("before training", &before), ("step 20,000", &after)]
///     .map(|(title, kernel)| HeatMap::new(2, 2, kernel).title(title).label("K(x, x')"));
/// Panels::new(maps).title("The kernel of a network").save(path)?;
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// Each map has its own title, caption, axes and classes. Neighbours with the same row labels share them. All maps have the
/// same size, label and range, and all or none are diverging. Without a [`range`](HeatMap::range) the colours span from the
/// smallest to the largest number of all pictures, after averaging. Without a [`size`](HeatMap::size) two maps have at most
/// 700 pixels each, and more maps have at most 1500 pixels together.
#[derive(Clone, Debug)]
pub struct Panels<'a, R> {
    title: String,
    maps: Vec<HeatMap<'a, R>>,
}

impl<'a, R: Real> Panels<'a, R> {
    /// The maps, from left to right. They are checked when they are drawn.
    pub fn new(maps: impl IntoIterator<Item = HeatMap<'a, R>>) -> Self {
        Panels { title: String::new(), maps: maps.into_iter().collect() }
    }

    /// Writes `title` above all maps and their own titles, in several lines if it is long.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Draws the maps and writes them to a PNG file at `path`. The file appears when it is complete.
    ///
    /// # Errors
    /// The errors of [`render`](Self::render), or the file cannot be written. The message names the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.render().map_err(|error| error.context(path.display()))?.save(path)
    }

    /// Draws the maps.
    ///
    /// # Errors
    /// There is no map, or two maps have different sizes: [`is_shape`](Error::is_shape). Two maps differ in their labels,
    /// ranges, sizes in pixels or in being diverging: [`is_value`](Error::is_value). Also the errors of
    /// [`HeatMap::render`]. The message names the map by its number and title.
    pub fn render(&self) -> Result<Image> {
        let maps: Vec<&HeatMap<'a, R>> = self.maps.iter().collect();
        for (at, map) in maps.iter().enumerate() {
            let place = || format!("heat map {} of {} ('{}')", at + 1, maps.len(), map.title);
            map.check().and_then(|()| agree(maps[0], map)).map_err(|error| error.context(place()))?;
        }
        if maps.is_empty() {
            return Err(Error::shape("there are no heat maps to draw: pass at least one"));
        }
        Ok(drawn(&self.title, &maps))
    }
}

/// Checks that two maps have the same size, label and colour scale.
fn agree<R: Real>(first: &HeatMap<'_, R>, other: &HeatMap<'_, R>) -> Result<()> {
    if (first.rows, first.cols) != (other.rows, other.cols) {
        let [this, that] = [other, first].map(|map| format!("{} x {}", map.rows, map.cols));
        return Err(Error::shape(format!(
            "a matrix of {this} cannot share a picture with one of {that}: all matrices need the same size"
        )));
    }
    let difference =
        shared_settings(first).into_iter().zip(shared_settings(other)).find(|(first, other)| first != other);
    match difference {
        Some(((setting, first), (_, other))) => Err(Error::value(format!(
            "all maps of a picture share one colour scale, but the setting {setting} is {other}, and {first} for the first map"
        ))),
        None => Ok(()),
    }
}

/// The settings that all maps of a picture must share, with their values.
fn shared_settings<R: Real>(map: &HeatMap<'_, R>) -> [(&'static str, String); 5] {
    [
        ("label", format!("{:?}", map.label)),
        ("range", format!("{:?}", map.range)),
        ("averaged_from", format!("{:?}", map.samples)),
        ("size", format!("{:?}", map.size)),
        ("diverging", format!("{:?}", map.diverging)),
    ]
}

/// Draws maps that were checked. There is at least one.
pub(super) fn drawn<R: Real>(title: &str, maps: &[&HeatMap<'_, R>]) -> Image {
    let first = maps[0];
    let mut sides =
        first.size.map_or_else(|| Size::default_of(maps.len()), Size::at_most).sides(first.rows, first.cols);
    sides.iter_mut().zip(first.samples).for_each(|(side, samples)| side.samples = samples);
    let cells = sides.map(|side| side.cells);
    let averages: Vec<Vec<f64>> = maps.iter().map(|map| averaged(map.data, [map.rows, map.cols], cells)).collect();
    let colours = Colours::spanning(averages.iter().flatten(), first.range, first.diverging);
    let coloured = averages.iter().map(|averages| averages.iter().map(|&value| colours.colour(value)).collect());
    let mut panels: Vec<Panel<'_>> = maps.iter().zip(coloured).map(|(map, cells)| panel(map, sides, cells)).collect();
    if panels.len() > 1 {
        for panel in &mut panels {
            // A longer label would overlap the next map.
            panel.axes[1].labels.retain(|(_, label)| Font::Plain.width(label) <= sides[1].length());
        }
    }
    for at in (1..panels.len()).rev() {
        let (left, this) = (&panels[at - 1], &panels[at]);
        if left.axes[0] == this.axes[0] && left.names[0] == this.names[0] {
            panels[at].axes[0].labels.clear();
            panels[at].names[0] = "";
        }
    }
    draw(&Figure { title, sides, panels, scale: colours.ticks(), label: &first.label }, |position| colours.at(position))
}

fn panel<'a, R: Real>(map: &'a HeatMap<'_, R>, [down, across]: [Side; 2], cells: Vec<Colour>) -> Panel<'a> {
    let row_axis = Axis::new(down, &map.classes[0], |_| Font::Plain.size().1 + 4);
    let col_axis = Axis::new(across, &map.classes[1], |label| Font::Plain.width(label) + 20);
    let inner = |axis: &Axis, classes: &[_]| match (map.borders && !classes.is_empty(), &axis.ticks[..]) {
        (true, [_, inner @ .., _]) => inner.to_vec(),
        _ => Vec::new(),
    };
    Panel {
        title: &map.title,
        caption: &map.caption,
        borders: [inner(&row_axis, &map.classes[0]), inner(&col_axis, &map.classes[1])],
        axes: [row_axis, col_axis],
        names: [&map.axes[0], &map.axes[1]],
        cells,
    }
}
