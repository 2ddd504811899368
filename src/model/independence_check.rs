//! A guard: does a sample's result depend on other samples?

use super::Session;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::{Samples, Subset};

/// Roundings of what comes in at an op by which its results may differ: sums that cancel are no smaller than these.
const ROUNDINGS: f64 = 1000.0;

/// Runs the first, the middle and the last sample together and apart, and compares the values of every op.
///
/// The kernel of a network that mixes samples is none, and nothing else would tell: every method is wrong in the same
/// way. An op that says so is refused when it is recorded; this finds one that does not.
///
/// # Errors
/// They depend on each other. The message names the first op where they do.
pub(super) fn independence<B: Arrays, O: Op>(session: &Session<'_, B, O>, x: &dyn Samples<B::Number>) -> Result<()> {
    let n = x.samples();
    debug_assert!(n > 1, "one sample tells nothing");
    let mut list = vec![0, n / 2, n - 1];
    list.dedup();
    let chosen = Subset::new(x, &list)?;
    let (arrays, count) = (session.arrays(), chosen.samples());
    let together = session.tape_of(&chosen, 0..count)?;
    let size = |value: &B::Tensor| Ok(arrays.read(value)?.iter().fold(0.0f64, |max, x| max.max(x.f64().abs())));
    let largest = together.values().iter().map(size).collect::<Result<Vec<f64>>>()?;
    for (k, sample) in list.iter().enumerate() {
        let alone = session.tape_of(&chosen, k..k + 1)?;
        let values = together.values().iter().zip(alone.values()).enumerate();
        for (value, (together, alone)) in values.skip(x.inputs()) {
            let node = &session.model().graph().nodes()[value - x.inputs()];
            let together = arrays.read(&arrays.slice(together, 0, k..k + 1))?;
            let alone = arrays.read(alone)?;
            let came_in = node.inputs.iter().map(|input| largest[input.0]).fold(0.0, f64::max);
            // Products of other sizes round otherwise, and the differences grow from op to op.
            let tolerance =
                B::Number::EPSILON.f64().sqrt() * largest[value] + ROUNDINGS * B::Number::EPSILON.f64() * came_in;
            if together.iter().zip(&alone).any(|(x, y)| (x.f64() - y.f64()).abs() > tolerance) {
                return Err(Error::unsupported(format!(
                    "{} (op {}): the result for sample {} depends on the samples beside it; the kernel between \
                     two samples is only defined for ops that treat every sample alone",
                    node.op.name(),
                    value - x.inputs(),
                    sample,
                )));
            }
        }
    }
    Ok(())
}
