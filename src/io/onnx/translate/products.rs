//! Matrix products: with weights, which are linear layers, and of values with each other.

use super::activations::scaled;
use super::arithmetic::plus;
use super::parts::stretch;
use super::shapes::{permuted, reshaped};
use crate::error::{Error, Result};
use crate::io::onnx::array::Kind;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Hint, Operand};
use crate::io::onnx::proto::NodeProto;
use crate::io::onnx::reader::Reader;
use crate::ops::{Linear, Matmul, Permute, Reshape, Scale};
use crate::shape::{broadcast, numel};
use crate::tape::Parameter;

/// alpha A B + beta C, A and B transposed if asked.
pub(super) fn gemm(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let [mut a, mut b] = [call.input(0)?.clone(), call.input(1)?.clone()];
    if a.rank() != 2 || b.rank() != 2 {
        return Err(Error::shape(format!("matrices are needed, not shapes {:?} and {:?}", a.shape, b.shape)));
    }
    let (alpha, beta) = (call.float("alpha").unwrap_or(1.0), call.float("beta").unwrap_or(1.0));
    if call.flag("transA") {
        a = permuted(reader, &a, &[1, 0])?;
    }
    let c = call.optional(2);
    if let (false, true) = (a.is_constant(), b.is_constant()) {
        // The weight of a linear layer is [o, i].
        let transposed = call.flag("transB");
        let weight = weight(reader, &b, transposed, alpha)?;
        let out = if transposed { b.shape[0] } else { b.shape[1] };
        let bias = match c.filter(|c| c.is_constant() && numel(&c.shape) == out && c.shape.last() == Some(&out)) {
            Some(c) => Some(bias(reader, &call.path(), c, beta)?),
            None => None,
        };
        let y = linear(reader, &a, out, weight, bias)?;
        return match c.filter(|_| bias.is_none()) {
            Some(c) => added(reader, &y, c, beta),
            None => Ok(y),
        };
    }
    if call.flag("transB") {
        b = permuted(reader, &b, &[1, 0])?;
    }
    let y = general(reader, &a, &b)?;
    let y = scaled(reader, &y, alpha)?;
    match c {
        Some(c) => added(reader, &y, c, beta),
        None => Ok(y),
    }
}

/// y + beta c
fn added(reader: &mut Reader<'_>, y: &Operand, c: &Operand, beta: f64) -> Result<Operand> {
    let c = scaled(reader, c, beta)?;
    plus(reader, y, &c)
}

/// A weight as `[o, i]`, times a number.
fn weight(reader: &mut Reader<'_>, x: &Operand, transposed: bool, factor: f64) -> Result<Parameter> {
    let mut weight = reader.weight(x, "weight")?;
    if !transposed {
        weight = reader.graph.derive(Permute::new([1, 0]), &[weight])?;
    }
    if factor != 1.0 {
        weight = reader.graph.derive(Scale { factor }, &[weight])?;
    }
    Ok(weight)
}

/// A bias as `[o]`, times a number.
fn bias(reader: &mut Reader<'_>, path: &str, x: &Operand, factor: f64) -> Result<Parameter> {
    let mut bias = reader.weight_at(x, path, "bias")?;
    if x.rank() != 1 {
        bias = reader.graph.derive(Reshape::new([numel(&x.shape)]), &[bias])?;
    }
    if factor != 1.0 {
        bias = reader.graph.derive(Scale { factor }, &[bias])?;
    }
    Ok(bias)
}

/// x W^T + b on the last axis.
pub(super) fn linear(
    reader: &mut Reader<'_>,
    x: &Operand,
    out: usize,
    weight: Parameter,
    bias: Option<Parameter>,
) -> Result<Operand> {
    x.sample_axis(x.rank() - 1)?;
    let value = reader.sample_value(x)?;
    let parameters: Vec<Parameter> = [Some(weight), bias].into_iter().flatten().collect();
    let value = reader.graph.apply(Linear, &[value], &parameters)?;
    let mut shape = x.shape.clone();
    *shape.last_mut().expect("it has axes") = out;
    Ok(Operand::sample(value, shape, x.batch))
}

/// A product over the last two axes, the others stretched to each other; vectors are rows on the left and columns on the
/// right.
pub(super) fn matmul(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    match (a.is_constant(), b.is_constant()) {
        (false, true) if b.rank() == 2 => by_weight(reader, call, a, b),
        _ => of_anything(reader, a, b),
    }
}

