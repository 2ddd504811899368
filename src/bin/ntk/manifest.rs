//! The manifest next to a kernel. It makes the numbers traceable.

use std::path::PathBuf;

use serde_json::{Value, json};
use tangent_kernels::io::{onnx, write_whole};
use tangent_kernels::kernel::Manifest;
use tangent_kernels::{Outputs, Result};

use crate::arguments::{Kernel, Precision};
use crate::info::{infos_json, outputs_json};
use crate::inputs::{SampleFiles, describe_file, network};
use crate::plan::parse_json;

/// The manifest of the kernel at `options.out`.
///
/// # Errors
/// An input file can no longer be read.
pub fn describe(
    options: &Kernel,
    built: &onnx::Built,
    manifest: &Manifest,
    shape: [usize; 3],
    seconds: f64,
) -> Result<Value> {
    let computing = &options.computing;
    Ok(json!({
        "kernel": options.out.display().to_string(),
        "shape": if shape[0] == 1 { vec![shape[1], shape[2]] } else { shape.to_vec() },
        "mode": mode(computing.mode),
        "outputs": outputs_json(built),
        "parameters": infos_json(built.model.parameters()),
        "params": computing.parameters,
        "trainable": options.network.trainable,
        "fixed": options.network.fixed,
        "params_from": options.network.params_from.as_deref().map(describe_file).transpose()?,
        "shard": options.shard.map(|(shard, shards)| format!("{}/{shards}", shard + 1)),
        "precision": if computing.precision == Precision::F32 { "f32" } else { "f64" },
        "threads": rayon::current_num_threads(),
        "seconds": seconds,
        "inputs": inputs(options)?,
        "warnings": built.warnings,
        "run": parse_json(&manifest.to_json())?,
    }))
}

/// The files that the kernel was computed from.
fn inputs(options: &Kernel) -> Result<Value> {
    let data_files = network(&options.network)?.data_files();
    let external_data = data_files.iter().map(|path| describe_file(path)).collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "network": describe_file(&options.network.network)?,
        "external_data": external_data,
        "x": samples(&options.x)?,
        "z": options.z.as_deref().map(samples).transpose()?,
    }))
}

fn samples(files: &str) -> Result<Vec<Value>> {
    SampleFiles::parse(files).paths().map(describe_file).collect()
}

fn mode(outputs: Outputs) -> String {
    match outputs {
        Outputs::Full => "full".into(),
        Outputs::TraceSum => "trace-sum".into(),
        Outputs::TraceMean => "trace-mean".into(),
        Outputs::PerOutput => "per-output".into(),
        Outputs::SumOfOutputs => "sum".into(),
        Outputs::Output(number) => number.to_string(),
        _ => format!("{outputs:?}"),
    }
}

/// The path of the manifest: `K.npy.json`, or `K.npy.1-of-8.json` for a shard.
pub fn path(options: &Kernel) -> PathBuf {
    let mut name = options.out.as_os_str().to_owned();
    if let Some((shard, shards)) = options.shard {
        name.push(format!(".{}-of-{shards}", shard + 1));
    }
    name.push(".json");
    name.into()
}

/// # Errors
/// The file cannot be written.
pub fn write(options: &Kernel, manifest: &Value) -> Result<()> {
    write_whole(path(options), format!("{manifest:#}\n").as_bytes())
}
