//! Entries replaced or added up by numbers that may depend on the samples.

use super::activations::mapped;
use super::arithmetic::{plus, product};
use super::entrywise::own_batch;
use super::masks::{negated, number, related, select};
use super::orders::axis_last;
use super::parts::{cut, joined};
use super::picks::{Places, without_batch};
use super::shapes::{permuted, reshaped};
use super::steps::wrapped;
use super::sums::{max_over, sum_over};
use crate::backend::Relation;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{Put, Scale, Take};
use crate::shape::numel;

/// The most updates that are compared for every sample to find those with the same place.
const MOST_UPDATES: usize = 2048;

/// The effect of an update on an entry.
#[derive(Clone, Copy, PartialEq)]
enum Reduction {
    /// It is replaced, and of several updates the last one counts.
    Replace,
    Sum,
    Product,
    Max,
    Min,
}

impl Reduction {
    fn of_call(call: &Call<'_>) -> Result<Self> {
        match call.text("reduction").as_deref() {
            None | Some("none") => Ok(Reduction::Replace),
            Some("add") => Ok(Reduction::Sum),
            Some("mul") => Ok(Reduction::Product),
            Some("max") => Ok(Reduction::Max),
            Some("min") => Ok(Reduction::Min),
            Some(other) => Err(Error::unsupported(format!("the reduction '{other}' is not supported"))),
        }
    }
}

/// Tables `[s, rows, i]`, updates `[s, k, i]` and their rows `[s, k]`, without batch axes.
struct Update {
    tables: Operand,
    updates: Operand,
    ids: Operand,
}

impl Update {
    fn rows(&self) -> usize {
        self.tables.shape[1]
    }

    fn count(&self) -> usize {
        self.updates.shape[1]
    }

    fn apply(self, reader: &mut Reader<'_>, reduction: Reduction) -> Result<Operand> {
        match (reduction, self.ids.numbers()) {
            (Reduction::Sum, _) => {
                let sums = self.put(reader, &self.updates)?;
                plus(reader, &self.tables, &sums)
            }
            (Reduction::Replace, Some(ids)) => self.replaced_by_fixed(reader, ids),
            (Reduction::Replace, None) => self.replaced(reader),
            _ => self.reduced(reader, reduction),
        }
    }

    /// `updates` added up by row.
    fn put(&self, reader: &mut Reader<'_>, updates: &Operand) -> Result<Operand> {
        let shape = vec![updates.shape[0], self.rows(), updates.shape[2]];
        reader.apply(Put { rows: self.rows() }, &[updates, &self.ids.detached()], shape, None)
    }

    /// Every row is a row of the tables or an update, and it is known which.
    fn replaced_by_fixed(&self, reader: &mut Reader<'_>, ids: &Array) -> Result<Operand> {
        let (rows, count) = (self.rows(), self.count());
        let mut places = Vec::with_capacity(self.tables.shape[0] * rows);
        for table in ids.values.chunks(count.max(1)) {
            let mut from: Vec<usize> = (0..rows).collect();
            for (k, &id) in table.iter().enumerate() {
                let row = Some(id as usize).filter(|&row| id >= 0.0 && row < rows);
                *row.map(|row| &mut from[row]).ok_or_else(|| no_row(id, rows))? = rows + k;
            }
            places.extend(from.into_iter().map(|place| place as f64));
        }
        if count == 0 {
            return Ok(self.tables.clone());
        }
        let both = joined(reader, &[&self.tables, &self.updates], 1)?;
        let places = Operand::constant(Array::new(&self.tables.shape[..2], places, Kind::Whole));
        reader.apply(Take, &[&both, &places], self.tables.shape.clone(), None)
    }

    /// The last update of each row replaces the old row.
    fn replaced(&self, reader: &mut Reader<'_>) -> Result<Operand> {
        let last = self.last_of_row(reader)?;
        let updates = select(reader, &last, &self.updates, &number(0.0, Kind::Float))?;
        let (sums, covered) = (self.put(reader, &updates)?, self.put(reader, &last)?);
        select(reader, &covered, &sums, &self.tables)
    }

