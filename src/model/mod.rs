//! Models: a graph, an output and the values of its parameters on the host, tied to no device.
//!
//! [`Sequential`] builds the common case layer by layer; [`Model::from_fn`] records anything else on a [`Graph`]. A [`Session`] runs a model on
//! a backend.

pub(crate) mod blocks;
mod derivatives;
mod independence_check;
#[cfg(feature = "rand")]
mod init;
mod sequential;
mod session;

pub(crate) use derivatives::add;
pub use derivatives::{Gradient, Jacobian};
#[cfg(feature = "rand")]
pub use init::Init;
pub use sequential::{Parameterisation, Sequential};
pub use session::Session;

use crate::error::{Error, Result};
use crate::ops::{Builtin, Op};
use crate::shape::numel;
use crate::tape::{Graph, ParameterInfo, Value};

/// A network with the values of its parameters.
///
/// Values are kept in `f64`, which holds every `f32` exactly, whatever the model is run in later. A parameter has no
/// values until it is [`set`](Model::set), initialised or loaded, but for those that the graph
/// [filled](Graph::parameter_filled); running a model with one that has none is an error.
#[derive(Clone, Debug)]
pub struct Model<O = Builtin> {
    graph: Graph<O>,
    output: Value,
    values: Vec<Option<Vec<f64>>>,
    buffers: Vec<Option<Vec<f64>>>,
}

impl Model {
    /// The network that `f` records on inputs of these shapes for one sample: any function of them, written as one
    /// writes a forward pass.
    ///
    /// ```
    /// use tangent_kernels::{Graph, Model, Result, tape::Value, unary::Tanh};
    ///
    /// // A block of layers is a function, used as often as one likes.
    /// fn residual(graph: &mut Graph, name: &str, x: Value) -> Result<Value> {
    ///     let width = graph.shape(x)[0];
    ///     let weight = graph.parameter(format!("{name}.weight"), &[width, width])?;
    ///     let hidden = graph.linear(x, weight, None)?;
    ///     let hidden = graph.unary(Tanh, hidden)?;
    ///     graph.add(x, hidden)
    /// }
    ///
    /// // f(x, z) = v . (r(r(x)) z), of two inputs
    /// let model = Model::from_fn(&[&[3], &[3]], |graph, inputs| {
    ///     let [x, z] = inputs else { unreachable!("two shapes, two inputs") };
    ///     let mut x = *x;
    ///     for name in ["block1", "block2"] {
    ///         x = residual(graph, name, x)?;
    ///     }
    ///     let gated = graph.mul(x, *z)?;
    ///     let read_out = graph.parameter("out.weight", &[1, 3])?;
    ///     graph.linear(gated, read_out, None)
    /// })?;
    /// assert_eq!((model.input_shapes().len(), model.output_shape()), (2, &[1][..]));
    /// assert_eq!(model.parameter_count(), 9 + 9 + 3);
    /// # Ok::<(), tangent_kernels::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `f`; a shape that has too many entries, or none is given; a value that is of another graph.
    pub fn from_fn(inputs: &[&[usize]], f: impl FnOnce(&mut Graph, &[Value]) -> Result<Value>) -> Result<Self> {
        let mut graph = Graph::with_inputs(inputs)?;
        let values = graph.inputs();
        let output = f(&mut graph, &values)?;
        Model::new(graph, output)
    }
}

impl<O: Op> Model<O> {
    /// The network that `graph` records up to `output`.
    ///
    /// # Errors
    /// The value is of another graph.
    pub fn new(graph: Graph<O>, output: Value) -> Result<Self> {
        if !graph.has(output) {
            return Err(Error::name("the model's output is a value of another graph"));
        }
        let filled = |info: &ParameterInfo| Some(vec![graph.filled_with(&info.name)?; numel(&info.shape)]);
        let values = graph.parameters().iter().map(filled).collect();
        let buffers = graph.buffers().iter().map(filled).collect();
        Ok(Model { graph, output, values, buffers })
    }

    /// The recorded ops.
    pub fn graph(&self) -> &Graph<O> {
        &self.graph
    }

    /// The value that is the model's output.
    pub fn output(&self) -> Value {
        self.output
    }

    /// The shape of the input for one sample; of the first of several.
    pub fn input_shape(&self) -> &[usize] {
        self.graph.shape(self.graph.input())
    }

