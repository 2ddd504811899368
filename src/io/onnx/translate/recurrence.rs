//! What recurrent layers share: directions, steps in time and activations. A layer is unrolled, step by step.

use std::ops::Range;

use super::activations::{clipped, mapped, scaled, soft_sign};
use super::arithmetic::shifted;
use super::masks::{number, related, select};
use super::parts::{cut, joined};
use super::products::linear;
use super::shapes::{permuted, reshaped, unsqueezed};
use crate::backend::Relation;
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::Operand;
use crate::io::onnx::reader::Reader;
use crate::ops::Slice;
use crate::tape::Parameter;
use crate::unary::{Elu, LeakyRelu, Relu, Sigmoid, Softplus, Tanh, Unary};

/// The most steps in time that a layer is unrolled to.
pub(super) const MOST_STEPS: usize = 1 << 12;

/// One step of a recurrent layer in one direction.
pub(super) trait Cell: Sized {
    /// The number of gates, which share the weights.
    const GATES: usize;
    /// The activations, if the node names none.
    const ACTIVATIONS: &'static [&'static str];

    /// The cell with the weights of one direction.
    fn new(reader: &mut Reader<'_>, call: &Call<'_>, direction: Direction) -> Result<Self>;

    /// The state after a step. `x` is the input times the input weight, plus its bias, `[rows, gates hidden]`.
    fn step(&self, reader: &mut Reader<'_>, x: &Operand, state: &State) -> Result<State>;
}

/// What a layer carries from step to step: `[rows, hidden]` each.
#[derive(Clone)]
pub(super) struct State {
    pub hidden: Operand,
    /// Only an LSTM has one; other layers leave it as it is.
    pub cell: Operand,
}

/// The weights and settings of one direction.
pub(super) struct Direction {
    /// Its number along the first axis of the weights.
    pub index: usize,
    pub hidden: usize,
    /// The product with the hidden state, for all gates.
    pub recurrent: Product,
    pub activations: Vec<Activation>,
}

impl Direction {
    /// Gate `k` of `[rows, gates hidden]`.
    pub fn gate(&self, reader: &mut Reader<'_>, gates: &Operand, k: usize) -> Result<Operand> {
        cut(reader, gates, 1, k * self.hidden..(k + 1) * self.hidden)
    }
}

/// A product with a weight, `[out, in]`, and a bias, `[out]`.
pub(super) struct Product {
    weight: Parameter,
    bias: Option<Parameter>,
    out: usize,
}

impl Product {
    /// x W^T + b
    pub fn apply(&self, reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
        linear(reader, x, self.out, self.weight, self.bias)
    }

    /// Some of its rows.
    pub fn rows(&self, reader: &mut Reader<'_>, range: Range<usize>) -> Result<Product> {
        let mut rows = |weight: Parameter| reader.graph.derive(Slice { axis: 0, range: range.clone() }, &[weight]);
        Ok(Product { weight: rows(self.weight)?, bias: self.bias.map(&mut rows).transpose()?, out: range.len() })
    }
}

/// A layer's results: all hidden states `[t, directions, rows, hidden]`, the last ones, and the last cell states.
pub(super) fn layer<C: Cell>(reader: &mut Reader<'_>, call: &Call<'_>) -> Result<Vec<Operand>> {
    let x = time_first(reader, call, call.input(0)?)?;
    let &[steps, rows, _] = &x.shape[..] else {
        return Err(Error::shape(format!("X has shape {:?}; [time, batch, features] is needed", x.shape)));
    };
    if steps == 0 || steps > MOST_STEPS {
        return Err(Error::unsupported(format!("it has {steps} steps in time; 1 to {MOST_STEPS} are supported")));
    }
    let lengths = lengths(call, steps, rows)?;
    let backwards = directions(call)?;
    if call.input(1)?.shape.first() != Some(&backwards.len()) || call.input(2)?.rank() != 3 {
        return Err(Error::shape(format!(
            "W has shape {:?} and R {:?}; [directions, gates * hidden, features] is needed, with {} directions",
            call.input(1)?.shape,
            call.input(2)?.shape,
            backwards.len()
        )));
    }
    let mut runs = Vec::new();
    for (index, &backwards) in backwards.iter().enumerate() {
        runs.push(run::<C>(reader, call, &x, lengths.as_ref(), Side { index, backwards })?);
    }
    let all: Vec<Operand> = runs.iter().map(|run| over_time(reader, &run.hidden)).collect::<Result<_>>()?;
    let last_hidden: Vec<Operand> = runs.iter().map(|run| run.last.hidden.clone()).collect();
    let last_cell: Vec<Operand> = runs.iter().map(|run| run.last.cell.clone()).collect();
    let y = joined(reader, &all.iter().collect::<Vec<_>>(), 1)?;
    debug_assert_eq!(y.shape[..3], [steps, runs.len(), rows]);
    let mut results = vec![y, stacked(reader, &last_hidden)?, stacked(reader, &last_cell)?];
    if batch_first(call)? {
        results[0] = permuted(reader, &results[0], &[2, 0, 1, 3])?;
        for last in &mut results[1..] {
            *last = permuted(reader, last, &[1, 0, 2])?;
        }
    }
    Ok(results)
}

