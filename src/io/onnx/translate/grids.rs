//! Values sampled at the places of a grid, and the grids of affine maps.

use super::maps::along;
use super::products::general;
use super::resize::cubic;
use super::shapes::{permuted, reshaped};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::shape::numel;

/// The grid `[n, h, w, 2]` (or `[n, d, h, w, 3]`) that an affine map makes of the places of an image: their coordinates
/// between -1 and 1, the last axis first, times the map.
pub(super) fn affine_grid(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let theta = call.input(0)?;
    let size = call.known(1)?.whole();
    let sizes: Option<Vec<usize>> = size.iter().skip(2).map(|&size| usize::try_from(size).ok()).collect();
    let sizes = sizes.filter(|sizes| matches!(sizes.len(), 2 | 3));
    let sizes =
        sizes.ok_or_else(|| Error::shape(format!("AffineGrid: {size:?} is not the size of an image or a volume")))?;
    let rank = sizes.len();
    if theta.shape.len() != 3 || theta.shape[0] != 1 || theta.shape[1..] != [rank, rank + 1] {
        return Err(Error::shape(format!(
            "AffineGrid needs maps of shape [n, {rank}, {}], not {:?} (for a batch of one)",
            rank + 1,
            theta.shape
        )));
    }
    let places = places(&sizes, call.flag("align_corners"))?;
    let turned = permuted(reader, theta, &[0, 2, 1])?;
    let grid = general(reader, &Operand::constant(places), &turned)?;
    let shape = [&[1], &sizes[..], &[rank]].concat();
    reshaped(reader, &grid, &shape, grid.batch)
}

/// The coordinates of all places, the last axis first, and a 1: `[places, rank + 1]`.
fn places(sizes: &[usize], align_corners: bool) -> Result<Array> {
    let (rank, count) = (sizes.len(), numel(sizes));
    bounded(&[count, rank + 1])?;
    let coordinate = |k: usize, size: usize| match (align_corners, size) {
        (true, 1) => 0.0,
        (true, _) => 2.0 * k as f64 / (size - 1) as f64 - 1.0,
        (false, _) => (2 * k + 1) as f64 / size as f64 - 1.0,
    };
    let mut values = Vec::with_capacity(count * (rank + 1));
    for place in 0..count {
        let mut rest = place;
        for &size in sizes.iter().rev() {
            values.push(coordinate(rest % size, size));
            rest /= size;
        }
        values.push(1.0);
    }
    Ok(Array::new(&[count, rank + 1], values, Kind::Float))
}

/// How values between and beyond the entries come about.
struct Sampler {
    mode: Mode,
    padding: Padding,
    align_corners: bool,
}

enum Mode {
    Nearest,
    Linear,
    Cubic,
}

enum Padding {
    Zeros,
    Border,
    Reflection,
}

/// An entry along one axis and its weight.
struct Tap {
    entry: usize,
    weight: f64,
}

/// `[n, c, h, w]` sampled at the places `[n, to.., 2]`, or `[n, c, d, h, w]` at `[n, to.., 3]`: `[n, c, to..]`. A fixed grid
/// is a fixed linear map.
pub(super) fn grid_sample(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, grid) = (call.input(0)?, call.input(1)?);
    let sampler = Sampler::new(call)?;
    let rank = x.rank().saturating_sub(2);
    let fits = matches!(rank, 2 | 3) && grid.rank() == rank + 2 && grid.shape.last() == Some(&rank);
    if !fits || x.shape[0] != 1 || grid.shape[0] != 1 {
        return Err(Error::shape(format!(
            "GridSample needs images [n, c, h, w] and grids [n, h, w, 2], or volumes and grids [n, d, h, w, 3], not shapes \
             {:?} and {:?} (for a batch of one)",
            x.shape, grid.shape
        )));
    }
    let map = sampler.map(call.known(1)?, &x.shape[2..])?;
    let flat = reshaped(reader, x, &[1, x.shape[1], numel(&x.shape[2..])], x.batch)?;
    let y = along(reader, &flat, 2, map)?;
    let shape = [&x.shape[..2], &grid.shape[1..=rank]].concat();
    reshaped(reader, &y, &shape, x.batch)
}

