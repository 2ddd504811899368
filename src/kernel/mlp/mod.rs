//! The closed form for multilayer perceptrons, without the tape: the method `closed-form`.
//!
//! The network of Engel et al., section 3.2, here with samples first, W of shape `[out, in]` and any number of outputs.
//! With X_0 = X and hidden layers l = 1..L of widths d_l it is
//!
//! ```text
//! Z_l = X_{l-1} W_l^T + b_l            [n, d_l]
//! X_l = s_l sigma_l(r_l Z_l)           [n, d_l]     s_l = 1 / sqrt(d_l), r_l = 1 in the paper
//! f   = s (X_L W^T + b)                [n, C]       s = 1 in the paper
//! ```
//!
//! With `S_l[n,c]` the derivative of f_c(x_n) at Z_l, a vector of d_l entries,
//!
//! ```text
//! S_{L+1}[n,c] = s e_c
//! S_l[n,c]     = s_l r_l sigma_l'(r_l Z_l[n]) o (W_{l+1}^T S_{l+1}[n,c])
//! K[n,c; m,c'] = sum over l = 1..L+1 of (S_l[n,c] . S_l[m,c']) (X_{l-1}[n] . X_{l-1}[m] + 1)
//! ```
//!
//! where o is the entrywise product. The first addend in brackets is the weight's component and the 1 is the bias's.
//!
//! This corrects misprints in the paper's recursion:
//!
//! - It writes the output bias's part as J^T J with J the d_L x n matrix of ones, which is d_L 1 1^T. One output has
//!   one bias, so the part is 1 1^T.
//! - It prints W_{l+1}^T in its column convention, but the recursion needs W_{l+1}. It also prints W without its
//!   transpose inside D.
//! - The X_l of section 3.1 must be that of section 3.2, which carries the 1 / sqrt(d_l).
//!
//! The module uses backend primitives and parameters, and no tape. It is the fastest path for plain MLPs and an
//! independent check of all others.

mod plain;

pub(crate) use plain::plain_mlp;

use super::contraction_plan::Pair;
use super::metric::Metric;
use super::outputs::{Layout, Seeds};
use super::pack;
use crate::backend::{Arrays, Panels, RightPanel};
use crate::real::Real;
use crate::shape::numel;
use crate::unary::{Order, Unary};

/// A plain multilayer perceptron, with parameters by index.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlainMlp {
    pub layers: Vec<DenseLayer>,
}

/// A linear layer and its activation: X = after sigma(before Z). The last layer has no activation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DenseLayer {
    pub weight: usize,
    pub bias: Option<usize>,
    pub before: f64,
    pub function: Option<Unary>,
    pub after: f64,
}

/// The panels of the samples `x`, `[n, ...]`: left panels X_{l-1}, right panels S_l.
pub(crate) fn panels<B: Arrays>(
    arrays: &B,
    parameters: &[B::Tensor],
    network: &PlainMlp,
    layout: &Layout,
    metric: &[Metric],
    x: &B::Tensor,
) -> (Panels<B::Tensor>, Vec<Pair>) {
    let n = arrays.shape(x)[0];
    let (inputs, slopes) = forward(arrays, parameters, network, x);
    let mut lefts = Vec::new();
    let mut pairs = Vec::new();
    let rights = backward(arrays, parameters, network, layout, &slopes, n);
    let weight = |parameter: usize| metric[parameter].uniform();
    for (l, (layer, input)) in network.layers.iter().zip(&inputs).enumerate() {
        lefts.push(arrays.reshape(input, &[1, n, 1, arrays.shape(input)[1]]));
        pairs.push(Pair::with_itself(layer.weight, Some(l), l, weight(layer.weight)));
        pairs.extend(layer.bias.map(|bias| Pair::with_itself(bias, None, l, weight(bias))));
    }
    (Panels { samples: n, lefts, rights }, pairs)
}

