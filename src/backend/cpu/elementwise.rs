//! Sums, products and functions entry by entry.

use super::array::{Array, walk};
use crate::backend::Relation;
use crate::real::{Real, buffer_pool, vectorised};
use crate::shape::{broadcast, broadcast_strides, numel, strides};
use crate::unary::{Function, Order, Visit};

/// f(x, y) entry by entry, broadcast, in loops over runs that the compiler vectorises.
pub(super) fn zip<R: Real>(x: &Array<R>, y: &Array<R>, f: impl Fn(R, R) -> R) -> Array<R> {
    let (a, b) = (x.as_slice(), y.as_slice());
    if x.shape() == y.shape() {
        return collected(a.iter().zip(b).map(|(&a, &b)| f(a, b)), x.shape());
    }
    let shape = broadcast(x.shape(), y.shape())
        .unwrap_or_else(|| panic!("shapes {:?} and {:?} do not broadcast", x.shape(), y.shape()));
    let mut out = buffer_pool::empty(numel(&shape));
    if numel(&shape) > 0 {
        let runs = Runs::new(&shape, broadcast_strides(x.shape(), &shape), broadcast_strides(y.shape(), &shape));
        let count = runs.count;
        walk(&runs.shape, &runs.x, &runs.y, |i, j| {
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

/// Two strided walks over one shape, as runs in which each operand either moves by one or stands still.
struct Runs {
    /// What is outside of the runs.
    shape: Vec<usize>,
    x: Vec<usize>,
    y: Vec<usize>,
    /// The length of a run, and by how much each operand moves in it.
    count: usize,
    steps: [usize; 2],
}

impl Runs {
    fn new(shape: &[usize], x: Vec<usize>, y: Vec<usize>) -> Self {
        let mut runs = Runs { shape: shape.to_vec(), x, y, count: 1, steps: [0, 0] };
        let last = |list: &[usize]| list.last().copied();
        while let (Some(size), Some(x), Some(y)) = (last(&runs.shape), last(&runs.x), last(&runs.y)) {
            if runs.count == 1 && size > 1 {
                runs.steps = [x, y];
            }
            // An axis goes on where the run ended, for both; one of size 1 goes nowhere.
            let goes_on = [x, y] == runs.steps.map(|step| step * runs.count) && runs.steps.iter().all(|&step| step < 2);
            if size != 1 && !goes_on {
                break;
            }
            runs.count *= size;
            runs.shape.pop();
            runs.x.pop();
            runs.y.pop();
        }
        if runs.count == 1 {
            runs.steps = [0, 0];
        }
        runs
    }
}

fn collected<R: Real>(entries: impl ExactSizeIterator<Item = R>, shape: &[usize]) -> Array<R> {
    let mut out = buffer_pool::empty(entries.len());
    vectorised(
        #[inline(always)]
        || out.extend(entries),
    );
    Array::new(out, shape.to_vec())
}

/// 1 where the relation holds, else 0: one loop for each relation.
pub(super) fn compare<R: Real>(relation: Relation, x: &Array<R>, y: &Array<R>) -> Array<R> {
    let flag = |holds: bool| if holds { R::from_f64(1.0) } else { R::default() };
    match relation {
        Relation::Equal => zip(x, y, |x, y| flag(x == y)),
        Relation::Less => zip(x, y, |x, y| flag(x < y)),
        Relation::LessOrEqual => zip(x, y, |x, y| flag(x <= y)),
    }
}

/// x where the mask is not 0, and y where it is.
pub(super) fn select<R: Real>(mask: &Array<R>, x: &Array<R>, y: &Array<R>) -> Array<R> {
    let shape = broadcast(x.shape(), y.shape()).and_then(|shape| broadcast(mask.shape(), &shape));
    let shape = shape
        .unwrap_or_else(|| panic!("shapes {:?}, {:?} and {:?} do not broadcast", mask.shape(), x.shape(), y.shape()));
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

/// `x` stretched to `shape`.
fn stretched<R: Real>(x: &Array<R>, shape: &[usize]) -> Array<R> {
    if x.shape() == shape {
        return x.clone();
    }
    let steps = broadcast_strides(x.shape(), shape);
    let mut out = buffer_pool::empty(numel(shape));
    if numel(shape) > 0 {
        walk(shape, &steps, &steps, |from, _| out.push(x.as_slice()[from]));
    }
    Array::new(out, shape.to_vec())
}

/// f(x) entry by entry. The loop is written out: in an iterator's own loop a long `f` is not inlined into what
/// `vectorised` compiles. It owns what it uses: the parameters of `f`, behind a reference, might be overwritten by `out`,
/// for all that the compiler knows.
pub(super) fn map<R: Real>(x: &Array<R>, f: impl Fn(R) -> R) -> Array<R> {
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

/// f(x): one loop per function, compiled for it.
pub(super) struct Apply<'a, R: Real>(pub &'a Array<R>);

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
pub(super) struct ApplyDerivative<'a, R: Real> {
    pub order: Order,
    pub x: &'a Array<R>,
    pub y: &'a Array<R>,
    pub g: &'a Array<R>,
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
        assert_eq!(self.x.shape(), self.g.shape(), "shapes of x and g");
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

/// The sum over `axes`, kept as axes of size 1. Additions happen in an order that depends on the shape alone.
pub(super) fn sum<R: Real>(x: &Array<R>, axes: &[usize]) -> Array<R> {
    let mut shape = x.shape().to_vec();
    for &axis in axes {
        shape[axis] = 1;
    }
    let mut out = buffer_pool::zeros(numel(&shape));
    let entries = x.as_slice();
    if !entries.is_empty() {
        let own = strides(x.shape());
        let runs = Runs::new(x.shape(), own, broadcast_strides(&shape, x.shape()));
        let count = runs.count;
        walk(&runs.shape, &runs.x, &runs.y, |i, j| {
            vectorised(|| match runs.steps {
                [0, _] => out[j] += entries[i],
                [_, 0] => out[j] += total(&entries[i..][..count]),
                _ => out[j..][..count].iter_mut().zip(&entries[i..][..count]).for_each(|(sum, &x)| *sum += x),
            })
        });
    }
    Array::new(out, shape)
}

/// The sum of a run, in eight sums side by side.
#[inline(always)]
pub(super) fn total<R: Real>(run: &[R]) -> R {
    let (chunks, rest) = run.as_chunks::<8>();
    let mut sums = [R::default(); 8];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum += x);
    }
    sums.into_iter().chain(rest.iter().copied()).sum()
}
