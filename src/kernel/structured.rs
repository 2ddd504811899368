//! The structured way: panels straight from factors, as the plan has it.

use super::choice::Metric;
use super::contraction_plan::Pair;
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

/// What panels are made by: the same for all samples.
pub(crate) struct Making<'a> {
    pub layout: &'a Layout,
    pub plan: &'a Plan,
    pub wanted: &'a [bool],
    pub metric: &'a [Metric],
    /// Parameters whose left side's products are left out.
    pub without_input_gram: &'a [bool],
}

/// The panels of the samples on `tape`, and the pairs that tell what they are for. The pairs are the same for all
/// samples.
pub(crate) fn panels<B: Arrays, O: Op>(
    tape: &Tape<'_, B, O>,
    arrays: &B,
    samples: usize,
    making: &Making<'_>,
) -> Result<(Panels<B::Tensor>, Vec<Pair>)> {
    let uses = tape.uses()?;
    let wanted = SweepTargets { inputs: false, parameters: Some(making.wanted) };
    let sweeps: Vec<_> = making.layout.seeds.on(tape).iter().map(|seed| tape.sweep(seed, wanted)).collect();
    let mut packer = Packer {
        tape,
        arrays,
        making,
        uses: &uses,
        sweeps: &sweeps,
        lefts: Vec::new(),
        rights: Vec::new(),
        by_node: Vec::new(),
        pairs: Vec::new(),
    };
    for (layer, planned) in making.plan.layers.iter().zip(&making.plan.parameters) {
        packer.add(layer, planned.strategy);
    }
    let Packer { lefts, rights, pairs, .. } = packer;
    Ok((Panels { samples, lefts, rights }, pairs))
}

struct Packer<'a, B: Arrays, O: Op> {
    tape: &'a Tape<'a, B, O>,
    arrays: &'a B,
    making: &'a Making<'a>,
    uses: &'a [Use<B>],
    sweeps: &'a [Swept<B>],
    lefts: Vec<B::Tensor>,
    rights: Vec<RightPanel<B::Tensor>>,
    /// Nodes whose cotangent, at one position, is a right side already: weight and bias share it.
    by_node: Vec<(usize, usize)>,
    pairs: Vec<Pair>,
}

