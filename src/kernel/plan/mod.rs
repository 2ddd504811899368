//! The plan: how every parameter's part of a kernel is contracted, and what that costs.
//!
//! A plan is a pure function of shapes, the mode of outputs, the memory budget and a table of [`Rates`]: a run on
//! [`Count`] counts what the model multiplies, touches and holds, and every way that a parameter's uses allow is priced.
//! Nothing is timed, so what is computed never depends on how a machine felt.

mod cost;
mod counted;
mod json;
mod layer;
mod memory;
mod table;

use cost::IN_CACHE;
pub(crate) use cost::{Cost, Problem};
pub(crate) use counted::pass_samples;
use counted::{Counted, counted};
pub(crate) use layer::{Form, Layer, LayerUse};

use super::cut;
use super::rows::chosen;
use super::sink::Wants;
use super::way::Way;
use super::{Method, Ntk};
use crate::backend::{Grain, Gram, Rates};
use crate::error::{Error, Result};
use crate::kernel::Outputs;
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;
use crate::shape::numel;
use memory::{Memory, Room};

/// What [`Ntk::explain`](super::Ntk::explain) gives: the choices, as data, as a table (by `Display`) and as JSON.
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
    pub held: usize,
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
    pub way: Way,
    /// Multiplications and additions where gradients are multiplied out, for all samples.
    pub forming_flops: f64,
    /// The same in products for pairs of samples, of the half of K that is computed.
    pub gram_flops: f64,
    /// Bytes held for all samples while tiles are computed.
    pub bytes: f64,
    /// Predicted seconds on one thread.
    pub seconds: f64,
    /// The other ways that its uses allow, with their predicted seconds, the cheapest first.
    pub alternatives: Vec<(Way, f64)>,
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
        self.held == self.samples.0 + self.samples.1.unwrap_or(0)
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
pub(crate) fn plan<B: Gram, O: Op>(ntk: &Ntk<'_, B, O>, samples: (usize, Option<usize>), wants: Wants) -> Result<Plan> {
    let (n, m) = samples;
    let model = ntk.session.model();
    let layout = ntk.outputs.layout(model.outputs())?;
    let wanted = ntk.wanted()?;
    let Counted { layers, forward, reverse, touched, held } = counted::<B::Number, O>(model, &layout, &wanted)?;
    let rates = ntk.rates.unwrap_or_else(|| ntk.session.arrays().rates());
    let grain = ntk.session.arrays().grain();
    let (rows, cols) = (n as f64, m.unwrap_or(n) as f64);
    let all = rows + m.map_or(0.0, |m| m as f64);
    let pairs = if m.is_some() { rows * cols } else { rows * (rows + 1.0) / 2.0 };
    let number = size_of::<B::Number>() as f64;
    let problem = Problem { layout: &layout, samples: all, pairs, number, rates };

    let mut choices = Vec::new();
    for layer in &layers {
        let candidates = problem.candidates(layer, &ntk.metric[layer.parameter]);
        let forced = ntk.forced(layer.parameter, &candidates);
        choices.push(Choice { chosen: forced.unwrap_or(0), forced: forced.is_some(), candidates });
    }
    let taken = |(layer, choice): (&Layer, &Choice)| (layer.parameter, choice.candidates[choice.chosen].0);
    ntk.check_forced(&layers.iter().zip(&choices).map(taken).collect::<Vec<_>>())?;
    let slots = if ntk.components { chosen(&wanted).count().max(1) } else { 1 };
    let kept = layout.blocks * if ntk.components { 1 + chosen(&wanted).count() } else { 1 };
    let entries = kept as f64 * (rows * layout.inner as f64) * (cols * layout.inner as f64);
    let parameters =
        model.parameters().iter().chain(model.buffers()).map(|info| numel(&info.shape)).sum::<usize>() as f64;
    let result_bytes = entries * wants.bytes_per_entry;
    let parameter_bytes = parameters * (number + size_of::<f64>() as f64);
    let fixed = parameter_bytes + result_bytes;
    let chunk = chunk(&grain, held * number, forward / (2.0 * parameters));
    let room = |side: usize| {
        let longest = n.max(m.unwrap_or(0));
        let block = cut::block(&grain, longest, layout.inner, layout.blocks * slots, side).min(longest);
        let chunk = chunk.clamp(1, block.max(1));
        let tile = ((block * layout.inner) as f64).powi(2);
        let forward_bytes = chunk as f64 * held * number;
        Room {
            samples,
            block,
            chunk,
            tile: tile * kept as f64 * number,
            fixed,
            // Arrays that are dropped lie on the thread's shelf for a while.
            work: forward_bytes
                + forward_bytes.min(grain.large_pass_bytes)
                + tile * (layout.blocks * slots + 2) as f64 * number,
            side: wants.side.div_ceil((block * layout.inner).max(1)),
            budget: ntk.budget.map(|bytes| bytes as f64).or(grain.unasked_bytes.map(|bytes| bytes + fixed)),
            array: grain.array_bytes,
            multiple: grain.multiple,
        }
    };
    let bounded = ntk.budget.is_some() || grain.array_bytes.is_finite();
    let sides = if bounded { grain.tile_sides.len() } else { 1 };
    let rooms: Vec<Room> = grain.tile_sides[..sides].iter().map(|&side| room(side)).collect();
    let rows_of_jacobian = |flags: &dyn Fn(usize) -> bool| {
        let sizes = chosen(&wanted).filter(|&k| flags(k)).map(|k| numel(&model.parameters()[k].shape));
        sizes.sum::<usize>() as f64 * layout.seeds.len() as f64 * number
    };
    let panel = |choices: &[Choice]| match ntk.method {
        Method::Structured | Method::ClosedForm => {
            choices.iter().map(|choice| choice.cost().bytes).sum::<f64>() / all.max(1.0)
        }
        Method::Layerwise | Method::LayerwiseBatched => {
            chosen(&wanted).map(|k| rows_of_jacobian(&|own| own == k)).fold(0.0, f64::max)
        }
        Method::FullJacobian | Method::Autograd | Method::ForwardMode => rows_of_jacobian(&|_| true),
    };
    let (room, memory) = fit(&rooms, &mut choices, &panel, result_bytes)?;
    let mut plan = Plan {
        precision: B::Number::NAME,
        outputs: ntk.outputs,
        samples,
        parameters: Vec::new(),
        forward_flops: forward * all,
        reverse_flops: reverse * all,
        passes_seconds: memory.made * ((forward + reverse) / rates.forming + touched / (IN_CACHE * rates.entries)),
        block: room.block,
        chunk: room.chunk,
        tall: memory.tall,
        wide: memory.wide,
        held: if memory.held { n + m.unwrap_or(0) } else { (memory.tall * room.block).min(n) },
        made: memory.made,
        held_bytes: memory.held_bytes,
        result_bytes,
        parameter_bytes,
        thread_bytes: memory.thread,
        budget: ntk.budget,
        rates,
        layers: Vec::new(),
    };
    plan.parameters = layers.iter().zip(choices).map(|(layer, choice)| choice.planned(model, layer)).collect();
    plan.layers = layers;
    Ok(plan)
}

