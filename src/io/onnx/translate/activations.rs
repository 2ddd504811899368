//! Functions of one number, and softmax.

use crate::attributes::Attributes;
use crate::error::{Error, Result};
use crate::io::onnx::array::Kind;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Is, Operand};
use crate::io::onnx::reader::Reader;
use crate::ops::{Builtin, Scale, Softmax};
use crate::unary::{
    Elu, Gelu, HardTanh, LeakyRelu, Log, Reciprocal, Relu, Shrink, Silu, Softplus, Sqrt, Tanh, ThresholdedRelu, Unary,
};

use super::arithmetic::{product, shifted};

/// f(x) entry by entry, or another op that keeps the shape and goes entry by entry.
pub(super) fn mapped(reader: &mut Reader<'_>, op: impl Into<Builtin>, x: &Operand) -> Result<Operand> {
    match x.is {
        // As the graph has it: no shape matters.
        Is::Sample(value) => {
            let value = reader.graph.apply(op, &[value], &[])?;
            Ok(Operand::sample(value, x.shape.clone(), x.batch))
        }
        _ => reader.apply(op, &[x], x.shape.clone(), None),
    }
}

fn unary(reader: &mut Reader<'_>, f: impl Into<Unary>, x: &Operand) -> Result<Operand> {
    mapped(reader, f.into(), x)
}

pub(super) fn scaled(reader: &mut Reader<'_>, x: &Operand, factor: f64) -> Result<Operand> {
    if factor == 1.0 { Ok(x.clone()) } else { mapped(reader, Scale { factor }, x) }
}

/// A function that is called the same here, in small letters.
pub(super) fn named(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let mut attributes = Attributes::default();
    if call.node.op_type == "Elu" {
        attributes.insert("alpha", crate::Attribute::Number(call.float("alpha").unwrap_or(1.0)));
    }
    let name = call.node.op_type.to_lowercase();
    let f = Unary::parse(&name, &attributes).ok_or_else(|| Error::unsupported(format!("no function '{name}'")))??;
    unary(reader, f, call.input(0)?)
}

pub(super) fn leaky_relu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let slope = call.float("alpha").unwrap_or(f64::from(0.01f32));
    unary(reader, LeakyRelu { slope }, call.input(0)?)
}

pub(super) fn gelu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let approximate = match call.text("approximate").as_deref() {
        None | Some("none") => false,
        Some("tanh") => true,
        Some(other) => return Err(Error::format(format!("approximate is '{other}'"))),
    };
    unary(reader, Gelu { approximate }, call.input(0)?)
}

pub(super) fn softplus(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    unary(reader, Softplus, call.input(0)?)
}

/// gamma elu(x), with alpha inside.
pub(super) fn selu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let alpha = call.float("alpha").unwrap_or(f64::from(1.673_263_2f32));
    let gamma = call.float("gamma").unwrap_or(f64::from(1.050_701f32));
    let y = unary(reader, Elu { alpha }, call.input(0)?)?;
    scaled(reader, &y, gamma)
}

/// alpha elu(x / alpha)
pub(super) fn celu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let alpha = call.float("alpha").unwrap_or(1.0);
    let x = scaled(reader, call.input(0)?, 1.0 / alpha)?;
    let y = unary(reader, Elu { alpha: 1.0 }, &x)?;
    scaled(reader, &y, alpha)
}

/// x sigmoid(alpha x)
pub(super) fn swish(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let alpha = call.float("alpha").unwrap_or(1.0);
    let x = scaled(reader, call.input(0)?, alpha)?;
    let y = unary(reader, Silu, &x)?;
    scaled(reader, &y, 1.0 / alpha)
}

/// x tanh(softplus(x))
pub(super) fn mish(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let y = softplus(reader, call)?;
    let y = unary(reader, Tanh, &y)?;
    product(reader, call.input(0)?, &y)
}

/// x / (1 + |x|)
pub(super) fn softsign(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    soft_sign(reader, call.input(0)?)
}

pub(super) fn soft_sign(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    let size = unary(reader, crate::unary::Abs, x)?;
    let below = shifted(reader, &size, 1.0)?;
    let inverse = unary(reader, Reciprocal, &below)?;
    product(reader, x, &inverse)
}

fn hard(reader: &mut Reader<'_>, x: &Operand, alpha: f64, beta: f64) -> Result<Operand> {
    let y = scaled(reader, x, alpha)?;
    let y = shifted(reader, &y, beta)?;
    unary(reader, HardTanh { min: 0.0, max: 1.0 }, &y)
}

/// max(0, min(1, alpha x + beta))
pub(super) fn hard_sigmoid(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (alpha, beta) = (call.float("alpha").unwrap_or(f64::from(0.2f32)), call.float("beta").unwrap_or(0.5));
    hard(reader, call.input(0)?, alpha, beta)
}

