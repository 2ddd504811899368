//! Models: a graph, an output, and the values of the parameters in host memory, independent of devices.
//!
//! [`Sequential`] builds a network layer by layer. [`Model::from_fn`] records any other network on a [`Graph`]. A
//! [`Session`] runs a model on a backend.

pub(crate) mod blocks;
mod derivatives;
mod independence_check;
#[cfg(feature = "rand")]
mod init;
mod sequential;
mod session;
pub(crate) mod undefined;

pub(crate) use derivatives::add;
pub use derivatives::{Gradient, Jacobian};
pub use sequential::{Parameterisation, Sequential};
pub use session::Session;

use crate::error::{Error, Result};
use crate::ops::{Builtin, Graph, Op};
use crate::shape::numel;
use crate::tape::{ParameterInfo, Value};

/// A network with the values of its parameters.
///
/// Values are stored in `f64`, which represents every `f32` exactly. A parameter has no values until it is
/// [`set`](Model::set), initialised or loaded, unless the graph [filled](Graph::parameter_filled) it. Running a model that
/// has a parameter without values is an error.
#[derive(Clone, Debug)]
pub struct Model<O = Builtin> {
    graph: Graph<O>,
    output: Value,
    values: Vec<Option<Vec<f64>>>,
    buffers: Vec<Option<Vec<f64>>>,
    parameterisation: Parameterisation,
}

impl Model {
    /// The network that `f` records on inputs of these shapes for one sample. `f` is written like a forward pass.
    ///
    /// ```
    /// use tangent_kernels::{Graph, Model, Result, Value, unary::Tanh};
    ///
    /// // A block of layers is a function that can be called repeatedly.
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
    /// `f` fails. `inputs` is empty, or a shape has too many entries. The result of `f` belongs to another graph.
    pub fn from_fn(inputs: &[&[usize]], f: impl FnOnce(&mut Graph, &[Value]) -> Result<Value>) -> Result<Self> {
        let mut graph = Graph::with_inputs(inputs)?;
        let values = graph.inputs();
        let output = f(&mut graph, &values)?;
        Model::new(graph, output)
    }
}

impl<O: Op> Model<O> {
    /// The network that `graph` records up to `output`, in the standard parameterisation.
    ///
    /// # Errors
    /// The value belongs to another graph.
    pub fn new(graph: Graph<O>, output: Value) -> Result<Self> {
        if !graph.has(output) {
            return Err(Error::name("the model's output belongs to another graph; pass a value of this graph"));
        }
        let filled = |info: &ParameterInfo| Some(vec![graph.filled_with(&info.name)?; numel(&info.shape)]);
        let values = graph.parameters().iter().map(filled).collect();
        let buffers = graph.buffers().iter().map(filled).collect();
        Ok(Model { graph, output, values, buffers, parameterisation: Parameterisation::Standard })
    }

    /// Sets the parameterisation, which decides how random parameters are drawn. It does not change the graph.
    #[must_use]
    pub fn with_parameterisation(mut self, parameterisation: Parameterisation) -> Self {
        self.parameterisation = parameterisation;
        self
    }

    /// The parameterisation.
    pub fn parameterisation(&self) -> Parameterisation {
        self.parameterisation
    }

    /// The recorded ops.
    pub fn graph(&self) -> &Graph<O> {
        &self.graph
    }

    /// The output, as a value of the graph.
    pub fn output(&self) -> Value {
        self.output
    }

    /// The shape of the first input for one sample.
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

    /// C, the number of outputs. Outputs of higher rank are counted row-major.
    pub fn outputs(&self) -> usize {
        numel(self.output_shape())
    }

    /// The names and shapes of the parameters.
    pub fn parameters(&self) -> &[ParameterInfo] {
        self.graph.parameters()
    }

    /// The names and shapes of the buffers, such as running statistics.
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
    /// The name does not exist, or it has no values yet.
    pub fn parameter(&self, name: &str) -> Result<&[f64]> {
        let (values, index) = match position(self.parameters(), name) {
            Some(index) => (&self.values, index),
            None => (&self.buffers, position(self.buffers(), name).ok_or_else(|| self.unknown(name))?),
        };
        values[index].as_deref().ok_or_else(|| no_values(name))
    }

    /// Sets the parameter or buffer `name` to `values`, row-major, of shape `shape`.
    ///
    /// # Errors
    /// The name does not exist, its shape is different, or a value is NaN, or infinite in a parameter. A buffer may be a
    /// mask, whose infinities are exact.
    pub fn set(&mut self, name: &str, shape: &[usize], values: Vec<f64>) -> Result<()> {
        let trainable = position(self.graph.parameters(), name);
        let (info, place) = match trainable {
            Some(index) => (&self.graph.parameters()[index], &mut self.values[index]),
            None => {
                let index = position(self.graph.buffers(), name).ok_or_else(|| self.unknown(name))?;
                (&self.graph.buffers()[index], &mut self.buffers[index])
            }
        };
        let expected = &info.shape;
        if expected != shape || values.len() != numel(shape) {
            return Err(Error::shape(format!(
                "parameter '{name}' has shape {expected:?}, but {} values of shape {shape:?} were given",
                values.len()
            )));
        }
        let allowed = |x: &f64| x.is_finite() || (trainable.is_none() && x.is_infinite());
        if let Some(entry) = values.iter().position(|x| !allowed(x)) {
            let value = values[entry];
            return Err(Error::value(format!(
                "cannot set parameter '{name}': entry {entry} is {value}, but must be finite"
            )));
        }
        *place = Some(values);
        Ok(())
    }

    /// Replaces the values of all parameters. They must be finite and have the right sizes.
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
        let infos = self.parameters().iter().chain(self.buffers());
        let names: Vec<&str> = infos.map(|info| info.name.as_str()).collect();
        Error::name(format!("the model has no parameter '{name}'; its parameters are {}", names.join(", ")))
    }
}

fn position(infos: &[ParameterInfo], name: &str) -> Option<usize> {
    infos.iter().position(|info| info.name == name)
}

fn valued<'a>(
    infos: &'a [ParameterInfo],
    values: &'a [Option<Vec<f64>>],
) -> Result<Vec<(&'a ParameterInfo, &'a [f64])>> {
    let pairs = infos.iter().zip(values);
    pairs.map(|(info, values)| Ok((info, values.as_deref().ok_or_else(|| no_values(&info.name))?))).collect()
}

fn no_values(name: &str) -> Error {
    Error::name(format!("parameter '{name}' has no values; set it, initialise the model, or load its weights"))
}
