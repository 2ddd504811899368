//! The plan: how every parameter's part of a kernel is contracted, and what that costs.
//!
//! A plan is a pure function of shapes, the output mode, the memory budget and a table of [`Rates`]. A run on [`Count`]
//! counts what the model multiplies, touches and keeps in memory. Every strategy that a parameter's uses allow is
//! priced from these counts. Nothing is timed, so the plan does not depend on the state of the machine.

mod choice;
mod cost;
mod counted;
mod layer;
mod memory;
mod table;

use choice::Choice;
use cost::IN_CACHE;
pub(crate) use cost::{Cost, Problem};
pub(crate) use counted::pass_samples;
use counted::{ModelCounts, count_model};
pub(crate) use layer::{Layer, LayerUse, Structure};

use super::partition;
use super::rows::selected_indices;
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
use memory::MemoryModel;

/// The result of [`Ntk::plan`](super::Ntk::plan): data, a table (by `Display`) and JSON.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// `"f32"` or `"f64"`.
    pub precision: &'static str,
    /// The output mode.
    pub outputs: Outputs,
    /// N, and M for K(X, Z).
    pub samples: (usize, Option<usize>),
    /// One entry per parameter that the kernel includes and the output depends on.
    pub parameters: Vec<PlannedParameter>,
    /// Flops of the forward pass, for all samples.
    pub forward_flops: f64,
    /// Flops of all reverse sweeps, for all samples.
    pub reverse_flops: f64,
    /// Predicted seconds of forward passes and sweeps on one thread.
    pub passes_seconds: f64,
    /// Samples in a block: a tile of K is a pair of blocks.
    pub block: usize,
    /// Samples in a forward pass.
    pub chunk: usize,
    /// Blocks along the rows of a region.
    pub tall: usize,
    /// Blocks along the columns of a region.
    pub wide: usize,
    /// Samples whose factors are in memory at a time: all, or those of a row block.
    pub resident: usize,
    /// Samples whose factors are computed, counts each time. It exceeds the number of samples if not all factors stay
    /// in memory.
    pub computed_samples: f64,
    /// Bytes of the factors in memory.
    pub resident_bytes: f64,
    /// Bytes of K and its components, if they are in memory.
    pub result_bytes: f64,
    /// Bytes of the model's parameters, on the host and for the backend.
    pub parameter_bytes: f64,
    /// Bytes per thread.
    pub thread_bytes: f64,
    /// The memory budget in bytes, if there is one.
    pub budget: Option<u64>,
    /// The rates that the strategies were selected_indices with.
    pub rates: Rates,
    /// The layer of every entry of `parameters`.
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
    /// The number of ops that use it.
    pub uses: usize,
    /// The largest number of positions of a use.
    pub positions: usize,
    /// The strategy that contracts its part.
    pub strategy: Strategy,
    /// Flops of materialising gradients, for all samples.
    pub forming_flops: f64,
    /// Flops of products for pairs of samples, for the computed half of K.
    pub gram_flops: f64,
    /// Bytes in memory for all samples during the computation of tiles.
    pub bytes: f64,
    /// Predicted seconds on one thread.
    pub seconds: f64,
    /// The other strategies that its uses allow with their predicted seconds, the cheapest first.
    pub alternatives: Vec<(Strategy, f64)>,
}

impl Plan {
    /// Flops of all products: forward, reverse and Gram.
    pub fn flops(&self) -> f64 {
        let contractions = self.parameters.iter().map(|p| p.forming_flops + p.gram_flops).sum::<f64>();
        self.forward_flops + self.reverse_flops + contractions
    }

    /// Flops of products for pairs of samples, for the computed half of K.
    pub fn gram_flops(&self) -> f64 {
        self.parameters.iter().map(|p| p.gram_flops).sum()
    }

    /// Predicted seconds on one thread.
    pub fn seconds(&self) -> f64 {
        self.passes_seconds + self.parameters.iter().map(|p| p.seconds).sum::<f64>()
    }

    /// True if the factors of all samples stay in memory during the computation of tiles.
    pub fn is_resident(&self) -> bool {
        self.resident == self.samples.0 + self.samples.1.unwrap_or(0)
    }

