//! Quantised networks: whole numbers that stand for multiples of a scale.
//!
//! Rounding has the straight-through derivative of [`Quantize`]. An integer initialiser that is dequantised is the
//! parameter that it stands for, scale (q - zero point), under its own name.

use super::activations::{mapped, scaled};
use super::arithmetic::{difference, plus, product, shifted};
use super::parts::{cut, joined};
use super::products::{gemm, of_anything};
use super::{activations, pools, windows};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::unary::{LeakyRelu, Quantize, Sigmoid, Unary};

/// The most channels with zero points of their own that are rounded one by one.
const MOST_CHANNELS: usize = 1 << 10;

/// What whole numbers stand for: `scale (q - zero)`, both in shapes that stretch to the value's.
struct Scaling {
    scale: Array,
    zero: Array,
}

/// The whole numbers of a type.
#[derive(Clone, Copy)]
struct Range {
    min: f64,
    max: f64,
}

pub(super) fn quantize(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let scaling = Scaling::new(call, x, [1, 2], axis(call, x)?)?;
    let range = Range::of_output(reader, call, 2)?;
    quantised(reader, x, &scaling, range)
}

pub(super) fn dequantize(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let scaling = Scaling::new(call, x, [1, 2], axis(call, x)?)?;
    dequantised(reader, call, 0, &scaling)
}

/// Input `k` as the numbers that it stands for.
fn dequantised(reader: &mut Reader<'_>, call: &Call<'_>, k: usize, scaling: &Scaling) -> Result<Operand> {
    let x = call.input(k)?;
    let name = &call.node.input[k];
    if let Some(array) = x.array().filter(|array| array.kind != Kind::Float && reader.is_initialiser(name)) {
        let array = Array::zip(array, &scaling.zero, Kind::Float, |q, zero| q - zero)?;
        let array = Array::zip(&array, &scaling.scale, Kind::Float, |q, scale| q * scale)?;
        return Ok(reader.tensor(name, array));
    }
    let y = less(reader, &x.clone().of_kind(Kind::Float), &scaling.zero)?;
    times(reader, &y, &scaling.scale)
}

/// The whole numbers that stand for `x`.
fn quantised(reader: &mut Reader<'_>, x: &Operand, scaling: &Scaling, range: Range) -> Result<Operand> {
    let steps = times(reader, x, &scaling.scale.map(Kind::Float, |scale| 1.0 / scale))?;
    let zeros = &scaling.zero.values;
    let Some(axis) =
        scaling.zero.shape.iter().position(|&size| size != 1).filter(|_| zeros.iter().any(|&z| z != zeros[0]))
    else {
        return rounded(reader, &steps, zeros.first().copied().unwrap_or(0.0), range);
    };
    if scaling.zero.shape[axis] != zeros.len() || zeros.len() > MOST_CHANNELS {
        return Err(Error::unsupported(format!(
            "zero points of shape {:?} that differ: only up to {MOST_CHANNELS} along one axis are supported",
            scaling.zero.shape
        )));
    }
    let channel = |reader: &mut Reader<'_>, k: usize| {
        let piece = cut(reader, &steps, axis, k..k + 1)?;
        rounded(reader, &piece, zeros[k], range)
    };
    let pieces = (0..zeros.len()).map(|k| channel(reader, k)).collect::<Result<Vec<_>>>()?;
    joined(reader, &pieces.iter().collect::<Vec<_>>(), axis)
}

/// Rounded steps above a zero point, within the range of the type.
fn rounded(reader: &mut Reader<'_>, steps: &Operand, zero: f64, range: Range) -> Result<Operand> {
    let f = Quantize { min: range.min - zero, max: range.max - zero };
    let y = mapped(reader, Unary::from(f), steps)?;
    if zero == 0.0 { Ok(y) } else { shifted(reader, &y, zero) }
}

/// x a, where `a` is fixed.
fn times(reader: &mut Reader<'_>, x: &Operand, a: &Array) -> Result<Operand> {
    match a.scalar() {
        Some(factor) => scaled(reader, x, factor),
        None => product(reader, x, &Operand::constant(a.clone())),
    }
}

/// x - a, where `a` is fixed.
fn less(reader: &mut Reader<'_>, x: &Operand, a: &Array) -> Result<Operand> {
    match a.scalar() {
        Some(0.0) => Ok(x.clone()),
        Some(number) => shifted(reader, x, -number),
        None => difference(reader, x, &Operand::constant(a.clone())),
    }
}

/// The axis of `x` that scales and zero points may be along.
fn axis(call: &Call<'_>, x: &Operand) -> Result<usize> {
    match (call.known(1)?.values.len(), x.rank()) {
        (1, _) | (_, 0) => Ok(0),
        _ => x.axis(call.int("axis").unwrap_or(1)),
    }
}

