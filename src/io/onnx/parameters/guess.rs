//! The rule for files that do not say which of their tensors are parameters: by the ops that take them.
//!
//! Weights and biases of layers are parameters. So is what is added to, multiplied with or joined to values, with the
//! exceptions below, which are guesses: each says so, and the caller can decide otherwise.

use std::collections::{HashMap, HashSet};

use super::Decision;
use crate::io::onnx::proto::{GraphProto, NodeProto};

/// How many ops between a tensor and its layer are looked through.
const DEEPEST: usize = 64;

/// How a tensor is combined with the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// As a weight or bias of a layer.
    Layer,
    /// As a square matrix on the left of the samples, like the adjacency matrix of a graph.
    SquareOnTheLeft,
    /// As the factor of a weight.
    WeightFactor,
    /// As a running mean or variance.
    Statistic,
    /// As a setting: a bound, a padding, an epsilon, something that values are compared with.
    Setting,
    /// As what a product is added to: a bias.
    Bias,
    /// As what is added to something else.
    Added,
    /// As what is subtracted from an input of the network, or multiplied with it: a normalisation.
    OnInput,
    /// As what is added to an input of the network: positions, or a shift.
    AddedToInput,
    /// As what is added to the arguments of a softmax: a mask.
    OnScores,
    /// As what the samples are subtracted from.
    Minuend,
    /// As a factor, exponent, alternative or neighbour of values.
    Other,
}

/// How the names of a graph are used.
pub struct Uses<'a> {
    consumers: HashMap<&'a str, Vec<(&'a NodeProto, usize)>>,
    producers: HashMap<&'a str, &'a NodeProto>,
    /// Names that depend on a sample.
    sampled: HashSet<&'a str>,
    inputs: HashSet<&'a str>,
    shapes: HashMap<&'a str, &'a [i64]>,
    /// PyTorch's older exporter wrote the file: its plain numbers are Constant nodes.
    legacy_pytorch: bool,
}

impl<'a> Uses<'a> {
    pub fn new(graph: &'a GraphProto, legacy_pytorch: bool) -> Self {
        let held: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        let inputs: HashSet<&str> =
            graph.input.iter().map(|input| input.name.as_str()).filter(|name| !held.contains(name)).collect();
        let mut uses = Uses {
            consumers: HashMap::new(),
            producers: HashMap::new(),
            sampled: inputs.clone(),
            inputs,
            shapes: HashMap::new(),
            legacy_pytorch,
        };
        uses.add(graph);
        uses
    }

    fn add(&mut self, graph: &'a GraphProto) {
        self.shapes.extend(graph.initializer.iter().map(|tensor| (tensor.name.as_str(), &tensor.dims[..])));
        for node in &graph.node {
            for (k, name) in node.input.iter().enumerate() {
                self.consumers.entry(name).or_default().push((node, k));
            }
            for inner in node.attribute.iter().filter_map(|attribute| attribute.g.as_deref()) {
                // Inputs of a loop's body may depend on samples.
                self.sampled.extend(inner.input.iter().map(|input| input.name.as_str()));
                self.add(inner);
            }
            let inner = node.attribute.iter().filter_map(|attribute| attribute.g.as_deref()).flat_map(|g| &g.output);
            let mut taken = node.input.iter().map(String::as_str).chain(inner.map(|output| output.name.as_str()));
            let known = matches!(&node.op_type[..], "Shape" | "Size");
            let sampled = !known && taken.any(|name| self.sampled.contains(name));
            for name in &node.output {
                self.producers.insert(name, node);
                if sampled {
                    self.sampled.insert(name);
                }
            }
        }
    }

    /// What the tensor `name` is likely to be.
    pub fn guess(&self, name: &str, shape: &[usize]) -> Decision {
        let mut uses = Vec::new();
        let single = shape.iter().product::<usize>() == 1;
        self.follow(name, shape, single, 0, &mut uses);
        let any = |list: &[Use]| uses.iter().any(|found| list.contains(found));
        if uses.is_empty() {
            return Decision::known(false, "it is not combined with samples");
        }
        if !any(&[Use::Layer]) && uses.iter().all(|found| *found == Use::Statistic) {
            return Decision::known(false, "running statistics");
        }
        if uses.iter().all(|found| *found == Use::Setting) {
            return Decision::known(false, "a setting of an op");
        }
        if let Some(reason) = self.buffer_name(name) {
            return Decision::doubtful(false, reason);
        }
        if any(&[Use::Layer]) || (any(&[Use::Bias]) && !is_number(name)) {
            return Decision::known(true, "a weight or bias of a layer");
        }
        if is_exporters(name) {
            return Decision::known(false, "a number without a name of its own");
        }
        match (single, self.legacy_pytorch) {
            (true, true) => Decision::known(true, "named by PyTorch, whose plain numbers are Constant nodes"),
            (true, false) => single_number(name, &uses),
            (false, _) => self.several_numbers(&uses),
        }
    }

