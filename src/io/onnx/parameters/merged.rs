//! Tensors that an exporter may have merged because their values are equal.

use std::collections::{BTreeMap, HashSet};

use crate::io::onnx::call::node_name;
use crate::io::onnx::proto::{GraphProto, NodeProto};

/// A tensor as the bias of a layer, or as the weight or bias of a norm.
struct Role<'a> {
    node: &'a NodeProto,
    /// The weight of the same layer; a norm has none that would be another's.
    weight: &'a str,
}

/// One warning for every tensor that is the bias of layers with different weights, or belongs to several norms. If those
/// are parameters of equal values, as zero biases are before training, the exporter made them one.
pub(in crate::io::onnx) fn merged(graph: &GraphProto, needed: &HashSet<&str>) -> Vec<String> {
    let held: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let mut roles: BTreeMap<&str, Vec<Role<'_>>> = BTreeMap::new();
    for node in graph.node.iter().filter(|node| node.output.iter().any(|name| needed.contains(name.as_str()))) {
        for k in places(&node.op_type) {
            let Some(name) = node.input.get(*k).filter(|name| held.contains(name.as_str())) else { continue };
            let weight = node.input.get(1).filter(|_| *k == 2 && !is_norm(&node.op_type));
            let weight = weight.map_or(node_name(node), String::as_str);
            roles.entry(name).or_default().push(Role { node, weight });
        }
    }
    let shared = roles.iter().filter_map(|(name, roles)| {
        let first = roles.first()?;
        let other = roles.iter().find(|role| role.weight != first.weight)?;
        Some(format!(
            "tensor '{name}' belongs to '{}' and '{}': if they are two parameters of equal values, the exporter made them one; \
             change their values, or train, before exporting",
            node_name(first.node),
            node_name(other.node)
        ))
    });
    shared.collect()
}

/// The inputs of an op that are looked at.
fn places(op: &str) -> &'static [usize] {
    match op {
        "Gemm" | "Conv" | "ConvTranspose" => &[2],
        _ if is_norm(op) => &[1, 2],
        _ => &[],
    }
}

fn is_norm(op: &str) -> bool {
    op.ends_with("Normalization") && !matches!(op, "LpNormalization" | "MeanVarianceNormalization")
}
