//! Several values as one, and taken out again.

use super::parts::{equal, parted, sizes};
use super::shapes::reshaped;
use crate::error::{Error, Result};
use crate::io::onnx::array::Kind;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Is, Operand, Seen};
use crate::io::onnx::reader::Reader;

fn sequenced(parts: Vec<Operand>) -> Operand {
    let is = Is::Sequence(parts.into());
    Operand { shape: Vec::new(), batch: None, kind: Kind::Float, is, seen: Seen::Plain }
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

pub(super) fn at(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let Is::Sequence(parts) = &call.input(0)?.is else { return Err(Error::format("input 0 is no sequence")) };
    let place = call.known(1)?.scalar().ok_or_else(|| Error::shape("the place is no number"))? as i64;
    let at = usize::try_from(if place < 0 { place + parts.len() as i64 } else { place }).ok();
    let part = at.and_then(|at| parts.get(at));
    part.cloned().ok_or_else(|| Error::value(format!("place {place} of a sequence of {}", parts.len())))
}
