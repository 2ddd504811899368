use super::{Dual, DualTensor};
use crate::backend::{Arrays, Indexing};

impl<B: Arrays> Indexing for Dual<B> {
    fn indices(&self, x: &DualTensor<B>, rows: usize, apart: bool) -> B::Index {
        self.0.indices(&x.value, rows, apart)
    }
    fn sort_order(&self, x: &DualTensor<B>, descending: bool) -> DualTensor<B> {
        self.lift(&self.0.sort_order(&x.value, descending), None)
    }
    fn gather(&self, x: &DualTensor<B>, index: &B::Index) -> DualTensor<B> {
        self.linear(x, |x| self.0.gather(x, index))
    }
    fn scatter(&self, y: &DualTensor<B>, index: &B::Index, rows: usize) -> DualTensor<B> {
        self.linear(y, |y| self.0.scatter(y, index, rows))
    }
}
