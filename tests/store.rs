//! Kernels on disk have the same bytes as those in memory, also after interruptions and failures.
#![cfg(all(feature = "store", feature = "rand"))]

mod disk;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use disk::{AfterBegin, Job, SIDE, Stopping, model, names, numbers, process};
use tangent_kernels::io::npy;
use tangent_kernels::kernel::sink::Sink;
use tangent_kernels::store::{self, NpyFile};
use tangent_kernels::{Batch, Cpu, Outputs, Result, Session};

const SAMPLES: usize = 1000;

/// Fills a sink with the kernel of all tests.
fn fill<S: Sink<f32>>(shard: (usize, usize), sink: &mut S) -> Result<()> {
    disk::fill(SAMPLES, 3, shard, sink)
}

fn sink(path: &Path) -> NpyFile {
    NpyFile::new(path).side(SIDE)
}

fn is_the_kernel(path: &Path) {
    let want = disk::dense(SAMPLES);
    let (shape, entries) = npy::read::<f32>(path).unwrap();
    assert_eq!(shape, [SAMPLES, SAMPLES]);
    assert!(entries == want.total().as_slice(), "{} is another kernel", path.display());
    for (name, matrix) in want.components() {
        let own = path.with_file_name(format!("{}.{name}.npy", path.file_stem().unwrap().to_str().unwrap()));
        assert!(npy::read::<f32>(&own).unwrap().1 == matrix.as_slice(), "component {name}");
    }
    let report = store::check(path).unwrap();
    assert!(report.is_intact() && report.finished, "{report}");
}

#[test]
fn a_file_holds_the_kernel_in_memory_and_its_components() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    fill((0, 1), &mut sink(&path)).unwrap();
    is_the_kernel(&path);
    assert!(names(folder.path()).iter().all(|name| !name.contains("partial")));
    // A second run finds the kernel and computes nothing.
    let mut again = Stopping::new(sink(&path), 0, false);
    fill((0, 1), &mut again).unwrap();
    // Several blocks between two sets of samples in f64. The numbers of rows and columns are not multiples of the side.
    let model = model(3);
    let session = Session::new(&model, Cpu::<f64>::new()).unwrap();
    let (x, z) = (numbers::<f64>(217 * 5), numbers::<f64>(90 * 5));
    let (x, z) = (Batch::new(&x, &[217, 5]).unwrap(), Batch::new(&z, &[90, 5]).unwrap());
    let ntk = || session.ntk().outputs(Outputs::PerOutput).components(false);
    let path = folder.path().join("between.npy");
    ntk().fill_between(&x, &z, &mut NpyFile::new(&path).side(70)).unwrap();
    let (shape, entries) = npy::read::<f64>(&path).unwrap();
    assert_eq!(shape, [2, 217, 90]);
    assert!(entries == ntk().between(&x, &z).unwrap().total().as_slice());
}

#[test]
fn a_stopped_run_resumes_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    for (k, after) in [0, 1, 4, 11].into_iter().enumerate() {
        let path = folder.path().join(format!("{k}.npy"));
        let mut stopped = Stopping::new(sink(&path), after, false);
        assert!(fill((0, 1), &mut stopped).is_err());
        drop(stopped);
        assert!(!path.exists(), "nothing looks whole");
        let mut rest = Stopping::new(sink(&path), usize::MAX, false);
        fill((0, 1), &mut rest).unwrap();
        let (regions, seen) = (store::check(&path).unwrap().regions, rest.seen.into_inner());
        assert!(seen <= regions - after && seen < regions || after == 0, "{seen} of {regions} after {after}");
        is_the_kernel(&path);
    }
}

#[test]
fn child() {
    let Some(Job { path, shard, after }) = Job::current() else { return };
    fill(shard, &mut Stopping::new(sink(&path), after, true)).unwrap();
}

#[test]
fn a_killed_process_loses_only_unrecorded_regions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    for after in [0, 3, 9] {
        assert!(!process(&path, (0, 1), Some(after)).status.success());
        assert!(!path.exists());
    }
    assert!(process(&path, (0, 1), None).status.success());
    is_the_kernel(&path);
}

#[test]
fn five_processes_fill_one_kernel_though_one_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    std::thread::scope(|scope| {
        for part in 0..5 {
            let path = &path;
            scope.spawn(move || {
                let dies = (part == 3).then_some(2);
                assert_eq!(process(path, (part, 5), dies).status.success(), part != 3);
            });
        }
    });
    let report = store::check(&path).unwrap();
    assert!(!report.is_intact() && !report.finished && !report.missing.is_empty(), "{report}");
    let error = store::merge(&path).unwrap_err();
    let first = &report.missing[0];
    let place = format!("missing: region {}, rows {:?}, columns {:?}", first.region, first.rows, first.cols);
    assert!(error.to_string().contains(&place), "{error}: {place}");
    assert!(!path.exists(), "nothing looks whole");

    assert!(process(&path, (3, 5), None).status.success());
    let merged = store::merge(&path).unwrap();
    assert!(merged.finished && merged.is_intact());
    is_the_kernel(&path);
    assert!(names(folder.path()).iter().all(|name| !name.contains("-of-") && !name.contains("partial")));
}

/// Runs a kernel with its own seed, first number and output. It stops after 4 regions.
fn run(path: &Path, seed: u64, first: f32, output: usize) -> Result<()> {
    let model = model(seed);
    let session = Session::new(&model, Cpu::<f32>::new())?;
    let mut x = numbers::<f32>(SAMPLES * 5);
    x[0] = first;
    let x = Batch::new(&x, &[SAMPLES, 5])?;
    session.ntk().outputs(Outputs::Output(output)).fill(&x, &mut Stopping::new(sink(path), 4, false)).map(|_| ())
}

