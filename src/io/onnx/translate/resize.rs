//! Planes of other sizes: interpolation, which is a fixed linear map along each axis.

use super::arithmetic::plus;
use super::maps::along;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::real::Real;

/// How a node interpolates along every axis.
struct Interpolation {
    mode: Mode,
    coordinates: String,
    /// Which entry is the nearest one.
    nearest: String,
    /// Whether entries beyond the ends have the weight 0 instead of being the last ones.
    exclude_outside: bool,
    /// Whether the taps are as far apart as the new entries, where those are farther apart than the old ones.
    antialias: bool,
    /// What entries outside of the region of interest are.
    extrapolation: f64,
}

enum Mode {
    Nearest,
    Linear,
    /// With the coefficient a of Keys' kernel.
    Cubic(f64),
}

/// One axis of the value and what becomes of it.
struct Target {
    axis: usize,
    from: usize,
    to: usize,
    scale: f64,
    /// The region of interest, in parts of the axis.
    region: [f64; 2],
}

/// An entry's weight in an interpolated one; the entry may be beyond the ends.
struct Tap {
    entry: f64,
    weight: f64,
}

pub(super) fn resize(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let interpolation = Interpolation::new(call)?;
    let mut x = call.input(0)?.clone();
    for target in targets(call, &x)? {
        if target.to == target.from && target.scale == 1.0 && target.region == [0.0, 1.0] {
            continue;
        }
        let line = interpolation.line(&target)?;
        x = along(reader, &x, target.axis, line.map)?;
        if line.outside.iter().any(|&entry| entry != 0.0) {
            let mut shape = vec![1; x.rank()];
            shape[target.axis] = target.to;
            x = plus(reader, &x, &Operand::constant(Array::new(&shape, line.outside, Kind::Float)))?;
        }
    }
    Ok(x)
}

/// Whether the node is of the op sets that have other defaults and other inputs.
fn is_old(call: &Call<'_>) -> bool {
    call.node.op_type == "Upsample" || call.opset < 11
}

/// The axes that the node names, with their sizes and scales.
fn targets(call: &Call<'_>, x: &Operand) -> Result<Vec<Target>> {
    let given = call.attribute("scales").map(|attribute| attribute.floats.iter().map(|&s| f64::from(s)).collect());
    let scales: Option<Vec<f64>> = match given {
        Some(list) => Some(list),
        None => {
            let input = if is_old(call) { 1 } else { 2 };
            call.known_optional(input)?.map(|array| array.values.clone()).filter(|list| !list.is_empty())
        }
    };
    let sizes = if is_old(call) { None } else { call.known_optional(3)?.map(|array| array.values.clone()) };
    let axes: Vec<usize> = match call.ints("axes") {
        Some(list) => list.iter().map(|&axis| x.axis(axis)).collect::<Result<_>>()?,
        None => (0..x.rank()).collect(),
    };
    let target = |&axis: &usize| Target { axis, from: x.shape[axis], to: 0, scale: 1.0, region: [0.0, 1.0] };
    let mut targets: Vec<Target> = axes.iter().map(target).collect();
    let count = scales.as_ref().or(sizes.as_ref()).map(Vec::len);
    if count != Some(axes.len()) {
        return Err(Error::shape(format!(
            "Resize has {} scales or sizes for {} axes of a value of shape {:?}",
            count.unwrap_or(0),
            axes.len(),
            x.shape
        )));
    }
    match (scales, sizes) {
        (Some(scales), _) => by_scales(&mut targets, &scales)?,
        (None, sizes) => by_sizes(call, x, &mut targets, &sizes.unwrap_or_default())?,
    }
    if call.text("coordinate_transformation_mode").as_deref() == Some("tf_crop_and_resize") {
        let regions = call.known(1)?;
        if regions.values.len() != 2 * targets.len() {
            return Err(Error::shape(format!(
                "Resize has a roi of {} numbers for {} axes",
                regions.values.len(),
                targets.len()
            )));
        }
        for k in 0..targets.len() {
            targets[k].region = [regions.values[k], regions.values[k + targets.len()]];
        }
    }
    Ok(targets)
}

