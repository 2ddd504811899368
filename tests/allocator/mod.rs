//! An allocator that counts what is in use, and can have a limit.
#![allow(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Refuses what would bring the bytes in use above a limit, which ends the process unless the caller can do without.
struct Limited;

/// Bytes in use.
pub static USED: AtomicUsize = AtomicUsize::new(0);
/// The most that ever were, or since it was set.
pub static MOST: AtomicUsize = AtomicUsize::new(0);
/// How many there may be: any number, until it is set.
pub static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

// SAFETY: allowed requests go to the system's allocator.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        if used > LIMIT.load(Ordering::Relaxed) {
            USED.fetch_sub(layout.size(), Ordering::Relaxed);
            return std::ptr::null_mut();
        }
        MOST.fetch_max(used, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;
