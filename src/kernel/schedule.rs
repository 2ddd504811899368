//! The schedule: computes K region by region, from panels of blocks of samples into a sink.
//!
//! Devices take regions from one queue. A device that fails returns its region to the queue, and the others continue. A
//! region reaches the sink once, when it is complete.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::device_worker::DeviceWorker;
use super::partition::Partition;
use super::progress::Counter;
use super::sink::{Frame, Sink};
use crate::backend::{ContractionPlan, Gram, Panels};
use crate::error::{Error, Result};

/// The samples along the rows or along the columns of K(X, Z).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Axis {
    Rows,
    Cols,
}

/// A source of panels of a chunk of samples, and of the contractions of these panels.
pub(crate) trait Source<B: Gram>: Sync {
    fn panels(&self, axis: Axis, samples: Range<usize>) -> Result<Panels<B::Tensor>>;
    /// Known once panels have been computed.
    fn contraction_plan(&self) -> &ContractionPlan;
}

/// The data of a schedule that all devices share.
pub(crate) struct Job<'a, R> {
    pub partition: &'a Partition,
    pub frame: &'a Frame,
    pub sink: &'a dyn Sink<R>,
    /// The factor of all entries.
    pub scale: f64,
    /// Samples in a forward pass.
    pub chunk: usize,
    /// True if the panels of all samples stay in memory.
    pub resident: bool,
    pub counter: &'a Counter<'a>,
}

/// One run over K.
pub(crate) struct Schedule<'a, B: Gram> {
    pub job: Job<'a, B::Number>,
    /// Devices that work in parallel.
    pub device_workers: Vec<DeviceWorker<'a, B>>,
    /// The device that takes over after all of these have failed.
    pub last: Option<DeviceWorker<'a, B>>,
}

impl<B: Gram> Schedule<'_, B> {
    /// # Errors
    /// Returns an error if all devices or a source of samples failed, if the sink failed, if an entry is not finite, or
    /// if the caller cancelled.
    pub fn run(&self) -> Result<()> {
        let Job { partition, frame, sink, resident, counter, .. } = &self.job;
        let open: Vec<usize> = frame.shard.clone().filter(|&region| !sink.has(region)).collect();
        let all: Vec<usize> = frame.shard.clone().collect();
        counter.skip(steps(partition, &all, *resident) - steps(partition, &open, *resident));
        // The error of every failed device.
        let failures = Mutex::new(vec![None; self.device_workers.len()]);
        partition.row_blocks(&open, *resident).try_for_each(|row_block| self.row_block(row_block, &failures))
    }

    /// Runs the regions of one row block, which share their panels.
    fn row_block(&self, regions: &[usize], failures: &Mutex<Vec<Option<Error>>>) -> Result<()> {
        let queue = Queue::new(regions);
        let work = |k: usize| self.run_device(k, regions, &queue, failures);
        match self.device_workers.len() {
            1 => work(0),
            count => std::thread::scope(|scope| {
                let work = &work;
                (1..count).for_each(|k| _ = scope.spawn(move || work(k)));
                work(0);
            }),
        }
        queue.outcome()?;
        let Some(rest) = queue.rest() else { return Ok(()) };
        match &self.last {
            Some(last) => {
                let queue = Queue::new(&rest);
                let result = last.work(&self.job, &rest, &queue);
                queue.outcome().and(result)
            }
            None => {
                let failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                Err(failures.iter().flatten().next().cloned().expect("regions remain only if a device failed"))
            }
        }
    }

    /// Runs device `k` on the queue, unless it failed before.
    fn run_device(&self, k: usize, regions: &[usize], queue: &Queue, failures: &Mutex<Vec<Option<Error>>>) {
        let failures = || failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures()[k].is_some() {
            return;
        }
        if let Err(error) = self.device_workers[k].work(&self.job, regions, queue) {
            failures()[k] = Some(error);
        }
    }
}

/// The queue of regions.
pub(crate) struct Queue(Mutex<QueueState>);

struct QueueState {
    /// Regions not yet taken, the next one last.
    open: Vec<usize>,
    /// The error that closed the queue.
    error: Option<Error>,
}

impl Queue {
    fn new(regions: &[usize]) -> Self {
        Queue(Mutex::new(QueueState { open: regions.iter().rev().copied().collect(), error: None }))
    }

    /// Takes the next region. Returns `None` if the queue is empty or closed.
    pub fn take(&self) -> Option<usize> {
        let mut state = self.state();
        if state.error.is_some() { None } else { state.open.pop() }
    }

    /// Returns a region that a device could not compute.
    pub fn give_back(&self, region: usize) {
        self.state().open.push(region);
    }

    /// Closes the queue: no worker takes another region.
    pub fn close(&self, error: Error) {
        self.state().error.get_or_insert(error);
    }

    fn outcome(&self) -> Result<()> {
        self.state().error.clone().map_or(Ok(()), Err)
    }

    /// The regions that were not computed, in order, or `None` after a complete run.
    fn rest(&self) -> Option<Vec<usize>> {
        let mut rest = self.state().open.clone();
        rest.sort_unstable();
        (!rest.is_empty()).then_some(rest)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, QueueState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The steps of a run over `regions`: blocks whose panels stay in memory, and regions.
pub(crate) fn steps(partition: &Partition, regions: &[usize], resident: bool) -> usize {
    let blocks = |row_block: &[usize]| {
        partition.resident(row_block, resident).iter().flatten().filter(|&&resident| resident).count()
    };
    regions.len() + partition.row_blocks(regions, resident).map(blocks).sum::<usize>()
}
