//! Networks that are one layer after another.

use super::Model;
use crate::error::Result;
use crate::ops::{Builtin, Flatten, Linear, Reshape, Scale};
use crate::tape::{Graph, Value};
use crate::unary::{Relu, Tanh, Unary};

/// Where the 1 / sqrt(width) of a layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameterisation {
    /// Weights are standard normal, and what a hidden layer gives is divided by the square root of its width before the
    /// next linear layer: X_l = sigma(Z_l) / sqrt(d_l) (Engel et al., section 3.2). The input is taken as it is.
    Ntk,
    /// Weights carry the 1 / sqrt(fan-in) themselves, and nothing is divided.
    Standard,
}

/// Builds a network of the crate's ops layer by layer; [`Graph`] records all others. The first thing that does not fit is
/// reported by [`build`](Sequential::build).
///
/// ```
/// use tangent_kernels::{Parameterisation, Sequential};
///
/// let model = Sequential::new(&[784], Parameterisation::Ntk)
///     .linear("d1", 50)
///     .tanh()
///     .linear("d2", 1)
///     .build()?;
/// assert_eq!(model.parameter_count(), 784 * 50 + 50 + 50 + 1);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
#[derive(Debug)]
pub struct Sequential {
    parameterisation: Parameterisation,
    state: Result<State>,
}

#[derive(Debug)]
struct State {
    graph: Graph,
    last: Value,
    /// The width of the last linear layer, until its division is recorded.
    width: Option<usize>,
}

impl Sequential {
    /// A network on an input of `shape` for one sample.
    pub fn new(shape: &[usize], parameterisation: Parameterisation) -> Self {
        let state = Graph::new(shape).map(|graph| State { last: graph.input(), graph, width: None });
        Sequential { parameterisation, state }
    }

    /// A linear layer with bias to `width` features: parameters `name.weight`, \[width, i\], and `name.bias`, \[width\].
    pub fn linear(self, name: &str, width: usize) -> Self {
        self.linear_layer(name, width, true)
    }

    /// A linear layer without bias: parameter `name.weight`, \[width, i\].
    pub fn linear_without_bias(self, name: &str, width: usize) -> Self {
        self.linear_layer(name, width, false)
    }

    /// A function entry by entry.
    pub fn unary(self, f: impl Into<Unary>) -> Self {
        self.apply(f.into())
    }

    /// tanh
    pub fn tanh(self) -> Self {
        self.unary(Tanh)
    }

    /// relu
    pub fn relu(self) -> Self {
        self.unary(Relu)
    }

    /// All axes of a sample made one.
    pub fn flatten(self) -> Self {
        self.apply(Flatten)
    }

    /// Another shape for one sample.
    pub fn reshape(self, shape: &[usize]) -> Self {
        self.apply(Reshape::new(shape))
    }

    /// Any op of one input and no parameters.
    pub fn apply(self, op: impl Into<Builtin>) -> Self {
        self.then(|state, _| {
            state.last = state.graph.apply(op, &[state.last], &[])?;
            Ok(())
        })
    }

    /// The model, its parameters still without values.
    ///
    /// # Errors
    /// The first thing that did not fit: shapes, or a name given twice.
    pub fn build(self) -> Result<Model> {
        let State { graph, last, .. } = self.state?;
        Model::new(graph, last)
    }

    fn linear_layer(self, name: &str, width: usize, bias: bool) -> Self {
        self.then(|state, parameterisation| {
            let graph = &mut state.graph;
            if let (Parameterisation::Ntk, Some(width)) = (parameterisation, state.width) {
                let factor = 1.0 / (width as f64).sqrt();
                state.last = graph.apply(Scale { factor }, &[state.last], &[])?;
            }
            let features = graph.shape(state.last).last().copied().unwrap_or(0);
            let mut parameters = vec![graph.parameter(format!("{name}.weight"), &[width, features])?];
            if bias {
                parameters.push(graph.parameter(format!("{name}.bias"), &[width])?);
            }
            state.last = graph.apply(Linear, &[state.last], &parameters)?;
            state.width = Some(width);
            Ok(())
        })
    }

    fn then(mut self, step: impl FnOnce(&mut State, Parameterisation) -> Result<()>) -> Self {
        let parameterisation = self.parameterisation;
        self.state = self.state.and_then(|mut state| step(&mut state, parameterisation).map(|()| state));
        self
    }

    /// The multilayer perceptron of `widths` (the input's first, the output's last), layers called `d1`, `d2`, ...,
    /// with `f` after all but the last: the paper's MLP (Engel et al., appendix B) is
    /// `mlp(&[784, 50, 50, 50, 1], Tanh, false, Parameterisation::Ntk)`.
    ///
    /// # Errors
    /// Fewer than two widths.
    pub fn mlp(widths: &[usize], f: impl Into<Unary>, bias: bool, parameterisation: Parameterisation) -> Result<Model> {
        let [input, layers @ ..] = widths else {
            return Err(crate::Error::shape("an MLP needs the width of its input and of its layers"));
        };
        if layers.is_empty() {
            return Err(crate::Error::shape(format!(
                "an MLP needs at least one layer after its input of width {input}"
            )));
        }
        let f = f.into();
        let mut network = Sequential::new(&[*input], parameterisation);
        for (l, &width) in layers.iter().enumerate() {
            if l > 0 {
                network = network.unary(f);
            }
            network = network.linear_layer(&format!("d{}", l + 1), width, bias);
        }
        network.build()
    }
}
