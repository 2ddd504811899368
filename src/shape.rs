//! Arithmetic of shapes, in one place above all devices: sizes, strides, broadcasting, the shape of a product.
//!
//! These functions are for the authors of ops and backends. They assert: a shape that does not fit is a fault of an op,
//! since whatever a caller can get wrong was refused when the model was recorded.

use std::ops::Range;

/// The number of entries: the product of the sizes.
pub fn numel(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The number of entries, or `None` where it does not fit a `usize`.
pub fn checked_numel(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// The entries of an array of zeros, if they fit in memory. They come from the allocator as they are: pages are touched when entries are written, by
/// the threads that write them.
pub(crate) fn zeros<R: Copy + Default>(shape: &[usize]) -> Option<Vec<R>> {
    let entries = checked_numel(shape)?;
    Vec::<R>::new().try_reserve_exact(entries).ok()?;
    Some(vec![R::default(); entries])
}

/// `count` things in blocks of `size`, the last one smaller.
pub(crate) fn blocks(count: usize, size: usize) -> Vec<Range<usize>> {
    (0..count).step_by(size.max(1)).map(|start| start..count.min(start + size)).collect()
}

/// How many entries lie between neighbours along each axis of a row-major array.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The shape that two shapes are broadcast to: aligned at the last axis, a size of 1 stretched. `None` if they clash.
///
/// ```
/// use tangent_kernels::shape::broadcast;
/// assert_eq!(broadcast(&[5, 1, 3], &[4, 1]), Some(vec![5, 4, 3]));
/// assert_eq!(broadcast(&[5, 2], &[3]), None);
/// ```
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(own) => shape[own],
        None => 1,
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, y) => Some(y),
            (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

/// The strides with which an array of shape `shape` is read as if it had shape `out`: 0 along stretched axes.
pub(crate) fn broadcast_strides(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let lead = out.len() - shape.len();
    let own = strides(shape);
    (0..out.len()).map(|axis| if axis < lead || shape[axis - lead] == 1 { 0 } else { own[axis - lead] }).collect()
}

/// The axes to sum over to undo the broadcasting of `shape` to `out`.
pub(crate) fn stretched_axes(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let lead = out.len() - shape.len();
    (0..out.len()).filter(|&axis| axis < lead || (shape[axis - lead] == 1 && out[axis] != 1)).collect()
}

/// The shape of a batched matrix product: the last two axes multiply, each transposed if asked, the others broadcast.
#[track_caller]
pub(crate) fn matmul(a: &[usize], transpose_a: bool, b: &[usize], transpose_b: bool) -> Vec<usize> {
    let split = |shape: &[usize], transposed: bool| {
        assert!(shape.len() >= 2, "matmul: {shape:?} is no matrix");
        let (batch, matrix) = shape.split_at(shape.len() - 2);
        let (rows, cols) = if transposed { (matrix[1], matrix[0]) } else { (matrix[0], matrix[1]) };
        (batch.to_vec(), rows, cols)
    };
    let (batch_a, rows, inner) = split(a, transpose_a);
    let (batch_b, inner_b, cols) = split(b, transpose_b);
    assert_eq!(inner, inner_b, "matmul: {a:?} (transposed: {transpose_a}) by {b:?} (transposed: {transpose_b})");
    let mut out = broadcast(&batch_a, &batch_b).unwrap_or_else(|| panic!("matmul: batches of {a:?} and {b:?}"));
    out.extend([rows, cols]);
    out
}
