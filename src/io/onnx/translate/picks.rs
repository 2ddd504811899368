//! Entries by numbers that may depend on the samples.

use super::activations::scaled;
use super::arithmetic::plus;
use super::entrywise::own_batch;
use super::masks::{number, related, select};
use super::orders::axis_last;
use super::parts::{cut, gathered, without_padding_row};
use super::shapes::{permuted, reshaped};
use super::steps::{within, wrapped};
use crate::backend::Relation;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Is, Operand};
use crate::io::onnx::reader::Reader;
use crate::ops::{Builtin, Embedding, Take};
use crate::shape::numel;

/// `op` on operands whose batch axis, if one of them has it, has the same place in all of them.
pub(super) fn apply_aligned(
    reader: &mut Reader<'_>,
    op: impl Into<Builtin>,
    operands: &[Operand],
    shape: Vec<usize>,
) -> Result<Operand> {
    let own = own_batch(operands)?;
    if let Some(axis) = own
        && let Some(x) = operands.iter().find(|x| x.shape.get(axis) != Some(&1))
    {
        return Err(Error::shape(format!("a value of shape {:?} has no batch of one along axis {axis}", x.shape)));
    }
    let batch = own.or(operands.iter().find_map(|x| x.batch));
    let placed: Vec<Operand> = operands.iter().map(|x| Operand { batch: own, ..x.clone() }).collect();
    reader.apply(op, &placed.iter().collect::<Vec<_>>(), shape, batch)
}

/// The entries of one sample in the shape `shape`, without a batch axis.
pub(super) fn without_batch(reader: &mut Reader<'_>, x: &Operand, shape: &[usize]) -> Result<Operand> {
    reshaped(reader, x, shape, None)
}

pub(super) fn gather_elements(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis").unwrap_or(0))?;
    let ids = wrapped(reader, call.input(1)?, x.shape[axis])?;
    along(reader, x, &ids, axis)
}

/// Entries of `x` along `axis` by numbers that have the shape of the result.
pub(super) fn along(reader: &mut Reader<'_>, x: &Operand, ids: &Operand, axis: usize) -> Result<Operand> {
    let fits = |k: usize| k == axis || ids.shape[k] <= x.shape[k];
    if ids.rank() != x.rank() || !(0..x.rank()).all(fits) {
        return Err(Error::shape(format!(
            "numbers of shape {:?} do not pick entries of a value of shape {:?} along axis {axis}",
            ids.shape, x.shape
        )));
    }
    x.sample_axis(axis)?;
    let mut lines = x.clone();
    for k in (0..x.rank()).filter(|&k| k != axis) {
        lines = cut(reader, &lines, k, 0..ids.shape[k])?;
    }
    let swapped = axis_last(x.rank(), axis);
    let lines = permuted(reader, &lines, &swapped)?;
    let ids = permuted(reader, &ids.detached(), &swapped)?;
    let rows = reshaped(reader, &lines, &[&lines.shape[..], &[1]].concat(), lines.batch)?;
    let y = apply_aligned(reader, Take, &[rows, ids.clone()], [&ids.shape[..], &[1]].concat())?;
    let y = reshaped(reader, &y, &ids.shape, y.batch)?;
    Ok(permuted(reader, &y, &swapped)?.of_kind(x.kind))
}

