//! A transformer composed of functions of the graph and a value. The library has no attention op: linear layers, reshapes,
//! products and a softmax suffice.

use tangent_kernels::ops::{LayerNorm, Slice};
use tangent_kernels::unary::Gelu;
use tangent_kernels::{Error, Graph, Model, Result};
use tangent_kernels::{Parameter, Value};

/// The sizes of a transformer.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Words in the vocabulary, which are the outputs: one logit each.
    pub words: usize,
    /// Words in a sentence.
    pub length: usize,
    pub width: usize,
    pub heads: usize,
    pub blocks: usize,
}

/// The logits of the next word. Input: the numbers of a sentence's words. The read-out is tied: its weight is the table of
/// embeddings.
pub fn transformer(sizes: Sizes) -> Result<Model> {
    let Sizes { words, length, width, heads, blocks } = sizes;
    Model::from_fn(&[&[length]], |graph, inputs| {
        let table = graph.parameter("embedding.weight", &[words, width])?;
        let positions = graph.parameter("positions.weight", &[length, width])?;
        let x = graph.embedding(inputs[0], table)?;
        let mut x = graph.shift(x, positions)?;
        for b in 1..=blocks {
            x = block(graph, &format!("block{b}"), x, heads)?;
        }
        let x = norm(graph, "norm", x)?;
        let last = graph.slice(x, 0, length - 1..length)?;
        let last = graph.flatten(last)?;
        graph.linear(last, table, None)
    })
}

/// x + attention(norm(x)), then the same with a multilayer perceptron of twice the width. x is `[t, width]`.
pub fn block(graph: &mut Graph, name: &str, x: Value, heads: usize) -> Result<Value> {
    let width = graph.shape(x)[1];
    let y = norm(graph, &format!("{name}.norm1"), x)?;
    let y = attention(graph, &format!("{name}.attention"), y, heads)?;
    let x = graph.add(x, y)?;
    let y = norm(graph, &format!("{name}.norm2"), x)?;
    let y = linear(graph, &format!("{name}.mlp1"), y, 2 * width)?;
    let y = graph.unary(Gelu { approximate: false }, y)?;
    let y = linear(graph, &format!("{name}.mlp2"), y, width)?;
    graph.add(x, y)
}

/// Multi-head attention of every position to every other: softmax(q k^T / sqrt(width of a head)) v, head by head, then a
/// linear layer. x is `[t, width]`. Queries, keys and values have one packed weight, of which each takes a slice.
pub fn attention(graph: &mut Graph, name: &str, x: Value, heads: usize) -> Result<Value> {
    let [length, width] = [graph.shape(x)[0], graph.shape(x)[1]];
    if heads == 0 || width % heads != 0 {
        return Err(Error::shape(format!("{name}: {heads} heads do not divide the width {width}")));
    }
    let packed = graph.parameter(format!("{name}.qkv.weight"), &[3 * width, width])?;
    let q = projection(graph, packed, 0, x, heads)?;
    let k = projection(graph, packed, 1, x, heads)?;
    let v = projection(graph, packed, 2, x, heads)?;
    let scores = graph.matmul(q, k, true)?; // q k^T
    let scores = graph.scale(scores, 1.0 / ((width / heads) as f64).sqrt())?;
    let weights = graph.softmax(scores, -1)?;
    let mixed = graph.matmul(weights, v, false)?;
    let mixed = graph.permute(mixed, &[1, 0, 2])?;
    let mixed = graph.reshape(mixed, &[length, width])?;
    linear(graph, &format!("{name}.out"), mixed, width)
}

/// Slice `part` of the packed weight applied to x `[t, width]`: `[heads, t, width of a head]`.
fn projection(graph: &mut Graph, packed: Parameter, part: usize, x: Value, heads: usize) -> Result<Value> {
    let [length, width] = [graph.shape(x)[0], graph.shape(x)[1]];
    let weight = graph.derive(Slice { axis: 0, range: part * width..(part + 1) * width }, &[packed])?;
    let y = graph.linear(x, weight, None)?;
    let y = graph.reshape(y, &[length, heads, width / heads])?;
    graph.permute(y, &[1, 0, 2])
}

/// A linear layer with bias, at every position.
fn linear(graph: &mut Graph, name: &str, x: Value, width: usize) -> Result<Value> {
    let features = graph.shape(x)[1];
    let weight = graph.parameter(format!("{name}.weight"), &[width, features])?;
    let bias = graph.parameter(format!("{name}.bias"), &[width])?;
    graph.linear(x, weight, Some(bias))
}

/// A layer norm at every position. Its weight is 1 at first, its bias 0.
fn norm(graph: &mut Graph, name: &str, x: Value) -> Result<Value> {
    let features = [graph.shape(x)[1]];
    let weight = graph.parameter_filled(format!("{name}.weight"), &features, 1.0)?;
    let bias = graph.parameter_filled(format!("{name}.bias"), &features, 0.0)?;
    graph.layer_norm(x, LayerNorm::new(1e-5), &[weight, bias])
}