fn by_scales(targets: &mut [Target], scales: &[f64]) -> Result<()> {
    for (target, &scale) in targets.iter_mut().zip(scales) {
        target.scale = scale;
        // In f32, as the scale is: 5 times the f32 nearest to 1.4 is 7 there, and less in f64.
        target.to = checked_size(f64::from((target.from as f32 * scale as f32).floor()))?;
    }
    Ok(())
}

/// Sizes of their own for the axes, or with one scale for all axes, the largest or smallest that the sizes allow.
fn by_sizes(call: &Call<'_>, x: &Operand, targets: &mut [Target], sizes: &[f64]) -> Result<()> {
    // A file for a fixed batch has its size there.
    let size = |target: &Target, size: f64| if Some(target.axis) == x.own_batch() { size.min(1.0) } else { size };
    let sizes: Vec<f64> = targets.iter().zip(sizes).map(|(target, &wanted)| size(target, wanted)).collect();
    let ratios = targets.iter().zip(&sizes).map(|(target, size)| size / target.from as f64);
    let common = match call.text("keep_aspect_ratio_policy").as_deref() {
        None | Some("stretch") => None,
        Some("not_larger") => Some(ratios.fold(f64::INFINITY, f64::min)),
        Some("not_smaller") => Some(ratios.fold(0.0, f64::max)),
        Some(other) => {
            return Err(Error::unsupported(format!("Resize: keep_aspect_ratio_policy = '{other}' is not supported")));
        }
    };
    for (target, size) in targets.iter_mut().zip(sizes) {
        target.scale = common.unwrap_or(size / target.from as f64);
        target.to = checked_size(common.map_or(size, |scale| (target.from as f64 * scale).round()))?;
    }
    Ok(())
}

fn checked_size(size: f64) -> Result<usize> {
    if !(size >= 0.0 && size <= u32::MAX.into()) {
        return Err(Error::value(format!("Resize asks for a size of {size}")));
    }
    Ok(size as usize)
}

/// A line of interpolated entries: what they take from the old ones, `[to, from]`, and what is added to that.
struct Line {
    map: Array,
    outside: Vec<f64>,
}

impl Interpolation {
    fn new(call: &Call<'_>) -> Result<Self> {
        let old = is_old(call);
        let mode = match call.text("mode").as_deref() {
            None | Some("nearest") => Mode::Nearest,
            Some("linear" | "bilinear") => Mode::Linear,
            Some("cubic") => Mode::Cubic(call.float("cubic_coeff_a").unwrap_or(-0.75)),
            Some(other) => return Err(Error::unsupported(format!("Resize: mode = '{other}' is not supported"))),
        };
        let text = |key: &str, default: &str| call.text(key).unwrap_or_else(|| default.to_string());
        Ok(Interpolation {
            mode,
            coordinates: text("coordinate_transformation_mode", if old { "asymmetric" } else { "half_pixel" }),
            nearest: text("nearest_mode", if old { "floor" } else { "round_prefer_floor" }),
            exclude_outside: call.flag("exclude_outside"),
            antialias: call.flag("antialias"),
            extrapolation: call.float("extrapolation_value").unwrap_or(0.0),
        })
    }

    fn line(&self, target: &Target) -> Result<Line> {
        let &Target { from, to, .. } = target;
        bounded(&[to, from])?;
        if from == 0 {
            return Err(Error::shape("Resize of an axis that has no entries"));
        }
        let last = (from - 1) as f64;
        let mut map = Array::full(&[to, from], 0.0, Kind::Float)?;
        let mut outside = vec![0.0; to];
        for (k, outside) in outside.iter_mut().enumerate() {
            // Which entry is the nearest one can depend on rounding: it is done as the frameworks do it.
            let place = match self.mode {
                Mode::Nearest => self.place::<f32>(target, k)?,
                _ => self.place::<f64>(target, k)?,
            };
            if self.coordinates == "tf_crop_and_resize" && !(0.0..=last).contains(&place) {
                *outside = self.extrapolation;
                continue;
            }
            for tap in self.taps(place, target)? {
                map.values[k * from + tap.entry.clamp(0.0, last) as usize] += tap.weight;
            }
        }
        Ok(Line { map, outside })
    }

