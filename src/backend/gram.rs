//! What only kernels need of a backend: tiles of K, from the two sides of every use of a parameter.

use super::{Arrays, Rates, TileConfig};
use crate::error::Result;

/// A backend that computes tiles of kernels.
///
/// A tile is the part of K that belongs to two blocks of samples, n of them along its rows and m along its columns.
pub trait Gram: Arrays {
    /// Memory that a worker keeps from tile to tile, so that nothing is allocated while walking over them.
    type Scratch: Default + Send;
    /// The sides of a block of samples as tiles want them.
    type Packed: Default + Send + Sync;

    /// What it is called in manifests: `cpu`, or the device's name.
    fn name(&self) -> String;

    /// How finely kernels are cut for it.
    fn tile_config(&self) -> TileConfig;

    /// The rates that plans are made with: those of the CPU, unless it has its own.
    fn rates(&self) -> Rates {
        Rates::shipped::<Self::Number>()
    }

    /// The devices that share its work: none, unless it is several.
    fn helpers(&self) -> Helpers<Self> {
        Helpers { others: Vec::new(), last: None }
    }

    /// Packs the panels of a block of samples, which come in parts: once for a block, however many tiles it is in. What
    /// memory `packed` has is used again.
    ///
    /// # Errors
    /// The device failed.
    fn pack(
        &self,
        contraction_plan: &ContractionPlan,
        parts: &[Panels<Self::Tensor>],
        packed: &mut Self::Packed,
    ) -> Result<()>;

    /// Writes the tile of every slot to `out`, whose shape is
    /// \[slots, [blocks](ContractionPlan::blocks), n [inner](ContractionPlan::outputs_per_sample), m inner\].
    ///
    /// A slot is the sum of its parts over all terms; [`Contraction`] says what a part is. Where `rows` and `cols` are one
    /// and the same, of every slot and block only the upper triangle need be right.
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

/// Devices that share the work of one.
#[derive(Clone, Debug)]
pub struct Helpers<B> {
    /// Those that work beside it, as fast as they can.
    pub others: Vec<B>,
    /// One that is asked only when all others have failed.
    pub last: Option<B>,
}

/// The sides of all uses of all parameters in some samples.
#[derive(Clone, Debug)]
pub struct Panels<T> {
    /// n, the number of samples.
    pub samples: usize,
    /// Left sides a, each of shape \[g, n, t, i\].
    pub lefts: Vec<T>,
    /// Right sides b.
    pub rights: Vec<RightPanel<T>>,
}

/// A right side: the cotangents of all outputs.
#[derive(Clone, Debug)]
pub enum RightPanel<T> {
    /// An array of shape \[blocks, g, n, t, inner, o\].
    Array(T),
    /// The cotangent of output c is the c-th unit vector, as at the read-out layer: B is 1 where c = c', else 0, and no
    /// product is needed.
    OneHot,
}

impl<T> RightPanel<T> {
    /// The array, if it is one.
    pub fn array(&self) -> Option<&T> {
        match self {
            RightPanel::Array(array) => Some(array),
            RightPanel::OneHot => None,
        }
    }
}

/// How a tile is put together from panels; the same for all tiles of a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractionPlan {
    /// The number of tiles that are computed side by side: one for each component, or one for the total.
    pub accumulators: usize,
    /// The number of independent matrices in K: C for one kernel per output, else 1.
    pub blocks: usize,
    /// The number of outputs that K's rows run over inside a sample: C for the full kernel, else 1.
    pub outputs_per_sample: usize,
    /// What a [`RightPanel::OneHot`] is worth where c = c': C for the sum over outputs, else 1.
    pub one_hot_weight: f64,
    /// The addends.
    pub terms: Vec<Term>,
}

/// A pair of right sides and everything that is multiplied by their product.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Which right sides: of the rows' panels, and of the columns'.
    pub right: [usize; 2],
    /// How sides are contracted.
    pub contraction: Contraction,
    /// What is added to which slot.
    pub parts: Vec<Addend>,
}

/// How two uses of a parameter meet, for samples n and m and outputs c and c'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contraction {
    /// sum over g, t, u of (a\[n,t\] . a'\[m,u\]) (b\[n,c,t\] . b'\[m,c',u\]); the first bracket is 1 where there is no left side.
    Straight,
    /// (a\[n\] . b'\[m,c'\]) (b\[n,c\] . a'\[m\]), one position: a weight meets its transpose.
    Crossed,
    /// sum over g, t of b\[n,c,t\] . (G\[m,c'\] a\[n,t\]), where the columns' right side is the gradient G multiplied out.
    Mixed,
    /// sum over t and u with the same row of a table, a\[n,t\] = a'\[m,u\], of b\[n,c,t\] . b'\[m,c',u\]: an embedding.
    Joined,
}

/// One addend of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Addend {
    /// The slot that it is added to.
    pub accumulator: usize,
    /// What it is multiplied by.
    pub weight: f64,
    /// Which left sides: of the rows' panels, and of the columns'. `None` stands for ones.
    pub left: Option<[usize; 2]>,
}
