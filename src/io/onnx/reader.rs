//! Reading a network: the file's nodes in their order, each recorded on a graph for one sample, or computed if nothing
//! in it depends on a sample.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::array::{Array, Kind, MOST_ENTRIES};
use super::batch;
use super::call::{Call, node_name};
use super::operand::{Is, Operand, Source};
use super::parameters::Parameters;
use super::proto::{GraphProto, NodeProto, TensorProto};
use super::{tensor, translate};
use crate::error::{Error, Result};
use crate::ops::Graph;
use crate::ops::{Builtin, Reshape};
use crate::tape::{Parameter, Value};

/// A parameter or buffer and the values that it is to have.
pub(super) type Valued = (String, Rc<Array>);

/// The deepest nesting of branches and functions that is followed.
const DEEPEST: usize = 32;

/// The most steps that all loops of a network together are unrolled to.
const MOST_STEPS: usize = 1 << 14;

/// The state of a network that is being read.
pub(super) struct Reader<'a> {
    pub graph: Graph,
    /// What names stand for; the last entry is the innermost branch or function.
    scopes: Vec<HashMap<&'a str, Operand>>,
    initialisers: HashMap<&'a str, &'a TensorProto>,
    /// Names of sparse tensors, which are not read.
    sparse: HashSet<&'a str>,
    folder: Option<&'a Path>,
    opset: i64,
    /// Which tensors are parameters.
    pub(super) parameters: &'a Parameters,
    /// The size of the batch that the file is written for, if it is fixed.
    pub batch: Option<usize>,
    /// How often a name is used, the outputs of the network included.
    uses: HashMap<&'a str, usize>,
    /// Nodes that take a name, to look ahead by.
    consumers: HashMap<&'a str, &'a NodeProto>,
    /// Nodes by the names of their outputs.
    producers: HashMap<&'a str, &'a NodeProto>,
    /// Weights by the tensor that they are and by whether they are parameters.
    pub(super) weights: HashMap<(String, bool), Parameter>,
    /// Weights by the source that they are derived from, which is kept so that its address stays its own.
    pub(super) derived: HashMap<*const Source, (Rc<Source>, Parameter)>,
    /// The values that parameters and buffers are to have.
    pub(super) values: Vec<Valued>,
    /// How many more entries of constants may be computed.
    left: usize,
    /// How many more steps of loops may be unrolled.
    pub(super) steps: usize,
    /// Masks of truth values of samples, by the values that have 0 and the least float32 for true and false.
    pub(super) float_masks: Vec<(Value, Operand)>,
    /// The node that is read, in words.
    pub(super) at: String,
    /// What unnamed weights of the node that is read are named by.
    pub(super) path: String,
    pub warnings: Vec<String>,
    /// Whether a value lost its gradient on the way.
    pub stops_gradients: bool,
}

impl<'a> Reader<'a> {
    pub fn new(
        graph: Graph,
        file: &'a GraphProto,
        opset: i64,
        folder: Option<&'a Path>,
        parameters: &'a Parameters,
        needed: &HashSet<&str>,
    ) -> Self {
        let (mut uses, mut consumers) = (HashMap::new(), HashMap::new());
        count(file, needed, &mut uses, &mut consumers);
        Reader {
            graph,
            scopes: vec![HashMap::new()],
            initialisers: file.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
            sparse: file.sparse_initializer.iter().flat_map(|t| &t.values).map(|values| values.name.as_str()).collect(),
            folder,
            opset,
            parameters,
            batch: None,
            uses,
            consumers,
            producers: outputs_of(file),
            weights: HashMap::new(),
            derived: HashMap::new(),
            values: Vec::new(),
            left: 2 * MOST_ENTRIES,
            steps: MOST_STEPS,
            float_masks: Vec::new(),
            at: String::new(),
            path: String::new(),
            warnings: Vec::new(),
            stops_gradients: false,
        }
    }

    /// The graph, the values of parameters and buffers, and the warnings.
    pub fn into_parts(self) -> (Graph, Vec<Valued>, Vec<String>) {
        (self.graph, self.values, self.warnings)
    }

    /// Says what `name` stands for.
    pub fn define(&mut self, name: &'a str, operand: Operand) {
        self.scopes.last_mut().expect("there is a scope").insert(name, operand);
    }

