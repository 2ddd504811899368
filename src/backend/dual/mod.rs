//! Forward mode as a backend: one product rule per primitive.

mod indexing;
mod pointwise;
mod reductions;
mod storage;
mod windows;

use super::Arrays;

/// The backend `B` with a tangent for every tensor. Running a model on it gives J v. Running a reverse sweep on it
/// gives the derivative of the gradient along v.
///
/// With x carrying dx, every primitive f of [`Arrays`] gives f(x) and its derivative in the direction of dx. A tensor
/// without a tangent is a constant and costs nothing in addition to `B`.
///
/// ```
/// use tangent_kernels::Cpu;
/// use tangent_kernels::extend::Dual;
/// use tangent_kernels::ops::{Pointwise, Storage};
/// use tangent_kernels::unary::{Sin, Unary};
///
/// let dual = Dual::new(Cpu::<f64>::new());
/// let cpu = dual.primal();
/// let x = dual.lift(&cpu.upload(&[0.5], &[1]), Some(&cpu.upload(&[2.0], &[1])));
/// let y = dual.apply(Unary::from(Sin), &x);
/// assert_eq!(cpu.read(&dual.tangent(&y)).unwrap(), [2.0 * 0.5f64.cos()]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Dual<B>(B);

/// A tensor of [`Dual<B>`]: a value and, unless it is constant, its derivative along the direction.
pub struct DualTensor<B: Arrays> {
    value: B::Tensor,
    tangent: Option<B::Tensor>,
}

impl<B: Arrays> Clone for DualTensor<B> {
    fn clone(&self) -> Self {
        DualTensor { value: self.value.clone(), tangent: self.tangent.clone() }
    }
}

impl<B: Arrays> DualTensor<B> {
    /// The value.
    pub fn value(&self) -> &B::Tensor {
        &self.value
    }
}

impl<B: Arrays> Dual<B> {
    /// Forward mode over `backend`.
    pub fn new(backend: B) -> Self {
        Dual(backend)
    }

    /// The backend of the values and tangents.
    pub fn primal(&self) -> &B {
        &self.0
    }

    /// `value` with `tangent`, which has the same shape. Without a tangent it is a constant.
    pub fn lift(&self, value: &B::Tensor, tangent: Option<&B::Tensor>) -> DualTensor<B> {
        if let Some(tangent) = tangent {
            assert_eq!(self.0.shape(value), self.0.shape(tangent), "a value and its tangent have different shapes");
        }
        DualTensor { value: value.clone(), tangent: tangent.cloned() }
    }

    /// The derivative along the direction: zeros for a constant.
    pub fn tangent(&self, x: &DualTensor<B>) -> B::Tensor {
        x.tangent.clone().unwrap_or_else(|| self.0.full(0.0, self.0.shape(&x.value)))
    }

    fn linear(&self, x: &DualTensor<B>, f: impl Fn(&B::Tensor) -> B::Tensor) -> DualTensor<B> {
        DualTensor { value: f(&x.value), tangent: x.tangent.as_ref().map(f) }
    }

    fn bilinear(
        &self,
        x: &DualTensor<B>,
        y: &DualTensor<B>,
        f: impl Fn(&B::Tensor, &B::Tensor) -> B::Tensor,
    ) -> DualTensor<B> {
        let along_x = x.tangent.as_ref().map(|dx| f(dx, &y.value));
        let along_y = y.tangent.as_ref().map(|dy| f(&x.value, dy));
        DualTensor { value: f(&x.value, &y.value), tangent: self.add_tangents(along_x, along_y) }
    }

    fn add_tangents(&self, x: Option<B::Tensor>, y: Option<B::Tensor>) -> Option<B::Tensor> {
        match (x, y) {
            (Some(x), Some(y)) => Some(self.0.add(&x, &y)),
            (x, y) => x.or(y),
        }
    }

    /// dx - sum over the last axis of y dx
    fn centred(&self, dx: &B::Tensor, y: &B::Tensor) -> B::Tensor {
        let mean = self.0.sum(&self.0.mul(dx, y), &[self.0.shape(dx).len() - 1]);
        self.0.add(dx, &self.0.affine(&mean, -1.0, 0.0))
    }

    /// `x` broadcast to `shape`. The tangent of a broadcast sum needs it if only one operand has a tangent.
    fn stretched(&self, x: &B::Tensor, shape: &[usize]) -> B::Tensor {
        if self.0.shape(x) == shape { x.clone() } else { self.0.add(x, &self.0.full(0.0, shape)) }
    }
}
