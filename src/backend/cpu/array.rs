//! The array of the CPU backend.

use std::ops::Range;
use std::sync::Arc;

use crate::real::Real;
use crate::real::buffer_pool::Entries;
use crate::shape::numel;

/// A contiguous row-major array. Clones, reshaped arrays and ranges of rows share the entries.
#[derive(Clone)]
pub struct Array<R: Real> {
    data: Arc<Entries<R>>,
    start: usize,
    shape: Vec<usize>,
}

impl<R: Real> Array<R> {
    #[track_caller]
    pub(super) fn new(data: Vec<R>, shape: Vec<usize>) -> Self {
        assert_eq!(data.len(), numel(&shape), "the number of entries does not match the shape {shape:?}");
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
    pub(super) fn rows(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.shape[0], "rows {range:?} of {:?}", self.shape);
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        let start = self.start + range.start * numel(&self.shape[1..]);
        Array { data: self.data.clone(), start, shape }
    }
}
