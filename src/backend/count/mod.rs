//! A backend without numbers: its arrays are shapes, and it counts what another backend would do.

mod indexing;
mod pointwise;
mod reductions;
mod storage;
mod windows;

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::real::Real;
use crate::shape::{self, numel};

/// A backend whose arrays are shapes. Running a model on it counts, before any number is computed, what the run will
/// multiply, touch and hold.
///
/// ```
/// use tangent_kernels::extend::Count;
/// use tangent_kernels::ops::{Reductions, Storage};
/// let count = Count::<f32>::new();
/// let x = count.full(0.0, &[10, 3]);
/// let w = count.full(0.0, &[4, 3]);
/// let y = count.matmul(&x, false, &w, true);
/// assert_eq!(count.shape(&y), [10, 4]);
/// assert_eq!(count.flops(), 2 * 10 * 3 * 4);
/// assert_eq!(count.live_entries(), 30 + 12 + 40);
/// ```
#[derive(Clone, Debug)]
pub struct Count<R> {
    meter: Arc<Meter>,
    number: PhantomData<R>,
}

#[derive(Debug, Default)]
struct Meter {
    flops: AtomicU64,
    touched: AtomicU64,
    live: AtomicU64,
    peak: AtomicU64,
}

/// A shape. While it lives, its entries count as memory in use.
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
    /// A backend with all counts at zero.
    pub fn new() -> Self {
        Count { meter: Arc::default(), number: PhantomData }
    }

    /// The number of multiplications and additions in matrix products and convolutions.
    pub fn flops(&self) -> u64 {
        self.meter.flops.load(Ordering::Relaxed)
    }

    /// The number of entries that all primitives read or wrote.
    pub fn touched_entries(&self) -> u64 {
        self.meter.touched.load(Ordering::Relaxed)
    }

    /// The number of entries of all arrays that exist now.
    pub fn live_entries(&self) -> u64 {
        self.meter.live.load(Ordering::Relaxed)
    }

    /// The largest number of [`live_entries`](Count::live_entries) so far.
    pub fn peak_entries(&self) -> u64 {
        self.meter.peak.load(Ordering::Relaxed)
    }

    fn array(&self, shape: Vec<usize>) -> Counted {
        let entries = numel(&shape) as u64;
        let live = self.meter.live.fetch_add(entries, Ordering::Relaxed) + entries;
        self.meter.peak.fetch_max(live, Ordering::Relaxed);
        Counted { shape, memory: Arc::new(Memory { entries, meter: self.meter.clone() }) }
    }

    /// The result of a primitive that reads `inputs`.
    fn result(&self, shape: Vec<usize>, inputs: &[&Counted]) -> Counted {
        let read: usize = inputs.iter().map(|x| numel(&x.shape)).sum();
        self.meter.touched.fetch_add((read + numel(&shape)) as u64, Ordering::Relaxed);
        self.array(shape)
    }

    /// The result of a product of `inputs` with `multiplications`.
    fn product(&self, shape: Vec<usize>, inputs: &[&Counted], multiplications: usize) -> Counted {
        self.meter.flops.fetch_add(2 * multiplications as u64, Ordering::Relaxed);
        self.result(shape, inputs)
    }

    /// The result of a primitive that keeps the shape of `x`.
    fn same(&self, x: &Counted) -> Counted {
        self.result(x.shape.clone(), &[x])
    }

    /// The result of a primitive that broadcasts `x` and `y`.
    fn broadcast(&self, x: &Counted, y: &Counted) -> Counted {
        let shape = shape::broadcast(&x.shape, &y.shape)
            .unwrap_or_else(|| panic!("shapes {:?} and {:?} do not broadcast", x.shape, y.shape));
        self.result(shape, &[x, y])
    }
}

impl<R: Real> Default for Count<R> {
    fn default() -> Self {
        Count::new()
    }
}
