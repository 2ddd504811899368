//! Methods of `Graph` that record the crate's ops by name.

use super::{
    Add, AvgPool2d, BatchNorm, BinaryCrossEntropy, Builtin, Compare, Concat, Conv1d, Conv2d, ConvTranspose2d,
    CrossEntropy, Div, Embedding, Flatten, Gain, GroupNorm, LayerNorm, Linear, Matmul, MaxPool2d, Mul, Op, Permute,
    Prelu, Put, Reshape, RmsNorm, Scale, Select, Shift, Slice, Softmax, SortOrder, SquaredError, Sub, Sum, Take,
    ZeroPad2d,
};
use crate::backend::Relation;
use crate::error::Result;
use crate::tape::{self, Parameter, Value};
use crate::unary::Unary;

/// A [`Graph`](tape::Graph) of this crate's ops, or of another set `O`.
pub type Graph<O = Builtin> = tape::Graph<O>;

impl Graph {
    /// An empty graph of the crate's ops on an input of `shape` for one sample.
    ///
    /// # Errors
    /// The number of entries overflows `usize`.
    pub fn new(shape: &[usize]) -> Result<Self> {
        Graph::with_ops(&[shape])
    }

    /// An empty graph of the crate's ops on several inputs of these shapes for one sample.
    ///
    /// # Errors
    /// `shapes` is empty, or a number of entries overflows `usize`.
    pub fn with_inputs(shapes: &[&[usize]]) -> Result<Self> {
        Graph::with_ops(shapes)
    }
}

/// The crate's ops by name. Each method is [`apply`](Graph::apply) with that op and has the same errors.
impl<O: Op + From<Builtin>> Graph<O> {
    fn builtin(&mut self, op: impl Into<Builtin>, inputs: &[Value], parameters: &[Parameter]) -> Result<Value> {
        self.apply(O::from(op.into()), inputs, parameters)
    }

    /// x W^T + b on the last axis: [`Linear`].
    pub fn linear(&mut self, x: Value, weight: Parameter, bias: Option<Parameter>) -> Result<Value> {
        self.builtin(Linear, &[x], &present([Some(weight), bias]))
    }

    /// f(x) entry by entry.
    pub fn unary(&mut self, f: impl Into<Unary>, x: Value) -> Result<Value> {
        self.builtin(f.into(), &[x], &[])
    }

    /// factor x: [`Scale`].
    pub fn scale(&mut self, x: Value, factor: f64) -> Result<Value> {
        self.builtin(Scale { factor }, &[x], &[])
    }

    /// x + y: [`Add`].
    pub fn add(&mut self, x: Value, y: Value) -> Result<Value> {
        self.builtin(Add, &[x, y], &[])
    }

    /// x - y: [`Sub`].
    pub fn sub(&mut self, x: Value, y: Value) -> Result<Value> {
        self.builtin(Sub, &[x, y], &[])
    }

    /// x y entry by entry: [`Mul`].
    pub fn mul(&mut self, x: Value, y: Value) -> Result<Value> {
        self.builtin(Mul, &[x, y], &[])
    }

    /// x / y entry by entry: [`Div`].
    pub fn div(&mut self, x: Value, y: Value) -> Result<Value> {
        self.builtin(Div, &[x, y], &[])
    }

    /// x y, or x y^T, over the last two axes of every sample: [`Matmul`].
    pub fn matmul(&mut self, x: Value, y: Value, transpose_b: bool) -> Result<Value> {
        self.builtin(Matmul { transpose_b }, &[x, y], &[])
    }

    /// The sum over axes of a sample: [`Sum`].
    pub fn sum(&mut self, x: Value, axes: &[usize]) -> Result<Value> {
        self.builtin(Sum::over(axes), &[x], &[])
    }

    /// The mean over axes of a sample: [`Sum`].
    pub fn mean(&mut self, x: Value, axes: &[usize]) -> Result<Value> {
        self.builtin(Sum::mean_over(axes), &[x], &[])
    }

