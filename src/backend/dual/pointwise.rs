use super::{Dual, DualTensor};
use crate::backend::{Arrays, Pointwise, Relation};
use crate::unary::{Order, Unary};

impl<B: Arrays> Pointwise for Dual<B> {
    fn affine(&self, x: &DualTensor<B>, a: f64, b: f64) -> DualTensor<B> {
        let tangent = x.tangent.as_ref().map(|dx| self.0.affine(dx, a, 0.0));
        DualTensor { value: self.0.affine(&x.value, a, b), tangent }
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
    fn apply(&self, f: Unary, x: &DualTensor<B>) -> DualTensor<B> {
        let y = self.0.apply(f, &x.value);
        let tangent = x.tangent.as_ref().filter(|_| !f.is_piecewise_constant());
        let tangent = tangent.map(|dx| self.0.apply_derivative(f, Order::First, &x.value, &y, dx));
        DualTensor { value: y, tangent }
    }

    /// The derivative of g f'(x) is dg f'(x) + g f''(x) dx. The derivative of g f''(x) needs f''', which functions do
    /// not give. Its tangent is NaN, so that the missing derivative cannot go unnoticed.
    fn apply_derivative(
        &self,
        f: Unary,
        order: Order,
        x: &DualTensor<B>,
        y: &DualTensor<B>,
        g: &DualTensor<B>,
    ) -> DualTensor<B> {
        let derivative = |order, g: &B::Tensor| self.0.apply_derivative(f, order, &x.value, &y.value, g);
        let along_g = g.tangent.as_ref().map(|dg| derivative(order, dg));
        let along_x = x.tangent.as_ref().map(|dx| match order {
            Order::First => derivative(Order::Second, &self.0.mul(&g.value, dx)),
            Order::Second => self.0.full(f64::NAN, self.0.shape(dx)),
        });
        DualTensor { value: derivative(order, &g.value), tangent: self.add_tangents(along_g, along_x) }
    }

    fn compare(&self, relation: Relation, x: &DualTensor<B>, y: &DualTensor<B>) -> DualTensor<B> {
        self.lift(&self.0.compare(relation, &x.value, &y.value), None)
    }
    /// d select = select(mask, dx, dy)
    fn select(&self, mask: &DualTensor<B>, x: &DualTensor<B>, y: &DualTensor<B>) -> DualTensor<B> {
        let varies = x.tangent.is_some() || y.tangent.is_some();
        let tangent = varies.then(|| self.0.select(&mask.value, &self.tangent(x), &self.tangent(y)));
        DualTensor { value: self.0.select(&mask.value, &x.value, &y.value), tangent }
    }
}
