use std::ops::Range;

use super::runs::for_each_index;
use super::{Array, Cpu, Index};
use crate::backend::Storage;
use crate::error::Result;
use crate::real::{Real, buffer_pool};
use crate::shape::{numel, strides};

impl<R: Real> Storage for Cpu<R> {
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
        let mut entries = buffer_pool::empty(numel(shape));
        entries.resize(numel(shape), R::from_f64(value));
        Array::new(entries, shape.to_vec())
    }
    fn reshape(&self, x: &Array<R>, shape: &[usize]) -> Array<R> {
        x.reshaped(shape)
    }
    fn slice(&self, x: &Array<R>, axis: usize, range: Range<usize>) -> Array<R> {
        if axis == 0 {
            return x.rows(range);
        }
        let mut shape = x.shape().to_vec();
        let in_range = range.start <= range.end && range.end <= shape[axis];
        assert!(in_range, "slice {range:?} along axis {axis} of {shape:?}");
        let step = numel(&shape[axis + 1..]);
        let run = shape[axis] * step;
        shape[axis] = range.len();
        let mut out = buffer_pool::empty(numel(&shape));
        for row in 0..numel(&shape[..axis]) {
            out.extend_from_slice(&x.as_slice()[row * run..(row + 1) * run][range.start * step..range.end * step]);
        }
        Array::new(out, shape)
    }
    fn permute(&self, x: &Array<R>, order: &[usize]) -> Array<R> {
        let steps = strides(x.shape());
        let shape: Vec<usize> = order.iter().map(|&axis| x.shape()[axis]).collect();
        let steps: Vec<usize> = order.iter().map(|&axis| steps[axis]).collect();
        let entries = x.as_slice();
        let mut out = buffer_pool::empty(entries.len());
        if !entries.is_empty() {
            for_each_index(&shape, &steps, &steps, |from, _| out.push(entries[from]));
        }
        Array::new(out, shape)
    }
    fn concat(&self, arrays: &[&Array<R>], axis: usize) -> Array<R> {
        let mut shape = arrays[0].shape().to_vec();
        shape[axis] = arrays.iter().map(|x| x.shape()[axis]).sum();
        let mut out = buffer_pool::empty(numel(&shape));
        for row in 0..numel(&shape[..axis]) {
            for x in arrays {
                let run = numel(&x.shape()[axis..]);
                out.extend_from_slice(&x.as_slice()[row * run..(row + 1) * run]);
            }
        }
        Array::new(out, shape)
    }
}
