//! Which way every parameter goes, and what changes where a budget is tight.

use super::cost::{Cost, Problem};
use super::layer::{Layer, Structure};
use super::memory::{Memory, Room};
use super::{PlannedParameter, table};
use crate::backend::Gram;
use crate::error::{Error, Result};
use crate::kernel::Ntk;
use crate::kernel::strategy::Strategy;
use crate::model::Model;
use crate::ops::Op;

/// The ways that a parameter can go, the cheapest first, and which one it does.
pub(super) struct Choice {
    candidates: Vec<(Strategy, Cost)>,
    chosen: usize,
    /// The caller said so, and no budget undoes it.
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
            positions: layer.uses.iter().map(|one| positions(one.structure)).max().unwrap_or(1),
            strategy,
            forming_flops: cost.forming,
            gram_flops: cost.gram,
            bytes: cost.bytes,
            seconds: cost.seconds,
            alternatives: others.map(|(_, (strategy, cost))| (*strategy, cost.seconds)).collect(),
        }
    }
}

/// The cheapest way of every layer, or the one that the caller forced.
///
/// # Errors
/// A way that was forced and fits nothing.
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

/// The cut of a kernel whose panels take `panel` bytes a sample, in the first of `rooms` that has place for all panels, or
/// else in the first that can do. Where none fits the budget, trades time for memory, parameter by parameter, until one
/// does: each time the change that costs least for a byte saved.
///
/// # Errors
/// It cannot fit.
pub(super) fn fit<'a>(
    rooms: &'a [Room],
    choices: &mut [Choice],
    panel: &dyn Fn(&[Choice]) -> f64,
    result: f64,
) -> Result<(&'a Room, Memory)> {
    loop {
        let products = choices.iter().map(|choice| choice.cost().seconds).sum();
        let partitions: Vec<_> = rooms.iter().map(|room| (room, room.partition(panel(choices), products))).collect();
        let fitting =
            || partitions.iter().filter_map(|(room, partition)| partition.as_ref().ok().map(|memory| (*room, *memory)));
        if let Some(found) = fitting().find(|(_, memory)| memory.resident).or_else(|| fitting().next()) {
            return Ok(found);
        }
        let (room, needed) = partitions
            .iter()
            .filter_map(|(room, partition)| partition.err().map(|needed| (*room, needed)))
            .min_by(|one, two| one.1.total_cmp(&two.1))
            .expect("there are rooms, and none fits");
        let Some((k, other)) = cheapest_change(choices) else {
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

/// The choice to change, and to which of its candidates, so that a byte saved costs least; a forced one stays.
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
