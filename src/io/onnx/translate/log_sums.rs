//! Reductions by logarithms of sums, and by products.

use super::activations::mapped;
use super::arithmetic::{difference, plus, product};
use super::parts::{cut, joined};
use super::shapes::reshaped;
use super::sums::{max_over, over, sum_over};
use crate::error::Result;
use crate::io::onnx::array::Array;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::unary::{Exp, Log, Unary};

/// ln(sum x)
pub(super) fn log_sum(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let sum = match over(call)? {
        Some((axes, keep)) => sum_over(reader, x, &axes, keep)?,
        None => x.clone(),
    };
    mapped(reader, Unary::from(Log), &sum)
}

/// ln(sum e^x) = m + ln(sum e^(x - m)) with the largest entry m, so that nothing overflows. The derivative does not depend
/// on m.
pub(super) fn log_sum_exp(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let Some((axes, keep)) = over(call)? else { return Ok(x.clone()) };
    let largest = max_over(reader, x, &axes, true)?;
    let below = difference(reader, x, &largest)?;
    let exponentials = mapped(reader, Unary::from(Exp), &below)?;
    let sum = sum_over(reader, &exponentials, &axes, true)?;
    let log = mapped(reader, Unary::from(Log), &sum)?;
    let y = plus(reader, &log, &largest)?;
    if keep { Ok(y) } else { without(reader, &y, &axes) }
}

/// The product over axes.
pub(super) fn product_over(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let Some((axes, keep)) = over(call)? else { return Ok(x.clone()) };
    if let Some(array) = x.array().filter(|array| axes.len() == array.shape.len()) {
        let shape = if keep { vec![1; array.shape.len()] } else { Vec::new() };
        return Ok(Operand::constant(Array::new(&shape, vec![array.values.iter().product()], array.kind)));
    }
    let mut y = x.clone();
    for &axis in &axes {
        x.sample_axis(axis)?;
        y = along(reader, &y, axis)?;
    }
    if keep { Ok(y) } else { without(reader, &y, &axes) }
}

/// The product along one axis, which stays with size 1: of halves, so that no division by an entry is needed, which may be
/// zero.
fn along(reader: &mut Reader<'_>, x: &Operand, axis: usize) -> Result<Operand> {
    let mut y = x.clone();
    while y.shape[axis] > 1 {
        let (size, half) = (y.shape[axis], y.shape[axis] / 2);
        let (first, second) = (cut(reader, &y, axis, 0..half)?, cut(reader, &y, axis, half..2 * half)?);
        let products = product(reader, &first, &second)?;
        y = if size == 2 * half {
            products
        } else {
            let last = cut(reader, &y, axis, size - 1..size)?;
            joined(reader, &[&products, &last], axis)?
        };
    }
    Ok(y)
}

/// Without axes that have size 1.
fn without(reader: &mut Reader<'_>, x: &Operand, axes: &[usize]) -> Result<Operand> {
    let shape: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.shape[axis]).collect();
    let batch = x.batch.map(|batch| batch - axes.iter().filter(|&&axis| axis < batch).count());
    reshaped(reader, x, &shape, batch)
}