    /// The shapes of all inputs for one sample.
    pub fn input_shapes(&self) -> &[Vec<usize>] {
        self.graph.input_shapes()
    }

    /// The shape of the output for one sample.
    pub fn output_shape(&self) -> &[usize] {
        self.graph.shape(self.output)
    }

    /// C, the number of outputs; outputs of higher rank are counted row-major.
    pub fn outputs(&self) -> usize {
        numel(self.output_shape())
    }

    /// The names and shapes of the parameters.
    pub fn parameters(&self) -> &[ParameterInfo] {
        self.graph.parameters()
    }

    /// The names and shapes of the buffers: what ops take beside parameters, such as running statistics.
    pub fn buffers(&self) -> &[ParameterInfo] {
        self.graph.buffers()
    }

    /// P, the number of entries of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|p| numel(&p.shape)).sum()
    }

    /// The values of the parameter or buffer `name`, row-major.
    ///
    /// # Errors
    /// There is none of that name, or it has no values yet.
    pub fn parameter(&self, name: &str) -> Result<&[f64]> {
        let (list, index) = match position(self.parameters(), name) {
            Some(index) => (&self.values, index),
            None => (&self.buffers, position(self.buffers(), name).ok_or_else(|| self.unknown(name))?),
        };
        list[index].as_deref().ok_or_else(|| no_values(name))
    }

    /// Gives the parameter or buffer `name` the values `values`, row-major, of shape `shape`.
    ///
    /// # Errors
    /// There is none of that name, its shape is another, or a value is NaN or infinite.
    pub fn set(&mut self, name: &str, shape: &[usize], values: Vec<f64>) -> Result<()> {
        let (info, place) = match position(self.graph.parameters(), name) {
            Some(index) => (&self.graph.parameters()[index], &mut self.values[index]),
            None => {
                let index = position(self.graph.buffers(), name).ok_or_else(|| self.unknown(name))?;
                (&self.graph.buffers()[index], &mut self.buffers[index])
            }
        };
        let wanted = &info.shape;
        if wanted != shape || values.len() != numel(shape) {
            return Err(Error::shape(format!(
                "parameter '{name}' has shape {wanted:?}, but {} values of shape {shape:?} were given",
                values.len()
            )));
        }
        if let Some(at) = values.iter().position(|x| !x.is_finite()) {
            return Err(Error::value(format!("parameter '{name}' would be {} at entry {at}", values[at])));
        }
        *place = Some(values);
        Ok(())
    }

    /// Gives all parameters values that are finite and of their sizes.
    pub(crate) fn replace(&mut self, values: Vec<Vec<f64>>) {
        debug_assert!(self.parameters().iter().map(|info| numel(&info.shape)).eq(values.iter().map(Vec::len)));
        self.values = values.into_iter().map(Some).collect();
    }

    /// Every parameter with its values, in order.
    ///
    /// # Errors
    /// A parameter has no values yet.
    pub fn valued_parameters(&self) -> Result<Vec<(&ParameterInfo, &[f64])>> {
        valued(self.parameters(), &self.values)
    }

    /// Every buffer with its values, in order.
    ///
    /// # Errors
    /// A buffer has no values yet.
    pub fn valued_buffers(&self) -> Result<Vec<(&ParameterInfo, &[f64])>> {
        valued(self.buffers(), &self.buffers)
    }

    fn unknown(&self, name: &str) -> Error {
        let both = self.parameters().iter().chain(self.buffers());
        let names: Vec<&str> = both.map(|info| info.name.as_str()).collect();
        Error::name(format!("there is no parameter '{name}'; the model has {}", names.join(", ")))
    }
}

fn position(list: &[ParameterInfo], name: &str) -> Option<usize> {
    list.iter().position(|info| info.name == name)
}

fn valued<'a>(
    infos: &'a [ParameterInfo],
    values: &'a [Option<Vec<f64>>],
) -> Result<Vec<(&'a ParameterInfo, &'a [f64])>> {
    let both = infos.iter().zip(values);
    both.map(|(info, values)| Ok((info, values.as_deref().ok_or_else(|| no_values(&info.name))?))).collect()
}

fn no_values(name: &str) -> Error {
    Error::name(format!("parameter '{name}' has no values: set it, initialise the model, or load its weights"))
}
