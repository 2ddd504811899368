//! Sorting: largest and smallest entries, and where they are. Places are piecewise constant; the entries that they pick
//! carry gradients.

use super::arithmetic::difference;
use super::masks::{number, related, select};
use super::parts::{cut, taken};
use super::picks::along;
use super::shapes::{permuted, reshaped};
use super::steps::wrapped;
use crate::backend::Relation;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Operand, axis_among};
use crate::io::onnx::reader::Reader;
use crate::ops::SortOrder;
use crate::shape::numel;

/// The order of all entries along an axis: their places, from the first to the last.
fn order(reader: &mut Reader<'_>, x: &Operand, axis: usize, descending: bool) -> Result<Operand> {
    x.sample_axis(axis)?;
    let swapped = axis_last(x.rank(), axis);
    let lines = permuted(reader, &x.detached(), &swapped)?;
    let places = reader.apply(SortOrder { descending }, &[&lines], lines.shape.clone(), lines.batch)?;
    // Two axes that are swapped come back by being swapped once more.
    Ok(permuted(reader, &places, &swapped)?.of_kind(Kind::Whole))
}

/// An order of `rank` axes in which `axis` and the last one are swapped.
pub(super) fn axis_last(rank: usize, axis: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis, rank - 1);
    order
}

/// The place of the largest or smallest entry along an axis, with that axis kept at size 1.
fn extreme_place(
    reader: &mut Reader<'_>,
    x: &Operand,
    axis: usize,
    largest: bool,
    last_of_equal: bool,
) -> Result<Operand> {
    let size = x.shape[axis];
    if size == 0 {
        return Err(Error::shape(format!("the largest of no entries: axis {axis} of a value of shape {:?}", x.shape)));
    }
    if !last_of_equal {
        let places = order(reader, x, axis, largest)?;
        return cut(reader, &places, axis, 0..1);
    }
    // The order puts the first of equal entries first, which is the last one of a reversed line.
    let turned: Vec<usize> = (0..size).rev().collect();
    let turned = taken(reader, x, axis, &turned)?;
    let places = order(reader, &turned, axis, largest)?;
    let place = cut(reader, &places, axis, 0..1)?;
    let last = number((size - 1) as f64, Kind::Whole);
    Ok(difference(reader, &last, &place)?.of_kind(Kind::Whole))
}

pub(super) fn extreme(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis").unwrap_or(0))?;
    let largest = call.node.op_type == "ArgMax";
    let place = extreme_place(reader, x, axis, largest, call.flag("select_last_index"))?;
    if call.int("keepdims").unwrap_or(1) != 0 {
        return Ok(place);
    }
    let shape: Vec<usize> = (0..x.rank()).filter(|&k| k != axis).map(|k| x.shape[k]).collect();
    let batch = place.batch.map(|batch| if batch > axis { batch - 1 } else { batch });
    reshaped(reader, &place, &shape, batch)
}

/// The k largest or smallest entries along an axis, in order, and their places.
pub(super) fn top(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis").unwrap_or(-1))?;
    let count = match call.known_optional(1)? {
        Some(array) => array.scalar().map(|count| count as i64),
        None => call.int("k"),
    };
    let count = count.and_then(|count| usize::try_from(count).ok()).filter(|&count| count <= x.shape[axis]);
    let Some(count) = count else {
        return Err(Error::shape(format!(
            "the number of entries to pick along axis {axis} of a value of shape {:?} is missing or too large",
            x.shape
        )));
    };
    let places = order(reader, x, axis, call.int("largest").unwrap_or(1) != 0)?;
    let places = cut(reader, &places, axis, 0..count)?;
    Ok(vec![along(reader, x, &places, axis)?, places])
}

/// 1 at the first of the largest entries along an axis, else 0; before op set 13 over that axis and all after it.
pub(super) fn hardmax(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let old = call.opset < 13;
    let axis = x.axis(call.int("axis").unwrap_or(if old { 1 } else { -1 }))?;
    if !old || axis + 1 == x.rank() {
        return largest_flags(reader, x, axis);
    }
    if let Some(batch) = x.own_batch().filter(|&batch| batch >= axis) {
        x.sample_axis(batch)?;
    }
    let flat = [numel(&x.shape[..axis]), numel(&x.shape[axis..])];
    let rows = reshaped(reader, x, &flat, x.batch_after_reshape(&flat))?;
    let flags = largest_flags(reader, &rows, 1)?;
    reshaped(reader, &flags, &x.shape, x.batch)
}

fn largest_flags(reader: &mut Reader<'_>, x: &Operand, axis: usize) -> Result<Operand> {
    let place = extreme_place(reader, x, axis, true, false)?;
    let flags = is_at(reader, &place, axis, x.shape[axis])?;
    Ok(flags.of_kind(Kind::Float))
}

/// 1 where the place along an axis, whose size becomes `size`, is the number in `ids`, which has size 1 there.
fn is_at(reader: &mut Reader<'_>, ids: &Operand, axis: usize, size: usize) -> Result<Operand> {
    let mut shape = vec![1; ids.rank()];
    shape[axis] = size;
    let places = Array { shape, ..Array::list(0..size) };
    related(reader, Relation::Equal, ids, &Operand::constant(places))
}

/// Numbers as rows of a table that is the identity, with two values in the places of 0 and 1.
pub(super) fn one_hot(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (ids, values) = (call.input(0)?, call.input(2)?);
    let depth = call.known(1)?.scalar().filter(|&depth| depth >= 1.0);
    let depth = depth.ok_or_else(|| Error::value("OneHot: the depth is not one positive number"))? as usize;
    bounded(&[depth])?;
    let rank = ids.rank() + 1;
    let axis = axis_among(call.int("axis").unwrap_or(-1), rank)
        .ok_or_else(|| Error::shape(format!("OneHot: there is no such axis among {rank}")))?;
    if values.shape != [2] {
        return Err(Error::shape(format!("OneHot: the values have shape {:?}, where [2] is needed", values.shape)));
    }
    let mut shape = ids.shape.clone();
    shape.insert(axis, 1);
    let batch = ids.batch.map(|batch| if batch >= axis { batch + 1 } else { batch });
    let ids = wrapped(reader, ids, depth)?;
    let ids = reshaped(reader, &ids, &shape, batch)?;
    let flags = is_at(reader, &ids, axis, depth)?;
    if values.array().is_some_and(|array| array.values == [0.0, 1.0]) {
        return Ok(flags.of_kind(values.kind));
    }
    let mut value = |k: usize| -> Result<Operand> {
        let one = cut(reader, values, 0, k..k + 1)?;
        reshaped(reader, &one, &[], None)
    };
    let (off, on) = (value(0)?, value(1)?);
    Ok(select(reader, &flags, &on, &off)?.of_kind(values.kind))
}