/// Entries of `x` along an axis by numbers that depend on the samples.
pub(super) fn by_number(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    x: &Operand,
    ids: &Operand,
    axis: usize,
) -> Result<Operand> {
    if !x.is_constant() {
        x.sample_axis(axis)?;
    }
    if x.own_batch().is_some() && ids.own_batch().is_some() {
        return Err(all_pairs());
    }
    let mut front: Vec<usize> = (0..x.rank()).collect();
    front.remove(axis);
    front.insert(0, axis);
    let tables = permuted(reader, x, &front)?;
    let others = tables.shape[1..].to_vec();
    let tables_flat = without_batch(reader, &tables, &[x.shape[axis], numel(&others)])?;
    let places = match &ids.is {
        // They are checked when samples are read.
        Is::Sample(value) if reader.graph.is_from_input(*value) => ids.clone(),
        _ => wrapped(reader, ids, x.shape[axis])?,
    };
    let y = if x.is_constant() {
        embedded(reader, call, &tables_flat, &places)?
    } else {
        let places = without_batch(reader, &places, &[numel(&ids.shape)])?;
        rows_by_number(reader, call, &tables_flat, &places)?
    };
    let shape = [&ids.shape[..], &others].concat();
    let batch = match tables.own_batch() {
        Some(batch) => Some(ids.rank() + batch - 1),
        None => ids.batch,
    };
    let y = reshaped(reader, &y, &shape, batch)?;
    // The axes of the numbers belong where the axis was.
    let rank = shape.len();
    let mut order: Vec<usize> = (ids.rank()..ids.rank() + axis).collect();
    order.extend(0..ids.rank());
    order.extend(ids.rank() + axis..rank);
    Ok(permuted(reader, &y, &order)?.of_kind(x.kind))
}

fn all_pairs() -> Error {
    Error::unsupported(
        "it picks entries of all samples by the numbers of all samples, which mixes samples; GatherElements, or GatherND \
         with batch_dims, picks entries of each sample by its own numbers",
    )
}

/// Rows of tables `[s, rows, i]` by numbers `[s, k]`, without batch axes: `[s, k, i]`. A single table that is fixed or a
/// parameter is an embedding.
fn rows_by_number(reader: &mut Reader<'_>, call: &Call<'_>, tables: &Operand, ids: &Operand) -> Result<Operand> {
    let shape = [&ids.shape[..], &tables.shape[tables.rank() - 1..]].concat();
    if tables.rank() == 2 && tables.is_constant() && !ids.is_constant() {
        return embedded(reader, call, tables, ids);
    }
    reader.apply(Take, &[tables, &ids.detached()], shape, None)
}

/// Rows of a table `[rows, i]` that is fixed or a parameter.
fn embedded(reader: &mut Reader<'_>, call: &Call<'_>, table: &Operand, ids: &Operand) -> Result<Operand> {
    let shape = [&ids.shape[..], &table.shape[1..]].concat();
    let table = without_padding_row(reader, call, table)?;
    let table = reader.weight(&table, "weight")?;
    let numbers = reader.sample_value(ids)?;
    let value = reader.graph.apply(Embedding, &[numbers], &[table])?;
    Ok(Operand::sample(value, shape, ids.batch))
}

/// The places that the last axis of `ids` gives, one number for each of several axes of `x`, from `first` on.
pub(super) struct Places {
    /// The place of each as the number of a row of `x` whose axes are made one: `[s, k]`, without a batch axis.
    pub rows: Operand,
    /// How many rows there are.
    pub count: usize,
    /// The axes k, and the batch's axis among all axes of the numbers.
    pub axes: Vec<usize>,
    pub batch: Option<usize>,
    /// The batch axis of `x` is one of the axes that are picked from.
    pub from_batch: bool,
}

impl Places {
    pub fn new(reader: &mut Reader<'_>, x: &Operand, ids: &Operand, first: usize) -> Result<Self> {
        let misfit = || {
            Error::shape(format!(
                "places of shape {:?} do not fit a value of shape {:?}, of which {first} axes are batches",
                ids.shape, x.shape
            ))
        };
        let (&columns, axes) = ids.shape.split_last().ok_or_else(misfit)?;
        let fits = columns > 0 && first + columns <= x.rank() && axes.get(..first) == Some(&x.shape[..first]);
        if !fits {
            return Err(misfit());
        }
        let own = x.own_batch();
        let picked: Vec<usize> = (first..first + columns).collect();
        let several = picked.iter().filter(|&&axis| Some(axis) != own).count() > 1;
        let (mut rows, mut samples) = (None, Vec::new());
        let mut count = 1;
        for (column, &axis) in picked.iter().enumerate() {
            let place = cut(reader, &ids.detached(), ids.rank() - 1, column..column + 1)?;
            let place = reshaped(reader, &place, axes, place.batch)?;
            if Some(axis) == own {
                samples.push(place);
                continue;
            }
            let place = wrapped(reader, &place, x.shape[axis])?;
            let place = if several { within(reader, &place, x.shape[axis])? } else { place };
            count *= x.shape[axis];
            rows = Some(match rows {
                None => place,
                Some(above) => {
                    let above = scaled(reader, &above, x.shape[axis] as f64)?;
                    plus(reader, &above, &place)?
                }
            });
        }
        let nowhere_else = || Operand::constant(Array::new(axes, vec![0.0; numel(axes)], Kind::Whole));
        let mut rows = rows.unwrap_or_else(nowhere_else);
        for place in &samples {
            rows = own_sample(reader, &rows, place)?;
        }
        let lead = x.own_batch().or(ids.own_batch()).filter(|&batch| batch < first);
        let tables = numel(&without(&x.shape[..first], lead));
        let batch = ids.own_batch().or(rows.batch);
        let rows = without_batch(reader, &rows, &[tables, numel(&axes[first..])])?;
        let from_batch = own.is_some_and(|axis| picked.contains(&axis));
        Ok(Places { rows, count, axes: axes[first..].to_vec(), batch, from_batch })
    }
}

