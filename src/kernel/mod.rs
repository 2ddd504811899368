//! Kernels: from a session and samples to K, total and by component.
//!
//! [`Session::ntk`] starts one; [`Ntk`] holds the options. Every method ends in the same place: panels for blocks of
//! samples, a recipe that tells how a tile of K is put together from them, and one walk over the tiles of the upper
//! triangle. What differs is where the panels come from: factors (`structured`), the recursion of [`mlp`](crate::mlp)
//! (`closed-form`), or Jacobian rows (all others).

mod disjoint;
mod matrix;
mod method;
mod outputs;
mod pack;
mod progress;
mod recipe;
mod rows;
mod structured;
mod tiles;
mod verify;

use std::ops::{ControlFlow, Range};

use rayon::prelude::*;

pub use matrix::{Kernel, Matrix};
pub use method::Method;
pub use outputs::Outputs;
pub(crate) use outputs::{Layout, Packing, Seeds};
pub use progress::Progress;
pub(crate) use recipe::Entry;
pub use verify::{Verification, Verified, worst_difference};

use crate::backend::{Gram, Panels};
use crate::batch::Batch;
use crate::error::Result;
use crate::mlp;
use crate::model::{Session, plain};
use crate::ops::Op;
use crate::tape::ParameterInfo;
use progress::{Callback, Counter};
use rows::Rows;
use tiles::{Side, Walk, Walked};

/// A kernel that is asked for: the options, then [`compute`](Ntk::compute) or [`between`](Ntk::between).
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Outputs, Parameterisation, Sequential, Session, unary::Tanh};
///
/// let mut model = Sequential::mlp(&[1, 2, 1], Tanh, false, Parameterisation::Standard)?;
/// model.set("d1.weight", &[2, 1], vec![0.5, -1.0])?;
/// model.set("d2.weight", &[1, 2], vec![2.0, 1.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let x = [0.3, -0.7, 1.1];
/// let kernel = session.ntk().compute(&Batch::new(&x, &[3, 1])?)?;
///
/// // The read-out layer's component is the Gram of what comes in at it.
/// let hidden = |x: f64| [(0.5 * x).tanh(), (-x).tanh()];
/// let (h, g) = (hidden(x[0]), hidden(x[1]));
/// let component = kernel.component("d2.weight")?;
/// assert!((component[(0, 1)] - (h[0] * g[0] + h[1] * g[1])).abs() < 1e-15);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
pub struct Ntk<'s, B: Gram, O: Op> {
    session: &'s Session<'s, B, O>,
    outputs: Outputs,
    method: Method,
    components: bool,
    progress: Option<Callback<'s>>,
}

impl<B: Gram, O: Op> Session<'_, B, O> {
    /// The neural tangent kernel of the model, to be computed: by default the full kernel, structured, with the
    /// component of every parameter.
    pub fn ntk(&self) -> Ntk<'_, B, O> {
        Ntk { session: self, outputs: Outputs::Full, method: Method::Structured, components: true, progress: None }
    }
}

/// Blocks of samples: a tile has at most this many rows.
const TILE_SIDE: usize = 256;
/// A kernel is cut into at least so many blocks, so that small ones keep all threads busy too.
const MIN_BLOCKS: usize = 8;
/// But a tile has at least so many rows, if there are.
const MIN_SIDE: usize = 16;

impl<'s, B: Gram, O: Op> Ntk<'s, B, O> {
    /// What becomes of several outputs.
    pub fn outputs(mut self, outputs: Outputs) -> Self {
        self.outputs = outputs;
        self
    }

    /// How the kernel is computed.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Whether every parameter's component is kept beside the total. Without, K is the only thing of size N x N that is
    /// held.
    pub fn components(mut self, keep: bool) -> Self {
        self.components = keep;
        self
    }

    /// Calls `callback` after every step, from worker threads. Where it breaks, the computation ends with an error
    /// whose [`is_cancelled`](crate::Error::is_cancelled) is true.
    pub fn progress(mut self, callback: &'s (dyn Fn(Progress) -> ControlFlow<()> + Sync)) -> Self {
        self.progress = Some(callback);
        self
    }

    /// K(X, X). It equals its transpose to the bit, and is the same for any number of threads.
    ///
    /// # Errors
    /// Samples of another shape than the model's input; a number that is NaN or infinite; an output that does not
    /// exist; a method that cannot do this model; a cancelled run; a failed device.
    pub fn compute(&self, x: &Batch<'_, B::Number>) -> Result<Kernel<B::Number>> {
        self.run(x, None)
    }

    /// K(X, Z): rows belong to `x`, columns to `z`.
    ///
    /// # Errors
    /// As [`compute`](Ntk::compute).
    pub fn between(&self, x: &Batch<'_, B::Number>, z: &Batch<'_, B::Number>) -> Result<Kernel<B::Number>> {
        self.run(x, Some(z))
    }

