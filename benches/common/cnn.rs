//! The CNN of the comparisons with other programs.

use tangent_kernels::ops::{AvgPool2d, Conv2d};
use tangent_kernels::unary::Relu;
use tangent_kernels::{Graph, Model, Result};

/// On 3 x 32 x 32 pixels: three 3 x 3 convolutions that keep the size, ReLU, 2 x 2 means, a dense layer; no biases.
pub fn cnn(outputs: usize) -> Result<Model> {
    let mut graph = Graph::new(&[3, 32, 32])?;
    let mut x = graph.input();
    for (l, [i, o]) in [[3, 32], [32, 64], [64, 64]].into_iter().enumerate() {
        let weight = graph.parameter(format!("conv{}.weight", l + 1), &[o, i, 3, 3])?;
        x = graph.conv2d(x, Conv2d::new().padding([1, 1]), weight, None)?;
        x = graph.unary(Relu, x)?;
        x = graph.avg_pool2d(x, AvgPool2d::new([2, 2]))?;
    }
    let x = graph.flatten(x)?;
    let weight = graph.parameter("out.weight", &[outputs, graph.shape(x)[0]])?;
    let y = graph.linear(x, weight, None)?;
    let mut model = Model::new(graph, y)?;
    model.initialise(0)?;
    Ok(model)
}
