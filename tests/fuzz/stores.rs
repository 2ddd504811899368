//! Damaged kernels on disk: checks and resumed runs give an error or the right kernel.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tangent_kernels::kernel::sink::Sink;
use tangent_kernels::store::{self, NpyFile, ZarrStore};
use tangent_kernels::{Batch, Cpu, Progress, Result, Sequential, Session};

use crate::changes::{Change, changed, changes};

const SAMPLES: usize = 60;

/// Fills a sink with a kernel and stops after `regions` regions.
fn fill<S: Sink<f32>>(sink: &mut S, regions: usize) -> Result<()> {
    let mut model = Sequential::ntk(&[3]).linear("a", 4).tanh().linear("b", 1).build()?;
    model.initialise(1)?;
    let numbers: Vec<f32> = (0..SAMPLES * 3).map(|k| (k as f32).sin()).collect();
    let session = Session::new(&model, Cpu::<f32>::new())?;
    let stop = |progress: Progress| {
        if progress.done < regions { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    session.ntk().progress(&stop).fill(&Batch::new(&numbers, &[SAMPLES, 3])?, sink).map(|_| ())
}

/// Fills the store at a path. Its extension selects the format.
fn fill_at(path: &Path, regions: usize) -> Result<()> {
    if path.extension().is_some_and(|ending| ending == "npy") {
        fill(&mut NpyFile::new(path).side(16), regions)
    } else {
        fill(&mut ZarrStore::new(path).side(16), regions)
    }
}

/// Files by their paths in a folder.
type Files = Vec<(PathBuf, Vec<u8>)>;

/// All files below a folder.
fn files(folder: &Path) -> Files {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path)
            } else {
                let bytes = fs::read(&path).unwrap();
                found.push((path.strip_prefix(folder).unwrap().to_path_buf(), bytes));
            }
        }
    }
    found.sort();
    found
}

/// Complete kernels and kernels of stopped runs, each with its name and files.
fn stores() -> Vec<(&'static str, Files)> {
    let mut stores = Vec::new();
    for (name, regions) in [("k.npy", usize::MAX), ("k.npy", 3), ("k.zarr", usize::MAX), ("k.zarr", 3)] {
        let folder = tempfile::tempdir().unwrap();
        let done = fill_at(&folder.path().join(name), regions);
        assert_eq!(done.is_ok(), regions == usize::MAX, "{done:?}");
        stores.push((name, files(folder.path())));
    }
    stores
}

#[test]
fn damaged_stores_end_in_errors() {
    let stores = stores();
    assert!(stores.iter().all(|(_, files)| !files.is_empty()));
    let strategy = (0..stores.len(), any::<prop::sample::Index>(), changes());
    crate::for_a_while("stores", strategy, |(which, file, changes)| damage(&stores[which], &file, &changes));
}

/// Changes one file of a store, then checks, resumes and merges it.
fn damage((name, files): &(&'static str, Files), file: &prop::sample::Index, changes: &[Change]) {
    let folder = tempfile::tempdir().unwrap();
    let altered = file.index(files.len());
    for (k, (path, bytes)) in files.iter().enumerate() {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, if k == altered { changed(bytes, changes) } else { bytes.clone() }).unwrap();
    }
    let path = folder.path().join(name);
    let _ = store::check(&path);
    let _ = fill_at(&path, usize::MAX);
    let _ = store::merge(&path);
    crate::small_in_memory();
}
