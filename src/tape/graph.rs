//! Recording: ops on shapes, before any number is computed.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::ops::{Add, Builtin, Concat, Flatten, Linear, Matmul, Mul, Op, Permute, Reshape, Scale, Slice, Sub, Sum};
use crate::shape::checked_numel;
use crate::unary::Unary;

/// A value in a [`Graph`]: the input, or the result of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub(crate) usize);

/// A parameter of a [`Graph`]. It may be used more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter(pub(crate) usize);

/// The name and the shape of a parameter.
#[derive(Clone, Debug, PartialEq)]
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
    shapes: Vec<Vec<usize>>,
    nodes: Vec<Node<O>>,
    parameters: Vec<ParameterInfo>,
    by_name: HashMap<String, usize>,
}

impl Graph {
    /// An empty graph of the crate's ops on an input of `shape` for one sample.
    ///
    /// # Errors
    /// The number of entries does not fit a `usize`.
    pub fn new(shape: &[usize]) -> Result<Self> {
        Graph::with_ops(shape)
    }
}

impl<O: Op> Graph<O> {
    /// An empty graph of a set of ops of your own ([`ops!`](crate::ops!)) on an input of `shape` for one sample.
    ///
    /// # Errors
    /// The number of entries does not fit a `usize`.
    pub fn with_ops(shape: &[usize]) -> Result<Self> {
        checked_shape("the input", shape)?;
        Ok(Graph { shapes: vec![shape.to_vec()], nodes: Vec::new(), parameters: Vec::new(), by_name: HashMap::new() })
    }

    /// The input.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// Adds a parameter of `shape`. Components of kernels are called by its name.
    ///
    /// # Errors
    /// The name is empty or taken, or the number of entries does not fit a `usize`.
    pub fn parameter(&mut self, name: impl Into<String>, shape: &[usize]) -> Result<Parameter> {
        let name = name.into();
        if name.is_empty() {
            return Err(Error::name("a parameter needs a name"));
        }
        checked_shape(&format!("parameter '{name}'"), shape)?;
        if self.by_name.insert(name.clone(), self.parameters.len()).is_some() {
            return Err(Error::name(format!("there is a parameter '{name}' already; to tie weights, use it twice")));
        }
        self.parameters.push(ParameterInfo { name, shape: shape.to_vec() });
        Ok(Parameter(self.parameters.len() - 1))
    }

    /// Records `op` on `inputs` and `parameters`, and gives its result.
    ///
    /// # Errors
    /// Shapes that the op refuses; an op that mixes samples; a value or parameter that is not of this graph.
    pub fn apply(&mut self, op: impl Into<O>, inputs: &[Value], parameters: &[Parameter]) -> Result<Value> {
        let op = op.into();
        if let Some(reason) = op.mixes_samples() {
            return Err(Error::unsupported(format!(
                "{}: {reason}; the kernel between two samples is only defined for ops that treat every sample alone",
                op.name()
            )));
        }
        let foreign = |what: &str| Error::name(format!("{}: a {what} of another graph", op.name()));
        let input_shapes: Option<Vec<&[usize]>> =
            inputs.iter().map(|v| Some(self.shapes.get(v.0)?.as_slice())).collect();
        let input_shapes = input_shapes.ok_or_else(|| foreign("value"))?;
        let parameter_shapes: Option<Vec<&[usize]>> =
            parameters.iter().map(|p| Some(self.parameters.get(p.0)?.shape.as_slice())).collect();
        let parameter_shapes = parameter_shapes.ok_or_else(|| foreign("parameter"))?;
        let shape = op.shape(&input_shapes, &parameter_shapes).map_err(|error| {
            let names: Vec<&str> = parameters.iter().map(|p| self.parameters[p.0].name.as_str()).collect();
            if names.is_empty() { error } else { error.context(format!("at {}", names.join(", "))) }
        })?;
        checked_shape(&format!("the result of {}", op.name()), &shape)?;
        self.shapes.push(shape);
        self.nodes.push(Node { op, inputs: inputs.to_vec(), parameters: parameters.to_vec() });
        Ok(Value(self.nodes.len()))
    }

