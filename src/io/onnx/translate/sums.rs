//! Sums, means and extremes over axes.

use super::activations::{mapped, scaled};
use super::arithmetic::{product, size};
use super::shapes::reshaped;
use crate::error::Result;
use crate::io::onnx::array::Array;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{MaxPool2d, Sum};
use crate::shape::numel;
use crate::unary::{NormSqrt, Unary};

/// The axes that the node works over and whether they stay, with size 1; `None` if it works over none.
pub(super) fn over(call: &Call<'_>) -> Result<Option<(Vec<usize>, bool)>> {
    let (x, keep) = (call.input(0)?, call.int("keepdims").unwrap_or(1) != 0);
    match call.axes(1)?.filter(|axes| !axes.is_empty()) {
        Some(axes) => Ok(Some((axes, keep))),
        None if call.flag("noop_with_empty_axes") => Ok(None),
        None => Ok(Some(((0..x.rank()).collect(), keep))),
    }
}

/// The node's reduction, by a function of operand, axes, and whether they stay.
fn reduced(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    x: &Operand,
    f: impl FnOnce(&mut Reader<'_>, &Operand, &[usize], bool) -> Result<Operand>,
) -> Result<Operand> {
    match over(call)? {
        Some((axes, keep)) => f(reader, x, &axes, keep),
        None => Ok(x.clone()),
    }
}

/// The shape without the axes, or with size 1 there, and the batch's axis then.
fn left(x: &Operand, axes: &[usize], keep: bool) -> (Vec<usize>, Option<usize>) {
    if keep {
        let size = |axis: usize| if axes.contains(&axis) { 1 } else { x.shape[axis] };
        return ((0..x.rank()).map(size).collect(), x.batch);
    }
    let kept = (0..x.rank()).filter(|axis| !axes.contains(axis));
    let batch = x.batch.map(|batch| batch - axes.iter().filter(|&&axis| axis < batch).count());
    (kept.map(|axis| x.shape[axis]).collect(), batch)
}

fn summed(reader: &mut Reader<'_>, x: &Operand, axes: &[usize], keep: bool, mean: bool) -> Result<Operand> {
    // In a file for one sample the batch may be one of them.
    if let Some(axis) = x.own_batch().filter(|axis| reader.batch == Some(1) && axes.contains(axis)) {
        let others: Vec<usize> = axes.iter().copied().filter(|&other| other != axis).collect();
        let y = if others.is_empty() { x.clone() } else { summed(reader, x, &others, true, mean)? };
        let (shape, batch) = left(x, axes, keep);
        return reshaped(reader, &y, &shape, batch.filter(|_| keep));
    }
    let natural = axes.iter().map(|&axis| x.sample_axis(axis)).collect::<Result<Vec<_>>>()?;
    let (shape, batch) = left(x, axes, keep);
    let op = if mean { Sum::mean_over(natural) } else { Sum::over(natural) };
    reader.apply(op, &[x], shape, batch)
}

pub(super) fn mean_over(reader: &mut Reader<'_>, x: &Operand, axes: &[usize], keep: bool) -> Result<Operand> {
    summed(reader, x, axes, keep, true)
}

pub(super) fn sum_over(reader: &mut Reader<'_>, x: &Operand, axes: &[usize], keep: bool) -> Result<Operand> {
    summed(reader, x, axes, keep, false)
}

/// The largest entries over axes, one axis after another, each by a window as long as it is.
pub(super) fn max_over(reader: &mut Reader<'_>, x: &Operand, axes: &[usize], keep: bool) -> Result<Operand> {
    let mut y = x.clone();
    for &axis in axes {
        x.sample_axis(axis)?;
        let (size, mut shape) = (y.shape[axis], y.shape.clone());
        let plane = [numel(&shape[..axis]), size, numel(&shape[axis + 1..])];
        shape[axis] = 1;
        let op = MaxPool2d::new([size, 1]);
        y = match y.array() {
            Some(array) => {
                let flat = Array { shape: plane.to_vec(), ..array.clone() };
                let mut largest = Array::of_op(&op.into(), &[&flat])?;
                largest.shape = shape;
                Operand::constant(largest)
            }
            None => {
                let value = reader.value(&y, &plane)?;
                let value = reader.graph.apply(op, &[value], &[])?;
                Operand::sample(value, shape, x.batch)
            }
        };
    }
    let (shape, batch) = left(x, axes, keep);
    reshaped(reader, &y, &shape, batch)
}

pub(super) fn sum(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    Ok(reduced(reader, call, x, sum_over)?.of_kind(x.kind))
}

pub(super) fn mean(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    reduced(reader, call, call.input(0)?, mean_over)
}

pub(super) fn max(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    reduced(reader, call, call.input(0)?, max_over)
}

pub(super) fn min(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let minus = scaled(reader, call.input(0)?, -1.0)?;
    let largest = reduced(reader, call, &minus, max_over)?;
    scaled(reader, &largest, -1.0)
}

pub(super) fn l1(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let sizes = size(reader, call.input(0)?)?;
    reduced(reader, call, &sizes, sum_over)
}

pub(super) fn l2(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let squares = sum_of_squares(reader, call)?;
    mapped(reader, Unary::from(NormSqrt), &squares)
}

pub(super) fn sum_of_squares(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let squares = product(reader, x, x)?;
    reduced(reader, call, &squares, sum_over)
}
