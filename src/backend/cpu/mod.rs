//! The CPU backend: contiguous arrays, products by faer, threads by rayon.

mod array;
mod indexing;
mod pointwise;
mod reductions;
mod runs;
mod storage;
mod tile;
mod windows;

use std::marker::PhantomData;

pub use array::Array;
pub use indexing::Index;
pub use tile::{Block, Scratch};

use crate::real::Real;

/// The CPU as a backend that computes in `R`: `Cpu<f32>` or `Cpu<f64>`.
///
/// A primitive runs on the thread that calls it. The threads of the caller's rayon pool take blocks of samples and
/// tiles of the kernel. So results are the same to the bit for any number of threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu<R>(PhantomData<R>);

impl<R: Real> Cpu<R> {
    /// The CPU.
    pub fn new() -> Self {
        Cpu(PhantomData)
    }
}
