//! Panels of a block from panels of parts of it.

use crate::backend::{Arrays, Contraction, Panels, RightPanel, Segments};
use crate::error::Result;
use crate::kernel::recipe::Pair;
use crate::real::Real;

/// The panels of all samples of `parts`, in order.
pub(crate) fn concatenated<B: Arrays>(arrays: &B, parts: Vec<Panels<B::Tensor>>) -> Panels<B::Tensor> {
    if parts.len() == 1 {
        return parts.into_iter().next().expect("there is one");
    }
    let samples = parts.iter().map(|part| part.samples).sum();
    let lefts = (0..parts[0].lefts.len())
        .map(|k| arrays.concat(&parts.iter().map(|part| &part.lefts[k]).collect::<Vec<_>>(), 1))
        .collect();
    let array = |panel: &RightPanel<B::Tensor>| match panel {
        RightPanel::Array(array) => Some(array.clone()),
        _ => None,
    };
    let rights = (0..parts[0].rights.len())
        .map(|k| {
            let arrays_of: Option<Vec<B::Tensor>> = parts.iter().map(|part| array(&part.rights[k])).collect();
            match arrays_of {
                Some(list) => RightPanel::Array(arrays.concat(&list.iter().collect::<Vec<_>>(), 2)),
                None => RightPanel::Unit,
            }
        })
        .collect();
    Panels { samples, lefts, rights }
}

/// Makes segments of the right sides that are to be joined, by the row numbers on their left.
///
/// # Errors
/// The device failed.
pub(crate) fn joined<B: Arrays>(arrays: &B, panels: &mut Panels<B::Tensor>, pairs: &[Pair]) -> Result<()> {
    for pair in pairs.iter().filter(|pair| pair.contraction == Contraction::Joined) {
        let (left, right) = (pair.left.expect("row numbers")[0], pair.right[0]);
        if let RightPanel::Array(b) = &panels.rights[right] {
            let made = segments(arrays, &panels.lefts[left], b)?;
            panels.rights[right] = RightPanel::Segments(made);
        }
    }
    Ok(())
}

/// Sums b\[blocks,1,n,t,c,o\] over the positions of a sample that have the same row.
fn segments<B: Arrays>(arrays: &B, ids: &B::Tensor, b: &B::Tensor) -> Result<Segments<B::Tensor>> {
    let s = arrays.shape(b).to_vec();
    let (blocks, n, t, inner, o) = (s[0], s[2], s[3], s[4], s[5]);
    let ids = arrays.read(ids)?;
    let entries = arrays.read(b)?;
    let row = |at: usize| ids[at].f64().round() as usize;
    let mut order: Vec<usize> = (0..n * t).collect();
    order.sort_by_key(|&at| (row(at), at));
    let (mut rows, mut samples, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for (place, &at) in order.iter().enumerate() {
        if (rows.last(), samples.last()) != (Some(&row(at)), Some(&(at / t))) {
            rows.push(row(at));
            samples.push(at / t);
            starts.push(place);
        }
    }
    starts.push(order.len());
    let size = inner * o;
    let mut vectors = vec![B::Number::default(); blocks * rows.len() * size];
    for (k, sum) in vectors.chunks_exact_mut(size.max(1)).enumerate() {
        let (block, segment) = (k / rows.len(), k % rows.len());
        for &at in &order[starts[segment]..starts[segment + 1]] {
            let from = &entries[(block * n * t + at) * size..][..size];
            sum.iter_mut().zip(from).for_each(|(sum, &x)| *sum += x);
        }
    }
    let vectors = arrays.upload(&vectors, &[blocks, rows.len(), inner, o]);
    Ok(Segments { rows, samples, vectors })
}
