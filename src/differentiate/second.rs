use std::ops::Range;

use super::direction::Direction;
use super::reverse::Inputs;
use crate::backend::{Arrays, Dual, DualTensor};
use crate::error::Result;
use crate::factor::Factor;
use crate::model::blocks::{RUN_BLOCK, fold_blocks};
use crate::model::{Gradient, Session, add};
use crate::ops::Op;
use crate::samples::Samples;
use crate::tape::SweepTargets;

/// J^T u, and its derivative along a direction.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Hvp<R> {
    /// J^T u, by parameter.
    pub gradient: Gradient<R>,
    /// Its derivative along v with u held: H v, where H is the Hessian of sum over n, c of u\[n,c\] f_c(x_n).
    pub product: Gradient<R>,
    /// The derivative of what J^T u is in every input, \[n, ...\] row-major.
    pub inputs: Vec<Vec<R>>,
}

/// The derivative of J^T u along v: H v for H the Hessian of u . f, by a reverse sweep over forward mode (Pearlmutter 1994).
/// With v of the parameters, `product` is a Hessian-vector product; v may move inputs too.
///
/// # Errors
/// As [`vjp`](super::vjp) and [`jvp`](super::jvp).
pub fn hvp<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    u: &[B::Number],
    along: &Direction<B::Number>,
) -> Result<Hvp<B::Number>> {
    session.check_cotangents(x, u)?;
    let model = session.model();
    let (mut gradient, mut product, mut inputs) = (session.zeros(), session.zeros(), Inputs::none(model));
    let own = |range: Range<usize>| range.start * model.outputs()..range.end * model.outputs();
    let seed = |range: Range<usize>, _: &[B::Number], _: &[B::Number]| Ok((u[own(range)].to_vec(), None));
    swept_along(session, x, along, RUN_BLOCK, None, seed, |block| {
        add(&mut gradient, block.values);
        add(&mut product, block.tangents);
        inputs.extend(block.range, block.inputs);
    })?;
    let named = |values| Gradient::new(model.parameters().to_vec(), values);
    Ok(Hvp { gradient: named(gradient), product: named(product), inputs: inputs.list })
}

/// Cotangents of the outputs of some samples, and how they move.
pub(crate) type Seed<R> = (Vec<R>, Option<Vec<R>>);

/// What a sweep over forward mode gives for a block of samples: gradients by parameter, how they move, and how the
/// cotangents of inputs do. `None` where the output does not depend on it.
pub(crate) struct Block<R> {
    range: Range<usize>,
    values: Vec<Option<Vec<R>>>,
    pub tangents: Vec<Option<Vec<R>>>,
    inputs: Vec<Option<Vec<R>>>,
}

/// Sweeps over forward mode, block by block, in order. The cotangents of a block's outputs, and their own movement, are
/// made from the outputs f and their movement J v: so it is also the Hessian of a loss. `wanted` flags parameters; without
/// it inputs are swept too.
pub(crate) fn swept_along<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    along: &Direction<B::Number>,
    block: usize,
    wanted: Option<&[bool]>,
    seed: impl Fn(Range<usize>, &[B::Number], &[B::Number]) -> Result<Seed<B::Number>> + Sync,
    mut take: impl FnMut(Block<B::Number>),
) -> Result<()> {
    session.check(x)?;
    along.check(session.model(), x.samples())?;
    let arrays = session.arrays();
    let dual = Dual::new(arrays.clone());
    let weights = along.weights(session, &dual);
    let of_block = |range: Range<usize>| {
        let tape = along.tape(session, &dual, &weights, x, &range)?;
        let uses = tape.uses()?;
        let output = tape.output();
        let (value, tangent) = (arrays.read(output.value())?, arrays.read(&dual.tangent(output))?);
        let (value, moved) = seed(range.clone(), &value, &tangent)?;
        let shape = dual.shape(output);
        let moved = moved.map(|moved| arrays.upload(&moved, shape));
        let seed = dual.lift(&arrays.upload(&value, shape), moved.as_ref());
        let swept = tape.sweep(&seed, SweepTargets { inputs: wanted.is_none(), parameters: wanted });
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
    fold_blocks(x.samples(), block, of_block, |_, result| take(result))
}
