//! Reading a network: the file's nodes in their order, each recorded on a graph for one sample, or computed if nothing
//! in it depends on a sample.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::array::{Array, Kind};
use super::call::{Call, node_name};
use super::operand::{Is, Operand, Source};
use super::proto::{GraphProto, NodeProto, TensorProto};
use super::{tensor, translate};
use crate::error::{Error, Result};
use crate::ops::{Builtin, Linear, Op, Reshape, Scale, Slice};
use crate::shape::numel;
use crate::tape::{Graph, Parameter, Value};

/// The deepest nesting of branches and functions that is followed.
const DEEPEST: usize = 32;

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
    weights: HashMap<(String, bool), Parameter>,
    /// The values that parameters and buffers are to have.
    pub values: Vec<(String, Rc<Array>)>,
    /// Which norms an initialiser is the weight or bias of.
    norms: HashMap<String, String>,
    also: &'a [String],
    pub warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(graph: Graph, file: &'a GraphProto, opset: i64, folder: Option<&'a Path>, also: &'a [String]) -> Self {
        let mut uses: HashMap<&str, usize> = HashMap::new();
        let mut takers = HashMap::new();
        for node in &file.node {
            for name in &node.input {
                *uses.entry(name).or_default() += 1;
                takers.insert(name.as_str(), node);
            }
        }
        file.output.iter().for_each(|output| *uses.entry(&output.name).or_default() += 1);
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
            values: Vec::new(),
            norms: HashMap::new(),
            also,
            warnings: Vec::new(),
        }
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
        let source = (array.kind == Kind::Float).then(|| Rc::new(Source::Initialiser(name.to_string())));
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
        let find = |name: &String| if name.is_empty() { Ok(None) } else { self.find(name).map(Some) };
        let inputs = node.input.iter().map(find).collect::<Result<Vec<_>>>()?;
        let results = translate::node(self, &Call { node, inputs, opset: self.opset })?;
        // Left out outputs have no name.
        for (name, result) in node.output.iter().zip(results).filter(|(name, _)| !name.is_empty()) {
            self.define(name, result);
        }
        match node.output.iter().find(|name| !name.is_empty() && self.find(name).is_err()) {
            Some(name) => Err(Error::unsupported(format!("its output '{name}' is not supported"))),
            None => Ok(()),
        }
    }

    /// The results of a graph inside a node, which sees all names around it.
    pub fn branch(&mut self, graph: &'a GraphProto) -> Result<Vec<Operand>> {
        if self.scopes.len() > DEEPEST {
            return Err(Error::unsupported(format!("more than {DEEPEST} graphs inside each other")));
        }
        let outputs: Vec<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
        self.scopes.push(HashMap::new());
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

    /// A value's numbers as a value of the graph of this shape for one sample.
    pub fn value(&mut self, x: &Operand, shape: &[usize]) -> Result<Value> {
        let value = match &x.is {
            Is::Sample(value) => *value,
            Is::Constant(..) => {
                let numbers = self.fixed(x)?;
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

    /// A constant as if every sample had it, its numbers being those of `weight`: the bias of a linear map that is zero.
    pub fn poured(&mut self, x: &Operand, weight: Parameter) -> Result<Operand> {
        let entries = numel(&x.shape);
        let flat = self.graph.flatten(self.graph.input())?;
        let first = self.graph.apply(Slice { axis: 0, range: 0..1 }, &[flat], &[])?;
        let nothing = self.graph.apply(Scale { factor: 0.0 }, &[first], &[])?;
        let zeros = self.free_name(&format!("zeros {entries}"));
        let zeros = self.graph.buffer_filled(zeros, &[entries, 1], 0.0)?;
        let numbers = self.graph.derive(Reshape::new([entries]), &[weight])?;
        let value = self.graph.apply(Linear, &[nothing], &[zeros, numbers])?;
        Ok(Operand { is: Is::Sample(value), ..x.clone() })
    }

    /// A constant, whatever it is made of, as a buffer.
    pub fn fixed(&mut self, x: &Operand) -> Result<Parameter> {
        let Is::Constant(array, _) = &x.is else { return Err(Error::unsupported("it depends on the samples")) };
        let name = self.free_name(&format!("constant {:?}", array.shape));
        let buffer = self.graph.buffer(&name, &array.shape)?;
        self.values.push((name, array.clone()));
        Ok(buffer)
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
            let source = made.then(|| Rc::new(Source::Made(Box::new(op), from())));
            return Ok(Operand::with_source(Rc::new(array), source));
        }
        let values = inputs.iter().map(|x| self.natural(x)).collect::<Result<Vec<_>>>()?;
        let value = self.graph.apply(op, &values, &[])?;
        Ok(Operand::sample(value, shape, batch))
    }

    /// A constant as a weight of `call`, a parameter of the network, in the role `role` if it has no name of its own.
    ///
    /// # Errors
    /// It depends on the samples.
    pub fn parameter(&mut self, x: &Operand, call: &Call<'_>, role: &str) -> Result<Parameter> {
        self.weight(x, call, role, true)
    }

    /// A constant as a weight of `call` that is no parameter of the network.
    ///
    /// # Errors
    /// It depends on the samples.
    pub fn buffer(&mut self, x: &Operand, call: &Call<'_>, role: &str) -> Result<Parameter> {
        self.weight(x, call, role, false)
    }

    fn weight(&mut self, x: &Operand, call: &Call<'_>, role: &str, trained: bool) -> Result<Parameter> {
        let Is::Constant(array, source) = &x.is else {
            return Err(Error::unsupported(format!("its {role} depends on the samples, where it must be fixed")));
        };
        let (weight, shape) = match source.as_deref() {
            Some(Source::Made(op, from)) if trained => {
                // What an op makes of initialisers is of them; whatever else goes in is fixed.
                let parts = from.iter().map(|part| self.weight(part, call, role, part.source().is_some()));
                let parts = parts.collect::<Result<Vec<_>>>()?;
                let shapes: Vec<&[usize]> = from.iter().map(|part| &part.shape[..]).collect();
                (self.graph.derive((**op).clone(), &parts)?, op.shape(&shapes, &[])?)
            }
            Some(Source::Initialiser(name)) => (self.held(name, array, call, role, trained)?, array.shape.clone()),
            _ => (self.held("", array, call, role, trained)?, array.shape.clone()),
        };
        if shape == x.shape { Ok(weight) } else { self.graph.derive(Reshape::new(&x.shape[..]), &[weight]) }
    }

    /// The numbers of the file's initialiser `own`, or some that have no name, as a weight.
    fn held(&mut self, own: &str, array: &Rc<Array>, call: &Call<'_>, role: &str, trained: bool) -> Result<Parameter> {
        let key = (own.to_string(), trained);
        if let Some(&there) = self.weights.get(&key).filter(|_| !own.is_empty()) {
            return Ok(there);
        }
        let name = if is_unnamed(own) { format!("{}.{role}", call.path()) } else { own.to_string() };
        let name = self.free_name(&name);
        let weight = match trained {
            true => self.graph.parameter(&name, &array.shape)?,
            false => self.graph.buffer(&name, &array.shape)?,
        };
        self.values.push((name, array.clone()));
        self.weights.insert(key, weight);
        Ok(weight)
    }

    /// As [`parameter`](Reader::parameter) for the weight or bias of a norm: `None` for what an exporter puts in the
    /// place of one that there is not, ones or zeros without a name.
    pub fn of_norm(&mut self, x: &Operand, call: &Call<'_>, role: &str) -> Result<Parameter> {
        let Some(name) = x.initialiser().map(String::from) else {
            return self.weight(x, call, role, x.source().is_some());
        };
        let array = x.array().expect("an initialiser is a constant");
        let filled = |with: f64| array.values.iter().all(|&value| value == with);
        if is_unnamed(&name) && (filled(0.0) || filled(1.0)) {
            return self.buffer(x, call, role);
        }
        match self.norms.get(&name) {
            Some(other) if other != call.name() => self.warnings.push(format!(
                "initialiser '{name}' is the {role} of the norms '{other}' and '{}': if they are two parameters of equal \
                 values, the exporter made them one; perturb them, or train, before exporting",
                call.name()
            )),
            _ => {
                self.norms.insert(name, call.name().to_string());
            }
        }
        self.parameter(x, call, role)
    }

    /// Whether a constant that multiplies is a parameter because the caller said so; if not, that it is none is told.
    pub fn is_also(&mut self, x: &Operand, call: &Call<'_>) -> bool {
        let names = x.initialisers();
        let asked = names.iter().any(|name| self.also.iter().any(|pattern| crate::kernel::fits(pattern, name)));
        if !asked && x.scalar().is_none() {
            let (op, node) = (&call.node.op_type, call.name());
            self.warnings.extend(names.iter().filter(|name| !is_unnamed(name)).map(|name| {
                format!("initialiser '{name}' at node '{node}' ({op}) is taken as a constant, not as a parameter")
            }));
        }
        asked
    }

    /// A buffer of one number.
    pub fn number(&mut self, value: f64) -> Result<Parameter> {
        let name = format!("number {value:?}");
        match self.graph.find_parameter(&name) {
            Some(number) => Ok(number),
            None => self.graph.buffer_filled(name, &[1], value),
        }
    }

    fn free_name(&self, name: &str) -> String {
        let numbered = (2..).map(|k| format!("{name}.{k}"));
        let mut names = std::iter::once(name.to_string()).chain(numbered);
        names.find(|name| self.graph.find_parameter(name).is_none()).expect("one is free")
    }
}

/// Whether an initialiser has a name that only the exporter knows.
fn is_unnamed(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let counted = name.trim_start_matches('_').strip_prefix("val_");
    name.is_empty() || name.contains("::") || number(name) || counted.is_some_and(number)
}