    /// The predicted peak memory with `threads` threads, in bytes: parameters, K, factors, and the buffers of every
    /// thread. The caller's samples are not counts.
    pub fn peak_bytes(&self, threads: usize) -> f64 {
        self.fixed_bytes() + self.resident_bytes + threads as f64 * self.thread_bytes
    }

    fn fixed_bytes(&self) -> f64 {
        self.parameter_bytes + self.result_bytes
    }

    /// The number of threads of a run: as many as the budget has room for. A small kernel takes one thread, since it
    /// ends before other threads wake.
    pub(crate) fn workers(&self) -> usize {
        if self.flops() < SMALL_FLOPS && self.computed_samples * self.parameter_bytes < SMALL_FLOPS {
            return 1;
        }
        let threads = rayon::current_num_threads();
        let Some(budget) = self.budget else { return threads };
        let fitting = (budget as f64 - self.fixed_bytes() - self.resident_bytes) / self.thread_bytes;
        (fitting as usize).clamp(1, threads)
    }
}

/// Kernels with fewer flops are computed on the calling thread.
const SMALL_FLOPS: f64 = 1e7;

/// The least number of rows of the products in a forward pass. With fewer rows, packing the weights takes much of the
/// time.
const MIN_PASS_ROWS: f64 = 192.0;

/// Plans a kernel of n samples, and of m others along its columns, for a sink with `requirements`.
///
/// # Errors
/// Returns an error if an output does not exist, an op has no factor, a forced strategy applies to no parameter, or the
/// budget is too small. The last error says what the kernel needs.
pub(crate) fn plan<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    samples: (usize, Option<usize>),
    requirements: Requirements,
) -> Result<Plan> {
    let (n, m) = samples;
    let model = ntk.session.model();
    let layout = ntk.outputs.layout(model.outputs())?;
    let selected = ntk.selected_parameters()?;
    let counts = count_model::<B::Number, O>(model, &layout, &selected)?;
    let rates = ntk.rates.unwrap_or_else(|| ntk.session.arrays().rates());
    let rows = n as f64;
    let cols = m.unwrap_or(n) as f64;
    let all = rows + m.map_or(0.0, |m| m as f64);
    let pairs = if m.is_some() { rows * cols } else { rows * (rows + 1.0) / 2.0 };
    let number = size_of::<B::Number>() as f64;
    let problem = Problem { layout: &layout, samples: all, pairs, number, rates };
    let mut choices = choice::choices(ntk, &problem, &counts.layers)?;

    let components = if ntk.components { selected_indices(&selected).count() } else { 0 };
    let kept = layout.blocks * (1 + components);
    let entries = kept as f64 * (rows * layout.outputs_per_sample as f64) * (cols * layout.outputs_per_sample as f64);
    let result_bytes = entries * requirements.bytes_per_entry;
    let parameters = model.parameters().iter().chain(model.buffers()).map(|info| numel(&info.shape)).sum::<usize>();
    let parameter_bytes = parameters as f64 * (number + size_of::<f64>() as f64);
    let size = KernelSize {
        samples,
        kept,
        computed: layout.blocks * components.max(1),
        number,
        fixed: parameter_bytes + result_bytes,
        parameters: parameters as f64,
        pass: (counts.forward + counts.reverse) / rates.forming + counts.touched / (IN_CACHE * rates.entries),
    };
    let memory_models = memory_models(ntk, &size, &layout, &requirements, &counts);
    let panel = |choices: &[Choice]| match ntk.method {
        Method::Structured | Method::ClosedForm => {
            choices.iter().map(|choice| choice.cost().bytes).sum::<f64>() / all.max(1.0)
        }
        _ => jacobian_numbers(ntk.method, model, &layout, &selected) * number,
    };
    let (memory_model, memory) = choice::fit(&memory_models, &mut choices, &panel, result_bytes)?;

    let ModelCounts { layers, forward, reverse, .. } = counts;
    Ok(Plan {
        precision: B::Number::NAME,
        outputs: ntk.outputs,
        samples,
        parameters: layers.iter().zip(choices).map(|(layer, choice)| choice.planned(model, layer)).collect(),
        forward_flops: forward * all,
        reverse_flops: reverse * all,
        passes_seconds: memory.computed_samples * size.pass,
        block: memory_model.block,
        chunk: memory_model.chunk,
        tall: memory.tall,
        wide: memory.wide,
        resident: if memory.resident { n + m.unwrap_or(0) } else { (memory.tall * memory_model.block).min(n) },
        computed_samples: memory.computed_samples,
        resident_bytes: memory.resident_bytes,
        result_bytes,
        parameter_bytes,
        thread_bytes: memory.thread,
        budget: ntk.budget,
        rates,
        layers,
    })
}

