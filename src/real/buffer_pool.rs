//! Per-thread buffer pool: a dropped array returns its memory for reuse.
//!
//! A forward pass allocates hundreds of arrays that live for microseconds. The system would map and clear the pages of
//! each one. On a small CNN that took as long as the arithmetic. Memory from the pool is still in cache.

use std::cell::RefCell;
use std::ops::Deref;

use crate::real::Real;

/// The largest number of bytes in the pool of one thread.
const POOL_BYTES: usize = 32 << 20;
/// Longer buffers are freed: they are panels, which live as long as a kernel is computed.
const LONGEST_BYTES: usize = 8 << 20;
/// Shorter buffers are freed: a search takes longer than an allocation.
const SHORTEST_BYTES: usize = 256;

/// The free buffers of one thread.
pub struct BufferPool<R> {
    /// The oldest first.
    free: Vec<Vec<R>>,
    entries: usize,
}

impl<R: Real> BufferPool<R> {
    /// An empty pool.
    pub const fn new() -> Self {
        BufferPool { free: Vec::new(), entries: 0 }
    }

    /// The smallest buffer for `len` entries that is at most twice too long.
    fn take(&mut self, len: usize) -> Option<Vec<R>> {
        let capacities = self.free.iter().map(Vec::capacity).enumerate();
        let fitting = capacities.filter(|(_, capacity)| (len..=len.saturating_mul(2)).contains(capacity));
        let (place, capacity) = fitting.min_by_key(|(_, capacity)| *capacity)?;
        self.entries -= capacity;
        Some(self.free.remove(place))
    }

    /// Adds a buffer and frees the oldest ones if the pool is full.
    fn put(&mut self, buffer: Vec<R>) {
        let bytes = |entries: usize| entries * size_of::<R>();
        if !(SHORTEST_BYTES..=LONGEST_BYTES).contains(&bytes(buffer.capacity())) {
            return;
        }
        self.entries += buffer.capacity();
        self.free.push(buffer);
        while bytes(self.entries) > POOL_BYTES {
            self.entries -= self.free.remove(0).capacity();
        }
    }
}

/// An empty vector with room for `len` entries.
pub fn empty<R: Real>(len: usize) -> Vec<R> {
    let mut buffer = take(len).unwrap_or_else(|| Vec::with_capacity(len));
    buffer.clear();
    buffer
}

/// `len` zeros.
pub fn zeros<R: Real>(len: usize) -> Vec<R> {
    match take(len) {
        Some(mut buffer) => {
            buffer.clear();
            buffer.resize(len, R::default());
            buffer
        }
        None => vec![R::default(); len],
    }
}

/// `len` entries of any value, for a caller that writes all of them.
pub fn unset<R: Real>(len: usize) -> Vec<R> {
    match take(len) {
        Some(mut buffer) => {
            buffer.resize(len, R::default());
            buffer
        }
        None => vec![R::default(); len],
    }
}

/// A buffer for `len` entries from the thread's pool, with its old entries.
fn take<R: Real>(len: usize) -> Option<Vec<R>> {
    if len * size_of::<R>() < SHORTEST_BYTES {
        return None;
    }
    R::buffer_pool().with_borrow_mut(|pool| pool.take(len))
}

/// The entries of an array. Their memory returns to the pool of the thread that drops them.
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

/// Returns a buffer to the thread's pool.
pub fn put_back<R: Real>(buffer: Vec<R>) {
    // A thread that ends may have dropped its pool already.
    let _ = R::buffer_pool().try_with(|pool: &RefCell<BufferPool<R>>| pool.borrow_mut().put(buffer));
}
