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
//! The first axis of every input is the batch, for any size in the file, unless [`Network::batch_axis`] or
//! [`Network::unbatched`] says otherwise. The network is read for a batch of one: the kernel is that of the function of one
//! sample. So shapes that the file computes come out as numbers. Nodes that work along the batch's axis are refused, since
//! they mix samples.
//!
//! # What is a parameter
//!
//! Which tensors of the file are parameters is decided before its nodes are read, by the first of these that speaks:
//!
//! 1. [`Network::trainable`], [`Network::fixed`] and [`Network::parameters_listed`];
//! 2. a list in the file's metadata, as `examples/python/trainable.py` writes it;
//! 3. PyTorch's exporter (`dynamo=True`), which says of every tensor whether it is a parameter, a buffer or a constant of
//!    the module;
//! 4. for other files, a rule: tensors that layers take as weights and biases, or that are added to values, multiplied
//!    with them or joined to them, are parameters. A tensor that is a parameter somewhere is one everywhere. Running
//!    statistics and settings of ops are not. Doubtful cases give a warning, and [`Built::tensors`] lists all.
//!
//! A parameter keeps its name and its shape in the file. If only the exporter knows its name (`onnx::MatMul_12`, `val_3`),
//! it is named by its node: `layers.0.linear1.weight`. Ops on parameters, such as a transpose, a mask or a low-rank update,
//! give weights that are derived from them. All other numbers are constants.
//!
//! # Stopped gradients
//!
//! PyTorch's exporter (`dynamo=True, optimize=False`) says where `detach` and `nn.Embedding(padding_idx=...)` stop a
//! gradient, and it is stopped. Files of other exporters, `torch.no_grad()`, and `requires_grad=False` leave no trace in a
//! file: `fixed` and `parameters_listed` say what they meant.
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
//! External data next to the model (`net.onnx.data`) are read from there.

mod array;
mod batch;
mod call;
mod foreign;
mod hoist;
mod inline;
mod operand;
mod parameters;
mod port;
mod preflight;
mod proto;
mod reader;
mod tensor;
mod translate;
mod weights;

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use prost::Message;

use crate::error::{Error, Result};
use crate::model::Model;
use crate::ops::Graph;
use crate::shape::numel;
use array::{Array, Kind};
use operand::Operand;
pub use parameters::Tensor;
use parameters::{Choice, Parameters, doubts, listed_in_file, merged, pytorch};
pub use port::Port;
use proto::{GraphProto, ModelProto, NodeProto, ValueInfo};
use reader::Reader;

/// A network in an ONNX file, decoded but not built.
#[derive(Clone, Debug)]
pub struct Network {
    graph: GraphProto,
    opset: i64,
    producer: String,
    /// The parameters that the file's metadata list.
    listed: Option<String>,
    /// The folder of the file, for external data.
    folder: Option<PathBuf>,
    inputs: Vec<Port>,
    /// Inputs that have a fixed value.
    constants: Vec<(String, f64)>,
    /// Names of the chosen outputs.
    chosen: Vec<String>,
    /// Names of outputs that are not chosen because they have no derivatives.
    left_out: Vec<String>,
    choice: Choice,
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
    /// The tensors of the file that the chosen outputs depend on, and which of them are parameters.
    pub tensors: Vec<Tensor>,
    /// Whether the network stops gradients (`detach`), so that differences of its outputs are not its derivatives.
    pub stops_gradients: bool,
    /// What a caller should know, such as that one parameter may have been two.
    pub warnings: Vec<String>,
}

