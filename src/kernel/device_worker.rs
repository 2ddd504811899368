//! A device at work: panels of blocks of samples, and units of K from them.
//!
//! Panels are held for the rows of a band of units, for all samples if they fit. A column that is not held has its
//! panels made where it is needed, by the worker that needs it, and let go.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::schedule::{Job, Queue, Side, Source};
use super::sink::RegionData;
use crate::backend::{Gram, Panels};
use crate::error::{Error, Result};
use crate::real::Real;
use crate::shape::blocks;

/// A device, with the panels that it makes itself.
pub(crate) struct DeviceWorker<'a, B: Gram> {
    pub arrays: &'a B,
    pub source: &'a dyn Source<B>,
    /// As many as fit in memory; one computes on the calling thread.
    pub workers: usize,
    /// Workers mostly wait for the device, so that they are threads of their own.
    pub waits: bool,
    /// Blocks that it makes are steps of progress.
    pub counts: bool,
}

/// The panels that are held: by block, for rows and for other columns.
struct Held<P> {
    rows: Vec<Option<P>>,
    cols: Vec<Option<P>>,
}

/// A worker's memory: the tiles of all slots and their sum, the unit that they are part of, a column that is not held.
struct Worker<B: Gram> {
    scratch: B::Scratch,
    accumulators: Vec<B::Number>,
    region: Vec<B::Number>,
    column: B::Packed,
}