    /// A permutation of the axes of a sample: [`Permute`].
    pub fn permute(&mut self, x: Value, order: &[usize]) -> Result<Value> {
        self.builtin(Permute::new(order), &[x], &[])
    }

    /// Values concatenated along an axis of a sample: [`Concat`].
    pub fn concat(&mut self, values: &[Value], axis: usize) -> Result<Value> {
        self.builtin(Concat { axis }, values, &[])
    }

    /// A range along an axis of a sample: [`Slice`].
    pub fn slice(&mut self, x: Value, axis: usize, range: std::ops::Range<usize>) -> Result<Value> {
        self.builtin(Slice { axis, range }, &[x], &[])
    }

    /// The same entries in another shape for one sample: [`Reshape`].
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value> {
        self.builtin(Reshape::new(shape), &[x], &[])
    }

    /// All axes of a sample as one axis: [`Flatten`].
    pub fn flatten(&mut self, x: Value) -> Result<Value> {
        self.builtin(Flatten, &[x], &[])
    }

    /// Planes padded with zeros: left, right, top and bottom. See [`ZeroPad2d`].
    pub fn zero_pad2d(&mut self, x: Value, pad: [usize; 4]) -> Result<Value> {
        self.builtin(ZeroPad2d { pad }, &[x], &[])
    }

    /// A one-dimensional convolution: [`Conv1d`].
    pub fn conv1d(&mut self, x: Value, conv: Conv1d, weight: Parameter, bias: Option<Parameter>) -> Result<Value> {
        self.builtin(conv, &[x], &present([Some(weight), bias]))
    }

    /// A two-dimensional convolution: [`Conv2d`].
    pub fn conv2d(&mut self, x: Value, conv: Conv2d, weight: Parameter, bias: Option<Parameter>) -> Result<Value> {
        self.builtin(conv, &[x], &present([Some(weight), bias]))
    }

    /// A two-dimensional transposed convolution: [`ConvTranspose2d`].
    pub fn conv_transpose2d(
        &mut self,
        x: Value,
        conv: ConvTranspose2d,
        weight: Parameter,
        bias: Option<Parameter>,
    ) -> Result<Value> {
        self.builtin(conv, &[x], &present([Some(weight), bias]))
    }

    /// The maximum over a sliding window: [`MaxPool2d`].
    pub fn max_pool2d(&mut self, x: Value, pool: MaxPool2d) -> Result<Value> {
        self.builtin(pool, &[x], &[])
    }

    /// The mean over a sliding window: [`AvgPool2d`].
    pub fn avg_pool2d(&mut self, x: Value, pool: AvgPool2d) -> Result<Value> {
        self.builtin(pool, &[x], &[])
    }

    /// The mean over height and width of planes, one number per channel: [`Sum`].
    pub fn global_avg_pool2d(&mut self, x: Value) -> Result<Value> {
        self.mean(x, &[1, 2])
    }

    /// Batch norm at inference: [`BatchNorm`]. `affine` is weight and bias, `statistics` is mean and variance.
    pub fn batch_norm(
        &mut self,
        x: Value,
        norm: BatchNorm,
        affine: Option<[Parameter; 2]>,
        statistics: [Parameter; 2],
    ) -> Result<Value> {
        let affine = affine.into_iter().flatten();
        self.builtin(norm, &[x], &affine.chain(statistics).collect::<Vec<_>>())
    }

    /// Layer norm: [`LayerNorm`]. `affine` is weight and bias, the weight only, or empty.
    pub fn layer_norm(&mut self, x: Value, norm: LayerNorm, affine: &[Parameter]) -> Result<Value> {
        self.builtin(norm, &[x], affine)
    }

    /// Group norm: [`GroupNorm`]. `affine` is weight and bias.
    pub fn group_norm(&mut self, x: Value, norm: GroupNorm, affine: Option<[Parameter; 2]>) -> Result<Value> {
        self.builtin(norm, &[x], &affine.into_iter().flatten().collect::<Vec<_>>())
    }

