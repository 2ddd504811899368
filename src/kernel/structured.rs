//! The structured method: panels from factors, as planned.

use super::contraction_plan::Pair;
use super::metric::Metric;
use super::outputs::Layout;
use super::pack;
use super::plan::{Layer, LayerUse, Plan, Structure};
use super::strategy::Strategy;
use crate::backend::{Arrays, Contraction, Panels, RightPanel};
use crate::error::Result;
use crate::factor::{Factor, InputOperand};
use crate::ops::Op;
use crate::shape::numel;
use crate::tape::{SweepTargets, Swept, Tape, Use};

/// The options of panels, the same for all samples.
pub(crate) struct PanelContext<'a> {
    pub layout: &'a Layout,
    pub plan: &'a Plan,
    pub selected: &'a [bool],
    pub metric: &'a [Metric],
    /// Parameters whose products of input operands are skipped.
    pub without_input_gram: &'a [bool],
}

/// Computes the panels of the samples on `tape`, and the pairs to contract. The pairs are the same for all samples.
pub(crate) fn panels<B: Arrays, O: Op>(
    tape: &Tape<'_, B, O>,
    arrays: &B,
    samples: usize,
    context: &PanelContext<'_>,
) -> Result<(Panels<B::Tensor>, Vec<Pair>)> {
    let uses = tape.uses()?;
    let targets = SweepTargets { inputs: false, parameters: Some(context.selected) };
    let sweeps: Vec<_> = context.layout.seeds.on(tape).iter().map(|seed| tape.sweep(seed, targets)).collect();
    let mut packer = Packer {
        tape,
        arrays,
        context,
        uses: &uses,
        sweeps: &sweeps,
        lefts: Vec::new(),
        rights: Vec::new(),
        by_node: Vec::new(),
        pairs: Vec::new(),
    };
    for (layer, planned) in context.plan.layers.iter().zip(&context.plan.parameters) {
        packer.add(layer, planned.strategy);
    }
    let Packer { lefts, rights, pairs, .. } = packer;
    Ok((Panels { samples, lefts, rights }, pairs))
}

struct Packer<'a, B: Arrays, O: Op> {
    tape: &'a Tape<'a, B, O>,
    arrays: &'a B,
    context: &'a PanelContext<'a>,
    uses: &'a [Use<B>],
    sweeps: &'a [Swept<B>],
    lefts: Vec<B::Tensor>,
    rights: Vec<RightPanel<B::Tensor>>,
    /// Nodes with one position whose cotangent is packed already, with its panel: weight and bias share it.
    by_node: Vec<(usize, usize)>,
    pairs: Vec<Pair>,
}

