//! Parts of values, values put together, and copies.

use super::picks::by_number;
use super::shapes::reshaped;
use crate::error::{Error, Result};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{Concat, Slice};
use crate::shape::broadcast;

/// The most pieces that a value is cut into or put together from.
const MOST_PIECES: usize = 1 << 12;

pub(super) fn concat(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let all = call.all()?;
    let axis = all[0].axis(call.int("axis").unwrap_or(1))?;
    joined(reader, &all, axis)
}

/// Operands one after another along an axis.
pub(super) fn joined(reader: &mut Reader<'_>, all: &[&Operand], axis: usize) -> Result<Operand> {
    if let [one] = all {
        return Ok((*one).clone());
    }
    let first = all.iter().find(|x| !x.is_constant()).unwrap_or(&all[0]);
    let natural = first.sample_axis(axis)?;
    let alike =
        |x: &&&Operand| x.rank() == first.rank() && (0..x.rank()).all(|k| k == axis || x.shape[k] == first.shape[k]);
    let total = all.iter().try_fold(0usize, |sum, x| sum.checked_add(*x.shape.get(axis)?));
    let Some(total) = total.filter(|_| all.iter().all(|x| alike(&x))) else {
        let shapes: Vec<_> = all.iter().map(|x| &x.shape).collect();
        return Err(Error::shape(format!("shapes {shapes:?} do not fit along axis {axis}")));
    };
    let mut shape = first.shape.clone();
    shape[axis] = total;
    let own = first.own_batch();
    if all.iter().any(|x| !x.is_constant() && x.own_batch() != own) {
        return Err(Error::unsupported("the batch is another axis in one of its inputs than in another"));
    }
    // A constant has the batch's axis as all others have it.
    let placed: Vec<Operand> = all.iter().map(|&x| Operand { batch: own.or(x.batch), ..x.clone() }).collect();
    let y = reader.apply(Concat { axis: natural }, &placed.iter().collect::<Vec<_>>(), shape, first.batch)?;
    Ok(y.of_kind(first.kind))
}

/// A range along an axis.
pub(super) fn cut(reader: &mut Reader<'_>, x: &Operand, axis: usize, range: std::ops::Range<usize>) -> Result<Operand> {
    if range == (0..x.shape[axis]) {
        return Ok(x.clone());
    }
    let mut shape = x.shape.clone();
    shape[axis] = range.len();
    let op = Slice { axis: x.sample_axis(axis)?, range };
    Ok(reader.apply(op, &[x], shape, x.batch)?.of_kind(x.kind))
}

/// The entries with these numbers along an axis, in this order.
pub(super) fn taken(reader: &mut Reader<'_>, x: &Operand, axis: usize, numbers: &[usize]) -> Result<Operand> {
    if numbers.iter().copied().eq(0..x.shape[axis]) {
        return Ok(x.clone());
    }
    x.sample_axis(axis)?;
    if let Some(y) = every_other(reader, x, axis, numbers)? {
        return Ok(y);
    }
    // Runs of neighbours are cut out at once.
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some(run) if run.end == number => run.end += 1,
            _ => runs.push(number..number + 1),
        }
    }
    if runs.len() > MOST_PIECES {
        return Err(Error::unsupported(format!("it takes {} pieces apart, more than {MOST_PIECES}", runs.len())));
    }
    if runs.is_empty() {
        return cut(reader, x, axis, 0..0);
    }
    let pieces = runs.into_iter().map(|run| cut(reader, x, axis, run)).collect::<Result<Vec<_>>>()?;
    joined(reader, &pieces.iter().collect::<Vec<_>>(), axis)
}

/// Every k-th entry of a line that k divides, by one cut: the line seen as rows of k.
fn every_other(reader: &mut Reader<'_>, x: &Operand, axis: usize, numbers: &[usize]) -> Result<Option<Operand>> {
    let (&[first, second, ..], size) = (numbers, x.shape[axis]) else { return Ok(None) };
    let Some(step) = second.checked_sub(first).filter(|&step| step > 1 && size.is_multiple_of(step) && first < step)
    else {
        return Ok(None);
    };
    if !numbers.iter().copied().eq((first..size).step_by(step)) {
        return Ok(None);
    }
    let mut rows = x.shape.clone();
    rows.splice(axis..=axis, [size / step, step]);
    let batch = x.batch.map(|batch| if batch > axis { batch + 1 } else { batch });
    let lines = reshaped(reader, x, &rows, batch)?;
    let column = cut(reader, &lines, axis + 1, first..first + 1)?;
    let mut shape = x.shape.clone();
    shape[axis] = numbers.len();
    reshaped(reader, &column, &shape, x.batch).map(Some)
}

