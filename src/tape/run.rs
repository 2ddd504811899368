//! Running: values of a batch, and the reverse sweep.

use super::graph::{Graph, Node, Value};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::{Factor, InputOperand};
use crate::ops::{Op, OpContext};
use crate::shape::numel;

/// A graph run on a batch: the value of every op, kept for reverse sweeps.
pub struct Tape<'g, B: Arrays, O: Op> {
    graph: &'g Graph<O>,
    output: Value,
    arrays: &'g B,
    weights: &'g [B::Tensor],
    values: Vec<B::Tensor>,
}

/// One use of a weight by an op, with what came in there.
#[non_exhaustive]
pub struct Use<B: Arrays> {
    /// The weight's index in the graph: a parameter, or what was derived from one.
    pub weight: usize,
    /// The index of the node that uses it.
    pub node: usize,
    /// Which of the node's parameters it is.
    pub position: usize,
    /// The left side of the factor.
    pub left: InputOperand<B>,
}

/// What a reverse sweep is to reach.
#[derive(Clone, Copy, Debug)]
pub struct SweepTargets<'a> {
    /// The cotangents of the inputs.
    pub inputs: bool,
    /// The parameters whose factors are wanted, one flag each; `None` for all.
    pub parameters: Option<&'a [bool]>,
}

impl SweepTargets<'_> {
    /// The factors of all parameters.
    pub const PARAMETERS: SweepTargets<'static> = SweepTargets { inputs: false, parameters: None };
    /// The factors of all parameters and the cotangents of the inputs.
    pub const ALL: SweepTargets<'static> = SweepTargets { inputs: true, parameters: None };
}

/// What a reverse sweep found.
#[non_exhaustive]
pub struct Swept<B: Arrays> {
    /// The cotangent of every input, if they were wanted and the output depends on it.
    pub inputs: Vec<Option<B::Tensor>>,
    /// The right side at each of the tape's [`uses`](Tape::uses); `None` where the output does not depend on it, or it
    /// was not wanted.
    pub rights: Vec<Option<B::Tensor>>,
}

impl<'g, B: Arrays, O: Op> Tape<'g, B, O> {
    /// Runs `graph` on a batch, an array \[n, ...\] for each input, up to `output`.
    pub fn run(
        graph: &'g Graph<O>,
        output: Value,
        arrays: &'g B,
        weights: &'g [B::Tensor],
        inputs: Vec<B::Tensor>,
    ) -> Self {
        let mut tape = Tape { graph, output, arrays, weights, values: inputs };
        for node in graph.nodes_up_to(output) {
            let value = tape.at(node, |at| node.op.forward(at));
            tape.values.push(value);
        }
        tape
    }

    /// f(x): \[n, ...\].
    pub fn output(&self) -> &B::Tensor {
        &self.values[self.output.0]
    }

    /// The results of all ops so far, after the inputs.
    pub(crate) fn values(&self) -> &[B::Tensor] {
        &self.values
    }

    /// The cotangent that is 1 at output c of every sample, outputs of higher rank counted row-major; of shape \[n, ...\].
    ///
    /// # Panics
    /// If there is no output c.
    pub fn unit_seed(&self, c: usize) -> B::Tensor {
        let shape = self.arrays.shape(self.output());
        let outputs = numel(&shape[1..]);
        let mut row = vec![B::Number::default(); outputs];
        row[c] = crate::Real::from_f64(1.0);
        let one_sample = self.arrays.upload(&row, &[1, outputs]);
        let batch = self.arrays.add(&one_sample, &self.arrays.full(0.0, &[shape[0], outputs]));
        self.arrays.reshape(&batch, shape)
    }

    /// The cotangent that is 1 at every output.
    pub fn ones_seed(&self) -> B::Tensor {
        self.arrays.full(1.0, self.arrays.shape(self.output()))
    }

    /// Every use of a weight that depends on a parameter, with its left side, in the order of the nodes.
    ///
    /// # Errors
    /// An op gives no factor for one of its parameters.
    pub fn uses(&self) -> Result<Vec<Use<B>>> {
        let trainable = self.graph.trainable();
        let mut uses = Vec::new();
        for (node_index, node) in self.graph.nodes_up_to(self.output).iter().enumerate() {
            for (position, &parameter) in node.parameters.iter().enumerate() {
                if !trainable[parameter.0] {
                    continue;
                }
                let left = self.at(node, |at| node.op.input_operand(at, position)).ok_or_else(|| {
                    Error::unsupported(format!(
                        "{} gives no factor for '{}', so its part of a kernel is unknown; make it a buffer if it is not \
                         to have one",
                        node.op.name(),
                        self.graph.weight_name(parameter)
                    ))
                })?;
                uses.push(Use { weight: parameter.0, node: node_index, position, left });
            }
        }
        Ok(uses)
    }

