//! The same entries in other shapes.

use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Is, Operand, axis_among};
use crate::io::onnx::reader::Reader;
use crate::ops::{Permute, Reshape};
use crate::shape::numel;

/// The entries of `x` in the shape `shape`, the batch before axis `batch`.
pub(super) fn reshaped(reader: &mut Reader<'_>, x: &Operand, shape: &[usize], batch: Option<usize>) -> Result<Operand> {
    match x.is {
        // The graph is told when an op needs the shape.
        Is::Sample(_) | Is::Sequence(_) => Ok(Operand { shape: shape.to_vec(), batch, ..x.clone() }),
        Is::Constant(..) if x.shape == shape => Ok(x.clone()),
        Is::Constant(..) => Ok(reader.apply(Reshape::new(shape), &[x], shape.to_vec(), None)?.of_kind(x.kind)),
    }
}

pub(super) fn reshape(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let asked = call.list("shape", 1)?.ok_or_else(|| Error::format("the shape is missing"))?;
    let copies = !call.flag("allowzero");
    let mut sizes = Vec::with_capacity(asked.len());
    for (axis, &size) in asked.iter().enumerate() {
        sizes.push(match size {
            0 if copies => *x.shape.get(axis).ok_or_else(|| misfit(x, &asked))? as i64,
            size => size,
        });
    }
    let shape = inferred(x, &sizes).or_else(|| {
        // A file for a fixed batch has its size in such shapes.
        let batch = i64::try_from(reader.batch?).ok()?;
        let mut alone = sizes.clone();
        let first = alone.iter_mut().find(|size| **size != 1 && **size % batch == 0)?;
        *first /= batch;
        inferred(x, &alone)
    });
    let shape = shape.ok_or_else(|| misfit(x, &asked))?;
    relaid(reader, x, &shape)
}

/// The entries of `x` in another shape, wherever the batch comes to lie.
fn relaid(reader: &mut Reader<'_>, x: &Operand, shape: &[usize]) -> Result<Operand> {
    // A file for one sample, or for a fixed number of them, may leave the batch out.
    let left_out = |&axis: &usize| reader.batch.is_some() && axis == 0 && shape.first() != Some(&1);
    let batch = x.batch_after_reshape(shape).filter(|axis| !left_out(axis));
    reshaped(reader, x, shape, batch)
}

fn misfit(x: &Operand, asked: &[i64]) -> Error {
    Error::shape(format!("a value of shape {:?} (for a batch of one) does not fit the shape {asked:?}", x.shape))
}

/// The shape with its -1 replaced by what is left, if the entries fit.
fn inferred(x: &Operand, sizes: &[i64]) -> Option<Vec<usize>> {
    let Ok(Some(shape)) = Reshape::inferred(sizes).map(|op| {
        use crate::ops::Op;
        op.shape(&[&x.shape], &[]).ok()
    }) else {
        return None;
    };
    Some(shape)
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
    if let Some(axis) = own.filter(|axis| axes.contains(axis)) {
        x.natural_axis(axis)?;
    }
    let shape: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.shape[axis]).collect();
    let batch = x.batch.map(|batch| batch - axes.iter().filter(|&&axis| axis < batch).count());
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
    let natural: Vec<usize> = kept.iter().map(|&axis| axis - usize::from(own.is_some_and(|b| b < axis))).collect();
    if natural.iter().enumerate().all(|(k, &axis)| k == axis) {
        return match own {
            Some(_) => Ok(Operand { shape, batch, ..x.clone() }),
            None => Ok(x.clone()),
        };
    }
    Ok(reader.apply(Permute::new(natural), &[x], shape, batch)?.of_kind(x.kind).seen(x.seen))
}
