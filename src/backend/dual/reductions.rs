use super::{Dual, DualTensor};
use crate::backend::{Arrays, Reductions};

impl<B: Arrays> Reductions for Dual<B> {
    fn sum(&self, x: &DualTensor<B>, axes: &[usize]) -> DualTensor<B> {
        self.linear(x, |x| self.0.sum(x, axes))
    }
    fn matmul(&self, x: &DualTensor<B>, transpose_x: bool, y: &DualTensor<B>, transpose_y: bool) -> DualTensor<B> {
        self.bilinear(x, y, |x, y| self.0.matmul(x, transpose_x, y, transpose_y))
    }
    /// d softmax = y (dx - sum y dx)
    fn softmax(&self, x: &DualTensor<B>) -> DualTensor<B> {
        let y = self.0.softmax(&x.value);
        let tangent = x.tangent.as_ref().map(|dx| self.0.mul(&y, &self.centred(dx, &y)));
        DualTensor { value: y, tangent }
    }
    /// d log softmax = dx - sum softmax dx
    fn log_softmax(&self, x: &DualTensor<B>) -> DualTensor<B> {
        let tangent = x.tangent.as_ref().map(|dx| self.centred(dx, &self.0.softmax(&x.value)));
        DualTensor { value: self.0.log_softmax(&x.value), tangent }
    }
}
