//! Forward mode as a backend: one product rule per array kernel.

use std::ops::Range;

use super::{Arrays, Relation, Window};
use crate::error::Result;
use crate::unary::{Order, Unary};

/// The backend `B` with a tangent beside every tensor: running a model on it gives J v, running a reverse sweep on it
/// gives the derivative of the gradient along v.
///
/// With x carrying dx, every kernel f of [`Arrays`] gives f(x) and its derivative in the direction of dx. A tensor
/// without a tangent is a constant and costs nothing beyond `B`.
///
/// ```
/// use tangent_kernels::extend::Dual;
/// use tangent_kernels::{Cpu, ops::Arrays};
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

    /// The backend that values and tangents live on.
    pub fn primal(&self) -> &B {
        &self.0
    }

    /// `value` with `tangent`, of the same shape; a constant if there is none.
    pub fn lift(&self, value: &B::Tensor, tangent: Option<&B::Tensor>) -> DualTensor<B> {
        if let Some(tangent) = tangent {
            assert_eq!(self.0.shape(value), self.0.shape(tangent), "shapes of a value and its tangent");
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

    /// `x` stretched to `shape`, as a lone tangent of a broadcast sum must be.
    fn stretched(&self, x: &B::Tensor, shape: &[usize]) -> B::Tensor {
        if self.0.shape(x) == shape { x.clone() } else { self.0.add(x, &self.0.full(0.0, shape)) }
    }
}

impl<B: Arrays> Arrays for Dual<B> {
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
    fn concat(&self, list: &[&DualTensor<B>], axis: usize) -> DualTensor<B> {
        let values: Vec<_> = list.iter().map(|x| &x.value).collect();
        let tangent = list.iter().any(|x| x.tangent.is_some()).then(|| {
            let tangents: Vec<_> = list.iter().map(|x| self.tangent(x)).collect();
            self.0.concat(&tangents.iter().collect::<Vec<_>>(), axis)
        });
        DualTensor { value: self.0.concat(&values, axis), tangent }
    }
    fn sum(&self, x: &DualTensor<B>, axes: &[usize]) -> DualTensor<B> {
        self.linear(x, |x| self.0.sum(x, axes))
    }
    fn affine(&self, x: &DualTensor<B>, a: f64, b: f64) -> DualTensor<B> {
        DualTensor {
            value: self.0.affine(&x.value, a, b),
            tangent: x.tangent.as_ref().map(|dx| self.0.affine(dx, a, 0.0)),
        }
    }
    fn add(&self, x: &DualTensor<B>, y: &DualTensor<B>) -> DualTensor<B> {
        let value = self.0.add(&x.value, &y.value);
        let stretched = |d: &Option<B::Tensor>| d.as_ref().map(|d| self.stretched(d, self.0.shape(&value)));
        let tangent = self.add_tangents(stretched(&x.tangent), stretched(&y.tangent));
        DualTensor { value, tangent }
    }
    fn mul(&self, x: &DualTensor<B>, y: &DualTensor<B>) -> DualTensor<B> {
        self.bilinear(x, y, |x, y| self.0.mul(x, y))
    }
    fn matmul(&self, x: &DualTensor<B>, transpose_x: bool, y: &DualTensor<B>, transpose_y: bool) -> DualTensor<B> {
        self.bilinear(x, y, |x, y| self.0.matmul(x, transpose_x, y, transpose_y))
    }
    fn apply(&self, f: Unary, x: &DualTensor<B>) -> DualTensor<B> {
        let y = self.0.apply(f, &x.value);
        let tangent = x.tangent.as_ref().filter(|_| !f.is_piecewise_constant());
        let tangent = tangent.map(|dx| self.0.apply_derivative(f, Order::First, &x.value, &y, dx));
        DualTensor { value: y, tangent }
    }

    /// The derivative of g f'(x) is dg f'(x) + g f''(x) dx. Of g f''(x) it would need f''', which functions do not
    /// give: its tangent is NaN, so that no wrong number can pass for one.
    fn apply_derivative(
        &self,
        f: Unary,
        order: Order,
        x: &DualTensor<B>,
        y: &DualTensor<B>,
        g: &DualTensor<B>,
    ) -> DualTensor<B> {
        let at = |order, g: &B::Tensor| self.0.apply_derivative(f, order, &x.value, &y.value, g);
        let along_g = g.tangent.as_ref().map(|dg| at(order, dg));
        let along_x = x.tangent.as_ref().map(|dx| match order {
            Order::First => at(Order::Second, &self.0.mul(&g.value, dx)),
            Order::Second => self.0.full(f64::NAN, self.0.shape(dx)),
        });
        DualTensor { value: at(order, &g.value), tangent: self.add_tangents(along_g, along_x) }
    }

    fn compare(&self, relation: Relation, x: &DualTensor<B>, y: &DualTensor<B>) -> DualTensor<B> {
        self.lift(&self.0.compare(relation, &x.value, &y.value), None)
    }
    /// d select = select(mask, dx, dy)
    fn select(&self, mask: &DualTensor<B>, x: &DualTensor<B>, y: &DualTensor<B>) -> DualTensor<B> {
        let moving = x.tangent.is_some() || y.tangent.is_some();
        let tangent = moving.then(|| self.0.select(&mask.value, &self.tangent(x), &self.tangent(y)));
        DualTensor { value: self.0.select(&mask.value, &x.value, &y.value), tangent }
    }
    fn sort_order(&self, x: &DualTensor<B>, descending: bool) -> DualTensor<B> {
        self.lift(&self.0.sort_order(&x.value, descending), None)
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

    fn patches(&self, x: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.linear(x, |x| self.0.patches(x, window))
    }
    fn convolve(&self, x: &DualTensor<B>, w: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.bilinear(x, w, |x, w| self.0.convolve(x, w, window))
    }
    fn convolve_input(
        &self,
        dy: &DualTensor<B>,
        w: &DualTensor<B>,
        window: &Window,
        size: [usize; 2],
    ) -> DualTensor<B> {
        self.bilinear(dy, w, |dy, w| self.0.convolve_input(dy, w, window, size))
    }
    fn convolve_weight(&self, x: &DualTensor<B>, dy: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.bilinear(x, dy, |x, dy| self.0.convolve_weight(x, dy, window))
    }
    fn convolve_weight_sum(&self, x: &DualTensor<B>, dy: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.bilinear(x, dy, |x, dy| self.0.convolve_weight_sum(x, dy, window))
    }
    fn window_sum(&self, x: &DualTensor<B>, window: &Window) -> DualTensor<B> {
        self.linear(x, |x| self.0.window_sum(x, window))
    }
    fn window_spread(&self, dy: &DualTensor<B>, window: &Window, size: [usize; 2]) -> DualTensor<B> {
        self.linear(dy, |dy| self.0.window_spread(dy, window, size))
    }
    fn window_argmax(&self, x: &DualTensor<B>, window: &Window) -> B::Index {
        self.0.window_argmax(&x.value, window)
    }
    fn indices(&self, x: &DualTensor<B>, rows: usize, apart: bool) -> B::Index {
        self.0.indices(&x.value, rows, apart)
    }
    fn gather(&self, x: &DualTensor<B>, index: &B::Index) -> DualTensor<B> {
        self.linear(x, |x| self.0.gather(x, index))
    }
    fn scatter(&self, y: &DualTensor<B>, index: &B::Index, rows: usize) -> DualTensor<B> {
        self.linear(y, |y| self.0.scatter(y, index, rows))
    }
}
