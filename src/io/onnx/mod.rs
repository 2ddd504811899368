//! Networks from ONNX files.
//!
//! [`Network::read`] decodes a file, [`Network::build`] records it as a model:
//!
//! ```no_run
//! use tangent_kernels::{Batch, Cpu, Session, io::onnx::Network};
//! let built = Network::read("net.onnx")?.build()?;
//! for warning in &built.warnings {
//!     eprintln!("{warning}");
//! }
//! let session = Session::new(&built.model, Cpu::<f32>::new())?;
//! let x = [0.0; 784];
//! let kernel = session.ntk().compute(&Batch::new(&x, &[1, 784])?)?;
//! # Ok::<(), tangent_kernels::Error>(())
//! ```
//!
//! # One sample
//!
//! The first axis of every input is the batch, whatever size the file gives it. The network is read for a batch of one:
//! what it does to one sample is the function that a kernel is of. So shapes that the file computes come out as numbers,
//! and nodes that work along the batch's axis are refused, since they mix samples.
//!
//! # What is a parameter
//!
//! An initialiser that a node takes as its weight: of Gemm, MatMul, Conv, ConvTranspose, the norms, PRelu, as the table of
//! Gather, or as the bias that an Add adds. It keeps its name and its shape in the file; if only the exporter knows its
//! name (`onnx::MatMul_12`, `val_3`), it is named by its node: `layers.0.linear1.weight`. What is made of initialisers by
//! other nodes, such as a transposed weight, is of those initialisers. An initialiser that an Identity repeats is another
//! parameter, by the name of the copy: exporters write equal ones once. The weight and bias of a norm that is written out,
//! (x - mean) / sqrt(variance + eps) w + b, are parameters too.
//!
//! All other numbers are constants: running statistics, and initialisers that other nodes take, such as a factor of Mul. Of
//! those that have a name and more than one entry a warning tells; [`Network::also`] makes them parameters.
//!
//! # How to export
//!
//! Exporters like to fold batch norms into convolutions, and then the kernel is another network's. These calls of
//! PyTorch's keep the network as it is:
//!
//! ```python
//! torch.onnx.export(net.eval(), (x[:1],), "net.onnx", dynamo=True, optimize=False)
//! torch.onnx.export(net.eval(), (x[:1],), "net.onnx", dynamo=False,
//!                   training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
//! ```
//!
//! Numbers that lie in files beside the model (`net.onnx.data`) are read from there.

mod array;
mod call;
mod inline;
mod operand;
mod proto;
mod reader;
mod tensor;
mod translate;
mod weigh;
mod weights;

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use prost::Message;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::ops::Graph;
use crate::shape::{checked_numel, numel};
use array::Kind;
use operand::Operand;
use proto::{GraphProto, ModelProto, NodeProto, ValueInfo};
use reader::Reader;

/// A network in an ONNX file, decoded but not built.
#[derive(Clone, Debug)]
pub struct Network {
    graph: GraphProto,
    opset: i64,
    producer: String,
    /// Where the file lies, for data beside it.
    folder: Option<PathBuf>,
    inputs: Vec<Port>,
    /// Names of the chosen outputs.
    chosen: Vec<String>,
    also: Vec<String>,
}

/// An input or output of a network.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// Its shape for one sample, if the file tells how many axes there are; `None` for sizes that it leaves open.
    pub shape: Option<Vec<Option<usize>>>,
    /// The size of the batch, if the file fixes it.
    batch: Option<usize>,
    whole: bool,
}

/// A network that was built.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Built {
    /// The network, with the values of its parameters and buffers.
    pub model: Model,
    /// The names of its inputs, in the model's order. Inputs of the file that the chosen outputs do not depend on are left
    /// out.
    pub inputs: Vec<String>,
    /// The chosen outputs and their shapes for one sample, in the order in which the model's output has them, flattened,
    /// one after another.
    pub outputs: Vec<(String, Vec<usize>)>,
    /// What a caller should know, such as that one parameter may have been two.
    pub warnings: Vec<String>,
}

