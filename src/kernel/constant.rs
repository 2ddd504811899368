//! Input operands that depend on no parameter, such as that of the first layer. They stay constant during training.
//!
//! The part of such a weight is `G[n,m] (b[n,c] . b'[m,c'])`, where G is the Gram matrix of the layer's inputs. A
//! caller that computes K for many values of the parameters can keep G and compute only the products of output
//! gradients.

use std::ops::Range;

use super::metric::Metric;
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

/// A parameter whose input operand depends only on the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Constant {
    pub parameter: usize,
    /// The index of its use on a tape.
    index: usize,
}

impl<B: Gram, O: Op> Ntk<'_, B, O> {
    /// The parameters of layers with one position whose inputs depend on no parameter, according to the plan of K for
    /// `samples` samples.
    pub(crate) fn constants(&self, samples: (usize, Option<usize>)) -> Result<Vec<Constant>> {
        let model = self.session.model();
        let depends = depends_on_parameters(model.graph());
        let plan = plan(self, samples, Requirements::default())?;
        let is_constant = |layer_use: &LayerUse| {
            let inputs = &model.graph().nodes()[layer_use.node].inputs;
            matches!(layer_use.structure, Structure::Sides { g: 1, t: 1, swapped: false, .. })
                && inputs.iter().all(|x| !depends[x.0])
        };
        let mut constants = Vec::new();
        for (layer, planned) in plan.layers.iter().zip(&plan.parameters) {
            let is_scaled = matches!(self.metric[layer.parameter], Metric::RankOne { .. });
            let [layer_use] = &layer.uses[..] else { continue };
            if planned.strategy == Strategy::Hadamard && is_constant(layer_use) && !is_scaled {
                constants.push(Constant { parameter: layer.parameter, index: layer_use.index });
            }
        }
        Ok(constants)
    }

    /// The same options, without the products of input operands for these parameters.
    pub(crate) fn without_input_grams(mut self, constants: &[Constant]) -> Self {
        constants.iter().for_each(|constant| self.without_input_gram[constant.parameter] = true);
        self
    }
}

/// The input operand, `[n, i]`.
pub(crate) fn input_operand<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    constant: Constant,
) -> Result<Vec<B::Number>> {
    Ok(map_blocks(x.samples(), RUN_BLOCK, |range| features(session, x, constant, range))?.concat())
}

fn features<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    constant: Constant,
    range: Range<usize>,
) -> Result<Vec<B::Number>> {
    let tape = session.tape_of(x, range)?;
    match &tape.uses()?[constant.index].left {
        InputOperand::Features(a) => session.arrays().read(a),
        _ => unreachable!("constant layers have one position, so their input operand is features"),
    }
}

/// Flags the values of the graph that depend on a parameter or buffer.
fn depends_on_parameters<O: Op>(graph: &Graph<O>) -> Vec<bool> {
    let mut depends = vec![false; graph.inputs().len()];
    for node in graph.nodes() {
        depends.push(!node.parameters.is_empty() || node.inputs.iter().any(|x| depends[x.0]));
    }
    depends
}
