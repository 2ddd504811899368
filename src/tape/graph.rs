//! Recording: ops on shapes, before any number is computed.

use std::collections::HashMap;

use super::weights::{Origin, Weight};
use crate::error::{Error, Result};
use crate::ops::{Builtin, Op};
use crate::shape::{checked_numel, numel};

/// A value in a [`Graph`]: an input, or the result of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub(crate) usize);

/// A parameter of a [`Graph`], a buffer, or what was [derived](Graph::derive) from them. It may be used more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter(pub(crate) usize);

/// The name and the shape of a parameter or a buffer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ParameterInfo {
    /// Its name, unique in the graph; what stands before the last dot is its layer.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// One op on values and parameters.
#[derive(Clone, Debug)]
pub struct Node<O> {
    /// The op.
    pub op: O,
    /// Its inputs.
    pub inputs: Vec<Value>,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
}

/// A network as a list of ops, recorded on the shapes of one sample.
///
/// Every shape is checked here, and an op that mixes samples is refused here, so that running the graph cannot fail on
/// either.
///
/// ```
/// use tangent_kernels::{Graph, Model};
/// use tangent_kernels::unary::Tanh;
///
/// // f(x) = v . (x + tanh(W x)): a residual block, which is no plain sequence of layers
/// let mut graph = Graph::new(&[3])?;
/// let (weight, read_out) = (graph.parameter("w", &[3, 3])?, graph.parameter("v", &[1, 3])?);
/// let x = graph.input();
/// let hidden = graph.linear(x, weight, None)?;
/// let hidden = graph.unary(Tanh, hidden)?;
/// let sum = graph.add(x, hidden)?;
/// let output = graph.linear(sum, read_out, None)?;
/// let model = Model::new(graph, output)?;
/// assert_eq!(model.output_shape(), [1]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph<O = Builtin> {
    /// Of the inputs and of the results of all nodes.
    shapes: Vec<Vec<usize>>,
    inputs: usize,
    nodes: Vec<Node<O>>,
    pub(super) weights: Vec<Weight<O>>,
    parameters: Vec<ParameterInfo>,
    buffers: Vec<ParameterInfo>,
    by_name: HashMap<String, usize>,
    /// The input whose entries a value holds, if it does.
    sources: Vec<Option<usize>>,
    /// Inputs that hold row numbers of tables, and the size of the smallest.
    tables: Vec<Option<usize>>,
}

impl Graph {
    /// An empty graph of the crate's ops on an input of `shape` for one sample.
    ///
    /// # Errors
    /// The number of entries does not fit a `usize`.
    pub fn new(shape: &[usize]) -> Result<Self> {
        Graph::with_ops(&[shape])
    }

    /// An empty graph of the crate's ops on several inputs, of these shapes for one sample.
    ///
    /// # Errors
    /// The number of entries of one does not fit a `usize`, or there is none.
    pub fn with_inputs(shapes: &[&[usize]]) -> Result<Self> {
        Graph::with_ops(shapes)
    }
}

impl<O: Op> Graph<O> {
    /// An empty graph of a set of ops of your own ([`ops!`](crate::ops!)) on inputs of `shapes` for one sample.
    ///
    /// # Errors
    /// The number of entries of one does not fit a `usize`, or there is none.
    pub fn with_ops(shapes: &[&[usize]]) -> Result<Self> {
        if shapes.is_empty() {
            return Err(Error::shape("a graph needs an input"));
        }
        shapes.iter().try_for_each(|shape| checked_shape("the input", shape))?;
        Ok(Graph {
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            inputs: shapes.len(),
            nodes: Vec::new(),
            weights: Vec::new(),
            parameters: Vec::new(),
            buffers: Vec::new(),
            by_name: HashMap::new(),
            sources: (0..shapes.len()).map(Some).collect(),
            tables: vec![None; shapes.len()],
        })
    }

    /// The input, or the first of several.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// All inputs.
    pub fn inputs(&self) -> Vec<Value> {
        (0..self.inputs).map(Value).collect()
    }

