//! Reference kernels: a network, its parameters, a batch, and the kernels that another program computed for them.
//!
//! A fixture is a safetensors file (F32 or F64) with the tensors
//!
//! | tensor | shape | |
//! |---|---|---|
//! | `input` | N x ... | the batch |
//! | `param/NAME` | | parameters, in PyTorch's layouts |
//! | `buffer/NAME` | | what is no parameter: running statistics, tables that are held fixed |
//! | `output` | N x C | f(x) |
//! | `ntk/NAME` | (N C) x (N C) | the component of parameter NAME, row n C + c |
//! | `ntk` | (N C) x (N C) | their sum |
//!
//! and, as metadata, `model`: a JSON list of nodes {`id`, `op`, `inputs`, `params`, `buffers`, attributes} in order, the last one
//! being the output and `input` the name of the batch; `outputs_in_ntk`, where present, says that the kernels cover only
//! the first so many outputs. The script that made the files in `tests/fixtures` stands beside them.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::SafeTensors;
use serde_json::{Map, Value as Json};

use super::safetensors::{array, deserialize};
use crate::attributes::{Attribute, Attributes};
use crate::error::{Error, Result};
use crate::kernel::{Kernel, Matrix, worst_difference};
use crate::model::Model;
use crate::ops::Graph;
use crate::ops::{Builtin, Op};
use crate::real::Real;
use crate::tape::Value;

/// A network and its kernels, from a file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fixture {
    /// The network with its parameters.
    pub model: Model,
    /// The shape of the batch, \[n, ...\].
    pub input_shape: Vec<usize>,
    /// The batch, row-major.
    pub input: Vec<f64>,
    /// f(x), row-major, as the other program computed it.
    pub output: Vec<f64>,
    /// Its kernel, and every component, in the order of the model's parameters.
    pub reference: Kernel<f64>,
    /// The kernel covers this many outputs, the first ones.
    pub outputs: usize,
}

impl Fixture {
    /// Reads the file at `path` and builds the network that it describes.
    ///
    /// # Errors
    /// The file cannot be read or is not of the form; the network has an op that this crate lacks
    /// ([`is_unsupported`](Error::is_unsupported)), or its shapes do not fit. The message names the file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let read = || Self::parse(&std::fs::read(path)?);
        read().map_err(|error| error.context(path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let tensors = deserialize(bytes)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| Error::format(error.to_string()))?;
        let metadata = header.metadata().as_ref();
        let text = |key: &str| metadata.and_then(|map| map.get(key));
        let description = text("model").ok_or_else(|| Error::format("the file has no metadata 'model'"))?;
        let nodes: Vec<Map<String, Json>> = serde_json::from_str(description)
            .map_err(|error| Error::format(format!("metadata 'model' is no list of nodes: {error}")))?;

        let (input_shape, input) = array(&tensors, "input")?;
        let sample_shape = input_shape.get(1..).ok_or_else(|| Error::shape("'input' has no sample axis"))?;
        let mut model = model(&nodes, sample_shape, &tensors)?;
        for (kind, list) in [("param", model.parameters().to_vec()), ("buffer", model.buffers().to_vec())] {
            for info in list {
                let (shape, values) = array(&tensors, &format!("{kind}/{}", info.name))?;
                model.set(&info.name, &shape, values)?;
            }
        }
        let outputs = match text("outputs_in_ntk") {
            Some(count) => count.parse().map_err(|_| Error::format(format!("outputs_in_ntk is '{count}'")))?,
            None => model.outputs(),
        };
        if outputs == 0 || outputs > model.outputs() {
            return Err(Error::format(format!("outputs_in_ntk is {outputs}, of {} outputs", model.outputs())));
        }
        let side = input_shape[0] * outputs;
        let matrix = |name: &str| {
            let (shape, values) = array(&tensors, name)?;
            if shape != [side, side] {
                return Err(Error::shape(format!("'{name}' has shape {shape:?}, where [{side}, {side}] is needed")));
            }
            Matrix::from_vec(1, side, side, values)
        };
        let named = |name: &str| Ok((name.to_string(), matrix(&format!("ntk/{name}"))?));
        let components: Result<Vec<_>> = model.parameters().iter().map(|info| named(&info.name)).collect();
        let reference = Kernel { total: matrix("ntk")?, components: components?, manifest: None };
        let (_, output) = array(&tensors, "output")?;
        Ok(Fixture { model, input_shape, input, output, reference, outputs })
    }

    /// The largest relative difference of `kernel`, the full kernel of the batch, from the reference over all components
    /// and the total, and which one it was: [`worst_difference`].
    ///
    /// # Errors
    /// The kernel has other components or another size.
    pub fn worst_difference<R: Real>(&self, kernel: &Kernel<R>) -> Result<(f64, String)> {
        let covered = |matrix: &Matrix<R>| self.covered(matrix);
        let components = kernel.components().iter().map(|(name, matrix)| Ok((name.clone(), covered(matrix)?)));
        let components = components.collect::<Result<Vec<_>>>()?;
        let kernel = Kernel { total: covered(kernel.total())?, components, manifest: None };
        worst_difference(&kernel, &self.reference)
    }

