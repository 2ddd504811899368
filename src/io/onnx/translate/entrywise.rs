//! Ops entry by entry on operands that are stretched to one shape.

use crate::error::{Error, Result};
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::Builtin;
use crate::shape::broadcast;

/// `op` entry by entry on operands that are stretched to one shape.
///
/// # Errors
/// The shapes do not fit, or the batch is another axis in one operand than in another.
pub(super) fn entrywise(reader: &mut Reader<'_>, op: impl Into<Builtin>, operands: &[&Operand]) -> Result<Operand> {
    let shape = common_shape(operands)?;
    let lifted: Vec<Operand> = operands.iter().map(|x| lifted(x, shape.len())).collect();
    let own = own_batch(&lifted)?;
    if let Some(axis) = own.filter(|&axis| shape[axis] != 1) {
        let shapes: Vec<_> = operands.iter().map(|x| &x.shape).collect();
        return Err(Error::shape(format!(
            "shapes {shapes:?}: one operand has {} rows along the batch axis, as if that were a fixed number of samples",
            shape[axis]
        )));
    }
    let batch = own.or(lifted.iter().find_map(|x| x.batch));
    // An operand without a batch has a 1 there.
    let placed: Vec<Operand> = lifted.into_iter().map(|x| Operand { batch: own, ..x }).collect();
    reader.apply(op, &placed.iter().collect::<Vec<_>>(), shape, batch)
}

fn common_shape(operands: &[&Operand]) -> Result<Vec<usize>> {
    let mut shape = Vec::new();
    for x in operands {
        shape = broadcast(&shape, &x.shape).ok_or_else(|| {
            let shapes: Vec<_> = operands.iter().map(|x| &x.shape).collect();
            Error::shape(format!("shapes {shapes:?} (for a batch of one) cannot be stretched to one shape"))
        })?;
    }
    Ok(shape)
}

/// `x` with axes of size 1 in front, up to `rank` axes.
pub(super) fn lifted(x: &Operand, rank: usize) -> Operand {
    let more = rank - x.rank();
    let shape = [vec![1; more], x.shape.clone()].concat();
    Operand { shape, batch: x.batch.map(|batch| batch + more), ..x.clone() }
}

/// The batch axis that all operands of one rank share, if one of them has its own.
///
/// # Errors
/// Two of them have different ones.
pub(super) fn own_batch(operands: &[Operand]) -> Result<Option<usize>> {
    let mut all = operands.iter().filter_map(Operand::own_batch);
    let first = all.next();
    match all.find(|&other| Some(other) != first) {
        Some(other) => Err(Error::unsupported(format!(
            "the batch is axis {} of one operand and axis {other} of another, so that all samples meet all others",
            first.unwrap_or(0)
        ))),
        None => Ok(first),
    }
}