    /// Adds a parameter of `shape`. Components of kernels are called by its name.
    ///
    /// # Errors
    /// The name is empty or taken, or the number of entries does not fit a `usize`.
    pub fn parameter(&mut self, name: impl Into<String>, shape: &[usize]) -> Result<Parameter> {
        let info = self.named(name.into(), shape)?;
        let origin = Origin::Parameter(self.parameters.len());
        self.parameters.push(info);
        Ok(self.weight(origin, shape))
    }

    /// Adds a buffer of `shape`: numbers that ops take beside their parameters, such as running statistics, and that
    /// the kernel has no component for.
    ///
    /// # Errors
    /// As [`parameter`](Graph::parameter).
    pub fn buffer(&mut self, name: impl Into<String>, shape: &[usize]) -> Result<Parameter> {
        let info = self.named(name.into(), shape)?;
        let origin = Origin::Buffer(self.buffers.len());
        self.buffers.push(info);
        Ok(self.weight(origin, shape))
    }

    /// Records `op` on parameters instead of values: a weight that no sample enters, computed once, to be used by ops as
    /// if it were a parameter. Kernels see through it to the parameters it was made of. A weight that was only moved
    /// (reshaped, transposed, sliced) or scaled costs nothing more than the parameter itself.
    ///
    /// ```
    /// use tangent_kernels::{Graph, ops::Permute};
    /// // An autoencoder with one weight: decode(tanh(x W^T)) = tanh(x W^T) W.
    /// let mut graph = Graph::new(&[5])?;
    /// let weight = graph.parameter("w", &[3, 5])?;
    /// let transposed = graph.derive(Permute::new(&[1, 0]), &[weight])?;
    /// let x = graph.input();
    /// let code = graph.linear(x, weight, None)?;
    /// let y = graph.linear(code, transposed, None)?;
    /// assert_eq!(graph.shape(y), [5]);
    /// # Ok::<(), tangent_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`apply`](Graph::apply).
    pub fn derive(&mut self, op: impl Into<O>, from: &[Parameter]) -> Result<Parameter> {
        let op = op.into();
        self.refuse_mixing(&op)?;
        let shape = op.shape(&self.weight_shapes(&op, from)?, &[]).map_err(|error| error.context(self.at(from)))?;
        checked_shape(&format!("the result of {}", op.name()), &shape)?;
        Ok(self.weight(Origin::Derived { op, from: from.to_vec() }, &shape))
    }

    /// Records `op` on `inputs` and `parameters`, and gives its result.
    ///
    /// # Errors
    /// Shapes that the op refuses; an op that mixes samples; a value or parameter that is not of this graph; row numbers
    /// of a table that are no input's.
    pub fn apply(&mut self, op: impl Into<O>, inputs: &[Value], parameters: &[Parameter]) -> Result<Value> {
        let op = op.into();
        self.refuse_mixing(&op)?;
        let input_shapes: Option<Vec<&[usize]>> =
            inputs.iter().map(|v| Some(self.shapes.get(v.0)?.as_slice())).collect();
        let input_shapes = input_shapes.ok_or_else(|| foreign(&op, "value"))?;
        let parameter_shapes = self.weight_shapes(&op, parameters)?;
        let shape = op.shape(&input_shapes, &parameter_shapes).map_err(|error| match parameters {
            [] => error,
            _ => error.context(self.at(parameters)),
        })?;
        checked_shape(&format!("the result of {}", op.name()), &shape)?;
        let tables: Vec<(usize, usize)> =
            (0..inputs.len()).filter_map(|k| Some((k, op.rows_looked_up(k, &parameter_shapes)?))).collect();
        for (k, rows) in tables {
            self.note_table(&op, inputs[k], rows)?;
        }
        let source = match inputs {
            [one] if op.moves_entries() == Some(1.0) => self.sources[one.0],
            _ => None,
        };
        self.sources.push(source);
        self.shapes.push(shape);
        self.nodes.push(Node { op, inputs: inputs.to_vec(), parameters: parameters.to_vec() });
        Ok(Value(self.shapes.len() - 1))
    }