impl Scaling {
    /// Scale and zero point, the inputs with these numbers, for the value `x`.
    fn new(call: &Call<'_>, x: &Operand, [scale, zero]: [usize; 2], axis: usize) -> Result<Self> {
        let block = call.int("block_size").and_then(|block| usize::try_from(block).ok()).filter(|&block| block > 0);
        let spread = |k: usize| Self::spread(call.known(k)?, x, axis, block);
        let zero = match call.optional(zero) {
            Some(_) => spread(zero)?,
            None => Array::new(&[], vec![0.0], Kind::Float),
        };
        Ok(Scaling { scale: spread(scale)?, zero })
    }

    /// One number, one for each entry of an axis, or one for each block of entries along it.
    fn spread(array: &Array, x: &Operand, axis: usize, block: Option<usize>) -> Result<Array> {
        let count = array.values.len();
        if count == 1 {
            return Ok(Array::new(&[], array.values.clone(), Kind::Float));
        }
        if array.shape.len() == 1 && x.shape.get(axis) == Some(&count) {
            let mut shape = vec![1; x.rank()];
            shape[axis] = count;
            return Ok(Array::new(&shape, array.values.clone(), Kind::Float));
        }
        match block {
            Some(block) if array.shape.len() == x.rank() => Self::blocks(array, x, axis, block),
            _ => Err(Error::shape(format!(
                "scales or zero points of shape {:?} do not fit axis {axis} of a value of shape {:?}",
                array.shape, x.shape
            ))),
        }
    }

    /// Every entry of `array` once for each entry of its block of `x`.
    fn blocks(array: &Array, x: &Operand, axis: usize, block: usize) -> Result<Array> {
        let size = x.shape[axis];
        let mut shape = array.shape.clone();
        if shape[axis] != size.div_ceil(block) {
            return Err(Error::shape(format!(
                "{} blocks of {block} do not cover the {size} entries of axis {axis}",
                shape[axis]
            )));
        }
        let inner: usize = shape[axis + 1..].iter().product();
        let rows = array.values.chunks(shape[axis] * inner);
        let values =
            rows.flat_map(|row| (0..size).flat_map(move |k| row[k / block * inner..][..inner].to_vec())).collect();
        shape[axis] = size;
        Ok(Array::new(&shape, values, Kind::Float))
    }
}

impl Range {
    /// Of what the node gives: the type of its zero point, input `zero`, or the one that it names.
    fn of_output(reader: &Reader<'_>, call: &Call<'_>, zero: usize) -> Result<Self> {
        let named = call.int("output_dtype").and_then(|code| i32::try_from(code).ok()).filter(|&code| code != 0);
        let code = match (call.optional(zero), named) {
            (Some(_), _) => reader.element_type(&call.node.input[zero]),
            (None, Some(code)) => Some(code),
            (None, None) => Some(2),
        };
        let (min, max) = match code {
            Some(2) => (0, 255),
            Some(3) => (-128, 127),
            Some(4) => (0, 65_535),
            Some(5) => (-32_768, 32_767),
            Some(21) => (0, 15),
            Some(22) => (-8, 7),
            Some(code) => {
                return Err(Error::unsupported(format!(
                    "quantisation to numbers of type {code}: only integers of 4, 8 and 16 bits are supported"
                )));
            }
            None => {
                return Err(Error::unsupported(format!(
                    "the type of the zero point '{}' is not known; make it an initialiser",
                    call.node.input[zero]
                )));
            }
        };
        Ok(Range { min: min.into(), max: max.into() })
    }
}

/// The node with other inputs in the place of its own.
fn with_inputs<'a>(call: &Call<'a>, inputs: Vec<Option<Operand>>) -> Call<'a> {
    Call { node: call.node, inputs, opset: call.opset }
}

/// x - zero point, as the products of integers take it.
fn centred(reader: &mut Reader<'_>, call: &Call<'_>, k: usize, zero: usize, axis: usize) -> Result<Operand> {
    let x = call.input(k)?.clone().of_kind(Kind::Float);
    if call.optional(zero).is_none() {
        return Ok(x);
    }
    let zeros = Scaling::spread(call.known(zero)?, &x, axis, None)?;
    if let Some(array) = x.array() {
        return Ok(Operand::constant(Array::zip(array, &zeros, Kind::Float, |q, zero| q - zero)?));
    }
    less(reader, &x, &zeros)
}

/// Warns that integer weights without a scale are not parameters.
fn note_integers(reader: &mut Reader<'_>, call: &Call<'_>) {
    reader.warnings.push(format!(
        "node '{}' ({}): its integer weight '{}' is taken as a constant, since the node has no scale for it; write the network \
         with DequantizeLinear to make it a parameter",
        call.name(),
        call.node.op_type,
        call.node.input.get(1).map_or("", String::as_str)
    ));
}

pub(super) fn conv_integer(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    note_integers(reader, call);
    let (x, w) = (centred(reader, call, 0, 2, 1)?, centred(reader, call, 1, 3, 0)?);
    windows::conv(reader, &with_inputs(call, vec![Some(x), Some(w)]))
}