/// What one direction gives.
struct Run {
    /// The hidden states in the order of time.
    hidden: Vec<Operand>,
    last: State,
}

/// One of the directions.
struct Side {
    /// Its number along the first axis of the weights.
    index: usize,
    backwards: bool,
}

fn run<C: Cell>(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    x: &Operand,
    lengths: Option<&Operand>,
    side: Side,
) -> Result<Run> {
    let &[steps, rows, features] = &x.shape[..] else { unreachable!("the layer has checked it") };
    let Side { index, backwards } = side;
    let hidden = call.input(2)?.shape[2];
    let gates = hidden.saturating_mul(C::GATES);
    let input = Product {
        weight: weight(reader, call, 1, index, "weight_ih", [gates, features])?,
        bias: bias(reader, call, index, gates, 0)?,
        out: gates,
    };
    let recurrent = Product {
        weight: weight(reader, call, 2, index, "weight_hh", [gates, hidden])?,
        bias: bias(reader, call, index, gates, 1)?,
        out: gates,
    };
    let activations = activations(call, C::ACTIVATIONS, index)?;
    let cell = C::new(reader, call, Direction { index, hidden, recurrent, activations })?;
    let projected = input.apply(reader, x)?;
    // The batch axis of a value without the axis of time.
    let batch = x.batch.map(|batch| batch - 1);
    let mut state = State {
        hidden: initial(reader, call, 5, index, [rows, hidden], batch)?,
        cell: initial(reader, call, 6, index, [rows, hidden], batch)?,
    };
    let mut all = Vec::with_capacity(steps);
    for k in 0..steps {
        let t = if backwards { steps - 1 - k } else { k };
        let now = cut(reader, &projected, 0, t..t + 1)?;
        let now = reshaped(reader, &now, &[rows, gates], batch)?;
        let after = cell.step(reader, &now, &state)?;
        match lengths {
            Some(lengths) => {
                let Masked { state: kept, shown } = masked(reader, lengths, t, &state, &after)?;
                state = kept;
                all.push(shown);
            }
            None => {
                all.push(after.hidden.clone());
                state = after;
            }
        }
    }
    if backwards {
        all.reverse();
    }
    Ok(Run { hidden: all, last: state })
}

/// The attribute `layout`: whether the batch is the first axis of inputs and results.
fn batch_first(call: &Call<'_>) -> Result<bool> {
    match call.int("layout").unwrap_or(0) {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::value(format!("layout={other}; 0 or 1 is needed"))),
    }
}

/// X as `[time, batch, features]`.
fn time_first(reader: &mut Reader<'_>, call: &Call<'_>, x: &Operand) -> Result<Operand> {
    let mut x = x.clone();
    if batch_first(call)? && x.rank() == 3 {
        x = permuted(reader, &x, &[1, 0, 2])?;
    }
    if x.batch == Some(0) {
        return Err(Error::unsupported(
            "the first axis of X is time, but the samples are there; export a layer with batch_first=True, or the \
             input with its batch as axis 1",
        ));
    }
    Ok(x)
}

/// For every direction, whether it runs backwards.
fn directions(call: &Call<'_>) -> Result<Vec<bool>> {
    match call.text("direction").as_deref() {
        None | Some("forward") => Ok(vec![false]),
        Some("reverse") => Ok(vec![true]),
        Some("bidirectional") => Ok(vec![false, true]),
        Some(other) => {
            Err(Error::value(format!("direction='{other}'; 'forward', 'reverse' or 'bidirectional' is needed")))
        }
    }
}