/// x hardsigmoid(x), with alpha = 1/6 and beta = 1/2.
pub(super) fn hard_swish(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let gate = hard(reader, call.input(0)?, 1.0 / 6.0, 0.5)?;
    product(reader, call.input(0)?, &gate)
}

/// x moved towards 0 by `bias` outside of -lambd and lambd, 0 between them.
pub(super) fn shrink(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (lambda, bias) = (call.float("lambd").unwrap_or(0.5), call.float("bias").unwrap_or(0.0));
    unary(reader, Shrink { lambda, bias }, call.input(0)?)
}

pub(super) fn thresholded_relu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    unary(reader, ThresholdedRelu { alpha: call.float("alpha").unwrap_or(1.0) }, call.input(0)?)
}

/// ln(x), where ln(sigmoid(z)) is -softplus(-z), so that it does not underflow.
pub(super) fn log(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let Some(z) = sigmoid_argument(reader, x) else { return unary(reader, Log, x) };
    let minus = mapped(reader, Scale { factor: -1.0 }, &z)?;
    let y = unary(reader, Softplus, &minus)?;
    scaled(reader, &y, -1.0)
}

/// z, if `x` is sigmoid(z).
fn sigmoid_argument(reader: &Reader<'_>, x: &Operand) -> Option<Operand> {
    let Is::Sample(value) = x.is else { return None };
    let node = reader.graph.nodes_up_to(value).last()?;
    let z = *node.inputs.first().filter(|_| matches!(node.op, Builtin::Unary(Unary::Sigmoid(_))))?;
    Some(Operand { is: Is::Sample(z), ..x.clone() })
}

pub(super) fn neg(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    Ok(scaled(reader, x, -1.0)?.of_kind(x.kind))
}

pub(super) fn sqrt(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    unary(reader, Sqrt, call.input(0)?)
}

pub(super) fn reciprocal(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    inverse(reader, call.input(0)?)
}

/// 1 / x
pub(super) fn inverse(reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
    let y = unary(reader, Reciprocal, x)?;
    Ok(y)
}

/// The bounds are attributes before op set 11, and inputs from then on; either may be missing.
pub(super) fn clip(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let bound = |k: usize, key: &str| -> Result<Option<f64>> {
        match call.known_optional(k)? {
            Some(array) => array.scalar().map(Some).ok_or_else(|| Error::shape(format!("its {key} is no number"))),
            None => Ok(call.float(key)),
        }
    };
    let (min, max) = (bound(1, "min")?, bound(2, "max")?);
    clipped(reader, call.input(0)?, min, max)
}

/// x between two bounds, each of which may be missing or beyond all numbers. At the bounds the derivative is 0, as PyTorch
/// has it.
pub(super) fn clipped(reader: &mut Reader<'_>, x: &Operand, min: Option<f64>, max: Option<f64>) -> Result<Operand> {
    let far = f64::from(f32::MAX);
    let (min, max) = (min.unwrap_or(-far).max(-far), max.unwrap_or(far).min(far));
    if min.is_nan() || max.is_nan() || min > max {
        return Err(Error::value(format!("the lower bound {min} is above the upper one {max}")));
    }
    if let Some(array) = x.array().filter(|array| array.kind != Kind::Float) {
        return Ok(Operand::constant(array.map(array.kind, |x| x.clamp(min, max))));
    }
    match (min, max) {
        (0.0, max) if max == far => unary(reader, Relu, x),
        _ if (min, max) == (-far, far) => Ok(x.clone()),
        _ => unary(reader, HardTanh { min, max }, x),
    }
}

/// Softmax or its logarithm along an axis; before op set 13 over that axis and all after it.
pub(super) fn softmax(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (x, log) = (call.input(0)?, call.node.op_type == "LogSoftmax");
    let old = call.opset < 13;
    let axis = x.axis(call.int("axis").unwrap_or(if old { 1 } else { -1 }))?;
    let along = |axis: usize| if log { Softmax::log_along(axis as i64) } else { Softmax::along(axis as i64) };
    if !old || axis + 1 == x.rank() {
        return reader.apply(along(x.sample_axis(axis)?), &[x], x.shape.clone(), x.batch);
    }
    // Everything from the axis on is one.
    if x.own_batch().is_some_and(|batch| batch >= axis) {
        x.sample_axis(x.own_batch().expect("it was there"))?;
    }
    let rows: usize = x.shape[..axis].iter().product();
    let flat = [rows, x.shape[axis..].iter().product()];
    let seen = Operand { shape: flat.to_vec(), batch: None, ..x.clone() };
    let y = reader.apply(along(1), &[&seen], x.shape.clone(), x.batch)?;
    Ok(y)
}
