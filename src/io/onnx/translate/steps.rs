//! Step functions, and quotients and remainders of integers. No gradient goes through a step.

use super::activations::{mapped, scaled};
use super::arithmetic::{difference, plus, product};
use super::entrywise::entrywise;
use super::masks::{both, number, related, select};
use crate::backend::Relation;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{Div, Sub};
use crate::unary::{Abs, Floor, Round, Sign, Unary};

pub(super) fn floor(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    step(reader, Floor, call.input(0)?)
}

/// -floor(-x)
pub(super) fn ceil(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let minus = scaled(reader, &call.input(0)?.detached(), -1.0)?;
    let floor = step(reader, Floor, &minus)?;
    scaled(reader, &floor, -1.0)
}

/// Half way between integers the even one.
pub(super) fn round(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    step(reader, Round, call.input(0)?)
}

pub(super) fn sign(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    step(reader, Sign, call.input(0)?)
}

fn step(reader: &mut Reader<'_>, f: impl Into<Unary>, x: &Operand) -> Result<Operand> {
    Ok(mapped(reader, f.into(), &x.detached())?.of_kind(x.kind))
}

/// sign(x) floor(|x|), an integer.
pub(super) fn truncated(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    if let Some(array) = x.numbers() {
        return Ok(Operand::constant(array.map(Kind::Whole, f64::trunc)));
    }
    let size = mapped(reader, Unary::from(Abs), x)?;
    let size = step(reader, Floor, &size)?;
    let sign = step(reader, Sign, x)?;
    Ok(product(reader, &sign, &size)?.of_kind(Kind::Whole))
}

/// Remainders with the sign of what divides, or with `fmod` of what is divided. Of floats the gradient of the dividend is 1.
pub(super) fn modulo(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    no_zero_divisor(a, b)?;
    if let (Some(x), Some(y)) = (a.array(), b.array()) {
        // With the sign of what divides, or with fmod of what is divided.
        let floored = |x: f64, y: f64| x - y * (x / y).floor();
        let f = if call.flag("fmod") { |x: f64, y: f64| x % y } else { floored };
        return Ok(Operand::constant(Array::zip(x, y, x.kind, f)?));
    }
    let quotient = if call.flag("fmod") { truncated_quotient(reader, a, b)? } else { floored_quotient(reader, a, b)? };
    let whole = product(reader, &quotient, b)?;
    Ok(difference(reader, a, &whole)?.of_kind(a.kind))
}

/// The quotient of two integers, cut off towards 0.
pub(super) fn integer_quotient(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    no_zero_divisor(a, b)?;
    match (a.array(), b.array()) {
        (Some(x), Some(y)) => Ok(Operand::constant(Array::zip(x, y, Kind::Whole, |x, y| (x / y).trunc())?)),
        _ => Ok(truncated_quotient(reader, a, b)?.of_kind(Kind::Whole)),
    }
}

fn no_zero_divisor(a: &Operand, b: &Operand) -> Result<()> {
    match b.array().filter(|_| a.kind != Kind::Float) {
        Some(divisors) if divisors.values.contains(&0.0) => Err(Error::value("integers are divided by zero")),
        _ => Ok(()),
    }
}

/// a / b, cut off towards 0.
fn truncated_quotient(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    let [size_a, size_b] = [mapped(reader, Unary::from(Abs), a)?, mapped(reader, Unary::from(Abs), b)?];
    let size = floored_quotient(reader, &size_a, &size_b)?;
    let [sign_a, sign_b] = [step(reader, Sign, a)?, step(reader, Sign, b)?];
    let sign = product(reader, &sign_a, &sign_b)?;
    product(reader, &sign, &size)
}

/// a / b, cut down to an integer. A division rounds, also to an integer that is too large by one; then the remainder has the
/// other sign than b.
fn floored_quotient(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    let (a, b) = (a.detached(), b.detached());
    let quotient = entrywise(reader, Div, &[&a, &b])?;
    let quotient = step(reader, Round, &quotient)?;
    let whole = product(reader, &quotient, &b)?;
    let rest = entrywise(reader, Sub, &[&a, &whole])?;
    let sign = step(reader, Sign, &b)?;
    let rest = product(reader, &rest, &sign)?;
    let too_large = related(reader, Relation::Less, &rest, &number(0.0, Kind::Float))?;
    difference(reader, &quotient, &too_large)
}

/// Row numbers with negative ones counted from the end, as indices of ONNX are.
pub(super) fn wrapped(reader: &mut Reader<'_>, ids: &Operand, size: usize) -> Result<Operand> {
    if let Some(array) = ids.numbers() {
        let wrap = |id: f64| if id < 0.0 { id + size as f64 } else { id };
        return Ok(Operand::constant(array.map(Kind::Whole, wrap)));
    }
    let negative = related(reader, Relation::Less, ids, &number(0.0, Kind::Whole))?;
    let shift = scaled(reader, &negative, size as f64)?;
    Ok(plus(reader, ids, &shift)?.of_kind(Kind::Whole))
}

/// Row numbers, with infinity for numbers outside 0..size, so that every number computed from it is outside too.
pub(super) fn within(reader: &mut Reader<'_>, ids: &Operand, size: usize) -> Result<Operand> {
    if let Some(array) = ids.numbers() {
        return match array.values.iter().find(|&&id| id < 0.0 || id >= size as f64) {
            Some(id) => Err(Error::value(format!("{id} is not one of {size} rows"))),
            None => Ok(ids.clone()),
        };
    }
    let not_below = related(reader, Relation::LessOrEqual, &number(0.0, Kind::Whole), ids)?;
    let below = related(reader, Relation::Less, ids, &number(size as f64, Kind::Whole))?;
    let inside = both(reader, &not_below, &below)?;
    let outside = number(f64::INFINITY, Kind::Float);
    select(reader, &inside, ids, &outside)
}
