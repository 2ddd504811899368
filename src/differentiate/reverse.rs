use super::blocks::{SAMPLES, folded};
use crate::backend::Arrays;
use crate::error::Result;
use crate::factor::Factor;
use crate::model::{Gradient, Jacobian, Session};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::shape::numel;
use crate::tape::Wanted;

/// J^T u, for parameters and inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Vjp<R> {
    /// sum over n, c of u\[n,c\] grad f_c(x_n), by parameter.
    pub parameters: Gradient<R>,
    /// The same in every input, \[n, ...\] row-major: sum over c of u\[n,c\] times the derivative of f_c in x_n.
    pub inputs: Vec<Vec<R>>,
}

/// J^T u for parameters and inputs, by one reverse sweep; `u` is \[n, C\] row-major. For parameters alone
/// [`Session::gradient`] does less.
///
/// # Errors
/// As [`Session::gradient`].
pub fn vjp<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
    u: &[B::Number],
) -> Result<Vjp<B::Number>> {
    session.check(x)?;
    session.check_cotangents(x, u)?;
    let (arrays, model, outputs) = (session.arrays(), session.model(), session.model().outputs());
    let of_block = |range: std::ops::Range<usize>| {
        let tape = session.tape_of(x, range.clone())?;
        let uses = tape.uses()?;
        let seed = arrays.upload(&u[range.start * outputs..range.end * outputs], arrays.shape(tape.output()));
        let swept = tape.sweep(&seed, Wanted::ALL);
        let gradients = tape.by_parameter(&uses, &swept, Factor::gradient_row);
        let read = |x: Option<&B::Tensor>| x.map(|x| arrays.read(x)).transpose();
        let parameters = gradients.iter().map(|gradient| read(gradient.as_ref())).collect::<Result<Vec<_>>>()?;
        let inputs = swept.inputs.iter().map(|input| read(input.as_ref())).collect::<Result<Vec<_>>>()?;
        Ok((parameters, inputs))
    };
    let infos = model.parameters();
    let mut sums: Vec<Vec<B::Number>> =
        infos.iter().map(|info| vec![B::Number::default(); numel(&info.shape)]).collect();
    let mut inputs: Vec<Vec<B::Number>> = vec![Vec::new(); model.input_shapes().len()];
    folded(x.samples(), SAMPLES, of_block, |range, (parameters, own)| {
        add(&mut sums, parameters);
        for ((all, own), shape) in inputs.iter_mut().zip(own).zip(model.input_shapes()) {
            // An input that the output does not depend on.
            all.extend(own.unwrap_or_else(|| vec![B::Number::default(); range.len() * numel(shape)]));
        }
    })?;
    Ok(Vjp { parameters: Gradient::new(infos.to_vec(), sums), inputs })
}

/// Adds the gradients of a block; a parameter that the output does not depend on has none.
pub(super) fn add<R: Real>(sums: &mut [Vec<R>], block: Vec<Option<Vec<R>>>) {
    for (sum, part) in sums.iter_mut().zip(block) {
        sum.iter_mut().zip(part.unwrap_or_default()).for_each(|(sum, x)| *sum += x);
    }
}

/// J for all samples, by reverse mode: [`Session::jacobian`].
///
/// # Errors
/// Those of [`Session::jacobian`].
pub fn jacobian<B: Arrays, O: Op>(
    session: &Session<'_, B, O>,
    x: &dyn Samples<B::Number>,
) -> Result<Jacobian<B::Number>> {
    session.jacobian(x)
}
