//! Planes of other sizes: interpolation, which is a fixed linear map along each axis, and blocks that become channels.

use super::shapes::{permuted, reshaped};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::Linear;

pub(super) fn resize(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let mut x = call.input(0)?.clone();
    let old = call.node.op_type == "Upsample" || call.opset < 11;
    let (scales, sizes) = if old { (1, usize::MAX) } else { (2, 3) };
    if call.flag("antialias") {
        return Err(Error::unsupported("antialias"));
    }
    let given = call.attribute("scales").map(|attribute| attribute.floats.iter().map(|&s| f64::from(s)).collect());
    let scales: Option<Vec<f64>> = match given {
        Some(list) => Some(list),
        None => call.known_optional(scales)?.map(|array| array.values.clone()).filter(|list| !list.is_empty()),
    };
    let sizes = call.known_optional(sizes)?.map(Array::whole);
    let axes: Vec<usize> = match call.ints("axes") {
        Some(list) => list.iter().map(|&axis| x.axis(axis)).collect::<Result<_>>()?,
        None => (0..x.rank()).collect(),
    };
    let count = scales.as_ref().map(Vec::len).or(sizes.as_ref().map(Vec::len));
    if count != Some(axes.len()) {
        return Err(Error::shape("there are not as many scales or sizes as axes"));
    }
    for (k, &axis) in axes.iter().enumerate() {
        let from = x.shape[axis];
        let (to, scale) = match (&scales, &sizes) {
            (Some(scales), _) => ((from as f64 * scales[k]).floor(), scales[k]),
            (None, Some(sizes)) if Some(axis) == x.own_batch() => (from as f64, sizes[k].min(1) as f64),
            (None, Some(sizes)) => (sizes[k] as f64, sizes[k] as f64 / from as f64),
            (None, None) => unreachable!("they were counted"),
        };
        if !(to >= 0.0 && to <= u32::MAX.into()) {
            return Err(Error::value(format!("a size of {to}")));
        }
        if to as usize != from || scale != 1.0 {
            let map = interpolation(call, old, from, to as usize, scale)?;
            x = along(reader, &x, axis, map)?;
        }
    }
    Ok(x)
}

/// \[to, from\]: what each new entry takes from the old ones.
fn interpolation(call: &Call<'_>, old: bool, from: usize, to: usize, scale: f64) -> Result<Array> {
    bounded(&[to, from])?;
    if from == 0 {
        return Err(Error::shape("there are no entries to resize"));
    }
    let mode = call.text("mode").unwrap_or_else(|| "nearest".into());
    let place = call.text("coordinate_transformation_mode");
    let place = place.as_deref().unwrap_or(if old { "asymmetric" } else { "half_pixel" });
    let nearest = call.text("nearest_mode");
    let nearest = nearest.as_deref().unwrap_or(if old { "floor" } else { "round_prefer_floor" });
    let (last, wide) = ((from - 1) as f64, to as f64);
    let mut map = Array::full(&[to, from], 0.0, Kind::Float)?;
    for k in 0..to {
        let at = k as f64;
        let at = match place {
            "asymmetric" => at / scale,
            "half_pixel" => (at + 0.5) / scale - 0.5,
            "pytorch_half_pixel" => {
                if to > 1 {
                    (at + 0.5) / scale - 0.5
                } else {
                    0.0
                }
            }
            "align_corners" => {
                if to > 1 {
                    at * last / (wide - 1.0)
                } else {
                    0.0
                }
            }
            other => return Err(Error::unsupported(format!("coordinate_transformation_mode '{other}'"))),
        };
        let mut take = |entry: f64, share: f64| map.values[k * from + entry.clamp(0.0, last) as usize] += share;
        match mode.as_str() {
            "nearest" => take(
                match nearest {
                    "floor" => at.floor(),
                    "ceil" => at.ceil(),
                    "round_prefer_ceil" => (at + 0.5).floor(),
                    _ => (at - 0.5).ceil(),
                },
                1.0,
            ),
            "linear" | "bilinear" => {
                let (at, below) = (at.clamp(0.0, last), at.clamp(0.0, last).floor());
                take(below, 1.0 - (at - below));
                take(below + 1.0, at - below);
            }
            other => return Err(Error::unsupported(format!("the interpolation '{other}'"))),
        }
    }
    Ok(map)
}

/// A fixed linear map along an axis.
fn along(reader: &mut Reader<'_>, x: &Operand, axis: usize, map: Array) -> Result<Operand> {
    x.sample_axis(axis)?;
    let (last, to) = (x.rank() - 1, map.shape[0]);
    let mut order: Vec<usize> = (0..=last).collect();
    order.swap(axis, last);
    let turned = permuted(reader, x, &order)?;
    let weight = reader.weight(&Operand::constant(map), "map")?;
    let value = reader.sample_value(&turned)?;
    let value = reader.graph.apply(Linear, &[value], &[weight])?;
    let mut shape = turned.shape.clone();
    shape[last] = to;
    permuted(reader, &Operand::sample(value, shape, turned.batch), &order)
}

/// \[n, c, h, w\] and the size of blocks.
fn blocks(call: &Call<'_>) -> Result<([usize; 4], usize)> {
    let x = call.input(0)?;
    let block = call.int("blocksize").and_then(|block| usize::try_from(block).ok()).filter(|&block| block > 0);
    match (x.shape[..].try_into(), block) {
        (Ok(shape), Some(block)) => Ok((shape, block)),
        _ => Err(Error::shape(format!("blocks of a value of shape {:?}", x.shape))),
    }
}

/// Entries of `x` seen as `parts`, in another order, seen as `shape`.
fn rearranged(
    reader: &mut Reader<'_>,
    x: &Operand,
    parts: &[usize],
    order: &[usize],
    shape: &[usize],
) -> Result<Operand> {
    let seen = reshaped(reader, x, parts, x.batch)?;
    let turned = permuted(reader, &seen, order)?;
    reshaped(reader, &turned, shape, x.batch)
}

pub(super) fn depth_to_space(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let ([n, c, h, w], b) = blocks(call)?;
    if !c.is_multiple_of(b * b) {
        return Err(Error::shape(format!("{c} channels are no blocks of {b} x {b}")));
    }
    let (d, shape) = (c / (b * b), [n, c / (b * b), h * b, w * b]);
    match call.text("mode").as_deref() {
        Some("CRD") => rearranged(reader, call.input(0)?, &[n, d, b, b, h, w], &[0, 1, 4, 2, 5, 3], &shape),
        _ => rearranged(reader, call.input(0)?, &[n, b, b, d, h, w], &[0, 3, 4, 1, 5, 2], &shape),
    }
}

pub(super) fn space_to_depth(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let ([n, c, h, w], b) = blocks(call)?;
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return Err(Error::shape(format!("{h} x {w} is not made of blocks of {b}")));
    }
    let (parts, shape) = ([n, c, h / b, b, w / b, b], [n, c * b * b, h / b, w / b]);
    rearranged(reader, call.input(0)?, &parts, &[0, 3, 5, 1, 2, 4], &shape)
}
