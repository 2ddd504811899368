//! Samples in blocks, one for each thread.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::Result;
use crate::shape::blocks;

/// Samples that are run together where nothing else is said: their values stay in cache.
pub(crate) const RUN_BLOCK: usize = 512;
/// The results of so many blocks are held at a time, to be added in order.
const AT_ONCE: usize = 64;

/// What `f` gives for every block of `block` samples, in order.
pub(crate) fn mapped<T: Send>(
    samples: usize,
    block: usize,
    f: impl Fn(Range<usize>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    blocks(samples, block).into_par_iter().map(&f).collect()
}

/// Hands what `f` gives for every block of samples to `take`, in order, without holding all of it.
pub(crate) fn folded<T: Send>(
    samples: usize,
    block: usize,
    f: impl Fn(Range<usize>) -> Result<T> + Sync,
    mut take: impl FnMut(Range<usize>, T),
) -> Result<()> {
    for some in blocks(samples, block).chunks(AT_ONCE) {
        let results: Vec<T> = some.par_iter().map(|range| f(range.clone())).collect::<Result<_>>()?;
        some.iter().cloned().zip(results).for_each(|(range, result)| take(range, result));
    }
    Ok(())
}