    /// What `name` stands for.
    ///
    /// # Errors
    /// Nothing that was read so far gives it.
    pub fn find(&mut self, name: &str) -> Result<Operand> {
        if let Some(operand) = self.scopes.iter().rev().find_map(|scope| scope.get(name)) {
            return Ok(operand.clone());
        }
        let Some((&name, &tensor)) = self.initialisers.get_key_value(name) else {
            if self.sparse.contains(name) {
                return Err(Error::unsupported(format!(
                    "it takes '{name}', a sparse tensor: export it as a dense one"
                )));
            }
            return Err(Error::format(format!(
                "it takes '{name}', which no node before it computes: the file lacks it, or its nodes are out of order"
            )));
        };
        let array =
            tensor::numbers(tensor, self.folder).map_err(|e| e.context(format_args!("initialiser '{name}'")))?;
        let operand = self.tensor(name, array);
        // Read once, for all nodes.
        self.scopes[0].insert(name, operand.clone());
        Ok(operand)
    }

    /// The tensor `name` of the file with these numbers.
    pub fn tensor(&self, name: &str, array: Array) -> Operand {
        let trainable = array.kind == Kind::Float && self.parameters.is_trainable(name);
        let source = Source::Tensor { name: name.into(), trainable };
        Operand::with_source(Rc::new(array), Some(Rc::new(source)))
    }

    pub fn is_initialiser(&self, name: &str) -> bool {
        self.initialisers.contains_key(name)
    }

    /// The code of a name's number type, if the file says it near by.
    pub fn element_type(&self, name: &str) -> Option<i32> {
        let mut name = name;
        for _ in 0..DEEPEST {
            if let Some(tensor) = self.initialisers.get(name) {
                return Some(tensor.data_type);
            }
            let node = self.producers.get(name)?;
            let attribute = |key: &str| node.attribute.iter().find(|attribute| attribute.name == key);
            name = match node.op_type.as_str() {
                "Cast" => return i32::try_from(attribute("to")?.i?).ok(),
                "Constant" | "ConstantOfShape" => return Some(attribute("value")?.t.as_ref()?.data_type),
                "CastLike" => node.input.get(1)?,
                "Identity" | "Expand" | "Reshape" | "Squeeze" | "Unsqueeze" => node.input.first()?,
                _ => return None,
            };
        }
        None
    }

    /// Records those of the nodes that are needed.
    ///
    /// # Errors
    /// A node's op is not supported or does not fit its inputs; the message names the node.
    pub fn read(&mut self, nodes: &'a [NodeProto], needed: &HashSet<&str>) -> Result<()> {
        for node in nodes.iter().filter(|node| is_needed(node, needed)) {
            self.node(node)
                .map_err(|error| error.context(format_args!("node '{}' ({})", node_name(node), node.op_type)))?;
        }
        Ok(())
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<()> {
        self.at = format!("node '{}' ({})", node_name(node), node.op_type);
        let find = |name: &String| if name.is_empty() { Ok(None) } else { self.find(name).map(Some) };
        let inputs = node.input.iter().map(find).collect::<Result<Vec<_>>>()?;
        let call = Call { node, inputs, opset: self.opset };
        self.path = call.path();
        let mut results = translate::node(self, &call)?;
        batch::hint_sizes(&call, &mut results);
        let computed: usize = results.iter().filter_map(|x| Some(x.numbers()?.values.len())).sum();
        self.left = self.left.checked_sub(computed).ok_or_else(|| {
            Error::unsupported("the constants that nodes compute have more entries than the file warrants")
        })?;
        let given = results.len();
        // Left out outputs have no name.
        for (name, result) in node.output.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
            self.define(name, result);
        }
        // An output that no node takes may be left out.
        match node.output.iter().skip(given).find(|name| self.is_taken(name)) {
            Some(name) => Err(Error::unsupported(format!("its output '{name}', which is used, is not supported"))),
            None => Ok(()),
        }
    }

    /// The results of a graph inside a node, given its inputs. It sees all names around it.
    pub fn branch(&mut self, graph: &'a GraphProto, inputs: Vec<Operand>) -> Result<Vec<Operand>> {
        if self.scopes.len() > DEEPEST {
            return Err(Error::unsupported(format!("more than {DEEPEST} graphs inside each other")));
        }
        let outputs: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
        self.scopes.push(HashMap::new());
        for (info, input) in graph.input.iter().zip(inputs) {
            self.define(&info.name, input);
        }
        for tensor in &graph.initializer {
            let array = tensor::numbers(tensor, self.folder)?;
            let operand = self.tensor(&tensor.name, array);
            self.define(&tensor.name, operand);
        }
        let read = self.read(&graph.node, &super::needed(&graph.node, &outputs));
        let results = read.and_then(|()| outputs.iter().map(|name| self.find(name)).collect());
        self.scopes.pop();
        results
    }

