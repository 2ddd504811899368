use super::direction::Direction;
use super::forward::jvp;
use crate::backend::Arrays;
use crate::error::Result;
use crate::model::Session;
use crate::ops::Op;
use crate::samples::Samples;

/// The first-order expansion of a model in its parameters. See [`linearize`].
#[derive(Clone)]
pub struct Linearized<'s, 'm, B: Arrays, O: Op> {
    session: &'s Session<'m, B, O>,
    step: Direction<B::Number>,
}

/// The model f_lin(x) = f(x; theta_0) + J(x; theta_0) (theta - theta_0), which is linear in its parameters. Wide networks
/// train like their linearisation (Lee et al. 2019, section 2.2). theta_0 is the session's, and `step` is theta - theta_0.
///
/// ```
/// use tangent_kernels::{Batch, Cpu, Sequential, Session, differentiate::{self, Direction}, unary::Tanh};
/// let mut model = Sequential::standard(&[1]).mlp_without_bias(&[1, 1], Tanh).build()?;
/// model.set("d1.weight", &[1, 1], vec![0.0])?;
/// model.set("d2.weight", &[1, 1], vec![2.0])?;
/// let session = Session::new(&model, Cpu::<f64>::new())?;
/// let step = Direction::none(&model).parameter("d1.weight", &[0.1])?;
/// let linear = differentiate::linearize(&session, step)?;
/// // 2 tanh(w x) around w = 0 is 2 w x.
/// assert_eq!(linear.run(&Batch::new(&[3.0], &[1, 1])?)?, [2.0 * 0.1 * 3.0]);
/// # Ok::<(), tangent_kernels::Error>(())
/// ```
///
/// # Errors
/// The direction belongs to another model.
pub fn linearize<'s, 'm, B: Arrays, O: Op>(
    session: &'s Session<'m, B, O>,
    step: Direction<B::Number>,
) -> Result<Linearized<'s, 'm, B, O>> {
    step.check_parameters(session.model())?;
    Ok(Linearized { session, step })
}

impl<B: Arrays, O: Op> Linearized<'_, '_, B, O> {
    /// f_lin(x), `[n, C]`, row-major.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn run(&self, x: &dyn Samples<B::Number>) -> Result<Vec<B::Number>> {
        let mut along = jvp(self.session, x, &self.step)?;
        along.value.iter_mut().zip(&along.tangent).for_each(|(f, &df)| *f += df);
        Ok(along.value)
    }
}