    fn run(&self, x: &Batch<'_, B::Number>, z: Option<&Batch<'_, B::Number>>) -> Result<Kernel<B::Number>> {
        let layout = self.outputs.layout(self.session.model().outputs())?;
        self.session.check(x)?;
        z.map_or(Ok(()), |z| self.session.check(z))?;
        let infos = self.session.model().parameters();
        let passes = self.passes(infos)?;
        let rows_blocks = sample_blocks(x.samples(), layout.inner);
        let cols_blocks = z.map(|z| sample_blocks(z.samples(), layout.inner));
        let tiles = Walk::<B>::tile_count(rows_blocks.len(), cols_blocks.as_ref().map(Vec::len));
        let steps = rows_blocks.len() + cols_blocks.as_ref().map_or(0, Vec::len) + tiles;
        let counter = Counter::new(passes.len() * steps, self.progress);

        let mut result: Option<Walked<B::Number>> = None;
        for source in &passes {
            let walked = self.pass(source, &layout, (x, &rows_blocks), z.zip(cols_blocks.as_deref()), &counter)?;
            match &mut result {
                None => result = Some(walked),
                Some(sum) => {
                    sum.total.add(&walked.total);
                    sum.slots.extend(walked.slots);
                }
            }
        }
        let Walked { total, slots } = result.expect("there is at least one pass");
        let names = infos.iter().map(|info| info.name.clone());
        Ok(Kernel { total, components: names.zip(slots).collect() })
    }

    /// What each walk over the tiles is for: one for everything, or one for each parameter.
    fn passes(&self, infos: &[ParameterInfo]) -> Result<Vec<Source>> {
        let together = |rows| vec![Source::Rows { rows, wanted: vec![true; infos.len()] }];
        let one_by_one = |rows| {
            let only = |k| (0..infos.len()).map(|own| own == k).collect();
            let passes = (0..infos.len()).map(|k| Source::Rows { rows, wanted: only(k) });
            if infos.is_empty() { together(rows) } else { passes.collect() }
        };
        Ok(match self.method {
            Method::Structured => vec![Source::Factors],
            Method::ClosedForm => vec![Source::Recursion(plain::mlp(self.session)?)],
            Method::FullJacobian => together(Rows::Batched),
            Method::Autograd => together(Rows::SampleBySample),
            Method::Layerwise => one_by_one(Rows::SampleBySample),
            Method::LayerwiseBatched => one_by_one(Rows::Batched),
            Method::ForwardMode => together(Rows::Forward),
        })
    }

    /// One walk over all tiles.
    fn pass(
        &self,
        source: &Source,
        layout: &Layout,
        (x, x_blocks): (&Batch<'_, B::Number>, &[Range<usize>]),
        z: Option<(&Batch<'_, B::Number>, &[Range<usize>])>,
        counter: &Counter<'_>,
    ) -> Result<Walked<B::Number>> {
        let side =
            |x: &Batch<'_, B::Number>, blocks: &[Range<usize>]| -> Result<Vec<(Panels<B::Tensor>, Vec<Entry>)>> {
                let block = |range: &Range<usize>| {
                    let panels = self.panels(source, layout, &x.rows(range.clone()))?;
                    counter.step()?;
                    Ok(panels)
                };
                blocks.par_iter().map(block).collect()
            };
        let (row_panels, entries) = split(side(x, x_blocks)?);
        let cols = z.map(|(z, blocks)| Ok::<_, crate::Error>((blocks, split(side(z, blocks)?).0))).transpose()?;
        let wanted: Vec<usize> = match source {
            Source::Rows { wanted, .. } => (0..wanted.len()).filter(|&parameter| wanted[parameter]).collect(),
            _ => (0..self.session.model().parameters().len()).collect(),
        };
        let slot = |parameter: usize| {
            let own = wanted.iter().position(|&chosen| chosen == parameter).unwrap_or(0);
            if self.components { own } else { 0 }
        };
        let slots = if self.components { wanted.len().max(1) } else { 1 };
        let recipe = recipe::recipe(&entries, layout, &slot, slots);
        Walk {
            arrays: self.session.arrays(),
            recipe: &recipe,
            rows: Side { blocks: x_blocks, panels: &row_panels },
            cols: cols.as_ref().map(|(blocks, panels)| Side { blocks, panels }),
            scale: layout.scale,
            components: self.components,
        }
        .run(counter)
    }

    fn panels(
        &self,
        source: &Source,
        layout: &Layout,
        x: &Batch<'_, B::Number>,
    ) -> Result<(Panels<B::Tensor>, Vec<Entry>)> {
        match source {
            Source::Factors => structured::panels(self.session, layout, x),
            Source::Recursion(network) => {
                Ok(mlp::panels(self.session.arrays(), self.session.parameters(), network, layout, x))
            }
            Source::Rows { rows, wanted } => rows::panels(self.session, *rows, layout, wanted, x),
        }
    }
}

/// Where panels come from.
enum Source {
    Factors,
    Recursion(mlp::Plain),
    Rows { rows: Rows, wanted: Vec<bool> },
}

/// The panels of all blocks, and the entries, which are the same for every block.
fn split<T>(list: Vec<(Panels<T>, Vec<Entry>)>) -> (Vec<Panels<T>>, Vec<Entry>) {
    let entries = list.first().map(|(_, entries)| entries.clone()).unwrap_or_default();
    (list.into_iter().map(|(panels, _)| panels).collect(), entries)
}

/// `samples` in blocks, each of which has `inner` rows in K for a sample. A pure function of the two, so that nothing
/// depends on the number of threads.
fn sample_blocks(samples: usize, inner: usize) -> Vec<Range<usize>> {
    let rows = samples.saturating_mul(inner);
    let side = rows.div_ceil(MIN_BLOCKS).clamp(MIN_SIDE, TILE_SIDE);
    crate::model::blocks(samples, side.div_ceil(inner.max(1)))
}
