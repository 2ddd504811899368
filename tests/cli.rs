//! The command `ntk` as a shell sees it: on networks that PyTorch exported, against the kernels that it computed.

#![cfg(all(feature = "cli", feature = "safetensors"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::SafeTensors;
use serde_json::Value;
use tangent_kernels::io::npy;
use tempfile::TempDir;

type Array = (Vec<usize>, Vec<f64>);

/// A folder with a network's inputs as `.npy` files.
struct Desk {
    folder: TempDir,
    network: PathBuf,
    arrays: BTreeMap<String, Array>,
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

impl Desk {
    /// Of `NAME.KIND.onnx`.
    fn of(file: &str) -> Self {
        let bytes = std::fs::read(models().join(format!("{}.safetensors", file.split('.').next().unwrap()))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let numbers = |data: &[u8]| data.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect::<Vec<_>>();
        let arrays: BTreeMap<String, Array> =
            tensors.tensors().into_iter().map(|(name, t)| (name, (t.shape().to_vec(), numbers(t.data())))).collect();
        let folder = tempfile::tempdir().unwrap();
        for (name, (shape, data)) in arrays.iter().filter_map(|(key, a)| Some((key.strip_prefix("input/")?, a))) {
            npy::write(folder.path().join(format!("{name}.npy")), shape, data).unwrap();
        }
        Desk { folder, network: models().join(file), arrays }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `ntk COMMAND NETWORK WORDS...`
    fn run(&self, command: &str, words: &[&str]) -> Output {
        let network = self.network.to_str().unwrap();
        self.ntk(&[&[command, network], words].concat())
    }

    fn ntk(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ntk")).args(words).current_dir(&self.folder).output().unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.ntk(words);
        assert!(output.status.success(), "{}", told(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", told(&output)))
    }

    fn load(&self, name: &str) -> Array {
        npy::read(self.path(name)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// How far an array is from PyTorch's, relative to the whole kernel.
    fn off(&self, (shape, data): &Array, name: &str) -> f64 {
        let (expected_shape, expected) = &self.arrays[name];
        assert_eq!(shape, expected_shape, "{name}");
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        norm(&data.iter().zip(expected).map(|(a, b)| a - b).collect::<Vec<_>>()) / norm(&self.arrays["ntk"].1)
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.folder).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{} {} {}", output.status, text(&output.stdout), text(&output.stderr))
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The output failed with this code, and its message has these words.
fn fails(output: &Output, code: i32, words: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}", told(output));
    for word in words {
        assert!(message.contains(word), "'{word}' is not in: {message}");
    }
}

#[test]
fn two_lines_from_pytorch_to_a_kernel() {
    let desk = Desk::of("mlp.dynamo.onnx");
    good(&desk.run("kernel", &["input.npy", "--out", "k.npy"]));
    // f32, as the network is.
    let (shape, data) = npy::read::<f32>(desk.path("k.npy")).unwrap();
    assert!(desk.off(&(shape, data.into_iter().map(f64::from).collect()), "ntk") < 1e-6);
    assert_eq!(desk.files(), ["input.npy", "k.npy", "k.npy.json"]);
}

#[test]
fn components_and_the_total_in_every_format() {
    let desk = Desk::of("cnn.script.onnx");
    let words = ["image.npy", "--precision", "f64", "--out"];
    good(&desk.run("kernel", &[&words[..], &["k.npy", "--components-dir", "parts"]].concat()));
    assert!(desk.off(&desk.load("k.npy"), "ntk") < 1e-6);
    assert!(desk.off(&desk.load("parts/0.weight.npy"), "ntk/0.weight") < 1e-6);
    assert_eq!(std::fs::read_dir(desk.path("parts")).unwrap().count(), 9);

    good(&desk.run("kernel", &[&words[..], &["k.npz"]].concat()));
    let mut zip = zip::ZipArchive::new(std::fs::File::open(desk.path("k.npz")).unwrap()).unwrap();
    assert_eq!(zip.len(), 10);
    for (member, name) in [("total.npy", "ntk"), ("5.weight.npy", "ntk/5.weight")] {
        let mut file = std::fs::File::create(desk.path("member.npy")).unwrap();
        std::io::copy(&mut zip.by_name(member).unwrap(), &mut file).unwrap();
        assert!(desk.off(&desk.load("member.npy"), name) < 1e-6, "{member}");
    }

    good(&desk.run("kernel", &[&words[..], &["k.zarr"]].concat()));
    // A kernel as small as this is one chunk, and its checksum.
    let bytes = std::fs::read(desk.path("k.zarr/components/0.weight/c/0/0")).unwrap();
    let chunk: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
    assert!(desk.off(&(vec![9, 9], chunk[..81].to_vec()), "ntk/0.weight") < 1e-6);
    good(&desk.ntk(&["check", "k.zarr"]));
}

#[test]
fn several_inputs_by_name_and_other_types_of_numbers() {
    let desk = Desk::of("two_inputs.dynamic.onnx");
    let (shape, ids) = &desk.arrays["input/ids"];
    // int64, as numpy saves ids.
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let head = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({}, {}), }}", shape[0], shape[1]);
    bytes.extend(format!("{head:<117}\n").bytes());
    ids.iter().for_each(|&id| bytes.extend((id as i64).to_le_bytes()));
    std::fs::write(desk.path("whole.npy"), bytes).unwrap();
    let inputs = "mask=mask.npy,ids=whole.npy";
    good(&desk.run("kernel", &[inputs, "--out", "k.npy", "--precision", "f64"]));
    assert!(desk.off(&desk.load("k.npy"), "ntk") < 1e-6);

    fails(&desk.run("kernel", &["ids.npy", "--out", "l.npy"]), 1, &["ids, mask", "ids=ids.npy,mask=mask.npy"]);
    fails(&desk.run("kernel", &["ids=ids.npy", "--out", "l.npy"]), 1, &["'mask' is missing"]);
    fails(&desk.run("kernel", &["ids=ids.npy,words=mask.npy", "--out", "l.npy"]), 1, &["'words'"]);
    fails(&desk.run("kernel", &["ids=mask.npy,mask=gone.npy", "--out", "l.npy"]), 1, &["gone.npy"]);
    assert!(!desk.path("l.npy").exists());
}

#[test]
fn modes_and_other_samples_and_a_part_of_the_parameters() {
    let desk = Desk::of("mlp.script.onnx");
    let run = |out: &str, words: &[&str]| {
        good(&desk.run("kernel", &[&["input.npy", "--out", out, "--precision", "f64"], words].concat()));
        desk.load(out)
    };
    let (_, full) = &desk.arrays["ntk"];
    let (n, c) = (4, 3);
    let entry = |i: usize, a: usize, j: usize, b: usize| full[(i * c + a) * n * c + j * c + b];
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{a} where {b} is right");
    let (shape, trace) = run("trace.npy", &["--mode", "trace-sum"]);
    assert_eq!(shape, [4, 4]);
    close(trace[1], (0..3).map(|a| entry(0, a, 1, a)).sum());
    let (shape, each) = run("each.npy", &["--mode", "per-output"]);
    assert_eq!(shape, [3, 4, 4]);
    close(each[16 + 2], entry(0, 1, 2, 1));
    let (_, one) = run("one.npy", &["--mode", "2"]);
    close(one[6], entry(1, 2, 2, 2));
    let (_, sum) = run("sum.npy", &["--mode", "sum"]);
    close(sum[1], (0..9).map(|k| entry(0, k / 3, 1, k % 3)).sum());

    let part = run("part.npy", &["--params", "0.*"]);
    let ([w, b], (shape, both)) = (["ntk/0.weight", "ntk/0.bias"].map(|name| &desk.arrays[name].1), part);
    assert_eq!(shape, [12, 12]);
    close(both[13], w[13] + b[13]);

    let (_, x) = &desk.arrays["input/input"];
    npy::write(desk.path("z.npy"), &[2, 5], &x[5..15]).unwrap();
    let (shape, cross) = run("cross.npy", &["z.npy"]);
    assert_eq!(shape, [12, 6]);
    close(cross[0], entry(0, 0, 1, 0));
}

#[test]
fn shares_meet_in_one_kernel_and_a_journal_tells() {
    let desk = Desk::of("mlp.dynamo.onnx");
    let shard = |part: &str| {
        let words = ["input.npy", "--out", "k.npy", "--precision", "f64", "--shard", part];
        good(&desk.run("kernel", &words))
    };
    assert!(shard("1/2").contains("ntk merge k.npy"));
    // A whole kernel would be written over what the share left.
    fails(&desk.run("kernel", &["input.npy", "--out", "k.npy"]), 1, &["was begun (k.npy.journal", "--force"]);
    fails(&desk.ntk(&["check", "k.npy"]), 1, &[]);
    shard("2/2");
    assert!(good(&desk.ntk(&["merge", "k.npy"])).contains("finished"));
    good(&desk.ntk(&["check", "k.npy"]));
    assert!(desk.off(&desk.load("k.npy"), "ntk") < 1e-6);
    assert!(desk.path("k.npy.1-of-2.json").is_file());
}

#[test]
fn what_was_begun_goes_on_only_if_it_is_said() {
    let desk = Desk::of("mlp.dynamo.onnx");
    // A share of two leaves the kernel unfinished, as an interrupted run does.
    good(&desk.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB"]));
    let again = desk.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB"]);
    fails(&again, 1, &["k.npy is there already", "--force"]);
    good(&desk.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB", "--force"]));

    std::fs::rename(desk.path("k.npy"), desk.path("k.npy.partial")).unwrap();
    let begun = desk.run("kernel", &["input.npy", "--out", "k.npy"]);
    fails(&begun, 1, &["was begun", "--resume"]);
    good(&desk.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB", "--resume"]));
    assert!(desk.path("k.npy").is_file());
}

#[test]
fn the_manifest_says_what_inputs() {
    let desk = Desk::of("mlp.dynamo.onnx");
    good(&desk.run("kernel", &["input.npy", "--out", "k.npy", "--mode", "trace-mean"]));
    let manifest: Value = serde_json::from_slice(&std::fs::read(desk.path("k.npy.json")).unwrap()).unwrap();
    assert_eq!(manifest["outputs"], "trace-mean");
    assert_eq!(manifest["precision"], "f32");
    assert_eq!(manifest["shape"], serde_json::json!([4, 4]));
    assert_eq!(manifest["run"]["device"], "cpu");
    assert_eq!(manifest["run"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(manifest["run"]["plan"].is_object());
    let bytes = std::fs::read(desk.path("input.npy")).unwrap();
    let x = &manifest["inputs"]["x"][0];
    assert_eq!(x["bytes"], bytes.len());
    assert_eq!(x["xxh3"], format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
    assert_eq!(manifest["inputs"]["external_data"][0]["bytes"], 768);
}

#[test]
fn info_tells_of_networks_that_cannot_be_built_too() {
    let desk = Desk::of("two_heads.dynamo.onnx");
    let text = good(&desk.run("info", &[]));
    for word in ["image", "[3, 10, 10]", "prob [2], then box [2]", "prelu1.weight", "Conv x 2"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = desk.json(&["info", desk.network.to_str().unwrap(), "--json", "--output", "box"]);
    assert_eq!(json["built"]["outputs"], serde_json::json!([{ "name": "box", "shape": [2] }]));

    let refused = models().join("forms/refused_unknown_op.onnx");
    let output = desk.ntk(&["info", refused.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("not supported: Frobnicate") && text.contains("cannot be built"), "{text}");
}

#[test]
fn the_plan_comes_before_anything_runs() {
    let desk = Desk::of("cnn.dynamic.onnx");
    assert!(good(&desk.run("plan", &["image.npy"])).contains("4.weight"));
    let json = desk.json(&["plan", desk.network.to_str().unwrap(), "image.npy", "--json"]);
    assert!(json["parameters"].as_array().is_some_and(|list| list.len() == 9), "{json}");
}

#[test]
fn verify_has_a_verdict() {
    let desk = Desk::of("encoder.script.onnx");
    let text = good(&desk.run("verify", &["input.npy", "--samples", "2"]));
    for word in ["full-jacobian", "forward-mode", "finite differences", "verified"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = desk.json(&["verify", desk.network.to_str().unwrap(), "input.npy", "--json", "--precision", "f32"]);
    assert_eq!(json["verified"], true);
    assert!(json["finite_differences"]["entries"].as_u64().is_some_and(|entries| entries > 500), "{json}");
}

#[test]
fn a_stored_kernel_has_a_spectrum_and_a_picture() {
    let desk = Desk::of("mlp.dynamo.onnx");
    good(&desk.run("kernel", &["input.npy", "--out", "k.npy", "--precision", "f64"]));
    let json = desk.json(&["spectrum", "k.npy", "--json", "--plot", "s.png"]);
    let list: Vec<f64> = json["eigenvalues"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let trace: f64 = (0..12).map(|k| desk.arrays["ntk"].1[k * 13]).sum();
    assert!(list.len() == 12 && list[0] >= list[11]);
    assert!((list.iter().sum::<f64>() - trace).abs() < 1e-5 * trace);
    assert!(std::fs::read(desk.path("s.png")).unwrap().starts_with(b"\x89PNG"));
    good(&desk.ntk(&["heatmap", "k.npy", "--out", "k.png", "--title", "a kernel"]));
    assert!(std::fs::read(desk.path("k.png")).unwrap().starts_with(b"\x89PNG"));
    fails(&desk.ntk(&["heatmap", "input.npy", "--out", "no/k.png"]), 1, &["no"]);
    fails(&desk.ntk(&["spectrum", "input.npy"]), 1, &["input.npy", "square"]);
}

#[test]
fn classes_are_found_and_counted() {
    let desk = Desk::of("mlp.dynamo.onnx");
    // Two clusters on either side of 0, in all five features.
    let point =
        |k: usize| (0..5).map(move |i| if k.is_multiple_of(2) { 1.0 } else { -1.0 } + 0.1 * ((k * 5 + i) as f64).sin());
    let all: Vec<f64> = (0..30).flat_map(point).collect();
    let labels: Vec<f64> = (0..30usize).map(|k| if k.is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
    npy::write(desk.path("x.npy"), &[20, 5], &all[..100]).unwrap();
    npy::write(desk.path("z.npy"), &[10, 5], &all[100..]).unwrap();
    npy::write(desk.path("y.npy"), &[20], &labels[..20]).unwrap();
    npy::write(desk.path("t.npy"), &[10], &labels[20..]).unwrap();
    for by in ["ridge", "sign"] {
        let network = desk.network.to_str().unwrap();
        let words = ["x.npy", "z.npy", "--labels", "y.npy", "--test-labels", "t.npy", "--out", "found.npy", "--json"];
        let json = desk.json(&[&["classify", network, "--by", by], &words[..]].concat());
        let right = json["test_accuracy"].as_f64().unwrap();
        assert!(right > if by == "ridge" { 0.99 } else { 0.4 }, "{by}: {json}");
        let (_, found) = desk.load("found.npy");
        let counted = found.iter().zip(&labels[20..]).filter(|(a, b)| a == b).count();
        assert_eq!(counted as f64 / 10.0, right);
    }
    npy::write(desk.path("y.npy"), &[19], &labels[..19]).unwrap();
    fails(&desk.run("classify", &["x.npy", "z.npy", "--labels", "y.npy"]), 1, &["y.npy has 19 labels for 20 samples"]);
}

#[test]
fn devices_are_listed() {
    let desk = Desk::of("mlp.dynamo.onnx");
    assert!(good(&desk.ntk(&["devices"])).contains("threads"));
    assert!(desk.json(&["devices", "--json"])["cpu"]["threads"].as_u64().is_some());
    let nowhere = desk.run("kernel", &["input.npy", "--out", "k.npy", "--device", "no such card"]);
    fails(&nowhere, 1, &["--device no such card"]);
    let precise = desk.run("kernel", &["input.npy", "--out", "k.npy", "--device", "gpu", "--precision", "f64"]);
    fails(&precise, 1, &["f64", "--precision f32"]);
}

/// On a graphics device, if this build has them and there is one.
#[cfg(feature = "gpu")]
#[test]
fn a_graphics_device_gives_the_same_kernel() {
    let desk = Desk::of("cnn.dynamo.onnx");
    let json = desk.json(&["devices", "--json"]);
    if json["cards"].as_array().unwrap().is_empty() && std::env::var_os("TANGENT_REQUIRE_GPU").is_none() {
        eprintln!("there is no graphics device: this was not tested");
        return;
    }
    good(&desk.run("kernel", &["image.npy", "--out", "k.npy", "--device", "gpu"]));
    let (shape, data) = npy::read::<f32>(desk.path("k.npy")).unwrap();
    assert!(desk.off(&(shape, data.into_iter().map(f64::from).collect()), "ntk") < 1e-4);
}

#[test]
fn errors_name_the_culprit_and_leave_nothing() {
    let desk = Desk::of("mlp.folded.onnx");
    let bytes = std::fs::read(&desk.network).unwrap();
    std::fs::write(desk.path("half.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    npy::write(desk.path("wide.npy"), &[4, 7], &[0.5; 28]).unwrap();
    npy::write(desk.path("nan.npy"), &[1, 5], &[0.5, f64::NAN, 0.0, 0.0, 0.0]).unwrap();
    let before = desk.files();
    let kernel = |network: &str, x: &str| desk.ntk(&["kernel", network, x, "--out", "k.npy"]);
    let network = desk.network.to_str().unwrap();
    fails(&kernel("gone.onnx", "input.npy"), 1, &["ntk: gone.onnx"]);
    fails(&kernel("half.onnx", "input.npy"), 1, &["half.onnx"]);
    fails(&kernel("input.npy", "input.npy"), 1, &["input.npy", "ONNX"]);
    fails(&kernel(network, "wide.npy"), 1, &["wide.npy", "[5]", "[7]"]);
    fails(&kernel(network, "nan.npy"), 1, &["NaN"]);
    fails(&desk.ntk(&["kernel", network, "input.npy", "--out", "k.txt"]), 1, &[".npy, .npz or .zarr"]);
    fails(&desk.ntk(&["kernel", network, "input.npy", "--out", "no/k.npy"]), 1, &["no/k.npy", "no folder"]);
    fails(&desk.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--params", "x*"]), 1, &["'x*'"]);
    fails(&desk.ntk(&["kernel", network, "input.npy"]), 2, &["--out"]);
    fails(&desk.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--memory", "much"]), 2, &["4GiB"]);
    fails(&desk.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--shard", "3/2"]), 2, &["1/8"]);
    fails(&desk.ntk(&["frobnicate"]), 2, &["frobnicate"]);
    assert_eq!(desk.files(), before);
    assert!(good(&desk.ntk(&["kernel", "--help"])).contains("row n*C + c"));
}
