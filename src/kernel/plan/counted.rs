//! Counts the work of a model by runs on shapes.

use super::layer::{self, Layer};
use super::table::bytes;
use crate::backend::{Count, Storage, TileConfig};
use crate::error::{Error, Result};
use crate::kernel::Outputs;
use crate::kernel::outputs::Layout;
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;
use crate::shape::numel;
use crate::tape::{ParameterInfo, SweepTargets, Tape};

/// The layers of a model and the counts of its passes.
pub(super) struct ModelCounts {
    pub layers: Vec<Layer>,
    /// Per sample: flops of the forward pass.
    pub forward: f64,
    /// Per sample: flops of all sweeps.
    pub reverse: f64,
    /// Per sample: entries touched.
    pub touched: f64,
    /// Per sample: the most entries in memory.
    pub resident: f64,
}

pub(super) fn count_model<R: Real, O: Op>(model: &Model<O>, layout: &Layout, selected: &[bool]) -> Result<ModelCounts> {
    let arrays = Count::<R>::new();
    let weights = weights(model, &arrays);
    let before = arrays.live_entries();
    let flops = arrays.flops();
    let start = arrays.touched_entries();
    let tape = Tape::run(model.graph(), model.output(), &arrays, &weights, inputs(model, &arrays, 1));
    let touched_forward = arrays.touched_entries() - start;
    let uses = tape.uses()?;
    let forward = arrays.flops() - flops;
    let flops = arrays.flops();
    let start = arrays.touched_entries();
    let swept = tape.sweep(&tape.ones_seed(), SweepTargets { inputs: false, parameters: Some(selected) });
    let touched_sweep = arrays.touched_entries() - start;
    let seeds = layout.seeds.len() as f64;
    let layers = layer::layers(model, &arrays, selected, &uses, &swept);
    // The output gradients of all seeds are in memory together; the rest of a sweep is not.
    let kept: usize = swept.rights.iter().flatten().map(|right| numel(arrays.shape(right))).sum();
    let two_samples = touched::<R, O>(model, selected, 2);
    Ok(ModelCounts {
        layers,
        forward: forward as f64,
        reverse: (arrays.flops() - flops) as f64 * seeds,
        // The entries that a second sample touches: a pass reads its weights once.
        touched: (two_samples[0] - touched_forward) as f64 + (two_samples[1] - touched_sweep) as f64 * seeds,
        resident: (arrays.peak_entries() - before) as f64 + (seeds - 1.0) * kept as f64,
    })
}

/// The samples of a pass of forward mode, and of a sweep over it: as many as stay in cache and fit the budget with all
/// threads.
///
/// # Errors
/// Returns an error if one sample does not fit.
pub(crate) fn pass_samples<R: Real, O: Op>(
    model: &Model<O>,
    tile_config: &TileConfig,
    selected: &[bool],
    budget: Option<u64>,
) -> Result<usize> {
    let ModelCounts { resident, .. } =
        count_model::<R, O>(model, &Outputs::SumOfOutputs.layout(model.outputs())?, selected)?;
    // Every array has a tangent, and those of the sweep are computed from both.
    let sample = 3.0 * resident * size_of::<R>() as f64;
    let in_cache = (tile_config.pass_bytes / sample.max(1.0)).max(MIN_SAMPLES);
    let Some(budget) = budget else { return Ok(in_cache as usize) };
    // The memory of parameters, a direction, the gradients of a block and their sum.
    let parameters = 6.0 * model.parameter_count() as f64 * size_of::<f64>() as f64;
    let threads = tile_config.workers.unwrap_or_else(rayon::current_num_threads) as f64;
    let room = (budget as f64 - parameters) / (threads * sample);
    if room < 1.0 || room.is_nan() {
        return Err(Error::memory(format!(
            "memory budget: a product needs {} with {threads} threads and one sample per thread, but the budget is {}; \
             raise the budget or use fewer threads",
            bytes(parameters + threads * sample),
            bytes(budget as f64)
        )));
    }
    Ok(in_cache.min(room) as usize)
}

/// The least number of samples in a pass. With fewer, most time goes into weights.
const MIN_SAMPLES: f64 = 64.0;

/// The entries that a forward pass and a sweep over `samples` samples touch.
fn touched<R: Real, O: Op>(model: &Model<O>, selected: &[bool], samples: usize) -> [u64; 2] {
    let arrays = Count::<R>::new();
    let weights = weights(model, &arrays);
    let start = arrays.touched_entries();
    let tape = Tape::run(model.graph(), model.output(), &arrays, &weights, inputs(model, &arrays, samples));
    let forward = arrays.touched_entries();
    tape.sweep(&tape.ones_seed(), SweepTargets { inputs: false, parameters: Some(selected) });
    [forward - start, arrays.touched_entries() - forward]
}

fn weights<R: Real, O: Op>(model: &Model<O>, arrays: &Count<R>) -> Vec<<Count<R> as Storage>::Tensor> {
    let zeros = |infos: &[ParameterInfo]| infos.iter().map(|info| arrays.full(0.0, &info.shape)).collect::<Vec<_>>();
    model.graph().materialise_weights(arrays, &zeros(model.parameters()), &zeros(model.buffers()))
}

fn inputs<R: Real, O: Op>(model: &Model<O>, arrays: &Count<R>, samples: usize) -> Vec<<Count<R> as Storage>::Tensor> {
    model.input_shapes().iter().map(|shape| arrays.full(0.0, &[&[samples], &shape[..]].concat())).collect()
}
