//! Files that are cut off, altered or hostile end in an error: no panic, and no memory that the file does not warrant.
//!
//! A second for every format by default; `TANGENT_FUZZ_SECONDS=600 cargo test --all-features --test fuzz -- --nocapture` goes
//! on for as long as one likes.

#![cfg(all(
    feature = "onnx",
    feature = "zarr",
    feature = "fixture",
    feature = "idx",
    feature = "mmap",
    feature = "rand"
))]
#![allow(unsafe_code, reason = "an allocator that counts")]

mod changes;
mod files;
mod onnx;
mod stores;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

/// Counts the bytes that are in use, and how many they ever were.
struct Counting;

static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is left to the system's allocator; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(used, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// No file of these tests needs a tenth of it, all formats side by side.
const MOST_BYTES: usize = 1 << 30;

fn small_in_memory() {
    let most = MOST.load(Ordering::Relaxed);
    assert!(most < MOST_BYTES, "{most} bytes were in use at once");
}

/// Draws cases for as long as is asked, and tries each.
fn for_a_while<S: Strategy>(what: &str, strategy: S, trial: impl Fn(S::Value)) {
    let seconds = std::env::var("TANGENT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut tried = 0usize;
    while Instant::now() < end {
        // A runner counts its cases, over all of its runs.
        let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
        let result = runner.run(&strategy, |case| {
            trial(case);
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
        tried += 200;
    }
    println!("{what}: {tried} trials, {} bytes in use at once at most", MOST.load(Ordering::Relaxed));
}
