//! Networks as a sequence of layers.

use super::Model;
use crate::error::{Error, Result};
use crate::ops::{AvgPool2d, BatchNorm, Builtin, Conv2d, Flatten, Graph, Linear, MaxPool2d, Reshape, Scale, Sum};
use crate::shape::checked_numel;
use crate::tape::Value;
use crate::unary::{Relu, Tanh, Unary};

/// The place of a layer's factor 1 / sqrt(fan-in), and the distribution of random parameters.
///
/// The fan-in is the number of entries that one output of the layer sums over. For a linear layer it is the number of
/// input features. For a convolution it is channels in / groups x height x width of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parameterisation {
    /// All parameters are standard normal. The input of every layer except the first is divided by the square root of the
    /// layer's fan-in. In a multilayer perceptron, X_l = sigma(Z_l) / sqrt(d_l) with d_l the width of layer l (Engel et
    /// al., section 3.2). The network's input is not scaled.
    Ntk,
    /// Weights are normal with variance 1 / fan-in, and vectors are zero. No layer is divided.
    Standard,
}

/// Builds a network of the crate's ops layer by layer. [`Graph`] records all other networks. [`build`](Sequential::build)
/// reports the first error.
///
/// ```
/// use tangent_kernels::{Sequential, unary::Tanh};
///
/// let model = Sequential::ntk(&[784]).linear("d1", 50).tanh().linear("d2", 1).build()?;
/// assert_eq!(model.parameter_count(), 784 * 50 + 50 + 50 + 1);
/// let same = Sequential::ntk(&[784]).mlp(&[50, 1], Tanh).build()?;
/// assert_eq!(same.parameters(), model.parameters());
///
/// use tangent_kernels::ops::{Conv2d, MaxPool2d};
/// let model = Sequential::standard(&[1, 28, 28])
///     .conv2d_without_bias("conv1", 8, [3, 3], Conv2d::new().padding([1, 1]))
///     .batch_norm2d("norm1")
///     .relu()
///     .max_pool2d(MaxPool2d::new([2, 2]))
///     .conv2d("conv2", 16, [3, 3], Conv2d::new().stride([2, 2]))
///     .relu()
///     .global_avg_pool2d()
///     .linear("out", 10)
///     .build()?;
/// assert_eq!(model.output_shape(), [10]);
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
    /// Whether a linear layer or a convolution is recorded, so that `last` is no longer the input.
    hidden: bool,
}

impl Sequential {
    /// A network in the NTK parameterisation, on an input of `shape` for one sample.
    pub fn ntk(shape: &[usize]) -> Self {
        Sequential::new(shape, Parameterisation::Ntk)
    }

    /// A network in the standard parameterisation, on an input of `shape` for one sample.
    pub fn standard(shape: &[usize]) -> Self {
        Sequential::new(shape, Parameterisation::Standard)
    }

    /// A network in a parameterisation that is chosen at run time, on an input of `shape` for one sample.
    pub fn new(shape: &[usize], parameterisation: Parameterisation) -> Self {
        let state = Graph::new(shape).map(|graph| State { last: graph.input(), graph, hidden: false });
        Sequential { parameterisation, state }
    }

    /// A linear layer with bias to `width` features. Parameters: `name.weight`, `[width, i]`, and `name.bias`, `[width]`.
    pub fn linear(self, name: &str, width: usize) -> Self {
        self.linear_layer(name, width, true)
    }

    /// A linear layer without bias. Parameter: `name.weight`, `[width, i]`.
    pub fn linear_without_bias(self, name: &str, width: usize) -> Self {
        self.linear_layer(name, width, false)
    }

    /// A convolution with bias from `[i, h, w]` to `channels` channels. `kernel` is height and width. Parameters:
    /// `name.weight`, `[channels, i / groups, h, w]`, and `name.bias`, `[channels]`.
    pub fn conv2d(self, name: &str, channels: usize, kernel: [usize; 2], conv: Conv2d) -> Self {
        self.conv2d_layer(name, channels, kernel, conv, true)
    }

    /// A convolution without bias. Parameter: `name.weight`, `[channels, i / groups, h, w]`.
    pub fn conv2d_without_bias(self, name: &str, channels: usize, kernel: [usize; 2], conv: Conv2d) -> Self {
        self.conv2d_layer(name, channels, kernel, conv, false)
    }

    /// Batch norm of `[i, h, w]` at inference, as in PyTorch with eps 1e-5. Parameters: `name.weight`, initially 1, and
    /// `name.bias`, initially 0. Buffers: `name.running_mean`, initially 0, and `name.running_var`, initially 1. All are
    /// `[i]`.
    pub fn batch_norm2d(self, name: &str) -> Self {
        self.then(|State { graph, last, .. }, _| {
            let shape = [graph.shape(*last).first().copied().unwrap_or(0)];
            let affine = [("weight", 1.0), ("bias", 0.0)]
                .map(|(part, value)| graph.parameter_filled(format!("{name}.{part}"), &shape, value));
            let statistics = [("running_mean", 0.0), ("running_var", 1.0)]
                .map(|(part, value)| graph.buffer_filled(format!("{name}.{part}"), &shape, value));
            let parameters = affine.into_iter().chain(statistics).collect::<Result<Vec<_>>>()?;
            *last = graph.apply(BatchNorm::new2d(1e-5), &[*last], &parameters)?;
            Ok(())
        })
    }

