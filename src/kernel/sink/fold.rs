//! Sums over K that do not store it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use super::{Frame, Region, RegionData, Sink};
use crate::error::{Error, Result};
use crate::real::Real;

/// A sum over the entries of a matrix: the contribution of a tile, and its addition to the sum.
///
/// [`map_tile`](Fold::map_tile) is called from several threads, in any order. [`add`](Fold::add) is called in the order
/// of the regions. So the sum is the same bit for bit for any number of threads.
pub trait Fold<R: Real>: Send + Sync {
    /// The sum.
    type Sum: Send + Sync;
    /// The contribution of a tile.
    type Partial: Send;

    /// The empty sum of a matrix of `rows` x `cols`.
    ///
    /// # Errors
    /// Returns an error if this fold does not support matrices of this size.
    fn start(&self, rows: usize, cols: usize) -> Result<Self::Sum>;

    /// Computes the contribution of a tile.
    fn map_tile(&self, tile: &Tile<'_, R>) -> Self::Partial;

    /// Adds the contribution of the tile of `region` to the sum.
    fn add(&self, sum: &mut Self::Sum, region: &Region, partial: Self::Partial);
}

/// The entries of one matrix in a region.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Tile<'a, R> {
    /// The region.
    pub region: &'a Region,
    /// True for K(X, X): the rows in [`Region::above`] have a mirror image.
    pub symmetric: bool,
    /// `[rows, cols]`, row-major.
    pub entries: &'a [R],
}

impl<'a, R: Real> Tile<'a, R> {
    /// The rows, each with its number in K.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &'a [R])> {
        self.region.rows.clone().zip(self.entries.chunks_exact(self.region.cols.len().max(1)))
    }

    /// The rows that have a mirror image.
    pub fn mirrored(&self) -> Range<usize> {
        if self.symmetric { self.region.above() } else { 0..0 }
    }
}

/// A sink that folds every matrix of a kernel.
///
/// ```
/// use tangent_kernels::kernel::sink::{Folding, MatVec, Trace};
/// use tangent_kernels::{Batch, Cpu, Sequential, Session};
///
/// let mut model = Sequential::standard(&[1]).linear("d1", 1).build()?;
/// model.set("d1.weight", &[1, 1], vec![2.0])?;
/// model.set("d1.bias", &[1], vec![0.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let mut folding = Folding::new((Trace, MatVec::new(vec![1.0, -1.0])));
/// session.ntk().fill(&Batch::new(&[1.0, 3.0], &[2, 1])?, &mut folding)?;
/// // K(x, y) = x y + 1, where 1 is the bias's part.
/// let (trace, product) = folding.total()?;
/// assert_eq!((*trace, &product[..]), (12.0, &[-2.0, -6.0][..]));
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Folding<R: Real, F: Fold<R>> {
    fold: F,
    state: Mutex<FoldState<R, F>>,
}

struct FoldState<R: Real, F: Fold<R>> {
    /// The next region to add.
    next: usize,
    /// Contributions that wait for an earlier region, at most one per worker.
    waiting: BTreeMap<usize, Vec<F::Partial>>,
    /// The sums of every matrix, block by block.
    sums: Vec<F::Sum>,
    names: Vec<String>,
    blocks: usize,
}

impl<R: Real, F: Fold<R>> Folding<R, F> {
    /// Creates a sink that folds by `fold`. A pair of folds computes both.
    pub fn new(fold: F) -> Self {
        let state = FoldState { next: 0, waiting: BTreeMap::new(), sums: Vec::new(), names: Vec::new(), blocks: 0 };
        Folding { fold, state: Mutex::new(state) }
    }

    /// The sum over the total. With several blocks it is that of the first.
    ///
    /// # Errors
    /// Returns an error if no kernel was computed into the sink.
    pub fn total(&mut self) -> Result<&F::Sum> {
        Ok(&self.sums("total")?[0])
    }

    /// The sums over the matrix `name`, one per block. The name is `"total"` or that of a parameter.
    ///
    /// # Errors
    /// Returns an error if there is no such matrix, or if no kernel was computed into the sink.
    pub fn sums(&mut self, name: &str) -> Result<&[F::Sum]> {
        let state = self.state.get_mut().unwrap_or_else(|poison| poison.into_inner());
        let found = state.names.iter().position(|found| found == name);
        let index = found
            .ok_or_else(|| Error::name(format!("no sum of '{name}': the sums are of [{}]", state.names.join(", "))))?;
        Ok(&state.sums[index * state.blocks..][..state.blocks])
    }
}

impl<R: Real, F: Fold<R>> Sink<R> for Folding<R, F> {
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        let count = frame.matrices.len() * frame.blocks;
        let sums = (0..count).map(|_| self.fold.start(frame.rows, frame.cols)).collect::<Result<Vec<_>>>()?;
        *self.state.get_mut().unwrap_or_else(|poison| poison.into_inner()) = FoldState {
            next: frame.shard.start,
            waiting: BTreeMap::new(),
            sums,
            names: frame.matrices.clone(),
            blocks: frame.blocks,
        };
        Ok(())
    }

    fn put(&self, data: &RegionData<'_, R>) -> Result<()> {
        let region = data.region();
        let symmetric = data.frame.symmetric;
        let tiles = data.entries.chunks_exact(region.entries().max(1));
        let partials = tiles.map(|entries| self.fold.map_tile(&Tile { region, symmetric, entries })).collect();
        let mut guard = self.state.lock().unwrap_or_else(|poison| poison.into_inner());
        let state = &mut *guard;
        state.waiting.insert(data.index, partials);
        while let Some(partials) = state.waiting.remove(&state.next) {
            let region = &data.frame.regions[state.next];
            state.sums.iter_mut().zip(partials).for_each(|(sum, partial)| self.fold.add(sum, region, partial));
            state.next += 1;
        }
        Ok(())
    }
}

/// Two folds in one run. Nest pairs for more.
impl<R: Real, A: Fold<R>, B: Fold<R>> Fold<R> for (A, B) {
    type Sum = (A::Sum, B::Sum);
    type Partial = (A::Partial, B::Partial);

    fn start(&self, rows: usize, cols: usize) -> Result<Self::Sum> {
        Ok((self.0.start(rows, cols)?, self.1.start(rows, cols)?))
    }

    fn map_tile(&self, tile: &Tile<'_, R>) -> Self::Partial {
        (self.0.map_tile(tile), self.1.map_tile(tile))
    }

    fn add(&self, sum: &mut Self::Sum, region: &Region, partial: Self::Partial) {
        self.0.add(&mut sum.0, region, partial.0);
        self.1.add(&mut sum.1, region, partial.1);
    }
}
