//! Kernels as Zarr stores have the same bytes as those in memory, also after interruptions and failures.
#![cfg(all(feature = "zarr", feature = "rand"))]

mod disk;

use std::fs;
use std::path::{Path, PathBuf};

use disk::{Job, SIDE, Stopping, model, names, numbers};
use tangent_kernels::kernel::sink::{Frame, Region, Sink};
use tangent_kernels::store::{self, ZarrStore};
use tangent_kernels::{Batch, Cpu, Matrix, Outputs, Result, Session};

/// Not a multiple of a region's side, so the last chunks extend beyond K.
const SAMPLES: usize = 617;

fn fill<S: Sink<f32>>(seed: u64, shard: (usize, usize), sink: &mut S) -> Result<()> {
    disk::fill(SAMPLES, seed, shard, sink)
}

fn process(path: &Path, shard: (usize, usize), dies_after: Option<usize>) -> bool {
    disk::process(path, shard, dies_after).status.success()
}

fn sink(path: &Path) -> ZarrStore {
    ZarrStore::new(path).side(SIDE)
}

fn stopping(path: &Path, after: usize) -> Stopping<ZarrStore> {
    Stopping::new(sink(path), after, false)
}

/// CRC-32C by its definition, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0x82F6_3B78 & (sum & 1).wrapping_neg()))
    })
}

/// Decodes an array from its metadata by the specification of Zarr.
fn decode(array: &Path, size: usize) -> (Vec<usize>, Vec<f64>) {
    let node: serde_json::Value = serde_json::from_slice(&fs::read(array.join("zarr.json")).unwrap()).unwrap();
    assert_eq!((&node["zarr_format"], &node["node_type"]), (&3.into(), &"array".into()));
    assert_eq!(node["data_type"], if size == 4 { "float32" } else { "float64" });
    assert_eq!((&node["codecs"][0]["name"], &node["codecs"][1]["name"]), (&"bytes".into(), &"crc32c".into()));
    let list = |value: &serde_json::Value| -> Vec<usize> {
        value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
    };
    let (shape, chunk) = (list(&node["shape"]), list(&node["chunk_grid"]["configuration"]["chunk_shape"]));
    let mut entries = vec![f64::INFINITY; shape.iter().product()];
    let counts: Vec<usize> = shape.iter().zip(&chunk).map(|(all, one)| all.div_ceil(*one)).collect();
    for number in 0..counts.iter().product() {
        let at = position(number, &counts);
        let path = at.iter().fold(array.join("c"), |path, index| path.join(index.to_string()));
        let bytes = fs::read(&path).unwrap();
        let (bytes, sum) = bytes.split_at(bytes.len() - 4);
        assert_eq!(crc32c(bytes).to_le_bytes(), sum, "{}", path.display());
        assert_eq!(bytes.len(), chunk.iter().product::<usize>() * size);
        for (k, entry) in bytes.chunks_exact(size).enumerate() {
            let inside = position(k, &chunk);
            let place: Vec<usize> = (0..shape.len()).map(|axis| at[axis] * chunk[axis] + inside[axis]).collect();
            let entry = match size {
                4 => f64::from(f32::from_le_bytes(entry.try_into().unwrap())),
                _ => f64::from_le_bytes(entry.try_into().unwrap()),
            };
            if place.iter().zip(&shape).all(|(at, end)| at < end) {
                entries[place.iter().zip(&shape).fold(0, |sum, (at, size)| sum * size + at)] = entry;
            } else {
                assert!(entry.is_nan(), "{place:?} is beyond K");
            }
        }
    }
    (shape, entries)
}

fn position(mut number: usize, counts: &[usize]) -> Vec<usize> {
    let mut at = vec![0; counts.len()];
    for (at, count) in at.iter_mut().zip(counts).rev() {
        (*at, number) = (number % count, number / count);
    }
    at
}

fn same(array: PathBuf, want: &Matrix<f32>) {
    let (shape, entries) = decode(&array, 4);
    assert_eq!(shape, [SAMPLES, SAMPLES]);
    let want = want.as_slice().iter().map(|&entry| f64::from(entry));
    assert!(entries.into_iter().eq(want), "{} is another kernel", array.display());
}

