//! Reference files that are not what they should be.
#![cfg(feature = "fixture")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView, serialize};
use tangent_kernels::Error;
use tangent_kernels::io::fixture::Fixture;
use tempfile::TempDir;

const NODE: &str = r#"{"id": "y", "op": "linear", "inputs": ["input"], "params": ["w"]}"#;

/// A file with a network of one linear layer, of two samples, three features and one output.
fn write(folder: &TempDir, model: &str, change: impl Fn(&mut Vec<(&str, Vec<usize>)>)) -> PathBuf {
    let mut tensors = vec![
        ("input", vec![2, 3]),
        ("output", vec![2, 1]),
        ("param/w", vec![1, 3]),
        ("ntk/w", vec![2, 2]),
        ("ntk", vec![2, 2]),
    ];
    change(&mut tensors);
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, s)| 0.5f64.to_le_bytes().repeat(s.iter().product())).collect();
    let views = tensors.iter().zip(&bytes);
    let views = views.map(|((name, shape), bytes)| (*name, TensorView::new(Dtype::F64, shape.clone(), bytes).unwrap()));
    let metadata = HashMap::from([("model".to_string(), model.to_string())]);
    let path = folder.path().join("case.safetensors");
    std::fs::write(&path, serialize(views, Some(metadata)).unwrap()).unwrap();
    path
}

#[track_caller]
fn refused(model: &str, change: impl Fn(&mut Vec<(&str, Vec<usize>)>), is: fn(&Error) -> bool, parts: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let error = Fixture::read(write(&folder, model, change)).unwrap_err();
    assert!(is(&error), "another kind: {error:?}");
    for part in parts.iter().chain(&["case.safetensors"]) {
        assert!(error.to_string().contains(part), "'{error}' does not say '{part}'");
    }
}

#[test]
fn a_right_file_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture::read(write(&folder, &format!("[{NODE}]"), |_| {})).unwrap();
    assert_eq!((fixture.model.parameter_count(), fixture.outputs), (3, 1));
    assert_eq!(fixture.reference.component("w").unwrap().as_slice(), [0.5; 4]);
}

#[test]
fn wrong_files_are_refused_by_name() {
    let one = format!("[{NODE}]");
    let none = |_: &mut Vec<(&str, Vec<usize>)>| {};
    refused("{", none, Error::is_format, &["model"]);
    refused("[1]", none, Error::is_format, &["model"]);
    refused(r#"[{"id": "y"}]"#, none, Error::is_format, &["node 0", "op"]);
    refused(r#"[{"op": "tanh"}]"#, none, Error::is_format, &["node 0", "id"]);
    refused(
        r#"[{"id": "y", "op": "hologram", "inputs": ["input"]}]"#,
        none,
        Error::is_unsupported,
        &["hologram", "'y'"],
    );
    refused(r#"[{"id": "y", "op": "tanh", "inputs": ["z"]}]"#, none, Error::is_name, &["tanh", "'z'"]);
    refused(r#"[{"id": "y", "op": "tanh", "inputs": "input"}]"#, none, Error::is_format, &["inputs"]);
    refused(r#"[{"id": "y", "op": "tanh", "inputs": []}]"#, none, Error::is_shape, &["tanh"]);
    refused(r#"[{"id": "y", "op": "scale", "inputs": ["input"]}]"#, none, Error::is_name, &["scale", "factor"]);
    refused(r#"[{"id": "y", "op": "scale", "inputs": ["input"], "factor": {}}]"#, none, Error::is_format, &["factor"]);
    refused(r#"[{"id": "y", "op": "scale", "inputs": ["input"], "factor": "2"}]"#, none, Error::is_value, &["factor"]);
    refused(r#"[{"id": "y", "op": "reshape", "inputs": ["input"], "shape": [-2]}]"#, none, Error::is_shape, &["-2"]);
    refused(
        r#"[{"id": "y", "op": "reshape", "inputs": ["input"], "shape": [1e300]}]"#,
        none,
        Error::is_value,
        &["shape"],
    );
    refused(&one.replace("\"w\"", "\"v\""), none, Error::is_name, &["param/v"]);
    refused(&one, |t| t[0].1 = vec![2, 4], Error::is_shape, &["linear", "[4]", "[1, 3]"]);
    refused(&one, |t| t[0].1 = vec![], Error::is_shape, &["input"]);
    refused(&one, |t| t[3].1 = vec![2, 3], Error::is_shape, &["ntk/w", "[2, 3]"]);
    refused(&one, |t| drop(t.remove(4)), Error::is_name, &["'ntk'"]);
    refused(&one, |t| drop(t.remove(1)), Error::is_name, &["'output'"]);
    let deep = "[".repeat(100_000);
    refused(&deep, none, Error::is_format, &["model"]);
}

proptest! {
    #[test]
    fn damaged_files_never_panic(cut in 0usize..4000, at in 0usize..4000, byte in any::<u8>()) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mlp_leaky_elu.safetensors");
        let whole = std::fs::read(source).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.safetensors");
        let mut changed = whole.clone();
        changed[at] = byte;
        for damaged in [&whole[..cut], &changed] {
            std::fs::write(&path, damaged).unwrap();
            let _ = Fixture::read(&path);
        }
    }
}
