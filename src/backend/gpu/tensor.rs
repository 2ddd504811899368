//! Handles to arrays on a device.

use std::sync::Arc;

use super::memory::Buffer;
use crate::backend::Window;
use crate::error::Error;

/// A buffer, or the error that prevented it.
pub(super) type Allocation = Result<Arc<Buffer>, Error>;

/// A row-major array on a GPU. Cloning it copies no data.
#[derive(Clone)]
pub struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) allocation: Allocation,
}

/// Row numbers on a GPU.
#[derive(Clone)]
pub struct Index {
    pub(super) shape: Vec<usize>,
    pub(super) allocation: Allocation,
    pub(super) origin: Origin,
}

/// The source of row numbers. It bounds the search when rows are scattered.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Origin {
    /// The rows are split into this number of segments. The numbers of a segment point into it.
    Segments(usize),
    /// The places of the largest entries of a window, in planes of this shape, `[n, i, h, w]`.
    Argmax { window: Window, planes: [usize; 4] },
}
