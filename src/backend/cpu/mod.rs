//! The CPU: contiguous arrays, products by faer, threads by rayon.

mod array;
mod convolution;
mod elementwise;
mod index;
mod pool;
mod softmax;
mod sort;
mod tile;

use std::marker::PhantomData;
use std::ops::Range;

pub use array::Array;
pub use index::Index;
pub use tile::{Block, Scratch};

use super::{Arrays, Relation, Window};
use crate::error::Result;
use crate::real::Real;
use crate::real::buffer_pool;
use crate::real::gemm::{View, product};
use crate::shape;
use crate::unary::{Order, Unary};
use elementwise::{Apply, ApplyDerivative, map, zip};

/// The CPU as a backend, computing in `R`: `Cpu<f32>` or `Cpu<f64>`.
///
/// An array kernel runs on the thread that calls it. Threads (rayon's, of the pool that the caller is in) take blocks of
/// samples and tiles of the kernel, so results are the same to the bit for any number of threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu<R>(PhantomData<R>);

impl<R: Real> Cpu<R> {
    /// The CPU.
    pub fn new() -> Self {
        Cpu(PhantomData)
    }
}

impl<R: Real> Arrays for Cpu<R> {
    type Number = R;
    type Tensor = Array<R>;
    type Index = Index;

    fn upload(&self, data: &[R], shape: &[usize]) -> Array<R> {
        let mut entries = buffer_pool::empty(data.len());
        entries.extend_from_slice(data);
        Array::new(entries, shape.to_vec())
    }
    fn read(&self, x: &Array<R>) -> Result<Vec<R>> {
        Ok(x.as_slice().to_vec())
    }
    fn shape<'a>(&self, x: &'a Array<R>) -> &'a [usize] {
        x.shape()
    }
    fn full(&self, value: f64, shape: &[usize]) -> Array<R> {
        let mut entries = buffer_pool::empty(shape::numel(shape));
        entries.resize(shape::numel(shape), R::from_f64(value));
        Array::new(entries, shape.to_vec())
    }
    fn reshape(&self, x: &Array<R>, shape: &[usize]) -> Array<R> {
        x.reshaped(shape)
    }
    fn slice(&self, x: &Array<R>, axis: usize, range: Range<usize>) -> Array<R> {
        if axis == 0 { x.rows(range) } else { array::sliced(x, axis, range) }
    }
    fn permute(&self, x: &Array<R>, order: &[usize]) -> Array<R> {
        array::permuted(x, order)
    }
    fn concat(&self, list: &[&Array<R>], axis: usize) -> Array<R> {
        array::concatenated(list, axis)
    }
    fn sum(&self, x: &Array<R>, axes: &[usize]) -> Array<R> {
        elementwise::sum(x, axes)
    }
    fn affine(&self, x: &Array<R>, a: f64, b: f64) -> Array<R> {
        let (a, b) = (R::from_f64(a), R::from_f64(b));
        map(x, |x| a * x + b)
    }
    fn add(&self, x: &Array<R>, y: &Array<R>) -> Array<R> {
        zip(x, y, |x, y| x + y)
    }
    fn mul(&self, x: &Array<R>, y: &Array<R>) -> Array<R> {
        zip(x, y, |x, y| x * y)
    }
    fn matmul(&self, x: &Array<R>, transpose_x: bool, y: &Array<R>, transpose_y: bool) -> Array<R> {
        matmul(x, transpose_x, y, transpose_y)
    }
    fn apply(&self, f: Unary, x: &Array<R>) -> Array<R> {
        f.visit(Apply(x))
    }
    fn apply_derivative(&self, f: Unary, order: Order, x: &Array<R>, y: &Array<R>, g: &Array<R>) -> Array<R> {
        f.visit(ApplyDerivative { order, x, y, g })
    }
    fn compare(&self, relation: Relation, x: &Array<R>, y: &Array<R>) -> Array<R> {
        elementwise::compare(relation, x, y)
    }
    fn select(&self, mask: &Array<R>, x: &Array<R>, y: &Array<R>) -> Array<R> {
        elementwise::select(mask, x, y)
    }
    fn sort_order(&self, x: &Array<R>, descending: bool) -> Array<R> {
        sort::sort_order(x, descending)
    }
    fn softmax(&self, x: &Array<R>) -> Array<R> {
        softmax::softmax(x)
    }
    fn log_softmax(&self, x: &Array<R>) -> Array<R> {
        softmax::log_softmax(x)
    }

    fn patches(&self, x: &Array<R>, window: &Window) -> Array<R> {
        convolution::patches(x, window)
    }
    fn convolve(&self, x: &Array<R>, w: &Array<R>, window: &Window) -> Array<R> {
        convolution::convolve(x, w, window)
    }
    fn convolve_input(&self, dy: &Array<R>, w: &Array<R>, window: &Window, size: [usize; 2]) -> Array<R> {
        convolution::convolve_input(dy, w, window, size)
    }
    fn convolve_weight(&self, x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
        convolution::convolve_weight(x, dy, window)
    }
    fn convolve_weight_sum(&self, x: &Array<R>, dy: &Array<R>, window: &Window) -> Array<R> {
        convolution::convolve_weight_sum(x, dy, window)
    }
    fn window_sum(&self, x: &Array<R>, window: &Window) -> Array<R> {
        pool::window_sum(x, window)
    }
    fn window_spread(&self, dy: &Array<R>, window: &Window, size: [usize; 2]) -> Array<R> {
        pool::window_spread(dy, window, size)
    }

    fn window_argmax(&self, x: &Array<R>, window: &Window) -> Index {
        pool::window_argmax(x, window)
    }
    fn indices(&self, x: &Array<R>, rows: usize, apart: bool) -> Index {
        index::indices(x, rows, apart)
    }
    fn gather(&self, x: &Array<R>, index: &Index) -> Array<R> {
        index::gather(x, index)
    }
    fn scatter(&self, y: &Array<R>, index: &Index, rows: usize) -> Array<R> {
        index::scatter(y, index, rows)
    }
}

