//! How far a long computation has come.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{Error, Result};

/// How far a computation has come: `done` of `total` steps, blocks of samples and tiles of K alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Steps done.
    pub done: usize,
    /// Steps in all.
    pub total: usize,
}

/// What a caller wants to be told; breaking cancels. Called from worker threads.
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

    /// Steps that an earlier run did.
    pub fn skip(&self, steps: usize) {
        self.done.fetch_add(steps, Ordering::Relaxed);
    }

    /// One more step is done.
    ///
    /// # Errors
    /// The caller asked to stop.
    pub fn step(&self) -> Result<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let Some(callback) = self.callback else { return Ok(()) };
        match callback(Progress { done, total: self.total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::cancelled(format!("cancelled at step {done} of {}", self.total))),
        }
    }
}
