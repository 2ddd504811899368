//! Networks that are one layer after another.

use super::Model;
use crate::error::Result;
use crate::ops::{AvgPool2d, BatchNorm, Builtin, Conv2d, Flatten, Linear, MaxPool2d, Reshape, Scale, Sum};
use crate::shape::checked_numel;
use crate::tape::{Graph, Value};
use crate::unary::{Relu, Tanh, Unary};

/// Where the 1 / sqrt(fan-in) of a layer stands. The fan-in is the number of entries that one output of the layer sums
/// over: the features in of a linear layer, channels in / groups x height x width of the kernel of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parameterisation {
    /// Weights are standard normal, and what goes into every layer but the first is divided by the square root of the
    /// layer's fan-in. In a multilayer perceptron that is X_l = sigma(Z_l) / sqrt(d_l), d_l the width of layer l (Engel et
    /// al., section 3.2). The input is taken as it is.
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
///
/// use tangent_kernels::ops::{Conv2d, MaxPool2d};
/// let model = Sequential::new(&[1, 28, 28], Parameterisation::Standard)
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
    /// A linear layer or a convolution was recorded: what follows is no longer the input.
    hidden: bool,
}

impl Sequential {
    /// A network on an input of `shape` for one sample.
    pub fn new(shape: &[usize], parameterisation: Parameterisation) -> Self {
        let state = Graph::new(shape).map(|graph| State { last: graph.input(), graph, hidden: false });
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

    /// A convolution with bias of \[i, h, w\] to `channels` channels, by a kernel of this height and width: parameters
    /// `name.weight`, \[channels, i / groups, h, w\], and `name.bias`, \[channels\].
    pub fn conv2d(self, name: &str, channels: usize, kernel: [usize; 2], conv: Conv2d) -> Self {
        self.conv2d_layer(name, channels, kernel, conv, true)
    }

    /// A convolution without bias: parameter `name.weight`, \[channels, i / groups, h, w\].
    pub fn conv2d_without_bias(self, name: &str, channels: usize, kernel: [usize; 2], conv: Conv2d) -> Self {
        self.conv2d_layer(name, channels, kernel, conv, false)
    }

    /// Batch norm of \[i, h, w\] at inference, as PyTorch's with eps 1e-5: parameters `name.weight` and `name.bias`, which
    /// begin as 1 and 0, and buffers `name.running_mean` and `name.running_var`, which begin as 0 and 1, all \[i\].
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

    /// The largest entry of a window.
    pub fn max_pool2d(self, pool: MaxPool2d) -> Self {
        self.apply(pool)
    }

    /// The mean over a window.
    pub fn avg_pool2d(self, pool: AvgPool2d) -> Self {
        self.apply(pool)
    }

    /// The mean over height and width: \[i, h, w\] becomes \[i\].
    pub fn global_avg_pool2d(self) -> Self {
        self.apply(Sum::mean_over([1, 2]))
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
        self.layer(name, bias, Linear, |input| vec![width, input.last().copied().unwrap_or(0)])
    }

    fn conv2d_layer(self, name: &str, channels: usize, kernel: [usize; 2], conv: Conv2d, bias: bool) -> Self {
        let shape = |input: &[usize]| conv.weight_shape(input.first().copied().unwrap_or(0), channels, kernel).to_vec();
        self.layer(name, bias, conv, shape)
    }

    /// A layer whose weight has the shape `weight` of what comes in.
    fn layer(
        self,
        name: &str,
        bias: bool,
        op: impl Into<Builtin>,
        weight: impl FnOnce(&[usize]) -> Vec<usize>,
    ) -> Self {
        self.then(|State { graph, last, hidden }, parameterisation| {
            let shape = weight(graph.shape(*last));
            // A fan-in of none, or one beyond counting, is for the op to refuse.
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
