//! Arithmetic of shapes for all backends: sizes, strides, broadcasting, and the shape of a matrix product.
//!
//! These functions are for authors of ops and backends. They panic on shapes that do not match, which indicates a fault
//! of an op: models are checked when they are recorded.

use std::ops::Range;

/// The number of entries: the product of the sizes.
pub fn numel(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The number of entries, or `None` if it overflows `usize`.
pub fn checked_numel(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

/// Allocates an array of zeros, if it fits in memory. The allocator zeroes the pages, so each is touched by the thread
/// that writes to it first.
pub(crate) fn zeros<R: Copy + Default>(shape: &[usize]) -> Option<Vec<R>> {
    let entries = checked_numel(shape)?;
    Vec::<R>::new().try_reserve_exact(entries).ok()?;
    Some(vec![R::default(); entries])
}

/// Splits `0..count` into blocks of `size`; the last one may be smaller.
pub(crate) fn blocks(count: usize, size: usize) -> Vec<Range<usize>> {
    (0..count).step_by(size.max(1)).map(|start| start..count.min(start + size)).collect()
}

/// The strides of a row-major array: the number of entries between neighbours along each axis.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The broadcast of two shapes: aligned at the last axis, with sizes of 1 stretched. `None` if the shapes are
/// incompatible.
///
/// ```
/// use tangent_kernels::shape::broadcast;
/// assert_eq!(broadcast(&[5, 1, 3], &[4, 1]), Some(vec![5, 4, 3]));
/// assert_eq!(broadcast(&[5, 2], &[3]), None);
/// ```
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let size = |shape: &[usize], axis: usize| match (axis + shape.len()).checked_sub(rank) {
        Some(axis) => shape[axis],
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

/// The strides that read an array of shape `shape` as if it had the shape `out`. They are 0 along stretched axes.
pub(crate) fn broadcast_strides(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let lead = out.len() - shape.len();
    let strides = strides(shape);
    (0..out.len()).map(|axis| if axis < lead || shape[axis - lead] == 1 { 0 } else { strides[axis - lead] }).collect()
}

/// The axes to sum over to undo the broadcast of `shape` to `out`.
pub(crate) fn stretched_axes(shape: &[usize], out: &[usize]) -> Vec<usize> {
    let lead = out.len() - shape.len();
    (0..out.len()).filter(|&axis| axis < lead || (shape[axis - lead] == 1 && out[axis] != 1)).collect()
}

/// The shape of a batched matrix product. The last two axes are multiplied, each transposed on request, and the others
/// are broadcast.
#[track_caller]
pub(crate) fn matmul(a: &[usize], transpose_a: bool, b: &[usize], transpose_b: bool) -> Vec<usize> {
    let (batch_a, [rows, inner_a]) = split_matrix(a, transpose_a);
    let (batch_b, [inner_b, cols]) = split_matrix(b, transpose_b);
    assert_eq!(
        inner_a, inner_b,
        "matmul: the inner sizes of {a:?} (transposed: {transpose_a}) and {b:?} (transposed: {transpose_b}) differ"
    );
    let mut out = broadcast(batch_a, batch_b)
        .unwrap_or_else(|| panic!("matmul: the batch axes of {a:?} and {b:?} cannot be broadcast"));
    out.extend([rows, cols]);
    out
}

/// Splits a shape into the batch axes and the rows and columns of its matrices, transposed on request.
#[track_caller]
fn split_matrix(shape: &[usize], transposed: bool) -> (&[usize], [usize; 2]) {
    assert!(shape.len() >= 2, "matmul: an operand of shape {shape:?} needs at least two axes");
    let (batch, matrix) = shape.split_at(shape.len() - 2);
    let [rows, cols] = [matrix[0], matrix[1]];
    (batch, if transposed { [cols, rows] } else { [rows, cols] })
}
