//! Local response norm, across channels.

use super::activations::{inverse, scaled};
use super::arithmetic::{product, shifted};
use super::powers::power;
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::AvgPool2d;
use crate::shape::numel;

/// x / (bias + alpha m)^beta, where m is the mean of x^2 over a window of `size` channels around each; channels that do
/// not exist count as 0.
pub(super) fn lrn(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let size = call.int("size").and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
    let size = size.ok_or_else(|| Error::format("size is missing; the number of channels is needed"))?;
    let (alpha, beta) = (call.float("alpha").unwrap_or(1e-4), call.float("beta").unwrap_or(0.75));
    let means = mean_square(reader, x, size)?;
    let base = scaled(reader, &means, alpha)?;
    let base = shifted(reader, &base, call.float("bias").unwrap_or(1.0))?;
    let below = power(reader, &base, beta)?;
    let below = inverse(reader, &below)?;
    product(reader, x, &below)
}

/// The mean of x^2 over a window of `size` channels: planes whose height are the channels.
fn mean_square(reader: &mut Reader<'_>, x: &Operand, size: usize) -> Result<Operand> {
    let &[images, channels, ref rest @ ..] = &x.shape[..] else {
        return Err(Error::shape(format!("a value of shape {:?} (for a batch of one) has no channels", x.shape)));
    };
    x.sample_axis(1)?;
    let squares = product(reader, x, x)?;
    let value = reader.value(&squares, &[images, channels, numel(rest)])?;
    let (before, after) = ((size - 1) / 2, size / 2);
    let pool = AvgPool2d::new([size, 1]).stride([1, 1]).padding_sides([[before, after], [0, 0]]);
    let value = reader.graph.apply(pool, &[value], &[])?;
    Ok(Operand::sample(value, x.shape.clone(), x.batch))
}
