//! The layers of a plan: the uses of every parameter by structure, and the pairs of uses that share entries.

use crate::backend::{Count, Counted};
use crate::factor::InputOperand;
use crate::kernel::rows::selected_indices;
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;
use crate::shape::numel;
use crate::tape::{Swept, Use, View};

/// The structure of a use's factor, with its sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Structure {
    /// `a[n,g,t,i]` and `b[n,g,t,o]`
    Sides { g: usize, t: usize, i: usize, o: usize, swapped: bool },
    /// Row numbers `[n,t]` and `b[n,t,o]`.
    Ids { t: usize, o: usize, rows: usize },
    /// `b[n,t,o]`, summed over t.
    Sum { t: usize, o: usize },
    /// Rows that the op computes.
    Rows,
}

/// One use of a parameter that the output depends on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerUse {
    /// The index in the tape's uses.
    pub index: usize,
    pub node: usize,
    pub structure: Structure,
    /// True if the cotangent of the op's result is the seed itself.
    pub is_seed: bool,
    /// The factor between the parameter and the weight.
    pub factor: f64,
    /// True if the weight has the parameter's entries unchanged and in order.
    pub direct: bool,
}

/// An ordered pair of uses that share entries of their parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct UsePair {
    /// The indices in the layer's uses.
    pub uses: [usize; 2],
    /// True if one use has the transpose of the other's weight.
    pub transposed: bool,
}

/// A parameter and all its uses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    pub parameter: usize,
    /// p
    pub entries: usize,
    pub uses: Vec<LayerUse>,
    /// The pairs of uses that share entries; `None` if some of them can only be contracted as rows of the whole
    /// parameter.
    pub use_pairs: Option<Vec<UsePair>>,
}

/// The selected parameters that the output depends on, from a run and a sweep on shapes.
pub(crate) fn layers<R: Real, O: Op>(
    model: &Model<O>,
    arrays: &Count<R>,
    selected: &[bool],
    uses: &[Use<Count<R>>],
    swept: &Swept<Count<R>>,
) -> Vec<Layer> {
    let graph = model.graph();
    let views: Vec<Option<View>> = uses.iter().map(|tape_use| graph.view(tape_use.weight)).collect();
    let mut layers = Vec::new();
    for parameter in selected_indices(selected) {
        let mut only = vec![false; selected.len()];
        only[parameter] = true;
        let depends = graph.depending(&only);
        let indices: Vec<usize> =
            (0..uses.len()).filter(|&k| depends[uses[k].weight] && swept.rights[k].is_some()).collect();
        if indices.is_empty() {
            continue;
        }
        let entries = numel(&model.parameters()[parameter].shape);
        let mut layer_uses = Vec::new();
        for &index in &indices {
            let right = swept.rights[index].as_ref().expect("indices without a cotangent were filtered out");
            let structure = structure(arrays, &uses[index].left, right);
            layer_uses.push(layer_use(model, index, uses[index].node, structure, views[index].as_ref()));
        }
        let shapes: Vec<&[usize]> = indices.iter().map(|&k| graph.weight_shape(uses[k].weight)).collect();
        let layer_views: Option<Vec<&View>> = indices.iter().map(|&k| views[k].as_ref()).collect();
        let use_pairs = layer_views.and_then(|views| use_pairs(&layer_uses, &views, &shapes));
        layers.push(Layer { parameter, entries, uses: layer_uses, use_pairs });
    }
    layers
}

fn layer_use<O: Op>(
    model: &Model<O>,
    index: usize,
    node: usize,
    structure: Structure,
    view: Option<&View>,
) -> LayerUse {
    let is_vector = model.output_shape().len() == 1 && !matches!(structure, Structure::Rows | Structure::Ids { .. });
    LayerUse {
        index,
        node,
        structure,
        is_seed: is_vector && model.graph().result(node) == model.output(),
        factor: view.map_or(1.0, |view| view.factor),
        direct: view.is_some_and(|view| view.entries.is_none() && view.factor == 1.0),
    }
}

