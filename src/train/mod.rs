//! Training by the library's own gradients: losses, and what moves parameters down them.
//!
//! A loop is a session, a gradient and a step:
//!
//! ```
//! use tangent_kernels::train::{Adam, Optimiser};
//! use tangent_kernels::{Batch, Cpu, Loss, Sequential, Session, unary::Tanh};
//! # fn main() -> tangent_kernels::Result<()> {
//! let mut model = Sequential::standard(&[2]).mlp(&[8, 1], Tanh).build()?;
//! # for (seed, info) in model.parameters().to_vec().into_iter().enumerate() {
//! #     let count = info.shape.iter().product::<usize>();
//! #     let values = (0..count).map(|k| (7.0 * k as f64 + seed as f64 + 1.0).sin()).collect();
//! #     model.set(&info.name, &info.shape, values)?;
//! # }
//! let x = [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
//! let (x, y) = (Batch::new(&x, &[4, 2])?, [-1.0, 1.0, 1.0, -1.0]);
//!
//! let mut adam = Adam::new(0.05);
//! for _ in 0..300 {
//!     let session = Session::new(&model, Cpu::<f64>::new())?;
//!     let (loss, gradient) = session.loss_gradient(&x, Loss::Logistic(&y))?;
//!     adam.step(&mut model, &gradient)?;
//! #   let _ = loss;
//! }
//! let f = Session::new(&model, Cpu::<f64>::new())?.run(&x)?;
//! assert_eq!(f.iter().map(|f| *f > 0.0).collect::<Vec<_>>(), [false, true, true, false]);
//! # Ok(())
//! # }
//! ```
//!
//! Parameters are kept and moved in `f64`, whatever the session computes in. A loss may also be recorded in the graph, as
//! an op of outputs and targets ([`SquaredError`](crate::ops::SquaredError), [`CrossEntropy`](crate::ops::CrossEntropy),
//! [`BinaryCrossEntropy`](crate::ops::BinaryCrossEntropy)): its gradient is then [`Session::gradient`] like that of any
//! other output.

mod adam;
mod gradient_descent;
mod loss;
#[cfg(feature = "rand")]
mod minibatches;

pub use adam::Adam;
pub use gradient_descent::GradientDescent;
pub use loss::Loss;
#[cfg(feature = "rand")]
pub use minibatches::minibatches;

use crate::backend::Arrays;
use crate::error::{Error, Result};
use crate::model::blocks::{RUN_BLOCK, fold_blocks};
use crate::model::{Gradient, Model, Session, add};
use crate::ops::Op;
use crate::real::Real;
use crate::samples::Samples;
use crate::tape::SweepTargets;

/// What moves the parameters of a model, given the gradient of a loss.
pub trait Optimiser {
    /// Moves all parameters of `model` by one step down `gradient`.
    ///
    /// # Errors
    /// The gradient is of another model, or a parameter would become NaN or infinite: the loss diverges, and a smaller
    /// rate may help. The model then stays what it was.
    fn step<R: Real, O: Op>(&mut self, model: &mut Model<O>, gradient: &Gradient<R>) -> Result<()>;
}

impl<B: Arrays, O: Op> Session<'_, B, O> {
    /// The mean loss of the samples, (1/N) sum over n of l(f(x_n), y_n), and its gradient, by one run and one reverse sweep.
    ///
    /// Losses are computed and added in f64, the gradient in the precision of the backend: threads take blocks of samples,
    /// whose gradients are added in their order, so both are the same to the bit for any number of threads.
    ///
    /// # Errors
    /// As [`gradient`](Session::gradient); the loss has not the targets for these samples; an output is not finite.
    pub fn loss_gradient(&self, x: &dyn Samples<B::Number>, loss: Loss<'_>) -> Result<(f64, Gradient<B::Number>)> {
        self.check(x)?;
        let (samples, outputs) = (x.samples(), self.model().outputs());
        if samples == 0 {
            return Err(Error::shape("no samples have no mean loss"));
        }
        loss.check(samples, outputs)?;
        let (mut sums, mut total) = (self.zeros(), 0.0);
        fold_blocks(
            samples,
            RUN_BLOCK,
            |range| {
                let mut sum = 0.0;
                let seed = |f: Vec<B::Number>| {
                    let f: Vec<f64> = f.into_iter().map(Real::f64).collect();
                    if let Some(at) = f.iter().position(|f| !f.is_finite()) {
                        let (n, c) = (range.start + at / outputs, at % outputs);
                        return Err(Error::value(format!(
                            "output {c} of sample {n} is {}: no loss can be had of it",
                            f[at]
                        )));
                    }
                    sum = loss.values(range.clone(), &f, outputs).iter().sum();
                    let slopes = loss.slope(range.clone(), &f, outputs).into_iter();
                    Ok(slopes.map(|slope| B::Number::from_f64(slope / samples as f64)).collect())
                };
                let pulled = self.pulled_by(x, range.clone(), seed, SweepTargets::PARAMETERS)?;
                Ok((sum, pulled.parameters))
            },
            |_, (sum, block)| {
                total += sum;
                add(&mut sums, block);
            },
        )?;
        Ok((total / samples as f64, Gradient::new(self.model().parameters().to_vec(), sums)))
    }
}

/// Gives every entry of every parameter the value that `moved` makes of the parameter's number, the entry's, its value and
/// its slope.
fn moved<R: Real, O: Op>(
    model: &mut Model<O>,
    gradient: &Gradient<R>,
    mut moved: impl FnMut(usize, usize, f64, f64) -> f64,
) -> Result<()> {
    if !gradient.iter().map(|(info, _)| info).eq(model.parameters()) {
        return Err(Error::shape("the gradient is of another model: its parameters have other names or shapes"));
    }
    let valued = model.valued_parameters()?;
    let of_parameter = |(k, ((info, values), (_, slopes)))| {
        let (info, values, slopes): (&crate::ParameterInfo, &[f64], &[R]) = (info, values, slopes);
        let entries = values.iter().zip(slopes).enumerate();
        let new: Vec<f64> = entries.map(|(at, (&value, slope))| moved(k, at, value, slope.f64())).collect();
        match new.iter().position(|x| !x.is_finite()) {
            Some(at) => Err(Error::value(format!(
                "the loss diverges: parameter '{}' would be {} at entry {at}; a smaller rate may help",
                info.name, new[at]
            ))),
            None => Ok(new),
        }
    };
    let new = valued.into_iter().zip(gradient.iter()).enumerate().map(of_parameter).collect::<Result<Vec<_>>>()?;
    model.replace(new);
    Ok(())
}

/// Makes `state` a zero for every entry of every parameter of `gradient`, if there is none yet.
///
/// # Errors
/// It is the state of another model.
fn begun<R: Real>(state: &mut Vec<Vec<f64>>, gradient: &Gradient<R>) -> Result<()> {
    let sizes = || gradient.iter().map(|(_, slopes)| slopes.len());
    if state.is_empty() {
        *state = sizes().map(|size| vec![0.0; size]).collect();
    }
    match state.iter().map(Vec::len).eq(sizes()) {
        true => Ok(()),
        false => Err(Error::shape("the optimiser moved another model before, whose parameters have other sizes")),
    }
}
