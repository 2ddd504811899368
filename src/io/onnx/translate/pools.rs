//! Pools of lines, planes and volumes.

use super::activations::scaled;
use super::arithmetic::size as absolute;
use super::images::Images;
use super::powers::power;
use super::shapes::reshaped;
use super::sums;
use super::windows::{Slide, slides};
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{AvgPool2d, Builtin, MaxPool2d};
use crate::shape::numel;

pub(super) fn max(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    if call.node.output.get(1).is_some_and(|name| reader.is_taken(name)) {
        return Err(Error::unsupported("the indices of the largest entries (its second output) are not supported"));
    }
    let ceil_mode = call.flag("ceil_mode");
    pooled(reader, call, call.input(0)?, &|slides| Ok(largest(slides).ceil_mode(ceil_mode).into()))
}

pub(super) fn average(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    averaged(reader, call, call.input(0)?, call.flag("count_include_pad"))
}

/// The mean over the node's window.
fn averaged(reader: &mut Reader<'_>, call: &Call<'_>, x: &Operand, padding_counts: bool) -> Result<Operand> {
    let ceil_mode = call.flag("ceil_mode");
    let mean = |slides: [&Slide; 2]| Ok(mean(slides)?.ceil_mode(ceil_mode).count_include_pad(padding_counts).into());
    pooled(reader, call, x, &mean)
}

fn mean([down, right]: [&Slide; 2]) -> Result<AvgPool2d> {
    if [down.dilation, right.dilation] != [1, 1] {
        return Err(Error::unsupported("dilations: a mean over a window with gaps is not supported"));
    }
    let pool = AvgPool2d::new([down.kernel, right.kernel]).stride([down.stride, right.stride]);
    Ok(pool.padding_sides([down.sides, right.sides]))
}

fn largest([down, right]: [&Slide; 2]) -> MaxPool2d {
    let pool = MaxPool2d::new([down.kernel, right.kernel]).stride([down.stride, right.stride]);
    pool.dilation([down.dilation, right.dilation]).padding_sides([down.sides, right.sides])
}

/// (sum over a window of |x|^p)^(1/p)
pub(super) fn lp(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let p = norm_power(call)?;
    if call.flag("ceil_mode") {
        return Err(Error::unsupported("ceil_mode=1 is not supported; pad the input instead"));
    }
    let powers = absolute(reader, call.input(0)?)?;
    let powers = power(reader, &powers, p)?;
    let mean = averaged(reader, call, &powers, true)?;
    let entries = kernel_shape(call, call.input(0)?.rank().saturating_sub(2))?;
    let sum = scaled(reader, &mean, numel(&entries) as f64)?;
    power(reader, &sum, 1.0 / p)
}

/// The same over all positions.
pub(super) fn global_lp(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let p = norm_power(call)?;
    let x = call.input(0)?;
    let powers = absolute(reader, x)?;
    let powers = power(reader, &powers, p)?;
    let sum = sums::sum_over(reader, &powers, &places(x)?, true)?;
    power(reader, &sum, 1.0 / p)
}

/// The attribute `p`, 2 by default; a number of any kind in op set 1.
fn norm_power(call: &Call<'_>) -> Result<f64> {
    let p = call.int("p").map(|p| p as f64).or(call.float("p")).unwrap_or(2.0);
    if p < 1.0 { Err(Error::value(format!("p={p}; at least 1 is needed"))) } else { Ok(p) }
}

fn kernel_shape(call: &Call<'_>, axes: usize) -> Result<Vec<usize>> {
    call.ints("kernel_shape").ok_or_else(|| Error::format("kernel_shape is missing"))?;
    call.sizes("kernel_shape", axes, 1)
}

/// A pool over the last two axes, given how its window slides along them; then over the depth, if there is one.
fn pooled(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    x: &Operand,
    pool: &dyn Fn([&Slide; 2]) -> Result<Builtin>,
) -> Result<Operand> {
    let images = Images::new(x)?;
    let slides = slides(call, &kernel_shape(call, images.size().len())?, images.size())?;
    let (shape, planes) = (images.x.shape.clone(), images.count().saturating_mul(images.channels()));
    let y = match (&slides[..], images.size()) {
        ([right], &[l]) => one_pool(reader, &images.x, [planes, 1, l], pool([&Slide::STILL, right])?)?,
        ([down, right], &[h, w]) => one_pool(reader, &images.x, [planes, h, w], pool([down, right])?)?,
        ([deep, down, right], &[d, h, w]) => {
            let flat = one_pool(reader, &images.x, [planes.saturating_mul(d), h, w], pool([down, right])?)?;
            let [_, h, w] = flat.shape[..] else { unreachable!("a pool gives planes") };
            let y = one_pool(reader, &flat, [planes, d, h.saturating_mul(w)], pool([deep, &Slide::STILL])?)?;
            let full = [shape[0], shape[1], y.shape[1], h, w];
            return Ok(images.finish(reshaped(reader, &y, &full, None)?));
        }
        _ => unreachable!("a window has an axis for each of the image"),
    };
    let full = [&shape[..2], &y.shape[5 - shape.len()..]].concat();
    Ok(images.finish(reshaped(reader, &y, &full, None)?))
}

/// A pool of planes, `[planes, h, w]`.
fn one_pool(reader: &mut Reader<'_>, x: &Operand, shape: [usize; 3], pool: Builtin) -> Result<Operand> {
    let value = reader.value(x, &shape)?;
    let value = reader.graph.apply(pool, &[value], &[])?;
    Ok(Operand::sample(value, reader.graph.shape(value).to_vec(), None))
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