    /// The rows and columns of the outputs that the reference covers, in f64.
    fn covered<R: Real>(&self, matrix: &Matrix<R>) -> Result<Matrix<f64>> {
        let (all, n) = (self.model.outputs(), self.input_shape[0]);
        if matrix.shape() != [1, n * all, n * all] {
            return Err(Error::shape(format!("a kernel of shape {:?} for {n} samples, {all} outputs", matrix.shape())));
        }
        let chosen = || (0..n).flat_map(|sample| (0..self.outputs).map(move |c| sample * all + c));
        let entries = chosen().flat_map(|row| chosen().map(move |col| matrix[(row, col)].f64())).collect();
        Matrix::from_vec(1, n * self.outputs, n * self.outputs, entries)
    }
}

/// The graph of the nodes, with a parameter wherever one is named.
fn model(nodes: &[Map<String, Json>], sample_shape: &[usize], tensors: &SafeTensors<'_>) -> Result<Model> {
    let mut graph = Graph::new(sample_shape)?;
    let mut values: HashMap<&str, Value> = HashMap::from([("input", graph.input())]);
    let mut last = graph.input();
    for (index, node) in nodes.iter().enumerate() {
        let field = |key: &str| node.get(key).and_then(Json::as_str);
        let op = field("op").ok_or_else(|| Error::format(format!("node {index} has no 'op'")))?;
        let id = field("id").ok_or_else(|| Error::format(format!("node {index} ({op}) has no 'id'")))?;
        let here = |error: Error| error.context(format!("node '{id}'"));
        last = record(&mut graph, node, op, &values, tensors).map_err(here)?;
        values.insert(id, last);
    }
    Model::new(graph, last)
}

fn record(
    graph: &mut Graph,
    node: &Map<String, Json>,
    op: &str,
    values: &HashMap<&str, Value>,
    tensors: &SafeTensors<'_>,
) -> Result<Value> {
    let parsed = Builtin::parse(op, &attributes(node)?);
    let parsed = parsed.ok_or_else(|| Error::unsupported(format!("this crate has no op '{op}'")))??;
    let find = |name: &&str| {
        values.get(name).copied().ok_or_else(|| Error::name(format!("'{op}' takes '{name}', which is not there yet")))
    };
    let inputs: Vec<Value> = names(node, "inputs")?.iter().map(find).collect::<Result<_>>()?;
    let mut parameters = Vec::new();
    for name in names(node, "params")?.into_iter().chain(names(node, "buffers")?) {
        parameters.push(match graph.find_parameter(name) {
            Some(parameter) => parameter,
            None => match (tensors.tensor(&format!("param/{name}")), tensors.tensor(&format!("buffer/{name}"))) {
                (Ok(tensor), _) => graph.parameter(name, tensor.shape())?,
                (_, Ok(tensor)) => graph.buffer(name, tensor.shape())?,
                _ => return Err(Error::name(format!("there is no tensor 'param/{name}' nor 'buffer/{name}'"))),
            },
        });
    }
    graph.apply(parsed, &inputs, &parameters)
}

/// A list of names; empty if it is not there.
fn names<'a>(node: &'a Map<String, Json>, key: &str) -> Result<Vec<&'a str>> {
    let wrong = || Error::format(format!("'{key}' is no list of names"));
    match node.get(key) {
        None => Ok(Vec::new()),
        Some(Json::Array(list)) => list.iter().map(|name| name.as_str().ok_or_else(wrong)).collect(),
        Some(_) => Err(wrong()),
    }
}

/// What a node says beside its name, inputs and parameters.
fn attributes(node: &Map<String, Json>) -> Result<Attributes> {
    let mut attributes = Attributes::default();
    for (key, value) in node {
        if ["id", "op", "inputs", "params", "buffers"].contains(&key.as_str()) {
            continue;
        }
        let wrong = || Error::format(format!("attribute '{key}' is {value}, no number, list of numbers, word or flag"));
        attributes.insert(
            key,
            match value {
                Json::Bool(flag) => Attribute::Flag(*flag),
                Json::Number(number) => Attribute::Number(number.as_f64().ok_or_else(wrong)?),
                Json::String(word) => Attribute::Text(word.clone()),
                Json::Array(list) => {
                    let numbers = list.iter().map(|x| x.as_f64().ok_or_else(wrong)).collect::<Result<_>>()?;
                    Attribute::Numbers(numbers)
                }
                _ => return Err(wrong()),
            },
        );
    }
    Ok(attributes)
}