/// How many steps every row has, `[rows]`, unless it is all of them.
fn lengths(call: &Call<'_>, steps: usize, rows: usize) -> Result<Option<Operand>> {
    let Some(lengths) = call.optional(4) else { return Ok(None) };
    if let Some(array) = lengths.array() {
        let first = array.values.first().copied().unwrap_or(0.0);
        if array.values.iter().all(|&length| length == first) {
            // One for every sample of a fixed batch, too.
            let all = Array::full(&[rows], first, Kind::Whole)?;
            return Ok((first != steps as f64).then(|| Operand::constant(all)));
        }
    }
    if lengths.shape != [rows] {
        let (name, shape) = (&call.node.input[4], &lengths.shape);
        return Err(Error::shape(format!("sequence_lens ('{name}') has shape {shape:?}; [{rows}] is needed")));
    }
    Ok(Some(lengths.clone()))
}

/// A step of rows that may have ended: those keep their states, and their hidden state in the result is 0.
struct Masked {
    state: State,
    shown: Operand,
}

fn masked(reader: &mut Reader<'_>, lengths: &Operand, t: usize, before: &State, after: &State) -> Result<Masked> {
    let runs = related(reader, Relation::Less, &number(t as f64, Kind::Whole), lengths)?;
    let runs = unsqueezed(reader, &runs, 1)?;
    let state = State {
        hidden: select(reader, &runs, &after.hidden, &before.hidden)?,
        cell: select(reader, &runs, &after.cell, &before.cell)?,
    };
    let shown = select(reader, &runs, &after.hidden, &number(0.0, Kind::Float))?;
    Ok(Masked { state, shown })
}

/// One direction of input `k`, W or R, of this shape.
fn weight(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    k: usize,
    index: usize,
    role: &str,
    shape: [usize; 2],
) -> Result<Parameter> {
    let all = call.input(k)?;
    if all.rank() != 3 || all.shape[1..] != shape {
        return Err(Error::shape(format!("input {k} has shape {:?}; [directions, {shape:?}] is needed", all.shape)));
    }
    let part = part(reader, all, index, &shape)?;
    reader.weight(&part, role)
}

/// One direction of the bias of the input (`half` 0) or of the recurrent weight (1), if there are biases.
fn bias(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    index: usize,
    entries: usize,
    half: usize,
) -> Result<Option<Parameter>> {
    let Some(all) = call.optional(3) else { return Ok(None) };
    let both = entries.saturating_mul(2);
    if all.rank() != 2 || all.shape[1] != both {
        return Err(Error::shape(format!("B has shape {:?}; [directions, {both}] is needed", all.shape)));
    }
    let both = part(reader, all, index, &[both])?;
    let own = cut(reader, &both, 0, half * entries..(half + 1) * entries)?;
    let role = if half == 0 { "bias_ih" } else { "bias_hh" };
    reader.weight(&own, role).map(Some)
}

/// Number `index` along the first axis, in this shape.
pub(super) fn part(reader: &mut Reader<'_>, all: &Operand, index: usize, shape: &[usize]) -> Result<Operand> {
    if index >= all.shape[0] {
        return Err(Error::shape(format!("shape {:?} has no direction {index}", all.shape)));
    }
    let own = cut(reader, all, 0, index..index + 1)?;
    reshaped(reader, &own, shape, own.batch.map(|batch| batch.saturating_sub(1)))
}

/// The state before the first step, `[rows, hidden]`: input `k`, or zeros.
fn initial(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    k: usize,
    index: usize,
    shape: [usize; 2],
    batch: Option<usize>,
) -> Result<Operand> {
    let Some(all) = call.optional(k) else {
        let zeros = Array::full(&shape, 0.0, Kind::Float)?;
        return Ok(Operand { batch, ..Operand::constant(zeros) });
    };
    let mut all = all.clone();
    if batch_first(call)? && all.rank() == 3 {
        all = permuted(reader, &all, &[1, 0, 2])?;
    }
    if all.rank() == 3 && all.shape[1] != shape[0] && reader.batch == Some(all.shape[1]) {
        all = one_row(reader, &all)?;
    }
    if all.rank() != 3 || all.shape[1..] != shape {
        return Err(Error::shape(format!(
            "initial state '{}' has shape {:?}; [directions, {}, {}] is needed",
            call.node.input[k], all.shape, shape[0], shape[1]
        )));
    }
    let own = part(reader, &all, index, &shape)?;
    Ok(if own.is_constant() { Operand { batch, ..own } } else { own })
}

