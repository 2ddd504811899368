//! A check that the results of samples do not depend on each other.

use super::Session;
use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::{Samples, Subset};

/// The tolerance in roundings of the op's inputs. Sums with cancellation are not more exact than this.
const ROUNDINGS: f64 = 1000.0;

/// Runs the first, the middle and the last sample together and separately, and compares the values of every op.
///
/// The kernel of a network that mixes samples is not defined. Nothing else detects this, since all methods would be wrong
/// in the same way. Ops that declare that they mix samples are rejected at recording. This check finds those that do not.
///
/// # Errors
/// A sample depends on others. The message names the first op at which this happens.
pub(super) fn independence<B: Arrays, O: Op>(session: &Session<'_, B, O>, x: &dyn Samples<B::Number>) -> Result<()> {
    let n = x.samples();
    debug_assert!(n > 1, "the check needs at least two samples");
    let mut indices = vec![0, n / 2, n - 1];
    indices.dedup();
    let chosen = Subset::new(x, &indices)?;
    let arrays = session.arrays();
    let count = chosen.samples();
    let together = session.tape_of(&chosen, 0..count)?;
    let size = |value: &B::Tensor| Ok(arrays.read(value)?.iter().fold(0.0f64, |max, x| max.max(x.f64().abs())));
    let largest = together.values().iter().map(size).collect::<Result<Vec<f64>>>()?;
    for (k, sample) in indices.iter().enumerate() {
        let separate = session.tape_of(&chosen, k..k + 1)?;
        let values = together.values().iter().zip(separate.values()).enumerate();
        for (value, (together, separate)) in values.skip(x.inputs()) {
            let node = &session.model().graph().nodes()[value - x.inputs()];
            let together = arrays.read(&arrays.slice(together, 0, k..k + 1))?;
            let separate = arrays.read(separate)?;
            let largest_input = node.inputs.iter().map(|input| largest[input.0]).fold(0.0, f64::max);
            // Products of other sizes round differently, and the differences grow from op to op.
            let tolerance =
                B::Number::EPSILON.f64().sqrt() * largest[value] + ROUNDINGS * B::Number::EPSILON.f64() * largest_input;
            if together.iter().zip(&separate).any(|(x, y)| (x.f64() - y.f64()).abs() > tolerance) {
                return Err(Error::unsupported(format!(
                    "{} (op {}): the result for sample {} depends on other samples of the batch; kernels between two \
                     samples are only defined for ops that treat every sample separately",
                    node.op.name(),
                    value - x.inputs(),
                    sample,
                )));
            }
        }
    }
    Ok(())
}
