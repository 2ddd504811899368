//! Weights: parameters, buffers, and weights derived from them. They do not depend on samples.

use super::graph::{Graph, Parameter};
use crate::backend::{Arrays, Cpu, Storage};
use crate::error::{Error, Result};
use crate::ops::{Op, OpContext};
use crate::shape::numel;

/// An array that ops take in addition to their inputs.
#[derive(Clone, Debug)]
pub(crate) struct Weight<O> {
    pub origin: Origin<O>,
    pub shape: Vec<usize>,
    /// The value of every entry until it is set.
    pub fill: Option<f64>,
}

/// The origin of a weight.
#[derive(Clone, Debug)]
pub(crate) enum Origin<O> {
    /// A parameter, with its index among the parameters.
    Parameter(usize),
    /// A buffer, with its index among the buffers.
    Buffer(usize),
    /// The result of an op on other weights.
    Derived { op: O, from: Vec<Parameter> },
}

/// A weight whose entries are entries of one parameter, each used at most once, times a factor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub parameter: usize,
    pub factor: f64,
    /// The entries of the parameter. `None` if they are all entries in order.
    pub entries: Option<Vec<usize>>,
}

impl<O: Op> Graph<O> {
    /// As [`parameter`](Graph::parameter), with all entries equal to `value` until they are set or loaded. Random
    /// initialisation keeps the value. Norms use this for weights of 1 and biases of 0.
    ///
    /// # Errors
    /// As [`parameter`](Graph::parameter), or `value` is not finite.
    pub fn parameter_filled(&mut self, name: impl Into<String>, shape: &[usize], value: f64) -> Result<Parameter> {
        let parameter = self.parameter(name, shape)?;
        self.fill(parameter, value)
    }

    /// As [`buffer`](Graph::buffer), with all entries equal to `value` until they are set or loaded.
    ///
    /// # Errors
    /// As [`buffer`](Graph::buffer), or `value` is not finite.
    pub fn buffer_filled(&mut self, name: impl Into<String>, shape: &[usize], value: f64) -> Result<Parameter> {
        let buffer = self.buffer(name, shape)?;
        self.fill(buffer, value)
    }

    fn fill(&mut self, weight: Parameter, value: f64) -> Result<Parameter> {
        if !value.is_finite() {
            let name = self.weight_name(weight);
            return Err(Error::value(format!("'{name}' cannot be filled with {value}; pass a finite number")));
        }
        self.weights[weight.0].fill = Some(value);
        Ok(weight)
    }

    /// The initial value of all entries of the parameter or buffer `name`, if it has one.
    pub(crate) fn filled_with(&self, name: &str) -> Option<f64> {
        self.find_parameter(name).and_then(|weight| self.weights[weight.0].fill)
    }

    /// All weights on a backend, computed from the parameters and buffers there.
    pub(crate) fn materialise_weights<B: Arrays>(
        &self,
        arrays: &B,
        parameters: &[B::Tensor],
        buffers: &[B::Tensor],
    ) -> Vec<B::Tensor> {
        let mut all: Vec<B::Tensor> = Vec::with_capacity(self.weights.len());
        for weight in &self.weights {
            all.push(match &weight.origin {
                Origin::Parameter(k) => parameters[*k].clone(),
                Origin::Buffer(k) => buffers[*k].clone(),
                Origin::Derived { op, from } => {
                    let inputs = repeated(arrays, from, &all, 1);
                    let inputs: Vec<&B::Tensor> = inputs.iter().collect();
                    let y = op.forward(&OpContext { arrays, inputs: &inputs, parameters: &[] });
                    arrays.reshape(&y, &weight.shape)
                }
            });
        }
        all
    }

    /// For every weight, whether it depends on a flagged parameter.
    pub(crate) fn depending(&self, parameters: &[bool]) -> Vec<bool> {
        let mut all = Vec::with_capacity(self.weights.len());
        for weight in &self.weights {
            all.push(match &weight.origin {
                Origin::Parameter(k) => parameters[*k],
                Origin::Buffer(_) => false,
                Origin::Derived { from, .. } => from.iter().any(|p: &Parameter| all[p.0]),
            });
        }
        all
    }

    /// For every weight, whether it depends on any parameter.
    pub(crate) fn trainable(&self) -> Vec<bool> {
        self.depending(&vec![true; self.parameters().len()])
    }

