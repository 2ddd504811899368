//! The command `ntk`, run as a shell runs it. Networks and reference kernels come from PyTorch.

#![cfg(all(feature = "cli", feature = "safetensors"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::SafeTensors;
use serde_json::Value;
use tangent_kernels::io::npy;
use tempfile::TempDir;

type Array = (Vec<usize>, Vec<f64>);

/// A temporary folder with the inputs of a network as `.npy` files.
struct Workspace {
    folder: TempDir,
    network: PathBuf,
    arrays: BTreeMap<String, Array>,
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

impl Workspace {
    /// The folder for the network `NAME.KIND.onnx`.
    fn new(file: &str) -> Self {
        let bytes = std::fs::read(models().join(format!("{}.safetensors", file.split('.').next().unwrap()))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let numbers = |data: &[u8]| data.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect::<Vec<_>>();
        let arrays: BTreeMap<String, Array> =
            tensors.tensors().into_iter().map(|(name, t)| (name, (t.shape().to_vec(), numbers(t.data())))).collect();
        let folder = tempfile::tempdir().unwrap();
        for (name, (shape, data)) in arrays.iter().filter_map(|(key, a)| Some((key.strip_prefix("input/")?, a))) {
            npy::write(folder.path().join(format!("{name}.npy")), shape, data).unwrap();
        }
        Workspace { folder, network: models().join(file), arrays }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `ntk COMMAND NETWORK ARGUMENTS...`.
    fn run(&self, command: &str, arguments: &[&str]) -> Output {
        let network = self.network.to_str().unwrap();
        self.ntk(&[&[command, network], arguments].concat())
    }

    fn ntk(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ntk")).args(arguments).current_dir(&self.folder).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ntk(arguments);
        assert!(output.status.success(), "{}", describe(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", describe(&output)))
    }

    fn load(&self, name: &str) -> Array {
        npy::read(self.path(name)).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The distance of an array from PyTorch's, relative to the norm of the whole kernel.
    fn distance(&self, (shape, data): &Array, name: &str) -> f64 {
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

fn describe(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{} {} {}", output.status, text(&output.stdout), text(&output.stderr))
}

fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", describe(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Checks that the command failed with this exit code, and that its message contains these words.
fn fails(output: &Output, code: i32, words: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}", describe(output));
    for word in words {
        assert!(message.contains(word), "'{word}' is not in: {message}");
    }
}

#[test]
fn two_lines_from_pytorch_to_a_kernel() {
    let workspace = Workspace::new("mlp.dynamo.onnx");
    good(&workspace.run("kernel", &["input.npy", "--out", "k.npy"]));
    // f32, as the network is.
    let (shape, data) = npy::read::<f32>(workspace.path("k.npy")).unwrap();
    assert!(workspace.distance(&(shape, data.into_iter().map(f64::from).collect()), "ntk") < 1e-6);
    assert_eq!(workspace.files(), ["input.npy", "k.npy", "k.npy.json"]);
}

#[test]
fn components_and_the_total_in_every_format() {
    let workspace = Workspace::new("cnn.script.onnx");
    let words = ["image.npy", "--precision", "f64", "--out"];
    good(&workspace.run("kernel", &[&words[..], &["k.npy", "--components-dir", "parts"]].concat()));
    assert!(workspace.distance(&workspace.load("k.npy"), "ntk") < 1e-6);
    assert!(workspace.distance(&workspace.load("parts/0.weight.npy"), "ntk/0.weight") < 1e-6);
    assert_eq!(std::fs::read_dir(workspace.path("parts")).unwrap().count(), 9);

    good(&workspace.run("kernel", &[&words[..], &["k.npz"]].concat()));
    let mut zip = zip::ZipArchive::new(std::fs::File::open(workspace.path("k.npz")).unwrap()).unwrap();
    assert_eq!(zip.len(), 10);
    for (member, name) in [("total.npy", "ntk"), ("5.weight.npy", "ntk/5.weight")] {
        let mut file = std::fs::File::create(workspace.path("member.npy")).unwrap();
        std::io::copy(&mut zip.by_name(member).unwrap(), &mut file).unwrap();
        assert!(workspace.distance(&workspace.load("member.npy"), name) < 1e-6, "{member}");
    }

    good(&workspace.run("kernel", &[&words[..], &["k.zarr"]].concat()));
    // The file has a single chunk, followed by its checksum.
    let bytes = std::fs::read(workspace.path("k.zarr/components/0.weight/c/0/0")).unwrap();
    let chunk: Vec<f64> = bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
    assert!(workspace.distance(&(vec![9, 9], chunk[..81].to_vec()), "ntk/0.weight") < 1e-6);
    good(&workspace.ntk(&["check", "k.zarr"]));
}

#[test]
fn several_named_inputs_and_other_number_types() {
    let workspace = Workspace::new("two_inputs.dynamic.onnx");
    let (shape, ids) = &workspace.arrays["input/ids"];
    // int64, as numpy saves ids.
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    let head = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({}, {}), }}", shape[0], shape[1]);
    bytes.extend(format!("{head:<117}\n").bytes());
    ids.iter().for_each(|&id| bytes.extend((id as i64).to_le_bytes()));
    std::fs::write(workspace.path("whole.npy"), bytes).unwrap();
    let inputs = "mask=mask.npy,ids=whole.npy";
    good(&workspace.run("kernel", &[inputs, "--out", "k.npy", "--precision", "f64"]));
    assert!(workspace.distance(&workspace.load("k.npy"), "ntk") < 1e-6);

    fails(&workspace.run("kernel", &["ids.npy", "--out", "l.npy"]), 1, &["ids, mask", "ids=ids.npy,mask=mask.npy"]);
    fails(&workspace.run("kernel", &["ids=ids.npy", "--out", "l.npy"]), 1, &["'mask' is missing"]);
    fails(&workspace.run("kernel", &["ids=ids.npy,words=mask.npy", "--out", "l.npy"]), 1, &["'words'"]);
    fails(&workspace.run("kernel", &["ids=mask.npy,mask=gone.npy", "--out", "l.npy"]), 1, &["gone.npy"]);
    assert!(!workspace.path("l.npy").exists());
}

#[test]
fn modes_other_samples_and_selected_parameters() {
    let workspace = Workspace::new("mlp.script.onnx");
    let run = |out: &str, words: &[&str]| {
        good(&workspace.run("kernel", &[&["input.npy", "--out", out, "--precision", "f64"], words].concat()));
        workspace.load(out)
    };
    let (_, full) = &workspace.arrays["ntk"];
    let (n, c) = (4, 3);
    let entry = |i: usize, a: usize, j: usize, b: usize| full[(i * c + a) * n * c + j * c + b];
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{a}, expected {b}");
    let (shape, trace) = run("trace.npy", &["--mode", "trace-sum"]);
    assert_eq!(shape, [4, 4]);
    close(trace[1], (0..3).map(|a| entry(0, a, 1, a)).sum());
    let (shape, each) = run("each.npy", &["--mode", "per-output"]);
    assert_eq!(shape, [3, 4, 4]);
    close(each[16 + 2], entry(0, 1, 2, 1));
    let (_, single) = run("single.npy", &["--mode", "2"]);
    close(single[6], entry(1, 2, 2, 2));
    let (_, sum) = run("sum.npy", &["--mode", "sum"]);
    close(sum[1], (0..9).map(|k| entry(0, k / 3, 1, k % 3)).sum());

    let part = run("part.npy", &["--params", "0.*"]);
    let ([w, b], (shape, both)) = (["ntk/0.weight", "ntk/0.bias"].map(|name| &workspace.arrays[name].1), part);
    assert_eq!(shape, [12, 12]);
    close(both[13], w[13] + b[13]);

    let (_, x) = &workspace.arrays["input/input"];
    npy::write(workspace.path("z.npy"), &[2, 5], &x[5..15]).unwrap();
    let (shape, cross) = run("cross.npy", &["z.npy"]);
    assert_eq!(shape, [12, 6]);
    close(cross[0], entry(0, 0, 1, 0));
}

#[test]
fn shards_are_merged_and_checked_with_the_journal() {
    let workspace = Workspace::new("mlp.dynamo.onnx");
    let shard = |part: &str| {
        let words = ["input.npy", "--out", "k.npy", "--precision", "f64", "--shard", part];
        good(&workspace.run("kernel", &words))
    };
    assert!(shard("1/2").contains("ntk merge k.npy"));
    // A run of the whole kernel would overwrite the shard.
    fails(
        &workspace.run("kernel", &["input.npy", "--out", "k.npy"]),
        1,
        &["unfinished kernel exists at k.npy (k.npy.journal", "--force"],
    );
    fails(&workspace.ntk(&["check", "k.npy"]), 1, &[]);
    shard("2/2");
    assert!(good(&workspace.ntk(&["merge", "k.npy"])).contains("finished"));
    good(&workspace.ntk(&["check", "k.npy"]));
    assert!(workspace.distance(&workspace.load("k.npy"), "ntk") < 1e-6);
    assert!(workspace.path("k.npy.1-of-2.json").is_file());
}

#[test]
fn an_unfinished_kernel_continues_only_with_resume() {
    let workspace = Workspace::new("mlp.dynamo.onnx");
    good(&workspace.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB"]));
    let again = workspace.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB"]);
    fails(&again, 1, &["k.npy exists already", "--force"]);
    good(&workspace.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB", "--force"]));

    std::fs::rename(workspace.path("k.npy"), workspace.path("k.npy.partial")).unwrap();
    // Without its final name the kernel looks like that of an interrupted run.
    let unfinished = workspace.run("kernel", &["input.npy", "--out", "k.npy"]);
    fails(&unfinished, 1, &["unfinished kernel exists at k.npy", "--resume"]);
    good(&workspace.run("kernel", &["input.npy", "--out", "k.npy", "--memory", "1GiB", "--resume"]));
    assert!(workspace.path("k.npy").is_file());
}

#[test]
fn the_manifest_lists_the_inputs() {
    let workspace = Workspace::new("mlp.dynamo.onnx");
    good(&workspace.run("kernel", &["input.npy", "--out", "k.npy", "--mode", "trace-mean"]));
    let manifest: Value = serde_json::from_slice(&std::fs::read(workspace.path("k.npy.json")).unwrap()).unwrap();
    assert_eq!(manifest["mode"], "trace-mean");
    assert_eq!(manifest["outputs"].as_array().map(Vec::len), Some(1));
    assert_eq!(manifest["precision"], "f32");
    assert_eq!(manifest["shape"], serde_json::json!([4, 4]));
    assert_eq!(manifest["run"]["device"], "cpu");
    assert_eq!(manifest["run"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(manifest["run"]["plan"].is_object());
    let bytes = std::fs::read(workspace.path("input.npy")).unwrap();
    let x = &manifest["inputs"]["x"][0];
    assert_eq!(x["bytes"], bytes.len());
    assert_eq!(x["xxh3"], format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
    assert_eq!(manifest["inputs"]["external_data"][0]["bytes"], 768);
}

#[test]
fn info_describes_networks_that_cannot_be_built() {
    let workspace = Workspace::new("two_heads.dynamo.onnx");
    let text = good(&workspace.run("info", &[]));
    for word in ["image", "[3, 10, 10]", "prob [2], then box [2]", "prelu1.weight", "Conv x 2"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json = workspace.json(&["info", workspace.network.to_str().unwrap(), "--json", "--output", "box"]);
    assert_eq!(json["built"]["outputs"], serde_json::json!([{ "name": "box", "shape": [2] }]));
    assert_eq!(json["built"]["output_count"], 2);

    let rejected = models().join("forms/refused_unknown_op.onnx");
    let output = workspace.ntk(&["info", rejected.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("not supported: Frobnicate") && text.contains("cannot be built"), "{text}");
}

#[test]
fn the_plan_lists_all_parameters() {
    let workspace = Workspace::new("cnn.dynamic.onnx");
    assert!(good(&workspace.run("plan", &["image.npy"])).contains("4.weight"));
    let json = workspace.json(&["plan", workspace.network.to_str().unwrap(), "image.npy", "--json"]);
    assert!(json["parameters"].as_array().is_some_and(|list| list.len() == 9), "{json}");
}

#[test]
fn verify_has_a_verdict() {
    let workspace = Workspace::new("encoder.script.onnx");
    let text = good(&workspace.run("verify", &["input.npy", "--samples", "2"]));
    for word in ["full-jacobian", "forward-mode", "finite differences", "verified"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let json =
        workspace.json(&["verify", workspace.network.to_str().unwrap(), "input.npy", "--json", "--precision", "f32"]);
    assert_eq!(json["verified"], true);
    assert!(json["finite_differences"]["entries"].as_u64().is_some_and(|entries| entries > 500), "{json}");
}

#[test]
fn a_stored_kernel_has_a_spectrum_and_a_picture() {
    let workspace = Workspace::new("mlp.dynamo.onnx");
    good(&workspace.run("kernel", &["input.npy", "--out", "k.npy", "--precision", "f64"]));
    let json = workspace.json(&["spectrum", "k.npy", "--json", "--plot", "s.png"]);
    let list: Vec<f64> = json["eigenvalues"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let trace: f64 = (0..12).map(|k| workspace.arrays["ntk"].1[k * 13]).sum();
    assert!(list.len() == 12 && list[0] >= list[11]);
    assert!((list.iter().sum::<f64>() - trace).abs() < 1e-5 * trace);
    assert!(std::fs::read(workspace.path("s.png")).unwrap().starts_with(b"\x89PNG"));
    good(&workspace.ntk(&["heatmap", "k.npy", "--out", "k.png", "--title", "a kernel"]));
    assert!(std::fs::read(workspace.path("k.png")).unwrap().starts_with(b"\x89PNG"));
    fails(&workspace.ntk(&["heatmap", "input.npy", "--out", "no/k.png"]), 1, &["no"]);
    fails(&workspace.ntk(&["spectrum", "input.npy"]), 1, &["input.npy", "square"]);
}

#[test]
fn samples_are_classified() {
    let workspace = Workspace::new("mlp.dynamo.onnx");
    // Two clusters, one on either side of 0 in all five features.
    let point =
        |k: usize| (0..5).map(move |i| if k.is_multiple_of(2) { 1.0 } else { -1.0 } + 0.1 * ((k * 5 + i) as f64).sin());
    let all: Vec<f64> = (0..30).flat_map(point).collect();
    let labels: Vec<f64> = (0..30usize).map(|k| if k.is_multiple_of(2) { 1.0 } else { -1.0 }).collect();
    npy::write(workspace.path("x.npy"), &[20, 5], &all[..100]).unwrap();
    npy::write(workspace.path("z.npy"), &[10, 5], &all[100..]).unwrap();
    npy::write(workspace.path("y.npy"), &[20], &labels[..20]).unwrap();
    npy::write(workspace.path("t.npy"), &[10], &labels[20..]).unwrap();
    for by in ["ridge", "sign"] {
        let network = workspace.network.to_str().unwrap();
        let words = ["x.npy", "z.npy", "--labels", "y.npy", "--test-labels", "t.npy", "--out", "found.npy", "--json"];
        let json = workspace.json(&[&["classify", network, "--by", by], &words[..]].concat());
        let accuracy = json["test_accuracy"].as_f64().unwrap();
        assert!(accuracy > if by == "ridge" { 0.99 } else { 0.4 }, "{by}: {json}");
        let (_, predicted) = workspace.load("found.npy");
        let correct = predicted.iter().zip(&labels[20..]).filter(|(a, b)| a == b).count();
        assert_eq!(correct as f64 / 10.0, accuracy);
    }
    npy::write(workspace.path("y.npy"), &[19], &labels[..19]).unwrap();
    fails(
        &workspace.run("classify", &["x.npy", "z.npy", "--labels", "y.npy"]),
        1,
        &["y.npy has 19 labels for 20 samples"],
    );
}

#[test]
fn devices_are_listed() {
    let workspace = Workspace::new("mlp.dynamo.onnx");
    assert!(good(&workspace.ntk(&["devices"])).contains("threads"));
    assert!(workspace.json(&["devices", "--json"])["cpu"]["threads"].as_u64().is_some());
    let nowhere = workspace.run("kernel", &["input.npy", "--out", "k.npy", "--device", "no such card"]);
    fails(&nowhere, 1, &["--device no such card"]);
    let precise = workspace.run("kernel", &["input.npy", "--out", "k.npy", "--device", "gpu", "--precision", "f64"]);
    fails(&precise, 1, &["f64", "--precision f32"]);
}

/// Skipped if there is no GPU.
#[cfg(feature = "gpu")]
#[test]
fn a_gpu_computes_the_same_kernel() {
    let workspace = Workspace::new("cnn.dynamo.onnx");
    let json = workspace.json(&["devices", "--json"]);
    if json["gpus"].as_array().unwrap().is_empty() && std::env::var_os("TANGENT_REQUIRE_GPU").is_none() {
        eprintln!("skipped: no GPU was found");
        return;
    }
    good(&workspace.run("kernel", &["image.npy", "--out", "k.npy", "--device", "gpu"]));
    let (shape, data) = npy::read::<f32>(workspace.path("k.npy")).unwrap();
    assert!(workspace.distance(&(shape, data.into_iter().map(f64::from).collect()), "ntk") < 1e-4);
}

#[test]
fn errors_name_the_cause_and_leave_no_files() {
    let workspace = Workspace::new("mlp.folded.onnx");
    let bytes = std::fs::read(&workspace.network).unwrap();
    std::fs::write(workspace.path("half.onnx"), &bytes[..bytes.len() / 2]).unwrap();
    npy::write(workspace.path("wide.npy"), &[4, 7], &[0.5; 28]).unwrap();
    npy::write(workspace.path("nan.npy"), &[1, 5], &[0.5, f64::NAN, 0.0, 0.0, 0.0]).unwrap();
    let before = workspace.files();
    let kernel = |network: &str, x: &str| workspace.ntk(&["kernel", network, x, "--out", "k.npy"]);
    let network = workspace.network.to_str().unwrap();
    fails(&kernel("gone.onnx", "input.npy"), 1, &["ntk: gone.onnx"]);
    fails(&kernel("half.onnx", "input.npy"), 1, &["half.onnx"]);
    fails(&kernel("input.npy", "input.npy"), 1, &["input.npy", "ONNX"]);
    fails(&kernel(network, "wide.npy"), 1, &["wide.npy", "[5]", "[7]"]);
    fails(&kernel(network, "nan.npy"), 1, &["NaN"]);
    fails(&workspace.ntk(&["kernel", network, "input.npy", "--out", "k.txt"]), 1, &[".npy, .npz or .zarr"]);
    fails(&workspace.ntk(&["kernel", network, "input.npy", "--out", "no/k.npy"]), 1, &["no/k.npy", "no folder"]);
    fails(&workspace.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--params", "x*"]), 1, &["'x*'"]);
    fails(&workspace.ntk(&["kernel", network, "input.npy"]), 2, &["--out"]);
    fails(&workspace.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--memory", "much"]), 2, &["4GiB"]);
    fails(
        &workspace.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--memory", "9000000TB"]),
        2,
        &["'9000000TB'", "from 1MB to 1000TB"],
    );
    fails(
        &workspace.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--threads", "99999"]),
        2,
        &["'99999'", "from 1 to "],
    );
    fails(&workspace.ntk(&["verify", network, "input.npy", "--samples", "0"]), 2, &["at least 1"]);
    fails(&workspace.ntk(&["kernel", network, "input.npy", "--out", "k.npy", "--shard", "3/2"]), 2, &["1/8"]);
    fails(&workspace.ntk(&["frobnicate"]), 2, &["frobnicate"]);
    assert_eq!(workspace.files(), before);
    assert!(good(&workspace.ntk(&["kernel", "--help"])).contains("row n*C + c"));
}

/// The examples of a help text: its lines that begin with `ntk`.
#[cfg(unix)]
fn examples(help: &str) -> Vec<String> {
    help.lines().filter(|line| line.starts_with("  ntk ")).map(|line| line.trim().to_string()).collect()
}

/// The commands that a help text lists.
#[cfg(unix)]
fn commands(help: &str) -> Vec<String> {
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_string).collect()
}

/// A folder with all files that the examples name.
#[cfg(unix)]
fn example_folder() -> Workspace {
    let workspace = Workspace::new("mlp.script.onnx");
    std::fs::copy(&workspace.network, workspace.path("net.onnx")).unwrap();
    let (_, x) = &workspace.arrays["input/input"];
    npy::write(workspace.path("x.npy"), &[4, 5], x).unwrap();
    npy::write(workspace.path("z.npy"), &[2, 5], &x[5..15]).unwrap();
    npy::write(workspace.path("train.npy"), &[4, 5], x).unwrap();
    npy::write(workspace.path("test.npy"), &[2, 5], &x[5..15]).unwrap();
    npy::write(workspace.path("y.npy"), &[4], &[0.0, 1.0, 2.0, 1.0]).unwrap();
    npy::write(workspace.path("t.npy"), &[2], &[1.0, 2.0]).unwrap();

    let text = Workspace::new("two_inputs.script.onnx");
    std::fs::copy(&text.network, workspace.path("text.onnx")).unwrap();
    for input in ["ids", "mask"] {
        let (shape, data) = &text.arrays[&format!("input/{input}")];
        npy::write(workspace.path(&format!("{input}.npy")), shape, data).unwrap();
    }
    workspace
}

/// Writes the kernel that an example of this command reads.
#[cfg(unix)]
fn prepare(workspace: &Workspace, command: &str) {
    let kernel = |arguments: &[&str]| {
        good(&workspace.ntk(&[&["kernel", "net.onnx", "x.npy", "--out", "k.npy"], arguments].concat()));
    };
    match command {
        "merge" => {
            kernel(&["--shard", "1/2"]);
            kernel(&["--shard", "2/2"]);
        }
        // With a budget the kernel has a journal.
        "check" | "spectrum" | "heatmap" => kernel(&["--memory", "1GiB"]),
        _ => {}
    }
}

#[cfg(unix)]
#[test]
fn every_example_of_the_help_runs() {
    let program = Path::new(env!("CARGO_BIN_EXE_ntk"));
    let search_path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let overview = good(&Workspace::new("mlp.script.onnx").ntk(&["--help"]));
    let commands = commands(&overview);
    assert_eq!(commands.len(), 11, "ten commands and `help`: {commands:?}");
    let mut helps = vec![("ntk".to_string(), overview)];
    for command in commands.into_iter().filter(|command| command != "help") {
        let help = good(&Workspace::new("mlp.script.onnx").ntk(&[&command, "--help"]));
        helps.push((command, help));
    }
    for (command, help) in helps {
        let examples = examples(&help);
        assert!(!examples.is_empty(), "{command} has no example");
        for example in examples {
            let workspace = example_folder();
            prepare(&workspace, &command);
            let mut shell = Command::new("sh");
            let output = shell.args(["-c", &example]).env("PATH", &search_path).current_dir(&workspace.folder).output();
            assert!(output.as_ref().unwrap().status.success(), "{example}: {}", describe(&output.unwrap()));
        }
    }
}

/// A name in a file could contain escape sequences that change what a terminal shows.
#[test]
fn control_characters_in_names_are_escaped() {
    let workspace = Workspace::new("mlp.script.onnx");
    let mut bytes = std::fs::read(&workspace.network).unwrap();
    // The exporter's name has this length too, so the file stays valid.
    let name = bytes.windows(7).position(|window| window == b"pytorch").expect("the producer");
    bytes[name..name + 7].copy_from_slice(b"\x1b[2J\r\n\x07");
    std::fs::write(workspace.path("hostile.onnx"), bytes).unwrap();
    let text = good(&workspace.ntk(&["info", "hostile.onnx"]));
    assert!(text.contains("written by \\u001b[2J\\u000d\\u000a\\u0007"), "{text}");
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
}
