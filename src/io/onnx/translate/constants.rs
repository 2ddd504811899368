//! Values that do not depend on samples: constants, shapes, values computed from them; and nodes that do nothing.

use std::rc::Rc;

use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Hint, Is, Operand, Source};
use crate::io::onnx::reader::Reader;
use crate::io::onnx::tensor;
use crate::unary::{Detach, Unary};

use super::activations::mapped;

pub(super) fn constant(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let list = |values: Vec<f64>, kind| Operand::constant(Array::new(&[values.len()], values, kind));
    let number = |value, kind| Operand::constant(Array::new(&[], vec![value], kind));
    if let Some(attribute) = call.attribute("value") {
        let tensor = attribute.t.as_ref().ok_or_else(|| Error::format("the value is no tensor"))?;
        let array = tensor::numbers(tensor, None)?;
        return Ok(reader.tensor(call.node.output.first().map_or("", String::as_str), array));
    }
    if let Some(value) = call.float("value_float") {
        return Ok(number(value, Kind::Float));
    }
    if let Some(value) = call.int("value_int") {
        return Ok(number(value as f64, Kind::Whole));
    }
    if let Some(attribute) = call.attribute("value_floats") {
        return Ok(list(attribute.floats.iter().map(|&x| f64::from(x)).collect(), Kind::Float));
    }
    if let Some(values) = call.ints("value_ints") {
        return Ok(list(values.iter().map(|&x| x as f64).collect(), Kind::Whole));
    }
    Err(Error::unsupported("a constant that is neither a tensor nor numbers"))
}

/// The list as a shape.
fn sizes(array: &Array) -> Result<Vec<usize>> {
    let sizes: Option<Vec<usize>> = array.whole().iter().map(|&size| usize::try_from(size).ok()).collect();
    sizes.ok_or_else(|| Error::shape(format!("{:?} is no shape", array.whole())))
}

pub(super) fn of_shape(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let shape = sizes(call.known(0)?)?;
    let (value, kind) = match call.attribute("value").and_then(|attribute| attribute.t.as_ref()) {
        Some(tensor) => {
            let array = tensor::numbers(tensor, None)?;
            (array.scalar().ok_or_else(|| Error::format("the value is not one number"))?, array.kind)
        }
        None => (0.0, Kind::Float),
    };
    Ok(Operand::constant(Array::full(&shape, value, kind)?))
}

pub(super) fn shape(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let mut sizes = x.shape.clone();
    let axis = x.batch.filter(|&axis| axis < sizes.len());
    if let Some(axis) = axis {
        // A file for a fixed batch has its size in other shapes too.
        sizes[axis] = sizes[axis].saturating_mul(reader.batch.unwrap_or(1));
    }
    let rank = x.rank() as i64;
    let place = |axis: i64| if axis < 0 { axis + rank } else { axis }.clamp(0, rank) as usize;
    let start = place(call.int("start").unwrap_or(0));
    let end = place(call.int("end").unwrap_or(rank)).max(start);
    let list = Operand::constant(Array::list(sizes[start..end].iter().copied()));
    Ok(match axis.filter(|axis| (start..end).contains(axis) && reader.batch != Some(1)) {
        Some(axis) => list.with_hint(Hint::Sizes(axis - start)),
        None => list,
    })
}

pub(super) fn size(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let entries = crate::shape::numel(&call.input(0)?.shape) as f64;
    Ok(Operand::constant(Array::new(&[], vec![entries], Kind::Whole)))
}

pub(super) fn range(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let number = |k: usize| call.known(k)?.scalar().ok_or_else(|| Error::shape(format!("input {k} is no number")));
    let (start, end, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((end - start) / step).ceil();
    if !count.is_finite() {
        return Err(Error::value(format!("from {start} to {end} in steps of {step}")));
    }
    let count = count.max(0.0) as usize;
    bounded(&[count])?;
    let values = (0..count).map(|k| start + k as f64 * step).collect();
    Ok(Operand::constant(Array::new(&[count], values, call.input(0)?.kind)))
}

/// Rows and columns of the last two axes, where `keep` holds; 0 elsewhere.
fn where_kept(array: &Array, keep: impl Fn(i64, i64) -> bool) -> Result<Array> {
    let &[.., rows, cols] = &array.shape[..] else {
        return Err(Error::shape(format!("shape {:?} has no matrices", array.shape)));
    };
    let place = |k: usize| ((k / cols % rows) as i64, (k % cols) as i64);
    let entry = |(k, &x): (usize, &f64)| {
        let (row, col) = place(k);
        if keep(row, col) { x } else { 0.0 }
    };
    Ok(Array::new(&array.shape, array.values.iter().enumerate().map(entry).collect(), array.kind))
}

pub(super) fn eye(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let k = call.int("k").unwrap_or(0);
    let ones = Array::full(&call.input(0)?.shape, 1.0, Kind::Float)?;
    Ok(Operand::constant(where_kept(&ones, |row, col| col - row == k)?))
}

/// The same value; without its gradient if PyTorch's `detach` wrote it. PyTorch's older exporter writes an Identity for
/// a parameter whose values equal another's: that is a parameter of its own.
pub(super) fn identity(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    if call.torch().is_some_and(|torch| torch.target.starts_with("aten.detach")) {
        return stopped(reader, x);
    }
    match (x.numbers(), call.node.output.first()) {
        (Some(array), Some(name)) if x.tensor().is_some() && is_merged(call) => {
            let mut copy = reader.tensor(name, array.clone());
            if let (Is::Constant(_, source), true) = (&mut copy.is, x.is_trainable()) {
                *source = Some(Rc::new(Source::Tensor { name: name.as_str().into(), trainable: true }));
            }
            Ok(copy)
        }
        _ => Ok(x.clone()),
    }
}

/// Whether an Identity stands for a tensor that PyTorch's older exporter merged with an equal one: it has no path, and its
/// output has the name of a tensor.
fn is_merged(call: &Call<'_>) -> bool {
    let output = call.node.output.first().map_or("", String::as_str);
    let number = call.node.name.strip_prefix("Identity_");
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        && call.torch().is_none()
        && !output.starts_with('/')
        && !output.bytes().all(|byte| byte.is_ascii_digit())
}

/// The same value without its gradient.
pub(super) fn stopped(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    match x.is {
        Is::Sample(_) => {
            reader.stops_gradients = true;
            Ok(mapped(reader, Unary::from(Detach), x)?.of_kind(x.kind))
        }
        _ => Ok(x.detached()),
    }
}

/// Nothing at inference.
pub(super) fn dropout(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    let training = call.known_optional(2)?.and_then(Array::scalar).unwrap_or(0.0) != 0.0;
    let ratio = call.known_optional(1)?.and_then(Array::scalar).or(call.float("ratio")).unwrap_or(0.5);
    if training && ratio != 0.0 {
        return Err(Error::unsupported(super::CHANCE));
    }
    Ok(vec![call.input(0)?.clone()])
}

/// The branch that a known condition takes.
pub(super) fn branch<'a>(reader: &mut Reader<'a>, call: &Call<'a>) -> Result<Vec<Operand>> {
    let condition = call.known(0)?.scalar().ok_or_else(|| Error::shape("the condition is not one truth value"))?;
    let key = if condition != 0.0 { "then_branch" } else { "else_branch" };
    reader.branch(call.graph(key)?, Vec::new())
}
