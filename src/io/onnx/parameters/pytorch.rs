//! What PyTorch's exporter (`torch.onnx.export(..., dynamo=True)`) writes into a file about where it came from.
//!
//! - `value_info` of a tensor says whether it is a parameter, a buffer or a constant of the module.
//! - The graph's metadata hold the signature of the exported program: a line for each of these,
//!   `p_l_weight: PARAMETER target='l.weight'`.
//! - Every node says which call it comes from: `%h : [...] = call_function[target=torch.ops.aten.NAME.default](args =
//!   (%x, %p_l_weight, 0), ...)`.
//!
//! The last two show what the exporter's optimiser did: a parameter that a call takes and the file lacks was folded into
//! another tensor, merged with an equal one, or left out.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::io::onnx::proto::{GraphProto, NodeProto, entry};

const KIND: &str = "pkg.torch.export.graph_signature.InputSpec.kind";
const SIGNATURE: &str = "pkg.torch.export.ExportedProgram.graph_signature";
const CALL: &str = "pkg.torch.onnx.fx_node";
const FOLDED: &str = "pkg.onnxscript.optimizer.folded_from";
const RULE: &str = "pkg.onnxscript.rewriter.rule_name";
const REMEDY: &str = "export with torch.onnx.export(..., dynamo=True, optimize=False)";

/// What a tensor is in the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Parameter,
    Buffer,
    Constant,
}

impl Kind {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "PARAMETER" => Some(Kind::Parameter),
            "BUFFER" => Some(Kind::Buffer),
            "CONSTANT_TENSOR" => Some(Kind::Constant),
            _ => None,
        }
    }
}

/// The signature of the exported program.
pub struct Signature<'a> {
    kinds: HashMap<&'a str, Kind>,
    /// What calls name a parameter by, and its name: `p_l_weight`, `l.weight`.
    placeholders: HashMap<&'a str, &'a str>,
    /// What a tensor was folded from.
    folded: HashMap<&'a str, &'a str>,
}

impl<'a> Signature<'a> {
    /// `None` if the file does not come from this exporter.
    pub fn read(graph: &'a GraphProto) -> Option<Self> {
        let mut signature = Signature { kinds: HashMap::new(), placeholders: HashMap::new(), folded: HashMap::new() };
        for line in entry(&graph.metadata_props, SIGNATURE).unwrap_or_default().lines() {
            let Some((placeholder, rest)) = line.trim().split_once(": ") else { continue };
            let Some((word, rest)) = rest.split_once(" target='") else { continue };
            let (Some(kind), Some((target, _))) = (Kind::parse(word), rest.split_once('\'')) else { continue };
            signature.kinds.insert(target, kind);
            if kind == Kind::Parameter {
                signature.placeholders.insert(placeholder, target);
            }
        }
        for info in &graph.value_info {
            if let Some(kind) = entry(&info.metadata_props, KIND).and_then(Kind::parse) {
                signature.kinds.insert(&info.name, kind);
            }
            if let Some(names) = entry(&info.metadata_props, FOLDED) {
                signature.folded.insert(&info.name, names);
            }
        }
        (!signature.kinds.is_empty()).then_some(signature)
    }

    /// What the tensor `name` is in the module.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.kinds.get(name).copied()
    }

    /// Whether the exporter computed the tensor from parameters.
    pub fn is_folded(&self, name: &str) -> bool {
        let weight = name.strip_suffix("_bias").is_some_and(|weight| self.kind(weight) == Some(Kind::Parameter));
        weight || self.folded.get(name).is_some_and(|list| quoted(list).any(|part| self.is_parameter(part)))
    }

    fn is_parameter(&self, name: &str) -> bool {
        self.kind(name) == Some(Kind::Parameter) || self.placeholders.contains_key(name)
    }
}

/// The names in a list such as `['a', 'b']`.
fn quoted(list: &str) -> impl Iterator<Item = &str> {
    list.split('\'').skip(1).step_by(2)
}

/// The call that a node comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TorchCall<'a> {
    /// Such as `aten.embedding.default`.
    pub target: &'a str,
    args: &'a str,
}

impl<'a> TorchCall<'a> {
    /// The call that `node` comes from, if the file says it.
    pub fn read(node: &'a NodeProto) -> Option<Self> {
        let text = entry(&node.metadata_props, CALL)?;
        let (target, rest) = text.split_once("[target=torch.ops.")?.1.split_once(']')?;
        let args = rest.split_once("(args = (").map_or("", |(_, args)| args);
        Some(TorchCall { target, args: args.split_once("), kwargs").map_or(args, |(args, _)| args) })
    }

    /// Argument `k` as it is written.
    pub fn argument(&self, k: usize) -> Option<&'a str> {
        self.args.split(',').nth(k).map(str::trim).filter(|text| !text.is_empty())
    }

    /// The values that it takes, without the percent sign.
    fn names(&self) -> impl Iterator<Item = &'a str> {
        let end = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        self.args.split('%').skip(1).map(move |text| &text[..end(text)])
    }
}

/// What the exporter's optimiser did to parameters and gradients, as warnings. Only `needed` values count.
pub fn optimised(graph: &GraphProto, needed: &HashSet<&str>) -> Vec<String> {
    let Some(signature) = Signature::read(graph) else { return Vec::new() };
    let held: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let given: HashSet<&str> = graph.node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    let mut lost: BTreeSet<&str> = BTreeSet::new();
    let mut stopped = false;
    let mut folded = false;
    for node in graph.node.iter().filter(|node| node.output.iter().any(|name| needed.contains(name.as_str()))) {
        folded |= entry(&node.metadata_props, RULE).is_some_and(|rules| rules.contains("FuseBatchNorm"));
        for name in TorchCall::read(node).iter().flat_map(TorchCall::names) {
            lost.extend(signature.placeholders.get(name).filter(|target| !held.contains(*target)));
            stopped |= is_detached(name) && !given.contains(name);
        }
    }
    let copies: Vec<&str> =
        held.iter().copied().filter(|name| needed.contains(name) && signature.is_folded(name)).collect();
    let mut warnings = Vec::new();
    if !lost.is_empty() {
        let names = lost.into_iter().collect::<Vec<_>>().join(", ");
        warnings.push(format!(
            "the exporter's optimiser folded, merged or left out the parameters {names}, so the kernel is another network's; \
             {REMEDY}"
        ));
    } else if folded {
        warnings.push(format!("the exporter folded a batch norm, so the kernel is another network's; {REMEDY}"));
    } else if !copies.is_empty() {
        warnings.push(format!(
            "the exporter's optimiser made {} of parameters, which counts as a parameter of its own; {REMEDY}",
            copies.join(", ")
        ));
    }
    if stopped {
        warnings.push(format!(
            "the network stops gradients (detach), but the exporter's optimiser removed the node that does; {REMEDY}"
        ));
    }
    warnings
}

/// Whether a value of the exported program is the result of `detach`.
fn is_detached(name: &str) -> bool {
    let rest = name.strip_prefix("detach");
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.strip_prefix('_').is_some_and(|k| k.bytes().all(|c| c.is_ascii_digit()))
    })
}
