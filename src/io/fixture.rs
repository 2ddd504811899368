//! Reference kernels: a network, its parameters, a batch, and the kernels that another program computed for them.
//!
//! A fixture is a safetensors file (F32 or F64) with the tensors
//!
//! | tensor | shape | |
//! |---|---|---|
//! | `input` | N x ... | the batch |
//! | `param/NAME` | | parameters, in PyTorch's layouts |
//! | `buffer/NAME` | | buffers: running statistics and fixed tables |
//! | `output` | N x C | f(x) |
//! | `ntk/NAME` | (N C) x (N C) | the component of parameter NAME, row n C + c |
//! | `ntk` | (N C) x (N C) | the sum of the components |
//!
//! The metadata `model` is a JSON list of nodes {`id`, `op`, `inputs`, `params`, `buffers`, attributes} in order. The last
//! node is the output, and `input` is the name of the batch. The optional metadata `outputs_in_ntk` is the number of
//! outputs that the kernels cover, counted from the first one. The script that wrote the files is in `tests/fixtures`.

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
    /// The shape of the batch, `[n, ...]`.
    pub input_shape: Vec<usize>,
    /// The batch, row-major.
    pub input: Vec<f64>,
    /// f(x), row-major, from the other program.
    pub output: Vec<f64>,
    /// Its kernel, with the components in the order of the model's parameters.
    pub reference: Kernel<f64>,
    /// The number of outputs that the kernel covers, counted from the first one.
    pub outputs: usize,
}

impl Fixture {
    /// Reads the file at `path` and builds its network.
    ///
    /// # Errors
    /// The file cannot be read or is not a fixture, the network has an unknown op
    /// ([`is_unsupported`](Error::is_unsupported)), or its shapes do not match. The message names the file.
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
            .map_err(|error| Error::format(format!("the metadata 'model' is not a list of nodes: {error}")))?;

        let (input_shape, input) = array(&tensors, "input")?;
        let sample_shape = input_shape.get(1..).ok_or_else(|| Error::shape("the tensor 'input' has no sample axis"))?;
        let mut model = model(&nodes, sample_shape, &tensors)?;
        for (kind, list) in [("param", model.parameters().to_vec()), ("buffer", model.buffers().to_vec())] {
            for info in list {
                let (shape, values) = array(&tensors, &format!("{kind}/{}", info.name))?;
                model.set(&info.name, &shape, values)?;
            }
        }
        let outputs = match text("outputs_in_ntk") {
            Some(count) => count
                .parse()
                .map_err(|_| Error::format(format!("outputs_in_ntk is '{count}', but a number is needed")))?,
            None => model.outputs(),
        };
        if outputs == 0 || outputs > model.outputs() {
            return Err(Error::format(format!(
                "outputs_in_ntk is {outputs}, but the network has {} outputs",
                model.outputs()
            )));
        }
        let side = input_shape[0] * outputs;
        let mut components = Vec::new();
        for info in model.parameters() {
            components.push((info.name.clone(), kernel_matrix(&tensors, &format!("ntk/{}", info.name), side)?));
        }
        let reference = Kernel { total: kernel_matrix(&tensors, "ntk", side)?, components, manifest: None };
        let (_, output) = array(&tensors, "output")?;
        Ok(Fixture { model, input_shape, input, output, reference, outputs })
    }

    /// The largest relative difference between `kernel`, the full kernel of the batch, and the reference, over all
    /// components and the total. Also the name of that component: [`worst_difference`].
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
            return Err(Error::shape(format!(
                "the full kernel of {n} samples and {all} outputs cannot have the shape {:?}",
                matrix.shape()
            )));
        }
        let chosen = || (0..n).flat_map(|sample| (0..self.outputs).map(move |c| sample * all + c));
        let entries = chosen().flat_map(|row| chosen().map(move |col| matrix[(row, col)].f64())).collect();
        Matrix::from_vec(1, n * self.outputs, n * self.outputs, entries)
    }
}

