//! What is written beside a kernel, so that its numbers can be traced.

use std::path::PathBuf;

use serde_json::{Value, json};
use tangent_kernels::io::{onnx, write_whole};
use tangent_kernels::kernel::Manifest;
use tangent_kernels::{Outputs, Result};

use crate::arguments::{Kernel, Precision};
use crate::inputs::{Files, network, told};
use crate::plan::parsed;

/// The manifest of the kernel at `options.out`.
///
/// # Errors
/// A file that went in cannot be read any more.
pub fn describe(
    options: &Kernel,
    built: &onnx::Built,
    manifest: &Manifest,
    shape: [usize; 3],
    seconds: f64,
) -> Result<Value> {
    let files = |word: &str| Files::of(word).paths().map(told).collect::<Result<Vec<_>>>();
    let computing = &options.computing;
    Ok(json!({
        "kernel": options.out.display().to_string(),
        "shape": if shape[0] == 1 { vec![shape[1], shape[2]] } else { shape.to_vec() },
        "mode": mode(computing.mode),
        "outputs": built.outputs.iter().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect::<Vec<_>>(),
        "parameters": built.model.parameters().iter().map(|info| json!({ "name": info.name, "shape": info.shape }))
            .collect::<Vec<_>>(),
        "params": computing.parameters,
        "trainable": options.network.trainable,
        "shard": options.shard.map(|(part, parts)| format!("{}/{parts}", part + 1)),
        "precision": if computing.precision == Precision::F32 { "f32" } else { "f64" },
        "threads": rayon::current_num_threads(),
        "seconds": seconds,
        "inputs": {
            "network": told(&options.network.network)?,
            "external_data": network(&options.network)?.data_files().iter().map(|path| told(path)).collect::<Result<Vec<_>>>()?,
            "x": files(&options.x)?,
            "z": options.z.as_deref().map(files).transpose()?,
        },
        "warnings": built.warnings,
        "run": parsed(&manifest.to_json())?,
    }))
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

/// Where the manifest of a kernel is: `K.npy.json`, or that of a share, `K.npy.1-of-8.json`.
pub fn path(options: &Kernel) -> PathBuf {
    let mut name = options.out.as_os_str().to_owned();
    if let Some((part, parts)) = options.shard {
        name.push(format!(".{}-of-{parts}", part + 1));
    }
    name.push(".json");
    name.into()
}

/// # Errors
/// It cannot be written.
pub fn write(options: &Kernel, manifest: &Value) -> Result<()> {
    write_whole(path(options), format!("{manifest:#}\n").as_bytes())
}
