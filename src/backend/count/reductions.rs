use super::{Count, Counted};
use crate::backend::Reductions;
use crate::real::Real;
use crate::shape::{self, numel};

impl<R: Real> Reductions for Count<R> {
    fn sum(&self, x: &Counted, axes: &[usize]) -> Counted {
        let mut shape = x.shape.clone();
        axes.iter().for_each(|&axis| shape[axis] = 1);
        self.result(shape, &[x])
    }
    fn matmul(&self, x: &Counted, transpose_x: bool, y: &Counted, transpose_y: bool) -> Counted {
        let shape = shape::matmul(&x.shape, transpose_x, &y.shape, transpose_y);
        let inner = x.shape[x.shape.len() - if transpose_x { 2 } else { 1 }];
        let multiplications = numel(&shape) * inner;
        self.product(shape, &[x, y], multiplications)
    }
    fn softmax(&self, x: &Counted) -> Counted {
        self.same(x)
    }
    fn log_softmax(&self, x: &Counted) -> Counted {
        self.same(x)
    }
}
