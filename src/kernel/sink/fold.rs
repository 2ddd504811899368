//! Sums over K that store nothing of its size.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;

use super::{Frame, Region, RegionData, Sink};
use crate::error::{Error, Result};
use crate::real::Real;

/// A sum over the entries of a matrix: what a unit adds to it, and how.
///
/// [`of`](Fold::of) is called from several threads; [`add`](Fold::add) in the order of the units, whatever the order in which
/// they are done, so that the sum is the same to the bit for any number of threads.
pub trait Fold<R: Real>: Send + Sync {
    /// The sum.
    type Sum: Send + Sync;
    /// What a unit adds to it.
    type Partial: Send;

    /// The sum over nothing, of a matrix of `rows` x `cols`.
    ///
    /// # Errors
    /// This fold is for matrices of other sizes.
    fn start(&self, rows: usize, cols: usize) -> Result<Self::Sum>;

    /// What a tile adds.
    fn of(&self, tile: &Tile<'_, R>) -> Self::Partial;

    /// Adds what a tile of `region` gave.
    fn add(&self, sum: &mut Self::Sum, region: &Region, partial: Self::Partial);
}

/// A unit's part of one matrix.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Tile<'a, R> {
    /// Where it is.
    pub region: &'a Region,
    /// K(X, X): its rows in [`Region::above`] have a mirror image.
    pub symmetric: bool,
    /// \[rows, cols\], row-major.
    pub entries: &'a [R],
}

impl<'a, R: Real> Tile<'a, R> {
    /// Its rows, each with its number in K.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &'a [R])> {
        self.region.rows.clone().zip(self.entries.chunks_exact(self.region.cols.len().max(1)))
    }

    /// The rows that stand for their mirror image too.
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
/// // K(x, y) = x y + 1, which is the bias's part.
/// let (trace, product) = folding.total()?;
/// assert_eq!((*trace, &product[..]), (12.0, &[-2.0, -6.0][..]));
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Folding<R: Real, F: Fold<R>> {
    fold: F,
    state: Mutex<State<R, F>>,
}

struct State<R: Real, F: Fold<R>> {
    /// The unit whose turn it is.
    next: usize,
    /// Units that were done before their turn: as many as there are workers at most.
    waiting: BTreeMap<usize, Vec<F::Partial>>,
    /// The sums of every matrix, block by block.
    sums: Vec<F::Sum>,
    names: Vec<String>,
    blocks: usize,
}

impl<R: Real, F: Fold<R>> Folding<R, F> {
    /// Folds by `fold`, or by several at once if it is a pair.
    pub fn new(fold: F) -> Self {
        let state = State { next: 0, waiting: BTreeMap::new(), sums: Vec::new(), names: Vec::new(), blocks: 0 };
        Folding { fold, state: Mutex::new(state) }
    }

    /// The sum over the total; of several blocks, over the first.
    ///
    /// # Errors
    /// It was not filled.
    pub fn total(&mut self) -> Result<&F::Sum> {
        Ok(&self.of("total")?[0])
    }

    /// The sums over the matrix called `name`, `"total"` or a parameter's, one for every block.
    ///
    /// # Errors
    /// There is no such matrix, or it was not filled.
    pub fn of(&mut self, name: &str) -> Result<&[F::Sum]> {
        let state = self.state.get_mut().unwrap_or_else(|poison| poison.into_inner());
        let found = state.names.iter().position(|own| own == name);
        let at = found.ok_or_else(|| Error::name(format!("nothing called '{name}' was folded")))?;
        Ok(&state.sums[at * state.blocks..][..state.blocks])
    }
}

impl<R: Real, F: Fold<R>> Sink<R> for Folding<R, F> {
    fn begin(&mut self, frame: &Frame) -> Result<()> {
        let count = frame.matrices.len() * frame.blocks;
        let sums = (0..count).map(|_| self.fold.start(frame.rows, frame.cols)).collect::<Result<Vec<_>>>()?;
        let (next, names, blocks) = (frame.shard.start, frame.matrices.clone(), frame.blocks);
        *self.state.get_mut().unwrap_or_else(|poison| poison.into_inner()) =
            State { next, waiting: BTreeMap::new(), sums, names, blocks };
        Ok(())
    }

    fn put(&self, part: &RegionData<'_, R>) -> Result<()> {
        let (region, symmetric) = (part.region(), part.frame.symmetric);
        let tiles = part.entries.chunks_exact(region.entries().max(1));
        let partials = tiles.map(|entries| self.fold.of(&Tile { region, symmetric, entries })).collect();
        let mut guard = self.state.lock().unwrap_or_else(|poison| poison.into_inner());
        let state = &mut *guard;
        state.waiting.insert(part.index, partials);
        while let Some(partials) = state.waiting.remove(&state.next) {
            let region = &part.frame.regions[state.next];
            state.sums.iter_mut().zip(partials).for_each(|(sum, partial)| self.fold.add(sum, region, partial));
            state.next += 1;
        }
        Ok(())
    }
}

/// Two folds in one walk; of more, pairs of pairs.
impl<R: Real, A: Fold<R>, B: Fold<R>> Fold<R> for (A, B) {
    type Sum = (A::Sum, B::Sum);
    type Partial = (A::Partial, B::Partial);

    fn start(&self, rows: usize, cols: usize) -> Result<Self::Sum> {
        Ok((self.0.start(rows, cols)?, self.1.start(rows, cols)?))
    }

    fn of(&self, tile: &Tile<'_, R>) -> Self::Partial {
        (self.0.of(tile), self.1.of(tile))
    }

    fn add(&self, sum: &mut Self::Sum, region: &Region, partial: Self::Partial) {
        self.0.add(&mut sum.0, region, partial.0);
        self.1.add(&mut sum.1, region, partial.1);
    }
}
