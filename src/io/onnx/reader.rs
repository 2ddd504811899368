//! Reading a network: the file's nodes in their order, each recorded on a graph for one sample, or computed if nothing
//! in it depends on a sample.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::array::{Array, Kind, MOST_ENTRIES};
use super::call::{Call, node_name};
use super::operand::{Is, Made, Operand, Source};
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

/// What is known of a network that is being read.
pub(super) struct Reader<'a> {
    pub graph: Graph,
    /// What names stand for; the last entry is the innermost branch or function.
    scopes: Vec<HashMap<&'a str, Operand>>,
    initialisers: HashMap<&'a str, &'a TensorProto>,
    folder: Option<&'a Path>,
    opset: i64,
    /// The batch that the file is written for, if it is fixed.
    pub batch: Option<usize>,
    /// How often a name is used, the outputs of the network included.
    uses: HashMap<&'a str, usize>,
    /// Nodes that take a name, to look ahead by.
    takers: HashMap<&'a str, &'a NodeProto>,
    /// Weights by the initialiser that they are and by whether they are parameters.
    pub(super) weights: HashMap<(String, bool), Parameter>,
    /// Weights by what they are made of, which is kept so that its address stays its own.
    pub(super) made: HashMap<*const Source, (Rc<Source>, Parameter)>,
    /// The values that parameters and buffers are to have.
    pub(super) values: Vec<Valued>,
    /// Which norms an initialiser is the weight or bias of.
    pub(super) norms: HashMap<String, String>,
    pub(super) also: &'a [String],
    /// How many more entries of constants may be made.
    left: usize,
    /// How many more steps of loops may be unrolled.
    pub(super) steps: usize,
    /// The node that is read, in words.
    pub(super) at: String,
    pub warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(graph: Graph, file: &'a GraphProto, opset: i64, folder: Option<&'a Path>, also: &'a [String]) -> Self {
        let (mut uses, mut takers) = (HashMap::new(), HashMap::new());
        count(file, &mut uses, &mut takers);
        Reader {
            graph,
            scopes: vec![HashMap::new()],
            initialisers: file.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect(),
            folder,
            opset,
            batch: None,
            uses,
            takers,
            weights: HashMap::new(),
            made: HashMap::new(),
            values: Vec::new(),
            norms: HashMap::new(),
            also,
            left: 2 * MOST_ENTRIES,
            steps: MOST_STEPS,
            at: String::new(),
            warnings: Vec::new(),
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
            return Err(Error::format(format!("it takes '{name}', which nothing before it gives")));
        };
        let array =
            tensor::numbers(tensor, self.folder).map_err(|e| e.context(format_args!("initialiser '{name}'")))?;
        let source = (array.kind == Kind::Float).then(|| Rc::new(Source::Initialiser(name.into())));
        let operand = Operand::with_source(Rc::new(array), source);
        // Read once, seen by all.
        self.scopes[0].insert(name, operand.clone());
        Ok(operand)
    }

    /// Records those of the nodes that are needed.
    ///
    /// # Errors
    /// A node's op is not supported or does not fit what goes in; the message names the node.
    pub fn read(&mut self, nodes: &'a [NodeProto], needed: &HashSet<&str>) -> Result<()> {
        for node in nodes.iter().filter(|node| node.output.iter().any(|name| needed.contains(name.as_str()))) {
            self.node(node)
                .map_err(|error| error.context(format_args!("node '{}' ({})", node_name(node), node.op_type)))?;
        }
        Ok(())
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<()> {
        self.at = format!("node '{}' ({})", node_name(node), node.op_type);
        let find = |name: &String| if name.is_empty() { Ok(None) } else { self.find(name).map(Some) };
        let inputs = node.input.iter().map(find).collect::<Result<Vec<_>>>()?;
        let results = translate::node(self, &Call { node, inputs, opset: self.opset })?;
        let made: usize = results.iter().filter_map(|x| Some(x.array()?.values.len())).sum();
        self.left = self
            .left
            .checked_sub(made)
            .ok_or_else(|| Error::unsupported("the constants that nodes make are more than the file warrants"))?;
        // Left out outputs have no name.
        for (name, result) in node.output.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
            self.define(name, result);
        }
        // An output that no node takes may be left out.
        let taken: Vec<&String> = node.output.iter().filter(|name| self.is_taken(name)).collect();
        match taken.into_iter().find(|name| self.find(name).is_err()) {
            Some(name) => Err(Error::unsupported(format!("its output '{name}' is not supported"))),
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
            self.define(&tensor.name, Operand::constant(array));
        }
        let read = self.read(&graph.node, &super::needed(&graph.node, &outputs));
        let results = read.and_then(|()| outputs.iter().map(|name| self.find(name)).collect());
        self.scopes.pop();
        results
    }

    /// The node that alone takes the one thing that `call` gives, if that is so.
    pub fn only_taker(&self, call: &Call<'_>) -> Option<&'a NodeProto> {
        let name = call.node.output.first()?.as_str();
        (self.uses.get(name) == Some(&1)).then(|| self.takers.get(name).copied())?
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
                let numbers = self.settled(x)?;
                match self.poured(x, numbers)?.is {
                    Is::Sample(value) => value,
                    _ => unreachable!("it was poured"),
                }
            }
            Is::Sequence(_) => return Err(Error::unsupported("a sequence of values is taken where one is needed")),
        };
        if self.graph.shape(value) == shape {
            return Ok(value);
        }
        self.graph.apply(Reshape::new(shape), &[value], &[])
    }

    /// As [`value`](Reader::value), in its own shape without the batch's axis.
    pub fn natural(&mut self, x: &Operand) -> Result<Value> {
        self.value(x, &x.natural())
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
            let made = inputs.iter().any(|x| x.source().is_some());
            let from = || inputs.iter().map(|&x| x.clone()).collect();
            let source = made.then(|| Made::new(op, from()).map(|made| Rc::new(Source::Made(made)))).transpose()?;
            return Ok(Operand::with_source(Rc::new(array), source));
        }
        let values = inputs.iter().map(|x| self.natural(x)).collect::<Result<Vec<_>>>()?;
        let value = self.graph.apply(op, &values, &[])?;
        Ok(Operand::sample(value, shape, batch))
    }
}

/// How often names are used, and by which nodes, branches included.
fn count<'a>(graph: &'a GraphProto, uses: &mut HashMap<&'a str, usize>, takers: &mut HashMap<&'a str, &'a NodeProto>) {
    for node in &graph.node {
        for name in &node.input {
            *uses.entry(name).or_default() += 1;
            takers.insert(name, node);
        }
        node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).for_each(|g| count(g, uses, takers));
    }
    graph.output.iter().for_each(|output| *uses.entry(&output.name).or_default() += 1);
}