#[test]
fn another_run_is_rejected_with_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    assert!(run(&path, 3, 0.0, 1).unwrap_err().to_string().contains("enough"));
    for (seed, first, output, message) in
        [(4, 0.0, 1, "the model differs"), (3, 0.5, 1, "the samples (rows) differ"), (3, 0.0, 0, "outputs")]
    {
        let error = run(&path, seed, first, output).unwrap_err();
        assert!(error.to_string().contains(message) && error.to_string().contains("K.npy"), "{error}");
    }
    // A finished kernel is not overwritten either.
    let done = folder.path().join("done.npy");
    fill((0, 1), &mut sink(&done)).unwrap();
    let error = run(&done, 4, 0.0, 1).unwrap_err();
    assert!(error.to_string().contains("the model differs"), "{error}");
    is_the_kernel(&done);
    // Nor is a file of another program.
    let other = folder.path().join("other.npy");
    fs::write(&other, "precious").unwrap();
    assert!(fill((0, 1), &mut sink(&other)).is_err());
    assert_eq!(fs::read(&other).unwrap(), b"precious");
}

#[test]
fn corrupt_and_missing_data_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    fill((0, 1), &mut sink(&path)).unwrap();
    let whole = fs::read(&path).unwrap();
    // One bit above the diagonal, one below it.
    for at in [whole.len() / 3, whole.len() - 700] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let report = store::check(&path).unwrap();
        assert_eq!(report.corrupt.len(), 1, "{report}");
        let (entry, place) = ((at - 4096) / 4, &report.corrupt[0].location);
        let (row, col) = (entry / SAMPLES, entry % SAMPLES);
        let inside = |row, col| place.rows.contains(&row) && place.cols.contains(&col);
        assert!(inside(row, col) || inside(col, row), "({row}, {col}) is not in {place}");
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(store::check(&path).unwrap_err().to_string().contains("bytes, but its journal needs"));
    fs::remove_file(&path).unwrap();
    assert!(store::check(&path).unwrap_err().to_string().contains("K.npy"));
    fs::write(&path, &whole).unwrap();
    is_the_kernel(&path);

    let journal = folder.path().join("K.npy.journal");
    let text = fs::read(&journal).unwrap();
    for damage in [&b""[..], b"\xff\xfe\x00", b"{", b"kernel 99999999999999999999999\n", &text[..text.len() / 2]] {
        fs::write(&journal, damage).unwrap();
        match store::check(&path) {
            Ok(report) => assert!(!report.is_intact(), "{report}"),
            Err(error) => assert!(error.to_string().contains("K.npy"), "{error}"),
        }
        let again = fill((0, 1), &mut sink(&path));
        assert!(again.is_err(), "a file with a damaged journal is not overwritten");
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}

#[test]
fn a_file_that_is_removed_during_the_run_gives_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    let gone = folder.path().join("K.npy.partial");
    let mut removing = AfterBegin(sink(&path), |_: &_| fs::remove_file(&gone).unwrap());
    let error = fill((0, 1), &mut removing).unwrap_err();
    assert!(error.to_string().contains("K.npy.partial is gone"), "{error}");
    assert!(!path.exists(), "nothing looks whole");
    // The journal lists data that do not exist, so the run is rejected.
    let error = fill((0, 1), &mut sink(&path)).unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
}

/// Computes the kernel in a process with a limit on the size of files.
#[cfg(target_os = "linux")]
fn run_with_limit(path: &Path, limit: &str) -> std::process::Output {
    let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" --exact child --nocapture");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(std::env::current_exe().unwrap());
    Job { path: path.to_owned(), shard: (0, 1), after: usize::MAX }.run_by(&mut command)
}

/// A limit on the size of files acts like a full disk: the same calls fail.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_gives_an_error_before_any_computation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    let failed = run_with_limit(&path, "1000");
    let output = String::from_utf8_lossy(&failed.stderr).into_owned() + &String::from_utf8_lossy(&failed.stdout);
    assert!(!failed.status.success() && output.contains("K.npy.partial"), "{output}");
    assert!(output.contains("there is no room for 4004096 bytes"), "{output}");
    assert!(!path.exists(), "nothing looks whole");
    assert!(run_with_limit(&path, "unlimited").status.success(), "the same run resumes when there is room");
    is_the_kernel(&path);
}

#[test]
fn two_processes_cannot_write_one_shard_and_paths_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("K.npy");
    let mut twice = AfterBegin(sink(&path), |frame: &_| {
        let error = Sink::<f32>::begin(&mut sink(&path), frame).unwrap_err();
        assert!(error.to_string().contains("journal"), "{error}");
    });
    fill((0, 1), &mut twice).unwrap();
    is_the_kernel(&path);
    for (place, named) in [("no/K.npy", "no"), ("", "")] {
        let error = fill((0, 1), &mut sink(&folder.path().join(place))).unwrap_err();
        let named = folder.path().join(named);
        assert!(error.to_string().contains(&*named.to_string_lossy()), "{error}");
    }
    assert!(store::check(folder.path().join("nothing.npy")).is_err());
    assert!(store::merge(folder.path().join("nothing.npy")).is_err());
}

/// A starting process briefly holds all open files of its parent, including locks.
#[cfg(unix)]
#[test]
fn a_run_releases_its_lock_while_other_processes_start() {
    let folder = tempfile::tempdir().unwrap();
    let frame = disk::small_frame();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
        }
        let again = |_| Sink::<f32>::begin(&mut sink(&folder.path().join("K.npy")), &frame);
        let runs = (0..300).map(again).collect::<Result<Vec<_>>>();
        done.store(true, Ordering::Relaxed);
        runs.unwrap();
    });
}
