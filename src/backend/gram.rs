//! Tiles of K, from the two operands of every use of a parameter.

use super::{Arrays, Rates, TileConfig};
use crate::error::Result;

/// A backend that computes tiles of kernels.
///
/// A tile is the part of K for two blocks of samples: n samples along its rows and m along its columns.
pub trait Gram: Arrays {
    /// Memory that a worker keeps from tile to tile, so that tiles allocate nothing.
    type Scratch: Default + Send;
    /// The operands of a block of samples, packed for tiles.
    type Packed: Default + Send + Sync;

    /// The name in manifests: `cpu`, or the name of the device.
    fn name(&self) -> String;

    /// The sizes of tiles and blocks.
    fn tile_config(&self) -> TileConfig;

    /// The rates for plans. The default is the rates of the CPU.
    fn rates(&self) -> Rates {
        Rates::shipped::<Self::Number>()
    }

    /// The other devices that share the work. By default there are no others.
    fn helpers(&self) -> Helpers<Self> {
        Helpers { others: Vec::new(), last: None }
    }

    /// Packs the panels of a block of samples, given in parts, once for all tiles of the block. The memory of `packed`
    /// is reused.
    ///
    /// # Errors
    /// The device failed.
    fn pack(
        &self,
        contraction_plan: &ContractionPlan,
        parts: &[Panels<Self::Tensor>],
        packed: &mut Self::Packed,
    ) -> Result<()>;

    /// Writes the tile of every accumulator to `out`, of shape `[accumulators, blocks, n outputs, m outputs]`. `blocks`
    /// is [`ContractionPlan::blocks`] and `outputs` is [`ContractionPlan::outputs_per_sample`].
    ///
    /// An accumulator is the sum of its addends over all terms. [`Contraction`] defines an addend. If `rows` and `cols`
    /// are the same object, only the upper triangles need to be correct.
    ///
    /// # Errors
    /// The device failed.
    fn tile(
        &self,
        contraction_plan: &ContractionPlan,
        rows: &Self::Packed,
        cols: &Self::Packed,
        scratch: &mut Self::Scratch,
        out: &mut [Self::Number],
    ) -> Result<()>;
}

/// The devices that share the work of another.
#[derive(Clone, Debug)]
pub struct Helpers<B> {
    /// Devices that work at the same time, each at its own speed.
    pub others: Vec<B>,
    /// A device that is used only if all others have failed.
    pub last: Option<B>,
}

/// The operands of all uses of all parameters, for some samples.
#[derive(Clone, Debug)]
pub struct Panels<T> {
    /// n, the number of samples.
    pub samples: usize,
    /// Left operands a, the inputs, each of shape `[g, n, t, i]`.
    pub lefts: Vec<T>,
    /// Right operands b, the output gradients.
    pub rights: Vec<RightPanel<T>>,
}

/// A right operand: the cotangents of all outputs.
#[derive(Clone, Debug)]
pub enum RightPanel<T> {
    /// An array of shape `[blocks, g, n, t, outputs, o]`.
    Array(T),
    /// The cotangent of output c is the unit vector c, as at the read-out layer. B is 1 where c = c', else 0, and needs
    /// no product.
    OneHot,
}

impl<T> RightPanel<T> {
    /// The array, or `None` for unit vectors.
    pub fn array(&self) -> Option<&T> {
        match self {
            RightPanel::Array(array) => Some(array),
            RightPanel::OneHot => None,
        }
    }
}

/// The program that computes a tile from panels. It is the same for all tiles of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractionPlan {
    /// The number of tiles that are computed together: one per component, or one for the total.
    pub accumulators: usize,
    /// The number of independent matrices in K: C for one kernel per output, else 1.
    pub blocks: usize,
    /// The number of rows of K per sample: C for the full kernel, else 1.
    pub outputs_per_sample: usize,
    /// The value of [`RightPanel::OneHot`] where c = c': C for the sum over outputs, else 1.
    pub one_hot_weight: f64,
    /// The terms, in the order of computation.
    pub terms: Vec<Term>,
}

/// A pair of right operands, and all addends that share their product.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The indices of the right operands in the panels of the rows and of the columns.
    pub right: [usize; 2],
    /// The contraction of the operands.
    pub contraction: Contraction,
    /// The addends.
    pub parts: Vec<Addend>,
}

/// The contraction of two uses of a parameter, for samples n and m and outputs c and c'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contraction {
    /// `sum over g, t, u of (a[n,t] . a'[m,u]) (b[n,c,t] . b'[m,c',u])`. Without left operands the first factor is 1.
    Straight,
    /// `(a[n] . b'[m,c']) (b[n,c] . a'[m])`, with one position: a weight and its transpose.
    Crossed,
    /// `sum over g, t of b[n,c,t] . (G[m,c'] a[n,t])`. The columns' right operand is the materialised gradient G.
    Mixed,
    /// `sum over t, u with a[n,t] = a'[m,u] of b[n,c,t] . b'[m,c',u]`, where a are row numbers of a table: an
    /// embedding.
    Joined,
}

/// One addend of an accumulator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Addend {
    /// The accumulator that it is added to.
    pub accumulator: usize,
    /// The factor.
    pub weight: f64,
    /// The indices of the left operands in the panels of the rows and of the columns. `None` means ones.
    pub left: Option<[usize; 2]>,
}
