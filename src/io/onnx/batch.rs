//! The size of the batch where a file computes with it.
//!
//! A network is read for a batch of one, so `Shape` gives 1 for the batch's axis. That is right where the number is a
//! part of a shape, and wrong where it takes part in the arithmetic of samples: then a sample's output depends on how
//! many others there are. [`Hint`]s on whole numbers follow it from `Shape` on, and a cast to floating point numbers
//! refuses it.

use super::array::Array;
use super::call::Call;
use super::operand::{Hint, Operand};
use crate::error::{Error, Result};

/// Hints for the results of a node on whole numbers.
pub(super) fn hint_sizes(call: &Call<'_>, results: &mut [Operand]) {
    if call.node.op_type == "Shape" {
        return;
    }
    let Some(hint) = call.inputs.iter().flatten().find_map(|x| hint_after(call, x)) else { return };
    for result in results.iter_mut().filter(|result| result.is_constant()) {
        result.hint = hint;
    }
}

/// What the node makes of a list of sizes, or of a number computed from the batch's.
fn hint_after(call: &Call<'_>, x: &Operand) -> Option<Hint> {
    let place = match x.hint {
        Hint::Sizes(place) => place,
        Hint::BatchSize => return Some(Hint::BatchSize),
        _ => return None,
    };
    match &call.node.op_type[..] {
        "Identity" | "Cast" => Some(Hint::Sizes(place)),
        "Gather" => taken(&numbers(call.optional(1)?)?, x.shape[0], place),
        "Slice" => {
            let [start, end] = [1, 2].map(|k| call.optional(k).and_then(numbers));
            let whole = call.optional(4).is_none_or(|steps| numbers(steps).is_some_and(|steps| steps == [1]));
            match (start.as_deref(), end.as_deref()) {
                (Some(&[start]), Some(&[end])) if whole => sliced(start, end, x.shape[0], place),
                _ => Some(Hint::BatchSize),
            }
        }
        _ => Some(Hint::BatchSize),
    }
}

fn numbers(x: &Operand) -> Option<Vec<i64>> {
    x.array().map(Array::whole)
}

/// The entries with these numbers of a list of `size`, the batch's among them at `place`.
fn taken(list: &[i64], size: usize, place: usize) -> Option<Hint> {
    let found = |&number: &i64| number == place as i64 || number + size as i64 == place as i64;
    list.iter().any(found).then_some(Hint::BatchSize)
}

/// A range of a list of `size`, the batch's among them at `place`.
fn sliced(start: i64, end: i64, size: usize, place: usize) -> Option<Hint> {
    let size = size as i64;
    let clamped = |bound: i64| if bound < 0 { bound.saturating_add(size) } else { bound }.clamp(0, size) as usize;
    let (start, end) = (clamped(start), clamped(end));
    (start..end).contains(&place).then(|| Hint::Sizes(place - start))
}

/// Refuses the size of the batch as a floating point number.
pub(super) fn check_cast(x: &Operand) -> Result<()> {
    match x.hint {
        Hint::Sizes(_) | Hint::BatchSize => Err(Error::unsupported(
            "the number of samples in the batch takes part in the arithmetic, so that a sample's output depends on how many \
             others there are; a file for a batch of one has no such number",
        )),
        _ => Ok(()),
    }
}