/// The sizes of a kernel.
struct KernelSize {
    samples: (usize, Option<usize>),
    /// Matrices that the sink receives, times their blocks.
    kept: usize,
    /// Matrices that are computed together, times their blocks: the total is their sum.
    computed: usize,
    /// The bytes per number.
    number: f64,
    /// Bytes of parameters, and of the result if it is in memory.
    fixed: f64,
    /// Numbers in all parameters and buffers.
    parameters: f64,
    /// Predicted seconds of a sample's passes on one thread.
    pass: f64,
}

/// The memory models for tiles of every side of the backend, or only of the largest if memory is unbounded.
fn memory_models<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    size: &KernelSize,
    layout: &Layout,
    requirements: &Requirements,
    counts: &ModelCounts,
) -> Vec<MemoryModel> {
    let tile_config = ntk.session.arrays().tile_config();
    let (n, m) = size.samples;
    let longest = n.max(m.unwrap_or(0));
    let pass = chunk(&tile_config, counts.resident * size.number, counts.forward / (2.0 * size.parameters));
    let bounded = ntk.budget.is_some() || tile_config.array_bytes.is_finite();
    let sides = if bounded { tile_config.tile_sides.len() } else { 1 };
    let mut models = Vec::new();
    for &side in &tile_config.tile_sides[..sides] {
        let block =
            partition::block(&tile_config, longest, layout.outputs_per_sample, size.computed, side).min(longest);
        let chunk = pass.clamp(1, block.max(1));
        let tile = ((block * layout.outputs_per_sample) as f64).powi(2) * size.number;
        let forward = chunk as f64 * counts.resident * size.number;
        models.push(MemoryModel {
            samples: size.samples,
            block,
            chunk,
            tile: tile * size.kept as f64,
            fixed: size.fixed,
            // Dropped arrays stay in the thread's buffer pool for some time.
            work: forward + forward.min(tile_config.large_pass_bytes) + tile * (size.computed + 2) as f64,
            pass: size.pass,
            side: requirements.side.div_ceil((block * layout.outputs_per_sample).max(1)),
            budget: ntk.budget.map(|bytes| bytes as f64).or(tile_config.unasked_bytes.map(|bytes| bytes + size.fixed)),
            buffer_pool: tile_config.large_pass_bytes,
            array: tile_config.array_bytes,
            multiple: tile_config.multiple,
        });
    }
    models
}

/// The numbers of a sample's Jacobian that a method keeps in memory at a time: those of all parameters, or of the
/// largest.
fn jacobian_numbers<O: Op>(method: Method, model: &Model<O>, layout: &Layout, selected: &[bool]) -> f64 {
    let sizes = selected_indices(selected).map(|k| numel(&model.parameters()[k].shape));
    let numbers = match method {
        Method::Layerwise | Method::LayerwiseBatched => sizes.max().unwrap_or(0),
        _ => sizes.sum(),
    };
    (numbers * layout.seeds.len()) as f64
}

/// The samples in a forward pass. A sample takes `bytes` bytes and uses every weight `reuse` times. The result is the
/// number that stays in cache, or more if products would have too few rows.
fn chunk(tile_config: &TileConfig, bytes: f64, reuse: f64) -> usize {
    let in_cache = tile_config.pass_bytes / bytes.max(1.0);
    let for_weights = (MIN_PASS_ROWS / reuse).min(tile_config.large_pass_bytes / bytes.max(1.0));
    in_cache.max(for_weights) as usize
}