    fn several_numbers(&self, uses: &[Use]) -> Decision {
        let all = |kind: Use| uses.iter().all(|found| *found == kind);
        if all(Use::SquareOnTheLeft) {
            Decision::doubtful(false, "a square matrix on the left of the samples, like an adjacency matrix")
        } else if all(Use::OnInput) {
            Decision::doubtful(false, "it is combined with an input of the network itself, like a normalisation")
        } else if all(Use::AddedToInput) {
            Decision::doubtful(true, "it is added to an input of the network itself, like positions or a shift")
        } else if all(Use::OnScores) {
            Decision::doubtful(false, "it is added to the arguments of a softmax, like a mask")
        } else if uses.contains(&Use::Added) || self.legacy_pytorch {
            Decision::known(true, "it is combined with the samples")
        } else {
            Decision::doubtful(true, "it is combined with the samples, but is not the weight or bias of a layer")
        }
    }

    /// How a tensor of these entries is combined with the samples, through ops on constants.
    fn follow(&self, name: &str, shape: &[usize], single: bool, depth: usize, uses: &mut Vec<Use>) {
        if depth > DEEPEST {
            return;
        }
        for &(node, k) in self.consumers.get(name).into_iter().flatten() {
            let branches = node.attribute.iter().any(|attribute| attribute.g.is_some());
            let sampled = node.output.iter().any(|name| self.sampled.contains(name.as_str()));
            if sampled || branches {
                uses.push(self.use_of(node, k, name, shape));
            } else if single && matches!(&node.op_type[..], "Mul" | "Div" | "Pow" | "Add" | "Sub") {
                uses.push(if self.guards(node) { Use::Setting } else { Use::WeightFactor });
            } else if k == 0 || !takes_setting(&node.op_type, k) {
                node.output.iter().for_each(|output| self.follow(output, &[], single, depth + 1, uses));
            }
        }
    }

    fn use_of(&self, node: &NodeProto, k: usize, name: &str, shape: &[usize]) -> Use {
        let square = matches!(shape, [rows, cols] if rows == cols) || self.is_square(name);
        match (&node.op_type[..], k) {
            ("BatchNormalization", 3 | 4) => Use::Statistic,
            ("MatMul", 0) if square => Use::SquareOnTheLeft,
            ("InstanceNormalization", 1 | 2) if self.normalises_groups(node) => Use::Setting,
            (op, k) if takes_setting(op, k) => Use::Setting,
            ("Add" | "Sum" | "Sub" | "Mul" | "Div", _) => self.arithmetic(node, k, name, shape),
            ("Pow" | "Where" | "Max" | "Min" | "Mean" | "Concat" | "Expand" | "Mod" | "ScatterND", _) => Use::Other,
            ("ScatterElements" | "If" | "Loop" | "Scan" | "Identity" | "Cast", _) => Use::Other,
            _ => Use::Layer,
        }
    }

    fn arithmetic(&self, node: &NodeProto, k: usize, name: &str, shape: &[usize]) -> Use {
        let other = node.input.iter().map(String::as_str).find(|input| *input != name).unwrap_or_default();
        let additive = matches!(&node.op_type[..], "Add" | "Sum");
        if node.op_type == "Sub" && k == 0 {
            Use::Minuend
        } else if self.guards(node) {
            Use::Setting
        } else if self.inputs.contains(self.origin(other)) {
            if additive { Use::AddedToInput } else { Use::OnInput }
        } else if self.is_scaled_input(other) {
            Use::OnInput
        } else if additive && self.is_product(other) {
            Use::Bias
        } else if additive && is_plane(shape) && self.reaches_softmax(node, 0) {
            Use::OnScores
        } else if additive || node.op_type == "Sub" {
            Use::Added
        } else {
            Use::Other
        }
    }

    /// Whether a norm of instances is part of a norm of groups, which has its weight after a change of shape.
    fn normalises_groups(&self, node: &NodeProto) -> bool {
        let only = |node: &NodeProto| match self.consumers.get(node.output.first()?.as_str())?[..] {
            [(user, _)] => Some(user),
            _ => None,
        };
        let reshape = only(node).filter(|node| node.op_type == "Reshape");
        let product = reshape.and_then(only).filter(|node| node.op_type == "Mul");
        product.is_some_and(|node| node.input.iter().any(|name| !self.sampled.contains(name.as_str())))
    }

    /// Whether the sum of a node only keeps a root, a logarithm or a denominator away from zero.
    fn guards(&self, node: &NodeProto) -> bool {
        let users = node.output.first().and_then(|output| self.consumers.get(output.as_str()));
        let guarded = |user: &(&NodeProto, usize)| match &user.0.op_type[..] {
            "Sqrt" | "Log" | "Reciprocal" => true,
            "Pow" => user.1 == 0,
            "Div" => user.1 == 1,
            _ => false,
        };
        node.op_type == "Add" && users.is_some_and(|users| users.iter().all(guarded))
    }

    /// The name behind ops that only rearrange entries.
    fn origin<'n>(&'n self, name: &'n str) -> &'n str {
        let mut name = name;
        for _ in 0..DEEPEST {
            match self.producers.get(name) {
                Some(node) if lays_out(&node.op_type) && !node.input.is_empty() => name = &node.input[0],
                _ => break,
            }
        }
        name
    }

