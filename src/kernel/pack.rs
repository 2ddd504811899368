//! Sides of all seeds packed as tiles want them.

use super::outputs::{Layout, Packing};
use crate::backend::Arrays;
use crate::real::Real;

/// Packs b\[n,g,t,o\] of every seed into \[blocks, g, n, t, inner, o'\].
pub(crate) fn rights<B: Arrays>(arrays: &B, layout: &Layout, list: &[B::Tensor]) -> B::Tensor {
    let s = arrays.shape(&list[0]).to_vec();
    let (n, g, t, o) = (s[0], s[1], s[2], s[3]);
    let by_group = list.iter().map(|b| {
        let b = if g == 1 { b.clone() } else { arrays.permute(b, &[1, 0, 2, 3]) };
        arrays.reshape(&b, &[1, g, n, t, 1, o])
    });
    let list: Vec<B::Tensor> = by_group.collect();
    let stacked = |axis| match &list[..] {
        [one] => one.clone(),
        _ => arrays.concat(&list.iter().collect::<Vec<_>>(), axis),
    };
    match layout.packing {
        Packing::Blocks => stacked(0),
        Packing::Rows => stacked(4),
        Packing::Features => arrays.reshape(&stacked(4), &[1, g, n, t, 1, list.len() * o]),
    }
}

/// Packs the gradients \[n, s, p\] of all seeds s into \[blocks, 1, n, 1, inner, p'\].
pub(crate) fn rows<B: Arrays>(arrays: &B, layout: &Layout, rows: &B::Tensor) -> B::Tensor {
    let s = arrays.shape(rows);
    let (n, seeds, p) = (s[0], s[1], s[2]);
    match layout.packing {
        Packing::Rows => arrays.reshape(rows, &[1, 1, n, 1, seeds, p]),
        Packing::Features => arrays.reshape(rows, &[1, 1, n, 1, 1, seeds * p]),
        Packing::Blocks if seeds == 1 => arrays.reshape(rows, &[1, 1, n, 1, 1, p]),
        Packing::Blocks => arrays.reshape(&arrays.permute(rows, &[1, 0, 2]), &[seeds, 1, n, 1, 1, p]),
    }
}

/// Packs a\[n,g,t,i\] into \[g, n, t, i\].
pub(crate) fn left<B: Arrays>(arrays: &B, a: &B::Tensor) -> B::Tensor {
    let s = arrays.shape(a);
    if s[1] == 1 {
        return arrays.reshape(a, &[1, s[0], s[2], s[3]]);
    }
    arrays.permute(a, &[1, 0, 2, 3])
}

/// \[n, p\] of every seed as \[n, s, p\].
pub(crate) fn stacked<B: Arrays>(arrays: &B, list: &[B::Tensor]) -> B::Tensor {
    let s = arrays.shape(&list[0]).to_vec();
    let list: Vec<B::Tensor> = list.iter().map(|rows| arrays.reshape(rows, &[s[0], 1, s[1]])).collect();
    match &list[..] {
        [one] => one.clone(),
        _ => arrays.concat(&list.iter().collect::<Vec<_>>(), 1),
    }
}

/// x times `factors`, an array of `shape`.
pub(crate) fn scaled<B: Arrays>(arrays: &B, x: &B::Tensor, factors: &[f64], shape: &[usize]) -> B::Tensor {
    let numbers: Vec<B::Number> = factors.iter().map(|&x| B::Number::from_f64(x)).collect();
    arrays.mul(x, &arrays.upload(&numbers, shape))
}
