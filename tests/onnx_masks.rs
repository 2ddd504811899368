//! Comparisons, masks, steps, sorting and computed indices from ONNX files, compared with PyTorch's autograd in float64
//! (`tests/models/make_masks.py`) and with onnxruntime (`tests/models/make_mask_forms.py`).

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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/masks")
}

/// The arrays of a file, all of them in float64.
fn arrays(name: &str) -> BTreeMap<String, Array> {
    let bytes = std::fs::read(folder().join(format!("{name}.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |view: safetensors::tensor::TensorView<'_>| Array {
        shape: view.shape().to_vec(),
        values: view.data().as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
    };
    file.tensors().into_iter().map(|(name, view)| (name, read(view))).collect()
}

fn norm(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

/// The distance of two arrays, relative to the norm of the second, or to `least` if that is larger.
fn distance(a: &[f64], b: &[f64], least: f64) -> f64 {
    assert_eq!(a.len(), b.len());
    norm(a.iter().zip(b).map(|(a, b)| a - b)) / norm(b.iter().copied()).max(least)
}

fn read(file: &str) -> Built {
    let built = Network::read(folder().join(file)).and_then(|network| network.build());
    built.unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn batches<'a>(built: &Built, arrays: &'a BTreeMap<String, Array>, prefix: &str) -> Vec<Batch<'a, f64>> {
    let input = |name: &String| {
        let array = &arrays[&format!("{prefix}/{name}")];
        Batch::new(&array.values, &array.shape).unwrap()
    };
    built.inputs.iter().map(input).collect()
}

/// Outputs, components and total of a file, up to `tolerance`.
fn check(file: &str, tolerance: f64) {
    let (name, _) = file.split_once('.').unwrap();
    let arrays = arrays(name);
    let built = read(file);
    let x = batches(&built, &arrays, "input");
    let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
    let off = distance(&session.run(&x).unwrap(), &arrays["output"].values, 0.0);
    assert!(off < tolerance, "{file}: the outputs differ by {off}");
    let kernel = session.ntk().compute(&x).unwrap();
    let total = &arrays["ntk"].values;
    let off = distance(kernel.total().as_slice(), total, 0.0);
    assert!(off < tolerance, "{file}: the total differs by {off}");
    // Some parameters have a gradient of 0 that is rounding in one of the two.
    let least = 1e-10 * norm(total.iter().copied());
    let components = kernel.components();
    let computed: BTreeMap<String, &[f64]> =
        components.iter().map(|(name, component)| (format!("ntk/{name}"), component.as_slice())).collect();
    let mut expected: BTreeMap<&String, &[f64]> =
        arrays.iter().filter(|(name, _)| name.starts_with("ntk/")).map(|(name, x)| (name, &x.values[..])).collect();
    let mut others = Vec::new();
    for (name, component) in &computed {
        match expected.remove(name) {
            Some(expected) => {
                let off = distance(component, expected, least);
                assert!(off < tolerance, "{file}: {name} differs by {off}");
            }
            None => others.push((name, component)),
        }
    }
    // A tied parameter has several names, and a file one of them.
    for (name, component) in others {
        let same = expected.iter().find(|(_, expected)| distance(component, expected, least) < tolerance);
        let same = same.map(|(&same, _)| same).unwrap_or_else(|| panic!("{file}: PyTorch has no parameter '{name}'"));
        expected.remove(same);
    }
    for (name, expected) in expected {
        let size = norm(expected.iter().copied());
        assert!(size <= least, "{file}: {name} has no component");
    }
}

macro_rules! networks {
    ($($name:ident: $tolerance:literal $($kind:literal)*;)*) => {
        $(
            #[test]
            fn $name() {
                for kind in [$($kind),*] {
                    check(&format!("{}.{kind}.onnx", stringify!($name)), $tolerance);
                }
            }
        )*
    };
}

// Those of the transformers package hold numbers in float32 that PyTorch computes in float64, such as 1 / sqrt(d).
networks! {
    gates: 1e-12 "dynamo" "script";
    branches: 1e-12 "dynamo";
    steps: 1e-12 "dynamo";
    padding: 1e-12 "dynamo" "script";
    masked_rows: 1e-12 "dynamo";
    ids: 1e-12 "dynamo" "script";
    experts: 1e-12 "dynamo" "script";
    hot: 1e-12 "dynamo" "script";
    messages: 1e-12 "dynamo";
    assigned: 1e-12 "dynamo";
    running: 1e-12 "dynamo" "script";
    gpt2_eager: 1e-6 "dynamo";
    gpt2_sdpa: 1e-6 "dynamo";
    bert_eager: 1e-6 "dynamo";
    bert_sdpa: 1e-6 "dynamo";
    roberta_sdpa: 1e-6 "dynamo";
    distilbert_sdpa: 1e-6 "dynamo";
    t5_eager: 2e-6 "dynamo";
}

#[test]
fn forms_give_what_onnxruntime_gives() {
    let arrays = arrays("forms/forms");
    let mut files: Vec<String> = std::fs::read_dir(folder().join("forms"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".onnx").map(String::from))
        .collect();
    files.sort();
    assert!(files.len() >= 37, "{} forms", files.len());
    let mut complaints = Vec::new();
    for name in files {
        let built = match Network::read(folder().join(format!("forms/{name}.onnx"))).and_then(|network| network.build())
        {
            Ok(built) => built,
            Err(error) => {
                complaints.push(format!("{name}: {error}"));
                continue;
            }
        };
        let x = batches(&built, &arrays, &name);
        let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
        let y = session.run(&x).unwrap();
        let expected = &arrays[&format!("{name}/y")].values;
        match y.len() == expected.len() {
            true if distance(&y, expected, 1e-30) < 1e-6 => {}
            true => complaints.push(format!("{name}: {y:?}, where onnxruntime gives {expected:?}")),
            false => {
                complaints.push(format!("{name}: {} numbers, where onnxruntime gives {}", y.len(), expected.len()))
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
