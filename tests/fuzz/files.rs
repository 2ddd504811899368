//! Arrays, weights, digits and reference kernels in files.

use std::fs;
use std::io::Write;
use std::path::Path;

use tangent_kernels::io::fixture::Fixture;
use tangent_kernels::io::{idx, npy, safetensors};
use tangent_kernels::{Samples, Sequential};

use crate::changes::{Change, changed, changes};

/// Reads a file in all ways of its format. The result does not matter.
type Reading = fn(&Path);

fn arrays(path: &Path) {
    let _ = npy::read::<f32>(path);
    let _ = npy::read_numbers::<f64>(path);
    if let Ok(mapped) = npy::Mapped::<f32>::open(path) {
        let some = mapped.samples().min(3);
        let _ = mapped.read(0, 0..some);
    }
}

fn weights(path: &Path) {
    let model = Sequential::ntk(&[3]).linear("a", 4).tanh().linear("b", 2).build();
    let _ = safetensors::load(path, &mut model.unwrap());
}

fn digits(path: &Path) {
    let _ = idx::read(path);
}

fn references(path: &Path) {
    let _ = Fixture::read(path);
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    // One stored block by RFC 1952 and 1951. The checksum at the end is wrong.
    let size = bytes.len() as u16;
    let mut all = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    all.extend(size.to_le_bytes().into_iter().chain((!size).to_le_bytes()));
    all.extend(bytes);
    all.extend([0; 4].into_iter().chain((bytes.len() as u32).to_le_bytes()));
    all
}

/// Valid files, each with its reader.
fn files(folder: &Path) -> Vec<(Reading, Vec<u8>)> {
    let at = folder.join("whole");
    npy::write(&at, &[3, 2, 2], &[1.5f32; 12]).unwrap();
    let array = fs::read(&at).unwrap();
    let mut model = Sequential::ntk(&[3]).linear("a", 4).tanh().linear("b", 2).build().unwrap();
    model.initialise(1).unwrap();
    safetensors::save::<f32, _>(&at, &model).unwrap();
    let saved = fs::read(&at).unwrap();
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 3];
    images.extend([7; 18]);
    let zipped = gzipped(&images);
    let mut files: Vec<(Reading, Vec<u8>)> =
        vec![(arrays, array), (weights, saved), (digits, images), (digits, zipped)];
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut paths: Vec<_> = fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|ending| ending == "safetensors")) {
        let bytes = fs::read(path).unwrap();
        if bytes.len() < 100_000 {
            files.push((references, bytes));
        }
    }
    files
}

/// Writes a changed file to `path` and reads it.
fn read_changed((read, bytes): &(Reading, Vec<u8>), changes: &[Change], path: &Path) {
    fs::File::create(path).unwrap().write_all(&changed(bytes, changes)).unwrap();
    read(path);
    crate::small_in_memory();
}

#[test]
fn altered_files_end_in_errors() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    assert!(files.len() > 10);
    let at = folder.path().join("altered");
    let trial = |(which, changes): (usize, Vec<Change>)| read_changed(&files[which], &changes, &at);
    crate::for_a_while("files", (0..files.len(), changes()), trial);
}
