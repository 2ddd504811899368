//! Recording: ops on shapes, before any value is computed.

use std::collections::HashMap;

use super::weights::{Origin, Weight};
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::shape::{checked_numel, numel};

/// A value in a [`Graph`]: an input, or the result of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub(crate) usize);

/// A parameter of a [`Graph`], a buffer, or a weight [derived](Graph::derive) from them. It may be used several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter(pub(crate) usize);

/// The name and the shape of a parameter or a buffer.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ParameterInfo {
    /// The name, unique in the graph. The part before the last dot is the layer.
    pub name: String,
    /// The shape.
    pub shape: Vec<usize>,
}

impl ParameterInfo {
    /// The layer: the part of the name before the last dot, or the whole name if there is no dot.
    pub fn layer(&self) -> &str {
        layer_name(&self.name)
    }
}

/// The layer of a parameter: the part of its name before the last dot, or the whole name if there is no dot.
pub(crate) fn layer_name(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or(parameter, |(layer, _)| layer)
}

/// One op on values and parameters.
#[derive(Clone, Debug)]
pub struct Node<O> {
    /// The op.
    pub op: O,
    /// The inputs of the op.
    pub inputs: Vec<Value>,
    /// The parameters of the op.
    pub parameters: Vec<Parameter>,
}

/// A network as a list of ops, recorded on the shapes of one sample.
///
/// Shapes are checked when an op is recorded, and ops that mix samples are rejected. Running a recorded graph therefore
/// has no such errors.
///
/// ```
/// use tangent_kernels::{Graph, Model};
/// use tangent_kernels::unary::Tanh;
///
/// // f(x) = v . (x + tanh(W x)): a residual block, which is not a plain sequence of layers
/// let mut graph = Graph::new(&[3])?;
/// let weight = graph.parameter("w", &[3, 3])?;
/// let read_out = graph.parameter("v", &[1, 3])?;
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
pub struct Graph<O> {
    /// The shapes of the inputs, followed by those of all nodes' results.
    shapes: Vec<Vec<usize>>,
    inputs: usize,
    nodes: Vec<Node<O>>,
    pub(super) weights: Vec<Weight<O>>,
    parameters: Vec<ParameterInfo>,
    buffers: Vec<ParameterInfo>,
    by_name: HashMap<String, usize>,
    /// For every value, the input whose entries it holds, if there is one.
    sources: Vec<Option<usize>>,
    /// For every input that holds row numbers, the number of rows of the smallest table.
    tables: Vec<Option<usize>>,
}