/// The state of one sample, in a file for a fixed batch.
fn one_row(reader: &mut Reader<'_>, all: &Operand) -> Result<Operand> {
    let (rows, size) = (all.shape[1], all.shape[2]);
    let alike = all.array().is_some_and(|array| {
        array
            .values
            .chunks(rows.saturating_mul(size).max(1))
            .all(|state| state.chunks(size.max(1)).all(|row| row == &state[..size]))
    });
    if !alike {
        return Err(Error::unsupported(format!(
            "the initial state differs between the {rows} samples of a fixed batch; export with a batch of one"
        )));
    }
    cut(reader, all, 1, 0..1)
}

/// States of all steps, `[rows, hidden]` each, as `[t, 1, rows, hidden]`.
fn over_time(reader: &mut Reader<'_>, states: &[Operand]) -> Result<Operand> {
    let mut all = Vec::with_capacity(states.len());
    for state in states {
        let state = unsqueezed(reader, state, 0)?;
        all.push(unsqueezed(reader, &state, 0)?);
    }
    joined(reader, &all.iter().collect::<Vec<_>>(), 0)
}

/// One after another along a new first axis.
fn stacked(reader: &mut Reader<'_>, states: &[Operand]) -> Result<Operand> {
    let all = states.iter().map(|state| unsqueezed(reader, state, 0)).collect::<Result<Vec<_>>>()?;
    joined(reader, &all.iter().collect::<Vec<_>>(), 0)
}

/// An activation of a recurrent layer, with the bound of its argument in a gate.
pub(super) struct Activation {
    name: String,
    alpha: Option<f64>,
    beta: Option<f64>,
    clip: Option<f64>,
}

/// Those of direction `index`, as the node names them.
fn activations(call: &Call<'_>, usual: &[&str], index: usize) -> Result<Vec<Activation>> {
    let mut names = call.texts("activations");
    if names.is_empty() {
        names = usual.iter().cycle().take(2 * usual.len()).map(ToString::to_string).collect();
    }
    if names.len() < (index + 1) * usual.len() {
        return Err(Error::value(format!("{} activations; {} are needed for a direction", names.len(), usual.len())));
    }
    // Numbers are consumed in order by the functions that have them.
    let mut alphas = call.floats("activation_alpha").into_iter();
    let mut betas = call.floats("activation_beta").into_iter();
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        let name = name.to_lowercase();
        let alpha = has_alpha(&name).then(|| alphas.next()).flatten();
        let beta = has_beta(&name).then(|| betas.next()).flatten();
        all.push(Activation { name, alpha, beta, clip: call.float("clip") });
    }
    Ok(all.into_iter().skip(index * usual.len()).take(usual.len()).collect())
}

fn has_alpha(name: &str) -> bool {
    matches!(name, "affine" | "elu" | "hardsigmoid" | "leakyrelu" | "scaledtanh" | "thresholdedrelu")
}

fn has_beta(name: &str) -> bool {
    matches!(name, "affine" | "hardsigmoid" | "scaledtanh")
}

impl Activation {
    /// f(x), of a gate: `x` is clipped first.
    pub fn of_gate(&self, reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
        match self.clip {
            Some(bound) => {
                let x = clipped(reader, x, Some(-bound), Some(bound))?;
                self.apply(reader, &x)
            }
            None => self.apply(reader, x),
        }
    }

    /// f(x)
    pub fn apply(&self, reader: &mut Reader<'_>, x: &Operand) -> Result<Operand> {
        let (alpha, beta) = (self.alpha, self.beta);
        let f: Unary = match self.name.as_str() {
            "relu" => Relu.into(),
            "sigmoid" => Sigmoid.into(),
            "softplus" => Softplus.into(),
            "tanh" => Tanh.into(),
            "elu" => Elu { alpha: alpha.unwrap_or(1.0) }.into(),
            "leakyrelu" => LeakyRelu { slope: alpha.unwrap_or(0.01) }.into(),
            "affine" => {
                let x = scaled(reader, x, alpha.unwrap_or(1.0))?;
                return shifted(reader, &x, beta.unwrap_or(0.0));
            }
            "hardsigmoid" => {
                let x = scaled(reader, x, alpha.unwrap_or(0.2))?;
                let x = shifted(reader, &x, beta.unwrap_or(0.5))?;
                return clipped(reader, &x, Some(0.0), Some(1.0));
            }
            "scaledtanh" => {
                let x = scaled(reader, x, beta.unwrap_or(1.0))?;
                let y = mapped(reader, Unary::from(Tanh), &x)?;
                return scaled(reader, &y, alpha.unwrap_or(1.0));
            }
            "softsign" => return soft_sign(reader, x),
            other => return Err(Error::unsupported(format!("activation '{other}' is not supported"))),
        };
        mapped(reader, f, x)
    }
}
