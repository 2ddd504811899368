//! The memory of a run, adapted to a budget.

use super::table::bytes;
use crate::error::Error;

/// The sizes that the memory of a run depends on, except for the strategies.
pub(super) struct MemoryModel {
    /// N, and M if there are other samples along the columns.
    pub samples: (usize, Option<usize>),
    /// Samples in a block.
    pub block: usize,
    /// Samples in a forward pass.
    pub chunk: usize,
    /// Bytes of a tile of all matrices that the sink receives.
    pub tile: f64,
    /// Bytes of parameters, and of the result if it is in memory.
    pub fixed: f64,
    /// Bytes of a thread's forward passes and of its tiles.
    pub work: f64,
    /// Predicted seconds of a sample's passes on one thread.
    pub pass: f64,
    /// Blocks along a region that the sink prefers.
    pub side: usize,
    /// The memory budget in bytes.
    pub budget: Option<f64>,
    /// The most bytes of dropped arrays that a thread keeps in its buffer pool.
    pub buffer_pool: f64,
    /// The most bytes of one array, and the multiple that its samples are padded to.
    pub array: f64,
    pub multiple: usize,
}

/// The sizes of regions, and the panels in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct MemoryPlan {
    /// Blocks along the rows and the columns of a region.
    pub tall: usize,
    pub wide: usize,
    /// True if the panels of all samples stay in memory; else those of a row block of `tall` blocks do.
    pub resident: bool,
    pub resident_bytes: f64,
    /// Bytes per thread.
    pub thread: f64,
    /// Samples whose panels are computed, counted each time.
    pub computed_samples: f64,
}

/// The numbers of threads to try.
const THREADS: [f64; 3] = [4.0, 2.0, 1.0];

impl MemoryModel {
    /// The memory plan for panels of `panel` bytes per sample, whose products take `products` seconds on one thread.
    ///
    /// # Errors
    /// Returns the least number of bytes that the run needs, if that is above the budget.
    pub fn plan(&self, panel: f64, products: f64) -> Result<MemoryPlan, f64> {
        if self.one_array(panel) > self.array {
            return Err(f64::INFINITY);
        }
        let Some(budget) = self.budget else { return Ok(self.all_resident(panel, self.side.max(1))) };
        let fits = |memory: &MemoryPlan, threads: f64| self.needs(memory, threads) <= budget;
        for threads in THREADS {
            // Small regions are slow to store, so regions of at least half the preferred side are tried first.
            if let Some(found) =
                self.sides().take(2).map(|side| self.all_resident(panel, side)).find(|m| fits(m, threads))
            {
                return Ok(found);
            }
        }
        // More threads leave room only for lower row blocks, whose factors are computed more often.
        let seconds =
            |(threads, memory): &(f64, MemoryPlan)| (memory.computed_samples * self.pass + products) / threads;
        let streamed =
            THREADS.into_iter().filter_map(|threads| Some((threads, self.best_streamed(panel, threads, budget)?)));
        if let Some((_, found)) = streamed.min_by(|first, second| seconds(first).total_cmp(&seconds(second))) {
            return Ok(found);
        }
        let [all, least] = [self.all_resident(panel, 1), self.row_block(panel, 1, 1)];
        if fits(&all, 1.0) { Ok(all) } else { Err(self.needs(&least, 1.0).min(self.needs(&all, 1.0))) }
    }

    /// The sides of regions to try, the preferred one first.
    fn sides(&self) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(self.side.max(1)), |&side| (side > 1).then_some(side / 2))
    }

    /// The largest regions for `threads` threads that compute factors again, if the budget has room for them.
    fn best_streamed(&self, panel: f64, threads: f64, budget: f64) -> Option<MemoryPlan> {
        // Row blocks that are not taller than wide compute factors too often.
        let is_good = |memory: &MemoryPlan| memory.tall >= 2 * memory.wide || memory.wide == 1;
        let found = self.sides().filter_map(|side| self.streamed(panel, side, threads, budget)).find(is_good)?;
        (self.needs(&found, threads) <= budget).then_some(found)
    }

    /// Bytes of the panels of a block, in one array.
    fn one_array(&self, panel: f64) -> f64 {
        self.block.next_multiple_of(self.multiple) as f64 * panel
    }

    /// The error if no block is small enough for the device.
    pub fn too_large(&self, panel: f64) -> Error {
        Error::memory(format!(
            "the factors of {} samples take {} in one array, but the device takes at most {}; \
             use the CPU, or fewer parameters",
            self.block,
            bytes(self.one_array(panel)),
            bytes(self.array)
        ))
    }

    fn needs(&self, memory: &MemoryPlan, threads: f64) -> f64 {
        self.fixed + memory.resident_bytes + threads * memory.thread
    }

    fn rows(&self) -> usize {
        self.samples.0.div_ceil(self.block.max(1))
    }

    fn columns(&self) -> usize {
        self.samples.1.map_or(self.rows(), |m| m.div_ceil(self.block.max(1)))
    }

    fn region(&self, tall: usize, wide: usize) -> f64 {
        (tall.min(self.rows()) * wide.min(self.columns())) as f64 * self.tile
    }

    /// Panels of a block before they are packed.
    fn parts(&self, panel: f64) -> f64 {
        self.block.min(self.samples.0.max(self.samples.1.unwrap_or(0))) as f64 * panel
    }

    fn all_resident(&self, panel: f64, side: usize) -> MemoryPlan {
        let samples = (self.samples.0 + self.samples.1.unwrap_or(0)) as f64;
        let thread = self.work + self.region(side, side) + self.parts(panel);
        MemoryPlan {
            tall: side,
            wide: side,
            resident: true,
            resident_bytes: samples * panel,
            thread,
            computed_samples: samples,
        }
    }

    fn row_block(&self, panel: f64, tall: usize, wide: usize) -> MemoryPlan {
        let n = self.samples.0;
        let row_block = (tall * self.block).min(n);
        let thread = self.work + self.region(tall, wide) + 2.0 * self.parts(panel);
        let computed_samples = match self.samples.1 {
            // The columns of the row block, and all to its right.
            None => (0..n).step_by(row_block.max(1)).map(|start| (n - start) as f64).sum(),
            Some(m) => n as f64 + (n.div_ceil(row_block.max(1)) * m) as f64,
        };
        // The panels of the previous row block stay in a thread's buffer pool for some time.
        let panels = row_block as f64 * panel;
        MemoryPlan {
            tall,
            wide,
            resident: false,
            resident_bytes: panels + panels.min(self.buffer_pool),
            thread,
            computed_samples,
        }
    }

    /// The tallest row blocks that fit in addition to the memory of `threads` threads.
    fn streamed(&self, panel: f64, wide: usize, threads: f64, budget: f64) -> Option<MemoryPlan> {
        let fits = |row_blocks: usize| self.needs(&self.row_block(panel, row_blocks * wide, wide), threads) <= budget;
        let most = self.rows().div_ceil(wide).max(1);
        // The bytes of a row block grow with its height.
        let mut low = 0;
        let mut high = most;
        while low < high {
            let middle = (low + high).div_ceil(2);
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        (low > 0).then(|| self.row_block(panel, low * wide, wide))
    }
}
