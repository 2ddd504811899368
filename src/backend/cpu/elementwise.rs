//! Sums, products and functions entry by entry.

use super::array::{Array, walk};
use crate::real::Real;
use crate::shape::{broadcast, broadcast_strides, numel};
use crate::unary::{Function, Order, Visit};

/// f(x, y) entry by entry, broadcast. Equal shapes and a row added to every row are loops that the compiler vectorises.
pub(super) fn zip<R: Real>(x: &Array<R>, y: &Array<R>, f: impl Fn(R, R) -> R) -> Array<R> {
    let (a, b) = (x.as_slice(), y.as_slice());
    if x.shape() == y.shape() {
        return Array::new(a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect(), x.shape().to_vec());
    }
    let shape = broadcast(x.shape(), y.shape())
        .unwrap_or_else(|| panic!("shapes {:?} and {:?} do not broadcast", x.shape(), y.shape()));
    let mut out = Vec::with_capacity(numel(&shape));
    if shape == x.shape() && shape.ends_with(y.shape()) && !b.is_empty() {
        for row in a.chunks_exact(b.len()) {
            out.extend(row.iter().zip(b).map(|(&a, &b)| f(a, b)));
        }
    } else if numel(&shape) > 0 {
        let (from_x, from_y) = (broadcast_strides(x.shape(), &shape), broadcast_strides(y.shape(), &shape));
        walk(&shape, &from_x, &from_y, |i, j| out.push(f(a[i], b[j])));
    }
    Array::new(out, shape)
}

pub(super) fn map<R: Real>(x: &Array<R>, f: impl Fn(R) -> R) -> Array<R> {
    Array::new(x.as_slice().iter().map(|&x| f(x)).collect(), x.shape().to_vec())
}

/// f(x): one loop per function, compiled for it.
pub(super) struct Apply<'a, R>(pub &'a Array<R>);

impl<R: Real> Visit for Apply<'_, R> {
    type Output = Array<R>;
    fn visit<F: Function>(self, f: F) -> Array<R> {
        map(self.0, |x| f.value(x))
    }
}

/// g f'(x) or g f''(x).
pub(super) struct ApplyDerivative<'a, R> {
    pub order: Order,
    pub x: &'a Array<R>,
    pub y: &'a Array<R>,
    pub g: &'a Array<R>,
}

impl<R: Real> Visit for ApplyDerivative<'_, R> {
    type Output = Array<R>;
    fn visit<F: Function>(self, f: F) -> Array<R> {
        match self.order {
            Order::First => self.zip(|x, y| f.first(x, y)),
            Order::Second => self.zip(|x, y| f.second(x, y)),
        }
    }
}

impl<R: Real> ApplyDerivative<'_, R> {
    fn zip(&self, slope: impl Fn(R, R) -> R) -> Array<R> {
        assert_eq!(self.x.shape(), self.g.shape(), "shapes of x and g");
        let triples = self.x.as_slice().iter().zip(self.y.as_slice()).zip(self.g.as_slice());
        Array::new(triples.map(|((&x, &y), &g)| slope(x, y) * g).collect(), self.x.shape().to_vec())
    }
}

/// The sum over `axes`, kept as axes of size 1. Additions happen in the row-major order of `x`, always.
pub(super) fn sum<R: Real>(x: &Array<R>, axes: &[usize]) -> Array<R> {
    let mut shape = x.shape().to_vec();
    for &axis in axes {
        shape[axis] = 1;
    }
    let mut out = vec![R::default(); numel(&shape)];
    let entries = x.as_slice();
    if !entries.is_empty() {
        let steps = broadcast_strides(&shape, x.shape());
        let mut next = 0;
        walk(x.shape(), &steps, &steps, |to, _| {
            out[to] += entries[next];
            next += 1;
        });
    }
    Array::new(out, shape)
}