fn structure<R: Real>(arrays: &Count<R>, left: &InputOperand<Count<R>>, right: &Counted) -> Structure {
    use crate::backend::Storage;
    let s = arrays.shape(right);
    let last = if s.len() > 1 { s[s.len() - 1] } else { 1 };
    let between = if s.len() > 2 { numel(&s[1..s.len() - 1]) } else { 1 };
    let patch = |channels: usize, window: &crate::backend::Window| {
        channels / window.groups * window.kernel[0] * window.kernel[1]
    };
    match left {
        InputOperand::Features(a) => {
            Structure::Sides { g: 1, t: arrays.shape(a)[1], i: arrays.shape(a)[2], o: last, swapped: false }
        }
        InputOperand::Patches(x, window) => {
            let i = patch(arrays.shape(x)[1], window);
            Structure::Sides { g: window.groups, t: numel(&s[2..]), i, o: s[1] / window.groups, swapped: false }
        }
        InputOperand::Planes(x, window) => {
            let x = arrays.shape(x);
            let g = window.groups;
            let t = numel(&x[2..]);
            Structure::Sides { g, t, i: x[1] / g, o: patch(s[1], window), swapped: true }
        }
        InputOperand::Ids { rows, .. } => Structure::Ids { t: between, o: last, rows: *rows },
        InputOperand::Last => Structure::Sum { t: between, o: last },
        InputOperand::Channels => Structure::Sum { t: numel(&s[2..]), o: s[1] },
        InputOperand::Rows => Structure::Rows,
    }
}

/// The pairs of uses that share entries; `None` if a pair has no rule for its contraction.
fn use_pairs(uses: &[LayerUse], views: &[&View], shapes: &[&[usize]]) -> Option<Vec<UsePair>> {
    let mut pairs = Vec::new();
    for first in 0..uses.len() {
        for second in 0..uses.len() {
            let pair = [first, second];
            if views[first].entries == views[second].entries {
                if !same_structure(uses[first].structure, uses[second].structure) {
                    return None;
                }
                pairs.push(UsePair { uses: pair, transposed: false });
            } else if !disjoint(views[first], views[second]) {
                let vectors = pair
                    .iter()
                    .all(|&k| matches!(uses[k].structure, Structure::Sides { g: 1, t: 1, swapped: false, .. }));
                if !vectors || !is_transpose(views[first], shapes[first], views[second], shapes[second]) {
                    return None;
                }
                pairs.push(UsePair { uses: pair, transposed: true });
            }
        }
    }
    Some(pairs)
}

fn same_structure(first: Structure, second: Structure) -> bool {
    match (first, second) {
        (
            Structure::Sides { g, i, o, swapped, .. },
            Structure::Sides { g: g2, i: i2, o: o2, swapped: swapped2, .. },
        ) => (g, i, o, swapped) == (g2, i2, o2, swapped2),
        (Structure::Ids { .. }, Structure::Ids { .. }) => true,
        _ => false,
    }
}

/// True if the views share no entry.
fn disjoint(first: &View, second: &View) -> bool {
    let (Some(first), Some(second)) = (&first.entries, &second.entries) else { return false };
    let set: std::collections::HashSet<usize> = first.iter().copied().collect();
    second.iter().all(|entry| !set.contains(entry))
}

/// True if the first view, a matrix of shape `first_shape`, is the transpose of the second.
fn is_transpose(first: &View, first_shape: &[usize], second: &View, second_shape: &[usize]) -> bool {
    let (&[rows, cols], &[second_rows, second_cols]) = (first_shape, second_shape) else { return false };
    let entry = |view: &View, index: usize| view.entries.as_ref().map_or(index, |entries| entries[index]);
    rows == second_cols
        && cols == second_rows
        && (0..rows).all(|r| (0..cols).all(|c| entry(first, r * cols + c) == entry(second, c * second_cols + r)))
}
