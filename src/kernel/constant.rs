//! Left sides that no parameter moves, such as that of the first layer: they stay while a network learns.
//!
//! The part of such a weight is G\[n,m\] (b\[n,c\] . b'\[m,c'\]) with G the Gram of what comes in at its layer. A caller that
//! computes K for many values of the parameters may hold G, and ask for the products of right sides alone.

use super::choice::Metric;
use super::plan::{LayerUse, Structure, plan};
use super::sink::Requirements;
use super::{Ntk, Strategy};
use crate::backend::{Arrays, Gram};
use crate::error::Result;
use crate::factor::InputOperand;
use crate::model::Session;
use crate::model::blocks::{RUN_BLOCK, map_blocks};
use crate::ops::Op;
use crate::samples::Samples;
use crate::tape::Graph;

/// A parameter whose left side depends on the samples alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Constant {
    pub parameter: usize,
    /// Its use among those of a tape.
    index: usize,
}

impl<B: Gram, O: Op> Ntk<'_, B, O> {
    /// The parameters of layers with one position that see the inputs through no other parameter, as the plan for K of
    /// `samples` samples has them.
    pub(crate) fn constants(&self, samples: (usize, Option<usize>)) -> Result<Vec<Constant>> {
        let model = self.session.model();
        let moves = moving(model.graph());
        let plan = plan(self, samples, Requirements::default())?;
        let constant = |one: &LayerUse| {
            let inputs = &model.graph().nodes()[one.node].inputs;
            matches!(one.structure, Structure::Sides { g: 1, t: 1, swapped: false, .. })
                && inputs.iter().all(|x| !moves[x.0])
        };
        let layers = plan.layers.iter().zip(&plan.parameters);
        Ok(layers
            .filter(|(layer, planned)| {
                planned.strategy == Strategy::Hadamard
                    && layer.uses.len() == 1
                    && constant(&layer.uses[0])
                    && !matches!(self.metric[layer.parameter], Metric::RankOne { .. })
            })
            .map(|(layer, _)| Constant { parameter: layer.parameter, index: layer.uses[0].index })
            .collect())
    }

    /// The same with the products of left sides left out of these parameters' parts.
    pub(crate) fn without_lefts(mut self, constants: &[Constant]) -> Self {
        constants.iter().for_each(|constant| self.without_input_gram[constant.parameter] = true);
        self
    }
}

/// The left side, \[n, i\].
pub(crate) fn left<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    constant: Constant,
) -> Result<Vec<B::Number>> {
    let of_block = |range| {
        let tape = session.tape_of(x, range)?;
        match &tape.uses()?[constant.index].left {
            InputOperand::Features(a) => session.arrays().read(a),
            _ => unreachable!("a layer with one position has features"),
        }
    };
    Ok(map_blocks(x.samples(), RUN_BLOCK, of_block)?.concat())
}

/// Which values of the graph depend on a parameter or buffer.
fn moving<O: Op>(graph: &Graph<O>) -> Vec<bool> {
    let mut moves = vec![false; graph.inputs().len()];
    for node in graph.nodes() {
        moves.push(!node.parameters.is_empty() || node.inputs.iter().any(|x| moves[x.0]));
    }
    moves
}
