//! Truth values and choices by them, and casts between kinds of numbers.

use super::activations::scaled;
use super::arithmetic::{plus, product, shifted};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::batch::check_cast;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Hint, Operand};
use crate::io::onnx::reader::Reader;
use crate::shape::broadcast;

/// What masks have in infinity's place: it can be added to anything, and e to it is 0.
const FAR: f64 = 1e30;

/// A constant with finite numbers, unless it is made of parameters.
pub(super) fn fixed(x: &Operand) -> Operand {
    match x.array() {
        Some(array) => Operand::constant(array.map(array.kind, |x| if x.is_infinite() { FAR.copysign(x) } else { x })),
        None => x.clone(),
    }
}

/// Between floats nothing happens; whole numbers of samples are floats already.
pub(super) fn cast(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let kind = match call.int("to").unwrap_or(0) {
        1 | 10 | 11 | 16 => Kind::Float,
        2..=7 | 12 | 13 => Kind::Whole,
        9 => Kind::Truth,
        other => return Err(Error::unsupported(format!("a cast to numbers of type {other}"))),
    };
    converted(reader, call, kind)
}

pub(super) fn cast_like(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    converted(reader, call, call.input(1)?.kind)
}

fn converted(reader: &mut Reader<'_>, call: &Call<'_>, kind: Kind) -> Result<Operand> {
    let x = call.input(0)?;
    if kind == Kind::Float {
        check_cast(x)?;
    }
    if let Some(array) = x.numbers() {
        return Ok(match (array.kind, kind) {
            (from, to) if from == to => x.clone(),
            (_, Kind::Float) => Operand::constant(array.map(kind, |x| x)),
            (_, Kind::Whole) => Operand::constant(array.map(kind, f64::trunc)),
            (_, Kind::Truth) => Operand::constant(array.map(kind, |x| f64::from(x != 0.0))),
        });
    }
    match (x.kind, kind) {
        (Kind::Float, Kind::Whole | Kind::Truth) => Err(Error::unsupported(super::STEPS)),
        (Kind::Whole, Kind::Truth) => {
            taken_for_truth(reader, call);
            Ok(x.clone().of_kind(kind))
        }
        _ => Ok(x.clone().of_kind(kind)),
    }
}

/// Numbers that samples bring are not looked at while a network is read.
fn taken_for_truth(reader: &mut Reader<'_>, call: &Call<'_>) {
    reader.warnings.push(format!(
        "node '{}' ({}) makes truth values of '{}': its numbers are taken to be 0 and 1 only",
        call.name(),
        call.node.op_type,
        call.node.input.join("', '")
    ));
}

fn known(call: &Call<'_>, f: impl Fn(f64, f64) -> bool) -> Result<Operand> {
    let (a, b) = (call.numbers(0)?, call.numbers(1)?);
    Ok(Operand::constant(Array::zip(a, b, Kind::Truth, |x, y| f64::from(f(x, y)))?))
}

fn truth(x: &Operand) -> bool {
    x.kind == Kind::Truth
}

/// Of a sample's mask, which holds 0 and 1: itself, or what it leaves.
pub(super) fn equal(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    for (x, other) in [(call.input(0)?, call.input(1)?), (call.input(1)?, call.input(0)?)] {
        let number = other.scalar().filter(|_| !x.is_constant() && x.kind != Kind::Float);
        match number {
            Some(1.0) if x.kind == Kind::Truth => return Ok(x.clone().of_kind(Kind::Truth)),
            Some(0.0) => {
                taken_for_truth(reader, call);
                return left(reader, x);
            }
            _ => {}
        }
    }
    known(call, |x, y| x == y)
}

/// 1 - x
fn left(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    let minus = scaled(reader, x, -1.0)?;
    Ok(shifted(reader, &minus, 1.0)?.of_kind(Kind::Truth))
}

/// Above or below; of samples, only to guard a function against large numbers.
pub(super) fn compared(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    if !x.is_constant() && call.input(1)?.scalar().is_some() {
        return Ok(x.clone().of_kind(Kind::Truth).with_hint(Hint::Compared));
    }
    known(
        call,
        match call.node.op_type.as_str() {
            "Greater" => |x, y| x > y,
            "GreaterOrEqual" => |x, y| x >= y,
            "Less" => |x, y| x < y,
            _ => |x, y| x <= y,
        },
    )
}

