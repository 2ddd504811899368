//! Ops of the domain com.microsoft that onnxruntime fuses, written as the ops that they were made of.

use super::activations::{clipped, mapped, scaled};
use super::arithmetic::{plus, product, shifted};
use super::norms;
use super::parts::{cut, gather};
use super::products::{gemm, of_anything};
use super::shapes::permuted;
use super::windows;
use crate::error::{Error, Result};
use crate::io::onnx::array::Array;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::proto::{AttributeProto, NodeProto};
use crate::io::onnx::reader::Reader;
use crate::unary::{Elu, Gelu, LeakyRelu, Relu, Sigmoid, Silu, Softplus, Tanh, Unary};

/// The node with other inputs in the place of its own.
fn with_inputs<'a>(call: &Call<'a>, inputs: Vec<Option<Operand>>) -> Call<'a> {
    Call { node: call.node, inputs, opset: call.opset }
}

/// A node of another op at the place of `call`, under its name.
pub(super) fn in_place_of(call: &Call<'_>, op: &str, attributes: Vec<AttributeProto>) -> NodeProto {
    NodeProto { op_type: op.to_string(), domain: String::new(), attribute: attributes, ..call.node.clone() }
}

pub(super) fn int_attribute(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_string(), i: Some(value), kind: 2, ..AttributeProto::default() }
}

pub(super) fn float_attribute(name: &str, value: f64) -> AttributeProto {
    AttributeProto { name: name.to_string(), f: Some(value as f32), kind: 1, ..AttributeProto::default() }
}

/// x + b, where the bias `b`, input `k`, may be missing.
fn with_bias(reader: &mut Reader<'_>, call: &Call<'_>, x: &Operand, k: usize) -> Result<Operand> {
    match call.optional(k) {
        Some(bias) => plus(reader, x, bias),
        None => Ok(x.clone()),
    }
}

pub(super) fn gelu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = with_bias(reader, call, call.input(0)?, 1)?;
    mapped(reader, Unary::from(Gelu { approximate: call.node.op_type == "FastGelu" }), &x)
}

/// x sigmoid(alpha x)
pub(super) fn quick_gelu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let alpha = call.float("alpha").unwrap_or(1.702);
    let x = scaled(reader, call.input(0)?, alpha)?;
    let y = mapped(reader, Unary::from(Silu), &x)?;
    scaled(reader, &y, 1.0 / alpha)
}

/// alpha A B, either transposed if asked.
pub(super) fn matmul(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    if let Some(key) = ["transBatchA", "transBatchB"].into_iter().find(|key| call.flag(key)) {
        return Err(Error::unsupported(format!("{key} = 1 is not supported; export without fused ops")));
    }
    let side = |reader: &mut Reader<'_>, k: usize, key: &str| {
        let x = call.input(k)?;
        if !call.flag(key) || x.rank() < 2 {
            return Ok(x.clone());
        }
        let last = x.rank() - 1;
        let mut order: Vec<usize> = (0..=last).collect();
        order.swap(last - 1, last);
        permuted(reader, x, &order)
    };
    let (a, b) = (side(reader, 0, "transA")?, side(reader, 1, "transB")?);
    let y = of_anything(reader, &a, &b)?;
    scaled(reader, &y, call.float("alpha").unwrap_or(1.0))
}

/// A convolution, the sum with input 3, and an activation.
pub(super) fn conv(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let inputs = (0..3).map(|k| call.optional(k).cloned()).collect();
    let mut y = windows::conv(reader, &with_inputs(call, inputs))?;
    if let Some(other) = call.optional(3) {
        y = plus(reader, &y, other)?;
    }
    let parameters = call.attribute("activation_params").map(|attribute| attribute.floats.clone()).unwrap_or_default();
    let parameter = |k: usize| parameters.get(k).map(|&x| f64::from(x));
    activated(reader, call, &y, parameter)
}

pub(super) fn fused_gemm(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let y = gemm(reader, call)?;
    let keys = ["activation_alpha", "activation_beta", "activation_gamma"];
    activated(reader, call, &y, |k| call.float(keys[k]))
}

/// The activation that the node names, with its parameters by number.
fn activated(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    x: &Operand,
    parameter: impl Fn(usize) -> Option<f64>,
) -> Result<Operand> {
    let or = |k: usize, default: f64| parameter(k).unwrap_or(default);
    let f: Unary = match call.text("activation").as_deref() {
        None | Some("") => return Ok(x.clone()),
        Some("Relu") => Relu.into(),
        Some("Tanh") => Tanh.into(),
        Some("Sigmoid") => Sigmoid.into(),
        Some("Softplus") => Softplus.into(),
        Some("LeakyRelu") => LeakyRelu { slope: or(0, 0.01) }.into(),
        Some("Elu") => Elu { alpha: or(0, 1.0) }.into(),
        Some("Clip") => return clipped(reader, x, parameter(0), parameter(1)),
        Some("HardSigmoid") => {
            let y = scaled(reader, x, or(0, 0.2))?;
            let y = shifted(reader, &y, or(1, 0.5))?;
            return clipped(reader, &y, Some(0.0), Some(1.0));
        }
        Some(other) => {
            return Err(Error::unsupported(format!(
                "activation = '{other}' is not supported; export without fused ops"
            )));
        }
    };
    mapped(reader, f, x)
}