/// Sizes without one of them.
fn without(shape: &[usize], axis: Option<usize>) -> Vec<usize> {
    (0..shape.len()).filter(|&k| Some(k) != axis).map(|k| shape[k]).collect()
}

/// `rows` where a place along the batch axis is 0, the sample itself; else no row.
fn own_sample(reader: &mut Reader<'_>, rows: &Operand, place: &Operand) -> Result<Operand> {
    if let Some(array) = place.numbers() {
        return if array.values.iter().all(|&place| place == 0.0 || place == -1.0) {
            Ok(rows.clone())
        } else {
            Err(Error::unsupported("it picks other samples by number, and so mixes samples"))
        };
    }
    let own = related(reader, Relation::Equal, place, &number(0.0, Kind::Whole))?;
    select(reader, &own, rows, &number(f64::INFINITY, Kind::Float))
}

/// Entries, or parts, by places along several axes.
pub(super) fn gather_nd(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, ids) = (call.input(0)?, call.input(1)?);
    let first = usize::try_from(call.int("batch_dims").unwrap_or(0))
        .map_err(|_| Error::value("GatherND: batch_dims is negative"))?;
    if let (Some(&1), 0, Some(_)) = (ids.shape.last(), first, ids.numbers()) {
        let shape = &ids.shape[..ids.rank() - 1];
        let ids = reshaped(reader, ids, shape, None)?;
        return gathered(reader, call, x, &ids, x.axis(0)?);
    }
    let places = Places::new(reader, x, ids, first)?;
    let columns = ids.shape[ids.rank() - 1];
    let rest = &x.shape[first + columns..];
    let shape = [&x.shape[..first], &places.axes, rest].concat();
    let batch = match x.own_batch() {
        Some(own) if own < first => Some(own),
        Some(own) if own >= first + columns => match ids.own_batch() {
            Some(_) => return Err(all_pairs()),
            None => Some(own - columns + places.axes.len()),
        },
        // The batch of the numbers; if they are fixed, an axis of size 1 is the batch that they were made for.
        Some(_) if ids.is_constant() => match places.axes.iter().position(|&size| size == 1) {
            Some(axis) => Some(first + axis),
            None => return Err(x.sample_axis(x.own_batch().unwrap_or(0)).err().unwrap_or_else(all_pairs)),
        },
        _ => places.batch,
    };
    let entries = numel(&x.shape[..first]) * numel(rest);
    let [tables, _] = places.rows.shape[..] else { unreachable!("places have two axes") };
    let width = entries.checked_div(tables).unwrap_or(0);
    let table = match tables {
        1 => vec![places.count, width],
        _ => vec![tables, places.count, width],
    };
    let x_rows = without_batch(reader, x, &table)?;
    let rows = match tables {
        1 => without_batch(reader, &places.rows, &[numel(&places.axes)])?,
        _ => places.rows,
    };
    let y = rows_by_number(reader, call, &x_rows, &rows)?;
    Ok(reshaped(reader, &y, &shape, batch)?.of_kind(x.kind))
}
