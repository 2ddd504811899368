//! Running: values of a batch, and the reverse sweep.

use super::graph::{Graph, Node, Value};
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::factor::{Factor, Left, Right};
use crate::ops::{At, Op};
use crate::shape::numel;

/// A graph run on a batch: the value of every op, kept for reverse sweeps.
pub struct Tape<'g, B: Arrays, O: Op> {
    graph: &'g Graph<O>,
    output: Value,
    arrays: &'g B,
    parameters: &'g [B::Tensor],
    values: Vec<B::Tensor>,
}

/// One use of a parameter by an op, with what came in there.
pub struct Use<B: Arrays> {
    /// The parameter's index in the graph.
    pub parameter: usize,
    /// The index of the node that uses it.
    pub node: usize,
    /// Which of the node's parameters it is.
    pub position: usize,
    /// The left side of the factor.
    pub left: Left<B>,
}

/// What a reverse sweep is to reach.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The cotangent of the input.
    pub input: bool,
    /// The parameters whose factors are wanted, one flag each; `None` for all.
    pub parameters: Option<&'a [bool]>,
}

impl Wanted<'_> {
    /// The factors of all parameters.
    pub const PARAMETERS: Wanted<'static> = Wanted { input: false, parameters: None };
    /// The factors of all parameters and the cotangent of the input.
    pub const ALL: Wanted<'static> = Wanted { input: true, parameters: None };

    fn parameter(&self, index: usize) -> bool {
        self.parameters.is_none_or(|flags| flags[index])
    }
}

/// What a reverse sweep found.
pub struct Swept<B: Arrays> {
    /// The cotangent of the input, if it was wanted and the output depends on it.
    pub input: Option<B::Tensor>,
    /// The right side at each of the tape's [`uses`](Tape::uses); `None` where the output does not depend on it.
    pub rights: Vec<Option<SweptRight<B>>>,
}

/// The right side of a factor, as a sweep leaves it.
pub struct SweptRight<B: Arrays> {
    /// b\[n,t,o\]
    pub array: B::Tensor,
    /// It is the cotangent of the op's result, not an array of the op's own.
    pub is_cotangent: bool,
    /// It is the seed itself: the op is the last of the network.
    pub is_seed: bool,
}

impl<'g, B: Arrays, O: Op> Tape<'g, B, O> {
    /// Runs `graph` on the batch `input`, \[n, ...\], up to `output`.
    pub fn run(
        graph: &'g Graph<O>,
        output: Value,
        arrays: &'g B,
        parameters: &'g [B::Tensor],
        input: B::Tensor,
    ) -> Self {
        let mut tape = Tape { graph, output, arrays, parameters, values: Vec::with_capacity(graph.nodes().len() + 1) };
        tape.values.push(input);
        for node in &graph.nodes()[..output.0] {
            let value = tape.at(node, |at| node.op.forward(at));
            tape.values.push(value);
        }
        tape
    }

    /// f(x): \[n, ...\].
    pub fn output(&self) -> &B::Tensor {
        &self.values[self.output.0]
    }

    /// The cotangent that is 1 at output c of every sample, outputs of higher rank counted row-major; of shape \[n, ...\].
    ///
    /// # Panics
    /// If there is no output c.
    pub fn unit_seed(&self, c: usize) -> B::Tensor {
        let shape = self.arrays.shape(self.output());
        let outputs = numel(&shape[1..]);
        let mut row = vec![B::Number::default(); outputs];
        row[c] = crate::Real::of(1.0);
        let one_sample = self.arrays.upload(&row, &[1, outputs]);
        let batch = self.arrays.add(&one_sample, &self.arrays.full(0.0, &[shape[0], outputs]));
        self.arrays.reshape(&batch, shape)
    }

    /// The cotangent that is 1 at every output.
    pub fn ones_seed(&self) -> B::Tensor {
        self.arrays.full(1.0, self.arrays.shape(self.output()))
    }

