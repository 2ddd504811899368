//! What a run holds at a time, cut to fit a budget.

use super::table::bytes;
use crate::error::Error;

/// What the memory of a run depends on, but for the ways.
pub(super) struct Room {
    /// N, and M if there are other samples along the columns.
    pub samples: (usize, Option<usize>),
    /// Samples in a block.
    pub block: usize,
    /// Samples of a forward pass.
    pub chunk: usize,
    /// Bytes of a tile of all matrices that the sink gets.
    pub tile: f64,
    /// Bytes that are there whatever is done: the result if it is in memory, parameters.
    pub fixed: f64,
    /// Bytes of a thread's forward passes, and of the tiles that it computes one at a time.
    pub work: f64,
    /// Predicted seconds of a sample's passes on one thread.
    pub pass: f64,
    /// Blocks along a unit that the sink would like.
    pub side: usize,
    /// The most bytes that there may be.
    pub budget: Option<f64>,
    /// The most bytes of arrays that are let go which a thread keeps for the next ones.
    pub buffer_pool: f64,
    /// The most bytes that one array can have, and what the samples in one are padded to.
    pub array: f64,
    pub multiple: usize,
}

/// How units are cut, and what is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Memory {
    /// Blocks along the rows and the columns of a unit.
    pub tall: usize,
    pub wide: usize,
    /// The panels of all samples are held; else those of a band of `tall` blocks.
    pub resident: bool,
    pub held_bytes: f64,
    /// Bytes of a thread.
    pub thread: f64,
    /// Samples whose panels are made, counted as often as they are.
    pub made: f64,
}

/// Threads that a budget may have room for.
const THREADS: [f64; 3] = [4.0, 2.0, 1.0];

impl Room {
    /// The cut for panels of `panel` bytes a sample, whose products take `products` seconds on one thread.
    ///
    /// # Errors
    /// The bytes that are needed at least.
    pub fn partition(&self, panel: f64, products: f64) -> Result<Memory, f64> {
        if self.one_array(panel) > self.array {
            return Err(f64::INFINITY);
        }
        let Some(budget) = self.budget else { return Ok(self.all_held(panel, self.side.max(1))) };
        let sides = || std::iter::successors(Some(self.side.max(1)), |&side| (side > 1).then_some(side / 2));
        let fits = |memory: &Memory, threads: f64| self.needs(memory, threads) <= budget;
        for threads in THREADS {
            // A store of small pieces is slow, so that half the side is the least for factors to be held.
            if let Some(found) = sides().take(2).map(|side| self.all_held(panel, side)).find(|m| fits(m, threads)) {
                return Ok(found);
            }
        }
        let streamed = |threads: f64| {
            let list: Vec<Memory> = sides().filter_map(|side| self.streamed(panel, side, threads, budget)).collect();
            // Bands that are not higher than wide make factors too often.
            let is_good = |memory: &&Memory| memory.tall >= 2 * memory.wide || memory.wide == 1;
            let found = list.iter().find(is_good).filter(|memory| fits(memory, threads))?;
            Some(((found.made * self.pass + products) / threads, *found))
        };
        // Room for more threads is room for lower bands, whose factors are made more often.
        let quickest = THREADS.into_iter().filter_map(streamed).min_by(|(one, _), (two, _)| one.total_cmp(two));
        if let Some((_, found)) = quickest {
            return Ok(found);
        }
        let [all, least] = [self.all_held(panel, 1), self.row_block(panel, 1, 1)];
        if fits(&all, 1.0) { Ok(all) } else { Err(self.needs(&least, 1.0).min(self.needs(&all, 1.0))) }
    }

    /// Bytes of the panels of a block, in one array.
    fn one_array(&self, panel: f64) -> f64 {
        self.block.next_multiple_of(self.multiple) as f64 * panel
    }

    /// What is wrong where no block is small enough for the device.
    pub fn too_large(&self, panel: f64) -> Error {
        Error::memory(format!(
            "the factors of {} samples take {} in one array, but the device takes at most {}",
            self.block,
            bytes(self.one_array(panel)),
            bytes(self.array)
        ))
    }

    fn needs(&self, memory: &Memory, threads: f64) -> f64 {
        self.fixed + memory.held_bytes + threads * memory.thread
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

    fn all_held(&self, panel: f64, side: usize) -> Memory {
        let samples = (self.samples.0 + self.samples.1.unwrap_or(0)) as f64;
        let thread = self.work + self.region(side, side) + self.parts(panel);
        Memory { tall: side, wide: side, resident: true, held_bytes: samples * panel, thread, made: samples }
    }

    fn row_block(&self, panel: f64, tall: usize, wide: usize) -> Memory {
        let n = self.samples.0;
        let row_block = (tall * self.block).min(n);
        let thread = self.work + self.region(tall, wide) + 2.0 * self.parts(panel);
        let made = match self.samples.1 {
            // The band's own, and all to the right of it.
            None => (0..n).step_by(row_block.max(1)).map(|start| (n - start) as f64).sum(),
            Some(m) => n as f64 + (n.div_ceil(row_block.max(1)) * m) as f64,
        };
        // The panels of the band before lie on a thread's shelf for a while.
        let panels = row_block as f64 * panel;
        Memory { tall, wide, resident: false, held_bytes: panels + panels.min(self.buffer_pool), thread, made }
    }

    /// The highest bands that fit beside `threads` threads.
    fn streamed(&self, panel: f64, wide: usize, threads: f64, budget: f64) -> Option<Memory> {
        let fits = |row_blocks: usize| self.needs(&self.row_block(panel, row_blocks * wide, wide), threads) <= budget;
        let most = self.rows().div_ceil(wide).max(1);
        // What bands need rises with their height.
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if fits(middle) { low = middle } else { high = middle - 1 }
        }
        (low > 0).then(|| self.row_block(panel, low * wide, wide))
    }
}
