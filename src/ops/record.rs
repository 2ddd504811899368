//! Recording the crate's own ops by name.

use super::{Add, Builtin, Concat, Flatten, Linear, Matmul, Mul, Op, Permute, Reshape, Scale, Slice, Sub, Sum};
use crate::error::Result;
use crate::tape::{Graph, Parameter, Value};
use crate::unary::Unary;

/// The crate's own ops by name. Each is [`apply`](Graph::apply) with that op, and fails where it does.
impl<O: Op + From<Builtin>> Graph<O> {
    fn builtin(&mut self, op: impl Into<Builtin>, inputs: &[Value], parameters: &[Parameter]) -> Result<Value> {
        self.apply(O::from(op.into()), inputs, parameters)
    }

    /// x W^T + b on the last axis: [`Linear`].
    pub fn linear(&mut self, x: Value, weight: Parameter, bias: Option<Parameter>) -> Result<Value> {
        let parameters: Vec<Parameter> = [Some(weight), bias].into_iter().flatten().collect();
        self.builtin(Linear, &[x], &parameters)
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

    /// The axes of a sample in another order: [`Permute`].
    pub fn permute(&mut self, x: Value, order: &[usize]) -> Result<Value> {
        self.builtin(Permute::new(order), &[x], &[])
    }

    /// The values one after another along an axis of a sample: [`Concat`].
    pub fn concat(&mut self, list: &[Value], axis: usize) -> Result<Value> {
        self.builtin(Concat { axis }, list, &[])
    }

    /// A range along an axis of a sample: [`Slice`].
    pub fn slice(&mut self, x: Value, axis: usize, range: std::ops::Range<usize>) -> Result<Value> {
        self.builtin(Slice { axis, range }, &[x], &[])
    }

    /// The same entries in another shape for one sample: [`Reshape`].
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Result<Value> {
        self.builtin(Reshape::new(shape), &[x], &[])
    }

    /// All axes of a sample made one: [`Flatten`].
    pub fn flatten(&mut self, x: Value) -> Result<Value> {
        self.builtin(Flatten, &[x], &[])
    }
}