impl Network {
    /// Decodes the file at `path`. Data in files beside it are read when the network is built.
    ///
    /// # Errors
    /// The file cannot be read, is no ONNX file, or lacks what every network has. The message names the file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = || {
            let mut bytes = Vec::new();
            super::open(path)?.0.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let mut network = bytes().and_then(|bytes| Self::parse(&bytes)).map_err(|e| e.context(path.display()))?;
        network.folder = Some(path.parent().unwrap_or(Path::new("")).to_owned());
        Ok(network)
    }

    /// Decodes the bytes of a file.
    ///
    /// # Errors
    /// As [`read`](Network::read).
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        weigh::check(bytes)?;
        let model = ModelProto::decode(bytes).map_err(|error| Error::format(format!("no ONNX file: {error}")))?;
        let mut graph = model.graph.ok_or_else(|| Error::format("no ONNX file: there is no graph in it"))?;
        inline::written_out(&mut graph, &model.functions)?;
        let standard = model.opset_import.iter().find(|set| matches!(&set.domain[..], "" | "ai.onnx"));
        let opset = standard.map(|set| set.version).ok_or_else(|| Error::format("it does not tell its op set"))?;
        if opset < 7 {
            return Err(Error::unsupported(format!("op set {opset}: 7 is the oldest that is read; export it anew")));
        }
        let held: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|input| !held.contains(input.name.as_str()));
        let inputs: Vec<Port> = inputs.map(Port::of).collect();
        let chosen = graph.output.iter().map(|output| output.name.clone()).collect();
        let producer = format!("{} {}", model.producer_name, model.producer_version).trim().to_string();
        Ok(Network { graph, opset, producer, folder: None, inputs, chosen, also: Vec::new() })
    }

    /// The inputs of the network.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs of the network, all of them.
    pub fn outputs(&self) -> Vec<Port> {
        self.graph.output.iter().map(Port::of).collect()
    }

    /// The files beside it that hold numbers of its initialisers, each once.
    pub fn data_files(&self) -> Vec<PathBuf> {
        let location = |tensor: &proto::TensorProto| {
            let entry = tensor.external_data.iter().find(|entry| entry.key == "location")?;
            (tensor.data_location == 1).then(|| self.folder.as_deref().unwrap_or(Path::new("")).join(&entry.value))
        };
        let mut files: Vec<PathBuf> = self.graph.initializer.iter().filter_map(location).collect();
        files.sort();
        files.dedup();
        files
    }

    /// The version of the op set that it is written in.
    pub fn opset(&self) -> i64 {
        self.opset
    }

    /// The program that wrote it, as it calls itself.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// How often every op occurs, by name, and why it is not supported, if it is not.
    pub fn ops(&self) -> Vec<(String, usize, Option<String>)> {
        let mut list: Vec<(String, usize, Option<String>)> = Vec::new();
        for node in &self.graph.node {
            match list.iter_mut().find(|(name, ..)| *name == node.op_type) {
                Some((_, count, _)) => *count += 1,
                None => list.push((node.op_type.clone(), 1, translate::refusal(&node.domain, &node.op_type))),
            }
        }
        list.sort();
        list
    }

    /// Says what shape a sample of input `name` has, where the file leaves it open.
    ///
    /// # Errors
    /// There is no such input, or the file tells another shape.
    pub fn sample_shape(mut self, name: &str, shape: &[usize]) -> Result<Self> {
        let names: Vec<String> = self.inputs.iter().map(|port| port.name.clone()).collect();
        let Some(port) = self.inputs.iter_mut().find(|port| port.name == name) else {
            return Err(Error::name(format!("there is no input '{name}'; there are {}", names.join(", "))));
        };
        let agrees = |own: &Vec<Option<usize>>| {
            own.len() == shape.len() && own.iter().zip(shape).all(|(own, size)| own.is_none_or(|own| own == *size))
        };
        if !port.shape.as_ref().is_none_or(agrees) {
            let own = port.described();
            return Err(Error::shape(format!("a sample of input '{name}' has shape {own} in the file, not {shape:?}")));
        }
        port.shape = Some(shape.iter().copied().map(Some).collect());
        Ok(self)
    }

    /// Chooses outputs: the model gives those called `names`, flattened, one after another. All of them are chosen unless
    /// this is called.
    ///
    /// # Errors
    /// There is no output of a name, or no name.
    pub fn choose<S: AsRef<str>>(mut self, names: &[S]) -> Result<Self> {
        let own: Vec<&str> = self.graph.output.iter().map(|output| output.name.as_str()).collect();
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        if let Some(unknown) = names.iter().find(|name| !own.contains(name)) {
            return Err(Error::name(format!("there is no output '{unknown}'; there are {}", own.join(", "))));
        }
        if names.is_empty() {
            return Err(Error::name("no output is chosen"));
        }
        self.chosen = names.into_iter().map(String::from).collect();
        Ok(self)
    }

    /// Makes initialisers whose names fit one of the patterns, `*` standing for any letters, parameters where they
    /// multiply, too. See the [module](self).
    #[must_use]
    pub fn also<S: AsRef<str>>(mut self, patterns: &[S]) -> Self {
        self.also = patterns.iter().map(|pattern| pattern.as_ref().to_string()).collect();
        self
    }

    /// Records the network up to the chosen outputs.
    ///
    /// # Errors
    /// A node has an op that is not supported ([`is_unsupported`](Error::is_unsupported)) or mixes samples, or shapes that
    /// do not fit: the message names the node. A sample's shape is open. A parameter is NaN or infinite.
    pub fn build(&self) -> Result<Built> {
        let wanted: Vec<&str> = self.chosen.iter().map(String::as_str).collect();
        if wanted.is_empty() {
            return Err(Error::format("the network has no output"));
        }
        let needed = needed(&self.graph.node, &wanted);
        let inputs: Vec<&Port> = self.inputs.iter().filter(|port| needed.contains(port.name.as_str())).collect();
        if inputs.is_empty() {
            return Err(Error::unsupported("no chosen output depends on an input"));
        }
        let shapes = inputs.iter().map(|port| port.closed()).collect::<Result<Vec<_>>>()?;
        let graph = Graph::with_inputs(&shapes.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        let mut reader = Reader::new(graph, &self.graph, self.opset, self.folder.as_deref(), &self.also);
        reader.batch = inputs.iter().find_map(|port| port.batch).filter(|&batch| batch > 0);
        for ((port, shape), value) in inputs.iter().zip(&shapes).zip(reader.graph.inputs()) {
            let kind = if port.whole { Kind::Whole } else { Kind::Float };
            let shape = [&[1], &shape[..]].concat();
            reader.define(&port.name, Operand::sample(value, shape, Some(0)).of_kind(kind));
        }
        reader.read(&self.graph.node, &needed)?;
        self.finish(reader, &wanted, inputs)
    }

    fn finish(&self, mut reader: Reader<'_>, wanted: &[&str], inputs: Vec<&Port>) -> Result<Built> {
        let mut outputs = Vec::new();
        let mut flat = Vec::new();
        for name in wanted {
            let operand = reader.find(name).map_err(|error| error.context(format_args!("output '{name}'")))?;
            if operand.is_constant() {
                return Err(Error::unsupported(format!("output '{name}' does not depend on the samples")));
            }
            let shape = operand.natural();
            flat.push(match wanted {
                [_] => reader.natural(&operand)?,
                _ => reader.value(&operand, &[numel(&shape)])?,
            });
            outputs.push((name.to_string(), shape));
        }
        let output = if flat.len() == 1 { flat[0] } else { reader.graph.concat(&flat, 0)? };
        let (graph, values, warnings) = reader.into_parts();
        let mut model = Model::new(graph, output)?;
        for (name, array) in values {
            // Large ones are held once.
            let array = Rc::try_unwrap(array).unwrap_or_else(|shared| (*shared).clone());
            model.set(&name, &array.shape, array.values)?;
        }
        let inputs = inputs.iter().map(|port| port.name.clone()).collect();
        Ok(Built { model, inputs, outputs, warnings })
    }
}

