//! Fixed linear maps along an axis: interpolation, Fourier transforms, samples of grids.

use super::products::general;
use super::shapes::permuted;
use crate::error::Result;
use crate::io::onnx::array::Array;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::Linear;

/// The map `map`, `[to, from]`, along an axis of `x`.
pub(super) fn along(reader: &mut Reader<'_>, x: &Operand, axis: usize, map: Array) -> Result<Operand> {
    x.sample_axis(axis)?;
    let (last, to) = (x.rank() - 1, map.shape[0]);
    let mut order: Vec<usize> = (0..=last).collect();
    order.swap(axis, last);
    let turned = permuted(reader, x, &order)?;
    let y = if turned.is_constant() {
        let weight = permuted(reader, &Operand::constant(map), &[1, 0])?;
        general(reader, &turned, &weight)?
    } else {
        let weight = reader.weight(&Operand::constant(map), "weight")?;
        let value = reader.sample_value(&turned)?;
        let value = reader.graph.apply(Linear, &[value], &[weight])?;
        let mut shape = turned.shape.clone();
        shape[last] = to;
        Operand::sample(value, shape, turned.batch)
    };
    permuted(reader, &y, &order)
}
