//! A backend that computes nothing: it knows shapes, and counts what another would do.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Arrays, Relation, Window};
use crate::error::Result;
use crate::real::Real;
use crate::shape::{self, numel};
use crate::unary::{Order, Unary};

/// Arrays that are shapes only. Running a model on it tells, before any number is computed, what the run will multiply,
/// touch and hold.
///
/// ```
/// use tangent_kernels::extend::Count;
/// use tangent_kernels::ops::Arrays;
/// let count = Count::<f32>::new();
/// let (x, w) = (count.full(0.0, &[10, 3]), count.full(0.0, &[4, 3]));
/// let y = count.matmul(&x, false, &w, true);
/// assert_eq!(count.shape(&y), [10, 4]);
/// assert_eq!(count.flops(), 2 * 10 * 3 * 4);
/// assert_eq!(count.live_entries(), 30 + 12 + 40);
/// ```
#[derive(Clone, Debug)]
pub struct Count<R> {
    meter: Arc<Meter>,
    number: std::marker::PhantomData<R>,
}

#[derive(Debug, Default)]
struct Meter {
    flops: AtomicU64,
    touched: AtomicU64,
    live: AtomicU64,
    peak: AtomicU64,
}

/// A shape, and the memory that an array of it would hold for as long as this lives.
#[derive(Clone, Debug)]
pub struct Counted {
    shape: Vec<usize>,
    memory: Arc<Memory>,
}

#[derive(Debug)]
struct Memory {
    entries: u64,
    meter: Arc<Meter>,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.meter.live.fetch_sub(self.entries, Ordering::Relaxed);
    }
}

impl<R: Real> Count<R> {
    /// A backend that has counted nothing yet.
    pub fn new() -> Self {
        Count { meter: Arc::default(), number: std::marker::PhantomData }
    }

    /// Multiplications and additions of products: of matrices, and in convolutions.
    pub fn flops(&self) -> u64 {
        self.meter.flops.load(Ordering::Relaxed)
    }

    /// Entries that were read or written, by all kernels.
    pub fn touched_entries(&self) -> u64 {
        self.meter.touched.load(Ordering::Relaxed)
    }

    /// Entries of all arrays that are there now.
    pub fn live_entries(&self) -> u64 {
        self.meter.live.load(Ordering::Relaxed)
    }

    /// The most there were at a time.
    pub fn peak_entries(&self) -> u64 {
        self.meter.peak.load(Ordering::Relaxed)
    }

    fn array(&self, shape: Vec<usize>) -> Counted {
        let entries = numel(&shape) as u64;
        let live = self.meter.live.fetch_add(entries, Ordering::Relaxed) + entries;
        self.meter.peak.fetch_max(live, Ordering::Relaxed);
        Counted { shape, memory: Arc::new(Memory { entries, meter: self.meter.clone() }) }
    }

    /// The result of a kernel on `inputs`.
    fn made(&self, shape: Vec<usize>, inputs: &[&Counted]) -> Counted {
        let read: usize = inputs.iter().map(|x| numel(&x.shape)).sum();
        self.meter.touched.fetch_add((read + numel(&shape)) as u64, Ordering::Relaxed);
        self.array(shape)
    }

    fn multiplied(&self, shape: Vec<usize>, inputs: &[&Counted], multiplications: usize) -> Counted {
        self.meter.flops.fetch_add(2 * multiplications as u64, Ordering::Relaxed);
        self.made(shape, inputs)
    }

    fn same(&self, x: &Counted) -> Counted {
        self.made(x.shape.clone(), &[x])
    }

    fn broadcast(&self, x: &Counted, y: &Counted) -> Counted {
        let shape = shape::broadcast(&x.shape, &y.shape).expect("shapes broadcast, as the op's shape rule said");
        self.made(shape, &[x, y])
    }
}

impl<R: Real> Default for Count<R> {
    fn default() -> Self {
        Count::new()
    }
}

/// Positions of a window on planes of `size`.
fn positions(window: &Window, size: &[usize]) -> [usize; 2] {
    window.positions([size[0], size[1]]).expect("the window fits, as the op's shape rule said")
}

impl<R: Real> Arrays for Count<R> {
    type Number = R;
    type Tensor = Counted;
    type Index = Counted;

