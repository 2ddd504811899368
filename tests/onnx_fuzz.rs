//! Files that are cut off, altered or hostile end in an error: no panic, and no memory that the file does not warrant.
//!
//! A second of altered files by default; `TANGENT_FUZZ_SECONDS=600 cargo test --release --features onnx --test onnx_fuzz`
//! goes on for as long as one likes.

#![cfg(feature = "onnx")]
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tangent_kernels::io::onnx::Network;

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

/// No network of tests/models needs a tenth of it.
const MOST_BYTES: usize = 1 << 30;

fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let folders = [folder.clone(), folder.join("forms"), folder.join("real")];
    let mut paths: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Reads and builds, whatever comes of it.
fn load(bytes: &[u8]) {
    if let Ok(network) = Network::parse(bytes) {
        let _ = network.ops();
        let _ = network.build();
    }
    let most = MOST.load(Ordering::Relaxed);
    assert!(most < MOST_BYTES, "{most} bytes were in use at once");
}

#[test]
fn a_file_that_is_cut_off_is_an_error_or_a_smaller_network() {
    for (_, bytes) in files().iter().filter(|(_, bytes)| bytes.len() < 4000) {
        (0..bytes.len()).step_by(7).for_each(|end| load(&bytes[..end]));
    }
    assert!(Network::parse(&[]).is_err());
    assert!(Network::parse(b"PK\x03\x04 no network").unwrap_err().is_format());
}

/// What is done to a file.
#[derive(Clone, Debug)]
enum Change {
    Byte(usize, u8),
    Cut(usize, usize),
    Copy(usize, usize, usize),
    /// A number in the variable length of the format, as sizes and lengths are written.
    Number(usize, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0usize..60_000;
    prop_oneof![
        4 => (at.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => (at.clone(), 1usize..200).prop_map(|(at, length)| Change::Cut(at, length)),
        1 => (at.clone(), at.clone(), 1usize..200).prop_map(|(from, to, length)| Change::Copy(from, to, length)),
        2 => (at, prop_oneof![any::<u64>(), 0u64..300, Just(1u64 << 31), Just(1u64 << 62), Just(u64::MAX)])
            .prop_map(|(at, number)| Change::Number(at, number)),
    ]
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        let length = bytes.len();
        if length == 0 {
            break;
        }
        match *change {
            Change::Byte(at, byte) => bytes[at % length] = byte,
            Change::Cut(at, count) => {
                let at = at % length;
                bytes.drain(at..(at + count).min(length));
            }
            Change::Copy(from, to, count) => {
                let from = from % length;
                let part = bytes[from..(from + count).min(length)].to_vec();
                let to = to % length;
                bytes.splice(to..to, part);
            }
            Change::Number(at, mut number) => {
                let mut at = at % length;
                while at < bytes.len() {
                    let more = number >= 128;
                    bytes[at] = (number & 127) as u8 | if more { 128 } else { 0 };
                    number >>= 7;
                    at += 1;
                    if !more {
                        break;
                    }
                }
            }
        }
    }
    bytes
}

#[test]
fn altered_files_end_in_errors() {
    let seconds = std::env::var("TANGENT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let (files, end) = (files(), Instant::now() + Duration::from_secs_f64(seconds));
    let mut tried = 0usize;
    while Instant::now() < end {
        let strategy = (0..files.len(), proptest::collection::vec(change(), 1..6));
        // A runner counts its cases, over all of its runs.
        let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
        let result = runner.run(&strategy, |(which, changes)| {
            load(&changed(&files[which].1, &changes));
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
        tried += 200;
    }
    println!("{tried} files, {} bytes in use at once at most", MOST.load(Ordering::Relaxed));
}
