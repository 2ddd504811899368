use std::ops::Range;

use super::{Count, Counted};
use crate::backend::Storage;
use crate::error::Result;
use crate::real::Real;
use crate::shape::numel;

impl<R: Real> Storage for Count<R> {
    type Number = R;
    type Tensor = Counted;
    type Index = Counted;

    fn upload(&self, _data: &[R], shape: &[usize]) -> Counted {
        self.array(shape.to_vec())
    }
    /// Zeros.
    fn read(&self, x: &Counted) -> Result<Vec<R>> {
        Ok(vec![R::default(); numel(&x.shape)])
    }
    fn shape<'a>(&self, x: &'a Counted) -> &'a [usize] {
        &x.shape
    }
    fn full(&self, _value: f64, shape: &[usize]) -> Counted {
        self.array(shape.to_vec())
    }
    fn reshape(&self, x: &Counted, shape: &[usize]) -> Counted {
        assert_eq!(numel(&x.shape), numel(shape), "reshape of {:?} to {shape:?}", x.shape);
        Counted { shape: shape.to_vec(), memory: x.memory.clone() }
    }
    fn slice(&self, x: &Counted, axis: usize, range: Range<usize>) -> Counted {
        let mut shape = x.shape.clone();
        shape[axis] = range.len();
        if axis == 0 { Counted { shape, memory: x.memory.clone() } } else { self.result(shape, &[]) }
    }
    fn permute(&self, x: &Counted, order: &[usize]) -> Counted {
        self.result(order.iter().map(|&axis| x.shape[axis]).collect(), &[x])
    }
    fn concat(&self, arrays: &[&Counted], axis: usize) -> Counted {
        let mut shape = arrays[0].shape.clone();
        shape[axis] = arrays.iter().map(|x| x.shape[axis]).sum();
        self.result(shape, arrays)
    }
}