    /// Whether a value is an input of the network multiplied with, divided by or reduced by a constant: the first half
    /// of a normalisation.
    fn is_scaled_input(&self, name: &str) -> bool {
        let Some(node) = self.producers.get(self.origin(name)) else { return false };
        let scales = matches!(&node.op_type[..], "Mul" | "Div" | "Sub");
        let from_input = node.input.iter().any(|input| self.inputs.contains(self.origin(input)));
        let constant = node.input.iter().any(|input| !self.sampled.contains(input.as_str()));
        scales && from_input && constant
    }

    fn is_product(&self, name: &str) -> bool {
        let node = self.producers.get(self.origin(name));
        node.is_some_and(|node| matches!(&node.op_type[..], "MatMul" | "Gemm" | "Conv" | "ConvTranspose" | "Einsum"))
    }

    fn is_square(&self, name: &str) -> bool {
        matches!(self.shapes.get(name), Some([rows, cols]) if rows == cols)
    }

    fn reaches_softmax(&self, node: &NodeProto, depth: usize) -> bool {
        let users = node.output.iter().filter_map(|output| self.consumers.get(output.as_str())).flatten();
        users.into_iter().any(|(user, _)| match &user.op_type[..] {
            "Softmax" => true,
            "Add" | "Mul" | "Div" | "Where" | "Cast" | "Reshape" | "Max" | "Clip" if depth < 6 => {
                self.reaches_softmax(user, depth + 1)
            }
            _ => false,
        })
    }

    /// Why the name of a tensor is a buffer's.
    fn buffer_name(&self, name: &str) -> Option<&'static str> {
        let last = name.rsplit(['.', '/']).next().unwrap_or(name);
        let sibling =
            |other: &str| self.shapes.contains_key(format!("{}{other}", &name[..name.len() - last.len()]).as_str());
        let spectral = matches!(last, "weight_u" | "weight_v") && sibling("weight_orig");
        match last {
            "_u" | "_v" => Some("named like the buffers of a spectral norm"),
            _ if spectral => Some("named like the buffers of a spectral norm"),
            "inv_freq" => Some("named like the frequencies of rotary positions"),
            _ if last.to_lowercase().contains("mask") => Some("it is called a mask"),
            _ => None,
        }
    }
}

/// One number combined with samples, in a file whose plain numbers are initialisers too.
fn single_number(name: &str, uses: &[Use]) -> Decision {
    let any = |kind: Use| uses.contains(&kind);
    if any(Use::Bias) {
        return Decision::known(true, "a bias");
    }
    if any(Use::Added) || any(Use::AddedToInput) {
        return Decision::doubtful(true, "one number that is added, like a bias");
    }
    if is_number(name) || uses.iter().all(|found| matches!(found, Use::Minuend | Use::Setting)) {
        return Decision::known(false, "a plain number");
    }
    Decision::doubtful(false, "one number, which may be a plain one or a learned factor")
}

/// Whether input `k` of an op is a setting.
fn takes_setting(op: &str, k: usize) -> bool {
    match op {
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "Range" | "ConstantOfShape" => true,
        "Clip" | "Pad" | "Resize" | "Upsample" | "Dropout" | "OneHot" | "TopK" | "CumSum" | "Slice" | "Tile" => k > 0,
        "QuantizeLinear" | "DequantizeLinear" | "Gather" | "GatherElements" | "GatherND" | "Reshape" | "Expand" => {
            k > 0
        }
        "Unsqueeze" | "Squeeze" | "Split" | "Trilu" | "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin" => k > 0,
        // The weights of the classes.
        "NegativeLogLikelihoodLoss" | "SoftmaxCrossEntropyLoss" => k > 1,
        "GridSample" | "AffineGrid" | "DFT" | "STFT" | "RotaryEmbedding" => k > 0,
        _ if op.starts_with("QLinear") || op == "QGemm" => !quantised_inputs(op).contains(&k),
        _ => false,
    }
}

/// The inputs of an op that are quantised values; scales and zero points are others.
pub(super) fn quantised_inputs(op: &str) -> &'static [usize] {
    match op {
        "DequantizeLinear" => &[0],
        "QLinearConv" => &[0, 3, 8],
        "QGemm" => &[0, 3, 6],
        "QLinearMatMul" | "QLinearAdd" | "QLinearMul" => &[0, 3],
        _ if op.starts_with("QLinear") => &[0],
        _ => &[],
    }
}

/// Whether an op only rearranges entries.
fn lays_out(op: &str) -> bool {
    matches!(op, "Identity" | "Cast" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose")
}

/// A stack of matrices, or one.
fn is_plane(shape: &[usize]) -> bool {
    matches!(shape, [.., rows, cols] if rows == cols && *rows > 1)
}

/// Whether a name is one that an exporter makes up for its own numbers.
fn is_exporters(name: &str) -> bool {
    super::super::weights::is_unnamed(name) && !name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name looks like one that an exporter gives to plain numbers.
fn is_number(name: &str) -> bool {
    name.contains("const") || name.contains("Const")
}
