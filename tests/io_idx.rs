//! idx files: MNIST's are read, gzipped or not, and what is wrong ends in an error.
#![cfg(feature = "idx")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tangent_kernels::Error;
use tangent_kernels::io::idx::{self, Idx};
use tempfile::TempDir;

fn scratch(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    // The name says nothing about compression.
    let path = folder.path().join("images");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(bytes: &[u8]) -> Result<Idx, Error> {
    let (_folder, path) = scratch(bytes);
    let result = idx::read(&path);
    if let Err(error) = &result {
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    result
}

#[track_caller]
fn assert_refused(bytes: &[u8], because: &str) {
    let error = read(bytes).unwrap_err();
    assert!(error.is_format(), "{error:?}");
    assert!(error.to_string().contains(because), "{error} does not say '{because}'");
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn file(sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, sizes.len() as u8];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn mnist(name: &str) -> Idx {
    idx::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/data/mnist69").join(name)).unwrap()
}

/// The sums are those of the raw bytes by Python:
/// `sum(gzip.open('mnist69-train-images-idx3-ubyte.gz').read()[16:])`.
#[test]
fn sixes_and_nines_are_read() {
    let images = mnist("mnist69-train-images-idx3-ubyte.gz");
    assert_eq!((images.shape, images.data.len()), (vec![10_000, 28, 28], 7_840_000));
    assert_eq!(images.data.iter().map(|&pixel| u64::from(pixel)).sum::<u64>(), 260_245_683);
    let labels = mnist("mnist69-train-labels-idx1-ubyte.gz");
    assert_eq!(labels.shape, [10_000]);
    assert_eq!((labels.data[0], labels.data[4_999], labels.data[5_000], labels.data[9_999]), (6, 6, 9, 9));

    assert_eq!(mnist("mnist69-test-images-idx3-ubyte.gz").shape, [1967, 28, 28]);
    let labels = mnist("mnist69-test-labels-idx1-ubyte.gz");
    assert_eq!(labels.data.iter().filter(|&&label| label == 6).count(), 958);
    assert_eq!(labels.data.iter().filter(|&&label| label == 9).count(), 1009);
}

#[test]
fn both_kinds_and_all_dimensions_are_read() {
    let data: Vec<u8> = (0..24).collect();
    for sizes in [&[24][..], &[4, 6], &[2, 3, 4], &[2, 3, 2, 2], &[1, 1, 24, 1]] {
        let bytes = file(sizes, &data);
        let shape: Vec<usize> = sizes.iter().map(|&size| size as usize).collect();
        let expected = Idx { shape, data: data.clone() };
        assert_eq!(read(&bytes).unwrap(), expected);
        assert_eq!(read(&gzip(&bytes)).unwrap(), expected);
        // A gzipped file may come in several parts, one after another.
        assert_eq!(read(&[gzip(&bytes[..9]), gzip(&bytes[9..])].concat()).unwrap(), expected);
    }
    assert_eq!(read(&file(&[0, 28], &[])).unwrap(), Idx { shape: vec![0, 28], data: vec![] });
}

#[test]
fn lengths_must_match() {
    let good = file(&[2, 3], &[1, 2, 3, 4, 5, 6]);
    for length in 0..good.len() {
        assert_refused(&good[..length], "truncated");
        assert_refused(&gzip(&good[..length]), "truncated");
    }
    let long = [&good[..], &[0]].concat();
    assert_refused(&long, "too long");
    assert_refused(&gzip(&long), "too long");
    assert_refused(&[gzip(&good), gzip(&[7])].concat(), "too long");
}

#[test]
fn hostile_sizes_reserve_no_memory() {
    let most = u32::MAX;
    for sizes in [&[most][..], &[most, most], &[most, most, most], &[most, most, most, most], &[0x8000_0000; 4]] {
        assert_refused(&file(sizes, &[0; 100]), "more than it can hold");
        assert_refused(&gzip(&file(sizes, &[0; 100])), "more than it can hold");
    }
    assert_refused(&file(&[90], &[0; 89]), "89 of 90 bytes");
    assert_refused(&gzip(&file(&[90], &[0; 89])), "89 of 90 bytes");
}

/// The header states ten bytes, and 16 MiB follow. They are corrupt halfway, but unpacking stops at the eleventh byte.
#[test]
fn a_bomb_is_not_unpacked() {
    let mut bomb = gzip(&[&file(&[10], &[])[..], &vec![0; 16 << 20]].concat());
    let length = bomb.len();
    bomb[length / 2..].fill(0xff);
    assert_refused(&bomb, "too long");
    let mut honest = gzip(&file(&[16 << 20], &vec![0; 16 << 20]));
    honest[length / 2..].fill(0xff);
    assert_refused(&honest, "corrupt");
}

#[test]
fn other_files_are_rejected() {
    assert_refused(b"\x89PNG\r\n\x1a\n", "not an idx file");
    assert_refused(&gzip(b"hello"), "not an idx file");
    assert_refused(&[0, 1, 8, 1, 0, 0, 0, 0], "not an idx file");
    for (kind, name) in
        [(9, "signed"), (0xb, "16 bit"), (0xc, "32 bit"), (0xd, "floats"), (0xe, "64 bit"), (7, "unknown")]
    {
        assert_refused(&[0, 0, kind, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], name);
    }
    assert_refused(&[0, 0, 8, 0, 1], "0 dimensions");
    assert_refused(&[0, 0, 8, 5, 1], "5 dimensions");
}

#[test]
fn corrupt_gzip_is_rejected() {
    let good = gzip(&file(&[2, 3], &[1, 2, 3, 4, 5, 6]));
    let crc = good.len() - 8;
    let mut wrong_sum = good.clone();
    wrong_sum[crc] ^= 1;
    assert_refused(&wrong_sum, "corrupt");
    let mut wrong_length = good.clone();
    wrong_length[crc + 4] ^= 1;
    assert_refused(&wrong_length, "corrupt");
    let mut wrong_method = good.clone();
    wrong_method[2] = 7;
    assert_refused(&wrong_method, "corrupt");
    for length in 2..good.len() {
        assert!(read(&good[..length]).unwrap_err().is_format(), "{length}");
    }
    assert_refused(&[&good[..], b"junk"].concat(), "corrupt");
}

#[test]
fn paths_without_a_file_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("missing")] {
        let error = idx::read(&path).unwrap_err();
        assert!(error.is_io() && error.to_string().contains(path.to_str().unwrap()), "{error:?}");
    }
}

/// Reads the bytes plain and gzipped. Errors are allowed, panics are not.
fn read_both(bytes: &[u8]) {
    for Idx { shape, data } in [read(bytes), read(&gzip(bytes))].into_iter().flatten() {
        assert_eq!(shape.iter().product::<usize>(), data.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_both(&bytes);
        read_both(&[&[0, 0, 8], &bytes[..]].concat());
        let _ = read(&[&[0x1f, 0x8b, 8], &bytes[..]].concat());
    }

    #[test]
    fn damaged_files_never_panic(
        flips in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        length in any::<prop::sample::Index>(),
        zipped in any::<bool>(),
    ) {
        let good = file(&[3, 4], b"twelve bytes");
        let mut bytes = if zipped { gzip(&good) } else { good };
        for flip in flips {
            let bit = flip.index(8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let _ = read(&bytes);
        bytes.truncate(length.index(bytes.len()));
        let _ = read(&bytes);
    }
}