impl<B: Arrays, O: Op> Packer<'_, B, O> {
    fn add(&mut self, layer: &Layer, strategy: Strategy) {
        let weight = self.context.metric[layer.parameter].uniform();
        match strategy {
            Strategy::ReadOut => {
                let layer_use = &layer.uses[0];
                let left = match &self.uses[layer_use.index].left {
                    InputOperand::Features(_) => Some(self.add_input(layer.parameter, layer_use)),
                    _ => None,
                };
                let right = self.push(RightPanel::OneHot);
                self.pairs.push(Pair::with_itself(layer.parameter, left, right, weight * layer_use.factor.powi(2)));
            }
            Strategy::Materialise => {
                let right = self.gradients(layer);
                self.pairs.push(Pair::with_itself(layer.parameter, None, right, weight));
            }
            Strategy::Hadamard if self.context.without_input_gram[layer.parameter] => {
                let layer_use = &layer.uses[0];
                let right = self.add_output_grad(layer.parameter, layer_use);
                self.pairs.push(Pair::with_itself(layer.parameter, None, right, weight * layer_use.factor.powi(2)));
            }
            Strategy::Hadamard | Strategy::PositionPairs => self.add_use_pairs(layer, weight),
            Strategy::Mixed => {
                let gradients = self.gradients(layer);
                let layer_use = &layer.uses[0];
                let left = self.add_input(layer.parameter, layer_use);
                let right = self.add_output_grad(layer.parameter, layer_use);
                self.pairs.push(Pair {
                    left: Some([left, left]),
                    right: [right, gradients],
                    contraction: Contraction::Mixed,
                    ..Pair::with_itself(layer.parameter, None, right, weight)
                });
            }
            Strategy::Join => self.add_joined(layer, weight),
        }
    }

    /// Adds the pairs of uses that share entries.
    fn add_use_pairs(&mut self, layer: &Layer, weight: f64) {
        let mut left = Vec::new();
        let mut right = Vec::new();
        for layer_use in &layer.uses {
            left.push(self.add_input(layer.parameter, layer_use));
            right.push(self.add_output_grad(layer.parameter, layer_use));
        }
        for pair in layer.use_pairs.iter().flatten() {
            let [first, second] = pair.uses;
            self.pairs.push(Pair {
                parameter: layer.parameter,
                left: Some([left[first], left[second]]),
                right: [right[first], right[second]],
                weight: weight * layer.uses[first].factor * layer.uses[second].factor,
                contraction: if pair.transposed { Contraction::Crossed } else { Contraction::Straight },
            });
        }
    }

    /// Adds the pairs of an embedding: row numbers as input, cotangents as output gradients.
    fn add_joined(&mut self, layer: &Layer, weight: f64) {
        let first_left = self.lefts.len();
        let right: Vec<usize> = layer.uses.iter().map(|layer_use| self.add_ids(layer_use)).collect();
        for pair in layer.use_pairs.iter().flatten() {
            let [first, second] = pair.uses;
            self.pairs.push(Pair {
                parameter: layer.parameter,
                left: Some([first_left + first, first_left + second]),
                right: [right[first], right[second]],
                weight: weight * layer.uses[first].factor * layer.uses[second].factor,
                contraction: Contraction::Joined,
            });
        }
    }

    /// Adds the row numbers and the cotangents of a use of an embedding. Returns the index of the right panel.
    fn add_ids(&mut self, layer_use: &LayerUse) -> usize {
        let InputOperand::Ids { ids, .. } = &self.uses[layer_use.index].left else {
            unreachable!("only embeddings are joined")
        };
        let s = self.arrays.shape(ids);
        self.lefts.push(self.arrays.reshape(ids, &[1, s[0], s[1], 1]));
        let by_position = |right: B::Tensor| {
            let s = self.arrays.shape(&right);
            self.arrays.reshape(&right, &[s[0], 1, numel(&s[1..s.len() - 1]), s[s.len() - 1]])
        };
        let by_seed: Vec<B::Tensor> = output_grads(self.sweeps, layer_use).into_iter().map(by_position).collect();
        let packed = pack::pack_output_grads(self.arrays, self.context.layout, &by_seed);
        self.push(RightPanel::Array(packed))
    }

    fn add_input(&mut self, parameter: usize, layer_use: &LayerUse) -> usize {
        let a = self.factor(layer_use, 0).inputs(self.arrays).expect("the plan found operands");
        let a = match &self.context.metric[parameter] {
            Metric::RankOne { input, .. } => self.scaled(&a, input, &[1, 1, 1, input.len()]),
            _ => a,
        };
        self.lefts.push(pack::pack_input(self.arrays, &a));
        self.lefts.len() - 1
    }

    fn add_output_grad(&mut self, parameter: usize, layer_use: &LayerUse) -> usize {
        let metric = &self.context.metric[parameter];
        let is_shared = matches!(layer_use.structure, Structure::Sides { g: 1, t: 1, swapped: false, .. })
            && !matches!(metric, Metric::RankOne { .. });
        if let Some(right) = self.shared(layer_use, is_shared) {
            return right;
        }
        let by_seed: Vec<B::Tensor> =
            (0..self.sweeps.len()).map(|seed| self.scaled_output_grad(metric, layer_use, seed)).collect();
        let packed = pack::pack_output_grads(self.arrays, self.context.layout, &by_seed);
        self.push_shared(layer_use, is_shared, packed)
    }

    /// The output gradient `[n, g, t, o]` at a use, scaled by a metric of rank one.
    fn scaled_output_grad(&self, metric: &Metric, layer_use: &LayerUse, seed: usize) -> B::Tensor {
        let b = self.factor(layer_use, seed).output_grads(self.arrays).expect("the plan found operands");
        let s = self.arrays.shape(&b);
        match metric {
            Metric::RankOne { out, .. } => self.scaled(&b, out, &[1, s[1], 1, s[3]]),
            _ => b,
        }
    }

    /// Adds the materialised gradients of a parameter, summed over its uses.
    fn gradients(&mut self, layer: &Layer) -> usize {
        let metric = &self.context.metric[layer.parameter];
        let first = &layer.uses[0];
        let is_shared = layer.uses.len() == 1
            && first.direct
            && matches!(first.structure, Structure::Sum { t: 1, .. })
            && matches!(metric, Metric::One | Metric::Uniform(_));
        if let Some(right) = self.shared(first, is_shared) {
            return right;
        }
        let rows = gradients(self.tape, self.arrays, layer, self.uses, self.sweeps, metric);
        let packed = pack::pack_rows(self.arrays, self.context.layout, &rows);
        self.push_shared(first, is_shared, packed)
    }

    fn factor(&self, layer_use: &LayerUse, seed: usize) -> Factor<B> {
        let right = self.sweeps[seed].rights[layer_use.index].as_ref().expect("the output depends on the use");
        Factor::new(self.uses[layer_use.index].left.clone(), right.clone())
    }

    fn shared(&self, layer_use: &LayerUse, is_shared: bool) -> Option<usize> {
        let found = self.by_node.iter().find(|(node, _)| *node == layer_use.node);
        found.filter(|_| is_shared).map(|(_, right)| *right)
    }

    fn push_shared(&mut self, layer_use: &LayerUse, is_shared: bool, packed: B::Tensor) -> usize {
        let right = self.push(RightPanel::Array(packed));
        if is_shared {
            self.by_node.push((layer_use.node, right));
        }
        right
    }

    fn push(&mut self, right: RightPanel<B::Tensor>) -> usize {
        self.rights.push(right);
        self.rights.len() - 1
    }

    /// Multiplies x by the roots of `weights`, an array of `shape`.
    fn scaled(&self, x: &B::Tensor, weights: &[f64], shape: &[usize]) -> B::Tensor {
        let roots: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
        pack::scaled(self.arrays, x, &roots, shape)
    }
}

