//! `ntk devices`

use serde_json::{Value, json};
use tangent_kernels::Result;

use crate::Answer;

pub fn run() -> Result<Answer> {
    let threads = rayon::current_num_threads();
    let mut text = format!("cpu    {threads} threads, f32 and f64\n");
    let gpus = gpus(&mut text);
    Ok(Answer { text, json: json!({ "cpu": { "threads": threads }, "gpus": gpus }), good: true })
}

#[cfg(feature = "gpu")]
fn gpus(text: &mut String) -> Vec<Value> {
    use tangent_kernels::Adapter;
    let adapters = Adapter::all();
    if adapters.is_empty() {
        *text += "no GPU was found, or its driver is missing (on Debian, mesa-vulkan-drivers has a software driver)\n";
    }
    adapters.iter().map(|adapter| describe(adapter, text)).collect()
}

#[cfg(feature = "gpu")]
fn describe(adapter: &tangent_kernels::Adapter, text: &mut String) -> Value {
    let error = tangent_kernels::Gpu::on(adapter).err().map(|error| error.to_string());
    *text += &format!("{}    {}, {}, f32\n", adapter.name(), adapter.kind(), adapter.driver());
    if let Some(error) = &error {
        *text += &format!("       this GPU cannot be used: {error}\n");
    }
    let mut limits = Vec::new();
    for (name, available, required) in adapter.limits() {
        if available < required {
            *text += &format!("       the limit {name} is too low: {required} are needed, the GPU has {available}\n");
        }
        limits.push(json!({ "name": name, "available": available, "required": required }));
    }
    json!({
        "name": adapter.name(),
        "kind": adapter.kind(),
        "driver": adapter.driver(),
        "software": adapter.is_software(),
        "error": error,
        "limits": limits,
    })
}

#[cfg(not(feature = "gpu"))]
fn gpus(text: &mut String) -> Vec<Value> {
    *text += "this build does not support GPUs; for GPU support: cargo install --path . --features cli,gpu\n";
    Vec::new()
}
