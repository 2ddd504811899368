//! The first op of a network whose result is NaN: what a kernel that is not finite is explained by.

use super::Session;
use super::blocks::RUN_BLOCK;
use crate::backend::Arrays;
use crate::error::Result;
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::blocks;

/// The first op that gives NaN for one of the samples, in words: the op, the sample and, if it is known, the reason. `None`
/// if every value is defined, so that it is a derivative that is not.
///
/// # Errors
/// Samples cannot be read, or the device failed.
pub(crate) fn first_undefined<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
) -> Result<Option<String>> {
    let nodes = session.model().graph().nodes();
    for range in blocks(x.samples(), RUN_BLOCK) {
        let tape = session.tape_of(x, range.clone())?;
        for (node, value) in nodes.iter().zip(&tape.values()[x.inputs()..]) {
            let numbers = session.arrays().read(value)?;
            let Some(at) = numbers.iter().position(|x| x.f64().is_nan()) else { continue };
            let sample = range.start + at / (numbers.len() / range.len());
            let op = node.op.name();
            return Ok(Some(format!("{op} gives NaN for sample {sample}{}", reason(op))));
        }
    }
    Ok(None)
}

/// Why an op usually has no value.
fn reason(op: &str) -> &'static str {
    match op {
        "softmax" | "log_softmax" => {
            ", as it does if all entries of a row are -infinity: an attention row whose keys are all masked"
        }
        "embedding" | "take" => ", as it does if a computed row number is outside of its table",
        "log" | "sqrt" => " of a negative number",
        _ => "",
    }
}
