//! Running: the values of a batch, and the reverse sweep.

use super::graph::{Graph, Node, Value};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::{Factor, InputOperand};
use crate::ops::{Op, OpContext};
use crate::shape::numel;

/// A run of a graph on a batch. The value of every op is kept for reverse sweeps.
pub struct Tape<'g, B: Arrays, O: Op> {
    graph: &'g Graph<O>,
    output: Value,
    arrays: &'g B,
    weights: &'g [B::Tensor],
    values: Vec<B::Tensor>,
}

/// A use of a weight by an op, with its input operand.
#[non_exhaustive]
pub struct Use<B: Arrays> {
    /// The index of the weight in the graph: a parameter or a weight derived from parameters.
    pub weight: usize,
    /// The index of the node.
    pub node: usize,
    /// The position among the node's parameters.
    pub position: usize,
    /// The input operand of the factor.
    pub left: InputOperand<B>,
}

/// What a reverse sweep computes.
#[derive(Clone, Copy, Debug)]
pub struct SweepTargets<'a> {
    /// Whether the cotangents of the inputs are computed.
    pub inputs: bool,
    /// Whether the factors of each parameter are computed. `None` computes all.
    pub parameters: Option<&'a [bool]>,
}

impl SweepTargets<'_> {
    /// The factors of all parameters.
    pub const PARAMETERS: SweepTargets<'static> = SweepTargets { inputs: false, parameters: None };
}

/// The results of a reverse sweep.
#[non_exhaustive]
pub struct Swept<B: Arrays> {
    /// The cotangent of every input. `None` if it was not requested or the output does not depend on the input.
    pub inputs: Vec<Option<B::Tensor>>,
    /// The output gradient at each of the tape's [`uses`](Tape::uses). `None` if it was not requested or the output does
    /// not depend on the use.
    pub rights: Vec<Option<B::Tensor>>,
}

impl<'g, B: Arrays, O: Op> Tape<'g, B, O> {
    /// Runs `graph` on a batch up to `output`. There is one array `[n, ...]` per input.
    pub fn run(
        graph: &'g Graph<O>,
        output: Value,
        arrays: &'g B,
        weights: &'g [B::Tensor],
        inputs: Vec<B::Tensor>,
    ) -> Self {
        let mut tape = Tape { graph, output, arrays, weights, values: inputs };
        for node in graph.nodes_up_to(output) {
            let value = tape.in_context(node, |ctx| node.op.forward(ctx));
            tape.values.push(value);
        }
        tape
    }

    /// f(x), `[n, ...]`.
    pub fn output(&self) -> &B::Tensor {
        &self.values[self.output.0]
    }

    /// The inputs, followed by the results of all ops.
    pub(crate) fn values(&self) -> &[B::Tensor] {
        &self.values
    }

    /// The cotangent that is 1 at output c of every sample, of shape `[n, ...]`. Outputs are counted row-major.
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

    /// Every use of a weight that depends on a parameter, with its input operand, in the order of the nodes.
    ///
    /// # Errors
    /// An op has no factor for one of its parameters.
    pub fn uses(&self) -> Result<Vec<Use<B>>> {
        let trainable = self.graph.trainable();
        let mut uses = Vec::new();
        for (node_index, node) in self.graph.nodes_up_to(self.output).iter().enumerate() {
            for (position, &parameter) in node.parameters.iter().enumerate() {
                if !trainable[parameter.0] {
                    continue;
                }
                let left = self.in_context(node, |ctx| node.op.input_operand(ctx, position)).ok_or_else(|| {
                    Error::unsupported(format!(
                        "{} has no factor for '{}', so its component of the kernel is unknown; declare it as a buffer if \
                         it should have no component",
                        node.op.name(),
                        self.graph.weight_name(parameter)
                    ))
                })?;
                uses.push(Use { weight: parameter.0, node: node_index, position, left });
            }
        }
        Ok(uses)
    }