impl Sampler {
    fn new(call: &Call<'_>) -> Result<Self> {
        let unknown =
            |key: &str, value: &str| Error::unsupported(format!("GridSample: {key} = '{value}' is not supported"));
        let mode = match call.text("mode").as_deref() {
            None | Some("linear" | "bilinear") => Mode::Linear,
            Some("nearest") => Mode::Nearest,
            Some("cubic" | "bicubic") => Mode::Cubic,
            Some(other) => return Err(unknown("mode", other)),
        };
        let padding = match call.text("padding_mode").as_deref() {
            None | Some("zeros") => Padding::Zeros,
            Some("border") => Padding::Border,
            Some("reflection") => Padding::Reflection,
            Some(other) => return Err(unknown("padding_mode", other)),
        };
        Ok(Sampler { mode, padding, align_corners: call.flag("align_corners") })
    }

    /// What every place takes from the entries: `[places, entries]`.
    fn map(&self, grid: &Array, sizes: &[usize]) -> Result<Array> {
        let (rank, entries) = (sizes.len(), numel(sizes));
        let count = grid.values.len() / rank;
        bounded(&[count, entries])?;
        let mut map = Array::full(&[count, entries], 0.0, Kind::Float)?;
        for (row, place) in map.values.chunks_exact_mut(entries.max(1)).zip(grid.values.chunks_exact(rank)) {
            // The grid has the last axis first.
            let taps: Vec<Vec<Tap>> =
                sizes.iter().zip(place.iter().rev()).map(|(&size, &at)| self.taps(at, size)).collect();
            add_products(row, &taps, sizes, 0, 1.0);
        }
        Ok(map)
    }

    /// The entries of an axis that make up what is at a place of the grid.
    fn taps(&self, at: f64, size: usize) -> Vec<Tap> {
        let place = if self.align_corners {
            (at + 1.0) / 2.0 * (size as f64 - 1.0)
        } else {
            ((at + 1.0) * size as f64 - 1.0) / 2.0
        };
        let (reach, place) = match self.mode {
            Mode::Nearest => {
                return self.tap(self.bounded(place, size).round_ties_even(), 1.0, size).into_iter().collect();
            }
            Mode::Linear => (1.0, self.bounded(place, size)),
            Mode::Cubic => (2.0, place),
        };
        let first = place.floor() + 1.0 - reach;
        let entries = (0..2 * reach as usize).map(|k| first + k as f64);
        entries.filter_map(|entry| self.tap(entry, self.weight((entry - place).abs()), size)).collect()
    }

    fn weight(&self, distance: f64) -> f64 {
        match self.mode {
            Mode::Cubic => cubic(-0.75, distance),
            _ => (1.0 - distance).max(0.0),
        }
    }

    /// An entry with its weight, unless it is beyond the ends and counts as zero.
    fn tap(&self, entry: f64, weight: f64, size: usize) -> Option<Tap> {
        let entry = self.bounded(entry, size);
        (entry >= 0.0 && entry < size as f64).then_some(Tap { entry: entry as usize, weight })
    }

    /// A place brought between the ends, if the padding says so.
    fn bounded(&self, place: f64, size: usize) -> f64 {
        let last = size as f64 - 1.0;
        match self.padding {
            Padding::Zeros => place,
            Padding::Border => place.clamp(0.0, last),
            Padding::Reflection => {
                let low = if self.align_corners { 0.0 } else { -0.5 };
                let span = if self.align_corners { last } else { size as f64 };
                if span == 0.0 {
                    return 0.0;
                }
                let beyond = (place - low).abs();
                let (rest, turns) = (beyond % span, (beyond / span).floor());
                let reflected = if turns % 2.0 == 0.0 { low + rest } else { low + span - rest };
                reflected.clamp(0.0, last)
            }
        }
    }
}

/// Adds the products of taps, one from each axis, to a row of entries.
fn add_products(row: &mut [f64], taps: &[Vec<Tap>], sizes: &[usize], offset: usize, weight: f64) {
    let (Some((first, rest)), Some((&size, sizes))) = (taps.split_first(), sizes.split_first()) else {
        row[offset] += weight;
        return;
    };
    for tap in first {
        add_products(row, rest, sizes, offset * size + tap.entry, weight * tap.weight);
    }
}