    /// Every use of a parameter, with its left side, in the order of the nodes.
    ///
    /// # Errors
    /// An op gives no factor for one of its parameters.
    pub fn uses(&self) -> Result<Vec<Use<B>>> {
        let mut uses = Vec::new();
        for (node_index, node) in self.graph.nodes()[..self.output.0].iter().enumerate() {
            for (position, parameter) in node.parameters.iter().enumerate() {
                let left = self.at(node, |at| node.op.left(at, position)).ok_or_else(|| {
                    Error::unsupported(format!(
                        "{} gives no factor for parameter '{}', so the parameter's part of a kernel is unknown",
                        node.op.name(),
                        self.graph.parameters()[parameter.0].name
                    ))
                })?;
                uses.push(Use { parameter: parameter.0, node: node_index, position, left });
            }
        }
        Ok(uses)
    }

    /// One reverse sweep: pulls `seed`, a cotangent of the output at every sample, back to what is wanted.
    pub fn sweep(&self, seed: &B::Tensor, wanted: Wanted<'_>) -> Swept<B> {
        let nodes = &self.graph.nodes()[..self.output.0];
        let needed = self.needed(wanted);
        let mut cotangents: Vec<Option<B::Tensor>> = vec![None; self.values.len()];
        cotangents[self.output.0] = Some(seed.clone());
        let mut by_node: Vec<Vec<Option<SweptRight<B>>>> = Vec::with_capacity(nodes.len());
        for (k, node) in nodes.iter().enumerate().rev() {
            let Some(dy) = cotangents[k + 1].take().filter(|_| needed[k + 1]) else {
                by_node.push(node.parameters.iter().map(|_| None).collect());
                continue;
            };
            let y = &self.values[k + 1];
            by_node.push(self.at(node, |at| {
                let rights = node.parameters.iter().enumerate();
                rights
                    .map(|(position, parameter)| {
                        wanted.parameter(parameter.0).then(|| {
                            let right = node.op.right(at, y, &dy, position);
                            self.resolved(right, &dy, k + 1 == self.output.0)
                        })
                    })
                    .collect()
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
        let input = if wanted.input { cotangents[0].take() } else { None };
        Swept { input, rights: by_node.into_iter().rev().flatten().collect() }
    }

    /// The factors of one parameter, one for each use that `swept` reached.
    pub fn factors(&self, uses: &[Use<B>], swept: &Swept<B>, parameter: usize) -> Vec<Factor<B>> {
        let both = uses.iter().zip(&swept.rights).filter(|(u, _)| u.parameter == parameter);
        both.filter_map(|(u, right)| Some(Factor::new(u.left.clone(), right.as_ref()?.array.clone()))).collect()
    }

    /// Which values a sweep must pass: those that depend on something wanted.
    fn needed(&self, wanted: Wanted<'_>) -> Vec<bool> {
        let mut needed = vec![wanted.input];
        for node in &self.graph.nodes()[..self.output.0] {
            let own = node.parameters.iter().any(|p| wanted.parameter(p.0));
            needed.push(own || node.inputs.iter().any(|v| needed[v.0]));
        }
        needed
    }

    /// b\[n,t,o\] of a right side, at a node whose result has the cotangent `dy`.
    fn resolved(&self, right: Right<B>, dy: &B::Tensor, is_output: bool) -> SweptRight<B> {
        match right {
            Right::Array(array) => SweptRight { array, is_cotangent: false, is_seed: false },
            Right::Cotangent => {
                let shape = self.arrays.shape(dy);
                let (n, o) = (shape[0], if shape.len() > 1 { shape[shape.len() - 1] } else { 1 });
                let t = if shape.len() > 2 { numel(&shape[1..shape.len() - 1]) } else { 1 };
                let array = self.arrays.reshape(dy, &[n, t, o]);
                SweptRight { array, is_cotangent: true, is_seed: is_output && shape.len() == 2 }
            }
        }
    }

    fn at<T>(&self, node: &Node<O>, f: impl FnOnce(&At<'_, B>) -> T) -> T {
        let inputs: Vec<&B::Tensor> = node.inputs.iter().map(|v| &self.values[v.0]).collect();
        let parameters: Vec<&B::Tensor> = node.parameters.iter().map(|p| &self.parameters[p.0]).collect();
        f(&At { arrays: self.arrays, inputs: &inputs, parameters: &parameters })
    }
}
