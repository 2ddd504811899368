use super::{Count, Counted};
use crate::backend::Indexing;
use crate::real::Real;

impl<R: Real> Indexing for Count<R> {
    fn indices(&self, x: &Counted, _rows: usize, _apart: bool) -> Counted {
        self.same(x)
    }
    fn sort_order(&self, x: &Counted, _descending: bool) -> Counted {
        self.same(x)
    }
    fn gather(&self, x: &Counted, index: &Counted) -> Counted {
        self.result([&index.shape[..], &x.shape[1..]].concat(), &[index])
    }
    fn scatter(&self, y: &Counted, _index: &Counted, rows: usize) -> Counted {
        self.result(vec![rows, y.shape[y.shape.len() - 1]], &[y])
    }
}
