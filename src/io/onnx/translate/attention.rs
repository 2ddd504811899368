//! Attention as one op.

use super::activations::{mapped, scaled};
use super::arithmetic::plus;
use super::masks::{number, select};
use super::parts::joined;
use super::products::general;
use super::shapes::{permuted, reshaped};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::Softmax;
use crate::unary::{Tanh, Unary};

/// softmax(scale Q K^T + mask) V, head by head, on `[n, heads, l, d]` or `[n, l, heads d]`.
pub(super) fn attention(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    if call.optional(4).is_some() || call.optional(5).is_some() {
        return Err(Error::unsupported("keys and values of the past"));
    }
    let flat = call.input(0)?.rank() == 3;
    let q = heads(reader, call, 0, "q_num_heads")?;
    let (mut k, mut v) = (heads(reader, call, 1, "kv_num_heads")?, heads(reader, call, 2, "kv_num_heads")?);
    if k.shape[1] != q.shape[1] {
        (k, v) = (shared(reader, &k, q.shape[1])?, shared(reader, &v, q.shape[1])?);
    }
    let (positions, features) = (q.shape[2], q.shape[3]);
    let keys = permuted(reader, &k, &[0, 1, 3, 2])?;
    let scores = general(reader, &q, &keys)?;
    let mut scores = scaled(reader, &scores, call.float("scale").unwrap_or(1.0 / (features.max(1) as f64).sqrt()))?;
    let cap = call.float("softcap").unwrap_or(0.0);
    if cap != 0.0 {
        scores = scaled(reader, &scores, 1.0 / cap)?;
        scores = mapped(reader, Unary::from(Tanh), &scores)?;
        scores = scaled(reader, &scores, cap)?;
    }
    if call.flag("is_causal") {
        let others = keys.shape[3];
        let entry = |t: usize, u: usize| if u <= t { 0.0 } else { f64::NEG_INFINITY };
        let values = (0..positions).flat_map(|t| (0..others).map(move |u| entry(t, u))).collect();
        let mask = Operand::constant(Array::new(&[positions, others], values, Kind::Float));
        scores = plus(reader, &scores, &mask)?;
    }
    if let Some(mask) = call.optional(3) {
        let mask = additive(reader, mask)?;
        scores = plus(reader, &scores, &mask)?;
    }
    let last = scores.sample_axis(3)?;
    let weights = reader.apply(Softmax::along(last as i64), &[&scores], scores.shape.clone(), scores.batch)?;
    let y = general(reader, &weights, &v)?;
    if !flat {
        return Ok(y);
    }
    let y = permuted(reader, &y, &[0, 2, 1, 3])?;
    let shape = [y.shape[0], y.shape[1], y.shape[2] * y.shape[3]];
    let batch = y.batch_after_reshape(&shape);
    reshaped(reader, &y, &shape, batch)
}

/// Input `k` as `[n, heads, l, d]`.
fn heads(reader: &mut Reader<'_>, call: &Call<'_>, k: usize, key: &str) -> Result<Operand> {
    let x = call.input(k)?;
    let [n, l, all] = match x.shape[..] {
        [_, _, _, _] => return Ok(x.clone()),
        [n, l, all] => [n, l, all],
        _ => return Err(Error::shape(format!("input {k} has shape {:?}", x.shape))),
    };
    let count = call.int(key).and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0);
    let Some(count) = count.filter(|&count| all.is_multiple_of(count)) else {
        return Err(Error::shape(format!("{key} does not divide the {all} features of input {k}")));
    };
    let x = reshaped(reader, x, &[n, l, count, all / count], x.batch)?;
    permuted(reader, &x, &[0, 2, 1, 3])
}

/// Keys or values whose heads several queries share, once for each.
fn shared(reader: &mut Reader<'_>, x: &Operand, heads: usize) -> Result<Operand> {
    let [n, own, l, d] = x.shape[..] else { return Err(Error::shape("heads are missing")) };
    if own == 0 || !heads.is_multiple_of(own) {
        return Err(Error::shape(format!("{heads} heads of queries on {own} of keys")));
    }
    let single = reshaped(reader, x, &[n, own, 1, l, d], x.batch)?;
    let copies = vec![&single; heads / own];
    let all = joined(reader, &copies, 2)?;
    reshaped(reader, &all, &[n, heads, l, d], x.batch)
}

/// A mask as numbers that are added to scores: of truth values 0 and -infinity.
fn additive(reader: &mut Reader<'_>, mask: &Operand) -> Result<Operand> {
    match mask.kind {
        Kind::Float => Ok(mask.detached()),
        _ => select(reader, mask, &number(0.0, Kind::Float), &number(f64::NEG_INFINITY, Kind::Float)),
    }
}
