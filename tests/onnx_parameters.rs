//! What a parameter of an ONNX file is, and where its batch is: small networks against kernels from PyTorch's autograd and
//! from differences of onnx.reference (`tests/models/make_parameter_cases.py`).

#![cfg(all(feature = "onnx", feature = "safetensors"))]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tangent_kernels::io::onnx::{Built, Network};
use tangent_kernels::{Batch, Cpu, Session};

struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/cases")
}

/// The arrays of all cases: `CASE/input/X`, `CASE/output/Y`, `CASE/ntk/P`.
fn arrays() -> BTreeMap<String, Array> {
    let bytes = std::fs::read(folder().join("parameters.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let array = |view: &safetensors::tensor::TensorView<'_>| {
        let values = view.data().as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
        Array { shape: view.shape().to_vec(), values }
    };
    file.tensors().into_iter().map(|(name, view)| (name, array(&view))).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    if a.len() == b.len() { norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>()) } else { f64::INFINITY }
}

/// Complains where outputs or the kernel of a case are not those of the reference.
fn complaints(case: &str, built: &Built, arrays: &BTreeMap<String, Array>) -> tangent_kernels::Result<Vec<String>> {
    let mut complaints = Vec::new();
    let batch = |name: &String| {
        let array = &arrays[&format!("{case}/input/{name}")];
        Batch::new(&array.values, &array.shape)
    };
    let x = built.inputs.iter().map(batch).collect::<tangent_kernels::Result<Vec<_>>>()?;
    let session = Session::new(&built.model, Cpu::<f64>::new())?;
    let expected = &arrays[&format!("{case}/output/{}", built.outputs[0].0)].values;
    let off = distance(&session.run(&x)?, expected);
    if off > 1e-5 * norm(expected).max(1.0) {
        complaints.push(format!("{case}: outputs differ by {off}"));
    }
    let kernel = session.ntk().compute(&x)?;
    let prefix = format!("{case}/ntk/");
    let expected: BTreeMap<&str, &Array> =
        arrays.iter().filter_map(|(key, array)| Some((key.strip_prefix(&prefix)?, array))).collect();
    let mut scale = 0.0f64;
    expected.values().for_each(|array| scale = scale.max(norm(&array.values)));
    let mut left: BTreeSet<&str> = expected.keys().copied().collect();
    for (name, component) in kernel.components() {
        // A tied parameter may go by its other name.
        let same = |other: &&&str| distance(component.as_slice(), &expected[**other].values) <= 1e-6 * scale;
        match left.get(name.as_str()).or_else(|| left.iter().find(same)).copied() {
            Some(found) => {
                left.remove(found);
                let off = distance(component.as_slice(), &expected[found].values);
                if off.is_nan() || off > 1e-6 * scale {
                    complaints.push(format!("{case}: {name} differs by {off}, of {scale}"));
                }
            }
            None if norm(component.as_slice()) <= 1e-9 * scale => {}
            None => complaints.push(format!("{case}: {name} is not a parameter")),
        }
    }
    let missing = left.into_iter().filter(|name| norm(&expected[name].values) > 1e-9 * scale);
    complaints.extend(missing.map(|name| format!("{case}: {name} is missing")));
    Ok(complaints)
}

fn read(case: &str) -> Network {
    Network::read(folder().join(format!("{case}.onnx"))).unwrap()
}

#[test]
fn kernels_are_those_of_the_references() {
    let arrays = arrays();
    let cases: BTreeSet<&str> = arrays.keys().filter_map(|key| Some(key.split_once('/')?.0)).collect();
    let mut all = Vec::new();
    for &case in cases.iter().filter(|case| **case != "in_a_constant") {
        match read(case).build().and_then(|built| complaints(case, &built, &arrays)) {
            Ok(list) => all.extend(list),
            Err(error) => all.push(format!("{case}: {error}")),
        }
    }
    assert!(cases.len() >= 40 && all.is_empty(), "{} of {}:\n{}", all.len(), cases.len(), all.join("\n"));
}

#[test]
fn weights_in_constant_nodes_are_parameters_of_a_file_without_others() {
    let names = |network: Network| {
        let model = network.build().unwrap().model;
        model.parameters().iter().map(|info| info.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(read("in_a_constant")), ["w"]);
    assert!(names(read("in_a_constant").fixed(&["w"])).is_empty());
}

#[test]
fn the_caller_decides_before_the_file() {
    let names = |network: Network| {
        let model = network.build().unwrap().model;
        model.parameters().iter().map(|info| info.name.clone()).collect::<BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<BTreeSet<_>>();
    assert_eq!(names(read("buffers")), set(&["a.weight", "a.bias", "b.weight", "b.bias"]));
    assert_eq!(names(read("buffers").fixed(&["a.*"])), set(&["b.weight", "b.bias"]));
    let more = read("buffers").trainable(&["features", "plain"]).fixed(&["*.bias", "plain"]);
    assert_eq!(names(more), set(&["a.weight", "b.weight", "features"]));
    assert_eq!(names(read("buffers").parameters_listed(&["b.weight", "adjacency"])), set(&["b.weight", "adjacency"]));
    for network in [read("buffers").fixed(&["c.*"]), read("buffers").trainable(&["c.*"])] {
        let error = network.build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("'c.*'") && error.contains("features"), "{error}");
    }
    let error = read("buffers").parameters_listed(&["c"]).build().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("listed"), "{error}");
}

#[test]
fn every_tensor_has_a_reason_and_doubts_are_warned_of() {
    let built = read("adjacency").build().unwrap();
    let tensor = |name: &str| built.tensors.iter().find(|tensor| tensor.name == name).unwrap();
    assert!(tensor("w").trainable && !tensor("w").doubtful);
    assert!(!tensor("A").trainable && tensor("A").doubtful, "{:?}", tensor("A"));
    assert!(built.warnings.iter().any(|warning| warning.contains("'A'") && warning.contains("--trainable")));
    // A file that says what is a parameter leaves no doubt.
    let built = read("buffers").build().unwrap();
    assert!(built.warnings.is_empty(), "{:?}", built.warnings);
    assert!(built.tensors.iter().all(|tensor| !tensor.doubtful && tensor.reason.contains("PyTorch module")));
}

#[test]
fn a_fixed_batch_that_cannot_be_divided_is_refused() {
    let network = read("batch_of_two").batch_axis("x", 1).unwrap();
    assert!(network.build().is_err());
    assert!(read("batch_of_two").batch_axis("x", 3).unwrap_err().to_string().contains("3 axes"));
    assert!(read("batch_of_two").batch_axis("z", 0).unwrap_err().to_string().contains("'z'"));
}
