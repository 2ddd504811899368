//! Recurrent layers, loops, volumes, merged batches and losses from ONNX files, compared with PyTorch's autograd in float64
//! (`tests/models/make_layers.py`).

#![cfg(all(feature = "onnx", feature = "safetensors"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tangent_kernels::io::onnx::{Built, Network};
use tangent_kernels::{Batch, Cpu, Session};

struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/layers")
}

/// The arrays of a file, all of them in float64.
fn arrays(name: &str) -> BTreeMap<String, Array> {
    let bytes = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: safetensors::tensor::TensorView<'_>| Array {
        shape: view.shape().to_vec(),
        values: match view.dtype() {
            safetensors::Dtype::F32 => {
                view.data().as_chunks::<4>().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect()
            }
            _ => view.data().as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
        },
    };
    file.tensors().into_iter().map(|(name, view)| (name, read(view))).collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// The distance of two arrays, relative to `scale`.
fn distance(a: &[f64], b: &[f64], scale: f64) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(a.iter().zip(b).map(|(a, b)| a - b)) / scale
}

fn size(array: &Array) -> f64 {
    norm(array.values.iter().copied())
}

/// What a comparison allows.
struct Tolerance {
    outputs: f64,
    kernels: f64,
}

/// Outputs, components and total of a file.
fn check(file: &str) -> Built {
    check_within(file, Tolerance { outputs: 1e-12, kernels: 1e-10 })
}

fn check_within(file: &str, tolerance: Tolerance) -> Built {
    let (name, _) = file.split_once('.').unwrap();
    let arrays = arrays(name);
    let built = Network::read(folder().join(file)).and_then(|network| network.build());
    let built = built.unwrap_or_else(|error| panic!("{file}: {error}"));
    let input = |name: &String| {
        let array = &arrays[&format!("input/{name}")];
        Batch::new(&array.values, &array.shape).unwrap()
    };
    let x: Vec<_> = built.inputs.iter().map(input).collect();
    let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
    let expected = &arrays[&format!("output/{}", built.outputs[0].0)];
    let off = distance(&session.run(&x).unwrap(), &expected.values, size(expected));
    assert!(off < tolerance.outputs, "{file}: the outputs differ by {off}");
    let kernel = session.ntk().compute(&x).unwrap();
    let total = &arrays["ntk"];
    let off = distance(kernel.total().as_slice(), &total.values, size(total));
    assert!(off < tolerance.kernels, "{file}: the total differs by {off}");
    let components = kernel.components();
    let mut names: Vec<String> = components.iter().map(|(name, _)| format!("ntk/{name}")).collect();
    for ((_, component), name) in components.iter().zip(&names) {
        let expected = arrays.get(name).unwrap_or_else(|| panic!("{file}: PyTorch has no parameter '{name}'"));
        // A bias before a norm has a gradient of rounding errors.
        let off = distance(component.as_slice(), &expected.values, size(expected).max(1e-6 * size(total)));
        assert!(off < tolerance.kernels, "{file}: {name} differs by {off}");
    }
    names.sort();
    let own: Vec<&String> = arrays.keys().filter(|key| key.starts_with("ntk/")).collect();
    assert_eq!(names.iter().collect::<Vec<_>>(), own, "{file}");
    built
}

macro_rules! networks {
    ($($name:ident: $($kind:literal)*;)*) => {
        $(
            #[test]
            fn $name() {
                for kind in [$($kind),*] {
                    check(&format!("{}.{kind}.onnx", stringify!($name)));
                }
            }
        )*
    };
}

networks! {
    lstm: "dynamo" "script" "dynamic";
    lstm_both: "dynamo" "script" "dynamic";
    gru: "dynamo" "script" "dynamic";
    gru_both: "dynamo" "script" "dynamic";
    rnn: "dynamo" "script" "dynamic";
    volumes: "dynamo" "script" "dynamic";
    frames: "dynamo" "script" "dynamic";
    sets: "dynamo" "script" "dynamic";
    letters: "dynamo" "script" "dynamic";
    lstm_start: "dynamo" "script" "dynamic";
    responses: "dynamo" "script" "dynamic";
    loss: "dynamo" "script" "dynamic";
    loss_mean: "dynamo" "script";
    loss_tokens: "dynamo" "script";
    likelihood: "dynamo" "script" "dynamic";
    bag_mean: "dynamo" "script";
    bag_sum: "dynamo" "script";
    bag_max: "dynamo" "script";
}

/// Pipelines of scikit-learn (`tests/models/make_pipelines.py`), whose scales are rounded to single precision.
#[test]
fn pipelines() {
    for name in ["regressor", "classes", "two_classes", "words", "logistic"] {
        let built = check_within(&format!("pipeline_{name}.onnx"), Tolerance { outputs: 1e-6, kernels: 1e-6 });
        let labels = built.warnings.iter().any(|warning| warning.contains("'output_label' is left out"));
        assert_eq!(labels, name != "regressor", "{name}: {:?}", built.warnings);
    }
}

/// Graphs made by hand (`tests/models/make_layer_forms.py`): their outputs are those of onnxruntime, and all methods give
/// the same kernel.
#[test]
fn forms() {
    let mut names: Vec<String> = std::fs::read_dir(folder().join("forms"))
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".onnx")?.to_string()))
        .collect();
    names.sort();
    let failures: Vec<String> =
        names.iter().filter_map(|name| Some(format!("{name}: {}", form(name).err()?))).collect();
    assert!(
        names.len() >= 40 && failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        names.len(),
        failures.join("\n")
    );
}

fn form(name: &str) -> tangent_kernels::Result<()> {
    let arrays = arrays(&format!("forms/{name}"));
    let built = Network::read(folder().join(format!("forms/{name}.onnx")))?.build()?;
    let batch = |port: &String| Batch::new(&arrays[port].values, &arrays[port].shape);
    let x = built.inputs.iter().map(batch).collect::<tangent_kernels::Result<Vec<_>>>()?;
    let session = Session::new(&built.model, Cpu::<f64>::new())?;
    let y = session.run(&x)?;
    let samples = x[0].samples();
    let parts: Vec<&Array> = built.outputs.iter().map(|(name, _)| &arrays[name]).collect();
    let sample =
        |n: usize| parts.iter().flat_map(move |part| part.values.chunks(part.values.len() / samples).nth(n).unwrap());
    let expected: Vec<f64> = (0..samples).flat_map(sample).copied().collect();
    let scale = norm(expected.iter().copied()).max(1.0);
    let error = |text: String| Err(tangent_kernels::Error::value(text));
    if y.len() != expected.len() {
        return error(format!("{} entries for {}", y.len(), expected.len()));
    }
    let off = distance(&y, &expected, scale);
    if off.is_nan() || off > 1e-6 {
        return error(format!("the outputs differ by {off}"));
    }
    if !built.model.parameters().is_empty() {
        let worst = session.ntk().verify(&x, 3)?.worst();
        if worst.is_nan() || worst > 1e-9 {
            return error(format!("methods differ by {worst}"));
        }
    }
    Ok(())
}
