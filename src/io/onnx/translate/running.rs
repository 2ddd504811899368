//! Running sums, and triangles of matrices.

use super::masks::{number, select};
use super::orders::axis_last;
use super::shapes::{permuted, reshaped};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind, bounded};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::{Linear, Matmul};
use crate::shape::numel;

/// Sums of the entries up to each one along an axis, as a product with a triangle of ones.
pub(super) fn sum(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let axis = call.known(1)?.scalar().ok_or_else(|| Error::shape("CumSum: the axis is not one number"))?;
    let axis = x.axis(axis as i64)?;
    if !x.is_constant() {
        x.sample_axis(axis)?;
    }
    let (exclusive, reverse) = (call.flag("exclusive"), call.flag("reverse"));
    let counts = |to: usize, from: usize| {
        if reverse { from > to || (from == to && !exclusive) } else { from < to || (from == to && !exclusive) }
    };
    let swapped = axis_last(x.rank(), axis);
    let lines = permuted(reader, x, &swapped)?;
    let sums = by_triangle(reader, &lines, counts)?;
    Ok(permuted(reader, &sums, &swapped)?.of_kind(x.kind))
}

/// Sums along the last axis of the entries that count for each.
fn by_triangle(reader: &mut Reader<'_>, x: &Operand, counts: impl Fn(usize, usize) -> bool) -> Result<Operand> {
    let size = x.shape[x.rank() - 1];
    bounded(&[size, size])?;
    if x.is_constant() {
        let triangle = triangle(size, |from, to| counts(to, from));
        let rows = reshaped(reader, x, &[numel(&x.shape) / size.max(1), size], None)?;
        let sums = reader.apply(Matmul { transpose_b: false }, &[&rows, &triangle], rows.shape.clone(), None)?;
        return reshaped(reader, &sums, &x.shape, None);
    }
    let triangle = triangle(size, counts);
    let weight = reader.buffer(&triangle, "triangle")?;
    let value = reader.sample_value(x)?;
    let value = reader.graph.apply(Linear, &[value], &[weight])?;
    Ok(Operand::sample(value, x.shape.clone(), x.batch))
}

/// Ones where the condition holds between row and column, else zeros.
fn triangle(size: usize, holds: impl Fn(usize, usize) -> bool) -> Operand {
    let values = (0..size * size).map(|k| f64::from(holds(k / size, k % size))).collect();
    Operand::constant(Array::new(&[size, size], values, Kind::Float))
}

/// The part of matrices above or below a diagonal, zeros elsewhere.
pub(super) fn trilu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let k = call.known_optional(1)?.and_then(Array::scalar).unwrap_or(0.0) as i64;
    let upper = call.int("upper").unwrap_or(1) != 0;
    let &[.., rows, cols] = &x.shape[..] else {
        return Err(Error::shape(format!("Trilu: a value of shape {:?} is not made of matrices", x.shape)));
    };
    if !x.is_constant() {
        x.sample_axis(x.rank() - 2)?;
        x.sample_axis(x.rank() - 1)?;
    }
    bounded(&[rows, cols])?;
    let keep = |at: usize| {
        let offset = (at % cols) as i64 - (at / cols) as i64;
        if upper { offset >= k } else { offset <= k }
    };
    let mask = (0..rows * cols).map(|at| f64::from(keep(at))).collect();
    let mask = Operand::constant(Array::new(&[rows, cols], mask, Kind::Truth));
    Ok(select(reader, &mask, x, &number(0.0, x.kind))?.of_kind(x.kind))
}