/// Ranges along axes, with steps; lists are attributes before op set 10.
pub(super) fn slice(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let mut x = call.input(0)?.clone();
    let missing = || Error::format("the range is missing");
    let starts = call.list("starts", 1)?.ok_or_else(missing)?;
    let ends = call.list("ends", 2)?.ok_or_else(missing)?;
    let axes = call.list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return Err(Error::format("starts, ends, axes and steps are of unlike lengths"));
    }
    for k in 0..starts.len() {
        let axis = x.axis(axes[k])?;
        let numbers = numbers(x.shape[axis], starts[k], ends[k], steps[k])?;
        // A slice of the whole batch is the whole batch for any size.
        let all = starts[k] == 0 && steps[k] == 1 && ends[k] >= i64::from(i32::MAX);
        if !(Some(axis) == x.own_batch() && all) {
            if Some(axis) == x.own_batch() {
                x.sample_axis(axis)?;
            }
            x = taken(reader, &x, axis, &numbers)?;
        }
    }
    Ok(x)
}

/// The numbers from `start` to `end` in steps, as numpy counts them.
fn numbers(size: usize, start: i64, end: i64, step: i64) -> Result<Vec<usize>> {
    let size = size as i64;
    let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
    if step == 0 {
        return Err(Error::value("a step of 0"));
    }
    let at = |place: i64| if place < 0 { place.saturating_add(size) } else { place }.clamp(low, high);
    let (mut place, end) = (at(start), if step < 0 && end < -size { -1 } else { at(end) });
    let mut list = Vec::new();
    while (step > 0 && place < end) || (step < 0 && place > end) {
        list.push(place as usize);
        place = place.saturating_add(step);
    }
    Ok(list)
}

/// Parts of given sizes along an axis, or equal ones.
pub(super) fn split(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    let x = call.input(0)?;
    let axis = x.axis(call.int("axis").unwrap_or(0))?;
    match call.list("split", 1)? {
        Some(list) => parted(reader, x, axis, &sizes(&list)?),
        None => {
            // The last part is smaller if the parts do not divide the whole.
            let each = x.shape[axis].div_ceil(call.node.output.len().max(1)).max(1);
            parted(reader, x, axis, &equal(x.shape[axis], each))
        }
    }
}

pub(super) fn sizes(list: &[i64]) -> Result<Vec<usize>> {
    list.iter().map(|&size| usize::try_from(size).map_err(|_| Error::value(format!("a part of size {size}")))).collect()
}

/// Parts of one size, but for the last.
pub(super) fn equal(size: usize, each: usize) -> Vec<usize> {
    crate::shape::blocks(size, each).into_iter().map(|part| part.len()).collect()
}

pub(super) fn parted(reader: &mut Reader<'_>, x: &Operand, axis: usize, sizes: &[usize]) -> Result<Vec<Operand>> {
    if sizes.iter().try_fold(0usize, |sum, &part| sum.checked_add(part)) != Some(x.shape[axis]) {
        return Err(Error::shape(format!("parts of {sizes:?} along axis {axis} of a value of shape {:?}", x.shape)));
    }
    if sizes.len() > MOST_PIECES {
        return Err(Error::unsupported(format!("{} parts, more than {MOST_PIECES}", sizes.len())));
    }
    x.sample_axis(axis)?;
    let mut start = 0;
    let mut part = |size: usize| {
        start += size;
        cut(reader, x, axis, start - size..start)
    };
    sizes.iter().map(|&size| part(size)).collect()
}

/// Rows of a table by the numbers in a value, or fixed entries of a value along an axis.
pub(super) fn gather(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, numbers) = (call.input(0)?, call.input(1)?);
    gathered(reader, call, x, numbers, x.axis(call.int("axis").unwrap_or(0))?)
}

