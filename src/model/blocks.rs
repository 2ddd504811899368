//! Samples in blocks, which threads process in parallel.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::Result;
use crate::shape::blocks;

/// The default number of samples per block. The values of a block stay in cache.
pub(crate) const RUN_BLOCK: usize = 512;
/// The number of blocks whose results are in memory at a time, to be added in order.
const RESIDENT_BLOCKS: usize = 64;

/// The results of `f` for every block of samples, in order.
pub(crate) fn map_blocks<T: Send>(
    samples: usize,
    block: usize,
    f: impl Fn(Range<usize>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    blocks(samples, block).into_par_iter().map(&f).collect()
}

/// Calls `take` with the result of `f` for every block of samples, in order, without keeping all results in memory.
pub(crate) fn fold_blocks<T: Send>(
    samples: usize,
    block: usize,
    f: impl Fn(Range<usize>) -> Result<T> + Sync,
    mut take: impl FnMut(Range<usize>, T),
) -> Result<()> {
    for ranges in blocks(samples, block).chunks(RESIDENT_BLOCKS) {
        let results: Vec<T> = ranges.par_iter().map(|range| f(range.clone())).collect::<Result<_>>()?;
        ranges.iter().cloned().zip(results).for_each(|(range, result)| take(range, result));
    }
    Ok(())
}
