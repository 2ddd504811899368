//! Powers, in every form: of samples by fixed numbers, of fixed numbers by samples, and of samples by samples.

use super::activations::{inverse, mapped, scaled};
use super::arithmetic::{product, shifted};
use super::parts::{cut, joined, stretch};
use super::shapes::reshaped;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::shape::{broadcast, numel};
use crate::unary::{Exp, Log, Pow, Sqrt, Unary};

/// The most runs of equal exponents that are computed one by one.
const MOST_RUNS: usize = 1 << 10;

/// x^p
pub(super) fn pow(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (base, exponent) = (call.input(0)?, call.input(1)?);
    match (base.array(), exponent.array()) {
        (Some(base), Some(exponent)) => Ok(Operand::constant(Array::zip(base, exponent, base.kind, f64::powf)?)),
        (None, Some(exponents)) => by_fixed(reader, base, exponents),
        (Some(base), None) => {
            let log = Operand::constant(logarithms(base)?);
            exponential(reader, exponent, &log)
        }
        (None, None) => {
            let log = mapped(reader, Unary::from(Log), base)?;
            exponential(reader, exponent, &log)
        }
    }
}

/// The logarithms of fixed bases.
fn logarithms(base: &Array) -> Result<Array> {
    if let Some(other) = base.values.iter().find(|&&base| base.is_nan() || base <= 0.0) {
        return Err(Error::unsupported(format!(
            "Pow raises the fixed base {other} to exponents that depend on the samples: only positive bases are supported, \
             since powers of others are not differentiable in the exponent"
        )));
    }
    Ok(base.map(Kind::Float, f64::ln))
}

/// e^(exponent log)
fn exponential(reader: &mut Reader<'_>, exponent: &Operand, log: &Operand) -> Result<Operand> {
    let inner = product(reader, exponent, log)?;
    mapped(reader, Unary::from(Exp), &inner)
}

/// Powers by fixed exponents, one for all entries or one for each.
fn by_fixed(reader: &mut Reader<'_>, x: &Operand, exponents: &Array) -> Result<Operand> {
    let shape = broadcast(&x.shape, &exponents.shape).ok_or_else(|| {
        Error::shape(format!(
            "bases of shape {:?} and exponents of shape {:?} do not fit each other",
            x.shape, exponents.shape
        ))
    })?;
    if let Some(axis) = x.own_batch().map(|batch| batch + shape.len() - x.rank()).filter(|&axis| shape[axis] != 1) {
        return Err(Error::shape(format!(
            "exponents of shape {:?} have {} rows along the batch's axis, as if that were a fixed number of samples",
            exponents.shape, shape[axis]
        )));
    }
    let x = stretch(reader, x, &shape)?;
    match exponents.values.split_first() {
        Some((&first, rest)) if rest.iter().all(|&other| other == first) => power(reader, &x, first),
        _ => by_several(reader, &x, &exponents.stretched(&shape)?),
    }
}

/// Powers entry by entry, of `x` by exponents of its shape: runs of equal exponents are computed at once.
fn by_several(reader: &mut Reader<'_>, x: &Operand, exponents: &Array) -> Result<Operand> {
    let entries = numel(&x.shape);
    let line = reshaped(reader, x, &[1, entries], x.batch.map(|_| 0))?;
    let runs: Vec<&[f64]> = exponents.values.chunk_by(|a, b| a == b).collect();
    if runs.len() > MOST_RUNS {
        return Err(Error::unsupported(format!(
            "Pow has {} runs of different exponents, more than the {MOST_RUNS} that are supported",
            runs.len()
        )));
    }
    let mut start = 0;
    let mut pieces = Vec::with_capacity(runs.len());
    for run in runs {
        let piece = cut(reader, &line, 1, start..start + run.len())?;
        pieces.push(power(reader, &piece, run[0])?);
        start += run.len();
    }
    let line = joined(reader, &pieces.iter().collect::<Vec<_>>(), 1)?;
    reshaped(reader, &line, &x.shape, x.batch)
}

/// x^p for one number p: by products if it is whole, so that x may be negative, and by square roots for halves of one.
pub(super) fn power(reader: &mut Reader<'_>, x: &Operand, p: f64) -> Result<Operand> {
    let size = p.abs();
    let y = if size.fract() == 0.0 && size <= f64::from(i32::MAX) {
        whole_power(reader, x, size as u32)?
    } else if size == 0.5 {
        mapped(reader, Unary::from(Sqrt), x)?
    } else {
        return mapped(reader, Unary::from(Pow { exponent: p }), x);
    };
    if p < 0.0 { inverse(reader, &y) } else { Ok(y) }
}

fn whole_power(reader: &mut Reader<'_>, x: &Operand, p: u32) -> Result<Operand> {
    if p == 0 {
        let zero = scaled(reader, x, 0.0)?;
        return shifted(reader, &zero, 1.0);
    }
    let mut y = x.clone();
    // From the second binary digit on: square, and multiply by x where it is set.
    for digit in (0..31 - p.leading_zeros()).rev() {
        y = product(reader, &y, &y)?;
        if p >> digit & 1 == 1 {
            y = product(reader, &y, x)?;
        }
    }
    Ok(y)
}
