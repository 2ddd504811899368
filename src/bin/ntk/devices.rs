//! `ntk devices`

use serde_json::{Value, json};
use tangent_kernels::Result;

use crate::Answer;

pub fn run() -> Result<Answer> {
    let threads = rayon::current_num_threads();
    let mut text = format!("cpu    {threads} threads, f32 and f64\n");
    let cards = cards(&mut text);
    Ok(Answer { text, json: json!({ "cpu": { "threads": threads }, "cards": cards }), good: true })
}

#[cfg(feature = "gpu")]
fn cards(text: &mut String) -> Vec<Value> {
    use tangent_kernels::Gpu;
    use tangent_kernels::backend::gpu::Adapter;
    let adapters = Adapter::all();
    if adapters.is_empty() {
        *text += "no graphics device, or no driver for one (on Debian mesa-vulkan-drivers has one of software, too)\n";
    }
    let card = |adapter: &Adapter| {
        let error = Gpu::on(adapter).err().map(|error| error.to_string());
        *text += &format!("{}    {}, {}, f32\n", adapter.name(), adapter.kind(), adapter.driver());
        if let Some(error) = &error {
            *text += &format!("       cannot be used: {error}\n");
        }
        let limits = adapter.limits();
        let short = limits.iter().filter(|(_, has, needs)| has < needs);
        for (name, has, needs) in short {
            *text += &format!("       {name}: {has}, of which {needs} are needed\n");
        }
        json!({
            "name": adapter.name(),
            "kind": adapter.kind(),
            "driver": adapter.driver(),
            "software": adapter.is_software(),
            "error": error,
            "limits": limits.iter().map(|(name, has, needs)| json!({ "name": name, "has": has, "needed": needs }))
                .collect::<Vec<_>>(),
        })
    };
    adapters.iter().map(card).collect()
}

#[cfg(not(feature = "gpu"))]
fn cards(text: &mut String) -> Vec<Value> {
    *text += "this build has no graphics devices: cargo install --path . --features cli,gpu\n";
    Vec::new()
}