impl Network {
    /// Decodes the file at `path`. External data are read when the network is built.
    ///
    /// # Errors
    /// The file cannot be read, is not an ONNX file, or lacks what every network has. The message names the file.
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
        let model = decoded(bytes).map_err(|error| match foreign::recognise(bytes) {
            Some(what) => Error::format(format!("not an ONNX file: {what}")),
            None => error,
        })?;
        let mut graph = model.graph.ok_or_else(|| Error::format("not an ONNX file: there is no graph in it"))?;
        inline::written_out(&mut graph, &model.functions)?;
        hoist::coefficients(&mut graph);
        let standard = model.opset_import.iter().find(|set| matches!(&set.domain[..], "" | "ai.onnx"));
        let opset =
            standard.map(|set| set.version).ok_or_else(|| Error::format("the file does not give its op set"))?;
        if opset < 7 {
            return Err(Error::unsupported(format!(
                "op set {opset}: the oldest supported one is 7; export the network again"
            )));
        }
        let held: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|input| !held.contains(input.name.as_str()));
        let inputs: Vec<Port> = inputs.map(Port::new).collect();
        let (chosen, left_out) = with_derivatives(&graph);
        let producer = format!("{} {}", model.producer_name, model.producer_version).trim().to_string();
        let listed = listed_in_file(&model.metadata_props).map(String::from);
        Ok(Network {
            graph,
            opset,
            producer,
            listed,
            folder: None,
            inputs,
            constants: Vec::new(),
            chosen,
            left_out,
            choice: Choice::default(),
        })
    }

    /// The inputs of the network.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The outputs of the network, all of them.
    pub fn outputs(&self) -> Vec<Port> {
        self.graph.output.iter().map(Port::new).collect()
    }

    /// The files with external data of its tensors, each once.
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

    /// The name of the program that wrote it.
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

    /// Gives the shape of a sample of input `name`, where the file leaves it open.
    ///
    /// # Errors
    /// There is no such input, or the file gives another shape.
    pub fn sample_shape(mut self, name: &str, shape: &[usize]) -> Result<Self> {
        let port = self.port(name)?;
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

    /// Chooses outputs: the model gives those called `names`, flattened, one after another. Unless this is called, all of
    /// them are chosen but those of whole numbers, truth values or text, such as the label of a classifier.
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
        self.left_out.clear();
        Ok(self)
    }

    /// Makes tensors parameters if their names match one of the patterns, `*` standing for any letters. See the
    /// [module](self). [`build`](Network::build) refuses a pattern that matches nothing.
    #[must_use]
    pub fn trainable<S: AsRef<str>>(mut self, patterns: &[S]) -> Self {
        self.choice.trainable.extend(patterns.iter().map(|pattern| pattern.as_ref().to_string()));
        self
    }

    /// Makes tensors constants if their names match one of the patterns, also if
    /// [`trainable`](Network::trainable) matches them.
    #[must_use]
    pub fn fixed<S: AsRef<str>>(mut self, patterns: &[S]) -> Self {
        self.choice.fixed.extend(patterns.iter().map(|pattern| pattern.as_ref().to_string()));
        self
    }

    /// Lists all parameters by name: every other tensor is a constant. In PyTorch they are
    /// `[name for name, p in net.named_parameters(remove_duplicate=False) if p.requires_grad]`.
    #[must_use]
    pub fn parameters_listed<S: AsRef<str>>(mut self, names: &[S]) -> Self {
        self.choice.listed = Some(names.iter().map(|name| name.as_ref().to_string()).collect());
        self
    }

    /// Says which axis of the input `name` is the batch's: 1 for a state `[layers, n, h]`. Samples still come with the
    /// batch first, `[n, layers, h]`.
    ///
    /// # Errors
    /// There is no such input, or it has no such axis.
    pub fn batch_axis(mut self, name: &str, axis: usize) -> Result<Self> {
        let port = self.port(name)?;
        if port.rank().is_some_and(|rank| axis >= rank) {
            let rank = port.rank().unwrap_or(0);
            return Err(Error::shape(format!("input '{name}' has {rank} axes, so its batch cannot be axis {axis}")));
        }
        port.place_batch(Some(axis));
        Ok(self)
    }

    /// Says that the inputs have no batch axis: the file is for one sample, whose shape is all of an input's. Samples
    /// still come with the batch first.
    #[must_use]
    pub fn unbatched(mut self) -> Self {
        self.inputs.iter_mut().for_each(|port| port.place_batch(None));
        self
    }

    /// Gives the input `name` the same value in all entries, for all samples: a sampling rate, or a flag.
    ///
    /// # Errors
    /// There is no such input, or the value is not finite.
    pub fn constant(mut self, name: &str, value: f64) -> Result<Self> {
        self.port(name)?;
        if !value.is_finite() {
            return Err(Error::value(format!("input '{name}' cannot be {value}")));
        }
        self.constants.push((name.to_string(), value));
        self.inputs.retain(|port| port.name != name);
        Ok(self)
    }

    fn port(&mut self, name: &str) -> Result<&mut Port> {
        let names: Vec<String> = self.inputs.iter().map(|port| port.name.clone()).collect();
        let port = self.inputs.iter_mut().find(|port| port.name == name);
        port.ok_or_else(|| Error::name(format!("there is no input '{name}'; there are {}", names.join(", "))))
    }

    /// Records the network up to the chosen outputs.
    ///
    /// # Errors
    /// A node has an op that is not supported ([`is_unsupported`](Error::is_unsupported)) or mixes samples, or shapes that
    /// do not fit: the message names the node. The shape of a sample is open. A parameter is NaN or infinite. A pattern of
    /// names matches no tensor.
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
        let legacy = self.producer.starts_with("pytorch");
        let parameters = Parameters::decide(&self.graph, self.listed.as_deref(), &self.choice, legacy)?;
        let shapes = inputs.iter().map(|port| port.closed()).collect::<Result<Vec<_>>>()?;
        let graph = Graph::with_inputs(&shapes.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        let mut reader = Reader::new(graph, &self.graph, self.opset, self.folder.as_deref(), &parameters, &needed);
        reader.batch = self.batch(&inputs)?;
        for ((port, shape), value) in inputs.iter().zip(&shapes).zip(reader.graph.inputs()) {
            let kind = if port.whole { Kind::Whole } else { Kind::Float };
            let shape = port.with_batch(shape);
            reader.define(&port.name, Operand::sample(value, shape, port.batch_axis).of_kind(kind));
        }
        for (name, value) in &self.constants {
            let Some(info) = self.graph.input.iter().find(|info| info.name == *name) else { continue };
            let port = Port::new(info);
            let kind = if port.whole { Kind::Whole } else { Kind::Float };
            let array = Array::full(&port.sizes_of_one(), *value, kind)?;
            reader.define(&info.name, Operand::constant(array));
        }
        reader.read(&self.graph.node, &needed)?;
        let mut built = self.finish(reader, &wanted, inputs)?;
        built.warnings.splice(0..0, self.choice.missing(&parameters));
        let known = parameters.known;
        built.tensors = parameters.into_tensors(&needed);
        built.warnings.splice(0..0, doubts(&built.tensors));
        built.warnings.extend(
            self.left_out.iter().map(|name| {
                format!("output '{name}' is left out: its numbers are not real, so they have no derivatives")
            }),
        );
        built.warnings.splice(0..0, pytorch::optimised(&self.graph, &needed));
        if !known {
            built.warnings.splice(0..0, merged(&self.graph, &needed));
        }
        built.warnings.dedup();
        Ok(built)
    }

    /// The size of the batch in the file, if it is fixed.
    fn batch(&self, inputs: &[&Port]) -> Result<Option<usize>> {
        let fixed = |port: &&&Port| port.batch.is_some_and(|batch| batch > 0);
        let Some(first) = inputs.iter().find(fixed) else { return Ok(None) };
        match inputs.iter().filter(fixed).find(|port| port.batch != first.batch) {
            Some(other) => Err(Error::shape(format!(
                "input '{}' is for a batch of {} and input '{}' for one of {}: if they have their batch on another axis, \
                 `batch_axis` (--batch-axis NAME=AXIS) says so, and `constant` (--constant NAME=VALUE) is for inputs that \
                 have none",
                first.name,
                first.batch.unwrap_or(0),
                other.name,
                other.batch.unwrap_or(0)
            ))),
            None => Ok(first.batch),
        }
    }

    fn finish(&self, mut reader: Reader<'_>, wanted: &[&str], inputs: Vec<&Port>) -> Result<Built> {
        let mut outputs = Vec::new();
        let mut flat = Vec::new();
        for name in wanted {
            let operand = reader.find(name).map_err(|error| error.context(format_args!("output '{name}'")))?;
            if operand.is_constant() {
                return Err(Error::unsupported(format!("output '{name}' does not depend on the samples")));
            }
            let shape = operand.sample_shape();
            flat.push(match wanted {
                [_] => reader.sample_value(&operand)?,
                _ => reader.value(&operand, &[numel(&shape)])?,
            });
            outputs.push((name.to_string(), shape));
        }
        let output = if flat.len() == 1 { flat[0] } else { reader.graph.concat(&flat, 0)? };
        let stops_gradients = reader.stops_gradients;
        let (graph, values, warnings) = reader.into_parts();
        let mut model = Model::new(graph, output)?;
        for (name, array) in values {
            // Large ones are held once.
            let array = Rc::try_unwrap(array).unwrap_or_else(|shared| (*shared).clone());
            model.set(&name, &array.shape, array.values)?;
        }
        let inputs = inputs.iter().map(|port| port.name.clone()).collect();
        Ok(Built { model, inputs, outputs, tensors: Vec::new(), stops_gradients, warnings })
    }
}

