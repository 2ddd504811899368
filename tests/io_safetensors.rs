//! Weights from and to safetensors files, and files that are not what they should be.
#![cfg(feature = "safetensors")]

use std::path::PathBuf;

use proptest::prelude::*;
use tangent_kernels::io::safetensors::{load, save};
use tangent_kernels::unary::Tanh;
use tangent_kernels::{Error, Model, Sequential};
use tempfile::TempDir;

fn model() -> Model {
    Sequential::ntk(&[2]).mlp(&[3, 1], Tanh).build().unwrap()
}

fn filled() -> Model {
    let mut model = model();
    for (k, info) in model.parameters().to_vec().into_iter().enumerate() {
        let count = info.shape.iter().product::<usize>();
        model.set(&info.name, &info.shape, (0..count).map(|i| (i as f64 + 0.1) / (k as f64 - 1.7)).collect()).unwrap();
    }
    model
}

/// A file of tensors with the given JSON header and data.
fn file(folder: &TempDir, header: &str, data: &[u8]) -> PathBuf {
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()).unwrap();
    path
}

#[track_caller]
fn refused(path: &PathBuf, is: fn(&Error) -> bool, parts: &[&str]) {
    let mut target = filled();
    let error = load(path, &mut target).unwrap_err();
    assert!(is(&error), "another kind: {error:?}");
    for part in parts.iter().chain([&path.file_name().unwrap().to_str().unwrap()]) {
        assert!(error.to_string().contains(part), "'{error}' does not say '{part}'");
    }
    for info in target.parameters() {
        assert_eq!(target.parameter(&info.name).unwrap(), filled().parameter(&info.name).unwrap(), "nothing changed");
    }
}

#[test]
fn weights_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    save::<f64, _>(&path, &filled()).unwrap();
    let mut back = model();
    assert!(load(&path, &mut back).unwrap().is_empty());
    let mut single = model();
    save::<f32, _>(&path, &filled()).unwrap();
    load(&path, &mut single).unwrap();
    for info in back.parameters() {
        let want = filled().parameter(&info.name).unwrap().to_vec();
        assert_eq!(back.parameter(&info.name).unwrap(), want);
        let rounded: Vec<f64> = want.iter().map(|&x| f64::from(x as f32)).collect();
        assert_eq!(single.parameter(&info.name).unwrap(), rounded);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no partial file is left");
}

/// Written by python: safetensors.numpy.save_file({"d1.weight": np.array([[1, 2], [3, 4], [5, 6]], np.float32),
/// "d1.bias": np.zeros(3, np.float32), "d2.weight": np.ones((1, 3), np.float32), "d2.bias": np.full(1, .5, np.float32),
/// "step": np.array([7.], np.float32)}, path)
#[test]
fn a_file_that_python_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let header = r#"{"d1.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"d1.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[12,36]},"d2.bias":{"dtype":"F32","shape":[1],"data_offsets":[36,40]},"d2.weight":{"dtype":"F32","shape":[1,3],"data_offsets":[40,52]},"step":{"dtype":"F32","shape":[1],"data_offsets":[52,56]}}"#;
    let numbers: [f32; 14] = [0., 0., 0., 1., 2., 3., 4., 5., 6., 0.5, 1., 1., 1., 7.];
    let path = file(&folder, header, &numbers.map(f32::to_le_bytes).concat());
    let mut model = model();
    assert_eq!(load(&path, &mut model).unwrap(), ["step"]);
    assert_eq!(model.parameter("d1.weight").unwrap(), [1., 2., 3., 4., 5., 6.]);
    assert_eq!(model.parameter("d2.bias").unwrap(), [0.5]);
}

#[test]
fn files_that_are_not_what_they_should_be() {
    let folder = tempfile::tempdir().unwrap();
    refused(&folder.path().join("missing.safetensors"), Error::is_io, &[]);
    refused(
        &file(&folder, r#"{"d1.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, &[0; 12]),
        Error::is_name,
        &["d1.weight", "d1.bias"],
    );
    let wrong = |dtype: &str, shape: &str, bytes: usize| {
        format!(r#"{{"d1.weight":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[0,{bytes}]}}}}"#)
    };
    refused(&file(&folder, &wrong("F32", "[2,3]", 24), &[0; 24]), Error::is_shape, &["d1.weight", "[3, 2]", "[2, 3]"]);
    refused(&file(&folder, &wrong("I32", "[3,2]", 24), &[0; 24]), Error::is_format, &["d1.weight", "I32"]);
    refused(&file(&folder, &wrong("F16", "[3,2]", 12), &[0; 12]), Error::is_format, &["d1.weight", "F16"]);
    refused(
        &file(&folder, &wrong("F32", "[3,2]", 24), &f32::NAN.to_le_bytes().repeat(6)),
        Error::is_value,
        &["d1.weight", "NaN"],
    );
    refused(&file(&folder, &wrong("F32", "[3,2]", 24), &[0; 20]), Error::is_format, &[]);
    refused(&file(&folder, &wrong("F32", "[3,2]", 20), &[0; 20]), Error::is_format, &[]);
    refused(&file(&folder, &wrong("F32", "[4611686018427387904,8]", 24), &[0; 24]), Error::is_format, &[]);
    refused(&file(&folder, "no json", &[]), Error::is_format, &[]);
    let path = folder.path().join("weights.safetensors");
    std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
    refused(&path, Error::is_format, &[]);
    std::fs::write(&path, b"").unwrap();
    refused(&path, Error::is_format, &[]);
}

#[test]
fn a_place_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/weights.safetensors");
    let error = save::<f32, _>(&path, &filled()).unwrap_err();
    assert!(error.is_io() && error.to_string().contains("nowhere"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let error = save::<f32, _>(folder.path().join("w"), &model()).unwrap_err();
    assert!(error.to_string().contains("d1.weight"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a model without values leaves no file");
}

proptest! {
    #[test]
    fn damaged_files_never_panic(cut in 0usize..400, at in 0usize..400, bit in 0u8..8, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        save::<f32, _>(&path, &filled()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        let at = at % flipped.len();
        flipped[at] ^= 1 << bit;
        for damaged in [&whole[..cut.min(whole.len() - 1)], &flipped, &bytes] {
            std::fs::write(&path, damaged).unwrap();
            let mut target = model();
            if load(&path, &mut target).is_err() {
                prop_assert!(target.parameter("d1.weight").is_err(), "an error changes nothing");
            }
        }
    }
}
