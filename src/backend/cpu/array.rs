//! The CPU's tensor, and walks over strided indices.

use std::sync::Arc;

use crate::real::Real;
use crate::real::buffer_pool::{self, Entries};
use crate::shape::{numel, strides};

/// A contiguous row-major array; cloning, reshaping and taking rows share the entries.
#[derive(Clone)]
pub struct Array<R: Real> {
    data: Arc<Entries<R>>,
    start: usize,
    shape: Vec<usize>,
}

impl<R: Real> Array<R> {
    #[track_caller]
    pub(super) fn new(data: Vec<R>, shape: Vec<usize>) -> Self {
        assert_eq!(data.len(), numel(&shape), "entries of an array of shape {shape:?}");
        Array { data: Arc::new(Entries::new(data)), start: 0, shape }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The entries, row-major.
    pub fn as_slice(&self) -> &[R] {
        &self.data[self.start..self.start + numel(&self.shape)]
    }

    #[track_caller]
    pub(super) fn reshaped(&self, shape: &[usize]) -> Self {
        assert_eq!(numel(&self.shape), numel(shape), "reshape of {:?} to {shape:?}", self.shape);
        Array { data: self.data.clone(), start: self.start, shape: shape.to_vec() }
    }

    #[track_caller]
    pub(super) fn rows(&self, range: std::ops::Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.shape[0], "rows {range:?} of {:?}", self.shape);
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        let start = self.start + range.start * numel(&self.shape[1..]);
        Array { data: self.data.clone(), start, shape }
    }
}

/// Calls `f(offset of a, offset of b)` for every index of `shape` in row-major order, the innermost axis in a loop of
/// its own.
pub(super) fn walk(shape: &[usize], a: &[usize], b: &[usize], mut f: impl FnMut(usize, usize)) {
    let Some((&inner, outer)) = shape.split_last() else { return f(0, 0) };
    let (step_a, step_b) = (a[outer.len()], b[outer.len()]);
    let mut index = vec![0; outer.len()];
    let (mut at_a, mut at_b) = (0, 0);
    for _ in 0..numel(outer) {
        for k in 0..inner {
            f(at_a + k * step_a, at_b + k * step_b);
        }
        for axis in (0..outer.len()).rev() {
            index[axis] += 1;
            at_a += a[axis];
            at_b += b[axis];
            if index[axis] < outer[axis] {
                break;
            }
            at_a -= a[axis] * outer[axis];
            at_b -= b[axis] * outer[axis];
            index[axis] = 0;
        }
    }
}

pub(super) fn permuted<R: Real>(x: &Array<R>, order: &[usize]) -> Array<R> {
    let own = strides(x.shape());
    let shape: Vec<usize> = order.iter().map(|&axis| x.shape()[axis]).collect();
    let steps: Vec<usize> = order.iter().map(|&axis| own[axis]).collect();
    let entries = x.as_slice();
    let mut out = buffer_pool::empty(entries.len());
    if !entries.is_empty() {
        walk(&shape, &steps, &steps, |from, _| out.push(entries[from]));
    }
    Array::new(out, shape)
}

pub(super) fn sliced<R: Real>(x: &Array<R>, axis: usize, range: std::ops::Range<usize>) -> Array<R> {
    assert!(range.start <= range.end && range.end <= x.shape()[axis], "{range:?} along axis {axis} of {:?}", x.shape());
    let mut shape = x.shape().to_vec();
    shape[axis] = range.len();
    let step = numel(&x.shape()[axis + 1..]);
    let run = x.shape()[axis] * step;
    let mut out = buffer_pool::empty(numel(&shape));
    for row in 0..numel(&x.shape()[..axis]) {
        out.extend_from_slice(&x.as_slice()[row * run..(row + 1) * run][range.start * step..range.end * step]);
    }
    Array::new(out, shape)
}

pub(super) fn concatenated<R: Real>(list: &[&Array<R>], axis: usize) -> Array<R> {
    let mut shape = list[0].shape().to_vec();
    shape[axis] = list.iter().map(|x| x.shape()[axis]).sum();
    let mut out = buffer_pool::empty(numel(&shape));
    for row in 0..numel(&shape[..axis]) {
        for x in list {
            let run = numel(&x.shape()[axis..]);
            out.extend_from_slice(&x.as_slice()[row * run..(row + 1) * run]);
        }
    }
    Array::new(out, shape)
}