/// The output gradients of all seeds at a use.
fn output_grads<B: Arrays>(sweeps: &[Swept<B>], layer_use: &LayerUse) -> Vec<B::Tensor> {
    let by_seed = sweeps.iter().map(|swept| swept.rights[layer_use.index].clone());
    by_seed.map(|right| right.expect("the output depends on the use")).collect()
}

/// The materialised gradients of a parameter, `[n, s, p]`, summed over its uses and scaled by the roots of its metric,
/// if that is not one number.
pub(crate) fn gradients<B: Arrays, O: Op>(
    tape: &Tape<'_, B, O>,
    arrays: &B,
    layer: &Layer,
    uses: &[Use<B>],
    sweeps: &[Swept<B>],
    metric: &Metric,
) -> B::Tensor {
    let by_use = layer.uses.iter().map(|layer_use| use_gradients(tape, arrays, layer, layer_use, uses, sweeps));
    let sum = by_use.reduce(|sum, rows| arrays.add(&sum, &rows)).expect("a layer has a use");
    match metric.roots() {
        Some(roots) => pack::scaled(arrays, &sum, &roots, &[1, 1, layer.entries]),
        None => sum,
    }
}

/// The gradients `[n, s, p]` of a parameter at one use.
fn use_gradients<B: Arrays, O: Op>(
    tape: &Tape<'_, B, O>,
    arrays: &B,
    layer: &Layer,
    layer_use: &LayerUse,
    uses: &[Use<B>],
    sweeps: &[Swept<B>],
) -> B::Tensor {
    let tape_use = &uses[layer_use.index];
    let rows = materialised(arrays, &tape_use.left, &output_grads(sweeps, layer_use));
    if layer_use.direct {
        return rows;
    }
    let s = arrays.shape(&rows).to_vec();
    let pulled = tape.pulled_back(tape_use.weight, &arrays.reshape(&rows, &[s[0] * s[1], s[2]]));
    let rows = pulled.into_iter().filter(|(parameter, _)| *parameter == layer.parameter).map(|(_, rows)| rows);
    let sum = rows.reduce(|sum, rows| arrays.add(&sum, &rows)).expect("the weight depends on the parameter");
    arrays.reshape(&sum, &[s[0], s[1], layer.entries])
}

/// The gradients at one use for all seeds s, `[n, s, p]`. Convolutions and layers with positions take one product per
/// sample, with the seeds concatenated as features.
fn materialised<B: Arrays>(arrays: &B, left: &InputOperand<B>, rights: &[B::Tensor]) -> B::Tensor {
    let reshaped = |f: &dyn Fn(&[usize]) -> Vec<usize>| -> Vec<B::Tensor> {
        rights.iter().map(|right| arrays.reshape(right, &f(arrays.shape(right)))).collect()
    };
    match left {
        InputOperand::Patches(x, window) => {
            let dy = pack::concat(arrays, &reshaped(&|s| [&s[..1], &[1], &s[1..]].concat()), 1);
            let rows = arrays.convolve_weight(x, &dy, window);
            let s = arrays.shape(&rows).to_vec();
            arrays.reshape(&rows, &[s[0], s[1], s[2] * s[3]])
        }
        InputOperand::Features(a) if arrays.shape(a)[1] > 1 => {
            let s = arrays.shape(a).to_vec();
            let b = pack::concat(arrays, &reshaped(&|b| vec![s[0], s[1], b[b.len() - 1]]), 2);
            let features = arrays.shape(&b)[2] / rights.len();
            arrays.reshape(&arrays.matmul(&b, true, a, false), &[s[0], rights.len(), features * s[2]])
        }
        left => {
            let rows = rights.iter().map(|right| Factor::new(left.clone(), right.clone()).jacobian(arrays));
            pack::stacked(arrays, &rows.collect::<Vec<_>>())
        }
    }
}
