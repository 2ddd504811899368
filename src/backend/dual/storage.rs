use std::ops::Range;

use super::{Dual, DualTensor};
use crate::backend::{Arrays, Storage};
use crate::error::Result;

impl<B: Arrays> Storage for Dual<B> {
    type Number = B::Number;
    type Tensor = DualTensor<B>;
    type Index = B::Index;

    fn upload(&self, data: &[B::Number], shape: &[usize]) -> DualTensor<B> {
        self.lift(&self.0.upload(data, shape), None)
    }
    fn read(&self, x: &DualTensor<B>) -> Result<Vec<B::Number>> {
        self.0.read(&x.value)
    }
    fn shape<'a>(&self, x: &'a DualTensor<B>) -> &'a [usize] {
        self.0.shape(&x.value)
    }
    fn full(&self, value: f64, shape: &[usize]) -> DualTensor<B> {
        self.lift(&self.0.full(value, shape), None)
    }
    fn reshape(&self, x: &DualTensor<B>, shape: &[usize]) -> DualTensor<B> {
        self.linear(x, |x| self.0.reshape(x, shape))
    }
    fn slice(&self, x: &DualTensor<B>, axis: usize, range: Range<usize>) -> DualTensor<B> {
        self.linear(x, |x| self.0.slice(x, axis, range.clone()))
    }
    fn permute(&self, x: &DualTensor<B>, order: &[usize]) -> DualTensor<B> {
        self.linear(x, |x| self.0.permute(x, order))
    }
    fn concat(&self, arrays: &[&DualTensor<B>], axis: usize) -> DualTensor<B> {
        let tangent = arrays.iter().any(|x| x.tangent.is_some()).then(|| {
            let tangents: Vec<_> = arrays.iter().map(|x| self.tangent(x)).collect();
            self.0.concat(&tangents.iter().collect::<Vec<_>>(), axis)
        });
        let values: Vec<_> = arrays.iter().map(|x| &x.value).collect();
        DualTensor { value: self.0.concat(&values, axis), tangent }
    }
}