    fn upload(&self, _data: &[R], shape: &[usize]) -> Counted {
        self.array(shape.to_vec())
    }
    /// Zeros.
    fn read(&self, x: &Counted) -> Result<Vec<R>> {
        Ok(vec![R::default(); numel(&x.shape)])
    }
    fn shape<'a>(&self, x: &'a Counted) -> &'a [usize] {
        &x.shape
    }
    fn full(&self, _value: f64, shape: &[usize]) -> Counted {
        self.array(shape.to_vec())
    }
    fn reshape(&self, x: &Counted, shape: &[usize]) -> Counted {
        assert_eq!(numel(&x.shape), numel(shape), "reshape of {:?} to {shape:?}", x.shape);
        Counted { shape: shape.to_vec(), memory: x.memory.clone() }
    }
    fn slice(&self, x: &Counted, axis: usize, range: Range<usize>) -> Counted {
        let mut shape = x.shape.clone();
        shape[axis] = range.len();
        if axis == 0 { Counted { shape, memory: x.memory.clone() } } else { self.made(shape, &[]) }
    }
    fn permute(&self, x: &Counted, order: &[usize]) -> Counted {
        self.made(order.iter().map(|&axis| x.shape[axis]).collect(), &[x])
    }
    fn concat(&self, list: &[&Counted], axis: usize) -> Counted {
        let mut shape = list[0].shape.clone();
        shape[axis] = list.iter().map(|x| x.shape[axis]).sum();
        self.made(shape, list)
    }
    fn sum(&self, x: &Counted, axes: &[usize]) -> Counted {
        let mut shape = x.shape.clone();
        axes.iter().for_each(|&axis| shape[axis] = 1);
        self.made(shape, &[x])
    }
    fn affine(&self, x: &Counted, _a: f64, _b: f64) -> Counted {
        self.same(x)
    }
    fn add(&self, x: &Counted, y: &Counted) -> Counted {
        self.broadcast(x, y)
    }
    fn mul(&self, x: &Counted, y: &Counted) -> Counted {
        self.broadcast(x, y)
    }
    fn matmul(&self, x: &Counted, transpose_x: bool, y: &Counted, transpose_y: bool) -> Counted {
        let shape = shape::matmul(&x.shape, transpose_x, &y.shape, transpose_y);
        let inner = x.shape[x.shape.len() - if transpose_x { 2 } else { 1 }];
        let multiplications = numel(&shape) * inner;
        self.multiplied(shape, &[x, y], multiplications)
    }
    fn apply(&self, _f: Unary, x: &Counted) -> Counted {
        self.same(x)
    }
    fn apply_derivative(&self, _f: Unary, _order: Order, x: &Counted, _y: &Counted, g: &Counted) -> Counted {
        self.made(x.shape.clone(), &[x, g])
    }
    fn compare(&self, _relation: Relation, x: &Counted, y: &Counted) -> Counted {
        self.broadcast(x, y)
    }
    fn select(&self, mask: &Counted, x: &Counted, y: &Counted) -> Counted {
        let shape = shape::broadcast(&x.shape, &y.shape).and_then(|shape| shape::broadcast(&mask.shape, &shape));
        self.made(shape.expect("shapes broadcast, as the op's shape rule said"), &[mask, x, y])
    }
    fn sort_order(&self, x: &Counted, _descending: bool) -> Counted {
        self.same(x)
    }
    fn softmax(&self, x: &Counted) -> Counted {
        self.same(x)
    }
    fn log_softmax(&self, x: &Counted) -> Counted {
        self.same(x)
    }
    fn patches(&self, x: &Counted, window: &Window) -> Counted {
        let [h, w] = positions(window, &x.shape[2..]);
        let i = x.shape[1] / window.groups * window.kernel[0] * window.kernel[1];
        self.made(vec![x.shape[0], window.groups, h * w, i], &[x])
    }
    fn convolve(&self, x: &Counted, w: &Counted, window: &Window) -> Counted {
        let [height, width] = positions(window, &x.shape[2..]);
        let multiplications = x.shape[0] * numel(&w.shape) * height * width;
        self.multiplied(vec![x.shape[0], w.shape[0], height, width], &[x, w], multiplications)
    }
    fn convolve_input(&self, dy: &Counted, w: &Counted, window: &Window, size: [usize; 2]) -> Counted {
        let i = numel(&w.shape) / w.shape[0].max(1);
        let channels = i / (window.kernel[0] * window.kernel[1]) * window.groups;
        let multiplications = dy.shape[0] * numel(&w.shape) * numel(&dy.shape[2..]);
        self.multiplied(vec![dy.shape[0], channels, size[0], size[1]], &[dy, w], multiplications)
    }
    fn convolve_weight(&self, x: &Counted, dy: &Counted, window: &Window) -> Counted {
        let i = x.shape[1] / window.groups * window.kernel[0] * window.kernel[1];
        self.multiplied([&dy.shape[..3], &[i]].concat(), &[x, dy], numel(&dy.shape) * i)
    }
    fn convolve_weight_sum(&self, x: &Counted, dy: &Counted, window: &Window) -> Counted {
        let i = x.shape[1] / window.groups * window.kernel[0] * window.kernel[1];
        self.multiplied([&[1], &dy.shape[1..3], &[i]].concat(), &[x, dy], numel(&dy.shape) * i)
    }
    fn window_sum(&self, x: &Counted, window: &Window) -> Counted {
        let plane = positions(window, &x.shape[2..]);
        self.made([&x.shape[..2], &plane].concat(), &[x])
    }
    fn window_spread(&self, dy: &Counted, _window: &Window, size: [usize; 2]) -> Counted {
        self.made([&dy.shape[..2], &size].concat(), &[dy])
    }
    fn window_argmax(&self, x: &Counted, window: &Window) -> Counted {
        self.window_sum(x, window)
    }
    fn indices(&self, x: &Counted, _rows: usize, _apart: bool) -> Counted {
        self.same(x)
    }
    fn gather(&self, x: &Counted, index: &Counted) -> Counted {
        self.made([&index.shape[..], &x.shape[1..]].concat(), &[index])
    }
    fn scatter(&self, y: &Counted, _index: &Counted, rows: usize) -> Counted {
        self.made(vec![rows, y.shape[y.shape.len() - 1]], &[y])
    }
}