impl<O: Op> Graph<O> {
    /// An empty graph of any set of ops ([`ops!`](crate::ops!)) on inputs of these shapes for one sample.
    ///
    /// # Errors
    /// `shapes` is empty, or a number of entries overflows `usize`.
    pub fn with_ops(shapes: &[&[usize]]) -> Result<Self> {
        if shapes.is_empty() {
            return Err(Error::shape("a graph needs at least one input, but no input shape was given"));
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

    /// The first input.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// All inputs.
    pub fn inputs(&self) -> Vec<Value> {
        (0..self.inputs).map(Value).collect()
    }

    /// Adds a parameter of `shape`. Its component of a kernel has the same name.
    ///
    /// # Errors
    /// The name is empty or taken, or the number of entries overflows `usize`.
    pub fn parameter(&mut self, name: impl Into<String>, shape: &[usize]) -> Result<Parameter> {
        let info = self.named(name.into(), shape)?;
        let origin = Origin::Parameter(self.parameters.len());
        self.parameters.push(info);
        Ok(self.weight(origin, shape))
    }

    /// Adds a buffer of `shape`: numbers that ops take in addition to parameters, such as running statistics. Buffers have
    /// no component in a kernel.
    ///
    /// # Errors
    /// As [`parameter`](Graph::parameter).
    pub fn buffer(&mut self, name: impl Into<String>, shape: &[usize]) -> Result<Parameter> {
        let info = self.named(name.into(), shape)?;
        let origin = Origin::Buffer(self.buffers.len());
        self.buffers.push(info);
        Ok(self.weight(origin, shape))
    }

    /// Derives a weight from parameters: `op` is applied to parameters instead of values. The result is computed once and
    /// can be used like a parameter. Kernel components belong to the original parameters. A weight that is only moved
    /// (reshaped, transposed, sliced) or scaled costs no more than the parameter itself.
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
        let shape =
            op.shape(&self.weight_shapes(&op, from)?, &[]).map_err(|error| error.context(self.location(from)))?;
        checked_shape(&format!("the result of {}", op.name()), &shape)?;
        Ok(self.weight(Origin::Derived { op, from: from.to_vec() }, &shape))
    }

    /// Records `op` on `inputs` and `parameters` and returns its result.
    ///
    /// # Errors
    /// The op rejects the shapes, or it mixes samples. A value or parameter belongs to another graph.
    pub fn apply(&mut self, op: impl Into<O>, inputs: &[Value], parameters: &[Parameter]) -> Result<Value> {
        let op = op.into();
        self.refuse_mixing(&op)?;
        let input_shapes: Option<Vec<&[usize]>> =
            inputs.iter().map(|v| Some(self.shapes.get(v.0)?.as_slice())).collect();
        let input_shapes = input_shapes.ok_or_else(|| foreign(&op, "value"))?;
        let parameter_shapes = self.weight_shapes(&op, parameters)?;
        let shape = op.shape(&input_shapes, &parameter_shapes).map_err(|error| match parameters {
            [] => error,
            _ => error.context(self.location(parameters)),
        })?;
        checked_shape(&format!("the result of {}", op.name()), &shape)?;
        let tables: Vec<(usize, usize)> =
            (0..inputs.len()).filter_map(|k| Some((k, op.rows_looked_up(k, &parameter_shapes)?))).collect();
        for (k, rows) in tables {
            self.note_table(inputs[k], rows);
        }
        let source = match inputs {
            [input] if op.moves_entries() == Some(1.0) => self.sources[input.0],
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
    /// If the value belongs to another, longer graph.
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.shapes[value.0]
    }

    /// The ops in recording order.
    pub fn nodes(&self) -> &[Node<O>] {
        &self.nodes
    }

    /// The node that `value` is the result of; none gives an input.
    #[cfg(feature = "onnx")]
    pub(crate) fn node_of(&self, value: Value) -> Option<&Node<O>> {
        self.nodes.get(value.0.checked_sub(self.inputs)?)
    }

    /// Whether the entries of `value` are those of an input, in another shape or order perhaps.
    #[cfg(feature = "onnx")]
    pub(crate) fn is_from_input(&self, value: Value) -> bool {
        self.sources[value.0].is_some()
    }

    /// The result of node `node`.
    pub fn result(&self, node: usize) -> Value {
        Value(self.inputs + node)
    }

    /// The parameters in the order of their creation.
    pub fn parameters(&self) -> &[ParameterInfo] {
        &self.parameters
    }

    /// The buffers in the order of their creation.
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

    /// The nodes that are recorded before `output` and its own node.
    pub(crate) fn nodes_up_to(&self, output: Value) -> &[Node<O>] {
        &self.nodes[..(output.0 + 1).saturating_sub(self.inputs)]
    }

    /// A text that is equal for equal graphs and different for different graphs.
    pub(crate) fn outline(&self) -> String {
        format!("{:?} {:?} {:?} {:?}", self.shapes, self.inputs, self.nodes, self.weights)
    }

    /// The shapes of the inputs.
    pub(crate) fn input_shapes(&self) -> &[Vec<usize>] {
        &self.shapes[..self.inputs]
    }

    /// The number of rows of the smallest table for which input `input` holds row numbers.
    pub(crate) fn table(&self, input: usize) -> Option<usize> {
        self.tables[input]
    }

    fn named(&mut self, name: String, shape: &[usize]) -> Result<ParameterInfo> {
        if name.is_empty() {
            return Err(Error::name("a parameter needs a name, but the name is empty"));
        }
        checked_shape(&format!("parameter '{name}'"), shape)?;
        if self.by_name.insert(name.clone(), self.weights.len()).is_some() {
            return Err(Error::name(format!(
                "the graph already has a parameter '{name}'; to tie weights, use the same parameter twice"
            )));
        }
        Ok(ParameterInfo { name, shape: shape.to_vec() })
    }

    fn weight(&mut self, origin: Origin<O>, shape: &[usize]) -> Parameter {
        self.weights.push(Weight { origin, shape: shape.to_vec(), fill: None });
        Parameter(self.weights.len() - 1)
    }

    fn weight_shapes(&self, op: &O, parameters: &[Parameter]) -> Result<Vec<&[usize]>> {
        let shapes: Option<_> = parameters.iter().map(|p| Some(self.weights.get(p.0)?.shape.as_slice())).collect();
        shapes.ok_or_else(|| foreign(op, "parameter"))
    }

    fn refuse_mixing(&self, op: &O) -> Result<()> {
        let Some(reason) = op.mixes_samples() else { return Ok(()) };
        Err(Error::unsupported(format!(
            "{}: {reason}; kernels between two samples are only defined for ops that treat every sample separately",
            op.name()
        )))
    }

    /// Row numbers that come directly from an input are checked when samples are read. Computed ones give NaN if they are
    /// outside of the table.
    fn note_table(&mut self, ids: Value, rows: usize) {
        let Some(input) = self.sources[ids.0] else { return };
        // If only a part of an input is used as row numbers, the part is checked at use and the input is not.
        if numel(&self.shapes[ids.0]) == numel(&self.shapes[input]) {
            self.tables[input] = Some(self.tables[input].map_or(rows, |other| other.min(rows)));
        }
    }

    /// The place of an error: the names of the parameters.
    fn location(&self, parameters: &[Parameter]) -> String {
        let names: Vec<String> = parameters.iter().map(|&p| self.weight_name(p)).collect();
        format!("at {}", names.join(", "))
    }
}

fn foreign(op: &impl Op, what: &str) -> Error {
    Error::name(format!("{}: a {what} belongs to another graph; use values and parameters of this graph", op.name()))
}

fn checked_shape(what: &str, shape: &[usize]) -> Result<()> {
    match checked_numel(shape) {
        Some(_) => Ok(()),
        None => Err(Error::shape(format!("{what} of shape {shape:?} has more entries than a usize can count"))),
    }
}
