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
    fn load(network: &str) -> Self {
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

fn check_with(file: &str, rename: &dyn Fn(&str) -> String) -> Built {
    let (network, _) = file.split_once('.').unwrap();
    let reference = Reference::load(network);
    let network = Network::read(folder().join(file)).unwrap();
    let built = network.build().unwrap_or_else(|error| panic!("{file}: {error}"));
    let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
    reference.check_outputs(&built, &session);
    let kernel = session.ntk().compute(&reference.batches(&built)).unwrap();
    reference.check_kernel(&kernel, rename);
    built
}

/// Outputs and kernel of a file of tests/models.
fn check(file: &str) -> Built {
    check_with(file, &|name| name.to_string())
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
    a_network_as_it_was_initialised: "fresh.dynamo.onnx", "fresh.script.onnx", "fresh.dynamic.onnx";
    norms: "norms.dynamo.onnx", "norms.dynamic.onnx";
}

#[test]
fn shapes_of_all_kinds_and_a_factor_of_its_own() {
    for file in ["shapes.dynamo.onnx", "shapes.script.onnx", "shapes.dynamic.onnx"] {
        let built = check(file);
        assert!(built.warnings.is_empty(), "{:?}", built.warnings);
        // The caller can make it a constant.
        let network = Network::read(folder().join(file)).unwrap();
        let built = network.clone().fixed(&["sc*"]).build().unwrap();
        assert!(built.model.parameters().iter().all(|info| info.name != "scale"));
        let scale = built.tensors.iter().find(|tensor| tensor.name == "scale").unwrap();
        assert!(!scale.trainable && !scale.doubtful, "{scale:?}");
        let error = network.trainable(&["scales"]).build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("'scales'") && error.contains("scale"), "{error}");
    }
}

#[test]
fn a_weight_that_is_used_twice_and_transposed_is_one_parameter() {
    check("unrolled.script.onnx");
    // The exporter calls the tied weight by its last name, PyTorch by its first.
    let rename = |name: &str| name.replace("shared.weight", "twice.weight");
    check_with("unrolled.dynamo.onnx", &rename);
    check_with("unrolled.dynamic.onnx", &rename);
}

#[test]
fn weights_without_a_name_are_called_by_their_node() {
    let name = |name: &str| match name {
        "layer.self_attn.weight" | "layer.self_attn.in_proj.weight" => "layer.self_attn.in_proj_weight".to_string(),
        other => other.to_string(),
    };
    let (reference, file) = (Reference::load("encoder"), "encoder.folded.onnx");
    let built = Network::read(folder().join(file)).unwrap().build().unwrap();
    let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
    reference.check_outputs(&built, &session);
    let kernel = session.ntk().compute(&reference.batches(&built)).unwrap();
    reference.check_kernel(&kernel, &name);
}

#[test]
fn a_folded_batch_norm_is_told() {
    let (reference, file) = (Reference::load("cnn"), "cnn.folded.onnx");
    let built = Network::read(folder().join(file)).unwrap().build().unwrap();
    reference.check_outputs(&built, &Session::new(&built.model, Cpu::<f64>::new()).unwrap());
    assert!(built.warnings.iter().any(|warning| warning.contains("a batch norm")), "{:?}", built.warnings);
    assert!(built.model.parameters().iter().all(|info| !info.name.contains("::")));
    // As documented, it is kept.
    let kept = Network::read(folder().join("cnn.dynamo.onnx")).unwrap().build().unwrap();
    assert!(kept.warnings.is_empty(), "{:?}", kept.warnings);
}

#[test]
fn outputs_are_chosen_by_name() {
    let network = Network::read(folder().join("two_heads.dynamo.onnx")).unwrap();
    let names = |built: &Built| built.outputs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&network.build().unwrap()), ["prob", "box"]);
    let one = network.clone().choose(&["box"]).unwrap().build().unwrap();
    assert_eq!((names(&one), one.model.outputs()), (vec!["box".to_string()], 2));
    // The other head's parameters have no part in it.
    assert!(one.model.parameters().len() < network.build().unwrap().model.parameters().len());
    let error = network.choose(&["nose"]).unwrap_err().to_string();
    assert!(error.contains("'nose'") && error.contains("prob, box"), "{error}");
}