pub(super) fn matmul_integer(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    note_integers(reader, call);
    let (rows, columns) = (call.input(0)?.rank().saturating_sub(2), call.input(1)?.rank().saturating_sub(1));
    let (a, b) = (centred(reader, call, 0, 2, rows)?, centred(reader, call, 1, 3, columns)?);
    of_anything(reader, &a, &b)
}

/// Input `k` as the numbers that it stands for, with scale and zero point right after it.
fn dequantised_input(reader: &mut Reader<'_>, call: &Call<'_>, k: usize, axis: usize) -> Result<Operand> {
    let scaling = Scaling::new(call, call.input(k)?, [k + 1, k + 2], axis)?;
    dequantised(reader, call, k, &scaling)
}

/// The result as whole numbers, with scale and zero point at inputs `k` and `k + 1`.
fn quantised_output(reader: &mut Reader<'_>, call: &Call<'_>, y: &Operand, k: usize) -> Result<Operand> {
    let scaling = Scaling::new(call, y, [k, k + 1], 0)?;
    let range = Range::of_output(reader, call, k + 1)?;
    quantised(reader, y, &scaling, range)
}

/// The bias counts steps of the input's scale times the weight's.
pub(super) fn qlinear_conv(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = dequantised_input(reader, call, 0, 1)?;
    let w = dequantised_input(reader, call, 3, 0)?;
    let bias = match call.optional(8) {
        Some(bias) => {
            let scale = Array::zip(
                &Scaling::spread(call.known(1)?, bias, 0, None)?,
                &Scaling::spread(call.known(4)?, bias, 0, None)?,
                Kind::Float,
                |x, w| x * w,
            )?;
            let zero = Array::new(&[], vec![0.0], Kind::Float);
            Some(dequantised(reader, call, 8, &Scaling { scale, zero })?)
        }
        None => None,
    };
    let y = windows::conv(reader, &with_inputs(call, vec![Some(x), Some(w), bias]))?;
    quantised_output(reader, call, &y, 6)
}

pub(super) fn qlinear_matmul(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (rows, columns) = (call.input(0)?.rank().saturating_sub(2), call.input(3)?.rank().saturating_sub(1));
    let (a, b) = (dequantised_input(reader, call, 0, rows)?, dequantised_input(reader, call, 3, columns)?);
    let y = of_anything(reader, &a, &b)?;
    quantised_output(reader, call, &y, 6)
}

/// Of com.microsoft: A B + C with whole numbers; the result is quantised if it has a scale.
pub(super) fn qgemm(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let columns = if call.flag("transB") { 0 } else { 1 };
    let (a, b) = (dequantised_input(reader, call, 0, 0)?, dequantised_input(reader, call, 3, columns)?);
    let c = match call.optional(6) {
        Some(c) => {
            let last = c.rank().saturating_sub(1);
            let scale = Array::zip(
                &Scaling::spread(call.known(1)?, c, last, None)?,
                &Scaling::spread(call.known(4)?, c, last, None)?,
                Kind::Float,
                |x, w| x * w,
            )?;
            let alpha = call.float("alpha").unwrap_or(1.0);
            let scale = scale.map(Kind::Float, |scale| scale * alpha);
            Some(dequantised(reader, call, 6, &Scaling { scale, zero: Array::new(&[], vec![0.0], Kind::Float) })?)
        }
        None => None,
    };
    let y = gemm(reader, &with_inputs(call, vec![Some(a), Some(b), c]))?;
    if call.optional(7).is_some() { quantised_output(reader, call, &y, 7) } else { Ok(y) }
}

/// Of com.microsoft: sums and products of two quantised values.
pub(super) fn qlinear_pair(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let (a, b) = (dequantised_input(reader, call, 0, 0)?, dequantised_input(reader, call, 3, 0)?);
    let y = if call.node.op_type == "QLinearAdd" { plus(reader, &a, &b)? } else { product(reader, &a, &b)? };
    quantised_output(reader, call, &y, 6)
}

/// Of com.microsoft: functions of one quantised value.
pub(super) fn qlinear_function(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = dequantised_input(reader, call, 0, 0)?;
    let y = match call.node.op_type.as_str() {
        "QLinearSigmoid" => mapped(reader, Unary::from(Sigmoid), &x)?,
        "QLinearLeakyRelu" => {
            let slope = call.float("alpha").unwrap_or(0.01);
            mapped(reader, Unary::from(LeakyRelu { slope }), &x)?
        }
        "QLinearSoftmax" => activations::softmax(reader, &with_inputs(call, vec![Some(x)]))?,
        _ if call.flag("channels_last") => return Err(Error::unsupported("channels_last = 1 is not supported")),
        _ => pools::global_average(reader, &with_inputs(call, vec![Some(x)]))?,
    };
    quantised_output(reader, call, &y, 3)
}
