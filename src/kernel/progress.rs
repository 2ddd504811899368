//! Progress of a long computation.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// The progress of a computation: `done` of `total` steps. A step is a block of samples or a region of K.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
}

/// The caller's callback. `Break` cancels. It is called from worker threads.
pub(crate) type Callback<'a> = &'a (dyn Fn(Progress) -> ControlFlow<()> + Sync);

pub(crate) struct Counter<'a> {
    done: AtomicUsize,
    total: usize,
    callback: Option<Callback<'a>>,
}

impl<'a> Counter<'a> {
    pub fn new(total: usize, callback: Option<Callback<'a>>) -> Self {
        Counter { done: AtomicUsize::new(0), total, callback }
    }

    /// Skips steps of an earlier run.
    pub fn skip(&self, steps: usize) {
        self.done.fetch_add(steps, Ordering::Relaxed);
    }

    /// Counts one step.
    ///
    /// # Errors
    /// Returns an error if the caller cancels.
    pub fn step(&self) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(callback) = self.callback else { return Ok(()) };
        match callback(Progress { done, total: self.total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::cancelled(format!("cancelled at step {done} of {}", self.total))),
        }
    }
}
