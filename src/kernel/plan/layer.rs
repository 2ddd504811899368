//! What a plan knows of a parameter: its uses by form, and which of them meet.

use crate::backend::{Count, Counted};
use crate::factor::InputOperand;
use crate::model::Model;
use crate::ops::Op;
use crate::real::Real;
use crate::shape::numel;
use crate::tape::{Swept, Use, View};

/// The form of a use's factor, by sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Structure {
    /// a\[n,g,t,i\] and b\[n,g,t,o\]
    Sides { g: usize, t: usize, i: usize, o: usize, swapped: bool },
    /// Row numbers \[n,t\] and b\[n,t,o\].
    Ids { t: usize, o: usize, rows: usize },
    /// b\[n,t,o\] summed over t.
    Sum { t: usize, o: usize },
    /// Rows that the op gives.
    Rows,
}

/// One use of a parameter that the output depends on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LayerUse {
    /// Its index among the tape's uses.
    pub index: usize,
    pub node: usize,
    pub structure: Structure,
    /// The cotangent of the op's result is the seed itself.
    pub is_seed: bool,
    /// What the parameter was multiplied by on its way.
    pub factor: f64,
    /// The weight has the parameter's entries as they are and in their order.
    pub direct: bool,
}

/// An ordered pair of uses that share entries of their parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Meeting {
    /// Indices into the layer's uses.
    pub uses: [usize; 2],
    /// One sees the parameter transposed to the other.
    pub crossed: bool,
}

/// A parameter with all its uses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    pub parameter: usize,
    /// p
    pub entries: usize,
    pub uses: Vec<LayerUse>,
    /// The pairs of uses that meet; `None` where some of them only meet as rows of the whole parameter.
    pub meetings: Option<Vec<Meeting>>,
}

/// The parameters that are flagged and that the output depends on, from a run and a sweep that only counted.
pub(crate) fn layers<R: Real, O: Op>(
    model: &Model<O>,
    arrays: &Count<R>,
    wanted: &[bool],
    uses: &[Use<Count<R>>],
    swept: &Swept<Count<R>>,
) -> Vec<Layer> {
    let graph = model.graph();
    let views: Vec<Option<View>> = uses.iter().map(|one| graph.view(one.weight)).collect();
    let chosen = (0..wanted.len()).filter(|&parameter| wanted[parameter]);
    let mut layers = Vec::new();
    for parameter in chosen {
        let mut only = vec![false; wanted.len()];
        only[parameter] = true;
        let depends = graph.depending(&only);
        let own: Vec<usize> =
            (0..uses.len()).filter(|&k| depends[uses[k].weight] && swept.rights[k].is_some()).collect();
        if own.is_empty() {
            continue;
        }
        let entries = numel(&model.parameters()[parameter].shape);
        let list: Vec<LayerUse> = own
            .iter()
            .map(|&k| {
                let right = swept.rights[k].as_ref().expect("it was asked above");
                let node = uses[k].node;
                let structure = structure(arrays, &uses[k].left, right);
                let vector =
                    model.output_shape().len() == 1 && !matches!(structure, Structure::Rows | Structure::Ids { .. });
                LayerUse {
                    index: k,
                    node,
                    structure,
                    is_seed: vector && graph.result(node) == model.output(),
                    factor: views[k].as_ref().map_or(1.0, |view| view.factor),
                    direct: views[k].as_ref().is_some_and(|view| view.entries.is_none() && view.factor == 1.0),
                }
            })
            .collect();
        let shapes: Vec<&[usize]> = own.iter().map(|&k| graph.weight_shape(uses[k].weight)).collect();
        let own_views: Option<Vec<&View>> = own.iter().map(|&k| views[k].as_ref()).collect();
        let meetings = own_views.and_then(|views| meetings(&list, &views, &shapes));
        layers.push(Layer { parameter, entries, uses: list, meetings });
    }
    layers
}

fn structure<R: Real>(arrays: &Count<R>, left: &InputOperand<Count<R>>, right: &Counted) -> Structure {
    use crate::backend::Arrays;
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
            let (g, t) = (window.groups, numel(&x[2..]));
            Structure::Sides { g, t, i: x[1] / g, o: patch(s[1], window), swapped: true }
        }
        InputOperand::Ids { rows, .. } => Structure::Ids { t: between, o: last, rows: *rows },
        InputOperand::Last => Structure::Sum { t: between, o: last },
        InputOperand::Channels => Structure::Sum { t: numel(&s[2..]), o: s[1] },
        InputOperand::Rows => Structure::Rows,
    }
}

/// Which uses meet, if all that do have a rule for it.
fn meetings(uses: &[LayerUse], views: &[&View], shapes: &[&[usize]]) -> Option<Vec<Meeting>> {
    let mut list = Vec::new();
    for one in 0..uses.len() {
        for two in 0..uses.len() {
            let pair = [one, two];
            if same(views[one], views[two]) {
                if !alike(uses[one].structure, uses[two].structure) {
                    return None;
                }
                list.push(Meeting { uses: pair, crossed: false });
            } else if !apart(views[one], views[two]) {
                let vectors = pair
                    .iter()
                    .all(|&k| matches!(uses[k].structure, Structure::Sides { g: 1, t: 1, swapped: false, .. }));
                if !vectors || !transposed(views[one], shapes[one], views[two], shapes[two]) {
                    return None;
                }
                list.push(Meeting { uses: pair, crossed: true });
            }
        }
    }
    Some(list)
}

fn alike(one: Structure, two: Structure) -> bool {
    match (one, two) {
        (
            Structure::Sides { g, i, o, swapped, .. },
            Structure::Sides { g: g2, i: i2, o: o2, swapped: swapped2, .. },
        ) => (g, i, o, swapped) == (g2, i2, o2, swapped2),
        (Structure::Ids { .. }, Structure::Ids { .. }) => true,
        _ => false,
    }
}

fn same(one: &View, two: &View) -> bool {
    one.entries == two.entries
}

/// Do they share no entry?
fn apart(one: &View, two: &View) -> bool {
    let (Some(one), Some(two)) = (&one.entries, &two.entries) else { return false };
    let set: std::collections::HashSet<usize> = one.iter().copied().collect();
    two.iter().all(|entry| !set.contains(entry))
}

/// Is one, a matrix of `shape`, the transpose of the other?
fn transposed(one: &View, shape: &[usize], two: &View, other: &[usize]) -> bool {
    let ([rows, cols], [rows_two, cols_two]) = (shape, other) else { return false };
    let entry = |view: &View, at: usize| view.entries.as_ref().map_or(at, |entries| entries[at]);
    (rows, cols) == (cols_two, rows_two)
        && (0..*rows).all(|r| (0..*cols).all(|c| entry(one, r * cols + c) == entry(two, c * cols_two + r)))
}
