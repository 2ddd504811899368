use super::runs::{Runs, for_each_index};
use super::{Array, Cpu};
use crate::backend::{Pointwise, Relation};
use crate::real::{Real, buffer_pool, vectorised};
use crate::shape::{broadcast, broadcast_strides, numel};
use crate::unary::{Function, Order, Unary, Visit};

impl<R: Real> Pointwise for Cpu<R> {
    fn affine(&self, x: &Array<R>, a: f64, b: f64) -> Array<R> {
        let [a, b] = [a, b].map(R::from_f64);
        map(x, |x| a * x + b)
    }
    fn add(&self, x: &Array<R>, y: &Array<R>) -> Array<R> {
        zip(x, y, |x, y| x + y)
    }
    fn mul(&self, x: &Array<R>, y: &Array<R>) -> Array<R> {
        zip(x, y, |x, y| x * y)
    }
    fn apply(&self, f: Unary, x: &Array<R>) -> Array<R> {
        f.visit(Apply(x))
    }
    fn apply_derivative(&self, f: Unary, order: Order, x: &Array<R>, y: &Array<R>, g: &Array<R>) -> Array<R> {
        f.visit(ApplyDerivative { order, x, y, g })
    }
    /// There is one loop per relation.
    fn compare(&self, relation: Relation, x: &Array<R>, y: &Array<R>) -> Array<R> {
        let flag = |holds: bool| if holds { R::from_f64(1.0) } else { R::default() };
        match relation {
            Relation::Equal => zip(x, y, |x, y| flag(x == y)),
            Relation::Less => zip(x, y, |x, y| flag(x < y)),
            Relation::LessOrEqual => zip(x, y, |x, y| flag(x <= y)),
        }
    }
    fn select(&self, mask: &Array<R>, x: &Array<R>, y: &Array<R>) -> Array<R> {
        let shape = broadcast(x.shape(), y.shape()).and_then(|shape| broadcast(mask.shape(), &shape));
        let shape = shape.unwrap_or_else(|| {
            panic!("shapes {:?}, {:?} and {:?} do not broadcast", mask.shape(), x.shape(), y.shape())
        });
        let [mask, x, y] = [mask, x, y].map(|array| stretched(array, &shape));
        let mut out = buffer_pool::unset(numel(&shape));
        let entries = mask.as_slice().iter().zip(x.as_slice()).zip(y.as_slice());
        let entries = out.iter_mut().zip(entries);
        vectorised(
            #[inline(always)]
            move || {
                for (to, ((&mask, &x), &y)) in entries {
                    *to = if mask == R::default() { y } else { x };
                }
            },
        );
        Array::new(out, shape)
    }
}

/// `x` broadcast to `shape`.
fn stretched<R: Real>(x: &Array<R>, shape: &[usize]) -> Array<R> {
    if x.shape() == shape {
        return x.clone();
    }
    let steps = broadcast_strides(x.shape(), shape);
    let mut out = buffer_pool::empty(numel(shape));
    if numel(shape) > 0 {
        for_each_index(shape, &steps, &steps, |from, _| out.push(x.as_slice()[from]));
    }
    Array::new(out, shape.to_vec())
}

/// f(x, y) entry by entry, broadcast, in loops over runs that the compiler vectorises.
fn zip<R: Real>(x: &Array<R>, y: &Array<R>, f: impl Fn(R, R) -> R) -> Array<R> {
    let [a, b] = [x.as_slice(), y.as_slice()];
    if x.shape() == y.shape() {
        return collected(a.iter().zip(b).map(|(&a, &b)| f(a, b)), x.shape());
    }
    let shape = broadcast(x.shape(), y.shape())
        .unwrap_or_else(|| panic!("shapes {:?} and {:?} do not broadcast", x.shape(), y.shape()));
    let mut out = buffer_pool::empty(numel(&shape));
    if numel(&shape) > 0 {
        let runs = Runs::new(&shape, broadcast_strides(x.shape(), &shape), broadcast_strides(y.shape(), &shape));
        let count = runs.count;
        for_each_index(&runs.shape, &runs.x, &runs.y, |i, j| {
            vectorised(|| match runs.steps {
                [0, 0] => out.extend(std::iter::repeat_n(f(a[i], b[j]), count)),
                [0, _] => out.extend(b[j..][..count].iter().map(|&b| f(a[i], b))),
                [_, 0] => out.extend(a[i..][..count].iter().map(|&a| f(a, b[j]))),
                _ => out.extend(a[i..][..count].iter().zip(&b[j..][..count]).map(|(&a, &b)| f(a, b))),
            })
        });
    }
    Array::new(out, shape)
}

fn collected<R: Real>(entries: impl ExactSizeIterator<Item = R>, shape: &[usize]) -> Array<R> {
    let mut out = buffer_pool::empty(entries.len());
    vectorised(
        #[inline(always)]
        || out.extend(entries),
    );
    Array::new(out, shape.to_vec())
}

/// f(x) entry by entry.
///
/// The loop is explicit: inside an iterator's own loop, a long `f` is not inlined into the code that `vectorised`
/// compiles. The closure owns its captures. The compiler must assume that `out` may overwrite parameters behind a
/// reference.
fn map<R: Real>(x: &Array<R>, f: impl Fn(R) -> R) -> Array<R> {
    let mut out = buffer_pool::unset(x.as_slice().len());
    let pairs = out.iter_mut().zip(x.as_slice());
    vectorised(
        #[inline(always)]
        move || {
            for (to, &x) in pairs {
                *to = f(x);
            }
        },
    );
    Array::new(out, x.shape().to_vec())
}

/// f(x), with a loop that is compiled for each function.
struct Apply<'a, R: Real>(&'a Array<R>);

impl<R: Real> Visit for Apply<'_, R> {
    type Output = Array<R>;
    fn visit<F: Function>(self, f: F) -> Array<R> {
        map(
            self.0,
            #[inline(always)]
            move |x| f.value(x),
        )
    }
}

/// g f'(x) or g f''(x).
struct ApplyDerivative<'a, R: Real> {
    order: Order,
    x: &'a Array<R>,
    y: &'a Array<R>,
    g: &'a Array<R>,
}

impl<R: Real> Visit for ApplyDerivative<'_, R> {
    type Output = Array<R>;
    fn visit<F: Function>(self, f: F) -> Array<R> {
        match self.order {
            Order::First => self.zip(
                #[inline(always)]
                move |x, y| f.first(x, y),
            ),
            Order::Second => self.zip(
                #[inline(always)]
                move |x, y| f.second(x, y),
            ),
        }
    }
}

impl<R: Real> ApplyDerivative<'_, R> {
    fn zip(&self, slope: impl Fn(R, R) -> R) -> Array<R> {
        assert_eq!(self.x.shape(), self.g.shape(), "x and g have different shapes");
        let mut out = buffer_pool::unset(self.x.as_slice().len());
        let triples = self.x.as_slice().iter().zip(self.y.as_slice()).zip(self.g.as_slice());
        let quadruples = out.iter_mut().zip(triples);
        vectorised(
            #[inline(always)]
            move || {
                for (to, ((&x, &y), &g)) in quadruples {
                    *to = slope(x, y) * g;
                }
            },
        );
        Array::new(out, self.x.shape().to_vec())
    }
}