/// The messages of a file.
fn decoded(bytes: &[u8]) -> Result<ModelProto> {
    preflight::check(bytes)?;
    let model = ModelProto::decode(bytes).map_err(|error| Error::format(format!("not an ONNX file: {error}")))?;
    if model.graph.is_some() || !model.opset_import.is_empty() {
        Ok(model)
    } else {
        Err(Error::format("not an ONNX file: there is no graph in it"))
    }
}

/// The names of a graph's outputs of real numbers, and those of the others; if all are others, they are chosen.
fn with_derivatives(graph: &GraphProto) -> (Vec<String>, Vec<String>) {
    let real = |output: &&ValueInfo| {
        let tensor = output.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
        tensor.is_none_or(|tensor| matches!(tensor.elem_type, 0 | 1 | 10 | 11 | 16))
    };
    let names = |list: Vec<&ValueInfo>| list.into_iter().map(|output| output.name.clone()).collect();
    let (real, others): (Vec<&ValueInfo>, Vec<&ValueInfo>) = graph.output.iter().partition(real);
    if real.is_empty() { (names(others), Vec::new()) } else { (names(real), names(others)) }
}

/// The names that `wanted` depend on.
fn needed<'a>(nodes: &'a [NodeProto], wanted: &[&'a str]) -> HashSet<&'a str> {
    let mut needed: HashSet<&str> = wanted.iter().copied().collect();
    // Once is enough where nodes come after those that they depend on, as they should.
    loop {
        let before = needed.len();
        for node in nodes.iter().rev() {
            if node.output.iter().any(|name| needed.contains(name.as_str())) {
                takes(node, &mut needed);
            }
        }
        if needed.len() == before {
            return needed;
        }
    }
}

/// The names that a node takes, its branches included.
fn takes<'a>(node: &'a NodeProto, into: &mut HashSet<&'a str>) {
    into.extend(node.input.iter().map(String::as_str));
    for graph in node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()) {
        graph.node.iter().for_each(|inner| takes(inner, into));
        into.extend(graph.output.iter().map(|output| output.name.as_str()));
    }
}