fn is_the_kernel(path: &Path) {
    let want = disk::dense(SAMPLES);
    same(path.join("total"), want.total());
    let mut components = 0;
    for (name, matrix) in want.components() {
        same(path.join("components").join(name), matrix);
        components += 1;
    }
    assert_eq!(fs::read_dir(path.join("components")).unwrap().count(), components + 1, "and the group's own file");
    let report = store::check(path).unwrap();
    assert!(report.is_intact() && report.finished, "{report}");
}

#[test]
fn a_store_holds_the_kernel_in_memory_and_its_components() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.zarr");
    fill(3, (0, 1), &mut sink(&path)).unwrap();
    is_the_kernel(&path);
    assert_eq!(names(folder.path()), ["K.zarr", "K.zarr.journal"]);
    assert_eq!(names(&path), ["components", "total", "zarr.json"]);
    // A second run finds the kernel and computes nothing.
    fill(3, (0, 1), &mut stopping(&path, 0)).unwrap();
}

#[test]
fn several_blocks_between_two_sets_in_f64() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(3);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    for (n, m, side) in [(217, 90, 70), (217, 13, 70), (13, 217, 70), (40, 40, 1000)] {
        let (x, z) = (numbers::<f64>(n * 5), numbers::<f64>(m * 5));
        let (x, z) = (Batch::new(&x, &[n, 5]).unwrap(), Batch::new(&z, &[m, 5]).unwrap());
        let ntk = || session.ntk().outputs(Outputs::PerOutput).components(false);
        let path = folder.path().join(format!("{n}-{m}.zarr"));
        ntk().fill_between(&x, &z, &mut ZarrStore::new(&path).side(side)).unwrap();
        let (shape, entries) = decode(&path.join("total"), 8);
        assert_eq!(shape, [2, n, m]);
        assert!(entries == ntk().between(&x, &z).unwrap().total().as_slice(), "{n} x {m}");
        assert!(!path.join("components").exists());
        assert!(store::check(&path).unwrap().is_intact());
    }
}

#[test]
fn a_stopped_run_resumes_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for after in [0, 1, 7] {
        let path = folder.path().join(format!("{after}.zarr"));
        let mut stopped = stopping(&path, after);
        assert!(fill(3, (0, 1), &mut stopped).is_err());
        drop(stopped);
        assert!(!path.exists(), "nothing looks whole");
        let mut rest = stopping(&path, usize::MAX);
        fill(3, (0, 1), &mut rest).unwrap();
        let (regions, seen) = (store::check(&path).unwrap().regions, rest.seen.into_inner());
        assert!(seen <= regions - after, "{seen} of {regions} after {after}");
        is_the_kernel(&path);
    }
}

#[test]
fn child() {
    let Some(Job { path, shard, after }) = Job::current() else { return };
    fill(3, shard, &mut Stopping::new(sink(&path), after, true)).unwrap();
}

#[test]
fn a_killed_process_loses_only_unrecorded_regions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.zarr");
    for after in [0, 3, 9] {
        assert!(!process(&path, (0, 1), Some(after)));
        assert!(!path.exists());
    }
    assert!(process(&path, (0, 1), None));
    is_the_kernel(&path);
}

#[test]
fn five_processes_fill_one_kernel_though_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.zarr");
    std::thread::scope(|scope| {
        for part in 0..5 {
            let path = &path;
            scope.spawn(move || assert_eq!(process(path, (part, 5), (part == 3).then_some(1)), part != 3));
        }
    });
    let report = store::check(&path).unwrap();
    assert!(!report.is_intact() && !report.finished && !report.missing.is_empty(), "{report}");
    assert!(report.corrupt.is_empty(), "{report}");
    let error = store::merge(&path).unwrap_err().to_string();
    assert!(error.contains(&format!("missing: {}", report.missing[0])), "{error}");
    assert!(!path.exists(), "nothing looks whole");

    assert!(process(&path, (3, 5), None));
    assert!(store::merge(&path).unwrap().is_intact());
    is_the_kernel(&path);
    assert_eq!(names(folder.path()), ["K.zarr", "K.zarr.journal"]);
}