    /// One reverse sweep: pulls `seed`, a cotangent of the output of every sample, back to the requested targets.
    pub fn sweep(&self, seed: &B::Tensor, targets: SweepTargets<'_>) -> Swept<B> {
        let nodes = self.graph.nodes_up_to(self.output);
        let weights = match targets.parameters {
            Some(flags) => self.graph.depending(flags),
            None => self.graph.trainable(),
        };
        let needed = self.needed(targets.inputs, &weights);
        let trainable = self.graph.trainable();
        let mut cotangents: Vec<Option<B::Tensor>> = vec![None; self.values.len()];
        cotangents[self.output.0] = Some(seed.clone());
        let mut by_node: Vec<Vec<Option<B::Tensor>>> = Vec::with_capacity(nodes.len());
        for (k, node) in nodes.iter().enumerate().rev() {
            let uses = (0..node.parameters.len()).filter(|&position| trainable[node.parameters[position].0]);
            let result = self.graph.result(k).0;
            let Some(dy) = cotangents[result].take().filter(|_| needed[result]) else {
                by_node.push(uses.map(|_| None).collect());
                continue;
            };
            let y = &self.values[result];
            let requested = |&position: &usize| weights[node.parameters[position].0];
            let right = |position: usize| Some(position).filter(requested).map(|k| self.right(node, y, &dy, k));
            by_node.push(uses.map(right).collect());
            for (position, &Value(input)) in node.inputs.iter().enumerate() {
                if needed[input] && !node.op.piecewise_constant_in(position) {
                    let dx = self.in_context(node, |ctx| node.op.pull(ctx, y, &dy, position));
                    cotangents[input] = Some(match cotangents[input].take() {
                        Some(sum) => self.arrays.add(&sum, &dx),
                        None => dx,
                    });
                }
            }
        }
        let count = self.graph.input_shapes().len();
        let inputs = cotangents.into_iter().take(count).map(|dx| dx.filter(|_| targets.inputs)).collect();
        Swept { inputs, rights: by_node.into_iter().rev().flatten().collect() }
    }

    /// The output gradient at the node's use of parameter `position`, from its result `y` and the result's cotangent `dy`.
    fn right(&self, node: &Node<O>, y: &B::Tensor, dy: &B::Tensor, position: usize) -> B::Tensor {
        self.in_context(node, |ctx| match node.op.input_operand(ctx, position) {
            Some(InputOperand::Rows) => node.op.rows(ctx, y, dy, position),
            _ => dy.clone(),
        })
    }

    /// Applies `read` to the factors at all uses, pulls the results (`[n, p]` or `[1, p]`) back to the parameters, and sums
    /// them by parameter. `None` for a parameter that the output does not depend on.
    pub fn by_parameter(
        &self,
        uses: &[Use<B>],
        swept: &Swept<B>,
        read: impl Fn(&Factor<B>, &B) -> B::Tensor,
    ) -> Vec<Option<B::Tensor>> {
        let mut sums: Vec<Option<B::Tensor>> = vec![None; self.graph.parameters().len()];
        for (parameter_use, right) in uses.iter().zip(&swept.rights) {
            let Some(right) = right else { continue };
            let derivative = read(&Factor::new(parameter_use.left.clone(), right.clone()), self.arrays);
            for (parameter, part) in self.pulled_back(parameter_use.weight, &derivative) {
                sums[parameter] = Some(match sums[parameter].take() {
                    Some(sum) => self.arrays.add(&sum, &part),
                    None => part,
                });
            }
        }
        sums
    }

    /// Gradients of a weight, `[n, p]`, as gradients of the parameters that it is derived from.
    pub(crate) fn pulled_back(&self, weight: usize, rows: &B::Tensor) -> Vec<(usize, B::Tensor)> {
        self.graph.pulled_back(self.arrays, self.weights, weight, rows)
    }

    /// For every value, whether a sweep must pass it: whether it depends on a requested target.
    fn needed(&self, inputs: bool, weights: &[bool]) -> Vec<bool> {
        let mut needed = vec![inputs; self.graph.input_shapes().len()];
        for node in self.graph.nodes_up_to(self.output) {
            let uses_target = node.parameters.iter().any(|p| weights[p.0]);
            let moves = |(position, v): (usize, &Value)| needed[v.0] && !node.op.piecewise_constant_in(position);
            needed.push(uses_target || node.inputs.iter().enumerate().any(moves));
        }
        needed
    }

    fn in_context<T>(&self, node: &Node<O>, call: impl FnOnce(&OpContext<'_, B>) -> T) -> T {
        let inputs: Vec<&B::Tensor> = node.inputs.iter().map(|v| &self.values[v.0]).collect();
        let parameters: Vec<&B::Tensor> = node.parameters.iter().map(|p| &self.weights[p.0]).collect();
        call(&OpContext { arrays: self.arrays, inputs: &inputs, parameters: &parameters })
    }
}
