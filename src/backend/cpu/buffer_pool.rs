//! Memory that is used again: what an array leaves is on its thread's shelf for the next one.
//!
//! A forward pass makes hundreds of arrays that live for microseconds. From the system each would be pages that have to be
//! mapped and cleared first; measured on a small CNN, that took as long as the arithmetic. From a shelf it is memory that
//! is still in cache.

use std::cell::RefCell;
use std::ops::Deref;

use crate::real::Real;

/// A thread keeps at most so many bytes.
const SHELF_BYTES: usize = 32 << 20;
/// Longer arrays are not kept: they are panels, which live as long as a kernel is computed.
const ARRAY_BYTES: usize = 8 << 20;
/// Shorter ones are not worth a search.
const SHORT_BYTES: usize = 256;

/// What lies on a thread's shelf.
pub struct BufferPool<R> {
    /// The oldest first.
    free: Vec<Vec<R>>,
    entries: usize,
}

impl<R: Real> BufferPool<R> {
    /// An empty shelf.
    pub const fn new() -> Self {
        BufferPool { free: Vec::new(), entries: 0 }
    }

    /// The smallest array for `len` entries that is not much too long.
    fn take(&mut self, len: usize) -> Option<Vec<R>> {
        let capacities = self.free.iter().map(Vec::capacity).enumerate();
        let fitting = capacities.filter(|(_, capacity)| (len..=len.saturating_mul(2)).contains(capacity));
        let (place, capacity) = fitting.min_by_key(|(_, capacity)| *capacity)?;
        self.entries -= capacity;
        Some(self.free.remove(place))
    }

    /// Takes an array in, and lets the oldest go where there is no room.
    fn put(&mut self, array: Vec<R>) {
        let bytes = |entries: usize| entries * size_of::<R>();
        if !(SHORT_BYTES..=ARRAY_BYTES).contains(&bytes(array.capacity())) {
            return;
        }
        self.entries += array.capacity();
        self.free.push(array);
        while bytes(self.entries) > SHELF_BYTES {
            self.entries -= self.free.remove(0).capacity();
        }
    }
}

/// Room for `len` entries, with none in it.
pub fn empty<R: Real>(len: usize) -> Vec<R> {
    let mut array = taken(len).unwrap_or_else(|| Vec::with_capacity(len));
    array.clear();
    array
}

/// `len` zeros.
pub fn zeros<R: Real>(len: usize) -> Vec<R> {
    match taken(len) {
        Some(mut array) => {
            array.clear();
            array.resize(len, R::default());
            array
        }
        None => vec![R::default(); len],
    }
}

/// `len` entries, whatever they are, that will all be written.
pub fn unset<R: Real>(len: usize) -> Vec<R> {
    match taken(len) {
        Some(mut array) => {
            array.resize(len, R::default());
            array
        }
        None => vec![R::default(); len],
    }
}

/// Room for `len` entries from the thread's shelf, with what was last in it.
fn taken<R: Real>(len: usize) -> Option<Vec<R>> {
    if len * size_of::<R>() < SHORT_BYTES {
        return None;
    }
    R::buffer_pool().with_borrow_mut(|buffer_pool| buffer_pool.take(len))
}

/// The entries of an array, which go back to the shelf of the thread that drops them.
pub struct Entries<R: Real>(Vec<R>);

impl<R: Real> Entries<R> {
    pub fn new(entries: Vec<R>) -> Self {
        Entries(entries)
    }
}

impl<R: Real> Deref for Entries<R> {
    type Target = [R];
    fn deref(&self) -> &[R] {
        &self.0
    }
}

impl<R: Real> Drop for Entries<R> {
    fn drop(&mut self) {
        put_back(std::mem::take(&mut self.0));
    }
}

/// Gives a buffer back to the thread's shelf.
pub fn put_back<R: Real>(array: Vec<R>) {
    // A thread that ends may have dropped its shelf already.
    let _ = R::buffer_pool().try_with(|buffer_pool: &RefCell<BufferPool<R>>| buffer_pool.borrow_mut().put(array));
}