impl<B: Gram> DeviceWorker<'_, B> {
    /// Computes units from `queue`, which has some of `regions`, until none is left.
    ///
    /// # Errors
    /// The device failed, and gave back what it had. Whatever else goes wrong is told to the queue, for all.
    pub fn work(&self, job: &Job<'_, B::Number>, regions: &[usize], queue: &Queue) -> Result<()> {
        let resident = match self.hold(job, regions) {
            Err(error) if is_the_devices(&error) => return Err(error),
            Err(error) => {
                queue.close(error);
                return Ok(());
            }
            Ok(resident) => resident,
        };
        self.in_parallel(regions.len(), &|| {
            let mut worker = Worker::<B> {
                scratch: B::Scratch::default(),
                accumulators: Vec::new(),
                region: Vec::new(),
                column: B::Packed::default(),
            };
            while let Some(index) = queue.take() {
                match self.region(job, index, &resident, &mut worker) {
                    Err(error) if is_the_devices(&error) => {
                        queue.give_back(index);
                        return Err(error);
                    }
                    computed => {
                        if let Err(error) = computed.and_then(|()| deliver(job, index, &worker.region)) {
                            queue.close(error);
                        }
                    }
                }
            }
            Ok(())
        })
    }

    /// The panels of all blocks that `regions` need along their rows, and along their columns if all are held.
    fn hold(&self, job: &Job<'_, B::Number>, regions: &[usize]) -> Result<Held<B::Packed>> {
        let Job { partition, resident, .. } = job;
        let [rows, cols] = partition.resident(regions, *resident);
        let partitions = partition.cols.as_deref().unwrap_or_default();
        Ok(Held {
            rows: self.packed(job, Side::Rows, &partition.rows, &rows)?,
            cols: self.packed(job, Side::Cols, partitions, &cols)?,
        })
    }

    /// The panels of the blocks that are flagged. Threads take chunks, and who finishes a block packs it.
    fn packed(
        &self,
        job: &Job<'_, B::Number>,
        side: Side,
        partitions: &[Range<usize>],
        needed: &[bool],
    ) -> Result<Vec<Option<B::Packed>>> {
        struct Block<T, P> {
            range: Range<usize>,
            parts: Mutex<(usize, Vec<Option<Panels<T>>>)>,
            packed: Mutex<Option<P>>,
        }
        let block = |(range, &needed): (&Range<usize>, &bool)| {
            let parts = if needed { blocks(range.len(), job.chunk).len() } else { 0 };
            let parts = Mutex::new((parts, (0..parts).map(|_| None).collect()));
            Block::<B::Tensor, B::Packed> { range: range.clone(), parts, packed: Mutex::new(None) }
        };
        let list: Vec<_> = partitions.iter().zip(needed).map(block).collect();
        let open = |(k, &needed): (usize, &bool)| {
            let parts = if needed { blocks(partitions[k].len(), job.chunk) } else { Vec::new() };
            parts.into_iter().enumerate().map(move |(part, range)| (k, part, range))
        };
        let jobs: Vec<_> = needed.iter().enumerate().flat_map(open).collect();
        let next = AtomicUsize::new(0);
        self.in_parallel(jobs.len(), &|| {
            move_on(&next, jobs.len(), |mine| {
                let (k, part, range) = &jobs[mine];
                let block = &list[*k];
                let start = block.range.start;
                let panels = self.source.panels(side, start + range.start..start + range.end)?;
                let mut parts = block.parts.lock().unwrap_or_else(|poison| poison.into_inner());
                parts.1[*part] = Some(panels);
                parts.0 -= 1;
                if parts.0 > 0 {
                    return Ok(());
                }
                let whole: Vec<_> = std::mem::take(&mut parts.1).into_iter().flatten().collect();
                let mut packed = B::Packed::default();
                self.arrays.pack(self.source.contraction_plan(), &whole, &mut packed)?;
                *block.packed.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(packed);
                if self.counts { job.counter.step() } else { Ok(()) }
            })
        })?;
        Ok(list.into_iter().map(|block| block.packed.into_inner().unwrap_or_else(|p| p.into_inner())).collect())
    }

    /// Computes a unit.
    fn region(
        &self,
        job: &Job<'_, B::Number>,
        index: usize,
        resident: &Held<B::Packed>,
        worker: &mut Worker<B>,
    ) -> Result<()> {
        let Job { partition, frame, .. } = job;
        let region = &partition.regions[index];
        let place = &frame.regions[index];
        let size = [place.rows.len(), place.cols.len()];
        let per_matrix = frame.blocks * place.entries();
        worker.region.resize(frame.matrices.len() * per_matrix, B::Number::default());
        let Worker { scratch, accumulators, region: entries, column } = worker;
        let mut there = None;
        for [i, j] in partition.tiles(region) {
            let rows = resident.rows[i].as_ref().expect("rows are held");
            let cols = if partition.is_symmetric() { &resident.rows } else { &resident.cols };
            let cols = match cols.get(j).and_then(Option::as_ref) {
                Some(resident) => resident,
                None => {
                    if there != Some(j) {
                        self.stream(job, j, column)?;
                        there = Some(j);
                    }
                    &*column
                }
            };
            let at = |blocks: &[Range<usize>], k: usize, start: usize| {
                let [from, to] =
                    [blocks[k].start, blocks[k].end].map(|sample| sample * partition.outputs_per_sample - start);
                from..to
            };
            let rect = [at(&partition.rows, i, place.rows.start), at(partition.columns(), j, place.cols.start)];
            self.tile(job, rows, cols, partition.is_symmetric() && i == j, rect, size, scratch, accumulators, entries)?;
        }
        if partition.is_symmetric() && place.rows.end > place.cols.start {
            let first = place.cols.start - place.rows.start;
            let square = place.rows.end - place.cols.start;
            for matrix in entries.chunks_exact_mut(place.entries()) {
                mirror(&mut matrix[first * size[1]..], square, size[1]);
            }
        }
        Ok(())
    }

    /// The panels of a column that is not held.
    fn stream(&self, job: &Job<'_, B::Number>, j: usize, packed: &mut B::Packed) -> Result<()> {
        let (side, range) = match &job.partition.cols {
            Some(cols) => (Side::Cols, &cols[j]),
            None => (Side::Rows, &job.partition.rows[j]),
        };
        let chunks = blocks(range.len(), job.chunk).into_iter();
        let chunk = |part: Range<usize>| self.source.panels(side, range.start + part.start..range.start + part.end);
        let parts = chunks.map(chunk).collect::<Result<Vec<_>>>()?;
        self.arrays.pack(self.source.contraction_plan(), &parts, packed)
    }

    /// Computes a tile and puts it at `rect` of the unit, the sum of slots first, then the slots if they are kept.
    #[expect(clippy::too_many_arguments, reason = "the parts of a worker, borrowed apart")]
    fn tile(
        &self,
        job: &Job<'_, B::Number>,
        rows: &B::Packed,
        cols: &B::Packed,
        on_diagonal: bool,
        rect: [Range<usize>; 2],
        [_, width]: [usize; 2],
        scratch: &mut B::Scratch,
        accumulators: &mut Vec<B::Number>,
        region: &mut [B::Number],
    ) -> Result<()> {
        let contraction_plan = self.source.contraction_plan();
        let [high, wide] = [rect[0].len(), rect[1].len()];
        let entries = high * wide;
        let kept = job.frame.matrices.len() - 1;
        let per_matrix = region.len() / (kept + 1);
        // One tile that is the whole unit, and one slot: nothing to put together.
        if contraction_plan.accumulators == 1 && kept == 0 && per_matrix == contraction_plan.blocks * entries {
            self.compute(job, rows, cols, on_diagonal, scratch, region)?;
            return Ok(());
        }
        accumulators.resize(contraction_plan.accumulators * contraction_plan.blocks * entries, B::Number::default());
        self.compute(job, rows, cols, on_diagonal, scratch, accumulators)?;
        let block_entries = per_matrix / contraction_plan.blocks;
        for block in 0..contraction_plan.blocks {
            for row in 0..high {
                let tile_at =
                    |accumulator: usize| ((accumulator * contraction_plan.blocks + block) * high + row) * wide;
                let unit_at = |matrix: usize| {
                    matrix * per_matrix + block * block_entries + (rect[0].start + row) * width + rect[1].start
                };
                let total = &mut region[unit_at(0)..][..wide];
                total.copy_from_slice(&accumulators[tile_at(0)..][..wide]);
                for accumulator in 1..contraction_plan.accumulators {
                    total.iter_mut().zip(&accumulators[tile_at(accumulator)..][..wide]).for_each(|(sum, &x)| *sum += x);
                }
                for accumulator in 0..kept {
                    region[unit_at(1 + accumulator)..][..wide]
                        .copy_from_slice(&accumulators[tile_at(accumulator)..][..wide]);
                }
            }
        }
        Ok(())
    }

    fn compute(
        &self,
        job: &Job<'_, B::Number>,
        rows: &B::Packed,
        cols: &B::Packed,
        on_diagonal: bool,
        scratch: &mut B::Scratch,
        out: &mut [B::Number],
    ) -> Result<()> {
        debug_assert!(!on_diagonal || std::ptr::eq(rows, cols));
        self.arrays.tile(self.source.contraction_plan(), rows, cols, scratch, out)?;
        if job.scale != 1.0 {
            let scale = B::Number::from_f64(job.scale);
            out.iter_mut().for_each(|x| *x *= scale);
        }
        Ok(())
    }

    /// Runs `work` on as many workers as there are, and no more than `jobs`.
    fn in_parallel(&self, jobs: usize, work: &(dyn Fn() -> Result<()> + Sync)) -> Result<()> {
        match self.workers.min(jobs) {
            0 => Ok(()),
            1 => work(),
            workers if self.waits => std::thread::scope(|scope| {
                let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
                let mine = work();
                others.into_iter().fold(mine, |result, other| result.and(joined(other.join())))
            }),
            workers => (0..workers).into_par_iter().with_max_len(1).try_for_each(|_| work()),
        }
    }
}