/// Refuses a node whose output `k` somebody may take.
pub(super) fn expect_no_output(call: &Call<'_>, k: usize, what: &str) -> Result<()> {
    match call.node.output.get(k).filter(|name| !name.is_empty()) {
        Some(name) => Err(Error::unsupported(format!("output {k} ('{name}', {what}) is not supported"))),
        None => Ok(()),
    }
}

/// A norm over the last axis with the weight and bias at these inputs.
fn normalised(reader: &mut Reader<'_>, call: &Call<'_>, x: &Operand, affine: &[usize], eps: f64) -> Result<Operand> {
    let node = in_place_of(call, "", vec![int_attribute("axis", -1), float_attribute("epsilon", eps)]);
    let inputs = [Some(x.clone())].into_iter().chain(affine.iter().map(|&k| call.optional(k).cloned())).collect();
    let inner = Call { node: &node, inputs, opset: call.opset };
    if affine.len() == 2 { norms::layer(reader, &inner) } else { norms::rms(reader, &inner) }
}

/// The norm of input + skip + bias, and that sum as output 3.
pub(super) fn skip_layer_norm(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    expect_no_output(call, 1, "the mean")?;
    expect_no_output(call, 2, "the inverse deviation")?;
    let simplified = call.node.op_type == "SkipSimplifiedLayerNormalization";
    let sum = plus(reader, call.input(0)?, call.input(1)?)?;
    let sum = with_bias(reader, call, &sum, if simplified { 3 } else { 4 })?;
    let eps = call.float("epsilon").unwrap_or(1e-12);
    let affine: &[usize] = if simplified { &[2] } else { &[2, 3] };
    let y = normalised(reader, call, &sum, affine, eps)?;
    Ok(vec![y.clone(), y.clone(), y, sum])
}

/// x / sqrt(mean x^2 + eps) times a weight.
pub(super) fn simplified_layer_norm(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    norms::rms(reader, call)
}

/// The norm of the sum of the rows of tables: of words, positions, and segments; that sum is output 2.
pub(super) fn embed_layer_norm(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    expect_no_output(call, 1, "the mask's lengths")?;
    let words = rows(reader, call, 2, call.input(0)?)?;
    let positions = match call.optional(8) {
        Some(positions) => rows(reader, call, 3, positions)?,
        None => {
            let count = *call.input(0)?.shape.last().ok_or_else(|| Error::shape("the ids have no positions"))?;
            rows(reader, call, 3, &Operand::constant(Array::list(0..count)))?
        }
    };
    let mut sum = plus(reader, &words, &positions)?;
    if let (Some(segments), Some(_)) = (call.optional(1), call.optional(4)) {
        let segments = rows(reader, call, 4, segments)?;
        sum = plus(reader, &sum, &segments)?;
    }
    let y = normalised(reader, call, &sum, &[5, 6], call.float("epsilon").unwrap_or(1e-12))?;
    Ok(vec![y.clone(), y, sum])
}

/// Rows of the table at input `k`.
fn rows(reader: &mut Reader<'_>, call: &Call<'_>, k: usize, ids: &Operand) -> Result<Operand> {
    let node = in_place_of(call, "Gather", vec![int_attribute("axis", 0)]);
    let inputs = vec![Some(call.input(k)?.clone()), Some(ids.clone())];
    gather(reader, &Call { node: &node, inputs, opset: call.opset })
}

/// x + b, and x + b + another value.
pub(super) fn bias_add(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let y = with_bias(reader, call, call.input(0)?, 1)?;
    match call.optional(2) {
        Some(skip) => plus(reader, &y, skip),
        None => Ok(y),
    }
}

/// The first half of x + b times gelu of the second.
pub(super) fn bias_split_gelu(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = with_bias(reader, call, call.input(0)?, 1)?;
    let last = x.rank().checked_sub(1).ok_or_else(|| Error::shape("a value without axes is split"))?;
    let half = x.shape[last] / 2;
    let (value, gate) = (cut(reader, &x, last, 0..half)?, cut(reader, &x, last, half..2 * half)?);
    let gate = mapped(reader, Unary::from(Gelu { approximate: false }), &gate)?;
    product(reader, &value, &gate)
}
