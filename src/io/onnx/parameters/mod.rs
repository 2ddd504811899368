//! Which tensors of a file are parameters of the network.
//!
//! This is decided here, for every tensor, before any node is read. The caller's lists come first, then what the file
//! says about its tensors, then a rule on how they are used ([`guess`]). A tensor that is a parameter in one place is
//! one everywhere, in any op and of any size. Its values have no influence.

mod guess;
mod merged;
pub(super) mod pytorch;

use std::collections::{HashMap, HashSet};

use super::proto::{GraphProto, NodeProto, TensorProto, entry};
use super::tensor::shape_of;
use crate::error::{Error, Result};
use crate::pattern::matches;
use guess::Uses;
pub(super) use merged::merged;
use pytorch::{Kind, Signature};

/// The key of the file's metadata under which `examples/python/trainable.py` lists the parameters, one a line.
pub(super) const METADATA_KEY: &str = "tangent_kernels.trainable";

/// What the caller says about the tensors of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice {
    /// Patterns of names that are parameters.
    pub trainable: Vec<String>,
    /// Patterns of names that are not; they count more.
    pub fixed: Vec<String>,
    /// The names of all parameters, if the caller lists them.
    pub listed: Option<Vec<String>>,
}

/// A tensor of the file and whether it is a parameter of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether it is a parameter; otherwise it is a constant.
    pub trainable: bool,
    /// How this is known.
    pub reason: String,
    /// Whether it is a guess that the caller should look at.
    pub doubtful: bool,
}

/// The decision for every tensor of floating point numbers.
pub(super) struct Parameters {
    tensors: Vec<Tensor>,
    places: HashMap<String, usize>,
    /// Whether it is known, for all of them, by the file or by the caller.
    pub known: bool,
}

/// A tensor that may be a parameter.
struct Candidate<'a> {
    name: &'a str,
    tensor: &'a TensorProto,
    /// Whether it is the value of a Constant node.
    constant: bool,
}

impl Parameters {
    /// # Errors
    /// A pattern matches no tensor, or none of the listed names is in the file.
    pub fn decide(graph: &GraphProto, metadata: Option<&str>, choice: &Choice, legacy_pytorch: bool) -> Result<Self> {
        let candidates = candidates(graph);
        let signature = Signature::read(graph);
        let uses = Uses::new(graph, legacy_pytorch);
        let only_constants = candidates.iter().all(|candidate| candidate.constant);
        choice.check(&candidates)?;
        let listed = choice.listed.as_deref().map(|list| list.iter().map(String::as_str).collect::<HashSet<_>>());
        let in_file = metadata.map(|text| text.lines().collect::<HashSet<_>>());
        let mut parameters =
            Parameters { tensors: Vec::new(), places: HashMap::new(), known: listed.is_some() || signature.is_some() };
        parameters.known |= in_file.is_some();
        for candidate in &candidates {
            let name = candidate.name;
            let shape = shape_of(candidate.tensor).unwrap_or_default();
            // Plain numbers in Constant nodes are not worth a line.
            if candidate.constant && shape.iter().product::<usize>() <= 1 && !only_constants {
                continue;
            }
            let decision = choice
                .named(candidate)
                .or_else(|| Some(Decision::known(listed.as_ref()?.contains(name), "by the caller's list")))
                .or_else(|| Some(Decision::known(in_file.as_ref()?.contains(name), "by the file's metadata")))
                .or_else(|| signature.as_ref().map(|signature| by_signature(signature, name)))
                .unwrap_or_else(|| {
                    if candidate.constant && !only_constants {
                        Decision::known(false, "a constant of a file that names its weights")
                    } else {
                        uses.guess(name, &shape)
                    }
                });
            parameters.places.insert(name.to_string(), parameters.tensors.len());
            parameters.tensors.push(Tensor {
                name: name.to_string(),
                shape,
                trainable: decision.trainable,
                reason: decision.reason.to_string(),
                doubtful: decision.doubtful,
            });
        }
        Ok(parameters)
    }

    /// Whether the tensor `name` is a parameter.
    pub fn is_trainable(&self, name: &str) -> bool {
        self.places.get(name).is_some_and(|&place| self.tensors[place].trainable)
    }

    /// The tensors among `needed`, in the file's order.
    pub fn into_tensors(self, needed: &HashSet<&str>) -> Vec<Tensor> {
        self.tensors.into_iter().filter(|tensor| needed.contains(tensor.name.as_str())).collect()
    }
}

/// One warning for all tensors whose place is a guess.
pub(super) fn doubts(tensors: &[Tensor]) -> Option<String> {
    const MOST: usize = 8;
    let doubtful: Vec<&Tensor> = tensors.iter().filter(|tensor| tensor.doubtful).collect();
    if doubtful.is_empty() {
        return None;
    }
    let named = |tensor: &&Tensor| {
        let role = if tensor.trainable { "a parameter" } else { "a constant" };
        format!("'{}' ({role}: {})", tensor.name, tensor.reason)
    };
    let mut list = doubtful.iter().take(MOST).map(named).collect::<Vec<_>>().join(", ");
    if doubtful.len() > MOST {
        list += &format!(" and {} more", doubtful.len() - MOST);
    }
    Some(format!(
        "the file does not say which of its tensors are parameters. Doubtful are {list}. `trainable` and `fixed` \
         (--trainable NAME, --fixed NAME) settle it"
    ))
}