    /// The shape of a value for one sample.
    ///
    /// # Panics
    /// If the value is of another, longer graph.
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.shapes[value.0]
    }

    /// The ops in the order in which they were recorded. The result of node k is value k + 1.
    pub fn nodes(&self) -> &[Node<O>] {
        &self.nodes
    }

    /// The parameters in the order in which they were added.
    pub fn parameters(&self) -> &[ParameterInfo] {
        &self.parameters
    }

    /// The parameter called `name`, if there is one.
    pub fn find_parameter(&self, name: &str) -> Option<Parameter> {
        self.by_name.get(name).map(|&index| Parameter(index))
    }

    pub(crate) fn has(&self, value: Value) -> bool {
        value.0 < self.shapes.len()
    }
}

/// The crate's own ops by name. Each is [`apply`](Graph::apply) with that op, and fails where it does.
impl<O: Op + From<Builtin>> Graph<O> {
    fn builtin(&mut self, op: impl Into<Builtin>, inputs: &[Value], parameters: &[Parameter]) -> Result<Value> {
        self.apply(O::from(op.into()), inputs, parameters)
    }

    /// x W^T + b on the last axis: [`Linear`].
    pub fn linear(&mut self, x: Value, weight: Parameter, bias: Option<Parameter>) -> Result<Value> {
        let parameters: Vec<Parameter> = [Some(weight), bias].into_iter().flatten().collect();
        self.builtin(Linear, &[x], &parameters)
    }

    /// f(x) entry by entry.
    pub fn unary(&mut self, f: impl Into<Unary>, x: Value) -> Result<Value> {
        self.builtin(f.into(), &[x], &[])
    }

    /// factor x: [`Scale`].
    pub fn scale(&mut self, x: Value, factor: f64) -> Result<Value> {
        self.builtin(Scale { factor }, &[x], &[])
    }

    /// x + y: [`Add`].
    pub fn add(&mut self, x: Value, y: Value) -> Result<Value> {
        self.builtin(Add, &[x, y], &[])
    }

    /// x - y: [`Sub`].
    pub fn sub(&mut self, x: Value, y: Value) -> Result<Value> {
        self.builtin(Sub, &[x, y], &[])
    }

    /// x y entry by entry: [`Mul`].
    pub fn mul(&mut self, x: Value, y: Value) -> Result<Value> {
        self.builtin(Mul, &[x, y], &[])
    }

    /// x y, or x y^T, over the last two axes of every sample: [`Matmul`].
    pub fn matmul(&mut self, x: Value, y: Value, transpose_b: bool) -> Result<Value> {
        self.builtin(Matmul { transpose_b }, &[x, y], &[])
    }

    /// The sum over axes of a sample: [`Sum`].
    pub fn sum(&mut self, x: Value, axes: &[usize]) -> Result<Value> {
        self.builtin(Sum::over(axes), &[x], &[])
    }

    /// The mean over axes of a sample: [`Sum`].
    pub fn mean(&mut self, x: Value, axes: &[usize]) -> Result<Value> {
        self.builtin(Sum::mean_over(axes), &[x], &[])
    }

    /// The axes of a sample in another order: [`Permute`].
    pub fn permute(&mut self, x: Value, order: &[usize]) -> Result<Value> {
        self.builtin(Permute::new(order), &[x], &[])
    }

    /// The values one after another along an axis of a sample: [`Concat`].
    pub fn concat(&mut self, list: &[Value], axis: usize) -> Result<Value> {
        self.builtin(Concat { axis }, list, &[])
    }

    /// A range along an axis of a sample: [`Slice`].
    pub fn slice(&mut self, x: Value, axis: usize, range: std::ops::Range<usize>) -> Result<Value> {
        self.builtin(Slice { axis, range }, &[x], &[])
    }

    /// The same entries in another shape for one sample: [`Reshape`].
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value> {
        self.builtin(Reshape::new(shape), &[x], &[])
    }

    /// All axes of a sample made one: [`Flatten`].
    pub fn flatten(&mut self, x: Value) -> Result<Value> {
        self.builtin(Flatten, &[x], &[])
    }
}

fn checked_shape(what: &str, shape: &[usize]) -> Result<()> {
    match checked_numel(shape) {
        Some(_) => Ok(()),
        None => Err(Error::shape(format!("{what} of shape {shape:?} has more entries than can be counted"))),
    }
}
