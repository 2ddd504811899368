//! A small residual network: layers are functions of the graph and a value, and so are blocks of them.

use tangent_kernels::Value;
use tangent_kernels::ops::{AvgPool2d, BatchNorm, Conv2d};
use tangent_kernels::unary::Relu;
use tangent_kernels::{Graph, Model, Result};

use crate::digits::SIDE;

/// A stem of 8 channels, a residual block, a convolution of stride 2 to 16 channels, means over quarters of the
/// image, and a linear read-out.
pub fn network(outputs: usize, seed: u64) -> Result<Model> {
    let mut model = Model::from_fn(&[&[1, SIDE, SIDE]], |graph, inputs| {
        let x = convolution(graph, ["stem.conv", "stem.norm"], inputs[0], 8, 1)?;
        let x = graph.unary(Relu, x)?;
        let x = residual(graph, "block", x)?;
        let x = convolution(graph, ["down.conv", "down.norm"], x, 16, 2)?;
        let x = graph.unary(Relu, x)?;
        // 14 x 14 becomes 2 x 2: the position of the ink distinguishes a six from a nine.
        let x = graph.avg_pool2d(x, AvgPool2d::new([7, 7]))?;
        let x = graph.flatten(x)?;
        let weight = graph.parameter("dense.weight", &[outputs, graph.shape(x)[0]])?;
        let bias = graph.parameter("dense.bias", &[outputs])?;
        graph.linear(x, weight, Some(bias))
    })?;
    model.initialise(seed)?;
    Ok(model)
}

/// relu(x + norm(conv(relu(norm(conv(x))))))
fn residual(graph: &mut Graph, name: &str, x: Value) -> Result<Value> {
    let channels = graph.shape(x)[0];
    let names = |k: usize| [format!("{name}.conv{k}"), format!("{name}.norm{k}")];
    let y = convolution(graph, names(1), x, channels, 1)?;
    let y = graph.unary(Relu, y)?;
    let y = convolution(graph, names(2), y, channels, 1)?;
    let sum = graph.add(x, y)?;
    graph.unary(Relu, sum)
}

/// A 3 x 3 convolution without bias, and batch norm at inference.
fn convolution(
    graph: &mut Graph,
    [conv, norm]: [impl AsRef<str>; 2],
    x: Value,
    channels: usize,
    stride: usize,
) -> Result<Value> {
    let (conv, norm) = (conv.as_ref(), norm.as_ref());
    let weight = graph.parameter(format!("{conv}.weight"), &[channels, graph.shape(x)[0], 3, 3])?;
    let sliding = Conv2d::new().padding([1, 1]).stride([stride, stride]);
    let x = graph.conv2d(x, sliding, weight, None)?;
    // The initial values of a norm, with fixed statistics instead of a batch's.
    let affine = [
        graph.parameter_filled(format!("{norm}.weight"), &[channels], 1.0)?,
        graph.parameter_filled(format!("{norm}.bias"), &[channels], 0.0)?,
    ];
    let statistics = [
        graph.buffer_filled(format!("{norm}.running_mean"), &[channels], 0.0)?,
        graph.buffer_filled(format!("{norm}.running_var"), &[channels], 1.0)?,
    ];
    graph.batch_norm(x, BatchNorm::new2d(1e-5), Some(affine), statistics)
}