impl<B: Arrays, O: Op> Packer<'_, B, O> {
    fn add(&mut self, layer: &Layer, strategy: Strategy) {
        let weight = self.making.metric[layer.parameter].uniform();
        match strategy {
            Strategy::ReadOut => {
                let one_use = &layer.uses[0];
                let left = match &self.uses[one_use.index].left {
                    InputOperand::Features(_) => Some(self.side_left(layer.parameter, one_use)),
                    _ => None,
                };
                let right = self.push(RightPanel::OneHot);
                self.pairs.push(Pair::alone(layer.parameter, left, right, weight * one_use.factor.powi(2)));
            }
            Strategy::Materialise => {
                let right = self.gradients(layer);
                self.pairs.push(Pair::alone(layer.parameter, None, right, weight));
            }
            Strategy::Hadamard if self.making.without_input_gram[layer.parameter] => {
                let one_use = &layer.uses[0];
                let right = self.side_right(layer.parameter, one_use);
                self.pairs.push(Pair::alone(layer.parameter, None, right, weight * one_use.factor.powi(2)));
            }
            Strategy::Hadamard | Strategy::PositionPairs => self.straight(layer, weight),
            Strategy::Mixed => {
                let gradients = self.gradients(layer);
                let one_use = &layer.uses[0];
                let (left, right) =
                    (self.side_left(layer.parameter, one_use), self.side_right(layer.parameter, one_use));
                self.pairs.push(Pair {
                    left: Some([left, left]),
                    right: [right, gradients],
                    contraction: Contraction::Mixed,
                    ..Pair::alone(layer.parameter, None, right, weight)
                });
            }
            Strategy::Join => self.join(layer, weight),
        }
    }

    /// All pairs of uses that meet, side by side.
    fn straight(&mut self, layer: &Layer, weight: f64) {
        let sides: Vec<(usize, usize)> = layer
            .uses
            .iter()
            .map(|one_use| (self.side_left(layer.parameter, one_use), self.side_right(layer.parameter, one_use)))
            .collect();
        for meeting in layer.meetings.iter().flatten() {
            let [one, two] = meeting.uses;
            self.pairs.push(Pair {
                parameter: layer.parameter,
                left: Some([sides[one].0, sides[two].0]),
                right: [sides[one].1, sides[two].1],
                weight: weight * layer.uses[one].factor * layer.uses[two].factor,
                contraction: if meeting.crossed { Contraction::Crossed } else { Contraction::Straight },
            });
        }
    }

    /// Row numbers on the left, cotangents on the right; blocks of samples make segments of them.
    fn join(&mut self, layer: &Layer, weight: f64) {
        let sides: Vec<usize> = layer
            .uses
            .iter()
            .map(|one_use| {
                let InputOperand::Ids { ids, .. } = &self.uses[one_use.index].left else {
                    unreachable!("embeddings are joined")
                };
                let s = self.arrays.shape(ids);
                self.lefts.push(self.arrays.reshape(ids, &[1, s[0], s[1], 1]));
                let by_position = |right: B::Tensor| {
                    let s = self.arrays.shape(&right);
                    self.arrays.reshape(&right, &[s[0], 1, numel(&s[1..s.len() - 1]), s[s.len() - 1]])
                };
                let list: Vec<B::Tensor> = rights(self.sweeps, one_use).into_iter().map(by_position).collect();
                let packed = pack::rights(self.arrays, self.making.layout, &list);
                self.push(RightPanel::Array(packed))
            })
            .collect();
        let first_left = self.lefts.len() - sides.len();
        for meeting in layer.meetings.iter().flatten() {
            let [one, two] = meeting.uses;
            self.pairs.push(Pair {
                parameter: layer.parameter,
                left: Some([first_left + one, first_left + two]),
                right: [sides[one], sides[two]],
                weight: weight * layer.uses[one].factor * layer.uses[two].factor,
                contraction: Contraction::Joined,
            });
        }
    }

    fn side_left(&mut self, parameter: usize, one_use: &LayerUse) -> usize {
        let a = self.factor(one_use, 0).side_a(self.arrays).expect("the plan chose sides");
        let a = match &self.making.metric[parameter] {
            Metric::RankOne { input, .. } => self.scaled(&a, input, &[1, 1, 1, input.len()]),
            _ => a,
        };
        self.lefts.push(pack::left(self.arrays, &a));
        self.lefts.len() - 1
    }

    fn side_right(&mut self, parameter: usize, one_use: &LayerUse) -> usize {
        let metric = &self.making.metric[parameter];
        let shards = matches!(one_use.structure, Structure::Sides { g: 1, t: 1, swapped: false, .. })
            && !matches!(metric, Metric::RankOne { .. });
        if let Some(right) = self.shared(one_use, shards) {
            return right;
        }
        let list: Vec<B::Tensor> = (0..self.sweeps.len())
            .map(|seed| {
                let b = self.factor(one_use, seed).side_b(self.arrays).expect("the plan chose sides");
                let s = self.arrays.shape(&b);
                match metric {
                    Metric::RankOne { out, .. } => self.scaled(&b, out, &[1, s[1], 1, s[3]]),
                    _ => b,
                }
            })
            .collect();
        let packed = pack::rights(self.arrays, self.making.layout, &list);
        self.push_shared(one_use, shards, packed)
    }

    /// The gradients of a parameter, multiplied out and summed over its uses.
    fn gradients(&mut self, layer: &Layer) -> usize {
        let metric = &self.making.metric[layer.parameter];
        let (first, alone) = (&layer.uses[0], layer.uses.len() == 1);
        let shards = alone
            && first.direct
            && matches!(first.structure, Structure::Sum { t: 1, .. })
            && matches!(metric, Metric::One | Metric::Uniform(_));
        if let Some(right) = self.shared(first, shards) {
            return right;
        }
        let rows = gradients(self.tape, self.arrays, layer, self.uses, self.sweeps, metric);
        let packed = pack::rows(self.arrays, self.making.layout, &rows);
        self.push_shared(first, shards, packed)
    }

    fn factor(&self, one_use: &LayerUse, seed: usize) -> Factor<B> {
        let right = self.sweeps[seed].rights[one_use.index].as_ref().expect("the output depends on the use");
        Factor::new(self.uses[one_use.index].left.clone(), right.clone())
    }

    fn shared(&self, one_use: &LayerUse, shards: bool) -> Option<usize> {
        let found = self.by_node.iter().find(|(node, _)| *node == one_use.node);
        found.filter(|_| shards).map(|(_, right)| *right)
    }

    fn push_shared(&mut self, one_use: &LayerUse, shards: bool, packed: B::Tensor) -> usize {
        let right = self.push(RightPanel::Array(packed));
        if shards {
            self.by_node.push((one_use.node, right));
        }
        right
    }

    fn push(&mut self, right: RightPanel<B::Tensor>) -> usize {
        self.rights.push(right);
        self.rights.len() - 1
    }

    /// x times the roots of `weights`, which have the shape `shape`.
    fn scaled(&self, x: &B::Tensor, weights: &[f64], shape: &[usize]) -> B::Tensor {
        let roots: Vec<f64> = weights.iter().map(|w| w.sqrt()).collect();
        pack::scaled(self.arrays, x, &roots, shape)
    }
}