pub(super) fn gathered(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    x: &Operand,
    numbers: &Operand,
    axis: usize,
) -> Result<Operand> {
    if let Some(list) = numbers.array() {
        let size = x.shape[axis] as i64;
        let places: Option<Vec<usize>> =
            list.whole().iter().map(|&k| usize::try_from(if k < 0 { k + size } else { k }).ok()).collect();
        let places = places.filter(|places| places.iter().all(|&place| place < size as usize));
        let places = places.ok_or_else(|| Error::value(format!("numbers beyond the {size} entries of axis {axis}")))?;
        if x.own_batch() == Some(axis) && reader.batch == Some(1) {
            return only_sample(reader, x, numbers, axis);
        }
        x.sample_axis(axis)?;
        let y = taken(reader, x, axis, &places)?;
        let shape = [&x.shape[..axis], &numbers.shape, &x.shape[axis + 1..]].concat();
        let batch = x.batch.map(|batch| if batch > axis { batch + numbers.rank() - 1 } else { batch });
        return reshaped(reader, &y, &shape, batch);
    }
    by_number(reader, call, x, numbers, axis)
}

/// The only sample of a file for one, by its number.
fn only_sample(reader: &mut Reader<'_>, x: &Operand, numbers: &Operand, axis: usize) -> Result<Operand> {
    if numbers.rank() > 0 {
        // The axis stays.
        return Ok(x.clone());
    }
    let shape = [&x.shape[..axis], &x.shape[axis + 1..]].concat();
    reshaped(reader, x, &shape, None)
}

/// The table of PyTorch's `nn.Embedding(padding_idx=k)`: row k has no gradient.
pub(super) fn without_padding_row(reader: &mut Reader<'_>, call: &Call<'_>, table: &Operand) -> Result<Operand> {
    let torch = call.torch().filter(|torch| torch.target.starts_with("aten.embedding"));
    let row = torch.and_then(|torch| torch.argument(2)?.parse().ok());
    let Some(row) = row.filter(|&row: &usize| table.is_trainable() && row < table.shape[0]) else {
        return Ok(table.clone());
    };
    let parts = [0..row, row..row + 1, row + 1..table.shape[0]];
    let mut rows = parts.map(|range| cut(reader, table, 0, range));
    if let Ok(row) = &mut rows[1] {
        *row = row.detached();
    }
    let rows = rows.into_iter().collect::<Result<Vec<_>>>()?;
    let rows: Vec<&Operand> = rows.iter().filter(|rows| rows.shape[0] > 0).collect();
    joined(reader, &rows, 0)
}

/// Stretched to a shape along axes of size 1.
pub(super) fn expand(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let asked = call.known(1)?.whole();
    let own = x.own_batch();
    let mut sizes: Option<Vec<usize>> = asked.iter().map(|&size| usize::try_from(size).ok()).collect();
    if let (Some(sizes), Some(axis)) = (&mut sizes, own)
        && let Some(place) = (axis + sizes.len()).checked_sub(x.rank())
        && Some(sizes[place]) == reader.batch
    {
        sizes[place] = 1;
    }
    let shape = sizes.and_then(|sizes| broadcast(&x.shape, &sizes));
    let shape = shape.ok_or_else(|| Error::shape(format!("a value of shape {:?} stretched to {asked:?}", x.shape)))?;
    stretch(reader, x, &shape)
}

/// `x` as if it had the shape `shape`, which it can be stretched to.
pub(super) fn stretch(reader: &mut Reader<'_>, x: &Operand, shape: &[usize]) -> Result<Operand> {
    if let Some(array) = x.array() {
        return Ok(Operand::constant(array.stretched(shape)?));
    }
    let more = shape.len() - x.rank();
    let lifted = [vec![1; more], x.shape.clone()].concat();
    let mut y = reshaped(reader, x, &lifted, x.batch.map(|batch| batch + more))?;
    for (axis, &size) in shape.iter().enumerate() {
        if y.shape[axis] != size {
            y = copies(reader, &y, axis, size)?;
        }
    }
    Ok(y)
}

fn copies(reader: &mut Reader<'_>, x: &Operand, axis: usize, count: usize) -> Result<Operand> {
    if count > MOST_PIECES {
        return Err(Error::unsupported(format!("{count} copies along axis {axis}, more than {MOST_PIECES}")));
    }
    x.sample_axis(axis)?;
    match count {
        0 => cut(reader, x, axis, 0..0),
        _ => joined(reader, &vec![x; count], axis),
    }
}

pub(super) fn tile(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let mut x = call.input(0)?.clone();
    let counts = call.known(1)?.whole();
    if counts.len() != x.rank() {
        return Err(Error::shape(format!("copies {counts:?} of a value of shape {:?}", x.shape)));
    }
    for (axis, &count) in counts.iter().enumerate().filter(|(_, count)| **count != 1) {
        let count = usize::try_from(count).map_err(|_| Error::value(format!("{count} copies")))?;
        x = copies(reader, &x, axis, count)?;
    }
    Ok(x)
}