    /// The value that reshapes gave the shape of `value`.
    pub fn reshaped_from(&self, mut value: Value) -> Value {
        while let Some(node) = self.graph.node_of(value).filter(|node| matches!(node.op, Builtin::Reshape(_))) {
            value = node.inputs[0];
        }
        value
    }

    /// The only node that takes the first output of `call`, if there is only one.
    pub fn only_consumer(&self, call: &Call<'_>) -> Option<&'a NodeProto> {
        let name = call.node.output.first()?.as_str();
        (self.uses.get(name) == Some(&1)).then(|| self.consumers.get(name).copied())?
    }

    /// Whether a node or the caller takes the output `name`.
    pub fn is_taken(&self, name: &str) -> bool {
        !name.is_empty() && self.uses.contains_key(name)
    }

    /// A value's numbers as a value of the graph of this shape for one sample.
    pub fn value(&mut self, x: &Operand, shape: &[usize]) -> Result<Value> {
        let value = match &x.is {
            Is::Sample(value) => *value,
            Is::Constant(..) => {
                let numbers = self.weight(x, "weight")?;
                match self.broadcast_over_samples(x, numbers)?.is {
                    Is::Sample(value) => value,
                    _ => unreachable!("every sample has it now"),
                }
            }
            Is::Sequence(_) => return Err(Error::unsupported("a sequence of values where one value is needed")),
        };
        if self.graph.shape(value) == shape {
            return Ok(value);
        }
        self.graph.apply(Reshape::new(shape), &[value], &[])
    }

    /// As [`value`](Reader::value), in its own shape without the batch's axis.
    pub fn sample_value(&mut self, x: &Operand) -> Result<Value> {
        self.value(x, &x.sample_shape())
    }

    /// `op` on operands in their own shapes without the batch's axis, computed now if all of them are constants. Its
    /// result has the shape `shape` in the file's axes, the batch before axis `batch`.
    pub fn apply(
        &mut self,
        op: impl Into<Builtin>,
        inputs: &[&Operand],
        shape: Vec<usize>,
        batch: Option<usize>,
    ) -> Result<Operand> {
        let op = op.into();
        if inputs.iter().all(|x| x.is_constant()) {
            let arrays: Vec<Cow<'_, Array>> = inputs.iter().filter_map(|x| x.shaped()).collect();
            let mut array = Array::of_op(&op, &arrays.iter().map(|array| &**array).collect::<Vec<_>>())?;
            array.shape = shape;
            let source = Source::derived(op, inputs)?;
            return Ok(Operand::with_source(Rc::new(array), source));
        }
        let values = inputs.iter().map(|x| self.sample_value(x)).collect::<Result<Vec<_>>>()?;
        let value = self.graph.apply(op, &values, &[])?;
        Ok(Operand::sample(value, shape, batch))
    }
}

/// How often names are used, and by which nodes, branches included. Only nodes and outputs that are needed count.
fn count<'a>(
    graph: &'a GraphProto,
    needed: &HashSet<&str>,
    uses: &mut HashMap<&'a str, usize>,
    consumers: &mut HashMap<&'a str, &'a NodeProto>,
) {
    for node in graph.node.iter().filter(|node| is_needed(node, needed)) {
        for name in &node.input {
            *uses.entry(name).or_default() += 1;
            consumers.insert(name, node);
        }
        for inner in node.attribute.iter().filter_map(|attribute| attribute.g.as_deref()) {
            count(inner, needed, uses, consumers);
        }
    }
    for output in graph.output.iter().filter(|output| needed.contains(output.name.as_str())) {
        *uses.entry(&output.name).or_default() += 1;
    }
}

fn is_needed(node: &NodeProto, needed: &HashSet<&str>) -> bool {
    node.output.iter().any(|name| needed.contains(name.as_str()))
}

/// The nodes by the names of their outputs.
fn outputs_of(graph: &GraphProto) -> HashMap<&str, &NodeProto> {
    graph.node.iter().flat_map(|node| node.output.iter().map(move |name| (name.as_str(), node))).collect()
}
