//! The plan: how every parameter's part of a kernel is contracted, and what that costs.
//!
//! A plan is a pure function of shapes, the mode of outputs, the memory budget and a table of [`Rates`]: a run on
//! [`Count`] counts what the model multiplies, touches and holds, and every way that a parameter's uses allow is priced.
//! Nothing is timed, so what is computed never depends on how a machine felt.

mod choice;
mod cost;
mod counted;
mod json;
mod layer;
mod memory;
mod table;

use choice::Choice;
use cost::IN_CACHE;
pub(crate) use cost::{Cost, Problem};
pub(crate) use counted::pass_samples;
use counted::{Counted, counted};
pub(crate) use layer::{Layer, LayerUse, Structure};

use super::partition;
use super::rows::chosen;
use super::sink::Requirements;
use super::strategy::Strategy;
use super::{Method, Ntk};
use crate::backend::{Gram, Rates, TileConfig};
use crate::error::Result;
use crate::kernel::Outputs;
use crate::kernel::outputs::Layout;
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;
use crate::shape::numel;
use memory::Room;

/// What [`Ntk::plan`](super::Ntk::plan) gives: the choices, as data, as a table (by `Display`) and as JSON.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// `"f32"` or `"f64"`.
    pub precision: &'static str,
    /// The mode of outputs.
    pub outputs: Outputs,
    /// N, and M if there are other samples along the columns.
    pub samples: (usize, Option<usize>),
    /// One entry for every parameter that the kernel is of and the output depends on.
    pub parameters: Vec<PlannedParameter>,
    /// Multiplications and additions in the products of the forward pass, for all samples.
    pub forward_flops: f64,
    /// The same in all reverse sweeps.
    pub reverse_flops: f64,
    /// Predicted seconds of forward pass and sweeps on one thread.
    pub passes_seconds: f64,
    /// Samples in a block: a tile of K is a pair of blocks.
    pub block: usize,
    /// Samples that one forward pass is over.
    pub chunk: usize,
    /// Blocks along the rows of a unit, of which K is computed one at a time.
    pub tall: usize,
    /// Blocks along its columns.
    pub wide: usize,
    /// Samples whose factors are held at a time: all, or a band of rows.
    pub resident: usize,
    /// Samples whose factors are made, counted as often as they are: more than there are where they are not all held.
    pub made: f64,
    /// Bytes of what is held.
    pub held_bytes: f64,
    /// Bytes of K and its components, if they are in memory.
    pub result_bytes: f64,
    /// Bytes of the model's parameters, on the host and for the backend.
    pub parameter_bytes: f64,
    /// Bytes that every thread works in.
    pub thread_bytes: f64,
    /// The most bytes that may be used, if the caller said.
    pub budget: Option<u64>,
    /// What the choices were made with.
    pub rates: Rates,
    /// What `parameters` is of, one by one.
    pub(crate) layers: Vec<Layer>,
}

/// The plan for one parameter.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlannedParameter {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How many ops use it.
    pub uses: usize,
    /// The most positions that a use has.
    pub positions: usize,
    /// How its part is contracted.
    pub strategy: Strategy,
    /// Multiplications and additions where gradients are multiplied out, for all samples.
    pub forming_flops: f64,
    /// The same in products for pairs of samples, of the half of K that is computed.
    pub gram_flops: f64,
    /// Bytes held for all samples while tiles are computed.
    pub bytes: f64,
    /// Predicted seconds on one thread.
    pub seconds: f64,
    /// The other ways that its uses allow, with their predicted seconds, the cheapest first.
    pub alternatives: Vec<(Strategy, f64)>,
}

impl Plan {
    /// Multiplications and additions of all products: forward, reverse and Gram.
    pub fn flops(&self) -> f64 {
        let own = self.parameters.iter().map(|p| p.forming_flops + p.gram_flops).sum::<f64>();
        self.forward_flops + self.reverse_flops + own
    }

    /// Multiplications and additions for pairs of samples, of the half of K that is computed.
    pub fn gram_flops(&self) -> f64 {
        self.parameters.iter().map(|p| p.gram_flops).sum()
    }