/// The ways that a parameter can go, the cheapest first, and which one it does.
struct Choice {
    candidates: Vec<(Way, Cost)>,
    chosen: usize,
    /// The caller said so, and no budget undoes it.
    forced: bool,
}

impl Choice {
    fn cost(&self) -> Cost {
        self.candidates[self.chosen].1
    }

    fn planned<O: Op>(self, model: &Model<O>, layer: &Layer) -> PlannedParameter {
        let info = &model.parameters()[layer.parameter];
        let (way, cost) = self.candidates[self.chosen];
        let positions = |form: Form| match form {
            Form::Sides { t, .. } | Form::Ids { t, .. } | Form::Sum { t, .. } => t,
            Form::Rows => 1,
        };
        let others = self.candidates.iter().enumerate().filter(|(k, _)| *k != self.chosen);
        PlannedParameter {
            name: info.name.clone(),
            shape: info.shape.clone(),
            uses: layer.uses.len(),
            positions: layer.uses.iter().map(|one| positions(one.form)).max().unwrap_or(1),
            way,
            forming_flops: cost.forming,
            gram_flops: cost.gram,
            bytes: cost.bytes,
            seconds: cost.seconds,
            alternatives: others.map(|(_, (way, cost))| (*way, cost.seconds)).collect(),
        }
    }
}

/// The samples of a forward pass where one takes `bytes` and uses every weight `reuse` times: as many as stay in cache, or
/// more if products would have too few rows.
fn chunk(grain: &Grain, bytes: f64, reuse: f64) -> usize {
    let in_cache = grain.pass_bytes / bytes.max(1.0);
    let for_weights = (PASS_ROWS / reuse).min(grain.large_pass_bytes / bytes.max(1.0));
    in_cache.max(for_weights) as usize
}

/// The cut of a kernel whose panels take `panel` bytes a sample, in the first of `rooms` that has place for all panels, or
/// else in the first that can do. Where none fits the budget, trades time for memory, parameter by parameter, until one
/// does: each time the change that costs least for a byte saved.
///
/// # Errors
/// It cannot fit.
fn fit<'a>(
    rooms: &'a [Room],
    choices: &mut [Choice],
    panel: &dyn Fn(&[Choice]) -> f64,
    result: f64,
) -> Result<(&'a Room, Memory)> {
    loop {
        let cuts: Vec<_> = rooms.iter().map(|room| (room, room.cut(panel(choices)))).collect();
        let fitting = || cuts.iter().filter_map(|(room, cut)| cut.as_ref().ok().map(|memory| (*room, *memory)));
        if let Some(found) = fitting().find(|(_, memory)| memory.held).or_else(|| fitting().next()) {
            return Ok(found);
        }
        let (room, needed) = cuts
            .iter()
            .filter_map(|(room, cut)| cut.err().map(|needed| (*room, needed)))
            .min_by(|one, two| one.1.total_cmp(&two.1))
            .expect("there are rooms, and none fits");
        let mut best: Option<(f64, usize, usize)> = None;
        for (k, choice) in choices.iter().enumerate().filter(|(_, choice)| !choice.forced) {
            for (other, (_, cost)) in choice.candidates.iter().enumerate() {
                let saved = choice.cost().bytes - cost.bytes;
                let price = (cost.seconds - choice.cost().seconds) / saved;
                if saved > 0.0 && best.is_none_or(|(lowest, ..)| price < lowest) {
                    best = Some((price, k, other));
                }
            }
        }
        let Some((_, k, other)) = best else {
            let Some(budget) = room.budget.filter(|_| needed.is_finite()) else {
                return Err(room.too_large(panel(choices)));
            };
            return Err(Error::memory(format!(
                "the kernel needs {} with one thread (K {}, parameters {}, factors and work {}), which is {} more than the \
                 budget of {}",
                table::bytes(needed),
                table::bytes(result),
                table::bytes(room.fixed - result),
                table::bytes(needed - room.fixed),
                table::bytes(needed - budget),
                table::bytes(budget)
            )));
        };
        choices[k].chosen = other;
    }
}