/// X_{l-1} of every layer, and s_l r_l sigma_l'(r_l Z_l) of every hidden layer.
fn forward<B: Arrays>(
    arrays: &B,
    parameters: &[B::Tensor],
    network: &PlainMlp,
    x: &B::Tensor,
) -> (Vec<B::Tensor>, Vec<B::Tensor>) {
    let shape = arrays.shape(x);
    let mut inputs = vec![arrays.reshape(x, &[shape[0], numel(&shape[1..])])];
    let mut slopes = Vec::new();
    for layer in &network.layers[..network.layers.len() - 1] {
        let mut z = arrays.matmul(&inputs[inputs.len() - 1], false, &parameters[layer.weight], true);
        if let Some(bias) = layer.bias {
            z = arrays.add(&z, &parameters[bias]);
        }
        let z = scaled(arrays, z, layer.before);
        let slope = arrays.full(layer.before * layer.after, arrays.shape(&z));
        let (y, slope) = match layer.function {
            Some(f) => {
                let y = arrays.apply(f, &z);
                let slope = arrays.apply_derivative(f, Order::First, &z, &y, &slope);
                (y, slope)
            }
            None => (z, slope),
        };
        inputs.push(scaled(arrays, y, layer.after));
        slopes.push(slope);
    }
    (inputs, slopes)
}

/// S_l of every layer, packed, in the order of the layers.
fn backward<B: Arrays>(
    arrays: &B,
    parameters: &[B::Tensor],
    network: &PlainMlp,
    layout: &Layout,
    slopes: &[B::Tensor],
    n: usize,
) -> Vec<RightPanel<B::Tensor>> {
    let (last, hidden) = network.layers.split_last().expect("an MLP has a layer");
    let outputs = arrays.shape(&parameters[last.weight])[0];
    let count = layout.seeds.len();
    // S_{L+1}, [s, C], is the same for all samples, and so is its product with W.
    let seeds = seeds(arrays, &layout.seeds, last.after, outputs);
    let is_unit = matches!(layout.seeds, Seeds::Outputs(_)) && last.after == 1.0;
    let read_out = || arrays.add(&arrays.reshape(&seeds, &[1, count, outputs]), &arrays.full(0.0, &[n, 1, 1]));
    let mut panels = vec![if is_unit { RightPanel::OneHot } else { packed(arrays, layout, &read_out()) }];

    let mut s = arrays.reshape(&seeds, &[1, count, outputs]);
    let above = network.layers.iter().skip(1);
    for ((_, slope), above) in hidden.iter().zip(slopes).zip(above).rev() {
        let width = arrays.shape(slope)[1];
        s = arrays.mul(&arrays.reshape(slope, &[n, 1, width]), &pulled_back(arrays, &s, &parameters[above.weight]));
        panels.push(packed(arrays, layout, &s));
    }
    panels.reverse();
    panels
}

/// W^T S for every sample and seed, `[n, s, d]`.
fn pulled_back<B: Arrays>(arrays: &B, s: &B::Tensor, weight: &B::Tensor) -> B::Tensor {
    let shape = arrays.shape(s);
    let flat = arrays.reshape(s, &[shape[0] * shape[1], shape[2]]);
    let product = arrays.matmul(&flat, false, weight, false);
    arrays.reshape(&product, &[shape[0], shape[1], arrays.shape(weight)[1]])
}

/// The seeds `[s, C]`: after e_c for every seed c, or after times ones.
fn seeds<B: Arrays>(arrays: &B, seeds: &Seeds, after: f64, outputs: usize) -> B::Tensor {
    let Seeds::Outputs(indices) = seeds else { return arrays.full(after, &[1, outputs]) };
    let mut rows = vec![B::Number::default(); indices.len() * outputs];
    indices.iter().enumerate().for_each(|(row, &c)| rows[row * outputs + c] = B::Number::from_f64(after));
    arrays.upload(&rows, &[indices.len(), outputs])
}

/// Packs `S[n,s,o]` as a right panel.
fn packed<B: Arrays>(arrays: &B, layout: &Layout, s: &B::Tensor) -> RightPanel<B::Tensor> {
    RightPanel::Array(pack::pack_rows(arrays, layout, s))
}

fn scaled<B: Arrays>(arrays: &B, x: B::Tensor, factor: f64) -> B::Tensor {
    if factor == 1.0 { x } else { arrays.affine(&x, factor, 0.0) }
}
