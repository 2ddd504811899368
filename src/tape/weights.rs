//! Weights: parameters, buffers, and what is derived from them before any sample is there.

use super::graph::{Graph, Parameter};
use crate::backend::{Arrays, Cpu};
use crate::error::{Error, Result};
use crate::ops::{Op, OpContext};
use crate::shape::numel;

/// What an op may take beside its inputs.
#[derive(Clone, Debug)]
pub(crate) struct Weight<O> {
    pub origin: Origin<O>,
    pub shape: Vec<usize>,
    /// What every entry is until it is told otherwise.
    pub fill: Option<f64>,
}

/// Where a weight comes from.
#[derive(Clone, Debug)]
pub(crate) enum Origin<O> {
    /// It is a parameter: its index among them.
    Parameter(usize),
    /// It is a buffer: its index among them.
    Buffer(usize),
    /// An op made it of other weights.
    Derived { op: O, from: Vec<Parameter> },
}

/// A weight whose entries are entries of one parameter, each at most once, times a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct View {
    pub parameter: usize,
    pub factor: f64,
    /// Which entries of the parameter they are; `None` for all of them, in order.
    pub entries: Option<Vec<usize>>,
}

impl<O: Op> Graph<O> {
    /// As [`parameter`](Graph::parameter), where every entry is `value` until it is set or loaded; drawing random
    /// parameters keeps it. What a norm needs: weights that begin as 1, biases that begin as 0.
    ///
    /// # Errors
    /// As [`parameter`](Graph::parameter), or `value` is not finite.
    pub fn parameter_filled(&mut self, name: impl Into<String>, shape: &[usize], value: f64) -> Result<Parameter> {
        let parameter = self.parameter(name, shape)?;
        self.fill(parameter, value)
    }

    /// As [`buffer`](Graph::buffer), where every entry is `value` until it is set or loaded.
    ///
    /// # Errors
    /// As [`buffer`](Graph::buffer), or `value` is not finite.
    pub fn buffer_filled(&mut self, name: impl Into<String>, shape: &[usize], value: f64) -> Result<Parameter> {
        let buffer = self.buffer(name, shape)?;
        self.fill(buffer, value)
    }

    fn fill(&mut self, weight: Parameter, value: f64) -> Result<Parameter> {
        if !value.is_finite() {
            return Err(Error::value(format!("'{}' would be filled with {value}", self.weight_name(weight))));
        }
        self.weights[weight.0].fill = Some(value);
        Ok(weight)
    }

    /// What the parameter or buffer `name` is filled with until it is set, if it is.
    pub(crate) fn filled_with(&self, name: &str) -> Option<f64> {
        self.find_parameter(name).and_then(|weight| self.weights[weight.0].fill)
    }

    /// All weights on a backend, from the parameters and buffers there.
    pub(crate) fn weigh<B: Arrays>(
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
                    let inputs = stretched(arrays, from, &all, 1);
                    let inputs: Vec<&B::Tensor> = inputs.iter().collect();
                    let y = op.forward(&OpContext { arrays, inputs: &inputs, parameters: &[] });
                    arrays.reshape(&y, &weight.shape)
                }
            });
        }
        all
    }

    /// Which weights depend on the flagged parameters.
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

    /// Which weights depend on any parameter.
    pub(crate) fn trainable(&self) -> Vec<bool> {
        self.depending(&vec![true; self.parameters().len()])
    }

    /// Gradients of the weight `weight`, \[n, p\], as gradients of the parameters that it was made of: \[n, p'\] each.
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
                let inputs = stretched(arrays, from, weights, n);
                let inputs: Vec<&B::Tensor> = inputs.iter().collect();
                let at = OpContext { arrays, inputs: &inputs, parameters: &[] };
                let y = op.forward(&at);
                let dy = arrays.reshape(rows, arrays.shape(&y));
                let pulled = from.iter().enumerate().flat_map(|(k, p)| {
                    let dx = op.pull(&at, &y, &dy, k);
                    self.pulled_back(arrays, weights, p.0, &dx)
                });
                pulled.collect()
            }
        }
    }

    /// The weight as entries of one parameter, if it is that.
    pub(crate) fn view(&self, weight: usize) -> Option<View> {
        match &self.weights[weight].origin {
            Origin::Parameter(k) => Some(View { parameter: *k, factor: 1.0, entries: None }),
            Origin::Buffer(_) => None,
            Origin::Derived { op, from } => {
                let ([from], Some(factor)) = (&from[..], op.moves_entries()) else { return None };
                let inner = self.view(from.0)?;
                if factor == 0.0 || !factor.is_finite() {
                    return None;
                }
                // The op itself tells where entries go: it is run on their numbers.
                let shape = &self.weights[from.0].shape;
                let numbers: Vec<f64> = match &inner.entries {
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
                let whole = entries.len() == numel(&self.parameters()[inner.parameter].shape);
                let in_order = whole && entries.iter().enumerate().all(|(k, &entry)| k == entry);
                let entries = (!in_order).then_some(entries);
                once.then_some(View { factor: inner.factor * factor, entries, ..inner })
            }
        }
    }

    /// The parameter's index among the parameters, if it is one and no buffer nor derived.
    pub(crate) fn parameter_index(&self, weight: Parameter) -> Option<usize> {
        match self.weights[weight.0].origin {
            Origin::Parameter(k) => Some(k),
            _ => None,
        }
    }

    pub(crate) fn weight_shape(&self, weight: usize) -> &[usize] {
        &self.weights[weight].shape
    }

    /// A weight in words: a parameter's name, or what was made of which.
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

/// Weights as the inputs of an op: as if they were `n` equal samples.
fn stretched<B: Arrays>(arrays: &B, from: &[Parameter], weights: &[B::Tensor], n: usize) -> Vec<B::Tensor> {
    let one = |p: &Parameter| {
        let weight = &weights[p.0];
        let shape = [&[1], arrays.shape(weight)].concat();
        let alone = arrays.reshape(weight, &shape);
        if n == 1 { alone } else { arrays.add(&alone, &arrays.full(0.0, &[&[n], &shape[1..]].concat())) }
    };
    from.iter().map(one).collect()
}