/// The right sides of all seeds at a use.
fn rights<B: Arrays>(sweeps: &[Swept<B>], one_use: &LayerUse) -> Vec<B::Tensor> {
    let rights = sweeps.iter().map(|swept| swept.rights[one_use.index].clone());
    rights.map(|right| right.expect("the output depends on the use")).collect()
}

/// The gradients of a parameter, multiplied out, summed over its uses, and scaled by the roots of its metric's weights if
/// they are not all one: \[n, s, p\].
pub(crate) fn gradients<B: Arrays, O: Op>(
    tape: &Tape<'_, B, O>,
    arrays: &B,
    layer: &Layer,
    uses: &[Use<B>],
    sweeps: &[Swept<B>],
    metric: &Metric,
) -> B::Tensor {
    let of_use = |one_use: &LayerUse| {
        let place = &uses[one_use.index];
        let rows = multiplied_out(arrays, &place.left, &rights(sweeps, one_use));
        if one_use.direct {
            return rows;
        }
        let s = arrays.shape(&rows).to_vec();
        let pulled = tape.pulled_back(place.weight, &arrays.reshape(&rows, &[s[0] * s[1], s[2]]));
        let own = pulled.into_iter().filter(|(parameter, _)| *parameter == layer.parameter).map(|(_, rows)| rows);
        let own = own.reduce(|sum, part| arrays.add(&sum, &part)).expect("the weight depends on the parameter");
        arrays.reshape(&own, &[s[0], s[1], layer.entries])
    };
    let sum = layer.uses.iter().map(of_use).reduce(|sum, part| arrays.add(&sum, &part)).expect("a layer has a use");
    match metric.roots() {
        Some(roots) => pack::scaled(arrays, &sum, &roots, &[1, 1, layer.entries]),
        None => sum,
    }
}

/// The gradients at one use for all seeds s, \[n, s, p\]: of a convolution and of a layer with positions by one product a
/// sample, the seeds standing beside each other as features.
fn multiplied_out<B: Arrays>(arrays: &B, left: &InputOperand<B>, rights: &[B::Tensor]) -> B::Tensor {
    let reshaped = |f: &dyn Fn(&[usize]) -> Vec<usize>| -> Vec<B::Tensor> {
        rights.iter().map(|right| arrays.reshape(right, &f(arrays.shape(right)))).collect()
    };
    let together = |list: Vec<B::Tensor>, axis| match &list[..] {
        [one] => one.clone(),
        _ => arrays.concat(&list.iter().collect::<Vec<_>>(), axis),
    };
    match left {
        InputOperand::Patches(x, window) => {
            let dy = together(reshaped(&|s| [&s[..1], &[1], &s[1..]].concat()), 1);
            let rows = arrays.convolve_weight(x, &dy, window);
            let s = arrays.shape(&rows).to_vec();
            arrays.reshape(&rows, &[s[0], s[1], s[2] * s[3]])
        }
        InputOperand::Features(a) if arrays.shape(a)[1] > 1 => {
            let s = arrays.shape(a).to_vec();
            let b = together(reshaped(&|b| vec![s[0], s[1], b[b.len() - 1]]), 2);
            let features = arrays.shape(&b)[2] / rights.len();
            arrays.reshape(&arrays.matmul(&b, true, a, false), &[s[0], rights.len(), features * s[2]])
        }
        left => {
            let rows = rights.iter().map(|right| Factor::new(left.clone(), right.clone()).jacobian(arrays));
            pack::stacked(arrays, &rows.collect::<Vec<_>>())
        }
    }
}