/// The product of values and weights, however they are spread over the two sides.
pub(super) fn of_anything(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    if a.rank() == 0 || b.rank() == 0 {
        return Err(Error::shape(format!("shapes {:?} and {:?} have no product", a.shape, b.shape)));
    }
    match (a.is_constant(), b.is_constant()) {
        (false, true) if b.rank() == 2 => {
            let weight = weight(reader, b, false, 1.0)?;
            linear(reader, a, b.shape[1], weight, None)
        }
        (false, true) if b.rank() == 1 => {
            let b = reshaped(reader, b, &[b.shape[0], 1], None)?;
            let weight = weight(reader, &b, false, 1.0)?;
            let y = linear(reader, a, 1, weight, None)?;
            let shape = &a.shape[..a.rank() - 1];
            reshaped(reader, &y, shape, y.batch_after_reshape(shape))
        }
        (true, false) if a.rank() == 2 && b.rank() >= 2 => {
            // (W x)^T = x^T W^T
            let last = b.rank() - 1;
            let mut order: Vec<usize> = (0..=last).collect();
            order.swap(last - 1, last);
            let turned = permuted(reader, b, &order)?;
            let weight = weight(reader, a, true, 1.0)?;
            let y = linear(reader, &turned, a.shape[0], weight, None)?;
            permuted(reader, &y, &order)
        }
        _ => general(reader, a, b),
    }
}

/// x W with a weight `[i, o]`, and the bias that the next node adds.
fn by_weight(reader: &mut Reader<'_>, call: &Call<'_>, x: &Operand, w: &Operand) -> Result<Operand> {
    let out = w.shape[1];
    reader.note_folding(w);
    let weight = weight(reader, w, false, 1.0)?;
    let next = reader.only_consumer(call).filter(|node| node.op_type == "Add" && node.input.len() == 2);
    let added = match next {
        Some(node) => next_bias(reader, call, node, out)?,
        None => None,
    };
    let bias = match &added {
        Some((node, operand)) => {
            let next = Call { node, inputs: Vec::new(), opset: call.opset };
            Some(bias(reader, &next.path(), operand, 1.0)?)
        }
        None => None,
    };
    let y = linear(reader, x, out, weight, bias)?;
    Ok(if bias.is_some() { y.with_hint(Hint::Biased) } else { y })
}

/// What the node `add` adds to the product, if it is a bias `[o]`.
fn next_bias<'a>(
    reader: &mut Reader<'a>,
    call: &Call<'_>,
    add: &'a NodeProto,
    out: usize,
) -> Result<Option<(&'a NodeProto, Operand)>> {
    let product = &call.node.output[0];
    let Some(other) = add.input.iter().find(|name| *name != product) else { return Ok(None) };
    // A value that is not read yet, such as the other branch of a sum, is not a bias.
    let Ok(operand) = reader.find(other) else { return Ok(None) };
    let fits = operand.is_constant() && operand.kind == Kind::Float && operand.shape == [out];
    let finite = operand.numbers().is_some_and(|array| array.values.iter().all(|x| x.is_finite()));
    Ok((fits && finite).then_some((add, operand)))
}

/// The product of two values, or of anything with a stack of constant matrices.
pub(super) fn general(reader: &mut Reader<'_>, a: &Operand, b: &Operand) -> Result<Operand> {
    let (row, column) = (a.rank() == 1, b.rank() == 1);
    let mut a = a.clone();
    let mut b = b.clone();
    if row {
        let shape = [1, a.shape[0]];
        a = reshaped(reader, &a, &shape, a.batch.map(|batch| batch + 1))?;
    }
    if column {
        let shape = [b.shape[0], 1];
        b = reshaped(reader, &b, &shape, b.batch)?;
    }
    let (ra, rb) = (a.rank(), b.rank());
    let fits = a.shape[ra - 1] == b.shape[rb - 2];
    let lead = broadcast(&a.shape[..ra - 2], &b.shape[..rb - 2]);
    let Some(lead) = lead.filter(|_| fits) else {
        return Err(Error::shape(format!("shapes {:?} and {:?} have no product", a.shape, b.shape)));
    };
    a.sample_axis(ra - 1)?;
    b.sample_axis(rb - 2)?;
    let rank = lead.len() + 2;
    let at = |x: &Operand| x.own_batch().map(|batch| batch + rank - x.rank());
    let (batch_a, batch_b) = (at(&a), at(&b));
    if let (Some(one), Some(two)) = (batch_a, batch_b)
        && one != two
    {
        return Err(Error::unsupported("it multiplies samples with other samples"));
    }
    let batch = batch_a.or(batch_b);
    let mut shape = lead.clone();
    shape.extend([a.shape[ra - 2], b.shape[rb - 1]]);
    let whole_a = [&lead[..], &a.shape[ra - 2..]].concat();
    let whole_b = [&lead[..], &b.shape[rb - 2..]].concat();
    let mut a = stretch(reader, &a, &whole_a)?;
    let mut b = stretch(reader, &b, &whole_b)?;
    // Only an axis outside the product may be left out.
    let left_out = batch.filter(|&axis| axis < lead.len());
    (a.batch, b.batch) = (left_out, left_out);
    let mut y = reader.apply(Matmul { transpose_b: false }, &[&a, &b], shape, batch)?;
    if row || column {
        let rank = y.rank();
        let dropped = |axis: usize| (row && axis == rank - 2) || (column && axis == rank - 1);
        let shape: Vec<usize> = (0..rank).filter(|&axis| !dropped(axis)).map(|axis| y.shape[axis]).collect();
        let batch = y.batch_after_reshape(&shape);
        y = reshaped(reader, &y, &shape, batch)?;
    }
    Ok(y)
}