    /// Gradients of the weight `weight`, `[n, p]`, as gradients `[n, p']` of the parameters that it is derived from.
    pub(crate) fn pulled_back<B: Arrays>(
        &self,
        arrays: &B,
        weights: &[B::Tensor],
        weight: usize,
        rows: &B::Tensor,
    ) -> Vec<(usize, B::Tensor)> {
        let n = arrays.shape(rows)[0];
        match &self.weights[weight].origin {
            Origin::Parameter(k) => {
                let shape = [n, numel(&self.weights[weight].shape)];
                vec![(*k, arrays.reshape(rows, &shape))]
            }
            Origin::Buffer(_) => Vec::new(),
            Origin::Derived { op, from } => {
                let inputs = repeated(arrays, from, weights, n);
                let inputs: Vec<&B::Tensor> = inputs.iter().collect();
                let ctx = OpContext { arrays, inputs: &inputs, parameters: &[] };
                let y = op.forward(&ctx);
                let dy = arrays.reshape(rows, arrays.shape(&y));
                let pulled = from.iter().enumerate().flat_map(|(k, p)| {
                    let dx = op.pull(&ctx, &y, &dy, k);
                    self.pulled_back(arrays, weights, p.0, &dx)
                });
                pulled.collect()
            }
        }
    }

    /// The weight as a view of one parameter, if it is one.
    pub(crate) fn view(&self, weight: usize) -> Option<View> {
        match &self.weights[weight].origin {
            Origin::Parameter(k) => Some(View { parameter: *k, factor: 1.0, entries: None }),
            Origin::Buffer(_) => None,
            Origin::Derived { op, from } => {
                let ([from], Some(factor)) = (&from[..], op.moves_entries()) else { return None };
                let view = self.view(from.0)?;
                if factor == 0.0 || !factor.is_finite() {
                    return None;
                }
                // Running the op on entry numbers shows how it moves entries.
                let shape = &self.weights[from.0].shape;
                let numbers: Vec<f64> = match &view.entries {
                    Some(entries) => entries.iter().map(|&k| k as f64).collect(),
                    None => (0..numel(shape)).map(|k| k as f64).collect(),
                };
                let cpu = Cpu::<f64>::new();
                let x = cpu.upload(&numbers, &[&[1], &shape[..]].concat());
                let y = op.forward(&OpContext { arrays: &cpu, inputs: &[&x], parameters: &[] });
                let entries: Vec<usize> = y.as_slice().iter().map(|k| (k / factor).round() as usize).collect();
                let mut sorted = entries.clone();
                sorted.sort_unstable();
                let once = sorted.windows(2).all(|pair| pair[0] != pair[1]);
                let whole = entries.len() == numel(&self.parameters()[view.parameter].shape);
                let in_order = whole && entries.iter().enumerate().all(|(k, &entry)| k == entry);
                let entries = (!in_order).then_some(entries);
                once.then_some(View { factor: view.factor * factor, entries, ..view })
            }
        }
    }

    /// The index among the parameters. `None` for buffers and derived weights.
    pub(crate) fn parameter_index(&self, weight: Parameter) -> Option<usize> {
        match self.weights[weight.0].origin {
            Origin::Parameter(k) => Some(k),
            _ => None,
        }
    }

    pub(crate) fn weight_shape(&self, weight: usize) -> &[usize] {
        &self.weights[weight].shape
    }

    /// A name for messages: the parameter's name, or the op and the names that the weight is derived from.
    pub(crate) fn weight_name(&self, weight: Parameter) -> String {
        match &self.weights[weight.0].origin {
            Origin::Parameter(k) => self.parameters()[*k].name.clone(),
            Origin::Buffer(k) => self.buffers()[*k].name.clone(),
            Origin::Derived { op, from } => {
                let names: Vec<String> = from.iter().map(|&p| self.weight_name(p)).collect();
                format!("{} of {}", op.name(), names.join(", "))
            }
        }
    }
}

/// Weights as the inputs of an op, repeated for `n` samples.
fn repeated<B: Arrays>(arrays: &B, from: &[Parameter], weights: &[B::Tensor], n: usize) -> Vec<B::Tensor> {
    from.iter().map(|p| repeated_weight(arrays, &weights[p.0], n)).collect()
}

fn repeated_weight<B: Arrays>(arrays: &B, weight: &B::Tensor, n: usize) -> B::Tensor {
    let shape = [&[1], arrays.shape(weight)].concat();
    let single = arrays.reshape(weight, &shape);
    if n == 1 { single } else { arrays.add(&single, &arrays.full(0.0, &[&[n], &shape[1..]].concat())) }
}