    /// Whether an update is the last one of its row: `[s, k, 1]`.
    fn last_of_row(&self, reader: &mut Reader<'_>) -> Result<Operand> {
        let (tables, count) = (self.tables.shape[0], self.count());
        if count > MOST_UPDATES {
            return Err(Error::unsupported(format!(
                "{count} updates at places that depend on the samples, more than {MOST_UPDATES}; add them up \
                 (reduction 'add') if no two come to one place"
            )));
        }
        let own = reshaped(reader, &self.ids, &[tables, count, 1], None)?;
        let other = reshaped(reader, &self.ids, &[tables, 1, count], None)?;
        let equal = related(reader, Relation::Equal, &own, &other)?;
        let later = (0..count * count).map(|k| f64::from(k % count > k / count)).collect();
        let later = Operand::constant(Array::new(&[1, count, count], later, Kind::Float));
        let overwritten = product(reader, &equal, &later)?;
        let overwritten = sum_over(reader, &overwritten, &[2], true)?;
        negated(reader, &overwritten)
    }

    /// The largest, the smallest or the product of an entry and all its updates.
    fn reduced(&self, reader: &mut Reader<'_>, reduction: Reduction) -> Result<Operand> {
        let (tables, rows, count, width) = (self.tables.shape[0], self.rows(), self.count(), self.tables.shape[2]);
        bounded(&[tables, rows, count, width])?;
        let places = Operand::constant(Array { shape: vec![1, rows, 1, 1], ..Array::list(0..rows) });
        let ids = reshaped(reader, &self.ids, &[tables, 1, count, 1], None)?;
        let here = related(reader, Relation::Equal, &ids, &places)?;
        let updates = reshaped(reader, &self.updates, &[tables, 1, count, width], None)?;
        let neutral = match reduction {
            Reduction::Product => 1.0,
            Reduction::Min => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        };
        let all = select(reader, &here, &updates, &number(neutral, Kind::Float))?;
        let old = reshaped(reader, &self.tables, &[tables, rows, 1, width], None)?;
        let all = joined(reader, &[&old, &all], 2)?;
        let y = match reduction {
            Reduction::Product => product_over(reader, &all, 2)?,
            Reduction::Min => {
                let minus = mapped(reader, Scale { factor: -1.0 }, &all)?;
                let largest = max_over(reader, &minus, &[2], true)?;
                mapped(reader, Scale { factor: -1.0 }, &largest)?
            }
            _ => max_over(reader, &all, &[2], true)?,
        };
        reshaped(reader, &y, &self.tables.shape, None)
    }
}

/// The product along an axis, by halves.
fn product_over(reader: &mut Reader<'_>, x: &Operand, axis: usize) -> Result<Operand> {
    let mut y = x.clone();
    while y.shape[axis] > 1 {
        let (size, half) = (y.shape[axis], y.shape[axis] / 2);
        let (first, second) = (cut(reader, &y, axis, 0..half)?, cut(reader, &y, axis, half..2 * half)?);
        let pairs = product(reader, &first, &second)?;
        y = match size % 2 {
            0 => pairs,
            _ => {
                let last = cut(reader, &y, axis, size - 1..size)?;
                joined(reader, &[&pairs, &last], axis)?
            }
        };
    }
    Ok(y)
}

fn no_row(id: f64, rows: usize) -> Error {
    Error::value(format!("an update at place {id}, where there are {rows} rows"))
}

/// Parts at places along the first axes replaced by others, or others added to them.
pub(super) fn scatter_nd(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, ids, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let reduction = Reduction::of_call(call)?;
    let places = Places::new(reader, x, ids, 0)?;
    let columns = ids.shape[ids.rank() - 1];
    let rest = &x.shape[columns..];
    if updates.shape != [&places.axes[..], rest].concat() {
        return Err(Error::shape(format!(
            "updates of shape {:?} at places of shape {:?} of a value of shape {:?}",
            updates.shape, ids.shape, x.shape
        )));
    }
    let batch = result_batch(x, updates, &places, columns)?;
    let (count, width) = (numel(&places.axes), numel(rest));
    let update = Update {
        tables: without_batch(reader, x, &[1, places.count, width])?,
        updates: without_batch(reader, updates, &[1, count, width])?,
        ids: places.rows,
    };
    let y = update.apply(reader, reduction)?;
    Ok(reshaped(reader, &y, &x.shape, batch)?.of_kind(x.kind))
}