/// The square matrix `name` of the file, `[side, side]`.
fn kernel_matrix(tensors: &SafeTensors<'_>, name: &str, side: usize) -> Result<Matrix<f64>> {
    let (shape, values) = array(tensors, name)?;
    if shape != [side, side] {
        return Err(Error::shape(format!("'{name}' has the shape {shape:?}, but [{side}, {side}] is needed")));
    }
    Matrix::from_vec(1, side, side, values)
}

/// The model of the nodes. The tensors give the shapes of its parameters and buffers.
fn model(nodes: &[Map<String, Json>], sample_shape: &[usize], tensors: &SafeTensors<'_>) -> Result<Model> {
    let mut graph = Graph::new(sample_shape)?;
    let mut values: HashMap<&str, Value> = HashMap::from([("input", graph.input())]);
    let mut last = graph.input();
    for (index, node) in nodes.iter().enumerate() {
        let field = |key: &str| node.get(key).and_then(Json::as_str);
        let op = field("op").ok_or_else(|| Error::format(format!("node {index} has no 'op'")))?;
        let id = field("id").ok_or_else(|| Error::format(format!("node {index} ({op}) has no 'id'")))?;
        last = record(&mut graph, node, op, &values, tensors)
            .map_err(|error| error.context(format_args!("node '{id}'")))?;
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
    let parsed = parsed.ok_or_else(|| Error::unsupported(format!("the op '{op}' is unknown")))??;
    let mut inputs = Vec::new();
    for name in names(node, "inputs")? {
        let value = values.get(name).copied();
        inputs
            .push(value.ok_or_else(|| Error::name(format!("'{op}' needs '{name}', but no earlier node has this id")))?);
    }
    let mut parameters = Vec::new();
    for name in names(node, "params")?.into_iter().chain(names(node, "buffers")?) {
        parameters.push(match graph.find_parameter(name) {
            Some(parameter) => parameter,
            None => match (tensors.tensor(&format!("param/{name}")), tensors.tensor(&format!("buffer/{name}"))) {
                (Ok(tensor), _) => graph.parameter(name, tensor.shape())?,
                (_, Ok(tensor)) => graph.buffer(name, tensor.shape())?,
                _ => {
                    return Err(Error::name(format!(
                        "the file has neither a tensor 'param/{name}' nor 'buffer/{name}'"
                    )));
                }
            },
        });
    }
    graph.apply(parsed, &inputs, &parameters)
}

/// The list of names under `key`. Empty if the node has no such key.
fn names<'a>(node: &'a Map<String, Json>, key: &str) -> Result<Vec<&'a str>> {
    let invalid = || Error::format(format!("'{key}' is not a list of names"));
    match node.get(key) {
        None => Ok(Vec::new()),
        Some(Json::Array(list)) => list.iter().map(|name| name.as_str().ok_or_else(invalid)).collect(),
        Some(_) => Err(invalid()),
    }
}

/// The attributes of a node: all keys except id, op, inputs, params and buffers.
fn attributes(node: &Map<String, Json>) -> Result<Attributes> {
    let mut attributes = Attributes::default();
    for (key, value) in node {
        if !["id", "op", "inputs", "params", "buffers"].contains(&key.as_str()) {
            attributes.insert(key, attribute(key, value)?);
        }
    }
    Ok(attributes)
}

fn attribute(key: &str, value: &Json) -> Result<Attribute> {
    let invalid = || {
        Error::format(format!(
            "attribute '{key}' is {value}, but a number, list of numbers, string or boolean is needed"
        ))
    };
    match value {
        Json::Bool(flag) => Ok(Attribute::Flag(*flag)),
        Json::Number(number) => number.as_f64().map(Attribute::Number).ok_or_else(invalid),
        Json::String(text) => Ok(Attribute::Text(text.clone())),
        Json::Array(list) => {
            let numbers: Option<Vec<f64>> = list.iter().map(Json::as_f64).collect();
            numbers.map(Attribute::Numbers).ok_or_else(invalid)
        }
        _ => Err(invalid()),
    }
}