fn matmul<R: Real>(x: &Array<R>, transpose_x: bool, y: &Array<R>, transpose_y: bool) -> Array<R> {
    let shape = shape::matmul(x.shape(), transpose_x, y.shape(), transpose_y);
    let mut out = buffer_pool::unset(shape::numel(&shape));
    let matrix = |s: &[usize]| (s[s.len() - 2], s[s.len() - 1]);
    let ((rows_x, cols_x), (rows_y, cols_y)) = (matrix(x.shape()), matrix(y.shape()));
    if y.shape().len() == 2 && !transpose_x {
        // One right-hand side for the whole batch: one product over all its rows.
        let all_rows = shape::numel(&x.shape()[..x.shape().len() - 1]);
        let rhs = View::new(y.as_slice(), rows_y, cols_y).transposed_if(transpose_y);
        product(&mut out, View::new(x.as_slice(), all_rows, cols_x), rhs);
        return Array::new(out, shape);
    }
    let (batch, (rows, cols)) = (&shape[..shape.len() - 2], matrix(&shape));
    let steps = |s: &[usize]| shape::broadcast_strides(&s[..s.len() - 2], batch);
    let mut next = 0;
    if !out.is_empty() {
        array::walk(batch, &steps(x.shape()), &steps(y.shape()), |i, j| {
            let lhs = View::new(&x.as_slice()[i * rows_x * cols_x..][..rows_x * cols_x], rows_x, cols_x);
            let rhs = View::new(&y.as_slice()[j * rows_y * cols_y..][..rows_y * cols_y], rows_y, cols_y);
            let to = &mut out[next * rows * cols..][..rows * cols];
            product(to, lhs.transposed_if(transpose_x), rhs.transposed_if(transpose_y));
            next += 1;
        });
    }
    Array::new(out, shape)
}
