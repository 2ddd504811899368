//! Chooses a strategy for every parameter, also under a memory budget.

use super::cost::{Cost, Problem};
use super::layer::{Layer, Structure};
use super::memory::{MemoryModel, MemoryPlan};
use super::{PlannedParameter, table};
use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::kernel::Ntk;
use crate::kernel::strategy::Strategy;
use crate::model::Model;
use crate::ops::Op;

/// The strategies that a parameter allows, the cheapest first, and the chosen one.
pub(super) struct Choice {
    candidates: Vec<(Strategy, Cost)>,
    chosen: usize,
    /// True if the caller forced the strategy. No budget changes it.
    forced: bool,
}

impl Choice {
    pub fn cost(&self) -> Cost {
        self.candidates[self.chosen].1
    }

    pub fn planned<O: Op>(self, model: &Model<O>, layer: &Layer) -> PlannedParameter {
        let info = &model.parameters()[layer.parameter];
        let (strategy, cost) = self.candidates[self.chosen];
        let positions = |structure: Structure| match structure {
            Structure::Sides { t, .. } | Structure::Ids { t, .. } | Structure::Sum { t, .. } => t,
            Structure::Rows => 1,
        };
        let others = self.candidates.iter().enumerate().filter(|(k, _)| *k != self.chosen);
        PlannedParameter {
            name: info.name.clone(),
            shape: info.shape.clone(),
            uses: layer.uses.len(),
            positions: layer.uses.iter().map(|layer_use| positions(layer_use.structure)).max().unwrap_or(1),
            strategy,
            forming_flops: cost.forming,
            gram_flops: cost.gram,
            bytes: cost.bytes,
            seconds: cost.seconds,
            alternatives: others.map(|(_, (strategy, cost))| (*strategy, cost.seconds)).collect(),
        }
    }
}

/// The cheapest strategy of every layer, or the one that the caller forced.
///
/// # Errors
/// Returns an error if a forced strategy applies to no parameter.
pub(super) fn choices<B: Gram, O: Op>(
    ntk: &Ntk<'_, B, O>,
    problem: &Problem<'_>,
    layers: &[Layer],
) -> Result<Vec<Choice>> {
    let choice = |layer: &Layer| {
        let candidates = problem.candidates(layer, &ntk.metric[layer.parameter]);
        let forced = ntk.forced(layer.parameter, &candidates);
        Choice { chosen: forced.unwrap_or(0), forced: forced.is_some(), candidates }
    };
    let choices: Vec<Choice> = layers.iter().map(choice).collect();
    let taken = |(layer, choice): (&Layer, &Choice)| (layer.parameter, choice.candidates[choice.chosen].0);
    ntk.check_forced(&layers.iter().zip(&choices).map(taken).collect::<Vec<_>>())?;
    Ok(choices)
}

/// The memory plan of a kernel whose panels take `panel` bytes per sample. It takes the first of `models` with room for
/// all panels, or else the first that fits the budget. If none fits, it trades time for memory: each time it makes the
/// change of a strategy with the lowest cost per byte saved.
///
/// # Errors
/// Returns an error if the kernel cannot fit.
pub(super) fn fit<'a>(
    models: &'a [MemoryModel],
    choices: &mut [Choice],
    panel: &dyn Fn(&[Choice]) -> f64,
    result: f64,
) -> Result<(&'a MemoryModel, MemoryPlan)> {
    loop {
        let products = choices.iter().map(|choice| choice.cost().seconds).sum();
        let plans: Vec<_> = models.iter().map(|model| (model, model.plan(panel(choices), products))).collect();
        let fitting = || plans.iter().filter_map(|(model, plan)| plan.as_ref().ok().map(|memory| (*model, *memory)));
        if let Some(found) = fitting().find(|(_, memory)| memory.resident).or_else(|| fitting().next()) {
            return Ok(found);
        }
        let (model, needed) = plans
            .iter()
            .filter_map(|(model, plan)| plan.err().map(|needed| (*model, needed)))
            .min_by(|first, second| first.1.total_cmp(&second.1))
            .expect("there is a memory model, and none fits");
        let Some((k, other)) = cheapest_change(choices) else {
            let Some(budget) = model.budget.filter(|_| needed.is_finite()) else {
                return Err(model.too_large(panel(choices)));
            };
            return Err(Error::memory(format!(
                "memory budget: the kernel needs {} with one thread (K {}, parameters {}, factors and work {}), which \
                 is {} more than the budget of {}; raise the budget, drop the components, or use a sink on disk",
                table::bytes(needed),
                table::bytes(result),
                table::bytes(model.fixed - result),
                table::bytes(needed - model.fixed),
                table::bytes(needed - budget),
                table::bytes(budget)
            )));
        };
        choices[k].chosen = other;
    }
}

/// The choice to change, and the index of its new candidate, at the lowest cost per byte saved. A forced choice stays.
fn cheapest_change(choices: &[Choice]) -> Option<(usize, usize)> {
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
    best.map(|(_, k, other)| (k, other))
}
