//! Networks in ONNX files.

use std::path::{Path, PathBuf};

use tangent_kernels::io::onnx::Network;

use crate::changes::{changed, changes};

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

/// Reads and builds a network. The result does not matter.
fn load(bytes: &[u8]) {
    if let Ok(network) = Network::parse(bytes) {
        let _ = network.ops();
        let _ = network.build();
    }
    crate::small_in_memory();
}

#[test]
fn a_file_that_is_cut_off_is_an_error_or_a_smaller_network() {
    for (_, bytes) in files().iter().filter(|(_, bytes)| bytes.len() < 4000) {
        (0..bytes.len()).step_by(7).for_each(|end| load(&bytes[..end]));
    }
    assert!(Network::parse(&[]).is_err());
    assert!(Network::parse(b"PK\x03\x04 no network").unwrap_err().is_format());
}

#[test]
fn altered_networks_end_in_errors() {
    let files = files();
    crate::for_a_while("networks", (0..files.len(), changes()), |(which, changes)| {
        load(&changed(&files[which].1, &changes))
    });
}
