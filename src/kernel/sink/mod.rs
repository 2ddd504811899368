//! Where a kernel goes, unit by unit, while it is computed: into memory, into files, or into sums that store nothing.

mod canvas;
mod dense;
mod fold;
mod folds;
mod packed;

pub(crate) use dense::Dense;
pub use fold::{Fold, Folding, Tile};
pub use folds::{Aligned, Alignment, Classified, Classifier, MatVec, RowSums, SquaredNorm, Trace};
pub use packed::{Packed, PackedMatrix};

use std::ops::Range;

use crate::error::Result;
use crate::real::Real;

/// A place for a kernel's entries: [`Ntk::fill`](super::Ntk::fill) does it.
///
/// A kernel is computed in [`Region`]s, rectangles of K, from several threads and in no order; each unit comes once. Of
/// K(X, X) only the upper triangle comes, and what is below is its mirror image: [`RegionData::mirrored`].
pub trait Sink<R: Real>: Send + Sync {
    /// What this sink wants, before anything is computed.
    fn requirements(&self) -> Requirements {
        Requirements::default()
    }

    /// Called once, before the first unit.
    ///
    /// # Errors
    /// What is there already belongs to another kernel; there is no room.
    fn begin(&mut self, frame: &Frame) -> Result<()>;

    /// Is unit `index` here already, from a run that was interrupted? Then it is not computed again.
    fn has(&self, index: usize) -> bool {
        let _ = index;
        false
    }

    /// Takes a unit.
    ///
    /// # Errors
    /// It cannot be kept. The run then ends.
    fn put(&self, part: &RegionData<'_, R>) -> Result<()>;

    /// Called once, when all units of this run are in.
    ///
    /// # Errors
    /// They cannot be made whole.
    fn end(&mut self, frame: &Frame) -> Result<()> {
        let _ = frame;
        Ok(())
    }
}

/// What a sink asks of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Requirements {
    /// A unit has about so many rows and columns, if memory allows; 0 for units as they are cheapest to compute.
    pub side: usize,
    /// [`Frame::fingerprint`] tells the model, the samples and the options, so that another run can be told from this one.
    pub fingerprint: bool,
    /// It can do with a share of the units: see [`Ntk::shard`](super::Ntk::shard).
    pub shards: bool,
    /// Bytes it holds in memory for an entry of K, all matrices together counting one by one: the budget counts them.
    pub bytes_per_entry: f64,
}

/// What is going to come: the same for all units.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The matrices, each \[blocks, rows, cols\]: `"total"`, and every component by its parameter's name.
    pub matrices: Vec<String>,
    /// The number of blocks: the outputs of [`Outputs::PerOutput`](super::Outputs::PerOutput), else 1.
    pub blocks: usize,
    /// The number of rows of K.
    pub rows: usize,
    /// The number of columns of K.
    pub cols: usize,
    /// K(X, X): only the upper triangle comes.
    pub symmetric: bool,
    /// All units of K, those that other shares compute among them, in order.
    pub regions: Vec<Region>,
    /// The units that this run computes.
    pub shard: Range<usize>,
    /// The share by number and count: (0, 1) is all.
    pub part: (usize, usize),
    /// The manifest, as JSON, with fingerprints of the model and the samples and the cut into units: runs with the same
    /// identity compute the same bytes on the same type of CPU. Empty if it was not wanted.
    pub fingerprint: String,
}

/// A rectangle of K.
///
/// Of K(X, X) it is a part of the upper triangle: either all its columns are right of its rows, or its last rows are its
/// columns, and the square of these holds both halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Its rows in K.
    pub rows: Range<usize>,
    /// Its columns in K.
    pub cols: Range<usize>,
}

impl Region {
    /// The number of entries in one matrix.
    pub fn entries(&self) -> usize {
        self.rows.len() * self.cols.len()
    }

    /// Its rows whose mirror image is another part of K(X, X): all but those of the square on the diagonal.
    pub fn above(&self) -> Range<usize> {
        self.rows.start..self.rows.end.min(self.cols.start)
    }
}

/// A unit with its entries.
#[derive(Clone, Copy, Debug)]
pub struct RegionData<'a, R> {
    /// What all units have in common.
    pub frame: &'a Frame,
    /// The number of the unit in [`Frame::regions`].
    pub index: usize,
    /// \[matrices, blocks, rows, cols\], row-major.
    pub entries: &'a [R],
}

impl<'a, R: Real> RegionData<'a, R> {
    /// Where it is in K.
    pub fn region(&self) -> &'a Region {
        &self.frame.regions[self.index]
    }

    /// The entries of one block of one matrix, \[rows, cols\].
    ///
    /// # Panics
    /// If there is no such matrix or block.
    pub fn of(&self, matrix: usize, block: usize) -> &'a [R] {
        assert!(matrix < self.frame.matrices.len() && block < self.frame.blocks, "matrix {matrix}, block {block}");
        let entries = self.region().entries();
        &self.entries[(matrix * self.frame.blocks + block) * entries..][..entries]
    }

    /// Does the unit have a mirror image in K? Its rows there are [`Region::cols`], and its columns [`Region::above`].
    pub fn mirrored(&self) -> bool {
        self.frame.symmetric && !self.region().above().is_empty()
    }
}

impl Requirements {
    /// What K in memory wants.
    pub(crate) fn dense<R: Real>() -> Self {
        Requirements { bytes_per_entry: size_of::<R>() as f64, ..Requirements::default() }
    }
}