/// A decision and its reason.
pub(super) struct Decision {
    pub trainable: bool,
    pub reason: &'static str,
    pub doubtful: bool,
}

impl Decision {
    pub fn known(trainable: bool, reason: &'static str) -> Self {
        Decision { trainable, reason, doubtful: false }
    }

    pub fn doubtful(trainable: bool, reason: &'static str) -> Self {
        Decision { trainable, reason, doubtful: true }
    }
}

impl Choice {
    /// What the patterns say about a tensor.
    fn named(&self, candidate: &Candidate<'_>) -> Option<Decision> {
        let matches = |patterns: &[String]| patterns.iter().any(|pattern| candidate.matches(pattern));
        if matches(&self.fixed) {
            return Some(Decision::known(false, "fixed by the caller"));
        }
        matches(&self.trainable).then(|| Decision::known(true, "trainable by the caller"))
    }

    fn check(&self, candidates: &[Candidate<'_>]) -> Result<()> {
        let names = || {
            let names = candidates.iter().filter(|candidate| !candidate.constant).map(|candidate| candidate.name);
            names.collect::<Vec<_>>().join(", ")
        };
        for pattern in self.trainable.iter().chain(&self.fixed) {
            if !candidates.iter().any(|candidate| candidate.matches(pattern)) {
                return Err(Error::name(format!(
                    "no tensor of floating point numbers matches '{pattern}'; the file has {}",
                    names()
                )));
            }
        }
        match &self.listed {
            Some(list) if !list.iter().any(|name| candidates.iter().any(|candidate| candidate.name == name)) => {
                Err(Error::name(format!("none of the listed parameters is in the file, which has {}", names())))
            }
            _ => Ok(()),
        }
    }

    /// The listed names that the file lacks, as a warning.
    pub fn missing(&self, parameters: &Parameters) -> Option<String> {
        let missing: Vec<&str> = self
            .listed
            .iter()
            .flatten()
            .map(String::as_str)
            .filter(|name| !parameters.places.contains_key(*name))
            .collect();
        (!missing.is_empty()).then(|| {
            format!(
                "the file has no tensor called {}: unused parameters are fine, but a tied one needs its other name in the list",
                missing.join(", ")
            )
        })
    }
}

impl Candidate<'_> {
    /// A Constant node is only meant by its full name.
    fn matches(&self, pattern: &str) -> bool {
        self.name == pattern || (!self.constant && matches(pattern, self.name))
    }
}

fn by_signature(signature: &Signature<'_>, name: &str) -> Decision {
    match signature.kind(name) {
        Some(Kind::Parameter) => Decision::known(true, "a parameter of the PyTorch module"),
        Some(Kind::Buffer) => Decision::known(false, "a buffer of the PyTorch module"),
        Some(Kind::Constant) => Decision::known(false, "a constant of the PyTorch module"),
        None if signature.is_folded(name) => Decision::doubtful(true, "the exporter folded parameters into it"),
        None => Decision::known(false, "not a parameter of the PyTorch module"),
    }
}

/// Every tensor of floating point numbers, or of whole numbers that stand for such, in branches too, initialisers first.
fn candidates(graph: &GraphProto) -> Vec<Candidate<'_>> {
    let (mut list, mut constants) = (Vec::new(), Vec::new());
    collect(graph, &mut list, &mut constants);
    list.append(&mut constants);
    list
}

fn collect<'a>(graph: &'a GraphProto, list: &mut Vec<Candidate<'a>>, constants: &mut Vec<Candidate<'a>>) {
    let dequantised = dequantised(graph);
    let held = graph.initializer.iter().filter(|tensor| is_float(tensor) || dequantised.contains(tensor.name.as_str()));
    list.extend(held.map(|tensor| Candidate { name: &tensor.name, tensor, constant: false }));
    for node in &graph.node {
        let value = constant_value(node).filter(|tensor| is_float(tensor));
        if let (Some(tensor), Some(name)) = (value, node.output.first()) {
            constants.push(Candidate { name, tensor, constant: true });
        }
        node.attribute.iter().filter_map(|attribute| attribute.g.as_deref()).for_each(|g| collect(g, list, constants));
    }
}

/// The names that ops take as quantised values.
fn dequantised(graph: &GraphProto) -> HashSet<&str> {
    let inputs = |node: &'_ NodeProto| guess::quantised_inputs(&node.op_type);
    let names = graph.node.iter().flat_map(|node| inputs(node).iter().filter_map(|&k| node.input.get(k)));
    names.map(String::as_str).collect()
}

/// The tensor of a Constant node.
fn constant_value(node: &NodeProto) -> Option<&TensorProto> {
    let value = node.attribute.iter().find(|attribute| attribute.name == "value")?;
    value.t.as_deref().filter(|_| node.op_type == "Constant")
}

fn is_float(tensor: &TensorProto) -> bool {
    matches!(tensor.data_type, 1 | 10 | 11 | 16)
}

/// The value of our key in the metadata of a model.
pub(super) fn listed_in_file(entries: &[super::proto::Entry]) -> Option<&str> {
    entry(entries, METADATA_KEY)
}