/// The numbers of networks are finite.
pub(super) fn is_nan(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    match x.numbers() {
        Some(array) => Ok(Operand::constant(array.map(Kind::Truth, |x| f64::from(x.is_nan())))),
        None => Ok(Operand::constant(Array::full(&x.shape, 0.0, Kind::Truth)?)),
    }
}

pub(super) fn not(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    match x.array() {
        Some(array) => Ok(Operand::constant(array.map(Kind::Truth, |x| f64::from(x == 0.0)))),
        None if x.hint == Hint::Compared => Err(Error::unsupported(super::STEPS)),
        None => left(reader, x),
    }
}

fn masks<'c>(call: &'c Call<'_>) -> Result<Option<(&'c Operand, &'c Operand)>> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    if a.is_constant() && b.is_constant() {
        return Ok(None);
    }
    match [a, b].iter().all(|x| truth(x) && x.hint != Hint::Compared) {
        true => Ok(Some((a, b))),
        false => Err(Error::unsupported(super::STEPS)),
    }
}

pub(super) fn both(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    match masks(call)? {
        Some((a, b)) => Ok(product(reader, a, b)?.of_kind(Kind::Truth)),
        None => known(call, |x, y| x != 0.0 && y != 0.0),
    }
}

/// a + b - a b
pub(super) fn either(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let Some((a, b)) = masks(call)? else { return known(call, |x, y| x != 0.0 || y != 0.0) };
    let common = product(reader, a, b)?;
    let common = scaled(reader, &common, -1.0)?;
    let sum = plus(reader, a, b)?;
    Ok(plus(reader, &sum, &common)?.of_kind(Kind::Truth))
}

pub(super) fn differing(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    known(call, |x, y| (x != 0.0) != (y != 0.0))
}

/// One or the other, entry by entry, by a mask that is fixed or that samples bring as 0 and 1.
pub(super) fn chosen(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (mask, a, b) = (call.input(0)?, call.input(1)?, call.input(2)?);
    if mask.hint == Hint::Compared {
        // PyTorch's softplus gives x itself where x is large; ours does not overflow.
        return match [a, b].into_iter().find(|x| x.hint == Hint::Softplus) {
            Some(softplus) => Ok(softplus.clone()),
            None => Err(Error::unsupported(format!(
                "a choice by whether '{}' is above or below a number; clamp or relu can often say the same",
                call.node.input[0]
            ))),
        };
    }
    if let Some(known) = mask.array() {
        let all = |value: bool| known.values.iter().all(|&x| (x != 0.0) == value);
        let whole = broadcast(&mask.shape, &a.shape).and_then(|shape| broadcast(&shape, &b.shape));
        for (value, x) in [(true, a), (false, b)] {
            if all(value) && !known.values.is_empty() && whole.as_ref() == Some(&x.shape) {
                return Ok(x.clone());
            }
        }
        if let (Some(one), Some(two)) = (a.array(), b.array()) {
            let shape = whole.ok_or_else(|| Error::shape("mask and values do not fit each other"))?;
            let (mask, one, two) = (known.stretched(&shape)?, one.stretched(&shape)?, two.stretched(&shape)?);
            let pick = |k: usize| if mask.values[k] != 0.0 { one.values[k] } else { two.values[k] };
            let values = (0..mask.values.len()).map(pick).collect();
            return Ok(Operand::constant(Array::new(&shape, values, one.kind)));
        }
    }
    // m a + (1 - m) b, with numbers that 0 makes 0.
    let mask = match mask.array() {
        Some(array) => Operand::constant(array.map(Kind::Float, |x| f64::from(x != 0.0))),
        None => mask.clone(),
    };
    let rest = match mask.array() {
        Some(array) => Operand::constant(array.map(Kind::Float, |x| 1.0 - x)),
        None => left(reader, &mask)?,
    };
    let one = product(reader, &mask, &fixed(a))?;
    let two = product(reader, &rest, &fixed(b))?;
    plus(reader, &one, &two)
}
