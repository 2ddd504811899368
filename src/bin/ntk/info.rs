//! `ntk info`

use serde_json::{Value, json};
use tangent_kernels::Result;
use tangent_kernels::io::onnx::{Built, Network, Port};

use crate::Answer;
use crate::arguments::Info;
use crate::inputs::network;

pub fn run(options: &Info) -> Result<Answer> {
    let mut network = network(&options.network)?;
    for (name, shape) in &options.shapes {
        network = network.sample_shape(name, shape)?;
    }
    let built = network.build();
    let name = options.network.network.display();
    let mut text = format!("{name}: op set {}", network.opset());
    if !network.producer().is_empty() {
        text += &format!(", written by {}", network.producer());
    }
    text += "\n\ninputs, for one sample\n";
    text += &ports(network.inputs());
    text += "\noutputs, for one sample\n";
    text += &ports(&network.outputs());
    text += &ops(&network);
    let why = built.as_ref().err().map(ToString::to_string);
    let open = network.inputs().iter().any(|port| port.shape.as_ref().is_none_or(|shape| shape.contains(&None)));
    match &built {
        Ok(built) => text += &parameters(built),
        Err(_) if open => {
            text += "\nsizes marked ? are open: --shape NAME=SIZES tells them here, other commands take them from the samples\n";
        }
        Err(error) => text += &format!("\nthis network cannot be built: {error}\n"),
    }
    let json = json!({
        "network": name.to_string(),
        "op_set": network.opset(),
        "producer": network.producer(),
        "inputs": network.inputs().iter().map(port).collect::<Vec<_>>(),
        "outputs": network.outputs().iter().map(port).collect::<Vec<_>>(),
        "ops": network.ops().iter().map(|(name, count, why)| json!({ "op": name, "count": count, "unsupported": why }))
            .collect::<Vec<_>>(),
        "error": why,
        "built": built.as_ref().ok().map(described),
    });
    Ok(Answer { text, json, good: built.is_ok() || open })
}

fn ports(ports: &[Port]) -> String {
    ports.iter().map(|port| format!("  {:<24} {}\n", port.name, port.described())).collect()
}

fn port(port: &Port) -> Value {
    json!({ "name": port.name, "shape": port.shape })
}

fn ops(network: &Network) -> String {
    let list = network.ops();
    let known = list.iter().filter(|(.., why)| why.is_none()).map(|(name, count, _)| match count {
        1 => name.clone(),
        count => format!("{name} x {count}"),
    });
    let mut text = format!("\nops: {}\n", known.collect::<Vec<_>>().join(", "));
    for (name, count, why) in list.iter().filter_map(|(name, count, why)| Some((name, count, why.as_ref()?))) {
        text += &format!("  not supported: {name} x {count}: {why}\n");
    }
    text
}

fn parameters(built: &Built) -> String {
    let model = &built.model;
    let list = model.parameters();
    let width = list.iter().map(|info| info.name.len()).max().unwrap_or(0).max(9);
    let mut text = format!("\n{:<width$}  {:>12}  shape\n", "parameter", "entries");
    let mut layer = None;
    for info in list {
        // What stands before the last dot is the layer.
        let own = info.name.rsplit_once('.').map(|(layer, _)| layer);
        if layer.is_some() && own != layer {
            text += "\n";
        }
        layer = own;
        let entries: usize = info.shape.iter().product();
        text += &format!("{:<width$}  {entries:>12}  {:?}\n", info.name, info.shape);
    }
    text += &format!("\n{:<width$}  {:>12}  in {} parameters\n", "total", model.parameter_count(), list.len());
    let fixed: usize = model.buffers().iter().map(|info| info.shape.iter().product::<usize>()).sum();
    text += &format!(
        "{:<width$}  {fixed:>12}  in {} constants, which the kernel has no part of\n",
        "",
        model.buffers().len()
    );
    let outputs = built.outputs.iter().map(|(name, shape)| format!("{name} {shape:?}"));
    text += &format!("\nC = {} outputs: {}\n", model.outputs(), outputs.collect::<Vec<_>>().join(", then "));
    for warning in &built.warnings {
        text += &format!("\nwarning: {warning}\n");
    }
    text
}

fn described(built: &Built) -> Value {
    let infos = |list: &[tangent_kernels::ParameterInfo]| {
        list.iter().map(|info| json!({ "name": info.name, "shape": info.shape })).collect::<Vec<_>>()
    };
    json!({
        "parameters": infos(built.model.parameters()),
        "constants": infos(built.model.buffers()),
        "parameter_count": built.model.parameter_count(),
        "outputs": built.model.outputs(),
        "outputs": built.outputs.iter().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect::<Vec<_>>(),
        "warnings": built.warnings,
    })
}
