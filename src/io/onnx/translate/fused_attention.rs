//! Attention as onnxruntime fuses it, and rotary positions.

use super::activations::scaled;
use super::arithmetic::{difference, plus, product, shifted};
use super::attention;
use super::fused::{expect_no_output, float_attribute, in_place_of, int_attribute};
use super::parts::{cut, joined, taken};
use super::products::gemm;
use super::shapes::reshaped;
use crate::error::{Error, Result};
use crate::io::onnx::array::Array;
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;

/// Queries, keys and values, each `[n, t, heads d]`.
struct Projections {
    query: Operand,
    key: Operand,
    value: Operand,
}

/// Attention of com.microsoft: one product makes queries, keys and values of its input.
pub(super) fn attention(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    expect_nothing_of_the_past(call, &[4, 6])?;
    expect_no_output(call, 1, "keys and values for later")?;
    if call.flag("do_rotary") {
        return Err(Error::unsupported("do_rotary = 1 is not supported; export without fused ops"));
    }
    let (x, weight) = (call.input(0)?, call.input(1)?);
    let &[n, t, d] = &x.shape[..] else {
        return Err(Error::shape(format!("Attention needs a value [n, t, d], not {:?} (for a batch of one)", x.shape)));
    };
    let all = *weight.shape.last().ok_or_else(|| Error::shape("the weight has no axes"))?;
    let sizes: Vec<usize> = match call.ints("qkv_hidden_sizes") {
        Some(sizes) => super::parts::sizes(sizes)?,
        None => vec![all / 3; 3],
    };
    if sizes.len() != 3 || sizes.iter().sum::<usize>() != all {
        return Err(Error::shape(format!(
            "queries, keys and values of sizes {sizes:?} from a weight of shape {:?}",
            weight.shape
        )));
    }
    let rows = reshaped(reader, x, &[n * t, d], x.batch_after_reshape(&[n * t, d]))?;
    let node = in_place_of(call, "Gemm", Vec::new());
    let inputs = vec![Some(rows), Some(weight.clone()), call.optional(2).cloned()];
    let y = gemm(reader, &Call { node: &node, inputs, opset: call.opset })?;
    let y = reshaped(reader, &y, &[n, t, all], x.batch)?;
    let projections = Projections {
        query: cut(reader, &y, 2, 0..sizes[0])?,
        key: cut(reader, &y, 2, sizes[0]..sizes[0] + sizes[1])?,
        value: cut(reader, &y, 2, all - sizes[2]..all)?,
    };
    let mask = added_mask(reader, call, call.optional(3), call.optional(5))?;
    Ok(vec![attended(reader, call, projections, mask)?])
}

/// Attention between queries, keys and values that come in by themselves.
pub(super) fn multi_head(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    expect_nothing_of_the_past(call, &[6, 7, 8, 9])?;
    for (k, what) in [(1, "keys for later"), (2, "values for later"), (3, "products of queries and keys")] {
        expect_no_output(call, k, what)?;
    }
    let inputs = [0, 1, 2].map(|k| call.optional(k).filter(|x| x.rank() == 3));
    let [Some(query), Some(key), Some(value)] = inputs else {
        return Err(Error::unsupported(
            "MultiHeadAttention: only queries, keys and values of shape [n, t, features] each are supported, not packed ones",
        ));
    };
    let mut projections = Projections { query: query.clone(), key: key.clone(), value: value.clone() };
    if let Some(bias) = call.optional(3) {
        let mut start = 0;
        for x in [&mut projections.query, &mut projections.key, &mut projections.value] {
            let size = x.shape[2];
            let part = cut(reader, bias, 0, start..start + size)?;
            *x = plus(reader, x, &part)?;
            start += size;
        }
    }
    let mask = added_mask(reader, call, call.optional(4), call.optional(5))?;
    Ok(vec![attended(reader, call, projections, mask)?])
}

fn expect_nothing_of_the_past(call: &Call<'_>, inputs: &[usize]) -> Result<()> {
    match inputs.iter().find(|&&k| call.optional(k).is_some()) {
        Some(&k) => Err(Error::unsupported(format!(
            "input {k} ('{}'), keys and values of the past, is not supported; export without a cache",
            call.node.input[k]
        ))),
        None => Ok(()),
    }
}

/// What is added to the scores: a bias, and a large negative number where a mask of keys is 0.
fn added_mask(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    keys: Option<&Operand>,
    bias: Option<&Operand>,
) -> Result<Option<Operand>> {
    let Some(keys) = keys else { return Ok(bias.cloned()) };
    let &[n, t] = &keys.shape[..] else {
        return Err(Error::unsupported(format!(
            "a mask of shape {:?} (for a batch of one): only masks [n, t] of 0 and 1 are supported",
            keys.shape
        )));
    };
    let mask = reshaped(reader, keys, &[n, 1, 1, t], keys.batch)?;
    let masked = shifted(reader, &mask, -1.0)?;
    let masked = scaled(reader, &masked, -call.float("mask_filter_value").unwrap_or(-10000.0))?;
    match bias {
        Some(bias) => plus(reader, &masked, bias).map(Some),
        None => Ok(Some(masked)),
    }
}

