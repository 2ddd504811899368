//! Handles to arrays on a device.

use std::sync::Arc;

use super::memory::Buffer;
use crate::backend::Window;
use crate::error::Error;

/// A buffer, or why there is none.
pub(super) type Storage = Result<Arc<Buffer>, Error>;

/// An array on a graphics device, row-major. Cloning it copies no data.
#[derive(Clone)]
pub struct Tensor {
    pub(super) shape: Vec<usize>,
    pub(super) storage: Storage,
}

/// Row numbers on a graphics device.
#[derive(Clone)]
pub struct Index {
    pub(super) shape: Vec<usize>,
    pub(super) storage: Storage,
    pub(super) origin: Origin,
}

/// What is known of row numbers.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Origin {
    /// Rows fall into so many segments that share nothing, one after another.
    Segments(usize),
    /// The places of the largest entries that a window sees in planes \[n, i, h, w\].
    Largest(Window, [usize; 4]),
}
