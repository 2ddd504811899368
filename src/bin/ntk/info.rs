//! `ntk info`

use serde_json::{Value, json};
use tangent_kernels::io::onnx::{Built, Network, Port, Tensor};
use tangent_kernels::{ParameterInfo, Result};

use crate::Answer;
use crate::arguments::Info;
use crate::inputs::network;
use crate::terminal::escape_name;

pub fn run(options: &Info) -> Result<Answer> {
    let mut network = network(&options.network)?;
    for (name, shape) in &options.shapes {
        network = network.sample_shape(name, shape)?;
    }
    let built = network.build();
    let name = options.network.network.display();
    let mut text = format!("{name}: op set {}", network.opset());
    if !network.producer().is_empty() {
        text += &format!(", written by {}", escape_name(network.producer()));
    }
    text += "\n\ninputs, for one sample\n";
    text += &ports(network.inputs());
    text += "\noutputs, for one sample\n";
    text += &ports(&network.outputs());
    text += &ops(&network);
    let error = built.as_ref().err().map(ToString::to_string);
    let has_open_sizes = network.inputs().iter().any(has_open_size);
    match &built {
        Ok(built) => text += &parameters(built),
        Err(_) if has_open_sizes => {
            text += "\nthe file leaves sizes marked ? open: set them with --shape NAME=SIZES (other commands take them \
                     from the samples)\n";
        }
        Err(error) => text += &format!("\nthis network cannot be built: {error}\n"),
    }
    let json = json!({
        "network": name.to_string(),
        "op_set": network.opset(),
        "producer": network.producer(),
        "inputs": network.inputs().iter().map(port_json).collect::<Vec<_>>(),
        "outputs": network.outputs().iter().map(port_json).collect::<Vec<_>>(),
        "ops": network.ops().iter()
            .map(|(name, count, unsupported)| json!({ "op": name, "count": count, "unsupported": unsupported }))
            .collect::<Vec<_>>(),
        "error": error,
        "built": built.as_ref().ok().map(built_json),
    });
    Ok(Answer { text, json, good: built.is_ok() || has_open_sizes })
}

fn has_open_size(port: &Port) -> bool {
    port.shape.as_ref().is_none_or(|shape| shape.contains(&None))
}

fn ports(ports: &[Port]) -> String {
    ports.iter().map(|port| format!("  {:<24} {}\n", escape_name(&port.name), port.described())).collect()
}

fn port_json(port: &Port) -> Value {
    json!({ "name": port.name, "shape": port.shape })
}

fn ops(network: &Network) -> String {
    let mut supported = Vec::new();
    let mut unsupported = String::new();
    for (name, count, reason) in network.ops() {
        let name = escape_name(&name);
        let counted = if count == 1 { name } else { format!("{name} x {count}") };
        match reason {
            None => supported.push(counted),
            Some(reason) => unsupported += &format!("  not supported: {counted}: {reason}\n"),
        }
    }
    format!("\nops: {}\n{unsupported}", supported.join(", "))
}

fn parameters(built: &Built) -> String {
    let model = &built.model;
    let list = model.parameters();
    let names: Vec<String> = list.iter().map(|info| escape_name(&info.name)).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(9);
    let mut text = format!("\n{:<width$}  {:>12}  shape\n", "parameter", "entries");
    let mut previous_layer = None;
    for (info, name) in list.iter().zip(&names) {
        // The layer's name is everything before the last dot.
        let layer = name.rsplit_once('.').map(|(layer, _)| layer);
        if previous_layer.is_some() && layer != previous_layer {
            text += "\n";
        }
        previous_layer = layer;
        text += &format!("{name:<width$}  {:>12}  {:?}\n", entries(info), info.shape);
    }
    text += &format!("\n{:<width$}  {:>12}  in {} parameters\n", "total", model.parameter_count(), list.len());
    let constants = model.buffers();
    let constant_entries: usize = constants.iter().map(entries).sum();
    text += &format!(
        "{:<width$}  {constant_entries:>12}  in {} constants, which are not part of the kernel\n",
        "",
        constants.len()
    );
    text += &tensors(built);
    let outputs: Vec<String> =
        built.outputs.iter().map(|(name, shape)| format!("{} {shape:?}", escape_name(name))).collect();
    text += &format!("\nC = {} outputs: {}\n", model.outputs(), outputs.join(", then "));
    for warning in &built.warnings {
        text += &format!("\nwarning: {warning}\n");
    }
    text
}

/// The tensors of the file, what they are taken for, and why.
fn tensors(built: &Built) -> String {
    let names: Vec<String> = built.tensors.iter().map(|tensor| escape_name(&tensor.name)).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(6);
    let mut text = format!("\n{:<width$}  {:<9}  reason\n", "tensor", "taken as");
    for (tensor, name) in built.tensors.iter().zip(&names) {
        let role = if tensor.trainable { "trainable" } else { "fixed" };
        let mark = if tensor.doubtful { "DOUBTFUL: " } else { "" };
        text += &format!("{name:<width$}  {role:<9}  {mark}{}\n", tensor.reason);
    }
    text += "\nA file does not show torch.no_grad() and requires_grad=False: use --fixed, --params-from or\n\
             examples/python/trainable.py for frozen parameters.\n";
    text
}

fn tensors_json(built: &Built) -> Vec<Value> {
    let json = |tensor: &Tensor| {
        json!({
            "name": tensor.name, "shape": tensor.shape, "trainable": tensor.trainable, "doubtful": tensor.doubtful,
            "reason": tensor.reason,
        })
    };
    built.tensors.iter().map(json).collect()
}

fn entries(info: &ParameterInfo) -> usize {
    info.shape.iter().product()
}

fn built_json(built: &Built) -> Value {
    json!({
        "parameters": infos_json(built.model.parameters()),
        "constants": infos_json(built.model.buffers()),
        "parameter_count": built.model.parameter_count(),
        "output_count": built.model.outputs(),
        "outputs": outputs_json(built),
        "tensors": tensors_json(built),
        "warnings": built.warnings,
    })
}

/// Name and shape of every parameter.
pub fn infos_json(infos: &[ParameterInfo]) -> Vec<Value> {
    infos.iter().map(|info| json!({ "name": info.name, "shape": info.shape })).collect()
}

/// Name and shape of every selected output.
pub fn outputs_json(built: &Built) -> Vec<Value> {
    built.outputs.iter().map(|(name, shape)| json!({ "name": name, "shape": shape })).collect()
}