/// The batch axis of a result of ScatterND.
///
/// # Errors
/// Updates of one sample would change all samples.
fn result_batch(x: &Operand, updates: &Operand, places: &Places, columns: usize) -> Result<Option<usize>> {
    let in_updates = updates.own_batch().or(places.batch.filter(|_| !updates.is_constant()));
    let in_rest = in_updates.and_then(|own| own.checked_sub(places.axes.len())).map(|own| own + columns);
    match (x.own_batch(), in_rest) {
        (Some(own), _) if places.from_batch => Ok(Some(own)),
        (Some(own), Some(rest)) if own == rest => Ok(Some(own)),
        (Some(own), _) if in_updates.is_none() && places.batch.is_none() => Ok(Some(own)),
        (Some(_), _) => Err(Error::unsupported("updates of every sample would change all samples, which mixes them")),
        (None, Some(rest)) => Ok(Some(rest)),
        // A fixed value of which every sample has one: along the axis of size 1 that the places have a 0 for.
        (None, None) => Ok((0..columns).find(|&axis| x.shape[axis] == 1)),
    }
}

/// Entries at places along an axis replaced by others, or others added to them.
pub(super) fn scatter_elements(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, ids, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let axis = x.axis(call.int("axis").unwrap_or(0))?;
    let reduction = Reduction::of_call(call)?;
    let fits = |k: usize| k == axis || ids.shape[k] <= x.shape[k];
    if ids.rank() != x.rank() || updates.shape != ids.shape || !(0..x.rank()).all(fits) {
        return Err(Error::shape(format!(
            "updates of shape {:?} at places of shape {:?} of a value of shape {:?}",
            updates.shape, ids.shape, x.shape
        )));
    }
    let ids = wrapped(reader, ids, x.shape[axis])?;
    Ok(scattered(reader, x, &ids, updates, axis, reduction)?.of_kind(x.kind))
}

fn scattered(
    reader: &mut Reader<'_>,
    x: &Operand,
    ids: &Operand,
    updates: &Operand,
    axis: usize,
    reduction: Reduction,
) -> Result<Operand> {
    x.sample_axis(axis)?;
    // What the places do not reach stays.
    if let Some(k) = (0..x.rank()).find(|&k| k != axis && ids.shape[k] < x.shape[k]) {
        let (reached, size) = (ids.shape[k], x.shape[k]);
        let (first, rest) = (cut(reader, x, k, 0..reached)?, cut(reader, x, k, reached..size)?);
        let first = scattered(reader, &first, ids, updates, axis, reduction)?;
        return joined(reader, &[&first, &rest], k);
    }
    let swapped = axis_last(x.rank(), axis);
    let [x, ids, updates] = [x, ids, updates].map(|operand| permuted(reader, operand, &swapped));
    let (x, ids, updates) = (x?, ids?, updates?);
    let own = own_batch(&[x.clone(), ids.clone(), updates.clone()])?;
    let (rows, count) = (x.shape[x.rank() - 1], ids.shape[ids.rank() - 1]);
    let tables = numel(&x.shape[..x.rank() - 1]);
    let update = Update {
        tables: without_batch(reader, &x, &[tables, rows, 1])?,
        updates: without_batch(reader, &updates, &[tables, count, 1])?,
        ids: without_batch(reader, &ids, &[tables, count])?,
    };
    let y = update.apply(reader, reduction)?;
    let y = reshaped(reader, &y, &x.shape, own.or(x.batch).or(updates.batch))?;
    permuted(reader, &y, &swapped)
}
