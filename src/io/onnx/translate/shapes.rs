//! The same entries in other shapes.

use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Is, Operand, axis_among};
use crate::io::onnx::reader::Reader;
use crate::ops::{Op, Permute, Reshape};
use crate::shape::numel;

/// The entries of `x` in the shape `shape`, the batch before axis `batch`.
pub(super) fn reshaped(reader: &mut Reader<'_>, x: &Operand, shape: &[usize], batch: Option<usize>) -> Result<Operand> {
    match x.is {
        // It is recorded when an op needs the shape.
        Is::Sample(_) | Is::Sequence(_) => Ok(Operand { shape: shape.to_vec(), batch, ..x.clone() }),
        Is::Constant(..) if x.shape == shape => Ok(x.clone()),
        Is::Constant(..) => Ok(reader.apply(Reshape::new(shape), &[x], shape.to_vec(), None)?.of_kind(x.kind)),
    }
}

pub(super) fn reshape(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let asked = call.list("shape", 1)?.ok_or_else(|| Error::format("the shape is missing"))?;
    let batch = reader.batch.filter(|&batch| batch > 1 && !x.is_constant());
    let whole = match batch {
        Some(batch) => whole_batch(x, batch)?,
        None => x.shape.clone(),
    };
    let copies = !call.flag("allowzero");
    let mut sizes = Vec::with_capacity(asked.len());
    for (axis, &size) in asked.iter().enumerate() {
        sizes.push(match size {
            0 if copies => *whole.get(axis).ok_or_else(|| misfit(x, &asked))? as i64,
            size => size,
        });
    }
    let shape = inferred(&whole, &sizes);
    match batch {
        Some(batch) => {
            let shape = shape.and_then(|shape| one_sample(x, shape, batch));
            let (shape, axis) = shape.ok_or_else(|| misfit(x, &asked).context(ONE_SAMPLE))?;
            reshaped(reader, x, &shape, Some(axis))
        }
        None => relaid(reader, x, &shape.ok_or_else(|| misfit(x, &asked))?),
    }
}

const ONE_SAMPLE: &str =
    "the file is for a fixed batch, which this cannot be divided by; export it with a batch of one";

/// The shape of `x` for all samples of a file for a fixed batch.
fn whole_batch(x: &Operand, batch: usize) -> Result<Vec<usize>> {
    let mut shape = x.shape.clone();
    match x.batch.and_then(|axis| shape.get_mut(axis)) {
        Some(size) => *size = size.saturating_mul(batch),
        None => return Err(Error::unsupported(ONE_SAMPLE)),
    }
    Ok(shape)
}

/// The part of one sample in a shape for all samples of a fixed batch, and the axis that the batch is in.
fn one_sample(x: &Operand, mut shape: Vec<usize>, batch: usize) -> Option<(Vec<usize>, usize)> {
    let before: usize = x.shape[..x.batch?].iter().product();
    let divides = |&axis: &usize| {
        shape[..axis].iter().product::<usize>() == before && shape[axis] > 0 && shape[axis].is_multiple_of(batch)
    };
    let axes: Vec<usize> = (0..shape.len()).filter(divides).collect();
    let axis = axes.iter().copied().find(|&axis| shape[axis] == batch).or(axes.first().copied())?;
    shape[axis] /= batch;
    Some((shape, axis))
}

/// The entries of `x` in another shape, with the batch where these entries put it.
fn relaid(reader: &mut Reader<'_>, x: &Operand, shape: &[usize]) -> Result<Operand> {
    // A file for one sample may leave the batch out.
    let left_out = |&axis: &usize| reader.batch == Some(1) && axis == 0 && shape.first() != Some(&1);
    let batch = x.batch_after_reshape(shape).filter(|axis| !left_out(axis));
    reshaped(reader, x, shape, batch)
}

fn misfit(x: &Operand, asked: &[i64]) -> Error {
    Error::shape(format!("a value of shape {:?} (for a batch of one) does not fit the shape {asked:?}", x.shape))
}

/// The shape with its -1 replaced by the remaining size, if the entries fit.
fn inferred(shape: &[usize], sizes: &[i64]) -> Option<Vec<usize>> {
    Reshape::inferred(sizes).ok()?.shape(&[shape], &[]).ok()
}