    /// Root mean square norm over the last axis: [`RmsNorm`].
    pub fn rms_norm(&mut self, x: Value, eps: f64, weight: Option<Parameter>) -> Result<Value> {
        self.builtin(RmsNorm { eps }, &[x], &present([weight]))
    }

    /// Rows of a table by their numbers `ids`: [`Embedding`].
    pub fn embedding(&mut self, ids: Value, table: Parameter) -> Result<Value> {
        self.builtin(Embedding, &[ids], &[table])
    }

    /// 1 where the relation holds between x and y, else 0: [`Compare`].
    pub fn compare(&mut self, relation: Relation, x: Value, y: Value) -> Result<Value> {
        self.builtin(Compare { relation }, &[x, y], &[])
    }

    /// x where `mask` is not 0, else y: [`Select`].
    pub fn select(&mut self, mask: Value, x: Value, y: Value) -> Result<Value> {
        self.builtin(Select, &[mask, x, y], &[])
    }

    /// The order of the entries along the last axis: [`SortOrder`].
    pub fn sort_order(&mut self, x: Value, descending: bool) -> Result<Value> {
        self.builtin(SortOrder { descending }, &[x], &[])
    }

    /// Rows of the sample's own tables by number: [`Take`].
    pub fn take(&mut self, x: Value, ids: Value) -> Result<Value> {
        self.builtin(Take, &[x, ids], &[])
    }

    /// Rows added up by number: [`Put`].
    pub fn put(&mut self, x: Value, ids: Value, rows: usize) -> Result<Value> {
        self.builtin(Put { rows }, &[x, ids], &[])
    }

    /// softmax along an axis of a sample. A negative axis counts from the end. See [`Softmax`].
    pub fn softmax(&mut self, x: Value, axis: i64) -> Result<Value> {
        self.builtin(Softmax::along(axis), &[x], &[])
    }

    /// log(softmax) along an axis of a sample. A negative axis counts from the end. See [`Softmax`].
    pub fn log_softmax(&mut self, x: Value, axis: i64) -> Result<Value> {
        self.builtin(Softmax::log_along(axis), &[x], &[])
    }

    /// |f - y|^2 / 2, one number per sample: [`SquaredError`].
    pub fn squared_error(&mut self, f: Value, y: Value) -> Result<Value> {
        self.builtin(SquaredError, &[f, y], &[])
    }

    /// The entrywise cross-entropy of logits f and probabilities y, one number per sample:
    /// [`BinaryCrossEntropy`].
    pub fn binary_cross_entropy(&mut self, f: Value, y: Value) -> Result<Value> {
        self.builtin(BinaryCrossEntropy, &[f, y], &[])
    }

    /// The cross-entropy of softmax(f) and probabilities y along the last axis, one number per sample:
    /// [`CrossEntropy`].
    pub fn cross_entropy(&mut self, f: Value, y: Value) -> Result<Value> {
        self.builtin(CrossEntropy, &[f, y], &[])
    }

    /// A relu whose left slope is a parameter: [`Prelu`].
    pub fn prelu(&mut self, x: Value, slope: Parameter) -> Result<Value> {
        self.builtin(Prelu, &[x], &[slope])
    }

    /// x w entry by entry with a parameter w: [`Gain`].
    pub fn gain(&mut self, x: Value, weight: Parameter) -> Result<Value> {
        self.builtin(Gain, &[x], &[weight])
    }

    /// x + b entry by entry with a parameter b: [`Shift`].
    pub fn shift(&mut self, x: Value, bias: Parameter) -> Result<Value> {
        self.builtin(Shift, &[x], &[bias])
    }
}

/// The parameters that are given.
fn present<const N: usize>(parameters: [Option<Parameter>; N]) -> Vec<Parameter> {
    parameters.into_iter().flatten().collect()
}
