//! Blocks of planes that become channels, and channels that become blocks.

use super::shapes::{permuted, reshaped};
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

/// `[n, c, h, w]` and the size of blocks.
fn blocks(call: &Call<'_>) -> Result<([usize; 4], usize)> {
    let x = call.input(0)?;
    let block = call.int("blocksize").and_then(|block| usize::try_from(block).ok()).filter(|&block| block > 0);
    match (x.shape[..].try_into(), block) {
        (Ok(shape), Some(block)) => Ok((shape, block)),
        _ => Err(Error::shape(format!("blocks of a value of shape {:?}", x.shape))),
    }
}

/// Entries of `x` in the shape `parts`, in another order, in the shape `shape`.
fn rearranged(
    reader: &mut Reader<'_>,
    x: &Operand,
    parts: &[usize],
    order: &[usize],
    shape: &[usize],
) -> Result<Operand> {
    let split = reshaped(reader, x, parts, x.batch)?;
    let turned = permuted(reader, &split, order)?;
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
