//! The workers of one device: they compute panels of blocks of samples, and regions of K from these.
//!
//! The panels of a row block of regions stay in memory; all panels do, if they fit. The worker that needs any other
//! column computes its panels and then drops them.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::schedule::{Axis, Job, Queue, Source};
use super::sink::{Region, RegionData};
use crate::backend::{Gram, Panels};
use crate::error::{Error, Result};
use crate::real::Real;
use crate::shape::blocks;

/// A device and the source of its panels.
pub(crate) struct DeviceWorker<'a, B: Gram> {
    pub arrays: &'a B,
    pub source: &'a dyn Source<B>,
    /// The number of workers that fit in memory. A single worker computes on the calling thread.
    pub workers: usize,
    /// True if workers mostly wait for the device. They are then separate threads.
    pub waits: bool,
    /// True if its blocks count as steps of progress.
    pub counts: bool,
}

/// The panels in memory: one entry per block, for rows and for the columns of K(X, Z).
struct ResidentPanels<P> {
    rows: Vec<Option<P>>,
    cols: Vec<Option<P>>,
}

/// The buffers of a worker: the tiles of all accumulators, the region that they belong to, and the panels of a column
/// that is not resident.
struct Worker<B: Gram> {
    scratch: B::Scratch,
    accumulators: Vec<B::Number>,
    region: Vec<B::Number>,
    column: B::Packed,
}

/// A chunk of samples of a block.
struct Chunk {
    block: usize,
    /// The index of the chunk in its block.
    index: usize,
    samples: Range<usize>,
}

/// A block whose panels are being computed, chunk by chunk.
struct BlockInWork<B: Gram> {
    chunks: Mutex<Vec<Option<Panels<B::Tensor>>>>,
    packed: Mutex<Option<B::Packed>>,
}

impl<B: Gram> BlockInWork<B> {
    fn new(chunks: usize) -> Self {
        BlockInWork { chunks: Mutex::new((0..chunks).map(|_| None).collect()), packed: Mutex::new(None) }
    }
}

