//! Functions, powers, interpolations, transforms, quantised and fused ops of ONNX files, against PyTorch's float64 autograd
//! (`tests/models/make_functions.py`, which holds PyTorch's outputs against onnxruntime's).

#![cfg(all(feature = "onnx", feature = "safetensors"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tangent_kernels::io::onnx::Network;
use tangent_kernels::{Batch, Cpu, Session};

struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/functions")
}

fn references() -> BTreeMap<String, Array> {
    let bytes = std::fs::read(folder().join("functions.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let array = |view: &safetensors::tensor::TensorView<'_>| Array {
        shape: view.shape().to_vec(),
        values: view.data().as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
    };
    file.tensors().into_iter().map(|(name, view)| (name, array(&view))).collect()
}

/// The largest difference, relative to the largest entry.
fn off(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-3f64, |largest, x| largest.max(x.abs()));
    let differences = got.iter().zip(expected).map(|(a, b)| (a - b).abs() / scale);
    differences.fold(0.0, |worst, x| if x.is_nan() { f64::INFINITY } else { worst.max(x) })
}

/// What is wrong with a network, if anything.
fn fault(name: &str, references: &BTreeMap<String, Array>) -> Result<(), String> {
    let text = |error: tangent_kernels::Error| error.to_string();
    let network = Network::read(folder().join(format!("{name}.onnx"))).map_err(text)?;
    let built = network.build().map_err(text)?;
    let input = |input: &String| {
        let array = &references[&format!("{name}/{input}")];
        Batch::new(&array.values, &array.shape)
    };
    let x = built.inputs.iter().map(input).collect::<Result<Vec<_>, _>>().map_err(text)?;
    let session = Session::new(&built.model, Cpu::<f64>::new()).map_err(text)?;
    let outputs = off(&session.run(&x).map_err(text)?, &references[&format!("{name}/y")].values);
    // Of most modes of Resize the reference is a map that onnxruntime computed in f32.
    let tolerance = if name.starts_with("resize") { 1e-5 } else { 1e-6 };
    if outputs > tolerance {
        return Err(format!("outputs are off by {outputs:e}"));
    }
    let kernel = session.ntk().compute(&x).map_err(text)?;
    let prefix = format!("{name}/ntk/");
    let expected: Vec<&str> = references.keys().filter_map(|key| key.strip_prefix(&prefix)).collect();
    let mut names: Vec<&str> = kernel.components().iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names != expected {
        return Err(format!("parameters {names:?}, not {expected:?}"));
    }
    for (parameter, component) in kernel.components() {
        let rows = &references[&format!("{prefix}{parameter}")];
        let (all, size) = (component.as_slice(), rows.shape[1]);
        let step = size.div_ceil(4);
        let got: Vec<f64> =
            (0..size).step_by(step).flat_map(|row| all[row * size..(row + 1) * size].to_vec()).collect();
        let worst = off(&got, &rows.values);
        if worst > tolerance {
            return Err(format!("the kernel of {parameter} is off by {worst:e}"));
        }
    }
    Ok(())
}

#[test]
fn outputs_and_kernels_are_those_of_pytorch() {
    let references = references();
    let mut names: Vec<&str> = references.keys().map(|key| key.split_once('/').unwrap().0).collect();
    names.dedup();
    let faults = names.iter().filter_map(|name| Some(format!("{name}: {}", fault(name, &references).err()?)));
    let faults: Vec<String> = faults.collect();
    assert!(names.len() > 90 && faults.is_empty(), "{} of {}:\n{}", faults.len(), names.len(), faults.join("\n"));
}