    /// The maximum over a sliding window.
    pub fn max_pool2d(self, pool: MaxPool2d) -> Self {
        self.apply(pool)
    }

    /// The mean over a sliding window.
    pub fn avg_pool2d(self, pool: AvgPool2d) -> Self {
        self.apply(pool)
    }

    /// The mean over height and width: `[i, h, w]` becomes `[i]`.
    pub fn global_avg_pool2d(self) -> Self {
        self.apply(Sum::mean_over([1, 2]))
    }

    /// A function of one number, applied to every entry.
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

    /// All axes of a sample as one axis.
    pub fn flatten(self) -> Self {
        self.apply(Flatten)
    }

    /// The same entries in another shape for one sample.
    pub fn reshape(self, shape: &[usize]) -> Self {
        self.apply(Reshape::new(shape))
    }

    /// Any op with one input and no parameters.
    pub fn apply(self, op: impl Into<Builtin>) -> Self {
        self.then(|state, _| {
            state.last = state.graph.apply(op, &[state.last], &[])?;
            Ok(())
        })
    }

    /// The model. Its parameters have no values yet.
    ///
    /// # Errors
    /// The first error of the layers: shapes that do not fit, or a name that is used twice.
    pub fn build(self) -> Result<Model> {
        let State { graph, last, .. } = self.state?;
        Ok(Model::new(graph, last)?.with_parameterisation(self.parameterisation))
    }

    fn linear_layer(self, name: &str, width: usize, bias: bool) -> Self {
        self.layer(name, bias, Linear, |input| vec![width, input.last().copied().unwrap_or(0)])
    }

    fn conv2d_layer(self, name: &str, channels: usize, kernel: [usize; 2], conv: Conv2d, bias: bool) -> Self {
        let shape = |input: &[usize]| conv.weight_shape(input.first().copied().unwrap_or(0), channels, kernel).to_vec();
        self.layer(name, bias, conv, shape)
    }

    /// A layer. `weight` gives the shape of its weight for the shape of the layer's input.
    fn layer(
        self,
        name: &str,
        bias: bool,
        op: impl Into<Builtin>,
        weight: impl FnOnce(&[usize]) -> Vec<usize>,
    ) -> Self {
        self.then(|State { graph, last, hidden }, parameterisation| {
            let shape = weight(graph.shape(*last));
            // The op rejects a fan-in that is zero or overflows.
            let fan_in = checked_numel(&shape[1..]).unwrap_or(0).max(1);
            if parameterisation == Parameterisation::Ntk && *hidden {
                *last = graph.apply(Scale { factor: 1.0 / (fan_in as f64).sqrt() }, &[*last], &[])?;
            }
            let mut parameters = vec![graph.parameter(format!("{name}.weight"), &shape)?];
            if bias {
                parameters.push(graph.parameter(format!("{name}.bias"), &shape[..1])?);
            }
            *last = graph.apply(op, &[*last], &parameters)?;
            *hidden = true;
            Ok(())
        })
    }

    fn then(mut self, step: impl FnOnce(&mut State, Parameterisation) -> Result<()>) -> Self {
        let parameterisation = self.parameterisation;
        self.state = self.state.and_then(|mut state| step(&mut state, parameterisation).map(|()| state));
        self
    }

    /// A multilayer perceptron: linear layers `d1`, `d2`, ... with bias, of these widths, with `f` between them. The last
    /// width is the number of outputs.
    pub fn mlp(self, widths: &[usize], f: impl Into<Unary>) -> Self {
        self.mlp_layers(widths, f.into(), true)
    }

    /// As [`mlp`](Sequential::mlp), without biases. The MLP of Engel et al., appendix B, is
    /// `Sequential::ntk(&[784]).mlp_without_bias(&[50, 50, 50, 1], Tanh)`.
    pub fn mlp_without_bias(self, widths: &[usize], f: impl Into<Unary>) -> Self {
        self.mlp_layers(widths, f.into(), false)
    }

    fn mlp_layers(mut self, widths: &[usize], f: Unary, bias: bool) -> Self {
        if widths.is_empty() {
            return self
                .then(|_, _| Err(Error::shape("an MLP needs at least one layer, but the list of widths is empty")));
        }
        for (l, &width) in widths.iter().enumerate() {
            if l > 0 {
                self = self.unary(f);
            }
            self = self.linear_layer(&format!("d{}", l + 1), width, bias);
        }
        self
    }
}
