//! Comparisons, truth values and choices by them, and casts between kinds of numbers.
//!
//! All of these are piecewise constant: they are computed for every sample, and no gradient goes through them.

use super::arithmetic::{plus, product};
use super::entrywise::entrywise;
use super::parts::cut;
use super::steps::truncated;
use super::sums::max_over;
use crate::backend::Relation;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::batch::check_cast;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Hint, Is, Operand};
use crate::io::onnx::reader::Reader;
use crate::ops::{Builtin, Compare, Select, Softmax};
use crate::shape::{broadcast, strides};

/// A constant of one number.
pub(super) fn number(value: f64, kind: Kind) -> Operand {
    Operand::constant(Array::new(&[], vec![value], kind))
}

/// 1 where the relation holds between `a` and `b`, else 0.
pub(super) fn related(reader: &mut Reader<'_>, relation: Relation, a: &Operand, b: &Operand) -> Result<Operand> {
    let y = entrywise(reader, Compare { relation }, &[&a.detached(), &b.detached()])?;
    Ok(truth(&y))
}

/// `x` where `mask` is not 0, else `y`.
pub(super) fn select(reader: &mut Reader<'_>, mask: &Operand, x: &Operand, y: &Operand) -> Result<Operand> {
    let result = entrywise(reader, Select, &[&mask.detached(), x, y])?;
    Ok(result.of_kind(x.kind))
}

/// The same numbers, known to be 0 and 1.
fn truth(x: &Operand) -> Operand {
    match x.array() {
        Some(array) => Operand::constant(Array { kind: Kind::Truth, ..array.clone() }),
        None => x.clone().of_kind(Kind::Truth),
    }
}

pub(super) fn cast(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let kind = match call.int("to").unwrap_or(0) {
        1 | 10 | 11 | 16 => Kind::Float,
        2..=7 | 12 | 13 => Kind::Whole,
        9 => Kind::Truth,
        other => return Err(Error::unsupported(format!("Cast: numbers of type {other} are not supported"))),
    };
    converted(reader, call.input(0)?, kind)
}

pub(super) fn cast_like(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    converted(reader, call.input(0)?, call.input(1)?.kind)
}

/// `x` as numbers of another kind. Integers of samples are floats already.
pub(super) fn converted(reader: &mut Reader<'_>, x: &Operand, kind: Kind) -> Result<Operand> {
    if kind == Kind::Float {
        check_cast(x)?;
    }
    match (x.kind, kind) {
        (from, to) if from == to => Ok(x.clone()),
        (Kind::Float, Kind::Whole) => truncated(reader, x),
        (_, Kind::Truth) => nonzero(reader, x),
        _ => Ok(match x.array() {
            Some(array) => Operand::constant(array.map(kind, |x| x)),
            None => x.clone().of_kind(kind),
        }),
    }
}

/// Whether entries are not 0.
fn nonzero(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    let zero = related(reader, Relation::Equal, x, &number(0.0, x.kind))?;
    negated(reader, &zero)
}

pub(super) fn compared(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    match call.node.op_type.as_str() {
        "Equal" => related(reader, Relation::Equal, a, b),
        "Less" => related(reader, Relation::Less, a, b),
        "LessOrEqual" => related(reader, Relation::LessOrEqual, a, b),
        "Greater" => related(reader, Relation::Less, b, a),
        _ => related(reader, Relation::LessOrEqual, b, a),
    }
}

/// NaN is the number that is not equal to itself.
pub(super) fn is_nan(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let equal = related(reader, Relation::Equal, x, x)?;
    let nan = negated(reader, &equal)?;
    Ok(match x.is {
        Is::Sample(value) => nan.with_hint(Hint::IsNan(value)),
        _ => nan,
    })
}

pub(super) fn is_infinite(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let asked = |key: &str| call.int(key).unwrap_or(1) != 0;
    let ends = [(asked("detect_negative"), f64::NEG_INFINITY), (asked("detect_positive"), f64::INFINITY)];
    let mut found = Vec::new();
    for (_, end) in ends.into_iter().filter(|(asked, _)| *asked) {
        found.push(related(reader, Relation::Equal, x, &number(end, Kind::Float))?);
    }
    match &found[..] {
        [one, two] => Ok(truth(&plus(reader, one, two)?)),
        [one] => Ok(one.clone()),
        // No number is less than itself.
        _ => related(reader, Relation::Less, x, x),
    }
}

pub(super) fn not(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    negated(reader, call.input(0)?)
}

/// 1 where `x` is 0, else 0.
pub(super) fn negated(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    related(reader, Relation::Equal, x, &number(0.0, x.kind))
}

pub(super) fn and(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    both(reader, call.input(0)?, call.input(1)?)
}

/// a b
pub(super) fn both(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    let y = product(reader, &a.detached(), &b.detached())?;
    Ok(truth(&y))
}

/// a + b > 0
pub(super) fn or(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let sum = plus(reader, &call.input(0)?.detached(), &call.input(1)?.detached())?;
    related(reader, Relation::Less, &number(0.0, Kind::Float), &sum)
}

pub(super) fn xor(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let equal = related(reader, Relation::Equal, call.input(0)?, call.input(1)?)?;
    negated(reader, &equal)
}

