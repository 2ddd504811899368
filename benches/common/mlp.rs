//! The networks of the paper's section 4, used by the benches: MLP is four linear layers of width 100, MLP-h
//! eight of width 1000.

use tangent_kernels::unary::Tanh;
use tangent_kernels::{Model, Result, Sequential};

/// `layers` linear layers, all of one width but for the last: tanh, no biases, NTK parameterisation, random weights that
/// are the same in every process.
pub fn mlp(layers: usize, width: usize, outputs: usize) -> Result<Model> {
    let mut widths = vec![width; layers];
    widths.push(outputs);
    let mut model = Sequential::ntk(&widths[..1]).mlp_without_bias(&widths[1..], Tanh).build()?;
    model.initialise(0)?;
    Ok(model)
}