    /// The shape of a value for one sample.
    ///
    /// # Panics
    /// If the value is of another, longer graph.
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.shapes[value.0]
    }

    /// The ops in the order in which they were recorded.
    pub fn nodes(&self) -> &[Node<O>] {
        &self.nodes
    }

    /// The result of node `node`.
    pub fn result(&self, node: usize) -> Value {
        Value(self.inputs + node)
    }

    /// The parameters in the order in which they were added.
    pub fn parameters(&self) -> &[ParameterInfo] {
        &self.parameters
    }

    /// The buffers in the order in which they were added.
    pub fn buffers(&self) -> &[ParameterInfo] {
        &self.buffers
    }

    /// The parameter or buffer called `name`, if there is one.
    pub fn find_parameter(&self, name: &str) -> Option<Parameter> {
        self.by_name.get(name).map(|&index| Parameter(index))
    }

    pub(crate) fn has(&self, value: Value) -> bool {
        value.0 < self.shapes.len()
    }

    /// The ops up to `output`.
    pub(crate) fn nodes_up_to(&self, output: Value) -> &[Node<O>] {
        &self.nodes[..(output.0 + 1).saturating_sub(self.inputs)]
    }

    /// The shapes of the inputs.
    /// All that is recorded, as text: equal for equal graphs, and for no others.
    pub(crate) fn outline(&self) -> String {
        format!("{:?} {:?} {:?} {:?}", self.shapes, self.inputs, self.nodes, self.weights)
    }

    pub(crate) fn input_shapes(&self) -> &[Vec<usize>] {
        &self.shapes[..self.inputs]
    }

    /// The size of the smallest table that the entries of input `input` are row numbers of.
    pub(crate) fn table(&self, input: usize) -> Option<usize> {
        self.tables[input]
    }

    fn named(&mut self, name: String, shape: &[usize]) -> Result<ParameterInfo> {
        if name.is_empty() {
            return Err(Error::name("a parameter needs a name"));
        }
        checked_shape(&format!("parameter '{name}'"), shape)?;
        if self.by_name.insert(name.clone(), self.weights.len()).is_some() {
            return Err(Error::name(format!("there is a parameter '{name}' already; to tie weights, use it twice")));
        }
        Ok(ParameterInfo { name, shape: shape.to_vec() })
    }

    fn weight(&mut self, origin: Origin<O>, shape: &[usize]) -> Parameter {
        self.weights.push(Weight { origin, shape: shape.to_vec(), fill: None });
        Parameter(self.weights.len() - 1)
    }

    fn weight_shapes(&self, op: &O, list: &[Parameter]) -> Result<Vec<&[usize]>> {
        let shapes: Option<_> = list.iter().map(|p| Some(self.weights.get(p.0)?.shape.as_slice())).collect();
        shapes.ok_or_else(|| foreign(op, "parameter"))
    }

    fn refuse_mixing(&self, op: &O) -> Result<()> {
        let Some(reason) = op.mixes_samples() else { return Ok(()) };
        Err(Error::unsupported(format!(
            "{}: {reason}; the kernel between two samples is only defined for ops that treat every sample alone",
            op.name()
        )))
    }

    fn note_table(&mut self, op: &O, ids: Value, rows: usize) -> Result<()> {
        let input = self.sources[ids.0].ok_or_else(|| {
            Error::unsupported(format!("{}: the row numbers must come straight from an input of the model", op.name()))
        })?;
        // Row numbers that are a part of an input are looked at when they are used, the rest of it not at all.
        if numel(&self.shapes[ids.0]) == numel(&self.shapes[input]) {
            self.tables[input] = Some(self.tables[input].map_or(rows, |other| other.min(rows)));
        }
        Ok(())
    }

    /// Where an error happened: the parameters by name.
    fn at(&self, parameters: &[Parameter]) -> String {
        let names: Vec<String> = parameters.iter().map(|&p| self.weight_name(p)).collect();
        format!("at {}", names.join(", "))
    }
}

fn foreign(op: &impl Op, what: &str) -> Error {
    Error::name(format!("{}: a {what} of another graph", op.name()))
}

fn checked_shape(what: &str, shape: &[usize]) -> Result<()> {
    match checked_numel(shape) {
        Some(_) => Ok(()),
        None => Err(Error::shape(format!("{what} of shape {shape:?} has more entries than can be counted"))),
    }
}