#[test]
fn inputs_say_what_they_are_and_open_sizes_are_asked_for() {
    let network = Network::read(folder().join("two_inputs.dynamic.onnx")).unwrap();
    let described: Vec<_> = network.inputs().iter().map(|port| (port.name.clone(), port.described())).collect();
    assert_eq!(described, [("ids".to_string(), "[6]".to_string()), ("mask".to_string(), "[6]".to_string())]);
    let error = network.clone().sample_shape("ids", &[7]).unwrap_err().to_string();
    assert!(error.contains("'ids'") && error.contains("[6]") && error.contains("[7]"), "{error}");
    assert!(network.sample_shape("words", &[6]).unwrap_err().to_string().contains("ids, mask"));
}

/// Graphs in all the ways that exporters write things (`tests/models/make_forms.py`): what they give is what onnxruntime
/// gives, and their kernels are the same by every method.
#[test]
fn forms_of_every_op() {
    let folder = folder().join("forms");
    let arrays = arrays(&folder.join("forms.safetensors"));
    let mut failures = Vec::new();
    let mut names: Vec<String> = arrays.keys().map(|key| key.split_once('/').unwrap().0.to_string()).collect();
    names.dedup();
    for name in &names {
        if let Err(why) = form(&folder, name, &arrays) {
            failures.push(format!("{name}: {why}"));
        }
    }
    assert!(
        names.len() >= 80 && failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        names.len(),
        failures.join("\n")
    );
}

fn form(folder: &Path, name: &str, arrays: &BTreeMap<String, Array>) -> tangent_kernels::Result<()> {
    let built = Network::read(folder.join(format!("{name}.onnx")))?.build()?;
    let get = |port: &String| &arrays[&format!("{name}/{port}")];
    let batch = |port: &String| Batch::new(&get(port).1, &get(port).0);
    let x = built.inputs.iter().map(batch).collect::<tangent_kernels::Result<Vec<_>>>()?;
    let session = Session::new(&built.model, Cpu::<f64>::new())?;
    let (y, (_, expected)) = (session.run(&x)?, get(&built.outputs[0].0));
    let scale = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    let worst = y.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    if y.len() != expected.len() || worst.is_nan() || worst > 1e-5 * scale {
        return Err(tangent_kernels::Error::value(format!("{worst} off, {} entries of {}", y.len(), expected.len())));
    }
    if !built.model.parameters().is_empty() {
        let worst = session.ntk().verify(&x, 3)?.worst();
        assert!(worst < 1e-9, "{name}: methods differ by {worst}");
    }
    Ok(())
}

