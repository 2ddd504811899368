use super::{Count, Counted};
use crate::backend::{Pointwise, Relation};
use crate::real::Real;
use crate::shape::broadcast;
use crate::unary::{Order, Unary};

impl<R: Real> Pointwise for Count<R> {
    fn affine(&self, x: &Counted, _a: f64, _b: f64) -> Counted {
        self.same(x)
    }
    fn add(&self, x: &Counted, y: &Counted) -> Counted {
        self.broadcast(x, y)
    }
    fn mul(&self, x: &Counted, y: &Counted) -> Counted {
        self.broadcast(x, y)
    }
    fn apply(&self, _f: Unary, x: &Counted) -> Counted {
        self.same(x)
    }
    fn apply_derivative(&self, _f: Unary, _order: Order, x: &Counted, _y: &Counted, g: &Counted) -> Counted {
        self.result(x.shape.clone(), &[x, g])
    }
    fn compare(&self, _relation: Relation, x: &Counted, y: &Counted) -> Counted {
        self.broadcast(x, y)
    }
    fn select(&self, mask: &Counted, x: &Counted, y: &Counted) -> Counted {
        let shape = broadcast(&x.shape, &y.shape).and_then(|shape| broadcast(&mask.shape, &shape));
        self.result(shape.expect("the op's shape rule checked that the shapes broadcast"), &[mask, x, y])
    }
}