/// The result of a thread; its panic goes on here.
fn joined<T>(result: std::thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Did the device fail, where another might not?
fn is_the_devices(error: &Error) -> bool {
    error.is_device() || error.is_memory()
}

/// Gives a unit to the sink.
fn deliver<R: Real>(job: &Job<'_, R>, index: usize, entries: &[R]) -> Result<()> {
    check(job, index, entries)?;
    job.sink.put(&RegionData { frame: job.frame, index, entries })?;
    job.counter.step()
}

/// # Errors
/// An entry of the unit that is on the diagonal of K(X, X), or of K(X, Z) any entry, is not finite: a derivative was
/// not, or overflowed.
fn check<R: Real>(job: &Job<'_, R>, index: usize, entries: &[R]) -> Result<()> {
    let place = &job.frame.regions[index];
    let finite = |matrix: &[R]| match job.frame.symmetric {
        // No entry of K(X, X) is larger than the largest of its diagonal.
        true => {
            let diagonal = matrix.get((place.cols.start - place.rows.start) * place.cols.len()..).unwrap_or_default();
            diagonal.iter().step_by(place.cols.len() + 1).all(|x| x.is_finite())
        }
        false => matrix.iter().all(|x| x.is_finite()),
    };
    let matrices: Vec<&[R]> = entries.chunks_exact(place.entries()).collect();
    let wrong = |name: usize| matrices[name * job.frame.blocks..][..job.frame.blocks].iter().any(|m| !finite(m));
    let count = job.frame.matrices.len();
    // A component tells more than the total.
    let Some(culprit) = (1..count).chain([0]).find(|&name| wrong(name)) else { return Ok(()) };
    let name = if culprit == 0 { "the kernel" } else { &job.frame.matrices[culprit] };
    Err(Error::value(format!(
        "{name} is not finite: a derivative of the network is not at one of the samples, such as that of sqrt at 0, or \
         it is too large for {}",
        R::NAME
    )))
}

/// Takes jobs in their order until none is left; `next` is shared by all workers. After an error nobody takes another.
fn move_on(next: &AtomicUsize, jobs: usize, mut job: impl FnMut(usize) -> Result<()>) -> Result<()> {
    loop {
        let mine = next.fetch_add(1, Ordering::Relaxed);
        if mine >= jobs {
            return Ok(());
        }
        if let Err(error) = job(mine) {
            next.store(jobs, Ordering::Relaxed);
            return Err(error);
        }
    }
}

/// Copies the upper triangle of a square to the lower one; rows are `stride` apart.
fn mirror<R: Copy>(matrix: &mut [R], side: usize, stride: usize) {
    for row in 1..side {
        for col in 0..row {
            matrix[row * stride + col] = matrix[col * stride + row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Products happen to be symmetric already, so no kernel shows whether this works.
    #[test]
    fn the_lower_triangle_becomes_the_upper_one() {
        let mut tile = [1, 2, 3, 0, 40, 5, 6, 0, 70, 80, 9, 0];
        mirror(&mut tile, 3, 4);
        assert_eq!(tile, [1, 2, 3, 0, 2, 5, 6, 0, 3, 6, 9, 0]);
    }
}
