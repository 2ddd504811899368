use super::{Chosen, Device, DeviceTensor, Handle, on};
use crate::backend::{Pointwise, Relation};
use crate::unary::{Order, Unary};

impl Pointwise for Device {
    fn affine(&self, x: &DeviceTensor, a: f64, b: f64) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.affine(handle!(x), a, b))
    }
    fn add(&self, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.add(handle!(x), handle!(y)))
    }
    fn mul(&self, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.mul(handle!(x), handle!(y)))
    }
    fn apply(&self, f: Unary, x: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.apply(f, handle!(x)))
    }
    fn apply_derivative(
        &self,
        f: Unary,
        order: Order,
        x: &DeviceTensor,
        y: &DeviceTensor,
        g: &DeviceTensor,
    ) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.apply_derivative(f, order, handle!(x), handle!(y), handle!(g)))
    }
    fn compare(&self, relation: Relation, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.compare(relation, handle!(x), handle!(y)))
    }
    fn select(&self, mask: &DeviceTensor, x: &DeviceTensor, y: &DeviceTensor) -> DeviceTensor {
        on!(self, DeviceTensor, |arrays, handle| arrays.select(handle!(mask), handle!(x), handle!(y)))
    }
}
