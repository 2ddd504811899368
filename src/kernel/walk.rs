//! The walk over K, unit by unit, from panels of blocks of samples to a sink.
//!
//! Devices take units from one queue. One that fails gives back what it had, and the others go on; a unit reaches the sink
//! once, when it is whole.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::cut::Cut;
use super::lane::Lane;
use super::progress::Counter;
use super::sink::{Frame, Sink};
use crate::backend::{Gram, Panels, Recipe};
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
    fn recipe(&self) -> &Recipe;
}

/// What a walk is for: the same for all devices.
pub(crate) struct Job<'a, R> {
    pub cut: &'a Cut,
    pub frame: &'a Frame,
    pub sink: &'a dyn Sink<R>,
    /// What every entry is multiplied by.
    pub scale: f64,
    /// Samples in a forward pass.
    pub chunk: usize,
    /// Panels of all samples are held.
    pub held: bool,
    pub counter: &'a Counter<'a>,
}

/// One walk.
pub(crate) struct Walk<'a, B: Gram> {
    pub job: Job<'a, B::Number>,
    /// Devices that work side by side.
    pub lanes: Vec<Lane<'a, B>>,
    /// The one that is asked when all of these have failed.
    pub last: Option<Lane<'a, B>>,
}

impl<B: Gram> Walk<'_, B> {
    /// # Errors
    /// All devices failed, or a source of samples; the sink refused, an entry is not finite, or the caller cancelled.
    pub fn run(&self) -> Result<()> {
        let Job { cut, frame, sink, held, counter, .. } = &self.job;
        let open: Vec<usize> = frame.share.clone().filter(|&unit| !sink.has(unit)).collect();
        let all: Vec<usize> = frame.share.clone().collect();
        counter.skip(steps(cut, &all, *held) - steps(cut, &open, *held));
        // What made a device fail, by device.
        let failures = Mutex::new(vec![None; self.lanes.len()]);
        cut.bands(&open, *held).try_for_each(|band| self.band(band, &failures))
    }

    /// Units that share what panels are held.
    fn band(&self, units: &[usize], failures: &Mutex<Vec<Option<Error>>>) -> Result<()> {
        let queue = Queue::new(units);
        let failures = || failures.lock().unwrap_or_else(PoisonError::into_inner);
        let work = |k: usize| {
            if failures()[k].is_none()
                && let Err(error) = self.lanes[k].work(&self.job, units, &queue)
            {
                failures()[k] = Some(error);
            }
        };
        match self.lanes.len() {
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
    fn new(units: &[usize]) -> Self {
        Queue(Mutex::new(State { open: units.iter().rev().copied().collect(), error: None }))
    }

    /// The next unit, unless something went wrong.
    pub fn take(&self) -> Option<usize> {
        let mut state = self.state();
        if state.error.is_some() { None } else { state.open.pop() }
    }

    /// A unit that a device could not compute.
    pub fn give_back(&self, unit: usize) {
        self.state().open.push(unit);
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

/// What a walk over `units` counts: blocks whose panels are held, and units.
pub(crate) fn steps(cut: &Cut, units: &[usize], held: bool) -> usize {
    let blocks = |band: &[usize]| cut.held(band, held).iter().flatten().filter(|&&held| held).count();
    units.len() + cut.bands(units, held).map(blocks).sum::<usize>()
}