/// The places of the entries that are not 0, of a constant: their number must be known.
pub(super) fn non_zero(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let Some(array) = call.input(0)?.numbers() else {
        return Err(Error::unsupported(
            "the number of results depends on the samples, so that their shape is not known; choose by Where, or \
             multiply by a mask",
        ));
    };
    let steps = strides(&array.shape);
    let found: Vec<usize> = (0..array.values.len()).filter(|&k| array.values[k] != 0.0).collect();
    let coordinate = |axis: usize, k: usize| (k / steps[axis] % array.shape[axis]) as f64;
    let values = (0..steps.len()).flat_map(|axis| found.iter().map(move |&k| coordinate(axis, k)));
    Ok(Operand::constant(Array::new(&[steps.len(), found.len()], values.collect(), Kind::Whole)))
}

/// One operand or another, entry by entry.
pub(super) fn chosen(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (mask, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    if let Some(branch) = whole_branch(mask, a, b) {
        return Ok(branch.clone());
    }
    if let Some(y) = guarded_softmax(reader, mask, a, b)? {
        return Ok(y);
    }
    let y = select(reader, mask, a, b)?;
    if let Is::Sample(value) = y.is
        && !mask.is_constant()
        && a.scalar() == Some(0.0)
        && b.scalar() == Some(f64::from(f32::MIN))
    {
        reader.float_masks.push((value, mask.clone()));
    }
    Ok(y)
}

/// The branch that a fixed mask takes everywhere, if it has the shape of the result.
fn whole_branch<'x>(mask: &Operand, a: &'x Operand, b: &'x Operand) -> Option<&'x Operand> {
    let known = mask.numbers().filter(|known| !known.values.is_empty())?;
    let shape = broadcast(&mask.shape, &a.shape).and_then(|shape| broadcast(&shape, &b.shape))?;
    let branch = if known.values[0] != 0.0 { a } else { b };
    let all = known.values.iter().all(|&x| (x != 0.0) == (known.values[0] != 0.0));
    (all && branch.shape == shape).then_some(branch)
}

/// A softmax whose rows are replaced by zeros where a mask says so: where every entry is -infinity and the softmax is NaN.
/// The masked rows are taken out before the softmax too, since its derivative is NaN there and PyTorch's is 0.
fn guarded_softmax(reader: &mut Reader<'_>, mask: &Operand, zero: &Operand, y: &Operand) -> Result<Option<Operand>> {
    let Is::Sample(value) = y.is else { return Ok(None) };
    let Some((softmax, scores)) = softmax_of(reader, y) else { return Ok(None) };
    let axis = y.rank() - 1;
    if zero.scalar() != Some(0.0) || y.shape.get(axis).is_none_or(|&size| size == 0) {
        return Ok(None);
    }
    // A row of a softmax is NaN as a whole.
    let (rows, scores) =
        if mask.hint == Hint::IsNan(value) { rows_without_key(reader, mask, &scores)? } else { (mask.clone(), scores) };
    if rows.shape.last().is_some_and(|&size| size != 1) {
        return Ok(None);
    }
    let zero = number(0.0, Kind::Float);
    let scores = select(reader, &rows, &zero, &scores)?;
    let y = reader.apply(softmax, &[&scores], scores.shape.clone(), scores.batch)?;
    select(reader, &rows, &zero, &y).map(Some)
}

/// The rows of scores that have no key, given which entries of their softmax are NaN, and the scores.
///
/// PyTorch's exporter writes truth values as 0 and the least float32, though its own attention takes -infinity, so that a
/// row without a key is zeros there. Here it is -infinity again.
fn rows_without_key(reader: &mut Reader<'_>, nan: &Operand, scores: &Operand) -> Result<(Operand, Operand)> {
    let axis = scores.rank() - 1;
    let Some(mask) = float_mask_of(reader, scores) else {
        // A row of a softmax is NaN as a whole.
        return Ok((cut(reader, nan, axis, 0..1)?, scores.clone()));
    };
    let scores = select(reader, &mask, scores, &number(f64::NEG_INFINITY, Kind::Float))?;
    let largest = max_over(reader, &scores.detached(), &[axis], true)?;
    let rows = related(reader, Relation::Equal, &largest, &number(f64::NEG_INFINITY, Kind::Float))?;
    Ok((rows, scores))
}

/// The mask of truth values that was added to scores as numbers.
fn float_mask_of(reader: &Reader<'_>, scores: &Operand) -> Option<Operand> {
    let Is::Sample(value) = scores.is else { return None };
    let node = reader.graph.node_of(reader.reshaped_from(value))?;
    if !matches!(node.op, Builtin::Add(_)) {
        return None;
    }
    let added = node.inputs.iter().map(|&input| reader.reshaped_from(input));
    let mut masks = added.filter_map(|input| reader.float_masks.iter().find(|(value, _)| *value == input));
    masks.next().map(|(_, mask)| mask.clone())
}

/// The softmax along the last axis that `y` is the result of, and its input.
fn softmax_of(reader: &Reader<'_>, y: &Operand) -> Option<(Softmax, Operand)> {
    let Is::Sample(value) = y.is else { return None };
    let node = reader.graph.node_of(value)?;
    let Builtin::Softmax(softmax) = &node.op else { return None };
    let scores = node.inputs[0];
    let own_shape = reader.graph.shape(scores) == y.sample_shape();
    let last = own_shape && softmax.is_along_last(y.sample_shape().len());
    last.then(|| (*softmax, Operand::sample(scores, y.shape.clone(), y.batch)))
}