    /// Where entry `k` of the new line is on the old one, computed in the precision `R`.
    fn place<R: Real>(&self, target: &Target, k: usize) -> Result<f64> {
        let number = |x: usize| R::from_f64(x as f64);
        let (half, one) = (R::from_f64(0.5), R::from_f64(1.0));
        let (k, last, scale) = (number(k), number(target.from) - one, R::from_f64(target.scale));
        let long = target.to > 1;
        let half_pixel = (k + half) / scale - half;
        let place = match self.coordinates.as_str() {
            "asymmetric" => k / scale,
            "half_pixel" => half_pixel,
            "pytorch_half_pixel" if long => half_pixel,
            "half_pixel_symmetric" => {
                // The centre stays where it is although the size was rounded.
                let adjustment = number(target.to) / (scale * number(target.from));
                half * number(target.from) * (one - adjustment) + half_pixel
            }
            "align_corners" if long => k * last / (number(target.to) - one),
            "pytorch_half_pixel" | "align_corners" => R::default(),
            "tf_half_pixel_for_nn" => (k + half) / scale,
            "tf_crop_and_resize" => {
                let [start, end] = target.region.map(R::from_f64);
                let (first, span) = (start * last, (end - start) * last);
                if long { first + k * span / (number(target.to) - one) } else { first + half * span }
            }
            other => {
                return Err(Error::unsupported(format!(
                    "Resize: coordinate_transformation_mode = '{other}' is not supported"
                )));
            }
        };
        Ok(place.f64())
    }

    /// The entries that make up what is at `place`.
    fn taps(&self, place: f64, target: &Target) -> Result<Vec<Tap>> {
        // Distances are stretched where new entries are farther apart than old ones.
        let stretch = if self.antialias { target.scale.min(1.0) } else { 1.0 };
        let reach = match self.mode {
            Mode::Nearest => return Ok(vec![Tap { entry: self.nearest(place), weight: 1.0 }]),
            Mode::Linear => 1.0,
            Mode::Cubic(_) => 2.0,
        };
        let reach = (reach / stretch).ceil();
        bounded(&[target.to, (2.0 * reach) as usize])?;
        let left = place.ceil() - 1.0;
        let count = (2.0 * reach) as usize;
        let entry = |k: usize| left + 1.0 - reach + k as f64;
        let taps = (0..count).map(|k| Tap { entry: entry(k), weight: self.weight((entry(k) - place).abs() * stretch) });
        let inside = |tap: &Tap| !self.exclude_outside || (tap.entry >= 0.0 && tap.entry < target.from as f64);
        let mut taps: Vec<Tap> = taps.filter(inside).collect();
        let sum: f64 = taps.iter().map(|tap| tap.weight).sum();
        taps.iter_mut().for_each(|tap| tap.weight /= sum);
        Ok(taps)
    }

    /// The weight of an entry at a distance.
    fn weight(&self, distance: f64) -> f64 {
        match self.mode {
            Mode::Cubic(a) => cubic(a, distance),
            _ => (1.0 - distance).max(0.0),
        }
    }

    fn nearest(&self, place: f64) -> f64 {
        match self.nearest.as_str() {
            "floor" => place.floor(),
            "ceil" => place.ceil(),
            "round_prefer_ceil" => (place + 0.5).floor(),
            _ => (place - 0.5).ceil(),
        }
    }
}

/// Keys' kernel of cubic convolution at a distance.
pub(super) fn cubic(a: f64, distance: f64) -> f64 {
    let d = distance;
    if d <= 1.0 {
        ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0
    } else if d < 2.0 {
        ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a
    } else {
        0.0
    }
}