    /// Predicted seconds on one thread.
    pub fn seconds(&self) -> f64 {
        self.passes_seconds + self.parameters.iter().map(|p| p.seconds).sum::<f64>()
    }

    /// Are the factors of all samples held while tiles are computed?
    pub fn is_held(&self) -> bool {
        self.resident == self.samples.0 + self.samples.1.unwrap_or(0)
    }

    /// The predicted peak of memory with `threads` threads, in bytes: parameters, K, what is held, and what every thread
    /// works in. The caller's samples are not counted.
    pub fn peak_bytes(&self, threads: usize) -> f64 {
        self.fixed_bytes() + self.held_bytes + threads as f64 * self.thread_bytes
    }

    fn fixed_bytes(&self) -> f64 {
        self.parameter_bytes + self.result_bytes
    }

    /// The threads that a run uses of those at hand: as many as the budget has room for, and one for a small kernel, which
    /// is done before others have woken.
    pub(crate) fn workers(&self) -> usize {
        if self.flops() < SMALL_FLOPS && self.made * self.parameter_bytes < SMALL_FLOPS {
            return 1;
        }
        let threads = rayon::current_num_threads();
        let Some(budget) = self.budget else { return threads };
        let room = (budget as f64 - self.fixed_bytes() - self.held_bytes) / self.thread_bytes;
        (room as usize).clamp(1, threads)
    }
}

/// Kernels of fewer flops are computed by the thread that asks for them.
const SMALL_FLOPS: f64 = 1e7;

/// A forward pass is over so many samples that products have about so many rows: below, much of the time goes into packing
/// weights for them.
const PASS_ROWS: f64 = 192.0;

/// The plan of a kernel of n samples, and of m others along its columns, that goes to a sink with such wants.
///
/// # Errors
/// An output that does not exist; an op without a factor; a way that was forced and fits nothing; a budget that is too
/// small, with what would be needed.
pub(crate) fn plan<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    samples: (usize, Option<usize>),
    requirements: Requirements,
) -> Result<Plan> {
    let (n, m) = samples;
    let model = ntk.session.model();
    let layout = ntk.outputs.layout(model.outputs())?;
    let wanted = ntk.wanted()?;
    let counted = counted::<B::Number, O>(model, &layout, &wanted)?;
    let rates = ntk.rates.unwrap_or_else(|| ntk.session.arrays().rates());
    let (rows, cols) = (n as f64, m.unwrap_or(n) as f64);
    let all = rows + m.map_or(0.0, |m| m as f64);
    let pairs = if m.is_some() { rows * cols } else { rows * (rows + 1.0) / 2.0 };
    let number = size_of::<B::Number>() as f64;
    let problem = Problem { layout: &layout, samples: all, pairs, number, rates };
    let mut choices = choice::choices(ntk, &problem, &counted.layers)?;

    let components = if ntk.components { chosen(&wanted).count() } else { 0 };
    let kept = layout.blocks * (1 + components);
    let entries = kept as f64 * (rows * layout.outputs_per_sample as f64) * (cols * layout.outputs_per_sample as f64);
    let result_bytes = entries * requirements.bytes_per_entry;
    let parameters = model.parameters().iter().chain(model.buffers()).map(|info| numel(&info.shape)).sum::<usize>();
    let parameter_bytes = parameters as f64 * (number + size_of::<f64>() as f64);
    let size = Size {
        samples,
        kept,
        computed: layout.blocks * components.max(1),
        number,
        fixed: parameter_bytes + result_bytes,
        parameters: parameters as f64,
        pass: (counted.forward + counted.reverse) / rates.forming + counted.touched / (IN_CACHE * rates.entries),
    };
    let rooms = rooms(ntk, &size, &layout, &requirements, &counted);
    let panel = |choices: &[Choice]| match ntk.method {
        Method::Structured | Method::ClosedForm => {
            choices.iter().map(|choice| choice.cost().bytes).sum::<f64>() / all.max(1.0)
        }
        _ => jacobian_numbers(ntk.method, model, &layout, &wanted) * number,
    };
    let (room, memory) = choice::fit(&rooms, &mut choices, &panel, result_bytes)?;

    let Counted { layers, forward, reverse, .. } = counted;
    Ok(Plan {
        precision: B::Number::NAME,
        outputs: ntk.outputs,
        samples,
        parameters: layers.iter().zip(choices).map(|(layer, choice)| choice.planned(model, layer)).collect(),
        forward_flops: forward * all,
        reverse_flops: reverse * all,
        passes_seconds: memory.made * size.pass,
        block: room.block,
        chunk: room.chunk,
        tall: memory.tall,
        wide: memory.wide,
        resident: if memory.resident { n + m.unwrap_or(0) } else { (memory.tall * room.block).min(n) },
        made: memory.made,
        held_bytes: memory.held_bytes,
        result_bytes,
        parameter_bytes,
        thread_bytes: memory.thread,
        budget: ntk.budget,
        rates,
        layers,
    })
}