/// ONNX's own attention on the projections.
fn attended(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    projections: Projections,
    mask: Option<Operand>,
) -> Result<Operand> {
    let heads = call.int("num_heads").ok_or_else(|| Error::format("num_heads is missing"))?;
    let mut attributes = vec![int_attribute("q_num_heads", heads), int_attribute("kv_num_heads", heads)];
    attributes.push(int_attribute("is_causal", call.int("unidirectional").unwrap_or(0)));
    if let Some(scale) = call.float("scale").filter(|&scale| scale != 0.0) {
        attributes.push(float_attribute("scale", scale));
    }
    let node = in_place_of(call, "Attention", attributes);
    let Projections { query, key, value } = projections;
    let inputs = vec![Some(query), Some(key), Some(value), mask];
    attention::attention(reader, &Call { node: &node, inputs, opset: call.opset })
}

/// Pairs of features turned by angles that depend on the position.
pub(super) fn rotary(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Operand> {
    let x = call.input(0)?;
    let own = call.node.domain == "com.microsoft";
    // The order of the inputs is another one in ONNX's own op.
    let (ids, cos, sin) = if own { (1, 2, 3) } else { (3, 1, 2) };
    let positions_first = x.rank() == 3;
    let split = match x.shape[..] {
        [_, _, _, _] => x.clone(),
        [n, t, all] => {
            let heads = call.int("num_heads").and_then(|heads| usize::try_from(heads).ok()).filter(|&heads| heads > 0);
            let heads = match (heads, own) {
                (Some(heads), _) => heads,
                (None, true) => all / (2 * call.input(cos)?.shape.last().copied().unwrap_or(1)).max(1),
                (None, false) => return Err(Error::format("num_heads is missing")),
            };
            if heads == 0 || !all.is_multiple_of(heads) {
                return Err(Error::shape(format!("{heads} heads do not divide {all} features")));
            }
            reshaped(reader, x, &[n, t, heads, all / heads], x.batch)?
        }
        _ => return Err(Error::shape(format!("rotary positions on a value of shape {:?}", x.shape))),
    };
    let positions = split.shape[if positions_first { 1 } else { 2 }];
    let size = split.shape[3];
    let turned = call.int("rotary_embedding_dim").and_then(|size| usize::try_from(size).ok()).filter(|&size| size > 0);
    let turned = turned.unwrap_or(size).min(size);
    let half = turned / 2;
    let angles = |reader: &mut Reader<'_>, k: usize| table(reader, call, k, ids, positions, half, positions_first);
    let (cos, sin) = (angles(reader, cos)?, angles(reader, sin)?);
    let interleaved = call.flag("interleaved");
    let (first, second) = if interleaved {
        let every = |start: usize| (start..turned).step_by(2).collect::<Vec<_>>();
        (taken(reader, &split, 3, &every(0))?, taken(reader, &split, 3, &every(1))?)
    } else {
        (cut(reader, &split, 3, 0..half)?, cut(reader, &split, 3, half..2 * half)?)
    };
    let (a, b) = (product(reader, &first, &cos)?, product(reader, &second, &sin)?);
    let real = difference(reader, &a, &b)?;
    let (a, b) = (product(reader, &first, &sin)?, product(reader, &second, &cos)?);
    let imaginary = plus(reader, &a, &b)?;
    let mut y = joined(reader, &[&real, &imaginary], 3)?;
    if interleaved {
        let order: Vec<usize> = (0..half).flat_map(|k| [k, half + k]).collect();
        y = taken(reader, &y, 3, &order)?;
    }
    if turned < size {
        let rest = cut(reader, &split, 3, turned..size)?;
        y = joined(reader, &[&y, &rest], 3)?;
    }
    reshaped(reader, &y, &x.shape, x.batch)
}

/// Cosines or sines for every position, in the axes of the value: from a table by fixed position numbers, or as they are.
fn table(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    k: usize,
    ids: usize,
    positions: usize,
    half: usize,
    positions_first: bool,
) -> Result<Operand> {
    let table = Operand::constant(call.known(k)?.clone());
    let rows = match (call.known_optional(ids)?.map(Array::whole), table.rank()) {
        (None, _) | (Some(_), 3) => table,
        (Some(list), _) => {
            // One number is where the positions start.
            let list = if list.len() == 1 { (list[0]..).take(positions).collect() } else { list };
            let list: Option<Vec<usize>> = list.iter().map(|&id| usize::try_from(id).ok()).collect();
            let list = list.filter(|list| list.iter().all(|&id| id < table.shape[0]));
            taken(reader, &table, 0, &list.ok_or_else(|| Error::value("position numbers beyond the table"))?)?
        }
    };
    if rows.shape.iter().product::<usize>() != positions * half {
        return Err(Error::shape(format!(
            "a table of angles of shape {:?} does not fit {positions} positions of {half} pairs",
            rows.shape
        )));
    }
    let shape = if positions_first { [1, positions, 1, half] } else { [1, 1, positions, half] };
    reshaped(reader, &rows, &shape, None)
}
