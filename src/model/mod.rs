//! Models: a graph, an output and the values of its parameters on the host, tied to no device.
//!
//! [`Sequential`] builds the common case layer by layer; [`Graph`] records anything else. A [`Session`] runs a model on
//! a backend.

mod derivatives;
#[cfg(feature = "rand")]
mod init;
mod sequential;
mod session;

pub use derivatives::{Gradient, Jacobian};
#[cfg(feature = "rand")]
pub use init::Init;
pub use sequential::{Parameterisation, Sequential};
pub use session::Session;
pub(crate) use session::blocks;

use crate::error::{Error, Result};
use crate::ops::{Builtin, Op};
use crate::shape::numel;
use crate::tape::{Graph, ParameterInfo, Value};

/// A network with the values of its parameters.
///
/// Values are kept in `f64`, which holds every `f32` exactly, whatever the model is run in later. A parameter has no
/// values until it is [`set`](Model::set), initialised or loaded; running a model with one that has none is an error.
#[derive(Clone, Debug)]
pub struct Model<O = Builtin> {
    graph: Graph<O>,
    output: Value,
    values: Vec<Option<Vec<f64>>>,
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
        let values = vec![None; graph.parameters().len()];
        Ok(Model { graph, output, values })
    }

    /// The recorded ops.
    pub fn graph(&self) -> &Graph<O> {
        &self.graph
    }

    /// The value that is the model's output.
    pub fn output(&self) -> Value {
        self.output
    }

    /// The shape of the input for one sample.
    pub fn input_shape(&self) -> &[usize] {
        self.graph.shape(self.graph.input())
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

    /// P, the number of entries of all parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().map(|p| numel(&p.shape)).sum()
    }

    /// The values of parameter `name`, row-major.
    ///
    /// # Errors
    /// There is no such parameter, or it has no values yet.
    pub fn parameter(&self, name: &str) -> Result<&[f64]> {
        let index = self.index(name)?;
        self.values[index].as_deref().ok_or_else(|| no_values(name))
    }

    /// Gives parameter `name` the values `values`, row-major, of shape `shape`.
    ///
    /// # Errors
    /// There is no such parameter, its shape is another, or a value is NaN or infinite.
    pub fn set(&mut self, name: &str, shape: &[usize], values: Vec<f64>) -> Result<()> {
        let index = self.index(name)?;
        let wanted = &self.parameters()[index].shape;
        if wanted != shape || values.len() != numel(shape) {
            return Err(Error::shape(format!(
                "parameter '{name}' has shape {wanted:?}, but {} values of shape {shape:?} were given",
                values.len()
            )));
        }
        if let Some(at) = values.iter().position(|x| !x.is_finite()) {
            return Err(Error::value(format!("parameter '{name}' would be {} at entry {at}", values[at])));
        }
        self.values[index] = Some(values);
        Ok(())
    }

    /// Every parameter with its values, in order.
    ///
    /// # Errors
    /// A parameter has no values yet.
    pub fn valued_parameters(&self) -> Result<Vec<(&ParameterInfo, &[f64])>> {
        let both = self.parameters().iter().zip(&self.values);
        both.map(|(info, values)| Ok((info, values.as_deref().ok_or_else(|| no_values(&info.name))?))).collect()
    }

    fn index(&self, name: &str) -> Result<usize> {
        self.graph.find_parameter(name).map(|p| p.0).ok_or_else(|| {
            let names: Vec<&str> = self.parameters().iter().map(|p| p.name.as_str()).collect();
            Error::name(format!("there is no parameter '{name}'; the model has {}", names.join(", ")))
        })
    }
}

fn no_values(name: &str) -> Error {
    Error::name(format!("parameter '{name}' has no values: set it, initialise the model, or load its weights"))
}