/// How large a kernel is.
struct Size {
    samples: (usize, Option<usize>),
    /// Matrices that the sink gets, times their blocks.
    kept: usize,
    /// Those that are computed side by side, times their blocks: the total is their sum.
    computed: usize,
    /// Bytes of a number.
    number: f64,
    /// Bytes that are there whatever is done.
    fixed: f64,
    /// Numbers in all parameters and buffers.
    parameters: f64,
    /// Predicted seconds of a sample's passes on one thread.
    pass: f64,
}

/// What there is room for with tiles of every side that the backend has: of the largest alone, where nothing bounds memory.
fn rooms<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    size: &Size,
    layout: &Layout,
    requirements: &Requirements,
    counted: &Counted,
) -> Vec<Room> {
    let tile_config = ntk.session.arrays().tile_config();
    let (n, m) = size.samples;
    let longest = n.max(m.unwrap_or(0));
    let pass = chunk(&tile_config, counted.resident * size.number, counted.forward / (2.0 * size.parameters));
    let room = |&side: &usize| {
        let block =
            partition::block(&tile_config, longest, layout.outputs_per_sample, size.computed, side).min(longest);
        let chunk = pass.clamp(1, block.max(1));
        let tile = ((block * layout.outputs_per_sample) as f64).powi(2) * size.number;
        let forward = chunk as f64 * counted.resident * size.number;
        Room {
            samples: size.samples,
            block,
            chunk,
            tile: tile * size.kept as f64,
            fixed: size.fixed,
            // Arrays that are dropped lie on the thread's shelf for a while.
            work: forward + forward.min(tile_config.large_pass_bytes) + tile * (size.computed + 2) as f64,
            pass: size.pass,
            side: requirements.side.div_ceil((block * layout.outputs_per_sample).max(1)),
            budget: ntk.budget.map(|bytes| bytes as f64).or(tile_config.unasked_bytes.map(|bytes| bytes + size.fixed)),
            buffer_pool: tile_config.large_pass_bytes,
            array: tile_config.array_bytes,
            multiple: tile_config.multiple,
        }
    };
    let bounded = ntk.budget.is_some() || tile_config.array_bytes.is_finite();
    let sides = if bounded { tile_config.tile_sides.len() } else { 1 };
    tile_config.tile_sides[..sides].iter().map(room).collect()
}

/// Numbers of a sample's Jacobian that a method holds at a time: of all parameters, or of one after another.
fn jacobian_numbers<O: Op>(method: Method, model: &Model<O>, layout: &Layout, wanted: &[bool]) -> f64 {
    let sizes = chosen(wanted).map(|k| numel(&model.parameters()[k].shape));
    let numbers = match method {
        Method::Layerwise | Method::LayerwiseBatched => sizes.max().unwrap_or(0),
        _ => sizes.sum(),
    };
    (numbers * layout.seeds.len()) as f64
}

/// The samples of a forward pass where one takes `bytes` and uses every weight `reuse` times: as many as stay in cache, or
/// more if products would have too few rows.
fn chunk(tile_config: &TileConfig, bytes: f64, reuse: f64) -> usize {
    let in_cache = tile_config.pass_bytes / bytes.max(1.0);
    let for_weights = (PASS_ROWS / reuse).min(tile_config.large_pass_bytes / bytes.max(1.0));
    in_cache.max(for_weights) as usize
}