/// Everything before an axis made one, and everything from it on.
pub(super) fn flatten(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let axis = call.int("axis").unwrap_or(1);
    // It may be the end.
    let axis = axis_among(axis, x.rank() + usize::from(axis >= 0))
        .ok_or_else(|| Error::shape(format!("axis {axis} of a value of shape {:?}", x.shape)))?;
    let shape = [numel(&x.shape[..axis]), numel(&x.shape[axis..])];
    relaid(reader, x, &shape)
}

pub(super) fn squeeze(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    // Without axes all of size 1 go, but never the batch's, which has that size only here.
    let own = x.own_batch();
    let all = || (0..x.rank()).filter(|&axis| x.shape[axis] == 1 && Some(axis) != own).collect();
    let axes = call.axes(1)?.unwrap_or_else(all);
    if let Some(axis) = axes.iter().find(|&&axis| x.shape[axis] != 1) {
        return Err(Error::shape(format!("axis {axis} of a value of shape {:?} is not of size 1", x.shape)));
    }
    if let Some(axis) = own.filter(|axis| axes.contains(axis) && reader.batch != Some(1)) {
        x.sample_axis(axis)?;
    }
    let shape: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.shape[axis]).collect();
    let batch = x.batch.filter(|batch| !axes.contains(batch));
    let batch = batch.map(|batch| batch - axes.iter().filter(|&&axis| axis < batch).count());
    reshaped(reader, x, &shape, batch)
}

pub(super) fn unsqueeze(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let list = call.list("axes", 1)?.ok_or_else(|| Error::format("the axes are missing"))?;
    let rank = x.rank() + list.len();
    let axes: Option<Vec<usize>> = list.iter().map(|&axis| axis_among(axis, rank)).collect();
    let axes = axes.filter(|axes| (1..axes.len()).all(|k| !axes[..k].contains(&axes[k])));
    let axes = axes.ok_or_else(|| Error::shape(format!("new axes {list:?} of a value of shape {:?}", x.shape)))?;
    let (mut old, mut shape, mut batch) = (0, Vec::with_capacity(rank), None);
    for axis in 0..rank {
        if axes.contains(&axis) {
            shape.push(1);
            continue;
        }
        if x.batch == Some(old) {
            batch = Some(axis);
        }
        shape.push(x.shape[old]);
        old += 1;
    }
    if x.batch == Some(x.rank()) {
        batch = Some(rank);
    }
    reshaped(reader, x, &shape, batch)
}

/// With a new axis of size 1 before axis `axis`.
pub(super) fn unsqueezed(reader: &mut Reader<'_>, x: &Operand, axis: usize) -> Result<Operand> {
    let mut shape = x.shape.clone();
    shape.insert(axis, 1);
    let batch = x.batch.map(|batch| if batch >= axis { batch + 1 } else { batch });
    reshaped(reader, x, &shape, batch)
}

/// Without axis `axis`, of size 1.
pub(super) fn squeezed(reader: &mut Reader<'_>, x: &Operand, axis: usize) -> Result<Operand> {
    let mut shape = x.shape.clone();
    shape.remove(axis);
    let batch = x.batch.map(|batch| if batch > axis { batch - 1 } else { batch });
    reshaped(reader, x, &shape, batch)
}

pub(super) fn transpose(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let order = match call.ints("perm") {
        Some(list) => list.iter().map(|&axis| x.axis(axis)).collect::<Result<Vec<_>>>()?,
        None => (0..x.rank()).rev().collect(),
    };
    permuted(reader, x, &order)
}

/// Axis k of the result is axis `order[k]` of `x`.
pub(super) fn permuted(reader: &mut Reader<'_>, x: &Operand, order: &[usize]) -> Result<Operand> {
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..x.rank()) {
        return Err(Error::shape(format!("{order:?} is no order of the axes of a value of shape {:?}", x.shape)));
    }
    let shape: Vec<usize> = order.iter().map(|&axis| x.shape[axis]).collect();
    let batch = x.batch.and_then(|batch| order.iter().position(|&axis| axis == batch));
    let own = x.own_batch();
    let kept: Vec<usize> = order.iter().filter(|&&axis| Some(axis) != own).copied().collect();
    let own_order: Vec<usize> = kept.iter().map(|&axis| axis - usize::from(own.is_some_and(|b| b < axis))).collect();
    if own_order.iter().enumerate().all(|(k, &axis)| k == axis) {
        return match own {
            Some(_) => Ok(Operand { shape, batch, ..x.clone() }),
            None => Ok(x.clone()),
        };
    }
    Ok(reader.apply(Permute::new(own_order), &[x], shape, batch)?.of_kind(x.kind).with_hint(x.hint))
}
