//! Networks from ONNX files against the kernels that PyTorch computed for them in float64 (`tests/models/make_models.py`).

#![cfg(all(feature = "onnx", feature = "safetensors"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tangent_kernels::io::onnx::{Built, Network};
use tangent_kernels::{Batch, Cpu, Kernel, Session};

type Array = (Vec<usize>, Vec<f64>);

/// Every array of a safetensors file.
fn arrays(path: &Path) -> BTreeMap<String, Array> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |view: &safetensors::tensor::TensorView<'_>| -> Vec<f64> {
        match view.dtype() {
            safetensors::Dtype::F32 => {
                view.data().as_chunks::<4>().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect()
            }
            _ => view.data().as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect(),
        }
    };
    file.tensors().into_iter().map(|(name, view)| (name, (view.shape().to_vec(), numbers(&view)))).collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

struct Reference {
    arrays: BTreeMap<String, Array>,
}

impl Reference {
    fn of(network: &str) -> Self {
        Reference { arrays: arrays(&folder().join(format!("{network}.safetensors"))) }
    }

    fn batches(&self, built: &Built) -> Vec<Batch<'_, f64>> {
        let input = |name: &String| {
            let (shape, data) = &self.arrays[&format!("input/{name}")];
            Batch::new(data, shape).unwrap()
        };
        built.inputs.iter().map(input).collect()
    }

    /// f(x), the outputs one after another, against the file's.
    fn check_outputs(&self, built: &Built, session: &Session<'_, Cpu<f64>>) {
        let x = self.batches(built);
        let y = session.run(&x).unwrap();
        let n = x[0].samples();
        let parts: Vec<(&Vec<f64>, usize)> = built
            .outputs
            .iter()
            .map(|(name, _)| {
                let (shape, data) = &self.arrays[&format!("output/{name}")];
                (data, shape[1..].iter().product())
            })
            .collect();
        let expected: Vec<f64> =
            (0..n).flat_map(|n| parts.iter().flat_map(move |(data, c)| data[n * c..(n + 1) * c].to_vec())).collect();
        let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let worst = y.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(y.len() == expected.len() && worst <= 1e-6 * scale, "outputs differ by {worst}, of {scale}");
    }

    /// Every component and the total against the file's, relative to the total.
    fn check_kernel(&self, kernel: &Kernel<f64>, rename: &dyn Fn(&str) -> String) {
        let (_, total) = &self.arrays["ntk"];
        let norm = |data: &[f64]| data.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = norm(total);
        let distance = |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
        let mut names: Vec<String> = kernel.components().iter().map(|(name, _)| rename(name)).collect();
        for ((_, component), name) in kernel.components().iter().zip(&names) {
            let Some((shape, expected)) = self.arrays.get(&format!("ntk/{name}")) else {
                panic!("PyTorch has no parameter '{name}'");
            };
            assert_eq!(component.as_slice().len(), shape.iter().product::<usize>(), "{name}");
            let off = distance(component.as_slice(), expected);
            assert!(off <= 1e-6 * norm(expected).max(1e-4 * scale), "{name} differs by {off}, of {}", norm(expected));
        }
        names.sort();
        let mut own: Vec<&str> = self.arrays.keys().filter_map(|key| key.strip_prefix("ntk/")).collect();
        own.sort_unstable();
        assert_eq!(names, own);
        let off = distance(kernel.total().as_slice(), total);
        assert!(off <= 1e-6 * scale, "the total differs by {off}, of {scale}");
    }
}

fn check_with(file: &str, also: &[&str], rename: &dyn Fn(&str) -> String) -> Built {
    let (network, _) = file.split_once('.').unwrap();
    let reference = Reference::of(network);
    let network = Network::read(folder().join(file)).unwrap().also(also);
    let built = network.build().unwrap_or_else(|error| panic!("{file}: {error}"));
    let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
    reference.check_outputs(&built, &session);
    let kernel = session.ntk().compute(&reference.batches(&built)).unwrap();
    reference.check_kernel(&kernel, rename);
    built
}

/// Outputs and kernel of a file of tests/models.
fn check(file: &str) -> Built {
    check_with(file, &[], &|name| name.to_string())
}

macro_rules! networks {
    ($($test:ident: $($file:literal),*;)*) => {
        $(
            #[test]
            fn $test() {
                for file in [$($file),*] {
                    check(file);
                }
            }
        )*
    };
}

networks! {
    mlp: "mlp.dynamo.onnx", "mlp.script.onnx", "mlp.dynamic.onnx", "mlp.folded.onnx";
    cnn: "cnn.dynamo.onnx", "cnn.script.onnx", "cnn.dynamic.onnx";
    resnet: "resnet.dynamo.onnx", "resnet.script.onnx", "resnet.dynamic.onnx";
    encoder: "encoder.dynamo.onnx", "encoder.script.onnx", "encoder.dynamic.onnx";
    attention: "attention.dynamo.onnx", "attention.script.onnx", "attention.dynamic.onnx";
    two_inputs: "two_inputs.dynamo.onnx", "two_inputs.script.onnx", "two_inputs.dynamic.onnx";
    two_heads: "two_heads.dynamo.onnx", "two_heads.script.onnx", "two_heads.dynamic.onnx";
    autoencoder: "autoencoder.dynamo.onnx", "autoencoder.script.onnx", "autoencoder.dynamic.onnx";
    activations: "activations.dynamo.onnx", "activations.script.onnx", "activations.dynamic.onnx";
    norms: "norms.dynamo.onnx", "norms.dynamic.onnx";
}

#[test]
fn shapes_of_all_kinds_and_a_factor_that_is_asked_for() {
    for file in ["shapes.dynamo.onnx", "shapes.script.onnx", "shapes.dynamic.onnx"] {
        let built = check_with(file, &["scale"], &|name| name.to_string());
        assert!(built.warnings.is_empty(), "{:?}", built.warnings);
        // Unasked, a factor is a constant, and a warning tells.
        let built = Network::read(folder().join(file)).unwrap().build().unwrap();
        assert!(built.model.parameters().iter().all(|info| info.name != "scale"));
        assert!(built.warnings.iter().any(|warning| warning.contains("'scale'")), "{:?}", built.warnings);
    }
}

#[test]
fn a_weight_that_is_used_twice_and_transposed_is_one_parameter() {
    check("unrolled.script.onnx");
    // The exporter calls the tied weight by its last name, PyTorch by its first.
    let rename = |name: &str| name.replace("shared.weight", "twice.weight");
    check_with("unrolled.dynamo.onnx", &[], &rename);
    check_with("unrolled.dynamic.onnx", &[], &rename);
}

#[test]
fn weights_without_a_name_are_called_by_their_node() {
    let name = |name: &str| match name {
        "layer.self_attn.weight" | "layer.self_attn.in_proj.weight" => "layer.self_attn.in_proj_weight".to_string(),
        other => other.to_string(),
    };
    let (reference, file) = (Reference::of("encoder"), "encoder.folded.onnx");
    let built = Network::read(folder().join(file)).unwrap().build().unwrap();
    let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
    reference.check_outputs(&built, &session);
    let kernel = session.ntk().compute(&reference.batches(&built)).unwrap();
    reference.check_kernel(&kernel, &name);
}
