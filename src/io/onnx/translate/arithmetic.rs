//! Sums, products and powers entry by entry.

use super::activations::{clipped, inverse, mapped, scaled};
use super::parts::{cut, stretch};
use super::steps::integer_quotient;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Hint, Is, Operand};
use crate::io::onnx::reader::Reader;
use crate::ops::{Add, Builtin, Div, Gain, Mul, Reshape, Shift, Sub};
use crate::shape::{broadcast, numel};
use crate::tape::Parameter;
use crate::unary::{Abs, Relu, Unary};

/// Two operands of one rank, and their broadcast shape and its batch axis.
struct Aligned {
    a: Operand,
    b: Operand,
    shape: Vec<usize>,
    batch: Option<usize>,
}

fn aligned(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Aligned> {
    let (a, b) = (&one_of_batch(reader, a, b)?, &one_of_batch(reader, b, a)?);
    let Some(shape) = broadcast(&a.shape, &b.shape) else {
        return Err(Error::shape(format!(
            "shapes {:?} and {:?} (for a batch of one) do not fit each other",
            a.shape, b.shape
        )));
    };
    let lifted = |x: &Operand| {
        let more = shape.len() - x.rank();
        let own = [vec![1; more], x.shape.clone()].concat();
        Operand { shape: own, batch: x.batch.map(|batch| batch + more), ..x.clone() }
    };
    let (mut a, mut b) = (lifted(a), lifted(b));
    let batch = match (a.own_batch(), b.own_batch()) {
        (Some(one), Some(two)) if one != two => {
            return Err(Error::unsupported(format!(
                "the batch is axis {one} of one input and axis {two} of the other, so that all samples meet all others"
            )));
        }
        (one, two) => one.or(two).or(a.batch).or(b.batch),
    };
    if let Some(axis) = a.own_batch().or(b.own_batch()) {
        if shape[axis] != 1 {
            return Err(Error::shape(format!(
                "shapes {:?} and {:?}: one has {} rows along the batch's axis, as if that were a fixed number of samples; \
                 export the network with a batch of one",
                a.shape, b.shape, shape[axis]
            )));
        }
        // Where one has no batch it has a 1 there.
        (a.batch, b.batch) = (Some(axis), Some(axis));
    } else {
        (a.batch, b.batch) = (None, None);
    }
    Ok(Aligned { a, b, shape, batch })
}

/// One row of a constant that a file for a fixed batch has once for every sample, where `other` has its batch.
fn one_of_batch(reader: &mut Reader<'_>, x: &Operand, other: &Operand) -> Result<Operand> {
    let Some(batch) = reader.batch.filter(|&batch| batch > 1) else { return Ok(x.clone()) };
    let place = other.own_batch().and_then(|axis| (axis + x.rank()).checked_sub(other.rank()));
    let Some((axis, array)) = place.zip(x.array()).filter(|&(axis, _)| x.shape[axis] == batch) else {
        return Ok(x.clone());
    };
    let inner = numel(&x.shape[axis + 1..]);
    let row = |k: usize| (k / (batch * inner), k % inner);
    let same = |(k, value): (usize, &f64)| {
        let (outer, within) = row(k);
        array.values[outer * batch * inner + within] == *value
    };
    if array.values.iter().enumerate().all(same) { cut(reader, x, axis, 0..1) } else { Ok(x.clone()) }
}

/// `op` on two operands, neither or both of which are constants, or where the constant is to be a value.
fn both(reader: &mut Reader<'_>, op: impl Into<Builtin>, a: &Operand, b: &Operand) -> Result<Operand> {
    if let (Is::Sample(one), Is::Sample(two)) = (&a.is, &b.is)
        && a.shape == b.shape
        && a.own_batch() == b.own_batch()
    {
        // As the graph has them.
        let shape = reader.graph.shape(*one).to_vec();
        let two = if reader.graph.shape(*two) == shape { *two } else { reader.value(b, &shape)? };
        let value = reader.graph.apply(op, &[*one, two], &[])?;
        return Ok(Operand::sample(value, a.shape.clone(), a.batch.or(b.batch)));
    }
    let Aligned { a, b, shape, batch } = aligned(reader, a, b)?;
    let y = reader.apply(op, &[&a, &b], shape, batch)?;
    let whole = a.kind != Kind::Float && b.kind != Kind::Float;
    Ok(if whole { y.of_kind(Kind::Whole) } else { y })
}

/// A value and a constant in one op on parameters, [`Shift`] or [`Gain`].
fn with_weight(
    reader: &mut Reader<'_>,
    op: impl Into<Builtin>,
    x: &Operand,
    constant: &Operand,
    role: &str,
) -> Result<Operand> {
    let Aligned { a, b, shape, batch } = aligned(reader, x, constant)?;
    let mut x = a;
    if numel(&shape) != numel(&x.shape) {
        x = stretch(reader, &x, &shape)?;
    }
    // A constant for a fixed batch has lost rows.
    let constant = if numel(&b.shape) == numel(&constant.shape) { constant } else { &b };
    let weight = reader.weight(constant, role)?;
    let shape_of_b = b.sample_shape();
    let weight = if shape_of_b.ends_with(&constant.shape) {
        weight
    } else {
        reader.graph.derive(Reshape::new(&shape_of_b[..]), &[weight])?
    };
    let value = reader.sample_value(&x)?;
    let value = reader.graph.apply(op, &[value], &[weight])?;
    Ok(Operand::sample(value, shape, batch))
}

pub(super) fn add(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    match (a.is_constant(), b.is_constant()) {
        // Its bias is in it already.
        (false, true) if a.hint == Hint::Biased => Ok(a.clone().with_hint(Hint::Plain)),
        (true, false) if b.hint == Hint::Biased => Ok(b.clone().with_hint(Hint::Plain)),
        _ => plus(reader, a, b),
    }
}

/// x + c with a constant c.
fn add_constant(reader: &mut Reader<'_>, x: &Operand, constant: &Operand) -> Result<Operand> {
    if constant.scalar() == Some(0.0) && constant.rank() <= x.rank() {
        return Ok(x.clone());
    }
    with_weight(reader, Shift, x, constant, "bias")
}

/// a + b of anything.
pub(super) fn plus(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    match (a.is_constant(), b.is_constant()) {
        (false, true) => add_constant(reader, a, b),
        (true, false) => add_constant(reader, b, a),
        _ => both(reader, Add, a, b),
    }
}

/// x + c for a number c.
pub(super) fn shifted(reader: &mut Reader<'_>, x: &Operand, c: f64) -> Result<Operand> {
    if let Some(array) = x.array() {
        return Ok(Operand::constant(array.map(array.kind, |x| x + c)));
    }
    if x.is_constant() {
        return plus(reader, x, &Operand::constant(Array::new(&[], vec![c], Kind::Float)));
    }
    let number = reader.number(c)?;
    mapped_with(reader, Shift, x, number)
}

/// An op of a value, as the graph has it, and one number.
fn mapped_with(reader: &mut Reader<'_>, op: impl Into<Builtin>, x: &Operand, number: Parameter) -> Result<Operand> {
    let Is::Sample(value) = x.is else { unreachable!("constants are computed") };
    let mut value = value;
    if reader.graph.shape(value).is_empty() {
        value = reader.value(x, &[1])?;
    }
    let value = reader.graph.apply(op, &[value], &[number])?;
    Ok(Operand::sample(value, x.shape.clone(), x.batch))
}

pub(super) fn sub(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    difference(reader, a, b)
}

pub(super) fn difference(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    match (a.is_constant(), b.is_constant()) {
        (true, true) | (false, false) => both(reader, Sub, a, b),
        _ => {
            let minus = scaled(reader, b, -1.0)?;
            plus(reader, a, &minus)
        }
    }
}

pub(super) fn mul(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    match (a.is_constant(), b.is_constant()) {
        (false, true) => multiplied(reader, a, b),
        (true, false) => multiplied(reader, b, a),
        _ => product(reader, a, b),
    }
}

/// x w with a constant w.
fn multiplied(reader: &mut Reader<'_>, x: &Operand, constant: &Operand) -> Result<Operand> {
    match constant.scalar() {
        Some(factor) if constant.rank() <= x.rank() => scaled(reader, x, factor),
        _ => with_weight(reader, Gain, x, constant, "weight"),
    }
}

/// a b of anything.
pub(super) fn product(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    match (a.is_constant(), b.is_constant()) {
        (false, true) => with_weight(reader, Gain, a, b, "weight"),
        (true, false) => with_weight(reader, Gain, b, a, "weight"),
        _ => both(reader, Mul, a, b),
    }
}

pub(super) fn div(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if a.kind != Kind::Float && b.kind != Kind::Float {
        return integer_quotient(reader, a, b);
    }
    match (a.is_constant(), b.is_constant()) {
        (false, true) => {
            let below = inverse(reader, b)?;
            multiplied(reader, a, &below)
        }
        (true, false) => {
            let below = inverse(reader, b)?;
            multiplied(reader, &below, a)
        }
        _ => both(reader, Div, a, b),
    }
}

/// The sum of any number of operands.
pub(super) fn sum(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    folded(reader, call, plus)
}

pub(super) fn mean(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let y = sum(reader, call)?;
    scaled(reader, &y, 1.0 / call.inputs.len().max(1) as f64)
}

fn folded(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    mut f: impl FnMut(&mut Reader<'_>, &Operand, &Operand) -> Result<Operand>,
) -> Result<Operand> {
    let all = call.all()?;
    let (first, rest) = all.split_first().expect("there is an input");
    rest.iter().try_fold((*first).clone(), |sum, x| f(reader, &sum, x))
}

/// The largest of operands: a clamp where one is a number, else b + relu(a - b).
pub(super) fn max(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    folded(reader, call, |reader, a, b| extreme(reader, a, b, true))
}

pub(super) fn min(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    folded(reader, call, |reader, a, b| extreme(reader, a, b, false))
}

fn extreme(reader: &mut Reader<'_>, a: &Operand, b: &Operand, largest: bool) -> Result<Operand> {
    if let (Some(a), Some(b)) = (a.array(), b.array()) {
        let f = if largest { f64::max } else { f64::min };
        return Ok(Operand::constant(Array::zip(a, b, a.kind, f)?));
    }
    let bound = |x: &Operand, c: &Operand| c.scalar().filter(|_| !x.is_constant() && c.rank() <= x.rank());
    for (x, c) in [(a, b), (b, a)] {
        if let Some(c) = bound(x, c) {
            let (low, high) = if largest { (Some(c), None) } else { (None, Some(c)) };
            return clipped(reader, x, low, high);
        }
    }
    let above = if largest { difference(reader, a, b)? } else { difference(reader, b, a)? };
    let above = mapped(reader, Unary::from(Relu), &above)?;
    if largest {
        return plus(reader, b, &above);
    }
    let minus = scaled(reader, &above, -1.0)?;
    plus(reader, b, &minus)
}

/// |x|
pub(super) fn size(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    mapped(reader, Unary::from(Abs), x)
}
