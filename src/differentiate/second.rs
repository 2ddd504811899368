use std::ops::Range;

use super::direction::Direction;
use super::reverse::Inputs;
use crate::backend::{Arrays, Dual, DualTensor, Storage};
use crate::error::Result;
use crate::factor::Factor;
use crate::model::blocks::{RUN_BLOCK, fold_blocks};
use crate::model::{Gradient, Session, add};
use crate::ops::Op;
use crate::samples::Samples;
use crate::tape::SweepTargets;

/// J^T u and its derivative along a direction.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hvp<R> {
    /// J^T u in the parameters.
    pub gradient: Gradient<R>,
    /// The derivative of `gradient` along v at constant u: H v, where H is the Hessian of the sum over n, c of
    /// `u[n,c] f_c(x_n)`.
    pub product: Gradient<R>,
    /// The derivative of J^T u in every input along v, `[n, ...]`, row-major.
    pub inputs: Vec<Vec<R>>,
}

/// The derivative of J^T u along v, by a reverse sweep over forward mode (Pearlmutter 1994). If v moves the parameters,
/// `product` is the product H v with the Hessian H of u . f. v may also move inputs.
///
/// # Errors
/// As [`Session::gradient`] and [`jvp`](super::jvp).
pub fn hvp<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    u: &[B::Number],
    along: &Direction<B::Number>,
) -> Result<Hvp<B::Number>> {
    session.check_cotangents(x, u)?;
    let model = session.model();
    let mut gradient = session.zeros();
    let mut product = session.zeros();
    let mut inputs = Inputs::none(model);
    let outputs = |range: Range<usize>| range.start * model.outputs()..range.end * model.outputs();
    let seed = |range: Range<usize>, _: &[B::Number], _: &[B::Number]| {
        Ok(Seed { value: u[outputs(range)].to_vec(), tangent: None })
    };
    swept_along(session, x, along, RUN_BLOCK, None, seed, |block| {
        add(&mut gradient, block.values);
        add(&mut product, block.tangents);
        inputs.extend(block.range, block.inputs);
    })?;
    let named = |values| Gradient::new(model.parameters().to_vec(), values);
    Ok(Hvp { gradient: named(gradient), product: named(product), inputs: inputs.values })
}

/// Cotangents of the outputs of some samples, and their derivatives along the direction.
pub(crate) struct Seed<R> {
    pub value: Vec<R>,
    pub tangent: Option<Vec<R>>,
}

/// The results of a sweep over forward mode for a block of samples. `None` if the output does not depend on it.
pub(crate) struct Block<R> {
    range: Range<usize>,
    /// Gradients by parameter.
    values: Vec<Option<Vec<R>>>,
    /// Derivatives of the gradients along the direction.
    pub tangents: Vec<Option<Vec<R>>>,
    /// Derivatives of the cotangents of the inputs along the direction.
    inputs: Vec<Option<Vec<R>>>,
}

/// Reverse sweeps over forward mode, block by block in order. `seed` computes the cotangents of a block's outputs and their
/// tangents from the outputs f and their tangents J v. It can therefore be the derivative of a loss, and the result its
/// Hessian product. `parameters` flags the parameters to sweep. If it is `None`, all parameters and the inputs are swept.
pub(crate) fn swept_along<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    along: &Direction<B::Number>,
    block: usize,
    parameters: Option<&[bool]>,
    seed: impl Fn(Range<usize>, &[B::Number], &[B::Number]) -> Result<Seed<B::Number>> + Sync,
    mut take: impl FnMut(Block<B::Number>),
) -> Result<()> {
    session.check(x)?;
    along.check(session.model(), x.samples())?;
    let arrays = session.arrays();
    let dual = Dual::new(arrays.clone());
    let weights = along.weights(session, &dual);
    let swept_block = |range: Range<usize>| {
        let tape = along.tape(session, &dual, &weights, x, &range)?;
        let uses = tape.uses()?;
        let output = tape.output();
        let f = arrays.read(output.value())?;
        let df = arrays.read(&dual.tangent(output))?;
        let cotangent = seed(range.clone(), &f, &df)?;
        let shape = dual.shape(output);
        let tangent = cotangent.tangent.map(|tangent| arrays.upload(&tangent, shape));
        let seed = dual.lift(&arrays.upload(&cotangent.value, shape), tangent.as_ref());
        let swept = tape.sweep(&seed, SweepTargets { inputs: parameters.is_none(), parameters });
        let gradients = tape.by_parameter(&uses, &swept, Factor::gradient_row);
        let value = |x: &DualTensor<B>| arrays.read(x.value());
        let tangent = |x: &DualTensor<B>| arrays.read(&dual.tangent(x));
        Ok(Block {
            range,
            values: gradients.iter().map(|x| x.as_ref().map(value).transpose()).collect::<Result<_>>()?,
            tangents: gradients.iter().map(|x| x.as_ref().map(tangent).transpose()).collect::<Result<_>>()?,
            inputs: swept.inputs.iter().map(|x| x.as_ref().map(tangent).transpose()).collect::<Result<_>>()?,
        })
    };
    fold_blocks(x.samples(), block, swept_block, |_, result| take(result))
}