impl<B: Gram> DeviceWorker<'_, B> {
    /// Computes regions from `queue`, which holds some of `regions`, until it is empty.
    ///
    /// # Errors
    /// Returns an error if the device failed; its region is then back in the queue. All other errors close the queue.
    pub fn work(&self, job: &Job<'_, B::Number>, regions: &[usize], queue: &Queue) -> Result<()> {
        let resident = match self.resident_panels(job, regions) {
            Err(error) if is_device_failure(&error) => return Err(error),
            Err(error) => {
                queue.close(error);
                return Ok(());
            }
            Ok(resident) => resident,
        };
        self.in_parallel(regions.len(), &|| self.compute_regions(job, queue, &resident))
    }

    /// Computes regions from `queue` on one worker, until it is empty.
    fn compute_regions(
        &self,
        job: &Job<'_, B::Number>,
        queue: &Queue,
        resident: &ResidentPanels<B::Packed>,
    ) -> Result<()> {
        let mut worker = Worker::<B> {
            scratch: B::Scratch::default(),
            accumulators: Vec::new(),
            region: Vec::new(),
            column: B::Packed::default(),
        };
        while let Some(index) = queue.take() {
            match self.region(job, index, resident, &mut worker) {
                Err(error) if is_device_failure(&error) => {
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
    }

    /// Computes the panels of the blocks along the rows of `regions`, and along their columns if all panels stay in
    /// memory.
    fn resident_panels(&self, job: &Job<'_, B::Number>, regions: &[usize]) -> Result<ResidentPanels<B::Packed>> {
        let Job { partition, resident, .. } = job;
        let [rows, cols] = partition.resident(regions, *resident);
        let sample_blocks = partition.cols.as_deref().unwrap_or_default();
        Ok(ResidentPanels {
            rows: self.packed(job, Axis::Rows, &partition.rows, &rows)?,
            cols: self.packed(job, Axis::Cols, sample_blocks, &cols)?,
        })
    }

    /// Computes the panels of the flagged blocks. Threads take chunks, and the thread that finishes a block packs it.
    fn packed(
        &self,
        job: &Job<'_, B::Number>,
        side: Axis,
        sample_blocks: &[Range<usize>],
        needed: &[bool],
    ) -> Result<Vec<Option<B::Packed>>> {
        let mut chunks = Vec::new();
        let mut blocks_in_work = Vec::new();
        for (block, (samples, &needed)) in sample_blocks.iter().zip(needed).enumerate() {
            let ranges = if needed { blocks(samples.len(), job.chunk) } else { Vec::new() };
            blocks_in_work.push(BlockInWork::<B>::new(ranges.len()));
            for (index, range) in ranges.into_iter().enumerate() {
                chunks.push(Chunk { block, index, samples: samples.start + range.start..samples.start + range.end });
            }
        }
        let next = AtomicUsize::new(0);
        let compute = |k: usize| self.compute_chunk(job, side, &chunks[k], &blocks_in_work[chunks[k].block]);
        self.in_parallel(chunks.len(), &|| take_jobs(&next, chunks.len(), compute))?;
        Ok(blocks_in_work
            .into_iter()
            .map(|block| block.packed.into_inner().unwrap_or_else(|p| p.into_inner()))
            .collect())
    }

    /// Computes the panels of a chunk, and packs its block if no other chunk is missing.
    fn compute_chunk(&self, job: &Job<'_, B::Number>, side: Axis, chunk: &Chunk, block: &BlockInWork<B>) -> Result<()> {
        let panels = self.source.panels(side, chunk.samples.clone())?;
        let mut chunks = block.chunks.lock().unwrap_or_else(|poison| poison.into_inner());
        chunks[chunk.index] = Some(panels);
        if chunks.iter().any(Option::is_none) {
            return Ok(());
        }
        let panels: Vec<_> = std::mem::take(&mut *chunks).into_iter().flatten().collect();
        let mut packed = B::Packed::default();
        self.arrays.pack(self.source.contraction_plan(), &panels, &mut packed)?;
        *block.packed.lock().unwrap_or_else(|poison| poison.into_inner()) = Some(packed);
        if self.counts { job.counter.step() } else { Ok(()) }
    }

    /// Computes a region.
    fn region(
        &self,
        job: &Job<'_, B::Number>,
        index: usize,
        resident: &ResidentPanels<B::Packed>,
        worker: &mut Worker<B>,
    ) -> Result<()> {
        let Job { partition, frame, .. } = job;
        let region = &partition.regions[index];
        let place = &frame.regions[index];
        let size = [place.rows.len(), place.cols.len()];
        let per_matrix = frame.blocks * place.entries();
        worker.region.resize(frame.matrices.len() * per_matrix, B::Number::default());
        let Worker { scratch, accumulators, region: entries, column } = worker;
        let mut column_block = None;
        for [i, j] in partition.tiles(region) {
            let rows = resident.rows[i].as_ref().expect("the panels of rows are resident");
            let cols = if partition.is_symmetric() { &resident.rows } else { &resident.cols };
            let cols = match cols.get(j).and_then(Option::as_ref) {
                Some(resident) => resident,
                None => {
                    if column_block != Some(j) {
                        self.stream(job, j, column)?;
                        column_block = Some(j);
                    }
                    &*column
                }
            };
            let per_sample = partition.outputs_per_sample;
            let rect = [
                range_in_region(&partition.rows[i], per_sample, place.rows.start),
                range_in_region(&partition.columns()[j], per_sample, place.cols.start),
            ];
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

    /// Computes the panels of a column that is not resident.
    fn stream(&self, job: &Job<'_, B::Number>, j: usize, packed: &mut B::Packed) -> Result<()> {
        let (side, range) = match &job.partition.cols {
            Some(cols) => (Axis::Cols, &cols[j]),
            None => (Axis::Rows, &job.partition.rows[j]),
        };
        let chunks = blocks(range.len(), job.chunk).into_iter();
        let chunk = |part: Range<usize>| self.source.panels(side, range.start + part.start..range.start + part.end);
        let parts = chunks.map(chunk).collect::<Result<Vec<_>>>()?;
        self.arrays.pack(self.source.contraction_plan(), &parts, packed)
    }

    /// Computes a tile and writes it to `rect` of the region: the sum of the accumulators, then the accumulators if
    /// components are kept.
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
        // The region is one tile of one accumulator: compute it in place.
        if contraction_plan.accumulators == 1 && kept == 0 && per_matrix == contraction_plan.blocks * entries {
            self.compute(job, rows, cols, on_diagonal, scratch, region)?;
            return Ok(());
        }
        accumulators.resize(contraction_plan.accumulators * contraction_plan.blocks * entries, B::Number::default());
        self.compute(job, rows, cols, on_diagonal, scratch, accumulators)?;
        let block_entries = per_matrix / contraction_plan.blocks;
        for block in 0..contraction_plan.blocks {
            for row in 0..high {
                let accumulator_start =
                    |accumulator: usize| ((accumulator * contraction_plan.blocks + block) * high + row) * wide;
                let region_start = |matrix: usize| {
                    matrix * per_matrix + block * block_entries + (rect[0].start + row) * width + rect[1].start
                };
                let total = &mut region[region_start(0)..][..wide];
                total.copy_from_slice(&accumulators[accumulator_start(0)..][..wide]);
                for accumulator in 1..contraction_plan.accumulators {
                    total
                        .iter_mut()
                        .zip(&accumulators[accumulator_start(accumulator)..][..wide])
                        .for_each(|(sum, &x)| *sum += x);
                }
                for accumulator in 0..kept {
                    region[region_start(1 + accumulator)..][..wide]
                        .copy_from_slice(&accumulators[accumulator_start(accumulator)..][..wide]);
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

    /// Runs `work` on all workers, but on no more than `jobs`.
    fn in_parallel(&self, jobs: usize, work: &(dyn Fn() -> Result<()> + Sync)) -> Result<()> {
        match self.workers.min(jobs) {
            0 => Ok(()),
            1 => work(),
            workers if self.waits => std::thread::scope(|scope| {
                let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
                let job_index = work();
                others.into_iter().fold(job_index, |result, other| result.and(joined(other.join())))
            }),
            workers => (0..workers).into_par_iter().with_max_len(1).try_for_each(|_| work()),
        }
    }
}

/// The rows of K of a block of samples, counted from the row `start`.
fn range_in_region(samples: &Range<usize>, outputs_per_sample: usize, start: usize) -> Range<usize> {
    samples.start * outputs_per_sample - start..samples.end * outputs_per_sample - start
}

/// Returns the result of a thread, or resumes its panic.
fn joined<T>(result: std::thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// True for failures that another device may not have.
fn is_device_failure(error: &Error) -> bool {
    error.is_device() || error.is_memory()
}

/// Checks a region and passes it to the sink.
fn deliver<R: Real>(job: &Job<'_, R>, index: usize, entries: &[R]) -> Result<()> {
    check(job, index, entries)?;
    job.sink.put(&RegionData { frame: job.frame, index, entries })?;
    job.counter.step()
}

/// # Errors
/// Returns an error if an entry is not finite: an entry on the diagonal of K(X, X), or any entry of K(X, Z).
fn check<R: Real>(job: &Job<'_, R>, index: usize, entries: &[R]) -> Result<()> {
    let place = &job.frame.regions[index];
    let blocks: Vec<&[R]> = entries.chunks_exact(place.entries()).collect();
    let is_finite = |matrix: &usize| {
        blocks[matrix * job.frame.blocks..][..job.frame.blocks]
            .iter()
            .all(|block| block_is_finite(block, place, job.frame.symmetric))
    };
    let count = job.frame.matrices.len();
    // Components first: their names say more than the total.
    let Some(matrix) = (1..count).chain([0]).find(|matrix| !is_finite(matrix)) else { return Ok(()) };
    let name = if matrix == 0 { "the kernel" } else { &job.frame.matrices[matrix] };
    Err(Error::value(format!(
        "{name} is not finite: at one of the samples a derivative of the network is not finite (for example that of \
         sqrt at 0) or overflows {}; check the samples and the parameters",
        R::NAME
    )))
}

/// True if the diagonal of a region of K(X, X), or every entry of a region of K(X, Z), is finite.
fn block_is_finite<R: Real>(block: &[R], region: &Region, symmetric: bool) -> bool {
    if !symmetric {
        return block.iter().all(|x| x.is_finite());
    }
    // The largest entry of K(X, X) is on its diagonal.
    let diagonal = block.get((region.cols.start - region.rows.start) * region.cols.len()..).unwrap_or_default();
    diagonal.iter().step_by(region.cols.len() + 1).all(|x| x.is_finite())
}

/// Runs jobs in order until none is left. All workers share `next`. After an error no worker takes another job.
fn take_jobs(next: &AtomicUsize, jobs: usize, mut job: impl FnMut(usize) -> Result<()>) -> Result<()> {
    loop {
        let job_index = next.fetch_add(1, Ordering::Relaxed);
        if job_index >= jobs {
            return Ok(());
        }
        if let Err(error) = job(job_index) {
            next.store(jobs, Ordering::Relaxed);
            return Err(error);
        }
    }
}

/// Copies the upper triangle of a square to the lower one. Rows are `stride` apart.
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

    /// Products are symmetric already, so no kernel tests this.
    #[test]
    fn the_lower_triangle_becomes_the_upper_one() {
        let mut tile = [1, 2, 3, 0, 40, 5, 6, 0, 70, 80, 9, 0];
        mirror(&mut tile, 3, 4);
        assert_eq!(tile, [1, 2, 3, 0, 2, 5, 6, 0, 3, 6, 9, 0]);
    }
}
