//! Runs on shapes alone.

use super::layer::{self, Layer};
use super::table::bytes;
use crate::backend::{Arrays, Count, TileConfig};
use crate::error::{Error, Result};
use crate::kernel::Outputs;
use crate::kernel::outputs::Layout;
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;
use crate::shape::numel;
use crate::tape::{ParameterInfo, SweepTargets, Tape};

/// What a run on shapes alone tells of a model.
pub(super) struct Counted {
    pub layers: Vec<Layer>,
    /// For a sample: flops of the forward pass and of all sweeps, entries touched, entries held at a time.
    pub forward: f64,
    pub reverse: f64,
    pub touched: f64,
    pub resident: f64,
}

pub(super) fn counted<R: Real, O: Op>(model: &Model<O>, layout: &Layout, wanted: &[bool]) -> Result<Counted> {
    let arrays = Count::<R>::new();
    let weights = weights(model, &arrays);
    let (before, flops, start) = (arrays.live_entries(), arrays.flops(), arrays.touched_entries());
    let tape = Tape::run(model.graph(), model.output(), &arrays, &weights, inputs(model, &arrays, 1));
    let touched_forward = arrays.touched_entries() - start;
    let uses = tape.uses()?;
    let forward = arrays.flops() - flops;
    let (flops, start) = (arrays.flops(), arrays.touched_entries());
    let swept = tape.sweep(&tape.ones_seed(), SweepTargets { inputs: false, parameters: Some(wanted) });
    let touched_sweep = arrays.touched_entries() - start;
    let seeds = layout.seeds.len() as f64;
    let layers = layer::layers(model, &arrays, wanted, &uses, &swept);
    // What the sweeps of all seeds leave is held together; the rest of a sweep is not.
    let kept: usize = swept.rights.iter().flatten().map(|right| numel(arrays.shape(right))).sum();
    let two = touched::<R, O>(model, wanted, 2);
    Ok(Counted {
        layers,
        forward: forward as f64,
        reverse: (arrays.flops() - flops) as f64 * seeds,
        // What another sample touches: a pass reads its weights once.
        touched: (two[0] - touched_forward) as f64 + (two[1] - touched_sweep) as f64 * seeds,
        resident: (arrays.peak_entries() - before) as f64 + (seeds - 1.0) * kept as f64,
    })
}

/// Samples of a pass of forward mode, and of a sweep over it: as many as stay in cache, and fit a budget of bytes with all
/// threads at work.
///
/// # Errors
/// One sample does not fit.
pub(crate) fn pass_samples<R: Real, O: Op>(
    model: &Model<O>,
    tile_config: &TileConfig,
    wanted: &[bool],
    budget: Option<u64>,
) -> Result<usize> {
    let Counted { resident, .. } = counted::<R, O>(model, &Outputs::SumOfOutputs.layout(model.outputs())?, wanted)?;
    // Every array has a tangent beside it, and the sweep's are made from both.
    let sample = 3.0 * resident * size_of::<R>() as f64;
    let in_cache = (tile_config.pass_bytes / sample.max(1.0)).max(SAMPLES_AT_LEAST);
    let Some(budget) = budget else { return Ok(in_cache as usize) };
    // Parameters, a direction, the gradients of a block and their sum.
    let parameters = 6.0 * model.parameter_count() as f64 * size_of::<f64>() as f64;
    let threads = tile_config.workers.unwrap_or_else(rayon::current_num_threads) as f64;
    let room = (budget as f64 - parameters) / (threads * sample);
    match room >= 1.0 {
        true => Ok(in_cache.min(room) as usize),
        false => Err(Error::memory(format!(
            "a product needs {} with {threads} threads, for a sample each, but the budget is {}",
            bytes(parameters + threads * sample),
            bytes(budget as f64)
        ))),
    }
}

/// Fewer samples in a pass spend their time on weights.
const SAMPLES_AT_LEAST: f64 = 64.0;

/// Entries that a forward pass over so many samples touches, and a sweep.
fn touched<R: Real, O: Op>(model: &Model<O>, wanted: &[bool], samples: usize) -> [u64; 2] {
    let arrays = Count::<R>::new();
    let weights = weights(model, &arrays);
    let start = arrays.touched_entries();
    let tape = Tape::run(model.graph(), model.output(), &arrays, &weights, inputs(model, &arrays, samples));
    let forward = arrays.touched_entries();
    tape.sweep(&tape.ones_seed(), SweepTargets { inputs: false, parameters: Some(wanted) });
    [forward - start, arrays.touched_entries() - forward]
}

fn weights<R: Real, O: Op>(model: &Model<O>, arrays: &Count<R>) -> Vec<<Count<R> as Arrays>::Tensor> {
    let zeros = |infos: &[ParameterInfo]| infos.iter().map(|info| arrays.full(0.0, &info.shape)).collect::<Vec<_>>();
    model.graph().materialise_weights(arrays, &zeros(model.parameters()), &zeros(model.buffers()))
}

fn inputs<R: Real, O: Op>(model: &Model<O>, arrays: &Count<R>, samples: usize) -> Vec<<Count<R> as Arrays>::Tensor> {
    model.input_shapes().iter().map(|shape| arrays.full(0.0, &[&[samples], &shape[..]].concat())).collect()
}
