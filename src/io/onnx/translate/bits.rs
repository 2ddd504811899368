//! Bits of integers that are known without any sample.

use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

pub(super) fn shifted(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let left = match call.text("direction").as_deref() {
        Some("LEFT") => true,
        Some("RIGHT") => false,
        other => return Err(Error::format(format!("BitShift: the direction is {other:?}, not LEFT or RIGHT"))),
    };
    combined(call, |x, y| {
        let places = u32::try_from(y).unwrap_or(u32::MAX);
        let shifted = if left { x.checked_shl(places) } else { x.checked_shr(places) };
        shifted.unwrap_or(0)
    })
}

pub(super) fn bitwise(_reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    match call.node.op_type.as_str() {
        "BitwiseAnd" => combined(call, |x, y| x & y),
        "BitwiseOr" => combined(call, |x, y| x | y),
        "BitwiseXor" => combined(call, |x, y| x ^ y),
        _ => {
            let array = call.known(0)?;
            Ok(Operand::constant(array.map(array.kind, |x| !(x as i64) as f64)))
        }
    }
}

fn combined(call: &Call<'_>, f: impl Fn(i64, i64) -> i64) -> Result<Operand> {
    let (a, b) = (call.known(0)?, call.known(1)?);
    let entry = |x: f64, y: f64| f(x as i64, y as i64) as f64;
    Ok(Operand::constant(Array::zip(a, b, Kind::Whole, entry)?))
}
