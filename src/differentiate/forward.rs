use super::direction::Direction;
use crate::backend::{Arrays, Dual};
use crate::error::{Error, Result};
use crate::model::blocks::{RUN_BLOCK, map_blocks};
use crate::model::{Jacobian, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::{numel, zeros};

/// The values of a function and its derivatives along a direction.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Jvp<R> {
    /// f, `[n, C]`, row-major.
    pub value: Vec<R>,
    /// J v, `[n, C]`, row-major.
    pub tangent: Vec<R>,
}

/// f and J v, where v moves parameters, inputs or both. One run of forward mode costs about two runs of the model, for any
/// number of parameters.
///
/// # Errors
/// As [`Session::run`]. The direction belongs to another model or to other samples.
pub fn jvp<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    along: &Direction<B::Number>,
) -> Result<Jvp<B::Number>> {
    let mut block = jvp_block(session, x, std::slice::from_ref(along))?;
    Ok(block.pop().expect("the block has one result per direction"))
}

/// f and J v for several directions. Samples are read once.
///
/// # Errors
/// As [`jvp`].
pub fn jvp_block<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    along: &[Direction<B::Number>],
) -> Result<Vec<Jvp<B::Number>>> {
    session.check(x)?;
    along.iter().try_for_each(|direction| direction.check(session.model(), x.samples()))?;
    let arrays = session.arrays();
    let dual = Dual::new(arrays.clone());
    let weights: Vec<_> = along.iter().map(|direction| direction.weights(session, &dual)).collect();
    let parts = map_blocks(x.samples(), RUN_BLOCK, |range| {
        let samples = session.upload(arrays, x, range.clone())?;
        let along_direction = |(direction, weights): (&Direction<B::Number>, &Vec<_>)| {
            let tape = direction.uploaded_tape(session, &dual, weights, samples.clone(), &range);
            Ok((arrays.read(tape.output().value())?, arrays.read(&dual.tangent(tape.output()))?))
        };
        along.iter().zip(&weights).map(along_direction).collect::<Result<Vec<_>>>()
    })?;
    let mut block: Vec<Jvp<B::Number>> = vec![Jvp { value: Vec::new(), tangent: Vec::new() }; along.len()];
    for part in parts {
        for (jvp, (value, tangent)) in block.iter_mut().zip(part) {
            jvp.value.extend(value);
            jvp.tangent.extend(tangent);
        }
    }
    Ok(block)
}

/// J by forward mode, with one run per entry of every parameter. It shares no derivative rule with
/// [`Session::jacobian`] and serves to test it.
///
/// # Errors
/// As [`jvp`]. The rows do not fit in memory.
pub fn jacobian_forward<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
) -> Result<Jacobian<B::Number>> {
    let model = session.model();
    let samples = x.samples();
    let outputs = model.outputs();
    let mut rows = Vec::new();
    for info in model.parameters() {
        let size = numel(&info.shape);
        let shape = [samples, outputs, size];
        let name = &info.name;
        let mut jacobian: Vec<B::Number> = zeros(&shape).ok_or_else(|| {
            Error::memory(format!("the Jacobian of '{name}' with shape {shape:?} does not fit in memory"))
        })?;
        let mut unit = vec![B::Number::default(); size];
        for entry in 0..size {
            unit[entry] = B::Number::from_f64(1.0);
            let column = jvp(session, x, &Direction::none(model).parameter(&info.name, &unit)?)?.tangent;
            unit[entry] = B::Number::default();
            column.into_iter().enumerate().for_each(|(row, x)| jacobian[row * size + entry] = x);
        }
        rows.push(jacobian);
    }
    Ok(Jacobian::new(samples, outputs, model.parameters().to_vec(), rows))
}
