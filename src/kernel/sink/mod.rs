//! Sinks: where a kernel goes, region by region, during its computation. Sinks keep it in memory, write it to files, or
//! fold it into sums.

mod canvas;
mod dense;
mod fold;
mod folds;
mod packed;

pub(crate) use dense::Dense;
pub use fold::{Fold, Folding, Tile};
pub use folds::{Aligned, Alignment, Classifier, MatVec, RowSums, SquaredNorm, Trace};
pub use packed::{Packed, PackedMatrix};

use std::ops::Range;

use crate::error::Result;
use crate::real::Real;

/// A receiver of a kernel's entries, filled by [`Ntk::fill`](super::Ntk::fill).
///
/// A kernel is computed in [`Region`]s, rectangles of K, from several threads and in no fixed order. Each region
/// arrives once. For K(X, X) only the upper triangle arrives; the lower one is its mirror image, see
/// [`RegionData::mirrored`].
pub trait Sink<R: Real>: Send + Sync {
    /// The requirements of this sink. Called before the computation.
    fn requirements(&self) -> Requirements {
        Requirements::default()
    }

    /// Called once, before the first region.
    ///
    /// # Errors
    /// Returns an error if the place holds another kernel, or if there is not enough room.
    fn begin(&mut self, frame: &Frame) -> Result<()>;

    /// True if region `index` is complete from an interrupted run. It is then not computed again.
    fn has(&self, index: usize) -> bool {
        let _ = index;
        false
    }

    /// Receives a region.
    ///
    /// # Errors
    /// Returns an error if the region cannot be kept. The run then ends.
    fn put(&self, data: &RegionData<'_, R>) -> Result<()>;

    /// Called once, after the last region of this run.
    ///
    /// # Errors
    /// Returns an error if the kernel cannot be completed.
    fn end(&mut self, frame: &Frame) -> Result<()> {
        let _ = frame;
        Ok(())
    }
}

/// The requirements of a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requirements {
    /// The preferred number of rows and columns of a region, if memory allows; 0 for regions that are cheapest to
    /// compute.
    pub side: usize,
    /// True if the sink needs [`Frame::fingerprint`], to recognise runs of the same kernel.
    pub fingerprint: bool,
    /// True if the sink supports a shard of the regions, see [`Ntk::shard`](super::Ntk::shard).
    pub shards: bool,
    /// Bytes in memory per entry of K, counted once per matrix. They count towards the memory budget.
    pub bytes_per_entry: f64,
}

/// The frame of a kernel: its matrices and regions. It is the same for all regions.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The names of the matrices, each `[blocks, rows, cols]`: `"total"`, and every component by its parameter's name.
    pub matrices: Vec<String>,
    /// The number of blocks: one per output for [`Outputs::PerOutput`](super::Outputs::PerOutput), else 1.
    pub blocks: usize,
    /// The number of rows of K.
    pub rows: usize,
    /// The number of columns of K.
    pub cols: usize,
    /// True for K(X, X), of which only the upper triangle arrives.
    pub symmetric: bool,
    /// All regions of K in order, including those of other shards.
    pub regions: Vec<Region>,
    /// The regions that this run computes.
    pub shard: Range<usize>,
    /// The number of this shard and the number of shards; (0, 1) for the whole kernel.
    pub part: (usize, usize),
    /// The fingerprint of the run, as JSON: the manifest, hashes of the model and the samples, and the partition into
    /// regions. Runs with the same fingerprint compute the same bytes on the same type of CPU. Empty if the sink does
    /// not require it.
    pub fingerprint: String,
}

/// A rectangle of K.
///
/// A region of K(X, X) belongs to the upper triangle. Either all its columns are right of its rows, or its last rows
/// are its columns. In the latter case the square on the diagonal holds both halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The rows in K.
    pub rows: Range<usize>,
    /// The columns in K.
    pub cols: Range<usize>,
}

impl Region {
    /// The number of entries in one matrix.
    pub fn entries(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// The rows whose mirror image is another part of K(X, X): all except those of the square on the diagonal.
    pub fn above(&self) -> Range<usize> {
        self.rows.start..self.rows.end.min(self.cols.start)
    }
}

/// A region with its entries.
#[derive(Clone, Copy, Debug)]
pub struct RegionData<'a, R> {
    /// The frame of the kernel.
    pub frame: &'a Frame,
    /// The index of the region in [`Frame::regions`].
    pub index: usize,
    /// The entries `[matrices, blocks, rows, cols]`, row-major.
    pub entries: &'a [R],
}

impl<'a, R: Real> RegionData<'a, R> {
    /// The region.
    pub fn region(&self) -> &'a Region {
        &self.frame.regions[self.index]
    }

    /// The entries of one block of one matrix, `[rows, cols]`.
    ///
    /// # Panics
    /// Panics if `matrix` or `block` is out of range.
    pub fn block(&self, matrix: usize, block: usize) -> &'a [R] {
        assert!(matrix < self.frame.matrices.len() && block < self.frame.blocks, "matrix {matrix}, block {block}");
        let entries = self.region().entries();
        &self.entries[(matrix * self.frame.blocks + block) * entries..][..entries]
    }

    /// True if the region has a mirror image in K. The rows of the image are [`Region::cols`], and its columns are
    /// [`Region::above`].
    pub fn mirrored(&self) -> bool {
        self.frame.symmetric && !self.region().above().is_empty()
    }
}

impl Requirements {
    /// The requirements of K in memory.
    pub(crate) fn dense<R: Real>() -> Self {
        Requirements { bytes_per_entry: size_of::<R>() as f64, ..Requirements::default() }
    }
}
