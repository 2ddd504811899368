//! Several values as one, and taken out again.

use super::parts::{equal, joined, parted, sizes};
use super::shapes::{reshaped, unsqueezed};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Hint, Is, Operand, axis_among};
use crate::io::onnx::reader::Reader;

fn sequenced(parts: Vec<Operand>) -> Operand {
    let is = Is::Sequence(parts.into());
    Operand { shape: Vec::new(), batch: None, kind: Kind::Float, is, hint: Hint::Plain }
}

/// As [`split`](super::parts::split), the parts together; one size is that of each part.
pub(super) fn split(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis").unwrap_or(0))?;
    let (list, single) = match call.known_optional(1)? {
        Some(array) if array.shape.is_empty() => (equal(x.shape[axis], sizes(&array.whole())?[0].max(1)), false),
        Some(array) => (sizes(&array.whole())?, false),
        None => (vec![1; x.shape[axis]], call.int("keepdims") == Some(0)),
    };
    let mut parts = parted(reader, x, axis, &list)?;
    if single {
        let shape: Vec<usize> = (0..x.rank()).filter(|&k| k != axis).map(|k| x.shape[k]).collect();
        let batch = x.batch.map(|batch| if batch > axis { batch - 1 } else { batch });
        parts = parts.iter().map(|part| reshaped(reader, part, &shape, batch)).collect::<Result<_>>()?;
    }
    Ok(sequenced(parts))
}

pub(super) fn constructed(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    Ok(sequenced(call.all()?.into_iter().cloned().collect()))
}

pub(super) fn empty(_reader: &mut Reader<'_>, _call: &Call<'_>) -> Result<Operand> {
    Ok(sequenced(Vec::new()))
}

fn parts_of<'c>(call: &'c Call<'_>) -> Result<&'c [Operand]> {
    match &call.input(0)?.is {
        Is::Sequence(parts) => Ok(parts),
        _ => Err(Error::format(format!("input 0 ('{}') is not a sequence", call.node.input[0]))),
    }
}

/// Input `k` as a place below `end` in a sequence of `count` values, from the end if negative.
fn place(call: &Call<'_>, k: usize, count: usize, end: usize) -> Result<usize> {
    let place = call.known(k)?.scalar().ok_or_else(|| Error::shape("the place is not one number"))? as i64;
    let own = if place < 0 { place.saturating_add(count as i64) } else { place };
    let own = usize::try_from(own).ok().filter(|&own| own < end);
    own.ok_or_else(|| Error::value(format!("place {place} of a sequence of {count} values")))
}

pub(super) fn at(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let parts = parts_of(call)?;
    Ok(parts[place(call, 1, parts.len(), parts.len())?].clone())
}

/// With one value more, at the end if no place is given.
pub(super) fn inserted(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let mut parts = parts_of(call)?.to_vec();
    let at = match call.optional(2) {
        Some(_) => place(call, 2, parts.len(), parts.len() + 1)?,
        None => parts.len(),
    };
    parts.insert(at, call.input(1)?.clone());
    Ok(sequenced(parts))
}

/// Without one value, the last if no place is given.
pub(super) fn erased(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let mut parts = parts_of(call)?.to_vec();
    let at = match call.optional(1) {
        Some(_) => place(call, 1, parts.len(), parts.len())?,
        None => parts.len().checked_sub(1).ok_or_else(|| Error::value("the sequence is empty"))?,
    };
    parts.remove(at);
    Ok(sequenced(parts))
}

pub(super) fn length(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let count = parts_of(call)?.len() as f64;
    Ok(Operand::constant(Array::new(&[], vec![count], Kind::Whole)))
}

/// All values of a sequence one after another along an axis, a new one if asked.
pub(super) fn together(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let parts = parts_of(call)?;
    let Some(first) = parts.first() else { return Err(Error::value("the sequence is empty")) };
    let apart = call.flag("new_axis");
    let axis = call.int("axis").ok_or_else(|| Error::format("axis is missing"))?;
    let rank = first.rank() + usize::from(apart);
    let axis = axis_among(axis, rank).ok_or_else(|| Error::shape(format!("axis {axis} among {rank}")))?;
    let mut parts = parts.to_vec();
    if apart {
        parts = parts.iter().map(|part| unsqueezed(reader, part, axis)).collect::<Result<_>>()?;
    }
    joined(reader, &parts.iter().collect::<Vec<_>>(), axis)
}
