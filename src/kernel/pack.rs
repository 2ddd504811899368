//! Packs the operands of all seeds into the layout of tiles.

use super::outputs::{Layout, Packing};
use crate::backend::Arrays;
use crate::real::Real;

/// Packs `b[n,g,t,o]` of every seed into `[blocks, g, n, t, outputs_per_sample, o']`.
pub(crate) fn pack_output_grads<B: Arrays>(arrays: &B, layout: &Layout, by_seed: &[B::Tensor]) -> B::Tensor {
    let s = arrays.shape(&by_seed[0]).to_vec();
    let &[n, g, t, o] = &s[..] else { unreachable!("output gradients have the axes [n, g, t, o]") };
    let by_group = |b: &B::Tensor| {
        let b = if g == 1 { b.clone() } else { arrays.permute(b, &[1, 0, 2, 3]) };
        arrays.reshape(&b, &[1, g, n, t, 1, o])
    };
    let by_seed: Vec<B::Tensor> = by_seed.iter().map(by_group).collect();
    let stacked = |axis| concat(arrays, &by_seed, axis);
    match layout.packing {
        Packing::Blocks => stacked(0),
        Packing::Rows => stacked(4),
        Packing::Features => arrays.reshape(&stacked(4), &[1, g, n, t, 1, by_seed.len() * o]),
    }
}

/// Packs the gradients `[n, s, p]` of all seeds s into `[blocks, 1, n, 1, outputs_per_sample, p']`.
pub(crate) fn pack_rows<B: Arrays>(arrays: &B, layout: &Layout, rows: &B::Tensor) -> B::Tensor {
    let &[n, seeds, p] = arrays.shape(rows) else { unreachable!("gradients have the axes [n, s, p]") };
    match layout.packing {
        Packing::Rows => arrays.reshape(rows, &[1, 1, n, 1, seeds, p]),
        Packing::Features => arrays.reshape(rows, &[1, 1, n, 1, 1, seeds * p]),
        Packing::Blocks if seeds == 1 => arrays.reshape(rows, &[1, 1, n, 1, 1, p]),
        Packing::Blocks => arrays.reshape(&arrays.permute(rows, &[1, 0, 2]), &[seeds, 1, n, 1, 1, p]),
    }
}

/// Packs `a[n,g,t,i]` into `[g, n, t, i]`.
pub(crate) fn pack_input<B: Arrays>(arrays: &B, a: &B::Tensor) -> B::Tensor {
    let s = arrays.shape(a);
    if s[1] == 1 {
        return arrays.reshape(a, &[1, s[0], s[2], s[3]]);
    }
    arrays.permute(a, &[1, 0, 2, 3])
}

/// Stacks the rows `[n, p]` of all seeds to `[n, s, p]`.
pub(crate) fn stacked<B: Arrays>(arrays: &B, by_seed: &[B::Tensor]) -> B::Tensor {
    let s = arrays.shape(&by_seed[0]).to_vec();
    let by_seed: Vec<B::Tensor> = by_seed.iter().map(|rows| arrays.reshape(rows, &[s[0], 1, s[1]])).collect();
    concat(arrays, &by_seed, 1)
}

/// Concatenates arrays along `axis`. A single array is not copied.
pub(crate) fn concat<B: Arrays>(arrays: &B, list: &[B::Tensor], axis: usize) -> B::Tensor {
    match list {
        [single] => single.clone(),
        _ => arrays.concat(&list.iter().collect::<Vec<_>>(), axis),
    }
}

/// Multiplies x by `factors`, an array of `shape`.
pub(crate) fn scaled<B: Arrays>(arrays: &B, x: &B::Tensor, factors: &[f64], shape: &[usize]) -> B::Tensor {
    let numbers: Vec<B::Number> = factors.iter().map(|&x| B::Number::from_f64(x)).collect();
    arrays.mul(x, &arrays.upload(&numbers, shape))
}