/// What must be refused is, and the message names the node and says why.
#[test]
fn refusals_name_the_node_and_the_reason() {
    let expected = [
        ("softmax_over_samples", "Softmax_y", "mixes samples"),
        ("mean_over_samples", "ReduceMean_y", "mixes samples"),
        ("mean_over_all", "ReduceMean_y", "mixes samples"),
        ("largest_of_samples", "ReduceMax_y", "mixes samples"),
        ("first_sample", "Gather_y", "mixes samples"),
        ("some_samples", "Slice_y", "mixes samples"),
        ("joined_samples", "Concat_y", "mixes samples"),
        ("flat_samples", "Softmax_y", "mixes samples"),
        ("samples_by_samples", "MatMul_y", "samples"),
        ("samples_meet_samples", "Sub_y", "all samples meet all others"),
        ("linear_over_samples", "MatMul_y", "mixes samples"),
        ("training_norm", "BatchNormalization_y", "net.eval()"),
        ("training_dropout", "Dropout_y", "net.eval()"),
        ("random", "RandomNormalLike_h", "chance"),
        ("recurrent", "LSTM_y", "batch_first=True"),
        ("unknown_op", "Frobnicate_y", "no rule"),
        ("foreign_op", "FusedMatMul_y", "com.example"),
        ("cycle", "Add_a", "'b', which no node before it computes"),
        ("missing", "Add_y", "'nowhere'"),
        ("huge_constant", "ConstantOfShape_c", "1048576"),
        ("huge_tile", "Tile_y", "copies"),
        ("huge_pad", "Pad_y", "padding"),
        ("huge_range", "Range_r", ""),
        ("huge_kernel", "MaxPool_y", "kernel"),
        ("nan_weight", "'w'", "NaN"),
        ("no_dependence", "no chosen output", "depends on an input"),
        ("shape_clash", "MatMul_y", "[2, 5]"),
    ];
    for (name, culprit, why) in expected {
        let file = folder().join(format!("forms/refused_{name}.onnx"));
        let error = Network::read(&file).unwrap().build().map(|_| ()).expect_err(name).to_string();
        assert!(error.contains(culprit) && error.contains(why), "{name}: {error}");
    }
}

/// Many constants of a size that is allowed each are too many together.
#[test]
fn constants_have_a_limit_together() {
    let file = folder().join("forms/refused_many_constants.onnx");
    let error = Network::read(file).unwrap().build().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("than the file warrants"), "{error}");
}

/// Networks that others trained: outputs that onnxruntime gave, and kernels that PyTorch computed.
#[cfg(feature = "fixture")]
#[test]
fn networks_that_others_trained() {
    use tangent_kernels::io::fixture::Fixture;
    for name in ["cntk_mnist", "sb3_cartpole_critic", "sb3_lunarlander_actor"] {
        let built = Network::read(folder().join(format!("real/{name}.onnx"))).unwrap().build().unwrap();
        assert!(built.warnings.is_empty(), "{name}: {:?}", built.warnings);
        let golden = arrays(&folder().join(format!("real/{name}.golden.safetensors")));
        let session = Session::new(&built.model, Cpu::<f64>::new()).unwrap();
        let ((shape, x), (_, expected)) = (&golden["x"], &golden["y"]);
        let y = session.run(&Batch::new(x, shape).unwrap()).unwrap();
        let scale = expected.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        let worst = y.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(y.len() == expected.len() && worst <= 1e-5 * scale, "{name}: outputs differ by {worst} of {scale}");

        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let fixture = Fixture::read(fixtures.join(format!("real_{name}.safetensors"))).unwrap();
        let x = Batch::new(&fixture.input, &fixture.input_shape).unwrap();
        let kernel = session.ntk().compute(&x).unwrap();
        let (worst, of) = fixture.worst_difference(&kernel).unwrap();
        assert!(worst < 1e-10, "{name}: {of} differs by {worst}");
    }
}

/// What counts as a parameter, in the ways that exporters write it.
#[test]
fn parameters_are_what_nodes_take_as_weights() {
    let expected: [(&str, &[&str]); 11] = [
        ("layer_norm_written", &["gain", "bias"]),
        ("group_norm_written", &["gain", "bias"]),
        ("batch_norm", &["s", "b"]),
        ("embedding", &["w", "p"]),
        ("matmul_one_output", &["w", "b"]),
        ("matmul_stack", &["w"]),
        ("where_mask", &[]),
        ("arithmetic", &["k"]),
        ("prelu_channels", &["a"]),
        ("half_weights", &["w"]),
        ("functions_of_the_file", &["w1", "b1", "w2", "b2"]),
    ];
    for (name, names) in expected {
        let file = folder().join(format!("forms/{name}.onnx"));
        let model = Network::read(&file).unwrap().build().unwrap().model;
        let own: Vec<&str> = model.parameters().iter().map(|info| info.name.as_str()).collect();
        assert_eq!(own, names, "{name}");
    }
}
