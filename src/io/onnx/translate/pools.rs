//! Pools.

use super::sums;
use super::windows::{Slides, slid_over, slides};
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{AvgPool2d, Builtin, MaxPool2d};

pub(super) fn max(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    pooled(reader, call, |slides, ceil_mode| {
        let Slides { kernel, stride, dilation, sides } = slides;
        let pool = MaxPool2d::new(kernel).stride(stride).dilation(dilation).padding_sides(sides);
        Ok(pool.ceil_mode(ceil_mode).into())
    })
}

pub(super) fn average(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let padding_counts = call.flag("count_include_pad");
    pooled(reader, call, |slides, ceil_mode| {
        let Slides { kernel, stride, dilation, sides } = slides;
        if dilation != [1, 1] {
            return Err(Error::unsupported("an average over a window with gaps"));
        }
        let pool = AvgPool2d::new(kernel).stride(stride).padding_sides(sides);
        Ok(pool.ceil_mode(ceil_mode).count_include_pad(padding_counts).into())
    })
}

fn pooled(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    pool: impl FnOnce(Slides, bool) -> Result<Builtin>,
) -> Result<Operand> {
    let x = call.input(0)?;
    let (sample, line) = slid_over(x)?;
    let plane = if line { vec![sample[0], 1, sample[1]] } else { sample };
    call.ints("kernel_shape").ok_or_else(|| Error::format("kernel_shape is missing"))?;
    let slides = slides(call, call.pair("kernel_shape", 1)?, [plane[1], plane[2]])?;
    let value = reader.value(x, &plane)?;
    let value = reader.graph.apply(pool(slides, call.flag("ceil_mode"))?, &[value], &[])?;
    let result = reader.graph.shape(value).to_vec();
    let shape = if line { vec![1, result[0], result[2]] } else { [&[1], &result[..]].concat() };
    Ok(Operand::sample(value, shape, x.batch))
}

pub(super) fn global_average(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    sums::mean_over(reader, x, &places(x)?, true)
}

pub(super) fn global_max(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    sums::max_over(reader, x, &places(x)?, true)
}

/// All axes but those of batch and channels.
fn places(x: &Operand) -> Result<Vec<usize>> {
    match x.rank() {
        0..=2 => Err(Error::shape(format!("a value of shape {:?} has no positions", x.shape))),
        rank => Ok((2..rank).collect()),
    }
}