#[test]
fn a_missing_or_corrupt_chunk_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.zarr");
    fill(3, (0, 1), &mut sink(&path)).unwrap();
    // Above the diagonal, below it, at the edge, and of a component.
    for chunk in ["total/c/0/1", "total/c/2/0", "total/c/3/3", "components/d1.weight/c/1/2"] {
        let file = path.join(chunk);
        let whole = fs::read(&file).unwrap();
        let mut altered = whole.clone();
        altered[whole.len() / 2] ^= 1;
        let mut sum = whole.clone();
        *sum.last_mut().unwrap() ^= 1;
        for (bytes, fault) in [
            (Some(&altered[..]), "do not match their checksum"),
            (Some(&sum), "do not match their checksum"),
            (Some(&whole[1..]), "bytes, but a chunk has"),
            (None, "cannot be opened"),
        ] {
            bytes.map_or_else(|| fs::remove_file(&file), |bytes| fs::write(&file, bytes)).unwrap();
            let report = store::check(&path).unwrap();
            assert_eq!(report.corrupt.len(), 1, "{report}");
            let text = report.to_string();
            assert!(text.contains(fault) && text.contains(&file.display().to_string()), "{chunk}: {text}");
        }
        fs::write(&file, whole).unwrap();
    }
    // A valid chunk from another position.
    let (one, other) = (path.join("total/c/0/1"), path.join("total/c/0/2"));
    let whole = fs::read(&one).unwrap();
    fs::copy(&other, &one).unwrap();
    assert_eq!(store::check(&path).unwrap().corrupt.len(), 1);
    fs::write(&one, whole).unwrap();
    is_the_kernel(&path);

    let metadata = path.join("total/zarr.json");
    let whole = fs::read(&metadata).unwrap();
    for damage in [&b""[..], b"{}"] {
        fs::write(&metadata, damage).unwrap();
        assert!(store::check(&path).unwrap_err().to_string().contains("zarr.json"));
    }
    fs::remove_file(&metadata).unwrap();
    assert!(store::check(&path).unwrap_err().to_string().contains("zarr.json"));
    fs::write(&metadata, whole).unwrap();
    fs::rename(&path, folder.path().join("elsewhere")).unwrap();
    assert!(store::check(&path).unwrap_err().to_string().contains("K.zarr"));
}

#[test]
fn another_run_is_rejected_with_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.zarr");
    assert!(fill(3, (0, 1), &mut stopping(&path, 4)).is_err());
    let error = fill(4, (0, 1), &mut sink(&path)).unwrap_err().to_string();
    assert!(error.contains("the model differs") && error.contains("K.zarr"), "{error}");
    fill(3, (0, 1), &mut sink(&path)).unwrap();
    let error = fill(4, (0, 1), &mut sink(&path)).unwrap_err().to_string();
    assert!(error.contains("the model differs") && error.contains("K.zarr"), "{error}");
    is_the_kernel(&path);
    // A folder of another program, and a missing parent folder.
    let other = folder.path().join("other.zarr");
    fs::create_dir(&other).unwrap();
    assert!(fill(3, (0, 1), &mut sink(&other)).is_err());
    assert!(names(&other).is_empty());
    let error = fill(3, (0, 1), &mut sink(&folder.path().join("no/K.zarr"))).unwrap_err().to_string();
    assert!(error.contains(&folder.path().join("no").display().to_string()), "{error}");
}

#[test]
fn a_partition_without_a_grid_is_rejected_before_any_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.zarr");
    let region = |cols| Region { rows: 0..9, cols };
    let regions = vec![region(0..2), region(2..5), region(5..9)];
    let frame = Frame { rows: 9, cols: 9, symmetric: false, regions, shard: 0..3, ..disk::small_frame() };
    let error = Sink::<f32>::begin(&mut ZarrStore::new(&path), &frame).unwrap_err().to_string();
    assert!(error.contains("no grid") && error.contains("K.zarr"), "{error}");
    assert!(names(folder.path()).is_empty());
}
