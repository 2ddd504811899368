//! The walk over K, unit by unit, from panels of blocks of samples to a sink.
//!
//! Devices take units from one queue. One that fails gives back what it had, and the others go on; a unit reaches the sink
//! once, when it is whole.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::device_worker::DeviceWorker;
use super::partition::Partition;
use super::progress::Counter;
use super::sink::{Frame, Sink};
use crate::backend::{ContractionPlan, Gram, Panels};
use crate::error::{Error, Result};

/// Which samples are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Rows,
    Cols,
}

/// Where panels come from: those of a chunk of samples, and the recipe for what is made of them.
pub(crate) trait Source<B: Gram>: Sync {
    fn panels(&self, side: Side, samples: Range<usize>) -> Result<Panels<B::Tensor>>;
    /// Known once there are panels.
    fn contraction_plan(&self) -> &ContractionPlan;
}

/// What a walk is for: the same for all devices.
pub(crate) struct Job<'a, R> {
    pub partition: &'a Partition,
    pub frame: &'a Frame,
    pub sink: &'a dyn Sink<R>,
    /// What every entry is multiplied by.
    pub scale: f64,
    /// Samples in a forward pass.
    pub chunk: usize,
    /// Panels of all samples are held.
    pub resident: bool,
    pub counter: &'a Counter<'a>,
}

/// One walk.
pub(crate) struct Schedule<'a, B: Gram> {
    pub job: Job<'a, B::Number>,
    /// Devices that work side by side.
    pub device_workers: Vec<DeviceWorker<'a, B>>,
    /// The one that is asked when all of these have failed.
    pub last: Option<DeviceWorker<'a, B>>,
}

impl<B: Gram> Schedule<'_, B> {
    /// # Errors
    /// All devices failed, or a source of samples; the sink refused, an entry is not finite, or the caller cancelled.
    pub fn run(&self) -> Result<()> {
        let Job { partition, frame, sink, resident, counter, .. } = &self.job;
        let open: Vec<usize> = frame.shard.clone().filter(|&region| !sink.has(region)).collect();
        let all: Vec<usize> = frame.shard.clone().collect();
        counter.skip(steps(partition, &all, *resident) - steps(partition, &open, *resident));
        // What made a device fail, by device.
        let failures = Mutex::new(vec![None; self.device_workers.len()]);
        partition.row_blocks(&open, *resident).try_for_each(|row_block| self.row_block(row_block, &failures))
    }

    /// Units that share what panels are held.
    fn row_block(&self, regions: &[usize], failures: &Mutex<Vec<Option<Error>>>) -> Result<()> {
        let queue = Queue::new(regions);
        let failures = || failures.lock().unwrap_or_else(PoisonError::into_inner);
        let work = |k: usize| {
            if failures()[k].is_none()
                && let Err(error) = self.device_workers[k].work(&self.job, regions, &queue)
            {
                failures()[k] = Some(error);
            }
        };
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
            None => Err(failures().iter().flatten().next().cloned().expect("units are left where devices failed")),
        }
    }
}

/// The units that are to be computed.
pub(crate) struct Queue(Mutex<State>);

struct State {
    /// The next one last.
    open: Vec<usize>,
    /// Why nobody is to go on.
    error: Option<Error>,
}

impl Queue {
    fn new(regions: &[usize]) -> Self {
        Queue(Mutex::new(State { open: regions.iter().rev().copied().collect(), error: None }))
    }

    /// The next unit, unless something went wrong.
    pub fn take(&self) -> Option<usize> {
        let mut state = self.state();
        if state.error.is_some() { None } else { state.open.pop() }
    }

    /// A unit that a device could not compute.
    pub fn give_back(&self, region: usize) {
        self.state().open.push(region);
    }

    /// Nobody takes another unit.
    pub fn close(&self, error: Error) {
        self.state().error.get_or_insert(error);
    }

    fn outcome(&self) -> Result<()> {
        self.state().error.clone().map_or(Ok(()), Err)
    }

    /// The units that nobody computed, in order, if there are any.
    fn rest(&self) -> Option<Vec<usize>> {
        let mut rest = self.state().open.clone();
        rest.sort_unstable();
        (!rest.is_empty()).then_some(rest)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a walk over `regions` counts: blocks whose panels are held, and units.
pub(crate) fn steps(partition: &Partition, regions: &[usize], resident: bool) -> usize {
    let blocks = |row_block: &[usize]| {
        partition.resident(row_block, resident).iter().flatten().filter(|&&resident| resident).count()
    };
    regions.len() + partition.row_blocks(regions, resident).map(blocks).sum::<usize>()
}
