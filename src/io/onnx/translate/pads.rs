//! Entries around values.

use super::arithmetic::shifted;
use super::parts::{cut, taken};
use super::shapes::reshaped;
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{Reshape, ZeroPad2d};
use crate::shape::numel;

/// Entries around a value: a number, or what a mirror, the edge or the other end shows.
pub(super) fn pad(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let pads = call.list("pads", 1)?.or_else(|| call.ints("paddings").map(<[i64]>::to_vec));
    let pads = pads.ok_or_else(|| Error::format("the pads are missing"))?;
    let value = match call.known_optional(2)? {
        Some(array) => array.scalar().unwrap_or(0.0),
        None => call.float("value").unwrap_or(0.0),
    };
    let axes = match call.known_optional(3)? {
        Some(array) => array.whole().iter().map(|&axis| x.axis(axis)).collect::<Result<Vec<_>>>()?,
        None => (0..x.rank()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(Error::shape(format!("pads {pads:?} of a value of shape {:?}", x.shape)));
    }
    let mode = call.text("mode").unwrap_or_else(|| "constant".into());
    let mut sides: Vec<(usize, [i64; 2])> =
        axes.iter().enumerate().map(|(k, &axis)| (axis, [pads[k], pads[k + axes.len()]])).collect();
    sides.retain(|(_, pad)| *pad != [0, 0]);
    if mode == "constant" {
        return padded(reader, x, &sides, value);
    }
    let mut y = x.clone();
    for (axis, pad) in sides {
        let numbers = shown(&mode, y.shape[axis], pad)?;
        y = taken(reader, &y, axis, &numbers)?;
    }
    Ok(y)
}

/// Which entries a padding along a line of `size` shows.
fn shown(mode: &str, size: usize, [before, after]: [i64; 2]) -> Result<Vec<usize>> {
    let size = size as i64;
    let last = match mode {
        "reflect" => size - 1,
        "wrap" => size,
        _ => i64::MAX,
    };
    let most = i64::from(u16::MAX);
    if size == 0 || before > last || after > last || before.max(after) > most || before.min(after) < -size {
        return Err(Error::shape(format!("a padding of {before} and {after} ({mode}) around {size} entries")));
    }
    let at = |place: i64| match mode {
        "reflect" if place < 0 => Ok(-place),
        "reflect" if place >= size => Ok(2 * (size - 1) - place),
        "wrap" => Ok(place.rem_euclid(size)),
        "edge" | "reflect" => Ok(place.clamp(0, size - 1)),
        _ => Err(Error::unsupported(format!("a padding of the mode '{mode}'"))),
    };
    (-before..size + after).map(|place| at(place).map(|place| place as usize)).collect()
}

/// A number around a value, negative sides cutting it off.
pub(super) fn padded(reader: &mut Reader<'_>, x: &Operand, sides: &[(usize, [i64; 2])], value: f64) -> Result<Operand> {
    let mut y = if value == 0.0 || sides.is_empty() { x.clone() } else { shifted(reader, x, -value)? };
    for &(axis, [before, after]) in sides {
        x.sample_axis(axis)?;
        let (front, back) = (before.min(0).unsigned_abs() as usize, after.min(0).unsigned_abs() as usize);
        let size = y.shape[axis];
        if front.checked_add(back).is_none_or(|sum| sum > size) {
            return Err(Error::shape(format!("{front} and {back} of {size} entries are cut off")));
        }
        y = cut(reader, &y, axis, front..size - back)?;
        let (before, after) = (before.max(0) as usize, after.max(0) as usize);
        if [before, after] != [0, 0] {
            y = zeros_around(reader, &y, axis, [before, after])?;
        }
    }
    if value == 0.0 || sides.is_empty() { Ok(y) } else { shifted(reader, &y, value) }
}

/// Zeros around one axis: the value as planes whose height it is.
fn zeros_around(reader: &mut Reader<'_>, x: &Operand, axis: usize, [top, bottom]: [usize; 2]) -> Result<Operand> {
    let plane = [numel(&x.shape[..axis]), x.shape[axis], numel(&x.shape[axis + 1..])];
    let mut shape = x.shape.clone();
    shape[axis] = top
        .checked_add(bottom)
        .and_then(|more| more.checked_add(x.shape[axis]))
        .ok_or_else(|| Error::shape(format!("a padding of {top} and {bottom}")))?;
    let op = ZeroPad2d { pad: [0, 0, top, bottom] };
    if x.is_constant() {
        let planes = reshaped(reader, x, &plane, None)?;
        let padded = [plane[0], shape[axis], plane[2]];
        let y = reader.apply(op, &[&planes], padded.to_vec(), None)?;
        return reshaped(reader, &y, &shape, None);
    }
    let value = reader.value(x, &plane)?;
    let value = reader.graph.apply(op, &[value], &[])?;
    let natural: Vec<usize> = Operand { shape: shape.clone(), ..x.clone() }.sample_shape();
    let value = reader.graph.apply(Reshape::new(natural), &[value], &[])?;
    Ok(Operand::sample(value, shape, x.batch))
}
