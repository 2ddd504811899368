//! Truncated, altered and hostile files give an error: no panic, and no more memory than the file has data for.
//!
//! The default is one second per format. For longer runs:
//! `TANGENT_FUZZ_SECONDS=600 cargo test --all-features --test fuzz -- --nocapture`.

#![cfg(all(
    feature = "onnx",
    feature = "zarr",
    feature = "fixture",
    feature = "idx",
    feature = "mmap",
    feature = "rand"
))]

#[path = "../allocator/mod.rs"]
mod allocator;
mod changes;
mod files;
mod onnx;
mod stores;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use allocator::MOST;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestRunner};

/// A limit on memory. All formats together need less than a tenth of it.
const MOST_BYTES: usize = 1 << 30;

fn small_in_memory() {
    let most = MOST.load(Ordering::Relaxed);
    assert!(most < MOST_BYTES, "{most} bytes were in use at once");
}

/// Draws and tries cases until the time is over.
fn for_a_while<S: Strategy>(what: &str, strategy: S, trial: impl Fn(S::Value)) {
    let seconds = std::env::var("TANGENT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut tried = 0usize;
    while Instant::now() < end {
        // A runner counts the cases of all its runs.
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