impl Port {
    fn of(info: &ValueInfo) -> Self {
        let tensor = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map(|shape| &shape.dim[..]);
        let size = |dim: &proto::Dimension| dim.dim_value.and_then(|size| usize::try_from(size).ok());
        let shape = dims.map(|dims| dims.iter().skip(1).map(size).collect());
        let batch = dims.and_then(|dims| size(dims.first()?));
        let whole = matches!(tensor.map_or(1, |tensor| tensor.elem_type), 2..=7 | 9 | 12 | 13);
        Port { name: info.name.clone(), shape, batch, whole }
    }

    /// Its shape for one sample in words, `?` for what is open.
    pub fn described(&self) -> String {
        let size = |size: &Option<usize>| size.map_or("?".to_string(), |size| size.to_string());
        match &self.shape {
            Some(shape) => format!("[{}]", shape.iter().map(size).collect::<Vec<_>>().join(", ")),
            None => "[...]".to_string(),
        }
    }

    /// Its shape for one sample, if nothing is open.
    fn closed(&self) -> Result<Vec<usize>> {
        let closed: Option<Vec<usize>> = self.shape.as_ref().and_then(|shape| shape.iter().copied().collect());
        let closed = closed.filter(|shape| checked_numel(shape).is_some());
        closed.ok_or_else(|| {
            let (name, shape) = (&self.name, self.described());
            Error::shape(format!("a sample of input '{name}' has shape {shape}: say what is open by `sample_shape`"))
        })
    }
}

/// The names that `wanted` depend on.
fn needed<'a>(nodes: &'a [NodeProto], wanted: &[&'a str]) -> HashSet<&'a str> {
    let mut needed: HashSet<&str> = wanted.iter().copied().collect();
    // Nodes stand after what they depend on.
    for node in nodes.iter().rev() {
        if node.output.iter().any(|name| needed.contains(name.as_str())) {
            takes(node, &mut needed);
        }
    }
    needed
}

/// What a node takes, its branches included.
fn takes<'a>(node: &'a NodeProto, into: &mut HashSet<&'a str>) {
    into.extend(node.input.iter().map(String::as_str));
    for graph in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
        graph.node.iter().for_each(|inner| takes(inner, into));
        into.extend(graph.output.iter().map(|output| output.name.as_str()));
    }
}