    /// One reverse sweep: pulls `seed`, a cotangent of the output at every sample, back to what is wanted.
    pub fn sweep(&self, seed: &B::Tensor, wanted: SweepTargets<'_>) -> Swept<B> {
        let nodes = self.graph.nodes_up_to(self.output);
        let weights = match wanted.parameters {
            Some(flags) => self.graph.depending(flags),
            None => self.graph.trainable(),
        };
        let needed = self.needed(wanted.inputs, &weights);
        let trainable = self.graph.trainable();
        let mut cotangents: Vec<Option<B::Tensor>> = vec![None; self.values.len()];
        cotangents[self.output.0] = Some(seed.clone());
        let mut by_node: Vec<Vec<Option<B::Tensor>>> = Vec::with_capacity(nodes.len());
        for (k, node) in nodes.iter().enumerate().rev() {
            let used = || node.parameters.iter().enumerate().filter(|(_, p)| trainable[p.0]);
            let result = self.graph.result(k).0;
            let Some(dy) = cotangents[result].take().filter(|_| needed[result]) else {
                by_node.push(used().map(|_| None).collect());
                continue;
            };
            let y = &self.values[result];
            by_node.push(self.at(node, |at| {
                let right = |(position, p): (usize, &super::Parameter)| {
                    weights[p.0].then(|| match node.op.input_operand(at, position) {
                        Some(InputOperand::Rows) => node.op.rows(at, y, &dy, position),
                        _ => dy.clone(),
                    })
                };
                used().map(right).collect()
            }));
            for (position, &Value(input)) in node.inputs.iter().enumerate() {
                if needed[input] {
                    let dx = self.at(node, |at| node.op.pull(at, y, &dy, position));
                    cotangents[input] = Some(match cotangents[input].take() {
                        Some(sum) => self.arrays.add(&sum, &dx),
                        None => dx,
                    });
                }
            }
        }
        let count = self.graph.input_shapes().len();
        let inputs = cotangents.into_iter().take(count).map(|dx| dx.filter(|_| wanted.inputs)).collect();
        Swept { inputs, rights: by_node.into_iter().rev().flatten().collect() }
    }

    /// What `read` makes of the factors at all uses, \[n, p\] or \[1, p\], pulled back to the parameters and summed for
    /// each; `None` for a parameter that the output does not depend on.
    pub fn by_parameter(
        &self,
        uses: &[Use<B>],
        swept: &Swept<B>,
        read: impl Fn(&Factor<B>, &B) -> B::Tensor,
    ) -> Vec<Option<B::Tensor>> {
        let mut sums: Vec<Option<B::Tensor>> = vec![None; self.graph.parameters().len()];
        for (one_use, right) in uses.iter().zip(&swept.rights) {
            let Some(right) = right else { continue };
            let part = read(&Factor::new(one_use.left.clone(), right.clone()), self.arrays);
            for (parameter, part) in self.pulled_back(one_use.weight, &part) {
                sums[parameter] = Some(match sums[parameter].take() {
                    Some(sum) => self.arrays.add(&sum, &part),
                    None => part,
                });
            }
        }
        sums
    }

    /// Gradients of a weight, \[n, p\], as gradients of the parameters that it was made of.
    pub(crate) fn pulled_back(&self, weight: usize, rows: &B::Tensor) -> Vec<(usize, B::Tensor)> {
        self.graph.pulled_back(self.arrays, self.weights, weight, rows)
    }

    /// Which values a sweep must pass: those that depend on something wanted.
    fn needed(&self, inputs: bool, weights: &[bool]) -> Vec<bool> {
        let mut needed = vec![inputs; self.graph.input_shapes().len()];
        for node in self.graph.nodes_up_to(self.output) {
            let own = node.parameters.iter().any(|p| weights[p.0]);
            needed.push(own || node.inputs.iter().any(|v| needed[v.0]));
        }
        needed
    }

    fn at<T>(&self, node: &Node<O>, f: impl FnOnce(&OpContext<'_, B>) -> T) -> T {
        let inputs: Vec<&B::Tensor> = node.inputs.iter().map(|v| &self.values[v.0]).collect();
        let parameters: Vec<&B::Tensor> = node.parameters.iter().map(|p| &self.weights[p.0]).collect();
        f(&OpContext { arrays: self.arrays, inputs: &inputs, parameters: &parameters })
    }
}
