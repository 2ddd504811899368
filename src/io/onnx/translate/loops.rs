//! Loops whose number of steps the file fixes: Scan over an axis, and Loop. They are unrolled.

use super::parts::{cut, joined};
use super::shapes::{squeezed, unsqueezed};
use crate::error::{Error, Result};
use crate::io::onnx::array::{Array, Kind};
use crate::io::onnx::call::Call;
use crate::io::onnx::operand::{Operand, axis_among};
use crate::io::onnx::proto::GraphProto;
use crate::io::onnx::reader::Reader;

/// Results of every step, by output of the body.
struct Stacks(Vec<Vec<Operand>>);

impl Stacks {
    fn push(&mut self, results: Vec<Operand>) {
        self.0.iter_mut().zip(results).for_each(|(stack, result)| stack.push(result));
    }
}

/// The axis that scans number `k` of a list of axes takes, among `rank`.
fn axis_of(call: &Call<'_>, key: &str, k: usize, rank: usize) -> Result<usize> {
    let axis = call.ints(key).and_then(|list| list.get(k)).copied().unwrap_or(0);
    axis_among(axis, rank).ok_or_else(|| Error::shape(format!("{key} has {axis} for a value of {rank} axes")))
}

fn is_reversed(call: &Call<'_>, key: &str, k: usize) -> bool {
    call.ints(key).and_then(|list| list.get(k)).is_some_and(|&direction| direction != 0)
}

/// A body applied to the entries of inputs along an axis, one after another, carrying states.
pub(super) fn scan<'a>(reader: &mut Reader<'a>, call: &Call<'a>) -> Result<Vec<Operand>> {
    if call.opset < 9 {
        return Err(Error::unsupported("Scan of op set 8 is not supported; export with op set 9 or later"));
    }
    let body = call.graph("body")?;
    let inputs = call.all()?;
    let scanned = call.int("num_scan_inputs").and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
    let carried = inputs.len().checked_sub(scanned).filter(|_| scanned > 0);
    let carried =
        carried.ok_or_else(|| Error::format(format!("num_scan_inputs={scanned} of {} inputs", inputs.len())))?;
    let (states, scanned) = inputs.split_at(carried);
    let axes = scanned.iter().enumerate().map(|(k, x)| axis_of(call, "scan_input_axes", k, x.rank()));
    let axes = axes.collect::<Result<Vec<usize>>>()?;
    let steps = scanned[0].shape[axes[0]];
    if scanned.iter().zip(&axes).any(|(x, &axis)| x.shape[axis] != steps) {
        let shapes: Vec<_> = scanned.iter().map(|x| &x.shape).collect();
        return Err(Error::shape(format!("inputs of shapes {shapes:?} differ in length along the axes {axes:?}")));
    }
    let mut states: Vec<Operand> = states.iter().map(|&x| x.clone()).collect();
    let mut stacks = Stacks(vec![Vec::new(); body.output.len().saturating_sub(carried)]);
    for step in 0..steps {
        let mut inputs = states;
        for (k, (x, &axis)) in scanned.iter().zip(&axes).enumerate() {
            let entry = if is_reversed(call, "scan_input_directions", k) { steps - 1 - step } else { step };
            let entry = cut(reader, x, axis, entry..entry + 1)?;
            inputs.push(squeezed(reader, &entry, axis)?);
        }
        states = next(reader, body, inputs, step)?;
        stacks.push(states.split_off(carried.min(states.len())));
    }
    for (k, mut stack) in stacks.0.into_iter().enumerate() {
        if is_reversed(call, "scan_output_directions", k) {
            stack.reverse();
        }
        let rank = stack.first().map_or(0, Operand::rank) + 1;
        states.push(stacked(reader, &stack, axis_of(call, "scan_output_axes", k, rank)?)?);
    }
    Ok(states)
}

/// A body applied as often as a number says, or as long as a condition holds, both known without the samples.
pub(super) fn repeat<'a>(reader: &mut Reader<'a>, call: &Call<'a>) -> Result<Vec<Operand>> {
    let body = call.graph("body")?;
    let most = match call.known_optional(0)? {
        Some(array) => array.scalar().ok_or_else(|| Error::shape("the number of steps is not one number"))?,
        None => f64::INFINITY,
    };
    let mut goes_on = match call.optional(1) {
        Some(condition) => holds(condition)?,
        None => true,
    };
    let mut states = (2..call.inputs.len()).map(|k| call.input(k).cloned()).collect::<Result<Vec<_>>>()?;
    let carried = states.len();
    let mut stacks = Stacks(vec![Vec::new(); body.output.len().saturating_sub(carried + 1)]);
    let mut step = 0;
    while goes_on && (step as f64) < most {
        let number = Operand::constant(Array::new(&[], vec![step as f64], Kind::Whole));
        let condition = Operand::constant(Array::new(&[], vec![1.0], Kind::Truth));
        let inputs = [vec![number, condition], states].concat();
        let mut results = next(reader, body, inputs, step)?;
        if results.len() < carried + 1 {
            return Err(Error::format(format!("the body has {} outputs for {carried} states", results.len())));
        }
        stacks.push(results.split_off(carried + 1));
        // Without a condition at the start, the body's is ignored.
        goes_on = call.optional(1).is_none() || holds(&results[0])?;
        states = results.split_off(1);
        step += 1;
    }
    for stack in stacks.0 {
        states.push(stacked(reader, &stack, 0)?);
    }
    Ok(states)
}

fn holds(condition: &Operand) -> Result<bool> {
    match condition.array().and_then(Array::scalar) {
        Some(truth) => Ok(truth != 0.0),
        None => Err(Error::unsupported(
            "the number of its steps depends on the samples; only loops with a fixed number of steps are supported",
        )),
    }
}

/// The results of a body for step number `step`.
fn next<'a>(reader: &mut Reader<'a>, body: &'a GraphProto, inputs: Vec<Operand>, step: usize) -> Result<Vec<Operand>> {
    reader.steps = reader.steps.checked_sub(1).ok_or_else(|| {
        Error::unsupported("the loops of the network have too many steps to be unrolled; shorten the sequences")
    })?;
    if body.input.len() != inputs.len() {
        return Err(Error::format(format!("the body has {} inputs for {} values", body.input.len(), inputs.len())));
    }
    reader.branch(body, inputs).map_err(|error| error.context(format_args!("step {step}")))
}

/// One after another along a new axis.
fn stacked(reader: &mut Reader<'_>, stack: &[Operand], axis: usize) -> Result<Operand> {
    if stack.is_empty() {
        return Err(Error::unsupported("a loop without steps has results of every step, whose shape is unknown"));
    }
    let all = stack.iter().map(|x| unsqueezed(reader, x, axis)).collect::<Result<Vec<_>>>()?;
    joined(reader, &all.iter().collect::<Vec<_>>(), axis)
}
